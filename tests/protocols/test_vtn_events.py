"""The VTN's events: lists, status, order, modification, cancellation both ways, answers. Rules by their number."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.common import EiResponse, QualifiedEventID, Target
from wattseal.protocols.openadr20b.messages import (
    CancelOpt,
    CreatedEvent,
    CreateOpt,
    DistributeEvent,
    RequestEvent,
    Response,
)
from wattseal.protocols.openadr20b.vocabulary import EventStatus, OptReason, OptType, ResponseRequired, SignalType
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, SignalDraft, Step, Unit
from wattseal.protocols.openadr20b.vtn.event_book import current_value, status_of
from wattseal.protocols.openadr20b.vtn.happenings import EventAnswered, VenRefused
from wattseal.protocols.openadr20b.vtn.state import EventRecord

EVER = datetime(2027, 1, 1, tzinfo=UTC)
NEVER = {"response_required": ResponseRequired.NEVER}


def ids(answer):
    assert isinstance(answer, DistributeEvent), answer
    return [one.ei_event.event_descriptor.event_id for one in answer.events]


def descriptor(answer, index=0):
    return answer.events[index].ei_event.event_descriptor


@pytest.fixture
def bench(vtn_bench):
    return vtn_bench()


@pytest.fixture
def ven(bench):
    return bench.register()


def test_a_poll_with_nothing_waiting_gets_a_plain_response(bench, ven):
    answer = bench.poll(ven)
    assert isinstance(answer, Response)
    assert (answer.ei_response.response_code, answer.ven_id) == ("200", ven)


def test_an_event_is_told_until_it_is_answered(bench, ven):
    """Rules 12 and 62: with response required an answer is owed; the list comes again until it is given."""
    event = bench.add()
    assert ids(bench.poll(ven)) == [event]
    assert ids(bench.poll(ven)) == [event]
    assert bench.opt(ven, event).ei_response.response_code == "200"
    assert isinstance(bench.poll(ven), Response)
    assert bench.happenings[-1].outcome == "recorded"
    record = bench.vtn.state.vens[0].answers[0]
    assert (record.event_id, record.opt, record.code) == (event, OptType.OPT_IN, "200")


def test_an_event_that_wants_no_answer_is_told_once(bench, ven):
    event = bench.add(**NEVER)
    assert ids(bench.poll(ven)) == [event]
    assert isinstance(bench.poll(ven), Response)


def test_every_list_is_the_whole_list(bench, ven):
    """Rule 50: what stands is listed again when something else changes."""
    first = bench.add()
    bench.poll(ven)
    bench.opt(ven, first)
    second = bench.add(dtstart=bench.now + timedelta(hours=2))
    assert ids(bench.poll(ven)) == [first, second]


def test_an_error_code_in_an_answer_is_an_answer_too(bench, ven):
    """Rule 48: a VEN refuses one event by its own code (460 signal not supported)."""
    event = bench.add()
    bench.poll(ven)
    bench.opt(ven, event, opt=OptType.OPT_OUT, code="460")
    assert isinstance(bench.poll(ven), Response)
    assert bench.vtn.state.vens[0].answers[0].code == "460"


def test_a_modification_counts_up_and_is_told(bench, ven):
    """Rule 57: a higher modificationNumber replaces; the answer to the older version does not count for it."""
    event = bench.add()
    bench.poll(ven)
    bench.opt(ven, event)
    later = bench.draft(duration_seconds=7200)
    assert bench.vtn.modify_event(bench.now, event, later, reason="longer") == 1
    answer = bench.poll(ven)
    assert (descriptor(answer).modification_number, descriptor(answer).modification_reason) == (1, "longer")
    assert answer.events[0].ei_event.active_period.duration.total_seconds() == 7200
    bench.opt(ven, event, 0)
    assert bench.happenings[-1].outcome == "stale"
    assert ids(bench.poll(ven)) == [event]
    bench.opt(ven, event, 1)
    assert isinstance(bench.poll(ven), Response)


def test_a_cancelled_event_is_resent_until_acknowledged_then_dropped(bench, ven):
    """Rule 52."""
    event = bench.add()
    bench.poll(ven)
    bench.opt(ven, event)
    assert bench.vtn.cancel_event(bench.now, event) == 1
    for _ in range(3):
        answer = bench.poll(ven)
        assert descriptor(answer).event_status is EventStatus.CANCELLED
        assert descriptor(answer).modification_number == 1
    bench.opt(ven, event, 0)  # the answer to the version before is none
    assert ids(bench.poll(ven)) == [event]
    bench.opt(ven, event, 1)
    assert isinstance(bench.poll(ven), Response)
    assert bench.say(RequestEvent(request_id="Q", ven_id=ven)).events == ()
    assert bench.vtn.state.events[0].retired


def test_a_cancelled_event_that_wants_no_answer_is_told_once(bench, ven):
    event = bench.add(**NEVER)
    bench.poll(ven)
    bench.vtn.cancel_event(bench.now, event)
    assert descriptor(bench.poll(ven)).event_status is EventStatus.CANCELLED
    assert isinstance(bench.poll(ven), Response)


def test_a_ven_that_never_knew_of_an_event_hears_nothing_of_its_cancellation(bench, ven):
    event = bench.add()
    bench.vtn.cancel_event(bench.now, event)
    assert bench.vtn.state.events[0].retired
    assert isinstance(bench.poll(ven), Response)


def test_cancellation_waits_for_each_ven_of_several(bench, ven):
    other = bench.register("other")
    event = bench.add()
    for one in (ven, other):
        bench.poll(one)
        bench.opt(one, event)
    bench.vtn.cancel_event(bench.now, event)
    assert ids(bench.poll(ven)) == ids(bench.poll(other)) == [event]
    bench.opt(ven, event, 1)
    assert isinstance(bench.poll(ven), Response)
    assert ids(bench.poll(other)) == [event]
    bench.opt(other, event, 1)
    assert bench.vtn.state.events[0].retired


def test_a_dropped_event_is_missing_from_the_next_list(bench, ven):
    """Rule 61: an event that is missing is cancelled by implication, so the rest must be told."""
    kept, dropped = bench.add(), bench.add()
    bench.poll(ven)
    bench.opt(ven, kept)
    bench.opt(ven, dropped)
    bench.vtn.drop_event(dropped)
    assert ids(bench.poll(ven)) == [kept]
    assert isinstance(bench.poll(ven), Response)


def test_after_the_last_event_was_dropped_an_empty_list_comes(bench, ven):
    """Without it the implied cancellation would never reach the VEN."""
    event = bench.add()
    bench.poll(ven)
    bench.opt(ven, event)
    bench.vtn.drop_event(event)
    assert ids(bench.poll(ven)) == []
    assert isinstance(bench.poll(ven), Response)


def test_the_end_of_an_event_is_no_news(bench, ven):
    """Rule 66: the VEN's own clock ends an event; nothing has to be said."""
    event = bench.add()
    bench.poll(ven)
    bench.opt(ven, event)
    bench.pass_time(600 + 3600)
    assert isinstance(bench.poll(ven), Response)
    assert bench.say(RequestEvent(request_id="Q", ven_id=ven)).events == ()


