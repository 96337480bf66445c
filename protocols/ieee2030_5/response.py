"""Answers to events: one per managed device, with the LFDI of that device."""

from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.ieee2030_5.base import IdentifiedObject, List, ListLink, Resource
from wattseal.protocols.ieee2030_5.demand_response import ApplianceLoadReduction, DutyCycle, Offset, SetPoint
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.lexicals import BITS32, HEX128, HEX160, TIME, UINT16, UINT32
from wattseal.protocols.ieee2030_5.vocabulary import ReductionUnit, ResponseStatus
from wattseal.protocols.xml_wire import wire


class Response(Resource, frozen=True, kw_only=True):
    """An answer to the event whose mRID is `subject`."""

    created_date_time: Annotated[int | None, wire("createdDateTime?", TIME)] = None
    end_device_lfdi: Annotated[str, wire("endDeviceLFDI", HEX160)]
    status: Annotated[ResponseStatus | None, wire("status?")] = None
    subject: Annotated[str, wire("subject", HEX128)]


class DERControlResponse(Response, frozen=True, kw_only=True):
    """An answer to a DERControl; since 2023 with the modes that it is about."""

    modes_responded: Annotated[int | None, wire("modesResponded?", BITS32, of=E2023)] = None
    modes_responded2: Annotated[int | None, wire("modesResponded2?", BITS32, of=E2023)] = None


class DefaultDERControlResponse(Response, frozen=True, kw_only=True):
    """An answer to a DefaultDERControl (2023)."""

    OF: ClassVar[str] = E2023

    defaults_responded: Annotated[int | None, wire("defaultsResponded!", BITS32)] = None
    modes_responded: Annotated[int | None, wire("modesResponded!", BITS32)] = None
    modes_responded2: Annotated[int | None, wire("modesResponded2!", BITS32)] = None


class FlowReservationResponseResponse(Response, frozen=True, kw_only=True):
    """An answer to a FlowReservationResponse."""


class PriceResponse(Response, frozen=True, kw_only=True):
    """An answer to a TimeTariffInterval."""


class TextResponse(Response, frozen=True, kw_only=True):
    """An answer to a TextMessage."""


class AppliedTargetReduction(msgspec.Struct, frozen=True, kw_only=True):
    """The reduction that was applied."""

    type: Annotated[ReductionUnit, wire("type")]
    value: Annotated[int, wire("value", UINT16)]


class DrResponse(Response, frozen=True, kw_only=True):
    """An answer to an EndDeviceControl, with what was applied."""

    appliance_load_reduction: Annotated[ApplianceLoadReduction | None, wire("ApplianceLoadReduction?")] = None
    applied_target_reduction: Annotated[AppliedTargetReduction | None, wire("AppliedTargetReduction?")] = None
    duty_cycle: Annotated[DutyCycle | None, wire("DutyCycle?")] = None
    offset: Annotated[Offset | None, wire("Offset?")] = None
    override_duration: Annotated[int | None, wire("overrideDuration?", UINT16)] = None
    set_point: Annotated[SetPoint | None, wire("SetPoint?")] = None


RESPONSES = (
    DERControlResponse,
    DefaultDERControlResponse,
    FlowReservationResponseResponse,
    PriceResponse,
    TextResponse,
    DrResponse,
)
"""The kinds that xsi:type may name in a list of responses."""


class ResponseList(List, frozen=True, kw_only=True):
    """ResponseList; its items are told apart by xsi:type."""

    items: Annotated[tuple[Response, ...], wire("Response*", apart=True, by_type=RESPONSES)] = ()


class ResponseSet(IdentifiedObject, frozen=True, kw_only=True):
    """A set of responses."""

    response_list_link: Annotated[ListLink | None, wire("ResponseListLink?", apart=True)] = None


class ResponseSetList(List, frozen=True, kw_only=True):
    """ResponseSetList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[ResponseSet, ...], wire("ResponseSet*", apart=True)] = ()
