"""Durable rows: SQLite with group commit off the event loop. Knows nothing of what the rows say.

One thread per database writes. Whoever asks for a commit hands in a *work*, a function of the connection; the thread
takes all works that wait, runs each under its own savepoint inside one transaction, commits once (WAL,
synchronous=FULL: one fsync) and only then answers all of them. So an answer means durable, a work that fails takes
back only what it wrote itself, and the price of the fsync is shared by all who wait for it.

A transaction that SQLite itself gives up (disk full, I/O error) is tried again work by work, so that one that needs
too much room does not take the others down. A work may therefore run twice: it touches the connection and nothing
else, opens no transaction of its own, and returns what it found.

Space is reserved ahead, twice: a filler row, whose pages the database can reuse, and a ballast file beside it, for
the write-ahead log that every write needs first. When the disk is full, `release_reserve` gives both up for the writes
that must still happen; `restore_reserve` takes them back when there is room again.
"""

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

from wattseal.certs.errands import errand
from wattseal.certs.errors import MisuseError, WorldError

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

_FORMAT: Final = 1  # user_version: how this room keeps its own two tables
_BUSY_SECONDS: Final = 5.0
_MAX_BATCH: Final = 512
_OWN_TABLES: Final = (
    "CREATE TABLE storage_part (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    "CREATE TABLE storage_reserve (id INTEGER PRIMARY KEY CHECK (id = 1), filler BLOB NOT NULL) STRICT",
)


class StorageError(WorldError):
    """The database could not be opened, read or written."""


class StorageFullError(StorageError):
    """There is no room left for this write (`storage_full`); what was committed before still stands."""


@dataclass(frozen=True, slots=True)
class Part:
    """The tables of one room. Step n takes them from version n to n + 1; steps are only ever added at the end."""

    name: str
    steps: tuple[str, ...]


@dataclass(slots=True)
class _Job:
    work: Work[object]
    future: "asyncio.Future[object] | Future[object]"
    loop: asyncio.AbstractEventLoop | None
    result: object = None
    error: BaseException | None = None

    def run(self, connection: sqlite3.Connection) -> None:
        self.result = self.work(connection)
        self.error = None


class Store:
    """One database file. Made by `open`; `close` (or leaving the `with`) writes what still waits and lets go."""

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection, reserve_bytes: int) -> None:
        self.path = path
        self.reserve_bytes = reserve_bytes
        self._writer = writer
        self._reader = reader
        self._reader_lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._reading = ThreadPoolExecutor(1, thread_name_prefix=f"read-{path.name}")
        self._thread = threading.Thread(target=self._write_batches, name=f"write-{path.name}", daemon=True)

    @classmethod
    def open(
        cls, path: Path, parts: Sequence[Part], *, reserve_bytes: int = 0, max_pages: int | None = None
    ) -> "Store":
        """Opens or makes the database at `path` and brings `parts` to their last version.

        `reserve_bytes` are kept free (see the module's text); where they do not fit, the store opens without them and
        `reserve_stands` says so. `max_pages` caps the size (pages of 4096 bytes). Raises `StorageError`:
        `storage_unreadable`, `storage_damaged`, `storage_newer`, `storage_busy` or `storage_full`.
        """
        with _Wrapped(path):
            writer = _connect(path)
            try:
                if max_pages is not None:
                    writer.execute(f"PRAGMA max_page_count = {int(max_pages)}")
                _bring_up(writer, parts)
                reader = _connect(path)
                reader.execute("PRAGMA query_only = ON")
            except BaseException:
                writer.close()
                raise
        store = cls(path, writer, reader, reserve_bytes)
        store._thread.start()
        with suppress(StorageFullError):  # a full disk is met again, and told, at the first write that needs room
            store.restore_reserve_now()
        return store

    async def commit(self, work: Work[T]) -> T:
        """Runs `work` in the next batch; returns its result once that is durable.

        Raises what `work` raised (then nothing of it was written), `StorageFullError` or `StorageError`. A caller that
        is cancelled while it waits does not take its work back.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[object] = loop.create_future()
        with errand(loop):
            self._submit(_Job(work, future, loop))
            return await future  # type: ignore[return-value]  # the future carries what this very work returned

    def commit_now(self, work: Work[T]) -> T:
        """`commit` for code without an event loop: blocks until durable."""
        future: Future[object] = Future()
        self._submit(_Job(work, future, None))
        return future.result()  # type: ignore[return-value]  # the future carries what this very work returned

    async def read(self, work: Work[T]) -> T:
        """Runs `work` on the reading connection, on one snapshot of what is durable; off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self.read_now, work)

    def read_now(self, work: Work[T]) -> T:
        """`read` for code without an event loop, or for a look that is quicker than a change of threads."""
        with self._reader_lock, _Wrapped(self.path):
            if self._closed:
                raise MisuseError("storage_closed", f"The database {self.path.name} was closed before this read.")
            self._reader.execute("BEGIN")
            try:
                return work(self._reader)
            finally:
                if self._reader.in_transaction:
                    self._reader.execute("ROLLBACK")

    @property
    def reserve_stands(self) -> bool:
        """Whether the reserved space is held (also true where none was asked for)."""
        return self.reserve_bytes == 0 or self.read_now(_filler_bytes) >= self.reserve_bytes

    async def release_reserve(self) -> None:
        """Gives the reserved space up, for the writes that must still happen."""
        self._ballast.unlink(missing_ok=True)
        await self.commit(_drop_filler)

    def release_reserve_now(self) -> None:
        """`release_reserve` for code without an event loop."""
        self._ballast.unlink(missing_ok=True)
        self.commit_now(_drop_filler)

    async def restore_reserve(self) -> None:
        """Takes the reserved space back; raises `StorageFullError` where there is none, and then holds nothing."""
        if self.reserve_bytes:
            await self.commit(self._fill)
            await asyncio.to_thread(self._lay_ballast)

    def restore_reserve_now(self) -> None:
        """`restore_reserve` for code without an event loop."""
        if self.reserve_bytes:
            self.commit_now(self._fill)
            self._lay_ballast()

    def close(self) -> None:
        """Writes what still waits, then closes; works handed in later are refused."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        self._reading.shutdown()
        with self._reader_lock:
            self._reader.close()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _ballast(self) -> Path:
        return self.path.with_name(self.path.name + "-reserve")

    def _fill(self, connection: sqlite3.Connection) -> None:
        if _filler_bytes(connection) < self.reserve_bytes:
            connection.execute("INSERT OR REPLACE INTO storage_reserve VALUES (1, zeroblob(?))", (self.reserve_bytes,))

    def _lay_ballast(self) -> None:
        try:
            with self._ballast.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, self.reserve_bytes)
        except OSError as error:
            self.release_reserve_now()
            raise StorageFullError("storage_full", "The disk has no room for the reserved space.") from error

    def _submit(self, job: _Job) -> None:
        with self._closing:
            if self._closed:
                raise MisuseError("storage_closed", f"The database {self.path.name} was closed before this write.")
            self._jobs.put(job)

    def _write_batches(self) -> None:
        while True:
            batch, last = self._next_batch()
            _run_together(self._writer, batch, self.path)
            _answer(batch)
            if last:
                return

    def _next_batch(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == _MAX_BATCH:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True


class _Wrapped:
    """Turns SQLite's errors into ours, once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.Error | OSError):
            raise _ours(error, self._path) from error


