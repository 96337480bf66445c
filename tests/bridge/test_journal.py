"""The journal: what is kept is what is remembered, and nothing is remembered that was not kept."""

from dataclasses import replace

import pytest
from bridge_world import NOW, course, grid_event, timed

from wattseal.bridge import journal
from wattseal.bridge.facts import Standing
from wattseal.bridge.journal import LiveRow, Sample
from wattseal.certs.storage import Part, Store
from wattseal.drivers.commands import Operation, Order
from wattseal.protocols.wish import Setpoint

ORDER = Order("battery", Operation.SET_POWER, 100, NOW, 60, (Operation.RELEASE, 0), 5, bytes(32))


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "core.db", (journal.PART,)) as opened:
        yield opened


def test_a_new_journal_remembers_nothing(store):
    found = store.read_now(journal.recall)
    assert (found.sessions, found.events, found.live, found.marks) == ({}, (), (), {})
    assert (found.held, found.epoch, found.sequence) == (-1, None, 0)


def test_what_is_kept_is_recalled(store):
    one = timed(grid_event(course(Setpoint(5))), draw=7, cut_at=NOW + 9)
    two = timed(grid_event(course(Setpoint(6)), event_id="E2"))
    rows = (
        LiveRow(ORDER, b"c" * 32, Standing.COMMANDED, 4),
        LiveRow(replace(ORDER, device="charger"), b"d" * 32, Standing.DENIED, 3, b"x" * 32),
    )

    def work(db):
        for event in (one, two):
            journal.keep_event(db, replace(event, cut_at=None), event.event.encode("t"))
            journal.keep_event(db, event, event.event.encode("t"))
        for row in rows:
            journal.keep_live(db, replace(row, standing=Standing.OVER))
            journal.keep_live(db, row)
        journal.keep_session(db, "north", b"state")
        journal.keep_gateway(db, 4, b"e" * 16, 9)
        journal.keep_mark(db, "floor", 5)
        journal.keep_mark(db, "floor", 6)

    store.commit_now(work)
    found = store.read_now(journal.recall)
    assert set(found.events) == {one, two}
    assert set(found.live) == set(rows)
    assert (found.sessions, found.marks) == ({"north": b"state"}, {"floor": 6})
    assert (found.held, found.epoch, found.sequence) == (4, b"e" * 16, 9)
    store.commit_now(lambda db: journal.forget_event(db, ("north", "E1")))
    assert store.read_now(journal.recall).events == (two,)


def test_samples_are_half_open_in_time_and_pruned(store):
    samples = [Sample("battery", "watts", at, at, 0, "good", bytes(32)) for at in (30, 10, 20)]
    store.commit_now(lambda db: journal.keep_samples(db, samples))

    def between(start, end, quantity="watts"):
        found = store.read_now(lambda db: journal.samples_between(db, "battery", quantity, start, end))
        return [one.at_ms for one in found]

    assert between(10, 30) == [10, 20]
    assert between(0, 31) == [10, 20, 30]
    assert between(0, 31, "other") == []
    assert store.commit_now(lambda db: journal.prune_samples(db, 20)) == 1
    assert between(0, 31) == [20, 30]


def test_a_journal_of_an_older_release_is_taken_further(tmp_path):
    """Steps are only ever added at the end."""
    first = Part(journal.PART.name, journal.PART.steps[:6])
    with Store.open(tmp_path / "core.db", (first,)) as old:
        values = ("battery", b"c" * 32, ORDER.encode(), "commanded", 3)
        old.commit_now(lambda db: db.execute("INSERT INTO live VALUES(?, ?, ?, ?, ?)", values))
    with Store.open(tmp_path / "core.db", (journal.PART,)) as new:
        assert new.read_now(journal.recall).live == (LiveRow(ORDER, b"c" * 32, Standing.COMMANDED, 3),)
