"""The tree of RFC 9162 section 2.1, against its definition and against published values."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs import merkle
from wattseal.certs.errors import MisuseError

# The eight leaves that the reference implementation of Certificate Transparency (RFC 6962) tests with, and its roots
# for the first 1 to 8 of them.
LEAVES = tuple(
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
PATHS = {  # (index, size): inclusion path, from the same vectors
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
}


def definition(leaves: list[bytes]) -> bytes:
    """MTH as section 2.1.1 writes it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + definition(leaves[:k]) + definition(leaves[k:])).digest()


def path_by_definition(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH as section 2.1.3.1 writes it."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*path_by_definition(index, leaves[:k]), definition(leaves[k:])]
    return [*path_by_definition(index - k, leaves[k:]), definition(leaves[:k])]


def proof_by_definition(old: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF as section 2.1.4.1 writes it."""
    if old == len(leaves):
        return [] if whole else [definition(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if old <= k:
        return [*proof_by_definition(old, leaves[:k], whole=whole), definition(leaves[k:])]
    return [*proof_by_definition(old - k, leaves[k:], whole=False), definition(leaves[:k])]


def hashes_of(leaves: list[bytes]) -> list[bytes]:
    return [merkle.leaf_hash(leaf) for leaf in leaves]


def test_the_empty_tree_is_sha256_of_nothing() -> None:
    """Section 2.1.1; the value is FIPS 180's for the empty message."""
    assert merkle.root(()).hex() == EMPTY


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size: int) -> None:
    assert merkle.root_of(hashes_of(list(LEAVES[:size]))).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_published_inclusion_paths(index: int, size: int) -> None:
    hashes = hashes_of(list(LEAVES[:size]))
    path = merkle.inclusion_proof(merkle.subtree_of(hashes), index, size)
    assert tuple(node.hex() for node in path) == PATHS[index, size]
    merkle.verify_inclusion(hashes[index], index, size, path, bytes.fromhex(ROOTS[size - 1]))


leaf_lists = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


@given(leaf_lists, st.data())
def test_appending_in_any_pieces_gives_the_definition(leaves: list[bytes], data: st.DataObject) -> None:
    frontier, size = (), 0
    rest = hashes_of(leaves)
    while rest:
        taken = data.draw(st.integers(1, len(rest)))
        frontier, size = merkle.append(frontier, size, rest[:taken])
        rest = rest[taken:]
    assert size == len(leaves)
    assert merkle.root(frontier) == definition(leaves)
    assert frontier == tuple(definition(leaves[start:end]) for start, end in merkle.frontier_spans(size))


@given(leaf_lists, st.data())
def test_inclusion_is_the_definition_and_holds_for_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    hashes, size, top = hashes_of(leaves), len(leaves), definition(leaves)
    path = merkle.inclusion_proof(merkle.subtree_of(hashes), index, size)
    assert list(path) == path_by_definition(index, leaves)
    merkle.verify_inclusion(hashes[index], index, size, path, top)
    other = data.draw(st.integers(0, size - 1))
    wrong = [
        (hashes[index], index, size, path, definition([*leaves, b"x"])),
        (merkle.leaf_hash(b"never appended"), index, size, path, top),
        (hashes[index], index, size, (*path, top), top),
        (hashes[index], size, size, path, top),
        (hashes[index], -1, size, path, top),
    ]
    if path:
        wrong.append((hashes[index], index, size, path[:-1], top))
    if hashes[other] != hashes[index]:
        wrong.append((hashes[other], index, size, path, top))
    for claim in wrong:
        with pytest.raises(merkle.ProofError):
            merkle.verify_inclusion(*claim)


@given(leaf_lists, st.data())
def test_consistency_is_the_definition_and_holds_for_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    old = data.draw(st.integers(1, size))
    hashes, old_root, new_root = hashes_of(leaves), definition(leaves[:old]), definition(leaves)
    path = merkle.consistency_proof(merkle.subtree_of(hashes), old, size)
    assert list(path) == proof_by_definition(old, leaves)
    merkle.verify_consistency(old, old_root, size, new_root, path)
    forked = definition([*leaves[: old - 1], b"forked leaf"])
    wrong = [
        (old, forked, size, new_root, path),
        (old, old_root, size, definition([*leaves, b"x"]), path),
        (old, old_root, size, new_root, (*path, new_root)),
        (0, old_root, size, new_root, path),
        (size + 1, old_root, size, new_root, path),
    ]
    if path:
        wrong.append((old, old_root, size, new_root, path[:-1]))
        wrong.append((old, old_root, size, new_root, ()))
    for claim in wrong:
        with pytest.raises(merkle.ProofError):
            merkle.verify_consistency(*claim)


def test_what_cannot_be_asked() -> None:
    subtree = merkle.subtree_of(hashes_of(list(LEAVES)))
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(MisuseError):
            merkle.inclusion_proof(subtree, index, size)
    for old, size in ((0, 8), (9, 8)):
        with pytest.raises(MisuseError):
            merkle.consistency_proof(subtree, old, size)
    with pytest.raises(MisuseError):
        merkle.append((), 1, [])
