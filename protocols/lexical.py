"""The lexical forms of XML Schema's simple types: text in, exact value out, and back.

Each `Lexical` reads one type from the text of an element or attribute and writes it again. Reading is stricter than
the schema where a value could do harm (NaN, INF, numbers out of range), never looser, and never turns a text into
"absent". Knows no protocol: dialects put their own forms beside these.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

XML_SPACE: Final = " \t\r\n"
MAX_TEXT_CHARACTERS: Final = 16_384
"""Longest string value. The longest text that the dialects define is a comment or a URI."""

_MAX_NUMBER_CHARACTERS: Final = 64
_SHOWN_CHARACTERS: Final = 40
_MAX_FLOAT: Final = Decimal("3.4028234663852886e38")
_MIN_FLOAT: Final = Decimal("1.401298464324817e-45")
_UNSIGNED_INT_MAX: Final = 4_294_967_295

_SPACES: Final = re.compile("[ \t\r\n]+")
_ILLEGAL_CHARACTER: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\Z")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\Z")
_URI_SHAPE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:[^\s]*|[^:/?#\s]*(?:[/?#][^\s]*)?)\Z")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_DATE_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,18}))?(Z)?\Z"
)


class LexicalError(ValueError):
    """A text, or a value to be written, is not of its type. The binding wraps it with the path of the element."""


@dataclass(frozen=True, slots=True)
class Lexical(Generic[T]):
    """One simple type. `read` and `write` raise LexicalError; `remark` names a legal but suspicious form, or None."""

    name: str
    read: Callable[[str], T]
    write: Callable[[T], str]
    remark: Callable[[str, T], str | None] | None = None


def _shown(value: object) -> str:
    """The value as an error sentence may show it: short, and on one line."""
    text = str(value)
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "...")


def legal_text(value: object) -> str:
    """The value itself if XML can carry it and it is not too long; raises LexicalError otherwise."""
    if not isinstance(value, str):
        raise LexicalError(f"{value!r} is no string")
    if len(value) > MAX_TEXT_CHARACTERS:
        raise LexicalError(f"a string of {len(value)} characters is longer than {MAX_TEXT_CHARACTERS}")
    if _ILLEGAL_CHARACTER.search(value):
        raise LexicalError(f"{_shown(value)} has a character that XML cannot carry")
    return value


def _read_text(text: str) -> str:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise LexicalError(f"a string of {len(text)} characters is longer than {MAX_TEXT_CHARACTERS}")
    return text


TEXT: Final[Lexical[str]] = Lexical("string", _read_text, legal_text)
"""xs:string, kept as it stands, spaces included."""


def collapsed(text: str) -> str:
    """White space as xs:token wants it: none outside, single spaces inside."""
    return _SPACES.sub(" ", text).strip(" ")


def _read_boolean(text: str) -> bool:
    value = text.strip(XML_SPACE)
    if value in {"true", "1"}:
        return True
    if value in {"false", "0"}:
        return False
    raise LexicalError(f"{_shown(text)} is no boolean: true, false, 1 or 0")


def _write_boolean(value: object) -> str:
    if not isinstance(value, bool):
        raise LexicalError(f"{value!r} is no boolean")
    return "true" if value else "false"


BOOLEAN: Final[Lexical[bool]] = Lexical("boolean", _read_boolean, _write_boolean)


def unsigned(maximum: int, name: str) -> Lexical[int]:
    """An integer from 0 to `maximum`; a plus sign and leading zeros are legal."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= maximum:
            raise LexicalError(f"{value!r} is no {name}: it lies outside 0 to {maximum}")
        return value

    def read(text: str) -> int:
        digits = text.strip(XML_SPACE)
        if len(digits) > _MAX_NUMBER_CHARACTERS or not _INTEGER.match(digits):
            raise LexicalError(f"{_shown(text)} is no {name}")
        return check(int(digits))

    return Lexical(name, read, lambda value: str(check(value)))


