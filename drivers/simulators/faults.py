"""Faults on demand: what may go wrong, for which requests, how often. Pure: the server asks, and acts on the answer."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from wattseal.certs.errors import MisuseError
from wattseal.drivers.simulators.modbus_frames import LARGEST_READ_WORDS, LAST_ADDRESS

LONGEST_DELAY_SECONDS = 3_600.0


class FaultKind(StrEnum):
    """What the device does to a request that the fault hits."""

    SILENT = "silent"
    """No answer; the connection stays open."""
    SLOW = "slow"
    """The right answer, late; later requests on the same connection wait behind it."""
    SHORT = "short"
    """A well-formed answer with too few registers (reads) or without the count (writes)."""
    EXCEPTION = "exception"
    """An exception with the code asked for."""
    WRONG_UNIT = "wrong_unit"
    """The right answer under another unit id."""
    WRONG_TRANSACTION = "wrong_transaction"
    """The right answer under another transaction id."""
    DROP = "drop"
    """The connection is closed instead of an answer."""
    IGNORE = "ignore"
    """A write is acknowledged and has no effect; reads are not touched."""
    HALF_FRAME = "half_frame"
    """The first half of the answer's bytes, then nothing; the connection stays open."""
    ADOPT_STALLS = "adopt_stalls"
    """A curve that is asked for is never adopted: the result stays "in progress"."""
    ADOPT_FAILS = "adopt_fails"
    """The adoption ends as failed."""
    ADOPT_CHANGES_NOTHING = "adopt_changes_nothing"
    """The adoption ends as done, and the active curve is what it was."""


ADOPTIONS = frozenset({FaultKind.ADOPT_STALLS, FaultKind.ADOPT_FAILS, FaultKind.ADOPT_CHANGES_NOTHING})
"""Kinds that befall an adoption, not a request: the write that asks for it is answered as ever."""


class Scope(StrEnum):
    """Which requests a fault may hit."""

    ALL = "all"
    READS = "reads"
    WRITES = "writes"


ACTS_BY_DEFAULT = frozenset(
    {FaultKind.SLOW, FaultKind.SHORT, FaultKind.WRONG_UNIT, FaultKind.WRONG_TRANSACTION, FaultKind.HALF_FRAME}
)
"""Kinds where the device does the work and only the answer suffers."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind, its aim and how many requests it still hits.

    `effect` says whether a write acts all the same (None: by kind, see ACTS_BY_DEFAULT). `address` is an inclusive
    range that a request must touch. `skip` lets that many matching requests pass first. `count` None: until cleared.
    `registers` is how many words a short read answer keeps (None: one fewer than asked).
    """

    kind: FaultKind
    scope: Scope = Scope.ALL
    count: int | None = None
    skip: int = 0
    address: tuple[int, int] | None = None
    unit: int | None = None
    effect: bool | None = None
    seconds: float = 1.0
    code: int = 4
    registers: int | None = None

    def __post_init__(self) -> None:
        _require(self.count is None or self.count >= 1, "count must be 1 or more, or left out.")
        _require(self.skip >= 0, "skip must be 0 or more.")
        _require(
            math.isfinite(self.seconds) and 0.0 <= self.seconds <= LONGEST_DELAY_SECONDS, "seconds must be 0 to 3600."
        )
        _require(1 <= self.code <= 255, "code must be 1 to 255.")  # noqa: PLR2004 - one byte
        _require(self.unit is None or 0 <= self.unit <= 255, "unit must be 0 to 255.")  # noqa: PLR2004 - one byte
        _require(self.registers is None or 0 <= self.registers < LARGEST_READ_WORDS, "registers must be 0 to 124.")
        if self.address is not None:
            first, last = self.address
            _require(0 <= first <= last <= LAST_ADDRESS, "address must be [first, last] within 0 to 65535.")

    @property
    def acts(self) -> bool:
        """Whether a write that this fault hits still has its effect."""
        return self.kind in ACTS_BY_DEFAULT if self.effect is None else self.effect

    def hits(self, unit: int, *, writes: bool, first: int, last: int) -> bool:
        """Whether a request for words `first` to `last` of `unit` is in this fault's aim."""
        if self.kind is FaultKind.IGNORE and not writes:
            return False
        if self.scope is not Scope.ALL and writes != (self.scope is Scope.WRITES):
            return False
        if self.unit is not None and unit != self.unit:
            return False
        return self.touches(first, last)

    def touches(self, first: int, last: int) -> bool:
        """Whether words `first` to `last` meet this fault's range."""
        return self.address is None or (first <= self.address[1] and last >= self.address[0])


class FaultBoard:
    """The faults that are switched on. The oldest one that a request hits is played; the others wait."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults that are on, oldest first."""
        return tuple(self._faults)

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Switch all faults off."""
        self._faults.clear()

    def take(self, unit: int, *, writes: bool, first: int, last: int) -> Fault | None:
        """The fault to play on this request, counted down; None when it passes unharmed."""
        return self._next(lambda f: f.kind not in ADOPTIONS and f.hits(unit, writes=writes, first=first, last=last))

    def take_adoption(self, address: int) -> str | None:
        """What befalls the adoption that a write to `address` has just asked for, counted down."""
        found = self._next(lambda f: f.kind in ADOPTIONS and f.touches(address, address))
        return None if found is None else str(found.kind)

    def _next(self, fits: Callable[[Fault], bool]) -> Fault | None:
        for index, fault in enumerate(self._faults):
            if not fits(fault):
                continue
            if fault.skip:
                self._faults[index] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.count == 1:
                del self._faults[index]
            elif fault.count is not None:
                self._faults[index] = replace(fault, count=fault.count - 1)
            return fault
        return None


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise MisuseError("bad_fault", f"A fault's {sentence}")
