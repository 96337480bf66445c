"""TLS contexts in which both ends show a certificate. Knows no message of any protocol; cipher lists are arguments.

Version 1.2 and nothing else, because the grid protocols that need these contexts mandate it and name suites of it that
1.3 does not have. The list is explicit: Python's own leaves suites out that a protocol mandates. Compression and
renegotiation are off. A context trusts exactly the authorities it is given, never the system's.

The suite of IEEE 2030.5 (`TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8`, 0xC0AE) has contexts of its own: it is in no default
list, and from OpenSSL 3.2 on it is ranked below every security level but 0. That level lifts other floors too, so the
list names suites one by one, the curve is P-256 alone, and the certificates are judged by `device_certificate`.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattseal.certs.errors import MisuseError, WorldError

CCM8_CIPHERS: Final = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"
CCM8_OR_GCM_CIPHERS: Final = "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"  # usual in Australia
_CURVE: Final = "prime256v1"
_MISMATCHES: Final = frozenset({"KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})  # the second: another key type


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """What one end shows: a certificate file (PEM, with its chain) and its key file (PEM, mode 0600)."""

    certificate: Path
    key: Path


def mutual_tls_client(
    identity: TlsIdentity, authorities: Path, ciphers: str, *, check_hostname: bool = True
) -> ssl.SSLContext:
    """A client that shows `identity` and accepts servers under `authorities` (a PEM file).

    `ciphers` is an OpenSSL list. Without `check_hostname` any server under the authorities is taken: then pin its
    certificate. Raises MisuseError (`tls_ciphers_unknown`, `tls_key_mismatch`) and WorldError (`tls_file_unreadable`,
    `key_too_open`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_hostname
    _equip(context, (identity,), authorities, ciphers)
    return context


def mutual_tls_server(identities: tuple[TlsIdentity, ...], authorities: Path, ciphers: str) -> ssl.SSLContext:
    """A server that demands a client certificate under `authorities`.

    Several identities of different key types (EC and RSA) serve suites of both. Raises as `mutual_tls_client`.
    """
    if not identities:
        raise MisuseError("tls_identity_missing", "A TLS server needs a certificate and its key.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _equip(context, identities, authorities, ciphers)
    return context


def ccm8_client(
    identity: TlsIdentity, authorities: Path, ciphers: str = CCM8_CIPHERS, *, check_hostname: bool = False
) -> ssl.SSLContext:
    """A client for IEEE 2030.5. Host names are not checked unless asked: device certificates have none.

    So judge the server's chain (`peer_chain`, `device_certificate.require_device_chain`) and pin its LFDI
    (`identity.require_lfdi`). Raises as `mutual_tls_client`.
    """
    context = mutual_tls_client(identity, authorities, ciphers, check_hostname=check_hostname)
    context.set_ecdh_curve(_CURVE)
    return context


def ccm8_server(identity: TlsIdentity, authorities: Path, ciphers: str = CCM8_CIPHERS) -> ssl.SSLContext:
    """A server for IEEE 2030.5, which demands a client certificate. Raises as `mutual_tls_client`."""
    context = mutual_tls_server((identity,), authorities, ciphers)
    context.set_ecdh_curve(_CURVE)
    return context


def peer_chain(connection: ssl.SSLObject | ssl.SSLSocket) -> tuple[bytes, ...]:
    """The other end's verified chain after the handshake: DER certificates, its own first, the trusted root last.

    Empty where it showed none. Python names this only from 3.13 on; the older ones have it on the inner object.
    """
    public = getattr(connection, "get_verified_chain", None)
    if public is not None:
        return tuple(public())
    inner = getattr(connection, "_sslobj", None)
    found = inner.get_verified_chain() if inner is not None else None
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in found or ())


def _equip(context: ssl.SSLContext, identities: tuple[TlsIdentity, ...], authorities: Path, ciphers: str) -> None:
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise MisuseError("tls_ciphers_unknown", f"OpenSSL knows no suite of {ciphers!r}.") from error
    for identity in identities:
        _load_identity(context, identity)
    try:
        context.load_verify_locations(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise WorldError("tls_file_unreadable", f"No certificate authority can be read from {authorities}.") from error


def _load_identity(context: ssl.SSLContext, identity: TlsIdentity) -> None:
    try:
        too_open = bool(identity.key.stat().st_mode & 0o077)
        if not too_open:
            context.load_cert_chain(identity.certificate, identity.key, _no_password)
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            sentence = f"{identity.key.name} is not the key of {identity.certificate.name}."
            raise MisuseError("tls_key_mismatch", sentence) from error
        sentence = f"{identity.certificate.name} or {identity.key.name} is no readable PEM file: {error.reason}."
        raise WorldError("tls_file_unreadable", sentence) from error
    except OSError as error:
        sentence = f"Cannot read {identity.certificate} and {identity.key}: {error.strerror}."
        raise WorldError("tls_file_unreadable", sentence) from error
    if too_open:
        raise WorldError("key_too_open", f"Others may read {identity.key.name}; set its mode to 0600.")


def _no_password() -> str:
    """OpenSSL would ask on the terminal otherwise."""
    return ""
