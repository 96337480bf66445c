"""Prices: tariff profiles, rate components, intervals with their state, and the blocks of each."""

import msgspec

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.pricing import (
    ConsumptionTariffInterval,
    ConsumptionTariffIntervalList,
    RateComponent,
    RateComponentList,
    TariffProfile,
    TariffProfileList,
    TimeTariffInterval,
    TimeTariffIntervalList,
)
from wattseal.protocols.ieee2030_5.server.access import Granted, InGroup, InTariff, ordered, reached
from wattseal.protocols.ieee2030_5.server.events import no_modes, shown
from wattseal.protocols.ieee2030_5.server.programs import RESPONSES_PATH
from wattseal.protocols.ieee2030_5.server.state import PricedInterval, Tariff
from wattseal.protocols.ieee2030_5.server.turn import Listing, Turn
from wattseal.protocols.ieee2030_5.vocabulary import Subscribable


def all_tariffs(turn: Turn, _: Granted) -> Listing:
    """Those that the caller reaches."""
    return _tariffs(turn, reached(turn, turn.world.tariffs))


def group_tariffs(turn: Turn, found: InGroup) -> Listing:
    """Those of one group."""
    return _tariffs(turn, ordered(one for one in turn.world.tariffs if one.serial in found.group.programs))


def tariff(turn: Turn, found: Tariff) -> TariffProfile:
    """One of them."""
    base = ("tp", found.serial)
    return TariffProfile(
        href=turn.at(*base),
        mrid=found.mrid,
        description=found.description,
        version=found.version,
        currency=found.currency,
        price_power_of_ten_multiplier=found.power_of_ten,
        primacy=found.primacy,
        rate_code=found.rate_code,
        rate_component_list_link=turn.list_link(len(found.rates), *base, "rc"),
        service_category_kind=found.service,
        combined_time_tariff_interval_list_link=turn.list_link(
            sum(len(one.intervals) for one in found.rates), *base, "ctti"
        ),
    )


def rates(turn: Turn, found: Tariff) -> Listing:
    """The rate components of a tariff."""
    return Listing(RateComponentList, tuple(rate(turn, InTariff(found, one)) for one in found.rates))


def rate(turn: Turn, found: InTariff) -> RateComponent:
    """One of them."""
    base = _base(found)
    return RateComponent(
        href=turn.at(*base),
        mrid=found.rate.mrid,
        description=found.rate.description,
        active_time_tariff_interval_list_link=turn.list_link(len(active_intervals(turn, found).items), *base, "acttti"),
        reading_type_link=turn.link(*base, "rt"),
        role_flags=found.rate.role_flags,
        time_tariff_interval_list_link=turn.list_link(len(intervals(turn, found).items), *base, "tti"),
    )


def rate_reading_type(turn: Turn, found: InTariff) -> Resource:
    """What is paid for."""
    return msgspec.structs.replace(found.rate.reading_type, href=turn.at(*_base(found), "rt"))


def intervals(turn: Turn, found: InTariff) -> Listing:
    """The intervals of a rate component that are listed."""
    return _listing(_intervals(turn, found, active=False))


def active_intervals(turn: Turn, found: InTariff) -> Listing:
    """Those whose time it is."""
    return _listing(_intervals(turn, found, active=True))


def combined_intervals(turn: Turn, found: Tariff) -> Listing:
    """Those of all rate components together (CSIP-AUS 1.3)."""
    views = [one for part in found.rates for one in _intervals(turn, InTariff(found, part), active=False)]
    return _listing(tuple(sorted(views, key=lambda one: one.interval.start)))


def interval(turn: Turn, found: InTariff) -> Resource | None:
    """The one that the path names."""
    href = turn.hrefs.write(turn.path)
    return next((one for one in _intervals(turn, found, active=False) if one.href == href), None)


def prices(turn: Turn, found: InTariff) -> Listing | None:
    """The blocks of the interval that the path names."""
    serial = int(turn.path.split("/")[5])
    priced = next((one for one in found.rate.intervals if one.listed.serial == serial), None)
    return None if priced is None else Listing(ConsumptionTariffIntervalList, _prices(turn, found, priced))


def price(turn: Turn, found: InTariff) -> Resource | None:
    """The block that the path names."""
    listing = prices(turn, found)
    href = turn.hrefs.write(turn.path)
    return None if listing is None else next((one for one in listing.items if one.href == href), None)


def _tariffs(turn: Turn, found: tuple[Tariff, ...]) -> Listing:
    return Listing(TariffProfileList, tuple(tariff(turn, one) for one in found), "tp", subscribable=True)


def _listing(items: tuple[TimeTariffInterval, ...]) -> Listing:
    stamps = tuple(one.interval.start for one in items)
    return Listing(TimeTariffIntervalList, items, "tti", stamps=stamps, subscribable=True)


def _intervals(turn: Turn, found: InTariff, *, active: bool) -> tuple[TimeTariffInterval, ...]:
    priced = {one.listed.serial: one for one in found.rate.intervals}
    listed = tuple(one.listed for one in found.rate.intervals)
    pairs = shown(listed, no_modes, turn.clock, turn.config.keep_finished_seconds, active=active)
    return tuple(_interval(turn, found, priced[one.serial], event) for one, event in pairs)


def _interval(turn: Turn, found: InTariff, priced: PricedInterval, event: TimeTariffInterval) -> TimeTariffInterval:
    base = (*_base(found), "tti", priced.listed.serial)
    blocks = _prices(turn, found, priced)
    href = turn.at(*base, "cti")
    return msgspec.structs.replace(
        event,
        href=turn.at(*base),
        reply_to=turn.at(RESPONSES_PATH) if event.response_required else None,
        subscribable=Subscribable.NO,
        consumption_tariff_interval_list_link=turn.list_link(len(blocks), *base, "cti"),
        consumption_tariff_interval_list_summary=ConsumptionTariffIntervalList(
            href=href, all=len(blocks), results=len(blocks), items=blocks
        ),
        rate_component_link=turn.link(*_base(found)),
    )


def _prices(turn: Turn, found: InTariff, priced: PricedInterval) -> tuple[ConsumptionTariffInterval, ...]:
    base = (*_base(found), "tti", priced.listed.serial, "cti")
    return tuple(
        msgspec.structs.replace(one, href=turn.at(*base, number)) for number, one in enumerate(priced.prices, start=1)
    )


def _base(found: InTariff) -> tuple[str | int, ...]:
    return ("tp", found.tariff.serial, "rc", found.rate.serial)
