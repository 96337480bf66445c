"""Time that can be trusted, or says that it cannot.

The wall clock of a box may be in 1970 before the network is up, or be stepped by years in mid-event. So time here is an
anchor (a wall time once trusted) plus what the monotonic clock has counted since; the system's wall clock only
nudges it. The qualities:

    trusted    wall and anchor agree within `STEP_SECONDS`; small differences are taken over at once
    holdover   the wall clock was stepped: it is not followed, the anchor goes on, until the two agree again
    untrusted  the wall clock lies below the floor (build, last persisted time, last checkpoint): events wait
    virtual    somebody moves this clock by hand, in a lab: as good as trusted there, worth nothing anywhere else

A wall clock that is stepped while untrusted may become trusted: that is what setting the clock means.
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

STEP_SECONDS: Final = 2.0
BUILD_FLOOR: Final = 1_790_000_000  # 2026-09-21, before the first release: no box of this release lives earlier


class ClockQuality(StrEnum):
    """How far the time in a statement can be believed."""

    TRUSTED = "trusted"
    HOLDOVER = "holdover"
    UNTRUSTED = "untrusted"
    VIRTUAL = "virtual"

    def may_order(self, *, lab: bool) -> bool:
        """Whether an order may rest on such a time."""
        return self is not ClockQuality.UNTRUSTED and (lab or self is not ClockQuality.VIRTUAL)

    @property
    def is_firm(self) -> bool:
        """Whether such a time surely has passed, so that it may become a floor."""
        return self in {ClockQuality.TRUSTED, ClockQuality.VIRTUAL}


class TimeSource(Protocol):
    """Two clocks: `wall` in unix seconds, `monotonic` in seconds that only ever rise."""

    def wall(self) -> float:
        """Unix seconds as the operating system has them."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        ...


class SystemTime:
    """The operating system's clocks."""

    def wall(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()


class VirtualTime(ABC):
    """What every time source is that somebody moves by hand; instants that come from it say so."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""

    @abstractmethod
    def wall(self) -> float:
        """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One look at the clock. `unix_ms` is never the wall clock itself unless `quality` is trusted or virtual."""

    unix_ms: int
    monotonic: float
    quality: ClockQuality

    @property
    def unix(self) -> int:
        """Whole unix seconds."""
        return self.unix_ms // 1000


class TrustedClock:
    """Gives instants from a time source; see the module's text for the three qualities.

    `floor` is the latest unix second known to have passed; `raise_floor` lifts it (it never falls).
    """

    def __init__(self, source: TimeSource, floor: int = BUILD_FLOOR) -> None:
        self._source = source
        self._floor = max(floor, BUILD_FLOOR)
        self._anchor_wall = 0.0
        self._anchor_monotonic = 0.0
        self._anchored = False
        self._agreeing = ClockQuality.VIRTUAL if isinstance(source, VirtualTime) else ClockQuality.TRUSTED

    @property
    def floor(self) -> int:
        """The latest unix second known to have passed."""
        return self._floor

    def raise_floor(self, unix: int) -> None:
        """Take note that `unix` has passed."""
        self._floor = max(self._floor, unix)

    def now(self) -> Instant:
        """One look at the clock."""
        wall, monotonic = self._source.wall(), self._source.monotonic()
        if not self._anchored:
            if wall < self._floor:
                return Instant(int(wall * 1000), monotonic, ClockQuality.UNTRUSTED)
            self._anchor(wall, monotonic)
        expected = self._anchor_wall + (monotonic - self._anchor_monotonic)
        if abs(wall - expected) > STEP_SECONDS:
            return Instant(int(expected * 1000), monotonic, ClockQuality.HOLDOVER)
        self._anchor(wall, monotonic)
        return Instant(int(wall * 1000), monotonic, self._agreeing)

    def _anchor(self, wall: float, monotonic: float) -> None:
        self._anchor_wall, self._anchor_monotonic, self._anchored = wall, monotonic, True
