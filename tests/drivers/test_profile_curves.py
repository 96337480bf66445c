"""Curves by the SunSpec battery profile: exact frames, typed by hand from the public register maps, and refusals.

The simulated battery has its models 705 to 712 at 40372, 40453, 40507, 40663, 40819, 41020, 41221 and 41265, with scale
factors: 705 V -2, Var -2, time -1; 706 V -1, W -1, time -2; 707 V -2, time -2; 709 Hz -3, time -3; 711 dead band -3,
droop -3, time -2; 712 W -2, Var -2. Set 2 begins behind the head and one set.
"""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_profile_end_to_end import battery

from wattseal.drivers.device import (
    AdoptionError,
    Function,
    LayoutError,
    Operation,
    PlannedWrites,
    Quality,
    Quantity,
    Scope,
    UnsupportedError,
    Wish,
)
from wattseal.drivers.modbus.exchange import DeviceExceptionError, Effect, Exchange, Table
from wattseal.drivers.profiles.curve_declaration import SetFill
from wattseal.drivers.profiles.curve_values import contents_for, value_in
from wattseal.drivers.profiles.interpreter import ProfiledDevice
from wattseal.drivers.profiles.sunspec_battery import SUNSPEC_BATTERY
from wattseal.drivers.profiles.sunspec_curves import CURVES
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.sunspec.models import decoder_of

EVERY = pytest.mark.parametrize("command", CURVES, ids=lambda command: str(command.operation))
VOLT_VAR = ("max_vars", ((9_500, 3_000), (10_500, -3_000)), 3_000, None, None)
LV_MAY = ("nominal_volts", ((160, 5_000), (2_000, 8_800)), None, None, None)
DROOP = (36, 100, 50, 40, 5_000)
# operation -> value, frames as (address, words); the timer is 60 s less the 10 s that an adoption may take
VECTORS = {
    Operation.VOLT_VAR: (
        VOLT_VAR,
        [
            (40_409, (2, 1, 0, 10_000)),  # points, %VarMax, the device's own priority, VRef 100 %
            (40_414, (0,)),  # not autonomous
            (40_416, (0, 30)),  # 3.0 s
            (40_419, (9_500, 3_000, 10_500, 0x10000 - 3_000)),
            (40_383, (0,)),  # falls back to no set
            (40_379, (0, 50)),
            (40_375, (2,)),
            (40_374, (1,)),
        ],
    ),
    Operation.VOLT_WATT: (
        ("max_watts", ((10_500, 10_000), (11_000, 2_000)), None, None, None),
        [
            (40_481, (2, 0, 0, 1_000)),  # the device's own 10.00 s
            (40_486, (1_050, 1_000, 1_100, 200)),
            (40_464, (0,)),
            (40_460, (0, 50)),
            (40_456, (2,)),
            (40_455, (1,)),
        ],
    ),
    Operation.WATT_VAR: (
        ("max_volt_amperes", ((2_000, 0), (10_000, -4_400)), None, None, None),
        [
            (41_295, (2, 3, 0)),
            (41_299, (2_000, 0, 10_000, 0x10000 - 4_400)),
            (41_276, (0,)),
            (41_272, (0, 50)),
            (41_268, (2,)),
            (41_267, (1,)),
        ],
    ),
    # The axes swap: 160 ms at 50 % is (50.00 %, 16 hundredths). Must-trip is the device's own, cessation empty.
    Operation.LV_MAY_TRIP: (
        LV_MAY,
        [
            (40_566, (2, 5_000, 0, 200, 7_000, 0, 2_100)),
            (40_582, (2, 5_000, 0, 16, 8_800, 0, 200)),
            (40_598, (0,)),
            (40_510, (2,)),
            (40_509, (1,)),
        ],
    ),
    Operation.LF_MUST_TRIP: (
        ("none", ((160, 47_000), (300_000, 49_000)), None, None, None),
        [
            (40_893, (2, 0, 47_000, 0, 160, 0, 49_000, 4, 37_856)),
            (40_914, (0,)),
            (40_935, (0,)),
            (40_822, (2,)),
            (40_821, (1,)),
        ],
    ),
    Operation.FREQ_DROOP: (
        DROOP,
        [
            (41_245, (0, 36, 0, 100, 50, 40, 0, 500, 0x10000 - 100)),  # PMin is the device's own
            (41_231, (0,)),
            (41_227, (0, 50)),
            (41_224, (2,)),
            (41_223, (1,)),
        ],
    ),
}


