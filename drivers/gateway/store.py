"""The gateway's database: what it must find again after a crash, and what it gives up when the disk is full.

Everything that must hold together is one commit: a receipt with the command's new state, an accepted command with the
consumed sequence number. (The command's frames are a second commit: what the timer is armed with is decided as late as
possible, and the first commit runs while the device is read. No frame leaves before both.)

When there is no room left, in this order:

    1 raw_frames   the raw frames are given up, and no more are kept
    2 readings     no more readings are made; the reserve is opened for receipts, steps and reverts
    3 orders       `storage_low` holds, and the policy refuses orders that raise power

`recover` takes the reserve back when there is room again, and says in signed gaps what was given up.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, Self, TypeVar

import structlog

from wattseal.certs.clock import Instant
from wattseal.certs.errors import PeerError
from wattseal.certs.statement import Kind, Statement
from wattseal.certs.storage import StorageFullError, Store
from wattseal.drivers.device import WriteStep
from wattseal.drivers.gate.memory import Mark
from wattseal.drivers.gateway import rows
from wattseal.drivers.gateway.rows import CommandRow, CommandState, PastRow, StepRow, StepState
from wattseal.drivers.gateway.testifying import Frames, Said, Scribe, believed_floor
from wattseal.drivers.testimony import Gap, Phase

RESERVE_BYTES: Final = 4 << 20
MOST_FRAMES: Final = 100_000
MOST_ENDED_COMMANDS: Final = 20_000
PRUNE_EVERY: Final = 1000
_log: Final = structlog.get_logger("gateway.store")

T = TypeVar("T")


class Pressure(IntEnum):
    """How short the disk is."""

    NONE = 0
    RAW_FRAMES = 1
    READINGS = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier run left."""

    mark: Mark | None
    floor: int
    head: int
    commands: tuple[CommandRow, ...]
    counters: tuple[tuple[str, str, int], ...]
    past: tuple[PastRow, ...] = ()


@dataclass(frozen=True, slots=True)
class _Loss:
    """What was given up since the disk ran short."""

    count: int
    from_ms: int
    to_ms: int


