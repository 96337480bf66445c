"""The words a device profile is written in. A profile is a value: frozen data, no code, no class per product.

Times are whole seconds or milliseconds as named, currents deciamperes, everything an integer: a profile has one
canonical encoding and so a digest that commands are bound to. What the words mean is in the rooms beside this one
(`reading`, `planning`, `verdict`); which products exist is in `catalogue`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from wattseal.drivers.device import Function, OperatingState, Operation, Scope
from wattseal.drivers.profiles.curve_declaration import CurveCommand, CurveWindow


class Storage(StrEnum):
    """Where a written value goes: flash wears out, and a volatile value is gone after a power cut."""

    VOLATILE = "volatile"
    PERSISTENT = "persistent"
    UNKNOWN = "unknown"


class Form(StrEnum):
    """How a register point stands in its registers, high word first unless the point says otherwise."""

    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    U64 = "u64"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    TEXT = "text"


class WordOrder(StrEnum):
    """Which 16-bit word of a longer number comes first."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


class FedBy(StrEnum):
    """What restarts the device's own fail-safe timer. `NOBODY`: it has none, so it stays where it was put."""

    FUNCTION_WRITE = "function_write"
    ONE_REGISTER = "one_register"
    ANY_TRAFFIC = "any_traffic"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact comes from and on what terms; `covers` says which facts."""

    covers: str
    where: str
    licence: str


@dataclass(frozen=True, slots=True)
class Transport:
    """How the device wants to be spoken to over Modbus TCP; the link keeps the pauses.

    `single_client`: it takes one connection only, so nobody else can read it beside us.
    """

    port: int
    unit: int
    deadline_ms: int
    connect_delay_ms: int
    gap_ms: int
    write_interval_ms: int
    single_client: bool


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """A point of a SunSpec model; its type and scale factor are the model's."""

    model: int
    name: str


@dataclass(frozen=True, slots=True)
class Register:
    """A point at a fixed address. `unit` None: the device's own. Numbers are raw times 10 to `exponent`;
    floats are rounded to it. `registers` is for text only.
    """

    address: int
    form: Form
    exponent: int = 0
    unit: int | None = None
    registers: int = 0
    order: WordOrder = WordOrder.HIGH_FIRST
    sentinels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One thing the device has. Names that are fields of `DeviceState` or `Identity` fill them.

    `sign` converts to the generator's sign. `valid` is inclusive, in `unit`, after the sign; outside it a value is
    suspect. `zero_asleep_suspect`: zero means nothing while the device is off or asleep. `storage` is None for points
    never written.
    """

    name: str
    place: ModelPoint | Register
    unit: str
    sign: int = 1
    valid: tuple[int, int] | None = None
    zero_asleep_suspect: bool = False
    storage: Storage | None = None


@dataclass(frozen=True, slots=True)
class ModelWindow:
    """One read of a SunSpec model from its ID register on; the header in it proves the layout of the same answer.

    `of`: the functions whose controls are in it; none: it is read in any case.
    """

    model: int
    registers: int
    scopes: tuple[Scope, ...]
    required: bool = True
    of: tuple[Function, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisterWindow:
    """One read of fixed registers. `unit` None: the device's own. `of`: as in `ModelWindow`."""

    address: int
    registers: int
    scopes: tuple[Scope, ...]
    unit: int | None = None
    of: tuple[Function, ...] = ()


Window: TypeAlias = ModelWindow | RegisterWindow | CurveWindow


@dataclass(frozen=True, slots=True)
class IdentityMatch:
    """What makes a device this product: its maker's text begins with one of `makers` (none: any), models are there."""

    makers: tuple[str, ...]
    models: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rating:
    """A capability read at commissioning: the first of `points` that the device fills.

    It is kept as a whole number of 10 to `exponent`. Less than `least`, or not in `allowed` if that is given: unknown.
    """

    name: str
    points: tuple[str, ...]
    exponent: int = 0
    least: int = 0
    allowed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Watts:
    """The setpoint is in watts; rounded toward zero to the step of its scale factor."""


@dataclass(frozen=True, slots=True)
class PercentOf:
    """The setpoint is a percentage of a rating; rounded down."""

    rating: str


@dataclass(frozen=True, slots=True)
class AmpsPerPhase:
    """The setpoint is amperes on each phase: watts over (`nominal_volts` times phases), rounded down to a deciampere.

    Below `least_deciamps` it is 0, which pauses. Where `phases_rating` is not known, `phases_default` counts.
    """

    nominal_volts: int
    phases_rating: str
    phases_default: int
    least_deciamps: int
    most_deciamps: int


