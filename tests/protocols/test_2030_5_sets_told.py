"""Prices and texts: told while they are in force, answered, and never a limit on anything."""

import pytest
from client_2030_5_sets import (
    blocks,
    change,
    charger_config,
    interval,
    lay_sets,
    prices,
    served,
    show,
    text,
    texts,
    translated,
)
from client_2030_5_world import LFDI, T0, World, device, lay, lfdi, managed, status
from msgspec.structs import replace

from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Silence
from wattseal.protocols.ieee2030_5.client.happenings import PricesInForce, ScheduleChanged, TextsInForce
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.response import PriceResponse, TextResponse
from wattseal.protocols.ieee2030_5.set_values import Block, TextSaid, value_of
from wattseal.protocols.ieee2030_5.vocabulary import EventState, MessagePriority

TTI, TXT = "/tp/1/rc/1/tti", "/msg/1/txt"


def said(shown):
    return [value_of(one.force.mode, one.force.value) for one in shown]


def priced(*intervals, **lists) -> World:
    world = lay_sets(World(charger_config()))
    show(world, TTI, *intervals)
    for number, listed in lists.items():
        world.server.resources[f"/tti/{number.removeprefix('of')}/cti"] = listed
    return world.begin()


def messaging(*messages) -> World:
    world = lay_sets(World(charger_config()))
    show(world, TXT, *messages)
    return world.begin()


# ---- prices -------------------------------------------------------------------------------------------------------


def test_a_price_is_in_force_for_its_interval_and_is_answered_with_1_2_3():
    """1.11: TariffProfile, RateComponent, TimeTariffInterval, ConsumptionTariffInterval; price x 10^multiplier."""
    world = priced(interval(1, 100, 200), of1=blocks(1, (0, 245))).run(50)
    assert prices(world) == ()
    world.run(100)
    (price,) = said(prices(world))
    assert (price.blocks, price.price_power, price.currency, price.rate_code) == ((Block(0, 0, 245),), -3, 978, "NIGHT")
    assert (price.uom, price.unit_power, price.flow_direction, price.tier) == (72, 3, 1, 1)
    (shown,) = prices(world)
    assert (shown.force.until, shown.devices, shown.force.primacy) == (T0 + 300, (LFDI,), 3)
    world.run(300)
    assert prices(world) == ()
    answers = [one for path, one in world.server.posted if path == "/rsp"]
    assert [(type(one), int(one.status)) for one in answers] == [(PriceResponse, status) for status in (1, 2, 3)]


def test_a_price_moves_no_device():
    """Prices are told and recorded; what a site does about them is nobody's order."""
    world = priced(interval(1, 0, 5000), of1=blocks(1, (0, 245))).run(100)
    assert prices(world)
    assert translated(world).events == ()
    heard = [heard.href for told in world.of(ScheduleChanged) for heard in told.heard]
    assert {TTI, "/tti/1/cti", "/tp"} <= set(heard)  # every message that brought it is there for the record


def test_a_price_and_a_text_that_come_later_are_on_record_with_their_bytes():
    """Every message that brings something is told with its bytes, also where no schedule changes by it."""
    world = lay_sets(World(charger_config())).begin().run(30)
    before = len(world.of(ScheduleChanged))
    show(world, TTI, interval(1, 500, 5000))
    world.server.resources["/tti/1/cti"] = blocks(1, (0, 245))
    show(world, TXT, text(1, 500, 5000))
    world.run(1000)
    later = [heard for told in world.of(ScheduleChanged)[before:] for heard in told.heard]
    assert {heard.href for heard in later} == {TTI, "/tti/1/cti", TXT}
    assert any(b"<price>245</price>" in heard.raw for heard in later)
    assert any(b"Storm tonight" in heard.raw for heard in later)
    world.run(3600)
    assert len([heard for told in world.of(ScheduleChanged)[before:] for heard in told.heard]) == len(later)


def test_prices_follow_one_another_and_each_change_is_told_once():
    world = priced(interval(1, 0, 100), interval(2, 100, 100), of1=blocks(1, (0, 100)), of2=blocks(2, (0, 50))).run(500)
    told = [[price.blocks[0].price for price in said(one.prices)] for one in world.of(PricesInForce)]
    assert told == [[100], [50], []]