async def test_an_autonomous_reference_voltage() -> None:
    """Reference 101 %, followed with 300 s: VRef, and VRefAutoEna with its time constant in one frame with RspTms."""
    value = ("max_vars", ((9_500, 3_000), (10_500, -3_000)), 3_000, 10_100, 300)
    async with battery() as (run, _, device):
        planned = await planned_for(device, Operation.VOLT_VAR, value)
        assert [(step.address, step.words) for step in planned.steps][:2] == [
            (40_409, (2, 1, 0, 10_100)),
            (40_414, (1, 300, 0, 30)),
        ]
        await carried_out(run, device, planned)
        after = await device.read_state(await device.capabilities(), Scope.CONTROL)
        assert device.verify(planned, None, after, settled=False).applied
        assert after.control(Operation.VOLT_VAR).value == value


async def planned_for(device, operation: Operation, value, timer: int = 60) -> PlannedWrites:
    capabilities = await device.capabilities()
    shown = await device.read_state(capabilities, Scope.CONTROL, frozenset({Function(str(operation))}))
    return device.steps_for(capabilities, Wish(operation, value, timer), shown)


async def carried_out(run, device, planned: PlannedWrites) -> None:
    async def pause(seconds: float) -> None:
        run.control.advance(seconds)

    device.pause = pause
    for step in planned.steps:
        await device.write(step)
        if step.adoption is not None:
            await device.adopted(step.adoption)


@pytest.mark.parametrize("operation", VECTORS)
async def test_frames(operation: Operation) -> None:
    """Slot, fallback, timer, request, enable: every word by hand, and only the request is waited for."""
    value, frames = VECTORS[operation]
    async with battery() as (_, _, device):
        planned = await planned_for(device, operation, value)
    assert [(step.address, step.words) for step in planned.steps] == frames
    waited = [step for step in planned.steps if step.adoption is not None]
    assert [step.address for step in waited] == [frames[-2][0]]
    assert waited[0].adoption.address == frames[-2][0] + 1
    assert planned.value == value


@pytest.mark.parametrize("operation", VECTORS)
async def test_is_adopted_and_read_back_point_by_point(operation: Operation) -> None:
    """The active set is compared, and comes back in the order's own numbers; a release takes the enable away again."""
    value, _ = VECTORS[operation]
    async with battery() as (run, _, device):
        planned = await planned_for(device, operation, value)
        functions = frozenset({Function(str(operation))})
        capabilities = await device.capabilities()
        before = await device.read_state(capabilities, Scope.CONTROL, functions)
        assert not device.verify(planned, before, before, settled=False).applied
        await carried_out(run, device, planned)
        after = await device.read_state(capabilities, Scope.CONTROL, functions)
        verdict = device.verify(planned, before, after, settled=False)
        assert (verdict.reason, verdict.applied) == ("applied", True)
        shown = after.control(operation).value
        if operation is Operation.FREQ_DROOP:
            assert shown == value
        else:
            assert shown[:2] == value[:2]
        release = device.steps_for(capabilities, Wish(Operation.RELEASE, 0, 0, function=Function(str(operation))))
        if planned.timer_seconds is None:
            assert release.leaves_setting
            assert planned.heartbeat == ()
        else:
            assert after.control(operation).timer_remaining_seconds == planned.timer_seconds == 50
            run.control.advance(25.0)
            for step in planned.heartbeat:
                await device.write(step)
            run.control.advance(49.0)
            renewed = await device.read_state(capabilities, Scope.CONTROL, functions)
            assert device.verify(planned, before, renewed, settled=False).applied
            for step in release.steps:
                await device.write(step)
            released = await device.read_state(capabilities, Scope.CONTROL, functions)
            assert device.verify(release, None, released, settled=False).applied
            assert released.control(operation).enabled is False


