"""SunSpec point types: size, struct code, sentinel, and values as exact integers with a decimal exponent.

From the SunSpec Device Information Model Specification, section 4 (point types and their "not implemented" values).
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

SCALE_FACTORS: Final = range(-10, 11)


class Scaled(NamedTuple):
    """`mantissa` times 10 to the `exponent`, exactly."""

    mantissa: int
    exponent: int

    def decimal(self) -> Decimal:
        """The same number as a Decimal."""
        return Decimal(self.mantissa).scaleb(self.exponent)


class PointType(StrEnum):
    """The type names of the models."""

    INT16 = "int16"
    UINT16 = "uint16"
    COUNT = "count"
    ACC16 = "acc16"
    ENUM16 = "enum16"
    BITFIELD16 = "bitfield16"
    SUNSSF = "sunssf"
    PAD = "pad"
    INT32 = "int32"
    UINT32 = "uint32"
    ACC32 = "acc32"
    ENUM32 = "enum32"
    BITFIELD32 = "bitfield32"
    IPADDR = "ipaddr"
    FLOAT32 = "float32"
    INT64 = "int64"
    UINT64 = "uint64"
    ACC64 = "acc64"
    FLOAT64 = "float64"
    EUI48 = "eui48"
    IPV6ADDR = "ipv6addr"
    STRING = "string"


class Form(NamedTuple):
    """How a type stands in registers: struct code, registers (0: the point says), raw value for "not implemented".

    `sentinel` None: floats (NaN) and text (all zero) have their own rule.
    """

    code: str
    registers: int
    sentinel: int | None


FORMS: Final = {
    PointType.INT16: Form("h", 1, -0x8000),
    PointType.UINT16: Form("H", 1, 0xFFFF),
    PointType.COUNT: Form("H", 1, 0xFFFF),
    PointType.ACC16: Form("H", 1, 0),
    PointType.ENUM16: Form("H", 1, 0xFFFF),
    PointType.BITFIELD16: Form("H", 1, 0xFFFF),
    PointType.SUNSSF: Form("h", 1, -0x8000),
    PointType.PAD: Form("H", 1, 0x8000),
    PointType.INT32: Form("i", 2, -0x80000000),
    PointType.UINT32: Form("I", 2, 0xFFFFFFFF),
    PointType.ACC32: Form("I", 2, 0),
    PointType.ENUM32: Form("I", 2, 0xFFFFFFFF),
    PointType.BITFIELD32: Form("I", 2, 0xFFFFFFFF),
    PointType.IPADDR: Form("I", 2, 0),
    PointType.FLOAT32: Form("f", 2, None),
    PointType.INT64: Form("q", 4, -0x8000000000000000),
    PointType.UINT64: Form("Q", 4, 0xFFFFFFFFFFFFFFFF),
    PointType.ACC64: Form("Q", 4, 0),
    PointType.FLOAT64: Form("d", 4, None),
    PointType.EUI48: Form("8s", 4, None),
    PointType.IPV6ADDR: Form("16s", 8, None),
    PointType.STRING: Form("s", 0, None),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a laid-out model. `offset` counts registers from the model's ID register.

    `name` is the path: `W`, or `Crv.2.Pt.1.V` inside groups (repeats count from 1). `scale` is the name of the scale
    factor point, a fixed exponent, or None.
    """

    name: str
    type: PointType
    offset: int
    registers: int
    scale: str | int | None
    writable: bool
    unit: str
    symbols: tuple[tuple[str, int], ...]
    sentinel: int | None

    @property
    def end(self) -> int:
        """Offset of the first register behind it."""
        return self.offset + self.registers

    @property
    def code(self) -> str:
        """Its struct code."""
        return f"{2 * self.registers}s" if self.type is PointType.STRING else FORMS[self.type].code


def scaled_float(value: float) -> Scaled | None:
    """A float32 as the shortest decimal that names it (9 significant digits); None for NaN and infinities."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - only NaN differs from itself
        return None
    sign, digits, exponent = Decimal(f"{value:.9g}").normalize().as_tuple()
    mantissa = int("".join(map(str, digits)))
    assert isinstance(exponent, int)  # noqa: S101 - NaN and infinities went above; told to the type checker
    return Scaled(-mantissa if sign else mantissa, exponent)