def test_nothing_is_told_of_an_unanswered_event_that_is_over(bench, ven):
    bench.add()
    bench.poll(ven)
    bench.pass_time(5000)
    assert isinstance(bench.poll(ven), Response)


def test_oadr_request_event_gives_all_with_its_request_id_and_respects_the_limit(bench, ven):
    """Rules 41-44: the answer carries the requestID; with replyLimit the rest follows by poll."""
    first, second = bench.add(), bench.add(dtstart=bench.now + timedelta(hours=3))
    answer = bench.say(RequestEvent(request_id="Q7", ven_id=ven, reply_limit=1))
    assert (ids(answer), answer.request_id, answer.ei_response.request_id) == ([first], "Q7", "Q7")
    assert ids(bench.poll(ven)) == [first, second]
    assert ids(bench.say(RequestEvent(request_id="Q8", ven_id=ven))) == [first, second]


def test_each_list_of_a_poll_has_a_request_id_of_its_own(bench, ven):
    bench.add()
    assert len({bench.poll(ven).request_id for _ in range(5)}) == 5


def test_only_the_vens_that_are_meant_are_told(bench, ven):
    other = bench.register("other")
    event = bench.add(vens=(other,))
    assert isinstance(bench.poll(ven), Response)
    assert ids(bench.poll(other)) == [event]
    bench.opt(other, event)
    bench.vtn.modify_event(bench.now, event, bench.draft(vens=(ven,)))
    assert ids(bench.poll(other)) == []  # not meant any more: cancelled by implication
    assert ids(bench.poll(ven)) == [event]


