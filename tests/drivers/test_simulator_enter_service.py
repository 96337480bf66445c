"""SunSpec model 703 as the simulated battery plays it: ceasing to energize, the way back, and its ramp.

Facts: model 703 of the public definitions (ES 0 disabled, 1 enabled; delay, random delay and ramp in whole seconds;
windows in percent of nominal voltage and in hertz). Addresses are typed by hand: model 703 stands at 40353.
"""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.enter_service import EnterService, Standing
from wattseal.drivers.simulators.own_mode import constant
from wattseal.drivers.simulators.running import running_device

M701, M703, M704 = 40070, 40353, 40277
OFF, STARTING, RUNNING = 0, 2, 3


def device(**points: int) -> BatteryInverter:
    made = BatteryInverter(BatteryOptions(own_mode=constant(5000.0)), 0.0)
    made.set({"points": points}, 0.0)
    made.advance(100.0)
    return made


def shown(made: BatteryInverter, now: float) -> tuple[int, int, int, int, int]:
    """701.St, InvSt and ConnSt, 701.W, 703.ESDlyRemTms."""
    words = made.read(1, 3, M701, 13, now)
    left = made.read(1, 3, M703 + 15, 2, now)
    return words[3], words[4], words[5], words[10], left[0] << 16 | left[1]


def test_register_vector() -> None:
    """ID, L 17, ES, two voltages in hundredths of a percent, two frequencies in millihertz, four times, two factors."""
    assert device().read(1, 3, M703, 19, 100.0) == (
        703, 17, 1, 11_000, 8_500, 0, 50_200, 0, 49_500, 0, 10, 0, 0, 0, 0, 0, 0, 0xFFFE, 0xFFFD,
    )  # fmt: skip


def test_ceases_at_once_and_returns_after_its_delay() -> None:
    """ES 0: no watts, no vars, off, relay open. ES 1: 30 s of delay counted down, then the own mode again."""
    made = device(ESDlyTms=30, VarSet=2000, VarSetEna=1)
    assert shown(made, 100.0) == (1, RUNNING, 1, 5000, 0)
    assert made.write(1, M703 + 2, (0,), 100.0) is None
    assert shown(made, 100.0) == (0, OFF, 0, 0, 0)
    assert made.state(100.0)["vars"] == 0.0
    assert shown(made, 4000.0) == (0, OFF, 0, 0, 0)
    assert made.write(1, M703 + 2, (1,), 4000.0) is None
    assert shown(made, 4000.0) == (1, STARTING, 0, 0, 30)
    assert shown(made, 4029.5) == (1, STARTING, 0, 0, 1)
    assert shown(made, 4030.0)[:3] == (1, RUNNING, 1)
    assert shown(made, 4060.0) == (1, RUNNING, 1, 5000, 0)
    assert made.state(4060.0)["vars"] == 2000.0


def test_returns_by_its_ramp() -> None:
    """ESRmpTms 100 s for 10 kW: 100 W each second, though WRmp allows 2000; afterwards WRmp holds again."""
    made = device(ESDlyTms=0, ESRmpTms=100)
    made.set({"points": {"ES": 0}}, 100.0)
    made.set({"points": {"ES": 1}}, 200.0)
    watts = [made.state(t)["watts"] for t in (200.0, 201.0, 220.0, 250.0, 260.0)]
    assert watts == pytest.approx([0, 100, 2000, 5000, 5000])
    made.set({"own_watts": 9000.0}, 260.0)
    assert made.state(299.0)["watts"] == pytest.approx(8900)
    made.set({"own_watts": -4000.0}, 400.0)
    assert made.state(404.0)["watts"] == pytest.approx(1000)


def test_random_part_is_within_its_bound_and_differs_from_time_to_time() -> None:
    """ESRndTms 100 s on top of ESDlyTms 50 s: each wait lies in 50 to 150 s, no two alike."""
    made = device(ESDlyTms=50, ESRndTms=100)
    waits, now = [], 100.0
    for _ in range(6):
        made.set({"points": {"ES": 0}}, now)
        made.set({"points": {"ES": 1}}, now)
        waits.append(shown(made, now)[4])
        now += 200.0
        assert made.state(now)["service"] == "serving"
    assert all(50 <= wait <= 150 for wait in waits)
    assert len(set(waits)) > 3


