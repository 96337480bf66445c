"""What the battery does when nobody commands it: a fixed daily course of power, so that every run is the same."""

import bisect
import math
from dataclasses import dataclass

DAY_SECONDS = 86_400.0
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class OwnMode:
    """Steps of (seconds into the course, watts), the first at 0. The course repeats every 24 hours.

    Watts positive = discharge.
    """

    steps: tuple[tuple[float, float], ...]

    def watts(self, elapsed: float) -> float:
        """Power wished `elapsed` seconds after the device's start."""
        return self.steps[self._index(elapsed)][1]

    def next_change(self, elapsed: float) -> float:
        """The next elapsed time at which the power changes (infinite when it never does)."""
        if len(self.steps) == 1:
            return math.inf
        day = math.floor(elapsed / DAY_SECONDS) * DAY_SECONDS
        later = self._index(elapsed) + 1
        return day + (self.steps[later][0] if later < len(self.steps) else DAY_SECONDS)

    def _index(self, elapsed: float) -> int:
        return bisect.bisect_right(self.steps, (elapsed % DAY_SECONDS, math.inf)) - 1


def constant(watts: float) -> OwnMode:
    """The same power always."""
    return OwnMode(((0.0, watts),))


IDLE = constant(0.0)
SELF_CONSUMPTION = OwnMode(
    (
        (0 * HOUR, 2_400.0),  # the course begins in the evening: the house is fed from the battery
        (4 * HOUR, 1_200.0),
        (6 * HOUR, 300.0),
        (12 * HOUR, 800.0),
        (14 * HOUR, -1_500.0),  # the roof gives more than the house takes
        (16 * HOUR, -4_000.0),
        (20 * HOUR, -1_000.0),
        (22 * HOUR, 600.0),
    )
)
OWN_MODES = {"idle": IDLE, "self-consumption": SELF_CONSUMPTION}
