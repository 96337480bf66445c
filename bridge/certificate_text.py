"""Certificates in words: whose one is, by which names protocols call it, and what an IEEE 2030.5 peer would object to.

Explains, and trusts nothing: an objection here refuses nobody.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from wattseal.certs.device_certificate import authority_objections, is_issued_by, is_self_signed, objections
from wattseal.certs.device_pki import DevicePki
from wattseal.certs.device_profile import (
    DEVICE_TYPES,
    NEVER_ENDS,
    POLICIES,
    Objection,
    hardware_name_of,
    is_authority,
    policies_of,
)
from wattseal.certs.errors import WorldError
from wattseal.certs.hardware_name import HardwareName
from wattseal.certs.identity import CertificateFacts, describe, read_certificates
from wattseal.certs.tls import TlsIdentity

_WORDS: Final = {**DEVICE_TYPES, **POLICIES, "2.5.29.32.0": "any policy"}


class CertificateFileError(WorldError):
    """A certificate file that cannot be read."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A file of certificates, read: the first one's facts, the chain upward, and what a 2030.5 peer objects to.

    `chain` has the subjects, the first certificate's included; `whole` says that it ends in a root.
    """

    facts: CertificateFacts
    authority: bool
    hardware: HardwareName | None
    policies: tuple[str, ...]
    chain: tuple[str, ...]
    whole: bool
    objections: tuple[Objection, ...]
    now: datetime


def explain(file: Path, now: datetime, authorities: Path | None = None) -> Explanation:
    """Reads a PEM or DER file. `authorities` (PEM) may hold the root: without, only the given links are judged.

    Raises `CertificateFileError` and `certs.identity.CertificateError`.
    """
    chain = read_certificates(_content(file))
    if authorities is not None:
        chain = _completed(chain, read_certificates(_content(authorities)))
    first = chain[0]
    authority = is_authority(first)
    whole = is_self_signed(chain[-1])
    found = (
        authority_objections(chain, now)
        if authority
        else objections(chain, now, to_root=authorities is not None or whole)
    )
    return Explanation(
        facts=describe(first),
        authority=authority,
        hardware=hardware_name_of(first),
        policies=policies_of(first),
        chain=tuple(_subject(one) for one in chain),
        whole=whole,
        objections=found,
        now=now,
    )


def explanation_document(explained: Explanation) -> Mapping[str, object]:
    """All of it, JSON-ready but for times (RFC 3339 by `str`)."""
    facts = explained.facts
    return {
        **{field: getattr(facts, field) for field in facts.__slots__},
        "sfdi_check_digit": facts.sfdi[-1],
        "authority": explained.authority,
        "expired": facts.not_after < explained.now,
        "hardware_type": explained.hardware.hw_type if explained.hardware else None,
        "hardware_serial": _serial(explained.hardware) if explained.hardware else None,
        "policies": explained.policies,
        "chain": explained.chain,
        "chain_reaches_root": explained.whole,
        "ieee2030_5_objections": [
            {"reason": str(one.reason), "sentence": one.sentence} for one in explained.objections
        ],
    }


def explanation_lines(explained: Explanation) -> Iterator[str]:
    """The same, to be read."""
    facts = explained.facts
    kind = "An authority's certificate" if explained.authority else "A certificate for one end of a connection"
    yield f"{kind}; its key is {facts.key_type}."
    yield f"Subject: {facts.subject or 'none (as IEEE 2030.5 wants it of a device)'}. Issuer: {facts.issuer or 'none'}."
    if explained.hardware:
        yield f"Hardware type {explained.hardware.hw_type}, serial number {_serial(explained.hardware)}."
    if explained.policies:
        words = (f"{policy} ({_WORDS.get(policy, 'not known here')})" for policy in explained.policies)
        yield f"Policies: {', '.join(words)}."
    yield f"LFDI {facts.lfdi}"
    yield f"SFDI {facts.sfdi} (check digit {facts.sfdi[-1]})"
    yield f"OpenADR fingerprint {facts.openadr_fingerprint}"
    yield f"SHA-256 {facts.sha256}"
    yield _validity(facts, explained.now)
    yield _chain_line(explained)
    if not explained.objections:
        what = "this authority" if explained.authority else "it"
        yield f"An IEEE 2030.5 peer would object to nothing about {what}."
        return
    yield "An IEEE 2030.5 peer would object:"
    for one in explained.objections:
        yield f"  {one.reason}: {one.sentence}"


def hierarchy_document(pki: DevicePki, now: datetime) -> Mapping[str, object]:
    """What was made: each identity with files, names and the objections that it was made for."""
    return {"authority": str(pki.authority), "certificates": [_row(pki, one, now) for one in _identities(pki)]}


def hierarchy_lines(pki: DevicePki, now: datetime) -> Iterator[str]:
    """The same, to be read: one line for each, with its LFDI."""
    yield f"{pki.authority.name:34} the root (SERCA) that peers must trust"
    for identity in _identities(pki):
        explained = explain(identity.certificate, now, pki.authority)
        why = ", ".join(str(one.reason) for one in explained.objections) or "sound"
        names = f"{explained.facts.lfdi}  SFDI {explained.facts.sfdi:>12}"
        yield f"{identity.certificate.name:34} {names}  chain of {len(explained.chain)}  {why}"


def _identities(pki: DevicePki) -> tuple[TlsIdentity, ...]:
    sound = (pki.device, pki.device_chain_3, pki.device_chain_2, pki.aggregator, pki.server)
    return (*sound, pki.named_server, *pki.bad.values())


def _row(pki: DevicePki, identity: TlsIdentity, now: datetime) -> Mapping[str, object]:
    explained = explain(identity.certificate, now, pki.authority)
    return {
        "name": identity.certificate.stem,
        "certificate": str(identity.certificate),
        "key": str(identity.key),
        "lfdi": explained.facts.lfdi,
        "sfdi": explained.facts.sfdi,
        "chain": len(explained.chain),
        "objections": [str(one.reason) for one in explained.objections],
    }


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateFileError("certificate_unreadable", f"Cannot read {file}: {error.strerror}.") from error


def _completed(
    chain: tuple[x509.Certificate, ...], authorities: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...]:
    """The chain, and on top of it whatever authority issued its last certificate, until a root is reached."""
    left = list(authorities)
    while not is_self_signed(chain[-1]):
        above = next((one for one in left if is_issued_by(chain[-1], one)), None)
        if above is None:
            break
        left.remove(above)
        chain = (*chain, above)
    return chain


def _subject(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _serial(hardware: HardwareName) -> str:
    """As text where it is plain text, else in hex."""
    text = hardware.serial.decode("ascii", "replace")
    return text if text.isascii() and text.isprintable() else hardware.serial.hex()


def _validity(facts: CertificateFacts, now: datetime) -> str:
    begins = f"Valid from {facts.not_before:%Y-%m-%d %H:%M} UTC"
    if facts.not_after == NEVER_ENDS:
        return f"{begins}; never ends (99991231235959Z)."
    days = (facts.not_after - now).days
    left = f"{days} days from now" if days >= 0 else "EXPIRED"
    return f"{begins} until {facts.not_after:%Y-%m-%d %H:%M} UTC ({left})."


def _chain_line(explained: Explanation) -> str:
    steps = " <- ".join(subject or "(no subject)" for subject in explained.chain)
    count = len(explained.chain)
    if explained.whole and count == 1 and not explained.authority:
        return "Chain of 1: it is signed by its own key."
    if explained.whole:
        return f"Chain of {count}: {steps}, which is a root."
    return f"Chain of {count}: {steps}. The root is not among them; name it by --authority to have the chain judged."
