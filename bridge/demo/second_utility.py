"""The second utility: an IEEE 2030.5 server over TLS 1.2 with CCM8, with a test hierarchy made for this run.

Its staff knows the box by its certificate's LFDI, and has one programme for it.
"""

import asyncio
import shutil
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wattseal.bridge.demo.processes import StageError, started
from wattseal.certs.box import Box
from wattseal.certs.device_pki import make_device_pki
from wattseal.certs.identity import describe_file
from wattseal.certs.tls_selftest import ccm8_works
from wattseal.protocols.ieee2030_5.server.door import AdminClient

NAME: Final = "south-wires"
PROGRAMME: Final = "D0C1"
PRIMACY: Final = 1
RATED_WATTS: Final = 5000
"""What the battery may inject by its envelope, and percentages of a control are of."""
_MODULE: Final = "wattseal.protocols.ieee2030_5.server.command"
_DEVICE: Final = "device"
_ROOT: Final = "serca.pem"

SITE: Final = """\
[[utility]]
name = "{name}"
dialect = "ieee2030.5"
url = "https://127.0.0.1:{port}/dcap"
profile = "csip-2018"
role = "device"
pin = "111115"
server_lfdi = "{lfdi}"
operations = ["set_power", "limit_inject"]
ceiling_watts = 5000
[utility.tls]
certificate = "tls/box.pem"
key = "secret://file/tls/box.key"
authority = "tls/serca.pem"
[[utility.end_device]]
device = "battery"
type = "battery"
[utility.programmes]
relief = "{programme}"
"""


@dataclass(frozen=True, slots=True)
class SecondUtility:
    """Where it is: the door of its staff, and its part of the site file. `pki`: the test hierarchy."""

    admin_port: int
    site_text: str
    pki: Path


async def require_ccm8() -> None:
    """Raises `StageError` (`tls_ccm8_missing`) where the OpenSSL at hand cannot speak as IEEE 2030.5 demands."""
    tested = await asyncio.to_thread(ccm8_works)
    if not tested.works:
        raise StageError("tls_ccm8_missing", f"The demo's second utility cannot be shown here: {tested.sentence}")


async def second_utility(stack: AsyncExitStack, scratch: Path, messages: Path) -> SecondUtility:
    """Starts it; `stack` ends it. Raises `StageError`."""
    pki = scratch / "pki"
    await asyncio.to_thread(make_device_pki, pki)
    polls = ("--poll-seconds", "1", "--post-seconds", "2")
    ready = await started(stack, _MODULE, ("--json", "--pki", str(pki), *polls, "--messages", str(messages)))
    await _staffed(int(ready["admin_port"]), describe_file(pki / f"{_DEVICE}.pem").lfdi)
    text = SITE.format(name=NAME, port=ready["port"], lfdi=ready["lfdi"], programme=PROGRAMME)
    return SecondUtility(int(ready["admin_port"]), text, pki)


async def _staffed(admin_port: int, lfdi: str) -> None:
    async with AdminClient(admin_port) as staff:
        await staff.ask("add_device", lfdi=lfdi)
        group = (await staff.ask("add_group", members=[lfdi]))["serial"]
        await staff.ask("add_program", groups=[group], primacy=PRIMACY, mrid=PROGRAMME)


def lay_out_certificates(box: Box, pki: Path) -> None:
    """The box's own certificate, its key and the root that the server's chain must reach."""
    folder = box.root / "tls"
    folder.mkdir()
    shutil.copy(pki / f"{_DEVICE}.pem", folder / "box.pem")
    shutil.copy(pki / _ROOT, folder / _ROOT)
    key = folder / "box.key"
    key.touch(mode=0o600)
    key.write_bytes((pki / f"{_DEVICE}.key").read_bytes())


async def statuses(staff: AdminClient, mrid: str) -> list[int]:
    """The Responses to a control that reached the server, in order."""
    told: list[dict[str, Any]] = (await staff.ask("list", of="responses"))["responses"]
    return [int(one["status"]) for one in told if str(one["subject"]).upper() == mrid]


async def mirrored(staff: AdminClient) -> int:
    """How many readings of ours the server holds in its mirrors, single ones and those of sets."""
    told: list[dict[str, Any]] = (await staff.ask("list", of="readings"))["readings"]
    meters = [meter for mirror in told for meter in mirror["meters"]]
    together = [one for meter in meters for one in (*meter["sets"], meter)]
    return sum(len(one["readings"]) for one in together)
