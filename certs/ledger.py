"""The ledger: an append-only log of sealed statements, and the texts they name, on a `Store`.

Leaves are the sealed bytes in the order in which they came; beside each stand the hashes of all full subtrees that it
completed (its own, then its ancestors), so the frontier of any size, and with it root and proofs, is a few rows and
nothing has to be held in memory or rebuilt. Contents (raw utility bytes, policy, profiles, site file) are kept once,
by digest.

The functions take a connection: a caller may put its own rows and the ledger's into one transaction. `Ledger` is the
same, one call at a time. Sealing is not done here; what a statement says is not looked at beyond its header.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wattseal.certs import merkle, statement
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.statement import Kind, Statement
from wattseal.certs.storage import Part, Store

MAX_CONTENT_BYTES: Final = 1 << 20
_MAX_INDEX: Final = (1 << 63) - 1
_ISSUED: Final = f"WHERE kind IN ({', '.join(repr(str(kind)) for kind in Kind)}) AND issued_at >= ? AND issued_at < ?"

LEDGER: Final = Part(
    "ledger",
    (
        """CREATE TABLE ledger_leaf (
            position INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, kind TEXT NOT NULL, issued_at INTEGER NOT NULL,
            hashes BLOB NOT NULL, sealed BLOB NOT NULL) STRICT""",
        "CREATE INDEX ledger_leaf_issued ON ledger_leaf (kind, issued_at)",  # one for both: each costs a page a commit
        "CREATE TABLE ledger_content (digest BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT",
        "CREATE TABLE ledger_checkpoint (size INTEGER PRIMARY KEY, text BLOB NOT NULL) STRICT",
        """CREATE TRIGGER ledger_leaf_stays BEFORE UPDATE ON ledger_leaf
            BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    ),
)


class LedgerError(WorldError):
    """The ledger's rows do not hold what they must."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf: its position from 0, its kind and time as its header says, and the sealed bytes."""

    index: int
    digest: bytes
    kind: str
    issued_at: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that is not what it should be; `index` is a leaf's, or None for a content."""

    reason: str
    index: int | None
    sentence: str


def append_all(
    connection: sqlite3.Connection, statements: Sequence[bytes | Statement], contents: Sequence[bytes] = ()
) -> tuple[int, ...]:
    """Appends sealed statements in order, and keeps contents; gives each statement's leaf index.

    A `Statement` was sealed or read already, and is not taken apart again.

    A statement that stands in the ledger already keeps its place: to append again after a crash is safe. Bytes that
    are not a statement raise `MisuseError` (`not_a_statement`), and then the caller's work writes nothing.
    """
    for content in contents:
        keep_content(connection, content)
    known = size(connection)
    stack = frontier(connection, known)
    indexes: list[int] = []
    for said in statements:
        sealed, named, indexed = _parts_of(said)
        row = connection.execute("SELECT position FROM ledger_leaf WHERE digest = ?", (named,)).fetchone()
        if row is not None:
            indexes.append(int(row[0]))
            continue
        kind, issued_at = indexed or _indexed_by(sealed)
        stack, hashes = _grown(stack, known, merkle.leaf_hash(sealed))
        connection.execute(
            "INSERT INTO ledger_leaf VALUES (?, ?, ?, ?, ?, ?)", (known, named, kind, issued_at, hashes, sealed)
        )
        indexes.append(known)
        known += 1
    return tuple(indexes)


def keep_content(connection: sqlite3.Connection, content: bytes) -> bytes:
    """Keeps `content` under its SHA-256, once; returns the digest."""
    if len(content) > MAX_CONTENT_BYTES:
        raise MisuseError("content_oversized", f"A content of {len(content)} bytes is more than the ledger keeps.")
    digest = hashlib.sha256(content).digest()
    connection.execute("INSERT OR IGNORE INTO ledger_content VALUES (?, ?)", (digest, content))
    return digest


def size(connection: sqlite3.Connection) -> int:
    """How many leaves there are."""
    (last,) = connection.execute("SELECT max(position) FROM ledger_leaf").fetchone()
    return 0 if last is None else int(last) + 1


