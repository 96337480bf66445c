"""Registration, polling, back-off and restarts of the VEN, on a virtual clock."""

from itertools import pairwise

import pytest
from ven_world import VTN_ID, Clock, DownError, World, config, distribute, oadr_event, ok, report_request

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.protocols.openadr20b import party, report
from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.event import CreatedEvent, RequestEvent
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.response import Response
from wattseal.protocols.openadr20b.ven.config import VenConfig, telemetry_offers
from wattseal.protocols.openadr20b.ven.happenings import (
    ChangeKind,
    Deregistered,
    ExchangeFailed,
    Forgotten,
    MessageRefused,
    Registered,
    ReportCancelled,
)
from wattseal.protocols.openadr20b.ven.session import Send, VenSession, WaitUntil
from wattseal.protocols.openadr20b.ven.state import Lapse, VenState
from wattseal.protocols.openadr20b.vocabulary import ProfileName, TransportName


def kinds(world: World) -> list[str]:
    return [type(message).__name__ for _, _, message in world.vtn.log]


def test_start_up_sequence() -> None:
    """Query, create, METADATA, createdReport for what came with it, oadrRequestEvent, createdEvent, then polls."""
    world = World.new()
    world.vtn.requests = (report_request(),)
    world.vtn.events = (oadr_event(),)
    world.run(25)
    assert kinds(world) == [
        "QueryRegistration", "CreatePartyRegistration", "RegisterReport", "CreatedReport", "RequestEvent",
        "CreatedEvent", "Poll", "Poll",
    ]  # fmt: skip
    assert [service for _, service, _ in world.vtn.log] == [
        "EiRegisterParty", "EiRegisterParty", "EiReport", "EiReport", "EiEvent", "EiEvent", "OadrPoll", "OadrPoll",
    ]  # fmt: skip
    registered = world.deck.all(Registered)[0]
    assert (registered.ven_id, registered.vtn_id, registered.poll_seconds, registered.again) == (
        "VEN_1", VTN_ID, 10, False,
    )  # fmt: skip


def test_create_says_what_we_are() -> None:
    """Pull, no XML signature, profile 2.0b over simpleHttp, our name, no identifiers yet (rules 37, 402)."""
    world = World.new()
    world.run(1)
    create = world.vtn.received(party.CreatePartyRegistration)[0]
    assert isinstance(create, party.CreatePartyRegistration)
    assert (create.http_pull_model, create.xml_signature, create.report_only) == (True, False, False)
    assert (create.profile_name, create.transport_name) == (ProfileName.PROFILE_20B, TransportName.SIMPLE_HTTP)
    assert (create.ven_name, create.ven_id, create.registration_id, create.transport_address) == (
        "ven", None, None, None,
    )  # fmt: skip


def test_rule_402_a_pre_allocated_ven_id_travels_in_the_first_create() -> None:
    world = World.new(ven_id="VEN_1")
    world.run(1)
    assert world.vtn.received(party.CreatePartyRegistration)[0].ven_id == "VEN_1"  # type: ignore[union-attr]


def test_rule_403_our_identifiers_are_the_vtn_s() -> None:
    world = World.new(ven_id="wished")
    world.run(25)
    assert {poll.ven_id for poll in world.vtn.received(Poll)} == {"VEN_1"}  # type: ignore[union-attr]


def test_metadata_is_registered_also_when_there_is_no_report() -> None:
    """openleadr-python #132: a VEN without reports failed its certification for not saying so."""
    world = World.new(offers=())
    world.run(15)
    assert world.vtn.received(report.RegisterReport)[0].reports == ()  # type: ignore[union-attr]
    assert kinds(world)[-1] == "Poll"


@pytest.mark.parametrize(
    ("asked", "low", "high", "expected"), [(10, 1, 3600, 10), (1, 5, 3600, 5), (9000, 1, 60, 60), (0, 1, 3600, 30)]
)
def test_rules_54_and_55_polls_come_at_the_vtn_s_period_within_bounds(
    asked: int, low: float, high: float, expected: float
) -> None:
    """No jitter asked for, so exactly; a period of zero is none, and the configured one holds."""
    world = World.new(poll_min_seconds=low, poll_max_seconds=high, poll_default_seconds=30.0)
    world.vtn.poll_seconds = asked
    world.run(expected * 5 + 1)
    times = [at for at, _, message in world.vtn.log if isinstance(message, Poll | RequestEvent)]
    assert {round(b - a, 6) for a, b in pairwise(times)} == {expected}


