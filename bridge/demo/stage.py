"""The stage: two utilities, two devices, a gateway, each a process of its own; a lab box, and the core in this process.

Everything listens on loopback only. What is started here is ended here, in reverse order, whatever happens.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wattseal.bridge.demo.processes import started
from wattseal.bridge.demo.second_utility import RATED_WATTS, lay_out_certificates, require_ccm8, second_utility
from wattseal.bridge.making import make_box, sign_manifest
from wattseal.certs.box import Box

NAME: Final = "north-grid"
CONTEXT: Final = f"http://{NAME}.example/peak"

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
min_watts = -{rated}
max_watts = {rated}
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
name = "{first}"
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


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is. `devices` maps a device to its write log and its control port."""

    directory: Path
    scratch: Path
    box: Box
    root: str
    devices: dict[str, tuple[Path, int]]
    utility_admin_port: int
    second_admin_port: int


@asynccontextmanager
async def staged(directory: Path, scratch: Path, *, seed: int) -> AsyncIterator[Stage]:
    """Builds the stage: what is to be kept below `directory`, the rest below `scratch` (both exist and are empty).

    Raises `StageError` where something does not start, or the second utility's TLS cannot be spoken here.
    """
    await require_ccm8()
    async with AsyncExitStack() as stack:
        logs = directory / "devices"
        messages = directory / "utility"
        logs.mkdir()
        messages.mkdir()
        battery = await _device(stack, "battery", logs, "--noise-watts", "15", "--seed", str(seed))
        charger = await _device(stack, "ev-charger", logs, "--validity-seconds", "30")
        utility = await started(
            stack,
            "wattseal.protocols.openadr20b.vtn.command",
            ("--json", "--poll-seconds", "1", "--report", "1:2", "--messages", str(messages / "openadr")),
        )
        second = await second_utility(stack, scratch, messages / "ieee2030.5")
        box = Box(scratch / "box")
        url = str(utility["url"]).split("/OpenADR2", 1)[0].rstrip("/")
        ports = {"battery": battery["port"], "charger": charger["port"]}
        text = _SITE.format(first=NAME, utility=url, context=CONTEXT, rated=RATED_WATTS, **ports)
        root = make_box(box.root, now=int(time.time()), site_text=(text + second.site_text).encode())
        lay_out_certificates(box, second.pki)
        sign_manifest(box.root, now=int(time.time()))
        await started(stack, "wattseal.drivers.gateway.command", (str(box.root), "--json"))
        devices = {
            "battery": (logs / "battery.jsonl", int(battery["control_port"])),
            "charger": (logs / "ev-charger.jsonl", int(charger["control_port"])),
        }
        yield Stage(directory, scratch, box, root, devices, int(utility["admin_port"]), second.admin_port)


async def _device(stack: AsyncExitStack, name: str, logs: Path, *options: str) -> dict[str, Any]:
    arguments = (name, "--port", "0", "--control-port", "0", "--write-log", str(logs / f"{name}.jsonl"), "--json")
    return await started(stack, "wattseal.drivers.simulators.command", (*arguments, *options))
