"""Keys by URI: a key is something that signs, and its private bytes have no getter.

Signatures are raw: P-256 gives `r || s`, 64 bytes, low-S (ECDSA is malleable: without that rule one statement would
have two digests); Ed25519 gives 64 bytes. Key ids are leading bytes of the COSE key thumbprint (RFC 9679).
"""

import hashlib
import os
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from wattseal.certs import cbor
from wattseal.certs.errors import MisuseError, PeerError, WorldError

KID_BYTES: Final = 16
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256())


class Algorithm(IntEnum):
    """COSE algorithm ids (RFC 9864)."""

    ESP256 = -9
    ED25519 = -19


class SignatureError(PeerError):
    """A signature does not verify, is not in its one form, or its key is not one of ours."""


class KeyFileError(WorldError):
    """A key could not be read or made."""


class Signer(Protocol):
    """Something that signs with one key."""

    @property
    def public(self) -> "PublicKey":
        """The key that verifies what this signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes over `message`."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A verification key. `cose_key` is the deterministic COSE_Key map of its required members only."""

    cose_key: bytes
    algorithm: Algorithm
    kid: bytes
    _key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def from_cose(cls, cose_key: bytes) -> "PublicKey":
        """Reads a COSE_Key. Raises `SignatureError` (`key_malformed`) for anything but P-256 and Ed25519."""
        members = cbor.decode(cose_key, max_bytes=256)
        try:
            match members:
                case {1: 2, -1: 1, -2: bytes(x), -3: bytes(y), **rest} if not rest and len(x) == len(y) == 32:  # noqa: PLR2004 - the size of a P-256 coordinate
                    point = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1())
                    return cls(cose_key, Algorithm.ESP256, _kid(cose_key), point.public_key())
                case {1: 1, -1: 6, -2: bytes(x), **rest} if not rest:
                    edwards = ed25519.Ed25519PublicKey.from_public_bytes(x)
                    return cls(cose_key, Algorithm.ED25519, _kid(cose_key), edwards)
        except ValueError as error:
            raise SignatureError("key_malformed", "The public key is not a point on its curve.") from error
        raise SignatureError("key_malformed", "The public key is neither P-256 nor Ed25519.")

    def raw(self) -> bytes:
        """The bare key: 32 bytes for Ed25519, the uncompressed point for P-256."""
        if isinstance(self._key, ed25519.Ed25519PublicKey):
            return self._key.public_bytes_raw()
        return self._key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Returns if `signature` is the one valid form over `message`; raises `SignatureError` otherwise."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, message)
                return
            self._key.verify(_der_of(signature), message, _ECDSA_SHA256)
        except InvalidSignature as error:
            raise SignatureError("signature_invalid", "The signature does not match the bytes and the key.") from error


class FileSigner:
    """A software key held in memory after it was read from its file."""

    def __init__(self, private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
        self._private = private
        self._public = PublicKey.from_cose(_cose_key_of(private))

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this signs."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """64 bytes over `message`; P-256 is normalised to low-S."""
        if isinstance(self._private, ed25519.Ed25519PrivateKey):
            return self._private.sign(message)
        r, s = decode_dss_signature(self._private.sign(message, _ECDSA_SHA256))
        if s > _P256_ORDER // 2:
            s = _P256_ORDER - s
        return r.to_bytes(32) + s.to_bytes(32)

    def __repr__(self) -> str:
        return f"FileSigner(kid={self._public.kid.hex()})"


def open_signer(uri: str, *, password: bytes | None = None) -> Signer:
    """The signer behind a key URI; today `file:PATH` (PKCS#8 PEM, optionally encrypted).

    Raises `KeyFileError` where the file cannot be read, `MisuseError` for an unknown scheme.
    """
    path = _path_of(uri)
    try:
        if path.stat().st_mode & 0o077:
            raise KeyFileError("key_too_open", f"Others may read {path.name}; set its mode to 0600.")
        private = serialization.load_pem_private_key(path.read_bytes(), password)
    except OSError as error:
        raise KeyFileError("key_unreadable", f"Cannot read the key file {path}: {error.strerror}.") from error
    except (ValueError, TypeError) as error:
        raise KeyFileError("key_malformed", f"{path.name} is not a private key, or its password is wrong.") from error
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return FileSigner(private)
    if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP256R1):
        return FileSigner(private)
    raise KeyFileError("key_unsupported", f"{path.name} holds neither a P-256 nor an Ed25519 key.")


def create_key(uri: str, algorithm: Algorithm, *, password: bytes | None = None) -> Signer:
    """Makes a new key at `uri` (mode 0600, never over an existing one) and opens it."""
    path = _path_of(uri)
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = (
        ed25519.Ed25519PrivateKey.generate()
        if algorithm is Algorithm.ED25519
        else ec.generate_private_key(ec.SECP256R1())
    )
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        protection = serialization.BestAvailableEncryption(password)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise MisuseError("key_exists", f"{path} exists; move it away before making a new key.") from error
    except OSError as error:
        raise KeyFileError("key_unwritable", f"Cannot write the key file {path}: {error.strerror}.") from error
    return FileSigner(private)


def _path_of(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc:
        raise MisuseError("key_uri_unknown", f"{uri!r} is not a key URI that this release opens; use file:PATH.")
    return Path(unquote(parts.path))


def _kid(cose_key: bytes) -> bytes:
    return hashlib.sha256(cose_key).digest()[:KID_BYTES]


def _cose_key_of(private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return cbor.encode({1: 1, -1: 6, -2: private.public_key().public_bytes_raw()})
    numbers = private.public_key().public_numbers()
    return cbor.encode({1: 2, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})


def _der_of(signature: bytes) -> bytes:
    if len(signature) != 64:  # noqa: PLR2004 - r and s of P-256, 32 bytes each
        raise SignatureError("signature_invalid", "The signature is not 64 bytes long.")
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if s > _P256_ORDER // 2:
        raise SignatureError("signature_not_low_s", "The signature is the high-S twin of the valid one.")
    return encode_dss_signature(r, s)
