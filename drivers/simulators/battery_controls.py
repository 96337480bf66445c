"""Settings and controls of the battery inverter: writable points of models 702, 703 and 704, their ranges, their wish.

Holds raw register numbers and turns them into a demand for the physics. Knows no addresses and no time.
"""

import math
from dataclasses import dataclass, field

from wattseal.certs.errors import MisuseError
from wattseal.drivers.simulators import enter_service
from wattseal.drivers.simulators.curves import Curves, Grid
from wattseal.drivers.simulators.physics import Demand

CAPACITY_UNIT = 10  # 702: watts, volt-amperes and vars have scale factor 1
PERCENT_UNITS = 100  # 704: percent has scale factor -2
PF_UNITS = 1000  # 702 and 704: power factor has scale factor -3
LONGEST_TIMER_SECONDS = 0xFFFF_FFFE
LOWEST_PF = 800
NOMINAL = Grid()
UNRAMPED_SHARE_PER_SECOND = 10.0  # WRmp 0: no ramp is set, and the power stage moves as fast as it can
LARGEST_RATING = 32_760  # 701.W is 16 bits of whole watts


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryRating:
    """The name plate. Watts, volt-amperes and vars in steps of 10; all positive."""

    watts: int = 10_000
    volt_amperes: int = 11_000
    vars: int = 6_000
    charge_watts: int = 8_000
    discharge_watts: int = 10_000

    def __post_init__(self) -> None:
        for rating in (self.watts, self.volt_amperes, self.vars, self.charge_watts, self.discharge_watts):
            if not 0 < rating <= LARGEST_RATING or rating % CAPACITY_UNIT:
                raise MisuseError("bad_rating", "Ratings are 10 to 32760 in steps of 10.")


def _initial(rating: BatteryRating) -> dict[str, int]:
    settings = {
        "WMax": rating.watts // CAPACITY_UNIT,
        "VAMax": rating.volt_amperes // CAPACITY_UNIT,
        "VarMaxInj": rating.vars // CAPACITY_UNIT,
        "VarMaxAbs": rating.vars // CAPACITY_UNIT,
        "WChaRteMax": rating.charge_watts // CAPACITY_UNIT,
        "WDisChaRteMax": rating.discharge_watts // CAPACITY_UNIT,
    }
    controls = dict.fromkeys(_ranges(rating), 0)
    whole = 100 * PERCENT_UNITS
    controls |= {"DA": 1, "WMaxLimPct": whole, "WMaxLimPctRvrt": whole, "WSetMod": 1, "VarSetMod": 4}
    controls |= {"WRmp": 20, "WRmpRef": 1, "VarRmp": 20, "AntiIslEna": 1}
    controls |= dict.fromkeys(("PFWInjPF", "PFWInjRvrtPF", "PFWAbsPF", "PFWAbsRvrtPF"), PF_UNITS)
    return controls | settings | enter_service.INITIAL