def test_rules_54_and_55_jitter_only_lengthens_and_is_the_same_for_the_same_seed() -> None:
    def gaps() -> list[float]:
        world = World.new(jitter_share=0.5)
        world.run(600)
        times = [at for at, _, message in world.vtn.log if isinstance(message, Poll)]
        return [b - a for a, b in pairwise(times)]

    assert gaps() == gaps()
    assert all(10 <= gap <= 15 for gap in gaps())
    assert len({round(gap, 3) for gap in gaps()}) > 5


def test_at_most_one_poll_per_period_though_every_poll_brings_something() -> None:
    world = World.new()
    world.run(5)
    world.vtn.queue.extend(distribute(oadr_event(number=n)) for n in range(5))
    world.run(55)
    times = [at for at, _, message in world.vtn.log if isinstance(message, Poll)]
    assert min(b - a for a, b in pairwise(times)) == 10


def test_polling_again_at_once_is_a_setting() -> None:
    world = World.new(poll_again_after_message=True)
    world.run(5)
    world.vtn.queue.extend(distribute(oadr_event(number=n)) for n in range(5))
    world.run(6)
    assert len(world.vtn.received(Poll)) == 6
    assert len(world.vtn.received(CreatedEvent)) == 5


def test_a_vtn_that_is_away_is_asked_ever_more_seldom_and_found_again() -> None:
    world = World.new(backoff_max_seconds=60.0)
    world.run(15)
    world.vtn.down = True
    world.run(3600)
    waits = [one.retry_seconds for one in world.deck.all(ExchangeFailed)]
    assert waits[:6] == [2, 4, 8, 16, 32, 60]
    assert set(waits[5:]) == {60}
    assert 60 <= len(waits) <= 70
    world.vtn.down = False
    world.vtn.queue.append(distribute(oadr_event()))
    world.run(75)
    assert world.deck.changes[0].kind is ChangeKind.NEW
    assert len(world.deck.all(Registered)) == 1


def test_an_answer_that_could_not_be_delivered_is_sent_before_the_next_poll() -> None:
    """Rule 64 over an outage."""
    world = World.new()
    world.run(5)
    world.vtn.queue.append(distribute(oadr_event()))
    bent = world.vtn.bend

    def fall_over(message: Message) -> Message | None:
        if not isinstance(message, Poll):
            raise DownError
        return None

    world.vtn.bend = fall_over
    world.run(30)
    assert kinds(world)[-3:] == ["CreatedEvent"] * 3
    world.vtn.bend = bent
    world.vtn.log.clear()
    world.run(60)
    assert kinds(world)[0] == "CreatedEvent"
    assert kinds(world).count("CreatedEvent") == 1


def test_an_answer_that_the_vtn_cannot_digest_does_not_stop_the_session() -> None:
    """Status 500 to the same answer three times: it is given up and recorded, and polling goes on."""
    world = World.new()
    world.run(5)
    world.vtn.queue.append(distribute(oadr_event()))
    for _ in range(200):
        step = world.session.next_step(world.clock.now())
        if isinstance(step, WaitUntil):
            world.clock.advance(step.monotonic - world.clock.monotonic)
            continue
        if b"oadrCreatedEvent" in step.body:
            happenings = world.session.failed(world.clock.now(), "http_500")
        else:
            happenings = world.session.received(world.clock.now(), world.vtn.post(step.service, step.body))
        world.deck.handle(world.clock.now(), happenings)
    assert "answer_given_up" in [one.reason for one in world.deck.all(MessageRefused)]
    assert len(world.vtn.received(Poll)) > 50


