"""Our side of the measurement: the core in this process, driven by the real VEN loop, the gateway in its own.

A measurement begins when the VEN has a utility's bytes in its hands and ends when the sealed receipt that says
`applied` is durable at the gateway, and has been checked and taken in by the core. (That the core's own copy becomes
durable too is told beside it: nobody waits for that.) Waiting for a poll is left out: the loop's clock is pushed on, so
that polls are always due.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic_ns
from typing import Final

from wattseal.bridge.bench.north_grid import NorthGrid
from wattseal.bridge.bench.stage import Stage
from wattseal.bridge.core.core import Core
from wattseal.bridge.core.opening import open_estate
from wattseal.bridge.core.outbound import Bundle
from wattseal.bridge.core.process import running_core
from wattseal.bridge.core.utility_line import UtilityLine
from wattseal.certs.clock import Instant, SystemTime, TrustedClock
from wattseal.certs.errors import WorldError
from wattseal.certs.garbage import collect_rarely
from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.testimony import Phase, Receipt, Result
from wattseal.protocols.openadr20b.ven import shell
from wattseal.protocols.openadr20b.ven.happenings import Happening

_PUSH_SECONDS: Final = 100.0
_PATIENCE_SECONDS: Final = 10.0
_STAMPS_SETTLE_SECONDS: Final = 0.06


@dataclass(frozen=True, slots=True)
class Passage:
    """One event all the way: monotonic nanoseconds by station, as the core's process saw it, and the command."""

    at: Mapping[str, int]
    command: bytes

    @property
    def total(self) -> int:
        """Nanoseconds from the utility's bytes to the receipt, durable at the gateway and heard by the core."""
        return self.at["heard"] - self.at["handed"]

    @property
    def kept(self) -> int:
        """The same until the core's own copy is durable too."""
        return self.at["kept"] - self.at["handed"]


class _PushedClock:
    """The box's clock for the VEN's loop: each look is later than every timer the look before has set."""

    def __init__(self, clock: TrustedClock) -> None:
        self._clock = clock
        self._pushed = 0.0

    def now(self) -> Instant:
        """One look."""
        self._pushed += _PUSH_SECONDS
        at = self._clock.now()
        return replace(at, monotonic=at.monotonic + self._pushed)


class Ours:
    """Hands out messages one by one and collects what the core says of each."""

    def __init__(self, grid: NorthGrid, stamps: Path) -> None:
        self.grid = grid
        self._stamps = stamps
        self._offset = 0
        self._at: dict[str, int] = {}
        self._command = b""
        self._applied = asyncio.Event()
        self._receipt_digest = b""
        self._told = asyncio.Event()
        self._hailed = False
        self._failure = ""

    async def event(self, watts: int) -> Passage:
        """One event. Raises `WorldError` (`bench_event_failed`) where it does not come to an applied receipt."""
        await asyncio.wait_for(self.grid.polled.wait(), _PATIENCE_SECONDS)
        raw = self.grid.message(watts)
        self._at, self._command = {}, b""
        self._applied.clear()
        self.grid.hand_out(raw)
        try:
            await asyncio.wait_for(self._applied.wait(), _PATIENCE_SECONDS)
        except TimeoutError as error:
            raise WorldError("bench_event_failed", "No receipt came for an event; nothing was measured.") from error
        finally:
            self.grid.go_on()
        if self._failure:
            raise WorldError("bench_event_failed", f"The receipt says {self._failure}, not applied.")
        return Passage({**self._at, "handed": self.grid.handed_at}, self._command)

    async def stamps(self) -> list[tuple[str, int, int, object]]:
        """What the gateway's process stamped since the last call."""
        await asyncio.sleep(_STAMPS_SETTLE_SECONDS)
        with self._stamps.open() as file:
            file.seek(self._offset)
            rows = [json.loads(line) for line in file]
            self._offset = file.tell()
        return [(str(name), int(begin), int(end), detail) for name, begin, end, detail in rows]

    def watch(self, what: str, fields: dict[str, object]) -> None:
        """The core's observer."""
        at = fields["at"]
        if not isinstance(at, int):
            return
        if what == Kind.READING and self._hailed:
            self._told.set()
        self._hailed = self._hailed or what == Kind.HELLO
        match fields:
            case {"bundle": Bundle(commands=[command])}:
                self._at.setdefault(what, at)
                self._command = command.digest
            case {"statements": [*heard]}:
                for said in heard:
                    if isinstance(said, Statement) and said.header.kind is Kind.RECEIPT:
                        self._receipt(said, at)
            case {"statement": Statement() as said} if said.digest == self._receipt_digest:
                self._at["kept"] = at
                self._applied.set()
            case _:
                self._at.setdefault(what, at)

    async def ready(self) -> None:
        """Until the gateway has said hello and told a reading after it."""
        try:
            await asyncio.wait_for(self._told.wait(), _PATIENCE_SECONDS)
        except TimeoutError as error:
            raise WorldError("bench_event_failed", "The gateway told no reading; nothing was measured.") from error

    def _receipt(self, said: Statement, at: int) -> None:
        receipt = Receipt.decode(said.body)
        if receipt.phase is not Phase.COMMAND or said.header.parents != (self._command,):
            return
        self._failure = "" if receipt.result is Result.APPLIED else f"{receipt.result} ({receipt.reason})"
        self._at["heard"] = at
        self._receipt_digest = said.digest

    def read(self) -> None:
        """The session has read the message."""
        self._at.setdefault("read", monotonic_ns())


@asynccontextmanager
async def ours(stage: Stage) -> AsyncIterator[Ours]:
    """The core on `stage`, its utility's session registered, ready for events."""
    estate = open_estate(stage.box, SystemTime())
    try:
        grid = NorthGrid()
        side = Ours(grid, stage.stamps)
        core = Core(estate, side.watch)
        line = UtilityLine(estate.site.utilities[0], core, estate, stage.box.root)

        async def handle(happenings: tuple[Happening, ...]) -> None:
            side.read()
            await line.handle(happenings)

        collect_rarely()  # as the core's own process does
        async with running_core(stage.box, estate, core, ()):
            await side.ready()
            loop = asyncio.create_task(shell.run(line.session, grid, _PushedClock(estate.clock), handle, line.save))
            try:
                yield side
            finally:
                loop.cancel()
                await asyncio.gather(loop, return_exceptions=True)
    finally:
        estate.store.close()
