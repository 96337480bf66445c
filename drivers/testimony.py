"""Bodies of the statements that the gateway makes of its own knowledge: receipt, reading, gap.

Every number is an integer; watts are signed (positive: injected). Times are unix milliseconds.

    receipt  {1: device, 2: phase, 3: result, 4: reason, 5: [before, asked, clamped, read back], 6: applied at,
              7: digest of the raw frames, 8: heartbeats since the last receipt, 9: key evidence, 10: clock quality,
              11: effective (true, false, null: not measured),
              12: [function, asked, clamped, read back], only for another function than power: values as in its
                  orders; the members of 5 then are the power measured before, null, null, and that measured after}
    reading  {1: device, 2: [[quantity, value, scale, unit, quality, register], ...], 3: from, 4: to,
              5: digest of the raw frames, 6: clock quality}
    gap      {1: what was given up, 2: reason, 3: how many, 4: from, 5: to}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from wattseal.certs import cbor
from wattseal.drivers.commands import MOST_COUNT, BodyError, Function, Value
from wattseal.drivers.operations import plain


class Phase(StrEnum):
    """At which turn of a command's life a receipt was written."""

    COMMAND = "command"  # written and read back
    EFFECT = "effect"  # the settle time has passed and the power was measured
    REVERT = "revert"
    RESTART = "restart"
    LEASE = "lease"


class Result(StrEnum):
    """What became of a command, or of its revert."""

    APPLIED = "applied"  # written, read back, equal to what was asked
    CLAMPED = "clamped"  # written, read back, equal to the clamped value
    MISMATCH = "mismatch"  # written, but the device shows something else
    REFUSED = "refused"  # by the gate, or by the device
    UNREACHABLE = "unreachable"  # no answer: the write may or may not have had effect
    REVERTED = "reverted"  # the revert-to was written and read back
    SUPERSEDED = "superseded"  # a later command of the same function took the device over
    KEPT = "kept"  # the command is over, and what it set stays: the device has no way back, nothing was written
    UNKNOWN = "unknown"  # the gateway restarted in between; the state observed is in the values


@dataclass(frozen=True, slots=True)
class FunctionValues:
    """What was asked of a function, what it was made of by the device's own bounds, and what the device shows.

    Values as in an order; None where nothing was planned or read.
    """

    function: Function
    asked: Value
    clamped: Value
    read_back: Value


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the gateway states about one command. Watts are signed; `None` where nothing was read.

    `of`: the values of another function than power; then the watts before and read back are those measured.
    """

    device: str
    phase: Phase
    result: Result
    reason: str
    before_watts: int | None
    asked_watts: int | None
    clamped_watts: int | None
    read_back_watts: int | None
    applied_at_ms: int | None
    frames_digest: bytes | None
    heartbeats: int
    clock: str
    effective: bool | None = None
    key_evidence: bytes | None = None
    of: FunctionValues | None = None

    def encode(self) -> bytes:
        """The receipt body."""
        body: dict[int, cbor.Value] = {
            1: self.device,
            2: str(self.phase),
            3: str(self.result),
            4: self.reason,
            5: (self.before_watts, self.asked_watts, self.clamped_watts, self.read_back_watts),
            6: self.applied_at_ms,
            7: self.frames_digest,
            8: self.heartbeats,
            9: self.key_evidence,
            10: self.clock,
            11: self.effective,
        }
        if self.of is not None:
            body[12] = (str(self.of.function), self.of.asked, self.of.clamped, self.of.read_back)
        return cbor.encode(body)

    @classmethod
    def decode(cls, data: bytes) -> "Receipt":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: str(device),
                2: str(phase),
                3: str(result),
                4: str(reason),
                5: (tuple() | list()) as watts,
                6: (int() | None) as applied,
                7: (bytes() | None) as frames,
                8: int(heartbeats),
                9: (bytes() | None) as evidence,
                10: str(clock),
                11: (bool() | None) as effective,
                **rest,
            } if set(rest) <= {12} and len(watts) == 4:  # noqa: PLR2004 - before, asked, clamped, read back
                before, asked, clamped, read_back = (_watts(item) for item in watts)
                try:
                    turn, outcome = Phase(phase), Result(result)
                except ValueError as error:
                    raise BodyError("receipt_malformed", "The receipt names an unknown phase or result.") from error
                return cls(
                    device, turn, outcome, reason, before, asked, clamped, read_back,
                    applied, frames, heartbeats, clock, effective, evidence, _function_values(rest),
                )  # fmt: skip
        raise BodyError("receipt_malformed", "The receipt body is not laid out as this release reads it.")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One measured value: `value` times ten to the `scale`, in `unit`, read at `register`."""

    name: str
    value: int
    scale: int
    unit: str
    quality: str
    register: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one device measured over `[from_ms, to_ms)`; equal times mean an instant."""

    device: str
    quantities: tuple[Quantity, ...]
    from_ms: int
    to_ms: int
    frames_digest: bytes
    clock: str

    def encode(self) -> bytes:
        """The reading body."""
        rows = tuple((q.name, q.value, q.scale, q.unit, q.quality, q.register) for q in self.quantities)
        return cbor.encode(
            {1: self.device, 2: rows, 3: self.from_ms, 4: self.to_ms, 5: self.frames_digest, 6: self.clock}
        )

    @classmethod
    def decode(cls, data: bytes) -> "Reading":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: str(device),
                2: (tuple() | list()) as rows,
                3: int(start),
                4: int(end),
                5: bytes(frames),
                6: str(clock),
                **rest,
            } if not rest and max(abs(start), abs(end)) < MOST_COUNT:
                return cls(device, tuple(_quantity(row) for row in rows), start, end, frames, clock)
        raise BodyError("reading_malformed", "The reading body is not laid out as this release reads it.")


@dataclass(frozen=True, slots=True)
class Gap:
    """What was given up when there was no room for it, and when."""

    what: str
    reason: str
    count: int
    from_ms: int
    to_ms: int

    def encode(self) -> bytes:
        """The gap body."""
        return cbor.encode({1: self.what, 2: self.reason, 3: self.count, 4: self.from_ms, 5: self.to_ms})

    @classmethod
    def decode(cls, data: bytes) -> "Gap":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {1: str(what), 2: str(reason), 3: int(count), 4: int(start), 5: int(end), **rest} if not rest:
                return cls(what, reason, count, start, end)
        raise BodyError("gap_malformed", "The gap body is not laid out as this release reads it.")


def _function_values(rest: Mapping[object, object]) -> FunctionValues | None:
    match rest.get(12):
        case None if not rest:
            return None
        case [str(function), asked, clamped, read_back] if function in set(Function) - {Function.POWER}:
            return FunctionValues(Function(function), plain(asked), plain(clamped), plain(read_back))
    raise BodyError("receipt_malformed", "The receipt's values are not those of a function other than power.")


def _watts(value: cbor.Value) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise BodyError("receipt_malformed", "A value of the receipt is not an integer.")


def _quantity(row: cbor.Value) -> Quantity:
    match row:
        case (tuple() | list()) as parts if len(parts) == 6:  # noqa: PLR2004 - the members of a quantity
            name, value, scale, unit, quality, register = parts
            if isinstance(value, int) and isinstance(scale, int) and max(abs(value), abs(scale)) < MOST_COUNT:
                return Quantity(str(name), value, scale, str(unit), str(quality), str(register))
    raise BodyError("reading_malformed", "A quantity of the reading is not laid out as this release reads it.")
