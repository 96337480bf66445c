"""Telemetry reports of the VEN: requests, windows, what is sent again, what is given up. Virtual clock."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ven_world import NOON, World, create_report, dispatch, distribute, oadr_event, ok, report_request, rows_for

from wattseal.certs.clock import ClockQuality
from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.codec import decode
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.report import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    RegisteredReport,
    RegisterReport,
    Report,
    ReportPayload,
    ResourceStatus,
    UpdatedReport,
    UpdateReport,
)
from wattseal.protocols.openadr20b.ven.config import telemetry_offers
from wattseal.protocols.openadr20b.ven.happenings import (
    MessageRefused,
    ReportAccepted,
    ReportCancelled,
    ReportRefused,
    ReportRequested,
)
from wattseal.protocols.openadr20b.ven.state import ReportRow
from wattseal.protocols.openadr20b.vocabulary import DataQuality, ReadingType, ReportName, ReportType


@pytest.fixture
def world() -> World:
    world = World.new()
    world.run(5)
    return world


def sent(world: World) -> list[Report]:
    return [one for message in world.vtn.received(UpdateReport) for one in message.reports]  # type: ignore[union-attr]


def starts(world: World, request_id: str = "RR1") -> list[int]:
    """The starts of all intervals that the VTN got for a request, in the order of arrival."""
    return [
        int(interval.dtstart.timestamp())
        for one in sent(world)
        if one.report_request_id == request_id
        for interval in one.intervals
        if interval.dtstart is not None
    ]


def test_metadata_report_says_what_is_on_offer(world: World) -> None:
    """Rule 311: reportRequestID is "0" in metadata; #83: with a duration; rule 45 and the rest is the codec's."""
    message = world.vtn.received(RegisterReport)[0]
    assert isinstance(message, RegisterReport)
    usage, status = message.reports
    assert (usage.report_request_id, status.report_request_id) == ("0", "0")
    assert (usage.report_name, status.report_name) == (
        ReportName.METADATA_TELEMETRY_USAGE, ReportName.METADATA_TELEMETRY_STATUS,
    )  # fmt: skip
    assert usage.duration is not None
    assert usage.duration.total_seconds() == 86_400
    points = {one.r_id: one for one in usage.report_descriptions}
    assert {name: one.report_type for name, one in points.items()} == {
        "battery_power": ReportType.DEMAND, "battery_energy": ReportType.USAGE,
        "battery_stored": ReportType.STORED_ENERGY,
    }  # fmt: skip
    assert points["battery_power"].item_base.item_units == "W"  # type: ignore[union-attr]
    assert points["battery_energy"].item_base.item_units == "Wh"  # type: ignore[union-attr]
    assert points["battery_power"].report_data_source.resource_ids == ("battery",)  # type: ignore[union-attr]
    assert status.report_descriptions[0].report_type is ReportType.RESOURCE_STATUS
    assert status.report_descriptions[0].reading_type is ReadingType.NOT_APPLICABLE
    assert status.report_descriptions[0].item_base is None


def test_the_vtn_s_own_empty_metadata_is_answered(world: World) -> None:
    """openleadr-python #135."""
    world.polled(RegisterReport(request_id="R3", ven_id="VEN_1"))
    answer = world.vtn.received(RegisteredReport)[0]
    assert isinstance(answer, RegisteredReport)
    assert (answer.ei_response.response_code, answer.ei_response.request_id) == ("200", "R3")
    assert answer.ven_id == "VEN_1"
    assert len(world.vtn.received(RegisterReport)) == 1


def test_rule_306_the_metadata_can_be_asked_for_again(world: World) -> None:
    world.polled(create_report(report_request("RM", "METADATA", ("x",), 0, 0)))
    first, again = world.vtn.received(RegisterReport)
    assert again.report_request_id == "RM"  # type: ignore[union-attr]
    assert [one.report_specifier_id for one in again.reports] == [one.report_specifier_id for one in first.reports]  # type: ignore[union-attr]
    assert again.reports[0].created_date_time > first.reports[0].created_date_time  # type: ignore[union-attr]
    assert world.vtn.received(CreatedReport)[0].ei_response.response_code == "200"  # type: ignore[union-attr]
    assert not world.deck.all(ReportRequested)


