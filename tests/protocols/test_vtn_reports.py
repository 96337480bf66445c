"""Reports from the utility's side: offers, requests by configuration and by staff, data, cancellation."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.common import EiResponse, PayloadFloat, Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    RegisteredReport,
    RegisterReport,
    Response,
    UpdateReport,
)
from wattseal.protocols.openadr20b.report import (
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ResourceStatus,
    SamplingRate,
)
from wattseal.protocols.openadr20b.vocabulary import DataQuality, ReadingType, ReportName, ReportType
from wattseal.protocols.openadr20b.vtn.config import WantedReport
from wattseal.protocols.openadr20b.vtn.happenings import ReadingsReceived
from wattseal.protocols.openadr20b.vtn.state import RequestState

AT = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
OK = EiResponse(response_code="200", request_id="X")
EVERY_MINUTE = WantedReport(granularity_seconds=60, back_seconds=300)


def point(r_id, low=10, high=900):
    rate = SamplingRate(min_period=Duration.of_seconds(low), max_period=Duration.of_seconds(high), on_change=False)
    return ReportDescription(
        r_id=r_id,
        report_data_source=Target(resource_ids=("battery",)),
        report_type=ReportType.DEMAND,
        reading_type=ReadingType.DIRECT_READ,
        sampling_rate=rate,
    )


def metadata(*points, specifier="usage", name=ReportName.METADATA_TELEMETRY_USAGE):
    return Report(
        report_descriptions=points,
        report_request_id="0",
        report_specifier_id=specifier,
        report_name=name,
        created_date_time=AT,
    )


def offer(bench, ven, *reports):
    return bench.say(RegisterReport(request_id="M1", reports=reports, ven_id=ven))


def data(request_id, *values, specifier="usage", dtstart=AT):
    """One interval for each (seconds after dtstart or None, rID, value)."""
    intervals = tuple(
        ReportInterval(
            dtstart=None if after is None else dtstart + timedelta(seconds=after),
            duration=Duration.of_seconds(60),
            payloads=(
                ReportPayload(
                    r_id=r_id,
                    payload=value if isinstance(value, ResourceStatus) else PayloadFloat(value=Decimal(value)),
                    data_quality=DataQuality.GOOD_NON_SPECIFIC,
                ),
            ),
        )
        for after, r_id, value in values
    )
    return Report(
        dtstart=dtstart,
        intervals=intervals,
        report_request_id=request_id,
        report_specifier_id=specifier,
        created_date_time=AT,
    )


def update(bench, ven, *reports):
    return bench.say(UpdateReport(request_id="U1", reports=reports, ven_id=ven))


@pytest.fixture
def bench(vtn_bench):
    return vtn_bench()


@pytest.fixture
def ven(bench):
    return bench.register()


def states(bench):
    return [one.state for one in bench.vtn.state.vens[0].requests]


def test_offers_are_recorded(bench, ven):
    answer = offer(bench, ven, metadata(point("w"), point("wh")))
    assert isinstance(answer, RegisteredReport)
    assert (answer.ei_response.response_code, answer.ei_response.request_id) == ("200", "M1")
    assert answer.report_requests == ()
    offered = bench.vtn.state.vens[0].offers[0]
    assert (offered.specifier_id, offered.report_name) == ("usage", "TELEMETRY_USAGE")
    assert [(one.r_id, one.resource_ids, one.min_seconds) for one in offered.points] == [
        ("w", ("battery",), 10),
        ("wh", ("battery",), 10),
    ]


def test_empty_metadata_are_accepted(bench, ven):
    """openleadr-python #132: a VEN without reports registers none, and must be answered."""
    assert offer(bench, ven).ei_response.response_code == "200"


