"""The simulated EV charger by the Alfen Eve map: read by pymodbus, another reader of floats, and its timer and car."""

import struct
from collections.abc import AsyncIterator

import pytest
from pymodbus.client import AsyncModbusTcpClient

from wattseal.certs.errors import MisuseError
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.ev_charger import EvCharger, EvChargerOptions
from wattseal.drivers.simulators.ev_physics import Car, Visit
from wattseal.drivers.simulators.modbus_frames import ModbusFault
from wattseal.drivers.simulators.running import RunningDevice, running_device


@pytest.fixture
async def charger() -> AsyncIterator[RunningDevice[EvCharger]]:
    options = EvChargerOptions(safe_amperes=8.0)
    async with running_device(lambda now: EvCharger(options, now), clock=VirtualClock()) as running:
        yield running


@pytest.fixture
async def client(charger) -> AsyncIterator[AsyncModbusTcpClient]:
    reader = AsyncModbusTcpClient("127.0.0.1", port=charger.port, retries=0, timeout=5)
    assert await reader.connect()
    yield reader
    reader.close()


async def number(client: AsyncModbusTcpClient, address: int, kind: str):
    datatype = getattr(client.DATATYPE, kind)
    answer = await client.read_holding_registers(address, count=datatype.value[1], device_id=1)
    assert not answer.isError()
    return client.convert_from_registers(answer.registers, datatype)


async def text(client: AsyncModbusTcpClient, address: int, count: int, unit: int) -> str:
    answer = await client.read_holding_registers(address, count=count, device_id=unit)
    assert not answer.isError()
    return client.convert_from_registers(answer.registers, client.DATATYPE.STRING)


async def set_amperes(client: AsyncModbusTcpClient, amperes: float):
    words = client.convert_to_registers(amperes, client.DATATYPE.FLOAT32)
    return await client.write_registers(1210, words, device_id=1)


async def test_every_point_equals_the_truth(charger, client) -> None:
    """devices.md, Alfen row: f32 volts, amperes and watts, f64 Wh, text state; high word first."""
    assert not (await set_amperes(client, 12.5)).isError()
    charger.control.advance(30)
    truth = charger.control.state()
    assert truth["watts"] == pytest.approx(-12.5 * 3 * 230.4)
    for phase in range(3):
        assert await number(client, 306 + 2 * phase, "FLOAT32") == pytest.approx(truth["volts"], rel=1e-6)
        assert await number(client, 320 + 2 * phase, "FLOAT32") == pytest.approx(truth["amperes"], rel=1e-6)
    assert await number(client, 344, "FLOAT32") == pytest.approx(-truth["watts"], rel=1e-6)
    assert await number(client, 374, "FLOAT64") == truth["energy_absorbed_wh"]
    assert await number(client, 1200, "UINT16") == 1
    assert await text(client, 1201, 5, 1) == truth["mode_3_state"] == "C2"
    assert await number(client, 1206, "FLOAT32") == 12.5
    assert await number(client, 1208, "UINT32") == 30
    assert await number(client, 1210, "FLOAT32") == 12.5
    assert await number(client, 1212, "FLOAT32") == 8.0
    assert await number(client, 1214, "UINT16") == 1
    assert await number(client, 1215, "UINT16") == 3


async def test_station_identity(client) -> None:
    """Unit 200: name s17, maker s5, firmware s17, serial s11."""
    assert await text(client, 100, 17, 200) == "ALF_1000"
    assert await text(client, 117, 5, 200) == "Alfen NV"
    assert await text(client, 123, 17, 200) == "6.6.0-4206"
    assert await text(client, 157, 11, 200) == "ACE0123456"


async def test_validity_runs_out_into_the_safe_current(charger, client) -> None:
    """1208 counts down from the validity; at 0 the applied limit 1206 becomes the safe current; 1210 keeps its word."""
    seen = []
    assert await number(client, 1206, "FLOAT32") == 8.0  # nothing was ever set
    await set_amperes(client, 16.0)
    for wait in (0, 59, 0.5, 0.5, 100):
        charger.control.advance(wait)
        seen.append(
            (
                await number(client, 1206, "FLOAT32"),
                await number(client, 1208, "UINT32"),
                await number(client, 1210, "FLOAT32"),
                await number(client, 1214, "UINT16"),
            )
        )
    assert seen == [(16, 60, 16, 1), (16, 1, 16, 1), (16, 1, 16, 1), (8, 0, 16, 0), (8, 0, 16, 0)]
    assert charger.control.state()["amperes"] == pytest.approx(8.0)
    await set_amperes(client, 16.0)
    assert (await number(client, 1206, "FLOAT32"), await number(client, 1208, "UINT32")) == (16, 60)


