"""What a VEN must not lose at a restart, as one frozen value with its bytes: registration, events, answers, requests.

The journal writes `to_bytes` after each step. JSON, because an operator may have to read it; a state of another layout
is refused, never half read. Knows no message and no clock: times are unix seconds.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

import msgspec

from wattseal.certs.errors import WorldError
from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.openadr20b.report import ResourceStatus
from wattseal.protocols.openadr20b.vocabulary import DataQuality, OptType, ReportName

LAYOUT: Final = 1


class Lapse(StrEnum):
    """Why a registration no longer holds."""

    NO = "no"
    RENEW = "renew"  # the VTN asks for it: the identifiers travel with the new one
    FORGOTTEN = "forgotten"  # the VTN does not know them: they do not
    ENDED_BY_UTILITY = "ended_by_utility"
    ENDED_BY_US = "ended_by_us"


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the VTN's list, in the version that we answered or are about to answer.

    `intent` is the encoded GridEvent of the last version that stood, empty if none ever did. `opt` None: the deck has
    not answered yet. `code` and `description` are what the eventResponse says; `context` the digest of the
    configuration under which it was read.
    """

    event_id: str
    modification_number: int
    intent: bytes = b""
    standing: bool = False
    cancelled: bool = False
    code: str = "200"
    description: str = ""
    opt: OptType | None = None
    tolerance_seconds: int = 0
    draw_seconds: int = 0
    context: str = ""

    @property
    def event(self) -> GridEvent | None:
        """The last version that stood, decoded."""
        return GridEvent.decode(self.intent)[0] if self.intent else None


class RunningRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One oadrReportRequest that runs. `covered_to`: rows up to here were asked for; `due`: when to ask again.

    `back_seconds` 0: one report only. `closing`: the VTN cancelled it and waits for one last report.
    """

    request_id: str
    specifier_id: str
    r_ids: tuple[str, ...]
    granularity_seconds: int
    back_seconds: int
    covered_to: int
    due: int
    end: int | None = None
    closing: bool = False


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One data point over one interval, as it goes on the wire: the sign of `value` is the utility's."""

    r_id: str
    start: int
    duration_seconds: int
    value: Decimal | ResourceStatus
    quality: DataQuality = DataQuality.GOOD_NON_SPECIFIC


class QueuedReport(msgspec.Struct, frozen=True, kw_only=True):
    """A report that the VTN has not acknowledged yet, half-open from `begin` to `end`."""

    request_id: str
    specifier_id: str
    report_name: ReportName
    begin: int
    end: int
    last: bool
    created: int
    rows: tuple[ReportRow, ...]


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted since the box first ran."""

    requests: int = 0
    refused_messages: int = 0
    failed_exchanges: int = 0
    registrations: int = 0
    reports_accepted: int = 0
    reports_refused: int = 0
    report_seconds_given_up: int = 0
    backlog_full: int = 0


class VenState(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Empty `registration_id` or `ven_id`: never registered. `lapsed`: what we have to do about the
    registration; the identifiers stay for comparison. `offered` is the digest of the offers that the VTN acknowledged,
    `poll_seconds` the period that it asked for.
    """

    layout: int = LAYOUT
    registration_id: str = ""
    ven_id: str = ""
    vtn_id: str = ""
    poll_seconds: int | None = None
    offered: str = ""
    lapsed: Lapse = Lapse.NO
    events: tuple[KnownEvent, ...] = ()
    requests: tuple[RunningRequest, ...] = ()
    backlog: tuple[QueuedReport, ...] = ()
    counters: Counters = Counters()

    @property
    def registered(self) -> bool:
        """Whether the VTN gave us both identifiers and they still hold."""
        return bool(self.registration_id and self.ven_id) and self.lapsed is Lapse.NO

    @property
    def closed(self) -> bool:
        """Whether the registration was ended on purpose."""
        return self.lapsed in {Lapse.ENDED_BY_UTILITY, Lapse.ENDED_BY_US}

    @property
    def backlog_rows(self) -> int:
        """Rows that wait for an acknowledgement."""
        return sum(len(report.rows) for report in self.backlog)

    def to_bytes(self) -> bytes:
        """UTF-8 JSON, the same for the same state."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises WorldError (`ven_state_unreadable`) for bytes that this release did not write."""
        try:
            state = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise WorldError("ven_state_unreadable", f"The kept state of the OpenADR session: {error}.") from error
        if state.layout != LAYOUT:
            raise WorldError("ven_state_unreadable", f"The kept state has layout {state.layout}, not {LAYOUT}.")
        return state
