"""EiEvent: oadrRequestEvent, oadrDistributeEvent, oadrCreatedEvent and what an event is made of.

Not carried, and refused on reading: more than one signalPayload in an interval, and a signalPayload that is no
payloadFloat (the profile has exactly one number per interval; the schema is wider).
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.lexical import URI, word_of
from wattseal.protocols.openadr20b.common import RESPONSE_CODE, CalendarPeriod, EiResponse, QualifiedEventID, Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.item_base import ItemBase
from wattseal.protocols.openadr20b.vocabulary import (
    EventStatus,
    ExtensionToken,
    OptType,
    ResponseRequired,
    SignalName,
    SignalType,
)
from wattseal.protocols.xml_wire import wire


class SignalInterval(msgspec.Struct, frozen=True, kw_only=True):
    """ei:interval of a signal or baseline; `value` (signalPayload) is in the signal's unit and scale."""

    dtstart: Annotated[datetime | None, wire("xcal:dtstart?/xcal:date-time")] = None
    duration: Annotated[Duration | None, wire("xcal:duration?/xcal:duration")] = None
    uid: Annotated[str | None, wire("xcal:uid?/xcal:text")] = None
    value: Annotated[Decimal, wire("ei:signalPayload/ei:payloadFloat/ei:value")]


class EventSignal(msgspec.Struct, frozen=True, kw_only=True):
    """eiEventSignal. `target` names a device class, if anything, in `end_device_assets`."""

    intervals: Annotated[tuple[SignalInterval, ...], wire("strm:intervals/ei:interval+")]
    target: Annotated[Target | None, wire("ei:eiTarget?")] = None
    signal_name: Annotated[SignalName | ExtensionToken, wire("ei:signalName")]
    signal_type: Annotated[SignalType, wire("ei:signalType")]
    signal_id: Annotated[str, wire("ei:signalID")]
    item_base: Annotated[ItemBase | None, wire("emix:itemBase?")] = None
    current_value: Annotated[Decimal | None, wire("ei:currentValue?/ei:payloadFloat/ei:value")] = None


class EventBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """eiEventBaseline."""

    dtstart: Annotated[datetime, wire("xcal:dtstart/xcal:date-time")]
    duration: Annotated[Duration, wire("xcal:duration/xcal:duration")]
    intervals: Annotated[tuple[SignalInterval, ...], wire("strm:intervals/ei:interval+")]
    baseline_id: Annotated[str, wire("ei:baselineID")]
    resource_ids: Annotated[tuple[str, ...], wire("ei:resourceID*")] = ()
    baseline_name: Annotated[str, wire("ei:baselineName")]
    item_base: Annotated[ItemBase | None, wire("emix:itemBase?")] = None


class EventSignals(msgspec.Struct, frozen=True, kw_only=True):
    """eiEventSignals: all signals run side by side over the active period."""

    signals: Annotated[tuple[EventSignal, ...], wire("ei:eiEventSignal+")]
    baseline: Annotated[EventBaseline | None, wire("ei:eiEventBaseline?")] = None


class EventDescriptor(msgspec.Struct, frozen=True, kw_only=True):
    """eventDescriptor. Priority 0 or absent is none, otherwise the lower number wins."""

    event_id: Annotated[str, wire("ei:eventID")]
    modification_number: Annotated[int, wire("ei:modificationNumber")]
    modification_date_time: Annotated[datetime | None, wire("ei:modificationDateTime?")] = None
    modification_reason: Annotated[str | None, wire("ei:modificationReason?")] = None
    priority: Annotated[int | None, wire("ei:priority?")] = None
    market_context: Annotated[str, wire("ei:eiMarketContext/emix:marketContext", URI)]
    created_date_time: Annotated[datetime, wire("ei:createdDateTime")]
    event_status: Annotated[EventStatus, wire("ei:eventStatus")]
    test_event: Annotated[str | None, wire("ei:testEvent?")] = None
    vtn_comment: Annotated[str | None, wire("ei:vtnComment?")] = None

    @property
    def is_test(self) -> bool:
        """Anything present except ``false`` means test (rule 6)."""
        return self.test_event is not None and self.test_event.strip() != "false"


class EiEvent(msgspec.Struct, frozen=True, kw_only=True):
    """eiEvent. `active_period` is eiActivePeriod/properties."""

    event_descriptor: Annotated[EventDescriptor, wire("ei:eventDescriptor")]
    active_period: Annotated[CalendarPeriod, wire("ei:eiActivePeriod/xcal:properties", then="xcal:components")]
    event_signals: Annotated[EventSignals, wire("ei:eiEventSignals")]
    target: Annotated[Target, wire("ei:eiTarget")]


class OadrEvent(msgspec.Struct, frozen=True, kw_only=True):
    """oadrEvent: an event and whether it wants an answer."""

    ei_event: Annotated[EiEvent, wire("ei:eiEvent")]
    response_required: Annotated[ResponseRequired, wire("oadr:oadrResponseRequired", word_of(ResponseRequired))]


class DistributeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """oadrDistributeEvent, VTN to VEN: always the whole set of far, near and active events (rule 50)."""

    ELEMENT: ClassVar[str] = "oadr:oadrDistributeEvent"

    ei_response: Annotated[EiResponse | None, wire("ei:eiResponse?")] = None
    request_id: Annotated[str, wire("pyld:requestID")]
    vtn_id: Annotated[str, wire("ei:vtnID")]
    events: Annotated[tuple[OadrEvent, ...], wire("oadr:oadrEvent*")] = ()


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True):
    """oadrRequestEvent, VEN to VTN only (rule 23)."""

    ELEMENT: ClassVar[str] = "oadr:oadrRequestEvent"
    INSIDE: ClassVar[str] = "pyld:eiRequestEvent"

    request_id: Annotated[str, wire("pyld:requestID")]
    ven_id: Annotated[str, wire("ei:venID")]
    reply_limit: Annotated[int | None, wire("pyld:replyLimit?")] = None


class EventResponse(msgspec.Struct, frozen=True, kw_only=True):
    """eventResponse: the VEN's answer to one version of one event."""

    response_code: Annotated[str, wire("ei:responseCode", RESPONSE_CODE)]
    response_description: Annotated[str | None, wire("ei:responseDescription?")] = None
    request_id: Annotated[str, wire("pyld:requestID")]
    qualified_event_id: Annotated[QualifiedEventID, wire("ei:qualifiedEventID")]
    opt_type: Annotated[OptType, wire("ei:optType")]


class CreatedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCreatedEvent, VEN to VTN. No `event_responses` at all and an empty list of them mean the same."""

    ELEMENT: ClassVar[str] = "oadr:oadrCreatedEvent"
    INSIDE: ClassVar[str] = "pyld:eiCreatedEvent"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    event_responses: Annotated[tuple[EventResponse, ...], wire("ei:eventResponses?/ei:eventResponse*")] = ()
    ven_id: Annotated[str, wire("ei:venID")]