def test_periodic_request_by_poll(world: World) -> None:
    """Granularity 60 s, sent every 300 s: five intervals each, aligned to the minute, none twice, none missing."""
    world.polled(create_report(report_request(), request_id="R8"))
    answer = world.vtn.received(CreatedReport)[0]
    assert isinstance(answer, CreatedReport)
    assert (answer.ei_response.request_id, answer.pending_reports) == ("R8", ("RR1",))
    world.run(3600)
    assert [len(one.intervals) for one in sent(world)] == [5] * len(sent(world))
    got = starts(world)
    assert got == list(range(got[0], got[-1] + 1, 60))
    assert got[0] == NOON + 60
    assert len(sent(world)) == 11
    report = sent(world)[0]
    assert (report.report_request_id, report.report_specifier_id) == ("RR1", "telemetry_usage")
    assert report.report_name is ReportName.TELEMETRY_USAGE
    payload = report.intervals[0].payloads[0]
    assert isinstance(payload, ReportPayload)
    assert payload.payload.value == Decimal((NOON + 60) % 1000)  # type: ignore[union-attr]
    assert payload.data_quality is DataQuality.GOOD_NON_SPECIFIC


def test_the_accepted_bytes_are_the_ones_that_went_out(world: World) -> None:
    world.vtn.requests = ()
    world.polled(create_report(report_request(granularity=5, back=5)))
    world.run(20)
    accepted = world.deck.all(ReportAccepted)[0]
    assert decode(accepted.request_raw).message == world.vtn.received(UpdateReport)[0]
    assert isinstance(decode(accepted.answer_raw).message, UpdatedReport)
    assert (accepted.code, accepted.rows) == ("200", 1)


def test_one_shot(world: World) -> None:
    """Granularity and reportBackDuration of zero: one value, now, once, and the request is over."""
    request = report_request("ONE", "telemetry_status", ("battery_status",), 0, 0)
    world.polled(create_report(request))
    assert len(sent(world)) == 1
    assert [len(one.intervals) for one in sent(world)] == [1]
    world.run(3600)
    assert len(sent(world)) == 1
    assert world.deck.all(ReportCancelled)[0] == ReportCancelled("ONE", "completed")
    assert world.session.state.requests == ()


def test_status_payload(world: World) -> None:
    """TELEMETRY_STATUS carries oadrPayloadResourceStatus."""
    world.deck.silent = True
    world.polled(create_report(report_request("ONE", "telemetry_status", ("battery_status",), 0, 0)))
    wanted = world.session.report_wanted(world.clock.now())
    assert wanted is not None
    status = ResourceStatus(online=True, manual_override=False)
    row = ReportRow(r_id="battery_status", start=wanted.begin, duration_seconds=0, value=status)
    world.session.submit_report(world.clock.now(), wanted, (row,))
    world.restart()
    world.run(20)
    assert sent(world)[0].report_name is ReportName.TELEMETRY_STATUS
    assert sent(world)[0].intervals[0].payloads[0].payload == status  # type: ignore[union-attr]


def test_report_interval_is_a_window(world: World) -> None:
    """reportInterval: from its start to its end, then the request is over, the rest that is no full period included."""
    world.polled(create_report(report_request(window=(NOON + 600, 700))))
    world.run(3600)
    assert starts(world) == list(range(NOON + 600, NOON + 1300, 60))
    assert world.deck.all(ReportCancelled) == [ReportCancelled("RR1", "completed")]


def test_history_by_window_in_the_past(world: World) -> None:
    """A window that is over, asked for once: sent at once, from what the box still knows."""
    world.polled(create_report(report_request(back=0, window=(NOON - 3600, 1800))))
    world.run(30)
    assert starts(world) == list(range(NOON - 3600, NOON - 1800, 60))
    assert world.session.state.requests == ()


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (report_request(specifier="nothing"), "461", "report_unknown"),
        (report_request(r_ids=("battery_power", "moon")), "461", "report_point_unknown"),
        (report_request(granularity=-5), "454", "report_period_wrong"),
        (report_request(window=(NOON, -5)), "454", "report_period_wrong"),
    ],
)
def test_bad_requests_get_their_code(world: World, request_: Any, code: str, reason: str) -> None:
    world.polled(create_report(request_))
    assert world.vtn.received(CreatedReport)[0].ei_response.response_code == code  # type: ignore[union-attr]
    assert [one.reason for one in world.deck.all(MessageRefused)] == [reason]
    assert world.session.state.requests == ()


