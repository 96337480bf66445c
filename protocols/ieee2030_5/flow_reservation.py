"""Energy by a deadline: a vehicle asks for it, the server grants it as an event. Positive is charging."""

from typing import Annotated

import msgspec

from wattseal.protocols.ieee2030_5.base import DateTimeInterval, Event, IdentifiedObject, List, SubscribableList
from wattseal.protocols.ieee2030_5.lexicals import HEX128, TIME, UINT16, UINT32
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.vocabulary import RequestState
from wattseal.protocols.xml_wire import wire


class RequestStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the request still stands."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    request_status: Annotated[RequestState, wire("requestStatus")]


class FlowReservationRequest(IdentifiedObject, frozen=True, kw_only=True):
    """So much energy within an interval; `duration_requested` in seconds."""

    creation_time: Annotated[int, wire("creationTime", TIME)]
    duration_requested: Annotated[int | None, wire("durationRequested?", UINT16)] = None
    energy_requested: Annotated[SignedRealEnergy, wire("energyRequested")]
    interval_requested: Annotated[DateTimeInterval, wire("intervalRequested")]
    power_requested: Annotated[ActivePower, wire("powerRequested")]
    request_status: Annotated[RequestStatus, wire("RequestStatus")]


class FlowReservationRequestList(List, frozen=True, kw_only=True):
    """FlowReservationRequestList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[FlowReservationRequest, ...], wire("FlowReservationRequest*", apart=True)] = ()


class FlowReservationResponse(Event, frozen=True, kw_only=True):
    """What is granted; `subject` is the mRID of the request."""

    energy_available: Annotated[SignedRealEnergy, wire("energyAvailable")]
    power_available: Annotated[ActivePower, wire("powerAvailable")]
    subject: Annotated[str, wire("subject", HEX128)]


class FlowReservationResponseList(SubscribableList, frozen=True, kw_only=True):
    """FlowReservationResponseList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[FlowReservationResponse, ...], wire("FlowReservationResponse*", apart=True)] = ()
