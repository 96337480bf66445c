"""The simulated battery inverter read and commanded by pysunspec2, a client nobody here wrote, and its 704 physics."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import contextmanager

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.own_mode import constant
from wattseal.drivers.simulators.running import RunningDevice, running_device

# 701 point: (truth it must equal, decimal places that the device offers)
MEASURED = {
    "W": ("watts", 0),
    "VA": ("volt_amperes", 0),
    "Var": ("vars", 0),
    "PF": ("power_factor", 3),
    "A": ("amperes", 2),
    "LLV": ("volts_line_to_line", 1),
    "LNV": ("volts", 1),
    "VL1": ("volts", 1),
    "VL2L3": ("volts_line_to_line", 1),
    "Hz": ("frequency_hz", 3),
    "TmpAmb": ("ambient_celsius", 1),
    "TmpCab": ("cabinet_celsius", 1),
    "TmpSnk": ("sink_celsius", 1),
    "InvSt": ("inverter_state", 0),
    "ConnSt": ("grid_connected", 0),
}
COUNTED = {
    "TotWhInj": "energy_injected_wh",
    "TotWhAbs": "energy_absorbed_wh",
    "TotVarhInj": "reactive_injected_varh",
    "TotVarhAbs": "reactive_absorbed_varh",
}
CURVES = (705, 706, 707, 708, 709, 710, 711, 712)
END = 41329  # behind the end model
NOT_IMPLEMENTED = ("TmpTrns", "TmpSw", "TmpOt", "TotWhInjL1", "TotVarhAbsL3", "ThrotPct", "MnAlrmInfo")


@pytest.fixture
async def battery() -> AsyncIterator[RunningDevice[BatteryInverter]]:
    options = BatteryOptions(own_mode=constant(1500.0))
    async with running_device(lambda now: BatteryInverter(options, now), clock=VirtualClock()) as running:
        yield running


@contextmanager
def scanned(port: int):
    """pysunspec2's own picture of the device, connected."""
    client = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
    client.scan()
    client.connect()
    try:
        yield client
    finally:
        client.close()


async def test_scan_finds_the_chain_without_an_error(battery) -> None:
    def scan() -> None:
        with scanned(battery.port) as client:
            assert [key for key in client.models if isinstance(key, int)] == [1, 701, 702, 704, 713, 703, *CURVES]
            assert {key: model[0].error_info for key, model in client.models.items() if isinstance(key, int)} == (
                dict.fromkeys((1, 701, 702, 703, 704, 713, *CURVES), "")
            )
            assert client.base_addr == 40000
            common = client.common[0]
            assert (common.Mn.value, common.SN.value, common.Opt.value) == ("Wattseal", "WS-BAT-0001", None)

    await asyncio.to_thread(scan)


@pytest.mark.parametrize("watts", [1500, -4321, 0, 9999])
async def test_measurements_equal_the_truth_point_by_point(battery, watts: int) -> None:
    """Model 701 and 713, with scale factors applied by pysunspec2, against the unrounded physics."""
    battery.control.set(own_watts=watts, points={"PFWInjPF": 900, "PFWInjEna": 1, "PFWAbsPF": 850, "PFWAbsEna": 1})
    battery.control.advance(1234.5)
    truth = battery.control.state()
    assert truth["watts"] == watts

    def compare() -> None:
        with scanned(battery.port) as client:
            measured, storage = client.models[701][0].points, client.models[713][0].points
            for point, (name, places) in MEASURED.items():
                assert measured[point].cvalue == pytest.approx(float(truth[name]), abs=0.5000001 * 10**-places), point
            for point, name in COUNTED.items():
                assert 0 <= truth[name] - measured[point].cvalue < 1, point
            for phase in ("L1", "L2", "L3"):
                assert measured[f"W{phase}"].cvalue == pytest.approx(truth["watts"] / 3, abs=0.51)
                assert measured[f"A{phase}"].cvalue == pytest.approx(truth["amperes"] / 3, abs=0.0051)
            assert [measured[point].cvalue for point in NOT_IMPLEMENTED] == [None] * len(NOT_IMPLEMENTED)
            assert storage["SoC"].cvalue == pytest.approx(truth["soc_percent"], abs=0.0051)
            assert storage["WHAvail"].cvalue == pytest.approx(truth["stored_wh"], abs=5.01)
            assert (storage["WHRtg"].cvalue, storage["Sta"].value) == (20_000, 0)

    await asyncio.to_thread(compare)


