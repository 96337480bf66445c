"""A battery inverter with the IEEE 1547-2018 models: 701 metering, 702 ratings, 703 service, 704 control with reversion
timers, 705 to 712 curves, 713 storage.

Positive watts discharge, in 701 and in 704.WSet alike, which is the sign used inside. Reversion as the models'
maintainers explain it: a timer runs only while its function's Ena is 1, and restarts on any write of the function.
"""

from typing import Final

from wattseal.drivers.device import OperatingState, Operation, Scope
from wattseal.drivers.profiles.declaration import (
    Capability,
    Command,
    FailSafe,
    FedBy,
    Fill,
    Frame,
    IdentityMatch,
    ModelPoint,
    ModelWindow,
    PercentOf,
    Point,
    Profile,
    Rating,
    Source,
    Storage,
    Tolerance,
    Transport,
    Watts,
    Write,
)
from wattseal.drivers.profiles.sunspec_curves import CURVE_WINDOWS, CURVES
from wattseal.drivers.profiles.sunspec_functions import (
    FUNCTION_COMMANDS,
    FUNCTION_POINTS,
    SERVICE_FUNCTIONS,
    SERVICE_MODEL,
)

_ALL: Final = (Scope.FULL, Scope.METERING, Scope.CONTROL)
_MOST_WATTS: Final = 10_000_000  # beyond any device this profile is for
_MOST_WH: Final = 1 << 62


def _measured(name: str, model: int, point: str, unit: str, valid: tuple[int, int], *, counter: bool = False) -> Point:
    return Point(name, ModelPoint(model, point), unit, valid=valid, zero_asleep_suspect=counter)


def _control(point: str, unit: str = "", valid: tuple[int, int] | None = None) -> Point:
    return Point(point, ModelPoint(704, point), unit, valid=valid, storage=Storage.VOLATILE)


def _rating(point: str, unit: str) -> Point:
    return Point(point, ModelPoint(702, point), unit)


def _text(name: str, point: str) -> Point:
    return Point(name, ModelPoint(1, point), "")


_POINTS: Final = (
    _text("maker", "Mn"),
    _text("model", "Md"),
    _text("serial", "SN"),
    _text("firmware", "Vr"),
    _measured("watts", 701, "W", "W", (-_MOST_WATTS, _MOST_WATTS)),
    _measured("vars", 701, "Var", "var", (-_MOST_WATTS, _MOST_WATTS)),
    _measured("volts", 701, "LNV", "V", (0, 1000)),
    _measured("amps", 701, "A", "A", (-20_000, 20_000)),
    _measured("hertz", 701, "Hz", "Hz", (0, 100)),
    _measured("energy_injected_wh", 701, "TotWhInj", "Wh", (0, _MOST_WH), counter=True),
    _measured("energy_absorbed_wh", 701, "TotWhAbs", "Wh", (0, _MOST_WH), counter=True),
    _measured("soc_percent", 713, "SoC", "%", (0, 100)),
    _measured("soh_percent", 713, "SoH", "%", (0, 100)),
    _measured("storage_wh", 713, "WHAvail", "Wh", (0, _MOST_WH)),
    _measured("storage_rated_wh", 713, "WHRtg", "Wh", (0, _MOST_WH)),
    Point("inverter_state", ModelPoint(701, "InvSt"), ""),
    Point("connection_state", ModelPoint(701, "ConnSt"), ""),
    Point("alarms", ModelPoint(701, "Alrm"), ""),
    _rating("WMax", "W"),
    _rating("WMaxRtg", "W"),
    _rating("WChaRteMax", "W"),
    _rating("WChaRteMaxRtg", "W"),
    _rating("WDisChaRteMax", "W"),
    _rating("WDisChaRteMaxRtg", "W"),
    _control("WMaxLimPctEna"),
    _control("WMaxLimPct", "%", (0, 100)),
    _control("WMaxLimPctRvrt", "%", (0, 100)),
    _control("WMaxLimPctEnaRvrt"),
    _control("WMaxLimPctRvrtTms", "s"),
    Point("WMaxLimPctRvrtRem", ModelPoint(704, "WMaxLimPctRvrtRem"), "s"),
    _control("WSetEna"),
    _control("WSetMod"),
    _control("WSet", "W", (-_MOST_WATTS, _MOST_WATTS)),
    _control("WSetRvrt", "W", (-_MOST_WATTS, _MOST_WATTS)),
    _control("WSetPct", "%", (-100, 100)),
    _control("WSetPctRvrt", "%", (-100, 100)),
    _control("WSetEnaRvrt"),
    _control("WSetRvrtTms", "s"),
    Point("WSetRvrtRem", ModelPoint(704, "WSetRvrtRem"), "s"),
    *FUNCTION_POINTS,
)

_DISABLED, _ENABLED, _IN_WATTS = 0, 1, 1

# Registers 23 to 32 of model 704 without a gap: one frame. WSetPct and WSetPctRvrt mean nothing in mode 1 (watts), so
# the words they hold are written back.
_SET_POWER_POINTS: Final = (
    Write("WSetMod", Fill.FIXED, _IN_WATTS),
    Write("WSet", Fill.SETPOINT),
    Write("WSetRvrt", Fill.FIXED, 0),
    Write("WSetPct", Fill.KEEP),
    Write("WSetPctRvrt", Fill.KEEP),
    Write("WSetEnaRvrt", Fill.FIXED, _DISABLED),
    Write("WSetRvrtTms", Fill.TIMER),
)

