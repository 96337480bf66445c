"""All models of curves together: where a write goes, when something ends, and what the active curves make of the grid.

Physics, by the public meaning of each model (IEEE 1547-2018, clauses 5.3.3, 5.3.4, 5.4.2, 6.5.2.7): between two points
a curve is a straight line, beyond its ends it stays level. Volt-watt caps active power, frequency droop moves it from
where it would be, volt-var and watt-var set vars. Open loop response times are stored and not played: power moves by
WRmp and VarRmp. Percent are of nominal voltage, of WMax, or of what DeptRef names.

With VRefAutoEna the reference voltage of volt-var follows the measured one with the time constant VRefAutoTms, counted
in whole seconds (IEEE 1547-2018, clause 5.3.3); it starts at VRef.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from wattseal.drivers.simulators.adoption import CurveFunction, Mishap
from wattseal.drivers.simulators.curve_layout import CurveShape, shapes

VOLT_VAR, VOLT_WATT, FREQ_DROOP, WATT_VAR = 705, 706, 711, 712
NOMINAL_HERTZ = 50.0
REACTIVE_FIRST = 1


@dataclass(frozen=True, slots=True)
class Grid:
    """What the curves go by: voltage in percent of nominal, and frequency."""

    volts_percent: float = 100.0
    frequency_hz: float = NOMINAL_HERTZ


def functions_of(models: Iterable[CurveShape]) -> dict[int, CurveFunction]:
    """A function for each model, by its number, as delivered."""
    return {shape.model: CurveFunction(shape) for shape in models}


@dataclass(slots=True)
class Curves:
    """The models 705 to 712 by number."""

    functions: dict[int, CurveFunction] = field(default_factory=lambda: functions_of(shapes()))
    reference_percent: float = 100.0
    followed_until: int = 0

    def write(
        self, wanted: Mapping[str, int], now: float, seconds: float, mishap: Callable[[int], Mishap | None]
    ) -> None:
        """Raw numbers by full name; `mishap` tells what befalls an adoption in a model."""
        for model, function in self.functions.items():
            mine = {name: raw for name, raw in wanted.items() if name.startswith(f"{model}.")}
            if mine:
                function.write(mine, now, seconds, mishap(model) if function.requests(mine) else None)

    def expire(self, now: float) -> None:
        """Let end what is over."""
        for function in self.functions.values():
            function.expire(now)

    def next_event(self) -> float:
        """When `expire` has something to do."""
        return min(function.next_event() for function in self.functions.values())

    def shown(self, model: int, now: float) -> dict[str, int]:
        """The values of a model's registers."""
        function = self.functions[model]
        extra = {function.shape.name("RvrtRem"): function.remaining(now)} if function.shape.reverts else {}
        if model == VOLT_VAR:
            extra[function.shape.in_set(1, "VRefAuto")] = round(self.reference_percent * 100.0)
        return function.values | extra

    @property
    def follows(self) -> bool:
        """Whether volt-var's reference voltage moves by itself."""
        function = self.functions[VOLT_VAR]
        return function.on and function.active("VRefAutoEna") == 1 and function.active("VRefAutoTms") > 0

    def follow(self, grid: Grid, now: float) -> None:
        """Let the whole seconds pass that have passed since the last call; the grid was the same meanwhile."""
        seconds, self.followed_until = math.floor(now) - self.followed_until, math.floor(now)
        if not self.follows:
            self.reference_percent = self.functions[VOLT_VAR].active("VRef") / 100.0
            return
        share = math.exp(-seconds / self.functions[VOLT_VAR].active("VRefAutoTms"))
        self.reference_percent = grid.volts_percent + (self.reference_percent - grid.volts_percent) * share

    def watts(self, watts: float, grid: Grid, w_max: float) -> float:
        """What droop and volt-watt make of the watts wished."""
        droop, cap = self.functions[FREQ_DROOP], self.functions[VOLT_WATT]
        if droop.on:
            watts = _drooped(droop, watts, grid.frequency_hz, w_max)
        if cap.on:
            share = interpolated(cap.points(), grid.volts_percent * 10.0) / 1_000.0
            watts = min(watts, share * w_max)
        return watts

    def var_share(self, watts: float, grid: Grid, w_max: float) -> tuple[float, int] | None:
        """(signed share, 1 for all; DeptRef) of the vars by curve; None while no curve sets them.

        Volt-var comes before watt-var; the models leave the order open.
        """
        volt_var, watt_var = self.functions[VOLT_VAR], self.functions[WATT_VAR]
        if volt_var.on:
            shifted = (grid.volts_percent - self.reference_percent + 100.0) * 100.0
            return interpolated(volt_var.points(), shifted) / 10_000.0, volt_var.active("DeptRef")
        if watt_var.on:
            return interpolated(watt_var.points(), 10_000.0 * watts / w_max) / 10_000.0, watt_var.active("DeptRef")
        return None

    @property
    def reactive_first(self) -> bool:
        """Whether the curve that sets the vars puts them before watts."""
        function = self.functions[VOLT_VAR] if self.functions[VOLT_VAR].on else self.functions[WATT_VAR]
        return function.on and function.active("Pri") == REACTIVE_FIRST


def interpolated(points: tuple[tuple[int, int], ...], x: float) -> float:
    """The curve's value at `x`; where two points share an x, the later one counts from there on."""
    if not points:
        return 0.0
    before = [point for point in points if point[0] <= x]
    behind = [point for point in points if point[0] > x]
    if not before:
        return float(points[0][1])
    if not behind:
        return float(points[-1][1])
    (x0, y0), (x1, y1) = before[-1], behind[0]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def _drooped(droop: CurveFunction, watts: float, frequency_hz: float, w_max: float) -> float:
    """Past the dead band, one droop of nominal frequency is the whole of WMax."""
    over = frequency_hz - NOMINAL_HERTZ - droop.active("DbOf") / 1000.0
    under = NOMINAL_HERTZ - droop.active("DbUf") / 1000.0 - frequency_hz
    if over > 0.0:
        floor = min(watts, w_max * droop.active("PMin") / 100.0)
        return max(watts - w_max * over / (NOMINAL_HERTZ * droop.active("KOf") / 1000.0), floor)
    if under > 0.0:
        return watts + w_max * under / (NOMINAL_HERTZ * droop.active("KUf") / 1000.0)
    return watts
