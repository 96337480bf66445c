"""Between watts and what a device's setpoint register counts in, both ways, in integers, rounded to the safe side."""

from wattseal.drivers.device import Capabilities, Quality, Quantity, UnsupportedError
from wattseal.drivers.profiles.declaration import AmpsPerPhase, PercentOf, PowerConversion, Watts

_DECIAMPS = 10


def setpoint_for(conversion: PowerConversion, watts: int, exponent: int, capabilities: Capabilities) -> tuple[int, int]:
    """(mantissa at `exponent`, watts really asked for). Rounds toward zero; `rating_unknown` if a base is missing."""
    match conversion:
        case Watts():
            mantissa = _toward_zero(watts, exponent)
            return mantissa, _toward_zero(mantissa, -exponent)
        case PercentOf():
            base = _rating(capabilities, conversion.rating)
            hundred = 100 * 10 ** max(-exponent, 0)
            mantissa = min(watts, base) * hundred // (base * 10 ** max(exponent, 0))
            return mantissa, mantissa * base * 10 ** max(exponent, 0) // hundred
        case AmpsPerPhase():
            per_amp = conversion.nominal_volts * phases(conversion, capabilities)
            deciamps = min(watts * _DECIAMPS // per_amp, conversion.most_deciamps)
            if deciamps < conversion.least_deciamps:
                deciamps = 0
            return _toward_zero(deciamps, exponent + 1), deciamps * per_amp // _DECIAMPS


def watts_of(conversion: PowerConversion, setpoint: Quantity, capabilities: Capabilities) -> Quantity:
    """What a setpoint that was read back means in watts; NOT_IMPLEMENTED where a base is missing."""
    mantissa = setpoint.mantissa
    if mantissa is None or isinstance(conversion, Watts):
        return setpoint
    if isinstance(conversion, AmpsPerPhase):
        factor = conversion.nominal_volts * phases(conversion, capabilities)
        return Quantity(mantissa * factor, setpoint.exponent, setpoint.quality, setpoint.register)
    base = capabilities.rating(conversion.rating)
    if base is None:
        return Quantity(None, 0, Quality.NOT_IMPLEMENTED, setpoint.register)
    return Quantity(mantissa * base, setpoint.exponent - 2, setpoint.quality, setpoint.register)


def phases(conversion: AmpsPerPhase, capabilities: Capabilities) -> int:
    """How many phases the device charges on; the declared default while it does not say."""
    known = capabilities.rating(conversion.phases_rating)
    return conversion.phases_default if known is None else known


def most_watts(conversion: AmpsPerPhase, capabilities: Capabilities) -> int:
    """The power of the highest current on all phases."""
    return conversion.most_deciamps * conversion.nominal_volts * phases(conversion, capabilities) // _DECIAMPS


def _rating(capabilities: Capabilities, name: str) -> int:
    known = capabilities.rating(name)
    if known is None:
        raise UnsupportedError("rating_unknown", f"The device does not say its {name}, which this operation needs.")
    return known


def _toward_zero(number: int, exponent: int) -> int:
    """`number` in units of 10 to the `exponent`, digits beyond it dropped."""
    if exponent <= 0:
        return number * int(10**-exponent)
    whole = abs(number) // int(10**exponent)
    return whole if number >= 0 else -whole
