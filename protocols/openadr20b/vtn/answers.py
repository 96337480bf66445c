"""The answers that several services share: acknowledgements, and the form in which each message is refused.

A refusal has the form of the message's own answer where that form cannot be misread: an oadrRequestEvent is refused by
oadrResponse, because an oadrDistributeEvent without events says that all events are gone.
"""

from wattseal.protocols.openadr20b.common import EiResponse
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.messages import (
    CanceledOpt,
    CanceledPartyRegistration,
    CanceledReport,
    CancelOpt,
    CancelPartyRegistration,
    CancelReport,
    CreatedOpt,
    CreatedPartyRegistration,
    CreatedReport,
    CreateOpt,
    CreatePartyRegistration,
    CreateReport,
    Message,
    QueryRegistration,
    RegisteredReport,
    RegisterReport,
    Response,
    UpdatedReport,
    UpdateReport,
)
from wattseal.protocols.openadr20b.party import Profile
from wattseal.protocols.openadr20b.vocabulary import ProfileName, ResponseCode, TransportName
from wattseal.protocols.openadr20b.vtn.config import VtnConfig

PROFILES = (Profile(profile_name=ProfileName.PROFILE_20B, transport_names=(TransportName.SIMPLE_HTTP,)),)
"""What this VTN speaks."""


def request_id_of(message: Message) -> str:
    """The requestID to echo: the message's own, or that of the eiResponse in it, which may be empty."""
    own = getattr(message, "request_id", None)
    if own is not None:
        return str(own)
    response = getattr(message, "ei_response", None)
    return response.request_id if isinstance(response, EiResponse) else ""


def ven_id_of(message: Message) -> str | None:
    """The venID that a message names."""
    ven_id = getattr(message, "ven_id", None)
    return None if ven_id is None else str(ven_id)


def code_of(message: Message) -> str:
    """The code of the eiResponse in a message; 200 where it has none."""
    response = getattr(message, "ei_response", None)
    return response.response_code if isinstance(response, EiResponse) else ResponseCode.OK.value


def description_of(message: Message) -> str | None:
    """The description that goes with `code_of`."""
    response = getattr(message, "ei_response", None)
    return response.response_description if isinstance(response, EiResponse) else None


def ei_response(request_id: str, code: ResponseCode = ResponseCode.OK, description: str = "OK") -> EiResponse:
    """An eiResponse."""
    return EiResponse(response_code=code.value, response_description=description, request_id=request_id)


def acknowledgement(message: Message, ven_id: str | None) -> Response:
    """The plain oadrResponse, 200."""
    return Response(ei_response=ei_response(request_id_of(message)), ven_id=ven_id)


def refusal(message: Message, code: ResponseCode, description: str, config: VtnConfig) -> Message:
    """The answer that refuses a message and changes nothing at the VEN."""
    response = ei_response(request_id_of(message), code, description)
    ven_id = ven_id_of(message)
    match message:
        case QueryRegistration() | CreatePartyRegistration():
            return CreatedPartyRegistration(ei_response=response, vtn_id=config.vtn_id, profiles=PROFILES)
        case CancelPartyRegistration():
            return CanceledPartyRegistration(
                ei_response=response, registration_id=message.registration_id, ven_id=ven_id
            )
        case RegisterReport():
            return RegisteredReport(ei_response=response, ven_id=ven_id)
        case CreateReport():
            return CreatedReport(ei_response=response, ven_id=ven_id)
        case UpdateReport():
            return UpdatedReport(ei_response=response, ven_id=ven_id)
        case CancelReport():
            return CanceledReport(ei_response=response, ven_id=ven_id)
        case CreateOpt():
            return CreatedOpt(ei_response=response, opt_id=message.opt_id)
        case CancelOpt():
            return CanceledOpt(ei_response=response, opt_id=message.opt_id)
    return Response(ei_response=response, ven_id=ven_id)


def profiles_answer(
    request_id: str, config: VtnConfig, registration_id: str | None, ven_id: str | None
) -> CreatedPartyRegistration:
    """What the VTN speaks and how often to poll; with both identifiers for whom it has registered (rule 403)."""
    return CreatedPartyRegistration(
        ei_response=ei_response(request_id),
        registration_id=registration_id,
        ven_id=ven_id,
        vtn_id=config.vtn_id,
        profiles=PROFILES,
        requested_poll_freq=Duration.of_seconds(config.poll_seconds),
    )