def test_a_vtn_that_forgot_us_is_registered_with_again() -> None:
    """463 to a poll: create without the old identifiers, offer the reports again, ask for the events."""
    world = World.new()
    world.vtn.requests = (report_request("old"),)
    world.run(15)
    world.vtn.knows_us = False
    world.vtn.registration_id, world.vtn.ven_id = "REG_2", "VEN_2"
    world.vtn.requests = (report_request("new"),)
    world.vtn.log.clear()
    world.run(30)
    assert kinds(world)[:6] == [
        "Poll", "QueryRegistration", "CreatePartyRegistration", "RegisterReport", "CreatedReport", "RequestEvent",
    ]  # fmt: skip
    create = world.vtn.received(party.CreatePartyRegistration)[0]
    assert isinstance(create, party.CreatePartyRegistration)
    assert (create.ven_id, create.registration_id) == (None, None)
    assert world.deck.all(Forgotten)[0].reason == "not_registered"
    assert world.deck.all(Registered)[1].again
    assert world.deck.all(ReportCancelled)[0].request_id == "old"
    assert [one.request_id for one in world.session.state.requests] == ["new"]
    assert world.session.state.ven_id == "VEN_2"


def test_invalid_id_means_forgotten_too() -> None:
    world = World.new()
    world.run(5)
    world.polled(Response(ei_response=ok("", "452")))
    assert world.deck.all(Forgotten)[0].reason == "invalid_id"
    assert len(world.deck.all(Registered)) == 2


def test_a_forgotten_event_stands_until_the_new_list_says_otherwise() -> None:
    world = World.new()
    world.run(5)
    world.polled(distribute(oadr_event("E1"), oadr_event("E2")))
    world.vtn.knows_us = False
    world.vtn.events = (oadr_event("E2"),)
    world.run(30)
    assert [(one.event_id, one.kind.value) for one in world.deck.changes][2:] == [
        ("E2", "unchanged"), ("E1", "withdrawn"),
    ]  # fmt: skip


def test_request_for_reregistration_is_answered_and_done_with_our_identifiers() -> None:
    world = World.new()
    world.vtn.requests = (report_request("RR1"),)
    world.run(5)
    world.vtn.log.clear()
    world.polled(party.RequestReregistration(ven_id="VEN_1"))
    assert kinds(world)[:6] == [
        "Poll", "Response", "QueryRegistration", "CreatePartyRegistration", "RegisterReport", "CreatedReport",
    ]  # fmt: skip
    create = world.vtn.received(party.CreatePartyRegistration)[0]
    assert isinstance(create, party.CreatePartyRegistration)
    assert (create.ven_id, create.registration_id) == ("VEN_1", "REG_1")
    answer = world.vtn.received(Response)[0]
    assert isinstance(answer, Response)
    assert answer.ven_id == "VEN_1", "openleadr-python #138"
    assert [one.request_id for one in world.session.state.requests] == ["RR1"], "the same registration keeps them"


def test_rule_21_a_request_for_another_ven_is_refused() -> None:
    world = World.new()
    world.run(5)
    world.polled(party.RequestReregistration(ven_id="VEN_9"))
    assert world.deck.all(MessageRefused)[-1].reason == "ven_id_wrong"
    assert world.vtn.received(Response)[0].ei_response.response_code == "452"  # type: ignore[union-attr]
    assert len(world.deck.all(Registered)) == 1


def test_renewal_that_is_refused_falls_back_to_a_fresh_registration() -> None:
    world = World.new(backoff_max_seconds=30.0)
    world.run(5)

    def bend(message: Message) -> Message | None:
        if isinstance(message, party.CreatePartyRegistration) and message.registration_id:
            answer = world.vtn._created(message.request_id, None, None)
            return type(answer)(**{f: getattr(answer, f) for f in answer.__struct_fields__} | {
                "ei_response": ok(message.request_id, "452")
            })  # fmt: skip
        return None

    world.vtn.bend = bend
    world.polled(party.RequestReregistration(ven_id="VEN_1"))
    world.run(60)
    creates = world.vtn.received(party.CreatePartyRegistration)
    assert [one.registration_id for one in creates] == [None, "REG_1", None]  # type: ignore[union-attr]
    assert world.session.state.registered


def test_a_vtn_that_registers_and_forgets_in_one_breath_does_not_keep_us_busy() -> None:
    world = World.new()
    world.vtn.bend = lambda message: (
        party.RequestReregistration(ven_id="VEN_1") if isinstance(message, RequestEvent | Poll) else None
    )
    world.run(3600)
    assert len(world.vtn.log) < 150


