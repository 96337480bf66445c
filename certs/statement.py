"""Statements: what the product says under seal, who may say it, and on what it must rest.

A statement is a COSE_Sign1 whose protected header names its kind, its subject, its times and the digests of its
parents; a parent is named by the SHA-256 of its *whole* sealed bytes. Bodies are opaque here: what a command or a
reading means is written in the folder that owns the word. `ROLE_OF` and `PARENTS_OF` are the rules that the gate and
(in its own words) the separate verifier enforce.

Header layout (labels of RFC 9052, 8392, 9596; private claims lie at or below -65537: both CBOR key orders then agree):

    1 alg   4 kid   16 typ   15 {1 iss, 2 sub, 3 aud?, 4 exp?, 5 nbf?, 6 iat, 7 cti}
    -65537 [parent digest, ...]        -65538 [number, digest of the previous statement of this signer]?
    -65539 [digest of a content, ...]? (raw utility bytes, policy text, profile: texts that stand beside, never inside)
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wattseal.certs import cbor, cose
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.keys import Signer

DIGEST_BYTES: Final = 32
ID_BYTES: Final = 16
_TYPE: Final = 16
_CLAIMS: Final = 15
_PARENTS: Final = -65537
_CHAIN: Final = -65538
_CONTENTS: Final = -65539
_ISS, _SUB, _AUD, _EXP, _NBF, _IAT, _CTI = 1, 2, 3, 4, 5, 6, 7


class Role(StrEnum):
    """Who signs. One key has one role; the role of a key stands in the manifest, never in the message."""

    OWNER = "owner"
    INGRESS = "ingress"
    CORE = "core"
    POLICY = "policy"
    ISSUER = "issuer"
    GATEWAY = "gateway"
    LOG = "log"


class Kind(StrEnum):
    """What a statement is."""

    MANDATE = "mandate"  # the root names the owner's key
    MANIFEST = "manifest"  # the owner names role keys and sections
    INGRESS = "ingress"  # these bytes were received from that peer
    INTENT = "intent"  # what one message asks for, in our words
    FACTS = "facts"  # every input of one plan run
    DECISION = "decision"  # allowed or denied, by which policy
    COMMAND = "command"  # one order to one device
    HAIL = "hail"  # the issuer's nonce, and how far it has read the gateway's statements
    RENEWAL = "renewal"  # the commands that still live
    HELLO = "hello"  # the gateway's epoch and high-water mark, in answer to a hail
    RECEIPT = "receipt"  # what became of a command
    READING = "reading"  # what a device measured
    GAP = "gap"  # what was given up, and why
    REPORT = "report"  # what was told to the utility
    EXTRACT = "extract"  # which part of the log an evidence file holds


ROLE_OF: Final[Mapping[Kind, Role]] = {
    Kind.MANIFEST: Role.OWNER,
    Kind.INGRESS: Role.INGRESS,
    Kind.INTENT: Role.CORE,
    Kind.FACTS: Role.CORE,
    Kind.DECISION: Role.POLICY,
    Kind.COMMAND: Role.ISSUER,
    Kind.HAIL: Role.ISSUER,
    Kind.RENEWAL: Role.ISSUER,
    Kind.HELLO: Role.GATEWAY,
    Kind.RECEIPT: Role.GATEWAY,
    Kind.READING: Role.GATEWAY,
    Kind.GAP: Role.GATEWAY,
    Kind.REPORT: Role.CORE,
    Kind.EXTRACT: Role.LOG,
}

_TYPE_OF: Final = {kind: f"application/wattseal-{kind}+cbor" for kind in Kind}
_KIND_OF: Final = {named: kind for kind, named in _TYPE_OF.items()}

# (required parents, permitted parents): each required kind stands at least once, and no kind beyond the permitted ones.
PARENTS_OF: Final[Mapping[Kind, tuple[frozenset[Kind], frozenset[Kind]]]] = {
    Kind.MANIFEST: (frozenset({Kind.MANDATE}), frozenset({Kind.MANDATE})),
    Kind.INGRESS: (frozenset(), frozenset()),
    # An event that a later full list no longer names rests on that list and on its own last intent.
    Kind.INTENT: (frozenset({Kind.INGRESS}), frozenset({Kind.INGRESS, Kind.INTENT})),
    Kind.FACTS: (frozenset(), frozenset({Kind.INTENT, Kind.READING, Kind.HELLO})),
    Kind.DECISION: (frozenset({Kind.FACTS}), frozenset({Kind.FACTS})),
    Kind.COMMAND: (frozenset({Kind.DECISION}), frozenset({Kind.DECISION})),
    Kind.HAIL: (frozenset(), frozenset()),
    Kind.RENEWAL: (frozenset({Kind.COMMAND}), frozenset({Kind.COMMAND})),
    Kind.HELLO: (frozenset({Kind.HAIL}), frozenset({Kind.HAIL})),
    Kind.RECEIPT: (frozenset({Kind.COMMAND}), frozenset({Kind.COMMAND})),
    Kind.READING: (frozenset(), frozenset({Kind.COMMAND})),
    Kind.GAP: (frozenset(), frozenset()),
    Kind.REPORT: (frozenset(), frozenset({Kind.READING, Kind.RECEIPT, Kind.INGRESS, Kind.INTENT})),
    Kind.EXTRACT: (frozenset(), frozenset()),
}


# What names every device of a site grows with them; all else is small, and a stranger can make nobody hold more.
_WIDE: Final = frozenset({Kind.MANIFEST, Kind.FACTS, Kind.RENEWAL})
_WIDE_BYTES: Final = cose.MAX_BYTES
_BYTES: Final = 1 << 16
_WIDE_DIGESTS: Final = 4096
_DIGESTS: Final = 256


def most_bytes(kind: Kind) -> int:
    """The cap of a sealed statement of that kind."""
    return _WIDE_BYTES if kind in _WIDE else _BYTES


def most_parents(kind: Kind) -> int:
    """How many parents, or contents, a statement of that kind may name."""
    return _WIDE_DIGESTS if kind in _WIDE else _DIGESTS


class StatementError(PeerError):
    """A sealed message that is not a statement in our one shape."""


@dataclass(frozen=True, slots=True)
class Header:
    """What every statement says besides its body. Times are integer unix seconds, UTC."""

    kind: Kind
    issuer: str
    subject: str
    issued_at: int
    audience: str | None = None
    not_before: int | None = None
    expires_at: int | None = None
    parents: tuple[bytes, ...] = ()
    chain: tuple[int, bytes] | None = None
    contents: tuple[bytes, ...] = ()
    statement_id: bytes = field(default_factory=lambda: secrets.token_bytes(ID_BYTES))


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the very bytes that carry it."""

    header: Header
    body: bytes
    kid: bytes
    raw: bytes
    digest: bytes


