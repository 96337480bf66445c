"""The VEN's conduct of events, rule by rule (numbers of the OpenADR 2.0b conformance rules), on a virtual clock."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ven_world import MARKET, NOON, World, dispatch, distribute, oadr_event, ok, simple

from wattseal.certs.errors import MisuseError
from wattseal.protocols.grid_event import EventStatus as Standing
from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.event import CreatedEvent, DistributeEvent, EventResponse, RequestEvent
from wattseal.protocols.openadr20b.intents import intents_of
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.response import Response
from wattseal.protocols.openadr20b.ven.event_list import draw_seconds
from wattseal.protocols.openadr20b.ven.happenings import (
    ChangeKind,
    EventChange,
    EventsReceived,
    MessageRefused,
    OptAnswer,
)
from wattseal.protocols.openadr20b.vocabulary import EventStatus, OptType, ResponseRequired
from wattseal.protocols.wish import Setpoint


@pytest.fixture
def world() -> World:
    world = World.new()
    world.run(5)
    world.vtn.log.clear()
    world.deck.happenings.clear()
    return world


def answers(world: World) -> list[CreatedEvent]:
    return world.vtn.received(CreatedEvent)  # type: ignore[return-value]


def responses(world: World, index: int = -1) -> dict[str, EventResponse]:
    return {one.qualified_event_id.event_id: one for one in answers(world)[index].event_responses}


def last(world: World, event_id: str = "E1") -> EventChange:
    return [one for one in world.deck.changes if one.event_id == event_id][-1]


def test_rule_56_a_new_event_is_added_and_answered(world: World) -> None:
    world.polled(distribute(oadr_event(signals=(dispatch("2000"),))))
    change = last(world)
    assert change.kind is ChangeKind.NEW
    assert change.event is not None
    assert change.event.courses[0].intervals[0].wish == Setpoint(-2000)
    assert responses(world)["E1"].opt_type is OptType.OPT_IN
    assert responses(world)["E1"].response_code == "200"


def test_rule_64_the_answer_goes_out_before_the_next_poll(world: World) -> None:
    """While the deck has not answered, nothing at all is polled; then the answer comes first."""
    world.deck.silent = True
    world.polled(distribute(oadr_event()))
    world.run(600)
    assert [type(message) for _, _, message in world.vtn.log] == [Poll]
    world.session.answer_events({("utility", "E1"): OptAnswer(OptType.OPT_IN)})
    world.deck.silent = False
    world.run(15)
    assert [type(message) for _, _, message in world.vtn.log][1:] == [CreatedEvent, Poll, Poll]


def test_rules_41_to_44_the_list_s_request_id_is_echoed_and_the_response_s_is_empty(world: World) -> None:
    world.polled(distribute(oadr_event("E1"), oadr_event("E2"), request_id="of the list"))
    assert answers(world)[0].ei_response.request_id == ""
    assert answers(world)[0].ei_response.response_code == "200"
    assert {one.request_id for one in answers(world)[0].event_responses} == {"of the list"}


def test_rules_41_to_44_request_ids_may_repeat(world: World) -> None:
    world.polled(distribute(oadr_event("E1"), request_id="same"), distribute(oadr_event("E1", 1), request_id="same"))
    assert [responses(world, n)["E1"].request_id for n in (0, 1)] == ["same", "same"]
    assert responses(world, 1)["E1"].qualified_event_id.modification_number == 1


def test_rules_12_and_62_always_is_answered_every_time_and_never_not(world: World) -> None:
    event, quiet = oadr_event("E1"), oadr_event("E2", required=ResponseRequired.NEVER)
    world.polled(distribute(event, quiet), distribute(event, quiet))
    assert [set(responses(world, n)) for n in range(len(answers(world)))] == [{"E1"}, {"E1"}]
    assert last(world, "E2").kind is ChangeKind.UNCHANGED


def test_rules_12_and_62_a_list_of_never_gets_no_answer(world: World) -> None:
    world.polled(distribute(oadr_event(required=ResponseRequired.NEVER)))
    assert last(world).kind is ChangeKind.NEW
    assert not answers(world)


def test_rule_57_a_higher_modification_replaces(world: World) -> None:
    world.polled(distribute(oadr_event(signals=(dispatch("1"),))))
    world.polled(distribute(oadr_event(number=3, signals=(dispatch("2"),))))
    change = last(world)
    assert (change.kind, change.modification_number) == (ChangeKind.MODIFIED, 3)
    assert change.event is not None
    assert change.event.origin.version == 3
    assert responses(world)["E1"].qualified_event_id.modification_number == 3


def test_the_same_modification_is_unchanged_and_answered_as_before_without_the_deck(world: World) -> None:
    """Rule 57 the other way round; opt-out stays opt-out."""
    world.deck.opt = OptType.OPT_OUT
    world.polled(distribute(oadr_event()))
    world.deck.opt = OptType.OPT_IN
    world.polled(distribute(oadr_event(status=EventStatus.ACTIVE), request_id="R2"))
    assert last(world).kind is ChangeKind.UNCHANGED
    assert responses(world)["E1"].opt_type is OptType.OPT_OUT
    assert responses(world)["E1"].request_id == "R2"


def test_rule_58_a_lower_modification_is_450_and_what_stands_goes_on(world: World) -> None:
    world.polled(distribute(oadr_event(number=2)))
    world.polled(distribute(oadr_event(number=1)))
    change = last(world)
    assert (change.kind, change.code, change.reason) == (ChangeKind.REFUSED, "450", "modification_older")
    assert change.event is None
    assert responses(world)["E1"].response_code == "450"
    world.polled(distribute(oadr_event(number=2)))
    assert last(world).kind is ChangeKind.UNCHANGED


def test_rules_59_and_36_a_cancelled_event_is_confirmed_by_opt_in(world: World) -> None:
    world.polled(distribute(oadr_event()))
    world.polled(distribute(oadr_event(number=1, status=EventStatus.CANCELLED)))
    change = last(world)
    assert change.kind is ChangeKind.CANCELLED
    assert change.event is not None
    assert change.event.status is Standing.CANCELLED
    assert change.event.origin.version == 1
    assert responses(world)["E1"].opt_type is OptType.OPT_IN


def test_rule_36_opt_out_says_that_it_cannot_be_cancelled(world: World) -> None:
    world.polled(distribute(oadr_event()))
    world.deck.opt = OptType.OPT_OUT
    world.polled(distribute(oadr_event(number=1, status=EventStatus.CANCELLED)))
    assert responses(world)["E1"].opt_type is OptType.OPT_OUT


def test_rule_52_a_cancelled_event_that_is_resent_is_answered_from_memory(world: World) -> None:
    gone = oadr_event(number=1, status=EventStatus.CANCELLED)
    world.polled(distribute(oadr_event()), distribute(gone), distribute(gone))
    assert [one.kind for one in world.deck.changes] == [ChangeKind.NEW, ChangeKind.CANCELLED, ChangeKind.UNCHANGED]
    assert len(answers(world)) == 3
    world.polled(distribute())
    assert len(world.deck.changes) == 3, "its absence afterwards says nothing new"


def test_rule_59_a_cancel_works_whatever_else_its_message_holds(world: World) -> None:
    """A cancelled event that could not be read as an event any more still cancels."""
    world.polled(distribute(oadr_event()))
    odd = oadr_event(number=1, status=EventStatus.CANCELLED, context="http://nowhere", signals=(simple("7"),))
    world.polled(distribute(odd))
    assert last(world).kind is ChangeKind.CANCELLED


def test_rule_60_an_unknown_cancelled_event_is_answered_and_nothing_else(world: World) -> None:
    world.polled(distribute(oadr_event(status=EventStatus.CANCELLED)))
    assert last(world).event is None
    assert last(world).reason == "cancelled_unknown"
    assert responses(world)["E1"].response_code == "200"
    assert responses(world)["E1"].opt_type is OptType.OPT_IN
    assert not world.session.state.events


def test_rule_60_a_refused_event_that_is_cancelled_stays_cancelled_in_that_version(world: World) -> None:
    gone = oadr_event(status=EventStatus.CANCELLED)
    world.polled(distribute(oadr_event(signals=(simple("9"),))), distribute(gone), distribute(oadr_event()))
    assert [one.kind for one in world.deck.changes] == [
        ChangeKind.REFUSED, ChangeKind.CANCELLED, ChangeKind.UNCHANGED,
    ]  # fmt: skip
    assert not world.session.state.events[0].standing


def test_rule_61_an_event_that_is_missing_is_withdrawn(world: World) -> None:
    world.polled(distribute(oadr_event("E1"), oadr_event("E2")), distribute(oadr_event("E2")))
    change = last(world, "E1")
    assert change.kind is ChangeKind.WITHDRAWN
    assert change.event is not None
    assert change.event.status is Standing.WITHDRAWN
    assert last(world, "E2").kind is ChangeKind.UNCHANGED


@pytest.mark.parametrize("passed", [-1, 0, 59])
def test_rule_61_an_event_that_runs_or_waits_is_withdrawn(world: World, passed: int) -> None:
    """Until its active period is over, its absence ends it."""
    now = world.clock.now().unix
    event = oadr_event(start=now + 100, duration=60)
    world.polled(distribute(event))
    world.clock.advance(now + 100 + passed - world.clock.now().unix)
    world.vtn.events = ()
    world.restart()
    world.step()
    assert world.clock.now().unix == now + 100 + passed
    assert last(world).kind is ChangeKind.WITHDRAWN


def test_rule_61_a_list_without_events_withdraws_all(world: World) -> None:
    world.polled(distribute(oadr_event("E1"), oadr_event("E2")), distribute())
    assert [last(world, one).kind for one in ("E1", "E2")] == [ChangeKind.WITHDRAWN] * 2
    assert len(answers(world)) == 1


def test_rule_61_an_empty_response_to_a_poll_withdraws_nothing(world: World) -> None:
    world.polled(distribute(oadr_event()))
    world.run(300)
    assert [one.kind for one in world.deck.changes] == [ChangeKind.NEW]


@pytest.mark.parametrize("code", ["454", "469", "500"])
def test_rule_61_a_list_that_reports_an_error_withdraws_nothing(world: World, code: str) -> None:
    world.polled(distribute(oadr_event()), distribute(code=code))
    assert [one.kind for one in world.deck.changes] == [ChangeKind.NEW]
    assert world.deck.all(MessageRefused)[-1].code == code


def test_rule_66_completed_does_not_stop_the_run(world: World) -> None:
    world.polled(distribute(oadr_event()), distribute(oadr_event(status=EventStatus.COMPLETED)))
    assert last(world).kind is ChangeKind.UNCHANGED


def test_rule_66_an_event_that_is_over_may_leave_the_list_and_run_out_by_our_clock(world: World) -> None:
    """With a randomised start the device runs past the VTN's end; the shorter list must not cut it off."""
    world.polled(distribute(oadr_event(start=NOON + 60, duration=60, start_after=300)))
    world.run(120)
    world.polled(distribute())
    assert last(world).kind is ChangeKind.ENDED
    assert last(world).event is None


