"""Multipliers and percents as exact integers. Nothing is rounded but watts and vars, and those as each function says.

A multiplier is a power of ten from -9 to 9; a percentage is in hundredths of a percent (ten-thousandths, "‱").
"""

from typing import Final

from wattseal.protocols.ieee2030_5.translating.meaning import NotCarriedError

MOST_WATTS: Final = 1_000_000_000
"""Beyond this no site is: a limit stops here, a setpoint is not carried. The same bound as in other dialects."""
WHOLE: Final = 10_000


def nearest(value: int, exponent: int) -> tuple[int, bool]:
    """`value` times ten to the `exponent`, to the nearest integer, halves to even; and whether that is exact."""
    if exponent >= 0:
        return value * 10**exponent, True
    return _halves_to_even(value, 10**-exponent)


def floor(value: int, exponent: int) -> int:
    """`value` times ten to the `exponent`, rounded down."""
    return int(value * 10**exponent) if exponent >= 0 else value // int(10**-exponent)


def exact(value: int, exponent: int, what: str) -> int:
    """`value` times ten to the `exponent`. Raises `NotCarriedError` where that is no integer: finer than we carry."""
    scaled, whole = nearest(value, exponent)
    if not whole:
        raise NotCarriedError("too_fine", f"{what} of {value}e{exponent} is finer than its unit here")
    return scaled


def part_nearest(part: int, whole: int) -> tuple[int, bool]:
    """`part` ‱ of `whole`, to the nearest integer, halves to even; and whether that is exact."""
    return _halves_to_even(part * whole, WHOLE)


def part_floor(part: int, whole: int) -> int:
    """`part` ‱ of `whole`, rounded down."""
    return part * whole // WHOLE


def _halves_to_even(numerator: int, denominator: int) -> tuple[int, bool]:
    down, rest = divmod(numerator, denominator)
    if not rest:
        return down, True
    up = 2 * rest > denominator or (2 * rest == denominator and down % 2 == 1)
    return down + up, False