def _ranges(rating: BatteryRating) -> dict[str, tuple[int, int]]:
    """Lowest and highest raw number that each writable point takes; anything else is refused."""
    watts = (-rating.charge_watts, min(rating.watts, rating.discharge_watts))
    percent = (-100 * PERCENT_UNITS, 100 * PERCENT_UNITS)
    switch, timer, power_factor = (0, 1), (0, LONGEST_TIMER_SECONDS), (LOWEST_PF, PF_UNITS)
    ranges: dict[str, tuple[int, int]] = {"DA": (1, 1)}
    for name, most in (
        ("WMax", rating.watts),
        ("VAMax", rating.volt_amperes),
        ("VarMaxInj", rating.vars),
        ("VarMaxAbs", rating.vars),
        ("WChaRteMax", rating.charge_watts),
        ("WDisChaRteMax", rating.discharge_watts),
    ):
        ranges[name] = (1, most // CAPACITY_UNIT)
    for function in ("PFWInj", "PFWAbs", "WMaxLimPct", "WSet", "VarSet"):
        ranges |= {f"{function}Ena": switch, f"{function}EnaRvrt": switch, f"{function}RvrtTms": timer}
    for function in ("PFWInj", "PFWAbs"):
        ranges |= {f"{function}PF": power_factor, f"{function}RvrtPF": power_factor}
        ranges |= {f"{function}Ext": switch, f"{function}RvrtExt": switch}
    ranges |= dict.fromkeys(("WMaxLimPct", "WMaxLimPctRvrt"), (0, 100 * PERCENT_UNITS))
    ranges |= dict.fromkeys(("WSet", "WSetRvrt"), watts)
    ranges |= dict.fromkeys(("VarSet", "VarSetRvrt"), (-rating.vars, rating.vars))
    ranges |= dict.fromkeys(("WSetPct", "WSetPctRvrt", "VarSetPct", "VarSetPctRvrt"), percent)
    ranges |= {"WSetMod": (0, 1), "VarSetMod": (0, 4), "VarSetPri": (0, 1), "AntiIslEna": switch}
    ranges |= {"WRmp": (0, 1000), "WRmpRef": (1, 1), "VarRmp": (1, 1000)}  # ramps by amperes are not offered
    return ranges | enter_service.RANGES


@dataclass(slots=True)
class Controls:
    """Raw numbers of all writable points by name, those of the curves apart; `ranges` are of all."""

    rating: BatteryRating
    curves: Curves = field(default_factory=Curves)
    values: dict[str, int] = field(init=False)
    ranges: dict[str, tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.values = _initial(self.rating)
        self.ranges = _ranges(self.rating)
        for function in self.curves.functions.values():
            self.ranges |= function.shape.ranges()

    def takes(self, name: str, raw: int) -> bool:
        """Whether the device accepts this number for this point."""
        low, high = self.ranges[name]
        return low <= raw <= high

    def on(self, function: str) -> bool:
        """Whether a function of model 704, such as "WSet", is enabled."""
        return self.values[f"{function}Ena"] == 1

    def setting(self, name: str) -> float:
        """A setting of model 702 in watts, volt-amperes or vars."""
        return float(self.values[name] * CAPACITY_UNIT)

    def inject_limit_watts(self) -> float:
        """What WMaxLimPct leaves of WMax; all of it when the function is off."""
        most = self.setting("WMax")
        return most * self.values["WMaxLimPct"] / (100 * PERCENT_UNITS) if self.on("WMaxLimPct") else most

    def wished_watts(self, own_watts: float) -> float:
        """The set power, or the own mode's, before any limit. WSetPct is percent of WMax in both directions."""
        if not self.on("WSet"):
            return own_watts
        if self.values["WSetMod"] == 1:
            return float(self.values["WSet"])
        return self.setting("WMax") * self.values["WSetPct"] / (100 * PERCENT_UNITS)

    def throttles(self, own_watts: float) -> bool:
        """Whether WMaxLimPct holds the power below the wish."""
        return self.on("WMaxLimPct") and self.wished_watts(own_watts) > self.inject_limit_watts()

    def demand(self, own_watts: float, grid: Grid = NOMINAL) -> Demand:
        """What the physics shall do. Curves move the wish, limits narrow it; watts and vars share the VAMax circle."""
        charge = self.setting("WChaRteMax")
        discharge = min(self.setting("WDisChaRteMax"), self.setting("WMax"))
        wished = self.curves.watts(self.wished_watts(own_watts), grid, self.setting("WMax"))
        watts = min(max(wished, -charge), discharge, self.inject_limit_watts())
        wished_vars = self._wished_vars(watts, grid)
        vars_ = min(max(wished_vars, -self.setting("VarMaxAbs")), self.setting("VarMaxInj"))
        whole = self.setting("VAMax")
        if self.values["VarSetPri"] == 1 if self.on("VarSet") else self.curves.reactive_first:
            vars_ = _clip(vars_, whole)
            watts = _clip(watts, _other_leg(whole, vars_))
        else:
            watts = _clip(watts, whole)
            vars_ = _clip(vars_, _other_leg(whole, watts))
        return Demand(
            watts=watts,
            vars=vars_,
            charge_watts=charge,
            discharge_watts=discharge,
            watts_per_second=self.watts_per_second(),
            vars_per_second=self.setting("VarMaxInj") * self.values["VarRmp"] / 100.0,
        )

    def watts_per_second(self) -> float:
        """How fast active power may move: WRmp, percent of WMax."""
        share = self.values["WRmp"] / 100.0
        return self.setting("WMax") * (share or UNRAMPED_SHARE_PER_SECOND)

    def _wished_vars(self, watts: float, grid: Grid) -> float:
        """VarSet before the curves, these before the fixed power factors; the standard leaves the order open."""
        if self.on("VarSet"):
            return self._set_vars(watts)
        by_curve = self.curves.var_share(watts, grid, self.setting("WMax"))
        if by_curve is not None:
            share, reference = by_curve
            return share * self._var_base(reference, share, watts)
        function = "PFWInj" if watts >= 0.0 else "PFWAbs"
        if not self.on(function):
            return 0.0
        power_factor = self.values[f"{function}PF"] / PF_UNITS
        amount = abs(watts) * math.tan(math.acos(power_factor))
        return amount if self.values[f"{function}Ext"] == 0 else -amount  # over-excited injects vars

    def _set_vars(self, watts: float) -> float:
        mode, percent = self.values["VarSetMod"], self.values["VarSetPct"] / (100 * PERCENT_UNITS)
        if mode == 4:  # noqa: PLR2004 - vars
            return float(self.values["VarSet"])
        return percent * self._var_base(mode, percent, watts)

    def _var_base(self, reference: int, sign: float, watts: float) -> float:
        """What a percentage of vars is a part of: WMax, the largest vars that way, what is left of them, VAMax."""
        largest = self.setting("VarMaxInj" if sign >= 0.0 else "VarMaxAbs")
        available = min(largest, _other_leg(self.setting("VAMax"), watts))
        return (self.setting("WMax"), largest, available, self.setting("VAMax"))[reference]


def _other_leg(whole: float, leg: float) -> float:
    return math.sqrt(max(whole * whole - leg * leg, 0.0))


def _clip(value: float, most: float) -> float:
    return min(max(value, -most), most)
