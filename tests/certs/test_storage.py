"""Durable rows: group commit, isolation of works, reserved space, power cuts."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wattseal.certs.errors import MisuseError
from wattseal.certs.storage import Part, StorageError, StorageFullError, Store

NOTES = Part("notes", ("CREATE TABLE note (id INTEGER PRIMARY KEY, text BLOB NOT NULL UNIQUE) STRICT",))
PAGE = 4096


def put(text: bytes):
    return lambda connection: connection.execute("INSERT INTO note (text) VALUES (?)", (text,)).lastrowid


def texts(connection: sqlite3.Connection) -> list[bytes]:
    return [row[0] for row in connection.execute("SELECT text FROM note ORDER BY id")]


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "box.db", (NOTES,)) as opened:
        yield opened


async def test_a_commit_is_seen_by_every_other_connection_once_it_returns(store: Store) -> None:
    assert await store.commit(put(b"one")) == 1
    with sqlite3.connect(store.path) as other:
        assert texts(other) == [b"one"]
    assert await store.read(texts) == [b"one"]


async def test_the_writing_connection_is_durable_at_each_commit(store: Store) -> None:
    """SQLite: synchronous 2 is FULL, which alone survives a power cut in WAL mode."""
    assert await store.commit(lambda c: c.execute("PRAGMA synchronous").fetchone()[0]) == 2
    assert await store.commit(lambda c: c.execute("PRAGMA journal_mode").fetchone()[0]) == "wal"


def held_up(store: Store) -> threading.Event:
    """The writing thread waits inside a work until the event is set, so that works pile up behind it."""
    gate, inside = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        inside.set()
        gate.wait(10)

    threading.Thread(target=lambda: store.commit_now(wait), daemon=True).start()
    inside.wait(10)
    return gate


async def test_works_that_wait_together_share_one_transaction(store: Store) -> None:
    statements: list[str] = []
    await store.commit(lambda c: c.set_trace_callback(statements.append))
    gate = held_up(store)
    waiting = [asyncio.create_task(store.commit(put(b"%d" % n))) for n in range(20)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*waiting)
    assert sum(s.startswith("INSERT INTO note") for s in statements) == 20
    assert statements.count("COMMIT") == 3  # the tracing one, the one held up, and one for all twenty


async def test_a_failing_work_takes_back_only_its_own_rows(store: Store) -> None:
    def half_done(connection: sqlite3.Connection) -> None:
        put(b"half")(connection)
        raise ValueError("mine")

    gate = held_up(store)
    waiting = [asyncio.create_task(store.commit(work)) for work in (put(b"a"), half_done, put(b"a"), put(b"b"))]
    await asyncio.sleep(0)
    gate.set()
    first, failed, twin, last = await asyncio.gather(*waiting, return_exceptions=True)
    assert (first, last) == (1, 2)
    assert isinstance(failed, ValueError)
    assert isinstance(twin, StorageError)
    assert twin.reason == "storage_conflict"
    assert isinstance(twin.__cause__, sqlite3.IntegrityError)
    assert await store.read(texts) == [b"a", b"b"]


async def test_a_work_alone_in_its_batch_is_taken_back_too(store: Store) -> None:
    def half_done(connection: sqlite3.Connection) -> None:
        put(b"half")(connection)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await store.commit(half_done)
    assert await store.commit(put(b"whole")) == 1
    assert await store.read(texts) == [b"whole"]


async def test_a_transaction_that_sqlite_gives_up_is_tried_again_work_by_work(store: Store) -> None:
    """SQLite may roll a whole transaction back by itself (full, I/O error): nobody else's work may be lost by that."""

    def given_up(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    gate = held_up(store)
    waiting = [asyncio.create_task(store.commit(work)) for work in (put(b"a"), given_up, put(b"b"))]
    await asyncio.sleep(0)
    gate.set()
    first, failed, last = await asyncio.gather(*waiting, return_exceptions=True)
    assert (first, last) == (1, 2)
    assert isinstance(failed, StorageError)
    assert await store.read(texts) == [b"a", b"b"]


async def test_a_database_that_another_process_holds_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not waited for again by each work of the batch."""
    monkeypatch.setattr("wattseal.certs.storage._BUSY_SECONDS", 0.05)
    with Store.open(tmp_path / "box.db", (NOTES,)) as store:
        begun: list[str] = []
        await store.commit(lambda c: c.set_trace_callback(begun.append))
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.create_task(store.commit(put(b"%d" % n))) for n in range(20)]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        other.execute("ROLLBACK")
        other.close()
        assert {getattr(outcome, "reason", None) for outcome in outcomes} == {"storage_busy"}
        assert begun.count("BEGIN IMMEDIATE") <= 3  # the first work may have gone ahead of the others
        assert await store.commit(put(b"after")) == 1


async def test_a_cancelled_caller_does_not_disturb_the_others(store: Store) -> None:
    gate = held_up(store)
    cancelled, kept = (asyncio.create_task(store.commit(put(text))) for text in (b"a", b"b"))
    await asyncio.sleep(0)
    cancelled.cancel()
    gate.set()
    assert await kept == 2
    assert await store.read(texts) == [b"a", b"b"]


async def test_reading_neither_writes_nor_waits_for_the_writer(store: Store) -> None:
    gate = held_up(store)
    assert await store.read(texts) == []
    gate.set()
    with pytest.raises(StorageError):
        await store.read(put(b"x"))


async def test_a_number_that_sqlite_cannot_hold_is_an_error_of_ours(store: Store) -> None:
    """SQLite's integers have 64 bits with their sign; a foreign exception would end whoever counts on ours."""
    with pytest.raises(StorageError) as caught:
        await store.commit(lambda c: c.execute("INSERT INTO note (id, text) VALUES (?, ?)", (1 << 63, b"x")))
    assert caught.value.reason == "storage_failed"
    assert await store.commit(put(b"one")) == 1


def test_the_synchronous_twins(store: Store) -> None:
    assert store.commit_now(put(b"one")) == 1
    assert store.read_now(texts) == [b"one"]
    with pytest.raises(StorageError) as caught:
        store.commit_now(put(b"one"))
    assert caught.value.reason == "storage_conflict"


def test_closing_writes_what_waits_and_refuses_the_rest(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "box.db", (NOTES,))
    gate = held_up(store)
    writer = threading.Thread(target=store.commit_now, args=(put(b"waits"),))
    writer.start()
    while store._jobs.empty():  # until the work stands in the queue
        pass
    gate.set()
    store.close()
    writer.join()
    for refused in (lambda: store.commit_now(put(b"late")), lambda: store.read_now(texts)):
        with pytest.raises(MisuseError) as caught:
            refused()
        assert caught.value.reason == "storage_closed"
    with sqlite3.connect(tmp_path / "box.db") as other:
        assert texts(other) == [b"waits"]


def test_parts_are_brought_up_step_by_step_and_never_down(tmp_path: Path) -> None:
    path = tmp_path / "box.db"
    newer = Part("notes", (*NOTES.steps, "ALTER TABLE note ADD COLUMN colour TEXT"))
    with Store.open(path, (NOTES,)) as store:
        store.commit_now(put(b"old"))
    for _ in range(2):
        with Store.open(path, (newer, Part("other", ("CREATE TABLE other (id INTEGER)",)))) as store:
            assert store.read_now(lambda c: c.execute("SELECT text, colour FROM note").fetchall()) == [(b"old", None)]
    with pytest.raises(StorageError) as caught:
        Store.open(path, (NOTES,))
    assert caught.value.reason == "storage_newer"


def test_a_failing_step_leaves_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "box.db"
    Store.open(path, (NOTES,)).close()
    broken = Part("notes", (*NOTES.steps, "CREATE TABLE extra (id INTEGER)", "CREATE TABLE note (id INTEGER)"))
    with pytest.raises(StorageError):
        Store.open(path, (broken,))
    with Store.open(path, (NOTES,)) as store:
        tables = store.read_now(lambda c: c.execute("SELECT count(*) FROM sqlite_schema WHERE name='extra'").fetchone())
    assert tables == (0,)


def test_files_that_are_no_store_of_ours_are_refused_by_reason(tmp_path: Path) -> None:
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"this is not a database at all" * 200)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as other:
        other.execute("CREATE TABLE theirs (id INTEGER)")
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as other:
        other.execute("PRAGMA user_version = 99")
    for path, reason in (
        (noise, "storage_damaged"),
        (foreign, "storage_damaged"),
        (newer, "storage_newer"),
        (tmp_path / "no" / "such" / "dir.db", "storage_unreadable"),
    ):
        with pytest.raises(StorageError) as caught:
            Store.open(path, (NOTES,))
        assert caught.value.reason == reason


