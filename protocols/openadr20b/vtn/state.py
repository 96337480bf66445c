"""What a VTN must not lose at a restart, as one frozen value with its bytes: events, and all that it knows of each VEN.

JSON, because staff may have to read it; a state of another layout is refused, never half read. Times are aware UTC.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

import msgspec

from wattseal.certs.errors import WorldError
from wattseal.protocols.openadr20b.report import ResourceStatus
from wattseal.protocols.openadr20b.vocabulary import OptType, ResponseRequired
from wattseal.protocols.openadr20b.vtn.draft import EventDraft

LAYOUT: Final = 1


class EventRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One event in its latest version.

    `cancelled`: listed as such until each VEN that knew of it has answered. `retired`: no longer listed at all, which a
    VEN reads as cancelled by implication (rule 61).
    """

    event_id: str
    modification_number: int
    draft: EventDraft
    created: datetime
    modified: datetime | None = None
    modification_reason: str | None = None
    cancelled: bool = False
    retired: bool = False

    @property
    def wants_answer(self) -> bool:
        """Whether VENs must answer it (rules 12 and 62)."""
        return self.draft.response_required is ResponseRequired.ALWAYS


class Told(msgspec.Struct, frozen=True):
    """One event as it stood in the last list that a VEN was given."""

    event_id: str
    modification_number: int


class EventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a VEN said to one version of an event. `opt_id`: by oadrCreateOpt, which beats later ones (rule 206)."""

    event_id: str
    modification_number: int
    opt: OptType
    code: str
    description: str | None
    at: datetime
    opt_id: str | None = None


class OptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One oadrCreateOpt. `available` are (start, seconds) of its schedule; `event_id` the event that it qualifies."""

    opt_id: str
    opt: OptType
    reason: str
    created: datetime
    event_id: str | None = None
    modification_number: int | None = None
    market_context: str | None = None
    resource_ids: tuple[str, ...] = ()
    available: tuple[tuple[datetime, int], ...] = ()


class OfferedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One data point on offer. Periods are seconds, None where the VEN named none."""

    r_id: str
    report_type: str
    reading_type: str
    resource_ids: tuple[str, ...] = ()
    min_seconds: int | None = None
    max_seconds: int | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One report that a VEN registered. `report_name` is without the METADATA in front."""

    specifier_id: str
    report_name: str | None
    points: tuple[OfferedPoint, ...]


class RequestState(StrEnum):
    """How far a report request is."""

    WANTED = "wanted"  # to be sent
    SENT = "sent"  # not answered yet
    RUNNING = "running"
    CANCEL_WANTED = "cancel_wanted"
    CANCEL_SENT = "cancel_sent"
    ENDED = "ended"  # cancelled, or all that was asked for has come
    REFUSED = "refused"
    UNANSWERED = "unanswered"


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One oadrReportRequest. `points` are (rID, readingType). Both periods 0: once only.

    `window` is (start, seconds), None: until cancelled. `wanted` says that configuration asked. `tries`: how often the
    current step was put to the VEN. `to_follow`: after its cancellation one more report is welcome.
    """

    request_id: str
    specifier_id: str
    points: tuple[tuple[str, str], ...]
    granularity_seconds: int
    back_seconds: int
    window: tuple[datetime, int] | None = None
    state: RequestState = RequestState.WANTED
    wanted: bool = False
    tries: int = 0
    to_follow: bool = False
    reports: int = 0
    code: str = "200"

    @property
    def once(self) -> bool:
        """Whether one report is all that is wanted."""
        return self.back_seconds == 0 and self.granularity_seconds == 0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One data point over one interval, exactly as it was reported."""

    request_id: str
    specifier_id: str
    r_id: str
    start: datetime | None
    duration_seconds: int | None
    value: Decimal | ResourceStatus
    quality: str | None = None


class VenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A registered VEN. `certificate` is the SHA-256 of the one that it registered with, None: over plain HTTP.

    `leaving`: the VTN is ending the registration. `reregister`: it asks for a new one. `metadata_tries`: how often our
    own metadata were sent, -1 once answered. `repeated`: the last poll brought a list that it had before.
    """

    ven_id: str
    ven_name: str | None
    registration_id: str
    registered: datetime
    certificate: str | None = None
    report_only: bool = False
    xml_signature: bool = False
    leaving: bool = False
    reregister: bool = False
    metadata_tries: int = -1
    repeated: bool = False
    told: tuple[Told, ...] = ()
    answers: tuple[EventAnswer, ...] = ()
    opts: tuple[OptRecord, ...] = ()
    offers: tuple[Offer, ...] = ()
    requests: tuple[RequestRecord, ...] = ()
    readings: tuple[Reading, ...] = ()

    def answer_to(self, event: EventRecord) -> EventAnswer | None:
        """Its answer to the present version of an event."""
        for one in self.answers:
            if one.event_id == event.event_id and one.modification_number == event.modification_number:
                return one
        return None

    def request(self, request_id: str) -> RequestRecord | None:
        """The report request of this id."""
        return next((one for one in self.requests if one.request_id == request_id), None)

    def with_request(self, request: RequestRecord) -> "VenRecord":
        """The same VEN with one request replaced, or added."""
        others = tuple(one for one in self.requests if one.request_id != request.request_id)
        return msgspec.structs.replace(self, requests=(*others, request))


class VtnState(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `epoch` is drawn at random when the state is made, `serial` counts: together they make identifiers
    that no VEN has met before, also after a state was lost.
    """

    layout: int = LAYOUT
    epoch: str
    serial: int = 0
    events: tuple[EventRecord, ...] = ()
    vens: tuple[VenRecord, ...] = ()

    def to_bytes(self) -> bytes:
        """UTF-8 JSON, the same for the same state."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises WorldError (`vtn_state_unreadable`) for bytes that this release did not write."""
        try:
            state = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
            raise WorldError("vtn_state_unreadable", f"The kept state of the VTN: {error}.") from error
        if state.layout != LAYOUT:
            raise WorldError("vtn_state_unreadable", f"The kept state has layout {state.layout}, not {LAYOUT}.")
        return state
