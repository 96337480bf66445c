"""Checkpoints as C2SP signed notes."""

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from wattseal.certs import checkpoint
from wattseal.certs.errors import MisuseError
from wattseal.certs.keys import FileSigner

SEED = bytes(range(32))
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(SEED)
LOG = FileSigner(PRIVATE)
ORIGIN, ROOT = "example.com/log", bytes(range(100, 132))


def test_the_note_is_laid_out_as_c2sp_writes_it() -> None:
    """tlog-checkpoint: three lines, an empty one, then em dash, name, base64(key hash || signature).

    signed-note: the key hash of an Ed25519 key is SHA-256(name || 0x0A || 0x01 || key)[:4]. The signature is checked
    here by the library itself, over the three lines with their newlines.
    """
    text = checkpoint.sign(LOG, ORIGIN, 42, ROOT).encode().decode()
    body, rest = text[: text.index("\n\n") + 1], text[text.index("\n\n") + 2 :]
    assert body == f"{ORIGIN}\n42\n{base64.b64encode(ROOT).decode()}\n"
    dash, name, blob = rest.rstrip("\n").split(" ")
    assert (dash, name, rest[-1]) == ("\u2014", ORIGIN, "\n")
    raw = base64.b64decode(blob, validate=True)
    public = PRIVATE.public_key().public_bytes_raw()
    assert raw[:4] == hashlib.sha256(ORIGIN.encode() + b"\x0a\x01" + public).digest()[:4]
    PRIVATE.public_key().verify(raw[4:], body.encode())
    with pytest.raises(InvalidSignature):
        PRIVATE.public_key().verify(raw[4:], body.encode()[:-1])


def test_reading_back_and_verifying() -> None:
    made = checkpoint.sign(LOG, ORIGIN, 42, ROOT)
    found = checkpoint.read(made.encode())
    assert found == made
    found.verify(LOG.public)


def test_further_lines_are_kept_and_do_not_disturb() -> None:
    """A witness's cosignature stands below; who knows its key checks it."""
    made = checkpoint.sign(LOG, ORIGIN, 42, ROOT)
    witness = checkpoint.NoteSignature("witness.example", b"abcd", bytes(72))
    found = checkpoint.read(made.encode() + witness.line().encode())
    assert found.signatures == (*made.signatures, witness)
    found.verify(LOG.public)


def test_a_changed_size_root_or_origin_is_not_signed() -> None:
    made = checkpoint.sign(LOG, ORIGIN, 42, ROOT)
    for changed in (
        checkpoint.Checkpoint(ORIGIN, 43, ROOT, made.signatures),
        checkpoint.Checkpoint(ORIGIN, 42, bytes(32), made.signatures),
    ):
        with pytest.raises(checkpoint.CheckpointError) as caught:
            changed.verify(LOG.public)
        assert caught.value.reason == "checkpoint_signature"
    for unsigned in (
        checkpoint.Checkpoint("other.example/log", 42, ROOT, made.signatures),
        checkpoint.Checkpoint(ORIGIN, 42, ROOT),
    ):
        with pytest.raises(checkpoint.CheckpointError) as caught:
            unsigned.verify(LOG.public)
        assert caught.value.reason == "checkpoint_unsigned"
    with pytest.raises(checkpoint.CheckpointError):
        made.verify(FileSigner(ed25519.Ed25519PrivateKey.generate()).public)


def test_only_ed25519_keys_sign_checkpoints() -> None:
    with pytest.raises(MisuseError) as caught:
        checkpoint.sign(FileSigner(ec.generate_private_key(ec.SECP256R1())), ORIGIN, 1, ROOT)
    assert caught.value.reason == "log_key_wrong"


def test_every_single_bit_flipped_is_refused() -> None:
    """By its form or by its signature: base64 with loose ends included."""
    text = checkpoint.sign(LOG, ORIGIN, 42, ROOT).encode()
    for bit in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(checkpoint.CheckpointError):
            checkpoint.read(bytes(flipped)).verify(LOG.public)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"origin\n1\n",
        b"origin\n1\nAAAA\n\n",
        b"origin\n-1\n" + base64.b64encode(bytes(32)) + b"\n\n",
        b"origin\n01\n" + base64.b64encode(bytes(32)) + b"\n\n",
        b"\n1\n" + base64.b64encode(bytes(32)) + b"\n\n",
        b"origin\n1\n" + base64.b64encode(bytes(32)) + b"\n\nno dash AAAAAAAA\n",
        b"origin\n1\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 a+b AAAAAAAA\n",
        b"origin\n1\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 name AAAA\n",
        b"x" * (checkpoint.MAX_BYTES + 1),
    ],
)
def test_texts_that_are_no_checkpoint(text: bytes) -> None:
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.read(text)


def test_the_origin_names_root_and_site_in_one_word() -> None:
    """signed-note: a key name holds neither spaces nor plus signs."""
    name = checkpoint.origin_of("ab" * 32, "Hof 7+8/\u00e4")
    assert name == "wattseal-log/" + "ab" * 32 + "/Hof%207%2B8%2F%C3%A4"
