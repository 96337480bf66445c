"""SunSpec models 705 to 712 as the simulated battery plays them: registers, adoption, reversion, refusals, mishaps.

Facts: the public model definitions. AdptCrvRslt 0 in progress, 1 completed, 2 failed; curve 1 is the active one and
read-only; conformance of a curve is judged when its adoption is asked for, not when its points are written. Addresses
and register words here are typed by hand.
"""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.own_mode import constant
from wattseal.drivers.simulators.running import running_device

# Behind 703 at 40353 (L 17): model -> (address, L).
# 705: head 15, three sets of 10 + 6 x 2; 706: 15, 5 + 4 x 2; 707, 708: 9, 1 + 3 x (1 + 5 x 3); 709, 710: 9,
# 1 + 3 x (1 + 5 x 4); 711: 14, 10; 712: 14, 4 + 6 x 2. L does not count the header.
PLACES = {
    705: (40372, 79),
    706: (40453, 52),
    707: (40507, 154),
    708: (40663, 154),
    709: (40819, 199),
    710: (41020, 199),
    711: (41221, 42),
    712: (41265, 60),
}
ENA, REQUEST, RESULT = 2, 3, 4
LONG = {705: 7, 706: 7, 712: 7, 711: 6}  # offset of RvrtTms
RVRT = {705: 11, 706: 11, 712: 11, 711: 10}  # offset of RvrtCrv or RvrtCtl
HEAD = {705: 15, 706: 15, 707: 9, 708: 9, 709: 9, 710: 9, 711: 14, 712: 14}
SET = {705: 22, 706: 13, 707: 49, 708: 49, 709: 64, 710: 64, 711: 10, 712: 16}  # words of one set
# The words of a set 2 of each model, ReadOnly left out: (offset in the set, words).
GOOD = {
    705: ((0, (2, 1, 0, 10_000)), (5, (0, 0)), (7, (0, 30)), (10, (9_500, 3_000, 10_500, 0xF448))),
    706: ((0, (2, 0, 0, 200)), (5, (1_050, 1_000, 1_090, 0))),
    707: ((1, (1, 8_800, 0, 300)),),
    708: ((1, (1, 11_000, 0, 300)),),
    709: ((1, (1, 0, 48_000, 0, 2_000)),),
    710: ((1, (1, 0, 51_800, 0, 2_000)),),
    711: ((0, (0, 100, 0, 200, 40, 60, 0, 300, 0xFFCE)),),
    712: ((0, (2, 1, 0)), (4, (0, 0, 10_000, 0xF448))),
}
CURVES = sorted(PLACES)
REVERTING = sorted(LONG)


def device(own_watts: float = 0.0, **options: object) -> BatteryInverter:
    return BatteryInverter(BatteryOptions(own_mode=constant(own_watts), **options), 0.0)


def at(model: int, offset: int) -> int:
    return PLACES[model][0] + offset


def word(made: BatteryInverter, model: int, offset: int, now: float) -> int:
    return made.read(1, 3, at(model, offset), 1, now)[0]


def whole_set(made: BatteryInverter, model: int, number: int, now: float) -> tuple[int, ...]:
    """The words of a set, ReadOnly (and VRefAuto) left out."""
    words = made.read(1, 3, at(model, HEAD[model] + (number - 1) * SET[model]), SET[model], now)
    read_only = {705: (4, 9), 706: (4,), 711: (9,), 712: (3,)}.get(model, (0,))
    return tuple(word for offset, word in enumerate(words) if offset not in read_only)


def fill(made: BatteryInverter, model: int, now: float = 0.0, number: int = 2) -> None:
    for offset, words in GOOD[model]:
        assert made.write(1, at(model, HEAD[model] + (number - 1) * SET[model] + offset), words, now) is None


def ask(made: BatteryInverter, model: int, number: int, now: float = 0.0) -> None:
    assert made.write(1, at(model, REQUEST), (number,), now) is None


