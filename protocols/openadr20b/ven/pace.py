"""When a session may send: poll period, back-off, patience with reports. Monotonic seconds; deterministic jitter.

Knows no message. Two sessions with different seeds do not beat in time; one session repeats itself exactly.
"""

import random
from typing import Final

from wattseal.protocols.openadr20b.ven.config import VenConfig

LEAST_WAIT_SECONDS: Final = 1.0
_MAX_DOUBLINGS: Final = 30


class Pace:
    """The timers of one session. All times are monotonic; before any of them is set, everything may be sent at once."""

    def __init__(self, config: VenConfig, seed: str) -> None:
        self._config = config
        self._seed = seed
        self._draws = 0
        self._failures = 0
        self._report_failures = 0
        self._forgets = 0
        self.not_before = 0.0
        self.report_not_before = 0.0
        self.poll_at = 0.0

    def polled(self, monotonic: float, asked_seconds: int | None) -> None:
        """A poll goes out now; the next one comes at the VTN's period, bounded, never earlier than it asks for."""
        config = self._config
        wanted = config.poll_default_seconds if asked_seconds is None else asked_seconds
        bounded = min(max(wanted, config.poll_min_seconds), config.poll_max_seconds)
        self.poll_at = monotonic + bounded * (1 + config.jitter_share * self._chance())

    def poll_now(self, monotonic: float) -> None:
        """The next poll may come at once."""
        self.poll_at = monotonic

    def answered(self) -> None:
        """The VTN is there and makes sense: the next failure waits the shortest time again."""
        self._failures = 0

    def back_off(self, monotonic: float, *, longest: bool = False) -> float:
        """Everything waits, twice as long each time, less a jitter. Gives the seconds."""
        config = self._config
        doubled = config.backoff_first_seconds * 2.0 ** min(self._failures, _MAX_DOUBLINGS)
        seconds = config.backoff_max_seconds if longest else min(config.backoff_max_seconds, doubled)
        seconds = max(LEAST_WAIT_SECONDS, seconds * (1 - config.jitter_share * self._chance()))
        self._failures += 1
        self.not_before = monotonic + seconds
        return seconds

    def forgotten(self, monotonic: float) -> None:
        """The VTN does not know us. The first time we register at once; again and again without a poll in between,
        ever later: a VTN that registers us and forgets us in the same breath must not keep us busy.
        """
        if self._forgets:
            doubled = self._config.backoff_first_seconds * 2.0 ** min(self._forgets - 1, _MAX_DOUBLINGS)
            self.not_before = monotonic + min(self._config.backoff_max_seconds, doubled)
        self._forgets += 1

    def settled(self) -> None:
        """A poll was answered by a VTN that knows us."""
        self._forgets = 0

    def postpone_reports(self, monotonic: float) -> None:
        """Reports wait, twice as long each time; polls go on."""
        config = self._config
        doubled = config.backoff_first_seconds * 2.0 ** min(self._report_failures, _MAX_DOUBLINGS)
        self._report_failures += 1
        self.report_not_before = monotonic + min(config.backoff_max_seconds, doubled)

    def reports_flow(self) -> None:
        """A report was answered."""
        self._report_failures = 0
        self.report_not_before = 0.0

    def _chance(self) -> float:
        """Uniform over 0..1, by seed and count."""
        self._draws += 1
        return random.Random(f"{self._seed}/pace/{self._draws}").random()  # noqa: S311  spreads load, guards nothing