def test_configuration_asks_for_what_is_offered(vtn_bench):
    """OadrRegisteredReport may carry the requests; one request for each report, for all of its points."""
    bench = vtn_bench(wanted=(EVERY_MINUTE,))
    ven = bench.register()
    status = metadata(point("s"), specifier="status", name=ReportName.METADATA_TELEMETRY_STATUS)
    requests = offer(bench, ven, metadata(point("w"), point("wh")), status).report_requests
    usage = requests[0].report_specifier
    assert [one.report_specifier.report_specifier_id for one in requests] == ["usage", "status"]
    assert len({one.report_request_id for one in requests}) == 2
    assert (usage.granularity.total_seconds(), usage.report_back_duration.total_seconds()) == (60, 300)
    assert [one.r_id for one in usage.specifier_payloads] == ["w", "wh"]
    assert states(bench) == [RequestState.SENT] * 2
    pending = tuple(one.report_request_id for one in requests)
    created = CreatedReport(ei_response=OK, pending_reports=pending, ven_id=ven)
    assert bench.say(created).ei_response.response_code == "200"
    assert states(bench) == [RequestState.RUNNING] * 2
    assert isinstance(bench.poll(ven), Response)


def test_only_reports_of_the_wanted_name_are_asked_for(vtn_bench):
    wanted = WantedReport(granularity_seconds=60, back_seconds=60, report_name=ReportName.TELEMETRY_STATUS)
    bench = vtn_bench(wanted=(wanted,))
    ven = bench.register()
    status = metadata(point("s"), specifier="status", name=ReportName.METADATA_TELEMETRY_STATUS)
    requests = offer(bench, ven, metadata(point("w")), status).report_requests
    assert [one.report_specifier.report_specifier_id for one in requests] == ["status"]


@pytest.mark.parametrize(("low", "high", "wish", "granted"), [(10, 900, 5, 10), (1, 30, 60, 30), (10, 900, 60, 60)])
def test_granularity_is_fitted_into_the_sampling_rate(vtn_bench, low, high, wish, granted):
    bench = vtn_bench(wanted=(WantedReport(granularity_seconds=wish, back_seconds=wish),))
    ven = bench.register()
    specifier = offer(bench, ven, metadata(point("w", low, high))).report_requests[0].report_specifier
    assert specifier.granularity.total_seconds() == granted
    assert specifier.report_back_duration.total_seconds() == max(wish, granted)


def test_registering_again_keeps_the_request_id_and_ends_what_is_gone(vtn_bench):
    bench = vtn_bench(wanted=(EVERY_MINUTE,))
    ven = bench.register()
    other = metadata(point("x"), specifier="other")
    before = offer(bench, ven, metadata(point("w")), other).report_requests
    after = offer(bench, ven, metadata(point("w"))).report_requests
    assert [one.report_request_id for one in after] == [before[0].report_request_id]
    by_specifier = {one.specifier_id: one.state for one in bench.vtn.state.vens[0].requests}
    assert by_specifier == {"usage": RequestState.SENT, "other": RequestState.ENDED}


def test_staff_ask_by_poll(bench, ven):
    """openleadr-python #161: a VTN must be able to ask for reports later than at registration."""
    offer(bench, ven, metadata(point("w"), point("wh")))
    window = (AT, 3600)
    request_id = bench.vtn.request_report(
        ven, "usage", granularity_seconds=60, back_seconds=300, r_ids=("wh",), window=window
    )
    asked = bench.poll(ven)
    assert isinstance(asked, CreateReport)
    specifier = asked.report_requests[0].report_specifier
    assert asked.report_requests[0].report_request_id == request_id
    assert [one.r_id for one in specifier.specifier_payloads] == ["wh"]
    assert specifier.report_interval.dtstart == AT
    bench.say(CreatedReport(ei_response=OK, pending_reports=(request_id,), ven_id=ven))
    assert states(bench) == [RequestState.RUNNING]
    assert isinstance(bench.poll(ven), Response)


def test_a_request_that_is_not_answered_is_put_again_so_many_times(vtn_bench):
    bench = vtn_bench(tries=3)
    ven = bench.register()
    offer(bench, ven, metadata(point("w")))
    request_id = bench.vtn.request_report(ven, "usage", granularity_seconds=60, back_seconds=60)
    kinds = [type(bench.poll(ven)).__name__ for _ in range(5)]
    assert kinds == ["CreateReport"] * 3 + ["Response"] * 2
    assert states(bench) == [RequestState.UNANSWERED]
    bench.say(CreatedReport(ei_response=OK, pending_reports=(request_id,), ven_id=ven))
    assert states(bench) == [RequestState.RUNNING]