async def test_a_may_trip_curve_leaves_the_must_trip_curve_as_it_is() -> None:
    """Both lists stand in one set: what the order does not say is taken over from the active one."""
    async with battery() as (run, _, device):
        await carried_out(run, device, await planned_for(device, Operation.LV_MAY_TRIP, LV_MAY))
        must = ("nominal_volts", ((500, 6_000),), None, None, None)
        await carried_out(run, device, await planned_for(device, Operation.LV_MUST_TRIP, must))
        state = await device.read_state(await device.capabilities())
        assert state.control(Operation.LV_MAY_TRIP).value == LV_MAY
        assert state.control(Operation.LV_MUST_TRIP).value == must


@pytest.mark.parametrize(
    ("operation", "value", "reason"),
    [
        pytest.param(
            Operation.VOLT_WATT,
            ("max_watts", ((10_505, 0),), None, None, None),
            "value_not_supported",
            id="tenth_of_a_percent",
        ),
        pytest.param(
            Operation.VOLT_VAR,
            ("max_vars", ((9_500, 0),), 3_050, None, None),
            "value_not_supported",
            id="tenth_of_a_second",
        ),
        pytest.param(
            Operation.LV_MUST_TRIP,
            ("nominal_volts", ((163, 5_000),), None, None, None),
            "value_not_supported",
            id="hundredth_of_a_second",
        ),
        pytest.param(
            Operation.VOLT_VAR,
            ("max_watts", tuple((9_000 + n, 0) for n in range(7)), None, None, None),
            "value_not_supported",
            id="more_points_than_room",
        ),
        pytest.param(
            Operation.VOLT_VAR,
            ("available_watts", ((9_500, 0),), None, None, None),
            "value_not_supported",
            id="reference",
        ),
        pytest.param(
            Operation.WATT_VAR, ("max_vars", ((0, 0),), 100, None, None), "value_not_supported", id="no_response_time"
        ),
        pytest.param(
            Operation.VOLT_WATT,
            ("max_watts", ((9_500, 0),), None, 10_100, None),
            "value_not_supported",
            id="no_reference_voltage",
        ),
        pytest.param(
            Operation.VOLT_WATT,
            ("max_watts", ((9_500, 40_000_000),), None, None, None),
            "value_not_supported",
            id="beyond_the_register",
        ),
        pytest.param(
            Operation.LV_MUST_TRIP,
            ("nominal_volts", ((160, -1),), None, None, None),
            "value_not_supported",
            id="negative_volts",
        ),
        pytest.param(Operation.VOLT_VAR, 5, "wish_malformed", id="a_number"),
        pytest.param(Operation.FREQ_DROOP, (1, 2, 3), "wish_malformed", id="three_numbers"),
        pytest.param(
            Operation.WATT_PF, ("none", ((0, 10_000),), None, None, None), "operation_not_supported", id="no_model"
        ),
    ],
)
async def test_what_cannot_be_held_exactly_is_refused(operation: Operation, value, reason: str) -> None:
    """No rounding: nothing is written of a curve that would be another one."""
    async with battery() as (_, _, device):
        with pytest.raises(UnsupportedError) as raised:
            await planned_for(device, operation, value)
    assert raised.value.reason == reason


@pytest.mark.parametrize("operation", VECTORS)
async def test_what_is_active_already_is_not_adopted_again(operation: Operation) -> None:
    """Asked for once more: the timer and the enable, nothing of the set; then the whole time may be armed."""
    value, frames = VECTORS[operation]
    async with battery() as (run, _, device):
        await carried_out(run, device, await planned_for(device, operation, value))
        again = await planned_for(device, operation, value)
    enable = frames[-1]
    fallback_and_timer = [frames[-4], (frames[-3][0], (0, 60))] if again.timer_seconds else []
    assert [(step.address, step.words) for step in again.steps] == [*fallback_and_timer, enable]
    assert all(step.adoption is None for step in again.steps)


