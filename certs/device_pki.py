"""A test hierarchy as IEEE 2030.5 draws it, with the bad certificates that its conformance tests show to a peer.

    SERCA -> MCA -> MICA -> device        a chain of 4; `device-chain-3` is under a MICA of the SERCA's own, and
                                          `device-chain-2` under the SERCA itself

Each NAME.pem holds a certificate and the authorities between it and the root, which is `serca.pem`; NAME.key its key,
mode 0600. Each bad one differs from `device` by one fault alone. For labs only: authorities' keys lie beside what they
sign. Knows no message of any protocol.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

from wattseal.certs.device_profile import NEVER_ENDS
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.hardware_name import HARDWARE_MODULE_NAME, SEQUENCE, HardwareName, encode_element, encode_oid
from wattseal.certs.lab_pki import pem_of, write_new
from wattseal.certs.tls import TlsIdentity

HARDWARE_TYPE: Final = "1.3.6.1.4.1.32473.1"  # the enterprise number that is set aside for documents
GENERIC: Final = "1.3.6.1.4.1.40732.1.1"
TEST: Final = "1.3.6.1.4.1.40732.2.1"
SERVICE_PROVIDER: Final = "1.3.6.1.4.1.40732.2.3"
_ANY_POLICY: Final = "2.5.29.32.0"
_RSA_BITS: Final = 2048
_AGO: Final = timedelta(minutes=5)
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_Extensions = dict[ObjectIdentifier, tuple[x509.ExtensionType, bool]]  # what, and whether critical
_Change = Callable[[_Extensions], None]
_NO_NAME: Final = x509.Name([])


def _unchanged(_: _Extensions) -> None:
    """No fault."""


class Bad(StrEnum):
    """The faulty devices, by the names of their files."""

    MICA_CRITICAL_PURPOSE = "bad-mica-critical-eku"
    MICA_NAME_CONSTRAINTS = "bad-mica-name-constraints"
    MICA_POLICY_MAPPINGS = "bad-mica-policy-mappings"
    MICA_POLICY_CONSTRAINTS = "bad-mica-policy-constraints"
    SELF_SIGNED = "bad-self-signed"
    RSA = "bad-rsa"
    P384 = "bad-p384"
    EXPIRED = "bad-expired"
    ENDS = "bad-ends"
    SUBJECT = "bad-subject"
    NO_POLICIES = "bad-no-policies"
    NO_DEVICE_TYPE = "bad-no-device-type"
    NO_NAME = "bad-no-san"
    NO_KEY_AGREEMENT = "bad-no-key-agreement"
    POLICIES_NOT_CRITICAL = "bad-policies-not-critical"
    NAME_NOT_CRITICAL = "bad-san-not-critical"
    KEY_USAGE_NOT_CRITICAL = "bad-key-usage-not-critical"
    AUTHORITY_KEY_CRITICAL = "bad-aki-critical"


@dataclass(frozen=True, slots=True)
class DevicePki:
    """What was made. `authority` is the root's file; `named_server` is a server whose certificate has host names too.

    The host names (localhost, 127.0.0.1) are against the profile, and there for clients that insist on one.
    """

    authority: Path
    device: TlsIdentity
    device_chain_3: TlsIdentity
    device_chain_2: TlsIdentity
    aggregator: TlsIdentity
    server: TlsIdentity
    named_server: TlsIdentity
    bad: Mapping[Bad, TlsIdentity]


def make_device_pki(directory: Path, *, now: datetime | None = None) -> DevicePki:
    """Makes all of it in `directory` (created if missing), valid from five minutes before `now` (aware; default: now).

    Raises MisuseError (`pki_exists`: nothing is overwritten) and WorldError (`pki_unwritable`).
    """
    now = now or datetime.now(UTC)
    press = _Press(directory, now - _AGO)
    try:
        press.open()
        return _make_all(press, now)
    except OSError as error:
        raise _unwritable(directory, error) from error


def make_device_pair(directory: Path, *, since: datetime) -> tuple[Path, TlsIdentity, TlsIdentity]:
    """Root file, server and device alone, both under the root itself: for a quick handshake. Raises the same."""
    press = _Press(directory, since)
    try:
        press.open()
        root = press.authority("serca", None)
        return press.certificate("serca"), press.device("server", root), press.device("device", root)
    except OSError as error:
        raise _unwritable(directory, error) from error


@dataclass(frozen=True, slots=True)
class _Authority:
    """One that signs: its certificate, its key, and what a device under it shows besides its own (no root)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    shown: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class _Press:
    """Makes certificates into one directory, all valid from one time on."""

    directory: Path
    since: datetime

    def open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.certificate("serca").exists():
            sentence = f"{self.directory} already holds a hierarchy; name another directory."
            raise MisuseError("pki_exists", sentence)

    def certificate(self, name: str) -> Path:
        return self.directory / f"{name}.pem"

    def authority(
        self, name: str, issuer: _Authority | None, path_length: int | None = None, change: _Change = _unchanged
    ) -> _Authority:
        key = _p256()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test {name.upper()}")])
        extensions = _authority_extensions(key, issuer, path_length)
        change(extensions)
        above = issuer.certificate.subject if issuer else subject
        signer = issuer.key if issuer else key
        certificate = _sign(subject, above, key, signer, (self.since, NEVER_ENDS), extensions)
        shown = (certificate, *issuer.shown) if issuer else ()
        self._write(name, key, shown or (certificate,))
        return _Authority(certificate, key, shown)

    def device(
        self,
        name: str,
        issuer: _Authority,
        change: _Change = _unchanged,
        *,
        key: _Key | None = None,
        subject: x509.Name = _NO_NAME,
        period: tuple[datetime, datetime] | None = None,
    ) -> TlsIdentity:
        key = key or _p256()
        extensions = _device_extensions(name, issuer.key)
        change(extensions)
        above = issuer.certificate.subject
        certificate = _sign(subject, above, key, issuer.key, period or (self.since, NEVER_ENDS), extensions)
        return self._write(name, key, (certificate, *issuer.shown))

    def self_signed(self, name: str) -> TlsIdentity:
        key = _p256()
        extensions = _device_extensions(name, key)
        certificate = _sign(_NO_NAME, _NO_NAME, key, key, (self.since, NEVER_ENDS), extensions)
        return self._write(name, key, (certificate,))

    def _write(self, name: str, key: _Key, certificates: tuple[x509.Certificate, ...]) -> TlsIdentity:
        identity = TlsIdentity(self.certificate(name), self.directory / f"{name}.key")
        write_new(identity.key, pem_of(key), 0o600)
        write_new(identity.certificate, b"".join(one.public_bytes(Encoding.PEM) for one in certificates), 0o644)
        return identity


