"""The server as a program: `python -m wattseal.protocols.ieee2030_5.server.command --port 0 --admin-port 0 --json`.

Prints one line when it is ready and runs until SIGTERM or SIGINT. With --pki it serves TLS from a test hierarchy (as
`wattseal certs create` makes it, made there if there is none); with --plain-lfdi plain http on loopback, where
everybody is that one device. Exit: 0 ended, 2 usage, 3 the world failed.
"""

import argparse
import asyncio
import json
import signal
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattseal.certs.device_pki import make_device_pki
from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.certs.identity import completed_pin, describe_file
from wattseal.certs.lab_clock.loop import joined, run
from wattseal.certs.tls import CCM8_CIPHERS, CCM8_OR_GCM_CIPHERS, TlsIdentity, ccm8_client, ccm8_server
from wattseal.protocols.http_server import LOOPBACK
from wattseal.protocols.ieee2030_5.profiles import PROFILES
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.door import server_door
from wattseal.protocols.ieee2030_5.server.shell import running_server

USAGE, WORLD_FAILED = 2, 3
_DEFAULTS = ServerConfig()


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        clock = joined(arguments.clock, "utility")
        wall = time.time if clock is None else clock.wall
        run(serve(arguments, lambda ready: _announce(ready, as_json=arguments.json), wall), clock)
    except WattsealError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return USAGE if isinstance(error, MisuseError) else WORLD_FAILED
    return 0