@pytest.mark.parametrize("seconds", [1, 10])
async def test_an_order_that_ends_before_the_adoption_may_is_refused(seconds: int) -> None:
    async with battery() as (_, _, device):
        with pytest.raises(UnsupportedError) as raised:
            await planned_for(device, Operation.VOLT_VAR, VOLT_VAR, seconds)
    assert raised.value.reason == "window_over"


async def test_without_a_picture_of_the_device_nothing_is_planned() -> None:
    """Scale factors and carried lists come from the device as it is now."""
    async with battery() as (_, _, device):
        capabilities = await device.capabilities()
        with pytest.raises(UnsupportedError):
            device.steps_for(capabilities, Wish(Operation.VOLT_VAR, VOLT_VAR, 60))
        elsewhere = await device.read_state(capabilities, Scope.CONTROL, frozenset({Function.POWER}))
        with pytest.raises(UnsupportedError) as raised:
            device.steps_for(capabilities, Wish(Operation.LV_MAY_TRIP, LV_MAY, 60), elsewhere)
        assert raised.value.reason in {"active_set_unreadable", "rating_unknown"}


async def test_all_curves_are_offered_and_only_their_own_model_is_read() -> None:
    async with battery() as (_, _, device):
        capabilities = await device.capabilities()
        assert {command.operation for command in CURVES} <= set(capabilities.operations)
        one = await device.read_state(capabilities, Scope.CONTROL, frozenset({Function.VOLT_VAR}))
        assert {name.split(".")[0] for name, _ in one.points if name.startswith("7")} == {"705"}
        assert one.control(Operation.FREQ_DROOP).enabled is None
        metering = await device.read_state(capabilities, Scope.METERING)
        assert not [name for name, _ in metering.points if name.startswith("705.")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(FaultKind.ADOPT_STALLS, "adoption_not_finished"), (FaultKind.ADOPT_FAILS, "adoption_failed")],
)
async def test_an_adoption_that_fails_has_its_reason_and_its_end(kind: FaultKind, reason: str) -> None:
    """At most 10 s are waited, half a second between the questions."""
    async with battery() as (run, _, device):
        planned = await planned_for(device, Operation.VOLT_VAR, VOLT_VAR)
        run.control.fault(Fault(kind))
        start = run.control.state()["monotonic"]
        with pytest.raises(AdoptionError) as raised:
            await carried_out(run, device, planned)
        assert raised.value.reason == reason
        assert run.control.state()["monotonic"] - start <= 10.0
        assert 1 <= len(raised.value.exchanges) <= 20


async def test_a_device_that_says_done_and_changes_nothing_is_found_out() -> None:
    async with battery() as (run, _, device):
        planned = await planned_for(device, Operation.VOLT_VAR, VOLT_VAR)
        run.control.fault(Fault(FaultKind.ADOPT_CHANGES_NOTHING))
        await carried_out(run, device, planned)
        after = await device.read_state(await device.capabilities(), Scope.CONTROL)
        assert device.verify(planned, None, after, settled=False).reason == "read_back_differs"


async def test_the_device_falls_back_by_itself() -> None:
    """Nobody renews: after 50 s the function is off."""
    async with battery() as (run, _, device):
        planned = await planned_for(device, Operation.FREQ_DROOP, DROOP)
        await carried_out(run, device, planned)
        run.control.advance(50.0)
        after = await device.read_state(await device.capabilities(), Scope.CONTROL)
        assert after.control(Operation.FREQ_DROOP).enabled is False
        assert not device.verify(planned, None, after, settled=False).applied


# --- the declarations


