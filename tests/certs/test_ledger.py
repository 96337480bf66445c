"""The append-only log and its contents."""

import hashlib
import itertools
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs import cbor, cose, ledger, merkle, statement
from wattseal.certs.errors import MisuseError
from wattseal.certs.keys import FileSigner
from wattseal.certs.statement import Header, Kind
from wattseal.certs.storage import Part, Store

SIGNER = FileSigner(ec.generate_private_key(ec.SECP256R1()))
JOURNAL = Part("journal", ("CREATE TABLE journal (line TEXT NOT NULL) STRICT",))


def sealed(number: int, kind: Kind = Kind.READING) -> bytes:
    return statement.seal(SIGNER, Header(kind, "box", "battery", 1000 + number), cbor.encode({1: number})).raw


LEAVES = tuple(sealed(number) for number in range(70))


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "box.db", (ledger.LEDGER, JOURNAL)) as opened:
        yield opened


def test_an_empty_ledger(store: Store) -> None:
    """RFC 9162 section 2.1.1: the root of no leaves is SHA-256 of nothing."""
    assert store.read_now(ledger.size) == 0
    assert store.read_now(ledger.root) == hashlib.sha256(b"").digest()
    assert store.read_now(lambda c: ledger.entry(c, bytes(32))) is None
    assert store.read_now(lambda c: ledger.content(c, bytes(32))) is None
    assert store.read_now(ledger.last_checkpoint) is None
    assert store.read_now(ledger.verify_whole) == ()


async def test_leaves_stand_in_order_and_are_found_each_way(store: Store) -> None:
    book = ledger.Ledger(store)
    hail = sealed(7, Kind.HAIL)
    assert await book.append_all(LEAVES[:3], (b"policy text",)) == (0, 1, 2)
    assert await book.append_all((hail,), (b"policy text", b"profile")) == (3,)
    found = await book.entry(statement.digest(hail))
    assert found == ledger.Entry(3, statement.digest(hail), "hail", 1007, hail)
    assert [e.sealed for e in await book.entries(1, 2)] == list(LEAVES[1:3])
    assert [e.index for e in await store.read(lambda c: ledger.entries_of_kind(c, Kind.READING, 1))] == [1, 2]
    assert [e.index for e in await store.read(lambda c: ledger.entries_issued(c, 1001, 1007))] == [1, 2]
    assert await book.content(hashlib.sha256(b"profile").digest()) == b"profile"
    assert await book.head() == (4, merkle.root_of(map(merkle.leaf_hash, (*LEAVES[:3], hail))))


async def test_a_statement_enters_as_its_bytes_do(tmp_path: Path) -> None:
    """One that was sealed or read already is not taken apart again; every row is the same either way."""
    rows = []
    for name, leaves in (
        ("bytes", LEAVES[:9]),
        ("statements", [statement.read(cose.take_apart(r)) for r in LEAVES[:9]]),
    ):
        with Store.open(tmp_path / name, (ledger.LEDGER,)) as opened:
            assert await ledger.Ledger(opened).append_all(leaves) == tuple(range(9))
            assert await ledger.Ledger(opened).append_all(leaves[3:5]) == (3, 4)
            rows.append(opened.read_now(lambda c: c.execute("SELECT * FROM ledger_leaf ORDER BY position").fetchall()))
            assert opened.read_now(ledger.verify_whole) == ()
    assert rows[0] == rows[1]


async def test_appending_again_keeps_the_place(store: Store) -> None:
    book = ledger.Ledger(store)
    await book.append_all(LEAVES[:2])
    assert await book.append_all((LEAVES[1], LEAVES[2], LEAVES[2], LEAVES[0])) == (1, 2, 2, 0)
    assert await book.head() == (3, merkle.root_of(map(merkle.leaf_hash, LEAVES[:3])))


@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, 69)))
def test_root_frontier_and_proofs_of_every_size_follow_from_the_rows(
    tmp_path_factory: pytest.TempPathFactory, cuts: set[int]
) -> None:
    with Store.open(tmp_path_factory.mktemp("ledger") / "box.db", (ledger.LEDGER,)) as store:
        edges = [0, *sorted(cuts), len(LEAVES)]
        for start, end in itertools.pairwise(edges):
            store.commit_now(lambda c, s=start, e=end: ledger.append_all(c, LEAVES[s:e]))
        hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES]

        def compare(connection: sqlite3.Connection) -> None:
            for size in range(len(LEAVES) + 1):
                assert ledger.root(connection, size) == merkle.root_of(hashes[:size])
                assert ledger.frontier(connection, size) == merkle.append((), 0, hashes[:size])[0]
            path = merkle.inclusion_proof(lambda s, e: ledger.subtree(connection, s, e), 33, 70)
            merkle.verify_inclusion(hashes[33], 33, 70, path, merkle.root_of(hashes))

        store.read_now(compare)


