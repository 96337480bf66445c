"""A small certificate authority for labs and tests: made new each time, in one directory, trusted by nobody else.

Not for the field: the authority's key lies beside what it signs. Knows no protocol.
"""

import ipaddress
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wattseal.certs.errors import WorldError
from wattseal.certs.tls import TlsIdentity

_DAYS: Final = 30
_RSA_BITS: Final = 2048
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class LabPki:
    """The files that were made: one authority, a server (VTN) and a client (VEN), each with an EC and an RSA identity.

    `stranger` is a client under an authority of its own, which `authority` does not cover.
    """

    authority: Path
    vtn_ec: TlsIdentity
    vtn_rsa: TlsIdentity
    ven_ec: TlsIdentity
    ven_rsa: TlsIdentity
    stranger: TlsIdentity


@dataclass(frozen=True, slots=True)
class _Authority:
    name: x509.Name
    key: _Key


def make_test_pki(directory: Path, *, now: datetime | None = None) -> LabPki:
    """Makes all of it in `directory` (created if missing): P-256 and RSA-2048, keys with mode 0600, valid 30 days.

    Server names are `localhost` and 127.0.0.1. Raises WorldError (`pki_unwritable`).
    """
    now = now or datetime.now(UTC)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        authority = _make_authority(directory, "authority", now)
        other = _make_authority(directory, "other-authority", now)
        return LabPki(
            authority=directory / "authority.pem",
            vtn_ec=_make_identity(directory, "vtn-ec", authority, _ec(), now),
            vtn_rsa=_make_identity(directory, "vtn-rsa", authority, _rsa(), now),
            ven_ec=_make_identity(directory, "ven-ec", authority, _ec(), now),
            ven_rsa=_make_identity(directory, "ven-rsa", authority, _rsa(), now),
            stranger=_make_identity(directory, "stranger", other, _ec(), now),
        )
    except OSError as error:
        raise WorldError("pki_unwritable", f"Cannot write into {directory}: {error.strerror}.") from error


def _ec() -> _Key:
    return ec.generate_private_key(ec.SECP256R1())


def _rsa() -> _Key:
    return rsa.generate_private_key(65537, _RSA_BITS)


def _make_authority(directory: Path, name: str, now: datetime) -> _Authority:
    authority = _Authority(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"lab {name}")]), _ec())
    builder = (
        _certificate(authority.name, authority, authority.key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    certificate = builder.sign(authority.key, hashes.SHA256())
    write_new(directory / f"{name}.key", pem_of(authority.key), 0o600)
    write_new(directory / f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return authority


def _make_identity(directory: Path, name: str, authority: _Authority, key: _Key, now: datetime) -> TlsIdentity:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    server = name.startswith("vtn")
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _certificate(subject, authority, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if server:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    identity = TlsIdentity(directory / f"{name}.pem", directory / f"{name}.key")
    write_new(identity.key, pem_of(key), 0o600)
    write_new(identity.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return identity


def _certificate(subject: x509.Name, authority: _Authority, key: _Key, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Suites with RSA key transport need key encipherment."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def pem_of(key: _Key) -> bytes:
    """A private key as unencrypted PKCS#8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Made with its mode from the first byte on; an older file of that name is replaced."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
