"""Did the device take it? Pure comparison of planned writes with what was read back.

A write that was acknowledged may have been discarded: real devices do that. So "applied" means that every written point
reads as written, that this means the planned watts (a charger found on other phases than before does something else at
the same amperes), that the function is in force and its timer runs; "effective" that the measured power obeys.

How exact: registers to the last digit, but for what the profile allows a point; watts to one watt of rounding;
measured power to `tolerance_watts` of the plan. What an order tolerates loosens the last of these alone: a register
that reads something else than was written was written by somebody else, or not at all.
"""

from typing import Final

from wattseal.drivers.device import (
    DeviceState,
    Expectation,
    Operation,
    PlannedWrites,
    Quality,
    Quantity,
    ReadBack,
    Verdict,
)
from wattseal.drivers.operations import operations_of_function

_ROUNDING_WATTS: Final = 1  # a setpoint in percent or amperes, told in whole watts


def verify(planned: PlannedWrites, before: DeviceState | None, after: DeviceState, *, settled: bool) -> Verdict:
    """`reason`: `applied`, `read_back_missing`, `read_back_differs`, `not_in_force`, `still_in_force` or
    `timer_not_running`, whichever comes first.
    """
    read_backs = tuple(_read_back(expected, before, after) for expected in planned.expectations)
    reason = _reason(planned, after, read_backs)
    return Verdict(
        applied=reason == "applied",
        effective=_effective(planned, after) if settled else None,
        reason=reason,
        asked_watts=planned.wish.watts,
        clamped_watts=planned.clamped_watts,
        read_backs=read_backs,
    )


def timer_counts(operation: Operation, earlier: DeviceState, later: DeviceState, elapsed_seconds: int) -> bool | None:
    """Whether the device's timer went down between two states by about `elapsed_seconds` (give or take 2).

    None when it does not show the time left. Some devices accept a time and never count.
    """
    first, second = earlier.control(operation), later.control(operation)
    if first is None or second is None:
        return None
    if first.timer_remaining_seconds is None or second.timer_remaining_seconds is None:
        return None
    gone = first.timer_remaining_seconds - second.timer_remaining_seconds
    return abs(gone - elapsed_seconds) <= 2 and gone > 0  # noqa: PLR2004 - two whole-second readings, one second each


def _read_back(expected: Expectation, before: DeviceState | None, after: DeviceState) -> ReadBack:
    found = after.point(expected.point)
    return ReadBack(
        point=expected.point,
        before=None if before is None else before.point(expected.point),
        expected=expected,
        read_back=found,
        equal=_equal(expected, found),
    )


def _equal(expected: Expectation, found: Quantity) -> bool:
    if found.mantissa is None:
        return False
    finest = min(expected.exponent, found.exponent)
    asked = expected.mantissa * 10 ** (expected.exponent - finest)
    read = found.mantissa * 10 ** (found.exponent - finest)
    allowed = expected.tolerance * 10 ** (expected.exponent - finest)
    return bool(abs(asked - read) <= allowed)


def _reason(planned: PlannedWrites, after: DeviceState, read_backs: tuple[ReadBack, ...]) -> str:
    if planned.wish.operation is Operation.RELEASE:
        return _release_reason(planned, after, read_backs)
    if any(read.read_back.mantissa is None for read in read_backs):
        return "read_back_missing"
    if not all(read.equal for read in read_backs):
        return "read_back_differs"
    control = after.control(planned.wish.operation)
    if control is None:
        return "read_back_missing"
    armed, left = planned.timer_seconds, control.timer_remaining_seconds
    if armed is not None and left is not None and not 0 < left <= armed:
        return "timer_not_running"
    shown = control.watts.rounded()  # none for another function than power: its registers are all there is
    if shown is not None and abs(shown - planned.clamped_watts) > _ROUNDING_WATTS:
        return "read_back_differs"
    return "applied" if control.enabled else "not_in_force"


def _release_reason(planned: PlannedWrites, after: DeviceState, read_backs: tuple[ReadBack, ...]) -> str:
    """Released means no longer in force, or holding just what the device falls back to by itself."""
    wish = planned.wish
    of = operations_of_function(wish.function) if wish.of is None else {wish.of}
    controls = [control for control in after.controls if control.operation in of]
    if all(control.enabled is False for control in controls) or all(read.equal for read in read_backs):
        return "applied"
    if any(read.read_back.mantissa is None for read in read_backs):
        return "read_back_missing"
    return "still_in_force"


def _effective(planned: PlannedWrites, after: DeviceState) -> bool | None:
    measured = after.watts.rounded() if after.watts.quality is Quality.GOOD else None
    if measured is None:
        return None
    match planned.wish.operation:
        case Operation.SET_POWER:
            return abs(measured - planned.clamped_watts) <= planned.tolerance_watts
        case Operation.LIMIT_INJECT:
            return measured <= planned.clamped_watts + planned.tolerance_watts
        case Operation.LIMIT_ABSORB:
            return -measured <= planned.clamped_watts + planned.tolerance_watts
        case Operation.ENERGIZE if planned.value == 0:
            return abs(measured) <= planned.tolerance_watts
        case Operation.RELEASE:
            return None  # its own mode may be anything
        case _:
            return None  # no power to follow: what it does to the grid is not measured here
