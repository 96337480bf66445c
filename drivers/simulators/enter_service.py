"""Entering service (SunSpec model 703): when the inverter may energize, how long it waits, how it comes back. Pure.

Theory of operation. `allowed` = ES is 1, the grid is there, nothing is at fault or tripped. `calm` = voltage and
frequency lie within ESVLo..ESVHi and ESHzLo..ESHzHi. The window guards the way in only; what throws a device out is the
business of the trip curves.

    state    | not allowed | allowed, not calm | allowed, calm          | the time is over
    ---------+-------------+-------------------+------------------------+-------------------------
    ceased   | -           | -                 | waiting, full delay    | cannot be
    waiting  | ceased      | ceased            | -                      | serving, ramp begins
    serving  | ceased      | -                 | -                      | cannot be

The full delay is ESDlyTms and a part of ESRndTms that is drawn anew for each wait. ESDlyRemTms counts the delay down;
while the device is ceased it shows 0. During ESRmpTms after the entry active power rises no faster than WMax over
ESRmpTms, or by WRmp where that is slower. A new number in ESDlyTms or ESRndTms counts from the next wait on.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

CLOCK_GRAIN_SECONDS = 1e-6
PERCENT_UNITS = 100  # 703.V_SF -2
HERTZ_UNITS = 1000  # 703.Hz_SF -3
NOMINAL_VOLTS = 230.0
SCALES_703 = {"V_SF": -2, "Hz_SF": -3}
INITIAL = {
    "ES": 1,
    "ESVHi": 110 * PERCENT_UNITS,
    "ESVLo": 85 * PERCENT_UNITS,
    "ESHzHi": 50_200,
    "ESHzLo": 49_500,
    "ESDlyTms": 10,
    "ESRndTms": 0,
    "ESRmpTms": 0,
}
RANGES = {
    "ES": (0, 1),
    "ESVHi": (100 * PERCENT_UNITS, 120 * PERCENT_UNITS),
    "ESVLo": (50 * PERCENT_UNITS, 100 * PERCENT_UNITS),
    "ESHzHi": (50_000, 55_000),
    "ESHzLo": (45_000, 50_000),
    "ESDlyTms": (0, 1000),
    "ESRndTms": (0, 1000),
    "ESRmpTms": (0, 1000),
}


class Standing(StrEnum):
    """Where the device is on its way into service."""

    CEASED = "ceased"
    WAITING = "waiting"
    SERVING = "serving"


@dataclass(slots=True)
class EnterService:
    """The way into service. `since` is when the standing began, `until` when the wait ends (infinite: no wait)."""

    since: float
    standing: Standing = Standing.SERVING
    until: float = math.inf
    waits: int = 0
    ramped: bool = False  # a device that is born in service has nothing to ramp

    def judge(self, values: dict[str, int], now: float, *, allowed: bool, calm: bool, draw: float) -> None:
        """One step of the table at `now`. `draw` in [0, 1) is this wait's part of ESRndTms."""
        if not allowed or (self.standing is Standing.WAITING and not calm):
            self._go(Standing.CEASED, now)
        elif self.standing is Standing.CEASED and calm:
            self._go(Standing.WAITING, now)
            self.waits += 1
            self.until = now + values["ESDlyTms"] + draw * values["ESRndTms"]
        if self.standing is Standing.WAITING and self.until <= now + CLOCK_GRAIN_SECONDS:
            self._go(Standing.SERVING, now)
            self.ramped = True

    def next_event(self, values: dict[str, int], now: float) -> float:
        """When the wait or the ramp ends (infinite: neither runs)."""
        ramp_end = self.since + values["ESRmpTms"] if self._ramps(values, now) else math.inf
        return min(self.until, ramp_end)

    def watts_per_second(self, values: dict[str, int], now: float, normal: float, w_max: float) -> float:
        """How fast active power may move."""
        return min(normal, w_max / values["ESRmpTms"]) if self._ramps(values, now) else normal

    def remaining(self, now: float) -> int:
        """ESDlyRemTms: whole seconds left of the wait, rounded up."""
        return 0 if math.isinf(self.until) else max(0, math.ceil(self.until - now - CLOCK_GRAIN_SECONDS))

    def _ramps(self, values: dict[str, int], now: float) -> bool:
        serving = self.standing is Standing.SERVING and self.ramped
        return serving and now + CLOCK_GRAIN_SECONDS < self.since + values["ESRmpTms"]

    def _go(self, standing: Standing, now: float) -> None:
        if standing is not self.standing:
            self.standing, self.since, self.until = standing, now, math.inf


def calm(values: dict[str, int], volts_percent: float, frequency_hz: float) -> bool:
    """Whether voltage (of nominal) and frequency allow entering service."""
    percent, hertz = volts_percent * PERCENT_UNITS, frequency_hz * HERTZ_UNITS
    return values["ESVLo"] <= percent <= values["ESVHi"] and values["ESHzLo"] <= hertz <= values["ESHzHi"]
