"""The loop around the session: order of handling and saving, ends when cancelled, wakes when told."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from ven_world import DownError, World, distribute, oadr_event, report_request, rows_for

from wattseal.certs.errors import WorldError
from wattseal.protocols.openadr20b.event import CreatedEvent
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.ven.happenings import (
    EventsReceived,
    ExchangeFailed,
    Happening,
    OptAnswer,
    ReportAccepted,
    ReportDue,
)
from wattseal.protocols.openadr20b.ven.shell import run
from wattseal.protocols.openadr20b.ven.state import VenState
from wattseal.protocols.openadr20b.ven.table import Phase
from wattseal.protocols.openadr20b.vocabulary import OptType


@dataclass
class Rig:
    """The world's VTN behind an `Exchange`, a journal in memory, and a diary of what happened in which order."""

    world: World
    diary: list[str] = field(default_factory=list)
    saved: list[VenState] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    answers: bool = True

    async def post(self, path: str, body: bytes) -> bytes:
        await asyncio.sleep(0)
        prefix, _, service = path.rpartition("/")
        assert prefix == "OpenADR2/Simple/2.0b"
        try:
            raw = self.world.vtn.post(service, body)
        except DownError:
            raise WorldError("peer_unreachable", "away") from None
        self.diary.append(type(self.world.vtn.log[-1][2]).__name__)
        return raw

    async def handle(self, happenings: tuple[Happening, ...]) -> None:
        for one in happenings:
            self.diary.append(f"handle {type(one).__name__}")
            self.happenings.append(one)
            if isinstance(one, EventsReceived) and self.answers:
                pending = [change.event for change in one.changes if change.needs_answer and change.event]
                if pending:
                    self.world.session.answer_events({event.origin.key: OptAnswer(OptType.OPT_IN) for event in pending})
            if isinstance(one, ReportDue):
                self.world.session.submit_report(self.world.clock.now(), one.wanted, rows_for(one.wanted))

    async def save(self, data: bytes) -> None:
        self.diary.append("save")
        self.saved.append(VenState.from_bytes(data))

    async def run_until(self, found: Callable[[], Any], wake: asyncio.Event | None = None) -> None:
        """The virtual clock runs on by itself while the loop waits."""
        task = asyncio.create_task(run(self.world.session, self, self.world.clock, self.handle, self.save, wake))
        for _ in range(3000):
            if found():
                break
            if task.done():
                break
            await asyncio.sleep(0)
            if wake is not None:
                self.world.clock.advance(0.5)
                wake.set()
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 1
        assert found()


async def test_a_list_is_handled_then_saved_then_answered() -> None:
    """Nothing is told to the VTN that is not on disk."""
    rig = Rig(World.new())
    rig.world.vtn.events = (oadr_event(),)
    await rig.run_until(lambda: "CreatedEvent" in rig.diary)
    at = rig.diary.index("RequestEvent")
    assert rig.diary[at : at + 4] == ["RequestEvent", "handle EventsReceived", "save", "CreatedEvent"]
    assert rig.saved[-1].events[0].opt is OptType.OPT_IN


async def test_reports_are_asked_for_saved_and_sent() -> None:
    rig = Rig(World.new())
    rig.world.vtn.requests = (report_request(granularity=1, back=2),)
    await rig.run_until(lambda: any(isinstance(one, ReportAccepted) for one in rig.happenings), asyncio.Event())
    at = rig.diary.index("handle ReportDue")
    assert rig.diary[at : at + 4] == ["handle ReportDue", "save", "UpdateReport", "handle ReportAccepted"]


async def test_an_unreachable_vtn_is_a_happening_not_an_end() -> None:
    rig = Rig(World.new())
    rig.world.vtn.down = True
    await rig.run_until(lambda: sum(isinstance(one, ExchangeFailed) for one in rig.happenings) >= 2, asyncio.Event())


async def test_the_loop_waits_for_a_deck_that_thinks_long() -> None:
    rig = Rig(World.new(), answers=False)
    rig.world.vtn.events = (oadr_event(),)
    wake = asyncio.Event()
    await rig.run_until(lambda: rig.world.clock.monotonic > 1200, wake)
    assert not rig.world.vtn.received(Poll)
    rig.world.session.answer_events({("utility", "E1"): OptAnswer(OptType.OPT_IN)})
    await rig.run_until(lambda: rig.world.vtn.received(Poll), wake)
    kinds = [type(message) for _, _, message in rig.world.vtn.log]
    assert kinds.index(CreatedEvent) < kinds.index(Poll)


async def test_cancelled_in_an_exchange_it_ends_at_once() -> None:
    rig = Rig(World.new())
    entered = asyncio.Event()

    async def hang(_path: str, _body: bytes) -> bytes:
        entered.set()
        await asyncio.Event().wait()
        return b""

    rig.post = hang  # type: ignore[method-assign]
    task = asyncio.create_task(run(rig.world.session, rig, rig.world.clock, rig.handle, rig.save))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
    assert rig.world.session.phase is Phase.UNREGISTERED, "it can be run again"


async def test_a_mistake_in_the_deck_is_not_swallowed() -> None:
    """The one who awaits `run` hears of it."""
    rig = Rig(World.new())
    rig.world.vtn.events = (oadr_event(),)

    async def stumble(_happenings: tuple[Happening, ...]) -> None:
        raise RuntimeError("deck")

    with pytest.raises(RuntimeError, match="deck"):
        await asyncio.wait_for(run(rig.world.session, rig, rig.world.clock, stumble, rig.save), 1)


async def test_a_report_that_the_deck_does_not_hand_in_holds_up_no_other() -> None:
    rig = Rig(World.new())
    rig.world.vtn.requests = (
        report_request("A", granularity=1, back=2),
        report_request("B", granularity=1, back=2, r_ids=("battery_energy",)),
    )
    serve = rig.handle

    async def forgetful(happenings: tuple[Happening, ...]) -> None:
        await serve(
            tuple(one for one in happenings if not (isinstance(one, ReportDue) and one.wanted.request_id == "A"))
        )

    rig.handle = forgetful  # type: ignore[method-assign]
    await rig.run_until(lambda: any(isinstance(one, ReportAccepted) for one in rig.happenings), asyncio.Event())
    assert {one.request_id for one in rig.happenings if isinstance(one, ReportAccepted)} == {"B"}


async def test_nothing_is_saved_twice() -> None:
    rig = Rig(World.new())
    rig.world.vtn.queue.append(distribute(oadr_event()))
    await rig.run_until(lambda: len(rig.world.vtn.received(Poll)) >= 5, asyncio.Event())
    assert all(a != b for a, b in pairwise(rig.saved))
