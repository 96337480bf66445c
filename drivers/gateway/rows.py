"""The gateway's tables, and the only SQL that touches them. Each function is part of a commit and does nothing else.

    mark       epoch, highest sequence consumed, manifest version: what the gate must find again
    floor      the latest unix second known to have passed
    head       number and digest of the gateway's latest statement
    command    each accepted command, with what a restart needs to run it out
    step       each frame ever planned, committed before it is sent; one row is one frame in the device's own log
    outbox     the gateway's statements that the core does not hold yet
    frames     raw frames by digest, the first to be given up
    counter    the last booked value of each energy counter
    past       by function: what the envelope must know of the last hour (of power; of the others nothing), and
               heartbeats that no receipt has counted yet
    behind     set for good once a core held more of our statements than we ever made here: this is not the chain

A step's state is informed, not decided, by what follows its sending: after a crash a planned step may have been sent.
So a journalled step is never sent again, whatever its state.
"""

import sqlite3
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattseal.certs.statement import Statement
from wattseal.certs.storage import Part
from wattseal.drivers.device import Function, WriteStep
from wattseal.drivers.gate.memory import Mark
from wattseal.drivers.gateway.testifying import CHAIN_START, Frames, Said, Scribe
from wattseal.drivers.testimony import Phase

PART: Final = Part(
    "gateway",
    (
        "CREATE TABLE mark (id INTEGER PRIMARY KEY CHECK (id = 1), raw BLOB NOT NULL) STRICT",
        "CREATE TABLE floor (id INTEGER PRIMARY KEY CHECK (id = 1), unix INTEGER NOT NULL) STRICT",
        """CREATE TABLE head (
             id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL, digest BLOB NOT NULL) STRICT""",
        """CREATE TABLE command (
             place INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, device TEXT NOT NULL, raw BLOB NOT NULL,
             watts INTEGER NOT NULL, state TEXT NOT NULL, timer_seconds INTEGER) STRICT""",
        "CREATE INDEX command_open ON command (place) WHERE state <> 'ended'",
        """CREATE TABLE step (
             command BLOB NOT NULL, phase TEXT NOT NULL, attempt INTEGER NOT NULL, number INTEGER NOT NULL,
             unit INTEGER NOT NULL, address INTEGER NOT NULL, words BLOB NOT NULL, state TEXT NOT NULL,
             PRIMARY KEY (command, phase, attempt, number)) STRICT, WITHOUT ROWID""",
        "CREATE TABLE outbox (number INTEGER PRIMARY KEY, raw BLOB NOT NULL) STRICT",
        "CREATE TABLE frames (digest BLOB PRIMARY KEY, place INTEGER NOT NULL, raw BLOB NOT NULL) STRICT",
        "CREATE INDEX frames_by_age ON frames (place)",
        """CREATE TABLE counter (
             device TEXT NOT NULL, quantity TEXT NOT NULL, value INTEGER NOT NULL,
             PRIMARY KEY (device, quantity)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE past (
             device TEXT PRIMARY KEY, raw BLOB NOT NULL, command BLOB, heartbeats INTEGER NOT NULL)
             STRICT, WITHOUT ROWID""",
        "CREATE TABLE behind (id INTEGER PRIMARY KEY CHECK (id = 1), held INTEGER NOT NULL) STRICT",
        """CREATE TABLE past_of_function (
             device TEXT NOT NULL, function TEXT NOT NULL, raw BLOB NOT NULL, command BLOB, heartbeats INTEGER NOT NULL,
             PRIMARY KEY (device, function)) STRICT, WITHOUT ROWID""",
        "INSERT INTO past_of_function SELECT device, 'power', raw, command, heartbeats FROM past",
        "DROP TABLE past",
        "ALTER TABLE past_of_function RENAME TO past",
    ),
)


class CommandState(StrEnum):
    """How far an accepted command is."""

    ACCEPTED = "accepted"  # nothing confirmed yet
    LIVE = "live"  # receipted, and in force as far as known
    ENDED = "ended"  # its last receipt is given


class StepState(StrEnum):
    """What is known of a frame."""

    PLANNED = "planned"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CommandRow:
    """An accepted command. `watts` are what it was clamped to; `timer_seconds` what the device was to be armed with."""

    digest: bytes
    device: str
    raw: bytes
    watts: int
    state: CommandState = CommandState.ACCEPTED
    timer_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class StepRow:
    """One journalled frame. `attempt` counts the tries to revert, from 0."""

    command: bytes
    phase: Phase
    attempt: int
    number: int
    unit: int
    address: int
    words: tuple[int, ...]
    state: StepState