def _make_all(press: _Press, now: datetime) -> DevicePki:
    serca = press.authority("serca", None)
    mca = press.authority("mca", serca, path_length=1)
    mica = press.authority("mica", mca, path_length=0)
    mica_of_3 = press.authority("mica-chain-3", serca, path_length=0)
    return DevicePki(
        authority=press.certificate("serca"),
        device=press.device("device", mica),
        device_chain_3=press.device("device-chain-3", mica_of_3),
        device_chain_2=press.device("device-chain-2", serca),
        aggregator=press.device("aggregator", mica, _with_policies(GENERIC, TEST, SERVICE_PROVIDER)),
        server=press.device("server", mica),
        named_server=press.device("named-server", mica, _with_host_names),
        bad=_make_bad(press, mca, mica, now),
    )


def _make_bad(press: _Press, mca: _Authority, mica: _Authority, now: datetime) -> Mapping[Bad, TlsIdentity]:
    made: dict[Bad, TlsIdentity] = {Bad.SELF_SIGNED: press.self_signed(Bad.SELF_SIGNED)}
    for kind, change in _AUTHORITY_FAULTS.items():
        bad_mica = press.authority(f"{kind}-issuer", mca, path_length=0, change=change)
        made[kind] = press.device(kind, bad_mica)
    for kind, change in _DEVICE_FAULTS.items():
        made[kind] = press.device(kind, mica, change)
    made[Bad.RSA] = press.device(Bad.RSA, mica, key=rsa.generate_private_key(65537, _RSA_BITS))
    made[Bad.P384] = press.device(Bad.P384, mica, key=ec.generate_private_key(ec.SECP384R1()))
    ended = (now - timedelta(days=30), now - timedelta(days=1))
    made[Bad.EXPIRED] = press.device(Bad.EXPIRED, mica, period=ended)
    made[Bad.ENDS] = press.device(Bad.ENDS, mica, period=(press.since, now + timedelta(days=365)))
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a device with a name")])
    made[Bad.SUBJECT] = press.device(Bad.SUBJECT, mica, subject=named)
    return MappingProxyType({kind: made[kind] for kind in Bad})


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: _Key,
    signer: ec.EllipticCurvePrivateKey,
    period: tuple[datetime, datetime],
    extensions: _Extensions,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(period[0])
        .not_valid_after(period[1])
    )
    for value, critical in extensions.values():
        builder = builder.add_extension(value, critical)
    return builder.sign(signer, hashes.SHA256())


