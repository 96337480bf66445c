"""`GridEvent`: what a utility asks for, in one vocabulary for all dialects, without flattening it.

A wish keeps its kind (`wish.py`): the deck decides what a device does about it. Times are unix seconds.
This is also the body of the *intent* statement, so the encoding is deterministic and a changed field changes its bytes.

    intent {1: translator, 2: [dialect, utility, programme, event id, version], 3: status, 4: priority or null, 5: test,
            6: start, 7: duration or null (open-ended), 8: start tolerance, 9: ramp-up or null, 10: recovery or null,
            11: [[course], ...]}
    course {1: signal name, 2: point, 3: [device, ...], 4: [[offset, duration or null, wish kind, value], ...]}
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattseal.certs import cbor
from wattseal.protocols.wish import IntentError, Wish, pair_of, wish_of

# One scale for all dialects, lowest number first: numbered events, events without a number, defaults.
UNSTATED_PRIORITY: Final = 1 << 32
"""Where an event without a number ranks: below every number that a dialect can write (OpenADR: xs:unsignedInt)."""
DEFAULT_PRIORITY: Final = UNSTATED_PRIORITY + 1
"""The number of the highest default: what holds where no event does ranks below every event of any utility."""


class EventStatus(StrEnum):
    """Whether the wish stands. Far, near, active and completed follow from the clock, not from the message."""

    STANDING = "standing"
    CANCELLED = "cancelled"  # by an explicit message
    WITHDRAWN = "withdrawn"  # a full list no longer names it (OpenADR 2.0b rule 61)


class Point(StrEnum):
    """Where a wish holds."""

    SITE = "site"  # at the meter of the connection, shared by all devices
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Interval:
    """One wish from `offset_seconds` after the event's start, for `duration_seconds` (`None`: until further notice)."""

    offset_seconds: int
    duration_seconds: int | None
    wish: Wish


@dataclass(frozen=True, slots=True)
class Course:
    """One signal of an event: where it holds and how it runs. `devices` is empty at the site point."""

    signal_name: str
    point: Point
    devices: tuple[str, ...]
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from. `utility` is the name under which the site enrolled it; `programme` its context."""

    dialect: str
    utility: str
    programme: str
    event_id: str
    version: int

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same through all versions of one event: utility and event id."""
        return self.utility, self.event_id


@dataclass(frozen=True, slots=True)
class GridEvent:
    """One event, one version. A lower `priority` number wins; `None` ranks at `UNSTATED_PRIORITY`."""

    origin: Origin
    status: EventStatus
    priority: int | None
    test: bool
    start: int
    duration_seconds: int | None
    start_tolerance_seconds: int
    ramp_up_seconds: int | None
    recovery_seconds: int | None
    courses: tuple[Course, ...]

    @property
    def rank(self) -> int:
        """Its number on the one scale of all dialects; the lower wins."""
        return UNSTATED_PRIORITY if self.priority is None else self.priority

    @property
    def is_default(self) -> bool:
        """Whether it is no event of its dialect, but what holds where no event does."""
        return self.rank >= DEFAULT_PRIORITY

    def encode(self, translator: str) -> bytes:
        """The intent body; `translator` names the room and release that read the message."""
        origin = self.origin
        return cbor.encode(
            {
                1: translator,
                2: (origin.dialect, origin.utility, origin.programme, origin.event_id, origin.version),
                3: str(self.status),
                4: self.priority,
                5: self.test,
                6: self.start,
                7: self.duration_seconds,
                8: self.start_tolerance_seconds,
                9: self.ramp_up_seconds,
                10: self.recovery_seconds,
                11: tuple(_course_map(course) for course in self.courses),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "tuple[GridEvent, str]":
        """The event and the translator that made it. Raises `IntentError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: str(translator),
                2: (tuple() | list()) as origin,
                3: str(status),
                4: (int() | None) as priority,
                5: bool(test),
                6: int(start),
                7: (int() | None) as duration,
                8: int(tolerance),
                9: (int() | None) as ramp_up,
                10: (int() | None) as recovery,
                11: (tuple() | list()) as courses,
                **rest,
            } if not rest and status in set(EventStatus):
                event = cls(
                    _origin(origin), EventStatus(status), priority, test, start, duration, tolerance, ramp_up, recovery,
                    tuple(_course(item) for item in courses),
                )  # fmt: skip
                return event, translator
        raise IntentError("intent_malformed", "The intent body is not laid out as this release reads it.")


def _course_map(course: Course) -> dict[int, cbor.Value]:
    rows = tuple((i.offset_seconds, i.duration_seconds, *pair_of(i.wish)) for i in course.intervals)
    return {1: course.signal_name, 2: str(course.point), 3: course.devices, 4: rows}


def _origin(parts: tuple[cbor.Value, ...] | list[cbor.Value]) -> Origin:
    match parts:
        case [str(dialect), str(utility), str(programme), str(event_id), int(version)]:
            return Origin(dialect, utility, programme, event_id, version)
    raise IntentError("intent_malformed", "The origin is not dialect, utility, programme, event and version.")


def _course(item: cbor.Value) -> Course:
    match item:
        case {1: str(name), 2: str(point), 3: (tuple() | list()) as devices, 4: (tuple() | list()) as rows, **rest} if (
            not rest and point in set(Point)
        ):
            return Course(name, Point(point), tuple(map(_device, devices)), tuple(_interval(row) for row in rows))
    raise IntentError("intent_malformed", "A course is not signal, point, devices and intervals.")


def _device(name: cbor.Value) -> str:
    if not isinstance(name, str):
        raise IntentError("intent_malformed", "A device of the course is not a name.")
    return name


def _interval(row: cbor.Value) -> Interval:
    match row:
        case [int(offset), (int() | None) as duration, str(kind), value]:
            return Interval(offset, duration, wish_of(kind, value))
    raise IntentError("intent_malformed", "An interval is not offset, duration, kind and value.")