def test_granularity_finer_than_offered_is_refused() -> None:
    slow = telemetry_offers(("battery",))[0]
    slow = type(slow)(slow.specifier_id, slow.report_name, slow.points, min_period_seconds=60)
    world = World.new(offers=(slow,))
    world.run(5)
    world.polled(create_report(report_request(granularity=30)))
    assert world.deck.all(MessageRefused)[0].reason == "granularity_unsupported"


def test_good_and_bad_requests_together(world: World) -> None:
    """What can be taken is taken; the pending list says which."""
    world.polled(create_report(report_request("A"), report_request("B", specifier="nothing")))
    answer = world.vtn.received(CreatedReport)[0]
    assert isinstance(answer, CreatedReport)
    assert (answer.ei_response.response_code, answer.pending_reports) == ("200", ("A",))
    assert "nothing" in (answer.ei_response.response_description or "")


def test_rule_304_pending_lists_are_complete_and_ids_are_kept_apart(world: World) -> None:
    world.polled(create_report(report_request("A")), create_report(report_request("B", granularity=30)))
    assert [one.pending_reports for one in world.vtn.received(CreatedReport)] == [("A",), ("A", "B")]  # type: ignore[union-attr]
    world.polled(CancelReport(request_id="R4", report_request_ids=("A", "Z"), report_to_follow=False))
    answer = world.vtn.received(CanceledReport)[0]
    assert isinstance(answer, CanceledReport)
    assert (answer.ei_response.request_id, answer.pending_reports) == ("R4", ("B",))
    assert answer.ei_response.response_code == "200"
    assert world.deck.all(ReportCancelled) == [ReportCancelled("A", "by_utility")]
    assert world.deck.all(MessageRefused)[-1].reason == "report_request_unknown"


def test_cancelling_what_does_not_run_is_452(world: World) -> None:
    world.polled(CancelReport(request_id="R4", report_request_ids=("Z",), report_to_follow=False))
    assert world.vtn.received(CanceledReport)[0].ei_response.response_code == "452"  # type: ignore[union-attr]


def test_cancel_with_report_to_follow_sends_one_last_report(world: World) -> None:
    world.polled(create_report(report_request()))
    world.run(500)
    before = len(sent(world))
    world.polled(CancelReport(request_id="R4", report_request_ids=("RR1",), report_to_follow=True))
    assert world.vtn.received(CanceledReport)[0].pending_reports == ()  # type: ignore[union-attr]
    world.run(3600)
    assert len(sent(world)) == before + 1
    got = starts(world)
    assert got == list(range(got[0], got[-1] + 1, 60)), "what was open until the cancel is in it"
    assert world.deck.all(ReportCancelled)[-1] == ReportCancelled("RR1", "completed")


def test_cancel_inside_the_acknowledgement(world: World) -> None:
    """An oadrCancelReport in oadrUpdatedReport is answered with oadrCanceledReport."""
    cancel = CancelReport(request_id="R6", report_request_ids=("RR1",), report_to_follow=False)
    world.vtn.bend = lambda message: (
        UpdatedReport(ei_response=ok(message.request_id), cancel_report=cancel)
        if isinstance(message, UpdateReport)
        else None
    )
    world.polled(create_report(report_request(granularity=10, back=10)))
    world.run(60)
    assert len(sent(world)) == 1
    assert world.vtn.received(CanceledReport)[0].ei_response.request_id == "R6"  # type: ignore[union-attr]
    assert len(world.deck.all(ReportAccepted)) == 1


