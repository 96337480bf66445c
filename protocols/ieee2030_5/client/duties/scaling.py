"""Integers into the few bits that the wire has, by the smallest power of ten that fits; always toward zero.

Toward zero, because what is scaled here are ratings and settings: 32768 W becomes 3276 times ten, never 32770 W, which
the device does not have. A number that fits is carried exactly.
"""

from typing import Final

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.quantities import (
    ActivePower,
    ApparentPower,
    ReactivePower,
    UnsignedActivePower,
    UnsignedReactivePower,
    VoltageRMS,
    WattHour,
)

INT16_MOST: Final = 2**15 - 1
UINT16_MOST: Final = 2**16 - 1
_MULTIPLIER_MOST: Final = 9


def scaled(value: int, most: int) -> tuple[int, int]:
    """`value` as (digits, power of ten): |digits| at most `most`, the smallest power from 0, rounded toward zero.

    Raises MisuseError (quantity_out_of_range).
    """
    sign = -1 if value < 0 else 1
    for multiplier in range(_MULTIPLIER_MOST + 1):
        digits = abs(value) // 10**multiplier
        if digits <= most:
            return sign * digits, multiplier
    raise MisuseError("quantity_out_of_range", f"{value} does not fit on the wire, not even in units of a thousand M.")


def as_told(value: int, most: int) -> int:
    """What the other side reads of a value: 32760 of 32768 where `most` is that of Int16."""
    digits, multiplier = scaled(value, most)
    step: int = 10**multiplier
    return digits * step


def active_power(watts: int | None) -> ActivePower | None:
    """W, either sign."""
    return None if watts is None else ActivePower(**_quantity(watts, INT16_MOST))


def reactive_power(vars_: int | None) -> ReactivePower | None:
    """Var, either sign."""
    return None if vars_ is None else ReactivePower(**_quantity(vars_, INT16_MOST))


def apparent_power(volt_amperes: int | None) -> ApparentPower | None:
    """VA."""
    return None if volt_amperes is None else ApparentPower(**_quantity(volt_amperes, UINT16_MOST))


def unsigned_active_power(watts: int | None) -> UnsignedActivePower | None:
    """W, never negative (2023)."""
    return None if watts is None else UnsignedActivePower(**_quantity(watts, UINT16_MOST))


def unsigned_reactive_power(vars_: int | None) -> UnsignedReactivePower | None:
    """Var, never negative (2023)."""
    return None if vars_ is None else UnsignedReactivePower(**_quantity(vars_, UINT16_MOST))


def watt_hour(watt_hours: int | None) -> WattHour | None:
    """Wh."""
    return None if watt_hours is None else WattHour(**_quantity(watt_hours, UINT16_MOST))


def voltage(volts: int | None) -> VoltageRMS | None:
    """V."""
    return None if volts is None else VoltageRMS(**_quantity(volts, UINT16_MOST))


def _quantity(value: int, most: int) -> dict[str, int]:
    digits, multiplier = scaled(value, most)
    return {"multiplier": multiplier, "value": digits}
