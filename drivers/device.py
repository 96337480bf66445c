"""The seam between whoever commands a device (the gate) or attests it, and whatever drives it.

Values only, and one Protocol. Watts carry the generator's sign: positive injects (discharge, export), negative absorbs
(charge, import); limits are non-negative. Every quantity is an integer with a decimal exponent, never a float.
Nothing here knows a register map, a utility or a clock.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

from wattseal.certs.errors import MisuseError, PeerError
from wattseal.drivers.commands import Function, Operation, Value
from wattseal.drivers.modbus.exchange import Exchange
from wattseal.drivers.operating_state import OperatingState
from wattseal.drivers.operations import POWER_OPERATIONS

__all__ = [
    "ActiveControl",
    "Adoption",
    "AdoptionError",
    "Capabilities",
    "Device",
    "DeviceState",
    "Expectation",
    "Function",
    "Identity",
    "Layout",
    "LayoutError",
    "ModelPlace",
    "OperatingState",
    "Operation",
    "PlannedWrites",
    "Quality",
    "Quantity",
    "ReadBack",
    "Scope",
    "UnsupportedError",
    "Value",
    "Verdict",
    "Wish",
    "WriteStep",
]


class Quality(StrEnum):
    """How far a value can be trusted, in the words of the canonical device model."""

    GOOD = "good"
    NOT_IMPLEMENTED = "not_implemented"  # the device has a sentinel there, or lacks the point
    SUSPECT = "suspect"  # read, but outside its declared range or contradicted by the operating state
    UNREADABLE = "unreadable"  # the device refused or did not answer for this block


class Scope(StrEnum):
    """How much of the state to read: everything, what is measured, or the controls and the measured power."""

    FULL = "full"
    METERING = "metering"
    CONTROL = "control"


class UnsupportedError(MisuseError):
    """The wish cannot be carried out on this device (`operation_not_supported`, `rating_unknown`, `wish_malformed`,
    `value_not_supported`: the device cannot hold that value, or nothing near it on the safe side).
    """


class LayoutError(PeerError):
    """The device is not laid out as its profile or its earlier discovery says (`model_missing`, `layout_changed`)."""


class AdoptionError(PeerError):
    """A device did not adopt what it was given (`adoption_failed`: it said so, `adoption_not_finished`: not in time).

    `exchanges` are the answers until then.
    """

    def __init__(self, reason: str, sentence: str, exchanges: tuple[Exchange, ...]) -> None:
        super().__init__(reason, sentence)
        self.exchanges = exchanges


@dataclass(frozen=True, slots=True)
class Quantity:
    """`mantissa` times 10 to the `exponent`; mantissa is None exactly when nothing usable was read.

    `register` names the origin for records: `701.W`, `holding 344`.
    """

    mantissa: int | None
    exponent: int
    quality: Quality
    register: str = ""

    def rounded(self) -> int | None:
        """The nearest whole number (halves to even), or None."""
        if self.mantissa is None:
            return None
        if self.exponent >= 0:
            return self.mantissa * int(10**self.exponent)
        return round(Fraction(self.mantissa, 10**-self.exponent))


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing asked of a device.

    `value`: as in an order of `operation`, power in whole watts, 0 for RELEASE. `timer_seconds`: what the device's own
    fail-safe timer is to be armed with (0 for RELEASE). RELEASE ends all of `function`, or only `of` it.
    """

    operation: Operation
    value: Value
    timer_seconds: int
    of: Operation | None = None
    function: Function = Function.POWER

    @property
    def watts(self) -> int:
        """The value, where it is of the power function; else 0."""
        return self.value if self.operation in POWER_OPERATIONS and isinstance(self.value, int) else 0


@dataclass(frozen=True, slots=True)
class Adoption:
    """What must be waited for before anything else is written: the register at `address` reads 1, done.

    It reads 0 while the device is at it. It is asked every `poll_ms`, for `wait_seconds` at most.
    """

    unit: int
    address: int
    wait_seconds: int
    poll_ms: int


@dataclass(frozen=True, slots=True)
class WriteStep:
    """One write frame: function 16 at `address` of `unit`. `index` counts from 0 in the order they must be sent.

    `adoption`: what the device must have done of it before the next step may go.
    """

    index: int
    unit: int
    address: int
    words: tuple[int, ...]
    purpose: str
    adoption: Adoption | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """A point that must read `mantissa` times 10 to the `exponent`, give or take `tolerance` mantissas."""

    point: str
    mantissa: int
    exponent: int
    tolerance: int = 0


@dataclass(frozen=True, slots=True)
class PlannedWrites:
    """The exact frames a wish comes to on one device, decided before anything is sent.

    `clamped_watts` is what the device is really asked for, after clamps and rounding to the safe side; `value` the same
    for another function than power, in the form of an order's value. A release without steps leaves what was set: the
    function is a setting of the device without a way back.
    `timer_seconds` is what its timer will be armed with (None: it has none, or its length is not ours to set).
    `heartbeat` renews that timer when sent at least every `heartbeat_seconds` (empty and None: nothing to renew).
    `settle_seconds` is how long the measured power may take to follow.
    """

    wish: Wish
    steps: tuple[WriteStep, ...]
    clamped_watts: int
    timer_seconds: int | None
    heartbeat: tuple[WriteStep, ...]
    heartbeat_seconds: int | None
    expectations: tuple[Expectation, ...]
    settle_seconds: int
    tolerance_watts: int
    value: Value = None

    @property
    def asks_for(self) -> Value:
        """What the device is really asked for, in the form of an order's value."""
        return self.clamped_watts if self.wish.operation in POWER_OPERATIONS else self.value

    @property
    def leaves_setting(self) -> bool:
        """Whether this is a release that writes nothing, because the device has no way back."""
        return self.wish.operation is Operation.RELEASE and not self.steps


