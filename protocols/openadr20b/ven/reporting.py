"""Telemetry reports: metadata on offer, requests taken or refused, the windows that come due, the rows on the wire.

Pure. Windows are aligned to multiples of the granularity, so that two boxes, and a box before and after a restart, cut
the same intervals. A window that could not be reported stays open: it is asked for again later, in pieces of at most
`report_rows_max` rows, until the offer's history no longer reaches back so far; what is given up then is counted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from wattseal.protocols.lexical import LexicalError
from wattseal.protocols.openadr20b.common import PayloadFloat, Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.item_base import EnergyReal, PowerAttributes, PowerReal
from wattseal.protocols.openadr20b.report import (
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    SamplingRate,
)
from wattseal.protocols.openadr20b.translate import Refusal
from wattseal.protocols.openadr20b.ven.config import OfferedPoint, PointUnit, ReportOffer, VenConfig
from wattseal.protocols.openadr20b.ven.happenings import ReportWanted
from wattseal.protocols.openadr20b.ven.state import QueuedReport, ReportRow, RunningRequest
from wattseal.protocols.openadr20b.vocabulary import ReportName, ResponseCode

METADATA: Final = "METADATA"
"""The reportSpecifierID that asks for the metadata again (rule 306)."""

METADATA_REQUEST_ID: Final = "0"
"""The reportRequestID inside each metadata report (rule 311)."""

_METADATA_NAME: Final = {
    ReportName.TELEMETRY_USAGE: ReportName.METADATA_TELEMETRY_USAGE,
    ReportName.TELEMETRY_STATUS: ReportName.METADATA_TELEMETRY_STATUS,
}
_MAINS: Final = PowerAttributes(hertz=Decimal(50), voltage=Decimal(230), ac=True)


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that runs from now on."""

    request: RunningRequest


@dataclass(frozen=True, slots=True)
class MetadataWanted:
    """A request for the metadata, answered by registering the reports again."""

    request_id: str


def metadata(offers: tuple[ReportOffer, ...], created: int) -> tuple[Report, ...]:
    """One metadata report per offer. With no offers there is none, and the empty message must still be sent."""
    return tuple(
        Report(
            duration=Duration.of_seconds(offer.history_seconds),
            report_descriptions=tuple(_description(point, offer) for point in offer.points),
            report_request_id=METADATA_REQUEST_ID,
            report_specifier_id=offer.specifier_id,
            report_name=_METADATA_NAME[offer.report_name],
            created_date_time=_utc(created),
        )
        for offer in offers
    )


def judge(request: ReportRequest, config: VenConfig, now: int) -> Taken | MetadataWanted | Refusal:
    """What becomes of one oadrReportRequest at unix time `now`."""
    specifier = request.report_specifier
    if specifier.report_specifier_id == METADATA:
        return MetadataWanted(request.report_request_id)
    offer = config.offer(specifier.report_specifier_id)
    if offer is None:
        return _refusal("report_unknown", f"No report {specifier.report_specifier_id} is on offer.")
    r_ids = tuple(dict.fromkeys(payload.r_id for payload in specifier.specifier_payloads))
    unknown = sorted(set(r_ids) - {point.r_id for point in offer.points})
    if unknown:
        return _refusal("report_point_unknown", f"{offer.specifier_id} has no {', '.join(unknown)}.")
    try:
        step = specifier.granularity.total_seconds()
        back = specifier.report_back_duration.total_seconds()
        window = _window(request)
    except LexicalError as error:
        return _refusal("report_period_wrong", f"{error}.", ResponseCode.INVALID_DATA)
    if step < 0 or back < 0:
        return _refusal("report_period_wrong", "A report period is negative.", ResponseCode.INVALID_DATA)
    if step == 0 and back > 0:
        step = back
    if 0 < step < offer.min_period_seconds:
        return _refusal(
            "granularity_unsupported", f"{offer.specifier_id} is sampled every {offer.min_period_seconds} s at most."
        )
    return Taken(_running(request.report_request_id, offer.specifier_id, r_ids, step, back, window, now))


def ready_at(request: RunningRequest) -> int:
    """The unix time from which a report can be made: it is due, and at least one whole step is over."""
    if request.granularity_seconds == 0:
        return request.due
    step_over = request.covered_to + request.granularity_seconds
    return max(request.due, step_over if request.end is None else min(step_over, request.end))