@dataclass(frozen=True, slots=True)
class PastRow:
    """What is kept of a function's past (`History.encode` for power, else nothing), and its live command's heartbeats
    since its last receipt.
    """

    device: str
    function: Function
    raw: bytes
    command: bytes | None
    heartbeats: int


def put_mark(connection: sqlite3.Connection, mark: Mark) -> None:
    """Replace the gate's mark."""
    connection.execute("INSERT OR REPLACE INTO mark VALUES (1, ?)", (mark.encode(),))


def read_mark(connection: sqlite3.Connection) -> Mark | None:
    """The mark the last run left."""
    row = connection.execute("SELECT raw FROM mark").fetchone()
    return None if row is None else Mark.decode(row[0])


def raise_floor(connection: sqlite3.Connection, unix: int) -> None:
    """Note that `unix` has passed; it never falls."""
    connection.execute(
        "INSERT INTO floor VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET unix = max(unix, excluded.unix)", (unix,)
    )


def read_floor(connection: sqlite3.Connection) -> int:
    """The latest unix second known to have passed, or 0."""
    row = connection.execute("SELECT unix FROM floor").fetchone()
    return 0 if row is None else int(row[0])


def read_head(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and digest of the latest statement."""
    row = connection.execute("SELECT number, digest FROM head").fetchone()
    return CHAIN_START if row is None else (int(row[0]), bytes(row[1]))


def say(connection: sqlite3.Connection, scribe: Scribe, said: Said) -> Statement:
    """Seal `said` as the next of the chain and put it in the outbox."""
    sealed = scribe.seal(said, read_head(connection))
    number = _number(sealed)
    connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (number, sealed.digest))
    connection.execute("INSERT INTO outbox VALUES (?, ?)", (number, sealed.raw))
    return sealed


def outbox_after(connection: sqlite3.Connection, number: int, most: int) -> tuple[tuple[int, bytes], ...]:
    """At most `most` of the statements after `number`, in order."""
    rows = connection.execute(
        "SELECT number, raw FROM outbox WHERE number > ? ORDER BY number LIMIT ?", (number, most)
    ).fetchall()
    return tuple((int(row[0]), bytes(row[1])) for row in rows)


def forget_outbox(connection: sqlite3.Connection, held: int) -> None:
    """Drop what the core holds."""
    connection.execute("DELETE FROM outbox WHERE number <= ?", (held,))


def put_command(connection: sqlite3.Connection, row: CommandRow) -> None:
    """Note an accepted command."""
    connection.execute(
        "INSERT INTO command (digest, device, raw, watts, state, timer_seconds) VALUES (?, ?, ?, ?, ?, ?)",
        (row.digest, row.device, row.raw, row.watts, str(row.state), row.timer_seconds),
    )


def move_command(connection: sqlite3.Connection, digest: bytes, state: CommandState) -> None:
    """Note how far a command is; an ended one stays ended."""
    connection.execute("UPDATE command SET state = ? WHERE digest = ? AND state <> 'ended'", (str(state), digest))


def arm_command(connection: sqlite3.Connection, digest: bytes, timer_seconds: int | None) -> None:
    """Note what the device's timer is about to be armed with."""
    connection.execute("UPDATE command SET timer_seconds = ? WHERE digest = ?", (timer_seconds, digest))


def open_commands(connection: sqlite3.Connection) -> tuple[CommandRow, ...]:
    """The commands that have not ended, in the order they were accepted."""
    rows = connection.execute(
        "SELECT digest, device, raw, watts, state, timer_seconds FROM command WHERE state <> 'ended' ORDER BY place"
    ).fetchall()
    return tuple(
        CommandRow(bytes(row[0]), row[1], bytes(row[2]), int(row[3]), CommandState(row[4]), row[5]) for row in rows
    )


def put_steps(
    connection: sqlite3.Connection, command: bytes, phase: Phase, attempt: int, steps: Iterable[WriteStep]
) -> None:
    """Journal frames before they are sent."""
    connection.executemany(
        "INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (command, str(phase), attempt, step.index, step.unit, step.address, _packed(step.words), "planned")
            for step in steps
        ],
    )


def move_step(
    connection: sqlite3.Connection, command: bytes, phase: Phase, attempt: int, number: int, state: StepState
) -> None:
    """Note what became of a frame."""
    connection.execute(
        "UPDATE step SET state = ? WHERE command = ? AND phase = ? AND attempt = ? AND number = ?",
        (str(state), command, str(phase), attempt, number),
    )


