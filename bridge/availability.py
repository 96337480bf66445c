"""What a device that stores could do from now on, by its bounds at this site and by its charge. Pure.

Known of a device only whose charge was read, or which says that it cannot work just now: how much the sun gives, or a
car takes, nobody here can foresee. Durations are told where the size of the store is known, at the rating, down to the
envelope's floor and up to its ceiling: beyond these no order goes.
"""

from dataclasses import dataclass, replace
from typing import Final

from wattseal.protocols.ieee2030_5.client.measured import Measured

_HUNDREDTHS_PER_PERMILLE: Final = 10
_WHOLE_HUNDREDTHS: Final = 10_000
_HOUR_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a device may go here: non-negative watts, the size of its store (None: not known), its charge limits."""

    inject_watts: int
    absorb_watts: int
    storage_watt_hours: int | None
    floor_permille: int
    ceiling_permille: int


def with_availability(look: Measured, bounds: Bounds) -> Measured:
    """The look, with what follows of it. One that does not say whether the device is available says nothing here."""
    if look.available is None:
        return look
    if not look.available:
        return replace(look, available_watts=0, available_absorb_watts=0, available_seconds=0, charge_seconds=0)
    charge = look.charge_hundredths
    if charge is None:
        return look
    above = max(charge - bounds.floor_permille * _HUNDREDTHS_PER_PERMILLE, 0)
    below = max(bounds.ceiling_permille * _HUNDREDTHS_PER_PERMILLE - charge, 0)
    return replace(
        look,
        available_watts=bounds.inject_watts if above else 0,
        available_absorb_watts=bounds.absorb_watts if below else 0,
        available_seconds=_seconds(above, bounds.inject_watts, bounds.storage_watt_hours),
        charge_seconds=_seconds(below, bounds.absorb_watts, bounds.storage_watt_hours),
    )


def _seconds(hundredths: int, watts: int, storage_watt_hours: int | None) -> int | None:
    """How long that part of the store lasts at that power, rounded down."""
    if hundredths == 0 or watts == 0:
        return 0
    if storage_watt_hours is None:
        return None
    return hundredths * storage_watt_hours * _HOUR_SECONDS // (_WHOLE_HUNDREDTHS * watts)
