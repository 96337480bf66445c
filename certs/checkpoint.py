r"""Checkpoints: size and root of the log as a signed note (C2SP tlog-checkpoint, signed-note), and its reader.

    <origin>\n<size>\n<base64 of the root>\n\n— <name> <base64(key hash || signature)>\n ...

The signature is Ed25519 (type 0x01) over the three lines. Further lines, such as witness cosignatures, may follow and
are kept as they stand: who knows their keys checks them. A reader takes the one spelling only that a writer makes, so
that no two texts say the same.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.keys import Algorithm, PublicKey, SignatureError, Signer
from wattseal.certs.merkle import HASH_BYTES

MAX_BYTES: Final = 1 << 16
KEY_HASH_BYTES: Final = 4
_ED25519_TYPE: Final = b"\x01"
_DASH: Final = "\N{EM DASH} "


class CheckpointError(PeerError):
    """A text that is not a checkpoint in its one form, or that the log's key did not sign."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who signed, the 4-byte hash that names the key, and the signature proper."""

    name: str
    key_hash: bytes
    signature: bytes

    def line(self) -> str:
        """The line as it stands in the note, newline included."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_hash + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint taken apart; nothing in it is believed before `verify` returned."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[NoteSignature, ...] = ()

    def body(self) -> bytes:
        """The bytes that are signed: the three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    def encode(self) -> bytes:
        """The whole note."""
        return self.body() + b"\n" + "".join(signature.line() for signature in self.signatures).encode()

    def verify(self, key: PublicKey) -> None:
        """Returns if a line named after the origin holds a signature by `key`; raises `CheckpointError` otherwise."""
        wanted = key_hash(self.origin, key)
        for signature in self.signatures:
            if signature.name == self.origin and signature.key_hash == wanted:
                try:
                    key.verify(signature.signature, self.body())
                except SignatureError as error:
                    raise CheckpointError("checkpoint_signature", "The checkpoint's signature is wrong.") from error
                return
        raise CheckpointError("checkpoint_unsigned", "The checkpoint has no signature line of the log's key.")


def origin_of(root: str, site: str) -> str:
    """The name of a site's log: under which root (the hex that `--root` takes), and which site."""
    return f"wattseal-log/{root}/{quote(site, safe='')}"


def key_hash(name: str, key: PublicKey) -> bytes:
    """SHA-256(name || newline || type || key), its first four bytes (C2SP signed-note, Ed25519)."""
    if key.algorithm is not Algorithm.ED25519:
        raise MisuseError("log_key_wrong", "A checkpoint is signed by an Ed25519 key; make the log's key anew.")
    return hashlib.sha256(name.encode() + b"\n" + _ED25519_TYPE + key.raw()).digest()[:KEY_HASH_BYTES]


def sign(signer: Signer, origin: str, size: int, root: bytes) -> Checkpoint:
    """The checkpoint of that size and root, signed by the log."""
    unsigned = Checkpoint(origin, size, root)
    line = NoteSignature(origin, key_hash(origin, signer.public), signer.sign(unsigned.body()))
    return Checkpoint(origin, size, root, (line,))


def read(text: bytes) -> Checkpoint:
    """Reads a note in its one form; signatures are not yet checked. Raises `CheckpointError`."""
    if len(text) > MAX_BYTES:
        raise CheckpointError("checkpoint_oversized", f"A checkpoint of {len(text)} bytes is no checkpoint.")
    try:
        head, tail = text.decode().split("\n\n", 1)
        origin, size, root = head.split("\n")
        found = Checkpoint(origin, int(size), _decoded(root), tuple(_signature(line) for line in tail.splitlines()))
    except (ValueError, binascii.Error) as error:
        raise CheckpointError("checkpoint_malformed", "The text is not a checkpoint.") from error
    if not found.origin or found.size < 0 or len(found.root) != HASH_BYTES or found.encode() != text:
        raise CheckpointError("checkpoint_malformed", "The checkpoint is not in its one form.")
    return found


def _signature(line: str) -> NoteSignature:
    if not line.startswith(_DASH):
        raise ValueError("no signature line")
    name, encoded = line[len(_DASH) :].split(" ")
    blob = _decoded(encoded)
    if not name or "+" in name or len(blob) <= KEY_HASH_BYTES:
        raise ValueError("no key name, or no signature")
    return NoteSignature(name, blob[:KEY_HASH_BYTES], blob[KEY_HASH_BYTES:])


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
