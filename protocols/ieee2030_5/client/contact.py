"""Whether the server is there: when it counts as lost, and when it is asked whether it is back.

Lost after some failures in a row with no answer between, whatever they were for (silence, or a 5xx). While it is lost
nothing but DeviceCapability is asked for, at growing pauses; its first answer ends the loss. Pure.
"""

from typing import Final

FAILURES_MOST: Final = 5
DCAP_FAILURES_MOST: Final = 3
FIRST_PROBE_SECONDS: Final = 5.0
LONGEST_PROBE_SECONDS: Final = 60.0


class Contact:
    """Counts failures. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.lost = False
        self._failures = 0
        self._dcap_failures = 0
        self._probe_at: float | None = None
        self._pause = FIRST_PROBE_SECONDS

    @property
    def probe_at(self) -> float | None:
        """When DeviceCapability is to be asked for; None: not lost, or the question is under way."""
        return self._probe_at

    def probing(self) -> None:
        """The question is under way."""
        self._probe_at = None

    def answered(self, *, dcap: bool) -> bool:
        """An answer came (not a 5xx); True if this ends a loss."""
        if self.lost and not dcap:
            return False  # something that was under way; the root decides
        ended, self.lost = self.lost, False
        self._failures = self._dcap_failures = 0
        self._probe_at, self._pause = None, FIRST_PROBE_SECONDS
        return ended

    def failed(self, now: float, *, dcap: bool) -> bool:
        """None came; True if the server counts as lost from now on."""
        self._failures += 1
        self._dcap_failures += dcap
        if self.lost:
            if dcap:
                self._probe_at = now + self._pause
                self._pause = min(self._pause * 2, LONGEST_PROBE_SECONDS)
            return False
        if self._failures < FAILURES_MOST and self._dcap_failures < DCAP_FAILURES_MOST:
            return False
        self.lost, self._probe_at = True, now + self._pause
        return True
