"""What a device can be ordered to do, and the functions that hold it: the vocabulary of orders, and its units.

A device follows one order for each *function*. Functions are independent: an order of one supersedes, renews and ends
none of another. Sign is the generator's: positive watts and vars are injected into the site, negative are absorbed. A
value is one integer, or a nested tuple of integers, null and short names; what is missing is null.

    function              operation            value                                                  unit, scale
    power                 set_power            signed watts                                           W, 0
                          limit_inject         watts, non-negative                                    W, 0
                          limit_absorb         watts, non-negative                                    W, 0
    energize              energize             1: energize, 0: cease to energize                      1, 0
    power_factor_inject   power_factor_inject  displacement factor while injecting: positive is       1, -4
                                               over-excited (injects vars), negative under-excited;
                                               unity is 10000
    power_factor_absorb   power_factor_absorb  the same while absorbing                               1, -4
    vars                  fixed_var            (reference, signed part of it)                         1, -4
                          target_var           signed vars                                            var, 0
    volt_var ... one each for every curve      (reference, ((x, y), ...), open loop ms or null,       mixed, 0
                                               volt reference or null, autonomous seconds or null)
    freq_droop            freq_droop           (over band mHz, under band mHz, over droop thousandths, mixed, 0
                                               under droop thousandths, open loop ms)
    ramp_rate             ramp_rate            part of max watts each second; 0: no limit             1/s, -4
    return_to_service     return_to_service    (delay ms, random delay ms, ramp ms, high mHz,         mixed, 0
                                               low mHz, high volts, low volts), each may be null
    any of these          release              0: back to the device's own default in that function   as below

Parts, volts and the curves' percentages are ten-thousandths of their reference or of nominal volts. A curve's x and y,
by its kind: volt_var and volt_watt volts -> part; watt_var part of max watts -> part; watt_pf the same -> power factor;
freq_watt mHz -> part; all voltage trips and cessations ms -> volts; all frequency trips ms -> mHz.

A release, and the revert-to of an order, are in unit W and scale 0 for the power function, and in those of the order
otherwise (a release itself: `1`, 0).
"""

from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from wattseal.certs.errors import PeerError

Value: TypeAlias = "int | str | tuple[Value, ...] | None"

WATT: Final = "W"
VAR: Final = "var"
PART: Final = "1"
PART_PER_SECOND: Final = "1/s"
MIXED: Final = "mixed"  # each number is in the unit that its place says
UNITY: Final = 10_000
MOST_VARS: Final = 1_000_000_000
MOST_POINTS: Final = 10
_MOST_NUMBER: Final = (1 << 32) - 1  # of a structured value: a device's widest register
REFERENCES: Final = frozenset(
    {
        "none",
        "max_watts",
        "max_vars",
        "available_vars",
        "max_volt_amperes",
        "nominal_volts",
        "max_charge_watts",
        "max_discharge_watts",
        "available_watts",
    }
)


class BodyError(PeerError):
    """A statement's body is not laid out as its kind demands."""


class Function(StrEnum):
    """What is held independently on a device: it has one live order for each of these."""

    POWER = "power"
    ENERGIZE = "energize"
    POWER_FACTOR_INJECT = "power_factor_inject"
    POWER_FACTOR_ABSORB = "power_factor_absorb"
    VARS = "vars"
    VOLT_VAR = "volt_var"
    VOLT_WATT = "volt_watt"
    WATT_VAR = "watt_var"
    WATT_PF = "watt_pf"
    FREQ_WATT = "freq_watt"
    FREQ_DROOP = "freq_droop"
    HV_MUST_TRIP = "hv_must_trip"
    HV_MAY_TRIP = "hv_may_trip"
    HV_MOMENTARY_CESSATION = "hv_momentary_cessation"
    LV_MUST_TRIP = "lv_must_trip"
    LV_MAY_TRIP = "lv_may_trip"
    LV_MOMENTARY_CESSATION = "lv_momentary_cessation"
    HF_MUST_TRIP = "hf_must_trip"
    HF_MAY_TRIP = "hf_may_trip"
    LF_MUST_TRIP = "lf_must_trip"
    LF_MAY_TRIP = "lf_may_trip"
    RAMP_RATE = "ramp_rate"
    RETURN_TO_SERVICE = "return_to_service"


