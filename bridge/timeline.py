"""What is in force at a time, and when to look again. Pure: events and a time in, wishes out.

An event stands from its start plus its random draw (OpenADR 2.0b `startafter`: 0 to T seconds, drawn once) for its
duration; an open-ended one stands until it is cut. A cut (cancelled, withdrawn) ends it at a time of its own, so that a
cancellation can be spread like the start was (rule 65). The utility's own opinion of an event's status is never read:
the clock decides (rule 66). Test events (rule 6) are answered, but are never in force.

Precedence, highest first: lower priority number, on one scale for all dialects (`GridEvent.rank`: none lies below every
number, a dialect's default below every event), then the event that started first (rule 18), then the name of the
utility and of the event, so that the order is total and no arrival order can change it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wattseal.protocols.grid_event import Course, GridEvent
from wattseal.protocols.wish import Wish


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """An event with what the clock needs to know of it. `cut_at` is when a cancelled event ceases; else None."""

    event: GridEvent
    intent: bytes
    start_draw_seconds: int
    cut_at: int | None

    @property
    def start(self) -> int:
        """Unix seconds at which it really starts."""
        return self.event.start + self.start_draw_seconds

    @property
    def end(self) -> int | None:
        """Unix seconds at which it really ends (excluded); None while it is open-ended."""
        duration = self.event.duration_seconds
        planned = None if duration is None else self.start + duration
        return _earlier(planned, self.cut_at)


@dataclass(frozen=True, slots=True)
class ActiveWish:
    """One wish in force: half-open from `since` to `until` (None: until further notice)."""

    timed: TimedEvent
    course: Course
    wish: Wish
    since: int
    until: int | None


def in_force(events: Iterable[TimedEvent], at: int) -> tuple[ActiveWish, ...]:
    """Every wish in force at `at` (unix seconds), highest precedence first."""
    active = [wish for timed in events for wish in _wishes(timed) if _covers(wish, at)]
    return tuple(sorted(active, key=lambda wish: (*precedence(wish.timed), wish.course.signal_name)))


def next_change(events: Iterable[TimedEvent], at: int) -> int | None:
    """The earliest time after `at` at which `in_force` can answer otherwise, or None."""
    edges = (edge for timed in events for wish in _wishes(timed) for edge in (wish.since, wish.until))
    return min((edge for edge in edges if edge is not None and edge > at), default=None)


def is_over(timed: TimedEvent, at: int) -> bool:
    """Whether nothing of the event can be in force at `at` or later."""
    return timed.end is not None and timed.end <= at


def precedence(timed: TimedEvent) -> tuple[int, int, str, str]:
    """The sort key of an event among others; see the module's text."""
    utility, event_id = timed.event.origin.key
    return timed.event.rank, timed.start, utility, event_id


def _wishes(timed: TimedEvent) -> Iterator[ActiveWish]:
    if timed.event.test:
        return
    for course in timed.event.courses:
        for interval in course.intervals:
            since = timed.start + interval.offset_seconds
            until = None if interval.duration_seconds is None else since + interval.duration_seconds
            until = _earlier(until, timed.end)
            if until is None or since < until:
                yield ActiveWish(timed, course, interval.wish, since, until)


def _covers(wish: ActiveWish, at: int) -> bool:
    return wish.since <= at and (wish.until is None or at < wish.until)


def _earlier(first: int | None, second: int | None) -> int | None:
    known = [moment for moment in (first, second) if moment is not None]
    return min(known, default=None)
