"""Wishes: everything that a utility can ask of a device or a site, one frozen kind for each, and their form in CBOR.

Nothing is flattened: a wish keeps its kind, and the deck decides what a device does about it. Sign is the generator's:
positive watts and vars are injected, negative are absorbed; limits are non-negative. Every number is an integer with
its unit in its name; `per_ten_thousand` is hundredths of a percent. What a dialect says more finely than that is
refused by its translator, never rounded in silence.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from wattseal.certs import cbor
from wattseal.certs.errors import PeerError

LEVELS: Final = range(4)


class IntentError(PeerError):
    """An intent body that is not laid out as this release reads it."""


class Flow(StrEnum):
    """Which way active power flows while a wish applies."""

    INJECT = "inject"
    ABSORB = "absorb"


class Reference(StrEnum):
    """What a percentage is a part of; all are settings of the device, or what it can do at the moment."""

    NONE = "none"
    MAX_WATTS = "max_watts"
    MAX_VARS = "max_vars"
    AVAILABLE_VARS = "available_vars"
    MAX_VOLT_AMPERES = "max_volt_amperes"
    NOMINAL_VOLTS = "nominal_volts"
    MAX_CHARGE_WATTS = "max_charge_watts"
    MAX_DISCHARGE_WATTS = "max_discharge_watts"
    AVAILABLE_WATTS = "available_watts"


class CurveKind(StrEnum):
    """What a curve governs. Units of x and y stand beside each: ‱ is hundredths of a percent."""

    VOLT_VAR = "volt_var"  # x ‱ of nominal volts, y ‱ of the reference, positive injects
    VOLT_WATT = "volt_watt"  # x ‱ of nominal volts, y ‱ of the reference
    WATT_VAR = "watt_var"  # x ‱ of max watts, y ‱ of the reference
    WATT_PF = "watt_pf"  # x ‱ of max watts, y power factor in ten-thousandths, negative is under-excited
    FREQ_WATT = "freq_watt"  # x millihertz, y ‱ of the reference
    HV_MUST_TRIP = "hv_must_trip"  # voltage ride-through: x milliseconds, y ‱ of nominal volts
    HV_MAY_TRIP = "hv_may_trip"
    HV_MOMENTARY_CESSATION = "hv_momentary_cessation"
    LV_MUST_TRIP = "lv_must_trip"
    LV_MAY_TRIP = "lv_may_trip"
    LV_MOMENTARY_CESSATION = "lv_momentary_cessation"
    HF_MUST_TRIP = "hf_must_trip"  # frequency ride-through: x milliseconds, y millihertz
    HF_MAY_TRIP = "hf_may_trip"
    LF_MUST_TRIP = "lf_must_trip"
    LF_MAY_TRIP = "lf_may_trip"


@dataclass(frozen=True, slots=True)
class Setpoint:
    """Signed watts to be held."""

    watts: int


@dataclass(frozen=True, slots=True)
class InjectLimit:
    """Inject no more than `watts` (non-negative)."""

    watts: int


@dataclass(frozen=True, slots=True)
class AbsorbLimit:
    """Absorb no more than `watts` (non-negative)."""

    watts: int


@dataclass(frozen=True, slots=True)
class Level:
    """0 normal, 1 moderate, 2 high, 3 special (OpenADR 2.0b rule 9): the site's table says what a device does."""

    level: int


@dataclass(frozen=True, slots=True)
class Energize:
    """Energize the output, or cease to energize it; the device may stay connected (2030.5 opModEnergize)."""

    on: bool


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect galvanically, or disconnect (2030.5 opModConnect)."""

    on: bool


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """Hold a displacement factor while power flows that way. Over-excited injects vars, under-excited absorbs them."""

    flow: Flow
    ten_thousandths: int
    over_excited: bool


@dataclass(frozen=True, slots=True)
class FixedVar:
    """Hold vars as a signed part of a reference; positive injects."""

    reference: Reference
    per_ten_thousand: int


@dataclass(frozen=True, slots=True)
class TargetVar:
    """Hold signed vars; positive injects."""

    vars: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Follow a curve of one to ten points, x rising. `open_loop_ms`: response time, None: the device's own.

    Volt-var only: `volt_reference_per_ten_thousand` moves the curve's centre, `autonomous_seconds` lets the device
    track it with that time constant; None: it does not.
    """

    kind: CurveKind
    reference: Reference
    points: tuple[tuple[int, int], ...]
    open_loop_ms: int | None = None
    volt_reference_per_ten_thousand: int | None = None
    autonomous_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class FreqDroop:
    """Frequency-watt by parameters: dead bands in millihertz over and under nominal, droops in thousandths."""

    over_band_millihertz: int
    under_band_millihertz: int
    over_droop_thousandths: int
    under_droop_thousandths: int
    open_loop_ms: int


