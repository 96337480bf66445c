"""Must-trip curves (SunSpec models 707 to 710): how long voltage or frequency may lie outside until service ends. Pure.

Each point is (threshold, time). At a voltage below some thresholds of the low curve the shortest of their times counts,
and so on the other sides (IEEE 1547-2018, clauses 6.4.1 and 6.5.1). The time counts from when the first threshold was
passed, and anew after everything was inside again. A trip holds until everything is inside; the way back is that of
model 703. May-trip and momentary-cessation curves are stored and not played: they allow, they do not demand.
"""

import math
from dataclasses import dataclass, field

from wattseal.drivers.simulators.adoption import CurveFunction
from wattseal.drivers.simulators.curves import Curves, Grid

LOW_VOLTS, HIGH_VOLTS, LOW_HERTZ, HIGH_HERTZ = 707, 708, 709, 710
CLOCK_GRAIN_SECONDS = 1e-6


@dataclass(slots=True)
class Trips:
    """Since when each curve is violated (monotonic seconds), by model; and those that have tripped."""

    since: dict[int, float] = field(default_factory=dict)
    tripped: set[int] = field(default_factory=set)

    def judge(self, curves: Curves, grid: Grid, now: float) -> None:
        """Follow the grid to `now`."""
        for model in (LOW_VOLTS, HIGH_VOLTS, LOW_HERTZ, HIGH_HERTZ):
            limit = _limit_seconds(curves.functions[model], grid)
            if math.isinf(limit):
                self.since.pop(model, None)
                self.tripped.discard(model)
            elif self.since.setdefault(model, now) + limit <= now + CLOCK_GRAIN_SECONDS:
                self.tripped.add(model)

    def next_event(self, curves: Curves, grid: Grid) -> float:
        """When the next curve trips if the grid stays as it is."""
        waiting = set(self.since) - self.tripped
        return min((self.since[m] + _limit_seconds(curves.functions[m], grid) for m in waiting), default=math.inf)


def _limit_seconds(function: CurveFunction, grid: Grid) -> float:
    """How long the device may stay in service at this voltage or frequency (infinite: as long as it likes)."""
    if not function.on:
        return math.inf
    model = function.shape.model
    value = grid.volts_percent * 100.0 if model in {LOW_VOLTS, HIGH_VOLTS} else grid.frequency_hz * 1000.0
    low = model in {LOW_VOLTS, LOW_HERTZ}
    passed = [time for limit, time in function.points("MustTrip.") if (value <= limit if low else value >= limit)]
    scale = dict(function.shape.scales)["Tms_SF"]
    return min(passed, default=math.inf) * math.pow(10.0, scale)
