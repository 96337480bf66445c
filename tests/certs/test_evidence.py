"""Evidence files made from a ledger, judged by the separate verifier."""

import itertools
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from wattseal.certs import cbor, checkpoint, cose, ledger, merkle, statement
from wattseal.certs.audit.verdict import verify
from wattseal.certs.errors import MisuseError
from wattseal.certs.evidence import Evidence, EvidenceError, export, export_now
from wattseal.certs.keys import FileSigner
from wattseal.certs.ledger import LEDGER, Ledger
from wattseal.certs.manifest import Trust
from wattseal.certs.statement import Kind, Role
from wattseal.certs.storage import Store

sys.path.insert(0, str(Path(__file__).parent))
from evidence_story import NOW, PROFILE, SECOND_ROOT, SIGNERS, SITE, Line, Story, command, lines, order, sha

LOG = SIGNERS[Role.LOG]
SPAN = 100  # seconds from one round of the story to the next


def rounds(count: int) -> Story:
    """The story told `count` times: each round in an epoch of its own, the commands of odd rounds in the one before."""
    told: list[Line] = []
    for number in range(count):
        for line in lines():
            line.name += str(number)
            line.parents = tuple(f"{parent}{number}" for parent in line.parents if isinstance(parent, str))
            line.issued_at = NOW + number * SPAN
            epoch = bytes([number - number % 2] * 16)
            if line.kind is Kind.HELLO:
                line.body = {**line.body, 2: bytes([number] * 16)}
            if line.kind is Kind.COMMAND:
                line.body = command(cbor.encode(order()), 2 * number + 1, epoch=epoch)
            if line.kind is Kind.RENEWAL:
                line.body = {1: epoch, 2: 2 * number + 2, 3: 900, 4: 2}
            told.append(line)
    return Story(lines=told)


STORY = rounds(6)


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    sealed = STORY.seal_lines()
    return [sealed[line.name] for line in STORY.lines]


@pytest.fixture(scope="module")
def trust() -> Trust:
    mandates = STORY.mandates()
    return Trust(STORY.root_record, tuple(mandates), STORY.manifests(mandates)[0])


@pytest.fixture
def book(tmp_path: Path, leaves: list[bytes]):
    with Store.open(tmp_path / "core.db", (LEDGER,)) as store:
        store.commit_now(lambda c: ledger.append_all(c, leaves, STORY.contents))
        yield Ledger(store)


def exported(book: Ledger, trust: Trust, first_round: int, last_round: int) -> bytes:
    start, end = ((NOW + number * SPAN) * 1000 for number in (first_round, last_round))
    return export_now(book, [trust], LOG, site=SITE, from_ms=start, to_ms=end, now=NOW + 900)


def lowest_needed(leaves: Sequence[bytes], wanted: int) -> int:
    """By brute force: the highest start at or below `wanted` from which on everything rests on what is there."""
    said = [statement.read(cose.take_apart(leaf)) for leaf in leaves]
    index = {each.digest: number for number, each in enumerate(said)}
    bodies = [cbor.decode(each.body) for each in said]
    for first in range(wanted, -1, -1):
        whole = True
        for number in range(first, len(said)):
            kind = said[number].header.kind
            whole &= all(index[parent] >= first for parent in said[number].header.parents)
            if kind in {Kind.COMMAND, Kind.RENEWAL}:
                epoch = bodies[number][2 if kind is Kind.COMMAND else 1]
                hellos = [n for n in range(first, number) if said[n].header.kind is Kind.HELLO]
                whole &= any(bodies[n][2] == epoch for n in hellos)
        if whole:
            return first
    raise AssertionError("the story does not hold together")