async def test_a_callers_rows_and_the_ledgers_stand_or_fall_together(store: Store) -> None:
    def work(connection: sqlite3.Connection, *, then_fail: bool) -> None:
        ledger.append_all(connection, LEAVES[:5], (b"text",))
        connection.execute("INSERT INTO journal VALUES ('five')")
        if then_fail:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.commit(lambda c: work(c, then_fail=True))
    assert await store.read(ledger.size) == 0
    assert await store.read(lambda c: ledger.content(c, hashlib.sha256(b"text").digest())) is None
    await store.commit(lambda c: work(c, then_fail=False))
    assert await store.read(ledger.size) == 5


async def test_what_is_no_statement_does_not_enter(store: Store) -> None:
    for wrong in (b"", b"\x00", LEAVES[0][:-1], cbor.encode({1: 2})):
        with pytest.raises(MisuseError) as caught:
            await ledger.Ledger(store).append_all((LEAVES[0], wrong))
        assert caught.value.reason == "not_a_statement"
    with pytest.raises(MisuseError):
        await ledger.Ledger(store).append_all((), (bytes(ledger.MAX_CONTENT_BYTES + 1),))
    assert await store.read(ledger.size) == 0


def test_leaves_cannot_be_rewritten_through_a_store(store: Store) -> None:
    store.commit_now(lambda c: ledger.append_all(c, LEAVES[:2]))
    with pytest.raises(Exception, match="append-only"):
        store.commit_now(lambda c: c.execute("UPDATE ledger_leaf SET sealed = x'00' WHERE position = 0"))


def damage(store: Store, *statements: str) -> None:
    """Changes rows behind the ledger's back."""
    with sqlite3.connect(store.path) as other:
        other.execute("DROP TRIGGER ledger_leaf_stays")
        for text in statements:
            other.execute(text)


@pytest.mark.parametrize(
    ("mischief", "faults"),
    [
        ("UPDATE ledger_leaf SET sealed = x'00' WHERE position = 3", {("leaf_damaged", 3), ("leaf_hash_wrong", 3)}),
        ("UPDATE ledger_leaf SET digest = x'00' WHERE position = 3", {("leaf_damaged", 3)}),
        ("UPDATE ledger_leaf SET hashes = x'00' WHERE position = 3", {("leaf_hash_wrong", 3)}),
        ("DELETE FROM ledger_leaf WHERE position = 3", {("leaf_missing", 3)}),
        ("UPDATE ledger_content SET bytes = x'00'", {("content_damaged", None)}),
    ],
)
def test_a_bad_row_is_named_and_takes_nothing_else_down(
    store: Store, mischief: str, faults: set[tuple[str, int | None]]
) -> None:
    store.commit_now(lambda c: ledger.append_all(c, LEAVES[:9], (b"text",)))
    damage(store, mischief)
    assert {(f.reason, f.index) for f in store.read_now(ledger.verify_whole)} == faults
    assert [e.sealed for e in store.read_now(lambda c: ledger.entries(c, 4, 8))] == list(LEAVES[4:9])
    assert store.commit_now(lambda c: ledger.append_all(c, LEAVES[9:10])) == (9,)


def test_a_missing_subtree_is_an_error_with_a_reason(store: Store) -> None:
    store.commit_now(lambda c: ledger.append_all(c, LEAVES[:9]))
    damage(store, "DELETE FROM ledger_leaf WHERE position = 7")
    with pytest.raises(ledger.LedgerError) as caught:
        store.read_now(ledger.root)
    assert caught.value.reason == "leaf_missing"


def test_checkpoints_are_kept_by_size(store: Store) -> None:
    for size, text in ((2, b"two"), (9, b"nine"), (4, b"four"), (9, b"other nine")):
        store.commit_now(lambda c, s=size, t=text: ledger.keep_checkpoint(c, s, t))
    assert store.read_now(ledger.last_checkpoint) == (9, b"nine")
