"""What is in force at the devices of a 2030.5 server into `GridEvent`s: pure, total, and the one place where this
dialect's signs, percents and multipliers end (mode by mode: `translating/table.py`).

    on the wire                                    inside
    one DERControl, as far as it holds somewhere   one event: id = mRID in upper case, priority = primacy
    a programme's DefaultDERControl, where it      one event "default:<mRID of the programme>", open-ended,
      holds because no event does                    priority DEFAULT_PRIORITY + primacy: below every event
    a mode of it, at some devices, for a while     a course with exactly those intervals
    csipaus import and export limits               courses at the site; all others at the device
    percentages of a setting                       watts, by the device's ratings as they were told to the server
    `disabled` (2023)                              no interval: the mode is switched off, and a remark says so
    an EndDeviceControl, a flow reservation        likewise: a limit on what a device absorbs (`translating/loads`)
    rampTms, whole seconds                         the event's ramp-up; finer: a remark

Which event holds a mode, and when, was settled by the dialect's own engine; nobody need judge it again, and where one
event follows another there is no instant without either. Knows the devices by name and rating, no server, no session.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final

from wattseal.protocols.grid_event import DEFAULT_PRIORITY, Course, EventStatus, GridEvent, Interval, Origin, Point
from wattseal.protocols.ieee2030_5.carrying import Reading, Unfit, carried_of, reading, sentence
from wattseal.protocols.ieee2030_5.client.config import Managed, Ratings
from wattseal.protocols.ieee2030_5.engine.force import InForce, Source
from wattseal.protocols.ieee2030_5.engine.forecast import Segment
from wattseal.protocols.ieee2030_5.translating.meaning import Meant, NotCarriedError
from wattseal.protocols.ieee2030_5.translating.service import RETURN_PARTS, joined
from wattseal.protocols.ieee2030_5.translating.table import NOT_CARRIED
from wattseal.protocols.wish import ReturnToService, Wish

TRANSLATOR: Final = "ieee2030.5/1"
DIALECT: Final = "ieee2030.5"
DEFAULT: Final = "default:"
PROGRAMME: Final = "programme:"
MAX_EVENT_BYTES: Final = 60_000  # a sealed statement has at most 65,536, its header some thousand of them
RETURN_TO_SERVICE: Final = "setES"
_HUNDREDTHS: Final = 100
_MOST_NAMES: Final = 500  # in one course; more of them make courses, and at last events, of their own


@dataclass(frozen=True, slots=True)
class TranslationContext:
    """What the site knows: its name for the utility, its devices by LFDI, its names of programmes by mRID."""

    utility: str
    devices: Mapping[bytes, Managed]
    programmes: Mapping[bytes, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """What of a mode of an event is not carried as the utility wrote it, for the log and for status."""

    event_id: str
    mode: str
    what: str


@dataclass(frozen=True, slots=True)
class Translation:
    """All events that hold or will hold, by event id; and what is to be remarked of them."""

    events: tuple[GridEvent, ...]
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """One wish at some devices for a while."""

    signal: str
    point: Point
    devices: tuple[str, ...]
    since: int
    until: int | None
    wish: Wish


def translate(segments: Iterable[Segment], context: TranslationContext) -> Translation:
    """The events that the segments come to. Devices that the site does not know are left out."""
    rows: dict[str, list[_Row]] = {}
    forces: dict[str, InForce] = {}
    remarks: set[Remark] = set()
    readings: dict[tuple[str, bytes, Ratings], Reading] = {}
    for segment in segments:
        event_id = event_id_of(segment.force)
        forces.setdefault(event_id, segment.force)
        rows.setdefault(event_id, []).extend(_rows(segment, context, readings, remarks, event_id))
    events = [
        event
        for event_id, found in sorted(rows.items())
        for event in _events(event_id, forces[event_id], _merged(found), context, remarks)
    ]
    return Translation(tuple(events), tuple(sorted(remarks)))


def event_id_of(force: InForce) -> str:
    """The id of the event that a value belongs to."""
    if force.source is Source.DEFAULT:
        return DEFAULT + force.program.hex().upper()
    return force.subject.hex().upper()


def remarks_of(unfit: Iterable[Unfit]) -> tuple[Remark, ...]:
    """Remarks on what never came into force because it cannot be carried, beside those on what did."""
    return tuple(
        Remark(one.event.hex().upper() or DEFAULT + one.programme.hex().upper(), one.mode, one.why) for one in unfit
    )


def ended(previous: GridEvent, status: EventStatus) -> GridEvent:
    """The form of an event that holds nowhere any longer: cancelled by a message, or withdrawn."""
    return replace(previous, status=status)


def _rows(
    segment: Segment,
    context: TranslationContext,
    readings: dict[tuple[str, bytes, Ratings], Reading],
    remarks: set[Remark],
    event_id: str,
) -> Iterator[_Row]:
    mode, value = segment.force.mode, segment.force.value
    carried = carried_of(mode)
    if carried is None:
        remarks.add(Remark(event_id, mode, NOT_CARRIED.get(mode, "is not known to this release")))
        return
    by_wish: dict[Wish, list[str]] = {}
    for lfdi in segment.devices:
        managed = context.devices.get(lfdi)
        if managed is None:
            continue
        key = mode, value, managed.ratings
        if key not in readings:
            readings[key] = reading(mode, value, managed.ratings)
        meaning = readings[key]
        remarks.update(Remark(event_id, mode, what) for what in _remarks(meaning))
        if isinstance(meaning, Meant):
            by_wish.setdefault(meaning.wish, []).append(managed.name)
    signal = RETURN_TO_SERVICE if mode in RETURN_PARTS else mode
    for wish, names in by_wish.items():
        devices = () if carried.point is Point.SITE else tuple(sorted(names))
        yield _Row(signal, carried.point, devices, segment.since, segment.until, wish)


def _remarks(meaning: Reading) -> tuple[str, ...]:
    match meaning:
        case Meant(_, remarks):
            return remarks
        case NotCarriedError():
            return (sentence(meaning),)
        case _:
            return ("is switched off (disabled)",)


def _merged(rows: list[_Row]) -> list[_Row]:
    """Parts of one wish joined, then what follows on without a change."""
    parts = [row for row in rows if isinstance(row.wish, ReturnToService)]
    whole: list[_Row] = [row for row in rows if not isinstance(row.wish, ReturnToService)]
    parts.sort(key=_place)
    for _, same in groupby(parts, key=_place):
        first, *others = same
        for other in others:
            if isinstance(first.wish, ReturnToService) and isinstance(other.wish, ReturnToService):
                first = replace(first, wish=joined(first.wish, other.wish))
        whole.append(first)
    return _followed_on(whole)


def _followed_on(rows: list[_Row]) -> list[_Row]:
    rows.sort(key=lambda row: (row.signal, row.point, row.devices, row.since, row.until or 0))
    merged: list[_Row] = []
    for row in rows:
        last = merged[-1] if merged else None
        if last is None or not _goes_on(last, row):
            merged.append(row)
            continue
        open_ended = last.until is None or row.until is None
        merged[-1] = replace(last, until=None if open_ended else max(last.until or 0, row.until or 0))
    return merged


def _goes_on(last: _Row, row: _Row) -> bool:
    same = (last.signal, last.point, last.devices, last.wish) == (row.signal, row.point, row.devices, row.wish)
    return same and (last.until is None or row.since <= last.until)


def _place(row: _Row) -> tuple[str, Point, tuple[str, ...], int, int]:
    return row.signal, row.point, row.devices, row.since, row.until or 0


def _events(
    event_id: str, force: InForce, rows: list[_Row], context: TranslationContext, remarks: set[Remark]
) -> Iterator[GridEvent]:
    """One event, or as many as it takes for each to fit into a statement."""
    if not rows:
        return
    ramp_seconds, rest = divmod(force.ramp_hundredths or 0, _HUNDREDTHS)
    if rest:
        remarks.add(Remark(event_id, "rampTms", f"{force.ramp_hundredths}/100 s is finer than a second"))
    default = force.source is Source.DEFAULT
    programme = context.programmes.get(force.program, force.program.hex().upper())
    start = min(row.since for row in rows)
    untils = [row.until for row in rows]
    event = GridEvent(
        origin=Origin(DIALECT, context.utility, programme, event_id, force.version),
        status=EventStatus.STANDING,
        priority=force.primacy + (DEFAULT_PRIORITY if default else 0),
        test=False,
        start=start,
        duration_seconds=None if None in untils else max(until or 0 for until in untils) - start,
        start_tolerance_seconds=0,
        ramp_up_seconds=ramp_seconds if ramp_seconds and not rest else None,
        recovery_seconds=None,
        courses=tuple(_courses(rows, start)),
    )
    yield from _fitting(event)


def _courses(rows: list[_Row], start: int) -> Iterator[Course]:
    for (signal, point, devices), same in groupby(rows, key=lambda row: (row.signal, row.point, row.devices)):
        intervals = tuple(
            Interval(row.since - start, None if row.until is None else row.until - row.since, row.wish) for row in same
        )
        for first in range(0, max(1, len(devices)), _MOST_NAMES):
            yield Course(signal, point, devices[first : first + _MOST_NAMES], intervals)


def _fitting(event: GridEvent) -> Iterator[GridEvent]:
    """The event whole, or in halves named `<id>~1`, `<id>~2`, ... where a statement cannot hold it."""
    pieces = [event.courses]
    done: list[tuple[Course, ...]] = []
    while pieces:
        courses = pieces.pop()
        if len(courses) > 1 and len(replace(event, courses=courses).encode(TRANSLATOR)) > MAX_EVENT_BYTES:
            half = len(courses) // 2
            pieces += [courses[half:], courses[:half]]
        else:
            done.append(courses)
    for number, courses in enumerate(done):
        name = event.origin.event_id if number == 0 else f"{event.origin.event_id}~{number}"
        yield replace(event, origin=replace(event.origin, event_id=name), courses=courses)
