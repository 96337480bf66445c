"""COSE_Sign1 (RFC 9052 section 4.2) in the one shape that this product accepts.

Tag 18, a protected map that names algorithm and key, an **empty** unprotected map (proofs travel beside a message,
never in it), an attached payload and a 64-byte signature. The signature is checked over the bytes received; that all of
it is in deterministic form is checked besides. Knows nothing of what the payload says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cbor2

from wattseal.certs import cbor
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.keys import PublicKey, Signer

ALGORITHM: Final = 1
CRITICAL: Final = 2
KEY_ID: Final = 4
MAX_BYTES: Final = 1 << 20  # of any message; `statement` sets a smaller one for most kinds
_TAG: Final = 18
_CONTEXT: Final = "Signature1"


class CoseError(PeerError):
    """Bytes that are not a COSE_Sign1 in our one shape."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message taken apart; nothing in it is believed before `verify` returned."""

    protected: Mapping[int, cbor.Value]
    payload: bytes
    kid: bytes
    raw: bytes
    _protected_bytes: bytes
    _signature: bytes

    def verify(self, key: PublicKey) -> None:
        """Checks algorithm and signature under `key`; raises `CoseError` or `SignatureError`."""
        if self.protected[ALGORITHM] != int(key.algorithm):
            raise CoseError("algorithm_mismatch", "The message names another algorithm than its key has.")
        key.verify(self._signature, _to_be_signed(self._protected_bytes, self.payload))


def seal(signer: Signer, header: Mapping[int, cbor.Value], payload: bytes) -> bytes:
    """The sealed bytes of `payload` under `header`; algorithm and key id are filled in from the signer.

    Raises `MisuseError` (`message_oversized`) for what no reader would take.
    """
    public = signer.public
    protected = cbor.encode({ALGORITHM: int(public.algorithm), KEY_ID: public.kid, **header})
    signature = signer.sign(_to_be_signed(protected, payload))
    sealed = cbor2.dumps(cbor2.CBORTag(_TAG, [protected, {}, payload, signature]))
    if len(sealed) > MAX_BYTES:
        raise MisuseError("message_oversized", f"A statement of {len(sealed)} bytes is over the cap of {MAX_BYTES}.")
    return sealed


def take_apart(data: bytes, *, max_bytes: int = MAX_BYTES) -> Envelope:
    """Strict decode, canonical form included, signature not yet checked. Raises `CoseError` or `CborError`."""
    if len(data) > max_bytes:
        raise CoseError("message_oversized", f"The sealed message has {len(data)} bytes; the cap is {max_bytes}.")
    protected_bytes, payload, signature = _parts_of(data)
    protected = cbor.decode(protected_bytes)
    if not isinstance(protected, Mapping):
        raise CoseError("cose_malformed", "The protected header is not a map.")
    if CRITICAL in protected:
        raise CoseError("critical_header_unknown", "The message demands a header that this release does not know.")
    kid = protected.get(KEY_ID)
    if not isinstance(kid, bytes) or not isinstance(protected.get(ALGORITHM), int):
        raise CoseError("cose_malformed", "The protected header names no algorithm or no key.")
    return Envelope(protected, payload, kid, data, protected_bytes, signature)


def glimpse(data: bytes) -> Mapping[object, object] | None:
    """The protected header as it stands, unchecked: good for an early refusal, never for belief.

    None where no header can be made out. `take_apart` says then what is wrong.
    """
    try:
        protected, _unprotected, _payload, _signature = cbor.load(data, max_bytes=MAX_BYTES).value
        header = cbor.load(protected, max_bytes=MAX_BYTES)
    except (cbor.CborError, AttributeError, ValueError, TypeError):
        return None
    return header if isinstance(header, Mapping) else None


def _parts_of(data: bytes) -> tuple[bytes, bytes, bytes]:
    try:
        tag = cbor.load(data, max_bytes=len(data))
    except cbor.CborError as error:
        raise CoseError("cose_malformed", "The bytes are not CBOR; refuse the message.") from error
    parts = getattr(tag, "value", None)
    if getattr(tag, "tag", None) != _TAG or not isinstance(parts, tuple | list) or len(parts) != 4:  # noqa: PLR2004 - the four members of COSE_Sign1
        raise CoseError("cose_malformed", "The message is not a COSE_Sign1.")
    protected, unprotected, payload, signature = parts
    if not isinstance(unprotected, Mapping) or unprotected:
        raise CoseError("unprotected_not_empty", "The unprotected header must be empty; refuse the message.")
    if not (isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)):
        raise CoseError("cose_malformed", "A member of the COSE_Sign1 is not a byte string.")
    if cbor2.dumps(cbor2.CBORTag(_TAG, [protected, {}, payload, signature])) != data:
        raise CoseError("cbor_not_canonical", "The COSE_Sign1 is not in deterministic form; refuse the message.")
    return protected, payload, signature


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    return cbor2.dumps([_CONTEXT, protected, b"", payload])
