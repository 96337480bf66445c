"""Durations of 2.0b: the schema's pattern, its traps, and exact arithmetic."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.protocols.lexical import LexicalError
from wattseal.protocols.openadr20b.duration import DURATION, LONGEST_SECONDS, Duration

JANUARY_31 = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "value", "remarked"),
    [
        ("PT15M", Duration(minutes=15), False),
        ("PT0S", Duration(), False),
        ("PT90S", Duration(seconds=90), False),
        ("P1DT2H3M4S", Duration(days=1, hours=2, minutes=3, seconds=4), False),
        ("-PT10M", Duration(minutes=10, negative=True), False),
        ("+PT10M", Duration(minutes=10), False),
        ("P1Y2M", Duration(years=1, months=2), False),
        ("PT24H", Duration(hours=24), False),
        ("P5M", Duration(months=5), True),
        ("P10M", Duration(months=10), True),
        ("P", Duration(), True),
        ("PT", Duration(), True),
        ("1W", Duration(days=7), True),
        ("P1W", Duration(days=7), True),
        ("P5H", Duration(hours=5), True),
        ("P1D5M", Duration(days=1, minutes=5), True),
        ("P2M5M", Duration(months=2, minutes=5), True),
        (" PT5M\n", Duration(minutes=5), True),
    ],
)
def test_forms(text: str, value: Duration, remarked: bool) -> None:
    """The pattern lets T be left out, so P5M is five months by ISO 8601; a public fixture means minutes by it."""
    assert DURATION.read(text) == value
    assert DURATION.remark is not None
    assert (DURATION.remark(text, value) is not None) == remarked


@pytest.mark.parametrize(
    "text",
    ["", "5M", "PT5", "PT1.5S", "P1.5D", "PT5M5H", "P1D1Y", "T5M", "pt5m", "P-5M", "PT\u0665M", "W", "P1WT1H",
     "PT99999999999S", "P999Y", "P1300M", "PT" + "9" * 400 + "S"],
)  # fmt: skip
def test_what_is_no_duration_or_too_long_is_refused(text: str) -> None:
    """No fractions of a second in the pattern; nothing beyond a hundred years."""
    with pytest.raises(LexicalError):
        DURATION.read(text)


def test_months_follow_the_calendar() -> None:
    """A month from 31 January ends with February; four years later is 1461 days."""
    assert Duration(months=1).total_seconds(JANUARY_31) == 28 * 86_400
    assert Duration(months=1).after(JANUARY_31) == datetime(2030, 2, 28, 12, tzinfo=UTC)
    assert Duration(months=1, days=1).after(JANUARY_31) == datetime(2030, 3, 1, 12, tzinfo=UTC)
    assert Duration(years=4).total_seconds(JANUARY_31) == 1461 * 86_400
    assert Duration(months=2, negative=True).after(JANUARY_31) == datetime(2029, 11, 30, 12, tzinfo=UTC)


def test_months_without_an_anchor_have_no_length() -> None:
    with pytest.raises(LexicalError):
        Duration(months=5).total_seconds()
    assert Duration(days=5).total_seconds() == 5 * 86_400


def test_the_calendar_ends() -> None:
    with pytest.raises(LexicalError):
        Duration(years=10).after(datetime(9998, 1, 1, tzinfo=UTC))
    with pytest.raises(LexicalError):
        Duration(days=40).after(datetime(9999, 12, 1, tzinfo=UTC))
    with pytest.raises(LexicalError):
        Duration(years=10, negative=True).after(datetime(5, 1, 1, tzinfo=UTC))


@given(st.integers(-LONGEST_SECONDS, LONGEST_SECONDS))
def test_seconds_come_back(seconds: int) -> None:
    """Oracle: timedelta."""
    value = Duration.of_seconds(seconds)
    assert value.total_seconds() == seconds
    assert DURATION.read(DURATION.write(value)) == value
    assert value.after(JANUARY_31.replace(year=5000)) - JANUARY_31.replace(year=5000) == timedelta(seconds=seconds)


def test_what_is_written_is_iso_8601() -> None:
    """Zero is PT0S, a week is P7D, T stands before clock units only."""
    assert DURATION.write(Duration()) == "PT0S"
    assert DURATION.write(DURATION.read("1W")) == "P7D"
    assert DURATION.write(Duration(months=5, minutes=5)) == "P5MT5M"
    assert DURATION.write(Duration(hours=25, negative=True)) == "-PT25H"
    with pytest.raises(LexicalError):
        DURATION.write(Duration(hours=-1))


def test_zero_is_open_ended() -> None:
    """Rule 47: an active period of duration 0 has no end."""
    assert DURATION.read("PT0S").is_zero
    assert DURATION.read("P0Y").is_zero
    assert not DURATION.read("PT1S").is_zero
    assert not DURATION.read("P1M").is_zero
