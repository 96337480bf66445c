"""Every field of an event of the sets beside DER is carried by its value or its control, or named as not carried."""

import msgspec
import pytest
from client_2030_5_sets import event, interval, load_control, text
from client_2030_5_world import status

from wattseal.protocols.ieee2030_5.base import DateTimeInterval
from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.ieee2030_5.client.controls import control_from
from wattseal.protocols.ieee2030_5.demand_response import (
    ApplianceLoadReduction,
    DutyCycle,
    EndDeviceControl,
    Offset,
    SetPoint,
    TargetReduction,
)
from wattseal.protocols.ieee2030_5.engine.inputs import Setting
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationResponse
from wattseal.protocols.ieee2030_5.messaging import TextMessage
from wattseal.protocols.ieee2030_5.metering import ReadingType
from wattseal.protocols.ieee2030_5.pricing import ConsumptionTariffInterval, RateComponent, TariffProfile
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.set_values import (
    FLOW,
    LOAD,
    FlowGranted,
    LoadAsked,
    grant_of,
    load_of,
    price_of,
    text_of,
    value_of,
)
from wattseal.protocols.ieee2030_5.translating.loads import LOADS, SETS_NOT_CARRIED, granted
from wattseal.protocols.ieee2030_5.translating.meaning import NotCarriedError
from wattseal.protocols.ieee2030_5.vocabulary import (
    ApplianceReduction,
    EventState,
    MessagePriority,
    ReductionUnit,
    ServiceKind,
    Uom,
)
from wattseal.protocols.wish import AbsorbLimit

COMMON = {
    "mrid": "0B", "version": 7, "reply_to": "/elsewhere", "response_required": 1, "creation_time": 5,
    "event_status": status(EventState.CANCELLED), "interval": DateTimeInterval(start=9, duration=9),
}  # fmt: skip
DRAWN = {"randomize_start": 5, "randomize_duration": 5}
FOR_PEOPLE = {"href", "subscribable", "description"}
"""Of every event: where it lies, whether it can be subscribed to, and a name for people."""

LOAD_FIELDS = COMMON | DRAWN | {
    "device_category": 1 << 16,
    "duty_cycle": DutyCycle(normal_value=1),
    "target_reduction": TargetReduction(type=ReductionUnit.WATT, value=1),
    "offset": Offset(load_adjustment_percentage_offset=1),
    "dr_program_mandatory": False,
    "override_duration": 60,
    "load_shift_forward": True,
    "set_point": SetPoint(cooling_setpoint=1),
    "appliance_load_reduction": ApplianceLoadReduction(type=ApplianceReduction.DELAY),
}  # fmt: skip


def load(one: EndDeviceControl) -> object:
    return control_from(one, (Setting(*load_of(one)),), device_category=one.device_category)


def test_every_field_of_a_load_control_is_tried():
    assert set(LOAD_FIELDS) | FOR_PEOPLE == set(EndDeviceControl.__struct_fields__)


@pytest.mark.parametrize("field", LOAD_FIELDS)
def test_a_load_control_is_carried_field_by_field(field):
    """Those that move no device are kept with the event, or named."""
    # Beside a duty cycle, which is carried, a set point is only named.
    before = load_control(1, 0, 60)
    after = msgspec.structs.replace(before, **{field: LOAD_FIELDS[field]})
    assert before != after
    name = {"set_point": "SetPoint", "appliance_load_reduction": "ApplianceLoadReduction"}.get(field, "")
    named = f"EndDeviceControl.{name}" in SETS_NOT_CARRIED
    assert (load(before) != load(after)) is not named
    assert {f"EndDeviceControl.{one}" for one in ("overrideDuration", "drProgramMandatory", "loadShiftForward")} <= (
        SETS_NOT_CARRIED.keys()
    )


@pytest.mark.parametrize("field", COMMON | {"priority": 0, "text_message": "x", "originator": "x"})
def test_a_text_is_carried_field_by_field(field):
    before = text(1, 0, 60)
    changes = COMMON | {"priority": MessagePriority.LOW, "text_message": "other", "originator": "other"}
    after = msgspec.structs.replace(before, **{field: changes[field]})
    assert control_from(before, (Setting(*text_of(before)),)) != control_from(after, (Setting(*text_of(after)),))
    assert changes.keys() | FOR_PEOPLE == set(TextMessage.__struct_fields__)


