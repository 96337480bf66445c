"""What a session tells the deck, and what the deck answers: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.openadr20b.vocabulary import OptType, ResponseCode

EventKey: TypeAlias = tuple[str, str]
"""`Origin.key`: the utility's enrolled name and the event id."""


class ChangeKind(StrEnum):
    """How an event of the list stands to what we knew."""

    NEW = "new"
    MODIFIED = "modified"
    UNCHANGED = "unchanged"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"  # no longer listed after its active period: runs out by our own clock (rule 66)
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class EventChange:
    """One event of a list, or one that is missing from it.

    `event` is the intent to seal: standing when NEW or MODIFIED, CANCELLED or WITHDRAWN; None where nothing changes
    (UNCHANGED, ENDED, an unknown event cancelled). A REFUSED modification of an event that stood carries the WITHDRAWN
    form of it, since the version that stood is no longer wanted. `start_draw_seconds` is the random delay of start and
    of a cancel (rules 30, 65), drawn once.
    """

    kind: ChangeKind
    event_id: str
    modification_number: int
    event: GridEvent | None = None
    code: str = ResponseCode.OK.value
    reason: str = ""
    sentence: str = ""
    start_draw_seconds: int = 0
    not_carried: tuple[str, ...] = ()
    needs_answer: bool = False


@dataclass(frozen=True, slots=True)
class OptAnswer:
    """The deck's answer to one event. On a cancelled event optIn confirms (rule 36)."""

    opt: OptType
    code: str = ResponseCode.OK.value
    description: str = "OK"


Answers: TypeAlias = Mapping[EventKey, OptAnswer]


@dataclass(frozen=True, slots=True)
class ReportWanted:
    """Rows that the session asks the deck for: from `begin` to `end`, half-open, in steps of the granularity.

    `granularity_seconds` 0: one value, now. `given_up_seconds`: how much older time the offer's history no longer
    covers and is skipped. `last`: the request ends with this report.
    """

    request_id: str
    specifier_id: str
    r_ids: tuple[str, ...]
    granularity_seconds: int
    begin: int
    end: int
    last: bool
    given_up_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Registered:
    """The VTN registered us. `again`: we had been registered before."""

    ven_id: str
    vtn_id: str
    registration_id: str
    poll_seconds: int | None
    again: bool


@dataclass(frozen=True, slots=True)
class EventsReceived:
    """A full list of events. Every change with `needs_answer` is to be answered with `answer_events`."""

    raw: bytes = field(repr=False)
    request_id: str
    changes: tuple[EventChange, ...]


@dataclass(frozen=True, slots=True)
class ReportRequested:
    """A report request runs from now on."""

    request_id: str
    specifier_id: str
    r_ids: tuple[str, ...]
    granularity_seconds: int
    back_seconds: int


@dataclass(frozen=True, slots=True)
class ReportCancelled:
    """A report request ended. `reason`: by_utility, superseded, forgotten, completed or deregistered."""

    request_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportDue:
    """`submit_report` is awaited with the rows that `wanted` describes."""

    wanted: ReportWanted


@dataclass(frozen=True, slots=True)
class ReportAccepted:
    """The VTN took a report: the exact bytes that went out and came back."""

    request_id: str
    begin: int
    end: int
    rows: int
    request_raw: bytes = field(repr=False)
    answer_raw: bytes = field(repr=False)
    code: str


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """The VTN refused a report for good; it is not sent again."""

    request_id: str
    begin: int
    end: int
    rows: int
    request_raw: bytes = field(repr=False)
    answer_raw: bytes = field(repr=False)
    code: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The VTN no longer knows us, or asks us to register again; the session does so by itself.

    `reason`: not_registered (463), invalid_id (452) or reregistration_requested.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Deregistered:
    """The registration was ended on purpose. `changes` withdraws every event that stood."""

    raw: bytes = field(repr=False)
    by_utility: bool
    changes: tuple[EventChange, ...]


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """Something came that cannot be acted on; what was good before still stands. `raw` is empty if nothing came."""

    raw: bytes = field(repr=False)
    reason: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ExchangeFailed:
    """The VTN could not be reached; the session tries again after `retry_seconds`."""

    reason: str
    retry_seconds: float


Happening: TypeAlias = (
    Registered
    | EventsReceived
    | ReportRequested
    | ReportCancelled
    | ReportDue
    | ReportAccepted
    | ReportRefused
    | Forgotten
    | Deregistered
    | MessageRefused
    | ExchangeFailed
)
