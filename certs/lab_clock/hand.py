"""The hand on a lab's clock: what moves time, whether the clock runs in this process or in another.

`await clock.advance(60)` lets a minute pass, timer by timer; `await clock.until(condition, 600)` goes on second by
second until the condition holds.
"""

import asyncio
import contextlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self, TypeVar

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.lab_clock.participant import ClockLostError
from wattseal.certs.lab_clock.words import LONGEST_LINE_BYTES, Told, ask_line, words_in

T = TypeVar("T")


class Hand(ABC):
    """Moves a clock."""

    @abstractmethod
    async def time(self) -> Told:
        """The time."""

    @abstractmethod
    async def advance(self, seconds: float) -> Told:
        """Moves on by so much, from timer to timer; the time that it came to."""

    @abstractmethod
    async def run(self, rate: float) -> Told:
        """Lets time pass at `rate` virtual seconds a second; 0 freezes it."""

    @abstractmethod
    async def set(self, unix: int) -> Told:
        """Puts the wall clock forward, while nobody takes part."""

    async def until(
        self, condition: Callable[[], Awaitable[T] | T], most_seconds: float, step_seconds: float = 1.0
    ) -> T:
        """Advances step by step until the condition gives something; that. Raises `TimeoutError`."""
        passed = 0.0
        await self.advance(0)
        while True:
            found = condition()
            answer: T = await found if inspect.isawaitable(found) else found
            if answer:
                return answer
            if passed >= most_seconds:
                raise TimeoutError(f"not within {most_seconds:g} virtual seconds")
            await self.advance(step_seconds)
            passed += step_seconds


class RemoteClock(Hand):
    """A clock in another process, by its socket. Use as `async with RemoteClock(path) as clock`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        try:
            self._streams = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE_BYTES)
        except OSError as error:
            raise ClockLostError("clock_unreachable", f"No lab's clock answers at {self._path}.") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(OSError):
                await self._streams[1].wait_closed()

    async def time(self) -> Told:
        """The time."""
        return await self._ask("time")

    async def advance(self, seconds: float) -> Told:
        """Moves on by so much, from timer to timer; the time that it came to."""
        return await self._ask("advance", seconds=seconds)

    async def run(self, rate: float) -> Told:
        """Lets time pass at `rate` virtual seconds a second; 0 freezes it."""
        return await self._ask("run", rate=rate)

    async def set(self, unix: int) -> Told:
        """Puts the wall clock forward, while nobody takes part."""
        return await self._ask("set", unix=unix)

    async def _ask(self, verb: str, **details: object) -> Told:
        """Raises `MisuseError` and `WorldError` with the clock's own reason, `ClockLostError` where it has gone."""
        if self._streams is None:
            raise MisuseError("clock_closed", "Open the clock with `async with` first.")
        reader, writer = self._streams
        try:
            writer.write(ask_line(verb, **details))
            line = await reader.readline()
        except (OSError, ValueError) as error:
            raise ClockLostError("clock_lost", "The lab's clock is gone.") from error
        if not line:
            raise ClockLostError("clock_lost", "The lab's clock is gone.")
        match words_in(line):
            case {"ok": True, "at": int(at), "wall": int(wall), "turn": int(turn)}:
                return Told(at, wall, turn)
            case {"error": "clock_unsettled", "message": message}:
                raise WorldError("clock_unsettled", str(message))
            case {"error": reason, "message": message}:
                raise MisuseError(str(reason), str(message))
        raise ClockLostError("clock_lost", "What answers at the clock's socket is no clock.")
