"""The tree of RFC 9162 over a stretch of the log, and the checkpoint as a signed note (C2SP) in its one spelling."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .cose_reader import Key


class Checkpoint(NamedTuple):
    """A checkpoint taken apart: origin, size and root are signed by the key that name and hash point to."""

    origin: str
    size: int
    root: bytes
    name: str
    key_hash: bytes
    signature: bytes

    def body(self) -> bytes:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    def text(self) -> bytes:
        """The whole note."""
        line = base64.b64encode(self.key_hash + self.signature).decode()
        return self.body() + f"\n\N{EM DASH} {self.name} {line}\n".encode()

    def names(self, key: Key) -> bool:
        """Whether the hash is that of an Ed25519 key."""
        return hashlib.sha256(self.name.encode() + b"\n\x01" + key.raw).digest()[:4] == self.key_hash


def read_checkpoint(text: bytes) -> Checkpoint:
    """Raises `ValueError` for what is no checkpoint with one signature; other spellings of one are let through."""
    head, tail = text.decode().split("\n\n", 1)
    origin, size, root = head.split("\n")
    _dash, name, encoded = tail.split(" ")
    blob = base64.b64decode(encoded)
    return Checkpoint(origin, int(size), base64.b64decode(root), name, blob[:4], blob[4:])


def tree_root(first: int, frontier: Sequence[bytes], leaves: Iterable[bytes]) -> bytes | None:
    """The root over a compact range and the leaves after it; None where the range is not one of `first` leaves."""
    stack, size = list(frontier), first
    if first < 0 or len(stack) != first.bit_count() or any(len(node) != hashlib.sha256().digest_size for node in stack):
        return None
    for leaf in leaves:
        node, rest = hashlib.sha256(b"\x00" + leaf).digest(), size
        while rest & 1:
            node, rest = _node(stack.pop(), node), rest >> 1
        stack.append(node)
        size += 1
    root = stack.pop() if stack else hashlib.sha256(b"").digest()
    while stack:
        root = _node(stack.pop(), root)
    return root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
