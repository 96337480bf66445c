"""The safety envelope, rule by rule, and against brute force."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.drivers.commands import Operation
from wattseal.drivers.gate.envelope import RAMP_CREDIT_SECONDS, Ask, Rule, foreseen, judge, reverses, toward_safe_side
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.manifest_sections import DeviceEnvelope, SiteEnvelope

POWER, INJECT, ABSORB, RELEASE = Operation.SET_POWER, Operation.LIMIT_INJECT, Operation.LIMIT_ABSORB, Operation.RELEASE
OPEN = DeviceEnvelope("battery", -5000, 5000, 0, 0, 0, 0, 1000)
T = 10_000.0


def ruled(watts, facts=LocalFacts(500), *, operation=POWER, bounds=OPEN, others=None, site=(10**6, 10**6), **ask):  # noqa: B008 - frozen
    local = {"battery": facts, **{name: LocalFacts(commanded=(POWER, power)) for name, power in (others or {}).items()}}
    ruling = judge(Ask("battery", operation, watts, **ask), SiteEnvelope((bounds,), *site), local, T)
    return ruling.watts, ruling.rule


def living(watts, **facts):
    """Facts of a device that lives under an order of so many watts, given long ago."""
    direction = (watts > 0) - (watts < 0)
    return LocalFacts(**{"soc_permille": 500, "commanded": (POWER, watts), "last_direction": direction} | facts)


@pytest.mark.parametrize(
    ("operation", "watts", "expected"),
    [
        (POWER, 5000, (5000, None)),
        (POWER, 5001, (5000, Rule.RANGE)),
        (POWER, -5001, (-5000, Rule.RANGE)),
        (POWER, 0, (0, None)),
        (INJECT, 5001, (5000, Rule.RANGE)),
        (INJECT, 0, (0, None)),
        (ABSORB, 5001, (5000, Rule.RANGE)),
        (ABSORB, 4999, (4999, None)),
        (RELEASE, 0, (0, None)),
    ],
)
def test_range(operation, watts, expected):
    assert ruled(watts, operation=operation) == expected


def test_a_charger_that_cannot_inject_is_clamped_to_nothing():
    bounds = replace(OPEN, min_watts=-11000, max_watts=0)
    assert ruled(500, bounds=bounds) == (0, Rule.RANGE)
    assert ruled(3680, operation=ABSORB, bounds=bounds) == (3680, None)
    assert ruled(3680, operation=INJECT, bounds=bounds) == (0, Rule.RANGE)


@pytest.mark.parametrize("operation", [POWER, INJECT, ABSORB])
def test_refusals_on_whether(operation):
    assert ruled(1, replace(LocalFacts(), available=False), operation=operation) == (None, Rule.UNAVAILABLE)
    assert ruled(1, operation=operation, bounds=replace(OPEN, forbidden=(operation,))) == (None, Rule.FORBIDDEN)
    site = SiteEnvelope((OPEN,), 1, 1)
    assert judge(Ask("charger", operation, 1), site, {"charger": LocalFacts()}, T).rule is Rule.UNKNOWN
    assert judge(Ask("battery", operation, 1), site, {}, T).rule is Rule.UNAVAILABLE


@pytest.mark.parametrize("facts", [{}, {"battery": LocalFacts(available=False)}])
def test_release_passes_whatever_is_known(facts):
    assert judge(Ask("battery", RELEASE, 0), SiteEnvelope((), 0, 0), facts, T).watts == 0


@pytest.mark.parametrize(
    ("revert_to", "rule"),
    [
        ((RELEASE, 0), None),
        ((POWER, 5000), None),
        ((POWER, 5001), Rule.REVERT),
        ((POWER, -5001), Rule.REVERT),
        ((ABSORB, 5000), None),
        ((ABSORB, 5001), Rule.REVERT),
        ((INJECT, 10), Rule.REVERT),
    ],
)
def test_what_it_reverts_to_must_lie_inside(revert_to, rule):
    assert ruled(100, bounds=replace(OPEN, forbidden=(INJECT,)), revert_to=revert_to)[1] == rule


@pytest.mark.parametrize(
    ("soc", "watts", "expected"),
    [
        (101, 2000, (2000, None)),
        (100, 2000, (0, Rule.SOC_FLOOR)),
        (0, 2000, (0, Rule.SOC_FLOOR)),
        (100, -2000, (-2000, None)),
        (949, -2000, (-2000, None)),
        (950, -2000, (0, Rule.SOC_CEILING)),
        (950, 2000, (2000, None)),
        (None, 2000, (0, Rule.SOC_UNKNOWN)),
        (None, -2000, (0, Rule.SOC_UNKNOWN)),
        (None, 0, (0, None)),
    ],
)
def test_state_of_charge_floor_and_ceiling(soc, watts, expected):
    """No discharge at or below the floor, no charge at or above the ceiling: the order becomes 0 W."""
    bounds = replace(OPEN, soc_floor_permille=100, soc_ceiling_permille=950)
    assert ruled(watts, LocalFacts(soc), bounds=bounds) == expected


def test_live_order_is_brought_to_zero_when_the_battery_runs_empty():
    """Asked again of a live command, the envelope says how far it may stay."""
    bounds = replace(OPEN, soc_floor_permille=100, dwell_seconds=900, ramp_watts_per_second=1, cycles_per_hour=1)
    facts = living(3000, soc_permille=100, last_change_at=T, cycles_in_hour=9)
    assert ruled(3000, facts, bounds=bounds) == (0, Rule.SOC_FLOOR)


def test_site_limits_over_all_live_orders():
    site = (8000, 6000)
    assert ruled(4000, others={"b": 3000, "c": 1000}, site=site) == (4000, None)
    assert ruled(5000, others={"b": 3000, "c": 1000}, site=site) == (4000, Rule.SITE_INJECT)
    assert ruled(5000, others={"b": 9000}, site=site) == (0, Rule.SITE_INJECT)
    assert ruled(-5000, others={"b": -3000}, site=site) == (-3000, Rule.SITE_ABSORB)
    assert ruled(-5000, others={"b": 5000}, site=site) == (-5000, None)


def test_what_another_absorbs_earns_no_room_to_inject():
    """A charging car may leave at any moment; its leaving must never be held up by a sum."""
    assert ruled(5000, others={"car": -11000}, site=(3000, 12000)) == (3000, Rule.SITE_INJECT)


def test_limits_order_no_power_and_are_not_summed():
    local = {"battery": LocalFacts(500), "b": LocalFacts(commanded=(INJECT, 9000))}
    assert judge(Ask("battery", POWER, 5000), SiteEnvelope((OPEN,), 5000, 0), local, T).watts == 5000


@pytest.mark.parametrize(
    ("since", "watts", "expected"),
    [
        (29, 2001, (None, Rule.DWELL)),
        (29.99, 2001, (None, Rule.DWELL)),
        (30, 2001, (2001, None)),
        (0, 2000, (2000, None)),
        (0, 1999, (1999, None)),
        (0, 0, (0, None)),
        (29, -1, (None, Rule.DWELL)),
    ],
)
def test_dwell(since, watts, expected):
    facts = living(2000, last_change_at=T - since)
    assert ruled(watts, facts, bounds=replace(OPEN, dwell_seconds=30)) == expected


def test_first_order_after_the_start_need_not_wait():
    assert ruled(2000, bounds=replace(OPEN, dwell_seconds=3600)) == (2000, None)


@pytest.mark.parametrize(
    ("watts", "cycles", "expected"),
    [
        (-1000, 3, (None, Rule.CYCLES)),
        (-1000, 2, (-1000, None)),
        (3000, 9, (3000, None)),
        (0, 9, (0, None)),
    ],
)
def test_cycles_per_hour(watts, cycles, expected):
    facts = living(2000, cycles_in_hour=cycles)
    assert ruled(watts, facts, bounds=replace(OPEN, cycles_per_hour=3)) == expected


def test_a_stop_in_between_does_not_hide_a_reversal():
    facts = living(0, last_direction=1, cycles_in_hour=3)
    assert reverses(POWER, -1000, facts)
    assert ruled(-1000, facts, bounds=replace(OPEN, cycles_per_hour=3)) == (None, Rule.CYCLES)
    assert not reverses(POWER, 0, facts)
    assert not reverses(POWER, 1, facts)
    assert not reverses(ABSORB, 5000, facts)


@pytest.mark.parametrize(
    ("since", "watts", "expected"),
    [
        (4, 1400, (1400, None)),
        (4, 1401, (1400, Rule.RAMP)),
        (4.9, 5000, (1400, Rule.RAMP)),
        (0, 5000, (1000, Rule.RAMP)),
        (10**6, 5000, (5000, None)),
        (4, 600, (600, None)),
        (4, -300, (-300, None)),
        (4, -401, (-400, Rule.RAMP)),
    ],
)
def test_ramp_from_the_last_ordered_value(since, watts, expected):
    """100 W/s from 1,000 W. The way down to 0 is free, the way out on the other side is not."""
    facts = living(1000, last_change_at=T - since)
    assert ruled(watts, facts, bounds=replace(OPEN, ramp_watts_per_second=100)) == expected


def test_a_long_rest_earns_no_more_than_a_minute_of_ramp():
    bounds = replace(OPEN, ramp_watts_per_second=10)
    assert ruled(5000, living(0, last_change_at=T - 10**6), bounds=bounds) == (10 * RAMP_CREDIT_SECONDS, Rule.RAMP)
    assert ruled(5000, bounds=bounds) == (600, Rule.RAMP)


def test_ramp_without_an_order_starts_from_what_is_measured():
    bounds = replace(OPEN, ramp_watts_per_second=10)
    assert ruled(5000, LocalFacts(500, 2000), bounds=bounds) == (2600, Rule.RAMP)
    assert ruled(5000, LocalFacts(500, None), bounds=bounds) == (600, Rule.RAMP)
    assert ruled(-5000, LocalFacts(500, 2000), bounds=bounds) == (-600, Rule.RAMP)


def test_limits_are_ramped_and_held_only_upward():
    bounds = replace(OPEN, ramp_watts_per_second=100, dwell_seconds=30)
    facts = LocalFacts(500, commanded=(ABSORB, 1000), last_change_at=T - 40)
    fresh = replace(facts, last_change_at=T)
    assert ruled(5000, facts, operation=ABSORB, bounds=bounds) == (5000, None)
    assert ruled(5000, facts, operation=ABSORB, bounds=replace(bounds, ramp_watts_per_second=10)) == (1400, Rule.RAMP)
    assert ruled(1001, fresh, operation=ABSORB, bounds=bounds) == (None, Rule.DWELL)
    assert ruled(999, fresh, operation=ABSORB, bounds=bounds) == (999, None)
    assert ruled(4000, fresh, operation=INJECT, bounds=bounds) == (4000, None)


def test_pending_orders_of_others_take_their_room_at_once():
    """Two commands in one burst must not both be given the whole site."""
    local = {
        "battery": LocalFacts(500),
        "b": LocalFacts(500, pending=((POWER, 3000),)),
        "c": LocalFacts(500, commanded=(POWER, 2000), pending=((POWER, 500), (RELEASE, 0))),
    }
    site = SiteEnvelope((OPEN,), 9000, 9000)
    assert judge(Ask("battery", POWER, 5000), site, local, T).watts == 4000
    assert judge(Ask("battery", POWER, -5000), site, local, T).watts == -5000


@pytest.mark.parametrize(
    ("pending", "watts", "expected"),
    [
        (((POWER, 3000),), 3001, (None, Rule.DWELL)),
        (((POWER, 3000),), 3000, (3000, None)),
        (((POWER, 3000),), 2500, (2500, None)),
        (((POWER, 2000),), 2001, (2001, None)),
        (((RELEASE, 0),), 2001, (None, Rule.DWELL)),
        (((POWER, 3000), (POWER, 0)), 1, (None, Rule.DWELL)),
    ],
)
def test_pending_orders_of_its_own_count_as_done_now(pending, watts, expected):
    """2,000 W since long; dwell 30 s. A second order of the same burst is a second change."""
    facts = living(2000, last_change_at=T - 100, pending=pending)
    assert ruled(watts, facts, bounds=replace(OPEN, dwell_seconds=30)) == expected


def test_pending_reversal_is_a_cycle_spent():
    facts = living(2000, pending=((POWER, -2000),))
    assert foreseen(facts, T) == replace(
        facts, commanded=(POWER, -2000), last_change_at=T, last_direction=-1, cycles_in_hour=1
    )
    assert ruled(1000, facts, bounds=replace(OPEN, cycles_per_hour=1)) == (None, Rule.CYCLES)


# --- against brute force ----------------------------------------------------------------------------------------------

SMALL = st.integers(-12, 12)
BOUNDS = st.builds(
    DeviceEnvelope,
    st.just("battery"),
    st.integers(-10, 0),
    st.integers(0, 10),
    st.integers(0, 3),
    st.integers(0, 4),
    st.integers(0, 2),
    st.sampled_from([0, 200]),
    st.sampled_from([800, 1000]),
    st.sampled_from([(), (), (INJECT,), (POWER,)]),
)
COMMANDED = st.one_of(
    st.none(),
    st.tuples(st.just(POWER), SMALL),
    st.tuples(st.sampled_from([INJECT, ABSORB]), st.integers(0, 12)),
)
FACTS = st.builds(
    LocalFacts,
    soc_permille=st.sampled_from([None, 100, 200, 201, 799, 800, 900]),
    watts=st.one_of(st.none(), SMALL),
    commanded=COMMANDED,
    last_change_at=st.one_of(st.none(), st.floats(T - 8, T)),
    last_direction=st.integers(-1, 1),
    cycles_in_hour=st.integers(0, 3),
)
ASKS = st.one_of(
    st.builds(Ask, st.just("battery"), st.just(POWER), SMALL),
    st.builds(Ask, st.just("battery"), st.sampled_from([INJECT, ABSORB]), st.integers(0, 12)),
    st.just(Ask("battery", RELEASE, 0)),
)
WORLDS = st.tuples(ASKS, BOUNDS, FACTS, st.lists(COMMANDED, max_size=3), st.integers(0, 15), st.integers(0, 15))


def world_of(bounds, facts, others, inject, absorb):
    local = {"battery": facts} | {f"other {n}": LocalFacts(commanded=live) for n, live in enumerate(others)}
    return SiteEnvelope((bounds,), inject, absorb), local


def present(facts):
    if facts.commanded and facts.commanded[0] is POWER:
        return facts.commanded[1]
    return facts.watts or 0


def brute_safe(operation, watts, facts):
    """The rule in words: release, 0, smaller in the same direction, a lower limit or one where none was."""
    if operation is RELEASE:
        return True
    if operation is POWER:
        now = present(facts)
        return watts in (range(now + 1) if now >= 0 else range(now, 1))
    live = facts.commanded if facts.commanded and facts.commanded[0] is operation else None
    return watts == 0 or live is None or watts <= live[1]


def brute(ask, bounds, facts, others, inject, absorb):
    """Walk from what is asked toward 0 and stop at the first value that no rule objects to."""
    if ask.operation is RELEASE:
        return 0
    if ask.operation in bounds.forbidden:
        return None
    powers = [live[1] for live in others if live and live[0] is POWER]
    step = -1 if ask.watts > 0 else 1

    def near(start, permitted):
        return next(watts for watts in range(start, step * 40, step) if watts == 0 or permitted(watts))

    def far_enough(watts):
        if ask.operation is INJECT:
            return watts <= bounds.max_watts
        if ask.operation is ABSORB:
            return -watts >= bounds.min_watts
        charge = facts.soc_permille
        return (
            bounds.min_watts <= watts <= bounds.max_watts
            and not (watts > 0 and sum(p for p in powers if p > 0) + watts > inject)
            and not (watts < 0 and -sum(p for p in powers if p < 0) - watts > absorb)
            and not (watts > 0 and bounds.soc_floor_permille and (charge is None or charge <= 200))
            and not (watts < 0 and bounds.soc_ceiling_permille < 1000 and (charge is None or charge >= 800))
        )

    target = near(ask.watts, far_enough)
    if brute_safe(ask.operation, target, facts):
        return target
    turns = ask.operation is POWER and target * facts.last_direction < 0
    if turns and 0 < bounds.cycles_per_hour <= facts.cycles_in_hour:
        return None
    rested = 60 if facts.last_change_at is None else int(T - facts.last_change_at)
    if facts.last_change_at is not None and rested < bounds.dwell_seconds:
        return None

    def slow_enough(watts):
        if bounds.ramp_watts_per_second == 0:
            return True
        if ask.operation is POWER:
            start = max(0, present(facts)) if watts > 0 else max(0, -present(facts))
        else:
            start = facts.commanded[1]
        return abs(watts) - start <= bounds.ramp_watts_per_second * rested

    return near(target, slow_enough)


@settings(max_examples=700, deadline=None)
@given(WORLDS)
def test_envelope_gives_the_nearest_value_that_no_rule_objects_to(world):
    ask, *rest = world
    assert judge(ask, *world_of(*rest), T).watts == brute(ask, *rest)


@settings(max_examples=700, deadline=None)
@given(WORLDS)
def test_cycles_dwell_and_ramp_never_touch_a_move_toward_the_safe_side(world):
    """With these three rules or without them, such a move comes out the same, and no farther from 0."""
    ask, bounds, facts, *rest = world
    assert toward_safe_side(ask.operation, ask.watts, facts) == brute_safe(ask.operation, ask.watts, facts)
    if not brute_safe(ask.operation, ask.watts, facts):
        return
    free = replace(bounds, ramp_watts_per_second=0, dwell_seconds=0, cycles_per_hour=0)
    ruling = judge(ask, *world_of(bounds, facts, *rest), T)
    assert ruling == judge(ask, *world_of(free, facts, *rest), T)
    assert ruling.rule not in {Rule.CYCLES, Rule.DWELL, Rule.RAMP}
    assert ruling.watts is None or abs(ruling.watts) <= abs(ask.watts)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), ASKS, st.integers(0, 5)), max_size=30),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(1, 3),
)
def test_no_run_of_orders_leaves_the_envelope(run, inject, absorb, ramp):
    """Whatever is ordered and when: the site's sums hold, and every move outward is as slow as the ramp demands."""
    names = ("a", "b", "c")
    site = SiteEnvelope(tuple(DeviceEnvelope(name, -10, 10, ramp, 0, 0, 0, 1000) for name in names), inject, absorb)
    local = {name: LocalFacts(500, 0, last_change_at=0.0) for name in names}
    now = 0.0
    for name, ask, passed in run:
        now += passed
        before = local[name]
        ruling = judge(replace(ask, device=name), site, local, now)
        if ruling.watts is None:
            continue
        live = None if ask.operation is RELEASE else (ask.operation, ruling.watts)
        if live != before.commanded:
            local[name] = replace(before, commanded=live, last_change_at=now)
        if ask.operation is POWER:
            outward = abs(ruling.watts) - (abs(present(before)) if present(before) * ruling.watts > 0 else 0)
            assert outward <= ramp * (now - (before.last_change_at or 0.0))
        powers = [facts.commanded[1] for facts in local.values() if facts.commanded and facts.commanded[0] is POWER]
        assert sum(power for power in powers if power > 0) <= inject
        assert -sum(power for power in powers if power < 0) <= absorb
