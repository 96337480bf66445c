"""Which refused messages get a receipt, and how the others are put on record. Pure.

A refused command that the issuer sealed gets one receipt. What nobody vouches for (forged, cut, foreign), and what
comes again, must neither fill the outbox nor speak in the name of a command that is in force: such refusals are
counted by reason and stated together, at most once in `PERIOD_SECONDS` for each reason.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from wattseal.certs.clock import Instant
from wattseal.drivers.testimony import Gap

PERIOD_SECONDS: Final = 60.0
MOST_REMEMBERED: Final = 4096
WHAT: Final = "refused_message"


@dataclass(slots=True)
class _Count:
    count: int = 0
    from_ms: int = 0
    to_ms: int = 0
    told_at: float | None = None


class Refusals:
    """Counts refusals, and remembers which commands have had their receipt."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._receipted: OrderedDict[bytes, None] = OrderedDict()

    def first(self, command: bytes) -> bool:
        """Whether this refused command has had no receipt yet; it has from now on."""
        if command in self._receipted:
            return False
        self._receipted[command] = None
        if len(self._receipted) > MOST_REMEMBERED:
            self._receipted.popitem(last=False)
        return True

    def count(self, reason: str, at: Instant) -> None:
        """One more message refused for `reason`."""
        entry = self._counts.setdefault(reason, _Count())
        entry.from_ms = at.unix_ms if entry.count == 0 else entry.from_ms
        entry.to_ms = at.unix_ms
        entry.count += 1

    def due(self, at: Instant) -> tuple[Gap, ...]:
        """What is to be stated now; the first refusal for a reason at once, later ones together."""
        told: list[Gap] = []
        for reason, entry in self._counts.items():
            waiting = entry.told_at is not None and at.monotonic - entry.told_at < PERIOD_SECONDS
            if entry.count and not waiting:
                told.append(Gap(WHAT, reason, entry.count, entry.from_ms, entry.to_ms))
                entry.count, entry.told_at = 0, at.monotonic
        return tuple(told)