async def test_ratings_and_settings(battery) -> None:
    """Model 702 in tens of watts (scale factor 1): a reader that takes 701's factor is off by ten."""

    def compare() -> None:
        with scanned(battery.port) as client:
            capacity = client.models[702][0].points
            for rating, setting, value in (
                ("WMaxRtg", "WMax", 10_000),
                ("VAMaxRtg", "VAMax", 11_000),
                ("WChaRteMaxRtg", "WChaRteMax", 8_000),
                ("WDisChaRteMaxRtg", "WDisChaRteMax", 10_000),
                ("VarMaxInjRtg", "VarMaxInj", 6_000),
            ):
                assert (capacity[rating].cvalue, capacity[setting].cvalue) == (value, value)
            assert capacity["VNom"].cvalue == 230.0
            assert capacity["AMax"].cvalue is None
            assert capacity["CtrlModes"].value == 0b11_0110_1011_1111

    await asyncio.to_thread(compare)


async def test_command_by_pysunspec2_acts_and_reverts(battery) -> None:
    """Limit to 10 % for 60 s while the own mode wishes 1500 W: 1000 W, throttled; then 1500 W again."""
    battery.control.advance(10)

    def limit() -> None:
        with scanned(battery.port) as client:
            controls = client.models[704][0]
            controls.WMaxLimPct.cvalue = 10.0
            controls.WMaxLimPctRvrtTms.value = 60
            controls.WMaxLimPctEna.value = 1
            controls.write()
            controls.read()
            assert (controls.WMaxLimPct.cvalue, controls.WMaxLimPctRvrtRem.value) == (10.0, 60)

    await asyncio.to_thread(limit)
    battery.control.advance(59)
    truth = battery.control.state()
    assert (truth["watts"], truth["inverter_state"], truth["timers"]["WMaxLimPct"]) == (1000.0, 4, 1)

    def reverted() -> None:
        battery.control.advance(31)
        with scanned(battery.port) as client:
            measured, controls = client.models[701][0].points, client.models[704][0].points
            assert (measured["W"].cvalue, measured["InvSt"].value, measured["ThrotSrc"].value) == (1500, 3, 0)
            assert (controls["WMaxLimPctEna"].value, controls["WMaxLimPct"].cvalue) == (0, 100.0)

    await asyncio.to_thread(reverted)


# --- the controls' physics, in process


def settled(points: dict[str, int], own_watts: float = 0.0, **world: float) -> dict[str, object]:
    device = BatteryInverter(BatteryOptions(own_mode=constant(own_watts)), 0.0)
    device.set({"points": points, **world}, 0.0)
    return device.state(100.0)


@pytest.mark.parametrize(
    ("points", "own_watts", "watts"),
    [
        pytest.param({"WSet": 3000}, 500, 500, id="setpoint_without_enable"),
        pytest.param({"WSet": 3000, "WSetEna": 1}, 500, 3000, id="discharge_3000_w"),
        pytest.param({"WSet": -3000, "WSetEna": 1}, 500, -3000, id="charge_3000_w"),
        pytest.param({"WSet": -3000, "WSetPct": 2500, "WSetMod": 0, "WSetEna": 1}, 0, 2500, id="percent_of_wmax"),
        pytest.param({"WSetPct": -10_000, "WSetMod": 0, "WSetEna": 1}, 0, -8000, id="percent_meets_charge_rating"),
        pytest.param({"WMaxLimPct": 2000, "WMaxLimPctEna": 1}, 9000, 2000, id="limit_holds_own_mode"),
        pytest.param({"WMaxLimPct": 2000, "WMaxLimPctEna": 1}, -5000, -5000, id="limit_is_for_injection_only"),
        pytest.param({"WMaxLimPct": 0, "WMaxLimPctEna": 1}, 9000, 0, id="limit_0"),
        pytest.param(
            {"WMaxLimPct": 2000, "WMaxLimPctEna": 1, "WSet": 6000, "WSetEna": 1}, 0, 2000, id="limit_holds_setpoint"
        ),
        pytest.param({"WMax": 500, "WMaxLimPct": 5000, "WMaxLimPctEna": 1}, 9000, 2500, id="base_is_the_setting_wmax"),
        pytest.param({"WChaRteMax": 100}, -5000, -1000, id="charge_setting"),
    ],
)
def test_active_power(points: dict[str, int], own_watts: float, watts: float) -> None:
    """704 WSet*, WMaxLimPct* and the settings of 702; positive = discharge."""
    assert settled(points, own_watts)["watts"] == watts


