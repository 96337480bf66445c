"""Demand response and load control: programs, events for devices, what could be shed."""

from typing import Annotated

import msgspec

from wattseal.protocols.ieee2030_5.base import (
    IdentifiedObject,
    Link,
    List,
    ListLink,
    RandomizableEvent,
    Resource,
    SubscribableList,
)
from wattseal.protocols.ieee2030_5.lexicals import BITS32, INT16, UINT8, UINT16, UINT32
from wattseal.protocols.ieee2030_5.quantities import ActivePower
from wattseal.protocols.ieee2030_5.vocabulary import ApplianceReduction, ReductionUnit
from wattseal.protocols.xml_wire import wire


class ApplianceLoadReduction(msgspec.Struct, frozen=True, kw_only=True):
    """How an appliance should reduce."""

    type: Annotated[ApplianceReduction, wire("type")]


class DutyCycle(msgspec.Struct, frozen=True, kw_only=True):
    """`normal_value`: the percentage of time that the device may run."""

    normal_value: Annotated[int, wire("normalValue", UINT8)]


class Offset(msgspec.Struct, frozen=True, kw_only=True):
    """Degrees of a tenth Celsius, or hundredths of a percent of load."""

    cooling_offset: Annotated[int | None, wire("coolingOffset?", UINT8)] = None
    heating_offset: Annotated[int | None, wire("heatingOffset?", UINT8)] = None
    load_adjustment_percentage_offset: Annotated[int | None, wire("loadAdjustmentPercentageOffset?", UINT16)] = None


class SetPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Temperatures in hundredths of a degree Celsius."""

    cooling_setpoint: Annotated[int | None, wire("coolingSetpoint?", INT16)] = None
    heating_setpoint: Annotated[int | None, wire("heatingSetpoint?", INT16)] = None


class TargetReduction(msgspec.Struct, frozen=True, kw_only=True):
    """The reduction that is wished for."""

    type: Annotated[ReductionUnit, wire("type")]
    value: Annotated[int, wire("value", UINT16)]


class EndDeviceControl(RandomizableEvent, frozen=True, kw_only=True):
    """An event for loads; `override_duration` in seconds."""

    appliance_load_reduction: Annotated[ApplianceLoadReduction | None, wire("ApplianceLoadReduction?")] = None
    device_category: Annotated[int, wire("deviceCategory", BITS32)]
    dr_program_mandatory: Annotated[bool | None, wire("drProgramMandatory!")] = None
    duty_cycle: Annotated[DutyCycle | None, wire("DutyCycle?")] = None
    load_shift_forward: Annotated[bool | None, wire("loadShiftForward!")] = None
    offset: Annotated[Offset | None, wire("Offset?")] = None
    override_duration: Annotated[int | None, wire("overrideDuration?", UINT16)] = None
    set_point: Annotated[SetPoint | None, wire("SetPoint?")] = None
    target_reduction: Annotated[TargetReduction | None, wire("TargetReduction?")] = None


class EndDeviceControlList(SubscribableList, frozen=True, kw_only=True):
    """EndDeviceControlList."""

    items: Annotated[tuple[EndDeviceControl, ...], wire("EndDeviceControl*", apart=True)] = ()


class DemandResponseProgram(IdentifiedObject, frozen=True, kw_only=True):
    """A program of such events. The lower `primacy` wins."""

    active_end_device_control_list_link: Annotated[
        ListLink | None, wire("ActiveEndDeviceControlListLink?", apart=True)
    ] = None
    availability_update_percent_change_threshold: Annotated[
        int | None, wire("availabilityUpdatePercentChangeThreshold?", UINT16)
    ] = None
    availability_update_power_change_threshold: Annotated[
        ActivePower | None, wire("availabilityUpdatePowerChangeThreshold?")
    ] = None
    end_device_control_list_link: Annotated[ListLink | None, wire("EndDeviceControlListLink?", apart=True)] = None
    primacy: Annotated[int, wire("primacy", UINT8)]


class DemandResponseProgramList(SubscribableList, frozen=True, kw_only=True):
    """DemandResponseProgramList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[DemandResponseProgram, ...], wire("DemandResponseProgram*", apart=True)] = ()


class LoadShedAvailability(Resource, frozen=True, kw_only=True):
    """What could be shed, in W or hundredths of a percent, and for how many seconds."""

    availability_duration: Annotated[int | None, wire("availabilityDuration?", UINT32)] = None
    demand_response_program_link: Annotated[Link | None, wire("DemandResponseProgramLink?", apart=True)] = None
    sheddable_percent: Annotated[int | None, wire("sheddablePercent?", UINT16)] = None
    sheddable_power: Annotated[ActivePower | None, wire("sheddablePower?")] = None


class LoadShedAvailabilityList(List, frozen=True, kw_only=True):
    """LoadShedAvailabilityList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[LoadShedAvailability, ...], wire("LoadShedAvailability*", apart=True)] = ()
