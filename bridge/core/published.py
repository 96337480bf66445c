"""From a whole schedule to what changed of it: level-based, so that a restart or a repeated telling changes nothing.

What was published stands in the core's memory; what is wanted is told whole by the dialect. They are compared by what
they ask from now on, for a schedule that is told again no longer tells the past. A wish that goes on keeps the start
that it was published with: what was ordered for it stands, and is not ordered again. What lies beyond the time up to
which the schedule is known is not compared: it is told again before it comes near. Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from wattseal.bridge.core.inbound import Change
from wattseal.bridge.timeline import TimedEvent, is_over
from wattseal.protocols.grid_event import Course, EventStatus, GridEvent, Interval, Point
from wattseal.protocols.wish import Wish


@dataclass(frozen=True, slots=True)
class Difference:
    """One event that is to be published, as it is to stand."""

    change: Change
    event: GridEvent


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One wish at some devices, in unix seconds."""

    signal: str
    point: Point
    devices: tuple[str, ...]
    wish: Wish
    since: int
    until: int | None

    def covers(self, at: int) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


def differences(
    published: Mapping[str, TimedEvent],
    wanted: Iterable[GridEvent],
    cancelled: Collection[str],
    now: int,
    known_until: int | None = None,
) -> tuple[Difference, ...]:
    """What to publish so that the schedule is as wanted. `published`: events of one utility, by event id.

    An event that is wanted no longer was cancelled if `cancelled` names it; else it is withdrawn: superseded, removed,
    or out of our reach. One that merely ran out is left alone.
    """
    found = []
    named = set()
    for event in wanted:
        named.add(event.origin.event_id)
        before = published.get(event.origin.event_id)
        standing = before is not None and before.event.status is EventStatus.STANDING
        if before is None or not standing:
            found.append(Difference(Change.NEW, event))
        elif _ahead(before.event, now, known_until) != _ahead(event, now, known_until):
            found.append(Difference(Change.MODIFIED, _carried_on(before.event, event, now)))
    for event_id, before in sorted(published.items()):
        if event_id in named or before.event.status is not EventStatus.STANDING or _is_spent(before, now, known_until):
            continue
        change = Change.CANCELLED if event_id.partition("~")[0] in cancelled else Change.WITHDRAWN
        status = EventStatus.CANCELLED if change is Change.CANCELLED else EventStatus.WITHDRAWN
        found.append(Difference(change, replace(before.event, status=status)))
    return tuple(found)


def _is_spent(timed: TimedEvent, now: int, known_until: int | None) -> bool:
    return is_over(timed, now) or not _ahead(timed.event, now, known_until)[1]


def _ahead(event: GridEvent, now: int, known_until: int | None) -> tuple[GridEvent, frozenset[_Stretch]]:
    """What an event asks from `now` on, as far as is known, and all else that it says."""
    bare = replace(event, start=0, duration_seconds=None, courses=())
    found = []
    for one in _stretches(event):
        past = one.until is not None and one.until <= now
        unknown = known_until is not None and one.since >= known_until
        if past or unknown:
            continue
        beyond = known_until is not None and (one.until is None or one.until > known_until)
        found.append(replace(one, since=max(one.since, now), until=known_until if beyond else one.until))
    return bare, frozenset(found)


def _carried_on(before: GridEvent, event: GridEvent, now: int) -> GridEvent:
    """The event with the starts of what goes on at `now` as they were published."""
    known = [one for one in _stretches(before) if one.covers(now)]
    stretches = [_with_start(one, known, now) for one in _stretches(event)]
    start = min(one.since for one in stretches)
    untils = [one.until for one in stretches]
    courses: dict[tuple[str, Point, tuple[str, ...]], list[Interval]] = {}
    for one in stretches:
        duration = None if one.until is None else one.until - one.since
        interval = Interval(one.since - start, duration, one.wish)
        courses.setdefault((one.signal, one.point, one.devices), []).append(interval)
    return replace(
        event,
        start=start,
        duration_seconds=None if None in untils else max(until or 0 for until in untils) - start,
        courses=tuple(Course(*key, tuple(intervals)) for key, intervals in courses.items()),
    )


def _with_start(one: _Stretch, known: Iterable[_Stretch], now: int) -> _Stretch:
    if not one.covers(now):
        return one
    same = (
        other.since
        for other in known
        if (other.signal, other.point, other.wish) == (one.signal, one.point, one.wish)
        and set(other.devices) >= set(one.devices)
    )
    return replace(one, since=min([*same, one.since]))


def _stretches(event: GridEvent) -> list[_Stretch]:
    found = []
    for course in event.courses:
        for interval in course.intervals:
            since = event.start + interval.offset_seconds
            until = None if interval.duration_seconds is None else since + interval.duration_seconds
            found.append(_Stretch(course.signal_name, course.point, course.devices, interval.wish, since, until))
    return found