UNSIGNED_INT: Final = unsigned(_UNSIGNED_INT_MAX, "unsignedInt")


def _float_range(value: object) -> Decimal:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise LexicalError(f"{value!r} is no finite Decimal")
    size = abs(value)
    if size > _MAX_FLOAT or 0 < size < _MIN_FLOAT:
        raise LexicalError(f"{value} is outside the range of a 32-bit float")
    return value


def _read_float(text: str) -> Decimal:
    digits = text.strip(XML_SPACE)
    if len(digits) > _MAX_NUMBER_CHARACTERS or not _FLOAT.match(digits):
        raise LexicalError(
            f"{_shown(text)} is no number of up to {_MAX_NUMBER_CHARACTERS} characters (NaN and INF are refused)"
        )
    return _float_range(Decimal(digits))


def _write_float(value: object) -> str:
    text = str(_float_range(value))
    if len(text) > _MAX_NUMBER_CHARACTERS:
        raise LexicalError(f"a number of {len(text)} characters is longer than {_MAX_NUMBER_CHARACTERS}")
    return text


FLOAT: Final[Lexical[Decimal]] = Lexical("float", _read_float, _write_float)
"""xs:float kept exactly as written; ``1e3`` is legal, NaN, INF and what a 32-bit float cannot hold are refused."""


def _read_decimal(text: str) -> Decimal:
    digits = text.strip(XML_SPACE)
    if len(digits) > _MAX_NUMBER_CHARACTERS or not _DECIMAL.match(digits):
        raise LexicalError(f"{_shown(text)} is no decimal number of up to {_MAX_NUMBER_CHARACTERS} characters")
    return Decimal(digits)


def _write_decimal(value: object) -> str:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise LexicalError(f"{value!r} is no finite Decimal")
    if abs(value.adjusted()) > _MAX_NUMBER_CHARACTERS or len(text := format(value, "f")) > _MAX_NUMBER_CHARACTERS:
        raise LexicalError(f"{value} takes more than {_MAX_NUMBER_CHARACTERS} characters without an exponent")
    return text


DECIMAL: Final[Lexical[Decimal]] = Lexical("decimal", _read_decimal, _write_decimal)
"""xs:decimal: no exponent."""


def _read_date_time(text: str) -> datetime:
    match = _DATE_TIME.match(text.strip(XML_SPACE))
    if match is None:
        raise LexicalError(f"{_shown(text)} is no UTC time such as 2030-01-31T12:00:00Z (offsets are not allowed)")
    year, month, day, hour, minute, second, fraction, _ = match.groups()
    end_of_day = hour == "24"
    if end_of_day and (minute != "00" or second != "00" or (fraction or "0").strip("0")):
        raise LexicalError(f"{_shown(text)} is past the end of its day")
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    try:
        value = datetime(
            int(year), int(month), int(day), 0 if end_of_day else int(hour), int(minute), int(second), microsecond, UTC
        )
        return value + timedelta(days=1) if end_of_day else value
    except (ValueError, OverflowError) as error:
        raise LexicalError(f"{_shown(text)} is no time of the calendar: {error}") from error


def _write_date_time(value: object) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None or value.utcoffset() != timedelta(0):
        raise LexicalError(f"{value!r} is not an aware UTC time")
    text = value.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{text}.{value.microsecond:06d}Z" if value.microsecond else f"{text}Z"


def _remark_date_time(text: str, _value: datetime) -> str | None:
    shown = text.strip(XML_SPACE)
    if not shown.endswith("Z"):
        return "a time without Z is read as UTC"
    _, _, fraction = shown[:-1].partition(".")
    if fraction[6:].strip("0"):
        return "a fraction finer than a microsecond is cut off"
    return None


DATE_TIME: Final[Lexical[datetime]] = Lexical("dateTime", _read_date_time, _write_date_time, _remark_date_time)
"""A UTC instant: ``Z`` may be missing (read as UTC, remarked), a numeric offset is refused."""


