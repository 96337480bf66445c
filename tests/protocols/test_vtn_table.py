"""Every pair of standing and message type, and bad bytes: an answer by the schema with its code, no exception."""

import string
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattseal.certs.identity import PeerIdentity
from wattseal.protocols.openadr20b import messages as m
from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.common import CalendarPeriod, EiResponse, PayloadFloat, QualifiedEventID, Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.event import EventResponse
from wattseal.protocols.openadr20b.messages import MESSAGE_TYPES
from wattseal.protocols.openadr20b.opt import Vavailability
from wattseal.protocols.openadr20b.party import Profile
from wattseal.protocols.openadr20b.report import (
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    ReportSpecifier,
    SamplingRate,
    SpecifierPayload,
)
from wattseal.protocols.openadr20b.vocabulary import (
    OptReason,
    OptType,
    ProfileName,
    ReadingType,
    ReportType,
    ServiceName,
    TransportName,
)
from wattseal.protocols.openadr20b.vtn.config import WantedReport
from wattseal.protocols.openadr20b.vtn.happenings import Refused
from wattseal.protocols.openadr20b.vtn.state import VtnState
from wattseal.protocols.openadr20b.vtn.table import SERVICES, TABLE, Standing

AT = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
ALICE = PeerIdentity("AA", "a" * 64, "CN=alice")
MALLORY = PeerIdentity("BB", "b" * 64, "CN=mallory")
NEVER_OURS = ("DistributeEvent", "CreatedPartyRegistration", "RequestReregistration", "CreatedOpt", "CanceledOpt")


def messages(ven, event, request, registration):
    """Messages of all types, of which each names these identifiers, or strange ones, or none."""

    def either(*known):
        return st.sampled_from((*known, "strange")) | st.text(string.printable[:94], max_size=5)

    ven_ids = either(ven)
    maybe_ven = st.none() | ven_ids
    numbers = st.integers(0, 3)
    response = st.builds(
        EiResponse,
        response_code=st.sampled_from(("200", "452", "463", "500")),
        response_description=st.none() | st.just("said"),
        request_id=st.just("") | either("R"),
    )
    qualified = st.builds(QualifiedEventID, event_id=either(event), modification_number=numbers)
    period = st.builds(
        CalendarPeriod,
        dtstart=st.just(AT),
        duration=st.sampled_from(
            (Duration(), Duration(minutes=5), Duration(months=1), Duration(days=1, negative=True))
        ),
    )
    report = st.builds(
        Report,
        dtstart=st.none() | st.just(AT),
        intervals=st.lists(
            st.builds(
                ReportInterval,
                payloads=st.just((ReportPayload(r_id="w", payload=PayloadFloat(value=Decimal(1))),)),
            ),
            max_size=2,
        ).map(tuple),
        report_descriptions=st.just(()) | st.just((_point("w"), _point("v"))),
        report_request_id=either(request, "0"),
        report_specifier_id=either("usage"),
        created_date_time=st.just(AT),
    )
    reports = st.lists(report, max_size=2).map(tuple)
    asked = st.builds(
        ReportRequest,
        report_request_id=either(request),
        report_specifier=st.just(
            ReportSpecifier(
                report_specifier_id="usage",
                granularity=Duration(),
                report_back_duration=Duration(),
                specifier_payloads=(SpecifierPayload(r_id="w", reading_type=ReadingType.NET),),
            )
        ),
    )
    pending = st.lists(either(request), max_size=2).map(tuple)
    answered = st.builds(
        EventResponse,
        response_code=st.sampled_from(("200", "460")),
        request_id=either("R"),
        qualified_event_id=qualified,
        opt_type=st.sampled_from(OptType),
    )
    profiles = (Profile(profile_name=ProfileName.PROFILE_20B, transport_names=(TransportName.SIMPLE_HTTP,)),)
    return {
        m.DistributeEvent: st.builds(m.DistributeEvent, request_id=either("R"), vtn_id=either("V")),
        m.CreatedEvent: st.builds(
            m.CreatedEvent,
            ei_response=response,
            event_responses=st.lists(answered, max_size=3).map(tuple),
            ven_id=ven_ids,
        ),
        m.RequestEvent: st.builds(
            m.RequestEvent, request_id=either("R"), ven_id=ven_ids, reply_limit=st.none() | st.integers(0, 9)
        ),
        m.Response: st.builds(m.Response, ei_response=response, ven_id=maybe_ven),
        m.CancelOpt: st.builds(m.CancelOpt, request_id=either("R"), opt_id=either("O"), ven_id=ven_ids),
        m.CanceledOpt: st.builds(m.CanceledOpt, ei_response=response, opt_id=st.none() | either("O")),
        m.CreateOpt: st.builds(
            m.CreateOpt,
            opt_id=either("O"),
            opt_type=st.sampled_from(OptType),
            opt_reason=st.sampled_from(OptReason),
            ven_id=ven_ids,
            vavailability=st.none() | st.builds(Vavailability, available=st.lists(period, max_size=2).map(tuple)),
            created_date_time=st.just(AT),
            request_id=either("R"),
            qualified_event_id=st.none() | qualified,
            target=st.just(Target()),
        ),
        m.CreatedOpt: st.builds(m.CreatedOpt, ei_response=response, opt_id=either("O")),
        m.CancelReport: st.builds(
            m.CancelReport,
            request_id=either("R"),
            report_request_ids=st.just((request,)),
            report_to_follow=st.booleans(),
            ven_id=maybe_ven,
        ),
        m.CanceledReport: st.builds(m.CanceledReport, ei_response=response, pending_reports=pending, ven_id=maybe_ven),
        m.CreateReport: st.builds(
            m.CreateReport, request_id=either("R"), report_requests=st.tuples(asked), ven_id=maybe_ven
        ),
        m.CreatedReport: st.builds(m.CreatedReport, ei_response=response, pending_reports=pending, ven_id=maybe_ven),
        m.RegisterReport: st.builds(m.RegisterReport, request_id=either("R"), reports=reports, ven_id=maybe_ven),
        m.RegisteredReport: st.builds(
            m.RegisteredReport,
            ei_response=response,
            report_requests=st.lists(asked, max_size=1).map(tuple),
            ven_id=maybe_ven,
        ),
        m.UpdateReport: st.builds(m.UpdateReport, request_id=either("R"), reports=reports, ven_id=maybe_ven),
        m.UpdatedReport: st.builds(m.UpdatedReport, ei_response=response, ven_id=maybe_ven),
        m.CancelPartyRegistration: st.builds(
            m.CancelPartyRegistration, request_id=either("R"), registration_id=either(registration), ven_id=maybe_ven
        ),
        m.CanceledPartyRegistration: st.builds(
            m.CanceledPartyRegistration,
            ei_response=response,
            registration_id=st.none() | either(registration),
            ven_id=maybe_ven,
        ),
        m.CreatePartyRegistration: st.builds(
            m.CreatePartyRegistration,
            request_id=either("R"),
            registration_id=st.none() | either(registration),
            ven_id=maybe_ven,
            report_only=st.booleans(),
            xml_signature=st.booleans(),
            ven_name=st.none() | either("ven"),
            http_pull_model=st.none() | st.booleans(),
        ),
        m.CreatedPartyRegistration: st.builds(
            m.CreatedPartyRegistration, ei_response=response, vtn_id=either("V"), profiles=st.just(profiles)
        ),
        m.RequestReregistration: st.builds(m.RequestReregistration, ven_id=ven_ids),
        m.QueryRegistration: st.builds(m.QueryRegistration, request_id=either("R")),
        m.Poll: st.builds(m.Poll, ven_id=ven_ids),
    }