def test_the_vtn_ends_the_registration() -> None:
    """Answered, every event withdrawn, every report ended, and a long silence."""
    world = World.new(register_again_seconds=None)
    world.vtn.requests = (report_request(),)
    world.run(5)
    world.polled(distribute(oadr_event()))
    world.vtn.log.clear()
    world.polled(party.CancelPartyRegistration(request_id="R5", registration_id="REG_1", ven_id="VEN_1"))
    world.run(86_400)
    assert kinds(world) == ["Poll", "CanceledPartyRegistration"]
    answer = world.vtn.received(party.CanceledPartyRegistration)[0]
    assert isinstance(answer, party.CanceledPartyRegistration)
    assert (answer.ei_response.response_code, answer.ei_response.request_id) == ("200", "R5")
    assert (answer.ven_id, answer.registration_id) == ("VEN_1", "REG_1")
    gone = world.deck.all(Deregistered)[0]
    assert gone.by_utility
    assert [one.kind for one in gone.changes] == [ChangeKind.WITHDRAWN]
    assert world.deck.all(ReportCancelled)[0].reason == "deregistered"
    world.restart(register_again_seconds=None)
    world.run(86_400)
    assert len(world.vtn.log) == 2


def test_after_the_vtn_ended_it_we_ask_again_when_the_site_says_so() -> None:
    world = World.new(register_again_seconds=900.0)
    world.run(5)
    world.polled(party.CancelPartyRegistration(request_id="R5", registration_id="REG_1"))
    world.run(800)
    assert len(world.deck.all(Registered)) == 1
    world.run(200)
    assert len(world.deck.all(Registered)) == 2


@pytest.mark.parametrize(("registration", "ven"), [("REG_9", "VEN_1"), ("REG_1", "VEN_9")])
def test_rule_21_a_cancellation_of_another_registration_is_refused(registration: str, ven: str) -> None:
    world = World.new()
    world.run(5)
    world.polled(party.CancelPartyRegistration(request_id="R", registration_id=registration, ven_id=ven))
    assert world.session.state.registered
    answer = world.vtn.received(party.CanceledPartyRegistration)[0]
    assert answer.ei_response.response_code == "452"  # type: ignore[union-attr]


def test_we_end_the_registration() -> None:
    world = World.new()
    world.run(5)
    world.polled(distribute(oadr_event()))
    world.session.deregister()
    world.run(86_400)
    assert kinds(world)[-1] == "CancelPartyRegistration"
    gone = world.deck.all(Deregistered)[0]
    assert not gone.by_utility
    assert [one.kind for one in gone.changes] == [ChangeKind.WITHDRAWN]
    assert world.session.state.lapsed is Lapse.ENDED_BY_US


@pytest.mark.parametrize("what", ["no identifiers", "463", "wrong vtn", "no profile"])
def test_a_vtn_that_does_not_want_us_is_asked_seldom(what: str) -> None:
    world = World.new(vtn_id=VTN_ID, backoff_max_seconds=300.0)

    def bend(message: Message) -> Message | None:
        asked = isinstance(message, party.QueryRegistration if what == "no profile" else party.CreatePartyRegistration)
        if not asked:
            return None
        name = ProfileName.PROFILE_20A if what == "no profile" else ProfileName.PROFILE_20B
        return party.CreatedPartyRegistration(
            ei_response=ok("", "463" if what == "463" else "200"),
            registration_id=None if what == "no identifiers" else "REG_1",
            ven_id=None if what == "no identifiers" else "VEN_1",
            vtn_id="OTHER" if what == "wrong vtn" else VTN_ID,
            profiles=(party.Profile(profile_name=name, transport_names=(TransportName.SIMPLE_HTTP,)),),
        )

    world.vtn.bend = bend
    world.run(3600)
    assert not world.session.state.registered
    assert 5 < len(world.deck.all(MessageRefused)) < 30
    world.vtn.bend = lambda _message: None
    world.run(301)
    assert world.session.state.registered


def test_a_restart_loses_nothing_and_asks_only_for_the_events() -> None:
    """openleadr-python #91, #139: registration, events and report requests outlive the process."""
    world = World.new()
    world.vtn.requests = (report_request(),)
    world.vtn.events = (oadr_event(),)
    world.run(5)
    before = world.session.state
    world.vtn.log.clear()
    world.restart()
    assert world.session.state == before
    world.run(12)
    assert kinds(world) == ["RequestEvent", "CreatedEvent", "Poll"]
    assert world.deck.changes[-1].kind is ChangeKind.UNCHANGED


