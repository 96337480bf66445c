"""The loop that drives a session over HTTP: the only place where it meets a clock, a socket and the disk.

Whoever awaits `run` owns it; cancelling it ends it and every request under way, at the next await. After each answer
the deck is told what happened, which it makes durable together with the session's state before it acts; then the state
is saved, where that has not been done; then the next requests go out: no Response leaves before the disk knows of it.
A crash in between is made good by `begin`, which tells the schedule whole.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from wattseal.certs.clock import Instant
from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Request, Silence
from wattseal.protocols.ieee2030_5.client.happenings import Happening
from wattseal.protocols.ieee2030_5.client.session import ClientSession, Send

_LONGEST_SLEEP_SECONDS: Final = 60.0
_PROGRESS_SECONDS: Final = 1.0


class Exchange(Protocol):
    """Asks the server; WorldError when no answer came."""

    async def ask(self, request: Request) -> Answer:
        """The answer, whatever its status."""
        ...


class Clock(Protocol):
    """Tells the time, trusted as far as it can be."""

    def now(self) -> Instant:
        """One look at the clock."""
        ...


Handle = Callable[[tuple[Happening, ...]], Awaitable[None]]
Save = Callable[[bytes], Awaitable[None]]


async def run(
    session: ClientSession,
    exchange: Exchange,
    clock: Clock,
    handle: Handle,
    save: Save,
    wake: asyncio.Event | None = None,
) -> None:
    """Drives the session until it is cancelled.

    `handle` gets what happened, and then `save` the state's bytes, to persist them if they are not yet. `wake` cuts a
    wait short: set it after something was handed to a duty, or to `session.notified`, from elsewhere. What `handle` or
    `save` raise comes out in an ExceptionGroup.
    """
    loop = _Loop(session, exchange, clock, asyncio.Event() if wake is None else wake)
    keeper = _Keeper(session, save)
    happenings = session.begin(clock.now())
    try:
        async with asyncio.TaskGroup() as group:
            while True:
                if happenings:
                    await handle(happenings)
                await keeper.kept(clock.now().monotonic)
                for send in session.sends(clock.now()):
                    group.create_task(loop.asked(send))
                happenings = await loop.next()
    finally:
        session.abandoned(clock.now())


class _Keeper:
    """When the state goes to the disk: at once where something may be sent that rests on it, else within a second.

    A fleet's Responses come by thousands, and the whole state for each of them would be too much to write.
    """

    def __init__(self, session: ClientSession, save: Save) -> None:
        self._session = session
        self._save = save
        self._saved = b""
        self._revision = -1
        self._progress = 0
        self._at = float("-inf")

    async def kept(self, now: float) -> None:
        """Saves what is due; `now` in monotonic seconds. With no answer under way nothing waits."""
        session = self._session
        waited = session.progress != self._progress and (not session.under_way or now >= self._at + _PROGRESS_SECONDS)
        if session.revision == self._revision and not waited:
            return
        self._revision, self._progress, self._at = session.revision, session.progress, now
        data = session.state_bytes()
        if data != self._saved:
            await self._save(data)
            self._saved = data


class _Loop:
    """The answers that came, and the wait for the next of them, for the clock or for `wake`."""

    def __init__(self, session: ClientSession, exchange: Exchange, clock: Clock, wake: asyncio.Event) -> None:
        self._session = session
        self._exchange = exchange
        self._clock = clock
        self._wake = wake
        self._answers: deque[tuple[int, Answer | Silence]] = deque()
        self._came = asyncio.Event()

    async def asked(self, send: Send) -> None:
        """One request to its end."""
        try:
            answer: Answer | Silence = await self._exchange.ask(send.request)
        except WorldError as error:
            answer = Silence(error.reason)
        self._answers.append((send.token, answer))
        self._came.set()

    async def next(self) -> tuple[Happening, ...]:
        """What happened next."""
        if not self._answers:
            await self._waited()
        happenings: list[Happening] = []
        while self._answers:
            happenings += self._session.received(self._clock.now(), *self._answers.popleft())
        self._came.clear()
        now = self._clock.now()
        handed_in = self._wake.is_set()
        if handed_in or self._session.wake_at(now) <= now.monotonic:
            self._wake.clear()
            happenings += self._session.looked(now, handed_in=handed_in)
        return tuple(happenings)

    async def _waited(self) -> None:
        now = self._clock.now()
        seconds = min(max(self._session.wake_at(now) - now.monotonic, 0.0), _LONGEST_SLEEP_SECONDS)
        waits = [asyncio.ensure_future(self._came.wait()), asyncio.ensure_future(self._wake.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