def test_rule_6_anything_but_false_is_a_test_and_is_answered(world: World) -> None:
    events = [oadr_event(f"E{n}", test=text) for n, text in enumerate(("true", "yes", "FALSE", "", "false", None))]
    world.polled(distribute(*events))
    tests = [one.event.test for one in world.deck.changes if one.event is not None]
    assert tests == [True, True, True, True, False, False]
    assert len(answers(world)[0].event_responses) == 6


def test_a_site_may_refuse_test_events() -> None:
    world = World.new(accept_test_events=False)
    world.run(5)
    world.polled(distribute(oadr_event(test="true")))
    assert responses(world)["E1"].response_code == "451"


@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [
        (oadr_event(context="http://else.example/"), "453", "market_context_unknown"),
        (oadr_event(target=Target(ven_ids=("other",))), "452", "target_ven_foreign"),
        (oadr_event(target=Target(resource_ids=("pump",))), "462", "target_unknown"),
        (oadr_event(signals=(simple("4"),)), "454", "level_out_of_range"),
        (oadr_event(signals=(simple(duration=60),)), "454", "interval_sum_wrong"),
    ],
)
def test_rule_48_a_logical_error_gets_its_code(world: World, event: Any, code: str, reason: str) -> None:
    world.polled(distribute(event), distribute(event))
    first = world.deck.changes[0]
    assert (first.kind, first.code, first.reason, first.event) == (ChangeKind.REFUSED, code, reason, None)
    assert last(world).kind is ChangeKind.UNCHANGED
    for index in (0, 1):
        assert responses(world, index)["E1"].response_code == code
        assert responses(world, index)["E1"].opt_type is OptType.OPT_OUT
    world.polled(distribute())
    assert len(world.deck.changes) == 2, "what never stood is not withdrawn"


