"""COSE_Sign1 in the one shape that is accepted, against RFC 9052."""

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs import cbor, cose
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.keys import FileSigner, SignatureError

PRIVATE = ec.generate_private_key(ec.SECP256R1())
SIGNER = FileSigner(PRIVATE)
PAYLOAD = cbor.encode({1: "said"})
SEALED = cose.seal(SIGNER, {16: "application/example+cbor"}, PAYLOAD)


def parts_of(data: bytes = SEALED) -> list[object]:
    return list(cbor2.loads(data).value)


def tagged(parts: list[object], tag: int = 18) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(tag, parts), canonical=True)


def reason_of(data: bytes) -> str:
    with pytest.raises(PeerError) as caught:
        cose.take_apart(data).verify(SIGNER.public)
    return caught.value.reason


def test_the_message_is_laid_out_and_signed_as_the_standard_writes_it() -> None:
    """Section 4.2: tag 18 over [protected, unprotected, payload, signature]; section 4.4: what is signed.

    Verified by the library itself, over a Sig_structure put together here from its bytes.
    """
    assert SEALED[:2] == b"\xd2\x84"
    protected, unprotected, payload, signature = parts_of()
    assert (unprotected, payload, len(signature)) == ({}, PAYLOAD, 64)
    header = cbor2.loads(protected)
    assert header == {1: -9, 4: SIGNER.public.kid, 16: "application/example+cbor"}
    signed = b"\x84" + b"\x6aSignature1" + cbor2.dumps(protected) + b"\x40" + cbor2.dumps(payload)
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    PRIVATE.public_key().verify(der, signed, ec.ECDSA(hashes.SHA256()))


def test_taking_apart_what_was_sealed() -> None:
    envelope = cose.take_apart(SEALED)
    envelope.verify(SIGNER.public)
    assert (envelope.payload, envelope.kid, envelope.raw) == (PAYLOAD, SIGNER.public.kid, SEALED)


def test_ed25519_is_minus_nineteen() -> None:
    """RFC 9864."""
    signer = FileSigner(ed25519.Ed25519PrivateKey.generate())
    envelope = cose.take_apart(cose.seal(signer, {}, PAYLOAD))
    assert envelope.protected[1] == -19
    envelope.verify(signer.public)
    with pytest.raises(cose.CoseError) as caught:
        envelope.verify(SIGNER.public)
    assert caught.value.reason == "algorithm_mismatch"


def test_every_single_bit_flipped_is_refused() -> None:
    for bit in range(len(SEALED) * 8):
        flipped = bytearray(SEALED)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(PeerError):
            cose.take_apart(bytes(flipped)).verify(SIGNER.public)


def test_nothing_is_sealed_that_no_reader_would_take() -> None:
    room = cose.MAX_BYTES - len(cose.seal(SIGNER, {16: "application/example+cbor"}, b"x" * 100_000)) + 100_000
    assert cose.take_apart(cose.seal(SIGNER, {16: "application/example+cbor"}, b"x" * room)).payload == b"x" * room
    with pytest.raises(MisuseError) as caught:
        cose.seal(SIGNER, {16: "application/example+cbor"}, b"x" * (room + 1))
    assert caught.value.reason == "message_oversized"


def test_shapes_that_are_refused_and_why() -> None:
    protected, _, payload, signature = parts_of()
    header = cbor2.loads(protected)

    def with_header(**changes: object) -> bytes:
        changed = {**header, **{int(key[1:]): value for key, value in changes.items()}}
        return cbor2.dumps({k: v for k, v in changed.items() if v is not None}, canonical=True)

    for reason, data in {
        "cose_malformed": tagged(parts_of(), tag=98),
        "unprotected_not_empty": tagged([protected, {4: b"k"}, payload, signature]),
        "critical_header_unknown": tagged([with_header(_2=(16,)), {}, payload, signature]),
        "cbor_not_canonical": SEALED + b"\x00",
        "message_oversized": SEALED + bytes(cose.MAX_BYTES),
        "cbor_malformed": tagged([b"\xff", {}, payload, signature]),
        "signature_invalid": tagged([protected, {}, payload, signature[:-1]]),
    }.items():
        assert reason_of(data) == reason, reason
    for malformed in (
        b"",
        b"\xd2",
        tagged([protected, {}, payload]),
        tagged([protected, {}, None, signature]),  # a detached payload
        tagged(["text", {}, payload, signature]),
        tagged([cbor2.dumps([1]), {}, payload, signature]),
        tagged([with_header(_1=None), {}, payload, signature]),
        tagged([with_header(_4=None), {}, payload, signature]),
        tagged([with_header(_4="text"), {}, payload, signature]),
        cbor2.dumps(parts_of()),  # no tag
    ):
        assert reason_of(malformed) == "cose_malformed"
    assert reason_of(tagged([protected, [], payload, signature])) == "unprotected_not_empty"


def test_the_signature_is_over_the_bytes_received_not_over_their_meaning() -> None:
    """A header that says the same in other bytes is refused by its form, before any key is asked."""
    _, _, payload, signature = parts_of()
    longer = b"\xa3\x01\x28\x18\x04\x50" + SIGNER.public.kid + b"\x10" + cbor2.dumps("application/example+cbor")
    assert cbor2.loads(longer) == cbor2.loads(parts_of()[0])
    assert reason_of(tagged([longer, {}, payload, signature])) == "cbor_not_canonical"


def test_a_glimpse_believes_nothing_and_never_fails() -> None:
    assert cose.glimpse(SEALED)[4] == SIGNER.public.kid
    for data in (b"", b"\xff", cbor2.dumps([1]), tagged([b"\x80", {}, b"", b""]), tagged([1, 2, 3])):
        assert cose.glimpse(data) is None


@given(st.binary(max_size=80))
def test_only_documented_errors_escape(data: bytes) -> None:
    for message in (data, b"\xd2\x84" + data, tagged([data, {}, b"", bytes(64)])):
        cose.glimpse(message)
        try:
            cose.take_apart(message).verify(SIGNER.public)
        except (cose.CoseError, cbor.CborError, SignatureError):
            continue
