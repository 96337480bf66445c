"""Points at fixed addresses, by hand: word order, sign, floats, sentinels, text."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.drivers.device import UnsupportedError
from wattseal.drivers.profiles.declaration import Form, Register, WordOrder
from wattseal.drivers.profiles.registers import number_from, size_of, text_from, words_for


@pytest.mark.parametrize(
    ("form", "words", "number"),
    [
        (Form.U16, (0xFFFF,), 65535),
        (Form.I16, (0xFFFF,), -1),
        (Form.U32, (0x0001, 0x0002), 65538),
        (Form.I32, (0xFFFF, 0xFA24), -1500),
        (Form.U64, (0, 0, 1, 0), 65536),
        (Form.I64, (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF), -1),
        (Form.F32, (0x4180, 0x0000), 16),  # IEEE 754
        (Form.F64, (0x40C8, 0x1C80, 0, 0), 12345),
    ],
)
def test_forms_both_ways_and_in_both_word_orders(form, words, number):
    """Sungrow, SolarEdge's battery block and Kostal send the low word first."""
    high, low = Register(0, form), Register(0, form, order=WordOrder.LOW_FIRST)
    assert size_of(high) == len(words)
    assert number_from(high, words) == number
    assert number_from(low, words[::-1]) == number
    assert words_for(high, number) == words
    assert words_for(low, number) == words[::-1]


@pytest.mark.parametrize("pattern", ["7fc00000", "7f800000", "ff800000", "7f7fffff"])
def test_floats_that_are_no_numbers(pattern):
    """NaN, both infinities, and a number that no 64-bit integer holds."""
    assert number_from(Register(0, Form.F32), (int(pattern[:4], 16), int(pattern[4:], 16))) is None


def test_sentinels():
    assert number_from(Register(0, Form.I32, sentinels=(-0x80000000,)), (0x8000, 0)) is None


@given(st.integers(0, 1000))
def test_deciamps_survive_a_float32(deciamps):
    """0.1 A steps up to 100 A are told apart by a float32, so a set limit can be compared with what reads back."""
    register = Register(0, Form.F32, exponent=-1)
    words = words_for(register, deciamps)
    assert number_from(register, words) == deciamps
    (value,) = struct.unpack(">f", struct.pack(">HH", *words))
    assert value == pytest.approx(deciamps / 10, rel=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnsupportedError):
        words_for(Register(0, Form.U16), 65536)


def test_text_ends_at_its_first_zero():
    assert text_from((0x4332, 0x0041)) == "C2"
    assert text_from((0x41FF, 0)) == "A\\xff"