def _authority_extensions(key: _Key, issuer: _Authority | None, path_length: int | None) -> _Extensions:
    extensions: _Extensions = {
        ExtensionOID.BASIC_CONSTRAINTS: (x509.BasicConstraints(ca=True, path_length=path_length), True),
        ExtensionOID.KEY_USAGE: (_usage(key_cert_sign=True), True),
        ExtensionOID.SUBJECT_KEY_IDENTIFIER: (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    }
    if issuer:
        extensions[ExtensionOID.AUTHORITY_KEY_IDENTIFIER] = (_issued_by(issuer.key), False)
        _with_policies(_ANY_POLICY)(extensions)
    return extensions


def _device_extensions(name: str, issuer: ec.EllipticCurvePrivateKey) -> _Extensions:
    extensions: _Extensions = {
        ExtensionOID.KEY_USAGE: (_usage(key_agreement=True), True),
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME: (x509.SubjectAlternativeName([_hardware_name(name)]), True),
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER: (_issued_by(issuer), False),
    }
    _with_policies(GENERIC, TEST)(extensions)
    return extensions


def _hardware_name(name: str) -> x509.OtherName:
    value = HardwareName(HARDWARE_TYPE, name.encode()).encode()
    return x509.OtherName(ObjectIdentifier(HARDWARE_MODULE_NAME), value)


def _issued_by(issuer: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())


def _usage(*, key_agreement: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=key_agreement,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _unwritable(directory: Path, error: OSError) -> WorldError:
    return WorldError("pki_unwritable", f"Cannot write into {directory}: {error.strerror}.")


def _with_policies(*policies: str) -> _Change:
    def change(extensions: _Extensions) -> None:
        wanted = [x509.PolicyInformation(ObjectIdentifier(policy), None) for policy in policies]
        extensions[ExtensionOID.CERTIFICATE_POLICIES] = (x509.CertificatePolicies(wanted), True)

    return change


def _with_host_names(extensions: _Extensions) -> None:
    names = (
        _hardware_name("named-server"),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    )
    extensions[ExtensionOID.SUBJECT_ALTERNATIVE_NAME] = (x509.SubjectAlternativeName(names), True)


def _without(oid: ObjectIdentifier) -> _Change:
    def change(extensions: _Extensions) -> None:
        del extensions[oid]

    return change


def _marked(oid: ObjectIdentifier, *, critical: bool) -> _Change:
    def change(extensions: _Extensions) -> None:
        extensions[oid] = (extensions[oid][0], critical)

    return change


def _with(value: x509.ExtensionType) -> _Change:
    """Adds a critical extension, or replaces the one of that kind."""

    def change(extensions: _Extensions) -> None:
        extensions[value.oid] = (value, True)

    return change


def _policy_mappings() -> x509.UnrecognizedExtension:
    """One policy mapped to another; the library has no class for it (RFC 5280, 4.2.1.5)."""
    pair = encode_element(SEQUENCE, encode_oid(GENERIC) + encode_oid(f"{HARDWARE_TYPE}.1"))
    return x509.UnrecognizedExtension(ExtensionOID.POLICY_MAPPINGS, encode_element(SEQUENCE, pair))


_AUTHORITY_FAULTS: Final[Mapping[Bad, _Change]] = {
    # Both purposes, so that TLS libraries have nothing against it.
    Bad.MICA_CRITICAL_PURPOSE: _with(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    ),
    Bad.MICA_NAME_CONSTRAINTS: _with(x509.NameConstraints([x509.DNSName("example.org")], None)),
    Bad.MICA_POLICY_MAPPINGS: _with(_policy_mappings()),
    Bad.MICA_POLICY_CONSTRAINTS: _with(x509.PolicyConstraints(require_explicit_policy=2, inhibit_policy_mapping=None)),
}
_DEVICE_FAULTS: Final[Mapping[Bad, _Change]] = {
    Bad.NO_POLICIES: _without(ExtensionOID.CERTIFICATE_POLICIES),
    Bad.NO_DEVICE_TYPE: _with_policies(TEST),
    Bad.NO_NAME: _without(ExtensionOID.SUBJECT_ALTERNATIVE_NAME),
    Bad.NO_KEY_AGREEMENT: _with(_usage()),
    Bad.POLICIES_NOT_CRITICAL: _marked(ExtensionOID.CERTIFICATE_POLICIES, critical=False),
    Bad.NAME_NOT_CRITICAL: _marked(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, critical=False),
    Bad.KEY_USAGE_NOT_CRITICAL: _marked(ExtensionOID.KEY_USAGE, critical=False),
    Bad.AUTHORITY_KEY_CRITICAL: _marked(ExtensionOID.AUTHORITY_KEY_IDENTIFIER, critical=True),
}
