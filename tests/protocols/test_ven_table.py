"""The state table of the VEN, walked pair by pair and at random: it always comes to rest, and nothing good is lost."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from ven_world import (
    VTN_ID,
    DownError,
    World,
    create_report,
    distribute,
    oadr_event,
    ok,
    report_request,
)

from wattseal.protocols.openadr20b import opt, party, poll, report, response
from wattseal.protocols.openadr20b.codec import decode, encode
from wattseal.protocols.openadr20b.event import RequestEvent
from wattseal.protocols.openadr20b.messages import MESSAGE_TYPES, Message
from wattseal.protocols.openadr20b.ven.config import telemetry_offers
from wattseal.protocols.openadr20b.ven.happenings import ExchangeFailed, MessageRefused
from wattseal.protocols.openadr20b.ven.reactions import _REACTIONS
from wattseal.protocols.openadr20b.ven.session import Send, WaitUntil
from wattseal.protocols.openadr20b.ven.table import AT_REST, TABLE, Action, Input, Phase, classify
from wattseal.protocols.openadr20b.vocabulary import ProfileName, TransportName


def created(code: str = "200") -> Message:
    return party.CreatedPartyRegistration(
        ei_response=ok("r", code),
        registration_id="REG_1",
        ven_id="VEN_1",
        vtn_id=VTN_ID,
        profiles=(party.Profile(profile_name=ProfileName.PROFILE_20B, transport_names=(TransportName.SIMPLE_HTTP,)),),
    )


SAMPLES: dict[Input, Message | bytes | None] = {
    Input.NOT_REGISTERED: response.Response(ei_response=ok("", "463")),
    Input.INVALID_ID: response.Response(ei_response=ok("", "452")),
    Input.REFUSAL: response.Response(ei_response=ok("", "459")),
    Input.RESPONSE: response.Response(ei_response=ok("")),
    Input.CREATED_REGISTRATION: created(),
    Input.CANCELED_REGISTRATION: party.CanceledPartyRegistration(ei_response=ok("r")),
    Input.CANCEL_REGISTRATION: party.CancelPartyRegistration(request_id="r", registration_id="REG_1"),
    Input.REQUEST_REREGISTRATION: party.RequestReregistration(ven_id="VEN_1"),
    Input.REGISTERED_REPORT: report.RegisteredReport(ei_response=ok("r"), report_requests=(report_request("RR9"),)),
    Input.REGISTER_REPORT: report.RegisterReport(request_id="r"),
    Input.CREATE_REPORT: create_report(report_request("RR9")),
    Input.CANCEL_REPORT: report.CancelReport(request_id="r", report_request_ids=("RR1",), report_to_follow=False),
    Input.UPDATE_REPORT: report.UpdateReport(request_id="r"),
    Input.UPDATED_REPORT: report.UpdatedReport(ei_response=ok("r")),
    Input.DISTRIBUTE_EVENT: distribute(oadr_event("E2")),
    Input.CREATED_OPT: opt.CreatedOpt(ei_response=ok("r"), opt_id="o"),
    Input.CANCELED_OPT: opt.CanceledOpt(ei_response=ok("r"), opt_id="o"),
    Input.STRANGE: poll.Poll(ven_id="VEN_1"),
    Input.EMPTY: b"",
    Input.UNREADABLE: b"<oadrNothing/>",
    Input.FAILED: None,
}


POLLED = {Input.DISTRIBUTE_EVENT, Input.CREATE_REPORT, Input.REGISTER_REPORT, Input.CANCEL_REPORT, Input.UPDATE_REPORT}
SETTINGS = {"backoff_max_seconds": 30.0, "register_again_seconds": 60.0, "poll_default_seconds": 30.0}


def standing() -> World:
    """A registered session with one event and one report request running."""
    world = World.new(**SETTINGS)
    world.vtn.requests = (report_request("RR1", granularity=10, back=20),)
    world.vtn.events = (oadr_event("E1"),)
    world.run(5)
    return world


def in_flight(phase: Phase) -> World:
    """A world whose session has just sent what the phase is named after."""
    sends: dict[Phase, Callable[[World], None]] = {
        Phase.QUERY: lambda world: setattr(world.vtn, "knows_us", False),
        Phase.CREATE: lambda world: setattr(world.vtn, "knows_us", False),
        Phase.OFFER: lambda world: world.restart(**SETTINGS, offers=()),
        Phase.SYNC: lambda world: world.restart(**SETTINGS),
        Phase.ANSWER: lambda world: world.vtn.queue.append(distribute(oadr_event("E1", 1))),
        Phase.CANCEL: lambda world: world.session.deregister(),
    }
    world = standing()
    sends.get(phase, lambda _world: None)(world)
    for _ in range(200):
        wanted = world.session.report_wanted(world.clock.now())
        if wanted is not None:
            world.session.submit_report(world.clock.now(), wanted, ())
        step = world.session.next_step(world.clock.now())
        if isinstance(step, WaitUntil):
            world.clock.advance(step.monotonic - world.clock.monotonic)
        elif step.purpose is phase:
            return world
        else:
            world.deck.handle(
                world.clock.now(),
                world.session.received(world.clock.now(), world.vtn.post(step.service, step.body)),
            )
    raise AssertionError(f"never came to {phase}")


def give(world: World, given: Message | bytes | None) -> list[object]:
    if given is None:
        happenings = world.session.failed(world.clock.now(), "peer_unreachable")
    else:
        raw = given if isinstance(given, bytes) else encode(given)
        happenings = world.session.received(world.clock.now(), raw)
    world.deck.handle(world.clock.now(), happenings)
    return list(happenings)


@pytest.mark.parametrize("given", list(Input), ids=lambda one: one.name)
@pytest.mark.parametrize("phase", [one for one in Phase if one not in AT_REST], ids=lambda one: one.name)
def test_every_pair_comes_to_rest(phase: Phase, given: Input) -> None:
    """Each phase in flight with each input: the session rests again, refuses what the table does not name, keeps what
    stood then, and works on.
    """
    world = in_flight(phase)
    assert world.session.phase is phase
    before = world.session.state
    happenings = give(world, SAMPLES[given])
    assert world.session.phase in AT_REST
    action = TABLE.get((phase, given), Action.REFUSE)
    if action is Action.REFUSE:
        assert any(isinstance(one, MessageRefused) for one in happenings)
    if action is Action.RETRY:
        assert isinstance(happenings[-1], ExchangeFailed)
    if action in {Action.REFUSE, Action.RETRY}:
        after = world.session.state
        assert (after.events, after.requests, after.backlog) == (before.events, before.requests, before.backlog)
        assert (after.registration_id, after.lapsed) == (before.registration_id, before.lapsed)
    world.vtn.knows_us = True
    world.run(200)
    if not world.session.state.closed:
        assert world.session.state.registered
        world.vtn.queue.append(distribute(oadr_event("E3")))
        world.run(70)
        assert "E3" in [one.event_id for one in world.session.state.events]


@pytest.mark.parametrize("given", [one for one in Input if one is not Input.FAILED], ids=lambda one: one.name)
def test_at_rest_nothing_is_taken(given: Input) -> None:
    """An answer without a question is refused, whatever it is."""
    world = standing()
    before = world.session.state
    assert [type(one) for one in give(world, SAMPLES[given])] == [MessageRefused]
    after = world.session.state
    assert (after.events, after.requests, after.registration_id) == (before.events, before.requests, "REG_1")


def test_the_table_names_only_what_exists() -> None:
    """Keys are in flight, every action but refusing and retrying has its reaction, every sample is its input."""
    assert all(phase not in AT_REST for phase, _ in TABLE)
    assert set(_REACTIONS) == set(Action) - {Action.REFUSE, Action.RETRY}
    assert set(TABLE.values()) == set(Action) - {Action.REFUSE}
    for name, sample in SAMPLES.items():
        if sample is not None and not isinstance(sample, bytes):
            assert classify(sample) is name
    assert set(SAMPLES) == set(Input)


def test_every_message_type_is_an_input() -> None:
    """What only a VEN sends is strange; nothing that a VTN sends is."""
    strange = {
        "CreatedEvent", "RequestEvent", "CancelOpt", "CreateOpt", "CanceledReport", "CreatedReport",
        "CreatePartyRegistration", "QueryRegistration", "Poll",
    }  # fmt: skip
    from wattseal.protocols.openadr20b.ven.table import _INPUTS

    assert {kind.__name__ for kind in MESSAGE_TYPES} - {kind.__name__ for kind in _INPUTS} == strange


answers = st.sampled_from([*SAMPLES.values(), None, created("463"), created("459"), distribute(code="463")])
story = st.lists(st.one_of(answers, st.just("restart"), st.just("sane"), st.integers(1, 400)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(story)
def test_no_story_breaks_the_session(story: list[object]) -> None:
    """Any answers in any order, restarts between: only values come out, never more than a handful of exchanges a
    second, and a sane VTN afterwards finds a VEN that works.
    """
    world = standing()
    for chapter in story:
        if chapter == "restart":
            world.restart(**SETTINGS)
        elif isinstance(chapter, int):
            world.clock.advance(chapter)
        else:
            one_exchange(world, chapter)
    world.vtn.knows_us = False
    world.run(300)
    sent_before = len(world.vtn.log)
    world.run(100)
    assert len(world.vtn.log) - sent_before <= 60
    if not world.session.state.closed:
        world.vtn.queue.append(distribute(oadr_event("E3")))
        world.run(70)
        assert "E3" in [one.event_id for one in world.session.state.events]


def one_exchange(world: World, chapter: object) -> None:
    wanted = world.session.report_wanted(world.clock.now())
    if wanted is not None:
        world.session.submit_report(world.clock.now(), wanted, ())
    step = world.session.next_step(world.clock.now())
    if not isinstance(step, Send):
        return
    if chapter == "sane":
        try:
            raw = world.vtn.post(step.service, step.body)
        except DownError:
            raw = b""
        give(world, raw)
    else:
        give(world, chapter)  # type: ignore[arg-type]


def test_request_event_is_sent_only_by_us() -> None:
    """Guards the sample of the strange input."""
    assert classify(RequestEvent(request_id="r", ven_id="v")) is Input.STRANGE


def test_everything_that_we_send_is_valid_by_the_schema(openadr20b_schema: etree.XMLSchema) -> None:
    """The XSD that openleadr ships judges every kind of message that a VEN sends, in one story."""
    world = standing()
    bodies: list[bytes] = []
    post = world.vtn.post

    def record(service: str, body: bytes) -> bytes:
        bodies.append(body)
        return post(service, body)

    world.vtn.post = record  # type: ignore[method-assign]
    world.restart(**SETTINGS, offers=telemetry_offers(("battery", "charger"), frozenset({"battery"})))
    status = report_request("S", "telemetry_status", ("battery_status",), 0, 0)
    world.polled(
        *(sample for given, sample in SAMPLES.items() if given in POLLED and not isinstance(sample, bytes | None)),
        distribute(oadr_event("E5"), oadr_event("E6", context="http://else.example/"), vtn_id=VTN_ID),
        distribute(vtn_id="somebody"),
        create_report(status),
        create_report(report_request("bad", specifier="nothing")),
        party.RequestReregistration(ven_id="VEN_1"),
        party.CancelPartyRegistration(request_id="r", registration_id="REG_9"),
    )
    world.run(200)
    world.session.deregister()
    world.run(30)
    world.polled(party.CancelPartyRegistration(request_id="r", registration_id="REG_1"))
    sent = {type(decode(body).message).__name__ for body in bodies}
    assert sent == {
        "QueryRegistration", "CreatePartyRegistration", "RegisterReport", "CreatedReport", "RequestEvent",
        "CreatedEvent", "Poll", "UpdateReport", "UpdatedReport", "CanceledReport", "RegisteredReport", "Response",
        "CanceledPartyRegistration", "CancelPartyRegistration",
    }  # fmt: skip
    for body in bodies:
        openadr20b_schema.assertValid(etree.fromstring(body))
