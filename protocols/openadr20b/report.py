"""EiReport: the eight messages of reporting and what a report is made of. Both directions use them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.lexical import URI, unsigned
from wattseal.protocols.openadr20b.common import CalendarPeriod, EiResponse, PayloadFloat, Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.item_base import ItemBase
from wattseal.protocols.openadr20b.vocabulary import DataQuality, ExtensionToken, ReadingType, ReportName, ReportType
from wattseal.protocols.xml_wire import OtherContent, wire


class SamplingRate(msgspec.Struct, frozen=True, kw_only=True):
    """oadrSamplingRate."""

    min_period: Annotated[Duration, wire("oadr:oadrMinPeriod")]
    max_period: Annotated[Duration, wire("oadr:oadrMaxPeriod")]
    on_change: Annotated[bool, wire("oadr:oadrOnChange")]


class ReportDescription(msgspec.Struct, frozen=True, kw_only=True):
    """oadrReportDescription: one data point that a metadata report offers."""

    r_id: Annotated[str, wire("ei:rID")]
    report_subject: Annotated[Target | None, wire("ei:reportSubject?")] = None
    report_data_source: Annotated[Target | None, wire("ei:reportDataSource?")] = None
    report_type: Annotated[ReportType | ExtensionToken, wire("ei:reportType")]
    item_base: Annotated[ItemBase | None, wire("emix:itemBase?")] = None
    reading_type: Annotated[ReadingType | ExtensionToken, wire("ei:readingType")]
    market_context: Annotated[str | None, wire("emix:marketContext?", URI)] = None
    sampling_rate: Annotated[SamplingRate | None, wire("oadr:oadrSamplingRate?")] = None


class ControlState(msgspec.Struct, frozen=True, kw_only=True):
    """One of the four quantities of oadrLoadControlState."""

    minimum: Annotated[Decimal | None, wire("oadr:oadrMin?")] = None
    maximum: Annotated[Decimal | None, wire("oadr:oadrMax?")] = None
    current: Annotated[Decimal, wire("oadr:oadrCurrent")]
    normal: Annotated[Decimal | None, wire("oadr:oadrNormal?")] = None


class LoadControlState(msgspec.Struct, frozen=True, kw_only=True):
    """oadrLoadControlState."""

    capacity: Annotated[ControlState | None, wire("oadr:oadrCapacity?")] = None
    level_offset: Annotated[ControlState | None, wire("oadr:oadrLevelOffset?")] = None
    percent_offset: Annotated[ControlState | None, wire("oadr:oadrPercentOffset?")] = None
    set_point: Annotated[ControlState | None, wire("oadr:oadrSetPoint?")] = None


class ResourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """oadrPayloadResourceStatus: the payload of TELEMETRY_STATUS."""

    ELEMENT: ClassVar[str] = "oadr:oadrPayloadResourceStatus"

    online: Annotated[bool, wire("oadr:oadrOnline")]
    manual_override: Annotated[bool, wire("oadr:oadrManualOverride")]
    load_control_state: Annotated[LoadControlState | None, wire("oadr:oadrLoadControlState?")] = None


class ReportPayload(msgspec.Struct, frozen=True, kw_only=True):
    """oadrReportPayload: one data point's value in one interval. `confidence` is in percent."""

    ELEMENT: ClassVar[str] = "oadr:oadrReportPayload"

    r_id: Annotated[str, wire("ei:rID")]
    confidence: Annotated[int | None, wire("ei:confidence?", unsigned(100, "confidence"))] = None
    accuracy: Annotated[Decimal | None, wire("ei:accuracy?")] = None
    payload: Annotated[PayloadFloat | ResourceStatus, wire("ei:payloadBase")]
    data_quality: Annotated[DataQuality | ExtensionToken | None, wire("oadr:oadrDataQuality?")] = None


class GreenButtonPayload(msgspec.Struct, frozen=True, kw_only=True):
    """oadrGBPayload: an Atom feed of Green Button data, carried but not understood."""

    ELEMENT: ClassVar[str] = "oadr:oadrGBPayload"

    feed: Annotated[OtherContent, wire("atom:feed")]


class ReportInterval(msgspec.Struct, frozen=True, kw_only=True):
    """ei:interval of a report. Without `dtstart` the report's own holds (rule 314)."""

    dtstart: Annotated[datetime | None, wire("xcal:dtstart?/xcal:date-time")] = None
    duration: Annotated[Duration | None, wire("xcal:duration?/xcal:duration")] = None
    uid: Annotated[str | None, wire("xcal:uid?/xcal:text")] = None
    payloads: Annotated[tuple[ReportPayload | GreenButtonPayload, ...], wire("strm:streamPayloadBase+")]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """oadrReport: metadata (descriptions, `report_request_id` "0") or data (intervals)."""

    dtstart: Annotated[datetime | None, wire("xcal:dtstart?/xcal:date-time")] = None
    duration: Annotated[Duration | None, wire("xcal:duration?/xcal:duration")] = None
    intervals: Annotated[tuple[ReportInterval, ...], wire("strm:intervals?/ei:interval+")] = ()
    ei_report_id: Annotated[str | None, wire("ei:eiReportID?")] = None
    report_descriptions: Annotated[tuple[ReportDescription, ...], wire("oadr:oadrReportDescription*")] = ()
    report_request_id: Annotated[str, wire("ei:reportRequestID")]
    report_specifier_id: Annotated[str, wire("ei:reportSpecifierID")]
    report_name: Annotated[ReportName | ExtensionToken | None, wire("ei:reportName?")] = None
    created_date_time: Annotated[datetime, wire("ei:createdDateTime")]


