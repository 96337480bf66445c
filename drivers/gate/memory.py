"""What the gate remembers: its epoch, the high-water mark, the manifest's version, accepted commands, known parents.

The first three are persisted by the gateway's process (`Mark`), the mark in the same commit as what it lets through.
Accepted commands and known parents live as long as the epoch: a restart draws a new epoch, and what rests on the old
one must be said again. Holds no file and no clock.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeVar

from wattseal.certs import cbor
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.commands import EPOCH_BYTES, Decision
from wattseal.drivers.gate.envelope import Ask

MAX_ACCEPTED: Final = 4096
MAX_PARENTS: Final = 4096
MAX_OWN: Final = 8192  # the last readings of a thousand devices, several times over
MAX_DECISIONS: Final = 256

_Kept = TypeVar("_Kept")


class MemoryFaultError(MisuseError):
    """The gate was started with an epoch or a mark that it may not have."""


class RollbackError(PeerError):
    """An older manifest than one already obeyed here."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What outlives the process: {1: epoch, 2: highest sequence consumed, 3: manifest version}."""

    epoch: bytes
    high_water: int
    manifest_version: int

    def encode(self) -> bytes:
        """The row to persist."""
        return cbor.encode({1: self.epoch, 2: self.high_water, 3: self.manifest_version})

    @classmethod
    def decode(cls, data: bytes) -> "Mark":
        """Raises `MemoryFaultError` (`mark_malformed`) or `CborError`."""
        match cbor.decode(data):
            case {1: bytes(epoch), 2: int(high_water), 3: int(version), **rest} if not rest:
                return cls(epoch, high_water, version)
        raise MemoryFaultError("mark_malformed", "The gateway's persisted mark is damaged; restore its database.")


class GateMemory:
    """Changed by the gate alone. `mark` is what must be durable before an outcome is acted on."""

    def __init__(self, mark: Mark) -> None:
        if len(mark.epoch) != EPOCH_BYTES:
            raise MemoryFaultError("epoch_malformed", f"An epoch has {EPOCH_BYTES} bytes.")
        self._mark = mark
        self._chain_lost = False
        self._accepted: OrderedDict[bytes, Ask] = OrderedDict()
        self._parents: OrderedDict[bytes, Statement] = OrderedDict()
        self._decisions: OrderedDict[bytes, Decision] = OrderedDict()
        self._own: OrderedDict[bytes, Statement] = OrderedDict()

    @classmethod
    def begin(cls, epoch: bytes, manifest_version: int, previous: Mark | None) -> "GateMemory":
        """The memory of a start: a new epoch, nothing consumed. `previous` is the mark the last run left, if any.

        Raises `RollbackError` (`manifest_rolled_back`) and `MemoryFaultError` (`epoch_reused`).
        """
        if previous is not None and manifest_version < previous.manifest_version:
            raise RollbackError(
                "manifest_rolled_back",
                f"Manifest version {previous.manifest_version} was obeyed here; {manifest_version} is older.",
            )
        if previous is not None and epoch == previous.epoch:
            raise MemoryFaultError("epoch_reused", "Draw a new epoch at each start.")
        return cls(Mark(epoch, 0, manifest_version))

    @property
    def mark(self) -> Mark:
        """What must be persisted."""
        return self._mark

    @property
    def epoch(self) -> bytes:
        """The 16 bytes drawn at this start."""
        return self._mark.epoch

    @property
    def high_water(self) -> int:
        """The highest sequence number consumed in this epoch."""
        return self._mark.high_water

    @property
    def chain_lost(self) -> bool:
        """Whether this gateway no longer knows what it stated before: then it takes nothing but a release."""
        return self._chain_lost

    def lose_chain(self) -> None:
        """A core holds statements of this gateway that its database never saw. There is no way back in this run."""
        self._chain_lost = True

    def consume(self, sequence: int) -> None:
        """Raise the high-water mark. It never falls."""
        if sequence <= self.high_water:
            raise MemoryFaultError("sequence_not_rising", "A sequence number is consumed once.")
        self._mark = Mark(self._mark.epoch, sequence, self._mark.manifest_version)

    def accept(self, digest: bytes, allowed: Ask) -> None:
        """Note an accepted command and what it was allowed, for renewals; the least recently named is dropped first."""
        self._accepted[digest] = allowed
        _bound(self._accepted, MAX_ACCEPTED)

    def accepted(self, digest: bytes) -> bool:
        """Whether a command of that digest was accepted in this epoch; asking keeps it."""
        if digest not in self._accepted:
            return False
        self._accepted.move_to_end(digest)
        return True

    def allowed(self, digest: bytes) -> Ask | None:
        """What the accepted command of that digest was allowed, its watts as clamped then; None for any other."""
        return self._accepted.get(digest)

    def remember(self, statement: Statement) -> None:
        """Keep a verified statement for its children; the least recently named is dropped first."""
        self._parents[statement.digest] = statement
        self._parents.move_to_end(statement.digest)
        _bound(self._parents, MAX_PARENTS)

    def decision(self, statement: Statement) -> Decision:
        """The body of a remembered decision; decoded once, for it is asked again with each command it allows."""
        if statement.digest not in self._decisions:
            self._decisions[statement.digest] = Decision.decode(statement.body)
            _bound(self._decisions, MAX_DECISIONS)
        return self._decisions[statement.digest]

    def remember_own(self, statement: Statement) -> None:
        """Keep a statement that this gateway sealed itself, apart, so that readings crowd out no intent."""
        self._own[statement.digest] = statement
        _bound(self._own, MAX_OWN)

    def parent(self, digest: bytes) -> Statement | None:
        """The verified statement of that digest, or None; asking keeps it."""
        found = self._parents.get(digest)
        if found is None:
            return self._own.get(digest)
        self._parents.move_to_end(digest)
        return found

    def parent_of_kind(self, digest: bytes, kind: Kind) -> Statement | None:
        """The verified statement of that digest and kind, or None."""
        found = self.parent(digest)
        return found if found is not None and found.header.kind is kind else None


def _bound(kept: OrderedDict[bytes, _Kept], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
