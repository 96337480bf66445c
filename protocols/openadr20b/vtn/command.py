"""The VTN as a program: `python -m wattseal.protocols.openadr20b.vtn.command --port 0 --admin-port 0 --json`.

Prints one line when it is ready and runs until SIGTERM or SIGINT. Exit: 0 ended, 2 usage, 3 the world failed.
"""

import argparse
import asyncio
import json
import signal
import ssl
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.certs.lab_clock.loop import joined, run
from wattseal.certs.tls import TlsIdentity, mutual_tls_server
from wattseal.protocols.openadr20b.security import OPENADR_CIPHERS
from wattseal.protocols.openadr20b.vtn.admin_door import admin_door
from wattseal.protocols.openadr20b.vtn.config import Allocation, VtnConfig, WantedReport
from wattseal.protocols.openadr20b.vtn.shell import running_vtn, utc_now

USAGE, WORLD_FAILED = 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        clock = joined(arguments.clock, "utility")
        now = utc_now if clock is None else clock.utc
        run(serve(arguments, lambda ready: _announce(ready, as_json=arguments.json), now), clock)
    except WattsealError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return USAGE if isinstance(error, MisuseError) else WORLD_FAILED
    return 0


async def serve(
    arguments: argparse.Namespace,
    announce: Callable[[dict[str, object]], None],
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Runs until SIGTERM or SIGINT; `announce` is told where, once it listens. Raises WattsealError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with (
        running_vtn(
            _config(arguments),
            port=arguments.port,
            tls=_tls(arguments),
            messages=arguments.messages,
            state_file=arguments.state,
            clock=clock,
        ) as vtn,
        admin_door(vtn.shell, port=arguments.admin_port, socket=arguments.admin_socket) as admin_port,
    ):
        announce(
            {
                "ready": True,
                "url": vtn.url,
                "port": vtn.server.port,
                "admin_port": admin_port or None,
                "admin_socket": str(arguments.admin_socket) if arguments.admin_socket else None,
                "vtn_id": vtn.shell.vtn.config.vtn_id,
            }
        )
        await stop.wait()


def _announce(ready: dict[str, object], *, as_json: bool) -> None:
    door = ready["admin_socket"] or f"127.0.0.1:{ready['admin_port']}"
    line = json.dumps(ready) if as_json else f"VTN {ready['vtn_id']} at {ready['url']}, admin door {door}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _config(arguments: argparse.Namespace) -> VtnConfig:
    return VtnConfig(
        vtn_id=arguments.vtn_id,
        poll_seconds=arguments.poll_seconds,
        allocations=tuple(arguments.allocate or ()),
        open_registration=not arguments.closed,
        wanted=tuple(arguments.report or ()),
        own_metadata=not arguments.no_metadata,
    )


def _tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    given = (arguments.tls_cert or [], arguments.tls_key or [], arguments.tls_ca)
    if not any(given):
        return None
    certificates, keys, authorities = given
    if len(certificates) != len(keys) or authorities is None:
        raise MisuseError("tls_arguments", "TLS needs --tls-ca, and a --tls-key for each --tls-cert.")
    identities = tuple(TlsIdentity(one, key) for one, key in zip(certificates, keys, strict=True))
    return mutual_tls_server(identities, authorities, OPENADR_CIPHERS)


def _allocation(text: str) -> Allocation:
    """`VENID[,NAME[,FINGERPRINT]]`."""
    ven_id, name, fingerprint, *_ = (*text.split(","), "", "")
    return Allocation(ven_id=ven_id, ven_name=name or None, fingerprint=fingerprint or None)


def _report(text: str) -> WantedReport:
    """`GRANULARITY:BACK` in seconds."""
    granularity, _, back = text.partition(":")
    return WantedReport(granularity_seconds=int(granularity), back_seconds=int(back or granularity))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vtn", description="An OpenADR 2.0b VTN for labs and demonstrations.")
    parser.add_argument("--port", type=int, default=0, help="HTTP port on 127.0.0.1 (0: any free one)")
    door = parser.add_mutually_exclusive_group()
    door.add_argument("--admin-port", type=int, default=0, help="admin door's port on 127.0.0.1 (0: any free one)")
    door.add_argument("--admin-socket", type=Path, help="a unix socket for the admin door instead")
    parser.add_argument("--messages", type=Path, metavar="DIR", help="keep all raw messages there")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the state there and go on from it")
    parser.add_argument("--vtn-id", default=VtnConfig().vtn_id)
    parser.add_argument("--poll-seconds", type=int, default=VtnConfig().poll_seconds, help="period asked of VENs")
    parser.add_argument(
        "--allocate", type=_allocation, action="append", metavar="VENID[,NAME[,FINGERPRINT]]", help="an agreed VEN"
    )
    parser.add_argument("--closed", action="store_true", help="only agreed VENs may register")
    parser.add_argument(
        "--report", type=_report, action="append", metavar="GRANULARITY:BACK", help="ask for all reports, in seconds"
    )
    parser.add_argument("--no-metadata", action="store_true", help="do not register our (no) reports with VENs")
    parser.add_argument("--tls-cert", type=Path, action="append", help="certificate (PEM); repeat for EC and RSA")
    parser.add_argument("--tls-key", type=Path, action="append", help="its key (PEM, mode 0600)")
    parser.add_argument("--tls-ca", type=Path, help="authorities of VENs (PEM)")
    parser.add_argument("--clock", metavar="unix:PATH", help="follow a lab's clock (`wattseal simulate clock`)")
    parser.add_argument("--json", action="store_true", help="announce in JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