@pytest.mark.parametrize(
    ("points", "own_watts", "vars_"),
    [
        pytest.param({"VarSet": 2000, "VarSetEna": 1}, 3000, 2000, id="vars"),
        pytest.param({"VarSet": -2000, "VarSetEna": 1}, 3000, -2000, id="absorbed"),
        pytest.param({"VarSetPct": 1000, "VarSetMod": 0, "VarSetEna": 1}, 0, 1000, id="percent_of_wmax"),
        pytest.param({"VarSetPct": -5000, "VarSetMod": 1, "VarSetEna": 1}, 0, -3000, id="percent_of_varmax"),
        pytest.param({"VarSetPct": 10_000, "VarSetMod": 2, "VarSetEna": 1}, 10_000, math.sqrt(21e6), id="available"),
        pytest.param({"VarSetPct": 1000, "VarSetMod": 3, "VarSetEna": 1}, 0, 1100, id="percent_of_vamax"),
        pytest.param({"PFWInjPF": 800, "PFWInjEna": 1}, 4000, 3000, id="pf_over_excited_injects"),
        pytest.param({"PFWInjPF": 800, "PFWInjExt": 1, "PFWInjEna": 1}, 4000, -3000, id="pf_under_excited_absorbs"),
        pytest.param({"PFWInjPF": 800, "PFWInjEna": 1}, -4000, 0, id="pf_of_injection_not_while_charging"),
        pytest.param({"PFWAbsPF": 800, "PFWAbsExt": 1, "PFWAbsEna": 1}, -4000, -3000, id="pf_of_absorption"),
    ],
)
def test_reactive_power(points: dict[str, int], own_watts: float, vars_: float) -> None:
    """704 VarSet* with its five modes, and the fixed power factors; positive = injected."""
    assert settled(points, own_watts)["vars"] == pytest.approx(vars_)


def test_priority_within_the_apparent_power_circle() -> None:
    """At 10 kW of 11 kVA: with active priority vars give way, with reactive priority watts do."""
    points = {"VarSet": 6000, "VarSetEna": 1}
    active = settled(points | {"VarSetPri": 0}, 10_000)
    reactive = settled(points | {"VarSetPri": 1}, 10_000)
    assert (active["watts"], active["vars"]) == pytest.approx((10_000, math.sqrt(21e6)))
    assert (reactive["watts"], reactive["vars"]) == pytest.approx((math.sqrt(85e6), 6000))


def test_ramp_is_percent_of_wmax_per_second() -> None:
    """WRmp 5 %/s of 10 kW: 500 W each second, up and down; a new limit is ramped to as well."""
    device = BatteryInverter(BatteryOptions(), 0.0)
    device.set({"points": {"WRmp": 5, "WSet": 4000, "WSetEna": 1}}, 0.0)
    assert [device.state(t)["watts"] for t in (1.0, 2.0, 7.9, 8.0, 9.0)] == [500, 1000, 3950, 4000, 4000]
    device.set({"points": {"WMaxLimPct": 1000, "WMaxLimPctEna": 1}}, 9.0)
    assert [device.state(t)["watts"] for t in (10.0, 15.0, 16.0)] == [3500, 1000, 1000]


def test_no_ramp_is_as_fast_as_the_power_stage() -> None:
    """WRmp 0: nobody set a ramp. 4 kW are there within a tenth of a second."""
    device = BatteryInverter(BatteryOptions(), 0.0)
    device.set({"points": {"WRmp": 0, "WSet": 4000, "WSetEna": 1}}, 0.0)
    assert device.state(0.1)["watts"] == 4000


