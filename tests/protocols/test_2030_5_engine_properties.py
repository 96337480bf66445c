"""Random programmes, events, cancels, removals, polls, restarts against a per-second oracle; invariances; bounds."""

import random
import time

import pytest
from engine_2030_5_oracle import Oracle
from engine_2030_5_plans import DEFAULT, DEVICES, HORIZON, MODES, plans, polled, world_of
from engine_2030_5_world import DER, DER_2, T0, World, control, mrid
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.engine.engine import fresh, step
from wattseal.protocols.ieee2030_5.engine.inputs import (
    Control,
    ControlsNotified,
    Device,
    Picture,
    Program,
    Restarted,
    Rules,
    Tick,
)
from wattseal.protocols.ieee2030_5.engine.intake import ENDED_EVENTS_PER_PROGRAM, OPEN_EVENTS_PER_PROGRAM
from wattseal.protocols.ieee2030_5.engine.speech import settle
from wattseal.protocols.ieee2030_5.engine.state import EngineStateError, from_bytes, to_bytes


@settings(max_examples=300, deadline=None)
@given(plans(), st.sampled_from(Rules), st.sets(st.integers(0, HORIZON), max_size=6))
def test_the_engine_against_the_oracle(plan, rules, restarts):
    """1.6, 1.7: the value of every mode in every second, and every Response with its second, at two devices."""
    world = world_of(rules)
    oracles = {
        DER: (Oracle(DER, rules is Rules.EDITION_2023), {1, 2, 3}),
        DER_2: (Oracle(DER_2, rules is Rules.EDITION_2023), {1, 2}),
    }
    asked = plan[0][0]
    for second in range(HORIZON):
        for oracle, programs in oracles.values():
            oracle.tick(second)
            for at, primacies, lists in plan:
                if at == second:
                    oracle.poll(second, primacies, {n: lists[n] for n in programs})
        polled(world, plan, second)
        if second in restarts:
            world.restart()
        if world.last is not None and world.last.wake_at is not None and world.last.wake_at <= T0 + second:
            world.pass_to(second)
        if second >= asked:
            for lfdi, (oracle, _) in oracles.items():
                expected = {mode: oracle.value(second, mode, DEFAULT.get(mode)) for mode in MODES}
                assert {mode: world.value(mode, lfdi) for mode in MODES} == expected, f"at {second}"
    for lfdi, (oracle, _) in oracles.items():
        for number in range(1, 7):
            assert oracle.agrees(number, world.timed(number, lfdi)), (number, world.timed(number, lfdi), oracle.said)


@settings(max_examples=100, deadline=None)
@given(plans(), st.sampled_from(Rules), st.integers(0, HORIZON), st.integers(1, 60))
def test_a_box_that_slept_agrees_afterwards(plan, rules, sleeps, seconds):
    """Restart at any point, with any pause between polls: the same values from then on, and no Response twice."""
    awake, slept = world_of(rules), world_of(rules)
    last_poll = max(at for at, _, _ in plan)
    begins = last_poll + 1 + sleeps
    for world in (awake, slept):
        for at, _, _ in plan:
            polled(world, plan, at)
        world.pass_to(begins)
    slept.restart()
    slept.second = begins + seconds
    slept.give(Restarted())
    for second in range(begins + seconds, begins + seconds + 60, 3):
        awake.pass_to(second)
        slept.pass_to(second)
        assert slept.last.in_force == awake.last.in_force
    for number in range(1, 7):
        for lfdi in (DER, DER_2):
            assert len(set(slept.statuses(number, lfdi))) == len(slept.statuses(number, lfdi))
            assert slept.statuses(number, lfdi)[:1] == awake.statuses(number, lfdi)[:1]


@settings(max_examples=100, deadline=None)
@given(plans(), st.randoms(use_true_random=False))
def test_the_order_within_a_picture_changes_nothing(plan, source):
    """List order is never relied upon: a shuffled picture gives the same bytes of state, values and Responses."""
    one, other = world_of(Rules.EDITION_2018), world_of(Rules.EDITION_2018)
    for at, primacies, lists in plan:
        one.primacies, one.controls = primacies, lists
        shuffled = list(primacies.items())
        source.shuffle(shuffled)
        other.primacies = dict(shuffled)
        other.controls = {n: source.sample(lists[n], len(lists[n])) for n in lists}
        other.devices = DEVICES[::-1]
        assert one.poll(at=at) == other.poll(at=at)
        assert to_bytes(one.state) == to_bytes(other.state)