def test_blocks_of_a_step_tariff_are_all_told():
    """ConsumptionTariffInterval: startValue is where a step begins."""
    world = priced(interval(1, 0, 100), of1=blocks(1, (0, 200), (5000, 300))).run(50)
    (price,) = said(prices(world))
    assert price.blocks == (Block(1, 0, 200), Block(2, 5000, 300))


def test_a_price_that_cannot_be_read_is_not_guessed_and_comes_when_it_can():
    """A list that was not read is no list without prices."""
    world = lay_sets(World(charger_config()))
    show(world, TTI, interval(1, 0, 5000))
    world.server.faults["/tti/1/cti"] = Answer(500)
    world.server.resources["/tti/1/cti"] = blocks(1, (0, 7))
    world.begin().run(100)
    assert prices(world) == ()
    assert world.responses == []
    del world.server.faults["/tti/1/cti"]
    world.run(1000)
    assert [price.blocks[0].price for price in said(prices(world))] == [7]


def test_a_cancelled_price_is_answered_and_gone():
    world = priced(interval(1, 0, 5000), of1=blocks(1, (0, 7))).run(50)
    show(world, TTI, interval(1, 0, 5000, event_status=status(EventState.CANCELLED)))
    world.run(1000)
    assert prices(world) == ()
    assert [code for _, code, _ in world.responses] == [1, 2, 6]


def test_version_1_3_lists_all_intervals_together_with_their_prices_in_them():
    """CSIP-AUS 1.3: CombinedTimeTariffIntervalListLink and an inline summary; nothing else need be asked for them."""
    world = lay_sets(World(charger_config(profile=CSIPAUS_1_3)))
    resources = world.server.resources
    tariff = resources["/tp"].items[0]
    change(world, "/tp", items=(replace(tariff, combined_time_tariff_interval_list_link=ListLink(href="/tp/1/ctti")),))
    rate = Link(href="/tp/1/rc/1")
    resources["/tp/1/ctti"] = replace(
        resources[TTI], href="/tp/1/ctti", items=(interval(1, 0, 500, price=-12, rate_component_link=rate),)
    )
    del resources[TTI]
    world.begin().run(100)
    (price,) = said(prices(world))
    assert (price.blocks[0].price, price.rate, price.uom) == (-12, "72", 72)
    asked = {request.href.partition("?")[0] for _, request in world.server.asked}
    assert "/tp/1/ctti" in asked
    assert not {TTI, "/tti/1/cti"} & asked


def test_tariffs_that_only_the_root_links_are_for_our_own_device_and_no_other():
    """1.7: an aggregator never answers for a device outside the group of an event."""
    world = lay_sets(World(charger_config(managed(1), managed(2))))
    sets = {path: found for path, found in world.server.resources.items() if path.startswith(("/tp", "/tti"))}
    lay(world, (device(1), device(2)))
    world.server.resources |= sets
    show(world, TTI, interval(1, 0, 500))
    world.server.resources["/tti/1/cti"] = blocks(1, (0, 7))
    change(world, "/dcap", tariff_profile_list_link=ListLink(href="/tp"))
    world.begin().run(100)
    assert prices(world) == ()
    assert world.responses == []
    listed = world.server.resources["/edev/2/fsa"]
    linked = replace(listed.items[0], tariff_profile_list_link=ListLink(href="/tp"))
    change(world, "/edev/2/fsa", items=(linked,))
    world.run(200)
    assert [one.devices for one in prices(world)] == [(lfdi(2),)]


def test_against_our_server_a_tariff_is_read_told_and_answered():
    world, server = served(CSIPAUS_1_3)
    bench = server.bench
    bench.validated = False
    tariff = bench.program(bench.group(server.lfdi), kind="tariff", currency=36, power_of_ten=-4, rate_code="DAY")
    reading_type = {"uom": 72, "power_of_ten_multiplier": 3, "flow_direction": 1}
    rate = bench.do("add_rate", program=tariff, role_flags=1, reading_type=reading_type)["serial"]
    bench.do(
        "add_interval", program=tariff, rate=rate, interval={"duration": 300, "start_in": 60, "prices": [[0, 3120]]}
    )
    world.begin().run(100)
    (price,) = said(prices(world))
    assert (price.blocks[0].price, price.price_power, price.currency, price.rate_code) == (3120, -4, 36, "DAY")
    assert (price.uom, price.flow_direction) == (72, 1)
    world.run(400)
    assert [int(one.status) for _, one in server.posted] == [1, 2, 3]
    assert prices(world) == ()


