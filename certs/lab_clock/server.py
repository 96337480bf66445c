"""The clock itself, running: a unix socket (0600), the desk behind it, and the hand that moves it.

Frozen until told otherwise. Use in a test's own process as `async with running_clock(path) as clock`, or alone as
`wattseal simulate clock`. The loop that runs this must be a real one.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wattseal.certs.clock import BUILD_FLOOR
from wattseal.certs.errors import MisuseError, WattsealError, WorldError
from wattseal.certs.lab_clock.desk import Desk
from wattseal.certs.lab_clock.hand import Hand
from wattseal.certs.lab_clock.words import (
    LONGEST_LINE_BYTES,
    MICROSECONDS,
    ClockWordError,
    Told,
    answer_line,
    read_idle,
    refusal_line,
    span,
    words_in,
)

SETTLE_SECONDS: Final = 20.0
_BEAT_SECONDS: Final = 0.02
_MOST_RATE: Final = 100_000.0


class UnsettledError(WorldError):
    """Not everybody came to rest in real time (`clock_unsettled`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOptions:
    """`wall`: unix seconds at the start (None: the present). `expected`: so many must take part before time moves.

    `settle_seconds` (real) bounds each step. `grace_seconds` (real) is waited at each step for whoever has a part in
    the lab and does not follow the clock.
    """

    wall: int | None = None
    expected: int = 0
    settle_seconds: float = SETTLE_SECONDS
    grace_seconds: float = 0.0


class ClockServer(Hand):
    """The clock; made by `running_clock`."""

    def __init__(self, options: ClockOptions) -> None:
        present = int(time.time()) + 1
        wall = max(present, BUILD_FLOOR) if options.wall is None else options.wall
        self._desk = Desk(wall * MICROSECONDS, options.expected)
        self._options = options
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._keys = 0
        self._answered = asyncio.Event()
        self._moving = asyncio.Lock()
        self._running: asyncio.Task[None] | None = None

    @property
    def told(self) -> Told:
        """The time."""
        return self._desk.told

    @property
    def members(self) -> tuple[str, ...]:
        """Who takes part."""
        return self._desk.members

    def expect(self, number: int) -> None:
        """From now on so many must take part before time moves."""
        self._desk.expected = number

    async def time(self) -> Told:
        """The time."""
        return self._desk.told

    async def advance(self, seconds: float) -> Told:
        """Moves on by so much, from timer to timer. Raises `MisuseError` (`clock_advance`), `UnsettledError`."""
        length = span(seconds)
        async with self._moving:
            target = self._desk.at + length
            await self._settle()
            while self._desk.step_towards(target):
                await self._one_by_one()
                await self._settle()
        return self._desk.told

    async def run(self, rate: float) -> Told:
        """Lets time pass at `rate` virtual seconds a second, or less where the machine cannot; 0 freezes it."""
        if isinstance(rate, bool) or not 0 <= rate <= _MOST_RATE:
            raise MisuseError("clock_rate", f"Run the clock at 0 to {_MOST_RATE:g} seconds a second.")
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        if rate > 0:
            self._running = asyncio.create_task(self._run(rate))
        return self._desk.told

    async def set(self, unix: int) -> Told:
        """Puts the wall clock forward while nobody takes part. Raises `MisuseError`."""
        self._desk.begin_at(unix * MICROSECONDS)
        return self._desk.told

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends. What it says wrongly ends it, and nothing else."""
        try:
            words = words_in(await reader.readline())
            if "join" in words:
                await self._member(str(words["join"])[:100], reader, writer)
            else:
                await self._controller(words, reader, writer)
        except (OSError, ValueError, ClockWordError):
            return  # a line too long, a word that is none, or a peer that went: this connection is over
        finally:
            writer.close()

    async def _member(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keys += 1
        key = self._keys
        writer.write(self._desk.joined(key, name).line())
        self._writers[key] = writer
        try:
            while line := await reader.readline():
                self._desk.answered(key, read_idle(line))
                self._answered.set()
        finally:
            self._desk.left(key)
            del self._writers[key]
            self._answered.set()

    async def _controller(
        self, words: dict[str, object], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                writer.write(answer_line(await self._obey(words)))
            except WattsealError as error:
                writer.write(refusal_line(error.reason, error.sentence))
            await writer.drain()
            line = await reader.readline()
            if not line:
                return
            words = words_in(line)

    async def _obey(self, words: dict[str, object]) -> Told:
        match words:
            case {"ask": "time"}:
                return await self.time()
            case {"ask": "advance", "seconds": int() | float() as seconds}:
                return await self.advance(seconds)
            case {"ask": "run", "rate": int() | float() as rate}:
                return await self.run(rate)
            case {"ask": "set", "unix": int(unix)}:
                return await self.set(unix)
        raise MisuseError("clock_verb", "Ask the clock to advance SECONDS, to run at a RATE, to set UNIX, or its time.")

    async def _run(self, rate: float) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            passed, begun = loop.time() - begun, loop.time()
            with contextlib.suppress(UnsettledError):
                await self.advance(min(passed, 1.0) * rate)

    async def _one_by_one(self) -> None:
        """Lets those whose timers are due go one after another, all but the last."""
        due = self._desk.due()
        for number in range(1, len(due)):
            await self._settle(frozenset(due[number:]))

    async def _settle(self, held: frozenset[int] = frozenset()) -> None:
        """Asks until everybody is at rest; the timers of those held wait."""
        try:
            async with asyncio.timeout(self._options.settle_seconds):
                while not await self._turn(held):
                    pass
                while self._options.grace_seconds:
                    await asyncio.sleep(self._options.grace_seconds)
                    if await self._turn(held):
                        return
        except TimeoutError as error:
            missing = ", ".join(self._desk.missing) or f"{self._desk.expected - len(self._desk.members)} more"
            raise UnsettledError(
                "clock_unsettled",
                f"Not everybody came to rest within {self._options.settle_seconds:g} s; waited for: {missing}.",
            ) from error

    async def _turn(self, held: frozenset[int]) -> bool:
        told = self._desk.ask()
        for key, writer in self._writers.items():
            writer.write(replace(told, go=key not in held).line())
        while not self._desk.complete:
            self._answered.clear()
            await self._answered.wait()
        return self._desk.at_rest()


@asynccontextmanager
async def running_clock(path: Path, options: ClockOptions | None = None) -> AsyncIterator[ClockServer]:
    """Runs a clock at `path` until the block is left. Raises `WorldError` (`socket_failed`)."""
    clock = ClockServer(options or ClockOptions())
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(clock.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    mask = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(connected, path, limit=LONGEST_LINE_BYTES)
    except OSError as error:
        raise WorldError("socket_failed", f"Cannot listen at {path}: {error.strerror or error}.") from error
    finally:
        os.umask(mask)
    try:
        yield clock
    finally:
        await clock.run(0)
        server.close()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        path.unlink(missing_ok=True)