def test_a_refused_request_is_recorded_as_such(bench, ven):
    offer(bench, ven, metadata(point("w")))
    bench.vtn.request_report(ven, "usage", granularity_seconds=60, back_seconds=60)
    bench.poll(ven)
    bad = EiResponse(response_code="461", response_description="not that", request_id="X")
    bench.say(CreatedReport(ei_response=bad, ven_id=ven))
    assert (states(bench), bench.vtn.state.vens[0].requests[0].code) == ([RequestState.REFUSED], "461")
    assert isinstance(bench.poll(ven), Response)


def test_what_is_not_offered_cannot_be_asked_for(bench, ven):
    offer(bench, ven, metadata(point("w")))
    for specifier, r_ids in (("other", ()), ("usage", ("w", "x"))):
        with pytest.raises(MisuseError) as caught:
            bench.vtn.request_report(ven, specifier, granularity_seconds=60, back_seconds=60, r_ids=r_ids)
        assert caught.value.reason == "report_not_offered"
    with pytest.raises(MisuseError) as wrong:
        bench.vtn.request_report(ven, "usage", granularity_seconds=-1, back_seconds=60)
    assert wrong.value.reason == "report_period_wrong"


def test_metadata_can_be_asked_for(bench, ven):
    """Rule 306: reportSpecifierID METADATA."""
    request_id = bench.vtn.request_report(ven, "METADATA", granularity_seconds=0, back_seconds=0)
    asked = bench.poll(ven)
    assert asked.report_requests[0].report_specifier.report_specifier_id == "METADATA"
    offer(bench, ven, metadata(point("w")))
    assert bench.vtn.state.vens[0].request(request_id).state is RequestState.ENDED


def running(bench, ven, **periods):
    offer(bench, ven, metadata(point("w"), point("wh")))
    request_id = bench.vtn.request_report(ven, "usage", **({"granularity_seconds": 60, "back_seconds": 60} | periods))
    bench.poll(ven)
    bench.say(CreatedReport(ei_response=OK, pending_reports=(request_id,), ven_id=ven))
    return request_id


def test_values_arrive_exactly_as_they_were_sent(bench, ven):
    """Rule 314: an interval without dtstart has the report's."""
    request_id = running(bench, ven)
    answer = update(bench, ven, data(request_id, (None, "w", "-1234.5678901234"), (60, "wh", "1e3")))
    assert (answer.ei_response.response_code, answer.ei_response.request_id) == ("200", "U1")
    happened = bench.happenings[-1]
    assert isinstance(happened, ReadingsReceived)
    assert happened.readings == bench.vtn.state.vens[0].readings
    first, second = happened.readings
    assert (first.r_id, first.start, first.value) == ("w", AT, Decimal("-1234.5678901234"))
    assert (second.start, second.value, second.duration_seconds) == (AT + timedelta(minutes=1), Decimal(1000), 60)
    assert first.quality == "Quality Good - Non Specific"
    assert bench.restarted().vtn.state.vens[0].readings == happened.readings


def test_resource_status_arrives(bench, ven):
    request_id = running(bench, ven)
    status = ResourceStatus(online=True, manual_override=False)
    update(bench, ven, data(request_id, (0, "w", status)))
    assert bench.vtn.state.vens[0].readings[0].value == status
    assert bench.restarted().vtn.state.vens[0].readings[0].value == status


def test_data_that_nobody_asked_for_is_refused_but_the_rest_is_kept(bench, ven):
    """452 invalid ID; rule 304 checks of reportRequestID."""
    request_id = running(bench, ven)
    answer = update(bench, ven, data("MADE-UP", (0, "w", "1")), data(request_id, (0, "w", "2")))
    assert answer.ei_response.response_code == "452"
    assert [one.value for one in bench.vtn.state.vens[0].readings] == [Decimal(2)]
    other = bench.register("other")
    assert update(bench, other, data(request_id, (0, "w", "3"))).ei_response.response_code == "452"


def test_a_report_without_a_ven_id_is_known_by_its_request(bench, ven):
    request_id = running(bench, ven)
    assert update(bench, None, data(request_id, (0, "w", "5"))).ei_response.response_code == "200"
    assert bench.vtn.state.vens[0].readings[0].value == 5


def test_once_means_once(bench, ven):
    """Granularity and reportBackDuration 0: one report; a second was not asked for."""
    request_id = running(bench, ven, granularity_seconds=0, back_seconds=0)
    assert update(bench, ven, data(request_id, (0, "w", "1"))).ei_response.response_code == "200"
    assert states(bench) == [RequestState.ENDED]
    assert update(bench, ven, data(request_id, (0, "w", "2"))).ei_response.response_code == "452"


