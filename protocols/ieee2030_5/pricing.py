"""Prices: tariff profile, rate component, interval, block. Money is scaled by the power of ten of the profile."""

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
from wattseal.protocols.ieee2030_5.editions import AUS_1_3, E2023
from wattseal.protocols.ieee2030_5.lexicals import (
    BITS16,
    INT32,
    MULTIPLIER,
    STRING2,
    STRING3,
    STRING20,
    STRING42,
    TIME,
    UINT8,
    UINT16,
    UINT32,
    UINT48,
)
from wattseal.protocols.ieee2030_5.quantities import UnitValue
from wattseal.protocols.ieee2030_5.vocabulary import CostKind, ServiceKind, Subscribable
from wattseal.protocols.lexical import URI
from wattseal.protocols.xml_wire import wire


class EnvironmentalCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit costs the environment."""

    amount: Annotated[int, wire("amount", UINT32)]
    cost_kind: Annotated[CostKind, wire("costKind")]
    cost_level: Annotated[int, wire("costLevel", UINT8)]
    num_cost_levels: Annotated[int, wire("numCostLevels", UINT8)]


class ConsumptionTariffInterval(Resource, frozen=True, kw_only=True):
    """The price of a block of consumption."""

    consumption_block: Annotated[int, wire("consumptionBlock", UINT8)]
    environmental_costs: Annotated[tuple[EnvironmentalCost, ...], wire("EnvironmentalCost*")] = ()
    price: Annotated[int | None, wire("price?", INT32)] = None
    start_value: Annotated[int | None, wire("startValue!", UINT48)] = None


class ConsumptionTariffIntervalList(List, frozen=True, kw_only=True):
    """ConsumptionTariffIntervalList."""

    items: Annotated[tuple[ConsumptionTariffInterval, ...], wire("ConsumptionTariffInterval*", apart=True)] = ()


class TimeTariffInterval(RandomizableEvent, frozen=True, kw_only=True):
    """An interval of a tariff; CSIP-AUS 1.3 writes its prices into it."""

    consumption_tariff_interval_list_link: Annotated[
        ListLink | None, wire("ConsumptionTariffIntervalListLink?", apart=True)
    ] = None
    tou_tier: Annotated[int, wire("touTier", UINT8)]
    consumption_tariff_interval_list_summary: Annotated[
        ConsumptionTariffIntervalList | None, wire("csipaus:ConsumptionTariffIntervalListSummary?", of=AUS_1_3)
    ] = None
    rate_component_link: Annotated[Link | None, wire("RateComponentLink?", apart=True, of=AUS_1_3)] = None


class TimeTariffIntervalList(SubscribableList, frozen=True, kw_only=True):
    """TimeTariffIntervalList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32, of=AUS_1_3)] = None
    items: Annotated[tuple[TimeTariffInterval, ...], wire("TimeTariffInterval*", apart=True)] = ()


class RateComponent(IdentifiedObject, frozen=True, kw_only=True):
    """One quantity that is paid for."""

    active_time_tariff_interval_list_link: Annotated[
        ListLink | None, wire("ActiveTimeTariffIntervalListLink?", apart=True)
    ] = None
    flow_rate_end_limit: Annotated[UnitValue | None, wire("flowRateEndLimit?")] = None
    flow_rate_start_limit: Annotated[UnitValue | None, wire("flowRateStartLimit?")] = None
    reading_type_link: Annotated[Link | None, wire("ReadingTypeLink!", apart=True)] = None
    role_flags: Annotated[int | None, wire("roleFlags!", BITS16)] = None
    time_tariff_interval_list_link: Annotated[ListLink | None, wire("TimeTariffIntervalListLink!", apart=True)] = None


class RateComponentList(List, frozen=True, kw_only=True):
    """RateComponentList."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?", of=AUS_1_3)] = None
    items: Annotated[tuple[RateComponent, ...], wire("RateComponent*", apart=True)] = ()


class GeographicLocation(msgspec.Struct, frozen=True, kw_only=True):
    """ISO 3166 country and subdivision (2023)."""

    country: Annotated[str, wire("country", STRING2)]
    subdivision: Annotated[str | None, wire("subdivision?", STRING3)] = None


class TariffProfile(IdentifiedObject, frozen=True, kw_only=True):
    """A tariff. `currency` is the ISO 4217 number."""

    binding_prices: Annotated[bool | None, wire("bindingPrices?", of=E2023)] = None
    currency: Annotated[int | None, wire("currency?", UINT16)] = None
    date_announced: Annotated[int | None, wire("dateAnnounced?", TIME, of=E2023)] = None
    date_effective: Annotated[int | None, wire("dateEffective?", TIME, of=E2023)] = None
    local_price: Annotated[bool | None, wire("localPrice?", of=E2023)] = None
    location: Annotated[GeographicLocation | None, wire("location?", of=E2023)] = None
    price_power_of_ten_multiplier: Annotated[int | None, wire("pricePowerOfTenMultiplier?", MULTIPLIER)] = None
    primacy: Annotated[int, wire("primacy", UINT8)]
    rate_code: Annotated[str | None, wire("rateCode?", STRING20)] = None
    rate_code_long: Annotated[str | None, wire("rateCodeLong?", STRING42, of=E2023)] = None
    rate_component_list_link: Annotated[ListLink | None, wire("RateComponentListLink?", apart=True)] = None
    retailer: Annotated[str | None, wire("retailer?", STRING20, of=E2023)] = None
    retailer_long: Annotated[str | None, wire("retailerLong?", STRING42, of=E2023)] = None
    service_category_kind: Annotated[ServiceKind | None, wire("serviceCategoryKind!")] = None
    tariff_description_external_uri: Annotated[str | None, wire("tariffDescriptionExternalURI?", URI, of=E2023)] = None
    combined_time_tariff_interval_list_link: Annotated[
        ListLink | None, wire("csipaus:CombinedTimeTariffIntervalListLink?", apart=True, of=AUS_1_3)
    ] = None


class TariffProfileList(SubscribableList, frozen=True, kw_only=True):
    """TariffProfileList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[TariffProfile, ...], wire("TariffProfile*", apart=True)] = ()
