"""Deterministic CBOR (RFC 8949 section 4.2.1), the only form in which anything here is signed.

`cbor2` sorts map keys length-first (section 4.2.3), which agrees with the bytewise order of 4.2.1 only for some sets of
keys. So keys are restricted to sets on which both orders agree; floats and text keys do not exist here at all.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

import cbor2

from wattseal.certs.errors import PeerError

Value: TypeAlias = "int | bytes | str | bool | tuple[Value, ...] | Mapping[int, Value] | None"

MAX_BYTES: Final = 1 << 20
_ONE_BYTE_KEYS: Final = range(-24, 24)
_PRIVATE_KEY_TOP: Final = -65537


class CborError(PeerError):
    """Bytes that are not the one deterministic encoding of a permitted value."""


def encode(value: Value) -> bytes:
    """The one encoding of `value`. Raises `CborError` (`cbor_not_permitted`) for floats, text keys and the like."""
    _check(value)
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes, *, max_bytes: int = MAX_BYTES) -> Value:
    """The value whose one deterministic encoding is exactly `data`; anything else raises `CborError`.

    Decoding alone lets trailing bytes, long integers and unsorted maps through, so the value is encoded again and
    compared byte for byte: no weaker check is known to be safe.
    """
    value = _load(data, max_bytes)
    _check(value)
    if cbor2.dumps(value, canonical=True) != data:
        raise CborError("cbor_not_canonical", "The bytes are CBOR, but not in deterministic form; refuse the message.")
    return value


def _load(data: bytes, max_bytes: int) -> Value:
    if len(data) > max_bytes:
        raise CborError("cbor_oversized", f"The message has {len(data)} bytes; the cap is {max_bytes}.")
    try:
        loaded: Value = cbor2.loads(data)
    except (cbor2.CBORError, ValueError, RecursionError, OverflowError, MemoryError, TypeError) as error:
        raise CborError("cbor_malformed", "The bytes are not CBOR; refuse the message.") from error
    return loaded


def _check(value: object) -> None:
    if value is None or isinstance(value, bool | bytes | str):
        return
    if isinstance(value, int):
        if not -(1 << 64) <= value < 1 << 64:
            raise CborError("cbor_not_permitted", "An integer lies outside 64 bits.")
        return
    if isinstance(value, Mapping):
        _check_keys(value)
        for item in value.values():
            _check(item)
        return
    if isinstance(value, tuple | list):
        for item in value:
            _check(item)
        return
    raise CborError("cbor_not_permitted", f"A {type(value).__name__} may not stand in a sealed message.")


def _check_keys(value: Mapping[object, object]) -> None:
    if any(isinstance(key, bool) or not isinstance(key, int) for key in value):
        raise CborError("cbor_not_permitted", "Map keys are integers in a sealed message.")
    keys: list[int] = [key for key in value if isinstance(key, int)]
    if all(key in _ONE_BYTE_KEYS for key in keys):
        return
    if any(_PRIVATE_KEY_TOP < key < 0 for key in keys):
        raise CborError("cbor_not_permitted", "A small negative map key may stand only among one-byte keys.")
