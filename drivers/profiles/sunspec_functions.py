"""SunSpec models 703 and 704 beside active power: service, power factors, vars, ramp and the terms of coming back.

Facts of the public models. In 704 a function reverts by a timer of its own, which runs only while its Ena is 1 and
restarts on any write of the function. 703 and WRmp have no timer: there the gateway's lease is all that ends a command,
and the last two are settings, which nothing takes back.
"""

from typing import Final

from wattseal.drivers.device import Function, Operation
from wattseal.drivers.profiles.declaration import (
    Command,
    FailSafe,
    FedBy,
    Fill,
    Frame,
    ModelPoint,
    Number,
    Numbers,
    PartOf,
    Point,
    PowerFactor,
    Storage,
    Term,
    Tolerance,
    Write,
)

SERVICE_MODEL: Final = 703
SERVICE_FUNCTIONS: Final = (Function.ENERGIZE, Function.RETURN_TO_SERVICE)
_MOST_VARS: Final = 10_000_000  # beyond any device these commands are for
_OFF, _ON, _IN_VARS, _OF_MAX_WATTS = 0, 1, 4, 1
# VarSetMod: what a percentage of vars is a part of.
_VAR_MODES: Final = (("max_watts", 0), ("max_vars", 1), ("available_vars", 2), ("max_volt_amperes", 3))
_MILLI, _PERCENT = -3, -2


def _setting(model: int, point: str, unit: str = "", valid: tuple[int, int] | None = None) -> Point:
    """A point of which no public source says whether it is kept in flash: it is written once for a command."""
    return Point(point, ModelPoint(model, point), unit, valid=valid, storage=Storage.UNKNOWN)


def _control(point: str, unit: str = "", valid: tuple[int, int] | None = None) -> Point:
    return Point(point, ModelPoint(704, point), unit, valid=valid, storage=Storage.VOLATILE)


def _power_factor_points(group: str) -> tuple[Point, ...]:
    return (
        _control(f"{group}Ena"),
        _control(f"{group}EnaRvrt"),
        _control(f"{group}RvrtTms", "s"),
        Point(f"{group}RvrtRem", ModelPoint(704, f"{group}RvrtRem"), "s"),
        _control(f"{group}.PF", "", (0, 1)),
        _control(f"{group}.Ext"),
    )


FUNCTION_POINTS: Final = (
    _setting(703, "ES"),
    _setting(703, "ESVHi", "%", (0, 200)),
    _setting(703, "ESVLo", "%", (0, 200)),
    _setting(703, "ESHzHi", "Hz", (0, 100)),
    _setting(703, "ESHzLo", "Hz", (0, 100)),
    _setting(703, "ESDlyTms", "s"),
    _setting(703, "ESRndTms", "s"),
    _setting(703, "ESRmpTms", "s"),
    *_power_factor_points("PFWInj"),
    *_power_factor_points("PFWAbs"),
    _control("VarSetEna"),
    _control("VarSetMod"),
    _control("VarSetPri"),
    _control("VarSet", "var", (-_MOST_VARS, _MOST_VARS)),
    _control("VarSetRvrt", "var", (-_MOST_VARS, _MOST_VARS)),
    _control("VarSetPct", "%", (-100, 100)),
    _control("VarSetPctRvrt", "%", (-100, 100)),
    _control("VarSetEnaRvrt"),
    _control("VarSetRvrtTms", "s"),
    Point("VarSetRvrtRem", ModelPoint(704, "VarSetRvrtRem"), "s"),
    _setting(704, "WRmp", "%/s"),
    _setting(704, "WRmpRef"),
)

_REACTIVE: Final = Tolerance(watts=0, permille=0, settle_seconds=10)


def _nobody(fallback: str) -> FailSafe:
    return FailSafe("", "", None, None, None, FedBy.NOBODY, fallback)


def _power_factor(operation: Operation, group: str) -> Command:
    factor = (Write(f"{group}.PF", Fill.VALUE), Write(f"{group}.Ext", Fill.VALUE))
    timer = (Write(f"{group}EnaRvrt", Fill.FIXED, _OFF), Write(f"{group}RvrtTms", Fill.TIMER))
    return Command(
        operation=operation,
        conversion=PowerFactor(f"{group}.PF", f"{group}.Ext"),
        frames=(
            Frame("factor and excitation", factor),
            Frame("fallback and timer", timer),
            Frame("enable", (Write(f"{group}Ena", Fill.FIXED, _ON),)),
        ),
        heartbeat=(Frame("renew the factor", factor), Frame("renew its timer", timer)),
        release=(Frame("factor off", (Write(f"{group}Ena", Fill.FIXED, _OFF),)),),
        setpoint=f"{group}.PF",
        in_force=((f"{group}Ena", _ON),),
        timer_remaining=f"{group}RvrtRem",
        tolerance=_REACTIVE,
    )


