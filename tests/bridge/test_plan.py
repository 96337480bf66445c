"""The plan: a table of cases reckoned by hand, and its laws as properties. rules may only narrow."""

import random
from dataclasses import replace

import pytest
from bridge_world import NOW, course
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_world import (
    ABSORB,
    INJECT,
    LIMIT,
    NARROW,
    RELEASE,
    SET,
    TARGET,
    THREE,
    TWO,
    WISH,
    battery,
    charger,
    one,
    site,
    utility,
    worlds,
)

from wattseal.bridge import profiles
from wattseal.bridge.connection_point import Measured
from wattseal.bridge.plan import DevicePicture, World, plan
from wattseal.bridge.site.model import Device
from wattseal.drivers.commands import Operation
from wattseal.drivers.manifest_sections import DeviceEnvelope, LinkKind
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Level, Setpoint


def planned(where, *events, soc=None, away=()):
    """Device -> (operation, watts)."""
    pictures = tuple(
        DevicePicture(one.name, None, (soc or {}).get(one.name), one.name not in away) for one in where.devices
    )
    return plan(World(NOW + 10, events, pictures), where).desired


def told(where, *events, **world):
    return {one.device: (one.order.operation, one.order.value) for one in planned(where, *events, **world)}


FIRST = {"priority": 1, "event_id": "first"}


@pytest.mark.parametrize(
    ("where", "events", "world", "expected"),
    [
        pytest.param(TWO, [], {}, {"a": (RELEASE, 0), "b": (RELEASE, 0)}, id="nothing wished: own default"),
        pytest.param(
            TWO, [one(course(Setpoint(1200), "a"))], {}, {"a": (SET, 1200), "b": (RELEASE, 0)}, id="setpoint at device"
        ),
        pytest.param(
            TWO, [one(course(Setpoint(9000), "a", "b"))], {}, {"a": (SET, 5000), "b": (SET, 5000)}, id="range"
        ),
        pytest.param(
            TWO, [one(course(Setpoint(1001)))], {}, {"a": (SET, 501), "b": (SET, 500)}, id="share, tie goes by name"
        ),
        pytest.param(
            site(battery("a", -2000, 1000), battery("b", -6000, 3000)),
            [one(course(Setpoint(1000)))],
            {},
            {"a": (SET, 250), "b": (SET, 750)},
            id="share by capacity to inject",
        ),
        pytest.param(
            THREE,
            [one(course(Setpoint(-2100)))],
            {},
            {"a": (SET, -500), "b": (SET, -500), "charger": (ABSORB, 1100)},
            id="share by capacity to absorb: 5 to 5 to 11",
        ),
        pytest.param(
            THREE,
            [one(course(Setpoint(1000)))],
            {},
            {"a": (SET, 500), "b": (SET, 500), "charger": (ABSORB, 0)},
            id="a charger has nothing to inject and draws nothing meanwhile",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(1000)))],
            {"soc": {"a": 100, "b": 500}},
            {"a": (SET, 0), "b": (SET, 1000)},
            id="empty battery",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(-1000)))],
            {"soc": {"a": 500, "b": 950}},
            {"a": (SET, -1000), "b": (SET, 0)},
            id="full battery",
        ),
        pytest.param(
            TWO, [one(course(Setpoint(1000)))], {"away": ("a",)}, {"a": (SET, 0), "b": (SET, 1000)}, id="unreachable"
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(800), "a"), **FIRST), one(course(Setpoint(1000)))],
            {},
            {"a": (SET, 800), "b": (SET, 200)},
            id="a site setpoint counts what higher wishes give",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(9000), "a"), **FIRST), one(course(Setpoint(7000)))],
            {},
            {"a": (SET, 5000), "b": (SET, 2000)},
            id="and counts no more than a device can give",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(800), "a"), **FIRST), one(course(Setpoint(300)))],
            {},
            {"a": (SET, 800), "b": (SET, -500)},
            id="even against its sign",
        ),
        pytest.param(TWO, [one(course(Level(0)))], {}, {"a": (RELEASE, 0), "b": (RELEASE, 0)}, id="level 0 is normal"),
        pytest.param(
            THREE, [one(course(Level(1)))], {}, {"a": (SET, 0), "b": (SET, 0), "charger": (ABSORB, 7400)}, id="level 1"
        ),
        pytest.param(
            TWO, [one(course(Level(3), "a"))], {}, {"a": (INJECT, 700), "b": (RELEASE, 0)}, id="level as limit"
        ),
        pytest.param(
            TWO,
            [one(course(Level(2), "a", name="SIMPLE"), course(Setpoint(300), "a", name="LOAD_DISPATCH"))],
            {},
            {"a": (SET, 300), "b": (RELEASE, 0)},
            id="level outranked by the finer signal of its event",
        ),
        pytest.param(
            TWO,
            [one(course(Level(3), "a", name="SIMPLE"), course(Setpoint(3000), "a", name="LOAD_DISPATCH"))],
            {},
            {"a": (SET, 3000), "b": (RELEASE, 0)},
            id="level does not even limit the finer signal of its event",
        ),
        pytest.param(
            TWO,
            [one(course(Level(2), "a"), **FIRST), one(course(Setpoint(300), "a"))],
            {},
            {"a": (SET, 1500), "b": (RELEASE, 0)},
            id="not by that of another event",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(4000), "a"), **FIRST), one(course(InjectLimit(2500), "a"), utility="other")],
            {},
            {"a": (SET, 2500), "b": (RELEASE, 0)},
            id="a limit of lower precedence narrows all the same",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(-4000), "a"), **FIRST), one(course(InjectLimit(2500), "a"))],
            {},
            {"a": (SET, -4000), "b": (RELEASE, 0)},
            id="a limit of the other direction does not",
        ),
        pytest.param(
            TWO,
            [one(course(InjectLimit(1001)))],
            {},
            {"a": (INJECT, 501), "b": (INJECT, 500)},
            id="site limit is shared",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(4000), "a", "b"), **FIRST), one(course(InjectLimit(3000)))],
            {},
            {"a": (SET, 1500), "b": (SET, 1500)},
            id="a share of a site limit narrows a setpoint",
        ),
        pytest.param(
            site(battery("a"), inject=900, absorb=100_000),
            [one(course(Setpoint(4000), "a"))],
            {},
            {"a": (SET, 900)},
            id="the connection's own limit",
        ),
        pytest.param(
            THREE,
            [one(course(Setpoint(-4000), "charger"))],
            {},
            {"a": (RELEASE, 0), "b": (RELEASE, 0), "charger": (ABSORB, 4000)},
            id="a charger is limited, not told to draw",
        ),
        pytest.param(
            THREE,
            [one(course(Setpoint(-4000), "charger"), **FIRST), one(course(AbsorbLimit(3000), "charger"))],
            {},
            {"a": (RELEASE, 0), "b": (RELEASE, 0), "charger": (ABSORB, 3000)},
            id="and limited further",
        ),
        pytest.param(
            TWO,
            [one(course(Setpoint(7), "a"), start=NOW + 11), one(course(Setpoint(8), "b"), test=True)],
            {},
            {"a": (RELEASE, 0), "b": (RELEASE, 0)},
            id="to come, and test event",
        ),
        pytest.param(
            TWO, [one(course(Setpoint(7), "gone"))], {}, {"a": (RELEASE, 0), "b": (RELEASE, 0)}, id="stranger"
        ),
    ],
)
def test_cases_by_hand(where, events, world, expected):
    assert told(where, *events, **world) == expected