def test_rules_19_and_25_good_and_bad_are_answered_each_and_the_whole_is_200(world: World) -> None:
    world.polled(distribute(oadr_event("bad", context="http://else.example/"), oadr_event("good")))
    assert answers(world)[0].ei_response.response_code == "200"
    assert responses(world)["bad"].response_code == "453"
    assert responses(world)["good"].response_code == "200"


def test_a_modification_that_cannot_be_followed_withdraws_what_stood(world: World) -> None:
    """The version that stood is no longer wanted and the new one cannot be done: back to the default, and say so."""
    world.polled(distribute(oadr_event()), distribute(oadr_event(number=1, target=Target(ven_ids=("other",)))))
    change = last(world)
    assert (change.kind, change.code) == (ChangeKind.REFUSED, "452")
    assert change.event is not None
    assert change.event.status is Standing.WITHDRAWN


def test_an_event_named_twice_counts_once(world: World) -> None:
    world.polled(distribute(oadr_event(), oadr_event(number=1)))
    assert [one.kind for one in world.deck.changes] == [ChangeKind.NEW, ChangeKind.REFUSED]
    assert [one.response_code for one in answers(world)[0].event_responses] == ["200", "454"]
    assert world.session.state.events[0].modification_number == 0


def test_rule_21_a_list_of_another_vtn_is_refused_as_a_whole(world: World) -> None:
    """Rule 35: the one case without eventResponses is an error in the eiResponse."""
    world.polled(distribute(oadr_event()), distribute(vtn_id="somebody", request_id="R9"))
    assert [one.kind for one in world.deck.changes] == [ChangeKind.NEW]
    refused = world.deck.all(MessageRefused)[-1]
    assert (refused.reason, refused.code) == ("vtn_id_wrong", "452")
    assert answers(world)[-1].ei_response.response_code == "452"
    assert answers(world)[-1].ei_response.request_id == "R9"
    assert answers(world)[-1].event_responses == ()


