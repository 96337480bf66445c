"""What somebody can do to an evidence file who holds none of the role keys, and that none of it goes unseen."""

import itertools
import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cbor2
import pytest

from wattseal.certs import checkpoint, merkle
from wattseal.certs.audit.verdict import RULES, verify

sys.path.insert(0, str(Path(__file__).parent))
from evidence_story import NOW, OWNER, SIGNERS, SITE, Story, edwards, sha, unpacked

STORY = Story()
FILE = STORY.pack()
REASONS = {rule.reason for rule in RULES} | {
    "file_malformed", "root_malformed", "statement_malformed", "manifest_malformed", "manifest_missing",
    "checkpoint_malformed",
}  # fmt: skip


def test_the_story_is_proven_and_small() -> None:
    verdict = verify(FILE, STORY.root)
    assert verdict["verdict"] == "proven"
    assert verdict["statements"] == 12
    assert len(FILE) <= 8192


def undetected(data: bytes, root: str, first: int, last: int) -> list[tuple[int, str]]:
    """The bits from `first` to `last` whose flip is not refused by name."""
    missed = []
    flipped = bytearray(data)
    for bit in range(first, last):
        flipped[bit >> 3] ^= 1 << (bit & 7)
        verdict = verify(bytes(flipped), root)
        if verdict["verdict"] != "broken" or verdict["first_broken"]["reason"] not in REASONS:
            missed.append((bit, str(verdict)))
        flipped[bit >> 3] ^= 1 << (bit & 7)
    return missed


@pytest.mark.slow
def test_every_single_bit_flipped_is_refused_and_named() -> None:
    """Each of the file's bits, one at a time, in two processes."""
    bits = len(FILE) * 8
    step = bits // 8
    starts = range(0, bits, step)
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        parts = [pool.submit(undetected, FILE, STORY.root, start, min(start + step, bits)) for start in starts]
        assert [missed for part in parts for missed in part.result()] == []


def test_an_unprotected_header_that_is_an_empty_list_is_no_empty_map() -> None:
    """RFC 9052 section 3: it is a map. One bit lies between the two, and no digest covers it in a manifest."""
    for label in (2, 3):
        members = unpacked(FILE)
        protected, _, payload, signature = cbor2.loads(members[label][0]).value
        members[label] = [cbor2.dumps(cbor2.CBORTag(18, [protected, [], payload, signature]), canonical=True)]
        assert verify(cbor2.dumps(members, canonical=True), STORY.root)["verdict"] == "broken"


def test_every_truncation_is_refused() -> None:
    assert all(verify(FILE[:length], STORY.root)["verdict"] == "broken" for length in range(len(FILE)))


def test_noise_is_refused() -> None:
    seeded = random.Random(7)  # noqa: S311 - noise, repeatable
    noise = [seeded.randbytes(seeded.randrange(200)) for _ in range(500)]
    bombs = [b"\x81" * 100_000, b"\xbf" * 1000, bytes.fromhex("d81c81d81d00"), b"\x9b" + b"\xff" * 8, b""]
    for data in noise + bombs:
        assert verify(data, STORY.root)["verdict"] == "broken"


# ---- re-packing: after each change all that needs no role key is made to fit again

KEY = edwards()


def repacked(members: dict[int, Any], *, sign: str, before: list[bytes] | None = None) -> bytes:
    """The members with frontier, tree and checkpoint rebuilt; the signature kept, or made by a key of the attacker."""
    before = list(STORY.before) if before is None else before
    frontier, first = merkle.append((), 0, map(merkle.leaf_hash, before))
    top, size = merkle.append(frontier, first, map(merkle.leaf_hash, members[7]))
    origin = checkpoint.origin_of(STORY.root, SITE)
    if sign == "attacker":
        note = checkpoint.sign(KEY, origin, size, merkle.root(top))
    else:
        old = checkpoint.read(members[8])
        note = checkpoint.Checkpoint(origin, size, merkle.root(top), old.signatures)
    return cbor2.dumps({**members, 5: first, 6: list(frontier), 8: note.encode()}, canonical=True)


def leaf_changes() -> Iterator[tuple[str, list[bytes]]]:
    leaves = list(unpacked(FILE)[7])
    for n in range(len(leaves)):
        yield f"drop {n}", leaves[:n] + leaves[n + 1 :]
        yield f"duplicate {n}", [*leaves[: n + 1], *leaves[n:]]
        yield f"cut after {n}", leaves[:n]
        yield f"begin after {n}", leaves[n + 1 :]
        yield f"alter {n}", [*leaves[:n], leaves[n][:-1] + bytes([leaves[n][-1] ^ 1]), *leaves[n + 1 :]]
    for n, m in itertools.combinations(range(len(leaves)), 2):
        swapped = list(leaves)
        swapped[n], swapped[m] = swapped[m], swapped[n]
        yield f"swap {n} {m}", swapped
    yield "none", []


