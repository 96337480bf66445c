"""Reversion timers of model 704 as the simulated battery plays them: a table from the facts, and a brute-force oracle.

Facts: XEnaRvrt and XRvrt are what XEna and the setpoint become at expiry; the timer runs only while XEna is 1 and
restarts on a write of the function (sunspec/models#215). XRvrtRem counts down.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions

M704 = 40277
# name: (offset from the ID register, words); typed from the reference, not from the simulator
OFFSETS = {
    "PFWInjEna": (2, 1),
    "PFWInjEnaRvrt": (3, 1),
    "PFWInjRvrtTms": (4, 2),
    "PFWInjRvrtRem": (6, 2),
    "PFWInjPF": (59, 1),
    "PFWInjExt": (60, 1),
    "PFWInjRvrtPF": (61, 1),
    "PFWInjRvrtExt": (62, 1),
    "PFWAbsEna": (8, 1),
    "PFWAbsEnaRvrt": (9, 1),
    "PFWAbsRvrtTms": (10, 2),
    "PFWAbsRvrtRem": (12, 2),
    "PFWAbsPF": (63, 1),
    "PFWAbsExt": (64, 1),
    "PFWAbsRvrtPF": (65, 1),
    "PFWAbsRvrtExt": (66, 1),
    "WMaxLimPctEna": (14, 1),
    "WMaxLimPct": (15, 1),
    "WMaxLimPctRvrt": (16, 1),
    "WMaxLimPctEnaRvrt": (17, 1),
    "WMaxLimPctRvrtTms": (18, 2),
    "WMaxLimPctRvrtRem": (20, 2),
    "WSetEna": (22, 1),
    "WSetMod": (23, 1),
    "WSet": (24, 2),
    "WSetRvrt": (26, 2),
    "WSetPct": (28, 1),
    "WSetPctRvrt": (29, 1),
    "WSetEnaRvrt": (30, 1),
    "WSetRvrtTms": (31, 2),
    "WSetRvrtRem": (33, 2),
    "VarSetEna": (35, 1),
    "VarSetMod": (36, 1),
    "VarSetPri": (37, 1),
    "VarSet": (38, 2),
    "VarSetRvrt": (40, 2),
    "VarSetPct": (42, 1),
    "VarSetPctRvrt": (43, 1),
    "VarSetEnaRvrt": (44, 1),
    "VarSetRvrtTms": (45, 2),
    "VarSetRvrtRem": (47, 2),
}
SETPOINTS = {  # function: ((setpoint, fallback), ...)
    "PFWInj": (("PFWInjPF", "PFWInjRvrtPF"), ("PFWInjExt", "PFWInjRvrtExt")),
    "PFWAbs": (("PFWAbsPF", "PFWAbsRvrtPF"), ("PFWAbsExt", "PFWAbsRvrtExt")),
    "WMaxLimPct": (("WMaxLimPct", "WMaxLimPctRvrt"),),
    "WSet": (("WSet", "WSetRvrt"), ("WSetPct", "WSetPctRvrt")),
    "VarSet": (("VarSet", "VarSetRvrt"), ("VarSetPct", "VarSetPctRvrt")),
}
SIGNED = ("WSet", "WSetRvrt", "VarSet", "VarSetRvrt")


@dataclass
class Bench:
    """The device on a bench with a stop watch in whole seconds."""

    device: BatteryInverter = field(default_factory=lambda: BatteryInverter(BatteryOptions(), 0.0))
    now: int = 0

    def put(self, **points: int) -> None:
        for name, value in points.items():
            offset, count = OFFSETS[name]
            words = tuple((value & 0xFFFF_FFFF).to_bytes(4, "big"))
            pair = (words[0] << 8 | words[1], words[2] << 8 | words[3])
            assert self.device.write(1, M704 + offset, pair[2 - count :], float(self.now)) is None

    def take(self, name: str) -> int:
        offset, count = OFFSETS[name]
        words = self.device.read(1, 3, M704 + offset, count, float(self.now))
        raw = b"".join(word.to_bytes(2, "big") for word in words)
        return int.from_bytes(raw, "big", signed=name in SIGNED)


ARMED = {"WMaxLimPct": 4000, "WMaxLimPctRvrt": 9000, "WMaxLimPctEnaRvrt": 0, "WMaxLimPctRvrtTms": 60}


@pytest.mark.parametrize(
    ("steps", "ena", "limit", "remaining"),
    [
        pytest.param([ARMED], 0, 4000, 0, id="not_enabled_no_timer"),
        pytest.param([ARMED, 1000], 0, 4000, 0, id="not_enabled_never_reverts"),
        pytest.param([ARMED, {"WMaxLimPctEna": 1}], 1, 4000, 60, id="enable_starts"),
        pytest.param([ARMED, 30, {"WMaxLimPctEna": 1}, 1], 1, 4000, 59, id="starts_at_the_enable_not_before"),
        pytest.param([ARMED, {"WMaxLimPctEna": 1}, 59], 1, 4000, 1, id="last_second"),
        pytest.param([ARMED, {"WMaxLimPctEna": 1}, 60], 0, 9000, 0, id="expiry"),
        pytest.param([ARMED, {"WMaxLimPctEna": 1}, 60, 900], 0, 9000, 0, id="expiry_lasts"),
        pytest.param([ARMED, {"WMaxLimPctEna": 1}, 45, {"WMaxLimPctEna": 1}, 45], 1, 4000, 15, id="renewed_by_enable"),
        pytest.param(
            [ARMED, {"WMaxLimPctEna": 1}, 45, {"WMaxLimPct": 4000}, 45], 1, 4000, 15, id="renewed_by_setpoint"
        ),
        pytest.param(
            [ARMED, {"WMaxLimPctEna": 1}, 45, {"WMaxLimPctRvrtTms": 20}, 15], 1, 4000, 5, id="renewed_by_time"
        ),
        pytest.param([ARMED, {"WMaxLimPctEna": 1}, 45, {"WSet": 100}, 10], 1, 4000, 5, id="other_function_no_matter"),
        pytest.param([ARMED, {"WMaxLimPctEna": 1}, 45, {"WMaxLimPctEna": 0}, 99], 0, 4000, 0, id="disable_stops"),
        pytest.param(
            [ARMED, {"WMaxLimPctEna": 1}, 45, {"WMaxLimPctEna": 0}, 99, {"WMaxLimPctEna": 1}, 10],
            *(1, 4000, 50),
            id="enabled_again_starts_full",
        ),
        pytest.param([ARMED, {"WMaxLimPctEna": 1, "WMaxLimPctRvrtTms": 0}, 9999], 1, 4000, 0, id="time_0_no_timer"),
        pytest.param(
            [ARMED, {"WMaxLimPctEnaRvrt": 1}, {"WMaxLimPctEna": 1}, 60], 1, 9000, 0, id="may_stay_enabled_on_fallback"
        ),
        pytest.param(
            [ARMED, {"WMaxLimPctEnaRvrt": 1}, {"WMaxLimPctEna": 1}, 60, 500], 1, 9000, 0, id="no_timer_after_expiry"
        ),
        pytest.param(
            [ARMED, {"WMaxLimPctEnaRvrt": 1}, {"WMaxLimPctEna": 1}, 60, 500, {"WMaxLimPct": 3000}, 10],
            *(1, 3000, 50),
            id="written_after_expiry_starts_again",
        ),
    ],
)
def test_timer_table(steps: list[dict[str, int] | int], ena: int, limit: int, remaining: int) -> None:
    """Numbers are seconds to wait, mappings are points written one by one."""
    bench = Bench()
    for step in steps:
        if isinstance(step, int):
            bench.now += step
        else:
            bench.put(**step)
    found = tuple(bench.take(name) for name in ("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrtRem"))
    assert found == (ena, limit, remaining)


def test_stale_timer_of_another_tool_ends_a_command() -> None:
    """evcc#33037: a time left in the register by somebody else runs as soon as the function is enabled."""
    bench = Bench()
    bench.device.set({"points": {"WSetRvrtTms": 3600}}, 0.0)
    bench.put(WSet=5000, WSetEna=1)
    bench.now = 3599
    assert (bench.take("WSetEna"), bench.take("WSetRvrtRem")) == (1, 1)
    bench.now = 3600
    assert (bench.take("WSetEna"), bench.take("WSet")) == (0, 0)