def test_register_vector_volt_var() -> None:
    """705 as delivered: the default curve of IEEE 1547-2018 table 8, category B, in hundredths of a percent."""
    assert device().read(1, 3, 40372, 37, 0.0) == (
        705, 79, 0, 0, 1, 6, 3, 0, 0, 0, 0, 0, 0xFFFE, 0xFFFE, 0xFFFF,  # to the scale factors -2, -2, -1
        4, 3, 0, 10_000, 10_000, 0, 0, 0, 50, 1,  # points, %VAMax, VRef and VRefAuto 100 %, 5.0 s, read-only
        9_200, 4_400, 9_800, 0, 10_200, 0, 10_800, 0xEED0, 0, 0, 0, 0,
    )  # fmt: skip


def test_register_vector_low_voltage_trip() -> None:
    """707 as delivered: 50 % after 2 s, 70 % after 21 s (hundredths of a percent, hundredths of a second)."""
    assert device().read(1, 3, 40507, 20, 0.0) == (
        707, 154, 1, 0, 1, 5, 3, 0xFFFE, 0xFFFE, 1, 2, 5_000, 0, 200, 7_000, 0, 2_100, 0, 0, 0,
    )  # fmt: skip


def test_register_vector_high_frequency_trip() -> None:
    """710 as delivered: 52 Hz after 160 ms, 51.5 Hz after 300 s; frequencies take two words."""
    assert device().read(1, 3, 41020, 19, 0.0) == (
        710, 199, 1, 0, 1, 5, 3, 0xFFFD, 0xFFFD, 1, 2, 0, 52_000, 0, 160, 0, 51_500, 4, 37_856,
    )  # fmt: skip


def test_register_vector_frequency_droop() -> None:
    """711 as delivered: 36 mHz of dead band, 5 % of droop, 5 s (IEEE 1547-2018 table 24)."""
    assert device().read(1, 3, 41221, 24, 0.0) == (
        711, 42, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0xFFFD, 0xFFFD, 0xFFFE, 0, 36, 0, 36, 50, 50, 0, 500, 0xFF9C, 1,
    )  # fmt: skip


@pytest.mark.parametrize("model", CURVES)
def test_places(model: int) -> None:
    address, length = PLACES[model]
    assert device().read(1, 3, address, 2, 0.0) == (model, length)


@pytest.mark.parametrize("model", CURVES)
def test_adoption_takes_its_time(model: int) -> None:
    """Result 0 until 5 s have passed, then 1; the active set is the old one until then, and then the new one."""
    made = device(adopt_seconds=5.0)
    old = whole_set(made, model, 1, 0.0)
    fill(made, model)
    wanted = whole_set(made, model, 2, 0.0)
    assert wanted != old
    ask(made, model, 2)
    assert (word(made, model, RESULT, 4.9), whole_set(made, model, 1, 4.9)) == (0, old)
    assert (word(made, model, RESULT, 5.0), whole_set(made, model, 1, 5.0)) == (1, wanted)
    assert whole_set(made, model, 2, 5.0) == wanted


@pytest.mark.parametrize("model", CURVES)
def test_what_is_written_after_the_request_is_not_adopted(model: int) -> None:
    made = device(adopt_seconds=5.0)
    fill(made, model)
    wanted = whole_set(made, model, 2, 0.0)
    ask(made, model, 2)
    offset, words = GOOD[model][-1]
    changed = (*words[:-1], 1)
    assert made.write(1, at(model, HEAD[model] + SET[model] + offset), changed, 1.0) is None
    assert whole_set(made, model, 1, 6.0) == wanted


