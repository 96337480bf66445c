"""Prices and texts as the status tells them: exact money, named units, printable words."""

import json
from fractions import Fraction

import pytest
from bridge_world import NOW
from client_2030_5_sets import CHARGER, text
from client_2030_5_world import LFDI
from hypothesis import given
from hypothesis import strategies as st

from wattseal.bridge.core.told_texts import PRIORITIES, price_told, text_told
from wattseal.protocols.ieee2030_5.client.happenings import Shown
from wattseal.protocols.ieee2030_5.engine.force import InForce, Source
from wattseal.protocols.ieee2030_5.set_values import Block, PriceSaid, TextSaid, packed, text_of
from wattseal.protocols.ieee2030_5.translate import TranslationContext
from wattseal.protocols.ieee2030_5.vocabulary import Uom

CONTEXT = TranslationContext("north", {LFDI: CHARGER}, {b"\x71": "night"})


def shown(said, until: int | None = NOW + 60) -> Shown:
    mode = "price:72" if isinstance(said, PriceSaid) else "text:01"
    return Shown(InForce(mode, packed(said), None, Source.EVENT, b"\x71", b"\x0b", until, 3), (LFDI, b"\x00" * 20))


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-9, 9))
def test_money_is_the_number_itself(price, power):
    """Price x 10^pricePowerOfTenMultiplier, in writing, without an exponent and without a float."""
    told = price_told(shown(PriceSaid("71", "72", (Block(0, 0, price),), price_power=power)), CONTEXT)
    assert Fraction(told["price"]) == Fraction(price) * Fraction(10) ** power
    assert "e" not in told["price"].lower()
    json.dumps(told)


@pytest.mark.parametrize(
    ("uom", "power", "name"),
    [
        (Uom.WATT_HOUR, 3, "kWh"), (Uom.WATT_HOUR, 0, "Wh"), (Uom.WATT_HOUR, 6, "MWh"), (Uom.WATT, 3, "kW"),
        (Uom.VAR_HOUR, 3, "kvarh"), (Uom.WATT_HOUR, 2, "1e2 Wh"), (Uom.THERM, 0, "1e0 uom 169"),
        (250, 1, "1e1 uom 250"), (None, 0, ""),
    ],
)  # fmt: skip
def test_the_unit_is_named_or_told_as_its_code(uom, power, name):
    """72 Wh, 38 W, 73 varh (1.9); what has no name here keeps its number."""
    said = PriceSaid("71", "72", (Block(0, 0, 1),), uom=None if uom is None else int(uom), unit_power=power)
    assert price_told(shown(said), CONTEXT)["per"] == name


def test_each_block_of_a_step_tariff_is_told_with_where_it_begins():
    told = price_told(shown(PriceSaid("71", "72", (Block(1, 0, 200), Block(2, 5000, None)), price_power=-3)), CONTEXT)
    assert told["price"] == "0.200"
    assert told["blocks"] == [
        {"block": 1, "from": 0, "price": "0.200"},
        {"block": 2, "from": 5000, "price": None},
    ]
    assert (told["programme"], told["devices"], told["event"]) == ("night", ["charger"], "0B")


@pytest.mark.parametrize("until", [None, 1 << 40])
def test_an_end_that_no_calendar_has_is_told_all_the_same(until):
    told = price_told(shown(PriceSaid("71", "72", ()), until), CONTEXT)
    assert told["until"] in {None, f"unix {1 << 40}"}
    assert told["price"] is None


@given(st.text(max_size=6000), st.text(max_size=30), st.integers(0, 255))
def test_a_text_is_printable_whatever_it_held(words, originator, priority):
    """What comes from outside cannot move a cursor or split a line of the log."""
    message = text(1, 0, 60, words, originator=originator)
    mode, value = text_of(message)
    if mode.startswith("?"):
        assert not any(letter.isprintable() and not letter.isspace() for letter in words)
        return
    one = Shown(InForce(mode, value, None, Source.EVENT, b"\x71", b"\x0b", None, 0), (LFDI,))
    told = text_told(one, CONTEXT)
    assert told["text"].isprintable()
    assert told["from"].isprintable()
    assert 0 < len(told["text"]) <= 4096
    unknown = text_told(shown(TextSaid("x", priority)), CONTEXT)
    assert unknown["priority"] in PRIORITIES
