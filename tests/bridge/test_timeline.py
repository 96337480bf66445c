"""The timeline against an oracle that knows nothing of edges: it asks, second by second, what the text says."""

import random
from dataclasses import replace

import pytest
from bridge_world import NOW, course, grid_event, timed
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.bridge.timeline import TimedEvent, in_force, is_over, next_change
from wattseal.protocols.grid_event import Course, GridEvent, Interval, Point
from wattseal.protocols.wish import Setpoint

HORIZON = 60
LENGTHS = st.integers(1, 12)


@st.composite
def events(draw):
    """Up to four events within a minute: several intervals, gaps, open ends, draws, cuts, priorities, tests."""
    made = []
    for number in range(draw(st.integers(1, 4))):
        offset, intervals = draw(st.integers(0, 3)), []
        for watts in range(draw(st.integers(1, 3))):
            length = draw(LENGTHS)
            intervals.append(Interval(offset, length, Setpoint(number * 10 + watts)))
            offset += length + draw(st.integers(0, 2))
        open_ended = draw(st.booleans())
        if open_ended:
            intervals[-1] = replace(intervals[-1], duration_seconds=None)
        duration = None if open_ended else draw(st.integers(1, 40))
        event = grid_event(
            Course("S", Point.SITE, (), tuple(intervals)),
            event_id=f"E{number}",
            utility=draw(st.sampled_from(["a", "b"])),
            start=NOW + draw(st.integers(-10, 20)),
            duration=duration,
            priority=draw(st.sampled_from([None, 1, 2])),
            test=draw(st.integers(0, 5)) == 0,
        )
        cut = draw(st.one_of(st.none(), st.integers(-12, 40).map(lambda at: NOW + at)))
        made.append(timed(event, draw=draw(st.integers(0, 5)), cut_at=cut))
    return made


def stands_at(one: TimedEvent, second: int) -> list[int]:
    """By the text: from start plus draw for its duration, until cut; a test event never. The watts asked for."""
    event: GridEvent = one.event
    since_start = second - (event.start + one.start_draw_seconds)
    if event.test or since_start < 0:
        return []
    if event.duration_seconds is not None and since_start >= event.duration_seconds:
        return []
    if one.cut_at is not None and second >= one.cut_at:
        return []
    asked = []
    for signal in event.courses:
        for interval in signal.intervals:
            inside = since_start - interval.offset_seconds
            if inside >= 0 and (interval.duration_seconds is None or inside < interval.duration_seconds):
                asked.append(interval.wish.watts)
    return asked


def oracle(made: list[TimedEvent], second: int) -> list[int]:
    """Lower priority number first, none last; then who started first; then utility and event by name."""

    def rank(one: TimedEvent):
        event = one.event
        none_last = (event.priority is None, event.priority or 0)
        return none_last, event.start + one.start_draw_seconds, event.origin.utility, event.origin.event_id

    return [watts for one in sorted(made, key=rank) for watts in stands_at(one, second)]


def answer(made, second: int) -> list[int]:
    return [wish.wish.watts for wish in in_force(made, second)]


@given(events())
@settings(max_examples=150, deadline=None)
def test_in_force_and_next_change_second_by_second(made):
    """`next_change` is the first second at which the answer can differ: never later than the oracle's first change."""
    expected = {second: oracle(made, second) for second in range(NOW - 15, NOW + HORIZON)}
    for second, asked in expected.items():
        assert answer(made, second) == asked
        changes = [later for later in range(second + 1, NOW + HORIZON) if expected[later] != asked]
        told = next_change(made, second)
        if changes:
            assert told is not None
            assert second < told <= changes[0]
        elif told is not None:
            assert told > second


@given(events(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_arrival_changes_nothing(made, chance: random.Random):
    shuffled = list(made)
    chance.shuffle(shuffled)
    for second in range(NOW - 10, NOW + 40, 3):
        assert in_force(made, second) == in_force(shuffled, second)
        assert next_change(made, second) == next_change(shuffled, second)


@given(events())
@settings(max_examples=60, deadline=None)
def test_what_is_over_never_comes_back(made):
    for one in made:
        for second in range(NOW - 10, NOW + 50, 5):
            if is_over(one, second):
                assert all(not stands_at(one, later) for later in range(second, NOW + HORIZON))


@pytest.mark.parametrize(
    ("start", "draw", "duration", "cut_at", "window"),
    [
        (NOW, 0, 60, None, (NOW, NOW + 60)),
        (NOW, 20, 60, None, (NOW + 20, NOW + 80)),  # rule 30: startafter moves start and end alike
        (NOW, 0, 60, NOW + 30, (NOW, NOW + 30)),
        (NOW, 0, 60, NOW + 90, (NOW, NOW + 60)),  # a cut never lengthens
        (NOW, 0, None, NOW + 90, (NOW, NOW + 90)),
        (NOW, 0, None, None, (NOW, None)),  # rule 47
    ],
)
def test_a_wish_tells_its_window(start, draw, duration, cut_at, window):
    one = timed(
        grid_event(course(Setpoint(5), duration=None), start=start, duration=duration), draw=draw, cut_at=cut_at
    )
    (wish,) = in_force([one], NOW + 25)
    assert (wish.since, wish.until) == window


def test_cancelled_before_its_start_is_never_in_force():
    one = timed(grid_event(course(Setpoint(5)), start=NOW + 100), cut_at=NOW)
    assert next_change([one], NOW) is None
    assert in_force([one], NOW + 100) == ()


def test_of_equal_events_the_first_to_start_wins():
    """Rule 18, after the random draw: what really starts first."""
    late = timed(grid_event(course(Setpoint(1)), event_id="A", start=NOW), draw=30)
    early = timed(grid_event(course(Setpoint(2)), event_id="B", start=NOW + 10))
    assert answer([late, early], NOW + 40) == [2, 1]
    urgent = timed(grid_event(course(Setpoint(3)), event_id="C", start=NOW + 20, priority=9))
    assert answer([late, early, urgent], NOW + 40) == [3, 2, 1]