@pytest.mark.parametrize("model", [model for model in CURVES if model != 711])
def test_an_empty_slot_and_falling_points_fail(model: int) -> None:
    """Result 2, and the active curve is what it was. (A slot as delivered has no points.)"""
    made = device()
    old = whole_set(made, model, 1, 0.0)
    ask(made, model, 2)
    assert (word(made, model, RESULT, 3.0), whole_set(made, model, 1, 3.0)) == (2, old)
    falling = {
        705: (10, (9_500, 0, 9_499, 0)),
        706: (5, (1_090, 0, 1_050, 0)),
        712: (4, (100, 0, 0xFFFF, 0)),
        707: (1, (2, 8_800, 0, 300, 8_900, 0, 299)),
        708: (1, (2, 8_800, 0, 300, 8_900, 0, 299)),
        709: (1, (2, 0, 47_000, 0, 300, 0, 48_000, 0, 299)),
        710: (1, (2, 0, 47_000, 0, 300, 0, 48_000, 0, 299)),
    }[model]
    fill(made, model, 3.0)
    assert made.write(1, at(model, HEAD[model] + SET[model] + falling[0]), falling[1], 3.0) is None
    ask(made, model, 2, 3.0)
    assert (word(made, model, RESULT, 5.0), whole_set(made, model, 1, 5.0)) == (2, old)


def test_a_droop_of_nothing_fails() -> None:
    """KOf 0 would be a step: slot 2 of 711 as delivered."""
    made = device()
    ask(made, 711, 2)
    assert word(made, 711, RESULT, 2.0) == 2


@pytest.mark.parametrize("model", CURVES)
def test_refusals(model: int) -> None:
    """The active set is no writable word (exception 2); counts and numbers of sets have ranges (exception 3)."""
    made = device()
    before = made.read(1, 3, PLACES[model][0], 60 if PLACES[model][1] > 58 else PLACES[model][1], 0.0)
    offset, words = GOOD[model][0]
    refused = [made.write(1, at(model, HEAD[model] + offset), words, 0.0)]
    refused += [made.write(1, at(model, RESULT), (1,), 0.0), made.write(1, at(model, HEAD[model] - 1), (1,), 0.0)]
    assert [fault.code if fault else None for fault in refused] == [2, 2, 2]
    wrong = [made.write(1, at(model, REQUEST), (4,), 0.0), made.write(1, at(model, ENA), (2,), 0.0)]
    if model != 711:
        most = word(made, model, 5, 0.0)
        act_pt = HEAD[model] + SET[model] + (0 if model in {705, 706, 712} else 1)
        wrong.append(made.write(1, at(model, act_pt), (most + 1,), 0.0))
    if model not in {711, 712}:
        wrong.append(made.write(1, at(model, REQUEST), (0,), 0.0))
    assert [fault.code if fault else None for fault in wrong] == [3] * len(wrong)
    assert made.read(1, 3, PLACES[model][0], len(before), 0.0) == before


@pytest.mark.parametrize("model", REVERTING)
def test_reversion_to_another_set(model: int) -> None:
    """Armed with 60 s and set 3, whose contents were active as delivered: at expiry they are active again."""
    made = device(adopt_seconds=1.0)
    old = whole_set(made, model, 1, 0.0)
    fill(made, model)
    ask(made, model, 2)
    assert made.write(1, at(model, LONG[model]), (0, 60), 0.0) is None
    assert made.write(1, at(model, RVRT[model]), (3,), 0.0) is None
    remaining = at(model, LONG[model] + 2)
    assert made.read(1, 3, remaining, 2, 10.0) == (0, 0)  # not enabled: no timer
    assert made.write(1, at(model, ENA), (1,), 10.0) is None
    assert made.read(1, 3, remaining, 2, 10.0) == (0, 60)
    assert made.write(1, at(model, ENA), (1,), 30.0) is None  # any write of the function restarts it
    assert made.read(1, 3, remaining, 2, 89.0) == (0, 1)
    assert whole_set(made, model, 1, 89.0) != old
    assert (whole_set(made, model, 1, 90.0), word(made, model, ENA, 90.0)) == (old, 1)
    assert made.read(1, 3, remaining, 2, 90.0) == (0, 0)


@pytest.mark.parametrize("model", REVERTING)
def test_reversion_to_none_disables(model: int) -> None:
    """RvrtCrv 0: no active set is left, so the enable drops."""
    made = device(adopt_seconds=1.0)
    assert made.write(1, at(model, LONG[model]), (0, 5), 0.0) is None
    assert made.write(1, at(model, ENA), (1,), 0.0) is None
    assert [word(made, model, ENA, now) for now in (4.9, 5.0, 100.0)] == [1, 0, 0]