@dataclass(frozen=True, slots=True)
class ActiveControl:
    """One operation as the device holds it now. `watts` is signed for SET_POWER, non-negative for limits.

    `value`: the same for another function than power, as in an order; None where it was not readable or says nothing.
    `enabled` None: the points that tell were not readable.
    """

    operation: Operation
    enabled: bool | None
    watts: Quantity
    timer_remaining_seconds: int | None
    value: Value = None


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One frozen picture of a device, from the answers in `exchanges` and from nothing else.

    `points` are all decoded points by their profile name, the named ones below included. `storage_wh` is what the
    battery holds now. Energy counters are lifetime counters in Wh.
    """

    watts: Quantity
    vars: Quantity
    volts: Quantity
    amps: Quantity
    hertz: Quantity
    energy_injected_wh: Quantity
    energy_absorbed_wh: Quantity
    soc_percent: Quantity
    operating_state: OperatingState
    controls: tuple[ActiveControl, ...]
    points: tuple[tuple[str, Quantity], ...]
    exchanges: tuple[Exchange, ...]

    def point(self, name: str) -> Quantity:
        """The point of that profile name; one that was not read has quality UNREADABLE."""
        for known, quantity in self.points:
            if known == name:
                return quantity
        return Quantity(None, 0, Quality.UNREADABLE, name)

    def control(self, operation: Operation) -> ActiveControl | None:
        """The control function that carries out `operation`, or None when the device has none."""
        return next((control for control in self.controls if control.operation is operation), None)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the device says it is; empty text where it does not say."""

    maker: str
    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where one SunSpec model sits: `address` of its ID register, `length` as in its L register."""

    model: int
    address: int
    length: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are on this very device: model addresses, scale exponents and words to leave as they are.

    `counts` say of a model how often its groups repeat. Enough, with the profile, to release the device even when
    nothing else is known.
    """

    unit: int
    models: tuple[ModelPlace, ...] = ()
    scales: tuple[tuple[str, int], ...] = ()
    kept: tuple[tuple[str, tuple[int, ...]], ...] = ()
    counts: tuple[tuple[int, tuple[tuple[str, int], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this very device can do; None means that it does not say.

    `ratings` are the whole numbers a profile's clamps name (`w_max`, `phases`, `safe_deciamps`...), by name.
    """

    layout: Layout
    operations: tuple[Operation, ...]
    max_inject_watts: int | None
    max_absorb_watts: int | None
    storage_wh: int | None
    timer_min_seconds: int | None
    timer_max_seconds: int | None
    ratings: tuple[tuple[str, int], ...] = ()
    exchanges: tuple[Exchange, ...] = ()

    def rating(self, name: str) -> int | None:
        """The rating of that name, or None when the device does not say."""
        return next((value for known, value in self.ratings if known == name), None)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """One point of a verdict: what it was before, what was expected of it, what it reads now."""

    point: str
    before: Quantity | None
    expected: Expectation
    read_back: Quantity
    equal: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of planned writes. `reason` is `applied`, or the stable code of the first thing amiss.

    `effective`: the measured power obeys (None: it cannot be told, or the settle time has not passed).
    """

    applied: bool
    effective: bool | None
    reason: str
    asked_watts: int
    clamped_watts: int
    read_backs: tuple[ReadBack, ...]


class Device(Protocol):
    """One device on its link. The two pure methods decide; the awaited ones do I/O and raise `LinkError`."""

    @property
    def profile_digest(self) -> bytes:
        """SHA-256 of the profile's canonical form (32 bytes)."""
        ...

    async def identify(self) -> Identity:
        """Who it says it is. Raises `LayoutError` when it is not what the profile describes."""
        ...

    async def capabilities(self) -> Capabilities:
        """What it can do, and where its registers are; looked up afresh each time it is called."""
        ...

    async def read_state(
        self, capabilities: Capabilities, scope: Scope = Scope.FULL, functions: frozenset[Function] | None = None
    ) -> DeviceState:
        """One picture of it. Blocks the device refuses have quality UNREADABLE; no answer at all is a `LinkError`.

        Controls that are of `functions` only are read for these (None: for all).
        """
        ...

    def steps_for(self, capabilities: Capabilities, wish: Wish, shown: DeviceState | None = None) -> PlannedWrites:
        """The frames that carry out `wish`; no I/O, the same for the same arguments. Raises `UnsupportedError`.

        `shown` is the device as it was last read for this function: curves take over from it what they do not change.
        RELEASE of the power function needs `capabilities.layout` only: it never fails for a rating that is not known.
        """
        ...

    async def write(self, step: WriteStep) -> Exchange:
        """Send one step, once. Raises `LinkError`, whose `effect` says whether it may have been taken."""
        ...

    async def adopted(self, adoption: Adoption) -> tuple[Exchange, ...]:
        """Wait until the device has adopted what it was asked to. Raises `AdoptionError`, or `LinkError`."""
        ...

    def verify(
        self, planned: PlannedWrites, before: DeviceState | None, after: DeviceState, *, settled: bool
    ) -> Verdict:
        """Compare what was planned with what the device says now; no I/O. `settled`: the settle time has passed."""
        ...