# Registers 15 to 19. At expiry the limit is dropped: EnaRvrt 0 leaves the device uncurtailed, its own default.
_LIMIT_INJECT_POINTS: Final = (
    Write("WMaxLimPct", Fill.SETPOINT),
    Write("WMaxLimPctRvrt", Fill.KEEP),
    Write("WMaxLimPctEnaRvrt", Fill.FIXED, _DISABLED),
    Write("WMaxLimPctRvrtTms", Fill.TIMER),
)

_TOLERANCE: Final = Tolerance(watts=50, permille=20, settle_seconds=10)

SUNSPEC_BATTERY: Final = Profile(
    name="sunspec_battery",
    revision=2,
    title="SunSpec battery inverter (701 to 713)",
    transport=Transport(
        port=502,
        unit=1,
        deadline_ms=3000,
        connect_delay_ms=0,
        gap_ms=0,
        write_interval_ms=0,
        single_client=False,
    ),
    identity=IdentityMatch(makers=(), models=(1, 701, 704)),
    identity_windows=(ModelWindow(1, 68, _ALL),),
    rating_windows=(
        ModelWindow(702, 52, _ALL, required=False),
        ModelWindow(704, 67, _ALL),
        ModelWindow(SERVICE_MODEL, 19, _ALL, required=False),
        ModelWindow(713, 9, _ALL, required=False),
    ),
    windows=(
        ModelWindow(704, 67, (Scope.FULL, Scope.CONTROL)),
        ModelWindow(SERVICE_MODEL, 19, (Scope.FULL, Scope.CONTROL), required=False, of=SERVICE_FUNCTIONS),
        *CURVE_WINDOWS,
        # Registers 0 to 122 of 155: everything up to and with the scale factors, in one answer.
        ModelWindow(701, 123, _ALL),
        ModelWindow(713, 9, (Scope.FULL, Scope.METERING), required=False),
    ),
    points=_POINTS,
    states=(
        ("0", OperatingState.OFF),
        ("1", OperatingState.SLEEPING),
        ("2", OperatingState.STARTING),
        ("3", OperatingState.RUNNING),
        ("4", OperatingState.THROTTLED),
        ("5", OperatingState.SHUTTING_DOWN),
        ("6", OperatingState.FAULT),
        ("7", OperatingState.STANDBY),
    ),
    state_point="inverter_state",
    ratings=(
        Rating("w_max", ("WMax", "WMaxRtg"), least=1),
        Rating("w_charge_max", ("WChaRteMax", "WChaRteMaxRtg"), least=1),
        Rating("w_discharge_max", ("WDisChaRteMax", "WDisChaRteMaxRtg"), least=1),
        Rating("storage_wh", ("storage_rated_wh",), least=1),
    ),
    inject_ratings=("w_max", "w_discharge_max"),
    absorb_ratings=("w_max", "w_charge_max"),
    storage_rating="storage_wh",
    commands=(
        Command(
            operation=Operation.SET_POWER,
            conversion=Watts(),
            frames=(
                Frame("setpoint, mode, fallback and timer", _SET_POWER_POINTS),
                Frame("enable", (Write("WSetEna", Fill.FIXED, _ENABLED),)),
            ),
            heartbeat=(Frame("renew the setpoint and its timer", _SET_POWER_POINTS),),
            release=(Frame("setpoint off", (Write("WSetEna", Fill.FIXED, _DISABLED),)),),
            setpoint="WSet",
            in_force=(("WSetEna", _ENABLED), ("WSetMod", _IN_WATTS)),
            timer_remaining="WSetRvrtRem",
            tolerance=_TOLERANCE,
        ),
        Command(
            operation=Operation.LIMIT_INJECT,
            conversion=PercentOf("w_max"),
            frames=(
                Frame("limit, fallback and timer", _LIMIT_INJECT_POINTS),
                Frame("enable", (Write("WMaxLimPctEna", Fill.FIXED, _ENABLED),)),
            ),
            heartbeat=(Frame("renew the limit and its timer", _LIMIT_INJECT_POINTS),),
            release=(Frame("limit off", (Write("WMaxLimPctEna", Fill.FIXED, _DISABLED),)),),
            setpoint="WMaxLimPct",
            in_force=(("WMaxLimPctEna", _ENABLED),),
            timer_remaining="WMaxLimPctRvrtRem",
            tolerance=_TOLERANCE,
        ),
        *FUNCTION_COMMANDS,
    ),
    fail_safe=FailSafe(
        timer="704.*RvrtTms",
        unit="s",
        least_seconds=1,
        most_seconds=0xFFFF_FFFE,
        renew_seconds=None,
        fed_by=FedBy.FUNCTION_WRITE,
        fallback="the function is disabled: the battery goes back to its own mode, injection is uncurtailed",
    ),
    capabilities=(
        Capability("set_power", self_test=True),
        Capability("limit_inject", self_test=True),
        *(Capability(str(command.operation), self_test=True) for command in FUNCTION_COMMANDS),
        *(Capability(str(command.operation), self_test=True) for command in CURVES),
        Capability("reversion_timer", self_test=True),
    ),
    curves=CURVES,
    sources=(
        Source(
            "register maps of models 1, 701 to 713",
            "sunspec/models (as shipped by pysunspec2)",
            "Apache-2.0",
        ),
        Source("when reversion timers run and restart", "github.com/sunspec/models, thread 215", "facts only"),
        Source(
            "writes acknowledged and discarded, so read back and self-test",
            "public notes on a 7xx battery, balloobbot/franklinwh-modbus docs/FRANKLINWH_SUNSPEC_QUIRKS.md",
            "facts only",
        ),
        Source(
            "settle time and tolerance", "chosen here: 704 ramps of 10 % per second and slower are not covered", "own"
        ),
    ),
)