def seal(signer: Signer, header: Header, body: bytes) -> Statement:
    """Signs `body`, which must be deterministic CBOR (`cbor.encode`), under `header`.

    Raises `MisuseError` (`message_oversized`) for what no reader would take.
    """
    raw = cose.seal(signer, _header_map(header), body)
    if len(raw) > most_bytes(header.kind):
        cap = most_bytes(header.kind)
        raise MisuseError("message_oversized", f"A {header.kind} of {len(raw)} bytes is over its cap of {cap}.")
    return Statement(header, body, signer.public.kid, raw, digest(raw))


def read(envelope: cose.Envelope) -> Statement:
    """The statement in an envelope whose signature was checked. Raises `StatementError` or `CborError`."""
    cbor.decode(envelope.payload)
    return read_outside(envelope)


def read_outside(envelope: cose.Envelope) -> Statement:
    """As `read`, for callers that decode the body themselves: its form is not checked here."""
    header = _header_of(envelope.protected)
    if len(envelope.raw) > most_bytes(header.kind):
        cap = most_bytes(header.kind)
        raise StatementError("message_oversized", f"The {header.kind} has {len(envelope.raw)} bytes; the cap is {cap}.")
    return Statement(header, envelope.payload, envelope.kid, envelope.raw, digest(envelope.raw))


def kind_named_in(header: Mapping[object, object]) -> Kind | None:
    """The kind that an unchecked header (`cose.glimpse`) names, or None; for an early refusal, never for belief."""
    named = header.get(_TYPE)
    return _KIND_OF.get(named) if isinstance(named, str) else None


