"""The aggregator: one control for a whole fleet, from the server's word to the last sealed command; and steady polling.

The core runs in this process as it does in its own, with its real line to the server; each passage is told by the
core's own stations. Processor time is that of this process, all threads of it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic_ns, process_time, process_time_ns
from typing import Any, Final, TypeAlias

from wattseal.bridge.bench.aggregator_stage import Fleet, QuietGateway
from wattseal.bridge.core.core import Core
from wattseal.bridge.core.ieee2030_5_line import ServerLine
from wattseal.bridge.core.opening import open_estate
from wattseal.bridge.core.outbound import Bundle
from wattseal.bridge.core.process import orders
from wattseal.certs.clock import SystemTime
from wattseal.certs.errors import WorldError
from wattseal.certs.garbage import collect_rarely
from wattseal.protocols.ieee2030_5.client.happenings import Happening, ScheduleChanged
from wattseal.protocols.ieee2030_5.client.session import ClientSession
from wattseal.protocols.ieee2030_5.profiles import Profile

_PATIENCE_SECONDS: Final = 240.0
_BEAT_SECONDS: Final = 0.005
_QUIET_LOOKS: Final = 12
_LOOK_SECONDS: Final = 0.25


Moment: TypeAlias = tuple[int, int]
"""Monotonic and processor nanoseconds."""


def _moment() -> Moment:
    return monotonic_ns(), process_time_ns()


def between(first: Moment, second: Moment) -> Moment:
    """What lies between two moments."""
    return second[0] - first[0], second[1] - first[1]


@dataclass(frozen=True, slots=True)
class Passage:
    """One control all the way: by station the moment and the processor time so far (nanoseconds), and its commands.

    `ordered`: the admin's verb was sent; `told`: the server's word is in the session's hands; `scheduled`: the event
    engine is done; the rest as in `Core`.
    """

    at: Mapping[str, Moment]
    commands: int

    @property
    def from_word(self) -> Moment:
        """Nanoseconds from the server's word to the last command, sealed and durable: wall and processor."""
        return between(self.at["told"], self.at["committed"])


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the loop's life, in seconds: wall, processor, and the longest time in which nothing else ran."""

    seconds: float
    processor_seconds: float
    longest_pause_seconds: float
    told: int


@dataclass(slots=True)
class _Watcher:
    """Collects the core's stations of the passage under way."""

    at: dict[str, Moment] = field(default_factory=dict)
    commands: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, what: str, fields: dict[str, object]) -> None:
        """The core's observer."""
        match fields:
            case {"bundle": None}:
                return  # a look that found nothing to order
            case {"bundle": Bundle(commands=commands)} if what == "bundle":
                self.commands = len(commands)
                self.done.set()
        self.at.setdefault(what, _moment())


class _StampedLine(ServerLine):
    """The line as it is, that notes when the server's word came to the session, and how many answers came."""

    def __init__(self, watcher: _Watcher, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._watcher = watcher
        self.answers = 0

    @property
    def settled(self) -> int:
        """How many errands have had their final word."""
        return 0 if self._session is None else self._session.progress

    def begin(self, profile: Profile, dcap: str, certificate: bytes | None) -> ClientSession:
        """As it is, with a stamp at each word of the server that changes the schedule."""
        session = super().begin(profile, dcap, certificate)
        received, notified = session.received, session.notified

        def stamped_received(*told: Any) -> tuple[Happening, ...]:
            began = _moment()
            self.answers += 1
            return self._stamp(began, received(*told))

        def stamped_notified(*told: Any) -> tuple[int, tuple[Happening, ...]]:
            began = _moment()
            status, happenings = notified(*told)
            return status, self._stamp(began, happenings)

        setattr(session, "received", stamped_received)  # noqa: B010 - mypy lets no method be assigned
        setattr(session, "notified", stamped_notified)  # noqa: B010 - the same
        return session

    def _stamp(self, began: Moment, happenings: tuple[Happening, ...]) -> tuple[Happening, ...]:
        if any(isinstance(one, ScheduleChanged) for one in happenings):
            self._watcher.at.setdefault("told", began)
            self._watcher.at.setdefault("scheduled", _moment())
        return happenings


class Aggregator:
    """A running core with its line to the fleet's server."""

    def __init__(self, fleet: Fleet, line: _StampedLine, watcher: _Watcher) -> None:
        self._fleet = fleet
        self._line = line
        self._watcher = watcher
        self._pause = 0.0

    async def control(self, permille: int) -> Passage:
        """One control for all. Raises `WorldError` (`bench_event_failed`) where its commands do not come."""
        watcher = self._watcher
        watcher.at.clear()
        watcher.done.clear()
        ordered = _moment()
        await self._fleet.order(permille)
        try:
            await asyncio.wait_for(watcher.done.wait(), _PATIENCE_SECONDS)
        except TimeoutError as error:
            raise WorldError("bench_event_failed", "A control came to no command; nothing was measured.") from error
        return Passage({**watcher.at, "ordered": ordered}, watcher.commands)

    async def until_quiet(self) -> Span:
        """From the next thing told to the server on until nothing new is for a while; the figures up to the last."""
        began, processor = time.monotonic(), process_time()
        self._pause, self._line.answers = 0.0, 0
        settled, quiet, ended = self._line.settled, 0, (began, processor, 0)
        while quiet < _QUIET_LOOKS and time.monotonic() < began + _PATIENCE_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            quiet = quiet + 1 if settled == self._line.settled and ended[2] else 0
            if settled != self._line.settled:
                settled, ended = self._line.settled, (time.monotonic(), process_time(), self._line.answers)
        return Span(ended[0] - began, ended[1] - processor, self._pause, ended[2])

    async def steady(self, seconds: float) -> Span:
        """The loop left to itself for `seconds`."""
        began, processor = time.monotonic(), process_time()
        self._pause, self._line.answers = 0.0, 0
        await asyncio.sleep(seconds)
        return Span(time.monotonic() - began, process_time() - processor, self._pause, self._line.answers)

    async def beat(self) -> None:
        """Notes how long the loop was held up, again and again."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)
            self._pause = max(self._pause, time.monotonic() - began - _BEAT_SECONDS)


@asynccontextmanager
async def aggregator(fleet: Fleet) -> AsyncIterator[Aggregator]:
    """The core on `fleet`, connected to its quiet gateway, its line running."""
    estate = open_estate(fleet.box, SystemTime())
    try:
        watcher = _Watcher()
        core = Core(estate, watcher.watch)
        collect_rarely()  # as the core's own process does
        await _attached(core, fleet.gateway)
        line = _StampedLine(watcher, estate.site.utilities[0], core, estate, fleet.box.root)
        side = Aggregator(fleet, line, watcher)
        tasks = [asyncio.create_task(one) for one in (line.run(), orders(core), side.beat())]
        try:
            yield side
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        estate.store.close()


async def _attached(core: Core, gateway: QuietGateway) -> None:
    await core.attach(gateway)
    if gateway.hello is None:
        raise WorldError("bench_event_failed", "The core sent no hail; nothing was measured.")
    await core.hear(gateway.hello.raw)