def test_rule_21_a_request_for_another_ven_is_refused(world: World) -> None:
    world.polled(create_report(report_request(), ven_id="VEN_9"))
    assert world.vtn.received(CreatedReport)[0].ei_response.response_code == "452"  # type: ignore[union-attr]
    assert world.session.state.requests == ()


def test_data_that_nobody_asked_for_is_declined(world: World) -> None:
    world.polled(UpdateReport(request_id="R7", ven_id="VEN_1"))
    assert world.vtn.received(UpdatedReport)[0].ei_response.response_code == "461"  # type: ignore[union-attr]


def test_nothing_is_lost_while_the_vtn_is_away(world: World) -> None:
    """Reports that could not be sent are sent later, oldest first, and polls go on between them."""
    world.polled(create_report(report_request()))
    world.run(900)
    world.vtn.down = True
    world.run(7200)
    assert len(world.session.state.backlog) > 10
    world.restart()
    world.vtn.down = False
    world.run(900)
    got = starts(world)
    assert got == list(range(got[0], got[-1] + 1, 60))
    assert not world.session.state.backlog
    assert world.session.state.counters.report_seconds_given_up == 0


def test_polls_are_not_starved_by_a_backlog() -> None:
    """Rule 54: with two hundred reports waiting, each of which takes three seconds to send, polls keep their period
    but for the one report that is under way.
    """
    world = World.new(backoff_max_seconds=5.0)
    world.run(5)
    world.polled(create_report(report_request(granularity=5, back=5)))
    world.vtn.down = True
    world.run(1000)
    assert len(world.session.state.backlog) > 100
    world.vtn.down = False
    world.vtn.log.clear()
    world.vtn.bend = lambda message: world.clock.advance(3) if isinstance(message, UpdateReport) else None
    world.run(400)
    times = [at for at, _, message in world.vtn.log if isinstance(message, Poll)]
    assert len(times) > 25
    assert max(b - a for a, b in pairwise(times)) <= 13
    assert len(sent(world)) > 50


def test_the_backlog_is_bounded_and_the_window_stays_open() -> None:
    """A full backlog asks for no more rows; once it drains, the open window is asked for, so nothing is lost."""
    world = World.new(report_rows_max=20, backlog_rows_max=100)
    world.run(5)
    world.polled(create_report(report_request(granularity=10, back=60)))
    world.vtn.down = True
    world.run(7200)
    assert 80 <= world.session.state.backlog_rows <= 100
    assert world.session.state.counters.backlog_full > 0
    world.vtn.down = False
    world.run(900)
    got = starts(world)
    assert got == list(range(got[0], got[-1] + 1, 10))
    assert got[-1] > world.clock.now().unix - 80


def test_what_the_history_no_longer_holds_is_given_up_and_counted() -> None:
    offer = telemetry_offers(("battery",))[0]
    offer = type(offer)(offer.specifier_id, offer.report_name, offer.points, history_seconds=600)
    world = World.new(offers=(offer,), report_rows_max=20, backlog_rows_max=20)
    world.run(5)
    world.polled(create_report(report_request(granularity=60, back=300)))
    world.vtn.down = True
    world.run(7200)
    world.vtn.down = False
    world.run(900)
    got = starts(world)
    holes = [b - a - 60 for a, b in pairwise(got) if b - a != 60]
    assert sum(holes) == world.session.state.counters.report_seconds_given_up > 0
    assert sorted(set(got)) == got


@pytest.mark.parametrize("code", ["454", "461", "469"])
def test_a_refused_report_is_recorded_and_not_sent_again(world: World, code: str) -> None:
    world.polled(create_report(report_request(granularity=10, back=60)))
    world.vtn.bend = lambda message: (
        UpdatedReport(ei_response=ok(message.request_id, code)) if isinstance(message, UpdateReport) else None
    )
    world.run(70)
    assert len(world.deck.all(ReportRefused)) == 1
    assert world.deck.all(ReportRefused)[0].code == code
    world.vtn.bend = lambda _message: None
    world.run(70)
    assert len(world.deck.all(ReportAccepted)) == 1


