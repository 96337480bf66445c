"""Handover of orders: between two wishes for one function no device is without an order (decision 013)."""

import pytest
from bridge_world import NOW, course
from plan_world import SET, TWO, one

from wattseal.bridge.plan import HANDOVER_SECONDS, World, plan
from wattseal.protocols.wish import Energize, InjectLimit, Setpoint

FIRST = one(course(InjectLimit(500), "a", duration=100), event_id="first", duration=100)
NEXT = one(course(InjectLimit(900), "a", duration=100), event_id="next", start=NOW + 100, duration=100)
HANDED_OVER = 100 + 10


def hold(at: int, *events: object, device: str = "a") -> int:
    """Of the device's power order, as planned `at` seconds after the first event began."""
    found = plan(World(NOW + at, events, ()), TWO).desired
    return next(one.order.hold_seconds for one in found if one.device == device)


@pytest.mark.parametrize(("at", "seconds"), [(0, 100), (79, 100), (80, HANDED_OVER), (99, HANDED_OVER)])
def test_an_order_that_another_follows_is_held_until_it_is_there(at, seconds):
    assert HANDOVER_SECONDS == 20
    assert hold(at, FIRST, NEXT) == seconds


def test_an_order_that_nothing_follows_ends_with_its_wish():
    """Decision 007: never past the event's end."""
    gap = one(course(InjectLimit(900), "a"), event_id="next", start=NOW + 101)
    elsewhere = one(course(InjectLimit(900), "b"), event_id="next", start=NOW + 100)
    other_function = one(course(Energize(on=False), "a"), event_id="next", start=NOW + 100)
    for later in (gap, elsewhere, other_function):
        assert hold(99, FIRST, later) == 100


def test_what_lies_under_a_wish_follows_it():
    """The default of a programme, or another utility's event, that goes on when the stronger one ends."""
    under = one(course(Setpoint(1500), "a", duration=None), event_id="under", duration=None, priority=9)
    over = one(course(Setpoint(-700), "a", duration=100), event_id="over", duration=100, priority=1)
    assert hold(90, over, under) == HANDED_OVER
    (order,) = (one.order for one in plan(World(NOW + 100, (over, under), ()), TWO).desired if one.device == "a")
    assert (order.operation, order.value, order.hold_seconds) == (SET, 1500, 0)


def test_the_next_order_begins_within_the_hold_of_the_one_before():
    before = plan(World(NOW + 99, (FIRST, NEXT), ()), TWO).desired[0].order
    after = plan(World(NOW + 100, (FIRST, NEXT), ()), TWO).desired[0].order
    assert before.not_before + before.hold_seconds > after.not_before == NOW + 100
