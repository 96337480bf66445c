"""What the forecast tells, against the engine asked second by second; its bounds; its cost with many devices."""

import time

from engine_2030_5_plans import HORIZON, plans, polled, world_of
from engine_2030_5_world import EXPORT, SEED, T0, VAR, W, World, control, default, mrid
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from wattseal.protocols.ieee2030_5.engine.engine import fresh, step
from wattseal.protocols.ieee2030_5.engine.force import Source, by_device
from wattseal.protocols.ieee2030_5.engine.forecast import Forecast, forecast
from wattseal.protocols.ieee2030_5.engine.inputs import Device, Picture, Program, Restarted, Rules


def told(ahead: Forecast, at: int) -> dict[bytes, dict[str, object]]:
    """What the segments say of one instant: device -> mode -> value, each at most once."""
    found: dict[bytes, dict[str, object]] = {}
    for segment in ahead.segments:
        if segment.since <= at and (segment.until is None or at < segment.until):
            for lfdi in segment.devices:
                values = found.setdefault(lfdi, {})
                assert segment.force.mode not in values, "two segments of a device and mode share an instant"
                values[segment.force.mode] = segment.force
    return found


def held(world: World) -> dict[bytes, dict[str, object]]:
    values = by_device(world.last.in_force)
    return {
        lfdi: {value.mode: replace(value, until=None, since=None) for value in some}
        for lfdi, some in values.items()
        if some
    }


@settings(max_examples=200, deadline=None)
@given(plans(), st.sampled_from(Rules), st.integers(0, HORIZON), st.sampled_from([1, 2, 5, 4096]))
def test_every_second_up_to_known_until_is_what_the_engine_says(plan, rules, asked, most_edges):
    """1.6: values, sources, programmes and events of every mode at two devices, from any second, with any bound."""
    world = world_of(rules)
    for at, _, _ in plan:
        polled(world, plan, at)
    asked += max(at for at, _, _ in plan)
    world.pass_to(asked)
    ahead = forecast(world.state, T0 + asked, most_edges=most_edges)
    for second in range(asked, asked + HORIZON):
        if ahead.known_until is not None and second >= ahead.known_until - T0:
            break
        world.pass_to(second)
        assert told(ahead, T0 + second) == held(world), f"at {second}"


@settings(max_examples=100, deadline=None)
@given(plans(), st.sampled_from(Rules))
def test_segments_are_maximal_and_a_later_forecast_says_the_same(plan, rules):
    """No two of a device and mode meet with the same content; the clock alone changes nothing that was told."""
    world = world_of(rules)
    for at, _, _ in plan:
        polled(world, plan, at)
    asked = max(at for at, _, _ in plan)
    first = forecast(world.state, T0 + asked)
    ends = {(lfdi, s.until, s.force) for s in first.segments for lfdi in s.devices}
    assert not any((lfdi, s.since, s.force) in ends for s in first.segments for lfdi in s.devices)
    later = asked + 17
    world.pass_to(later)
    second = forecast(world.state, T0 + later)
    assert first.known_until is None
    assert second.known_until is None
    for at in range(later, HORIZON + 60, 7):
        assert told(second, T0 + at) == told(first, T0 + at)


def test_what_reaches_past_the_bound_ends_as_it_stands_by_itself():
    """An event keeps its own end and a default has none: a forecast not renewed goes on with what held."""
    world = World(primacies={1: 5, 2: 1}, controls={1: [control(1, 0, 100)], 2: [control(2, 40, 20)]})
    world.defaults = {1: default(opModFixedVar=7)}
    world.poll()
    ahead = forecast(world.state, T0, most_edges=0)
    assert ahead.known_until == T0 + 40
    assert {(s.force.mode, s.since - T0, s.until and s.until - T0) for s in ahead.segments} == {
        (W, 0, 100),
        (VAR, 0, None),
    }
    near = forecast(world.state, T0, horizon_seconds=41)
    assert near.known_until == T0 + 60
    assert {(s.since - T0, s.until - T0) for s in near.segments if s.force.mode == W} == {(0, 40), (40, 60)}


def test_an_event_known_late_has_run_since_its_start():
    """1.6: start in the past and not over: it runs now, and began when it was to begin."""
    world = World(primacies={1: 5}, controls={1: [control(1, -50, 100)]}, defaults={1: default(opModFixedVar=3)})
    world.poll(at=7)
    ahead = forecast(world.state, T0 + 7)
    assert {(s.force.mode, s.since - T0, s.until and s.until - T0) for s in ahead.segments} == {
        (W, -50, 50),
        (VAR, 7, None),
    }


def test_without_a_trusted_clock_the_defaults_stand_open_ended():
    """1.6: events wait for the clock; the stored default holds."""
    world = World(primacies={1: 5}, controls={1: [control(1, 0, 100)]}, defaults={1: default(opModFixedW=3)})
    world.poll()
    world.restart()
    world.give(Restarted(clock_trusted=False))
    ahead = forecast(world.state, T0)
    assert ahead.known_until is None
    assert [(s.since, s.until, s.force.source) for s in ahead.segments] == [(T0, None, Source.DEFAULT)]


def test_a_thousand_devices_drawn_apart():
    """1.6, G22: draws per device; 24 controls each of two programmes (BASIC-015), 48,000 edges; the work is bounded."""
    devices = tuple(Device(number.to_bytes(20, "big"), (mrid(1), mrid(2))) for number in range(1, 1001))
    lists = {
        n: tuple(
            control(100 * n + k, 600 * k, 400, {W: k, EXPORT: k} if n == 1 else VAR, randomize_start_seconds=120)
            for k in range(24)
        )
        for n in (1, 2)
    }
    picture = Picture(devices, tuple(Program(mrid(n), n, controls) for n, controls in lists.items()))
    taken = step(fresh(SEED), picture, T0)
    began = time.perf_counter()
    ahead = forecast(taken.state, T0)
    seconds = time.perf_counter() - began
    assert ahead.known_until is not None
    assert ahead.known_until > T0
    assert seconds < 20  # 1.5 s on a shared core, where taking the picture itself takes 1.4 s


def test_devices_that_run_alike_share_segments():
    """Without draws a thousand devices cost what one does."""
    devices = tuple(Device(number.to_bytes(20, "big"), (mrid(1),)) for number in range(1, 1001))
    controls = tuple(control(k, 600 * k, 400) for k in range(1, 25))
    taken = step(fresh(SEED), Picture(devices, (Program(mrid(1), 1, controls, default(opModFixedW=0)),)), T0)
    ahead = forecast(taken.state, T0)
    assert len(ahead.segments) == 24 + 25
    assert {len(segment.devices) for segment in ahead.segments} == {1000}
    assert ahead.known_until is None
