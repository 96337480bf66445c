"""Time that can be trusted, or says that it cannot: 1970, steps of ten years, holdover, the floor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs.clock import BUILD_FLOOR, STEP_SECONDS, ClockQuality, Instant, SystemTime, TrustedClock

START = BUILD_FLOOR + 1_000_000.0
TEN_YEARS = 315_576_000.0


class Hands:
    """Two clock hands that a test moves."""

    def __init__(self, wall=START, monotonic=100.0):
        self.wall_value, self.monotonic_value = wall, monotonic

    def wall(self):
        return self.wall_value

    def monotonic(self):
        return self.monotonic_value

    def pass_by(self, seconds):
        self.wall_value += seconds
        self.monotonic_value += seconds


@pytest.fixture
def hands():
    return Hands()


def test_steady_clock_is_trusted_to_the_millisecond(hands):
    clock = TrustedClock(hands)
    assert clock.now() == Instant(int(START * 1000), 100.0, ClockQuality.TRUSTED)
    hands.pass_by(1.25)
    now = clock.now()
    assert (now.unix_ms, now.unix, now.monotonic) == (int(START * 1000) + 1250, int(START) + 1, 101.25)


def test_1970_is_not_believed_until_the_clock_is_set(hands):
    """Before a trusted source, only defaults are ordered; setting the clock is what makes it trusted."""
    clock = TrustedClock(hands)
    hands.wall_value = 30.0
    assert clock.now() == Instant(30_000, 100.0, ClockQuality.UNTRUSTED)
    hands.pass_by(5)
    assert clock.now().quality is ClockQuality.UNTRUSTED
    hands.wall_value = START
    assert clock.now().quality is ClockQuality.TRUSTED


@pytest.mark.parametrize("step", [-TEN_YEARS, TEN_YEARS, -STEP_SECONDS - 0.5, STEP_SECONDS + 0.5])
def test_a_step_is_not_followed_and_its_end_is(hands, step):
    """Stepped by years in mid-event: the anchor goes on by the monotonic clock, until both agree again."""
    clock = TrustedClock(hands)
    clock.now()
    hands.pass_by(10)
    hands.wall_value += step
    assert clock.now() == Instant(int((START + 10) * 1000), 110.0, ClockQuality.HOLDOVER)
    hands.pass_by(3600)
    assert clock.now() == Instant(int((START + 3610) * 1000), 3710.0, ClockQuality.HOLDOVER)
    hands.wall_value -= step
    assert clock.now().quality is ClockQuality.TRUSTED


def test_small_corrections_are_taken_over_and_add_up(hands):
    """A disciplined clock drifts against the monotonic one without ever being stepped."""
    clock = TrustedClock(hands)
    clock.now()
    for _ in range(10):
        hands.pass_by(60)
        hands.wall_value += STEP_SECONDS * 0.75
        now = clock.now()
        assert (now.unix_ms, now.quality) == (int(hands.wall_value * 1000), ClockQuality.TRUSTED)


def test_floor_is_never_below_the_build_and_never_falls(hands):
    assert TrustedClock(hands, floor=0).floor == BUILD_FLOOR
    clock = TrustedClock(hands, floor=int(START) + 50)
    assert clock.now().quality is ClockQuality.UNTRUSTED
    clock.raise_floor(5)
    assert clock.floor == int(START) + 50
    clock.raise_floor(int(START) + 60)
    hands.pass_by(59)
    assert clock.now().quality is ClockQuality.UNTRUSTED
    hands.pass_by(1)
    assert clock.now().quality is ClockQuality.TRUSTED


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(-1e10, 1e10)), max_size=20))
def test_time_told_never_runs_backward_by_more_than_a_small_correction(moves):
    """Whatever is done to the wall clock after it was once trusted."""
    hands = Hands()
    clock = TrustedClock(hands)
    last = clock.now()
    for passed, wall in moves:
        hands.pass_by(passed)
        hands.wall_value = wall
        now = clock.now()
        assert now.quality is not ClockQuality.UNTRUSTED
        assert now.unix_ms >= last.unix_ms + int(passed * 1000) - STEP_SECONDS * 1000 - 2
        assert now.unix_ms <= last.unix_ms + int(passed * 1000) + STEP_SECONDS * 1000 + 2
        last = now


def test_system_time_is_the_operating_systems():
    source = SystemTime()
    assert source.wall() > BUILD_FLOOR
    assert source.monotonic() <= source.monotonic()