def _vars(operation: Operation, conversion: Number | PartOf, point: str, mode: Write, in_force: int | None) -> Command:
    """Registers 36 to 46 without a gap: one frame. What the mode does not read is written back as it was."""
    others = {name: Write(name, Fill.KEEP) for name in ("VarSet", "VarSetRvrt", "VarSetPct", "VarSetPctRvrt")}
    others[point] = Write(point, Fill.VALUE)
    whole = (
        mode,
        Write("VarSetPri", Fill.KEEP),
        *others.values(),
        Write("VarSetEnaRvrt", Fill.FIXED, _OFF),
        Write("VarSetRvrtTms", Fill.TIMER),
    )
    return Command(
        operation=operation,
        conversion=conversion,
        frames=(
            Frame("vars, mode, fallback and timer", whole),
            Frame("enable", (Write("VarSetEna", Fill.FIXED, _ON),)),
        ),
        heartbeat=(Frame("renew the vars and their timer", whole),),
        release=(Frame("vars off", (Write("VarSetEna", Fill.FIXED, _OFF),)),),
        setpoint=point,
        in_force=(("VarSetEna", _ON), *((("VarSetMod", in_force),) if in_force is not None else ())),
        timer_remaining="VarSetRvrtRem",
        tolerance=_REACTIVE,
    )


_SERVICE_TERMS: Final = (
    # Rounded to the side on which the device comes back later, slower, and in a narrower window.
    Term("ESDlyTms", _MILLI, up=True),
    Term("ESRndTms", _MILLI, up=True),
    Term("ESRmpTms", _MILLI, up=True),
    Term("ESHzHi", _MILLI),
    Term("ESHzLo", _MILLI, up=True),
    Term("ESVHi", _PERCENT),
    Term("ESVLo", _PERCENT, up=True),
)

FUNCTION_COMMANDS: Final = (
    Command(
        operation=Operation.ENERGIZE,
        conversion=Number(Term("ES", 0)),
        frames=(Frame("permit or forbid service", (Write("ES", Fill.VALUE),)),),
        heartbeat=(),
        release=(Frame("permit service", (Write("ES", Fill.FIXED, _ON),)),),
        setpoint="ES",
        in_force=(),
        timer_remaining="",
        tolerance=Tolerance(watts=50, permille=0, settle_seconds=10),
        fail_safe=_nobody("no timer: it stays as ordered until the gateway is back and its lease writes the revert"),
    ),
    _power_factor(Operation.POWER_FACTOR_INJECT, "PFWInj"),
    _power_factor(Operation.POWER_FACTOR_ABSORB, "PFWAbs"),
    _vars(
        Operation.FIXED_VAR,
        PartOf("VarSetPct", "VarSetMod", _VAR_MODES),
        "VarSetPct",
        Write("VarSetMod", Fill.VALUE),
        None,
    ),
    _vars(
        Operation.TARGET_VAR,
        Number(Term("VarSet", 0)),
        "VarSet",
        Write("VarSetMod", Fill.FIXED, _IN_VARS),
        _IN_VARS,
    ),
    Command(
        operation=Operation.RAMP_RATE,
        # Whole percent of WMax each second: less than one cannot be held, and the model gives 0 no meaning.
        conversion=Number(Term("WRmp", _PERCENT), zero=False),
        frames=(
            Frame("ramp and its reference", (Write("WRmp", Fill.VALUE), Write("WRmpRef", Fill.FIXED, _OF_MAX_WATTS))),
        ),
        heartbeat=(),
        release=(),
        setpoint="WRmp",
        in_force=(("WRmpRef", _OF_MAX_WATTS),),
        timer_remaining="",
        tolerance=_REACTIVE,
        fail_safe=_nobody("no timer and no way back: the ramp stays as ordered until another is ordered"),
    ),
    Command(
        operation=Operation.RETURN_TO_SERVICE,
        conversion=Numbers(_SERVICE_TERMS),
        frames=(
            Frame(
                "window, delay, random delay and ramp",
                tuple(
                    Write(point, Fill.VALUE)
                    for point in ("ESVHi", "ESVLo", "ESHzHi", "ESHzLo", "ESDlyTms", "ESRndTms", "ESRmpTms")
                ),
            ),
        ),
        heartbeat=(),
        release=(),
        setpoint="ESDlyTms",
        in_force=(),
        timer_remaining="",
        tolerance=_REACTIVE,
        fail_safe=_nobody("no timer and no way back: the terms stay as ordered until others are ordered"),
    ),
)