def test_a_ven_that_only_reports_is_told_of_no_event(bench):
    ven = bench.register(report_only=True)
    bench.add()
    assert isinstance(bench.poll(ven), Response)
    assert ids(bench.say(RequestEvent(request_id="Q", ven_id=ven))) == []


def test_active_events_come_first_by_priority_then_pending_ones_by_start(bench, ven):
    """Rule 15; priority 0 and none are the lowest."""
    start = bench.now
    late = bench.add(dtstart=start + timedelta(hours=5), priority=1)
    soon = bench.add(dtstart=start + timedelta(hours=4), priority=9)
    low = bench.add(dtstart=start, priority=0)
    none = bench.add(dtstart=start - timedelta(minutes=1))
    high = bench.add(dtstart=start, priority=2)
    gone = bench.add(dtstart=start, priority=1)
    bench.poll(ven)
    bench.vtn.cancel_event(bench.now, gone)
    assert ids(bench.poll(ven)) == [high, none, low, soon, late, gone]


@pytest.mark.parametrize(
    ("seconds", "ramp_up", "near", "status"),
    [
        (-601, 600, 0, EventStatus.FAR),
        (-600, 600, 0, EventStatus.NEAR),
        (-600, -600, 0, EventStatus.NEAR),  # written with the sign of "before"
        (-1, 600, 0, EventStatus.NEAR),
        (-601, None, 600, EventStatus.FAR),
        (-600, None, 600, EventStatus.NEAR),
        (-1, None, 0, EventStatus.FAR),
        (0, 600, 0, EventStatus.ACTIVE),
        (3599, None, 0, EventStatus.ACTIVE),
        (3600, None, 0, EventStatus.COMPLETED),
    ],
)
def test_event_status_at_its_borders(bench, seconds, ramp_up, near, status):
    """far, near from the start less the ramp-up, active, completed."""
    draft = bench.draft(dtstart=bench.now, ramp_up_seconds=ramp_up, near_seconds=near)
    event = EventRecord(event_id="E", modification_number=0, draft=draft, created=bench.now)
    assert status_of(event, bench.now + timedelta(seconds=seconds)) is status


def test_an_open_ended_event_never_completes(bench, ven):
    """Rule 47: duration 0."""
    event = bench.add(duration_seconds=0, dtstart=bench.now)
    bench.poll(ven)
    bench.opt(ven, event)
    bench.pass_time(10 * 365 * 86400)
    answer = bench.say(RequestEvent(request_id="Q", ven_id=ven))
    assert descriptor(answer).event_status is EventStatus.ACTIVE
    assert answer.events[0].ei_event.active_period.duration.is_zero
    bench.vtn.cancel_event(bench.now, event)
    assert descriptor(bench.poll(ven)).event_status is EventStatus.CANCELLED


def test_current_value_of_simple_is_zero_unless_active(bench, ven):
    """Rule 14; other signals say nothing while they are not active."""
    steps = (Step(600, Decimal(1)), Step(1200, Decimal(3)))
    watts = (Step(600, Decimal(-2000)), Step(1200, Decimal("-1500.5")))
    dispatch = SignalDraft(name="LOAD_DISPATCH", type=SignalType.SETPOINT, steps=watts, unit=Unit.WATT)
    bench.add(signals=(SignalDraft(steps=steps), dispatch), duration_seconds=1800)
    seen = []
    for seconds in (0, 600, 599, 1, 1199):
        bench.pass_time(seconds)
        event = bench.say(RequestEvent(request_id="Q", ven_id=ven)).events[0].ei_event
        seen.append(tuple(one.current_value for one in event.event_signals.signals))
    last = (Decimal(3), Decimal("-1500.5"))
    assert seen == [(0, None), (1, -2000), (1, -2000), last, last]