@pytest.mark.parametrize(
    ("where", "wish", "device", "named"),
    [
        (TWO, course(AbsorbLimit(1000), "a"), "a", "absorb no more than 1000 W"),
        (THREE, course(Level(2), "charger"), "charger", "level 2 has no entry"),
        (TWO, course(Setpoint(12_000)), "a", "2000 W of the site's setpoint find no device"),
    ],
)
def test_what_cannot_be_carried_out_is_named(where, wish, device, named):
    notes = next(desired.not_carried for desired in planned(where, one(wish)) if desired.device == device)
    assert any(named in note for note in notes), notes


def test_of_two_limits_a_device_can_take_one_and_the_other_is_named():
    """A battery takes an inject limit; nothing tells it to absorb less."""
    (desired,) = planned(
        site(battery("a")), one(course(InjectLimit(2000), "a"), course(AbsorbLimit(100), "a", name="T"))
    )
    assert (desired.order.operation, desired.order.value) == (INJECT, 2000)
    assert any("absorb no more than 100 W" in note for note in desired.not_carried)


def test_a_limit_that_bites_nothing_is_not_named():
    (desired,) = planned(site(charger()), one(course(InjectLimit(100), "charger")))
    assert (desired.order.operation, desired.not_carried) == (RELEASE, ())


def windows(*events):
    (desired,) = planned(site(battery("a")), *events)
    return desired.order.value, desired.order.not_before, desired.order.hold_seconds, desired.source