@EVERY
def test_every_declared_path_is_in_the_public_model(command) -> None:
    """Of the slot writable, of the active set readable; request and timer writable, result not."""
    counts = (("NPt", 4), ("NCrv", 3), ("NCrvSet", 3), ("NCtl", 3))
    decoder = decoder_of(command.model, 2000, counts)
    lists = [] if command.points is None else [command.points, *command.carried]
    paths = [field.path for field in command.fields]
    paths += [f"{one.path}Pt.4.{axis.name}" for one in lists for axis in (one.x, one.y)]
    paths += [f"{one.path}ActPt" for one in lists]
    assert all(decoder.point(command.stored(path)).writable for path in paths)
    assert decoder.point("Ena").writable
    assert decoder.point(command.request).writable
    assert not decoder.point(command.result).writable
    if command.timer is None:
        assert "RvrtTms" not in decoder.by_name
        assert "no timer" in command.fallback
    else:
        assert decoder.point(command.timer.seconds).writable
        assert decoder.point(command.timer.reverts_to).writable
        assert not decoder.point(command.timer.remaining).writable
    assert command.slot > 1


@EVERY
def test_every_point_of_a_set_is_filled_or_known_to_be_read_only(command) -> None:
    """A point that nobody fills would keep what an earlier curve left in the slot."""
    decoder = decoder_of(command.model, 2000, (("NPt", 1), ("NCrv", 3), ("NCrvSet", 3), ("NCtl", 3)))
    start = f"{command.group}.{command.slot}."
    writable = {
        point.name.removeprefix(start) for point in decoder.points if point.name.startswith(start) and point.writable
    }
    lists = [] if command.points is None else [command.points, *command.carried]
    filled = {field.path for field in command.fields} | {f"{one.path}ActPt" for one in lists}
    filled |= {f"{one.path}Pt.1.{axis.name}" for one in lists for axis in (one.x, one.y)}
    assert writable == filled


def test_each_operation_is_declared_once() -> None:
    operations = [command.operation for command in (*SUNSPEC_BATTERY.commands, *CURVES)]
    assert len(set(operations)) == len(operations)
    assert {Operation.WATT_PF, Operation.FREQ_WATT}.isdisjoint(operations)  # no model of this device holds them


_NUMBERS = st.integers(-(1 << 31), 1 << 31)


class Shown:
    """A device whose active set shows 1 everywhere, at the order's own scale."""

    def point(self, name: str) -> Quantity:
        return Quantity(1, 0, Quality.GOOD, name)


@given(
    st.sampled_from([command for command in CURVES if command.points is not None]),
    st.lists(st.tuples(_NUMBERS, _NUMBERS), min_size=1, max_size=10),
    st.data(),
)
def test_values_go_both_ways(command, points, data) -> None:
    """What a set holds reads back as the order's own numbers, whatever the scale; None: what the device had."""
    reference = data.draw(st.sampled_from([name for name, _ in command.references]))
    fills = {field.fill for field in command.fields}
    maybe = st.one_of(st.none(), st.integers(0, 1 << 30))
    open_loop = data.draw(maybe) if SetFill.OPEN_LOOP in fills else None
    volts = data.draw(maybe) if SetFill.VOLT_REFERENCE in fills else None
    autonomous = data.draw(maybe) if SetFill.AUTONOMOUS in fills else None
    value = (reference, tuple(points), open_loop, volts, autonomous)
    contents = contents_for(command, value, Shown())
    shown = {command.active(path): Quantity(one.mantissa, one.exponent, Quality.GOOD) for path, one in contents.items()}
    back = value_in(command, shown)
    assert back[0] == (reference if SetFill.REFERENCE in fills else command.references[0][0])
    assert back[1] == tuple(points)
    expected = (1_000 if open_loop is None and SetFill.OPEN_LOOP in fills else open_loop, volts, autonomous)
    assert (back[2], back[4]) == (expected[0], expected[2])
    assert back[3] == (10_000 if volts is None and SetFill.VOLT_REFERENCE in fills else volts)


async def test_a_device_without_the_model_does_not_offer_it() -> None:
    async with battery() as (_, _, device):
        capabilities = await device.capabilities()
        shown = await device.read_state(capabilities, Scope.CONTROL)
        fewer = tuple(place for place in capabilities.layout.models if place.model != 705)
        without = replace(capabilities, layout=replace(capabilities.layout, models=fewer))
        with pytest.raises(LayoutError):
            device.steps_for(without, Wish(Operation.VOLT_VAR, VOLT_VAR, 60), shown)


