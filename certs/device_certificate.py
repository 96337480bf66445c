"""What IEEE 2030.5 asks of a certificate chain, judged by ourselves, because TLS libraries let pass what it forbids.

    device     version 3, P-256, empty subject, ends 99991231235959Z; critical: keyUsage digitalSignature and
               keyAgreement, subject alternative name = one hardwareModuleName, policies with a device type
    authority  P-256; critical basicConstraints CA and keyUsage keyCertSign; subject key identifier
    each       signed by ECDSA with SHA-256, authority key identifier not critical; no critical extended key usage, no
               name constraints, no policy mappings or constraints
    chain      device under a root (SERCA), with up to two authorities (MCA, MICA) in between; never self-signed

Signatures, names and times of the chain are checked here too, so that a chain can be explained without a connection.
Whether its root is one that we trust is the TLS context's matter. Revocation is not checked: device certificates have
none. Knows no message of any protocol.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain as joined
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier, SignatureAlgorithmOID

from wattseal.certs.device_profile import (
    DEVICE_TYPES,
    ENTERPRISES,
    NEVER_ENDS,
    UNREADABLE,
    DeviceCertificateError,
    Ground,
    Objection,
    hardware_name_of,
    is_authority,
    policies_of,
)
from wattseal.certs.errors import MisuseError
from wattseal.certs.identity import CertificateError, read_certificate

CHAIN_MOST: Final = 4
_Extensions = Mapping[ObjectIdentifier, x509.Extension[x509.ExtensionType]]
_KNOWN: Final = frozenset({
    ExtensionOID.KEY_USAGE, ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.POLICY_MAPPINGS, ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
})  # fmt: skip
_AUTHORITIES_KNOWN: Final = _KNOWN | {ExtensionOID.INHIBIT_ANY_POLICY}


def require_device_chain(
    chain: Sequence[x509.Certificate | bytes], now: datetime, tolerated: Collection[Ground] = ()
) -> None:
    """Refuses a peer's whole chain for every objection but those `tolerated`. Raises `DeviceCertificateError`."""
    found = tuple(one for one in objections(chain, now) if one.reason not in tolerated)
    if found:
        raise DeviceCertificateError(found)


def objections(
    chain: Sequence[x509.Certificate | bytes], now: datetime, *, to_root: bool = True
) -> tuple[Objection, ...]:
    """All that IEEE 2030.5 forbids in a chain (objects, DER or PEM; the device first), at the aware time `now`.

    `to_root` says that the chain must end in its root; without, only the links that are given are judged. Raises
    MisuseError (`chain_empty`) and `identity.CertificateError`.
    """
    read = _read(chain)
    return _gathered(_device(read[0], now), _authorities(read[1:], 1, now), _links(read, to_root=to_root))


