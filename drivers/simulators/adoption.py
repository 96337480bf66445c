"""One model of 705 to 712 at work: sets are stored, adopted after a while, and given up when nobody renews them. Pure.

Theory of operation. A request names a stored set. The set is copied and judged as it stands at that moment; later
writes to the slot are of the next request.

    state | event                         | result reads | then
    ------+-------------------------------+--------------+------------------------------------------------------
    any   | request n                     | 0            | busy with n until `seconds` have passed (a new request
          |                               |              | takes the place of the one under way)
    busy  | time over, set in order       | 1            | idle; set 1 is now what n was
    busy  | time over, set not in order   | 2            | idle; set 1 is what it was
    idle  | time                          | unchanged    | idle

In order: ActPt from 1 to NPt, x not falling from point to point (trips: time not falling; their further lists may be
empty), droops above 0. A request of 1 finds set 1 in place; of 0 (711, 712): no active set, so the enable drops to 0.

Reversion: the timer runs only while Ena is 1, and restarts on a write to any point of the model. When it is over the
set that RvrtCrv (RvrtCtl) names becomes active at once; 0 or a set that is not in order drops the enable to 0; then the
timer stops. Models 707 to 710 have no timer.

Mishaps: `STALLS` never ends, `FAILS` ends with 2, `CHANGES_NOTHING` ends with 1 and leaves set 1 as it was.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from wattseal.drivers.simulators.curve_layout import CurveShape

BUSY, DONE, FAILED = 0, 1, 2
CLOCK_GRAIN_SECONDS = 1e-6


class Mishap(StrEnum):
    """What may go wrong with an adoption."""

    STALLS = "adopt_stalls"
    FAILS = "adopt_fails"
    CHANGES_NOTHING = "adopt_changes_nothing"


@dataclass(slots=True)
class CurveFunction:
    """The values of one model by full name, the adoption under way, and the reversion timer (monotonic seconds)."""

    shape: CurveShape
    values: dict[str, int] = field(init=False)
    asked: dict[str, int] = field(default_factory=dict)
    ends_at: float = math.inf
    mishap: Mishap | None = None
    reverts_at: float = math.inf

    def __post_init__(self) -> None:
        self.values = self.shape.initial()

    def head(self, path: str) -> int:
        """A value at the model's head."""
        return self.values[self.shape.name(path)]

    def active(self, path: str) -> int:
        """A value of the active set."""
        return self.values[self.shape.in_set(1, path)]

    @property
    def on(self) -> bool:
        """Whether the function works by its active set."""
        return self.head("Ena") == 1

    def points(self, prefix: str = "") -> tuple[tuple[int, int], ...]:
        """The active points of a list of the active set, raw."""
        count = min(self.active(f"{prefix}ActPt"), self.shape.points)
        x, y = self.shape.axes
        return tuple(
            (self.active(f"{prefix}Pt.{n}.{x}"), self.active(f"{prefix}Pt.{n}.{y}")) for n in range(1, count + 1)
        )

    def requests(self, wanted: dict[str, int]) -> bool:
        """Whether that write asks for an adoption."""
        return self.shape.name(self.shape.request) in wanted

    def write(self, wanted: dict[str, int], now: float, seconds: float, mishap: Mishap | None) -> None:
        """Points of this model were written together."""
        self.values.update(wanted)
        if self.requests(wanted):
            self.asked = self._set(self.head(self.shape.request))
            self.mishap = mishap
            self.ends_at = math.inf if mishap is Mishap.STALLS else now + seconds
            self.values[self.shape.name(self.shape.result)] = BUSY
        if self.shape.reverts:
            armed = self.on and self.head("RvrtTms") > 0
            self.reverts_at = now + self.head("RvrtTms") if armed else math.inf

    def expire(self, now: float) -> None:
        """Let an adoption end and a reversion happen, as far as their time has come."""
        if self.ends_at <= now + CLOCK_GRAIN_SECONDS:
            self.ends_at = math.inf
            self._end_adoption()
        if self.reverts_at <= now + CLOCK_GRAIN_SECONDS:
            self.reverts_at = math.inf
            self._adopt(self._set(self.head(self.shape.reversion_set)))

    def next_event(self) -> float:
        """When `expire` has something to do."""
        return min(self.ends_at, self.reverts_at)

    def remaining(self, now: float) -> int:
        """RvrtRem: whole seconds left, rounded up."""
        if math.isinf(self.reverts_at):
            return 0
        return max(0, math.ceil(self.reverts_at - now - CLOCK_GRAIN_SECONDS))

    def _end_adoption(self) -> None:
        number = self.head(self.shape.request)
        if self.mishap is Mishap.CHANGES_NOTHING:
            result = DONE
        elif self.mishap is Mishap.FAILS or (number > 0 and not self._in_order(self.asked)):
            result = FAILED
        else:
            self._adopt(self.asked)
            result = DONE
        self.values[self.shape.name(self.shape.result)] = result

    def _adopt(self, contents: dict[str, int]) -> None:
        if contents and self._in_order(contents):
            self.values |= {self.shape.in_set(1, path): value for path, value in contents.items()}
        else:
            self.values[self.shape.name("Ena")] = 0

    def _set(self, number: int) -> dict[str, int]:
        """The contents of a set by path; empty for number 0."""
        if number == 0:
            return {}
        paths = [item.path for item in self.shape.fields if item.least is not None]
        return {path: self.values[self.shape.in_set(number, path)] for path in paths}

    def _in_order(self, contents: dict[str, int]) -> bool:
        if not self.shape.lists:
            return contents["KOf"] > 0 and contents["KUf"] > 0
        lists = [self._rising_axis(contents, prefix) for prefix in self.shape.lists]
        rising = all(low <= high for axis in lists for low, high in pairwise(axis))
        return rising and bool(lists[0])

    def _rising_axis(self, contents: dict[str, int], prefix: str) -> list[int]:
        axis = self.shape.axes[1] if self.shape.axes[1] == "Tms" else self.shape.axes[0]
        return [contents[f"{prefix}Pt.{n}.{axis}"] for n in range(1, contents[f"{prefix}ActPt"] + 1)]