@pytest.mark.parametrize("model", [707, 708, 709, 710])
def test_trip_models_have_no_timer(model: int) -> None:
    """Their heads end with two scale factors right behind the count of sets."""
    made = device()
    assert made.write(1, at(model, 7), (0, 60), 0.0) is not None


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["ena0", "ena1", "tms0", "tms4", "ask2", "ask3", "idle"]), st.integers(0, 3)),
        max_size=25,
    )
)
def test_table_second_by_second(course: list[tuple[str, int]]) -> None:
    """An oracle that counts whole seconds: adoption of 2 s, reversion of 4 s to set 3, over any course of writes."""
    made = device(adopt_seconds=2.0)
    fill(made, 705)
    assert made.write(1, at(705, RVRT[705]), (3,), 0.0) is None
    sets = {number: whole_set(made, 705, number, 0.0) for number in (2, 3)}
    enabled, full, left, asked, busy, active, result = 0, 0, 0, 0, 0, 3, 1
    now = 0.0
    for what, seconds in course:
        if what.startswith("ena"):
            enabled = int(what[3])
            assert made.write(1, at(705, ENA), (enabled,), now) is None
        elif what.startswith("tms"):
            full = int(what[3])
            assert made.write(1, at(705, LONG[705]), (0, full), now) is None
        elif what.startswith("ask"):
            asked, busy, result = int(what[3]), 2, 0
            ask(made, 705, asked, now)
        if what != "idle":
            left = full if enabled else 0
        for _ in range(seconds):
            now += 1.0
            if busy:
                busy -= 1
                if not busy:
                    active, result = asked, 1
            if left:
                left -= 1
                if not left:
                    active = 3
        assert word(made, 705, RESULT, now) == result
        assert made.read(1, 3, at(705, 9), 2, now) == (0, left)
        assert whole_set(made, 705, 1, now) == sets[active]


# --- mishaps, through the responder and its faults


async def test_mishaps_on_demand() -> None:
    """Each hits the next adoption in its aim, once; the writes themselves are answered as ever."""
    async with running_device(lambda now: BatteryInverter(BatteryOptions(), now), clock=VirtualClock()) as battery:
        made, control = battery.device, battery.control
        fill(made, 705)
        old = whole_set(made, 705, 1, 0.0)
        now = 0.0
        for kind, result in (
            (FaultKind.ADOPT_STALLS, 0),
            (FaultKind.ADOPT_FAILS, 2),
            (FaultKind.ADOPT_CHANGES_NOTHING, 1),
        ):
            control.fault(Fault(kind, count=1, address=(40372, 40452)))
            ask(made, 711, 3, now)  # another model: not in the aim
            ask(made, 705, 2, now)
            now += 3600.0
            assert (word(made, 705, RESULT, now), whole_set(made, 705, 1, now)) == (result, old)
            assert word(made, 711, RESULT, now) == 1
        ask(made, 705, 2, now)
        assert word(made, 705, RESULT, now + 2.0) == 1
        assert whole_set(made, 705, 1, now + 2.0) != old


async def test_adoption_time_is_set_at_the_door() -> None:
    async with running_device(lambda now: BatteryInverter(BatteryOptions(), now), clock=VirtualClock()) as battery:
        battery.control.set(adopt_seconds=30.0, points={"705.AdptCrvReq": 3})
        battery.control.advance(29.0)
        assert battery.control.state()["curves"]["705"]["result"] == 0
        battery.control.advance(1.0)
        assert battery.control.state()["curves"]["705"]["result"] == 1


# --- pysunspec2, a client nobody here wrote


