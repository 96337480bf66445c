"""Keys: signatures in their one form, key ids, key files."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from wattseal.certs import cbor
from wattseal.certs.errors import MisuseError
from wattseal.certs.keys import Algorithm, FileSigner, KeyFileError, PublicKey, SignatureError, create_key, open_signer

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
# RFC 6979 appendix A.2.5: P-256, SHA-256, message "sample". Its s lies above n/2.
X = bytes.fromhex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6")
Y = bytes.fromhex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")
R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
P256_COSE = cbor.encode({1: 2, -1: 1, -2: X, -3: Y})
# RFC 8032 section 7.1, test 1: the empty message.
ED_SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
ED_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
ED_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
    "655141438e7a100b"
)


def test_of_the_two_ecdsa_signatures_only_the_low_one_is_good() -> None:
    """RFC 6979 A.2.5 gives the high twin."""
    key = PublicKey.from_cose(P256_COSE)
    key.verify(R.to_bytes(32) + (N - S).to_bytes(32), b"sample")
    with pytest.raises(SignatureError) as caught:
        key.verify(R.to_bytes(32) + S.to_bytes(32), b"sample")
    assert caught.value.reason == "signature_not_low_s"


def test_ed25519_of_rfc_8032() -> None:
    signer = FileSigner(ed25519.Ed25519PrivateKey.from_private_bytes(ED_SECRET))
    assert signer.public.raw() == ED_PUBLIC
    assert signer.sign(b"") == ED_SIGNATURE
    signer.public.verify(ED_SIGNATURE, b"")
    assert signer.public.algorithm is Algorithm.ED25519


def test_every_signature_made_is_low_and_64_bytes() -> None:
    signer = FileSigner(ec.generate_private_key(ec.SECP256R1()))
    for number in range(64):
        signature = signer.sign(bytes([number]))
        assert len(signature) == 64
        assert int.from_bytes(signature[32:]) <= N // 2
        signer.public.verify(signature, bytes([number]))


def test_signatures_of_another_length_message_or_key_are_refused() -> None:
    signer, other = (FileSigner(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    good = signer.sign(b"message")
    der = encode_dss_signature(int.from_bytes(good[:32]), int.from_bytes(good[32:]))
    for signature in (b"", good[:-1], good + b"\x00", der, bytes(64), good[32:] + good[:32]):
        with pytest.raises(SignatureError):
            signer.public.verify(signature, b"message")
    for key, message in ((signer.public, b"massage"), (other.public, b"message")):
        with pytest.raises(SignatureError):
            key.verify(good, message)


def test_the_key_id_is_the_leading_half_of_the_cose_thumbprint() -> None:
    """RFC 9679 section 3: SHA-256 over the deterministic map of the required members only."""
    required = bytes.fromhex("a4") + bytes.fromhex("0102") + bytes.fromhex("2001")
    required += bytes.fromhex("215820") + X + bytes.fromhex("225820") + Y
    assert PublicKey.from_cose(P256_COSE).kid == hashlib.sha256(required).digest()[:16]


@pytest.mark.parametrize(
    "members",
    [
        {1: 2, -1: 1, -2: X, -3: bytes(32)},  # no point of the curve
        {1: 2, -1: 1, -2: X, -3: Y, 3: -9},  # more than the required members
        {1: 2, -1: 2, -2: X, -3: Y},  # another curve
        {1: 2, -1: 1, -2: X[1:], -3: Y},
        {1: 1, -1: 6, -2: ED_PUBLIC[1:]},
        {1: 1, -1: 4, -2: ED_PUBLIC},
        {1: 3},
        {},
        (),
    ],
)
def test_keys_that_are_none_of_ours(members: object) -> None:
    with pytest.raises(SignatureError) as caught:
        PublicKey.from_cose(cbor.encode(members))
    assert caught.value.reason == "key_malformed"


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("password", [None, b"open sesame"])
def test_a_key_file_is_made_closed_and_opened_again(
    tmp_path: Path, algorithm: Algorithm, password: bytes | None
) -> None:
    uri = f"file:{tmp_path}/a%20key.pem"
    made = create_key(uri, algorithm, password=password)
    assert (tmp_path / "a key.pem").stat().st_mode & 0o777 == 0o600
    again = open_signer(uri, password=password)
    assert again.public == made.public
    again.public.verify(made.sign(b"x"), b"x")
    assert made.public.algorithm is algorithm


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    uri = f"file:{tmp_path}/key.pem"
    create_key(uri, Algorithm.ESP256)
    with pytest.raises(MisuseError) as caught:
        create_key(uri, Algorithm.ESP256)
    assert caught.value.reason == "key_exists"


def test_key_files_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    good, locked = tmp_path / "good.pem", tmp_path / "locked.pem"
    create_key(f"file:{good}", Algorithm.ESP256)
    create_key(f"file:{locked}", Algorithm.ESP256, password=b"right")
    open_to_all, noise, foreign = tmp_path / "open.pem", tmp_path / "noise.pem", tmp_path / "rsa.pem"
    open_to_all.write_bytes(good.read_bytes())
    open_to_all.chmod(0o640)
    noise.write_bytes(b"nothing")
    foreign.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    for path in (noise, foreign):
        path.chmod(0o600)
    for path, password, reason in (
        (tmp_path / "missing.pem", None, "key_unreadable"),
        (open_to_all, None, "key_too_open"),
        (noise, None, "key_malformed"),
        (locked, None, "key_malformed"),
        (locked, b"wrong", "key_malformed"),
        (foreign, None, "key_unsupported"),
    ):
        with pytest.raises(KeyFileError) as caught:
            open_signer(f"file:{path}", password=password)
        assert caught.value.reason == reason, path
    with pytest.raises(KeyFileError) as unwritable:
        create_key(f"file:{tmp_path}/no/such/key.pem", Algorithm.ESP256)
    assert unwritable.value.reason == "key_unwritable"


@pytest.mark.parametrize("uri", ["pkcs11:token", "file://host/key", "/plain/path", ""])
def test_uris_that_this_release_does_not_open(uri: str) -> None:
    with pytest.raises(MisuseError) as caught:
        open_signer(uri)
    assert caught.value.reason == "key_uri_unknown"


def test_nothing_printed_shows_a_private_key() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    secret = private.private_numbers().private_value
    signer = FileSigner(private)
    assert f"{secret:x}" not in repr(signer) + repr(vars(signer)) + repr(signer.public)
    assert str(secret) not in repr(signer) + repr(vars(signer))
