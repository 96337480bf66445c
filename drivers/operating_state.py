"""What a device says it is doing, and the number by which a sealed reading tells it. Knows no register."""

from collections.abc import Mapping
from enum import StrEnum
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


OPERATING_STATE: Final = "operating_state"
"""The point by which a picture tells the operating state as a number."""
STATE_NUMBERS: Final[Mapping[OperatingState, int]] = {
    OperatingState.OFF: 0,
    OperatingState.SLEEPING: 1,
    OperatingState.STARTING: 2,
    OperatingState.RUNNING: 3,
    OperatingState.THROTTLED: 4,
    OperatingState.SHUTTING_DOWN: 5,
    OperatingState.FAULT: 6,
    OperatingState.STANDBY: 7,
}
"""The states as SunSpec 701.InvSt numbers them, whatever device told them. An unknown state has no number."""
