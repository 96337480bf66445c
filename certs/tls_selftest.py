"""Whether the OpenSSL at hand can do what IEEE 2030.5 demands: found out by doing it, in memory, with nobody else.

Builds differ: some have the suite switched off, newer ones rank it below their security level. So a handshake is run
between a client and a server of ours, with certificates made for it and thrown away. Knows no message of any protocol.
"""

import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wattseal.certs.device_pki import make_device_pair
from wattseal.certs.errors import WattsealError
from wattseal.certs.tls import CCM8_CIPHERS, ccm8_client, ccm8_server

CCM8_SUITE: Final = "ECDHE-ECDSA-AES128-CCM8"
_FLIGHTS_MOST: Final = 10
_SINCE: Final = datetime(1970, 1, 1, tzinfo=UTC)  # a box whose clock was never set can still ask


@dataclass(frozen=True, slots=True)
class SelfTest:
    """`works`, the `openssl` it was tried with, and one sentence for a person."""

    works: bool
    openssl: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Handshake:
    """A finished one: version and suite by OpenSSL's names, and each end's object, still open."""

    version: str
    suite: str
    client: ssl.SSLObject
    server: ssl.SSLObject


def ccm8_works(ciphers: str = CCM8_CIPHERS) -> SelfTest:
    """Runs one handshake with the suite; never raises for what OpenSSL cannot do."""
    openssl = ssl.OPENSSL_VERSION
    try:
        with tempfile.TemporaryDirectory(prefix="wattseal-") as directory:
            authority, server, device = make_device_pair(Path(directory), since=_SINCE)
            met = handshake(ccm8_server(server, authority, ciphers), ccm8_client(device, authority, ciphers))
    except (WattsealError, ssl.SSLError, OSError) as error:
        return SelfTest(False, openssl, _cannot(openssl, str(error)))
    if (met.version, met.suite) != ("TLSv1.2", CCM8_SUITE):
        return SelfTest(False, openssl, _cannot(openssl, f"both ends agreed on {met.suite} ({met.version}) instead"))
    return SelfTest(True, openssl, f"{openssl} speaks TLS 1.2 with {CCM8_SUITE}, as IEEE 2030.5 demands.")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, server_name: str = "localhost") -> Handshake:
    """One handshake between two contexts, in memory. Raises ssl.SSLError from whichever end refuses first."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=server_name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(_FLIGHTS_MOST):
        through = tuple(_is_through(end.do_handshake) for end in ends)  # both get their turn
        if all(through):
            near, far = ends
            suite = near.cipher()
            return Handshake(near.version() or "none", suite[0] if suite else "none", near, far)
    raise ssl.SSLError(ssl.SSLErrorNumber.SSL_ERROR_SSL, "the handshake made no progress")


def _is_through(step: Callable[[], None]) -> bool:
    """False while this end waits for the other."""
    try:
        step()
    except ssl.SSLWantReadError:
        return False
    return True


def _cannot(openssl: str, why: str) -> str:
    return (
        f"{openssl} cannot speak TLS 1.2 with {CCM8_SUITE} ({why}), so no IEEE 2030.5 server or client can be reached "
        "from here; use a Python whose OpenSSL was built with AES-CCM and TLS 1.2."
    )
