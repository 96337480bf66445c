"""Durations as OpenADR 2.0b writes them: a value with exact arithmetic, its reader and its writer.

The schema's pattern lets the ``T`` be left out, so ``P5M`` is legal and means five *months*; it lets a bare ``P``
pass, and takes ``1W`` where ISO 8601 has ``P1W``. All of these are read and remarked; what we write has the form that
both the schema and ISO 8601 know. There are no fractions of a second.
"""

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Self

import msgspec

from wattseal.protocols.lexical import XML_SPACE, Lexical, LexicalError

LONGEST_SECONDS: Final = 100 * 366 * 86_400
"""No duration may reach further than about a hundred years."""

_FORM: Final = re.compile(
    r"([+-])?P(?:([0-9]{1,9})Y)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})D)?"
    r"(T)?(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,10})S)?\Z"
)
_WEEKS: Final = re.compile(r"([+-])?(P)?([0-9]{1,9})W\Z")


class Duration(msgspec.Struct, frozen=True, kw_only=True):
    """A span of calendar and clock units, all counts non-negative, `negative` for the sign of the whole.

    Equality is of the fields, not of the length. A week is always seven days and has no field of its own.
    """

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0
    minutes: int = 0
    seconds: int = 0
    negative: bool = False

    @classmethod
    def of_seconds(cls, seconds: int) -> Self:
        """The duration of so many seconds (negative ones too), in days, hours, minutes and seconds."""
        minutes, second = divmod(abs(seconds), 60)
        hours, minute = divmod(minutes, 60)
        days, hour = divmod(hours, 24)
        return cls(days=days, hours=hour, minutes=minute, seconds=second, negative=seconds < 0)

    @property
    def has_calendar_part(self) -> bool:
        """Whether months or years make the length depend on where it starts."""
        return bool(self.years or self.months)

    @property
    def is_zero(self) -> bool:
        """Whether all counts are zero: an open-ended active period (rule 47)."""
        return not (self.years or self.months or self.clock_seconds)

    @property
    def clock_seconds(self) -> int:
        """Days and smaller units, in seconds, without the sign."""
        return ((self.days * 24 + self.hours) * 60 + self.minutes) * 60 + self.seconds

    def total_seconds(self, anchor: datetime | None = None) -> int:
        """The length in whole seconds, signed.

        Months and years are counted in the calendar from `anchor` (aware UTC). Raises LexicalError when they are there
        and no anchor is given, and when the length passes LONGEST_SECONDS.
        """
        if self.has_calendar_part:
            if anchor is None:
                raise LexicalError(f"{write_duration(self)} has months or years: its length depends on its start")
            shift = self._shift_months(anchor) - anchor
            total = int(shift.total_seconds()) + (-self.clock_seconds if self.negative else self.clock_seconds)
        else:
            total = -self.clock_seconds if self.negative else self.clock_seconds
        if abs(total) > LONGEST_SECONDS:
            raise LexicalError(f"{write_duration(self)} is longer than a hundred years")
        return total

    def after(self, anchor: datetime) -> datetime:
        """The instant this much after `anchor` (before it, when negative). Raises LexicalError as `total_seconds`."""
        try:
            return anchor + timedelta(seconds=self.total_seconds(anchor))
        except OverflowError as error:
            raise LexicalError(f"{write_duration(self)} from {anchor} leaves the calendar") from error

    def _shift_months(self, anchor: datetime) -> datetime:
        months = self.years * 12 + self.months
        index = anchor.year * 12 + anchor.month - 1 + (-months if self.negative else months)
        year, month = divmod(index, 12)
        if not 1 <= year <= 9999:  # noqa: PLR2004  the bounds of datetime itself
            raise LexicalError(f"{write_duration(self)} from {anchor} leaves the calendar")
        day = min(anchor.day, calendar.monthrange(year, month + 1)[1])
        return anchor.replace(year=year, month=month + 1, day=day)


ZERO: Final = Duration()


def _bounded(value: Duration) -> Duration:
    """Refuses what could not be a hundred years from any anchor. 1 January 2000 stands for all of them."""
    value.total_seconds(datetime(2000, 1, 1, tzinfo=UTC))
    return value


def read_duration(text: str) -> Duration:
    """The value of a duration text. Raises LexicalError."""
    return _read_form(text.strip(XML_SPACE))


@lru_cache(maxsize=512)
def _read_form(form: str) -> Duration:
    """Remembered, because a timeline repeats the same few durations; the pattern bounds the length of what it takes."""
    if weeks := _WEEKS.match(form):
        return _bounded(Duration(days=7 * int(weeks[3]), negative=weeks[1] == "-"))
    match = _FORM.match(form)
    if match is None:
        raise LexicalError(f"{form[:40]!r} is no duration such as PT15M")
    sign, years, months, days, _, hours, minutes, seconds = match.groups()
    return _bounded(
        Duration(
            years=int(years or 0),
            months=int(months or 0),
            days=int(days or 0),
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=int(seconds or 0),
            negative=sign == "-",
        )
    )


def write_duration(value: Duration) -> str:
    """The form that the schema and ISO 8601 share; zero is ``PT0S``."""
    date = "".join(f"{n}{unit}" for n, unit in ((value.years, "Y"), (value.months, "M"), (value.days, "D")) if n)
    time = "".join(f"{n}{unit}" for n, unit in ((value.hours, "H"), (value.minutes, "M"), (value.seconds, "S")) if n)
    if not date and not time:
        time = "0S"
    return f"{'-' if value.negative else ''}P{date}{'T' if time else ''}{time}"


def _write_checked(value: Duration) -> str:
    if min(value.years, value.months, value.days, value.hours, value.minutes, value.seconds) < 0:
        raise LexicalError(f"{value!r} has a negative count: the sign belongs to the whole")
    return write_duration(_bounded(value))


def remark_duration(text: str, value: Duration) -> str | None:
    """What is odd about a legal duration text, or None."""
    form = text.strip(XML_SPACE)
    if form != text:
        return "white space around a duration"
    if form.endswith("W"):
        return "a duration in weeks: the schema wants 1W, ISO 8601 P1W"
    if form.lstrip("+-") in {"P", "PT"}:
        return "a duration without any count is read as zero"
    if "T" not in form and (value.hours or value.minutes or value.seconds):
        return "a duration without T before its hours, minutes or seconds"
    if "T" not in form and value.months and not value.years and not value.days:
        return "a duration in months: five minutes would be PT5M"
    return None


DURATION: Final[Lexical[Duration]] = Lexical("duration", read_duration, _write_checked, remark_duration)