class Seat(NamedTuple):
    """Where one live order has its place: a function of a device."""

    device: str
    function: Function


class Operation(StrEnum):
    """What a device can be ordered to do; see the module's text for values and units."""

    SET_POWER = "set_power"
    LIMIT_INJECT = "limit_inject"
    LIMIT_ABSORB = "limit_absorb"
    RELEASE = "release"
    ENERGIZE = "energize"
    POWER_FACTOR_INJECT = "power_factor_inject"
    POWER_FACTOR_ABSORB = "power_factor_absorb"
    FIXED_VAR = "fixed_var"
    TARGET_VAR = "target_var"
    VOLT_VAR = "volt_var"
    VOLT_WATT = "volt_watt"
    WATT_VAR = "watt_var"
    WATT_PF = "watt_pf"
    FREQ_WATT = "freq_watt"
    FREQ_DROOP = "freq_droop"
    HV_MUST_TRIP = "hv_must_trip"
    HV_MAY_TRIP = "hv_may_trip"
    HV_MOMENTARY_CESSATION = "hv_momentary_cessation"
    LV_MUST_TRIP = "lv_must_trip"
    LV_MAY_TRIP = "lv_may_trip"
    LV_MOMENTARY_CESSATION = "lv_momentary_cessation"
    HF_MUST_TRIP = "hf_must_trip"
    HF_MAY_TRIP = "hf_may_trip"
    LF_MUST_TRIP = "lf_must_trip"
    LF_MAY_TRIP = "lf_may_trip"
    RAMP_RATE = "ramp_rate"
    RETURN_TO_SERVICE = "return_to_service"


POWER_OPERATIONS: Final = frozenset({Operation.SET_POWER, Operation.LIMIT_INJECT, Operation.LIMIT_ABSORB})
CURVES: Final = frozenset(
    {
        Operation.VOLT_VAR,
        Operation.VOLT_WATT,
        Operation.WATT_VAR,
        Operation.WATT_PF,
        Operation.FREQ_WATT,
        Operation.HV_MUST_TRIP,
        Operation.HV_MAY_TRIP,
        Operation.HV_MOMENTARY_CESSATION,
        Operation.LV_MUST_TRIP,
        Operation.LV_MAY_TRIP,
        Operation.LV_MOMENTARY_CESSATION,
        Operation.HF_MUST_TRIP,
        Operation.HF_MAY_TRIP,
        Operation.LF_MUST_TRIP,
        Operation.LF_MAY_TRIP,
    }
)

# The function of each operation but release, which is of the function that it ends.
FUNCTION_OF: Final[Mapping[Operation, Function]] = {
    **dict.fromkeys(POWER_OPERATIONS, Function.POWER),
    Operation.FIXED_VAR: Function.VARS,
    Operation.TARGET_VAR: Function.VARS,
    **{operation: Function(str(operation)) for operation in Operation if str(operation) in set(Function)},
}

# Unit and scale (power of ten) in which an operation's value stands; of structured ones, see the module's text.
UNIT_OF: Final[Mapping[Operation, tuple[str, int]]] = {
    **dict.fromkeys(POWER_OPERATIONS, (WATT, 0)),
    **dict.fromkeys(CURVES, (MIXED, 0)),
    Operation.ENERGIZE: (PART, 0),
    Operation.POWER_FACTOR_INJECT: (PART, -4),
    Operation.POWER_FACTOR_ABSORB: (PART, -4),
    Operation.FIXED_VAR: (PART, -4),
    Operation.TARGET_VAR: (VAR, 0),
    Operation.FREQ_DROOP: (MIXED, 0),
    Operation.RAMP_RATE: (PART_PER_SECOND, -4),
    Operation.RETURN_TO_SERVICE: (MIXED, 0),
}