# ---- texts --------------------------------------------------------------------------------------------------------


def test_a_text_is_shown_for_its_time_and_answered_with_1_alone():
    """1.11: TextResponse 1; that a text began or ended is no answer to a text."""
    world = messaging(text(1, 50, 100)).run(20)
    assert texts(world) == ()
    world.run(50)
    (shown,) = texts(world)
    assert said((shown,)) == [TextSaid("Storm tonight", int(MessagePriority.HIGH), "Utility")]
    assert shown.force.until == T0 + 150
    world.run(500)
    assert texts(world) == ()
    answers = [one for path, one in world.server.posted if path == "/rsp"]
    assert [(type(one), int(one.status)) for one in answers] == [(TextResponse, 1)]


def test_texts_stand_beside_each_other():
    world = messaging(text(1, 0, 900, "one"), text(2, 0, 900, "two")).run(20)
    assert sorted(one.text for one in said(texts(world))) == ["one", "two"]


@pytest.mark.parametrize("words", ["", "   ", "\t\n", "\x85\u200b"])
def test_a_text_of_which_nothing_can_be_shown_is_answered_with_12(words):
    """1.7: 12, cannot be displayed."""
    world = messaging(text(1, 0, 900, words), text(2, 0, 900, "sound")).run(20)
    assert [one.text for one in said(texts(world))] == ["sound"]
    assert sorted(world.responses) == [(1, 12, LFDI), (2, 1, LFDI)]


def test_a_text_is_words_and_no_orders_to_a_terminal():
    """What comes from outside is printed, never obeyed."""
    world = messaging(text(1, 0, 900, "Save\u009b2J power\r\nnow\u202e", originator="a\tb")).run(20)
    (shown,) = said(texts(world))
    assert shown.text.isprintable()
    assert shown.originator == "a b"
    assert shown.text.startswith("Save 2J power now")


def test_11_is_said_once_and_only_when_a_person_acknowledged():
    """1.7: 11, user acknowledged; responseRequired bit 0x04. Kept over a restart, sent when the server is back."""
    world = messaging(text(1, 0, 900)).run(20)
    assert [code for _, code, _ in world.responses] == [1]
    world.server.down = Silence("peer_unreachable")
    world.run(300)
    mrid = bytes.fromhex(f"{1:032X}")
    assert world.session.acknowledged(world.now, mrid)
    assert world.session.acknowledged(world.now, mrid)
    assert not world.session.acknowledged(world.now, b"\x00" * 16)
    other = world.restarted()
    other.run(120)
    assert [code for _, code, _ in other.responses] == [11]
    (answer,) = [one for path, one in other.server.posted if path == "/rsp"]
    assert answer.created_date_time == T0 + 320


def test_nobody_asked_for_11_and_nobody_gets_it():
    world = messaging(text(1, 0, 900, response_required=0x03)).run(20)
    assert world.session.acknowledged(world.now, bytes.fromhex(f"{1:032X}"))
    world.run(100)
    assert [code for _, code, _ in world.responses] == [1]


def test_a_text_that_is_over_is_not_acknowledged():
    world = messaging(text(1, 0, 50)).run(100)
    assert not world.session.acknowledged(world.now, bytes.fromhex(f"{1:032X}"))


def test_a_restart_shows_the_text_again_without_network():
    world = messaging(text(1, 0, 5000)).run(20)
    other = World(world.settings, (), world.session.state_bytes(), 30.0).begin()
    assert [one.text for one in said(texts(other))] == ["Storm tonight"]


def test_against_our_server_a_text_is_shown_and_acknowledged():
    world, server = served(CSIP_2018)
    bench = server.bench
    program = bench.program(bench.group(server.lfdi), kind="text", locale="en")
    words = {"duration": 300, "text": "Peak at six", "priority": 3, "originator": "North", "response_required": 7}
    mrid = bench.do("add_text", program=program, text=words)["mrid"]
    world.begin().run(30)
    assert said(texts(world)) == [TextSaid("Peak at six", 3, "North")]
    assert world.session.acknowledged(world.now, bytes.fromhex(mrid))
    world.run(60)
    bench.do("cancel", mrid=mrid)
    world.run(900)
    assert texts(world) == ()
    assert [int(one.status) for _, one in server.posted] == [1, 11]
    assert server.valid == (2 if bench.validated else 0)
    assert len(world.of(TextsInForce)) == 2
