"""What servers should not send, in the sets beside DER: it is told, and nothing that was good is lost."""

import time

import pytest
from client_2030_5_sets import (
    blocks,
    change,
    charger_config,
    interval,
    lay_sets,
    limit_at,
    load_control,
    prices,
    show,
    text,
    texts,
)
from client_2030_5_world import LFDI, World
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Silence
from wattseal.protocols.ieee2030_5.client.happenings import MessageRefused, PricesInForce
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_2, CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.set_values import value_of

FAULTS = [Answer(500), Answer(404), Answer(200, b"<html/>", "text/html"), Silence("peer_timeout")]
EDC, TTI, TXT = "/dr/1/edc", "/tp/1/rc/1/tti", "/msg/1/txt"


def raw(world: World, path: str, *items) -> bytes:
    show(world, path, *items)
    return encode(world.server.resources[path], CSIPAUS_1_2)


def test_a_control_that_cannot_be_read_is_answered_with_253_and_the_others_run():
    """1.7: 253, invalid event."""
    world = lay_sets(World(charger_config()))
    whole = raw(world, EDC, load_control(1, 10, 600, 50), load_control(2, 700, 60, 20))
    broken = whole.replace(b"<creationTime>1799999002", b"<creationTime>yesterday", 1)
    assert broken != whole
    world.server.resources[EDC] = broken
    world.begin().run(100)
    assert limit_at(world, 100) == 3700
    assert (2, 253, LFDI) in world.responses
    assert any(one.reason == "item_left_out" for one in world.of(MessageRefused))


def test_a_control_that_was_good_and_cannot_be_read_any_more_goes_on():
    world = lay_sets(World(charger_config()))
    whole = raw(world, EDC, load_control(1, 10, 6000, 50))
    world.begin().run(100)
    world.server.resources[EDC] = whole.replace(b"<creationTime>1799999001", b"<creationTime>yesterday", 1)
    world.run(1500)
    assert limit_at(world, 1600) == 3700
    assert [code for _, code, _ in world.responses] == [1, 2]


@pytest.mark.parametrize("path", ["/dr", EDC, "/tp", "/tp/1/rc", TTI, "/msg", TXT, "/edev/1/frp", "/edev/1/frq"])
@pytest.mark.parametrize(
    "fault", [Answer(500), Answer(404), Answer(200, b"<html/>", "text/html"), Silence("peer_timeout")]
)
def test_what_fails_of_one_set_takes_nothing_from_the_others(path, fault):
    """Whatever of a set fails, for as long as it may: the other sets are followed."""
    world = lay_sets(World(charger_config()))
    show(world, EDC, load_control(1, 10, 6000, 50))
    show(world, TTI, interval(1, 0, 6000))
    world.server.resources["/tti/1/cti"] = blocks(1, (0, 7))
    show(world, TXT, text(1, 0, 6000))
    world.server.faults[path] = fault
    world.begin().run(1000)
    assert (limit_at(world, 1000) == 3700) is not path.startswith("/dr")
    assert bool(prices(world)) is not path.startswith("/tp")
    assert bool(texts(world)) is not path.startswith("/msg")


def test_a_list_that_fails_later_changes_nothing():
    world = lay_sets(World(charger_config()))
    show(world, EDC, load_control(1, 10, 6000, 50))
    show(world, TXT, text(1, 0, 6000))
    world.begin().run(100)
    for path in ("/dr", EDC, "/msg", TXT, "/edev/1/fsa"):
        world.server.faults[path] = Answer(503)
    world.run(2000)
    assert limit_at(world, 2000) == 3700
    assert len(texts(world)) == 1


def test_an_interval_of_an_unknown_rate_is_told_under_its_tariff():
    """CSIP-AUS 1.3: RateComponentLink says of which rate an interval is; one that leads nowhere hides no price."""
    world = lay_sets(World(charger_config(profile=CSIPAUS_1_3)))
    tariff = world.server.resources["/tp"].items[0]
    change(world, "/tp", items=(replace(tariff, combined_time_tariff_interval_list_link=ListLink(href="/tp/1/ctti")),))
    lost = interval(1, 0, 500, price=3, rate_component_link=Link(href="/tp/1/rc/99"))
    world.server.resources["/tp/1/ctti"] = replace(world.server.resources[TTI], href="/tp/1/ctti", items=(lost,))
    world.begin().run(50)
    (shown,) = prices(world)
    said = value_of(shown.force.mode, shown.force.value)
    assert (said.rate, said.uom, said.blocks[0].price) == ("71", None, 3)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from([EDC, TTI, TXT]), st.booleans()), max_size=6))
def test_whatever_fails_for_a_while_comes_right_in_the_end(faults):
    """Level, not edge: after the last fault, what is in force is what the lists say."""
    world = lay_sets(World(charger_config()))
    show(world, EDC, load_control(1, 10, 9000, 50))
    show(world, TTI, interval(1, 0, 9000))
    world.server.resources["/tti/1/cti"] = blocks(1, (0, 7))
    show(world, TXT, text(1, 0, 9000))
    world.begin()
    for seconds, path, down in faults:
        if down:
            world.server.faults[path] = Answer(500)
        else:
            world.server.faults.pop(path, None)
        world.run(seconds)
    world.server.faults.clear()
    world.run(3600)
    assert limit_at(world, world.second) == 3700
    assert [value_of(one.force.mode, one.force.value).blocks[0].price for one in prices(world)] == [7]
    assert len(texts(world)) == 1
    assert sorted(world.responses) == [(1, 1, LFDI)] * 3 + [(1, 2, LFDI)] * 2


@pytest.mark.slow
def test_a_day_of_five_minute_prices_costs_little():
    """288 prices, each told as it comes into force; nothing is run ahead for what moves no device."""
    world = lay_sets(World(charger_config()))
    show(world, TTI, *(interval(number, number * 300, 300) for number in range(1, 289)))
    for number in range(1, 289):
        world.server.resources[f"/tti/{number}/cti"] = blocks(number, (0, number))
    world.begin().run(60)
    slowest, looked = 0.0, world.session.looked

    def watched(*what, **more):
        nonlocal slowest
        began = time.process_time()
        happenings = looked(*what, **more)
        slowest = max(slowest, time.process_time() - began)
        return happenings

    world.session.looked = watched  # type: ignore[method-assign]  # the same, timed
    world.run(1800)
    assert len(world.of(PricesInForce)) == 6
    assert slowest < 0.3, f"{slowest:.3f} s for one change of price"
