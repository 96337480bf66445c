"""EiOpt: the four messages of opting, VEN to VTN and its answers."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.lexical import URI
from wattseal.protocols.openadr20b.common import CalendarPeriod, EiResponse, QualifiedEventID, Target
from wattseal.protocols.openadr20b.vocabulary import ExtensionToken, OptReason, OptType
from wattseal.protocols.xml_wire import wire


class Vavailability(msgspec.Struct, frozen=True, kw_only=True):
    """vavailability: the stretches of an opt schedule."""

    available: Annotated[tuple[CalendarPeriod, ...], wire("xcal:components/xcal:available*/xcal:properties")] = ()


class CreateOpt(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCreateOpt: qualifies one event (`qualified_event_id`) or declares a schedule (`vavailability`)."""

    ELEMENT: ClassVar[str] = "oadr:oadrCreateOpt"

    opt_id: Annotated[str, wire("ei:optID")]
    opt_type: Annotated[OptType, wire("ei:optType")]
    opt_reason: Annotated[OptReason | ExtensionToken, wire("ei:optReason")]
    market_context: Annotated[str | None, wire("emix:marketContext?", URI)] = None
    ven_id: Annotated[str, wire("ei:venID")]
    vavailability: Annotated[Vavailability | None, wire("xcal:vavailability?")] = None
    created_date_time: Annotated[datetime, wire("ei:createdDateTime")]
    request_id: Annotated[str, wire("pyld:requestID")]
    qualified_event_id: Annotated[QualifiedEventID | None, wire("ei:qualifiedEventID?")] = None
    target: Annotated[Target, wire("ei:eiTarget")]
    device_class: Annotated[Target | None, wire("oadr:oadrDeviceClass?")] = None


class CreatedOpt(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCreatedOpt."""

    ELEMENT: ClassVar[str] = "oadr:oadrCreatedOpt"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    opt_id: Annotated[str, wire("ei:optID")]


class CancelOpt(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCancelOpt."""

    ELEMENT: ClassVar[str] = "oadr:oadrCancelOpt"

    request_id: Annotated[str, wire("pyld:requestID")]
    opt_id: Annotated[str, wire("ei:optID")]
    ven_id: Annotated[str, wire("ei:venID")]


class CanceledOpt(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCanceledOpt."""

    ELEMENT: ClassVar[str] = "oadr:oadrCanceledOpt"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    opt_id: Annotated[str | None, wire("ei:optID?")] = None
