"""Bounded CBOR, COSE_Sign1 (RFC 9052) and keys. Refuses only what cannot be read: each rule is a check of its own."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NoReturn

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ESP256: Final = -9
ED25519: Final = -19
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SIGNATURE_BYTES: Final = 64
_MAX_DEPTH: Final = 16
_CURVE_BYTES: Final = 32
_ONE_BYTE: Final = range(-24, 24)
_PRIVATE_TOP: Final = -65537
# Tags that cbor2 would make something of; shared references (28, 29) could make a small file stand for a huge value.
_TAGS: Final = (*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)


class BrokenError(Exception):
    """A link that does not hold: a stable reason, where it is, and one sentence. `leaf` is an index in the log."""

    def __init__(self, reason: str, place: str, sentence: str, leaf: int | None = None) -> None:
        super().__init__(f"{reason} at {place}: {sentence}")
        self.reason, self.place, self.sentence, self.leaf = reason, place, sentence, leaf


def _refuse(_decoder: object, *_rest: object) -> NoReturn:
    raise ValueError("a tag")


_NO_TAGS: Final = dict.fromkeys(_TAGS, _refuse)


def load(data: bytes) -> Any:
    """What `data` says, in time linear in its length. Raises `ValueError` for what is not CBOR."""
    try:
        return cbor2.loads(data, semantic_decoders=_NO_TAGS, max_depth=_MAX_DEPTH)
    except (cbor2.CBORError, ValueError, RecursionError, OverflowError, MemoryError, TypeError) as error:
        raise ValueError("not CBOR") from error


def is_canonical(data: bytes) -> bool:
    """Whether `data` is the deterministic encoding (RFC 8949 section 4.2.1) of a value that may be sealed.

    Decoding lets long integers, trailing bytes and unsorted maps through; encoding again and comparing does not.
    cbor2 sorts keys length-first, which is the bytewise order only for the sets of keys that `_permitted` lets pass.
    """
    try:
        value = load(data)
    except ValueError:
        return False
    return _permitted(value) and cbor2.dumps(value, canonical=True) == data


def _permitted(value: object) -> bool:
    match value:
        case Mapping():
            keys = [key for key in value if type(key) is int]
            one_byte = all(key in _ONE_BYTE for key in keys)
            agreed = one_byte or not any(_PRIVATE_TOP < key < 0 or key >= 1 << 32 for key in keys)
            return agreed and len(keys) == len(value) and all(_permitted(item) for item in value.values())
        case list() | tuple():
            return all(_permitted(item) for item in value)
        case int():
            return -(1 << 64) <= value < 1 << 64
    return value is None or isinstance(value, bytes | str)


@dataclass(frozen=True)
class Sealed:
    """A COSE_Sign1 taken apart; nothing in it is believed yet."""

    raw: bytes
    protected: bytes
    unprotected: object
    header: Mapping[Any, Any]
    payload: bytes
    signature: bytes

    @classmethod
    def read(cls, raw: bytes) -> "Sealed":
        """Raises `ValueError` where it cannot be read at all."""
        match load(raw):
            case cbor2.CBORTag(tag=18, value=(bytes(protected), unprotected, bytes(payload), bytes(signature))):
                header = load(protected)
                if isinstance(header, Mapping):
                    return cls(raw, protected, unprotected, header, payload, signature)
        raise ValueError("not a COSE_Sign1")

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the whole sealed bytes: the name by which others call it."""
        return hashlib.sha256(self.raw).digest()

    @property
    def kid(self) -> bytes:
        """The key id that the header names; empty where it names none."""
        kid = self.header.get(4)
        return kid if isinstance(kid, bytes) else b""

    def is_canonical(self) -> bool:
        """Whether message, header and payload are each in deterministic form."""
        parts = [self.protected, self.unprotected, self.payload, self.signature]
        whole = cbor2.dumps(cbor2.CBORTag(18, parts), canonical=True)
        return whole == self.raw and is_canonical(self.protected) and is_canonical(self.payload)

    def signed_bytes(self) -> bytes:
        """What the signature is over: the received header and payload, byte for byte."""
        return cbor2.dumps(["Signature1", self.protected, b"", self.payload], canonical=True)


class Key:
    """A P-256 or Ed25519 key from its COSE_Key map (RFC 9052 section 7), required members only; else `ValueError`."""

    def __init__(self, encoded: bytes) -> None:
        self.kid, self.raw = hashlib.sha256(encoded).digest()[:16], b""
        self._key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
        match load(encoded):
            case {1: 2, -1: 1, -2: bytes(x), -3: bytes(y), **rest} if not rest and len(x) == len(y) == _CURVE_BYTES:
                point = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1())
                self.algorithm, self._key = ESP256, point.public_key()
            case {1: 1, -1: 6, -2: bytes(x), **rest} if not rest:
                self.algorithm, self._key, self.raw = ED25519, ed25519.Ed25519PublicKey.from_public_bytes(x), x
            case _:
                raise ValueError("neither P-256 nor Ed25519")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is by this key over `message`; which of two ECDSA twins it is, is another check."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
                self._key.verify(der, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def sealed(self, message: Sealed) -> bool:
        """Whether this key made the seal of `message`."""
        return self.verifies(message.signature, message.signed_bytes())