def test_a_window_is_that_of_the_wishes_that_make_the_order():
    """Not-before is when they all stand, hold until the first of them ends."""
    wish = one(course(Setpoint(4000), "a", duration=600), duration=600, **FIRST)
    bites = one(course(InjectLimit(1000), "a", duration=300), event_id="L", start=NOW + 5, duration=300)
    idle = one(course(InjectLimit(4500), "a", duration=30), event_id="M", start=NOW + 7, duration=30)
    looser = one(course(InjectLimit(2000), "a", duration=30), event_id="N", start=NOW + 7, duration=30)
    alone = windows(wish)
    assert alone[:3] == (4000, NOW, 600)
    assert windows(wish, idle)[:3] == (4000, NOW, 600), "a limit that does not bite leaves the very same order"
    assert windows(wish, bites)[:3] == (1000, NOW + 5, 300)
    assert windows(wish, bites, looser, idle)[:3] == (1000, NOW + 5, 300)
    assert windows(wish, bites)[3].timed == wish, "the setpoint asks, the limit narrows"
    assert windows(looser, bites)[:3] == (1000, NOW + 5, 300)
    assert windows(looser, bites)[3].timed == bites


def test_an_open_ended_order_holds_until_further_notice():
    value, since, hold, _ = windows(one(course(Setpoint(1), "a", duration=None), duration=None))
    assert (value, since, hold) == (1, NOW, 0)


def test_an_order_carries_tolerance_profile_and_revert():
    """device, operation, value, scale, unit, not-before, hold, revert-to, tolerance, profile digest."""
    (desired,) = planned(site(battery("a")), one(course(Setpoint(1), "a")))
    order = desired.order
    assert (order.tolerance, order.profile_digest) == (50, profiles.digest_of("sunspec_battery"))
    assert (order.revert_to, order.scale, order.unit) == ((RELEASE, 0), 0, "W")
    (released,) = planned(site(battery("a")))
    assert (released.order.not_before, released.order.hold_seconds, released.source) == (0, 0, None)


@given(worlds())
@settings(max_examples=200, deadline=None)
def test_every_order_lies_in_envelope_and_connection(events):
    for desired in planned(NARROW, *events):
        envelope = NARROW.device(desired.device).envelope
        inject, absorb = min(envelope.max_watts, 4500), min(-envelope.min_watts, 6000)
        order = desired.order
        assert order.operation in profiles.operations_of(NARROW.device(desired.device).profile)
        match order.operation:
            case Operation.SET_POWER:
                assert -absorb <= order.value <= inject
            case Operation.LIMIT_INJECT:
                assert 0 <= order.value <= inject
            case Operation.LIMIT_ABSORB:
                assert 0 <= order.value <= absorb
            case Operation.RELEASE:
                assert order.value == 0


@given(worlds(), LIMIT, TARGET)
@settings(max_examples=200, deadline=None)
def test_one_limit_more_never_means_more_power(events, limit, target):
    """docs/architecture.md: rules only narrow. The limit comes with any event, here one of the lowest precedence."""
    before = {desired.device: desired.order for desired in planned(NARROW, *events)}
    extra = one(course(limit, *target), event_id="Z", utility="z", start=NOW)
    for desired in planned(NARROW, *events, extra):
        was = before[desired.device]
        if was.operation is RELEASE:
            assert desired.order.operation is not SET
        else:
            assert desired.order.operation is was.operation
            assert abs(desired.order.value) <= abs(was.value)
            assert desired.order.value * was.value >= 0