async def serve(
    arguments: argparse.Namespace,
    announce: Callable[[dict[str, object]], None],
    clock: Callable[[], float] = time.time,
) -> None:
    """Runs until SIGTERM or SIGINT; `announce` is told where, once it listens. `clock`: unix seconds.

    Raises WattsealError.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    tls = _tls(arguments)
    async with (
        running_server(
            _config(arguments, tls),
            port=arguments.port,
            host=arguments.host,
            tls=tls.listen if tls is not None else None,
            notify_tls=tls.notify if tls is not None else None,
            messages=arguments.messages,
            state_file=arguments.state,
            plain_lfdi=arguments.plain_lfdi,
            judge_chains=not arguments.any_certificate,
            clock=clock,
        ) as utility,
        server_door(utility.shell, port=arguments.admin_port, socket=arguments.admin_socket) as admin_port,
    ):
        announce(
            {
                "ready": True,
                "url": utility.url,
                "port": utility.server.port,
                "admin_port": admin_port or None,
                "admin_socket": str(arguments.admin_socket) if arguments.admin_socket else None,
                "profile": arguments.profile,
                "lfdi": utility.shell.config.own_lfdi,
                "pki": str(arguments.pki) if arguments.pki else None,
            }
        )
        await stop.wait()


@dataclass(frozen=True, slots=True)
class _Tls:
    """Both directions, and who we are."""

    listen: ssl.SSLContext
    notify: ssl.SSLContext
    lfdi: str


def _announce(ready: dict[str, object], *, as_json: bool) -> None:
    door = ready["admin_socket"] or f"127.0.0.1:{ready['admin_port']}"
    line = json.dumps(ready) if as_json else f"IEEE 2030.5 ({ready['profile']}) at {ready['url']}, admin door {door}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _config(arguments: argparse.Namespace, tls: _Tls | None) -> ServerConfig:
    return ServerConfig(
        profile=PROFILES[arguments.profile],
        own_lfdi=_DEFAULTS.own_lfdi if tls is None else tls.lfdi,
        aggregators=frozenset(one.upper() for one in arguments.aggregator or ()),
        open_registration=not arguments.closed,
        pin=None if arguments.pin == "none" else int(completed_pin(arguments.pin)),
        strict_responses=not arguments.any_response,
        strict_bodies=arguments.strict_bodies,
        href_seed=arguments.href_seed,
        poll_seconds=arguments.poll_seconds,
        post_seconds=arguments.post_seconds,
        keep_finished_seconds=arguments.keep_finished_seconds,
        page_most=arguments.page_most,
        connection_point_may_change=not arguments.fixed_connection_point,
        dcap_path=arguments.dcap_path,
        notification_hosts=frozenset(arguments.notify_host) if arguments.notify_host else None,
        plain_notifications=arguments.plain_notifications,
    )


def _tls(arguments: argparse.Namespace) -> _Tls | None:
    identity, authority = _identity(arguments)
    if identity is None or authority is None:
        return None
    ciphers = CCM8_OR_GCM_CIPHERS if arguments.gcm else CCM8_CIPHERS
    return _Tls(
        ccm8_server(identity, authority, ciphers),
        ccm8_client(identity, authority, ciphers),
        describe_file(identity.certificate).lfdi,
    )


def _identity(arguments: argparse.Namespace) -> tuple[TlsIdentity | None, Path | None]:
    given = (arguments.tls_cert, arguments.tls_key, arguments.tls_ca)
    if all(one is not None for one in given):
        return TlsIdentity(arguments.tls_cert, arguments.tls_key), arguments.tls_ca
    if any(one is not None for one in given):
        raise MisuseError("tls_arguments", "TLS needs --tls-cert, --tls-key and --tls-ca together.")
    if arguments.pki is None:
        return None, None
    folder: Path = arguments.pki
    if not (folder / "serca.pem").exists():
        make_device_pki(folder)
    name = arguments.pki_server
    return TlsIdentity(folder / f"{name}.pem", folder / f"{name}.key"), folder / "serca.pem"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ieee2030.5", description="An IEEE 2030.5 server (CSIP, CSIP-AUS) for labs and demonstrations."
    )
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on; any but 127.0.0.1 needs TLS")
    parser.add_argument("--port", type=int, default=0, help="port (0: any free one)")
    door = parser.add_mutually_exclusive_group()
    door.add_argument("--admin-port", type=int, default=0, help="admin door's port on 127.0.0.1 (0: any free one)")
    door.add_argument("--admin-socket", type=Path, help="a unix socket for the admin door instead")
    parser.add_argument("--clock", metavar="unix:PATH", help="follow a lab's clock (`wattseal simulate clock`)")
    parser.add_argument("--json", action="store_true", help="announce in JSON")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="csip-2018")
    parser.add_argument("--messages", type=Path, metavar="DIR", help="keep all raw messages there")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keep the state there and go on from it")
    _add_security(parser)
    _add_rules(parser)
    return parser


def _add_security(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pki", type=Path, metavar="DIR", help="a test hierarchy; made there if there is none")
    parser.add_argument("--pki-server", default="server", metavar="NAME", help="which of it is shown (named-server)")
    parser.add_argument("--tls-cert", type=Path, help="certificate (PEM, with its chain) instead of --pki")
    parser.add_argument("--tls-key", type=Path, help="its key (PEM, mode 0600)")
    parser.add_argument("--tls-ca", type=Path, help="authorities of clients (PEM)")
    parser.add_argument("--gcm", action="store_true", help="take AES-128-GCM beside CCM8")
    parser.add_argument("--any-certificate", action="store_true", help="do not judge chains by the device profile")
    parser.add_argument("--plain-lfdi", default="", metavar="LFDI", help="plain http: everybody is this device")
    parser.add_argument("--aggregator", action="append", metavar="LFDI", help="a certificate that stands for many")
    parser.add_argument("--closed", action="store_true", help="no in-band registration")
    parser.add_argument("--pin", default="111115", help="the PIN of devices without one of their own, or none")


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dcap-path", default=_DEFAULTS.dcap_path, help="where DeviceCapability is")
    parser.add_argument("--notify-host", action="append", metavar="HOST", help="notifications go to these hosts only")
    parser.add_argument("--plain-notifications", action="store_true", help="also to plain http on loopback")
    parser.add_argument("--href-seed", default="", help="scramble all addresses but /dcap by this seed")
    parser.add_argument("--poll-seconds", type=int, default=_DEFAULTS.poll_seconds, help="pollRate of everything")
    parser.add_argument("--post-seconds", type=int, default=_DEFAULTS.post_seconds, help="postRate of everything")
    parser.add_argument("--keep-finished-seconds", type=int, default=_DEFAULTS.keep_finished_seconds)
    parser.add_argument("--page-most", type=int, default=_DEFAULTS.page_most, help="items a page holds at most")
    parser.add_argument("--any-response", action="store_true", help="take Responses to unknown subjects too")
    parser.add_argument("--strict-bodies", action="store_true", help="refuse bodies that break the schema in any way")
    parser.add_argument("--fixed-connection-point", action="store_true", help="409 to a changed ConnectionPoint")


if __name__ == "__main__":
    sys.exit(main())
