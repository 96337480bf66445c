"""What is measured on: a lab box in a directory of its own, a simulated battery and a gateway, each its own process.

Everything listens on loopback or on a unix socket, and ends with the context. Knows nothing of what is timed.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattseal.bridge.making import make_box, sign_manifest
from wattseal.certs.box import Box
from wattseal.certs.errors import WorldError

DEVICE: Final = "battery"
UTILITY: Final = "north-grid"
RESOURCE: Final = "battery-1"
MARKET: Final = "http://north-grid.example/peak"
MOST_WATTS: Final = 5000
_READY_SECONDS: Final = 20.0
_END_SECONDS: Final = 5.0

# Sampled every few seconds, as many sites are; a reading that falls into a measurement belongs to its tail.
_SITE: Final = """
[site]
name = "bench"
lab = true
inject_limit_watts = 10000
absorb_limit_watts = 10000
lease_seconds = 300

[[device]]
name = "{device}"
profile = "sunspec_battery"
link = "simulator"
address = "tcp://127.0.0.1:{port}"
unit = 1
sampling_seconds = 3
tolerance_watts = 50
[device.envelope]
min_watts = -{most}
max_watts = {most}
soc_floor_percent = 5
soc_ceiling_percent = 100

[[utility]]
name = "{utility}"
dialect = "openadr-2.0b"
url = "http://127.0.0.1:8080"
ven_name = "bench"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = {most}
poll_seconds_least = 1
[[utility.market_context]]
uri = "{market}"
programme = "peak"
dispatch_sign = "consumption"
[utility.resources]
{resource} = "{device}"
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The box, the simulated device's Modbus port, and the file that the gateway's stamps go to."""

    box: Box
    modbus_port: int
    stamps: Path


@asynccontextmanager
async def stage(directory: Path) -> AsyncIterator[Stage]:
    """Everything but the core, running. Raises `WorldError` (`bench_process_failed`) where a process will not start."""
    stamps = directory / "gateway-stamps.jsonl"
    simulator = ("wattseal.drivers.simulators.command", "battery", "--port", "0", "--control-port", "0", "--json")
    async with process(*simulator) as told:
        port = told["port"]
        if not isinstance(port, int):
            raise WorldError("bench_process_failed", "The simulator did not say where it listens.")
        box = Box(directory / "box")
        text = _SITE.format(
            device=DEVICE, port=port, most=MOST_WATTS, utility=UTILITY, market=MARKET, resource=RESOURCE
        )
        make_box(box.root, now=int(time.time()), site_text=text.encode())
        sign_manifest(box.root, now=int(time.time()))
        gateway = ("wattseal.bridge.bench.stamped_gateway", str(stamps), str(box.root), "--json")
        async with process(*gateway):
            yield Stage(box, port, stamps)


@asynccontextmanager
async def process(*module: str) -> AsyncIterator[dict[str, object]]:
    """Runs `python -m module...`; gives its first line, which is JSON. Ends it by signal."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *module, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield await _first_line(running, module[0])
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.terminate()
        try:
            await asyncio.wait_for(running.wait(), _END_SECONDS)
        except TimeoutError:
            running.kill()
            await running.wait()


async def _first_line(process: asyncio.subprocess.Process, name: str) -> dict[str, object]:
    if process.stdout is None:
        raise WorldError("bench_process_failed", f"{name} has no standard output.")
    try:
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS))
    except (TimeoutError, ValueError) as error:
        raise WorldError("bench_process_failed", f"{name} did not start; run it by hand to see why.") from error
    if not isinstance(told, dict):
        raise WorldError("bench_process_failed", f"{name} said something else than where it listens.")
    return told
