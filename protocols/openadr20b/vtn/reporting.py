"""EiReport from the utility's side: what VENs offer, what was asked of them, what came."""

from collections.abc import Iterator
from typing import Final

import msgspec

from wattseal.protocols.lexical import LexicalError
from wattseal.protocols.openadr20b.common import CalendarPeriod
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    RegisteredReport,
    RegisterReport,
    UpdatedReport,
    UpdateReport,
)
from wattseal.protocols.openadr20b.report import (
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    SpecifierPayload,
)
from wattseal.protocols.openadr20b.vocabulary import ExtensionToken, ReadingType, ResponseCode
from wattseal.protocols.openadr20b.vtn.answers import acknowledgement, code_of, description_of, ei_response
from wattseal.protocols.openadr20b.vtn.config import METADATA, WantedReport
from wattseal.protocols.openadr20b.vtn.happenings import (
    AnyHappening,
    OffersRegistered,
    ReadingsReceived,
    RequestMoved,
    VenRefused,
)
from wattseal.protocols.openadr20b.vtn.state import (
    Offer,
    OfferedPoint,
    Reading,
    RequestRecord,
    RequestState,
    VenRecord,
)
from wattseal.protocols.openadr20b.vtn.turn import Circumstances, Turn

_ALIVE: Final = frozenset(
    {
        RequestState.WANTED,
        RequestState.SENT,
        RequestState.RUNNING,
        RequestState.CANCEL_WANTED,
        RequestState.CANCEL_SENT,
        RequestState.UNANSWERED,
    }
)
_REQUESTS_KEPT: Final = 100