def test_the_vtn_s_own_trouble_keeps_the_report(world: World) -> None:
    world.polled(create_report(report_request(granularity=10, back=60)))
    world.vtn.bend = lambda message: (
        UpdatedReport(ei_response=ok(message.request_id, "500")) if isinstance(message, UpdateReport) else None
    )
    world.run(200)
    world.vtn.bend = lambda _message: None
    world.run(200)
    got = starts(world)
    assert sorted(set(got)) == list(range(min(got), max(got) + 1, 10))
    assert not world.deck.all(ReportRefused)


def test_a_vtn_that_lost_the_request_is_offered_the_reports_again(world: World) -> None:
    """openleadr-python #186: a VEN must not go on unheard."""
    world.polled(create_report(report_request(granularity=10, back=60)))
    world.vtn.bend = lambda message: (
        UpdatedReport(ei_response=ok(message.request_id, "452"))
        if isinstance(message, UpdateReport) and message.reports[0].report_request_id == "RR1"
        else None
    )
    world.vtn.requests = (report_request("RR2", granularity=10, back=60),)
    world.run(200)
    assert len(world.vtn.received(RegisterReport)) == 2
    assert [one.request_id for one in world.session.state.requests] == ["RR2"]
    assert world.deck.all(ReportAccepted)
    assert ReportCancelled("RR1", "forgotten") in world.deck.all(ReportCancelled)


def test_a_request_repeated_under_a_new_id_after_an_offer_replaces_the_old_one() -> None:
    """A VTN without memory that happens to give us the same identifiers must not be told everything twice."""
    world = World.new()
    world.vtn.requests = (report_request("RR1"),)
    world.run(5)
    world.vtn.knows_us = False
    world.vtn.requests = (report_request("RR2"),)
    world.run(20)
    assert [one.request_id for one in world.session.state.requests] == ["RR2"]
    assert ReportCancelled("RR1", "superseded") in world.deck.all(ReportCancelled)


def test_an_untrusted_clock_reports_nothing(world: World) -> None:
    world.polled(create_report(report_request(granularity=10, back=60)))
    world.clock.quality = ClockQuality.UNTRUSTED
    world.run(600)
    assert not sent(world)
    assert world.vtn.received(Poll)
    world.clock.quality = ClockQuality.TRUSTED
    world.run(60)
    assert sent(world)


def test_rows_of_other_points_and_reports_nobody_wants_are_our_mistake(world: World) -> None:
    world.deck.silent = True
    world.polled(create_report(report_request(granularity=10, back=10)))
    world.run(20)
    wanted = world.session.report_wanted(world.clock.now())
    assert wanted is not None
    rows = rows_for(wanted)
    with pytest.raises(MisuseError, match="report_rows_wrong"):
        world.session.submit_report(world.clock.now(), wanted, (ReportRow(
            r_id="battery_energy", start=wanted.begin, duration_seconds=10, value=Decimal(1)),))  # fmt: skip
    world.session.submit_report(world.clock.now(), wanted, rows)
    with pytest.raises(MisuseError, match="report_not_wanted"):
        world.session.submit_report(world.clock.now(), wanted, rows)


def test_events_and_reports_side_by_side(world: World) -> None:
    world.polled(create_report(report_request(granularity=5, back=5)))
    world.polled(distribute(oadr_event(signals=(dispatch(),))))
    world.run(300)
    assert world.deck.changes
    assert len(sent(world)) >= 55


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(1, 900), st.sampled_from(["down", "up", "restart"])), max_size=6),
)
def test_whatever_happens_every_interval_arrives_once(granularity: int, back: int, story: list[Any]) -> None:
    """Outages and restarts at any moment: the intervals at the VTN are contiguous, aligned and never doubled."""
    world = World.new()
    world.run(5)
    world.polled(create_report(report_request(granularity=granularity, back=back)))
    for seconds, what in story:
        world.vtn.down = what == "down" if what != "restart" else world.vtn.down
        if what == "restart":
            world.restart()
        world.run(seconds)
    world.vtn.down = False
    world.run(1000)
    got = starts(world)
    assert got == list(range(got[0], got[-1] + 1, granularity))
    assert got[0] % granularity == 0
    assert world.clock.now().unix - got[-1] <= max(back, granularity) + 2 * granularity
