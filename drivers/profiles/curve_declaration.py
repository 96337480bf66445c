"""How a profile declares a command that brings a curve into a device: stored beside the active one, adopted, read back.

A SunSpec curve model keeps numbered sets. Set 1 is the active one and cannot be written; another is written, its
adoption is asked for, the device judges it and says so after a while, and then set 1 holds it. Paths are those of the
model's definition behind `Crv.1.` or `Ctl.1.`. Frozen data; what it means is in `curve_values` and `curve_planning`.
"""

from dataclasses import dataclass
from enum import StrEnum

from wattseal.drivers.device import Function, Operation, Scope


class SetFill(StrEnum):
    """Where a point of the stored set takes its number from."""

    REFERENCE = "reference"  # the number of the order's reference
    OPEN_LOOP = "open_loop"  # the order's milliseconds; null: as in the active set
    VOLT_REFERENCE = "volt_reference"  # the order's part of nominal volts; null: all of them
    AUTONOMOUS = "autonomous"  # 1 where the order lets the device track its reference, else 0
    AUTONOMOUS_SECONDS = "autonomous_seconds"  # with what time constant; null: not written
    NUMBER = "number"  # the order's number at `index`
    ACTIVE = "active"  # as in the active set: the device's own


@dataclass(frozen=True, slots=True)
class SetPoint:
    """One point of a set; in its unit the order's number counts 10 to `exponent`."""

    path: str
    fill: SetFill
    exponent: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A coordinate's name in the list, and what an order's number counts in its unit: 10 to `exponent`."""

    name: str
    exponent: int


@dataclass(frozen=True, slots=True)
class PointList:
    """A list of points: its count and its coordinates stand behind `path`. `x` and `y` say where the order's go.

    Trip curves swap: the order's x is time, the device's first coordinate is voltage or frequency.
    """

    path: str
    x: Coordinate
    y: Coordinate


@dataclass(frozen=True, slots=True)
class SetTimer:
    """The model's own reversion timer: what arms it, what counts down, which set it falls back to (0: none)."""

    seconds: str
    remaining: str
    reverts_to: str
    most_seconds: int


@dataclass(frozen=True, slots=True)
class CurveCommand:
    """How one operation is carried out by a curve model, in this order: the slot, the timer, the adoption, the enable.

    `carried` are the lists of the same set that other operations govern: they are taken over from the active set.
    `timer` None: the model has none, and what was adopted stays; then there is no way back either. The adoption is
    asked about every `poll_ms`, for `wait_seconds` at most. `fallback` tells a person what happens when nobody renews.
    """

    operation: Operation
    model: int
    group: str
    slot: int
    request: str
    result: str
    points: PointList | None
    carried: tuple[PointList, ...]
    fields: tuple[SetPoint, ...]
    references: tuple[tuple[str, int], ...]
    timer: SetTimer | None
    wait_seconds: int
    poll_ms: int
    settle_seconds: int
    fallback: str

    @property
    def function(self) -> Function:
        """A curve's function has its operation's name."""
        return Function(str(self.operation))

    def head(self, path: str) -> str:
        """The name of a point at the model's head, as read."""
        return f"{self.model}.{path}"

    def active(self, path: str) -> str:
        """The name of a point of the active set, as read."""
        return f"{self.model}.{self.group}.1.{path}"

    def stored(self, path: str) -> str:
        """The name of a point of the slot, in the model."""
        return f"{self.group}.{self.slot}.{path}"


@dataclass(frozen=True, slots=True)
class CurveWindow:
    """One read of a curve model's head and active set, every point named by model and path; for `of` only."""

    model: int
    group: str
    scopes: tuple[Scope, ...]
    of: tuple[Function, ...]
