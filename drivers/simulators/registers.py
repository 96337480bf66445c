"""Values to 16-bit words and back, for the simulators' register maps. Written from the format facts, not shared.

SunSpec: big-endian words; an absent value is the type's "not implemented" sentinel. Floats: IEEE 754, high word first.
"""

import math
import struct
from dataclasses import dataclass
from enum import StrEnum

from wattseal.drivers.simulators.modbus_frames import words_of

Value = int | float | str | None


class Kind(StrEnum):
    """Wire types. Enumerations and bitfields are unsigned, scale factors are I16, a pad is an absent I16."""

    U16 = "H"
    U32 = "I"
    U64 = "Q"
    I16 = "h"
    I32 = "i"
    F32 = "f"
    F64 = "d"
    TEXT = "s"


NOT_IMPLEMENTED = {
    Kind.U16: 0xFFFF,
    Kind.U32: 0xFFFF_FFFF,
    Kind.U64: 0xFFFF_FFFF_FFFF_FFFF,
    Kind.I16: -0x8000,
    Kind.I32: -0x8000_0000,
    Kind.F32: math.nan,
    Kind.F64: math.nan,
}


@dataclass(frozen=True, slots=True)
class Point:
    """One point: `offset` in words from the start of its block, `words` long."""

    name: str
    offset: int
    kind: Kind
    writable: bool = False
    text_words: int = 0

    @property
    def words(self) -> int:
        """How many words the point takes."""
        return self.text_words or struct.calcsize(f">{self.kind.value}") // 2

    @property
    def end(self) -> int:
        """The offset behind the point."""
        return self.offset + self.words


def to_words(point: Point, value: Value) -> tuple[int, ...]:
    """The point's words; None gives its "not implemented" sentinel (all zero for text)."""
    if point.kind is Kind.TEXT:
        text = "" if value is None else str(value)
        return words_of(text.encode("ascii", "replace")[: 2 * point.words].ljust(2 * point.words, b"\0"))
    number = NOT_IMPLEMENTED[point.kind] if value is None else value
    return words_of(struct.pack(f">{point.kind.value}", number))


def from_words(point: Point, words: tuple[int, ...]) -> int | float:
    """The number in the point's words, sentinels included. Text is never written to these devices."""
    number: int | float = struct.unpack(f">{point.kind.value}", struct.pack(f">{len(words)}H", *words))[0]
    return number


def block_words(points: tuple[Point, ...], values: dict[str, Value], length: int) -> tuple[int, ...]:
    """`length` words with every point in its place; a name without a value is "not implemented"."""
    words = [0] * length
    for point in points:
        words[point.offset : point.end] = to_words(point, values.get(point.name))
    return tuple(words)
