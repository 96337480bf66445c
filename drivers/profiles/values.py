"""Between the value of an order and a device's points, both ways, for every function but power (see `conversion`).

Integers only. A number that the point cannot hold exactly is rounded the way its term says, and what the device is
really asked for is told back in the form of an order's value. Where rounding would leave nothing, or the device has no
number for what is asked, nothing is written: `value_not_supported`.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from wattseal.drivers.device import Quality, Quantity, UnsupportedError, Value
from wattseal.drivers.operations import UNITY
from wattseal.drivers.profiles.declaration import Number, Numbers, PartOf, PowerFactor, Term, ValueConversion

Mantissas: TypeAlias = Mapping[str, int]
_OVER_EXCITED, _UNDER_EXCITED = 0, 1
_FACTOR_EXPONENT = -4
_PERCENT_EXPONENT = -2


def mantissas_for(
    conversion: ValueConversion, value: Value, exponent_of: Callable[[str], int]
) -> tuple[Mantissas, Value]:
    """What each point is to hold, as a mantissa at its own exponent, and the value that this comes to.

    Points that the value leaves alone are not among them. Raises `UnsupportedError` (`value_not_supported`,
    `wish_malformed`).
    """
    match conversion, value:
        case Number(term, zero), int(number):
            if number == 0 and not zero:
                raise _unsupported("0 has no meaning on this device")
            mantissa, asked = _rounded(term, number, exponent_of(term.point))
            return {term.point: mantissa}, asked
        case PowerFactor(point, excitation), int(factor):
            term = Term(point, _FACTOR_EXPONENT, up=True)
            mantissa, magnitude = _rounded(term, abs(factor), exponent_of(point))
            under = factor < 0 and magnitude != UNITY
            return {point: mantissa, excitation: int(under)}, -magnitude if under else magnitude
        case PartOf(point, mode, modes), (str(reference), int(part)):
            number_of = dict(modes)
            if reference not in number_of:
                raise _unsupported(f"it knows no part of {reference}")
            mantissa, asked = _rounded(Term(point, _PERCENT_EXPONENT), part, exponent_of(point))
            return {point: mantissa, mode: number_of[reference]}, (reference, asked)
        case Numbers(terms), tuple(numbers) if len(numbers) == len(terms):
            return _each(terms, numbers, exponent_of)
    raise UnsupportedError("wish_malformed", f"{value!r} is no value for this operation.")


def value_in(conversion: ValueConversion, read: Callable[[str], Quantity]) -> Value:
    """The value that a device holds, from its points as read; None where they were not read or say nothing of it."""
    match conversion:
        case Number(term):
            return _read(term, read)
        case PowerFactor(point, excitation):
            magnitude, ext = _read(Term(point, _FACTOR_EXPONENT), read), read(excitation).mantissa
            if magnitude is None or ext not in {_OVER_EXCITED, _UNDER_EXCITED}:
                return None
            return -magnitude if ext == _UNDER_EXCITED and magnitude != UNITY else magnitude
        case PartOf(point, mode, modes):
            part, number = _read(Term(point, _PERCENT_EXPONENT), read), read(mode).mantissa
            reference = next((name for name, known in modes if known == number), None)
            return None if part is None or reference is None else (reference, part)
        case Numbers(terms):
            numbers = tuple(_read(term, read) for term in terms)
            return None if all(number is None for number in numbers) else numbers


def _each(
    terms: tuple[Term, ...], numbers: tuple[Value, ...], exponent_of: Callable[[str], int]
) -> tuple[Mantissas, Value]:
    found: dict[str, int] = {}
    asked: list[Value] = []
    for term, number in zip(terms, numbers, strict=True):
        if not isinstance(number, int):
            asked.append(None)
            continue
        found[term.point], made = _rounded(term, number, exponent_of(term.point))
        asked.append(made)
    return found, tuple(asked)


def _rounded(term: Term, number: int, exponent: int) -> tuple[int, int]:
    """The mantissa at `exponent`, and the order's number that it comes to. A number is never rounded away to 0."""
    shift = term.exponent - exponent
    if shift >= 0:
        return number * int(10**shift), number
    step = int(10**-shift)
    whole, rest = divmod(abs(number), step)
    whole += bool(rest) and term.up
    if number and not whole:
        raise _unsupported(f"it counts in steps of {step}, and {number} is less than one")
    return (whole, whole * step) if number >= 0 else (-whole, -whole * step)


def _read(term: Term, read: Callable[[str], Quantity]) -> int | None:
    """The order's number that a point holds, to the nearest; None where it is not readable."""
    found = read(term.point)
    if found.quality not in {Quality.GOOD, Quality.SUSPECT}:
        return None
    return Quantity(found.mantissa, found.exponent - term.exponent, found.quality).rounded()


def _unsupported(why: str) -> UnsupportedError:
    return UnsupportedError("value_not_supported", f"The device cannot hold this value: {why}.")