@dataclass(frozen=True, slots=True)
class RampRate:
    """How fast active power may change, ‱ of max watts each second; 0: no limit."""

    per_ten_thousand_per_second: int


@dataclass(frozen=True, slots=True)
class ReturnToService:
    """When and how a device may energize again after a trip. None: the device's own setting stands."""

    delay_ms: int | None = None
    random_delay_ms: int | None = None
    ramp_ms: int | None = None
    high_millihertz: int | None = None
    low_millihertz: int | None = None
    high_volts_per_ten_thousand: int | None = None
    low_volts_per_ten_thousand: int | None = None


Wish: TypeAlias = (
    Setpoint
    | InjectLimit
    | AbsorbLimit
    | Level
    | Energize
    | Connect
    | PowerFactor
    | FixedVar
    | TargetVar
    | Curve
    | FreqDroop
    | RampRate
    | ReturnToService
)

_NUMBERS: Final[Mapping[str, Callable[[int], Wish]]] = {
    "setpoint": Setpoint,
    "inject_limit": InjectLimit,
    "absorb_limit": AbsorbLimit,
    "level": Level,
    "target_var": TargetVar,
    "ramp_rate": RampRate,
}
_SWITCHES: Final[Mapping[str, Callable[[bool], Wish]]] = {"energize": Energize, "connect": Connect}


def pair_of(wish: Wish) -> tuple[str, cbor.Value]:
    """The kind's name and the value, as an interval of an intent body carries them."""
    match wish:
        case Setpoint(number):
            return "setpoint", number
        case InjectLimit(number):
            return "inject_limit", number
        case AbsorbLimit(number):
            return "absorb_limit", number
        case Level(number):
            return "level", number
        case TargetVar(number):
            return "target_var", number
        case RampRate(number):
            return "ramp_rate", number
        case Energize(on):
            return "energize", on
        case Connect(on):
            return "connect", on
        case PowerFactor(flow, ten_thousandths, over_excited):
            return "power_factor", (str(flow), ten_thousandths, over_excited)
        case FixedVar(reference, per_ten_thousand):
            return "fixed_var", (str(reference), per_ten_thousand)
        case Curve(kind, reference, points, open_loop, volt_reference, autonomous):
            return "curve", (str(kind), str(reference), points, open_loop, volt_reference, autonomous)
        case FreqDroop(over_band, under_band, over_droop, under_droop, open_loop_ms):
            return "freq_droop", (over_band, under_band, over_droop, under_droop, open_loop_ms)
        case ReturnToService(delay, random_delay, ramp, high_hz, low_hz, high_v, low_v):
            return "return_to_service", (delay, random_delay, ramp, high_hz, low_hz, high_v, low_v)


def wish_of(kind: str, value: cbor.Value) -> Wish:
    """The wish that `pair_of` laid out. Raises `IntentError` for anything else."""
    match kind, value:
        case _, bool(on) if kind in _SWITCHES:
            return _SWITCHES[kind](on)
        case _, int(number) if kind in _NUMBERS and not isinstance(number, bool):
            return _NUMBERS[kind](number)
        case "power_factor", [str(flow), int(ten_thousandths), bool(over_excited)] if flow in set(Flow):
            return PowerFactor(Flow(flow), ten_thousandths, over_excited)
        case "fixed_var", [str(reference), int(part)] if reference in set(Reference):
            return FixedVar(Reference(reference), part)
        case "curve", [
            str(curve),
            str(reference),
            (tuple() | list()) as points,
            (int() | None) as open_loop,
            (int() | None) as volts,
            (int() | None) as autonomous,
        ] if curve in set(CurveKind) and reference in set(Reference):
            made = tuple(_point(point) for point in points)
            return Curve(CurveKind(curve), Reference(reference), made, open_loop, volts, autonomous)
        case "freq_droop", [int(over_band), int(under_band), int(over_droop), int(under_droop), int(open_loop_ms)]:
            return FreqDroop(over_band, under_band, over_droop, under_droop, open_loop_ms)
        case "return_to_service", [
            (int() | None) as delay,
            (int() | None) as random_delay,
            (int() | None) as ramp,
            (int() | None) as high_hz,
            (int() | None) as low_hz,
            (int() | None) as high_v,
            (int() | None) as low_v,
        ]:
            return ReturnToService(delay, random_delay, ramp, high_hz, low_hz, high_v, low_v)
    raise IntentError("intent_malformed", f"{kind!r} with that value is not a wish that this release knows.")


def _point(point: cbor.Value) -> tuple[int, int]:
    match point:
        case [int(x), int(y)]:
            return x, y
    raise IntentError("intent_malformed", "A point of a curve is not two numbers.")
