"""Random draws that need no memory: the same seed, event, version and device always give the same number.

Uniform between 0 and the wire's value, with its sign. Still a draw is kept in the record once made, so that a changed
seed changes nothing that is under way.
"""

import hashlib
from enum import StrEnum


class Purpose(StrEnum):
    """What a draw is for; parts the draws of one event from each other."""

    START = "start"
    DURATION = "duration"
    CANCEL = "cancel"


def draw(seed: bytes, purpose: Purpose, mrid: bytes, version: int, lfdi: bytes, bound_seconds: int) -> int:
    """Seconds between 0 and `bound_seconds`, both included, with its sign. `seed`: up to 64 bytes."""
    if bound_seconds == 0:
        return 0
    text = b"%b/%d/%b/%b" % (purpose.encode(), version, mrid.hex().encode(), lfdi)
    number = int.from_bytes(hashlib.blake2b(text, key=seed, digest_size=8).digest(), "big")
    drawn = number % (abs(bound_seconds) + 1)
    return drawn if bound_seconds > 0 else -drawn