def _run_together(connection: sqlite3.Connection, batch: Sequence[_Job], path: Path) -> None:
    if _commit_all(connection, batch, path) or len(batch) == 1 or _busy(batch[0]):
        return
    for job in batch:
        _commit_all(connection, (job,), path)


def _busy(job: _Job) -> bool:
    """Whether another process holds the database: then each further try would wait as long again."""
    return isinstance(job.error, StorageError) and job.error.reason == "storage_busy"


def _commit_all(connection: sqlite3.Connection, batch: Sequence[_Job], path: Path) -> bool:
    """One transaction over `batch`. False where SQLite gave the whole transaction up: then nothing was written."""
    alone = len(batch) == 1
    try:
        if batch:
            connection.execute("BEGIN IMMEDIATE")
        for job in batch:
            _run_one(connection, job, path, alone=alone)
        if connection.in_transaction:
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for job in batch:
            job.error = _ours(error, path, cause=error)
        return False
    return True


def _run_one(connection: sqlite3.Connection, job: _Job, path: Path, *, alone: bool) -> None:
    if not alone:
        connection.execute("SAVEPOINT work")
    try:
        job.run(connection)
    except BaseException as error:
        if not connection.in_transaction and not alone:
            raise sqlite3.OperationalError("the whole transaction was given up") from error
        job.error = _ours(error, path, cause=error) if isinstance(error, sqlite3.Error | OverflowError) else error
        if connection.in_transaction:
            connection.execute("ROLLBACK" if alone else "ROLLBACK TO work")
    if not alone:
        connection.execute("RELEASE work")


def _answer(batch: Iterable[_Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in batch:
        if job.loop is None:
            _settle((job,))
        else:
            by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, jobs)
        except RuntimeError:
            continue  # that loop is gone, and with it whoever waited; what was written stays written


def _settle(jobs: Iterable[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _bring_up(connection: sqlite3.Connection, parts: Sequence[Part]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > _FORMAT:
        raise StorageError("storage_newer", "A newer release wrote this database; run that release, or restore a copy.")
    if found == 0:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise StorageError("storage_damaged", "This is some other program's database; name another path.")
        for table in _OWN_TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
    for part in parts:
        _bring_up_part(connection, part)
    connection.execute("COMMIT")


def _bring_up_part(connection: sqlite3.Connection, part: Part) -> None:
    row = connection.execute("SELECT version FROM storage_part WHERE name = ?", (part.name,)).fetchone()
    version = 0 if row is None else int(row[0])
    if version > len(part.steps):
        raise StorageError(
            "storage_newer", f"A newer release wrote the {part.name} tables; run that release, or restore a copy."
        )
    for step in part.steps[version:]:
        connection.execute(step)
    connection.execute("INSERT OR REPLACE INTO storage_part VALUES (?, ?)", (part.name, len(part.steps)))


def _filler_bytes(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT length(filler) FROM storage_reserve").fetchone()
    return 0 if row is None else int(row[0])


def _drop_filler(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM storage_reserve")


def _ours(error: Exception, path: Path, *, cause: BaseException | None = None) -> StorageError:
    mine = _told(error, path)
    mine.__cause__ = cause
    return mine


def _told(error: Exception, path: Path) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageFullError("storage_full", f"There is no room left for {path.name}; free some space.")
    if isinstance(error, sqlite3.IntegrityError):
        return StorageError("storage_conflict", f"A row of {path.name} breaks a rule of its table: {error}.")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StorageError("storage_busy", f"Another process holds {path.name}; end it, or wait.")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StorageError("storage_damaged", f"{path.name} is damaged or no database; restore a copy of it.")
    if code == sqlite3.SQLITE_CANTOPEN or isinstance(error, OSError):
        return StorageError("storage_unreadable", f"Cannot open {path}; look at its directory and its rights.")
    return StorageError("storage_failed", f"{path.name} could not be read or written: {error}.")
