"""Alfen Eve (NG9xx platform): an EV charger that obeys a current limit per phase for as long as it is renewed.

The limit is written to 1210 and holds for the charger's validity time (read at 1208); then the safe current (1212)
applies. Neither time nor safe current is ours to set. Power is consumption in the registers and negative inside.
"""

from typing import Final

from wattseal.drivers.device import OperatingState, Operation, Scope
from wattseal.drivers.profiles.declaration import (
    AmpsPerPhase,
    Capability,
    Command,
    FailSafe,
    FedBy,
    Fill,
    Form,
    Frame,
    IdentityMatch,
    Point,
    Profile,
    Rating,
    Register,
    RegisterWindow,
    Source,
    Storage,
    Tolerance,
    Transport,
    Write,
)

_ALL: Final = (Scope.FULL, Scope.METERING, Scope.CONTROL)
_METERED: Final = (Scope.FULL, Scope.METERING)
_STATION: Final = 200  # the unit that speaks for the whole charger; 1 and 2 are its sockets
_LEAST_DECIAMPS: Final = 60  # IEC 61851-1: below 6 A there is no charging
_MOST_DECIAMPS: Final = 320
_MOST_WATTS: Final = 100_000


def _text(name: str, address: int, registers: int) -> Point:
    return Point(name, Register(address, Form.TEXT, unit=_STATION, registers=registers), "")


def _float(name: str, address: int, unit: str, exponent: int, valid: tuple[int, int], *, sign: int = 1) -> Point:
    return Point(name, Register(address, Form.F32, exponent), unit, sign=sign, valid=valid)


_POINTS: Final = (
    _text("model", 100, 17),
    _text("maker", 117, 5),
    _text("firmware", 123, 17),
    _text("serial", 157, 11),
    _float("volts", 306, "V", -1, (0, 500)),
    _float("volts_l2", 308, "V", -1, (0, 500)),
    _float("volts_l3", 310, "V", -1, (0, 500)),
    _float("amps", 320, "A", -2, (-100, 100)),
    _float("amps_l2", 322, "A", -2, (-100, 100)),
    _float("amps_l3", 324, "A", -2, (-100, 100)),
    _float("watts", 344, "W", 0, (-_MOST_WATTS, _MOST_WATTS), sign=-1),
    Point("energy_absorbed_wh", Register(374, Form.F64), "Wh", valid=(0, 1 << 53), zero_asleep_suspect=True),
    Point("availability", Register(1200, Form.U16), ""),
    Point("mode_3_state", Register(1201, Form.TEXT, registers=5), ""),
    _float("applied_amps", 1206, "A", -1, (0, 100)),
    Point("validity_left", Register(1208, Form.U32), "s"),
    Point(
        "limit_amps",
        Register(1210, Form.F32, exponent=-1),
        "A",
        valid=(0, 100),
        storage=Storage.VOLATILE,
    ),
    _float("safe_amps", 1212, "A", -1, (0, 100)),
    Point("limit_accounted", Register(1214, Form.U16), ""),
    Point("phases", Register(1215, Form.U16), "", storage=Storage.UNKNOWN),
)

_LIMIT: Final = Write("limit_amps", Fill.SETPOINT)

ALFEN_EVE: Final = Profile(
    name="alfen_eve",
    revision=1,
    title="Alfen Eve (NG9xx) charger socket",
    transport=Transport(
        port=502,
        unit=1,
        deadline_ms=3000,
        connect_delay_ms=0,
        gap_ms=0,
        write_interval_ms=0,
        single_client=False,
    ),
    identity=IdentityMatch(makers=("Alfen",), models=()),
    # Registers between the known points are not read: a device may refuse a run for one of them.
    identity_windows=(
        RegisterWindow(100, 22, _ALL, _STATION),
        RegisterWindow(123, 17, _ALL, _STATION),
        RegisterWindow(157, 11, _ALL, _STATION),
    ),
    rating_windows=(RegisterWindow(1200, 16, _ALL),),
    windows=(
        RegisterWindow(1200, 16, _ALL),
        RegisterWindow(344, 2, _ALL),
        RegisterWindow(374, 4, _METERED),
        RegisterWindow(306, 6, _METERED),
        RegisterWindow(320, 6, _METERED),
    ),
    points=_POINTS,
    # The state says what the car does, as in IEC 61851-1: A no car, B connected, C and D charging, E and F faults.
    states=(
        ("A", OperatingState.STANDBY),
        ("B", OperatingState.STANDBY),
        ("C", OperatingState.RUNNING),
        ("D", OperatingState.RUNNING),
        ("E", OperatingState.FAULT),
        ("F", OperatingState.FAULT),
    ),
    state_point="mode_3_state",
    ratings=(
        Rating("phases", ("phases",), allowed=(1, 3)),
        Rating("safe_deciamps", ("safe_amps",), exponent=-1),
    ),
    inject_ratings=(),
    absorb_ratings=(),
    storage_rating="",
    commands=(
        Command(
            operation=Operation.LIMIT_ABSORB,
            # Three phases are assumed while it does not say: the smaller current, so the safe side.
            conversion=AmpsPerPhase(
                nominal_volts=230,
                phases_rating="phases",
                phases_default=3,
                least_deciamps=_LEAST_DECIAMPS,
                most_deciamps=_MOST_DECIAMPS,
            ),
            frames=(Frame("current limit", (_LIMIT,)),),
            heartbeat=(Frame("renew the current limit", (_LIMIT,)),),
            # There is no "no limit". The safe current is what the charger falls back to by itself; 6 A while unknown.
            release=(Frame("safe current", (Write("limit_amps", Fill.RATING, _LEAST_DECIAMPS, "safe_deciamps"),)),),
            setpoint="limit_amps",
            in_force=(),
            timer_remaining="validity_left",
            # Grid voltage may lie 10 % above nominal (EN 50160), and so may power at a given current.
            tolerance=Tolerance(watts=100, permille=100, settle_seconds=15),
        ),
    ),
    fail_safe=FailSafe(
        timer="",
        unit="s",
        least_seconds=None,
        most_seconds=None,
        renew_seconds=25,
        fed_by=FedBy.ONE_REGISTER,
        fallback="the safe current (1212), set in the charger, applies to each phase",
    ),
    capabilities=(
        Capability("limit_absorb", self_test=True),
        Capability("validity_time", self_test=True),
    ),
    sources=(
        Source("register map, validity time and safe current", "evcc charger/alfen.go", "facts only"),
        Source("register map, second source", "alfen-eve-modbus-tcp", "MIT"),
        Source("least current", "IEC 61851-1", "facts only"),
        Source("voltage tolerance", "EN 50160", "facts only"),
    ),
)