@pytest.mark.parametrize("field", COMMON | {"power_available": 0, "energy_available": 0})
def test_a_grant_is_carried_field_by_field(field):
    """Its subject is what it is found by."""
    changes = COMMON | {
        "power_available": ActivePower(multiplier=0, value=9),
        "energy_available": SignedRealEnergy(multiplier=0, value=9),
    }
    before = FlowReservationResponse(
        **event(1, 0, 60), subject="AB", power_available=ActivePower(multiplier=0, value=1),
        energy_available=SignedRealEnergy(multiplier=0, value=1),
    )  # fmt: skip
    after = msgspec.structs.replace(before, **{field: changes[field]})
    assert control_from(before, (Setting(*grant_of(before)),)) != control_from(after, (Setting(*grant_of(after)),))
    assert changes.keys() | FOR_PEOPLE | {"subject"} == set(FlowReservationResponse.__struct_fields__)


TARIFF = TariffProfile(mrid="71", primacy=1, service_category_kind=ServiceKind.ELECTRICITY)
RATE = RateComponent(mrid="72", role_flags=0)
TYPE = ReadingType(uom=Uom.WATT_HOUR)
BLOCK = ConsumptionTariffInterval(consumption_block=0, price=5, start_value=0)


@pytest.mark.parametrize(
    "changed",
    [
        (msgspec.structs.replace(TARIFF, mrid="7A"), RATE, TYPE, 0, (BLOCK,)),
        (msgspec.structs.replace(TARIFF, currency=978), RATE, TYPE, 0, (BLOCK,)),
        (msgspec.structs.replace(TARIFF, price_power_of_ten_multiplier=-2), RATE, TYPE, 0, (BLOCK,)),
        (msgspec.structs.replace(TARIFF, rate_code="X"), RATE, TYPE, 0, (BLOCK,)),
        (msgspec.structs.replace(TARIFF, service_category_kind=ServiceKind.GAS), RATE, TYPE, 0, (BLOCK,)),
        (TARIFF, msgspec.structs.replace(RATE, mrid="7A"), TYPE, 0, (BLOCK,)),
        (TARIFF, None, TYPE, 0, (BLOCK,)),
        (TARIFF, RATE, msgspec.structs.replace(TYPE, uom=Uom.WATT), 0, (BLOCK,)),
        (TARIFF, RATE, msgspec.structs.replace(TYPE, power_of_ten_multiplier=3), 0, (BLOCK,)),
        (TARIFF, RATE, msgspec.structs.replace(TYPE, flow_direction=19), 0, (BLOCK,)),
        (TARIFF, RATE, None, 0, (BLOCK,)),
        (TARIFF, RATE, TYPE, 2, (BLOCK,)),
        (TARIFF, RATE, TYPE, 0, (msgspec.structs.replace(BLOCK, price=6),)),
        (TARIFF, RATE, TYPE, 0, (msgspec.structs.replace(BLOCK, price=None),)),
        (TARIFF, RATE, TYPE, 0, (msgspec.structs.replace(BLOCK, start_value=1),)),
        (TARIFF, RATE, TYPE, 0, (BLOCK, msgspec.structs.replace(BLOCK, consumption_block=1))),
        (TARIFF, RATE, TYPE, 0, ()),
    ],
)
def test_what_makes_a_price_another_price_makes_its_value_another(changed):
    assert price_of(*changed) != price_of(TARIFF, RATE, TYPE, 0, (BLOCK,))


def test_what_is_packed_is_read_again():
    asked = value_of(*load_of(load_control(1, 0, 60)))
    assert asked == LoadAsked(DutyCycle(normal_value=50), mandatory=True)
    assert set(LOADS) == {LOAD, FLOW}
    assert interval(1, 0, 5).tou_tier == 1


@pytest.mark.parametrize(
    ("value", "multiplier", "watts"),
    [(7, 3, 7000), (32_767, 9, 1_000_000_000), (1999, -3, 1), (0, 0, 0), (74, 2, 7400)],
)
def test_power_granted_is_rounded_down(value, multiplier, watts):
    """A limit never lets more through than was granted; any multiplier from -9 to 9 is read (1.5)."""
    grant = FlowGranted(ActivePower(multiplier=multiplier, value=value), SignedRealEnergy(multiplier=0, value=1))
    assert granted(grant, Ratings(0, 7400)).wish == AbsorbLimit(watts)


def test_a_grant_to_discharge_is_no_wish():
    grant = FlowGranted(ActivePower(multiplier=0, value=-1), SignedRealEnergy(multiplier=0, value=1))
    with pytest.raises(NotCarriedError):
        granted(grant, Ratings(0, 7400))
