"""Register words by hand, from the register maps, for given watts; and what is made of registers that read back.

SunSpec 704, offsets from its ID register: WMaxLimPctEna 14, WMaxLimPct 15, Rvrt 16, EnaRvrt 17, RvrtTms 18-19,
Rem 20-21; WSetEna 22, WSetMod 23, WSet 24-25, WSetRvrt 26-27, WSetPct 28, WSetPctRvrt 29, EnaRvrt 30, RvrtTms 31-32,
Rem 33-34.
Alfen Eve: 1208-1209 validity left, 1210-1211 limit (float32 A), 1212-1213 safe current, 1215 phases.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.drivers.device import (
    Capabilities,
    Layout,
    LayoutError,
    ModelPlace,
    OperatingState,
    Operation,
    Quality,
    Quantity,
    Scope,
    UnsupportedError,
    Wish,
)
from wattseal.drivers.modbus.exchange import DeviceExceptionError, Effect, Exchange, Table
from wattseal.drivers.profiles.alfen_eve import ALFEN_EVE
from wattseal.drivers.profiles.interpreter import ProfiledDevice
from wattseal.drivers.profiles.planning import steps_for
from wattseal.drivers.profiles.sunspec_battery import SUNSPEC_BATTERY
from wattseal.drivers.profiles.verdict import timer_counts, verify

AT_704 = 40200


def battery(**changes) -> Capabilities:
    """10 kW, charge 8 kW; WSet in watts, percent in hundredths; 704 at 40200."""
    layout = Layout(
        1,
        (ModelPlace(704, AT_704, 65),),
        scales=(("WSet", 0), ("WMaxLimPct", -2)),
        kept=(("WSetPct", (5,)), ("WSetPctRvrt", (6,)), ("WMaxLimPctRvrt", (10000,))),
    )
    known = Capabilities(layout, (), 10_000, 8_000, None, 1, 0xFFFFFFFE, ratings=(("w_max", 10_000),))
    return replace(known, **changes)


def frames(planned):
    return [(step.unit, step.address - AT_704, step.words) for step in planned.steps]


@pytest.mark.parametrize(
    ("watts", "asked", "high", "low"),
    [
        (1500, 1500, 0, 1500),
        (-1500, -1500, 0xFFFF, 0xFA24),
        (70_000, 10_000, 0, 10_000),  # clamped to WMax
        (-70_000, -8_000, 0xFFFF, 0xE0C0),  # clamped to WChaRteMax
        (0, 0, 0, 0),
    ],
)
def test_battery_set_power_is_two_frames(watts, asked, high, low):
    """Mode, setpoint, WSetRvrt 0, the kept percentages, EnaRvrt 0 and the time in one frame; then Ena alone."""
    planned = steps_for(SUNSPEC_BATTERY, battery(), Wish(Operation.SET_POWER, watts, 70_000))
    assert frames(planned) == [(1, 23, (1, high, low, 0, 0, 5, 6, 0, 1, 4464)), (1, 22, (1,))]
    assert planned.clamped_watts == asked
    assert planned.timer_seconds == 70_000
    assert [(step.address - AT_704, step.words) for step in planned.heartbeat] == [
        (23, (1, high, low, 0, 0, 5, 6, 0, 1, 4464))
    ]
    assert planned.heartbeat_seconds == 35_000


def test_battery_without_kept_words_writes_around_the_gap():
    """WSetPct and WSetPctRvrt are not known or not implemented: they are left alone, at the price of a frame."""
    layout = replace(battery().layout, kept=())
    planned = steps_for(SUNSPEC_BATTERY, battery(layout=layout), Wish(Operation.SET_POWER, 1500, 60))
    assert frames(planned) == [(1, 23, (1, 0, 1500, 0, 0)), (1, 30, (0, 0, 60)), (1, 22, (1,))]


@pytest.mark.parametrize(("scale", "watts", "word", "asked"), [(-1, 1505, 15050, 1505), (1, 1509, 150, 1500)])
def test_battery_scale_factor_of_the_setpoint(scale, watts, word, asked):
    """WSet_SF -1 counts tenths of a watt, +1 tens of watts (rounded toward zero, the safe side)."""
    layout = replace(battery().layout, scales=(("WSet", scale),))
    for sign in (1, -1):
        planned = steps_for(SUNSPEC_BATTERY, battery(layout=layout), Wish(Operation.SET_POWER, sign * watts, 60))
        raw = (sign * word) & 0xFFFFFFFF
        assert planned.steps[0].words[1:3] == (raw >> 16, raw & 0xFFFF)
        assert planned.clamped_watts == sign * asked


@pytest.mark.parametrize(
    ("watts", "word", "asked"),
    [(5000, 5000, 5000), (3333, 3333, 3333), (0, 0, 0), (12_000, 10_000, 10_000)],
)
def test_battery_limit_inject_is_a_percentage_of_wmax(watts, word, asked):
    """WMaxLimPct in hundredths of a percent of 702.WMax (10 kW); EnaRvrt 0 (uncurtailed at expiry)."""
    planned = steps_for(SUNSPEC_BATTERY, battery(), Wish(Operation.LIMIT_INJECT, watts, 60))
    assert frames(planned) == [(1, 15, (word, 10000, 0, 0, 60)), (1, 14, (1,))]
    assert planned.clamped_watts == asked


def test_battery_limit_rounds_down():
    """1000 W of 7 kW is 14.2857 %: 14.28 % is 999 W, never more than was asked."""
    known = battery(max_inject_watts=7000, ratings=(("w_max", 7000),))
    planned = steps_for(SUNSPEC_BATTERY, known, Wish(Operation.LIMIT_INJECT, 1000, 60))
    assert planned.steps[0].words[0] == 1428
    assert planned.clamped_watts == 999


def test_battery_release_disables_each_function():
    planned = steps_for(SUNSPEC_BATTERY, battery(), Wish(Operation.RELEASE, 0, 0))
    assert frames(planned) == [(1, 22, (0,)), (1, 14, (0,))]
    only = steps_for(SUNSPEC_BATTERY, battery(), Wish(Operation.RELEASE, 0, 0, Operation.LIMIT_INJECT))
    assert frames(only) == [(1, 14, (0,))]


@pytest.mark.parametrize(
    ("wish", "known", "reason"),
    [
        (Wish(Operation.LIMIT_ABSORB, 1000, 60), battery(), "operation_not_supported"),
        (Wish(Operation.LIMIT_INJECT, -1, 60), battery(), "wish_malformed"),
        (Wish(Operation.SET_POWER, 1000, 0), battery(), "wish_malformed"),
        (Wish(Operation.LIMIT_INJECT, 1000, 60), battery(ratings=()), "rating_unknown"),
        (
            Wish(Operation.SET_POWER, 1000, 60),
            battery(layout=replace(battery().layout, scales=())),
            "rating_unknown",
        ),
    ],
)
def test_battery_refuses(wish, known, reason):
    with pytest.raises(UnsupportedError) as caught:
        steps_for(SUNSPEC_BATTERY, known, wish)
    assert caught.value.reason == reason


def test_timer_stays_in_the_devices_range():
    known = battery(timer_min_seconds=30, timer_max_seconds=120)
    for asked, armed in ((5, 30), (60, 60), (900, 120)):
        planned = steps_for(SUNSPEC_BATTERY, known, Wish(Operation.SET_POWER, 1, asked))
        assert planned.timer_seconds == armed
        assert planned.heartbeat_seconds == armed // 2


def charger(phases: int | None = 3, safe: int | None = 60) -> Capabilities:
    ratings = ((("phases", phases),) if phases else ()) + ((("safe_deciamps", safe),) if safe is not None else ())
    return Capabilities(Layout(1), (), None, None, None, None, None, ratings=ratings)


@pytest.mark.parametrize(
    ("watts", "phases", "amps", "asked"),
    [
        (11_040, 3, "41800000", 11_040),  # 16 A: float32 0x41800000
        (4_140, 3, "40c00000", 4_140),  # 6 A
        (4_139, 3, "00000000", 0),  # 5.99 A: below 6 A is a pause
        (3_680, 1, "41800000", 3_680),
        (2_900, 1, "4149999a", 2_898),  # 12.608 A rounds down to 12.6 A
        (50_000, 3, "42000000", 22_080),  # 32 A is the most
        (0, 3, "00000000", 0),
        (11_040, None, "41800000", 11_040),  # unknown phases count as three: the smaller current
    ],
)
def test_charger_limit_is_amperes_per_phase(watts, phases, amps, asked):
    """Watts over (230 V times phases), rounded down to a deciampere, in one frame to 1210; no enable exists."""
    planned = steps_for(ALFEN_EVE, charger(phases), Wish(Operation.LIMIT_ABSORB, watts, 60))
    words = (int(amps[:4], 16), int(amps[4:], 16))
    assert [(step.unit, step.address, step.words) for step in planned.steps] == [(1, 1210, words)]
    assert [(step.address, step.words) for step in planned.heartbeat] == [(1210, words)]
    assert planned.clamped_watts == asked
    assert planned.timer_seconds is None
    assert planned.heartbeat_seconds == 25


@given(st.integers(0, 30_000), st.sampled_from([1, 3]))
def test_charger_never_asks_for_more_than_the_limit(watts, phases):
    planned = steps_for(ALFEN_EVE, charger(phases), Wish(Operation.LIMIT_ABSORB, watts, 60))
    assert planned.clamped_watts <= watts
    assert planned.clamped_watts == 0 or planned.clamped_watts >= 6 * 230 * phases


@pytest.mark.parametrize(("safe", "amps"), [(60, 0x40C0), (160, 0x4180), (0, 0), (None, 0x40C0)])
def test_charger_release_is_its_safe_current(safe, amps):
    """What it falls back to by itself; 6 A while that is unknown."""
    planned = steps_for(ALFEN_EVE, charger(safe=safe), Wish(Operation.RELEASE, 0, 0))
    assert [(step.address, step.words) for step in planned.steps] == [(1210, (amps, 0))]


def test_charger_has_no_set_power():
    with pytest.raises(UnsupportedError, match="operation_not_supported"):
        steps_for(ALFEN_EVE, charger(), Wish(Operation.SET_POWER, -4000, 60))


class Registers:
    """A link over words in memory, per unit; absent registers answer exception 2."""

    def __init__(self, words: dict[tuple[int, int], int]) -> None:
        self.words = words

    async def read(self, unit: int, address: int, count: int, table: Table = Table.HOLDING) -> Exchange:
        try:
            words = tuple(self.words[unit, at] for at in range(address, address + count))
        except KeyError:
            raise DeviceExceptionError(2, "refused", Effect.NONE) from None
        data = b"".join(word.to_bytes(2, "big") for word in words)
        return Exchange(b"", bytes([0] * 6 + [unit, table, 2 * count]) + data, words)

    async def write(self, unit: int, address: int, words: tuple[int, ...]) -> Exchange:
        self.words |= {(unit, address + at): word for at, word in enumerate(words)}
        return Exchange(b"", b"", words)

    def put(self, unit: int, address: int, data: bytes) -> None:
        for at in range(0, len(data), 2):
            self.words[unit, address + at // 2] = int.from_bytes(data[at : at + 2], "big")


def charger_registers() -> Registers:
    """16 A allowed, 11.04 kW flowing; float32 and float64 by hand (IEEE 754)."""
    link = Registers({})
    for address, size in ((306, 6), (320, 6), (344, 2), (374, 4), (1200, 16)):
        link.put(1, address, bytes(2 * size))
    link.put(200, 100, b"ALF_1000".ljust(34, b"\0") + b"Alfen NV".ljust(10, b"\0"))
    link.put(200, 123, b"6.6.0-4206".ljust(34, b"\0"))
    link.put(200, 157, b"ACE0123456".ljust(22, b"\0"))
    link.put(1, 306, bytes.fromhex("43668000"))  # 230.5 V
    link.put(1, 320, bytes.fromhex("41800000"))  # 16 A
    link.put(1, 344, bytes.fromhex("462c8000"))  # 11040 W
    link.put(1, 374, bytes.fromhex("40c81c8000000000"))  # 12345 Wh
    link.put(1, 1201, b"C2".ljust(10, b"\0"))
    link.put(1, 1206, bytes.fromhex("41800000"))
    link.put(1, 1208, (42).to_bytes(4, "big"))
    link.put(1, 1210, bytes.fromhex("41800000"))
    link.put(1, 1212, bytes.fromhex("40c00000"))
    link.put(1, 1215, (3).to_bytes(2, "big"))
    return link


async def test_charger_state_in_the_generators_sign():
    """Charging is absorbing: negative watts, and the energy counts on the absorbed side."""
    device = ProfiledDevice(ALFEN_EVE, charger_registers())
    identity = await device.identify()
    assert (identity.maker, identity.model, identity.serial) == ("Alfen NV", "ALF_1000", "ACE0123456")
    capabilities = await device.capabilities()
    assert capabilities.max_absorb_watts == 22_080
    assert capabilities.rating("safe_deciamps") == 60
    assert capabilities.operations == (Operation.LIMIT_ABSORB, Operation.RELEASE)
    state = await device.read_state(capabilities)
    assert state.watts == Quantity(-11_040, 0, Quality.GOOD, "holding 344")
    assert state.volts == Quantity(2305, -1, Quality.GOOD, "holding 306")
    assert state.energy_absorbed_wh == Quantity(12345, 0, Quality.GOOD, "holding 374")
    assert state.energy_injected_wh.mantissa is None
    assert state.operating_state is OperatingState.RUNNING
    assert state.hertz.quality is Quality.UNREADABLE
    control = state.control(Operation.LIMIT_ABSORB)
    assert control.enabled is True
    assert control.timer_remaining_seconds == 42
    assert control.watts.rounded() == 11_040
    assert len(state.exchanges) == 5


async def test_charger_sentinels_and_refused_runs():
    """Absent values are NaN; a refused run leaves its points unreadable and the others as they are."""
    link = charger_registers()
    link.put(1, 344, bytes.fromhex("7fc00000"))
    for at in range(306, 312):
        del link.words[1, at]
    device = ProfiledDevice(ALFEN_EVE, link)
    state = await device.read_state(await device.capabilities())
    assert state.watts.quality is Quality.NOT_IMPLEMENTED
    assert state.volts.quality is Quality.UNREADABLE
    assert state.amps.rounded() == 16


async def test_value_out_of_range_is_suspect():
    link = charger_registers()
    link.put(1, 344, bytes.fromhex("4b189680"))  # 10 000 000 W
    device = ProfiledDevice(ALFEN_EVE, link)
    assert (await device.read_state(await device.capabilities())).watts.quality is Quality.SUSPECT


async def test_another_makers_device_is_refused():
    link = charger_registers()
    link.put(200, 117, b"Other".ljust(10, b"\0"))
    with pytest.raises(LayoutError, match="identity_mismatch"):
        await ProfiledDevice(ALFEN_EVE, link).identify()


@pytest.mark.parametrize(
    ("off", "reason"), [(-2, "read_back_differs"), (-1, "applied"), (1, "applied"), (2, "read_back_differs")]
)
async def test_what_the_registers_mean_in_watts_may_be_rounded_and_no_more(off, reason):
    """A setpoint in percent or amperes is told in whole watts: one watt either way is rounding."""
    device = ProfiledDevice(ALFEN_EVE, charger_registers())
    capabilities = await device.capabilities()
    planned = device.steps_for(capabilities, Wish(Operation.LIMIT_ABSORB, 4_140, 60))
    for step in planned.steps:
        await device.write(step)
    written = await device.read_state(capabilities, Scope.CONTROL)
    planned = replace(planned, clamped_watts=planned.clamped_watts + off)
    assert device.verify(planned, None, written, settled=False).reason == reason


async def test_charger_verdicts():
    link = charger_registers()
    device = ProfiledDevice(ALFEN_EVE, link)
    capabilities = await device.capabilities()
    planned = device.steps_for(capabilities, Wish(Operation.LIMIT_ABSORB, 4_140, 60))
    before = await device.read_state(capabilities, Scope.CONTROL)
    untouched = device.verify(planned, before, before, settled=True)
    assert (untouched.applied, untouched.reason, untouched.effective) == (False, "read_back_differs", False)
    for step in planned.steps:
        await device.write(step)
    written = await device.read_state(capabilities, Scope.CONTROL)
    verdict = device.verify(planned, before, written, settled=False)
    assert (verdict.applied, verdict.effective, verdict.clamped_watts) == (True, None, 4_140)
    assert verdict.read_backs[0].before.mantissa == 160
    assert verdict.read_backs[0].read_back.mantissa == 60
    link.put(1, 1215, (1).to_bytes(2, "big"))
    on_one_phase = await device.read_state(await device.capabilities(), Scope.CONTROL)
    assert device.verify(planned, before, on_one_phase, settled=False).reason == "read_back_differs"
    link.put(1, 1208, bytes(4))
    expired = await device.read_state(capabilities, Scope.CONTROL)
    assert device.verify(planned, before, expired, settled=False).reason == "not_in_force"
    assert timer_counts(Operation.LIMIT_ABSORB, written, expired, 42) is True
    assert timer_counts(Operation.LIMIT_ABSORB, written, written, 5) is False


def battery_registers() -> Registers:
    """1, 701, 702, 704 and 713 in a chain at 40000 with zeros in them, and the scale factors that are used."""
    words, address = [0x5375, 0x6E53], {}
    for model, length in ((1, 66), (701, 153), (702, 50), (704, 65), (713, 7)):
        address[model] = 40000 + len(words)
        words += [model, length, *([0] * length)]
    link = Registers({(1, 40000 + at): word for at, word in enumerate([*words, 0xFFFF])})
    link.address = address
    link.put(1, address[702] + 26, (1000).to_bytes(2, "big"))  # WMax 1000 times 10 W
    link.put(1, address[702] + 45, (1).to_bytes(2, "big"))
    link.put(1, address[701] + 4, (3).to_bytes(2, "big"))
    return link


async def test_battery_takes_a_write_and_ignores_it():
    """Acknowledged is not applied: a real battery accepts WMaxLimPctEna and reads back unchanged."""
    link = battery_registers()
    device = ProfiledDevice(SUNSPEC_BATTERY, link)
    capabilities = await device.capabilities()
    assert capabilities.max_inject_watts == 10_000
    planned = device.steps_for(capabilities, Wish(Operation.LIMIT_INJECT, 5000, 60))
    before = await device.read_state(capabilities, Scope.CONTROL)
    for step in planned.steps[:-1]:
        await device.write(step)
    after = await device.read_state(capabilities, Scope.CONTROL)
    verdict = device.verify(planned, before, after, settled=True)
    assert (verdict.applied, verdict.reason) == (False, "read_back_differs")
    assert [back.point for back in verdict.read_backs if not back.equal] == ["WMaxLimPctEna"]
    await device.write(planned.steps[-1])
    dead = await device.read_state(capabilities, Scope.CONTROL)
    assert verify(planned, before, dead, settled=True).reason == "timer_not_running"
    link.put(1, link.address[704] + 20, (60).to_bytes(4, "big"))
    running = await device.read_state(capabilities, Scope.CONTROL)
    assert verify(planned, before, running, settled=True).applied


async def test_points_the_device_lacks_are_not_written():
    """WSetPct reads 0x8000: not implemented. The frame goes around it instead of writing the sentinel back."""
    link = battery_registers()
    device = ProfiledDevice(SUNSPEC_BATTERY, link)
    whole = device.steps_for(await device.capabilities(), Wish(Operation.SET_POWER, 1500, 60))
    assert [len(step.words) for step in whole.steps] == [10, 1]
    link.put(1, link.address[704] + 28, bytes.fromhex("8000"))
    around = device.steps_for(await device.capabilities(), Wish(Operation.SET_POWER, 1500, 60))
    assert [len(step.words) for step in around.steps] == [5, 3, 1]


async def test_value_and_scale_factor_of_two_answers_are_suspect():
    """One refused register makes 701 come in pieces; devices change scale factors between answers."""
    link = battery_registers()
    del link.words[1, link.address[701] + 30]
    device = ProfiledDevice(SUNSPEC_BATTERY, link)
    state = await device.read_state(await device.capabilities())
    assert state.watts.mantissa == 0
    assert state.watts.quality is Quality.SUSPECT
    assert state.operating_state is OperatingState.RUNNING


async def test_battery_asleep_is_judged_by_its_state():
    """Some inverters report 0 instead of the sentinel at night: a counter at 0 is then suspect, not a reading."""
    link = battery_registers()
    device = ProfiledDevice(SUNSPEC_BATTERY, link)
    capabilities = await device.capabilities()
    awake = await device.read_state(capabilities)
    assert awake.energy_injected_wh.quality is Quality.GOOD
    link.put(1, link.address[701] + 4, (1).to_bytes(2, "big"))
    asleep = await device.read_state(capabilities)
    assert asleep.operating_state is OperatingState.SLEEPING
    assert asleep.energy_injected_wh.quality is Quality.SUSPECT


async def test_models_that_moved_are_noticed_and_found_again():
    """L can change during the day: the header in the same answer no longer matches, nothing is taken from it."""
    link = battery_registers()
    device = ProfiledDevice(SUNSPEC_BATTERY, link)
    capabilities = await device.capabilities()
    moved = {(1, at + 4 if at >= link.address[701] else at): word for (_, at), word in link.words.items()}
    extra = {(1, link.address[701] + at): word for at, word in enumerate((64999, 2, 0, 0))}
    link.words = moved | extra
    with pytest.raises(LayoutError, match="layout_changed"):
        await device.read_state(capabilities)
    again = await device.capabilities()
    assert again.max_inject_watts == 10_000
    assert (await device.read_state(again)).operating_state is OperatingState.RUNNING


async def test_device_without_any_map_is_a_layout_error():
    with pytest.raises(LayoutError, match="no_sunspec_map"):
        await ProfiledDevice(SUNSPEC_BATTERY, Registers({})).identify()


def test_shortened_model_is_a_layout_error():
    """A 704 of 20 registers ends before WSetEna (22): nothing is written beyond it."""
    layout = replace(battery().layout, models=(ModelPlace(704, AT_704, 18),))
    with pytest.raises(LayoutError, match="model_too_short"):
        steps_for(SUNSPEC_BATTERY, battery(layout=layout), Wish(Operation.SET_POWER, 1, 60))


async def test_battery_without_a_model_it_needs_is_refused():
    link = battery_registers()
    link.words[1, link.address[704]] = 65000
    with pytest.raises(LayoutError, match="model_missing"):
        await ProfiledDevice(SUNSPEC_BATTERY, link).capabilities()
