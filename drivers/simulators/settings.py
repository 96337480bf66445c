"""What may be set at the control door of each device, typed and checked before anything changes."""

import math
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.drivers.simulators.battery_points import Surroundings

_Set = TypeVar("_Set", bound=msgspec.Struct)
_Value = TypeVar("_Value")
LARGEST_OWN_WATTS = 600_000.0
LONGEST_ADOPTION_SECONDS = 3_600.0
ALL_ALARMS = (1 << 17) - 1  # 701.Alrm names bits 0 to 16


class BatterySet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Anything left out stays as it is.

    `own_watts` replaces the own mode by a constant power (positive = discharge). `points` writes raw numbers to
    writable points by name (`WSet`, `705.Crv.2.ActPt`), as another tool would have done, and without a line in the
    write log. `adopt_seconds` is how long the adoption of a curve takes from now on. `alarms` are bits of 701.Alrm that
    are raised from now on, beside those that the device raises by itself (0: no others).
    """

    soc_percent: float | None = None
    own_watts: float | None = None
    grid_connected: bool | None = None
    device_fault: bool | None = None
    volts: float | None = None
    frequency_hz: float | None = None
    ambient_celsius: float | None = None
    adopt_seconds: float | None = None
    alarms: int | None = None
    points: dict[str, int] = {}

    def applied_to(self, around: Surroundings) -> Surroundings:
        """The surroundings with every field that is named here."""
        return Surroundings(
            grid_connected=_or(self.grid_connected, around.grid_connected),
            device_fault=_or(self.device_fault, around.device_fault),
            volts=_or(self.volts, around.volts),
            frequency_hz=_or(self.frequency_hz, around.frequency_hz),
            ambient_celsius=_or(self.ambient_celsius, around.ambient_celsius),
            alarms=_or(self.alarms, around.alarms),
        )


def parse_set(values: Mapping[str, object], ranges: Mapping[str, tuple[int, int]]) -> BatterySet:
    """Raises MisuseError `bad_set`."""
    wish = typed(values, BatterySet)
    within("soc_percent", wish.soc_percent, 0.0, 100.0)
    within("own_watts", wish.own_watts, -LARGEST_OWN_WATTS, LARGEST_OWN_WATTS)
    within("volts", wish.volts, 1.0, 1_000.0)
    within("frequency_hz", wish.frequency_hz, 1.0, 100.0)
    within("adopt_seconds", wish.adopt_seconds, 0.0, LONGEST_ADOPTION_SECONDS)
    within("ambient_celsius", wish.ambient_celsius, -60.0, 90.0)
    within("alarms", wish.alarms, 0, ALL_ALARMS)
    for name, raw in wish.points.items():
        if name not in ranges:
            raise MisuseError("bad_set", f"{name!r} is no writable point of this device.")
        within(name, raw, *ranges[name])
    return wish


def typed(values: Mapping[str, object], shape: type[_Set]) -> _Set:
    """`values` as the struct `shape`. Raises MisuseError `bad_set`."""
    try:
        return msgspec.convert(dict(values), type=shape, strict=True)
    except msgspec.ValidationError as error:
        raise MisuseError("bad_set", f"{error}.") from error


def within(name: str, value: float | None, low: float, high: float, reason: str = "bad_set") -> None:
    """Refuse a number outside [low, high], NaN and infinity. Raises MisuseError `reason`."""
    if value is not None and not (math.isfinite(value) and low <= value <= high):
        raise MisuseError(reason, f"{name} must be {low:g} to {high:g}.")


def _or(wished: _Value | None, present: _Value) -> _Value:
    return present if wished is None else wished