async def test_pysunspec2_reads_and_drives_all_models() -> None:
    """A scan without an error; every set read; a curve written, adopted and read back as the active one."""
    async with running_device(lambda now: BatteryInverter(BatteryOptions(), now), clock=VirtualClock()) as battery:

        def drive() -> None:
            client = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=battery.port, timeout=5)
            client.scan()
            client.connect()
            try:
                for model, (address, length) in PLACES.items():
                    found = client.models[model][0]
                    assert (found.model_addr, found.model_len, found.error_info) == (address, length, "")
                volt_var = client.models[705][0]
                default = volt_var.Crv[0]
                assert [(p.V.cvalue, p.Var.cvalue) for p in default.Pt[:4]] == [(92, 44), (98, 0), (102, 0), (108, -44)]
                assert (default.RspTms.cvalue, default.ReadOnly.value, volt_var.Crv[1].ReadOnly.value) == (5.0, 1, 0)
                trip = client.models[710][0].Crv[0]
                assert [(p.Hz.cvalue, p.Tms.cvalue) for p in trip.MustTrip.Pt[:2]] == [(52, 0.16), (51.5, 300)]
                assert (trip.MayTrip.ActPt.value, trip.MomCess.ActPt.value) == (0, 0)
                droop = client.models[711][0]
                assert (droop.Ctl[0].DbOf.cvalue, droop.Ctl[0].KOf.cvalue, droop.Ctl[0].PMin.cvalue) == (
                    0.036,
                    0.05,
                    -100,
                )
                slot = volt_var.Crv[1]
                slot.ActPt.value, slot.DeptRef.value, slot.RspTms.cvalue = 2, 1, 3.0
                slot.Pt[0].V.cvalue, slot.Pt[0].Var.cvalue = 95.0, 30.0
                slot.Pt[1].V.cvalue, slot.Pt[1].Var.cvalue = 105.0, -30.0
                slot.write()
                volt_var.AdptCrvReq.value = 2
                volt_var.Ena.value = 1
                volt_var.write()
                battery.control.advance(2.0)
                volt_var.read()
                active = volt_var.Crv[0]
                assert (volt_var.AdptCrvRslt.value, active.ActPt.value, active.DeptRef.value) == (1, 2, 1)
                assert [(p.V.cvalue, p.Var.cvalue) for p in active.Pt[:2]] == [(95, 30), (105, -30)]
            finally:
                client.close()

        await asyncio.to_thread(drive)


# --- physics


def settled(own_watts: float, points: dict[str, int], **world: float) -> dict[str, object]:
    made = device(own_watts)
    made.set({"points": points, **world}, 0.0)
    return made.state(100.0)


@pytest.mark.parametrize(
    ("volts", "vars_"),
    [(211.6, 4_840), (218.5, 2_420), (225.4, 0), (230.0, 0), (241.5, -2_420), (248.4, -4_840), (250.7, -4_840)],
)
def test_volt_var(volts: float, vars_: float) -> None:
    """The default curve on 11 kVA: 44 % at 92 %, none from 98 to 102 %, -44 % at 108 %, straight lines between."""
    assert settled(0.0, {"705.Ena": 1}, volts=volts)["vars"] == pytest.approx(vars_)


def test_volt_var_disabled_does_nothing_and_setpoints_come_first() -> None:
    assert settled(0.0, {}, volts=250.7)["vars"] == 0
    assert settled(0.0, {"705.Ena": 1, "VarSet": 500, "VarSetEna": 1}, volts=250.7)["vars"] == 500


def test_volt_var_reference_voltage_moves_the_curve() -> None:
    """VRef 103 %: what was at 102 % is at 105 %."""
    made = device()
    made.set({"points": {"705.Ena": 1, "705.Crv.3.VRef": 10_300, "705.AdptCrvReq": 3}, "volts": 241.5}, 0.0)
    assert made.state(10.0)["vars"] == pytest.approx(0.0, abs=1e-6)