async def test_only_the_setpoint_renews(charger, client) -> None:
    """Each write of 1210 starts the full time, reads and 1215 do not."""
    await set_amperes(client, 10.0)
    charger.control.advance(40)
    assert not (await client.write_registers(1215, [1], device_id=1)).isError()
    assert await number(client, 1208, "UINT32") == 20
    await set_amperes(client, 10.0)
    assert await number(client, 1208, "UINT32") == 60


@pytest.mark.parametrize(
    ("amperes", "applied"), [(0.0, 0.0), (5.9, 0.0), (6.0, 6.0), (13.0, 13.0), (16.0, 16.0), (32.0, 16.0)]
)
async def test_pause_and_cap(charger, client, amperes: float, applied: float) -> None:
    """IEC 61851: nothing between 0 and 6 A; and the station's 16 A cap what is asked."""
    assert not (await set_amperes(client, amperes)).isError()
    charger.control.advance(20)
    assert await number(client, 1206, "FLOAT32") == applied
    assert charger.control.state()["amperes"] == pytest.approx(applied)
    assert await text(client, 1201, 5, 1) == ("C2" if applied else "B2")


@pytest.mark.parametrize(
    ("address", "words", "unit", "code"),
    [
        pytest.param(1210, struct.unpack(">2H", struct.pack(">f", float("nan"))), 1, 3, id="nan"),
        pytest.param(1210, struct.unpack(">2H", struct.pack(">f", float("inf"))), 1, 3, id="infinity"),
        pytest.param(1210, struct.unpack(">2H", struct.pack(">f", -1.0)), 1, 3, id="negative"),
        pytest.param(1210, (0x4120,), 1, 2, id="half_a_float"),
        pytest.param(1206, (0x4120, 0), 1, 2, id="applied_limit_is_read_only"),
        pytest.param(1212, (0x4120, 0), 1, 2, id="safe_current_is_read_only"),
        pytest.param(1210, (0x4120, 0, 0x4120, 0), 1, 2, id="setpoint_and_safe_current"),
        pytest.param(1215, (2,), 1, 3, id="two_phases"),
        pytest.param(100, (1,), 200, 2, id="station_is_read_only"),
        pytest.param(1210, (0, 0), 2, 11, id="no_second_socket"),
    ],
)
async def test_refused_writes(charger, client, address: int, words: tuple[int, ...], unit: int, code: int) -> None:
    before = charger.control.state()
    answer = await client.write_registers(address, list(words), device_id=unit)
    assert (answer.isError(), answer.exception_code) == (True, code)
    after = charger.control.state()
    for changing in ("traffic", "write_log_lines"):
        del before[changing], after[changing]
    assert after == before


async def test_gaps_and_function_codes(client) -> None:
    """FC 3 and 16 only; a read that touches a gap is refused whole."""
    assert (await client.read_holding_registers(306, count=7, device_id=1)).exception_code == 2
    assert (await client.read_holding_registers(0, count=1, device_id=1)).exception_code == 2
    assert (await client.read_holding_registers(117, count=6, device_id=200)).exception_code == 2
    assert (await client.read_input_registers(306, count=2, device_id=1)).exception_code == 1
    assert (await client.write_register(1215, 1, device_id=1)).exception_code == 1
    assert len((await client.read_holding_registers(1200, count=16, device_id=1)).registers) == 16


# --- the car


def test_current_follows_with_a_ramp_and_energy_is_its_integral() -> None:
    """2 A/s up to 10 A: 5 s, then 10 A at 3 x 230 V; the counter is the exact area."""
    charger = EvCharger(EvChargerOptions(volts=230.0, safe_amperes=0.0, delivered_wh=0.0), 0.0)
    charger.write(1, 1210, struct.unpack(">2H", struct.pack(">f", 10.0)), 0.0)
    assert [charger.state(t)["amperes"] for t in (1.0, 2.5, 5.0, 9.0)] == pytest.approx([2.0, 5.0, 10.0, 10.0])
    energy = float(str(charger.state(65.0)["energy_absorbed_wh"]))
    # 5 s rising, 55 s full, and from 60 s the safe current 0: falling at 8 A/s for 1.25 s
    assert energy * 3600 == pytest.approx(690.0 * (10 * 5 / 2 + 10 * 55 + 10 * 1.25 / 2), rel=1e-9)