class GatewayStore:
    """Made by `open`. Awaiting one of its commits means durable."""

    def __init__(self, store: Store, scribe: Scribe, gateway: str) -> None:
        self._store = store
        self._scribe = scribe
        self._gateway = gateway
        self._pressure = Pressure.NONE if store.reserve_stands else Pressure.READINGS
        self._losses: dict[str, _Loss] = {}
        self._relief = asyncio.Lock()
        self._said = 0
        self._behind = store.read_now(rows.read_behind) is not None

    @classmethod
    def open(
        cls,
        path: Path,
        scribe: Scribe,
        gateway: str,
        *,
        reserve_bytes: int = RESERVE_BYTES,
        max_pages: int | None = None,
    ) -> Self:
        """Open or make the database. Raises `StorageError`."""
        return cls(Store.open(path, (rows.PART,), reserve_bytes=reserve_bytes, max_pages=max_pages), scribe, gateway)

    def close(self) -> None:
        """Write what still waits, and let go."""
        self._store.close()

    @property
    def pressure(self) -> Pressure:
        """How short the disk is."""
        return self._pressure

    @property
    def storage_low(self) -> bool:
        """Whether orders that raise power are to be refused."""
        return self._pressure >= Pressure.READINGS

    @property
    def behind(self) -> bool:
        """Whether a core was met that holds more of our statements than were ever made here (`note_behind`)."""
        return self._behind

    def found(self) -> Found:
        """What an earlier run left; asked once, at the start."""
        return self._store.read_now(
            lambda c: Found(
                rows.read_mark(c),
                rows.read_floor(c),
                rows.read_head(c)[0],
                rows.open_commands(c),
                rows.read_counters(c),
                rows.read_past(c),
            )
        )

    async def consume(self, mark: Mark, accepted: CommandRow | None = None) -> None:
        """A sequence number is consumed, and with it perhaps a command accepted. Raises `StorageFullError`."""

        def work(connection: sqlite3.Connection) -> None:
            rows.put_mark(connection, mark)
            if accepted is not None:
                rows.put_command(connection, accepted)

        await self._needed(work)

    async def plan(
        self, command: bytes, phase: Phase, steps: Sequence[WriteStep], *, timer_seconds: int | None = None
    ) -> int:
        """Journal frames before they are sent; the number of this attempt. Raises `StorageFullError`."""

        def work(connection: sqlite3.Connection) -> int:
            attempt = rows.next_attempt(connection, command, phase)
            rows.put_steps(connection, command, phase, attempt, steps)
            if phase is Phase.COMMAND:
                rows.arm_command(connection, command, timer_seconds)
            return attempt

        return await self._needed(work)

    async def say(
        self,
        said: Sequence[Said],
        *,
        frames: Frames | None = None,
        moves: Sequence[tuple[bytes, CommandState]] = (),
        steps: Sequence[tuple[bytes, Phase, int, int, StepState]] = (),
        mark: Mark | None = None,
        past: PastRow | None = None,
    ) -> tuple[Statement, ...]:
        """Statements that must be made, in one commit with what they tell of. `past`: a device's, where it changed.

        Raises `StorageFullError` where even the reserve is used up; then a gap will tell how many were lost.
        """

        def work(connection: sqlite3.Connection) -> tuple[Statement, ...]:
            for command, state in moves:
                rows.move_command(connection, command, state)
            for step in steps:
                rows.move_step(connection, *step)
            if mark is not None:
                rows.put_mark(connection, mark)
            if past is not None:
                rows.put_past(connection, past)
            if frames is not None and self._pressure is Pressure.NONE:
                rows.put_frames(connection, frames)
            return tuple(self._one(connection, item) for item in said)

        try:
            sealed = await self._needed(work, said[0].at if said else None)
        except StorageFullError:
            for item in said:
                self._lose(f"{item.kind}s", item.at)
            raise
        await self._grown(len(sealed))
        return sealed

    async def book(
        self,
        said: Said,
        frames: Frames,
        device: str,
        counters: Sequence[tuple[str, int]],
        past: Sequence[PastRow] = (),
    ) -> Statement | None:
        """A reading, if there is room for it; None where it was given up. `past`: the device's, where it changed."""

        def work(connection: sqlite3.Connection) -> Statement:
            rows.put_counters(connection, device, counters)
            for row in past:
                rows.put_past(connection, row)
            if self._pressure is Pressure.NONE:
                rows.put_frames(connection, frames)
            return self._one(connection, said)

        if self._behind:
            return None
        if self._pressure >= Pressure.READINGS:
            self._lose("readings", said.at)
            return None
        try:
            sealed = await self._with_frames_to_spare(work, said.at)
        except StorageFullError:
            await self._press(Pressure.READINGS, said.at)
            self._lose("readings", said.at)
            return None
        if self._pressure is not Pressure.NONE:
            self._lose("raw_frames", said.at)
        await self._grown(1)
        return sealed

    async def hold(self, number: int) -> None:
        """The core holds everything up to `number`. Raises `PeerError` (`held_ahead`) for what was never said."""

        def work(connection: sqlite3.Connection) -> None:
            if number > rows.read_head(connection)[0]:
                raise PeerError("held_ahead", "The core says that it holds a statement that was never made.")
            rows.forget_outbox(connection, number)

        await self._needed(work)

    async def note_behind(self, held: int) -> None:
        """A core holds our statements up to `held`, which this database never saw: no reading is made here any more.

        The database never forgets that, however long it grows: what it would say next bears a number that is taken.
        """
        self._behind = True
        await self._needed(lambda c: rows.put_behind(c, held))

    async def outbox_after(self, number: int, most: int = 64) -> tuple[tuple[int, bytes], ...]:
        """The next statements after `number` that the core does not hold."""
        return await self._store.read(lambda c: rows.outbox_after(c, number, most))

    async def frames(self, digest: bytes) -> bytes | None:
        """The raw frames of that digest, where they are still kept."""
        return await self._store.read(lambda c: rows.read_frames(c, digest))

    async def steps(self) -> tuple[StepRow, ...]:
        """Every journalled frame."""
        return await self._store.read(rows.all_steps)

    async def recover(self, at: Instant) -> tuple[Statement, ...]:
        """Where the disk was short and there is room again: the gaps, said. Otherwise nothing."""
        if self._pressure is Pressure.NONE:
            return ()
        losses, self._losses = self._losses, {}
        try:
            await self._store.restore_reserve()
            said = [self._gap(what, loss, at) for what, loss in losses.items()]
            sealed = await self._store.commit(lambda c: tuple(self._one(c, item) for item in said))
        except StorageFullError:
            later, self._losses = self._losses, losses
            for what, loss in later.items():
                self._merge(what, loss)
            return ()
        self._pressure = Pressure.NONE
        _log.info("storage_recovered", gaps=len(sealed))
        return sealed

    def _gap(self, what: str, loss: _Loss, at: Instant) -> Said:
        body = Gap(what, "storage_full", loss.count, loss.from_ms, loss.to_ms).encode()
        return Said(Kind.GAP, self._gateway, body, (), at)

    def _one(self, connection: sqlite3.Connection, said: Said) -> Statement:
        floor = believed_floor(said.at)
        if floor is not None:
            rows.raise_floor(connection, floor)
        return rows.say(connection, self._scribe, said)

    async def _grown(self, count: int) -> None:
        self._said += count
        if self._said < PRUNE_EVERY:
            return
        self._said = 0
        try:
            await self._store.commit(lambda c: rows.prune(c, MOST_FRAMES, MOST_ENDED_COMMANDS))
        except StorageFullError:
            await self._press(Pressure.RAW_FRAMES)

    async def _with_frames_to_spare(self, work: Callable[[sqlite3.Connection], T], at: Instant | None = None) -> T:
        try:
            return await self._store.commit(work)
        except StorageFullError:
            await self._press(Pressure.RAW_FRAMES, at)
            return await self._store.commit(work)

    async def _needed(self, work: Callable[[sqlite3.Connection], T], at: Instant | None = None) -> T:
        try:
            return await self._with_frames_to_spare(work, at)
        except StorageFullError:
            await self._press(Pressure.READINGS)
            return await self._store.commit(work)

    async def _press(self, level: Pressure, at: Instant | None = None) -> None:
        """Make room, once for each level. `at` dates what is given up by it."""
        async with self._relief:
            if self._pressure >= level:
                return
            self._pressure = level
            _log.warning("storage_full", given_up=level.name.lower())
            try:
                if level is Pressure.READINGS:
                    await self._store.release_reserve()
                    return
                dropped = await self._store.commit(rows.drop_frames)
            except StorageFullError:
                _log.warning("storage_full_still", level=level.name.lower())
                return
            if at is not None and dropped:
                self._lose("raw_frames", at, dropped)

    def _lose(self, what: str, at: Instant, count: int = 1) -> None:
        self._merge(what, _Loss(count, at.unix_ms, at.unix_ms))

    def _merge(self, what: str, loss: _Loss) -> None:
        known = self._losses.get(what)
        if known is None:
            self._losses[what] = loss
            return
        from_ms, to_ms = min(known.from_ms, loss.from_ms), max(known.to_ms, loss.to_ms)
        self._losses[what] = _Loss(known.count + loss.count, from_ms, to_ms)


def behind(path: Path) -> int | None:
    """For whoever examines a box: what a core held beyond this database (`GatewayStore.note_behind`), or None.

    Opens it for reading only, beside a gateway that runs; what cannot be read says nothing here.
    """
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return rows.read_behind(connection)
    except sqlite3.Error:
        return None
