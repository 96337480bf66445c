"""Usage points: what devices mirrored, shown as a meter's own: meter readings, reading types, readings and sets."""

import msgspec

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.metering import (
    MeterReading,
    MeterReadingList,
    MirrorReadingSet,
    Reading,
    ReadingList,
    ReadingSet,
    ReadingSetList,
    UsagePoint,
    UsagePointList,
)
from wattseal.protocols.ieee2030_5.server.access import Granted, InMirror
from wattseal.protocols.ieee2030_5.server.state import Mirror
from wattseal.protocols.ieee2030_5.server.turn import Listing, Turn


def usage_points(turn: Turn, _: Granted) -> Listing:
    """Those of the caller's mirrors, newest first."""
    mine = sorted((one for one in turn.world.mirrors if one.owner == turn.caller), key=lambda one: -one.serial)
    return Listing(UsagePointList, tuple(usage_point(turn, one) for one in mine), "upt", subscribable=True)


def usage_point(turn: Turn, found: Mirror) -> UsagePoint:
    """One."""
    point = found.point
    return UsagePoint(
        href=turn.at("upt", found.serial),
        mrid=point.mrid,
        description=point.description,
        version=point.version,
        role_flags=point.role_flags,
        service_category_kind=point.service_category_kind,
        status=point.status,
        device_lfdi=point.device_lfdi,
        meter_reading_list_link=turn.list_link(len(found.meters), "upt", found.serial, "mr"),
    )


def meter_readings(turn: Turn, found: Mirror) -> Listing:
    """The quantities of a usage point."""
    items = tuple(meter_reading(turn, InMirror(found, one)) for one in found.meters)
    return Listing(MeterReadingList, items, subscribable=True)


def meter_reading(turn: Turn, found: InMirror) -> MeterReading:
    """One of them."""
    meter = found.meter
    base = _base(found)
    return MeterReading(
        href=turn.at(*base),
        mrid=meter.mrid,
        description=meter.description,
        version=meter.version,
        reading_link=turn.link(*base, "r") if meter.readings else None,
        reading_set_list_link=turn.list_link(len(meter.sets), *base, "rs"),
        reading_type_link=turn.link(*base, "rt"),
    )


def reading_type(turn: Turn, found: InMirror) -> Resource:
    """What its numbers are."""
    return msgspec.structs.replace(found.meter.reading_type, href=turn.at(*_base(found), "rt"))


def reading(turn: Turn, found: InMirror) -> Reading | None:
    """The newest one."""
    if not found.meter.readings:
        return None
    return msgspec.structs.replace(found.meter.readings[-1], href=turn.at(*_base(found), "r"))


def reading_sets(turn: Turn, found: InMirror) -> Listing:
    """The sets that were posted, newest first."""
    items = tuple(_reading_set(turn, found, number, one) for number, one in reversed(_numbered(found)))
    stamps = tuple(one.time_period.start for one in items)
    return Listing(ReadingSetList, items, stamps=stamps, subscribable=True)


def reading_set(turn: Turn, found: InMirror) -> ReadingSet | None:
    """The one that the path names."""
    number = int(turn.path.rpartition("/")[2])
    return next((_reading_set(turn, found, place, one) for place, one in _numbered(found) if place == number), None)


def set_readings(turn: Turn, found: InMirror) -> Listing | None:
    """The readings of the set that the path names."""
    number = int(turn.path.split("/")[-2])
    kept = next((one for place, one in _numbered(found) if place == number), None)
    if kept is None:
        return None
    items = tuple(msgspec.structs.replace(one, href=None) for one in kept.readings)
    return Listing(ReadingList, items, subscribable=True)


def _numbered(found: InMirror) -> list[tuple[int, MirrorReadingSet]]:
    """The sets with numbers that stay theirs when older ones are given up."""
    return list(enumerate(found.meter.sets, start=found.meter.sets_gone + 1))


def _reading_set(turn: Turn, found: InMirror, number: int, kept: MirrorReadingSet) -> ReadingSet:
    base = (*_base(found), "rs", number)
    return ReadingSet(
        href=turn.at(*base),
        mrid=kept.mrid,
        description=kept.description,
        version=kept.version,
        time_period=kept.time_period,
        reading_list_link=turn.list_link(len(kept.readings), *base, "r"),
    )


def _base(found: InMirror) -> tuple[str | int, ...]:
    return ("upt", found.mirror.serial, "mr", found.meter.serial)
