"""What a device says of itself beside its measurements: alarms and its relay, in the words that all profiles share.

Alarms are bits, and what a bit means belongs to the register, not to the product: those of model 701 are the same in
each device that has it. A bit that no word stands for is not told. Knows no utility.
"""

from collections.abc import Mapping
from typing import Final

from wattseal.drivers.device import UNREAD, Quality, Quantity
from wattseal.drivers.operating import Alarm
from wattseal.drivers.profiles.picture import Picture

_ALARMS: Final[Mapping[str, Mapping[int, Alarm]]] = {
    "701.Alrm": {
        8: Alarm.OVER_FREQUENCY,
        9: Alarm.UNDER_FREQUENCY,
        10: Alarm.OVER_VOLTAGE,
        11: Alarm.UNDER_VOLTAGE,
    },
}
"""Of each register: bit, and what it warns of (sunspec/models, model 701, point Alrm)."""
_CONNECTION: Final = frozenset({"701.ConnSt"})
"""Registers that read 1 while the device is connected and 0 while it is not."""


def alarms_in(picture: Picture) -> Quantity:
    """A bitmap of `Alarm`; `UNREAD` where the device does not tell, or its bits are not known here."""
    read = picture.quantities.get("alarms", UNREAD)
    meanings = _ALARMS.get(read.register)
    if meanings is None or read.mantissa is None or read.quality is not Quality.GOOD:
        return UNREAD
    bits = sum(alarm for bit, alarm in meanings.items() if read.mantissa >> bit & 1)
    return Quantity(bits, 0, Quality.GOOD, read.register)


def connected_in(picture: Picture) -> Quantity:
    """1 or 0; `UNREAD` where the device does not tell."""
    read = picture.quantities.get("connection_state", UNREAD)
    known = read.register in _CONNECTION and read.quality is Quality.GOOD and read.mantissa in {0, 1}
    return read if known else UNREAD
