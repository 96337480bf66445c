"""The simulators as processes of their own: readiness, ends, exit codes, and the write log over a kill."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from wattseal.drivers.simulators.control import ControlClient

COMMAND = (sys.executable, "-m", "wattseal.drivers.simulators.command")
PATIENCE = 30.0


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[tuple[Process, dict[str, object]]]:
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, "--json", stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            yield process, json.loads(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def finished(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(PATIENCE):
        _, told = await process.communicate()
    assert process.returncode is not None
    return process.returncode, told.decode()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_battery_process_from_ready_to_end(ending: signal.Signals) -> None:
    """One JSON line when it listens; pysunspec2 reads it across processes; a virtual clock moves; a signal ends it."""
    arguments = ("battery", "--virtual-clock", "2025-06-01T00:00:00Z", "--own-watts", "-2000", "--soc-percent", "50")
    async with started(*arguments) as (process, ready):
        assert (ready["ready"], ready["device"]) == (True, "battery")
        async with ControlClient(int(str(ready["control_port"]))) as control:
            await control.send(clock={"advance": 3600})
            truth = (await control.send(state=True))["state"]
        assert isinstance(truth, dict)
        assert truth["t"] == "2025-06-01T01:00:00.000000Z"

        def read() -> tuple[float, float]:
            client = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=ready["port"], timeout=5)
            client.scan()
            return client.models[701][0].W.cvalue, client.models[713][0].SoC.cvalue

        watts, soc_percent = await asyncio.to_thread(read)
        assert (watts, truth["watts"]) == (-2000, -2000)
        assert soc_percent == pytest.approx(truth["soc_percent"], abs=0.006)
        assert soc_percent == pytest.approx(59.6, abs=0.01)  # 2 kWh, 96 % of it stored, in 20 kWh
        process.send_signal(ending)
        assert await process.wait() == 0


async def test_killed_process_leaves_every_acknowledged_write_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "charger.jsonl"
    async with started("ev-charger", "--write-log", str(log), "--safe-amperes", "7") as (process, ready):
        client = AsyncModbusTcpClient("127.0.0.1", port=int(str(ready["port"])), retries=0, timeout=5)
        await client.connect()
        for amperes in range(6, 16):
            words = client.convert_to_registers(float(amperes), client.DATATYPE.FLOAT32)
            assert not (await client.write_registers(1210, words, device_id=1)).isError()
        process.kill()
        await process.wait()
        client.close()
    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["address"] for line in written] == [1210] * 10
    assert [line["words"][0] for line in written] == [0x40C0, 0x40E0, *range(0x4100, 0x4180, 0x10)]
    assert {line["result"] for line in written} == {"ok"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("battery", "--rated-watts", "5"), 2, "Ratings are"),
        (("battery", "--capacity-wh", "nan"), 2, "capacity_wh"),
        (("battery", "--virtual-clock", "noon"), 2, "RFC 3339"),
        (("ev-charger", "--car", "9:3"), 2, "Visits"),
        (("meter", "--household-watts", "1e9"), 2, "household_watts"),
        (("meter", "--positive", "both"), 2, "invalid choice"),
        (("toaster",), 2, "invalid choice"),
        (("battery", "--port", "99999"), 3, "TCP port 99999"),
        (("battery", "--write-log", "/nowhere/at/all"), 3, "write log"),
    ],
)
async def test_exit_codes(arguments: tuple[str, ...], code: int, told: str) -> None:
    """2 usage, 3 the world failed; a sentence on stderr and never a traceback."""
    found, sentence = await finished(*arguments)
    assert found == code
    assert told in sentence
    assert "Traceback" not in sentence


async def test_full_disk_ends_the_device() -> None:
    """A device whose judge cannot write must not go on: exit 3, and the writer gets no acknowledgement."""
    async with started("battery", "--write-log", "/dev/full") as (process, ready):
        client = AsyncModbusTcpClient("127.0.0.1", port=int(str(ready["port"])), retries=0, timeout=0.5)
        await client.connect()
        with pytest.raises(Exception, match=r"(?i)no response|connection|modbus"):
            await client.write_registers(40291, [1], device_id=1)
        assert await process.wait() == 3
        client.close()
