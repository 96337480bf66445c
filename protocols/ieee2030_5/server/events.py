"""The state of events at a time: scheduled, active, cancelled, superseded, complete; who supersedes whom.

Nothing of this is stored: it follows from the events and the clock, so that a restart, a clock that is set and a list
that is read late all agree. Supersession is judged per mode and within one programme: an event takes its modes, when it
starts, from every event of earlier creation (then of smaller mRID) whose period overlaps its own. One that has lost all
modes is superseded, one that is overlapped in part is potentially superseded. What ended (in time, by cancellation or
by supersession) before another began takes nothing any more. Across programmes the devices judge, as primacy is theirs.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from wattseal.protocols.ieee2030_5.base import Event, EventStatus
from wattseal.protocols.ieee2030_5.server.state import Listed
from wattseal.protocols.ieee2030_5.vocabulary import EventState

E = TypeVar("E", bound=Event)
_FINISHED: Final = frozenset(
    {EventState.CANCELLED, EventState.CANCELLED_WITH_RANDOMIZATION, EventState.SUPERSEDED, EventState.COMPLETE}
)
ModesOf = Callable[[E], frozenset[str]]


def statuses(listed: Sequence[Listed[E]], modes_of: ModesOf[E], now: int) -> tuple[EventStatus, ...]:
    """The state of each event at `now`, in their order. `now` is by the server's clock."""
    ranked = sorted(listed, key=lambda one: (one.event.creation_time, one.event.mrid), reverse=True)
    settled: list[tuple[Listed[E], frozenset[str], int]] = []
    found: dict[int, EventStatus] = {}
    for one in ranked:
        status, end = _judged(one, modes_of(one.event), settled, now)
        found[one.serial] = status
        settled.append((one, modes_of(one.event), end))
    return tuple(found[one.serial] for one in listed)


def shown(
    listed: Sequence[Listed[E]], modes_of: ModesOf[E], now: int, keep_seconds: int, *, active: bool = False
) -> tuple[tuple[Listed[E], E], ...]:
    """What a list shows at `now`, each event with its state: by start, then latest creation, then largest mRID.

    Finished ones stay for `keep_seconds` after their end. `active`: only those that run.
    """
    present = [one for one in listed if not one.dropped]
    pairs = []
    for one, status in zip(present, statuses(present, modes_of, now), strict=True):
        event = one.event
        if event.interval.end + keep_seconds <= now and status.current_status in _FINISHED:
            continue
        if active and status.current_status is not EventState.ACTIVE:
            continue
        pairs.append((one, msgspec.structs.replace(event, event_status=status)))
    pairs.sort(key=lambda pair: _digits_down(pair[1].mrid))
    pairs.sort(key=lambda pair: (pair[1].interval.start, -pair[1].creation_time))
    return tuple(pairs)


def no_modes(_: Event) -> frozenset[str]:
    """For events of which none takes anything from another."""
    return frozenset()


def _digits_down(mrid: str) -> tuple[int, ...]:
    return tuple(-ord(digit) for digit in mrid)


def _judged(
    one: Listed[E], modes: frozenset[str], newer: Iterable[tuple[Listed[E], frozenset[str], int]], now: int
) -> tuple[EventStatus, int]:
    """The state of one event, given all that rank before it; and when it stops to take modes from others."""
    event = one.event
    start, end = event.interval.start, event.interval.end
    if one.cancelled is not None and one.cancelled_at < end:
        end = one.cancelled_at
    taken: dict[str, int] = {}
    first_overlap: int | None = None
    for other, its_modes, its_end in newer:
        begins = other.event.interval.start
        at = max(begins, start, other.event.creation_time)
        if not modes & its_modes or at >= min(end, its_end):
            continue
        known = other.event.creation_time
        first_overlap = known if first_overlap is None else min(first_overlap, known)
        for mode in modes & its_modes:
            taken[mode] = min(taken.get(mode, at), at)
    lost_at = max(taken.values()) if modes and taken.keys() == modes else None
    status = _status(one, lost_at, first_overlap, now)
    return status, end if lost_at is None else min(end, lost_at)


def _status(one: Listed[E], lost_at: int | None, first_overlap: int | None, now: int) -> EventStatus:
    event = one.event
    overlapped = first_overlap is not None and first_overlap <= now
    state, since = EventState.SCHEDULED, event.creation_time
    if now >= event.interval.end:
        state, since = EventState.COMPLETE, event.interval.end
    elif now >= event.interval.start:
        state, since = EventState.ACTIVE, max(event.interval.start, event.creation_time)
    if lost_at is not None and lost_at <= now:
        state, since = EventState.SUPERSEDED, lost_at
    if one.cancelled is not None and one.cancelled_at <= now and (lost_at is None or lost_at > one.cancelled_at):
        state, since = one.cancelled, one.cancelled_at
    return EventStatus(
        current_status=state,
        date_time=min(since, now),
        potentially_superseded=overlapped,
        potentially_superseded_time=min(first_overlap, now) if overlapped and first_overlap is not None else None,
        reason=one.reason,
    )