def test_interval_uids_count_from_zero_and_times_are_utc(bench, ven):
    """Rules 1 and 2."""
    steps = tuple(Step(600, Decimal(level)) for level in (0, 1, 2, 3, 2, 1))
    bench.add(signals=(SignalDraft(steps=steps),))
    bench.poll(ven)
    event = bench.poll(ven).events[0].ei_event
    intervals = event.event_signals.signals[0].intervals
    assert [one.uid for one in intervals] == ["0", "1", "2", "3", "4", "5"]
    assert event.active_period.dtstart == bench.now + timedelta(minutes=10)
    body = bench.vtn.received(bench.now, None, "EiEvent", b"<x/>").body
    assert b"schemaLocation" not in body


def test_all_that_a_draft_says_arrives(bench, ven):
    target = Target(group_ids=("g",), resource_ids=("r1", "r2"), party_ids=("p",))
    signal = SignalDraft(
        name="ELECTRICITY_PRICE",
        type=SignalType.PRICE,
        steps=(Step(3600, Decimal("0.2415")),),
        unit=Unit.CURRENCY_PER_KWH,
        currency="AUD",
        signal_id="price",
        device_classes=("Thermostat",),
    )
    bench.add(
        signals=(signal,),
        target=target,
        priority=3,
        test_event="true",
        vtn_comment="a & b < c",
        start_after_seconds=300,
        notification_seconds=3600,
        ramp_up_seconds=-600,
        recovery_seconds=900,
        **NEVER,
    )
    event = bench.poll(ven).events[0]
    body, period = event.ei_event, event.ei_event.active_period
    spans = (period.start_after, period.notification, period.ramp_up, period.recovery)
    assert [one.total_seconds() for one in spans] == [300, 3600, -600, 900]
    assert body.target == target
    assert (body.event_descriptor.priority, body.event_descriptor.test_event) == (3, "true")
    assert body.event_descriptor.vtn_comment == "a & b < c"
    wire = body.event_signals.signals[0]
    assert (wire.signal_name, wire.signal_type, wire.signal_id) == ("ELECTRICITY_PRICE", "price", "price")
    assert (wire.item_base.item_units, wire.intervals[0].value) == ("AUD", Decimal("0.2415"))
    assert wire.target.end_device_assets == ("Thermostat",)
    assert event.response_required is ResponseRequired.NEVER


@pytest.mark.parametrize(
    ("details", "word"),
    [
        ({"signals": ()}, "has a signal"),
        ({"signals": (SignalDraft(steps=(Step(60, Decimal(1)),)),)}, "rule 8"),
        ({"signals": (SignalDraft(steps=(Step(3600, Decimal(4)),)),)}, "rule 9"),
        ({"signals": (SignalDraft(steps=(Step(3600, Decimal("0.5")),)),)}, "rule 9"),
        ({"signals": (SignalDraft(type=SignalType.DELTA, steps=(Step(3600, Decimal(1)),)),)}, "rule 7"),
        ({"signals": (SignalDraft(name="MADE_UP", steps=(Step(3600, Decimal(1)),)),)}, "x-"),
        ({"signals": (SignalDraft(name="x-own", steps=(Step(3600, Decimal("NaN")),)),)}, "no number"),
        ({"market_context": "two words"}, "URI"),
        ({"duration_seconds": -1}, "duration_seconds"),
    ],
)
def test_a_wrong_draft_is_our_mistake_and_changes_nothing(bench, details, word):
    before = bench.vtn.state
    with pytest.raises(MisuseError) as caught:
        bench.add(**details)
    assert caught.value.reason == "event_draft_wrong"
    assert word in caught.value.sentence
    assert bench.vtn.state == before