@pytest.mark.parametrize(
    "world",
    [{"volts": 260.0}, {"volts": 190.0}, {"frequency_hz": 50.3}, {"frequency_hz": 49.4}],
    ids=["volts_high", "volts_low", "hertz_high", "hertz_low"],
)
def test_waits_for_a_calm_grid(world: dict[str, float]) -> None:
    """Outside the window the delay does not begin; leaving it while waiting begins the delay anew."""
    made = device(ESDlyTms=20)
    made.set({"points": {"ES": 0}, **world}, 100.0)
    made.set({"points": {"ES": 1}}, 100.0)
    assert shown(made, 500.0) == (0, OFF, 0, 0, 0)
    made.set({"volts": 230.0, "frequency_hz": 50.0}, 500.0)
    assert shown(made, 519.0) == (1, STARTING, 0, 0, 1)
    made.set(world, 519.0)
    assert shown(made, 600.0)[1] == OFF
    made.set({"volts": 230.0, "frequency_hz": 50.0}, 600.0)
    assert shown(made, 619.0)[4] == 1
    assert shown(made, 620.0)[1] == RUNNING


def test_window_does_not_throw_a_serving_device_out() -> None:
    made = device()
    made.set({"volts": 254.0}, 100.0)
    assert shown(made, 200.0) == (1, RUNNING, 1, 5000, 0)


def test_out_of_service_no_energy_is_counted_and_timers_run_on() -> None:
    """A reversion timer belongs to its function, not to the relay."""
    made = device(WSet=3000, WSetRvrtTms=120, WSetEna=1)
    made.set({"points": {"ES": 0}}, 100.0)
    before = made.state(100.0)["energy_injected_wh"]
    after = made.state(119.0)
    assert (after["energy_injected_wh"], after["timers"]["WSet"]) == (before, 1)
    assert made.state(121.0)["points"]["WSetEna"] == 0


@pytest.mark.parametrize(
    ("offset", "words", "code"),
    [
        (2, (2,), 3),
        (3, (9_900,), 3),
        (5, (0, 49_000), 3),
        (9, (0,), 2),
        (9, (0, 1001), 3),
        (15, (0, 0), 2),
        (17, (0,), 2),
    ],
    ids=["es_2", "window_upside_down", "hz_high_low", "half", "too_long", "remaining", "scale"],
)
def test_refusals(offset: int, words: tuple[int, ...], code: int) -> None:
    made = device()
    before = dict(made.controls.values)
    refused = made.write(1, M703 + offset, words, 100.0)
    assert refused is not None
    assert (refused.code, made.controls.values) == (code, before)


async def test_pysunspec2_reads_and_drives_it() -> None:
    """A client nobody here wrote ceases the device and sees it."""
    build = lambda now: BatteryInverter(BatteryOptions(own_mode=constant(1500.0)), now)  # noqa: E731 - one use
    async with running_device(build, clock=VirtualClock()) as battery:
        battery.control.advance(10)

        def cease() -> None:
            client = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=battery.port, timeout=5)
            client.scan()
            client.connect()
            try:
                service, measured = client.models[703][0], client.models[701][0]
                assert (service.ESVHi.cvalue, service.ESVLo.cvalue) == (110, 85)
                assert (service.ESHzHi.cvalue, service.ESHzLo.cvalue) == (50.2, 49.5)
                assert (service.ESDlyTms.cvalue, service.ESRmpTms.cvalue) == (10, 0)
                service.ES.value = 0
                service.write()
                measured.read()
                assert (measured.W.cvalue, measured.InvSt.value, measured.ConnSt.value, measured.St.value) == (
                    0,
                    0,
                    0,
                    0,
                )
                assert measured.Alrm.value == 0
            finally:
                client.close()

        await asyncio.to_thread(cease)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 0.999), st.integers(0, 40)), max_size=30))
def test_table_over_all_courses(course: list[tuple[bool, bool, float, int]]) -> None:
    """The table read as an oracle: serving only while allowed, and after a whole wait through which all was calm."""
    values = {"ESDlyTms": 30, "ESRndTms": 20, "ESRmpTms": 0}
    service, now, good_since = EnterService(0.0), 0.0, 0.0
    seen = [service.standing]
    for allowed, calm, draw, seconds in course:
        was_serving = service.standing is Standing.SERVING
        if not allowed or (not calm and not was_serving):
            good_since = None
        elif good_since is None:
            good_since = now
        service.judge(values, now, allowed=allowed, calm=calm, draw=draw)
        seen.append(service.standing)
        if service.until <= now + seconds:
            service.judge(values, service.until, allowed=allowed, calm=calm, draw=draw)
            assert good_since is not None
            seen.append(service.standing)
        now += seconds
        if service.standing is Standing.SERVING and not was_serving:
            assert good_since is not None
            assert 30 <= service.since - good_since <= 50
        if not allowed:
            assert service.standing is Standing.CEASED
    assert all((old, new) != (Standing.CEASED, Standing.SERVING) for old, new in pairwise(seen))