def wanted(request: RunningRequest, config: VenConfig, now: int) -> ReportWanted | None:
    """The rows that are due at `now`, or None."""
    offer = config.offer(request.specifier_id)
    if offer is None or (now < ready_at(request) and not request.closing):
        return None
    step = request.granularity_seconds
    begin = _begin(request, offer, now)
    limit = now if request.end is None else min(now, request.end)
    cut = request.closing or limit == request.end
    end = limit if cut or step == 0 else begin + _floor(limit - begin, step)
    if step == 0 or end <= begin:
        return _at_once(request, now) if step == 0 or cut else None
    most = max(1, config.report_rows_max // len(request.r_ids)) * step
    last = end <= begin + most and (cut or request.back_seconds == 0)
    return ReportWanted(
        request_id=request.request_id,
        specifier_id=request.specifier_id,
        r_ids=request.r_ids,
        granularity_seconds=step,
        begin=begin,
        end=min(end, begin + most),
        last=last,
        given_up_seconds=begin - request.covered_to,
    )


def advanced(request: RunningRequest, asked: ReportWanted, now: int) -> RunningRequest | None:
    """The request after its rows were handed in; None when it has ended."""
    if asked.last:
        return None
    due = request.due
    behind = asked.end + asked.granularity_seconds <= now
    if request.back_seconds and due <= now and not behind:
        due += request.back_seconds * ((now - due) // request.back_seconds + 1)
    if request.end is not None:
        due = min(due, request.end)
    return replace(request, covered_to=asked.end, due=due)


def queued(asked: ReportWanted, offer: ReportOffer, rows: tuple[ReportRow, ...], created: int) -> QueuedReport:
    """The report that waits to be sent."""
    return QueuedReport(
        request_id=asked.request_id,
        specifier_id=asked.specifier_id,
        report_name=offer.report_name,
        begin=asked.begin,
        end=asked.end,
        last=asked.last,
        created=created,
        rows=rows,
    )


def on_the_wire(report: QueuedReport) -> Report:
    """The data report: every row its own interval, with its own start, in the order of time."""
    ordered = sorted(report.rows, key=lambda row: (row.start, row.r_id))
    return Report(
        dtstart=_utc(report.begin),
        duration=Duration.of_seconds(report.end - report.begin),
        intervals=tuple(_interval(number, row) for number, row in enumerate(ordered)),
        report_request_id=report.request_id,
        report_specifier_id=report.specifier_id,
        report_name=report.report_name,
        created_date_time=_utc(report.created),
    )


def same_subject(one: RunningRequest, other: RunningRequest) -> bool:
    """Whether two requests ask for the same under two ids: what a VTN does that has forgotten the first."""
    return (one.specifier_id, sorted(one.r_ids), one.granularity_seconds, one.back_seconds, one.end) == (
        other.specifier_id, sorted(other.r_ids), other.granularity_seconds, other.back_seconds, other.end,
    )  # fmt: skip


def _window(request: ReportRequest) -> tuple[int, int | None] | None:
    """Start and end of the reportInterval; a zero duration has no end."""
    period = request.report_specifier.report_interval
    if period is None:
        return None
    length = period.duration.total_seconds(period.dtstart)
    start = int(period.dtstart.timestamp())
    if length < 0:
        raise LexicalError("the report interval has a negative duration")
    return start, (start + length if length else None)


def _running(
    request_id: str,
    specifier_id: str,
    r_ids: tuple[str, ...],
    step: int,
    back: int,
    window: tuple[int, int | None] | None,
    now: int,
) -> RunningRequest:
    start, end = (_floor(now + step - 1, step) if step else now, None) if window is None else window
    back = max(back, step) if back else 0
    due = start + (back or step)
    if end is not None:
        due = min(due, end) if back else end
    return RunningRequest(
        request_id=request_id,
        specifier_id=specifier_id,
        r_ids=r_ids,
        granularity_seconds=step,
        back_seconds=back,
        covered_to=start,
        due=due,
        end=end,
    )


def _begin(request: RunningRequest, offer: ReportOffer, now: int) -> int:
    """Where the open window begins: older time than the history holds is skipped, in whole steps."""
    step = request.granularity_seconds
    missing = now - offer.history_seconds - request.covered_to
    if missing <= 0 or step == 0:
        return request.covered_to
    return request.covered_to - _floor(-missing, step)


def _at_once(request: RunningRequest, now: int) -> ReportWanted:
    """One value, now: a one-shot request, or the last report of one that has nothing open."""
    return ReportWanted(request.request_id, request.specifier_id, request.r_ids, 0, now, now, last=True)


def _floor(seconds: int, step: int) -> int:
    return seconds - seconds % step


def _description(point: OfferedPoint, offer: ReportOffer) -> ReportDescription:
    subject = None if point.resource_id is None else Target(resource_ids=(point.resource_id,))
    return ReportDescription(
        r_id=point.r_id,
        report_subject=subject,
        report_data_source=subject,
        report_type=point.report_type,
        item_base=_item_base(point.unit),
        reading_type=point.reading_type,
        market_context=point.market_context,
        sampling_rate=SamplingRate(
            min_period=Duration.of_seconds(offer.min_period_seconds),
            max_period=Duration.of_seconds(offer.max_period_seconds),
            on_change=False,
        ),
    )


def _item_base(unit: PointUnit) -> PowerReal | EnergyReal | None:
    match unit:
        case PointUnit.WATT:
            return PowerReal(power_attributes=_MAINS)
        case PointUnit.WATT_HOUR:
            return EnergyReal()
        case PointUnit.NONE:
            return None


def _interval(number: int, row: ReportRow) -> ReportInterval:
    value = PayloadFloat(value=row.value) if isinstance(row.value, Decimal) else row.value
    return ReportInterval(
        dtstart=_utc(row.start),
        duration=Duration.of_seconds(row.duration_seconds),
        uid=str(number),
        payloads=(ReportPayload(r_id=row.r_id, payload=value, data_quality=row.quality),),
    )


def _refusal(reason: str, sentence: str, code: ResponseCode = ResponseCode.REPORT_NOT_SUPPORTED) -> Refusal:
    return Refusal(code, reason, sentence)


def _utc(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
