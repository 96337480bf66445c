"""What a device says of itself in a sealed reading, into the states that a 2030.5 server is told. Pure.

Only what was read is told: a state without a number, or a code that nobody knows, leaves the fields unknown. Nothing
sealed tells who controls a device locally, nor whether it is in test; these stay unknown.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from wattseal.drivers.operating_state import STATE_NUMBERS, OperatingState
from wattseal.protocols.ieee2030_5.vocabulary import Alarm, InverterState, OperationalMode

Told: TypeAlias = dict[str, object]
"""Fields of `Measured` by name."""

_STATES: Final[Mapping[int, OperatingState]] = {number: state for state, number in STATE_NUMBERS.items()}
_INVERTER: Final[Mapping[OperatingState, InverterState]] = {
    OperatingState.OFF: InverterState.OFF,
    OperatingState.SLEEPING: InverterState.SLEEPING,
    OperatingState.STARTING: InverterState.STARTING,
    OperatingState.RUNNING: InverterState.TRACKING_MPPT,  # the one value for a device that runs unreduced
    OperatingState.THROTTLED: InverterState.FORCED_REDUCTION,
    OperatingState.SHUTTING_DOWN: InverterState.SHUTTING_DOWN,
    OperatingState.FAULT: InverterState.FAULT,
    OperatingState.STANDBY: InverterState.STANDBY,
}
_WORKING: Final = frozenset({OperatingState.RUNNING, OperatingState.THROTTLED})
_READY: Final = _WORKING | {OperatingState.STANDBY}
_DEAD: Final = frozenset({OperatingState.OFF, OperatingState.FAULT})
_ALARMS: Final[Mapping[int, Alarm]] = {
    1 << 6: Alarm.EMERGENCY_LOCAL,  # MANUAL_SHUTDOWN
    1 << 8: Alarm.OVER_FREQUENCY,
    1 << 9: Alarm.UNDER_FREQUENCY,
    1 << 10: Alarm.OVER_VOLTAGE,
    1 << 11: Alarm.UNDER_VOLTAGE,
}
"""Bits of SunSpec 701.Alrm that have a bit of their own in alarmStatus. The others have none: manufacturerStatus tells
all bits of 701.Alrm in hexadecimal then."""
_MODE_3_FAULTS: Final = frozenset({4, 5})  # E and F
_NO_CAR: Final = 0  # A


def states_of(codes: Mapping[str, int]) -> Told:
    """`codes`: those of one reading that are good, by the quantity's name."""
    told: Told = {}
    makers: Mapping[str, Callable[[int], Told]] = {
        "connection_state": _connection,
        "mode_3_state": _plug,
        "alarms": _alarms,
    }
    for name, make in makers.items():
        if name in codes:
            told |= make(codes[name])
    state = _STATES.get(codes.get("operating_state", -1))
    return told if state is None else told | _operating(state, told, inverter="mode_3_state" not in codes)


def _connection(code: int) -> Told:
    """701.ConnSt."""
    return {"connected": code == 1} if code in {0, 1} else {}


def _plug(code: int) -> Told:
    """IEC 61851-1: without a car nothing that stores is connected; of E and F nobody can tell."""
    return {} if code in _MODE_3_FAULTS else {"connected": code != _NO_CAR}


def _alarms(bits: int) -> Told:
    alarms = sum(int(alarm) for bit, alarm in _ALARMS.items() if bits & bit)
    placeless = bits & ~sum(_ALARMS)
    return {"alarms": alarms} | ({"maker_status": f"{bits:06X}"} if placeless else {})


def _operating(state: OperatingState, told: Told, *, inverter: bool) -> Told:
    """A charger has no inverter to speak of. Behind an open relay nothing is energized; whether a device that starts,
    sleeps or stands by is, cannot be told.
    """
    apart = told.get("connected") is False
    found: Told = {
        "available": state in _READY and not apart,
        "operating": state in _WORKING,
        "fault": state is OperatingState.FAULT,
    }
    if inverter:
        found["inverter"] = _INVERTER[state]
        if apart or state in _DEAD:
            found["energized"] = False
        elif state in _WORKING:
            found["energized"] = True
    if state is OperatingState.OFF:
        found["operational_mode"] = OperationalMode.OFF
    return found