@pytest.mark.parametrize("sign", ["kept", "attacker"])
def test_leaves_dropped_doubled_swapped_cut_or_altered_and_the_tree_rebuilt(sign: str) -> None:
    for what, leaves in leaf_changes():
        members = {**unpacked(FILE), 7: leaves}
        verdict = verify(repacked(members, sign=sign), STORY.root)
        assert verdict["verdict"] == "broken", what
        assert verdict["first_broken"]["reason"] in REASONS, what


def test_the_attackers_own_manifest_mandate_root_or_log() -> None:
    """Each made with throw-away keys of his own, in the place of the real one."""
    forged = Story(root_keys=(edwards(),), log=KEY)
    forged.mandate_signers = forged.root_keys
    real, false = unpacked(FILE), forged.members()
    for labels in itertools.chain.from_iterable(itertools.combinations((1, 2, 3), n) for n in (1, 2, 3)):
        for sign in ("kept", "attacker"):
            verdict = verify(repacked({**real, **{n: false[n] for n in labels}}, sign=sign), STORY.root)
            assert verdict["verdict"] == "broken", labels
            assert verdict["first_broken"]["reason"].startswith(("root_", "mandate_", "manifest_")), labels


@pytest.mark.parametrize("name", ["gateway", "site", "expires_at", "version", "lab", "policy_digest", "sections"])
def test_a_manifest_with_one_member_changed_under_the_old_signature(name: str) -> None:
    body = {"version": 1, "expires_at": 2, "site": 3, "gateway": 4, "policy_digest": 6, "sections": 7, "lab": 8}
    members = unpacked(FILE)
    protected, unprotected, payload, signature = cbor2.loads(members[3][0]).value
    changed = dict(cbor2.loads(payload))
    old = changed[body[name]]
    changed[body[name]] = {
        bool: lambda: not old, int: lambda: old + 1, str: lambda: old + "x", bytes: lambda: sha(old), list: list,
    }[type(old)]()  # fmt: skip
    parts = [protected, unprotected, cbor2.dumps(changed, canonical=True), signature]
    members[3] = [cbor2.dumps(cbor2.CBORTag(18, parts), canonical=True)]
    assert verify(repacked(members, sign="kept"), STORY.root)["verdict"] == "broken"


def content_changes() -> Iterator[tuple[str, Callable[[list[bytes]], list[bytes]]]]:
    yield "drop", lambda contents: contents[1:]
    yield "double", lambda contents: [*contents, contents[0]]
    yield "swap", lambda contents: [contents[1], contents[0], *contents[2:]]
    yield "add", lambda contents: [*contents, b"more"]
    yield "alter", lambda contents: [contents[0] + b" ", *contents[1:]]


@pytest.mark.parametrize(("what", "change"), list(content_changes()))
def test_contents_changed_and_put_in_order(what: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    members = unpacked(FILE)
    members[4] = change(members[4])
    for contents in (members[4], sorted(members[4], key=sha)):
        changed = cbor2.dumps({**members, 4: contents}, canonical=True)
        if changed != FILE:
            assert verify(changed, STORY.root)["first_broken"]["reason"].startswith("content"), what


def test_the_leaves_before_the_file_cannot_be_others_or_another_number() -> None:
    for before in ([], [b"x"], [b"x"] * 3, list(STORY.before)[::-1], [*STORY.before, b"x"]):
        for sign in ("kept", "attacker"):
            assert verify(repacked(unpacked(FILE), sign=sign, before=before), STORY.root)["verdict"] == "broken"


def test_statements_of_another_box_under_the_same_keys_do_not_fit() -> None:
    """A genuine leaf of another file of the same log, put in the place of one of this."""
    other = Story()
    other.line("reading").issued_at = NOW + 1
    strange = unpacked(other.pack())[7]
    for n in range(len(strange)):
        members = unpacked(FILE)
        if strange[n] in members[7]:
            continue  # Ed25519 signs the same extract the same way
        members[7] = [*members[7][:n], strange[n], *members[7][n + 1 :]]
        assert verify(repacked(members, sign="kept"), STORY.root)["verdict"] == "broken"


def test_whole_files_under_other_keys_are_of_another_root() -> None:
    other = Story(root_keys=(edwards(),))
    other.mandate_signers = other.root_keys
    assert verify(other.pack(), other.root)["verdict"] == "proven"
    assert verify(other.pack(), STORY.root)["first_broken"]["reason"] == "root_unknown"
    assert OWNER.public.kid not in {signer.public.kid for signer in SIGNERS.values()}


def test_extra_members_missing_members_and_wrong_types() -> None:
    members = unpacked(FILE)
    for label in range(10):
        changed = {key: value for key, value in members.items() if key != label}
        assert verify(cbor2.dumps(changed, canonical=True), STORY.root)["first_broken"]["reason"] == "file_malformed"
        for wrong in (None, 7, "text", b"bytes", [], [7], {}, {1: 2}, [b"x"], os.urandom(64), 1.5):
            if type(wrong) is not type(members[label]) or wrong != members[label]:
                data = cbor2.dumps({**members, label: wrong}, canonical=True)
                if data != FILE:
                    assert verify(data, STORY.root)["verdict"] == "broken", (label, wrong)
    assert verify(cbor2.dumps({**members, 10: b""}, canonical=True), STORY.root)["verdict"] == "broken"
