"""Connection, default ramp, and return to service. The settings of a default that belong to one wish are joined here.

opModEnergize, opModConnect               true or false
setGradW                                  ‱ of setMaxW per second, 0: no limit
setESDelay, -RandomDelay, -RampTms        1/100 s            -> ms
setESHighFreq, setESLowFreq               1/100 Hz           -> mHz
setESHighVolt, setESLowVolt               ‱ of nominal volts
"""

from collections.abc import Callable, Mapping
from typing import Final

from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.ieee2030_5.translating.meaning import Meant, NotCarriedError, Reader
from wattseal.protocols.wish import Connect, Energize, RampRate, ReturnToService

_TEN: Final = 10  # from hundredths of a second to milliseconds, and of a hertz to millihertz


def energize(value: bool, _: Ratings) -> Meant:
    """Of opModEnergize."""
    return Meant(Energize(value))


def connect(value: bool, _: Ratings) -> Meant:
    """Of opModConnect."""
    return Meant(Connect(value))


def gradient(value: int, _: Ratings) -> Meant:
    """Of setGradW."""
    return Meant(RampRate(value))


def _part(make: Callable[[int], ReturnToService]) -> Reader:
    def read(value: int, _: Ratings) -> Meant:
        if value < 0:
            raise NotCarriedError("value_out_of_range", f"{value} is no voltage at which a device may start")
        return Meant(make(value))

    return read


RETURN_PARTS: Final[Mapping[str, Reader]] = {
    "setESDelay": _part(lambda value: ReturnToService(delay_ms=value * _TEN)),
    "setESRandomDelay": _part(lambda value: ReturnToService(random_delay_ms=value * _TEN)),
    "setESRampTms": _part(lambda value: ReturnToService(ramp_ms=value * _TEN)),
    "setESHighFreq": _part(lambda value: ReturnToService(high_millihertz=value * _TEN)),
    "setESLowFreq": _part(lambda value: ReturnToService(low_millihertz=value * _TEN)),
    "setESHighVolt": _part(lambda value: ReturnToService(high_volts_per_ten_thousand=value)),
    "setESLowVolt": _part(lambda value: ReturnToService(low_volts_per_ten_thousand=value)),
}
"""Each of these settings is a mode of its own to the engine; `joined` makes one wish of those that hold together."""


def joined(first: ReturnToService, second: ReturnToService) -> ReturnToService:
    """Both parts in one wish; no setting stands in both."""
    pairs = zip(_numbers(first), _numbers(second), strict=True)
    return ReturnToService(*(one if one is not None else other for one, other in pairs))


def _numbers(wish: ReturnToService) -> tuple[int | None, ...]:
    return (
        wish.delay_ms, wish.random_delay_ms, wish.ramp_ms, wish.high_millihertz, wish.low_millihertz,
        wish.high_volts_per_ten_thousand, wish.low_volts_per_ten_thousand,
    )  # fmt: skip
