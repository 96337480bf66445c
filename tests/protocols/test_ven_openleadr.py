"""The VEN against a VTN that nobody here wrote: openleadr's OpenADRServer, in its own process, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from openleadr_vtn import VTN_ID, OpenLeadrVtn, running
from ven_world import MARKET, config, rows_for

from wattseal.certs.clock import SystemTime, TrustedClock
from wattseal.protocols.grid_event import EventStatus, Point
from wattseal.protocols.http_client import HttpExchange
from wattseal.protocols.openadr20b.intents import intents_of
from wattseal.protocols.openadr20b.ven.happenings import (
    ChangeKind,
    EventChange,
    EventsReceived,
    ExchangeFailed,
    Forgotten,
    Happening,
    OptAnswer,
    Registered,
    ReportAccepted,
    ReportDue,
    ReportRequested,
)
from wattseal.protocols.openadr20b.ven.session import VenSession
from wattseal.protocols.openadr20b.ven.shell import run
from wattseal.protocols.openadr20b.ven.state import ReportRow, VenState
from wattseal.protocols.openadr20b.vocabulary import OptType
from wattseal.protocols.wish import Level, Setpoint


@pytest.fixture
def vtn() -> Iterator[OpenLeadrVtn]:
    yield from running(reporting=1)


@dataclass
class Box:
    """A VEN on the real clock that opts in to everything."""

    session: VenSession
    happenings: list[Happening] = field(default_factory=list)
    rows: list[ReportRow] = field(default_factory=list)
    saved: bytes = b""
    clock: TrustedClock = field(default_factory=lambda: TrustedClock(SystemTime()))

    async def handle(self, happenings: tuple[Happening, ...]) -> None:
        for one in happenings:
            self.happenings.append(one)
            if isinstance(one, ReportDue):
                rows = rows_for(one.wanted)
                self.session.submit_report(self.clock.now(), one.wanted, rows)
                self.rows.extend(rows)
            if isinstance(one, EventsReceived):
                pending = [change.event for change in one.changes if change.needs_answer]
                if pending:
                    self.session.answer_events(
                        {event.origin.key: OptAnswer(OptType.OPT_IN) for event in pending if event}
                    )

    async def save(self, data: bytes) -> None:
        self.saved = data

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.happenings if isinstance(one, kind)]

    @property
    def changes(self) -> list[EventChange]:
        return [change for one in self.of(EventsReceived) for change in one.changes]

    def kinds(self, event_id: str) -> list[ChangeKind]:
        return [one.kind for one in self.changes if one.event_id == event_id and one.kind is not ChangeKind.UNCHANGED]

    async def until(self, found: Callable[[], object], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < end, self.happenings[-5:]
            await asyncio.sleep(0.01)


@asynccontextmanager
async def box_at(vtn: OpenLeadrVtn, state: VenState | None = None) -> AsyncIterator[Box]:
    settings = config(utility="openleadr", backoff_first_seconds=1.0, backoff_max_seconds=1.0, vtn_id=VTN_ID)
    box = Box(VenSession(settings, state, seed="seed"))
    async with HttpExchange(vtn.base, timeout_seconds=5) as exchange:
        task = asyncio.create_task(run(box.session, exchange, box.clock, box.handle, box.save))
        try:
            yield box
        finally:
            asked = time.monotonic()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert time.monotonic() - asked < 1


async def told(vtn: OpenLeadrVtn, do: str, found: Callable[[Any], bool]) -> Any:
    """Waits beside the loop that runs the VEN."""
    return await asyncio.to_thread(vtn.until, do, found)


def add(vtn: OpenLeadrVtn, ven_id: str, event_id: str, **wish: Any) -> dict[str, Any]:
    start = int(time.time()) + 600
    wish = {"signal": "SIMPLE", "value": 2, "start": start, "duration": 3600, "context": MARKET} | wish
    vtn("add_event", ven_id=ven_id, event_id=event_id, **wish)
    return wish


async def test_registers_offers_reports_and_what_the_vtn_reads_is_what_was_sent(vtn: OpenLeadrVtn) -> None:
    """Registration, METADATA, createdReport, then telemetry whose values the VTN hands on unchanged."""
    async with box_at(vtn) as box:
        await box.until(lambda: len(box.of(ReportAccepted)) >= 2)
        assert box.of(Registered)[0].vtn_id == VTN_ID
        assert [one["ven_name"] for one in vtn("vens")] == ["ven"]
        assert {one["specifier"] for one in vtn("offers")} == {"telemetry_usage", "telemetry_status"}
        assert box.of(ReportRequested)[0].granularity_seconds == 1
        rows = list(box.rows)
    told = {(one["r_id"], start): value for one in vtn("reports") for start, value in one["values"]}
    accepted = sum(one.rows for one in box.of(ReportAccepted))
    assert accepted >= 2 * 3, "two reports of three points"
    sent = {(row.r_id, row.start): float(row.value) for row in rows}
    assert told.items() <= sent.items()
    assert len(told) >= accepted
    first = vtn("messages")
    assert first[:5] == [
        "oadrQueryRegistration", "oadrCreatePartyRegistration", "oadrRegisterReport", "oadrCreatedReport",
        "oadrRequestEvent",
    ]  # fmt: skip


async def test_setpoint_and_level_are_read_and_opted_in_to(vtn: OpenLeadrVtn) -> None:
    """LOAD_DISPATCH setpoint for a resource, SIMPLE for the site; the VTN hears optIn for both."""
    async with box_at(vtn) as box:
        await box.until(lambda: box.session.state.registered)
        ven_id = box.session.state.ven_id
        wish = add(vtn, ven_id, "E-set", signal="LOAD_DISPATCH", value=2500, resource_id="battery")
        add(vtn, ven_id, "E-level")
        opts = await told(vtn, "opts", lambda opts: len(opts) >= 2)
        await box.until(lambda: box.kinds("E-set") and box.kinds("E-level"))
    assert {(one["event_id"], one["opt"]) for one in opts} == {("E-set", "optIn"), ("E-level", "optIn")}
    events = {one.event_id: one.event for one in box.changes if one.kind is ChangeKind.NEW}
    setpoint, level = events["E-set"], events["E-level"]
    assert setpoint is not None
    assert level is not None
    assert (setpoint.start, setpoint.duration_seconds) == (wish["start"], 3600)
    assert setpoint.courses[0].devices == ("battery-1",)
    assert setpoint.courses[0].intervals[0].wish == Setpoint(-2500)
    assert level.courses[0].point is Point.SITE
    assert level.courses[0].intervals[0].wish == Level(2)


async def test_explicit_cancel_is_confirmed(vtn: OpenLeadrVtn) -> None:
    """Rule 59: the VTN forgets a cancelled event once it is confirmed, so its list gets shorter."""
    async with box_at(vtn) as box:
        await box.until(lambda: box.session.state.registered)
        ven_id = box.session.state.ven_id
        add(vtn, ven_id, "E1")
        await told(vtn, "opts", lambda opts: len(opts) == 1)
        vtn("cancel_event", ven_id=ven_id, event_id="E1")
        await box.until(lambda: ChangeKind.CANCELLED in box.kinds("E1"))
        gone = next(one for one in box.changes if one.kind is ChangeKind.CANCELLED)
        assert gone.event is not None
        assert (gone.event.status, gone.event.origin.version) == (EventStatus.CANCELLED, 1)
        await told(vtn, "messages", lambda messages: messages.count("oadrCreatedEvent") == 2)


async def test_implied_cancel_of_one_of_two_and_of_the_last(vtn: OpenLeadrVtn) -> None:
    """Rule 61, against a list that still has another event, and against an empty list."""
    async with box_at(vtn) as box:
        await box.until(lambda: box.session.state.registered)
        ven_id = box.session.state.ven_id
        add(vtn, ven_id, "E1")
        add(vtn, ven_id, "E2")
        await told(vtn, "opts", lambda opts: len(opts) == 2)
        vtn("drop_event", ven_id=ven_id, event_id="E1")
        await box.until(lambda: box.kinds("E1") == [ChangeKind.NEW, ChangeKind.WITHDRAWN])
        assert box.kinds("E2") == [ChangeKind.NEW]
        vtn("drop_event", ven_id=ven_id, event_id="E2")
        await box.until(lambda: box.kinds("E2") == [ChangeKind.NEW, ChangeKind.WITHDRAWN])
    standing: dict[tuple[str, str], Any] = {}
    context = box.session._config.context(ven_id)
    for received in box.of(EventsReceived):
        meant = {event.origin.key: event for event in intents_of(received.raw, context, standing)}
        for change in received.changes:
            if change.event is None:
                continue
            assert meant[change.event.origin.key] == change.event
            standing[change.event.origin.key] = change.event
            if change.event.status is not EventStatus.STANDING:
                del standing[change.event.origin.key]


async def test_a_vtn_restart_that_kept_us_goes_on(vtn: OpenLeadrVtn) -> None:
    """The VEN backs off while the VTN is away and goes on polling; nothing is registered again."""
    async with box_at(vtn) as box:
        await box.until(lambda: box.session.state.registered)
        ven_id = box.session.state.ven_id
        add(vtn, ven_id, "E1")
        await told(vtn, "opts", lambda opts: len(opts) == 1)
        vtn("down")
        await box.until(lambda: box.of(ExchangeFailed))
        vtn("up")
        vtn("restart", memory=True)
        add(vtn, ven_id, "E2")
        await told(vtn, "opts", lambda opts: len(opts) == 2)
        before = len(box.of(ReportAccepted))
        await box.until(lambda: len(box.of(ReportAccepted)) > before)
        assert len(box.of(Registered)) == 1
        assert box.kinds("E1") == [ChangeKind.NEW]


async def test_a_vtn_restart_that_forgot_us_is_registered_with_again(vtn: OpenLeadrVtn) -> None:
    """openleadr-python #186: register again, offer the reports again, request the events, and be heard again."""
    async with box_at(vtn) as box:
        await box.until(lambda: len(box.of(ReportAccepted)) >= 1)
        vtn("restart", memory=False)
        await box.until(lambda: len(box.of(Registered)) == 2)
        assert box.of(Forgotten)[0].reason == "reregistration_requested"
        requested = len(box.of(ReportRequested))
        accepted = len(box.of(ReportAccepted))
        ven_id = box.session.state.ven_id
        add(vtn, ven_id, "E9")
        await told(vtn, "opts", lambda opts: any(one["event_id"] == "E9" for one in opts))
        await box.until(lambda: len(box.of(ReportRequested)) >= 2)
        await box.until(lambda: len(box.of(ReportAccepted)) > accepted + 1)
        assert requested <= 2
    assert vtn("messages").count("oadrRegisterReport") == 2
    assert vtn("messages").count("oadrRequestEvent") == 2


async def test_our_own_restart_resumes(vtn: OpenLeadrVtn) -> None:
    """The state that was saved carries registration, events and report requests over our own restart."""
    async with box_at(vtn) as box:
        await box.until(lambda: len(box.of(ReportAccepted)) >= 1)
        add(vtn, box.session.state.ven_id, "E1")
        await told(vtn, "opts", lambda opts: len(opts) == 1)
        await asyncio.sleep(0.05)
    async with box_at(vtn, VenState.from_bytes(box.saved)) as again:
        await again.until(lambda: again.of(EventsReceived) and again.of(ReportAccepted))
        assert [one.kind for one in again.changes] == [ChangeKind.UNCHANGED]
        assert not again.of(Registered)
        assert not again.of(ReportRequested)
    assert vtn("messages").count("oadrCreatePartyRegistration") == 1
    assert vtn("messages").count("oadrRegisterReport") == 1
