"""The journal: what the core must know again after a restart, in the same database and commits as the ledger.

Every function takes the connection of a running transaction, so that a statement and what follows from it become
durable together or not at all. Nothing here decides anything.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from wattseal.bridge.facts import LiveOrder, Standing
from wattseal.bridge.timeline import TimedEvent
from wattseal.certs.storage import Part
from wattseal.drivers.commands import Order
from wattseal.protocols.grid_event import GridEvent

PART: Final = Part(
    "journal",
    (
        "CREATE TABLE session(utility TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID",
        (
            "CREATE TABLE event(utility TEXT, event_id TEXT, intent BLOB NOT NULL, body BLOB NOT NULL,"
            " draw INTEGER NOT NULL, cut_at INTEGER, PRIMARY KEY(utility, event_id)) WITHOUT ROWID"
        ),
        (
            "CREATE TABLE live(device TEXT PRIMARY KEY, command BLOB, body BLOB NOT NULL,"
            " standing TEXT NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID"
        ),
        (
            "CREATE TABLE gateway(only_row INTEGER PRIMARY KEY CHECK(only_row = 1), held INTEGER NOT NULL,"
            " epoch BLOB, sequence INTEGER NOT NULL)"
        ),
        (
            "CREATE TABLE sample(device TEXT, quantity TEXT, at_ms INTEGER, value INTEGER NOT NULL,"
            " scale INTEGER NOT NULL, quality TEXT NOT NULL, reading BLOB NOT NULL,"
            " PRIMARY KEY(device, quantity, at_ms)) WITHOUT ROWID"
        ),
        "CREATE TABLE mark(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
        "ALTER TABLE live ADD COLUMN denied BLOB",
        (
            "CREATE TABLE message(number INTEGER PRIMARY KEY, utility TEXT NOT NULL, about TEXT NOT NULL,"
            " ingress BLOB NOT NULL, UNIQUE(utility, about))"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class LiveRow:
    """The last order to a device, as it was given; `sequence` is its command's number, 0 without one.

    `denied`: the digest of a later order that policy denied while this one stood.
    """

    order: Order
    command: bytes | None
    standing: Standing
    sequence: int
    denied: bytes | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one reading: `value` times ten to the `scale`, at unix milliseconds, from the reading `reading`."""

    device: str
    quantity: str
    at_ms: int
    value: int
    scale: int
    quality: str
    reading: bytes


@dataclass(frozen=True, slots=True)
class Recollection:
    """All that the journal holds but the samples."""

    sessions: dict[str, bytes]
    events: tuple[TimedEvent, ...]
    live: tuple[LiveRow, ...]
    held: int
    epoch: bytes | None
    sequence: int
    marks: dict[str, int]
    messages: dict[tuple[str, str], bytes] = field(default_factory=dict)


def recall(db: sqlite3.Connection) -> Recollection:
    """Everything that a start needs."""
    events = tuple(
        TimedEvent(GridEvent.decode(body)[0], intent, draw, cut_at)
        for intent, body, draw, cut_at in db.execute("SELECT intent, body, draw, cut_at FROM event")
    )
    live = tuple(
        LiveRow(Order.decode(body), command, Standing(standing), number, denied)
        for command, body, standing, number, denied in db.execute(
            "SELECT command, body, standing, sequence, denied FROM live"
        )
    )
    query = "SELECT held, epoch, sequence FROM gateway"
    held, epoch, sequence = db.execute(query).fetchone() or (-1, None, 0)
    return Recollection(
        dict(db.execute("SELECT utility, state FROM session")),
        events,
        live,
        held,
        epoch,
        sequence,
        dict(db.execute("SELECT name, value FROM mark")),
        {
            (utility, about): ingress
            for utility, about, ingress in db.execute("SELECT utility, about, ingress FROM message ORDER BY number")
        },
    )


def keep_session(db: sqlite3.Connection, utility: str, state: bytes) -> None:
    """The state of a utility session, as the session itself encodes it."""
    db.execute("INSERT OR REPLACE INTO session VALUES(?, ?)", (utility, state))


def keep_event(db: sqlite3.Connection, timed: TimedEvent, body: bytes) -> None:
    """The newest version of an event; `body` is the body of its intent."""
    utility, event_id = timed.event.origin.key
    row = (utility, event_id, timed.intent, body, timed.start_draw_seconds, timed.cut_at)
    db.execute("INSERT OR REPLACE INTO event VALUES(?, ?, ?, ?, ?, ?)", row)


def forget_event(db: sqlite3.Connection, key: tuple[str, str]) -> None:
    """An event (utility, event id) that is over; its intent stays in the ledger."""
    db.execute("DELETE FROM event WHERE utility = ? AND event_id = ?", key)


def keep_live(db: sqlite3.Connection, row: LiveRow) -> None:
    """Where the last order to a device stands."""
    values = (row.order.device, row.command, row.order.encode(), str(row.standing), row.sequence, row.denied)
    db.execute("INSERT OR REPLACE INTO live VALUES(?, ?, ?, ?, ?, ?)", values)


def keep_gateway(db: sqlite3.Connection, held: int, epoch: bytes | None, sequence: int) -> None:
    """How far we hold the gateway's statements, its last known epoch, and the last number we gave in it."""
    db.execute("INSERT OR REPLACE INTO gateway VALUES(1, ?, ?, ?)", (held, epoch, sequence))


def keep_samples(db: sqlite3.Connection, samples: Iterable[Sample]) -> None:
    """Values for reports to come."""
    rows = ((s.device, s.quantity, s.at_ms, s.value, s.scale, s.quality, s.reading) for s in samples)
    db.executemany("INSERT OR REPLACE INTO sample VALUES(?, ?, ?, ?, ?, ?, ?)", rows)


def samples_between(db: sqlite3.Connection, device: str, quantity: str, from_ms: int, to_ms: int) -> tuple[Sample, ...]:
    """The samples of one quantity in `[from_ms, to_ms)`, oldest first."""
    query = "SELECT * FROM sample WHERE device = ? AND quantity = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms"
    return tuple(Sample(*row) for row in db.execute(query, (device, quantity, from_ms, to_ms)))


def prune_samples(db: sqlite3.Connection, before_ms: int) -> int:
    """Forget samples older than `before_ms`; how many went. The readings themselves stay in the ledger."""
    return db.execute("DELETE FROM sample WHERE at_ms < ?", (before_ms,)).rowcount


def keep_mark(db: sqlite3.Connection, name: str, value: int) -> None:
    """A number by name, such as the time floor."""
    db.execute("INSERT OR REPLACE INTO mark VALUES(?, ?)", (name, value))


def keep_message(db: sqlite3.Connection, key: tuple[str, str], ingress: bytes) -> None:
    """The latest ingress (its digest) of a utility that is about something: later events may rest on it."""
    db.execute("INSERT OR REPLACE INTO message(utility, about, ingress) VALUES(?, ?, ?)", (*key, ingress))


def forget_message(db: sqlite3.Connection, key: tuple[str, str]) -> None:
    """What nothing will rest on any longer; the ingress stays in the ledger."""
    db.execute("DELETE FROM message WHERE utility = ? AND about = ?", key)


def live_order_of(row: LiveRow, *, fresh: bool, digest: bytes) -> LiveOrder:
    """The row in the form that facts carry; `digest` is that of the order's body."""
    order = row.order
    asked = digest if row.denied is None else row.denied
    window_end = order.not_before + order.hold_seconds if order.hold_seconds else None
    return LiveOrder(order.device, row.command, asked, row.standing, fresh, window_end, order.operation, order.value)