def test_a_local_time_is_refused(bench):
    with pytest.raises(MisuseError) as caught:
        bench.add(dtstart=bench.now.replace(tzinfo=None))
    assert "rule 1" in caught.value.sentence


def test_what_the_wire_cannot_carry_is_found_out_at_once(bench):
    before = bench.vtn.state
    for details in (
        {"vtn_comment": "\x00"},
        {"signals": (SignalDraft(name="x-big", steps=(Step(3600, Decimal("1e400")),)),)},
    ):
        with pytest.raises(MisuseError) as caught:
            bench.add(**details)
        assert caught.value.reason == "unencodable_message"
    assert bench.vtn.state == before
    event = bench.add()
    before = bench.vtn.state
    with pytest.raises(MisuseError):
        bench.vtn.modify_event(bench.now, event, bench.draft(vtn_comment="\x00"))
    assert bench.vtn.state == before


def test_an_event_that_is_gone_cannot_be_changed(bench, ven):
    cancelled, dropped, over = bench.add(), bench.add(), bench.add(dtstart=bench.now, duration_seconds=60)
    bench.poll(ven)
    bench.vtn.cancel_event(bench.now, cancelled)
    bench.vtn.drop_event(dropped)
    bench.pass_time(60)
    reasons = []
    for event in (cancelled, dropped, over, "never"):
        for call in (
            lambda event=event: bench.vtn.modify_event(bench.now, event, bench.draft()),
            lambda event=event: bench.vtn.cancel_event(bench.now, event),
        ):
            with pytest.raises(MisuseError) as caught:
                call()
            reasons.append(caught.value.reason)
    assert reasons == ["event_is_over"] * 2 + ["event_unknown"] * 2 + ["event_is_over"] * 2 + ["event_unknown"] * 2


def test_answers_to_what_was_never_told_are_refused_by_code(bench, ven):
    """452 invalid ID for an unknown event, 450 for a version that was never made; others in the message count."""
    event = bench.add()
    bench.poll(ven)
    assert bench.opt(ven, "NO-SUCH-EVENT").ei_response.response_code == "452"
    assert bench.opt(ven, event, 1).ei_response.response_code == "450"
    assert bench.vtn.state.vens[0].answers == ()


def test_a_list_that_the_ven_refused_whole_is_noted(bench, ven):
    """Rule 35: eventResponses may be missing when eiResponse is an error."""
    bench.add()
    bench.poll(ven)
    bad = EiResponse(response_code="454", response_description="no", request_id="X")
    answer = bench.say(CreatedEvent(ei_response=bad, ven_id=ven))
    assert answer.ei_response.response_code == "200"
    assert isinstance(bench.happenings[-1], VenRefused)
    assert bench.happenings[-1].code == "454"


def create_opt(ven, event=None, opt=OptType.OPT_OUT, opt_id="O1", number=0):
    qualified = None if event is None else QualifiedEventID(event_id=event, modification_number=number)
    return CreateOpt(
        opt_id=opt_id,
        opt_type=opt,
        opt_reason=OptReason.OVERRIDE_STATUS,
        ven_id=ven,
        created_date_time=EVER,
        request_id="R",
        qualified_event_id=qualified,
        target=Target(resource_ids=("r1",)),
    )


def test_create_opt_beats_a_later_created_event(bench, ven):
    """Rule 206; and it is an answer, so that nothing is resent."""
    event = bench.add()
    bench.poll(ven)
    answer = bench.say(create_opt(ven, event))
    assert (answer.ei_response.response_code, answer.opt_id) == ("200", "O1")
    assert isinstance(bench.poll(ven), Response)
    bench.opt(ven, event)
    told = bench.happenings[-1]
    assert isinstance(told, EventAnswered)
    assert told.outcome == "overruled"
    assert bench.vtn.state.vens[0].answers[0].opt is OptType.OPT_OUT
    bench.say(CancelOpt(request_id="R2", opt_id="O1", ven_id=ven))
    bench.opt(ven, event)
    assert bench.vtn.state.vens[0].answers[0].opt is OptType.OPT_IN
    assert bench.vtn.state.vens[0].opts == ()