class SpecifierPayload(msgspec.Struct, frozen=True, kw_only=True):
    """specifierPayload: one data point that is asked for."""

    r_id: Annotated[str, wire("ei:rID")]
    item_base: Annotated[ItemBase | None, wire("emix:itemBase?")] = None
    reading_type: Annotated[ReadingType | ExtensionToken, wire("ei:readingType")]


class ReportSpecifier(msgspec.Struct, frozen=True, kw_only=True):
    """reportSpecifier. `granularity` is the sampling period and `report_back_duration` how often to send; both zero
    mean once. Without `report_interval` the request holds until it is cancelled.
    """

    report_specifier_id: Annotated[str, wire("ei:reportSpecifierID")]
    granularity: Annotated[Duration, wire("xcal:granularity/xcal:duration")]
    report_back_duration: Annotated[Duration, wire("ei:reportBackDuration/xcal:duration")]
    report_interval: Annotated[CalendarPeriod | None, wire("ei:reportInterval?/xcal:properties")] = None
    specifier_payloads: Annotated[tuple[SpecifierPayload, ...], wire("ei:specifierPayload+")]


class ReportRequest(msgspec.Struct, frozen=True, kw_only=True):
    """oadrReportRequest."""

    report_request_id: Annotated[str, wire("ei:reportRequestID")]
    report_specifier: Annotated[ReportSpecifier, wire("ei:reportSpecifier")]


class RegisterReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrRegisterReport: the metadata of all reports on offer, often none from a VTN."""

    ELEMENT: ClassVar[str] = "oadr:oadrRegisterReport"

    request_id: Annotated[str, wire("pyld:requestID")]
    reports: Annotated[tuple[Report, ...], wire("oadr:oadrReport*")] = ()
    ven_id: Annotated[str | None, wire("ei:venID?")] = None
    report_request_id: Annotated[str | None, wire("ei:reportRequestID?")] = None


class RegisteredReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrRegisteredReport: may ask for reports in the same breath."""

    ELEMENT: ClassVar[str] = "oadr:oadrRegisteredReport"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    report_requests: Annotated[tuple[ReportRequest, ...], wire("oadr:oadrReportRequest*")] = ()
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class CreateReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCreateReport: asks for reports."""

    ELEMENT: ClassVar[str] = "oadr:oadrCreateReport"

    request_id: Annotated[str, wire("pyld:requestID")]
    report_requests: Annotated[tuple[ReportRequest, ...], wire("oadr:oadrReportRequest+")]
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class CreatedReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCreatedReport. `pending_reports` lists all report requests that are still running."""

    ELEMENT: ClassVar[str] = "oadr:oadrCreatedReport"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    pending_reports: Annotated[tuple[str, ...], wire("oadr:oadrPendingReports/ei:reportRequestID*")] = ()
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class UpdateReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrUpdateReport: data."""

    ELEMENT: ClassVar[str] = "oadr:oadrUpdateReport"

    request_id: Annotated[str, wire("pyld:requestID")]
    reports: Annotated[tuple[Report, ...], wire("oadr:oadrReport*")] = ()
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class CancelReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCancelReport. With `report_to_follow` one last report is sent first."""

    ELEMENT: ClassVar[str] = "oadr:oadrCancelReport"

    request_id: Annotated[str, wire("pyld:requestID")]
    report_request_ids: Annotated[tuple[str, ...], wire("ei:reportRequestID+")]
    report_to_follow: Annotated[bool, wire("pyld:reportToFollow")]
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class UpdatedReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrUpdatedReport: the acknowledgement, which may cancel reports (answered with oadrCanceledReport)."""

    ELEMENT: ClassVar[str] = "oadr:oadrUpdatedReport"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    cancel_report: Annotated[CancelReport | None, wire("oadr:oadrCancelReport?")] = None
    ven_id: Annotated[str | None, wire("ei:venID?")] = None


class CanceledReport(msgspec.Struct, frozen=True, kw_only=True):
    """oadrCanceledReport. `pending_reports` lists all report requests that are still running."""

    ELEMENT: ClassVar[str] = "oadr:oadrCanceledReport"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    pending_reports: Annotated[tuple[str, ...], wire("oadr:oadrPendingReports/ei:reportRequestID*")] = ()
    ven_id: Annotated[str | None, wire("ei:venID?")] = None
