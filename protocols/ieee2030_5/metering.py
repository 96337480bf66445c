"""Metering and mirror metering: usage points, meter readings, readings, and what a device posts of its own.

A reading's `value` is an integer to be scaled by the power of ten of its ReadingType, and has its unit. The sign
convention is that of the profile.
"""

from typing import Annotated

from wattseal.protocols.ieee2030_5.base import (
    DateTimeInterval,
    IdentifiedObject,
    Link,
    List,
    ListLink,
    Resource,
    SubscribableList,
)
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.lexicals import BITS16, HEX160, INT48, MULTIPLIER, TIME, UINT8, UINT32, UINT48
from wattseal.protocols.ieee2030_5.quantities import UnitValue
from wattseal.protocols.ieee2030_5.vocabulary import (
    AccumulationBehaviour,
    Commodity,
    DataQualifier,
    FlowDirection,
    Kind,
    Phase,
    ServiceKind,
    Subscribable,
    Uom,
    UsagePointState,
)
from wattseal.protocols.xml_wire import wire


class ReadingBase(Resource, frozen=True, kw_only=True):
    """A value over a stretch of time. `quality_flags` is a bitmap."""

    consumption_block: Annotated[int | None, wire("consumptionBlock?", UINT8)] = None
    quality_flags: Annotated[int | None, wire("qualityFlags?", BITS16)] = None
    time_period: Annotated[DateTimeInterval | None, wire("timePeriod?")] = None
    tou_tier: Annotated[int | None, wire("touTier?", UINT8)] = None
    value: Annotated[int | None, wire("value?", INT48)] = None


class Reading(ReadingBase, frozen=True, kw_only=True):
    """One value."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?")] = None
    local_id: Annotated[int | None, wire("localID?", BITS16)] = None


class ReadingList(SubscribableList, frozen=True, kw_only=True):
    """ReadingList."""

    items: Annotated[tuple[Reading, ...], wire("Reading*", apart=True)] = ()


class ReadingSetBase(IdentifiedObject, frozen=True, kw_only=True):
    """What sets of readings share."""

    time_period: Annotated[DateTimeInterval, wire("timePeriod")]


class ReadingSet(ReadingSetBase, frozen=True, kw_only=True):
    """A set of readings on a server."""

    reading_list_link: Annotated[ListLink | None, wire("ReadingListLink?", apart=True)] = None


class ReadingSetList(SubscribableList, frozen=True, kw_only=True):
    """ReadingSetList."""

    items: Annotated[tuple[ReadingSet, ...], wire("ReadingSet*", apart=True)] = ()


class ReadingType(Resource, frozen=True, kw_only=True):
    """What a number is: unit, kind, direction, phase, power of ten; `interval_length` in seconds."""

    accumulation_behaviour: Annotated[AccumulationBehaviour | None, wire("accumulationBehaviour?")] = None
    calorific_value: Annotated[UnitValue | None, wire("calorificValue?")] = None
    commodity: Annotated[Commodity | None, wire("commodity?")] = None
    conversion_factor: Annotated[UnitValue | None, wire("conversionFactor?")] = None
    data_qualifier: Annotated[DataQualifier | None, wire("dataQualifier?")] = None
    flow_direction: Annotated[FlowDirection | None, wire("flowDirection?")] = None
    interval_length: Annotated[int | None, wire("intervalLength?", UINT32)] = None
    kind: Annotated[Kind | None, wire("kind?")] = None
    max_number_of_intervals: Annotated[int | None, wire("maxNumberOfIntervals?", UINT8)] = None
    number_of_consumption_blocks: Annotated[int | None, wire("numberOfConsumptionBlocks?", UINT8)] = None
    number_of_tou_tiers: Annotated[int | None, wire("numberOfTouTiers?", UINT8)] = None
    phase: Annotated[Phase | None, wire("phase?")] = None
    power_of_ten_multiplier: Annotated[int | None, wire("powerOfTenMultiplier?", MULTIPLIER)] = None
    sub_interval_length: Annotated[int | None, wire("subIntervalLength?", UINT32)] = None
    supply_limit: Annotated[int | None, wire("supplyLimit?", UINT48)] = None
    tiered_consumption_blocks: Annotated[bool | None, wire("tieredConsumptionBlocks?")] = None
    uom: Annotated[Uom | None, wire("uom?")] = None


class MeterReadingBase(IdentifiedObject, frozen=True, kw_only=True):
    """What meter readings share."""


class MeterReading(MeterReadingBase, frozen=True, kw_only=True):
    """The links of one quantity at a usage point."""

    rate_component_list_link: Annotated[ListLink | None, wire("RateComponentListLink?", apart=True)] = None
    reading_link: Annotated[Link | None, wire("ReadingLink?", apart=True)] = None
    reading_set_list_link: Annotated[ListLink | None, wire("ReadingSetListLink?", apart=True)] = None
    reading_type_link: Annotated[Link | None, wire("ReadingTypeLink!", apart=True)] = None


class MeterReadingList(SubscribableList, frozen=True, kw_only=True):
    """MeterReadingList."""

    items: Annotated[tuple[MeterReading, ...], wire("MeterReading*", apart=True)] = ()


class UsagePointBase(IdentifiedObject, frozen=True, kw_only=True):
    """Where something is metered. `role_flags` is a bitmap of `RoleFlag`."""

    role_flags: Annotated[int | None, wire("roleFlags!", BITS16)] = None
    service_category_kind: Annotated[ServiceKind | None, wire("serviceCategoryKind!")] = None
    status: Annotated[UsagePointState | None, wire("status!")] = None


class UsagePoint(UsagePointBase, frozen=True, kw_only=True):
    """A usage point on a server."""

    device_lfdi: Annotated[str | None, wire("deviceLFDI?", HEX160)] = None
    meter_reading_list_link: Annotated[ListLink | None, wire("MeterReadingListLink?", apart=True)] = None


class UsagePointList(SubscribableList, frozen=True, kw_only=True):
    """UsagePointList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[UsagePoint, ...], wire("UsagePoint*", apart=True)] = ()


