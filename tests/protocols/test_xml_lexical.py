"""Lexical forms of XML Schema's simple types (XSD 1.0 part 2), and where we are stricter than it on purpose."""

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.protocols.lexical import (
    BOOLEAN,
    DATE_TIME,
    DECIMAL,
    FLOAT,
    TEXT,
    UNSIGNED_INT,
    URI,
    Lexical,
    LexicalError,
    fixed,
    list_of,
)


@pytest.mark.parametrize(
    ("lexical", "text", "value"),
    [
        (BOOLEAN, "true", True),
        (BOOLEAN, "1", True),
        (BOOLEAN, " false\n", False),
        (BOOLEAN, "0", False),
        (UNSIGNED_INT, "0", 0),
        (UNSIGNED_INT, "+5", 5),
        (UNSIGNED_INT, "-0", 0),
        (UNSIGNED_INT, " 007 ", 7),
        (UNSIGNED_INT, "4294967295", 4_294_967_295),
        (FLOAT, "1e3", Decimal(1000)),
        (FLOAT, "1E+3", Decimal(1000)),
        (FLOAT, "-.5", Decimal("-0.5")),
        (FLOAT, "5.", Decimal(5)),
        (FLOAT, "+12.750", Decimal("12.75")),
        (FLOAT, "3.4028234663852886e38", Decimal("3.4028234663852886e38")),
        (FLOAT, "0e99", Decimal(0)),
        (DECIMAL, "230.0", Decimal(230)),
        (DECIMAL, "+.5", Decimal("0.5")),
        (DATE_TIME, "2030-06-01T14:00:00Z", datetime(2030, 6, 1, 14, tzinfo=UTC)),
        (DATE_TIME, "2030-06-01T14:00:00", datetime(2030, 6, 1, 14, tzinfo=UTC)),
        (DATE_TIME, "\n\t2030-06-01T14:00:00.25Z ", datetime(2030, 6, 1, 14, 0, 0, 250_000, tzinfo=UTC)),
        (DATE_TIME, "2030-12-31T24:00:00Z", datetime(2031, 1, 1, tzinfo=UTC)),
        (DATE_TIME, "2030-06-01T14:00:00.123456789Z", datetime(2030, 6, 1, 14, 0, 0, 123_456, tzinfo=UTC)),
        (TEXT, "", ""),
        (TEXT, " null ", " null "),
        (URI, " http://a/b\n", "http://a/b"),
        (fixed("Wh"), "", "Wh"),
        (list_of(FLOAT, 3), " 1 2\n3 ", (Decimal(1), Decimal(2), Decimal(3))),
    ],
)
def test_legal_forms(lexical: Lexical[Any], text: str, value: object) -> None:
    """A legal text has one value; `null` is a text like any other, and an empty element is an empty text."""
    assert lexical.read(text) == value


