"""Our VEN and our VTN, session to session on one virtual clock: what one sends, the other takes without a remark."""

from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from ven_world import MARKET, NOON, Clock, Deck, World, config, utc

from wattseal.protocols.openadr20b.ven.happenings import (
    ChangeKind,
    Deregistered,
    Forgotten,
    MessageRefused,
    Registered,
    ReportAccepted,
    ReportCancelled,
)
from wattseal.protocols.openadr20b.ven.session import VenSession
from wattseal.protocols.openadr20b.vocabulary import ReportName, SignalName, SignalType
from wattseal.protocols.openadr20b.vtn.config import VtnConfig, WantedReport
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, SignalDraft, Step, Unit
from wattseal.protocols.openadr20b.vtn.happenings import Refused, Remarked
from wattseal.protocols.openadr20b.vtn.session import Vtn
from wattseal.protocols.openadr20b.vtn.state import VtnState
from wattseal.protocols.wish import Setpoint


@dataclass
class OurVtn:
    """The VTN's session where the world expects its own."""

    clock: Clock
    session: Vtn
    poll_seconds: int = 10
    happenings: list[object] = field(default_factory=list)

    def post(self, service: str, body: bytes) -> bytes:
        answer = self.session.received(utc(self.clock.now().unix), None, service, body)
        assert answer.status == 200, answer.body
        self.happenings += answer.happenings
        return answer.body


@pytest.fixture
def world() -> World:
    clock = Clock()
    wanted = WantedReport(granularity_seconds=60, back_seconds=300, report_name=ReportName.TELEMETRY_USAGE)
    vtn = OurVtn(clock, Vtn(VtnConfig(poll_seconds=10, wanted=(wanted,)), VtnState(epoch="e")))
    ven = VenSession(config(), seed="seed")
    world = World(clock, vtn, ven, Deck(ven))  # type: ignore[arg-type]  # stands in for the world's own VTN
    world.run(60)
    return world


def our(world: World) -> OurVtn:
    assert isinstance(world.vtn, OurVtn)
    return world.vtn


def complaints(world: World) -> list[object]:
    theirs = [one for one in our(world).happenings if isinstance(one, Refused | Remarked)]
    return [*theirs, *world.deck.all(MessageRefused)]


def draft(watts: str, start: int) -> EventDraft:
    signal = SignalDraft(
        name=SignalName.LOAD_DISPATCH.value,
        type=SignalType.SETPOINT,
        steps=(Step(3600, Decimal(watts)),),
        unit=Unit.WATT,
    )
    return EventDraft(market_context=MARKET, dtstart=utc(start), duration_seconds=3600, signals=(signal,))


def test_six_hours_without_a_complaint(world: World) -> None:
    """Registered both ways, an event added, modified, cancelled and another dropped, reports all the while."""
    vtn = our(world).session
    now = lambda: utc(world.clock.now().unix)  # noqa: E731  one line, used three times
    first = vtn.add_event(now(), draft("2000", NOON + 7200))
    second = vtn.add_event(now(), draft("1000", NOON + 20_000))
    world.run(25)
    vtn.modify_event(now(), first, draft("2500", NOON + 7200))
    world.run(25)
    vtn.cancel_event(now(), first)
    world.run(25)
    vtn.drop_event(second)
    world.run(25)
    kinds = {event: [one.kind for one in world.deck.changes if one.event_id == event] for event in (first, second)}
    told = [[one for one in kinds[event] if one is not ChangeKind.UNCHANGED] for event in (first, second)]
    assert told == [
        [ChangeKind.NEW, ChangeKind.MODIFIED, ChangeKind.CANCELLED],
        [ChangeKind.NEW, ChangeKind.WITHDRAWN],
    ]
    modified = next(one.event for one in world.deck.changes if one.kind is ChangeKind.MODIFIED)
    assert modified is not None
    assert modified.courses[0].intervals[0].wish == Setpoint(-2500)
    world.run(21_600)
    assert len(world.deck.all(ReportAccepted)) >= 70
    assert complaints(world) == []


def test_both_restart_in_the_middle(world: World) -> None:
    vtn = our(world)
    event_id = vtn.session.add_event(utc(world.clock.now().unix), draft("2000", NOON + 7200))
    world.run(25)
    vtn.session = Vtn(vtn.session.config, vtn.session.state)
    world.restart()
    world.run(1200)
    assert [one.kind for one in world.deck.changes if one.event_id == event_id][:2] == [
        ChangeKind.NEW, ChangeKind.UNCHANGED,
    ]  # fmt: skip
    assert len(world.deck.all(Registered)) == 1
    assert complaints(world) == []


def test_a_vtn_that_forgets_asks_again_and_ends(world: World) -> None:
    """Forgotten: registered again by itself. Asked to register again: done. Ended by the VTN: everything ends."""
    vtn = our(world).session
    vtn.forget(utc(world.clock.now().unix), world.session.state.ven_id)
    world.run(700)
    assert len(world.deck.all(Forgotten)) == 1
    assert len(world.deck.all(Registered)) == 2
    assert world.deck.all(ReportAccepted)
    vtn.request_reregistration(world.session.state.ven_id)
    world.run(60)
    assert len(world.deck.all(Registered)) == 3
    assert world.session.state.requests
    vtn.cancel_registration(world.session.state.ven_id)
    world.run(60)
    assert world.deck.all(Deregistered)[0].by_utility
    assert world.session.state.requests == ()


def test_report_requests_come_and_go(world: World) -> None:
    vtn = our(world).session
    ven_id = world.session.state.ven_id
    once = vtn.request_report(ven_id, "telemetry_usage", granularity_seconds=0, back_seconds=0)
    world.run(30)
    assert ReportCancelled(once, "completed") in world.deck.all(ReportCancelled)
    steady = vtn.request_report(ven_id, "telemetry_usage", granularity_seconds=60, back_seconds=60)
    world.run(300)
    vtn.cancel_report(ven_id, steady, to_follow=True)
    world.run(300)
    assert ReportCancelled(steady, "completed") in world.deck.all(ReportCancelled)
    vtn.request_report(ven_id, "METADATA", granularity_seconds=0, back_seconds=0)
    world.run(60)
    assert complaints(world) == []