def test_rule_35_a_list_that_breaks_the_schema_is_answered_as_a_whole(world: World) -> None:
    broken = encode(distribute(oadr_event(), request_id="R7")).replace(b"<xcal:dtstart>", b"<xcal:dtend>", 1)
    broken = broken.replace(b"</xcal:dtstart>", b"</xcal:dtend>", 1)
    world.polled(broken)
    refused = world.deck.all(MessageRefused)[-1]
    assert (refused.raw, refused.reason, refused.code) == (broken, "schema_violation", "454")
    assert answers(world)[-1].ei_response.response_code == "454"
    assert answers(world)[-1].ei_response.request_id == "R7"
    world.polled(distribute(oadr_event()))
    assert last(world).kind is ChangeKind.NEW


def test_rule_23_the_vtn_may_not_ask_us_for_events(world: World) -> None:
    world.polled(RequestEvent(request_id="R", ven_id="VEN_1"))
    assert world.deck.all(MessageRefused)[-1].reason == "message_out_of_place"
    world.polled(distribute(oadr_event()))
    assert last(world).kind is ChangeKind.NEW


def test_rule_47_duration_zero_is_open_ended(world: World) -> None:
    world.polled(distribute(oadr_event(duration=0)))
    change = last(world)
    assert change.event is not None
    assert change.event.duration_seconds is None
    assert change.event.courses[0].intervals[0].duration_seconds is None
    world.run(14_400)
    world.polled(distribute())
    assert last(world).kind is ChangeKind.WITHDRAWN, "open-ended: it is never over by itself"


