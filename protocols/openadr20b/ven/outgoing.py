"""The messages that a VEN sends, built from values; each names the service that owns it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wattseal.protocols.openadr20b.common import EiResponse, QualifiedEventID
from wattseal.protocols.openadr20b.event import CreatedEvent, EventResponse, RequestEvent
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.party import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatePartyRegistration,
    QueryRegistration,
)
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.report import (
    CanceledReport,
    CreatedReport,
    RegisteredReport,
    RegisterReport,
    Report,
    UpdatedReport,
    UpdateReport,
)
from wattseal.protocols.openadr20b.response import Response
from wattseal.protocols.openadr20b.ven.config import VenConfig
from wattseal.protocols.openadr20b.ven.event_list import Owed
from wattseal.protocols.openadr20b.ven.state import Lapse, VenState
from wattseal.protocols.openadr20b.vocabulary import OptType, ServiceName

OK: Final = "200"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message and the service to which it is posted."""

    service: ServiceName
    message: Message


def query(request_id: str) -> Outgoing:
    """The oadrQueryRegistration."""
    return Outgoing(ServiceName.EI_REGISTER_PARTY, QueryRegistration(request_id=request_id))


def create(request_id: str, config: VenConfig, state: VenState) -> Outgoing:
    """The oadrCreatePartyRegistration: with our identifiers when the VTN asked us to renew (rules 402, 403)."""
    renew = state.lapsed is Lapse.RENEW
    message = CreatePartyRegistration(
        request_id=request_id,
        registration_id=state.registration_id if renew else None,
        ven_id=state.ven_id if renew else config.ven_id,
        report_only=False,
        xml_signature=False,
        ven_name=config.ven_name,
        http_pull_model=True,
    )
    return Outgoing(ServiceName.EI_REGISTER_PARTY, message)


def cancel(request_id: str, state: VenState) -> Outgoing:
    """The oadrCancelPartyRegistration."""
    message = CancelPartyRegistration(request_id=request_id, registration_id=state.registration_id, ven_id=state.ven_id)
    return Outgoing(ServiceName.EI_REGISTER_PARTY, message)


def offer(request_id: str, ven_id: str, reports: tuple[Report, ...], asked_by: str | None) -> Outgoing:
    """The oadrRegisterReport, also with no report at all. `asked_by`: the request for metadata that it answers."""
    message = RegisterReport(request_id=request_id, reports=reports, ven_id=ven_id, report_request_id=asked_by)
    return Outgoing(ServiceName.EI_REPORT, message)


def sync(request_id: str, ven_id: str) -> Outgoing:
    """The oadrRequestEvent."""
    return Outgoing(ServiceName.EI_EVENT, RequestEvent(request_id=request_id, ven_id=ven_id))


def poll(ven_id: str) -> Outgoing:
    """The oadrPoll."""
    return Outgoing(ServiceName.OADR_POLL, Poll(ven_id=ven_id))


def update(request_id: str, ven_id: str, report: Report) -> Outgoing:
    """The oadrUpdateReport with one report."""
    return Outgoing(ServiceName.EI_REPORT, UpdateReport(request_id=request_id, reports=(report,), ven_id=ven_id))


def created_event(request_id: str, ven_id: str, owed: Iterable[Owed]) -> Outgoing:
    """The oadrCreatedEvent: the list's requestID in every response, none in the eiResponse beside them (41 to 44)."""
    responses = tuple(
        EventResponse(
            response_code=one.code,
            response_description=one.description or None,
            request_id=request_id,
            qualified_event_id=QualifiedEventID(event_id=one.event_id, modification_number=one.modification_number),
            opt_type=one.opt or OptType.OPT_OUT,
        )
        for one in owed
    )
    message = CreatedEvent(ei_response=_response(OK, "OK", ""), event_responses=responses, ven_id=ven_id)
    return Outgoing(ServiceName.EI_EVENT, message)


def refused_list(request_id: str, ven_id: str, code: str, sentence: str) -> Outgoing:
    """The oadrCreatedEvent for a list that cannot be taken as a whole: no eventResponses (rule 35)."""
    message = CreatedEvent(ei_response=_response(code, sentence, request_id), ven_id=ven_id)
    return Outgoing(ServiceName.EI_EVENT, message)


def created_report(request_id: str, ven_id: str, pending: tuple[str, ...], code: str, sentence: str) -> Outgoing:
    """The oadrCreatedReport; `pending` lists every request that runs."""
    message = CreatedReport(ei_response=_response(code, sentence, request_id), pending_reports=pending, ven_id=ven_id)
    return Outgoing(ServiceName.EI_REPORT, message)


def canceled_report(request_id: str, ven_id: str, pending: tuple[str, ...], code: str, sentence: str) -> Outgoing:
    """The oadrCanceledReport; `pending` lists every request that still runs."""
    message = CanceledReport(ei_response=_response(code, sentence, request_id), pending_reports=pending, ven_id=ven_id)
    return Outgoing(ServiceName.EI_REPORT, message)


def registered_report(request_id: str, ven_id: str, code: str, sentence: str) -> Outgoing:
    """The oadrRegisteredReport: we ask the VTN for none of its reports."""
    message = RegisteredReport(ei_response=_response(code, sentence, request_id), ven_id=ven_id)
    return Outgoing(ServiceName.EI_REPORT, message)


def declined_data(request_id: str, ven_id: str) -> Outgoing:
    """The oadrUpdatedReport for data that was not asked for."""
    response = _response("461", "No report was asked for.", request_id)
    return Outgoing(ServiceName.EI_REPORT, UpdatedReport(ei_response=response, ven_id=ven_id))


def canceled_registration(request_id: str, state: VenState, code: str, sentence: str) -> Outgoing:
    """The oadrCanceledPartyRegistration."""
    message = CanceledPartyRegistration(
        ei_response=_response(code, sentence, request_id),
        registration_id=state.registration_id,
        ven_id=state.ven_id,
    )
    return Outgoing(ServiceName.EI_REGISTER_PARTY, message)


def response(ven_id: str, code: str = OK, sentence: str = "OK") -> Outgoing:
    """The oadrResponse to a request for re-registration, which has no requestID to echo."""
    return Outgoing(ServiceName.EI_REGISTER_PARTY, Response(ei_response=_response(code, sentence, ""), ven_id=ven_id))


def _response(code: str, sentence: str, request_id: str) -> EiResponse:
    return EiResponse(response_code=code, response_description=sentence, request_id=request_id)