@pytest.mark.parametrize(("start", "end"), list(itertools.combinations(range(7), 2)))
def test_every_range_is_proven_and_begins_exactly_where_it_must(
    book: Ledger, trust: Trust, leaves: list[bytes], start: int, end: int
) -> None:
    data = exported(book, trust, start, end)
    assert verify(data, STORY.root)["verdict"] == "proven", verify(data, STORY.root)
    held = Evidence.decode(data)
    per_round = len(leaves) // 6
    assert held.first == lowest_needed(leaves, start * per_round)
    assert list(held.leaves[:-1]) == leaves[held.first :]


def test_a_range_without_statements_holds_only_the_extract(book: Ledger, trust: Trust, leaves: list[bytes]) -> None:
    data = exported(book, trust, 50, 60)
    held = Evidence.decode(data)
    assert (held.first, len(held.leaves)) == (len(leaves), 1)
    assert verify(data, STORY.root)["verdict"] == "proven"


def test_milliseconds_are_half_open(book: Ledger, trust: Trust, leaves: list[bytes]) -> None:
    """A statement knows whole seconds: it is in if any part of its second is in the range."""
    for start, end, wanted in (
        (NOW * 1000 + 999, NOW * 1000 + 1000, 0),
        (NOW * 1000 + 1000, (NOW + SPAN) * 1000, len(leaves)),
        (NOW * 1000 + 1000, (NOW + SPAN) * 1000 + 1, len(leaves) // 6),
    ):
        data = export_now(book, [trust], LOG, site=SITE, from_ms=start, to_ms=end, now=NOW + 900)
        begun = Evidence.decode(data).first
        assert begun >= wanted if wanted == len(leaves) else begun == lowest_needed(leaves, wanted)


async def test_the_extract_says_what_was_asked_and_the_checkpoint_ends_at_it(book: Ledger, trust: Trust) -> None:
    data = await export(book, [trust], LOG, site=SITE, from_ms=NOW * 1000, to_ms=NOW * 1000 + 5, now=NOW + 900)
    held = Evidence.decode(data)
    extract = statement.read(cose.take_apart(held.leaves[-1]))
    assert extract.header.kind is Kind.EXTRACT
    assert cbor.decode(extract.body) == {1: 0, 2: NOW * 1000, 3: NOW * 1000 + 5, 4: sha(STORY.root_record)}
    head = checkpoint.read(held.checkpoint)
    assert head.size == held.first + len(held.leaves)
    assert await book.head() == (head.size, head.root)
    assert book.store.read_now(ledger.last_checkpoint) == (head.size, held.checkpoint)
    assert head.root == merkle.root_of(map(merkle.leaf_hash, held.leaves))


async def test_statements_that_come_while_it_is_made_are_in_it(
    book: Ledger, trust: Trust, leaves: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first look and the extract, a receipt of an early command arrives."""
    late = Line("late", Kind.RECEIPT, {**STORY.line("receipt5").body}, "device:battery", (sha(leaves[7]),))
    late.chained, late.issued_at = True, NOW + 600
    last = leaves[STORY.lines.index(STORY.line("gap5"))]
    late.chain = lambda _number, _digest: (24, sha(last))
    raw = Story(lines=[late]).seal_lines()["late"]
    read = book.store.read

    async def read_and_then_append(work: object) -> object:
        found = await read(work)
        monkeypatch.undo()
        await book.append_all([raw])
        return found

    monkeypatch.setattr(book.store, "read", read_and_then_append)
    start = (NOW + 5 * SPAN) * 1000
    data = await export(book, [trust], LOG, site=SITE, from_ms=start, to_ms=start + 1, now=NOW + 900)
    held = Evidence.decode(data)
    assert held.leaves[-2] == raw
    assert held.first == 0
    assert verify(data, STORY.root)["verdict"] == "proven", verify(data, STORY.root)


def test_exporting_again_includes_the_extracts_before(book: Ledger, trust: Trust) -> None:
    exported(book, trust, 5, 6)
    again = exported(book, trust, 4, 6)
    assert verify(again, STORY.root)["verdict"] == "proven"
    assert len(book.store.read_now(lambda c: ledger.entries_of_kind(c, Kind.EXTRACT))) == 2


def test_a_parent_that_never_came_is_for_the_verifier_to_name(book: Ledger, trust: Trust, leaves: list[bytes]) -> None:
    orphan = Line("orphan", Kind.INTENT, {1: "event"}, parents=(sha(b"lost"),), issued_at=NOW + 600)
    raw = Story(lines=[orphan]).seal_lines()["orphan"]
    book.store.commit_now(lambda c: ledger.append_all(c, (raw,)))
    broken = verify(exported(book, trust, 5, 7), STORY.root)["first_broken"]
    assert (broken["reason"], broken["leaf"]) == ("parent_missing", len(leaves))


def test_a_text_that_was_lost_is_for_the_verifier_to_name(tmp_path: Path, trust: Trust, leaves: list[bytes]) -> None:
    with Store.open(tmp_path / "other.db", (LEDGER,)) as store:
        store.commit_now(lambda c: ledger.append_all(c, leaves, [t for t in STORY.contents if t != PROFILE]))
        broken = verify(exported(Ledger(store), trust, 0, 6), STORY.root)["first_broken"]
    assert broken["reason"] == "content_missing"


def test_texts_given_at_export_are_kept(tmp_path: Path, trust: Trust) -> None:
    """A box that has never decided anything has not kept its policy yet."""
    with Store.open(tmp_path / "other.db", (LEDGER,)) as store:
        book, span = Ledger(store), {"from_ms": 0, "to_ms": 1}
        bare = export_now(book, [trust], LOG, site=SITE, now=NOW, **span)
        assert verify(bare, STORY.root)["first_broken"]["reason"] == "content_missing"
        data = export_now(book, [trust], LOG, site=SITE, now=NOW, texts=STORY.contents[:1], **span)
        assert verify(data, STORY.root)["verdict"] == "proven"


def test_several_manifests_of_one_root(book: Ledger, trust: Trust) -> None:
    both = Story(manifest_changes=[{}, {"issued_at": NOW + 50}])
    mandates = both.mandates()
    trusts = [Trust(both.root_record, tuple(mandates), raw) for raw in both.manifests(mandates)]
    data = export_now(book, trusts, LOG, site=SITE, from_ms=0, to_ms=(NOW + 999) * 1000, now=NOW + 900)
    held = Evidence.decode(data)
    assert (len(held.manifests), len(held.mandates)) == (2, 1)
    assert verify(data, STORY.root)["verdict"] == "proven"
    other = Story(root_keys=(SECOND_ROOT,))
    for wrong in ([], [trust, Trust(other.root_record, trust.mandates, trust.manifest)]):
        with pytest.raises(MisuseError):
            export_now(book, wrong, LOG, site=SITE, from_ms=0, to_ms=1, now=NOW)


def test_the_log_key_must_be_one_that_signs_checkpoints(book: Ledger, trust: Trust) -> None:
    gateway: FileSigner = SIGNERS[Role.GATEWAY]
    with pytest.raises(MisuseError) as caught:
        export_now(book, [trust], gateway, site=SITE, from_ms=0, to_ms=1, now=NOW)
    assert caught.value.reason == "log_key_wrong"


def test_files_are_read_back_as_written_and_nothing_else_is_read(book: Ledger, trust: Trust) -> None:
    data = exported(book, trust, 0, 6)
    assert Evidence.decode(data).encode() == data
    for wrong in ({0: "wattseal-evidence-1"}, {**dict.fromkeys(range(10), ()), 0: "wattseal-evidence-1"}, ()):
        with pytest.raises(EvidenceError):
            Evidence.decode(cbor.encode(wrong))
    seeded = random.Random(3)  # noqa: S311 - noise, repeatable
    for _ in range(100):
        position = seeded.randrange(len(data))
        noisy = data[:position] + seeded.randbytes(3) + data[position + 3 :]
        try:
            Evidence.decode(noisy)
        except (EvidenceError, cbor.CborError):
            continue