@pytest.mark.parametrize("mode", ["WSetMod", "VarSetMod", "VarSetPri"])
def test_mode_belongs_to_its_function(mode: str) -> None:
    """Writing a mode renews the timer like any point of its function; expiry leaves the mode alone."""
    function = mode.removesuffix("Mod").removesuffix("Pri")
    bench = Bench()
    bench.put(**{f"{function}RvrtTms": 10, f"{function}Ena": 1})
    bench.now = 8
    bench.put(**{mode: 1})
    assert bench.take(f"{function}RvrtRem") == 10
    bench.now = 18
    assert (bench.take(f"{function}Ena"), bench.take(mode)) == (0, 1)


def test_both_setpoints_fall_back() -> None:
    """Watts and percent each have their own fallback."""
    bench = Bench()
    bench.put(WSet=100, WSetRvrt=200, WSetPct=300, WSetPctRvrt=400, WSetRvrtTms=5, WSetEna=1)
    bench.now = 5
    assert (bench.take("WSet"), bench.take("WSetPct")) == (200, 400)


def test_remaining_is_rounded_up() -> None:
    """A running timer never shows 0."""
    bench = Bench()
    bench.put(WSetRvrtTms=10, WSetEna=1)
    words = bench.device.read(1, 3, M704 + 33, 2, 9.999)
    assert words == (0, 1)


