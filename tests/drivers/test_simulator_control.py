"""The control door on its socket: every verb, and every wrong request answered with an error, never with a crash."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import SystemClock, VirtualClock
from wattseal.drivers.simulators.control import Control, ControlClient
from wattseal.drivers.simulators.responder import Responder
from wattseal.drivers.simulators.running import RunningDevice, running_device
from wattseal.drivers.simulators.write_log import WriteLog


@pytest.fixture
async def device() -> AsyncIterator[RunningDevice[BatteryInverter]]:
    async with running_device(lambda now: BatteryInverter(BatteryOptions(), now), clock=VirtualClock()) as running:
        yield running


def door_without_socket(clock: VirtualClock | SystemClock | None = None) -> Control:
    clock = clock or VirtualClock()
    device = BatteryInverter(BatteryOptions(), clock.monotonic())
    return Control(device, Responder(device, clock, WriteLog(None)))


async def test_verbs_over_the_socket(device) -> None:
    async with ControlClient(device.control_port) as control:
        assert await control.send(fault="silent", count=3, scope="writes", address=[40299, 40300]) == {}
        state = (await control.send(state=True))["state"]
        assert isinstance(state, dict)
        assert state["faults"] == [
            {
                "kind": "silent",
                "scope": "writes",
                "count": 3,
                "skip": 0,
                "address": [40299, 40300],
                "unit": None,
                "effect": None,
                "seconds": 1.0,
                "code": 4,
                "registers": None,
            }
        ]
        await control.send(clear=True)
        await control.send(set={"soc_percent": 10, "own_watts": 4000})
        await control.send(clock={"advance": 60})
        state = (await control.send(state=True))["state"]
        assert isinstance(state, dict)
        assert (state["faults"], state["watts"], state["t"]) == ([], 4000.0, "2025-01-01T00:01:00.000000Z")
        assert 9.6 < float(str(state["soc_percent"])) < 10.0


async def test_refusal_is_told_to_the_client(device) -> None:
    async with ControlClient(device.control_port) as control:
        with pytest.raises(MisuseError) as caught:
            await control.send(set={"soc_percent": 101})
        assert (caught.value.reason, caught.value.sentence) == ("bad_set", "soc_percent must be 0 to 100.")
        await control.send(state=True)


async def test_gone_door_is_a_world_error() -> None:
    async with running_device(lambda now: BatteryInverter(BatteryOptions(), now)) as running:
        client = await ControlClient(running.control_port).__aenter__()
        await client.send(state=True)
    with pytest.raises(WorldError) as caught:
        await client.send(state=True)
    assert caught.value.reason == "control_gone"
    await client.__aexit__()


async def test_endless_line_is_refused_and_hung_up_on(device) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", device.control_port)
    writer.write(b"x" * 200_000)
    async with asyncio.timeout(5):
        assert json.loads(await reader.readline())["error"] == "bad_request"
    writer.close()
    async with ControlClient(device.control_port) as control:
        await control.send(state=True)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"", "bad_request"),
        (b"garbage", "bad_request"),
        (b"[]", "bad_request"),
        (b"{}", "bad_request"),
        (b"\xff\xfe", "bad_request"),
        (b"[" * 50_000, "bad_request"),
        (b'{"clear":true,"state":true}', "bad_request"),
        (b'{"clear":false}', "bad_request"),
        (b'{"clear":true,"count":2}', "bad_request"),
        (b'{"explode":true}', "bad_request"),
        (b'{"fault":"gremlins"}', "bad_request"),
        (b'{"fault":"slow","seconds":1e999}', "bad_request"),
        (b'{"fault":"slow","seconds":-1}', "bad_fault"),
        (b'{"fault":"silent","count":0}', "bad_fault"),
        (b'{"fault":"silent","count":1.5}', "bad_request"),
        (b'{"fault":"silent","address":[5,1]}', "bad_fault"),
        (b'{"fault":"exception","code":0}', "bad_fault"),
        (b'{"set":{"soc_percent":-1}}', "bad_set"),
        (b'{"set":{"soc_percent":"10"}}', "bad_set"),
        (b'{"set":{"own_watts":1e12}}', "bad_set"),
        (b'{"set":{"warp":9}}', "bad_set"),
        (b'{"set":{"points":{"W":1}}}', "bad_set"),
        (b'{"set":{"points":{"WSetEna":2}}}', "bad_set"),
        (b'{"clock":{"advance":-1}}', "clock_advance"),
        (b'{"clock":{"advance":1e12}}', "clock_advance"),
    ],
)
def test_wrong_requests(line: bytes, error: str) -> None:
    """Each is answered with its reason and a sentence, and nothing has changed."""
    door = door_without_socket()
    before = door.state()
    answer = json.loads(door.answer(line))
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["message"].endswith(".")
    assert door.state() == before


def test_set_with_one_mistake_changes_nothing() -> None:
    door = door_without_socket()
    before = door.state()
    with pytest.raises(MisuseError):
        door.set(soc_percent=50, own_watts=100.0, volts=0.0)
    assert door.state() == before


def test_real_clock_is_not_advanced() -> None:
    answer = json.loads(door_without_socket(SystemClock()).answer(b'{"clock":{"advance":60}}'))
    assert answer["error"] == "real_clock"


@given(st.one_of(st.binary(max_size=60), st.text('{}[]:,"truefalsncko0123456789.- \n', max_size=60)))
def test_any_line_has_an_answer(line: bytes | str) -> None:
    door = door_without_socket()
    answer = door.answer(line if isinstance(line, bytes) else line.encode())
    assert answer.endswith(b"\n")
    assert json.loads(answer)["ok"] in {True, False}


@pytest.mark.parametrize("hour", ["2025-06-01T00:00:00+02:00"])
def test_virtual_clock_tells_utc(hour: str) -> None:
    from datetime import datetime

    clock = VirtualClock(datetime.fromisoformat(hour))
    clock.advance(0.25)
    assert (clock.utc().isoformat(), clock.monotonic()) == ("2025-05-31T22:00:00.250000+00:00", 0.25)


def test_virtual_clock_wants_an_offset() -> None:
    from datetime import datetime

    with pytest.raises(MisuseError):
        VirtualClock(datetime(2025, 1, 1))  # noqa: DTZ001 - the mistake under test