def test_rule_30_the_draw_is_kept_unless_its_range_changes(world: World) -> None:
    world.polled(*(distribute(oadr_event(number=n, start_after=t)) for n, t in enumerate((600, 600, 900, 900))))
    draws = [one.start_draw_seconds for one in world.deck.changes]
    assert draws[0] == draws[1]
    assert draws[2] == draws[3]
    assert draws[0] == draw_seconds("seed", "E1", 600)
    assert draws[2] == draw_seconds("seed", "E1", 900)


def test_rules_30_and_65_the_draw_survives_a_restart_and_comes_with_the_cancel(world: World) -> None:
    world.polled(distribute(oadr_event(start_after=600)))
    draw = last(world).start_draw_seconds
    world.restart()
    world.vtn.events = (oadr_event(number=1, status=EventStatus.CANCELLED),)
    world.run(15)
    assert last(world).kind is ChangeKind.CANCELLED
    assert last(world).start_draw_seconds == draw


@given(st.text(), st.text(), st.integers(0, 100_000))
def test_rule_30_a_draw_lies_in_its_range(seed: str, event_id: str, tolerance: int) -> None:
    assert 0 <= draw_seconds(seed, event_id, tolerance) <= tolerance


def test_rule_30_draws_fill_their_range_evenly() -> None:
    """Uniform over 0..T: each tenth of the range gets its share of 2,000 events, within five standard deviations."""
    counts = [0] * 10
    for number in range(2000):
        counts[draw_seconds("seed", f"E{number}", 999) // 100] += 1
    assert all(abs(count - 200) < 5 * (200 * 0.9) ** 0.5 for count in counts)


def test_an_undecided_event_is_announced_again_after_a_restart(world: World) -> None:
    """A crash between saving and answering loses neither the event nor the answer."""
    world.deck.silent = True
    world.polled(distribute(oadr_event()))
    world.vtn.events = (oadr_event(),)
    world.restart()
    world.deck.silent = False
    world.run(5)
    assert [one.kind for one in world.deck.changes] == [ChangeKind.NEW, ChangeKind.NEW]
    assert len(answers(world)) == 1


def test_an_undecided_cancel_is_announced_again_after_a_restart(world: World) -> None:
    world.polled(distribute(oadr_event()))
    world.deck.silent = True
    gone = oadr_event(number=1, status=EventStatus.CANCELLED)
    world.polled(distribute(gone))
    world.vtn.events = (gone,)
    world.restart()
    world.deck.silent = False
    world.run(5)
    assert [one.kind for one in world.deck.changes][1:] == [ChangeKind.CANCELLED, ChangeKind.CANCELLED]
    assert last(world).event is not None


def test_a_changed_configuration_reads_the_same_version_again(world: World) -> None:
    world.polled(distribute(oadr_event(target=Target(group_ids=("all",)))))
    world.vtn.events = (oadr_event(target=Target(group_ids=("all",))),)
    world.restart()
    world.run(5)
    assert last(world).kind is ChangeKind.UNCHANGED
    world.restart(groups={"all": ("battery-1",)})
    world.run(5)
    assert last(world).kind is ChangeKind.MODIFIED
    assert last(world).event.courses[0].devices == ("battery-1",)  # type: ignore[union-attr]


def test_answers_for_events_that_wait_for_none_are_our_mistake(world: World) -> None:
    with pytest.raises(MisuseError, match="event_not_pending"):
        world.session.answer_events({("utility", "E1"): OptAnswer(OptType.OPT_IN)})


def test_answers_may_come_in_parts(world: World) -> None:
    world.deck.silent = True
    world.polled(distribute(oadr_event("E1"), oadr_event("E2")))
    world.session.answer_events({("utility", "E2"): OptAnswer(OptType.OPT_OUT, "469", "under repair")})
    world.run(60)
    assert not answers(world)
    world.session.answer_events({("utility", "E1"): OptAnswer(OptType.OPT_IN)})
    world.run(5)
    assert responses(world)["E2"].response_code == "469"
    assert responses(world)["E2"].response_description == "under repair"
    assert responses(world)["E2"].opt_type is OptType.OPT_OUT


def test_no_answer_to_the_events_request_changes_nothing(world: World) -> None:
    """A VTN that answers oadrRequestEvent with a bare oadrResponse has told nothing about events."""
    world.polled(distribute(oadr_event()))
    world.vtn.bend = lambda message: Response(ei_response=ok("")) if isinstance(message, RequestEvent) else None
    world.restart()
    world.run(30)
    assert [one.kind for one in world.deck.changes] == [ChangeKind.NEW]
    assert world.session.state.events[0].standing


# ---- the whole of it, against an oracle ---------------------------------------------------------------------------

one_event = st.tuples(
    st.sampled_from("ABC"), st.integers(0, 3), st.sampled_from([EventStatus.FAR, EventStatus.CANCELLED]),
    st.sampled_from(["1", "2", "9"]), st.booleans(),
)  # fmt: skip
lists = st.lists(st.lists(one_event, max_size=3, unique_by=lambda one: one[0]), max_size=6)


@settings(max_examples=100, deadline=None)
@given(lists, st.sets(st.integers(0, 5)))
def test_what_stands_follows_the_lists(lists: list[list[Any]], restarts: set[int]) -> None:
    """An oracle of five lines keeps what stands; the deck's intents, applied one by one, must give the same. Every
    intent is found again by the replay of the raw bytes, also over restarts.
    """
    world = World.new()
    world.run(5)
    oracle: dict[str, tuple[int, str]] = {}
    highest: dict[str, int] = {}
    deck: dict[tuple[str, str], Any] = {}
    for number, entries in enumerate(lists):
        message = distribute(
            *(
                oadr_event(
                    event_id, version, status=status, signals=(simple(level),),
                    required=ResponseRequired.ALWAYS if always else ResponseRequired.NEVER,
                )
                for event_id, version, status, level, always in entries
            )
        )  # fmt: skip
        world.deck.happenings.clear()
        world.vtn.log.clear()
        if number in restarts:
            world.restart()
            world.vtn.events = message.events
            world.run(5)
        else:
            world.polled(message)
        expect(oracle, highest, entries)
        apply(deck, world)
        assert {key[1]: event.origin.version for key, event in deck.items()} == {k: v for k, (v, _) in oracle.items()}
        owed = [one[0] for one in entries if one[4]]
        given = [one.qualified_event_id.event_id for answer in answers(world) for one in answer.event_responses]
        assert given == owed


def expect(oracle: dict[str, tuple[int, str]], highest: dict[str, int], entries: list[Any]) -> None:
    """What should stand after a list, by rules 56 to 61."""
    for event_id, version, status, level, _ in entries:
        if version < highest.get(event_id, -1):
            continue
        fresh = version > highest.get(event_id, -1)
        if status is EventStatus.CANCELLED:
            if event_id not in oracle and fresh and event_id not in highest:
                continue  # rule 60: nothing is remembered of it
            oracle.pop(event_id, None)
            highest[event_id] = version
        elif fresh:
            oracle.pop(event_id, None)
            highest[event_id] = version
            if level != "9":
                oracle[event_id] = (version, level)
    for event_id in set(highest) - {one[0] for one in entries}:
        oracle.pop(event_id, None)
        del highest[event_id]


def apply(deck: dict[tuple[str, str], Any], world: World) -> None:
    context = world.session._config.context("VEN_1")
    for received in world.deck.all(EventsReceived):
        meant = {event.origin.key: event for event in intents_of(received.raw, context, dict(deck))}
        for change in received.changes:
            if change.event is None:
                continue
            key = change.event.origin.key
            assert meant[key] == change.event
            if change.event.status is Standing.STANDING:
                deck[key] = change.event
            else:
                del deck[key]


def test_market_context_of_the_world_is_the_one_in_the_events() -> None:
    """Guards the tests above: their events are refused for nothing but what they name."""
    assert isinstance(distribute(oadr_event(context=MARKET)), DistributeEvent)
