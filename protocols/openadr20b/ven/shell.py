"""The loop that drives a VEN session over HTTP: the only place where it meets a clock, a socket and the journal.

One exchange after another, no task of its own: whoever awaits `run` owns it, and cancelling it ends it at the next
await. After each exchange the deck handles what happened *before* the state is saved: a crash in between tells the
deck the same again, instead of losing it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from wattseal.certs.clock import Instant
from wattseal.certs.errors import WorldError
from wattseal.protocols.openadr20b.ven.happenings import Happening, ReportDue
from wattseal.protocols.openadr20b.ven.session import Send, VenSession
from wattseal.protocols.openadr20b.ven.state import VenState

SERVICE_PATH: Final = "OpenADR2/Simple/2.0b"
_LONGEST_SLEEP_SECONDS: Final = 60.0


class Exchange(Protocol):
    """Posts a body; WorldError when no answer with status 200 came."""

    async def post(self, path: str, body: bytes) -> bytes:
        """The answer's body."""
        ...


class Clock(Protocol):
    """Tells the time, trusted as far as it can be."""

    def now(self) -> Instant:
        """One look at the clock."""
        ...


Handle = Callable[[tuple[Happening, ...]], Awaitable[None]]
Save = Callable[[bytes], Awaitable[None]]


async def run(
    session: VenSession,
    exchange: Exchange,
    clock: Clock,
    handle: Handle,
    save: Save,
    wake: asyncio.Event | None = None,
) -> None:
    """Drives the session until it is cancelled.

    `handle` gets what happened and calls `answer_events` and `submit_report` on the session before it returns.
    `save` persists the state's bytes before anything more is sent. `wake` cuts a wait short: set it after handing
    something in from elsewhere.
    """
    saved = session.state
    wake = asyncio.Event() if wake is None else wake
    while True:
        await _ask_for_reports(session, clock, handle)
        saved = await _saved(session, saved, save)
        step = session.next_step(clock.now())
        if isinstance(step, Send):
            await handle(await _exchanged(session, exchange, clock, step))
            saved = await _saved(session, saved, save)
        else:
            await _wait(wake, step.monotonic - clock.now().monotonic)


async def _exchanged(session: VenSession, exchange: Exchange, clock: Clock, step: Send) -> tuple[Happening, ...]:
    try:
        raw = await exchange.post(f"{SERVICE_PATH}/{step.service}", step.body)
    except WorldError as error:
        return session.failed(clock.now(), error.reason)
    except asyncio.CancelledError:
        session.failed(clock.now(), "cancelled")  # whoever runs this session again finds it at rest
        raise
    return session.received(clock.now(), raw)


async def _ask_for_reports(session: VenSession, clock: Clock, handle: Handle) -> None:
    """Asks the deck once for every request that is due; one that it does not serve does not hold up the others."""
    asked: set[str] = set()
    while (wanted := session.report_wanted(clock.now(), frozenset(asked))) is not None:
        asked.add(wanted.request_id)
        await handle((ReportDue(wanted),))


async def _saved(session: VenSession, saved: VenState, save: Save) -> VenState:
    state = session.state
    if state is not saved and state != saved:
        await save(state.to_bytes())
    return state


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(min(max(seconds, 0.0), _LONGEST_SLEEP_SECONDS)):
            await wake.wait()
    except TimeoutError:
        return
    wake.clear()