def test_car_fills_and_stops() -> None:
    """At 100 % the car stops drawing, and shows B2 though it would be allowed."""
    charger = EvCharger(EvChargerOptions(safe_amperes=16.0, visits=(Visit(soc_percent=99.0),)), 0.0)
    start = charger.state(0.0)
    full = charger.state(4 * 3600.0)
    assert (start["mode_3_state"], full["mode_3_state"], full["amperes"]) == ("C2", "B2", 0.0)
    assert full["car_soc_percent"] == pytest.approx(100.0)
    drawn = float(str(full["energy_absorbed_wh"])) - float(str(start["energy_absorbed_wh"]))
    assert drawn * 0.91 == pytest.approx(600.0, rel=1e-6)


def test_visits_come_and_go_on_time() -> None:
    """A without a car; counters keep their count; the next car begins with its own charge."""
    visits = (Visit(arrives=100.0, leaves=200.0, soc_percent=20.0), Visit(arrives=300.0, soc_percent=70.0))
    charger = EvCharger(EvChargerOptions(safe_amperes=10.0, visits=visits), 0.0)
    states = [charger.state(float(t)) for t in (99, 100, 150, 199.9, 200, 299, 300, 400)]
    assert [state["mode_3_state"] for state in states] == ["A", "C2", "C2", "C2", "A", "A", "C2", "C2"]
    assert states[4]["watts"] == 0.0
    assert states[5]["energy_absorbed_wh"] == states[4]["energy_absorbed_wh"] > 350_000.0
    assert 70.0 <= float(str(states[6]["car_soc_percent"])) < 70.1
    jumped = EvCharger(EvChargerOptions(safe_amperes=10.0, visits=visits), 0.0).state(400.0)
    assert jumped["energy_absorbed_wh"] == pytest.approx(states[7]["energy_absorbed_wh"])


def test_phases_of_socket_and_car() -> None:
    """One-phase supply or a one-phase car: current on L1 only; a change of phases interrupts."""
    charger = EvCharger(EvChargerOptions(safe_amperes=10.0), 0.0)
    assert charger.state(60.0)["watts"] == pytest.approx(-6912.0)
    charger.write(1, 1215, (1,), 60.0)
    assert charger.state(60.0)["watts"] == 0.0
    assert charger.state(90.0)["watts"] == pytest.approx(-2304.0)
    currents = charger.read(1, 3, 320, 6, 90.0)
    assert struct.unpack(">3f", struct.pack(">6H", *currents)) == pytest.approx((10.0, 0.0, 0.0))
    small = EvCharger(EvChargerOptions(safe_amperes=10.0, car=Car(phases=1)), 0.0)
    assert small.state(60.0)["watts"] == pytest.approx(-2304.0)


def test_control_door_settings() -> None:
    charger = EvCharger(EvChargerOptions(safe_amperes=10.0, visits=()), 0.0)
    assert charger.state(1.0)["mode_3_state"] == "A"
    charger.set({"car_connected": True, "car_soc_percent": 50.0}, 1.0)
    assert (charger.state(30.0)["mode_3_state"], charger.state(30.0)["watts"]) == ("C2", pytest.approx(-6912.0))
    charger.set({"device_fault": True}, 30.0)
    assert (charger.state(31.0)["mode_3_state"], charger.state(31.0)["watts"]) == ("F", 0.0)
    assert charger.read(1, 3, 1200, 1, 31.0) == (0,)
    charger.set({"device_fault": False, "car_connected": False}, 31.0)
    assert charger.state(32.0)["mode_3_state"] == "A"
    for wrong in ({"volts": 0.0}, {"car_soc_percent": 101.0}, {"validity_seconds": 0}, {"soc": 1}, {"volts": "x"}):
        with pytest.raises(MisuseError) as caught:
            charger.set(wrong, 32.0)
        assert caught.value.reason == "bad_set"


def test_unknown_words_are_never_invented() -> None:
    """Every address is either inside a point of the map or refused with exception 2."""
    charger = EvCharger(EvChargerOptions(), 0.0)
    known = {*range(306, 312), *range(320, 326), 344, 345, *range(374, 378), *range(1200, 1216)}
    for address in range(1300):
        words = charger.read(1, 3, address, 1, 0.0)
        assert isinstance(words, ModbusFault) == (address not in known), address


@pytest.mark.parametrize(
    "wrong",
    [
        {"validity_seconds": 0},
        {"safe_amperes": float("nan")},
        {"phases": 4},
        {"visits": (Visit(arrives=10.0, leaves=5.0),)},
        {"visits": (Visit(), Visit())},
    ],
)
def test_senseless_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(MisuseError):
        EvCharger(EvChargerOptions(**wrong), 0.0)
