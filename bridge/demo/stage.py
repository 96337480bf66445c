"""The stage: a utility, two devices and a gateway as processes of their own, a lab box, and the core in this process.

Everything listens on loopback only. What is started here is ended here, in reverse order, whatever happens.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wattseal.bridge.making import make_box, sign_manifest
from wattseal.certs.box import Box
from wattseal.certs.errors import WorldError

CONTEXT: Final = "http://north-grid.example/peak"
_START_SECONDS: Final = 20.0
_END_SECONDS: Final = 4.0

_SITE: Final = """\
[site]
name = "demo-site"
lab = true
inject_limit_watts = 10000
absorb_limit_watts = 22000
lease_seconds = 60

[[device]]
name = "battery"
profile = "sunspec_battery"
link = "simulator"
address = "tcp://127.0.0.1:{battery}"
sampling_seconds = 1
[device.levels]
level_1 = {{ operation = "set_power", watts = 0 }}
[device.envelope]
min_watts = -5000
max_watts = 5000
soc_floor_percent = 10

[[device]]
name = "charger"
profile = "alfen_eve"
link = "simulator"
address = "tcp://127.0.0.1:{charger}"
sampling_seconds = 1
tolerance_watts = 250
[device.levels]
level_1 = {{ operation = "limit_absorb", watts = 7400 }}
level_2 = {{ operation = "limit_absorb", watts = 5600 }}
level_3 = {{ operation = "limit_absorb", watts = 0 }}
[device.envelope]
min_watts = -11040
max_watts = 0

[[utility]]
name = "north-grid"
dialect = "openadr-2.0b"
url = "{utility}"
ven_name = "demo-site"
operations = ["set_power", "limit_absorb"]
ceiling_watts = 12000
poll_seconds_least = 1
[[utility.market_context]]
uri = "{context}"
programme = "peak"
dispatch_sign = "consumption"
[utility.resources]
battery-1 = "battery"
charger-1 = "charger"
"""


class StageError(WorldError):
    """A process of the demonstration did not start (`stage_failed`)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is. `devices` maps a device to its write log and its control port."""

    directory: Path
    scratch: Path
    box: Box
    root: str
    devices: dict[str, tuple[Path, int]]
    utility_admin_port: int


@asynccontextmanager
async def staged(directory: Path, scratch: Path, *, seed: int) -> AsyncIterator[Stage]:
    """Builds the stage: what is to be kept below `directory`, the rest below `scratch` (both exist and are empty)."""
    async with AsyncExitStack() as stack:
        logs = directory / "devices"
        messages = directory / "utility"
        logs.mkdir()
        battery = await _device(stack, "battery", logs, "--noise-watts", "15", "--seed", str(seed))
        charger = await _device(stack, "ev-charger", logs, "--validity-seconds", "30")
        utility = await _started(
            stack,
            "wattseal.protocols.openadr20b.vtn.command",
            ("--json", "--poll-seconds", "1", "--report", "1:2", "--messages", str(messages)),
        )
        box = Box(scratch / "box")
        url = str(utility["url"]).split("/OpenADR2", 1)[0].rstrip("/")
        text = _SITE.format(battery=battery["port"], charger=charger["port"], utility=url, context=CONTEXT)
        root = make_box(box.root, now=int(time.time()), site_text=text.encode())
        sign_manifest(box.root, now=int(time.time()))
        await _started(stack, "wattseal.drivers.gateway.command", (str(box.root), "--json"))
        devices = {
            "battery": (logs / "battery.jsonl", int(battery["control_port"])),
            "charger": (logs / "ev-charger.jsonl", int(charger["control_port"])),
        }
        yield Stage(directory, scratch, box, root, devices, int(utility["admin_port"]))


async def _device(stack: AsyncExitStack, name: str, logs: Path, *options: str) -> dict[str, Any]:
    arguments = (name, "--port", "0", "--control-port", "0", "--write-log", str(logs / f"{name}.jsonl"), "--json")
    return await _started(stack, "wattseal.drivers.simulators.command", (*arguments, *options))


async def _started(stack: AsyncExitStack, module: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Starts a process of ours and waits for its ready line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    stack.push_async_callback(_ended, process)
    if process.stdout is None:
        raise StageError("stage_failed", f"{module} has no output to read.")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        ready: dict[str, Any] = json.loads(line)
    except (TimeoutError, ValueError) as error:
        raise StageError("stage_failed", f"{module} did not become ready on this machine.") from error
    return ready


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