def test_power_factor_and_vars_end_with_their_timers() -> None:
    """VarSet for 30 s over a power factor for 60 s: 1500 var, then tan(acos 0.8) of 4 kW, then none."""
    device = BatteryInverter(BatteryOptions(own_mode=constant(4000.0)), 0.0)
    device.set({"points": {"PFWInjPF": 800, "PFWInjRvrtTms": 60, "PFWInjEna": 1}}, 0.0)
    device.set({"points": {"VarSet": 1500, "VarSetRvrtTms": 30, "VarSetEna": 1}}, 0.0)
    assert [device.state(t)["vars"] for t in (29.0, 50.0, 70.0)] == pytest.approx([1500, 3000, 0])


def test_grid_and_fault_states() -> None:
    """701.InvSt: standby 7, running 3, off 0 without grid, starting 2 after its return, fault 6."""
    device = BatteryInverter(BatteryOptions(), 0.0)
    assert device.state(1.0)["inverter_state"] == 7
    device.set({"own_watts": 2000.0}, 1.0)
    assert device.state(5.0)["inverter_state"] == 3
    device.set({"grid_connected": False}, 5.0)
    assert (device.state(6.0)["inverter_state"], device.state(6.0)["watts"]) == (0, 0.0)
    device.set({"grid_connected": True}, 10.0)
    assert (device.state(19.9)["inverter_state"], device.state(19.9)["watts"]) == (2, 0.0)
    assert (device.state(25.0)["inverter_state"], device.state(25.0)["watts"]) == (3, 2000.0)
    device.set({"device_fault": True}, 25.0)
    assert (device.state(26.0)["inverter_state"], device.state(26.0)["watts"]) == (6, 0.0)
    alarm_and_state = device.read(1, 3, 40070 + 3, 5, 26.0)
    assert alarm_and_state == (0, 6, 1, 0, 1 << 7)


@pytest.mark.parametrize(
    ("world", "bit"),
    [
        ({"frequency_hz": 53.0}, 8),
        ({"frequency_hz": 46.0}, 9),
        ({"volts": 290.0}, 10),
        ({"volts": 90.0}, 11),
    ],
)
def test_a_trip_raises_its_alarm_until_the_grid_is_back(world: dict[str, float], bit: int) -> None:
    """701.Alrm: over- and under-frequency, AC over- and under-voltage."""
    device = BatteryInverter(BatteryOptions(), 0.0)
    device.set(world, 1.0)
    assert device.read(1, 3, 40070 + 6, 2, 10.0) == (0, 1 << bit)
    device.set({"volts": 230.0, "frequency_hz": 50.0}, 10.0)
    assert device.read(1, 3, 40070 + 6, 2, 11.0) == (0, 0)


def test_write_is_all_or_nothing() -> None:
    """A frame with one bad number among good ones changes nothing, and starts no timer."""
    device = BatteryInverter(BatteryOptions(), 0.0)
    before = dict(device.controls.values)
    refused = device.write(1, 40277 + 14, (1, 20_000, 0, 0, 0, 60), 0.0)
    assert refused is not None
    assert (refused.code, device.controls.values, device.timers.deadlines) == (3, before, {})


def test_every_sentinel_is_refused_by_every_writable_point() -> None:
    """The "not implemented" number is what a device says, never what it can be told."""
    device = BatteryInverter(BatteryOptions(), 0.0)
    writable = device._writable
    assert len(writable) > 40
    for address, point in writable.items():
        for first in (0xFFFF, 0x8000):
            words = (first, *([0xFFFF if first == 0xFFFF else 0] * (point.words - 1)))
            if point.kind.value in "hi" and first == 0xFFFF:
                continue  # -1 is a number for signed points
            refused = device.write(1, address, words, 0.0)
            assert refused is None if point.name.endswith("RvrtTms") and first == 0x8000 else refused is not None


def test_words_do_not_depend_on_how_they_are_asked_for() -> None:
    """Any run of words is the same slice of the one map, across model borders as well."""
    device = BatteryInverter(BatteryOptions(), 0.0)
    whole = [word for start in range(40000, END, 47) for word in device.read(1, 3, start, min(47, END - start), 0.0)]
    assert whole[-2:] == [0xFFFF, 0]
    for start in range(0, END - 40000, 7):
        for count in (1, 2, 3, 100):
            words = device.read(1, 3, 40000 + start, min(count, END - 40000 - start), 0.0)
            assert list(words) == whole[start : start + count]