def authority_objections(chain: Sequence[x509.Certificate | bytes], now: datetime) -> tuple[Objection, ...]:
    """The same for a chain whose first certificate is an authority's; it need not reach the root."""
    read = _read(chain)
    return _gathered(_authorities(read, 0, now), _links(read, to_root=False))


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether its own key signed it."""
    return is_issued_by(certificate, certificate)


def is_issued_by(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    """Whether `upper` issued `lower`: by name and by signature."""
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _read(chain: Sequence[x509.Certificate | bytes]) -> tuple[x509.Certificate, ...]:
    if not chain:
        raise MisuseError("chain_empty", "There is no certificate to judge.")
    return tuple(one if isinstance(one, x509.Certificate) else read_certificate(one) for one in chain)


def _gathered(*found: Iterator[Objection]) -> tuple[Objection, ...]:
    try:
        return tuple(joined.from_iterable(found))
    except UNREADABLE as error:  # the parser is lazy: a field may turn out to be broken only when it is asked for
        raise CertificateError("certificate_malformed", f"The certificate cannot be read: {error}.") from error


def _device(certificate: x509.Certificate, now: datetime) -> Iterator[Objection]:
    who = "The device's certificate"
    yield from _common(certificate, who, now)
    if certificate.subject.rdns:
        yield Objection(Ground.SUBJECT, f"{who} has a subject name; it must have none.")
    end = certificate.not_valid_after_utc
    if end != NEVER_ENDS and end >= now:
        yield Objection(Ground.NOT_AFTER, f"{who} ends on {end:%Y-%m-%d}; it must never end (99991231235959Z).")
    extensions = _extensions(certificate)
    if extensions is None:
        return
    yield from _device_key_usage(extensions, who)
    yield from _device_name(certificate, extensions, who)
    yield from _device_policies(certificate, extensions, who)
    basic = extensions.get(ExtensionOID.BASIC_CONSTRAINTS)
    if basic is not None:
        if isinstance(basic.value, x509.BasicConstraints) and basic.value.ca:
            yield Objection(Ground.BASIC_CONSTRAINTS, f"{who} is an authority's: it may not speak for a device.")
        if not basic.critical:
            yield _not_critical(Ground.BASIC_CONSTRAINTS_NOT_CRITICAL, who, "basic constraints")
    if _is_unknown_critical(extensions, _KNOWN):
        yield Objection(Ground.EXTENSION, f"{who} has a critical extension that the profile does not know.")


def _device_key_usage(extensions: _Extensions, who: str) -> Iterator[Objection]:
    found = extensions.get(ExtensionOID.KEY_USAGE)
    if found is None or not isinstance(found.value, x509.KeyUsage) or _uses(found.value) != {
        "digital_signature", "key_agreement"
    }:  # fmt: skip
        yield Objection(Ground.KEY_USAGE, f"{who} must have the key usages digitalSignature and keyAgreement, only.")
    if found is not None and not found.critical:
        yield _not_critical(Ground.KEY_USAGE_NOT_CRITICAL, who, "key usage")


def _device_name(certificate: x509.Certificate, extensions: _Extensions, who: str) -> Iterator[Objection]:
    found = extensions.get(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    if found is None or not isinstance(found.value, x509.SubjectAlternativeName):
        sentence = f"{who} has no subject alternative name; it must hold the hardwareModuleName."
        yield Objection(Ground.ALTERNATIVE_NAME_MISSING, sentence)
        return
    if not found.critical:
        yield _not_critical(Ground.ALTERNATIVE_NAME_NOT_CRITICAL, who, "subject alternative name")
    name = hardware_name_of(certificate)
    if name is None:
        yield Objection(Ground.ALTERNATIVE_NAME, f"{who} has no readable hardwareModuleName.")
    elif not name.hw_type.startswith(ENTERPRISES) or not name.serial:
        sentence = f"{who} has a hardware type that is under no maker's enterprise number, or no serial number."
        yield Objection(Ground.ALTERNATIVE_NAME, sentence)
    if len(tuple(found.value)) > 1:
        sentence = f"{who} has further alternative names; the hardwareModuleName must stand alone."
        yield Objection(Ground.ALTERNATIVE_NAME_MORE, sentence)


def _device_policies(certificate: x509.Certificate, extensions: _Extensions, who: str) -> Iterator[Objection]:
    found = extensions.get(ExtensionOID.CERTIFICATE_POLICIES)
    if found is None:
        yield Objection(Ground.POLICIES_MISSING, f"{who} has no certificate policies; they must name a device type.")
        return
    if not found.critical:
        yield _not_critical(Ground.POLICIES_NOT_CRITICAL, who, "certificate policies")
    if DEVICE_TYPES.keys().isdisjoint(policies_of(certificate)):
        sentence = f"{who} names no device type among its policies (1.3.6.1.4.1.40732.1.1, .2 or .3)."
        yield Objection(Ground.DEVICE_TYPE, sentence)


def _authorities(chain: Sequence[x509.Certificate], below: int, now: datetime) -> Iterator[Objection]:
    """`below` counts the certificates that stand under the first of these."""
    for depth, certificate in enumerate(chain, below):
        who = f"The authority {_name(certificate)}"
        yield from _common(certificate, who, now)
        extensions = _extensions(certificate)
        if extensions is not None:
            yield from _authority(extensions, who, max(depth - 1, 0))


def _authority(extensions: _Extensions, who: str, authorities_below: int) -> Iterator[Objection]:
    basic = extensions.get(ExtensionOID.BASIC_CONSTRAINTS)
    if basic is None or not isinstance(basic.value, x509.BasicConstraints) or not basic.value.ca:
        yield Objection(Ground.BASIC_CONSTRAINTS, f"{who} may not issue certificates: its basic constraints say no CA.")
    else:
        if not basic.critical:
            yield _not_critical(Ground.BASIC_CONSTRAINTS_NOT_CRITICAL, who, "basic constraints")
        if basic.value.path_length is not None and basic.value.path_length < authorities_below:
            sentence = f"{who} allows {basic.value.path_length} authorities under it; there are {authorities_below}."
            yield Objection(Ground.PATH_LENGTH, sentence)
    usage = extensions.get(ExtensionOID.KEY_USAGE)
    if usage is None or not isinstance(usage.value, x509.KeyUsage) or not usage.value.key_cert_sign:
        yield Objection(Ground.KEY_USAGE, f"{who} must have the key usage keyCertSign.")
    elif not usage.critical:
        yield _not_critical(Ground.KEY_USAGE_NOT_CRITICAL, who, "key usage")
    if ExtensionOID.SUBJECT_KEY_IDENTIFIER not in extensions:
        yield Objection(Ground.SUBJECT_KEY_MISSING, f"{who} has no subject key identifier.")
    if _is_unknown_critical(extensions, _AUTHORITIES_KNOWN):
        yield Objection(Ground.EXTENSION, f"{who} has a critical extension that the profile does not know.")


def _common(certificate: x509.Certificate, who: str, now: datetime) -> Iterator[Objection]:
    """What holds for devices and authorities alike."""
    if certificate.version is not x509.Version.v3:
        yield Objection(Ground.VERSION, f"{who} is not of version 3.")
    if not _has_p256_key(certificate):
        yield Objection(Ground.KEY, f"{who} has another key than one on the curve P-256.")
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        yield Objection(Ground.SIGNATURE_ALGORITHM, f"{who} is not signed by ECDSA with SHA-256.")
    if not certificate.public_bytes(Encoding.DER).endswith(b"\x00" + certificate.signature):
        # A count of unused bits there is under no signature, and would give the same certificate another LFDI.
        yield Objection(Ground.MALFORMED, f"{who} has a signature of a broken length.")
    if now < certificate.not_valid_before_utc:
        begin = certificate.not_valid_before_utc
        yield Objection(Ground.NOT_YET_VALID, f"{who} is valid from {begin:%Y-%m-%d %H:%M} UTC on; check the clock.")
    if certificate.not_valid_after_utc < now:
        yield Objection(Ground.EXPIRED, f"{who} ended on {certificate.not_valid_after_utc:%Y-%m-%d}; renew it.")
    extensions = _extensions(certificate)
    if extensions is None:
        yield Objection(Ground.MALFORMED, f"{who} has extensions that cannot be read.")
        return
    yield from _common_extensions(extensions, who, needs_issuer=not is_self_signed(certificate))


def _common_extensions(extensions: _Extensions, who: str, *, needs_issuer: bool) -> Iterator[Objection]:
    issuer_key = extensions.get(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    if issuer_key is None and needs_issuer:
        yield Objection(Ground.AUTHORITY_KEY_MISSING, f"{who} has no authority key identifier.")
    if issuer_key is not None and issuer_key.critical:
        yield Objection(Ground.AUTHORITY_KEY_CRITICAL, f"{who} marks its authority key identifier critical.")
    own_key = extensions.get(ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    if own_key is not None and own_key.critical:
        yield Objection(Ground.SUBJECT_KEY_CRITICAL, f"{who} marks its subject key identifier critical.")
    purposes = extensions.get(ExtensionOID.EXTENDED_KEY_USAGE)
    if purposes is not None and purposes.critical:
        yield Objection(Ground.EXTENDED_KEY_USAGE, f"{who} has a critical extended key usage, which is forbidden.")
    if ExtensionOID.NAME_CONSTRAINTS in extensions:
        yield Objection(Ground.NAME_CONSTRAINTS, f"{who} has name constraints, which are forbidden.")
    if ExtensionOID.POLICY_MAPPINGS in extensions:
        yield Objection(Ground.POLICY_MAPPINGS, f"{who} has policy mappings, which are forbidden.")
    if ExtensionOID.POLICY_CONSTRAINTS in extensions:
        yield Objection(Ground.POLICY_CONSTRAINTS, f"{who} has policy constraints, which are forbidden.")


def _links(chain: Sequence[x509.Certificate], *, to_root: bool) -> Iterator[Objection]:
    if is_self_signed(chain[0]) and not is_authority(chain[0]):
        yield Objection(Ground.SELF_SIGNED, "The device's certificate is signed by its own key; no authority vouches.")
        return
    if len(chain) > CHAIN_MOST:
        yield Objection(Ground.CHAIN_LONG, f"The chain has {len(chain)} certificates; {CHAIN_MOST} are the most.")
    for lower, upper in pairwise(chain):
        if not is_issued_by(lower, upper):
            sentence = f"The certificate {_name(lower)} was not issued by {_name(upper)}, which follows it."
            yield Objection(Ground.CHAIN_BROKEN, sentence)
    if to_root and not is_self_signed(chain[-1]):
        sentence = f"The chain ends at {_name(chain[-1])}, which is no root: the certificates above it are missing."
        yield Objection(Ground.CHAIN_INCOMPLETE, sentence)


def _extensions(certificate: x509.Certificate) -> _Extensions | None:
    """None where they cannot be read."""
    try:
        return {one.oid: one for one in certificate.extensions}
    except UNREADABLE:
        return None


def _has_p256_key(certificate: x509.Certificate) -> bool:
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)


def _uses(usage: x509.KeyUsage) -> set[str]:
    """The names of the bits that are set."""
    plain = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign",
    )  # fmt: skip
    found = {name for name in plain if getattr(usage, name)}
    if usage.key_agreement:  # the library gives these two only then
        found |= {name for name in ("encipher_only", "decipher_only") if getattr(usage, name)}
    return found


def _is_unknown_critical(extensions: _Extensions, known: Collection[ObjectIdentifier]) -> bool:
    return any(one.critical and oid not in known for oid, one in extensions.items())


def _not_critical(ground: Ground, who: str, what: str) -> Objection:
    return Objection(ground, f"{who} does not mark its {what} critical.")


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "of the device"
