"""Reversion timers of SunSpec model 704: what a function falls back to when nobody renews it. Pure.

Theory of operation. Each function X has an enable (XEna), setpoints, a time (XRvrtTms, whole seconds, 0 = no timer) and
fallback values (XEnaRvrt and one ...Rvrt per setpoint).

    event                                        | timer
    ---------------------------------------------+-----------------------------------------------------
    any point of X written, then XEna=1, Tms>0   | (re)starts from the full XRvrtTms
    any point of X written, then XEna=0 or Tms=0 | stops; XRvrtRem reads 0
    points of other functions written            | runs on
    time over                                    | XEna <- XEnaRvrt, setpoints <- Rvrt, stops; Rem reads 0

So the timer never runs while XEna is 0, and a function that stays enabled after expiry holds its fallback without a
timer until it is written again. Modes (WSetMod, VarSetMod, VarSetPri) belong to their function but have no fallback.
"""

import math
from dataclasses import dataclass, field

ENABLED = 1
CLOCK_GRAIN_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class ReversibleFunction:
    """One function of model 704, its (setpoint, fallback) pairs and its modes."""

    name: str
    setpoints: tuple[tuple[str, str], ...]
    modes: tuple[str, ...] = ()

    @property
    def enable(self) -> str:
        """Point that switches the function on."""
        return f"{self.name}Ena"

    @property
    def enable_fallback(self) -> str:
        """Point that holds what the switch becomes at expiry."""
        return f"{self.name}EnaRvrt"

    @property
    def seconds(self) -> str:
        """Point that holds the full time."""
        return f"{self.name}RvrtTms"

    @property
    def remaining(self) -> str:
        """Read-only point that counts down."""
        return f"{self.name}RvrtRem"

    @property
    def writable(self) -> frozenset[str]:
        """Every point whose writing counts as a write of this function."""
        pairs = [name for pair in self.setpoints for name in pair]
        return frozenset((self.enable, self.enable_fallback, self.seconds, *self.modes, *pairs))


FUNCTIONS = (
    ReversibleFunction("PFWInj", (("PFWInjPF", "PFWInjRvrtPF"), ("PFWInjExt", "PFWInjRvrtExt"))),
    ReversibleFunction("PFWAbs", (("PFWAbsPF", "PFWAbsRvrtPF"), ("PFWAbsExt", "PFWAbsRvrtExt"))),
    ReversibleFunction("WMaxLimPct", (("WMaxLimPct", "WMaxLimPctRvrt"),)),
    ReversibleFunction("WSet", (("WSet", "WSetRvrt"), ("WSetPct", "WSetPctRvrt")), ("WSetMod",)),
    ReversibleFunction(
        "VarSet", (("VarSet", "VarSetRvrt"), ("VarSetPct", "VarSetPctRvrt")), ("VarSetMod", "VarSetPri")
    ),
)


@dataclass(slots=True)
class ReversionTimers:
    """The running timers, as deadlines in monotonic seconds by function name."""

    deadlines: dict[str, float] = field(default_factory=dict)

    def written(self, names: frozenset[str], values: dict[str, int], now: float) -> None:
        """Points `names` were written together; `values` holds all points after that write."""
        for function in FUNCTIONS:
            if not names & function.writable:
                continue
            self.deadlines.pop(function.name, None)
            if values[function.enable] == ENABLED and values[function.seconds] > 0:
                self.deadlines[function.name] = now + values[function.seconds]

    def expire(self, values: dict[str, int], now: float) -> tuple[str, ...]:
        """Let every function whose time is over fall back, in `values`; their names."""
        over = tuple(f for f in FUNCTIONS if self.deadlines.get(f.name, math.inf) <= now + CLOCK_GRAIN_SECONDS)
        for function in over:
            del self.deadlines[function.name]
            values[function.enable] = values[function.enable_fallback]
            for setpoint, fallback in function.setpoints:
                values[setpoint] = values[fallback]
        return tuple(function.name for function in over)

    def next_deadline(self) -> float:
        """When `expire` has something to do (infinite: no timer runs)."""
        return min(self.deadlines.values(), default=math.inf)

    def remaining(self, name: str, now: float) -> int:
        """Whole seconds left, rounded up: 0 only when no timer runs."""
        if name not in self.deadlines:
            return 0
        return max(0, math.ceil(self.deadlines[name] - now - CLOCK_GRAIN_SECONDS))