# ---- room


def fill_up(store: Store) -> int:
    """Writes pages until there is no room; gives how many stood."""
    for count in range(10_000):
        try:
            store.commit_now(put(os.urandom(PAGE - 200)))
        except StorageFullError:
            return count
    raise AssertionError("the database never filled up")


def test_full_is_told_and_what_was_written_stands(tmp_path: Path) -> None:
    with Store.open(tmp_path / "box.db", (NOTES,), max_pages=64) as store:
        count = fill_up(store)
        assert count > 10
        assert len(store.read_now(texts)) == count
        with pytest.raises(StorageFullError) as caught:
            store.commit_now(put(os.urandom(PAGE)))
        assert caught.value.reason == "storage_full"


def test_the_reserve_gives_room_for_what_must_still_be_written(tmp_path: Path) -> None:
    with Store.open(tmp_path / "box.db", (NOTES,), max_pages=128, reserve_bytes=32 * PAGE) as store:
        assert store.reserve_stands
        before = fill_up(store)
        store.release_reserve_now()
        assert not store.reserve_stands
        gained = fill_up(store)
        assert gained >= 12  # a row of nearly a page takes a page, its unique key as much again
        with pytest.raises(StorageFullError):
            store.restore_reserve_now()
        assert not store.reserve_stands
        store.commit_now(lambda c: c.execute("DELETE FROM note"))
        store.restore_reserve_now()
        assert store.reserve_stands
        assert before > 0