def take_offers(message: RegisterReport, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrRegisterReport: these offers replace those before. What configuration wants of them is asked for in the
    answer; a request that stands already keeps its id, one for a report no longer on offer ends.
    """
    offers = tuple(_offer(one) for one in message.reports)
    specifiers = {one.specifier_id for one in offers}
    happened: list[AnyHappening] = []
    kept: list[RequestRecord] = []
    for request in ven.requests:
        gone = request.state in _ALIVE and request.specifier_id not in specifiers
        ended = msgspec.structs.replace(request, state=RequestState.ENDED) if gone else request
        kept.append(ended)
        if gone:
            happened.append(moved(ended, ven, around))
    asked = tuple(_wanted_request(offer, wanted, ven, around) for offer, wanted in _wanted(offers, around))
    ven = msgspec.structs.replace(ven, offers=offers, requests=tuple(kept[-_REQUESTS_KEPT:]))
    for request in asked:
        ven = ven.with_request(request)
    answer = RegisteredReport(
        ei_response=ei_response(message.request_id),
        report_requests=tuple(report_request(one) for one in asked),
        ven_id=ven.ven_id,
    )
    offered = OffersRegistered(
        at=around.now,
        ven_id=ven.ven_id,
        specifier_ids=tuple(one.specifier_id for one in offers),
        asked=tuple(one.request_id for one in asked),
    )
    return Turn(answer, ven, (offered, *happened))


def take_metadata_answer(message: RegisteredReport, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrRegisteredReport: the VEN has seen our (no) metadata. What it asks for in it we do not have."""
    ven = msgspec.structs.replace(ven, metadata_tries=-1)
    if not message.report_requests:
        return Turn(
            acknowledgement(message, ven.ven_id), ven, _refusal_by_ven(message, "oadrRegisterReport", ven, around)
        )
    answer = acknowledgement(message, ven.ven_id)
    declined = ei_response(
        message.ei_response.request_id, ResponseCode.REPORT_NOT_SUPPORTED, "This VTN offers no reports."
    )
    return Turn(msgspec.structs.replace(answer, ei_response=declined), ven)


def take_request_answer(message: CreatedReport, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrCreatedReport: those requests that were just sent run, or do not. The list should name all that run;
    some VENs name only the newest, so that one that is missing from it is not taken for ended.
    """
    good = code_of(message).startswith("2")
    happened: list[AnyHappening] = list(_refusal_by_ven(message, "oadrCreateReport", ven, around))
    for request in ven.requests:
        if request.state not in {RequestState.SENT, RequestState.UNANSWERED}:
            continue
        runs = request.request_id in message.pending_reports or (good and request.once)
        state = RequestState.RUNNING if runs else RequestState.REFUSED
        now = msgspec.structs.replace(request, state=state, code=code_of(message), tries=0)
        ven = ven.with_request(now)
        happened.append(moved(now, ven, around))
    return Turn(acknowledgement(message, ven.ven_id), ven, tuple(happened))


def take_data(message: UpdateReport, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrUpdateReport: what belongs to a request of ours is recorded; for anything else the answer is 452.

    A cancellation that waits goes out inside this answer.
    """
    happened: list[AnyHappening] = []
    strange: list[str] = []
    cancel: CancelReport | None = None
    for report in message.reports:
        request = ven.request(report.report_request_id)
        if request is None or not _takes_data(request):
            strange.append(report.report_request_id)
            continue
        readings = tuple(_readings(report, request))
        ven = _with_readings(ven, readings, around.config.readings_kept)
        happened.append(
            ReadingsReceived(at=around.now, ven_id=ven.ven_id, request_id=request.request_id, readings=readings)
        )
        after = _after_data(request)
        if after.state is RequestState.CANCEL_WANTED and cancel is None:
            after = msgspec.structs.replace(after, state=RequestState.CANCEL_SENT, tries=1)
            cancel = cancel_message(after, ven, around)
        ven = ven.with_request(after)
        if after.state is not request.state:
            happened.append(moved(after, ven, around))
    response = ei_response(message.request_id)
    if strange:
        sentence = f"Not asked for, or no longer: {', '.join(strange)[:200]}"
        response = ei_response(message.request_id, ResponseCode.INVALID_ID, sentence)
    answer = UpdatedReport(ei_response=response, cancel_report=cancel, ven_id=ven.ven_id)
    return Turn(answer, ven, tuple(happened))


def take_cancel_answer(message: CanceledReport, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrCanceledReport: the cancellation that was sent is through. With an error code too: what a VEN
    does not know it does not send.
    """
    happened: list[AnyHappening] = list(_refusal_by_ven(message, "oadrCancelReport", ven, around))
    for request in ven.requests:
        if request.state is RequestState.CANCEL_SENT:
            ended = msgspec.structs.replace(request, state=RequestState.ENDED, code=code_of(message))
            ven = ven.with_request(ended)
            happened.append(moved(ended, ven, around))
            break
    return Turn(acknowledgement(message, ven.ven_id), ven, tuple(happened))


def report_request(request: RequestRecord) -> ReportRequest:
    """A report request on the wire."""
    window = None
    if request.window is not None:
        window = CalendarPeriod(dtstart=request.window[0], duration=Duration.of_seconds(request.window[1]))
    return ReportRequest(
        report_request_id=request.request_id,
        report_specifier=ReportSpecifier(
            report_specifier_id=request.specifier_id,
            granularity=Duration.of_seconds(request.granularity_seconds),
            report_back_duration=Duration.of_seconds(request.back_seconds),
            report_interval=window,
            specifier_payloads=tuple(
                SpecifierPayload(r_id=r_id, reading_type=_reading_type(reading)) for r_id, reading in request.points
            ),
        ),
    )


def cancel_message(request: RequestRecord, ven: VenRecord, around: Circumstances) -> CancelReport:
    """OadrCancelReport for one request: some VENs cannot read several."""
    return CancelReport(
        request_id=around.draw("CANCEL"),
        report_request_ids=(request.request_id,),
        report_to_follow=request.to_follow,
        ven_id=ven.ven_id,
    )


def moved(request: RequestRecord, ven: VenRecord, around: Circumstances) -> RequestMoved:
    """The happening of a request that changed its state."""
    return RequestMoved(
        at=around.now, ven_id=ven.ven_id, request_id=request.request_id, state=request.state, code=request.code
    )


def _offer(report: Report) -> Offer:
    name = None if report.report_name is None else str(report.report_name).removeprefix("METADATA_")
    return Offer(
        specifier_id=report.report_specifier_id,
        report_name=name,
        points=tuple(_point(one) for one in report.report_descriptions),
    )


def _point(description: ReportDescription) -> OfferedPoint:
    rate = description.sampling_rate
    sources = (description.report_data_source, description.report_subject)
    resource_ids = next((one.resource_ids for one in sources if one is not None and one.resource_ids), ())
    return OfferedPoint(
        r_id=description.r_id,
        report_type=str(description.report_type),
        reading_type=str(description.reading_type),
        resource_ids=resource_ids,
        min_seconds=_seconds(rate.min_period) if rate else None,
        max_seconds=_seconds(rate.max_period) if rate else None,
    )


def _seconds(duration: Duration) -> int | None:
    """None for months and years, whose length nobody knows here."""
    try:
        return duration.total_seconds()
    except LexicalError:
        return None


def _wanted(offers: tuple[Offer, ...], around: Circumstances) -> Iterator[tuple[Offer, WantedReport]]:
    for offer in offers:
        for wanted in around.config.wanted:
            if offer.points and wanted.report_name in {None, offer.report_name}:
                yield offer, wanted
                break


def _wanted_request(offer: Offer, wanted: WantedReport, ven: VenRecord, around: Circumstances) -> RequestRecord:
    """The request that configuration makes of an offer, under the id that it has already if it was made before."""
    before = next((one for one in ven.requests if one.wanted and one.specifier_id == offer.specifier_id), None)
    granularity = wanted.granularity_seconds
    if granularity:
        granularity = max([granularity, *(one.min_seconds or 0 for one in offer.points)])
        granularity = min([granularity, *(one.max_seconds for one in offer.points if one.max_seconds)])
    back = max(wanted.back_seconds, granularity) if wanted.back_seconds else 0
    return RequestRecord(
        request_id=before.request_id if before else around.draw("REPORT"),
        specifier_id=offer.specifier_id,
        points=tuple((one.r_id, one.reading_type) for one in offer.points),
        granularity_seconds=granularity,
        back_seconds=back,
        state=RequestState.SENT,
        wanted=True,
        tries=1,
        reports=before.reports if before else 0,
    )


def _takes_data(request: RequestRecord) -> bool:
    return request.state in _ALIVE or (request.state is RequestState.ENDED and request.to_follow)


def _after_data(request: RequestRecord) -> RequestRecord:
    """One more report came: it runs, if that was not known; once is enough for a request that wanted one."""
    counted = msgspec.structs.replace(request, reports=request.reports + 1)
    if request.state in {RequestState.CANCEL_WANTED, RequestState.CANCEL_SENT, RequestState.ENDED}:
        return counted
    return msgspec.structs.replace(counted, state=RequestState.ENDED if request.once else RequestState.RUNNING)


def _readings(report: Report, request: RequestRecord) -> Iterator[Reading]:
    """The values of a report. An interval without a start has the report's (rule 314); Green Button is not read."""
    for interval in report.intervals:
        for payload in interval.payloads:
            if isinstance(payload, ReportPayload):
                yield _reading(report, interval, payload, request)


def _reading(report: Report, interval: ReportInterval, payload: ReportPayload, request: RequestRecord) -> Reading:
    duration = interval.duration or report.duration
    value = payload.payload
    return Reading(
        request_id=request.request_id,
        specifier_id=request.specifier_id,
        r_id=payload.r_id,
        start=interval.dtstart or report.dtstart,
        duration_seconds=None if duration is None else _seconds(duration),
        value=value.value if hasattr(value, "value") else value,
        quality=None if payload.data_quality is None else str(payload.data_quality),
    )


def _with_readings(ven: VenRecord, readings: tuple[Reading, ...], kept: int) -> VenRecord:
    return msgspec.structs.replace(ven, readings=(*ven.readings, *readings)[-kept:])


def _reading_type(text: str) -> ReadingType | ExtensionToken:
    return ReadingType(text) if text in set(ReadingType) else ExtensionToken(text)


def _refusal_by_ven(
    message: CreatedReport | CanceledReport | RegisteredReport, of: str, ven: VenRecord, around: Circumstances
) -> tuple[AnyHappening, ...]:
    if code_of(message).startswith("2"):
        return ()
    code, description = code_of(message), description_of(message)
    return (VenRefused(at=around.now, ven_id=ven.ven_id, message=of, code=code, description=description),)


METADATA_POINTS: Final = ((METADATA, ReadingType.NOT_APPLICABLE.value),)
"""What a request for the metadata names as its data point: the schema wants one (rule 306)."""
