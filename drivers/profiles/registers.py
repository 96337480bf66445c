"""Points at fixed addresses: registers to exact quantities and back. Knows no product and does no I/O."""

import math
import struct
from typing import Final

from wattseal.drivers.device import UnsupportedError
from wattseal.drivers.profiles.declaration import Form, Register, WordOrder

_CODES: Final = {
    Form.U16: "H",
    Form.I16: "h",
    Form.U32: "I",
    Form.I32: "i",
    Form.U64: "Q",
    Form.I64: "q",
    Form.F32: "f",
    Form.F64: "d",
}
_FLOATS: Final = frozenset({Form.F32, Form.F64})
_LARGEST: Final = 2.0**63  # what a sealed integer holds


def size_of(register: Register) -> int:
    """How many registers the point takes."""
    return register.registers if register.form is Form.TEXT else struct.calcsize(">" + _CODES[register.form]) // 2


def number_from(register: Register, words: tuple[int, ...]) -> int | None:
    """The mantissa at the point's exponent; None for NaN, infinities, sentinels and what no sealed integer holds."""
    (value,) = struct.unpack(">" + _CODES[register.form], _bytes(_ordered(register, words)))
    if register.form in _FLOATS:
        scaled = value * 10.0**-register.exponent
        return round(scaled) if math.isfinite(scaled) and abs(scaled) < _LARGEST else None
    return None if value in register.sentinels else int(value)


def text_from(words: tuple[int, ...]) -> str:
    """Text up to its first zero byte; bytes that are not UTF-8 are shown as escapes."""
    return _bytes(words).split(b"\0", 1)[0].decode("utf-8", "backslashreplace").strip()


def words_for(register: Register, mantissa: int) -> tuple[int, ...]:
    """The registers that hold `mantissa` at the point's exponent. Raises `UnsupportedError` when it does not fit."""
    value = mantissa / 10**-register.exponent if register.form in _FLOATS else mantissa
    try:
        data = struct.pack(">" + _CODES[register.form], value)
    except (struct.error, OverflowError) as error:
        raise UnsupportedError("wish_malformed", f"{mantissa} does not fit in register {register.address}.") from error
    return _ordered(register, tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)))


def _ordered(register: Register, words: tuple[int, ...]) -> tuple[int, ...]:
    return words[::-1] if register.order is WordOrder.LOW_FIRST else words


def _bytes(words: tuple[int, ...]) -> bytes:
    return b"".join(word.to_bytes(2, "big") for word in words)
