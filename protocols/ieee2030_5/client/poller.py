"""When each address is asked for: one beat per address, and nobody else asks. Knows no resource and no network.

Theory of operation. Every address has a grid of times, one interval apart, that never drifts: a poll that is late does
not move those that follow, and polls that were missed are not made up for. Outside the grid stand the extra asks: a
notification said that something changed, a failure is tried again, the server is back after a silence. Of these there
are at most two in any three intervals; one that has no room waits for the grid. Where a subscription tells of a
resource its grid rests, once it was read under the subscription and unless something waits for it. So a healthy server
counts, in any three intervals, at most six asks of an address, and at least two of one that is not subscribed to.
Times are monotonic seconds.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

WINDOW_INTERVALS: Final = 3
EXTRA_MOST: Final = 2
SHORTEST_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 86_400.0
FIRST_PAUSE_SECONDS: Final = 5.0
SPREAD_SECONDS: Final = 0.05
REST_MOST_SECONDS: Final = 21_600.0
"""A server that lost its subscriptions says nothing: six hours of silence are asked about."""
_NEVER: Final = float("inf")


@dataclass(slots=True)
class _Beat:
    """One address: its grid (`due`), and what stands beside the grid."""

    interval: float
    due: float
    last: float = -_NEVER
    extra_at: float = _NEVER
    not_before: float = -_NEVER
    failures: int = 0
    busy: bool = False
    covered: bool = False  # whether a subscription was alive at the last ask
    extras: deque[float] = field(default_factory=lambda: deque(maxlen=EXTRA_MOST))

    def room_at(self) -> float:
        """From when on one more extra ask is within bounds."""
        if len(self.extras) < EXTRA_MOST:
            return -_NEVER
        return self.extras[0] + WINDOW_INTERVALS * self.interval

    def at(self) -> float:
        """When it is to be looked at next."""
        extra = max(self.extra_at, self.room_at())
        return max(min(self.due, extra), self.not_before)

    def past(self, now: float) -> None:
        """Move the grid on to its first point after `now`."""
        self.due += self.interval * max(1, int((now - self.due) // self.interval) + 1)


def _never_held(_: str) -> bool:
    return False


class Poller:
    """The beats of all addresses that are read."""

    def __init__(self) -> None:
        self._beats: dict[str, _Beat] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._count = 0

    def __contains__(self, href: str) -> bool:
        return href in self._beats

    def __len__(self) -> int:
        return len(self._beats)

    def watch(self, href: str, interval_seconds: float, now: float) -> None:
        """Ask for an address from now on; for one that is watched, only its interval changes."""
        interval = min(max(interval_seconds, SHORTEST_SECONDS), LONGEST_SECONDS)
        beat = self._beats.get(href)
        if beat is None:
            self._beats[href] = _Beat(interval, now)
        elif beat.interval != interval:
            beat.interval = interval
            if beat.last > -_NEVER:
                beat.due = max(beat.last + interval, now)
        else:
            return
        self._push(href)

    def drop(self, href: str) -> None:
        """Ask for an address no more."""
        self._beats.pop(href, None)

    def hurry(self, href: str, now: float) -> None:
        """Something changed there: ask as soon as there is room."""
        beat = self._beats.get(href)
        if beat is not None and now < beat.extra_at:
            beat.extra_at = now
            self._push(href)

    def next(self, now: float, held: Callable[[str], bool] = _never_held) -> str | None:
        """An address to ask for now; it is busy until `answered` or `failed`. `held`: whose grid rests."""
        while self._heap and self._heap[0][0] <= now:
            at, _, href = heappop(self._heap)
            beat = self._beats.get(href)
            if beat is None or beat.busy or beat.at() != at:
                continue
            if self._asks(beat, now, held=held(href)):
                beat.busy, beat.extra_at = True, _NEVER
                return href
            self._push(href)
        return None

    def answered(self, href: str, now: float) -> None:
        """It was read, or refused for good: the grid goes on."""
        beat = self._beats.get(href)
        if beat is not None:
            beat.busy, beat.failures, beat.not_before = False, 0, min(beat.not_before, now)
            self._push(href)

    def failed(self, href: str, now: float, retry_after_seconds: int | None = None) -> None:
        """No usable answer: once more after a pause that grows up to the interval, never before the server's word."""
        beat = self._beats.get(href)
        if beat is None:
            return
        beat.busy = False
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(beat.failures, 20), beat.interval)
        beat.failures += 1
        if retry_after_seconds is not None:
            pause = beat.not_before = min(float(retry_after_seconds), LONGEST_SECONDS)
            beat.not_before += now
        beat.extra_at = min(beat.extra_at, now + pause)
        self._push(href)

    def unasked(self, href: str, now: float) -> None:
        """The question was never put (the loop ended): it is due again."""
        beat = self._beats.get(href)
        if beat is not None and beat.busy:
            beat.busy, beat.due = False, now
            self._push(href)

    def spread(self, now: float, hrefs: Iterable[str]) -> None:
        """After a silence: read these once each, one after the other, in this order."""
        for place, href in enumerate(hrefs):
            beat = self._beats.get(href)
            if beat is None:
                continue
            at = now + place * SPREAD_SECONDS
            beat.failures = 0
            beat.due = max(beat.due, at)
            beat.extra_at = at  # also where the grid rests
            self._push(href)

    def wake_at(self) -> float | None:
        """When `next` has something again."""
        while self._heap:
            at, _, href = self._heap[0]
            beat = self._beats.get(href)
            if beat is not None and not beat.busy and beat.at() == at:
                return at
            heappop(self._heap)
        return None

    def _asks(self, beat: _Beat, now: float, *, held: bool) -> bool:
        """Whether to ask now; moves the grid and counts extra asks."""
        if beat.due > now:
            beat.extras.append(now)
            beat.covered = held
            return True
        rested = now - beat.last >= REST_MOST_SECONDS
        asks = beat.extra_at <= now or not held or not beat.covered or rested
        beat.past(now)
        if asks:
            beat.last, beat.covered = now, held
        return asks

    def _push(self, href: str) -> None:
        beat = self._beats[href]
        if beat.busy:
            return
        self._count += 1
        heappush(self._heap, (beat.at(), self._count, href))
        if len(self._heap) > 64 + 4 * len(self._beats):  # entries that were overtaken
            self._heap = [
                (one.at(), place, href) for place, (href, one) in enumerate(self._beats.items()) if not one.busy
            ]
            self._count = len(self._beats)
            heapify(self._heap)