def next_attempt(connection: sqlite3.Connection, command: bytes, phase: Phase) -> int:
    """The first attempt number of that phase that has no frames yet."""
    row = connection.execute(
        "SELECT max(attempt) FROM step WHERE command = ? AND phase = ?", (command, str(phase))
    ).fetchone()
    return 0 if row[0] is None else int(row[0]) + 1


def all_steps(connection: sqlite3.Connection) -> tuple[StepRow, ...]:
    """Every journalled frame that is still kept, for whoever judges."""
    rows = connection.execute(
        """SELECT step.command, phase, attempt, number, unit, address, words, step.state
           FROM step LEFT JOIN command ON command.digest = step.command
           ORDER BY command.place, phase, attempt, number"""
    ).fetchall()
    return tuple(
        StepRow(
            bytes(row[0]), Phase(row[1]), row[2], row[3], row[4], row[5], _unpacked(bytes(row[6])), StepState(row[7])
        )
        for row in rows
    )


def put_frames(connection: sqlite3.Connection, frames: Frames) -> None:
    """Keep raw frames; the same frames are kept once."""
    connection.execute(
        "INSERT OR IGNORE INTO frames VALUES (?, (SELECT coalesce(max(place), 0) + 1 FROM frames), ?)",
        (frames.digest, frames.raw),
    )


def read_frames(connection: sqlite3.Connection, digest: bytes) -> bytes | None:
    """The raw frames of that digest, where they are still kept."""
    row = connection.execute("SELECT raw FROM frames WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else bytes(row[0])


def drop_frames(connection: sqlite3.Connection) -> int:
    """Give up all raw frames; how many there were."""
    return connection.execute("DELETE FROM frames").rowcount


def put_counters(connection: sqlite3.Connection, device: str, counters: Sequence[tuple[str, int]]) -> None:
    """Book the energy counters of one device."""
    connection.executemany(
        "INSERT OR REPLACE INTO counter VALUES (?, ?, ?)", [(device, name, value) for name, value in counters]
    )


def read_counters(connection: sqlite3.Connection) -> tuple[tuple[str, str, int], ...]:
    """All booked counters: device, quantity, value."""
    return tuple(connection.execute("SELECT device, quantity, value FROM counter").fetchall())


def put_past(connection: sqlite3.Connection, row: PastRow) -> None:
    """Replace what is kept of the function's past."""
    connection.execute(
        "INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?, ?)",
        (row.device, str(row.function), row.raw, row.command, row.heartbeats),
    )


def read_past(connection: sqlite3.Connection) -> tuple[PastRow, ...]:
    """What is kept of each function's past."""
    found = connection.execute("SELECT device, function, raw, command, heartbeats FROM past").fetchall()
    return tuple(
        PastRow(row[0], Function(row[1]), bytes(row[2]), None if row[3] is None else bytes(row[3]), row[4])
        for row in found
    )


def put_behind(connection: sqlite3.Connection, held: int) -> None:
    """Note that a core holds our statements up to `held`, which this database never saw; the first note stays."""
    connection.execute("INSERT OR IGNORE INTO behind VALUES (1, ?)", (held,))


def read_behind(connection: sqlite3.Connection) -> int | None:
    """What a core held beyond this database, or None."""
    row = connection.execute("SELECT held FROM behind").fetchone()
    return None if row is None else int(row[0])


def prune(connection: sqlite3.Connection, most_frames: int, most_commands: int) -> None:
    """Keep only the newest frames, and the newest ended commands with their steps."""
    connection.execute(
        "DELETE FROM frames WHERE place <= (SELECT coalesce(max(place), 0) - ? FROM frames)", (most_frames,)
    )
    old = "state = 'ended' AND place <= (SELECT coalesce(max(place), 0) - ? FROM command)"
    connection.execute(
        f"DELETE FROM step WHERE command IN (SELECT digest FROM command WHERE {old})",  # noqa: S608 - a constant
        (most_commands,),
    )
    connection.execute(f"DELETE FROM command WHERE {old}", (most_commands,))  # noqa: S608 - a constant


def _number(sealed: Statement) -> int:
    chain = sealed.header.chain
    return CHAIN_START[0] if chain is None else chain[0]


def _packed(words: tuple[int, ...]) -> bytes:
    return struct.pack(f">{len(words)}H", *words)


def _unpacked(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)
