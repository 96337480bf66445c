"""EiRegisterParty: the six messages of registration."""

from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.openadr20b.common import EiResponse
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.vocabulary import ProfileName, ServiceName, TransportName
from wattseal.protocols.xml_wire import wire


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """oadrProfile: one profile and the transports that the VTN offers for it."""

    profile_name: Annotated[ProfileName, wire("oadr:oadrProfileName")]
    transport_names: Annotated[
        tuple[TransportName, ...], wire("oadr:oadrTransports/oadr:oadrTransport+/oadr:oadrTransportName")
    ]


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """oadrInfo: a pair of texts."""

    key: Annotated[str, wire("oadr:oadrKey")]
    value: Annotated[str, wire("oadr:oadrValue")]


class ServiceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """oadrService inside oadrServiceSpecificInfo."""

    service_name: Annotated[ServiceName, wire("oadr:oadrServiceName")]
    info: Annotated[tuple[Info, ...], wire("oadr:oadrInfo+")]


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """oadrExtension."""

    name: Annotated[str, wire("oadr:oadrExtensionName")]
    info: Annotated[tuple[Info, ...], wire("oadr:oadrInfo*")] = ()


class QueryRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """oadrQueryRegistration, VEN to VTN."""

    ELEMENT: ClassVar[str] = "oadr:oadrQueryRegistration"

    request_id: Annotated[str, wire("pyld:requestID")]


class CreatePartyRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCreatePartyRegistration, VEN to VTN. A pre-allocated `ven_id` may travel here (rule 402)."""

    ELEMENT: ClassVar[str] = "oadr:oadrCreatePartyRegistration"

    request_id: Annotated[str, wire("pyld:requestID")]
    registration_id: Annotated[str | None, wire("ei:registrationID?")] = None
    ven_id: Annotated[str | None, wire("ei:venID?")] = None
    profile_name: Annotated[ProfileName, wire("oadr:oadrProfileName")] = ProfileName.PROFILE_20B
    transport_name: Annotated[TransportName, wire("oadr:oadrTransportName")] = TransportName.SIMPLE_HTTP
    transport_address: Annotated[str | None, wire("oadr:oadrTransportAddress?")] = None
    report_only: Annotated[bool, wire("oadr:oadrReportOnly")]
    xml_signature: Annotated[bool, wire("oadr:oadrXmlSignature")]
    ven_name: Annotated[str | None, wire("oadr:oadrVenName?")] = None
    http_pull_model: Annotated[bool | None, wire("oadr:oadrHttpPullModel?")] = None


class CreatedPartyRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCreatedPartyRegistration, VTN to VEN: the answer to a creation and to a query."""

    ELEMENT: ClassVar[str] = "oadr:oadrCreatedPartyRegistration"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    registration_id: Annotated[str | None, wire("ei:registrationID?")] = None
    ven_id: Annotated[str | None, wire("ei:venID?")] = None
    vtn_id: Annotated[str, wire("ei:vtnID")]
    profiles: Annotated[tuple[Profile, ...], wire("oadr:oadrProfiles/oadr:oadrProfile+")]
    requested_poll_freq: Annotated[Duration | None, wire("oadr:oadrRequestedOadrPollFreq?/xcal:duration")] = None
    service_specific_info: Annotated[
        tuple[ServiceInfo, ...], wire("oadr:oadrServiceSpecificInfo?/oadr:oadrService*")
    ] = ()
    extensions: Annotated[tuple[Extension, ...], wire("oadr:oadrExtensions?/oadr:oadrExtension*")] = ()


class CancelPartyRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCancelPartyRegistration, either direction."""

    ELEMENT: ClassVar[str] = "oadr:oadrCancelPartyRegistration"

    request_id: Annotated[str, wire("pyld:requestID")]
    registration_id: Annotated[str, wire("ei:registrationID")]
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class CanceledPartyRegistration(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCanceledPartyRegistration, either direction."""

    ELEMENT: ClassVar[str] = "oadr:oadrCanceledPartyRegistration"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    registration_id: Annotated[str | None, wire("ei:registrationID?")] = None
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class RequestReregistration(msgspec.Struct, frozen=True, kw_only=True):
    """oadrRequestReregistration, VTN to VEN; answered with oadrResponse."""

    ELEMENT: ClassVar[str] = "oadr:oadrRequestReregistration"

    ven_id: Annotated[str, wire("ei:venID")]