@given(worlds(), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_no_order_of_events_pictures_or_devices_changes_the_plan(events, chance: random.Random):
    def told_by_device(where, made):
        return {desired.device: (desired.order.encode(), set(desired.not_carried)) for desired in planned(where, *made)}

    shuffled, devices = list(events), list(NARROW.devices)
    chance.shuffle(shuffled)
    chance.shuffle(devices)
    assert told_by_device(NARROW, events) == told_by_device(replace(NARROW, devices=tuple(devices)), shuffled)


@given(WISH, TARGET, st.text("abc", min_size=1, max_size=3), st.sampled_from(["openadr-2.0b", "openadr-3", "csip"]))
@settings(max_examples=80, deadline=None)
def test_one_intent_gives_the_same_order_bytes_whoever_brought_it(wish, target, name, dialect):
    """docs/statements.md: the same intent by any dialect gives byte-identical order bodies."""
    ours = [desired.order.encode() for desired in planned(NARROW, one(course(wish, *target)))]
    theirs = one(course(wish, *target, name=name), event_id=name, utility="z", dialect=dialect, priority=7)
    assert ours == [desired.order.encode() for desired in planned(NARROW, theirs)]


def test_a_utility_moves_and_narrows_only_the_devices_it_is_enrolled_for():
    """The manifest's enrolment says who may order what; no wish travels under the name of another utility."""
    where = site(battery("a"), battery("b"), charger(), utilities=(utility("north"), utility("other", "a", "charger")))
    ours = one(course(Setpoint(4000), "a", "b"), **FIRST)
    assert told(where, ours, one(course(InjectLimit(1000)), utility="other")) == {
        "a": (SET, 1000),
        "b": (SET, 4000),
        "charger": (RELEASE, 0),
    }
    assert told(where, one(course(Setpoint(-3200)), utility="other")) == {
        "a": (SET, -1000),
        "b": (RELEASE, 0),
        "charger": (ABSORB, 2200),
    }
    for wish in (course(InjectLimit(0)), course(InjectLimit(0), "b"), course(Level(1)), course(Setpoint(0), "b")):
        assert told(where, ours, one(wish, utility="other"))["b"] == (SET, 4000)
        assert told(where, ours, one(wish, utility="gone")) == told(where, ours)


UNMETERED = "no meter at the connection point: the site's limit is shared, and the household does not count"


@pytest.mark.parametrize("wish", [InjectLimit(1500), AbsorbLimit(1500)])
def test_a_site_limit_without_a_meter_is_shared_and_says_so(wish):
    """CSIP-AUS: the limit is meant at the connection point, where nothing measures."""
    notes = {one.device: one.not_carried for one in planned(THREE, one(course(wish)))}
    told_to = ("a", "b") if isinstance(wish, InjectLimit) else ("a", "b", "charger")
    assert all(UNMETERED in notes[name] for name in told_to)
    assert all(UNMETERED not in note for note in planned_notes(one(course(wish, "a"))))


def planned_notes(*events):
    return [one.not_carried for one in planned(THREE, *events)]


def metered(*devices, **fields):
    meter = Device(
        "m", "sunspec_meter_import_positive", LinkKind.SIMULATOR, "tcp://h:3", 1, "", 2, 50, {},
        DeviceEnvelope("m", 0, 0, 0, 0, 0, 0, 1000),
    )  # fmt: skip
    return replace(site(*devices, meter, **fields), meter="m")


def at_meter(watts, where, *events, **measured):
    powers = {"m": watts} | measured
    pictures = tuple(
        DevicePicture(one.name, None, 500, reachable=True, measured=Measured(powers.get(one.name, 0), NOW))
        for one in where.devices
    )
    return plan(World(NOW + 10, events, pictures), where).desired


def test_with_a_meter_the_room_is_shared_by_capacity():
    """1500 W of limit and 2000 W of load leave 3450 W to two equal batteries; the meter is ordered nothing."""
    found = at_meter(-2000, metered(battery("a"), battery("b")), one(course(InjectLimit(1500))))
    assert {one.device: (one.order.operation, one.order.value) for one in found} == {
        "a": (INJECT, 1725), "b": (INJECT, 1725),
    }  # fmt: skip
    assert all(one.not_carried == () for one in found)


def test_what_cannot_be_narrowed_is_household_and_named():
    """A battery that draws 4000 W by itself has no limit on that: of 6000 W the car gets 6000 - 4000 - 50."""
    where = metered(battery("a"), charger())
    found = {one.device: one for one in at_meter(-4000, where, one(course(AbsorbLimit(6000))), a=-4000)}
    assert (found["charger"].order.operation, found["charger"].order.value) == (ABSORB, 1950)
    assert found["a"].order.operation is RELEASE
    assert found["a"].not_carried == ("sunspec_battery cannot be told to import less: it counts as household",)


def test_a_background_beyond_the_limit_orders_nobody_to_absorb():
    """A roof exports 4000 W: a limit of 1500 W holds the battery at 0 W, and that it is broken all the same is told."""
    (found,) = at_meter(4000, metered(battery("a")), one(course(InjectLimit(1500))))
    assert (found.order.operation, found.order.value) == (INJECT, 0)
    assert "broken by 2500 W without the devices" in found.not_carried[0]


def test_a_device_that_the_utility_is_not_enrolled_for_is_household():
    where = metered(battery("a"), battery("b"), utilities=(utility("north", "a"),))
    found = {one.device: one.order for one in at_meter(0, where, one(course(InjectLimit(1500))), b=1000)}
    assert (found["a"].operation, found["a"].value) == (INJECT, 1450)  # the 1000 W of b are in the meter's 0 W
    assert found["b"].operation is RELEASE


def test_of_two_limits_the_tighter_holds_whatever_its_precedence():
    loose = one(course(InjectLimit(4000)), priority=1, event_id="loose")
    tight = one(course(InjectLimit(1000)), priority=2, event_id="tight")
    (found,) = at_meter(0, metered(battery("a")), loose, tight)
    assert found.order.value == 950
    assert found.source.timed is tight