@settings(max_examples=100, deadline=None)
@given(plans(), st.sampled_from(Rules))
def test_pushed_one_by_one_or_polled_together(plan, rules):
    """Events work by push or poll alike: the same events known, the same first word of each."""
    _, primacies, lists = plan[-1]
    polled_world, pushed = world_of(rules), world_of(rules)
    for world in (polled_world, pushed):
        world.primacies = primacies
        world.poll(at=0)
    polled_world.controls = lists
    polled_world.poll(at=1)
    pushed.second = 1
    for number, controls in lists.items():
        if controls:
            pushed.give(ControlsNotified(mrid(number), tuple(controls)))
    for number in range(1, 7):
        assert pushed.statuses(number)[:1] == polled_world.statuses(number)[:1]
        assert set(pushed.state.events) == set(polled_world.state.events)


def test_the_state_is_bounded_over_weeks_of_use():
    """Five-minute events for two weeks, each listed for an hour, settled as they come: the state stays small."""
    world = World(primacies={1: 1}, devices=(Device(DER, (mrid(1),)),))
    sizes = []
    for hour in range(336):
        world.controls = {1: [control(hour * 12 + k, hour * 3600 + k * 300, 300) for k in range(12)]}
        world.poll(at=hour * 3600)
        world.state = settle(world.state, [(owed.serial, DER) for owed in world.state.outbox])
        sizes.append(len(to_bytes(world.state)))
    world.pass_to(337 * 3600)
    assert all(statuses == [1, 2, 3] for statuses in (world.statuses(n) for n in range(1, 336 * 12)))
    assert max(sizes[-100:]) <= max(sizes[:100]) * 1.01, "but for the length of counters"


def test_a_server_that_never_stops_listing_is_bounded_and_answered_once():
    """A list that keeps every event it ever had: the oldest are forgotten, none of them is answered again."""
    world = World(primacies={1: 1}, devices=(Device(DER, (mrid(1),)),))
    past: list[Control] = []
    for round_ in range(15):
        past += [control(round_ * 100 + k + 1, round_ * 1000 + k * 10, 10) for k in range(100)]
        world.controls = {1: past}
        world.poll(at=round_ * 1000)
        world.pass_to(round_ * 1000 + 999)
    world.poll(at=15_000)
    assert len(world.state.events) == ENDED_EVENTS_PER_PROGRAM
    assert all(world.statuses(n) == [1, 2, 3] for n in range(1, 1501))
    assert len(world.state.outbox) == 4500, "what is owed is never pruned"


def test_more_events_than_there_is_room_for():
    """The nearest are taken; the others are looked at again when there is room, and none is answered twice."""
    many = OPEN_EVENTS_PER_PROGRAM + 50
    world = World(primacies={1: 1}, controls={1: [control(n, n * 10, 10) for n in range(1, many + 1)]})
    world.poll(at=0)
    assert len(world.state.events) == OPEN_EVENTS_PER_PROGRAM
    assert (world.statuses(OPEN_EVENTS_PER_PROGRAM), world.statuses(many)) == ([1], [])
    world.poll(at=1000)
    world.pass_to(many * 10 + 10)
    assert all(world.statuses(n) == [1, 2, 3] for n in range(1, many + 1))


def test_devices_that_come_and_go_are_forgotten():
    """A day after a device was last listed nothing is left of it, though its events are still listed."""
    world = World(primacies={1: 1}, controls={1: [control(1, 0, 0xFFFFFFFF)]})
    for day in range(20):
        world.devices = tuple(Device((day * 10 + k + 1).to_bytes(20, "big"), (mrid(1),)) for k in range(10))
        world.poll(at=day * 86_400)
    assert sum(len(cohort.devices) for cohort in world.state.cohorts) <= 20


@pytest.mark.alone
def test_a_thousand_devices_under_one_programme():
    """An aggregator's 1,000 EndDevices, 24 events: one picture in, values and Responses out, well under a second."""
    devices = tuple(Device(n.to_bytes(20, "big"), (mrid(1),)) for n in range(1, 1001))
    for randomize, ceiling in ((0, 0.2), (300, 2.0)):
        events = tuple(control(n, n * 1000, 900, randomize_start_seconds=randomize) for n in range(1, 25))
        state = step(fresh(b"s" * 16), Picture(devices, (Program(mrid(1), 1, ()),)), T0).state
        began = time.perf_counter()
        first = step(state, Picture(None, (Program(mrid(1), 1, events),)), T0)
        took = time.perf_counter() - began
        assert took < ceiling, f"{took:.3f} s for randomisation {randomize}"
        assert [len(owed.lfdis) for owed in first.responses] == [1000] * 24
        later = step(from_bytes(to_bytes(first.state)), Tick(), T0 + 1000 + randomize)
        assert sum(len(holding.devices) for holding in later.in_force if holding.values) == 1000


def test_random_bytes_on_the_disk_never_crash_the_reader():
    """Only the documented error escapes."""
    whole = to_bytes(fresh(b"s" * 16))
    source = random.Random(5)  # noqa: S311 - a test wants the same bytes each time
    for _ in range(500):
        data = bytearray(whole)
        data[source.randrange(len(data))] = source.randrange(256)
        try:
            from_bytes(bytes(data))
        except EngineStateError:
            continue