def subtree(connection: sqlite3.Connection, start: int, end: int) -> bytes:
    """The hash of the full subtree over leaves `[start, end)`. Raises `LedgerError` where its last leaf is gone."""
    level = (end - start).bit_length() - 1
    row = connection.execute(
        "SELECT substr(hashes, ?, ?) FROM ledger_leaf WHERE position = ?",
        (level * merkle.HASH_BYTES + 1, merkle.HASH_BYTES, end - 1),
    ).fetchone()
    if row is None or len(row[0]) != merkle.HASH_BYTES:
        raise LedgerError("leaf_missing", f"Leaf {end - 1} of the ledger is missing or damaged; restore a copy.")
    return bytes(row[0])


def frontier(connection: sqlite3.Connection, of_size: int) -> merkle.Frontier:
    """The compact range of the first `of_size` leaves."""
    return tuple(subtree(connection, start, end) for start, end in merkle.frontier_spans(of_size))


def root(connection: sqlite3.Connection, of_size: int | None = None) -> bytes:
    """The Merkle root of the first `of_size` leaves (default: all)."""
    return merkle.root(frontier(connection, size(connection) if of_size is None else of_size))


def entry(connection: sqlite3.Connection, digest: bytes) -> Entry | None:
    """The leaf whose sealed bytes have this digest."""
    return next(_entries(connection, "WHERE digest = ?", digest), None)


def entries(connection: sqlite3.Connection, first: int, last: int) -> tuple[Entry, ...]:
    """Leaves `first` to `last`, both included, in order; those that do not exist are left out."""
    return tuple(_entries(connection, "WHERE position BETWEEN ? AND ? ORDER BY position", first, last))


def entries_of_kind(
    connection: sqlite3.Connection, kind: Kind, first: int = 0, last: int = _MAX_INDEX
) -> tuple[Entry, ...]:
    """Leaves of one kind from index `first` to `last`, both included, in order."""
    where = "WHERE kind = ? AND position BETWEEN ? AND ? ORDER BY position"
    return tuple(_entries(connection, where, str(kind), first, last))


def entries_issued(connection: sqlite3.Connection, from_unix: int, to_unix: int) -> tuple[Entry, ...]:
    """Leaves issued in `[from_unix, to_unix)`, in log order."""
    return tuple(_entries(connection, f"{_ISSUED} ORDER BY position", from_unix, to_unix))


def first_issued(connection: sqlite3.Connection, from_unix: int, to_unix: int) -> int | None:
    """The lowest index of a leaf issued in `[from_unix, to_unix)`."""
    row = connection.execute(f"SELECT min(position) FROM ledger_leaf {_ISSUED}", (from_unix, to_unix)).fetchone()  # noqa: S608 - `_ISSUED` is this file's literal
    return None if row[0] is None else int(row[0])


def last_issued(connection: sqlite3.Connection) -> int:
    """The latest unix second at which anything in the log was issued; 0 for an empty log."""
    (latest,) = connection.execute("SELECT MAX(issued_at) FROM ledger_leaf").fetchone()
    return 0 if latest is None else int(latest)