async def test_a_large_work_that_does_not_fit_leaves_the_small_ones_of_its_batch(tmp_path: Path) -> None:
    with Store.open(tmp_path / "box.db", (NOTES,), max_pages=64) as store:
        gate = held_up(store)
        works = (put(b"small"), put(os.urandom(100 * PAGE)), put(b"small too"))
        waiting = [asyncio.create_task(store.commit(work)) for work in works]
        await asyncio.sleep(0)
        gate.set()
        first, large, last = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(large, StorageFullError)
        assert not isinstance(first, BaseException)
        assert not isinstance(last, BaseException)
        assert await store.read(texts) == [b"small", b"small too"]


async def test_the_ballast_file_frees_real_disk_space(tmp_path: Path) -> None:
    path = tmp_path / "box.db"
    with Store.open(path, (NOTES,), reserve_bytes=16 * PAGE) as store:
        ballast = path.with_name("box.db-reserve")
        assert ballast.stat().st_blocks * 512 >= 16 * PAGE
        await store.release_reserve()
        assert not ballast.exists()
        await store.restore_reserve()
        assert ballast.exists()


def test_a_store_opens_on_a_full_disk_without_its_reserve(tmp_path: Path) -> None:
    path = tmp_path / "box.db"
    with Store.open(path, (NOTES,), max_pages=64) as store:
        count = fill_up(store)
    with Store.open(path, (NOTES,), max_pages=64, reserve_bytes=32 * PAGE) as store:
        assert not store.reserve_stands
        assert len(store.read_now(texts)) == count


# ---- power cut

WRITER = """
import asyncio, sys
from pathlib import Path
from wattseal.certs.storage import Part, Store

async def main(path, notes):
    with Store.open(Path(path), (notes,)) as store:
        async def write(lane):
            for n in range(100_000):
                number = lane * 1_000_000 + n
                await store.commit(lambda c: c.execute("INSERT INTO note VALUES (?, ?)", (number, b"%d" % number)))
                sys.stdout.write(f"{number}\\n")
                sys.stdout.flush()
        await asyncio.gather(*(write(lane) for lane in range(8)))

asyncio.run(main(sys.argv[1], Part("notes", (sys.argv[2],))))
"""


@pytest.mark.parametrize("lines", [1, 57, 400])
def test_whatever_was_acknowledged_outlives_kill_nine(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "box.db"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path), NOTES.steps[0]], stdout=subprocess.PIPE)
    assert child.stdout is not None
    acknowledged = [int(child.stdout.readline()) for _ in range(lines)]
    os.kill(child.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in child.stdout.read().split(b"\n")[:-1] if line]
    child.stdout.close()
    child.wait()
    with Store.open(path, (NOTES,)) as store:
        there = set(store.read_now(lambda c: [row[0] for row in c.execute("SELECT id FROM note")]))
        assert store.read_now(lambda c: c.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    assert set(acknowledged) <= there