# --- any curve, against the simulated device's own layout


class InProcess:
    """The simulated battery as a link, without sockets: what it refuses is raised."""

    def __init__(self) -> None:
        self.device = BatteryInverter(BatteryOptions(adopt_seconds=1.0), 0.0)
        self.now = 0.0

    async def read(self, unit: int, address: int, count: int, table: Table = Table.HOLDING) -> Exchange:
        words = self.device.read(unit, int(table), address, count, self.now)
        if not isinstance(words, tuple):
            raise DeviceExceptionError(words.code, "The device refused a read.", Effect.NONE)
        data = b"".join(word.to_bytes(2, "big") for word in words)
        return Exchange(b"", bytes((0, 0, 0, 0, 0, 3 + len(data), unit, 3, len(data))) + data, words)

    async def write(self, unit: int, address: int, words: tuple[int, ...]) -> Exchange:
        refused = self.device.write(unit, address, words, self.now)
        if refused is not None:
            raise DeviceExceptionError(refused.code, "The device refused a write.", Effect.NONE)
        return Exchange(b"", b"", words)

    async def pause(self, seconds: float) -> None:
        self.now += seconds


_VOLTS = st.integers(0, 30_000)
_PART = st.integers(-10_000, 10_000)
_TENTHS = st.integers(-1_000, 1_000).map(lambda tenths: 10 * tenths)
# operation -> (most points, x, y), in what this device can hold: see the scale factors at the head of this file
_HOLDS = {
    Operation.VOLT_VAR: (6, _VOLTS, _PART),
    Operation.VOLT_WATT: (4, st.integers(0, 3_000).map(lambda tenths: 10 * tenths), _TENTHS),
    Operation.WATT_VAR: (6, _PART, _PART),
    **dict.fromkeys(
        (
            Operation.LV_MUST_TRIP,
            Operation.LV_MAY_TRIP,
            Operation.LV_MOMENTARY_CESSATION,
            Operation.HV_MUST_TRIP,
            Operation.HV_MAY_TRIP,
            Operation.HV_MOMENTARY_CESSATION,
        ),
        (5, st.integers(0, 100_000_000).map(lambda hundredths: 10 * hundredths), _VOLTS),
    ),
    **dict.fromkeys(
        (Operation.LF_MUST_TRIP, Operation.LF_MAY_TRIP, Operation.HF_MUST_TRIP, Operation.HF_MAY_TRIP),
        (5, st.integers(0, 2_000_000_000), st.integers(0, 100_000)),
    ),
}


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(_HOLDS)), st.data())
def test_any_curve_that_fits_becomes_the_active_one(operation: Operation, data) -> None:
    """Whatever the order, in the device's own reach: adopted, read back equal, and in force."""
    most, x, y = _HOLDS[operation]
    pairs = data.draw(st.lists(st.tuples(x, y), min_size=1, max_size=most, unique=True))
    command = next(command for command in CURVES if command.operation is operation)
    reference = data.draw(st.sampled_from([name for name, _ in command.references]))
    points = tuple(sorted(pairs, key=lambda pair: pair[0]))

    async def round_trip() -> None:
        link = InProcess()
        device = ProfiledDevice(SUNSPEC_BATTERY, link, pause=link.pause)
        planned = await planned_for(device, operation, (reference, points, None, None, None))
        for step in planned.steps:
            await device.write(step)
            if step.adoption is not None:
                await device.adopted(step.adoption)
        after = await device.read_state(await device.capabilities(), Scope.CONTROL, frozenset({command.function}))
        assert device.verify(planned, None, after, settled=False).reason == "applied"
        shown = after.control(operation).value
        assert shown[1] == points
        if SetFill.REFERENCE in {field.fill for field in command.fields}:
            assert shown[0] == reference

    asyncio.run(round_trip())