def test_fallback_acts_on_the_power() -> None:
    """WSetEnaRvrt 1 with WSetRvrt: the battery goes to the fallback power, not to its own mode."""
    bench = Bench()
    bench.put(WSet=-5000, WSetRvrt=2000, WSetEnaRvrt=1, WSetRvrtTms=100, WSetEna=1)
    bench.now = 99
    assert bench.device.state(99.0)["watts"] == -5000.0
    assert bench.device.state(130.0)["watts"] == 2000.0


# --- the oracle: one dictionary, one decrement per second


class Oracle:
    """What the facts say, the slowest way: every function is looked at in every single second."""

    def __init__(self, values: dict[str, int]) -> None:
        self.values = values
        self.left = dict.fromkeys(SETPOINTS, 0)

    def put(self, function: str, point: str, value: int) -> None:
        self.values[point] = value
        running = self.values[f"{function}Ena"] == 1
        self.left[function] = self.values[f"{function}RvrtTms"] if running else 0

    def second(self) -> None:
        for function, pairs in SETPOINTS.items():
            if self.left[function] == 0:
                continue
            self.left[function] -= 1
            if self.left[function] == 0:
                self.values[f"{function}Ena"] = self.values[f"{function}EnaRvrt"]
                for setpoint, fallback in pairs:
                    self.values[setpoint] = self.values[fallback]


POINTS = {f: [name for name in OFFSETS if name.startswith(f) and not name.endswith("Rem")] for f in SETPOINTS}


def _legal(point: str, number: int) -> int:
    """Some number that the point takes; times are short, so that timers really run out."""
    if point.endswith("RvrtTms"):
        return number % 7
    if point.endswith(("Ena", "EnaRvrt", "Ext", "Mod", "Pri")):
        return number % 2
    return 800 + number if point.endswith("PF") else 10 * number


def _steps(function: int, drawn: list[tuple[int, int]]) -> list[int | tuple[str, str, int]]:
    """Plain numbers as waits and writes: mostly to one function, now and then to another; it begins armed."""
    names = list(SETPOINTS)
    main, other = names[function], names[function - 1]
    steps: list[int | tuple[str, str, int]] = [(main, f"{main}RvrtTms", 4), (main, f"{main}Ena", 1)]
    for kind, number in drawn:
        target = other if kind >= 90 else main
        if kind < 35:
            steps.append(1 + number % 5)
        elif kind < 45:
            steps.append((main, f"{main}Ena", 1))
        else:
            point = POINTS[target][kind % len(POINTS[target])]
            steps.append((target, point, _legal(point, number)))
    return steps


STEPS = st.builds(_steps, st.integers(0, 4), st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=25))


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_timers_against_the_oracle(steps: list[int | tuple[str, str, int]]) -> None:
    """Any order of writes and waits gives the oracle's registers, also when whole waits are jumped over."""
    bench = Bench()
    watched = [name for name in OFFSETS if not name.endswith("Rem")]
    oracle = Oracle({name: bench.take(name) for name in watched})
    for step in steps:
        if isinstance(step, int):
            bench.now += step
            for _ in range(step):
                oracle.second()
        else:
            function, point, value = step
            bench.put(**{point: value})
            oracle.put(function, point, value)
    assert {name: bench.take(name) for name in watched} == oracle.values
    assert {f: bench.take(f"{f}RvrtRem") for f in SETPOINTS} == oracle.left