@dataclass(frozen=True, slots=True)
class Term:
    """One number of an order's value and the point that holds it: in the point's unit it counts 10 to `exponent`.

    Rounded toward zero to the step of the point, or away from it if `up`.
    """

    point: str
    exponent: int
    up: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """The value is one number. `zero`: whether 0 means on the device what it means in the order."""

    term: Term
    zero: bool = True


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """A signed displacement factor: its magnitude, rounded toward unity, and 0 over-excited or 1 under-excited."""

    factor: str
    excitation: str


@dataclass(frozen=True, slots=True)
class PartOf:
    """A signed part of a reference: a percentage, rounded toward zero, and the number of the reference in `modes`."""

    part: str
    mode: str
    modes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The value is a list of numbers; one that is null leaves its point alone."""

    terms: tuple[Term, ...]


PowerConversion: TypeAlias = Watts | PercentOf | AmpsPerPhase
ValueConversion: TypeAlias = Number | PowerFactor | PartOf | Numbers
Conversion: TypeAlias = PowerConversion | ValueConversion


class Fill(StrEnum):
    """What a write puts in a point."""

    SETPOINT = "setpoint"  # the converted power
    VALUE = "value"  # what the conversion has for this point; a point that it leaves alone ends the frame
    TIMER = "timer"  # the fail-safe time in seconds
    FIXED = "fixed"  # `value`
    RATING = "rating"  # the rating of that name, or `value` while it is not known
    KEEP = "keep"  # the words last read, only to bridge a gap; unknown words end the frame instead


@dataclass(frozen=True, slots=True)
class Write:
    """One point of a frame. `value` is a mantissa at the point's own exponent."""

    point: str
    fill: Fill
    value: int = 0
    rating: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """Writes that go out together, in register order; as few function 16 frames as their addresses allow."""

    purpose: str
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far measured power may lie from what was asked: `watts` plus `permille` of it, after `settle_seconds`."""

    watts: int
    permille: int
    settle_seconds: int


@dataclass(frozen=True, slots=True)
class Command:
    """How one operation is carried out: frames in order (the enable last), what renews it, what undoes it.

    The same points tell what the device holds now: it is in force when all points of `in_force` have their values.
    `setpoint` is the point without which the device cannot do it. No `release`: a setting of the device, which has no
    way back. `timer_remaining` empty: nothing counts. `fail_safe` None: the profile's.
    """

    operation: Operation
    conversion: Conversion
    frames: tuple[Frame, ...]
    heartbeat: tuple[Frame, ...]
    release: tuple[Frame, ...]
    setpoint: str
    in_force: tuple[tuple[str, int], ...]
    timer_remaining: str
    tolerance: Tolerance
    fail_safe: "FailSafe | None" = None


@dataclass(frozen=True, slots=True)
class FailSafe:
    """The device's own timer. `timer` empty: its length is not ours to set. `renew_seconds`: at most this between
    two heartbeats, besides half of the time armed. `fallback` tells a person what the device does at expiry; of one
    that is fed by nobody, what it does when the gateway is gone.
    """

    timer: str
    unit: str
    least_seconds: int | None
    most_seconds: int | None
    renew_seconds: int | None
    fed_by: FedBy
    fallback: str


@dataclass(frozen=True, slots=True)
class Capability:
    """An ability, and whether a self-test on the device itself must have shown it before it is relied upon."""

    name: str
    self_test: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """One product, whole. `inject_ratings` and `absorb_ratings`: the least of those known is the most it can do.

    `curve_storage`: where it keeps the sets of its curves.
    """

    name: str
    revision: int
    title: str
    transport: Transport
    identity: IdentityMatch
    identity_windows: tuple[Window, ...]
    rating_windows: tuple[Window, ...]
    windows: tuple[Window, ...]
    points: tuple[Point, ...]
    states: tuple[tuple[str, OperatingState], ...]
    state_point: str
    ratings: tuple[Rating, ...]
    inject_ratings: tuple[str, ...]
    absorb_ratings: tuple[str, ...]
    storage_rating: str
    commands: tuple[Command, ...]
    fail_safe: FailSafe
    capabilities: tuple[Capability, ...]
    sources: tuple[Source, ...]
    curves: tuple[CurveCommand, ...] = ()
    curve_storage: Storage = Storage.UNKNOWN

    def point(self, name: str) -> Point:
        """The point of that name; a profile that lacks one it uses fails the catalogue's test."""
        return next(point for point in self.points if point.name == name)

    def command(self, operation: Operation) -> Command | None:
        """The command for an operation, or None."""
        return next((command for command in self.commands if command.operation is operation), None)

    def curve(self, function: Function) -> CurveCommand | None:
        """The command that brings a curve of that function into the device, or None."""
        return next((command for command in self.curves if command.function is function), None)

    def fail_safe_of(self, command: Command) -> FailSafe:
        """What ends a command where nobody renews it."""
        return self.fail_safe if command.fail_safe is None else command.fail_safe
