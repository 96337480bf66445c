"""Identifiers that we make: mRIDs that outlive a restart, and notification paths that nobody can guess.

An mRID has 128 bits; the low 32 are our private enterprise number, the other 96 are ours to keep unique (mRIDType).
They come from the box's seed and the names of what is meant, so that the same object has the same mRID after any
restart, even with an empty disk, and two objects never share one (96 bits of a keyed SHA-256).
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

UNIQUE_OCTETS: Final = 12
"""The 96 bits of an mRID that its maker chooses."""
_TOKEN_OCTETS: Final = 16
_PEN_MOST: Final = 2**32 - 1
_RESERVED: Final = b"\xff" * UNIQUE_OCTETS


def mrid_of(seed: bytes, pen: int, *names: str) -> str:
    """The mRID of the object with these names: 32 upper-case hexadecimal digits, the last eight the PEN."""
    return _mrid(_keyed(seed, ("mrid", *names)), pen)


def evidence_mrid(pen: int, meter_reading: str, start: int, evidence: Iterable[bytes]) -> str:
    """The mRID of a MirrorReadingSet: the proof of what it rests on, in the only field that has room for one.

    Its first 96 bits are those of SHA-256 over: the mRID of its MirrorMeterReading (16 bytes), the start of its period
    (unix seconds, 8 bytes, most significant first), then the SHA-256 of each sealed reading that the value was made
    from, in the order of time. Whoever holds the sealed readings can compute it again; the first two parts keep it
    unique where several quantities rest on the same readings.
    """
    digest = hashlib.sha256(bytes.fromhex(meter_reading) + start.to_bytes(8, "big", signed=True))
    for one in evidence:
        digest.update(one)
    return _mrid(digest.digest(), pen)


def notification_token(seed: bytes, counter: int) -> str:
    """The last part of a notification address: 128 bits in hexadecimal that only the holder of the seed can know."""
    return _keyed(seed, ("notification", str(counter)))[:_TOKEN_OCTETS].hex()


def _mrid(digest: bytes, pen: int) -> str:
    unique = digest[:UNIQUE_OCTETS]
    if unique == _RESERVED:  # all ones name an object that is still being made
        unique = digest[UNIQUE_OCTETS : 2 * UNIQUE_OCTETS]
    return (unique + (pen & _PEN_MOST).to_bytes(4, "big")).hex().upper()


def _keyed(seed: bytes, names: tuple[str, ...]) -> bytes:
    """HMAC-SHA-256 over the names, each with its length before it, so that no two lists of names look alike."""
    octets = (name.encode() for name in names)
    message = b"".join(len(one).to_bytes(4, "big") + one for one in octets)
    return hmac.new(seed, message, hashlib.sha256).digest()