@pytest.mark.parametrize(
    ("lexical", "text"),
    [
        (BOOLEAN, "True"),
        (BOOLEAN, ""),
        (BOOLEAN, "yes"),
        (UNSIGNED_INT, ""),
        (UNSIGNED_INT, "-1"),
        (UNSIGNED_INT, "4294967296"),
        (UNSIGNED_INT, "1_000"),
        (UNSIGNED_INT, "٣"),
        (UNSIGNED_INT, "1.0"),
        (UNSIGNED_INT, "9" * 5000),
        (FLOAT, ""),
        (FLOAT, "NaN"),
        (FLOAT, "nan"),
        (FLOAT, "INF"),
        (FLOAT, "-INF"),
        (FLOAT, "Infinity"),
        (FLOAT, "1e39"),
        (FLOAT, "3.5e38"),
        (FLOAT, "-1e9999"),
        (FLOAT, "1e-46"),
        (FLOAT, "1e99999999999"),
        (FLOAT, "1" + "0" * 100),
        (FLOAT, "1,5"),
        (FLOAT, "1 5"),
        (FLOAT, "0x10"),
        (FLOAT, "٣"),
        (FLOAT, "1_0"),
        (FLOAT, "."),
        (DECIMAL, "1e3"),
        (DECIMAL, "NaN"),
        (DATE_TIME, ""),
        (DATE_TIME, "2030-06-01T14:00:00+00:00"),
        (DATE_TIME, "2030-06-01T14:00:00+02:00"),
        (DATE_TIME, "2030-06-01T14:00:00z"),
        (DATE_TIME, "2030-06-01 14:00:00Z"),
        (DATE_TIME, "2030-06-01T14:00Z"),
        (DATE_TIME, "2030-06-01"),
        (DATE_TIME, "2030-02-30T00:00:00Z"),
        (DATE_TIME, "2030-06-01T24:00:01Z"),
        (DATE_TIME, "2030-06-01T23:59:60Z"),
        (DATE_TIME, "9999-12-31T24:00:00Z"),
        (DATE_TIME, "0000-01-01T00:00:00Z"),
        (DATE_TIME, "-2030-06-01T14:00:00Z"),
        (DATE_TIME, "٢٠٣٠-06-01T14:00:00Z"),
        (TEXT, "x" * 16_385),
        (fixed("Wh"), "kWh"),
        (list_of(FLOAT, 3), "1 2 3 4"),
        (list_of(FLOAT, 3), "1 x"),
    ],
)
def test_illegal_or_harmful_forms_are_refused(lexical: Lexical[Any], text: str) -> None:
    """NaN, INF and numbers no 32-bit float holds are refused though xs:float has the first two; offsets by rule 1."""
    with pytest.raises(LexicalError):
        lexical.read(text)


@pytest.mark.parametrize(
    ("lexical", "value"),
    [
        (TEXT, "\x00"),
        (TEXT, "\ud800"),
        (TEXT, "\ufffe"),
        (TEXT, 5),
        (BOOLEAN, 1),
        (UNSIGNED_INT, True),
        (UNSIGNED_INT, -1),
        (UNSIGNED_INT, 1.0),
        (FLOAT, 1.0),
        (FLOAT, Decimal("NaN")),
        (FLOAT, Decimal("1e39")),
        (DECIMAL, Decimal("1e100")),
        (DECIMAL, Decimal("-Infinity")),
        (DATE_TIME, datetime(2030, 6, 1)),  # noqa: DTZ001  a naive time is the case
        (DATE_TIME, datetime(2030, 6, 1, tzinfo=timezone(timedelta(hours=2)))),
        (URI, " http://a"),
        (fixed("Wh"), "kWh"),
    ],
)
def test_values_that_the_wire_cannot_carry_are_not_written(lexical: Lexical[Any], value: object) -> None:
    with pytest.raises(LexicalError):
        lexical.write(value)


def test_odd_but_legal_times_are_remarked() -> None:
    assert DATE_TIME.remark is not None

    def said(text: str) -> str | None:
        assert DATE_TIME.remark is not None
        return DATE_TIME.remark(text, DATE_TIME.read(text))

    assert "Z" in (said("2030-06-01T14:00:00") or "")
    assert "microsecond" in (said("2030-06-01T14:00:00.1234567Z") or "")
    assert said("2030-06-01T14:00:00.1234560Z") is None
    assert said("2030-06-01T14:00:00Z") is None


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_every_finite_float_is_read_exactly(number: float) -> None:
    """Oracle: Python's own shortest text of a 32-bit float, and the value it stands for."""
    read = FLOAT.read(repr(number))
    assert float(read) == number
    assert FLOAT.read(FLOAT.write(read)) == read


@given(st.text(max_size=20))
def test_no_text_but_a_number_is_a_number(text: str) -> None:
    """Whatever is read is finite, and Python's float agrees on its value."""
    try:
        value = FLOAT.read(text)
    except LexicalError:
        return
    assert math.isclose(float(value), float(text), rel_tol=1e-15)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back(moment: datetime) -> None:
    text = DATE_TIME.write(moment)
    assert DATE_TIME.read(text) == moment
    assert datetime.fromisoformat(text) == moment
