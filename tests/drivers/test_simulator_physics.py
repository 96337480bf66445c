"""The battery's physics: exact integrals, ramps, limits of the cells, and the own mode. No sockets, no waiting."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.drivers.simulators import physics
from wattseal.drivers.simulators.battery_controls import BatteryRating
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.own_mode import IDLE, SELF_CONSUMPTION, OwnMode, constant
from wattseal.drivers.simulators.physics import BatteryBody, BatteryState, Demand

BODY = BatteryBody(capacity_wh=10_000.0, charge_efficiency=0.9, discharge_efficiency=0.8)


def wish(watts: float, ramp: float = 1000.0, vars_: float = 0.0) -> Demand:
    return Demand(
        watts=watts,
        vars=vars_,
        charge_watts=5000.0,
        discharge_watts=5000.0,
        watts_per_second=ramp,
        vars_per_second=500.0,
    )


def test_ramp_and_its_energy_by_hand() -> None:
    """0 to 3000 W at 1000 W/s is 3 s and 4500 Ws; 7 s more at 3000 W are 21000 Ws."""
    after = physics.advance(BODY, BatteryState(stored_wh=5000.0), wish(3000.0), 10.0)
    assert after.watts == 3000.0
    assert after.injected_wh == pytest.approx(25_500 / 3600, rel=1e-12)
    assert after.stored_wh == pytest.approx(5000.0 - 25_500 / 3600 / 0.8, rel=1e-12)
    assert physics.advance(BODY, BatteryState(stored_wh=5000.0), wish(3000.0), 1.5).watts == 1500.0


def test_crossing_zero_counts_both_ways() -> None:
    """From +2000 to -1000 W at 1000 W/s: 2000 Ws out in 2 s, then 500 Ws in during the third."""
    after = physics.advance(BODY, BatteryState(watts=2000.0, stored_wh=5000.0), wish(-1000.0), 3.0)
    assert (after.injected_wh * 3600, after.absorbed_wh * 3600) == pytest.approx((2000.0, 500.0))
    assert after.stored_wh == pytest.approx(5000.0 - 2000 / 3600 / 0.8 + 500 / 3600 * 0.9, rel=1e-12)


def test_floor_stops_discharge_at_the_right_moment() -> None:
    """500 Wh above the floor give 400 Wh at the terminals: at 4000 W, 360 s."""
    start = BatteryState(watts=4000.0, stored_wh=1000.0)
    before = physics.advance(BODY, start, wish(4000.0), 359.9)
    after = physics.advance(BODY, start, wish(4000.0), 360.1)
    assert (before.watts, after.watts) == (4000.0, 0.0)
    assert after.stored_wh == 500.0
    assert after.injected_wh == pytest.approx(400.0, rel=1e-9)


def test_charge_tapers_and_ends_at_full() -> None:
    """Above 90 % the charge power falls in a line to a tenth of its limit, and at 100 % it is nothing."""
    assert physics.charge_limit(BODY, 9000.0, 5000.0) == 5000.0
    assert physics.charge_limit(BODY, 9500.0, 5000.0) == pytest.approx(2750.0)
    assert physics.charge_limit(BODY, 10_000.0, 5000.0) == 0.0
    after = physics.advance(BODY, BatteryState(stored_wh=8900.0), wish(-5000.0), 4 * 3600.0)
    assert (after.stored_wh, after.watts) == (10_000.0, 0.0)
    assert after.absorbed_wh == pytest.approx(1100.0 / 0.9, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0.0, 10_000.0),
    st.lists(
        st.tuples(st.floats(-6000, 6000), st.floats(-3000, 3000), st.floats(1, 20_000), st.floats(0.001, 4000)),
        min_size=1,
        max_size=12,
    ),
)
def test_energy_balance(stored: float, steps: list[tuple[float, float, float, float]]) -> None:
    """What left and came, with the losses, is what the charge changed by; counters rise; limits hold always."""
    state = BatteryState(stored_wh=stored)
    for watts, vars_, ramp, seconds in steps:
        before, state = state, physics.advance(BODY, state, wish(watts, ramp, vars_), seconds)
        assert state.injected_wh >= before.injected_wh
        assert state.absorbed_wh >= before.absorbed_wh
        assert min(stored, 500.0) - 1e-6 <= state.stored_wh <= 10_000.0 + 1e-6
        assert abs(state.watts) <= 5000.0
    balance = stored + state.absorbed_wh * 0.9 - state.injected_wh / 0.8
    assert state.stored_wh == pytest.approx(balance, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.floats(600.0, 8_000.0), st.floats(-5000, 5000), st.floats(-5000, 5000), st.floats(10, 5000))
def test_counters_are_the_integral_of_the_power(stored: float, start: float, target: float, ramp: float) -> None:
    """Against a plain sum over 10 ms slices of the power that an onlooker sees."""
    state = BatteryState(watts=start, stored_wh=stored)
    whole = physics.advance(BODY, state, wish(target, ramp), 20.0)
    injected = absorbed = 0.0
    for _ in range(2000):
        later = physics.advance(BODY, state, wish(target, ramp), 0.01)
        mean = 0.5 * (max(state.watts, -5000.0) + later.watts)
        injected += max(mean, 0.0) * 0.01 / 3600
        absorbed += max(-mean, 0.0) * 0.01 / 3600
        state = later
    assert (whole.injected_wh, whole.absorbed_wh) == pytest.approx((injected, absorbed), abs=0.02)
    assert whole.watts == pytest.approx(state.watts, abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 9000.0), min_size=1, max_size=8))
def test_steps_of_any_length_give_the_same_day(pauses: list[float]) -> None:
    """Who looks, and when, does not change the physics (outside the taper, which is cut by the second)."""
    options = BatteryOptions(own_mode=constant(1234.0), noise_watts=0.0)
    watched, alone = BatteryInverter(options, 0.0), BatteryInverter(options, 0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        seen = watched.state(now)
    truth = alone.state(now)
    for name in ("watts", "stored_wh", "energy_injected_wh", "energy_absorbed_wh"):
        assert seen[name] == pytest.approx(truth[name], abs=1e-6), name


def test_own_course_of_a_day() -> None:
    """The course begins anew every 24 h, and its changes are met exactly."""
    course = OwnMode(((0.0, 100.0), (3600.0, -200.0)))
    assert [course.watts(t) for t in (0.0, 3599.9, 3600.0, 86_399.0, 86_400.0)] == [100, 100, -200, -200, 100]
    assert [course.next_change(t) for t in (0.0, 3600.0, 86_400.0)] == [3600.0, 86_400.0, 90_000.0]
    assert math.isinf(IDLE.next_change(5.0))
    device = BatteryInverter(BatteryOptions(own_mode=course), 0.0)
    injected = float(str(device.state(7200.0)["energy_injected_wh"])) - 2_400_000.0
    assert injected == pytest.approx(100.0, rel=1e-3)


def test_self_consumption_runs_for_a_week_within_limits() -> None:
    device = BatteryInverter(BatteryOptions(own_mode=SELF_CONSUMPTION), 0.0)
    seen = [device.state(hour * 1800.0) for hour in range(7 * 48)]
    charge = [float(str(state["soc_percent"])) for state in seen]
    assert 5.0 <= min(charge) < max(charge) <= 100.0
    assert {state["inverter_state"] for state in seen} == {3, 7}


def test_noise_is_seeded_small_and_never_above_the_target() -> None:
    """The same seed gives the same day; power stays short of its target by less than the amount asked for."""

    def course(seed: int) -> list[float]:
        device = BatteryInverter(BatteryOptions(own_mode=constant(3000.0), noise_watts=30.0, seed=seed), 0.0)
        return [float(str(device.state(10.0 + second)["watts"])) for second in range(50)]

    assert course(1) == course(1)
    assert course(1) != course(2)
    assert all(2970.0 < watts <= 3000.0 for watts in course(1))
    assert len(set(course(1))) > 40


@pytest.mark.parametrize("wrong", [{"watts": 0}, {"watts": 5005}, {"vars": -10}, {"charge_watts": 40_000}])
def test_senseless_ratings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Exception, match="bad_rating"):
        BatteryRating(**wrong)
