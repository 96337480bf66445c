"""The simple types of IEEE 2030.5: integers by width, hexBinary as identifier or as bitmap, bounded strings, codes.

Refused although the schemas allow it: a power of ten outside -9 to 9 and a randomisation beyond an hour (both are the
ranges that the types state in words). Read with a remark although the schemas forbid it: strings that are too long,
because a long description must not cost a control; they are never written.
"""

import re
from enum import IntEnum
from typing import Any, Final, TypeVar

from wattseal.protocols.lexical import MAX_TEXT_CHARACTERS, XML_SPACE, Lexical, LexicalError, legal_text

C = TypeVar("C", bound=IntEnum)

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}\Z")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})*\Z")
_SHOWN_CHARACTERS: Final = 40


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "...")


def _integer_of(text: str, name: str) -> int:
    digits = text.strip(XML_SPACE)
    if not _INTEGER.match(digits):
        raise LexicalError(f"{_shown(text)} is no {name}")
    return int(digits)


def integer(least: int, most: int, name: str) -> Lexical[int]:
    """An integer of a range; a plus sign and leading zeros are legal."""

    def read(text: str) -> int:
        plain = text.isdecimal() and text.isascii() and len(text) <= _SHOWN_CHARACTERS
        value = int(text) if plain else _integer_of(text, name)
        if not least <= value <= most:
            raise LexicalError(f"{value} is no {name}: it lies outside {least} to {most}")
        return value

    def write(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise LexicalError(f"{_shown(value)} is no {name}: it lies outside {least} to {most}")
        return str(int(value))

    return Lexical(name, read, write)


INT8: Final = integer(-(2**7), 2**7 - 1, "Int8")
INT16: Final = integer(-(2**15), 2**15 - 1, "Int16")
INT32: Final = integer(-(2**31), 2**31 - 1, "Int32")
INT48: Final = integer(-(2**47), 2**47, "Int48")
"""The schema's own bound is 2 to the 47th on both sides."""
INT64: Final = integer(-(2**63), 2**63 - 1, "Int64")
UINT8: Final = integer(0, 2**8 - 1, "UInt8")
UINT16: Final = integer(0, 2**16 - 1, "UInt16")
UINT32: Final = integer(0, 2**32 - 1, "UInt32")
UINT40: Final = integer(0, 2**40 - 1, "UInt40")
UINT48: Final = integer(0, 2**48 - 1, "UInt48")

TIME: Final = integer(-(2**63), 2**63 - 1, "TimeType")
"""Seconds since 1970-01-01T00:00:00Z, without leap seconds."""
MULTIPLIER: Final = integer(-9, 9, "power of ten multiplier")
ONE_HOUR: Final = integer(-3600, 3600, "OneHourRangeType")


def _octets_of(text: str, most: int, name: str) -> str:
    digits = text.strip(XML_SPACE)
    if len(digits) > 2 * most or not _HEX.match(digits):
        raise LexicalError(f"{_shown(text)} is no {name}: pairs of hexadecimal digits, at most {2 * most}")
    return digits.upper()


def hexadecimal(most: int, name: str) -> Lexical[str]:
    """An identifier of up to `most` octets: any case is read, upper case is held and written. Never padded."""

    def write(value: object) -> str:
        if not isinstance(value, str) or not value:
            raise LexicalError(f"{_shown(value)} is no {name}")
        return _octets_of(value, most, name)

    return Lexical(
        name,
        lambda text: _octets_of(text, most, name),
        write,
        lambda _text, value: None if value else f"this {name} is empty",
    )


HEX128: Final = hexadecimal(16, "mRID")
HEX160: Final = hexadecimal(20, "LFDI")


def bitmap(octets: int) -> Lexical[int]:
    """A bitmap of up to so many octets, held as an integer; written in full width."""
    name, most = f"HexBinary{8 * octets}", 1 << (8 * octets)

    def write(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < most:
            raise LexicalError(f"{_shown(value)} is no {name}")
        return f"{int(value):0{2 * octets}X}"

    return Lexical(
        name,
        lambda text: int(_octets_of(text, octets, name) or "0", 16),
        write,
        lambda text, _value: None if text.strip(XML_SPACE) else "an empty bitmap is read as no bit set",
    )


BITS8: Final = bitmap(1)
BITS16: Final = bitmap(2)
BITS32: Final = bitmap(4)
BITS64: Final = bitmap(8)


def string_up_to(most: int) -> Lexical[str]:
    """A string of up to `most` octets of UTF-8. A longer one is read with a remark and never written."""

    def read(text: str) -> str:
        if len(text) > MAX_TEXT_CHARACTERS:
            raise LexicalError(f"a string of {len(text)} characters is longer than {MAX_TEXT_CHARACTERS}")
        return text

    def write(value: object) -> str:
        text = legal_text(value)
        if len(text.encode("utf-8")) > most:
            raise LexicalError(f"{_shown(text)} is longer than {most} octets")
        return text

    return Lexical(
        f"String{most}",
        read,
        write,
        lambda _text, value: f"longer than {most} characters" if len(value) > most else None,
    )


STRING2: Final = string_up_to(2)
STRING3: Final = string_up_to(3)
STRING6: Final = string_up_to(6)
STRING16: Final = string_up_to(16)
STRING20: Final = string_up_to(20)
STRING32: Final = string_up_to(32)
STRING42: Final = string_up_to(42)
STRING192: Final = string_up_to(192)


def coded(codes: type[C], most: int = 255) -> Lexical[Any]:
    """A number with a meaning: a member of the enumeration, which keeps numbers that it does not know."""
    members: dict[str, C] = {str(int(member)): member for member in codes}
    number = integer(0, most, codes.__name__)

    def read(text: str) -> C:
        member = members.get(text)
        return codes(number.read(text)) if member is None else member

    return Lexical(codes.__name__, read, number.write)
