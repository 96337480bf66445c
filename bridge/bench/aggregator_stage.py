"""What the aggregator's bench stands on: a box with many devices, and our own 2030.5 server in a process of its own.

Between them mutual TLS with the suite of the standard, on loopback. All devices stand in one programme; the admin door
makes a control for all of them. The gateway is a line that answers the hello and swallows all else: what is measured
ends where a command is sealed and durable. Knows nothing of what is timed.
"""

import hashlib
import shutil
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattseal.bridge.bench.stage import process
from wattseal.bridge.making import GATEWAY, make_box, sign_manifest
from wattseal.certs.box import Box
from wattseal.certs.device_pki import make_device_pki
from wattseal.certs.errors import WorldError
from wattseal.certs.identity import describe_file
from wattseal.certs.keys import Signer
from wattseal.certs.statement import Header, Kind, Role, Statement, seal
from wattseal.drivers.commands import Hail, Hello
from wattseal.protocols.http_server import LOOPBACK
from wattseal.protocols.ieee2030_5.server.door import AdminClient

MOST_WATTS: Final = 5000
_EVENT_SECONDS: Final = 7200
_EPOCH: Final = bytes(range(16))
_HUNDREDTHS_PER_PERMILLE: Final = 10

_HEAD: Final = """
[site]
name = "fleet"
lab = true
inject_limit_watts = {most_of_all}
absorb_limit_watts = {most_of_all}
lease_seconds = 300
"""

_DEVICE: Final = """
[[device]]
name = "{name}"
profile = "sunspec_battery"
link = "simulator"
address = "tcp://127.0.0.1:{port}"
unit = {unit}
[device.envelope]
min_watts = -{most}
max_watts = {most}
"""

_UTILITY: Final = """
[[utility]]
name = "south-grid"
dialect = "ieee2030.5"
url = "https://127.0.0.1:{port}/dcap"
profile = "csip-2018"
role = "aggregator"
server_lfdi = "{server}"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = {most}
[utility.tls]
certificate = "aggregator.pem"
key = "secret://file/aggregator.key"
authority = "serca.pem"
"""

_LISTENER: Final = """
[utility.listener]
address = "{at}"
uri = "https://{at}/2030"
"""

_END_DEVICE: Final = """
[[utility.end_device]]
device = "{name}"
lfdi = "{lfdi}"
type = "battery"
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The box and its gateway; the running server: its TLS port, LFDI and door; the programme of all devices."""

    box: Box
    port: int
    lfdi: str
    admin: AdminClient
    program: str
    devices: int
    gateway: "QuietGateway"

    def signed(self, *, listener: str = "") -> int:
        """Writes the site file anew and signs it; the bytes of the manifest. `listener`: host and port of a door for
        notifications; without one everything is polled.
        """
        text = site_text(self.devices, port=self.port, server_lfdi=self.lfdi, listener=listener)
        self.box.site_file.write_bytes(text)
        return len(sign_manifest(self.box.root, now=int(time.time())).statement.raw)

    async def order(self, permille: int) -> str:
        """A control for all devices from now on, in permille of what each may do; its mRID. The last one gives way."""
        base = {"op_mod_max_lim_w": {"value": permille * _HUNDREDTHS_PER_PERMILLE}}
        control = {"duration": _EVENT_SECONDS, "base": base, "response_required": 3}
        answer = await self.admin.ask("add_control", program=self.program, control=control)
        return str(answer["mrid"])


class QuietGateway:
    """A gateway's line that answers a hail with a hello and swallows all else. Holds the box's gateway key."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._chain: list[bytes] = []
        self.hello: Statement | None = None

    def send_all_again(self) -> None:
        """Nothing was kept."""

    async def send(self, statements: Sequence[Statement]) -> None:
        """Takes them; a hail's answer lies in `hello` afterwards."""
        for said in statements:
            if said.header.kind is Kind.HAIL:
                body = Hello(Hail.decode(said.body).nonce, _EPOCH, 0, "trusted").encode()
                previous = self._chain[-1] if self._chain else bytes(32)
                chain = (len(self._chain), previous)
                now = int(time.time())
                header = Header(Kind.HELLO, GATEWAY, "gateway", now, parents=(said.digest,), chain=chain)
                self.hello = seal(self._signer, header, body)
                self._chain.append(self.hello.digest)


def names_of(devices: int) -> tuple[str, ...]:
    """The devices' names."""
    return tuple(f"site-{number:04}" for number in range(1, devices + 1))


def lfdi_for(name: str) -> str:
    """An LFDI that no certificate has: an aggregator names its devices."""
    return hashlib.sha256(f"bench {name}".encode()).hexdigest()[:40].upper()


def site_text(devices: int, *, port: int, server_lfdi: str, listener: str = "") -> bytes:
    """The site file. `listener`: host and port where notifications are taken; empty: everything is polled."""
    names = names_of(devices)
    parts = [_HEAD.format(most_of_all=devices * MOST_WATTS)]
    parts += [
        _DEVICE.format(name=name, port=1502 + place // 200, unit=place % 200 + 1, most=MOST_WATTS)
        for place, name in enumerate(names)
    ]
    parts.append(_UTILITY.format(port=port, server=server_lfdi, most=MOST_WATTS))
    parts += [_LISTENER.format(at=listener)] if listener else []
    parts += [_END_DEVICE.format(name=name, lfdi=lfdi_for(name)) for name in names]
    return "".join(parts).encode()


@asynccontextmanager
async def fleet(directory: Path, devices: int, *, poll_seconds: int) -> AsyncIterator[Fleet]:
    """Box and server, the server knowing all devices; `poll_seconds` is the poll rate of everything.

    Raises `WorldError` (`bench_process_failed`) where the server will not start.
    """
    pki = make_device_pki(directory / "pki")
    aggregator = describe_file(pki.aggregator.certificate).lfdi
    arguments = ("--pki", str(directory / "pki"), "--aggregator", aggregator, "--poll-seconds", str(poll_seconds))
    server = "wattseal.protocols.ieee2030_5.server.command"
    async with process(server, *arguments, "--json") as told:
        port, admin_port, lfdi = told["port"], told["admin_port"], told["lfdi"]
        if not (isinstance(port, int) and isinstance(admin_port, int) and isinstance(lfdi, str)):
            raise WorldError("bench_process_failed", "The 2030.5 server did not say where it listens.")
        async with AdminClient(admin_port) as admin:
            program = await _peopled(admin, devices, aggregator)
            box = Box(directory / "box")
            make_box(box.root, now=int(time.time()), site_text=b"")
            standing = Fleet(box, port, lfdi, admin, program, devices, QuietGateway(box.signer(Role.GATEWAY)))
            for file in (pki.aggregator.certificate, pki.aggregator.key, pki.authority):
                shutil.copy(file, box.root / file.name)
            yield standing


async def _peopled(admin: AdminClient, devices: int, aggregator: str) -> str:
    lfdis = [lfdi_for(name) for name in names_of(devices)]
    for lfdi in lfdis:
        await admin.ask("add_device", lfdi=lfdi, owner=aggregator)
    group = await admin.ask("add_group", members=lfdis)
    return str((await admin.ask("add_program", groups=[group["mrid"]]))["mrid"])


def free_address() -> str:
    """Where nobody listens yet: host and port."""
    with socket.create_server((LOOPBACK, 0)) as free:
        return f"{LOOPBACK}:{free.getsockname()[1]}"
