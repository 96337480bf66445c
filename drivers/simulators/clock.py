"""The simulators' time: seconds for physics and timers, UTC for the write log. Knows no device."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from wattseal.certs.errors import MisuseError

VIRTUAL_START = datetime(2025, 1, 1, tzinfo=UTC)
LONGEST_ADVANCE_SECONDS = 400 * 86_400.0


class Clock(Protocol):
    """Tells monotonic seconds (any zero) and aware UTC time, of the same instant."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def utc(self) -> datetime:
        """Aware UTC time."""
        ...


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def utc(self) -> datetime:
        """Aware UTC time."""
        return datetime.now(UTC)


class VirtualClock:
    """Time that stands still until somebody advances it.

    `start` is an aware UTC time; monotonic seconds begin at 0.
    """

    def __init__(self, start: datetime = VIRTUAL_START) -> None:
        if start.utcoffset() is None:
            raise MisuseError("clock_not_aware", "Give the virtual clock's start with its offset, such as ...Z.")
        self._start = start.astimezone(UTC)
        self._seconds = 0.0

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._seconds

    def utc(self) -> datetime:
        """Aware UTC time."""
        return self._start + timedelta(seconds=self._seconds)

    def advance(self, seconds: float) -> float:
        """Move on by `seconds` (0 to 400 days) and return the new monotonic time."""
        if not 0.0 <= seconds <= LONGEST_ADVANCE_SECONDS:  # also catches NaN
            raise MisuseError("clock_advance", "Advance the clock by 0 seconds to 400 days; time does not go back.")
        self._seconds += seconds
        return self._seconds
