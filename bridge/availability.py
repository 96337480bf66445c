"""What a battery could do from now on, as it follows from a look at it and from what its owner signed: pure.

It could inject up to its rating as long as its charge is above the floor of its envelope, and absorb as long as it is
below the ceiling; how long it could, its storage rating says, where the site file gives one. What does not follow stays
unknown: of a device that stores nothing, or whose charge was not read, nothing is said.
"""

from dataclasses import replace

from wattseal.drivers.manifest_sections import DeviceEnvelope
from wattseal.protocols.ieee2030_5.client.config import DerType, Managed
from wattseal.protocols.ieee2030_5.client.measured import Measured

_WHOLE_HUNDREDTHS = 10_000
_HUNDREDTHS_PER_PERMILLE = 10
_SECONDS_PER_HOUR = 3600


def with_availability(measured: Measured, device: Managed, envelope: DeviceEnvelope) -> Measured:
    """The look, with what could be done from then on; a value that was read already is left as it is."""
    charge = measured.charge_hundredths
    if charge is None or device.der_type is not DerType.BATTERY:
        return measured
    above = max(0, charge - envelope.soc_floor_permille * _HUNDREDTHS_PER_PERMILLE)
    below = max(0, envelope.soc_ceiling_permille * _HUNDREDTHS_PER_PERMILLE - charge)
    ratings = device.ratings
    watts = ratings.inject_watts if above else 0
    absorb = ratings.absorb_watts if below else 0
    stored = ratings.storage_watt_hours
    return replace(
        measured,
        available_watts=_or(measured.available_watts, watts),
        available_absorb_watts=_or(measured.available_absorb_watts, absorb),
        available_seconds=_or(measured.available_seconds, _seconds(above, stored, ratings.inject_watts)),
        charge_seconds=_or(measured.charge_seconds, _seconds(below, stored, ratings.absorb_watts)),
    )


def _seconds(hundredths: int, stored: int | None, watts: int) -> int | None:
    """How long a part of the storage lasts at that power, rounded down: never longer than it does."""
    if stored is None or watts <= 0:
        return None
    return hundredths * stored * _SECONDS_PER_HOUR // (_WHOLE_HUNDREDTHS * watts)


def _or(read: int | None, follows: int | None) -> int | None:
    return follows if read is None else read