def unit_of(operation: Operation, function: Function) -> tuple[str, int]:
    """Unit and scale of an order; a release is of a function, so that power's stays what it always was."""
    if operation is Operation.RELEASE:
        return (WATT, 0) if function is Function.POWER else (PART, 0)
    return UNIT_OF[operation]


def operations_of_function(function: Function) -> frozenset[Operation]:
    """The operations that are of one function, release left out."""
    return frozenset(operation for operation, of in FUNCTION_OF.items() if of is function)


def value_fits(operation: Operation, value: Value) -> bool:
    """Whether `value` has the shape and the range that the module's text gives `operation`. One wish, one value."""
    match operation, value:
        case (Operation.SET_POWER, int()):
            return _is_number(value)
        case (Operation.LIMIT_INJECT | Operation.LIMIT_ABSORB, int(watts)):
            return _is_number(value) and watts >= 0
        case (Operation.RELEASE, int(nothing)):
            return _is_number(value) and nothing == 0
        case (Operation.ENERGIZE, int(on)):
            return _is_number(value) and on in {0, 1}
        case (Operation.POWER_FACTOR_INJECT | Operation.POWER_FACTOR_ABSORB, int(factor)):
            return _is_number(value) and 0 < abs(factor) <= UNITY and factor != -UNITY
        case (Operation.FIXED_VAR, (str(reference), int(part))):
            return reference in REFERENCES and _is_number(part) and abs(part) <= UNITY
        case (Operation.TARGET_VAR, int(asked)):
            return _is_number(value) and abs(asked) <= MOST_VARS
        case (Operation.RAMP_RATE, int(rate)):
            return _is_number(value) and 0 <= rate <= _MOST_NUMBER
        case (Operation.FREQ_DROOP, tuple(numbers)):
            return len(numbers) == 5 and all(_is_count(number) for number in numbers)  # noqa: PLR2004 - as documented
        case (Operation.RETURN_TO_SERVICE, tuple(numbers)):
            some = [number for number in numbers if number is not None]
            return len(numbers) == 7 and bool(some) and all(map(_is_count, some))  # noqa: PLR2004 - as documented
        case (_, (str(reference), tuple(points), open_loop, volts, autonomous)) if operation in CURVES:
            rest = [number for number in (open_loop, volts, autonomous) if number is not None]
            return reference in REFERENCES and _is_curve(points) and all(map(_is_count, rest))
    return False


def plain(value: object) -> Value:
    """A value as it was decoded, its lists as tuples. Raises `BodyError` (`value_malformed`) for what is no value.

    A truth value is kept: whoever judges the order refuses it.
    """
    if value is None or isinstance(value, int | str):
        return value
    if isinstance(value, tuple | list):
        return tuple(plain(item) for item in value)
    raise BodyError("value_malformed", "A value is neither a number nor a list of numbers and names.")


def _is_curve(points: tuple[Value, ...]) -> bool:
    """One to ten points of two numbers, no x below the one before it, no point twice."""
    pairs: list[tuple[int, int]] = []
    for point in points:
        match point:
            case (int(x), int(y)) if _is_number(x) and _is_number(y) and max(abs(x), abs(y)) <= _MOST_NUMBER:
                pairs.append((x, y))
            case _:
                return False
    rising = all(one[0] <= next_one[0] for one, next_one in pairwise(pairs))
    return 1 <= len(pairs) <= MOST_POINTS and rising and len(set(pairs)) == len(pairs)


def _is_count(value: Value) -> bool:
    return isinstance(value, int) and _is_number(value) and 0 <= value <= _MOST_NUMBER


def _is_number(value: object) -> bool:
    """A truth value is no number here: it would be a second encoding of the same wish."""
    return type(value) is int
