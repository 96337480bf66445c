"""What a battery could do from now on (IEEE 2030.5 DERAvailability): from its charge, its ratings and its envelope."""

import pytest

from wattseal.bridge.availability import with_availability
from wattseal.drivers.manifest_sections import DeviceEnvelope
from wattseal.protocols.ieee2030_5.client.config import DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.client.measured import Measured

ENVELOPE = DeviceEnvelope("battery", -4000, 5000, 0, 0, 0, 100, 900)
RATINGS = Ratings(inject_watts=5000, absorb_watts=4000, storage_watt_hours=10_000)


def found(charge: int | None, der_type: DerType = DerType.BATTERY, ratings: Ratings = RATINGS):
    managed = Managed(name="battery", lfdi=bytes(20), sfdi=0, der_type=der_type, ratings=ratings)
    look = with_availability(Measured("battery", 1, charge_hundredths=charge), managed, ENVELOPE)
    return look.available_watts, look.available_absorb_watts, look.available_seconds, look.charge_seconds


@pytest.mark.parametrize(
    ("charge", "able"),
    [
        (6000, (5000, 4000, 3600, 2700)),  # half of 10 kWh above the floor: an hour at 5 kW; 3 kWh below the ceiling
        (1000, (0, 4000, 0, 7200)),
        (500, (0, 4000, 0, 7650)),
        (9000, (5000, 0, 5760, 0)),
    ],
)
def test_between_floor_and_ceiling(charge, able):
    assert found(charge) == able


def test_what_does_not_follow_is_not_said():
    unknown = (None, None, None, None)
    assert found(None) == found(6000, DerType.PV) == found(6000, DerType.PV_BATTERY) == unknown
    assert found(6000, ratings=Ratings(inject_watts=5000, absorb_watts=4000)) == (5000, 4000, None, None)