class MirrorReadingSet(ReadingSetBase, frozen=True, kw_only=True):
    """A set of readings that a device posts."""

    readings: Annotated[tuple[Reading, ...], wire("Reading*")] = ()


class MirrorMeterReading(MeterReadingBase, frozen=True, kw_only=True):
    """One quantity that a device posts; its ReadingType is sent the first time only."""

    last_update_time: Annotated[int | None, wire("lastUpdateTime?", TIME)] = None
    mirror_reading_sets: Annotated[tuple[MirrorReadingSet, ...], wire("MirrorReadingSet*")] = ()
    next_update_time: Annotated[int | None, wire("nextUpdateTime?", TIME)] = None
    reading: Annotated[Reading | None, wire("Reading?")] = None
    reading_type: Annotated[ReadingType | None, wire("ReadingType?")] = None


class MirrorMeterReadingList(List, frozen=True, kw_only=True):
    """MirrorMeterReadingList."""

    items: Annotated[tuple[MirrorMeterReading, ...], wire("MirrorMeterReading*", apart=True)] = ()


class MirrorUsagePoint(UsagePointBase, frozen=True, kw_only=True):
    """A usage point that a device posts. `post_rate` seconds between its posts, as the server wishes."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?", of=E2023)] = None
    device_lfdi: Annotated[str | None, wire("deviceLFDI!", HEX160)] = None
    mirror_meter_readings: Annotated[tuple[MirrorMeterReading, ...], wire("MirrorMeterReading*")] = ()
    post_rate: Annotated[int | None, wire("postRate?", UINT32)] = None
    usage_point_link: Annotated[Link | None, wire("UsagePointLink?", apart=True, of=E2023)] = None


class MirrorUsagePointList(List, frozen=True, kw_only=True):
    """MirrorUsagePointList."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?", of=E2023)] = None
    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[MirrorUsagePoint, ...], wire("MirrorUsagePoint*", apart=True)] = ()