def test_readings_are_kept_up_to_a_number(vtn_bench):
    bench = vtn_bench(readings_kept=3)
    ven = bench.register()
    request_id = running(bench, ven)
    for value in range(5):
        update(bench, ven, data(request_id, (0, "w", value)))
    assert [one.value for one in bench.vtn.state.vens[0].readings] == [2, 3, 4]


def test_cancellation_by_poll(bench, ven):
    request_id = running(bench, ven)
    bench.vtn.cancel_report(ven, request_id)
    for _ in range(2):
        told = bench.poll(ven)
        assert isinstance(told, CancelReport)
        assert (told.report_request_ids, told.report_to_follow) == ((request_id,), False)
    bench.say(CanceledReport(ei_response=OK, ven_id=ven))
    assert states(bench) == [RequestState.ENDED]
    assert isinstance(bench.poll(ven), Response)
    assert update(bench, ven, data(request_id, (0, "w", "1"))).ei_response.response_code == "452"


def test_cancellation_inside_the_acknowledgement(bench, ven):
    """OadrUpdatedReport may carry oadrCancelReport; it is said again by poll until it is confirmed."""
    request_id = running(bench, ven)
    bench.vtn.cancel_report(ven, request_id, to_follow=True)
    answer = update(bench, ven, data(request_id, (0, "w", "1")))
    assert answer.cancel_report.report_request_ids == (request_id,)
    assert answer.cancel_report.report_to_follow
    assert isinstance(bench.poll(ven), CancelReport)
    bench.say(CanceledReport(ei_response=OK, pending_reports=(request_id,), ven_id=ven))
    assert states(bench) == [RequestState.ENDED]
    assert update(bench, ven, data(request_id, (0, "w", "2"))).ei_response.response_code == "200"


def test_a_cancellation_that_is_never_confirmed_ends_all_the_same(vtn_bench):
    bench = vtn_bench(tries=2)
    ven = bench.register()
    request_id = running(bench, ven)
    bench.vtn.cancel_report(ven, request_id)
    assert [type(bench.poll(ven)).__name__ for _ in range(3)] == ["CancelReport", "CancelReport", "Response"]
    assert states(bench) == [RequestState.ENDED]


def test_a_request_that_was_never_sent_just_goes(bench, ven):
    offer(bench, ven, metadata(point("w")))
    request_id = bench.vtn.request_report(ven, "usage", granularity_seconds=60, back_seconds=60)
    bench.vtn.cancel_report(ven, request_id)
    assert isinstance(bench.poll(ven), Response)
    with pytest.raises(MisuseError) as caught:
        bench.vtn.cancel_report(ven, "MADE-UP")
    assert caught.value.reason == "report_request_unknown"


def test_our_own_metadata_are_offered_until_answered(vtn_bench):
    """Start-up sequence: by poll the VTN sends oadrRegisterReport, often with no oadrReport."""
    bench = vtn_bench(own_metadata=True, tries=3)
    ven = bench.register()
    for _ in range(2):
        offered = bench.poll(ven)
        assert isinstance(offered, RegisterReport)
        assert offered.reports == ()
    answer = bench.say(RegisteredReport(ei_response=OK, ven_id=ven))
    assert (type(answer), answer.ei_response.response_code) == (Response, "200")
    assert isinstance(bench.poll(ven), Response)


def test_a_ven_that_wants_reports_of_us_is_told_that_there_are_none(bench, ven):
    offer(bench, ven, metadata(point("w")))
    bench.vtn.request_report(ven, "usage", granularity_seconds=60, back_seconds=60)
    requests = bench.poll(ven).report_requests
    created = bench.say(CreateReport(request_id="R", report_requests=requests, ven_id=ven))
    assert (type(created), created.ei_response.response_code) == (CreatedReport, "461")
    told = bench.say(RegisteredReport(ei_response=OK, report_requests=requests, ven_id=ven))
    assert told.ei_response.response_code == "461"
    cancel = CancelReport(request_id="R", report_request_ids=("a",), report_to_follow=False, ven_id=ven)
    assert bench.say(cancel).ei_response.response_code == "452"
