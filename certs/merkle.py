"""The Merkle tree of RFC 9162 section 2.1 over SHA-256: roots, inclusion and consistency proofs. Pure; stores nothing.

A *frontier* is the compact range of the first n leaves: the roots of the full subtrees that n's binary digits name, the
largest first. It is all that appending needs, and 64 hashes at most.

Proofs are made from a `subtree` function, hash of leaves `[start, end)` for a full subtree, so that a log may keep
hashes where it likes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from wattseal.certs.errors import MisuseError, PeerError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Frontier: TypeAlias = tuple[bytes, ...]
Subtree: TypeAlias = Callable[[int, int], bytes]


class ProofError(PeerError):
    """A proof that does not lead to the root it was given for."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf), section 2.1.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), section 2.1.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(frontier: Frontier, size: int, leaf_hashes: Iterable[bytes]) -> tuple[Frontier, int]:
    """The frontier and size after `leaf_hashes` were added to a tree of `size` leaves."""
    if len(frontier) != size.bit_count():
        raise MisuseError("frontier_wrong", f"A tree of {size} leaves has not {len(frontier)} frontier hashes.")
    stack = list(frontier)
    for added in leaf_hashes:
        node = added
        for _ in range(_trailing_ones(size)):
            node = node_hash(stack.pop(), node)
        stack.append(node)
        size += 1
    return tuple(stack), size


def root(frontier: Frontier) -> bytes:
    """The tree's root: the frontier folded from the right; SHA-256 of nothing for the empty tree."""
    if not frontier:
        return EMPTY_ROOT
    node = frontier[-1]
    for left in reversed(frontier[:-1]):
        node = node_hash(left, node)
    return node


def root_of(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over `leaf_hashes` in order."""
    return root(append((), 0, leaf_hashes)[0])


def frontier_spans(size: int) -> Iterator[tuple[int, int]]:
    """The half-open leaf ranges whose subtree hashes are the frontier of `size` leaves, in order."""
    start = 0
    for bit in range(size.bit_length() - 1, -1, -1):
        if size >> bit & 1:
            yield start, start + (1 << bit)
            start += 1 << bit


def subtree_of(leaf_hashes: Sequence[bytes]) -> Subtree:
    """A `Subtree` over leaf hashes in memory."""

    def subtree(start: int, end: int) -> bytes:
        return root_of(leaf_hashes[start:end])

    return subtree


def inclusion_proof(subtree: Subtree, index: int, size: int) -> tuple[bytes, ...]:
    """The path from leaf `index` to the root of `size` leaves, lowest first (section 2.1.3.1)."""
    if not 0 <= index < size:
        raise MisuseError("leaf_out_of_range", f"A tree of {size} leaves has no leaf {index}.")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(_any_subtree(subtree, split, end))
            end = split
        else:
            path.append(_any_subtree(subtree, start, split))
            start = split
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> None:
    """Returns if `leaf` (its hash) stands at `index` of `size` (section 2.1.3.2); raises `ProofError` otherwise."""
    if not 0 <= index < size:
        raise ProofError("proof_out_of_range", f"A tree of {size} leaves has no leaf {index}.")
    position, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofError("proof_wrong", "The inclusion proof is longer than the tree is high.")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last or node != expected_root:
        raise ProofError("proof_wrong", "The inclusion proof does not lead to the root.")


def consistency_proof(subtree: Subtree, old_size: int, size: int) -> tuple[bytes, ...]:
    """Proof that the tree of `old_size` leaves is a prefix of that of `size` (section 2.1.4.1)."""
    if not 0 < old_size <= size:
        raise MisuseError("leaf_out_of_range", f"No consistency proof leads from {old_size} to {size} leaves.")
    path: list[bytes] = []
    start, end, whole = 0, size, True
    while old_size != end:
        split = start + _split(end - start)
        if old_size <= split:
            path.append(_any_subtree(subtree, split, end))
            end = split
        else:
            path.append(_any_subtree(subtree, start, split))
            start, whole = split, False
    if not whole:
        path.append(_any_subtree(subtree, start, end))
    return tuple(reversed(path))


def verify_consistency(old_size: int, old_root: bytes, size: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Returns if the old tree is a prefix of the new one (section 2.1.4.2); raises `ProofError` otherwise."""
    if not 0 < old_size <= size:
        raise ProofError("proof_out_of_range", f"No consistency proof leads from {old_size} to {size} leaves.")
    if old_size == size:
        if path or old_root != new_root:
            raise ProofError("proof_wrong", "Two trees of one size have two roots, or a proof they do not need.")
        return
    nodes = list(path)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        raise ProofError("proof_wrong", "The consistency proof is empty.")
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_node = new_node = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            raise ProofError("proof_wrong", "The consistency proof is longer than the tree is high.")
        if position & 1 or position == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        position, last = position >> 1, last >> 1
    if last or old_node != old_root or new_node != new_root:
        raise ProofError("proof_wrong", "The consistency proof does not lead from the old root to the new one.")


def _any_subtree(subtree: Subtree, start: int, end: int) -> bytes:
    """Hash of any range a proof names: full subtrees are asked for, a ragged right edge is folded from them."""
    return root(tuple(subtree(start + left, start + right) for left, right in frontier_spans(end - start)))


def _split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _trailing_ones(number: int) -> int:
    return (~number & (number + 1)).bit_length() - 1