def _point(r_id):
    rate = SamplingRate(min_period=Duration(seconds=1), max_period=Duration(months=1), on_change=True)
    return ReportDescription(
        r_id=r_id, report_type=ReportType.USAGE, reading_type=ReadingType.DIRECT_READ, sampling_rate=rate
    )


def furnished(vtn_bench, standing):
    """A bench whose VEN stands so, with an event told, a report request sent, and the peer that speaks."""
    bench = vtn_bench(wanted=(WantedReport(granularity_seconds=60, back_seconds=60),), own_metadata=True)
    ven = bench.register(peer=ALICE)
    registration = bench.vtn.state.vens[0].registration_id
    event = bench.add()
    metadata = Report(
        report_descriptions=(_point("w"),),
        report_request_id="0",
        report_specifier_id="usage",
        created_date_time=AT,
    )
    asked = bench.say(m.RegisterReport(request_id="R", reports=(metadata,), ven_id=ven), ALICE).report_requests
    bench.poll(ven, ALICE)
    if standing is Standing.LEAVING:
        bench.vtn.cancel_registration(ven)
    if standing is Standing.STRANGER:
        bench.vtn.forget(bench.now, ven)
    peer = MALLORY if standing is Standing.IMPOSTOR else ALICE
    return bench, peer, (ven, event, asked[0].report_request_id, registration)


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_pair_is_answered_by_the_schema(vtn_bench, standing, kind, data):
    """(standing, message type): the answer is valid by the foreign schema, and the state can be written and read."""
    bench, peer, known = furnished(vtn_bench, standing)
    before = bench.vtn.state
    bench.happenings.clear()
    message = data.draw(messages(*known)[kind])
    answer = bench.say(message, peer)
    code = answer.ei_response.response_code if getattr(answer, "ei_response", None) else "200"
    if any(isinstance(one, Refused) for one in bench.happenings):
        assert code[0] == "4"
        assert bench.vtn.state == before
    if kind.__name__ in NEVER_OURS:
        assert code in {"451", "463"}
    if standing is Standing.STRANGER and kind not in {m.QueryRegistration, m.CreatePartyRegistration}:
        assert code in {"450", "451", "463"}
    assert VtnState.from_bytes(bench.vtn.state.to_bytes()) == bench.vtn.state
    bench.poll(known[0], ALICE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_walk_through_the_table_is_answered(vtn_bench, data):
    """Long walks: whatever VENs say in whatever order, and whatever staff do in between."""
    bench, _, known = furnished(vtn_bench, Standing.REGISTERED)
    kinds = messages(*known)
    for _ in range(data.draw(st.integers(1, 25))):
        staff = data.draw(st.sampled_from(("none", "none", "cancel", "modify", "leave", "reregister", "report")))
        vtn, ven_known = bench.vtn, any(one.ven_id == known[0] for one in bench.vtn.state.vens)
        event = next((one for one in vtn.state.events if one.event_id == known[1]), None)
        if event and not event.cancelled and not event.retired and staff in {"cancel", "modify"}:
            if staff == "cancel":
                vtn.cancel_event(bench.now, known[1])
            else:
                vtn.modify_event(bench.now, known[1], bench.draft())
        elif ven_known and staff == "leave":
            vtn.cancel_registration(known[0])
        elif ven_known and staff == "reregister":
            vtn.request_reregistration(known[0])
        elif ven_known and staff == "report":
            vtn.request_report(known[0], "METADATA", granularity_seconds=0, back_seconds=0)
        message = data.draw(kinds[data.draw(st.sampled_from(MESSAGE_TYPES))])
        bench.say(message, data.draw(st.sampled_from((ALICE, MALLORY, None))))
        bench = bench.restarted()


def test_the_table_and_the_services_name_every_message():
    assert set(SERVICES) == set(MESSAGE_TYPES)
    assert {standing for standing, _ in TABLE} == set(Standing)
    assert {kind for _, kind in TABLE} | {m.UpdatedReport} == set(MESSAGE_TYPES)


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_message_at_another_service_is_refused(vtn_bench, kind, data):
    """459; oadrResponse alone belongs to every service."""
    bench, peer, known = furnished(vtn_bench, Standing.REGISTERED)
    message = data.draw(messages(*known)[kind])
    for service in set(ServiceName) - SERVICES[kind]:
        before = bench.vtn.state
        assert bench.say(message, peer, service).ei_response.response_code == "459"
        assert bench.vtn.state == before


@pytest.mark.parametrize(
    ("raw", "status", "reason"),
    [
        (b"", 400, "malformed_xml"),
        (b"<a><b></a>", 400, "malformed_xml"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 400, "dtd_forbidden"),
        (b"<a>" + b" " * 1_048_576 + b"</a>", 400, "oversized"),
        (b"<a>" * 60 + b"</a>" * 60, 400, "too_deep"),
        ("<a/>".encode("utf-16"), 400, "encoding"),
        (b"<a/>", 200, "schema_violation"),
    ],
)
def test_bad_bytes_are_answered_and_recorded(vtn_bench, raw, status, reason):
    """What is no XML gets HTTP 400, a document that is no message its response code; the VTN goes on."""
    bench = vtn_bench()
    ven = bench.register()
    before = bench.vtn.state
    got, answer = bench.post("EiEvent", raw)
    assert got == status
    assert (answer is None) or answer.ei_response.response_code == "454"
    assert bench.happenings[-1].reason == reason
    assert bench.vtn.state == before
    assert bench.poll(ven).ei_response.response_code == "200"


def test_a_message_that_breaks_the_schema_is_answered_with_its_ids(vtn_bench):
    bench = vtn_bench()
    ven = bench.register()
    raw = encode(m.RequestEvent(request_id="Q5", ven_id=ven)).replace(
        b"</pyld:eiRequestEvent>", b"<b/></pyld:eiRequestEvent>"
    )
    status, answer = bench.post("EiEvent", raw)
    assert (status, answer.ei_response.response_code, answer.ei_response.request_id) == (200, "454", "Q5")
    assert answer.ven_id == ven


def test_a_service_that_does_not_exist(vtn_bench):
    assert vtn_bench().post("EiNothing", b"<a/>") == (404, None)


@given(raw=st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_raise(vtn_bench, raw):
    status, _ = vtn_bench().post("OadrPoll", raw)
    assert status in {200, 400}
