"""What a 2030.5 line stands on: our certificate, TLS contexts, the exchange, and the profile that the server speaks."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from cryptography.hazmat.primitives.serialization import Encoding

from wattseal.bridge import journal
from wattseal.bridge.core.core import Estate
from wattseal.bridge.core.server_config import Address, address_of, server_of
from wattseal.bridge.site.model import Utility
from wattseal.bridge.site.secret_names import path_of
from wattseal.bridge.site.server_reader import AUTO
from wattseal.certs.errors import WorldError
from wattseal.certs.identity import read_certificates
from wattseal.certs.tls import CCM8_CIPHERS, CCM8_OR_GCM_CIPHERS, TlsIdentity, ccm8_client, ccm8_server
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.http import DeviceExchange, ServerJudge
from wattseal.protocols.ieee2030_5.client.negotiation import ACCEPT, QUESTION, negotiated
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, PROFILES, Profile

_AUSTRALIAN: Final = "csipaus"
_NOT_NOW: Final = frozenset({429, *range(500, 600)})
_log = structlog.get_logger("utility")


@dataclass(frozen=True, slots=True)
class Rim:
    """An open exchange, and who we are on it. `certificate`: ours (DER), None without TLS."""

    exchange: DeviceExchange
    profile: Profile
    dcap: str
    certificate: bytes | None
    server_tls: ssl.SSLContext | None


@dataclass(frozen=True, slots=True)
class _Credentials:
    certificate: bytes | None
    client_tls: ssl.SSLContext | None
    server_tls: ssl.SSLContext | None
    judge: ServerJudge | None


@asynccontextmanager
async def opened_rim(utility: Utility, estate: Estate, base: Path) -> AsyncIterator[Rim]:
    """Opens the exchange with the server; where the profile is "auto", asks it first which one it speaks.

    A server that cannot be asked, or cannot say just now (429, 5xx), is spoken to as last time: what is stored must go
    on while it is away. Raises MisuseError and WorldError where address, certificate or files cannot be used.
    """
    address = address_of(utility.url)
    credentials = _credentials(utility, base)
    profile, dcap = await _profile(utility, estate, address, credentials)
    async with _exchange(utility, address, credentials, profile) as exchange:
        yield Rim(exchange, profile, dcap, credentials.certificate, credentials.server_tls)


def _credentials(utility: Utility, base: Path) -> _Credentials:
    if utility.tls is None:
        return _Credentials(None, None, None, None)
    server = server_of(utility)
    identity = TlsIdentity(base / utility.tls.certificate, path_of(utility.tls.key, base, os.environ))
    authority = base / utility.tls.authority
    wide = server.profile == AUTO or server.profile.startswith(_AUSTRALIAN)
    client = ccm8_client(identity, authority, CCM8_OR_GCM_CIPHERS if wide else CCM8_CIPHERS)
    listens = ccm8_server(identity, authority, CCM8_OR_GCM_CIPHERS) if server.listener is not None else None
    ours = own_certificate(identity.certificate)
    return _Credentials(ours, client, listens, ServerJudge(server.lfdi or None))


def own_certificate(file: Path) -> bytes:
    """The first certificate of a PEM file, as DER. Raises WorldError (`tls_file_unreadable`) and CertificateError."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise WorldError("tls_file_unreadable", f"Cannot read {file}: {error.strerror}.") from error
    return read_certificates(data)[0].public_bytes(Encoding.DER)


def _exchange(utility: Utility, address: Address, credentials: _Credentials, profile: Profile) -> DeviceExchange:
    return DeviceExchange(
        address.base,
        profile.accept,
        tls=credentials.client_tls,
        judge=credentials.judge,
        insecure_reason=utility.insecure,
    )


async def _profile(
    utility: Utility, estate: Estate, address: Address, credentials: _Credentials
) -> tuple[Profile, str]:
    server = server_of(utility)
    if server.profile != AUTO:
        return PROFILES[server.profile], address.dcap
    names = list(PROFILES)
    mark = f"profile:{utility.name}"
    try:
        async with _exchange(utility, address, credentials, CSIP_2018) as exchange:
            found = negotiated(await _answer(exchange), address.authority)
    except WorldError as error:
        last = estate.store.read_now(journal.recall).marks.get(mark, names.index(CSIP_2018.name))
        _log.warning("profile_not_asked", utility=utility.name, reason=error.reason, spoken=names[last])
        return PROFILES[names[last]], address.dcap
    profile, dcap = (CSIP_2018, address.dcap) if found is None else (found.profile, found.dcap)
    estate.store.commit_now(partial(journal.keep_mark, name=mark, value=names.index(profile.name)))
    _log.info("profile_found", utility=utility.name, profile=profile.name)
    return profile, dcap


async def _answer(exchange: DeviceExchange) -> Answer:
    """The server's answer to which profile it speaks. Raises WorldError where it cannot say just now."""
    answer = await exchange.ask(QUESTION, ACCEPT)
    if answer.status in _NOT_NOW:
        raise WorldError("profile_not_told", f"The server answered {answer.status}: it cannot say just now.")
    return answer
