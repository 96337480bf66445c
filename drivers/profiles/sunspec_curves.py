"""The curves of a SunSpec inverter: models 705 volt-var, 706 volt-watt, 707 to 710 trips, 711 droop, 712 watt-var.

From the public definitions: set 1 is the active one, sets from 2 on can be written, AdptCrvReq (711: AdptCtlReq) names
the set to adopt, the result reads 0 in progress, 1 completed, 2 failed. 705, 706, 711 and 712 have a reversion timer;
707 to 710 have none, so what they adopted stays until somebody gives them another curve. Trip curves are written there
as (voltage or frequency, time), and in IEEE 2030.5 as (time, voltage or frequency). Three operations share each voltage
model, and two each frequency model: whoever writes a set takes the other lists over.
"""

from typing import Final

from wattseal.drivers.device import Function, Operation, Scope
from wattseal.drivers.profiles.curve_declaration import (
    Coordinate,
    CurveCommand,
    CurveWindow,
    PointList,
    SetFill,
    SetPoint,
    SetTimer,
)

_PERCENT, _MILLI, _UNIT = -2, -3, 0
_MOST_SECONDS: Final = 0xFFFF_FFFE
_SLOT, _WAIT_SECONDS, _POLL_MS, _SETTLE_SECONDS = 2, 10, 500, 10
_FALLS_BACK: Final = "no set is active any more: the function is disabled"
_STAYS: Final = "the model has no timer: the adopted curve stays, also when the order is over or the gateway is gone"
_VAR_REFERENCES: Final = (("max_watts", 0), ("max_vars", 1), ("available_vars", 2), ("max_volt_amperes", 3))
_WATT_REFERENCES: Final = (("max_watts", 0), ("available_watts", 1))
_TIMER: Final = SetTimer("RvrtTms", "RvrtRem", "RvrtCrv", _MOST_SECONDS)
_REFERENCE: Final = SetPoint("DeptRef", SetFill.REFERENCE)
_PRIORITY: Final = SetPoint("Pri", SetFill.ACTIVE)
_OPEN_LOOP: Final = SetPoint("RspTms", SetFill.OPEN_LOOP, _MILLI)


def _curve(
    operation: Operation,
    model: int,
    axes: tuple[str, str],
    references: tuple[tuple[str, int], ...],
    fields: tuple[SetPoint, ...],
) -> CurveCommand:
    x, y = axes
    return CurveCommand(
        operation=operation,
        model=model,
        group="Crv",
        slot=_SLOT,
        request="AdptCrvReq",
        result="AdptCrvRslt",
        points=PointList("", Coordinate(x, _PERCENT), Coordinate(y, _PERCENT)),
        carried=(),
        fields=(_REFERENCE, *fields),
        references=references,
        timer=_TIMER,
        wait_seconds=_WAIT_SECONDS,
        poll_ms=_POLL_MS,
        settle_seconds=_SETTLE_SECONDS,
        fallback=_FALLS_BACK,
    )


def _trips(
    model: int, threshold: Coordinate, named: tuple[tuple[str, Operation | None], ...]
) -> tuple[CurveCommand, ...]:
    """The operations of one trip model; a list without an operation is only taken over."""
    lists = {path: PointList(path, Coordinate("Tms", _MILLI), threshold) for path, _ in named}
    references = (("nominal_volts", 0), ("none", 0)) if threshold.name == "V" else (("none", 0),)
    return tuple(
        CurveCommand(
            operation=operation,
            model=model,
            group="Crv",
            slot=_SLOT,
            request="AdptCrvReq",
            result="AdptCrvRslt",
            points=lists[path],
            carried=tuple(other for name, other in lists.items() if name != path),
            fields=(),
            references=references,
            timer=None,
            wait_seconds=_WAIT_SECONDS,
            poll_ms=_POLL_MS,
            settle_seconds=_SETTLE_SECONDS,
            fallback=_STAYS,
        )
        for path, operation in named
        if operation is not None
    )


_VOLTS, _HERTZ = Coordinate("V", _PERCENT), Coordinate("Hz", _MILLI)
_MUST, _MAY, _CEASE = "MustTrip.", "MayTrip.", "MomCess."

CURVES: Final = (
    _curve(
        Operation.VOLT_VAR,
        705,
        ("V", "Var"),
        _VAR_REFERENCES,
        (
            _PRIORITY,
            SetPoint("VRef", SetFill.VOLT_REFERENCE, _PERCENT),
            SetPoint("VRefAutoEna", SetFill.AUTONOMOUS),
            SetPoint("VRefAutoTms", SetFill.AUTONOMOUS_SECONDS, _UNIT),
            _OPEN_LOOP,
        ),
    ),
    _curve(Operation.VOLT_WATT, 706, ("V", "W"), _WATT_REFERENCES, (_OPEN_LOOP,)),
    _curve(Operation.WATT_VAR, 712, ("W", "Var"), _VAR_REFERENCES, (_PRIORITY,)),
    *_trips(
        707,
        _VOLTS,
        (
            (_MUST, Operation.LV_MUST_TRIP),
            (_MAY, Operation.LV_MAY_TRIP),
            (_CEASE, Operation.LV_MOMENTARY_CESSATION),
        ),
    ),
    *_trips(
        708,
        _VOLTS,
        (
            (_MUST, Operation.HV_MUST_TRIP),
            (_MAY, Operation.HV_MAY_TRIP),
            (_CEASE, Operation.HV_MOMENTARY_CESSATION),
        ),
    ),
    *_trips(709, _HERTZ, ((_MUST, Operation.LF_MUST_TRIP), (_MAY, Operation.LF_MAY_TRIP), (_CEASE, None))),
    *_trips(710, _HERTZ, ((_MUST, Operation.HF_MUST_TRIP), (_MAY, Operation.HF_MAY_TRIP), (_CEASE, None))),
    CurveCommand(
        operation=Operation.FREQ_DROOP,
        model=711,
        group="Ctl",
        slot=_SLOT,
        request="AdptCtlReq",
        result="AdptCtlRslt",
        points=None,
        carried=(),
        fields=(
            SetPoint("DbOf", SetFill.NUMBER, _MILLI, 0),
            SetPoint("DbUf", SetFill.NUMBER, _MILLI, 1),
            SetPoint("KOf", SetFill.NUMBER, _MILLI, 2),
            SetPoint("KUf", SetFill.NUMBER, _MILLI, 3),
            SetPoint("RspTms", SetFill.NUMBER, _MILLI, 4),
            SetPoint("PMin", SetFill.ACTIVE),
        ),
        references=(),
        timer=SetTimer("RvrtTms", "RvrtRem", "RvrtCtl", _MOST_SECONDS),
        wait_seconds=_WAIT_SECONDS,
        poll_ms=_POLL_MS,
        settle_seconds=_SETTLE_SECONDS,
        fallback=_FALLS_BACK,
    ),
)


def _window(model: int) -> CurveWindow:
    own = tuple(command for command in CURVES if command.model == model)
    functions: tuple[Function, ...] = tuple(command.function for command in own)
    return CurveWindow(model, own[0].group, (Scope.FULL, Scope.CONTROL), functions)


CURVE_WINDOWS: Final = tuple(_window(model) for model in sorted({command.model for command in CURVES}))
