"""How the gateway says something: under its own key, in one chain that goes on over restarts.

Each of its statements carries a number and the digest of the one before it, so that nothing can be left out unseen.
Number and digest are given by whoever keeps the chain (the store), in the same commit as the statement itself.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from wattseal.certs import cbor, statement
from wattseal.certs.clock import Instant
from wattseal.certs.keys import Signer
from wattseal.certs.statement import Header, Kind, Statement
from wattseal.drivers.modbus.exchange import Exchange

CHAIN_START: Final = (-1, bytes(statement.DIGEST_BYTES))


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be sealed. `subject` is a device, or the gateway itself. `at` is when it is said."""

    kind: Kind
    subject: str
    body: bytes
    parents: tuple[bytes, ...]
    at: Instant


@dataclass(frozen=True, slots=True)
class Frames:
    """The raw frames behind a statement: [[request, answer], ...] as deterministic CBOR, and their digest."""

    digest: bytes
    raw: bytes


class Scribe:
    """Seals with the gateway's key, in the gateway's name."""

    def __init__(self, signer: Signer, gateway: str) -> None:
        self._signer = signer
        self._gateway = gateway

    def seal(self, said: Said, before: tuple[int, bytes]) -> Statement:
        """The statement after `before` (number and digest; `CHAIN_START` for the first, whose number is 0)."""
        number, digest = before
        header = Header(
            said.kind,
            self._gateway,
            said.subject,
            max(0, said.at.unix),
            parents=said.parents,
            chain=(number + 1, digest),
        )
        return statement.seal(self._signer, header, said.body)


def frames_of(exchanges: tuple[Exchange, ...]) -> Frames:
    """The frames of `exchanges`, in the order they were made."""
    raw = cbor.encode(tuple((exchange.request, exchange.answer) for exchange in exchanges))
    return Frames(hashlib.sha256(raw).digest(), raw)


def believed_floor(at: Instant) -> int | None:
    """The unix second that surely has passed, or None where the clock does not know."""
    return at.unix if at.quality.is_firm else None