def word_of(words: type[StrEnum]) -> Lexical[Any]:
    """One of the words of an enumeration of strings: no white space around it."""
    members = {member.value: member for member in words}

    def read(text: str) -> StrEnum:
        member = members.get(text)
        if member is None:
            raise LexicalError(f"{_shown(text)} is none of the words of {words.__name__}")
        return member

    def write(value: object) -> str:
        if not isinstance(value, words):
            raise LexicalError(f"{value!r} is no {words.__name__}")
        return value.value

    return Lexical(words.__name__, read, write)


def token_of(words: type[StrEnum]) -> Lexical[Any]:
    """One of the words of an enumeration of tokens: white space around it does not count."""
    word = word_of(words)
    return Lexical(word.name, lambda text: word.read(collapsed(text)), word.write)


def token_or_extension(words: type[StrEnum], extension: type[str]) -> Lexical[Any]:
    """One of the words of an enumeration, or a token of one's own that begins with ``x-``."""
    members = {member.value: member for member in words}

    def own(text: str) -> str:
        if len(text) > MAX_TEXT_CHARACTERS or not re.match(r"x-\S", text) or text != collapsed(text):
            raise LexicalError(f"{_shown(text)} is none of the words of {words.__name__} and no x- token")
        return legal_text(text)

    def read(text: str) -> str:
        word = collapsed(text)
        return members.get(word) or extension(own(word))

    def write(value: object) -> str:
        if isinstance(value, words):
            return value.value
        if isinstance(value, extension) and not isinstance(value, Enum):
            return own(str(value))
        raise LexicalError(f"{value!r} is neither a {words.__name__} nor a {extension.__name__}")

    return Lexical(words.__name__, read, write)


def fixed(word: str) -> Lexical[str]:
    """A text that the schema fixes. A present but empty element has that value too (XML Schema, fixed values)."""

    def read(text: str) -> str:
        if text not in {word, ""}:
            raise LexicalError(f"{_shown(text)} stands where only {word!r} may")
        return word

    def write(value: str) -> str:
        if value != word:
            raise LexicalError(f"{value!r} stands where only {word!r} may")
        return word

    return Lexical(word, read, write)


def matching(pattern: str, name: str) -> Lexical[str]:
    """A string of a given form, kept as it stands."""
    form = re.compile(f"(?:{pattern})\\Z")

    def check(value: object) -> str:
        if not isinstance(value, str) or not form.match(value):
            raise LexicalError(f"{_shown(value)} is no {name}")
        return value

    return Lexical(name, check, check)


def _read_uri(text: str) -> str:
    return collapsed(_read_text(text))


def _write_uri(value: str) -> str:
    if collapsed(legal_text(value)) != value:
        raise LexicalError(f"{_shown(value)} is no URI: it has white space that would not survive")
    return value


def _remark_uri(text: str, _value: str) -> str | None:
    return None if _URI_SHAPE.match(collapsed(text)) else "no URI"


URI: Final[Lexical[str]] = Lexical("anyURI", _read_uri, _write_uri, _remark_uri)
"""xs:anyURI: any text at all, white space collapsed. Peers write plain names where a URI is meant."""

NAME: Final = matching(r"[A-Za-z_][A-Za-z0-9_.\-]{0,255}", "identifier of XML")
"""xs:ID, in ASCII."""


def list_of(item: Lexical[T], most: int) -> Lexical[tuple[T, ...]]:
    """An xs:list: up to `most` items apart by white space."""

    def read(text: str) -> tuple[T, ...]:
        words = collapsed(text).split()
        if len(words) > most:
            raise LexicalError(f"a list of {len(words)} items is longer than {most}")
        return tuple(item.read(word) for word in words)

    return Lexical(f"list of {item.name}", read, lambda values: " ".join(item.write(value) for value in values))