def glimpse(raw: bytes) -> tuple[Kind, int] | None:
    """Kind and time as the header has them, unchecked: good for filing what was checked before, never for belief."""
    header = cose.glimpse(raw)
    claims = None if header is None else header.get(_CLAIMS)
    if header is None or not isinstance(claims, Mapping):
        return None
    try:
        return _kind_of(header.get(_TYPE)), _seconds(claims.get(_IAT))  # type: ignore[arg-type]  # both look themselves
    except StatementError:
        return None


def digest(raw: bytes) -> bytes:
    """SHA-256 over whole sealed bytes: the name by which a child calls its parent."""
    return hashlib.sha256(raw).digest()


def _header_map(header: Header) -> dict[int, cbor.Value]:
    claims: dict[int, cbor.Value] = {_ISS: header.issuer, _SUB: header.subject, _IAT: header.issued_at}
    claims[_CTI] = header.statement_id
    optional = ((_AUD, header.audience), (_EXP, header.expires_at), (_NBF, header.not_before))
    claims.update({label: value for label, value in optional if value is not None})
    fields: dict[int, cbor.Value] = {
        _TYPE: _TYPE_OF[header.kind],
        _CLAIMS: claims,
        _PARENTS: header.parents,
    }
    if header.chain is not None:
        fields[_CHAIN] = header.chain
    if header.contents:
        fields[_CONTENTS] = header.contents
    return fields


def _header_of(protected: Mapping[int, cbor.Value]) -> Header:
    known = {cose.ALGORITHM, cose.KEY_ID, _TYPE, _CLAIMS, _PARENTS, _CHAIN, _CONTENTS}
    claims = protected.get(_CLAIMS)
    if not set(protected) <= known or not isinstance(claims, Mapping):
        raise StatementError("header_malformed", "The statement's header holds an unknown label or no claims.")
    if not set(claims) <= {_ISS, _SUB, _AUD, _EXP, _NBF, _IAT, _CTI}:
        raise StatementError("header_malformed", "The statement's header holds an unknown claim.")
    kind = _kind_of(protected.get(_TYPE))
    return Header(
        kind=kind,
        issuer=_text(claims.get(_ISS)),
        subject=_text(claims.get(_SUB)),
        issued_at=_seconds(claims.get(_IAT)),
        audience=None if _AUD not in claims else _text(claims[_AUD]),
        not_before=None if _NBF not in claims else _seconds(claims[_NBF]),
        expires_at=None if _EXP not in claims else _seconds(claims[_EXP]),
        parents=_digests(protected.get(_PARENTS), kind),
        chain=None if _CHAIN not in protected else _chain(protected[_CHAIN]),
        contents=() if _CONTENTS not in protected else _digests(protected[_CONTENTS], kind),
        statement_id=_sized(claims.get(_CTI), ID_BYTES),
    )


def _kind_of(value: cbor.Value) -> Kind:
    kind = _KIND_OF.get(_text(value))
    if kind is None:
        raise StatementError("kind_unknown", "The statement is of a kind that this release does not know.")
    return kind


def _text(value: cbor.Value) -> str:
    if not isinstance(value, str) or len(value) > 200:  # noqa: PLR2004 - a bound on names, so that records stay small
        raise StatementError("header_malformed", "A name in the statement's header is missing or too long.")
    return value


def _seconds(value: cbor.Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StatementError("header_malformed", "A time in the statement's header is missing or negative.")
    return value


def _sized(value: cbor.Value, size: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != size:
        raise StatementError("header_malformed", f"A header field must have {size} bytes.")
    return value


def _digests(value: cbor.Value, kind: Kind) -> tuple[bytes, ...]:
    if not isinstance(value, tuple | list) or len(value) > most_parents(kind):
        raise StatementError("header_malformed", "The statement's list of parents or contents is missing or too long.")
    return tuple(_sized(item, DIGEST_BYTES) for item in value)


def _chain(value: cbor.Value) -> tuple[int, bytes]:
    if not isinstance(value, tuple | list) or len(value) != 2:  # noqa: PLR2004 - number and digest
        raise StatementError("header_malformed", "The chain claim is not a number and a digest.")
    return _seconds(value[0]), _sized(value[1], DIGEST_BYTES)