def test_opts_for_unknown_things_are_refused(bench, ven):
    event = bench.add()
    assert bench.say(create_opt(ven, "NO-SUCH-EVENT")).ei_response.response_code == "452"
    assert bench.say(create_opt(ven, event, number=3)).ei_response.response_code == "450"
    assert bench.say(CancelOpt(request_id="R", opt_id="none", ven_id=ven)).ei_response.response_code == "452"
    assert bench.vtn.state.vens[0].opts == ()


def test_a_ven_that_never_answers_is_still_asked_for_other_things(bench, ven):
    bench.add()
    bench.poll(ven)
    bench.vtn.request_reregistration(ven)
    kinds = [type(bench.poll(ven)).__name__ for _ in range(4)]
    assert kinds == ["DistributeEvent", "RequestReregistration", "DistributeEvent", "RequestReregistration"]


def test_a_restart_forgets_nothing(bench, ven):
    event, other = bench.add(), bench.add()
    bench.poll(ven)
    bench.opt(ven, event)
    after = bench.restarted()
    assert ids(after.poll(ven)) == [event, other]
    after.opt(ven, other)
    assert isinstance(after.poll(ven), Response)
    after.vtn.cancel_event(after.now, event)
    again = after.restarted()
    assert descriptor(again.poll(ven), 1).event_status is EventStatus.CANCELLED
    assert again.add() not in {event, other}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_ven_that_only_reads_lists_always_knows_what_stands(vtn_bench, data):
    """Oracle: whatever staff do between polls, what the polls told or left out is the truth (rules 50, 61)."""
    bench = vtn_bench()
    ven = bench.register()
    known: dict[str, int] = {}
    standing: dict[str, int] = {}
    for action in data.draw(
        st.lists(st.sampled_from(("add", "modify", "cancel", "drop", "poll", "time")), max_size=25)
    ):
        pick = data.draw(st.sampled_from(sorted(standing))) if standing else None
        match action:
            case "add":
                standing[bench.add(duration_seconds=data.draw(st.sampled_from((0, 3600, 86400))))] = 0
            case "modify" if pick:
                standing[pick] = bench.vtn.modify_event(bench.now, pick, bench.draft(duration_seconds=0))
            case "cancel" if pick:
                bench.vtn.cancel_event(bench.now, pick)
                del standing[pick]
            case "drop" if pick:
                bench.vtn.drop_event(pick)
                del standing[pick]
            case "time":
                bench.pass_time(60)
            case "poll":
                known = follow(bench, ven, known)
                assert known == standing
    assert follow(bench, ven, known) == standing


def follow(bench, ven, known):
    """What a VEN knows after a poll, if it reads lists as the rules say and answers what is asked."""
    answer = bench.poll(ven)
    if not isinstance(answer, DistributeEvent):
        return known
    told = {}
    for one in answer.events:
        about = one.ei_event.event_descriptor
        assert about.modification_number >= known.get(about.event_id, 0)  # rule 58
        bench.opt(ven, about.event_id, about.modification_number)
        if about.event_status is not EventStatus.CANCELLED:
            told[about.event_id] = about.modification_number
    return told


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(-9, 9)), min_size=1, max_size=8), st.integers(-10, 4100))
def test_current_value_against_brute_force(steps, second):
    """Second by second through the intervals."""
    signal = SignalDraft(name="x-own", type=SignalType.DELTA, steps=tuple(Step(n, Decimal(v)) for n, v in steps))
    draft = EventDraft(market_context="m", dtstart=EVER, duration_seconds=sum(n for n, _ in steps), signals=(signal,))
    event = EventRecord(event_id="E", modification_number=0, draft=draft, created=EVER)
    by_second = [v for n, v in steps for _ in range(n)]
    now = EVER + timedelta(seconds=second)
    expected = Decimal(by_second[second]) if 0 <= second < len(by_second) else None
    assert current_value(signal, draft, now, status_of(event, now)) == expected
