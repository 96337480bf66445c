"""Active power: setpoints and limits, in percent of a setting or in watts. Positive is output, as inside.

    opModFixedW                ‱: + of what it may discharge, - of what it may charge   Setpoint
    opModTargetW               W                                                        Setpoint
    csipaus:StorageTargetW     W, + discharge                                           Setpoint
    opModMaxLimW               ‱ of what it may inject                                  InjectLimit
    opModMaxLimWInject         W (2023)                                                 InjectLimit
    opModMaxLimPctWAbsorb      ‱ of what it may absorb (2023)                           AbsorbLimit
    opModMaxLimWAbsorb         W (2023)                                                 AbsorbLimit
    csipaus:GenLimW, ExpLimW   W, at the device and at the connection point             InjectLimit
    csipaus:LoadLimW, ImpLimW  W, at the device and at the connection point             AbsorbLimit

A setpoint is rounded to the nearest watt, halves to even, and a remark says so; a limit is rounded down. A limit below
zero, which no profile allows, is taken as zero: to leave it out would be to unlimit the device.
"""

from collections.abc import Callable

from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.ieee2030_5.quantities import (
    ActivePower,
    PerCentControl,
    SignedPerCentControl,
    UnsignedActivePower,
)
from wattseal.protocols.ieee2030_5.translating.meaning import Meant, NotCarriedError
from wattseal.protocols.ieee2030_5.translating.numbers import MOST_WATTS, floor, nearest, part_floor, part_nearest
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Setpoint

_Limit = Callable[[int], InjectLimit | AbsorbLimit]


def fixed(value: SignedPerCentControl, ratings: Ratings) -> Meant:
    """Of opModFixedW."""
    whole = ratings.inject_watts if value.value >= 0 else ratings.absorb_watts
    return _setpoint(*part_nearest(value.value, whole), f"{value.value} ‱ of {whole} W")


def target(value: ActivePower, _: Ratings) -> Meant:
    """Of opModTargetW and the storage target of CSIP-AUS."""
    return _setpoint(*nearest(value.value, value.multiplier), f"{value.value}e{value.multiplier} W")


def max_inject(value: PerCentControl, ratings: Ratings) -> Meant:
    """Of opModMaxLimW."""
    return Meant(InjectLimit(part_floor(value.value, ratings.inject_watts)))


def max_absorb(value: PerCentControl, ratings: Ratings) -> Meant:
    """Of opModMaxLimPctWAbsorb."""
    return Meant(AbsorbLimit(part_floor(value.value, ratings.absorb_watts)))


def inject_limit(value: ActivePower | UnsignedActivePower, _: Ratings) -> Meant:
    """A limit in watts on what is injected."""
    return _limit(value, InjectLimit)


def absorb_limit(value: ActivePower | UnsignedActivePower, _: Ratings) -> Meant:
    """A limit in watts on what is absorbed."""
    return _limit(value, AbsorbLimit)


def _setpoint(watts: int, exactly: bool, said: str) -> Meant:
    if abs(watts) > MOST_WATTS:
        raise NotCarriedError("value_out_of_range", f"{watts} W is beyond {MOST_WATTS} W; no site has that")
    return Meant(Setpoint(watts), () if exactly else (f"{said} taken as {watts} W",))


def _limit(value: ActivePower | UnsignedActivePower, limit: _Limit) -> Meant:
    watts = floor(value.value, value.multiplier)
    if watts < 0:
        return Meant(limit(0), (f"a limit of {watts} W taken as 0 W",))
    return Meant(limit(min(watts, MOST_WATTS)))