def content(connection: sqlite3.Connection, digest: bytes) -> bytes | None:
    """The content of that SHA-256."""
    row = connection.execute("SELECT bytes FROM ledger_content WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else bytes(row[0])


def keep_checkpoint(connection: sqlite3.Connection, of_size: int, text: bytes) -> None:
    """Keeps the signed checkpoint of that size."""
    connection.execute("INSERT OR IGNORE INTO ledger_checkpoint VALUES (?, ?)", (of_size, text))


def last_checkpoint(connection: sqlite3.Connection) -> tuple[int, bytes] | None:
    """Size and text of the largest checkpoint kept."""
    row = connection.execute("SELECT size, text FROM ledger_checkpoint ORDER BY size DESC LIMIT 1").fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


def verify_whole(connection: sqlite3.Connection) -> tuple[Fault, ...]:
    """Every row that is not what it should be: gaps, digests, hashes, contents. Never raises for a bad row."""
    return tuple(_leaf_faults(connection)) + tuple(_content_faults(connection))


class Ledger:
    """The ledger of one store, one durable or one read call at a time."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def append_all(
        self, statements: Sequence[bytes | Statement], contents: Sequence[bytes] = ()
    ) -> tuple[int, ...]:
        """`append_all`, durable when it returns."""
        return await self.store.commit(lambda connection: append_all(connection, statements, contents))

    async def entry(self, digest: bytes) -> Entry | None:
        """The leaf whose sealed bytes have this digest."""
        return await self.store.read(lambda connection: entry(connection, digest))

    async def entries(self, first: int, last: int) -> tuple[Entry, ...]:
        """Leaves `first` to `last`, both included."""
        return await self.store.read(lambda connection: entries(connection, first, last))

    async def content(self, digest: bytes) -> bytes | None:
        """The content of that SHA-256."""
        return await self.store.read(lambda connection: content(connection, digest))

    async def head(self) -> tuple[int, bytes]:
        """Size and root of all that is durable."""
        return await self.store.read(lambda connection: (size(connection), root(connection)))


def _parts_of(said: bytes | Statement) -> tuple[bytes, bytes, tuple[str, int] | None]:
    """Sealed bytes, digest, and what to file them by where that is known."""
    if isinstance(said, Statement):
        return said.raw, said.digest, (str(said.header.kind), said.header.issued_at)
    return said, statement.digest(said), None


def _indexed_by(sealed: bytes) -> tuple[str, int]:
    """Kind and time to file a statement by. Whether it is sound was settled by whoever sealed or admitted it."""
    glimpsed = statement.glimpse(sealed)
    if glimpsed is None:
        raise MisuseError("not_a_statement", "Only sealed statements enter the ledger; keep other bytes as contents.")
    return str(glimpsed[0]), glimpsed[1]


def _grown(stack: merkle.Frontier, known: int, leaf: bytes) -> tuple[merkle.Frontier, bytes]:
    """The frontier with one leaf more, and the hashes of all subtrees that the leaf completes, joined."""
    rest = list(stack)
    hashes = [leaf]
    while known & 1:
        hashes.append(merkle.node_hash(rest.pop(), hashes[-1]))
        known >>= 1
    return (*rest, hashes[-1]), b"".join(hashes)


def _entries(connection: sqlite3.Connection, where: str, *values: object) -> Iterator[Entry]:
    columns = "position, digest, kind, issued_at, sealed"
    for row in connection.execute(f"SELECT {columns} FROM ledger_leaf {where}", values):  # noqa: S608 - `where` is one of this file's literals
        yield Entry(int(row[0]), bytes(row[1]), str(row[2]), int(row[3]), bytes(row[4]))


def _leaf_faults(connection: sqlite3.Connection) -> Iterator[Fault]:
    stack: merkle.Frontier = ()
    expected = 0
    sound = True
    for index, digest, hashes, sealed in connection.execute(
        "SELECT position, digest, hashes, sealed FROM ledger_leaf ORDER BY position"
    ):
        if index != expected:
            sound = False
            yield Fault("leaf_missing", expected, f"Leaves {expected} to {index - 1} are missing.")
        if statement.digest(sealed) != digest:
            yield Fault("leaf_damaged", index, f"The bytes of leaf {index} are not those that were appended.")
        if sound:
            stack, right = _grown(stack, index, merkle.leaf_hash(sealed))
            if right != hashes:
                sound = False
                yield Fault(
                    "leaf_hash_wrong", index, f"The tree's hashes at leaf {index} do not follow from its bytes."
                )
        expected = index + 1


def _content_faults(connection: sqlite3.Connection) -> Iterator[Fault]:
    for digest, held in connection.execute("SELECT digest, bytes FROM ledger_content ORDER BY digest"):
        if hashlib.sha256(held).digest() != digest:
            yield Fault("content_damaged", None, f"The content {digest.hex()} is not what it was.")
