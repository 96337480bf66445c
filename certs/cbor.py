"""Deterministic CBOR (RFC 8949 section 4.2.1), the only form in which anything here is signed.

`cbor2` sorts map keys length-first (section 4.2.3), which agrees with the bytewise order of 4.2.1 only for some sets of
keys. So keys are restricted to sets on which both orders agree; floats, text keys and tags do not exist here at all.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final, NoReturn, TypeAlias

import cbor2

from wattseal.certs.errors import PeerError

Value: TypeAlias = "int | bytes | str | bool | tuple[Value, ...] | Mapping[int, Value] | None"

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 16
_LEAST: Final = -(1 << 64)
_MOST: Final = (1 << 64) - 1
_PLAIN: Final = frozenset({type(None), bool, bytes, str})
_ONE_BYTE_KEYS: Final = range(-24, 24)
_PRIVATE_KEY_TOP: Final = -65537
_KEY_END: Final = 1 << 32  # from here on a positive key is longer than a private one, and sorts before it


# Every tag that cbor2 would make something of. Shared references (28, 29) are the dangerous ones: a hundred bytes of
# them stand for a value of 2**30 members, or for one that contains itself.
_KNOWN_TAGS: Final = (*range(6), 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)


class CborError(PeerError):
    """Bytes that are not the one deterministic encoding of a permitted value."""


def _refuse_tag(_decoder: object, *_rest: object) -> NoReturn:
    raise ValueError("a tag")


_NO_TAGS: Final = dict.fromkeys(_KNOWN_TAGS, _refuse_tag)


def encode(value: Value) -> bytes:
    """The one encoding of `value`. Raises `CborError` (`cbor_not_permitted`) for floats, text keys and the like.

    Keys are put in order here: `cbor2`'s own canonical mode takes five times as long.
    """
    return cbor2.dumps(_ordered(value))


def decode(data: bytes, *, max_bytes: int = MAX_BYTES) -> Value:
    """The value whose one deterministic encoding is exactly `data`; anything else raises `CborError`.

    Decoding alone lets trailing bytes, long integers and unsorted maps through, so the value is put in order, encoded
    again and compared byte for byte: no weaker check is known to be safe.
    """
    value: Value = load(data, max_bytes=max_bytes)
    if cbor2.dumps(_ordered(value)) != data:
        raise CborError("cbor_not_canonical", "The bytes are CBOR, but not in deterministic form; refuse the message.")
    return value


def load(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """Whatever `data` says, neither form nor types checked; only size, depth and tags are bounded.

    Its time and its result are linear in `data`. Known tags are refused, others come out as `CBORTag`.
    Raises `CborError`.
    """
    if len(data) > max_bytes:
        raise CborError("cbor_oversized", f"The message has {len(data)} bytes; the cap is {max_bytes}.")
    try:
        return cbor2.loads(data, semantic_decoders=_NO_TAGS, max_depth=MAX_DEPTH)
    except (cbor2.CBORError, ValueError, RecursionError, OverflowError, MemoryError, TypeError) as error:
        raise CborError("cbor_malformed", "The bytes are not CBOR; refuse the message.") from error


def _ordered(value: Any) -> Any:
    """`value`, shown to be permitted, with the keys of its maps in order. Raises `CborError`."""
    # Exact types first: nearly all there is, and this runs several times over every message.
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise CborError("cbor_not_permitted", "An integer lies outside 64 bits.")
        return value
    if kind is tuple or kind is list:
        return [item if type(item) in _PLAIN else _ordered(item) for item in value]
    if kind is dict or isinstance(value, Mapping):
        _check_keys(value)
        return {key: item if type(item := value[key]) in _PLAIN else _ordered(item) for key in _in_order(value)}
    if isinstance(value, tuple | list):
        return [item if type(item) in _PLAIN else _ordered(item) for item in value]
    if isinstance(value, bytes | str):
        return value
    raise CborError("cbor_not_permitted", f"A {kind.__name__} may not stand in a sealed message.")


def _in_order(keys: Mapping[Any, object]) -> list[Any]:
    """Integer keys in the bytewise order of their encodings: from 0 upwards, then from -1 downwards."""
    rising = sorted(keys)
    if not rising or rising[0] >= 0:
        return rising
    first = bisect_left(rising, 0)
    return rising[first:] + rising[:first][::-1]


def _check_keys(value: Mapping[Any, object]) -> None:
    if not value:
        return
    if not all(kind is int or (kind is not bool and issubclass(kind, int)) for kind in set(map(type, value))):
        raise CborError("cbor_not_permitted", "Map keys are integers in a sealed message.")
    if min(value) in _ONE_BYTE_KEYS and max(value) in _ONE_BYTE_KEYS:
        return
    if max(value) >= _KEY_END or any(_PRIVATE_KEY_TOP < key < 0 for key in value):
        raise CborError("cbor_not_permitted", "A map key lies where the two orders of CBOR keys differ.")
    if min(value) < _LEAST:
        raise CborError("cbor_not_permitted", "An integer lies outside 64 bits.")