def test_changed_offers_are_registered_again() -> None:
    world = World.new()
    world.run(5)
    world.vtn.log.clear()
    world.restart(offers=telemetry_offers(("battery", "charger")))
    world.run(5)
    assert kinds(world) == ["RegisterReport", "RequestEvent"]


def test_months_in_a_poll_period_are_months() -> None:
    """`P5M` is five months by the letter; the bound makes it harmless."""
    world = World.new(poll_max_seconds=120.0)
    world.vtn.bend = lambda message: (
        party.CreatedPartyRegistration(
            ei_response=ok(message.request_id), registration_id="R", ven_id="VEN_1", vtn_id=VTN_ID,
            profiles=world.vtn._created("", None, None).profiles,  # type: ignore[union-attr]
            requested_poll_freq=Duration(months=5),
        )
        if isinstance(message, party.CreatePartyRegistration) else None
    )  # fmt: skip
    world.run(5)
    assert world.session.state.poll_seconds == 150 * 86_400
    world.vtn.knows_us = True
    world.run(250)
    assert len(world.vtn.received(Poll)) == 2


@pytest.mark.parametrize(
    "raw",
    [b"<html>busy</html>", b"\x00\xff", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a" * 5, b"x" * 2_000_000],
)
def test_rubbish_is_recorded_and_changes_nothing(raw: bytes) -> None:
    world = World.new()
    world.run(5)
    world.polled(distribute(oadr_event()))
    before = world.session.state.events
    world.polled(raw)
    refused = world.deck.all(MessageRefused)[-1]
    assert refused.raw == raw
    assert refused.code in {"454", "459"}
    assert world.session.state.events == before
    assert world.session.state.counters.refused_messages == 1
    world.polled(distribute(oadr_event(number=1)))
    assert world.deck.changes[-1].kind is ChangeKind.MODIFIED


@pytest.mark.parametrize("kind", [RequestEvent, report.RegisterReport])
def test_rubbish_in_place_of_the_first_list_or_the_offers_does_not_stop_the_session(kind: type) -> None:
    world = World.new()
    world.vtn.bend = lambda message: b"<html/>" if isinstance(message, kind) else None
    world.run(120)
    assert world.vtn.received(Poll)
    assert len(world.vtn.received(kind)) == 3
    assert world.deck.all(MessageRefused)[-1].reason.endswith("given_up")


def test_an_exchange_in_flight_is_finished_before_the_next() -> None:
    session = VenSession(config(), seed="seed")
    assert isinstance(session.next_step(Clock().now()), Send)
    with pytest.raises(MisuseError, match="exchange_in_flight"):
        session.next_step(Clock().now())


def test_what_nobody_asked_for_is_refused() -> None:
    session = VenSession(config(), seed="seed")
    happenings = session.received(Clock().now(), encode(distribute(oadr_event())))
    assert [type(one) for one in happenings] == [MessageRefused]
    assert session.state.events == ()


def test_configuration_mistakes_come_all_together() -> None:
    with pytest.raises(MisuseError) as caught:
        VenConfig(utility="", ven_name="v", poll_min_seconds=0.1, jitter_share=2, offers=telemetry_offers(("a",)) * 2)
    for word in ("name", "once a second", "jitter_share", "specifier_id", "rID"):
        assert word in caught.value.sentence


@pytest.mark.parametrize("data", [b"", b"{", b'{"layout":2}', b'{"ven_id":5}', b"[]"])
def test_a_state_that_this_release_did_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(WorldError, match="ven_state_unreadable"):
        VenState.from_bytes(data)


def test_a_clock_that_steps_does_not_stop_the_polls() -> None:
    """Timers are monotonic: a step of ten years either way changes no wait."""
    world = World.new()
    world.run(5)
    for years in (10, -20):
        world.clock.unix_ms += years * 31_536_000_000
        before = len(world.vtn.received(Poll))
        world.run(100)
        assert len(world.vtn.received(Poll)) == before + 10


def test_a_day_of_polls_takes_no_time() -> None:
    """A working day at one poll a minute, with an event and reports every five minutes."""
    world = World.new()
    world.vtn.poll_seconds = 60
    world.vtn.requests = (report_request(),)
    world.vtn.events = (oadr_event(),)
    world.run(86_400)
    assert len(world.vtn.received(Poll)) == 1440
    assert len(world.vtn.received(report.UpdateReport)) in {287, 288}
    assert not world.deck.all(MessageRefused)
