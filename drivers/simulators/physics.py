"""Physics of a battery behind an inverter: power follows its target by ramps, energy is counted, charge is kept.

Pure: a state, a demand and seconds give the next state. Time is cut where the straight lines bend (target reached, zero
crossed, floor, taper or full reached), so that counters are the exact integral of the power, in steps of any length.
Signs: watts positive = discharge into the site; vars positive = injected. Knows no registers.
"""

import math
from dataclasses import dataclass, replace

SECONDS_PER_HOUR = 3600.0
TAPER_STEP_SECONDS = 1.0
NEAR_WH = 1e-9
NEVER = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryBody:
    """The cells. Charging stores `charge_efficiency` of the energy; discharging takes 1/`discharge_efficiency` of it.

    Below `floor_percent` nothing is discharged. Above `taper_percent` the charge power falls in a straight line to
    `taper_end_share` of its limit at 100 %, where charging stops.
    """

    capacity_wh: float
    charge_efficiency: float = 0.96
    discharge_efficiency: float = 0.95
    floor_percent: float = 5.0
    taper_percent: float = 90.0
    taper_end_share: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryState:
    """Power now, energy stored, and four counters that only rise."""

    watts: float = 0.0
    vars: float = 0.0
    stored_wh: float
    injected_wh: float = 0.0
    absorbed_wh: float = 0.0
    injected_varh: float = 0.0
    absorbed_varh: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Where the power shall go, the limits of each direction (both positive), and how fast it may move."""

    watts: float
    vars: float
    charge_watts: float
    discharge_watts: float
    watts_per_second: float
    vars_per_second: float


def charge_limit(body: BatteryBody, stored_wh: float, watts: float) -> float:
    """What is left of a charge limit of `watts` at this state of charge."""
    if stored_wh >= body.capacity_wh - NEAR_WH:
        return 0.0
    percent = 100.0 * stored_wh / body.capacity_wh
    if percent <= body.taper_percent:
        return watts
    done = (percent - body.taper_percent) / (100.0 - body.taper_percent)
    return watts * (1.0 - done * (1.0 - body.taper_end_share))


def discharge_limit(body: BatteryBody, stored_wh: float, watts: float) -> float:
    """What is left of a discharge limit of `watts`: all of it above the floor, else nothing."""
    return watts if stored_wh > body.capacity_wh * body.floor_percent / 100.0 + NEAR_WH else 0.0


def advance(body: BatteryBody, state: BatteryState, demand: Demand, seconds: float) -> BatteryState:
    """The state `seconds` later, under a demand that does not change meanwhile."""
    left = seconds
    while left > 0.0:
        state, spent = _piece(body, state, demand, left)
        left -= spent
    return state


def reachable_watts(body: BatteryBody, state: BatteryState, demand: Demand) -> float:
    """The demand's watts, as far as the cells allow them now."""
    charge = charge_limit(body, state.stored_wh, demand.charge_watts)
    discharge = discharge_limit(body, state.stored_wh, demand.discharge_watts)
    return min(max(demand.watts, -charge), discharge)


def within_limits(body: BatteryBody, state: BatteryState, demand: Demand) -> BatteryState:
    """The state with power cut at once to what the cells allow (a hard limit knows no ramp)."""
    charge = charge_limit(body, state.stored_wh, demand.charge_watts)
    discharge = discharge_limit(body, state.stored_wh, demand.discharge_watts)
    return replace(state, watts=min(max(state.watts, -charge), discharge))


def _piece(body: BatteryBody, state: BatteryState, demand: Demand, longest: float) -> tuple[BatteryState, float]:
    """One stretch in which power runs along a straight line and the limits hold still; and its seconds."""
    state = within_limits(body, state, demand)
    charge = charge_limit(body, state.stored_wh, demand.charge_watts)
    watts = _Line.towards(state.watts, reachable_watts(body, state, demand), demand.watts_per_second)
    vars_ = _Line.towards(state.vars, demand.vars, demand.vars_per_second)
    seconds = min(longest, watts.seconds, vars_.seconds)
    if charge < demand.charge_watts and min(watts.start, watts.end) < 0.0:
        seconds = min(seconds, TAPER_STEP_SECONDS)
    bound_wh, bound_seconds = _next_bound(body, state.stored_wh, watts)
    at_bound = bound_seconds <= seconds
    seconds = min(seconds, bound_seconds)
    next_watts, next_vars = watts.at(seconds), vars_.at(seconds)
    injected, absorbed = _split(0.5 * (watts.start + next_watts) * seconds / SECONDS_PER_HOUR)
    injected_varh, absorbed_varh = _split(0.5 * (vars_.start + next_vars) * seconds / SECONDS_PER_HOUR)
    stored = state.stored_wh + absorbed * body.charge_efficiency - injected / body.discharge_efficiency
    after = BatteryState(
        watts=next_watts,
        vars=next_vars,
        stored_wh=bound_wh if at_bound else stored,
        injected_wh=state.injected_wh + injected,
        absorbed_wh=state.absorbed_wh + absorbed,
        injected_varh=state.injected_varh + injected_varh,
        absorbed_varh=state.absorbed_varh + absorbed_varh,
    )
    return after, seconds


@dataclass(frozen=True, slots=True)
class _Line:
    """A quantity on its way from `start` to `end`, where it arrives after `seconds` (NEVER: it is there already)."""

    start: float
    end: float
    slope: float
    seconds: float

    @classmethod
    def towards(cls, start: float, target: float, per_second: float) -> "_Line":
        """The way to the target, but only up to zero when it lies on the other side."""
        end = 0.0 if start * target < 0.0 else target
        if start == end:
            return cls(start, end, 0.0, NEVER)
        return cls(start, end, math.copysign(per_second, end - start), abs(end - start) / per_second)

    def at(self, seconds: float) -> float:
        return self.end if seconds >= self.seconds else self.start + self.slope * seconds


def _next_bound(body: BatteryBody, stored_wh: float, watts: _Line) -> tuple[float, float]:
    """The next stored energy at which a limit changes, and the seconds until then (NEVER: not on this line)."""
    floor = body.capacity_wh * body.floor_percent / 100.0
    taper = body.capacity_wh * body.taper_percent / 100.0
    if max(watts.start, watts.end) > 0.0:
        gap_wh = stored_wh - floor
        return floor, _seconds_for(gap_wh * body.discharge_efficiency, abs(watts.start), watts.slope)
    if min(watts.start, watts.end) < 0.0:
        bound = taper if stored_wh < taper - NEAR_WH else body.capacity_wh
        return bound, _seconds_for((bound - stored_wh) / body.charge_efficiency, abs(watts.start), -watts.slope)
    return stored_wh, NEVER


def _seconds_for(energy_wh: float, power: float, slope: float) -> float:
    """Seconds until power + slope * t has moved `energy_wh`; the root that stays exact for a small slope."""
    watt_seconds = energy_wh * SECONDS_PER_HOUR
    root = power * power + 2.0 * slope * watt_seconds
    if root < 0.0:
        return NEVER
    below = power + math.sqrt(root)
    return 2.0 * watt_seconds / below if below > 0.0 else NEVER


def _split(energy: float) -> tuple[float, float]:
    """Signed energy as (injected, absorbed), both positive."""
    return max(energy, 0.0), max(-energy, 0.0)