def test_volt_var_reference_follows_the_voltage() -> None:
    """VRefAutoTms 300 s at 105 %: after 100 s the reference is at 100 + 5 (1 - e^(-1/3)) = 101.417 %, so 105 % acts as
    103.583 %, which is -44 % of 11 kVA by (3.583 - 2) / 6; after 300 s it acts as 101.839 %, inside the dead band.
    """
    made = device()
    points = {"705.Ena": 1, "705.Crv.3.VRefAutoEna": 1, "705.Crv.3.VRefAutoTms": 300, "705.AdptCrvReq": 3}
    made.set({"points": points, "volts": 241.5, "adopt_seconds": 0.0}, 0.0)
    assert made.state(100.0)["vars"] == pytest.approx(-1_276.7, abs=10.0)
    assert word(made, 705, 15 + 4, 100.0) == 10_142
    assert made.state(300.0)["vars"] == pytest.approx(0.0, abs=1e-6)
    in_one = device()
    in_one.set({"points": points, "volts": 241.5, "adopt_seconds": 0.0}, 0.0)
    assert in_one.state(300.0)["reactive_absorbed_varh"] == pytest.approx(made.state(300.0)["reactive_absorbed_varh"])


@pytest.mark.parametrize(("volts", "watts"), [(230.0, 9_000), (243.8, 9_000), (248.4, 6_000), (253.0, 2_000)])
def test_volt_watt(volts: float, watts: float) -> None:
    """100 % up to 106 %, 20 % at 110 %: at 108 % of 230 V 6 kW are left of 9."""
    assert settled(9_000.0, {"706.Ena": 1}, volts=volts)["watts"] == pytest.approx(watts, abs=1e-6)


def test_volt_watt_does_not_stop_charging() -> None:
    assert settled(-5_000.0, {"706.Ena": 1}, volts=253.0)["watts"] == -5_000


@pytest.mark.parametrize(
    ("hertz", "watts"),
    [(50.0, 4_000), (50.036, 4_000), (50.286, 3_000), (51.036, 0), (51.286, -1_000), (49.714, 5_000), (49.964, 4_000)],
)
def test_frequency_droop(hertz: float, watts: float) -> None:
    """5 % droop: 2.5 Hz past the 36 mHz are all of 10 kW, so 0.25 Hz are 1 kW, both ways (IEEE 1547-2018, 6.5.2.7)."""
    assert settled(4_000.0, {"711.Ena": 1}, frequency_hz=hertz)["watts"] == pytest.approx(watts, abs=1e-6)


@pytest.mark.parametrize(("watts", "vars_"), [(1_000, 0), (5_000, 0), (7_500, -2_420), (-6_000, 0)])
def test_watt_var(watts: float, vars_: float) -> None:
    """None up to 50 % of WMax, -44 % of 11 kVA at 100 %."""
    assert settled(watts, {"712.Ena": 1})["vars"] == pytest.approx(vars_)


@pytest.mark.parametrize(
    ("world", "seconds", "model"),
    [
        ({"volts": 150.0}, 21.0, "707"),
        ({"volts": 110.0}, 2.0, "707"),
        ({"volts": 259.9}, 13.0, "708"),
        ({"volts": 280.0}, 0.16, "708"),
        ({"frequency_hz": 47.4}, 300.0, "709"),
        ({"frequency_hz": 52.1}, 0.16, "710"),
    ],
)
def test_must_trip(world: dict[str, float], seconds: float, model: str) -> None:
    """Service ends when the time of the threshold is over, not before; it returns by model 703 once all is calm."""
    made = device(2_000.0)
    made.set(world, 10.0)
    assert made.state(10.0 + seconds - 0.01)["service"] == "serving"
    tripped = made.state(10.0 + seconds)
    assert (tripped["service"], tripped["watts"], tripped["trips"]) == ("ceased", 0.0, [model])
    made.set({"volts": 230.0, "frequency_hz": 50.0}, 400.0)
    assert [made.state(now)["service"] for now in (409.9, 410.0)] == ["waiting", "serving"]


def test_a_dip_shorter_than_the_curve_is_ridden_through() -> None:
    made = device(2_000.0)
    for start in (10.0, 40.0):
        made.set({"volts": 150.0}, start)
        made.set({"volts": 230.0}, start + 20.9)
    assert made.state(100.0)["service"] == "serving"


def test_a_disabled_trip_does_not_trip() -> None:
    made = device(2_000.0)
    made.set({"volts": 150.0, "points": {"707.Ena": 0}}, 10.0)
    assert made.state(1_000.0)["service"] == "serving"
