"""What a device says of itself beside its measurements, in words that all profiles share: its state and its alarms.

Readings tell both as numbers, which are fixed here. Knows no register and no utility.
"""

from collections.abc import Mapping
from enum import IntFlag, StrEnum
from typing import Final


class OperatingState(StrEnum):
    """What the device says it is doing."""

    OFF = "off"
    SLEEPING = "sleeping"
    STANDBY = "standby"
    STARTING = "starting"
    RUNNING = "running"
    THROTTLED = "throttled"
    SHUTTING_DOWN = "shutting_down"
    FAULT = "fault"
    UNKNOWN = "unknown"


OPERATING_CODES: Final[Mapping[OperatingState, int]] = {
    OperatingState.OFF: 1,
    OperatingState.SLEEPING: 2,
    OperatingState.STARTING: 3,
    OperatingState.RUNNING: 4,
    OperatingState.THROTTLED: 5,
    OperatingState.SHUTTING_DOWN: 6,
    OperatingState.FAULT: 7,
    OperatingState.STANDBY: 8,
}
"""The numbers by which readings tell an operating state; one that is not known is not told."""


class Alarm(IntFlag):
    """What a device warns of, in words that all profiles share."""

    OVER_VOLTAGE = 1 << 0
    UNDER_VOLTAGE = 1 << 1
    OVER_FREQUENCY = 1 << 2
    UNDER_FREQUENCY = 1 << 3
