"""Mirror metering: usage points and readings that devices post, kept by mRID, so that a repeated post adds nothing.

A meter reading is defined by the post that first brings its ReadingType; readings of one that never was are refused.
Of each meter so many of the newest readings are kept.
"""

from http import HTTPStatus
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.metering import (
    MirrorMeterReading,
    MirrorMeterReadingList,
    MirrorUsagePoint,
    MirrorUsagePointList,
    Reading,
)
from wattseal.protocols.ieee2030_5.server.access import Granted, own_devices
from wattseal.protocols.ieee2030_5.server.changes import next_serial, put, put_into, take
from wattseal.protocols.ieee2030_5.server.hrefs import path_of
from wattseal.protocols.ieee2030_5.server.state import Meter, Mirror, World
from wattseal.protocols.ieee2030_5.server.turn import Listing, Outcome, Turn
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason

_METERS_MOST: Final = 256


def mirrors(turn: Turn, _: Granted) -> Listing:
    """The caller's mirrors, newest first."""
    mine = sorted((one for one in turn.world.mirrors if one.owner == turn.caller), key=lambda one: -one.serial)
    return Listing(MirrorUsagePointList, tuple(mirror(turn, one) for one in mine), "mup")


def mirror(turn: Turn, found: Mirror) -> MirrorUsagePoint:
    """One mirror, with its meter readings but without what was read."""
    meters = tuple(
        MirrorMeterReading(
            href=turn.at("mup", found.serial, "mmr", one.serial),
            mrid=one.mrid,
            description=one.description,
            version=one.version,
            last_update_time=one.updated,
            reading_type=one.reading_type,
        )
        for one in found.meters
    )
    return msgspec.structs.replace(
        found.point,
        href=turn.at("mup", found.serial),
        mirror_meter_readings=meters,
        post_rate=post_seconds(turn, found),
        usage_point_link=turn.link("upt", found.serial),
    )


def post_seconds(turn: Turn, found: Mirror) -> int:
    """How often the server wants to hear: as set at run time, else as the device says, else its own."""
    return turn.world.polls.get("post", found.point.post_rate or turn.config.post_seconds)


def post_mirror(turn: Turn, _: Granted) -> Outcome:
    """POST to the list: 201 with the address; of a mirror whose mRID is known, 204 with the same address.

    403 where the caller has no EndDevice or posts for somebody else's; 400 for readings without a ReadingType.
    """
    posted: MirrorUsagePoint = turn.document
    lfdis = {one.lfdi for one in own_devices(turn) if one.enabled}
    if turn.is_aggregator:
        lfdis.add(turn.caller)
    if not lfdis or (posted.device_lfdi is not None and posted.device_lfdi not in lfdis):
        return turn.refuse(HTTPStatus.FORBIDDEN)
    known = next(
        (one for one in turn.world.mirrors if one.owner == turn.caller and one.point.mrid == posted.mrid), None
    )
    if known is not None:
        outcome = change_mirror(turn, known)
        location = path_of("mup", known.serial)
        return turn.done(outcome.world, location) if outcome.answer.status == HTTPStatus.NO_CONTENT else outcome
    if sum(one.owner == turn.caller for one in turn.world.mirrors) >= turn.config.things_most:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.RESOURCE_LIMIT)
    world, serial = next_serial(turn.world)
    fresh = Mirror(serial=serial, owner=turn.caller, point=_bare(posted))
    filled = _filled(turn, world, fresh, posted.mirror_meter_readings)
    if filled is None:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    return turn.created(path_of("mup", serial), filled)


def change_mirror(turn: Turn, found: Mirror) -> Outcome:
    """PUT: the point is replaced, its meter readings are added to those that are there."""
    posted: MirrorUsagePoint = turn.document
    if posted.mrid != found.point.mrid:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    changed = msgspec.structs.replace(found, point=_bare(posted))
    filled = _filled(turn, turn.world, changed, posted.mirror_meter_readings)
    return turn.done(filled) if filled else turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)


def drop_mirror(turn: Turn, found: Mirror) -> Outcome:
    """DELETE."""
    return turn.done(take(turn.world, found))


def post_readings(turn: Turn, found: Mirror) -> Outcome:
    """POST of a MirrorMeterReading or a list of them to a mirror: 201 where one is new, 204 otherwise.

    400 when one is neither known nor brings a ReadingType: then none of them is taken.
    """
    posted = turn.document
    readings = posted.items if isinstance(posted, MirrorMeterReadingList) else (posted,)
    filled = _filled(turn, turn.world, found, readings)
    if filled is None:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    known = {one.mrid for one in found.meters}
    new = [one.mrid for one in readings if one.mrid not in known]
    if not new:
        return turn.done(filled)
    mine = next(one for one in filled.mirrors if one.serial == found.serial)
    serial = next(one.serial for one in mine.meters if one.mrid == new[0])
    return turn.created(path_of("mup", found.serial, "mmr", serial), filled)


def meter(turn: Turn, found: Mirror) -> Resource | None:
    """The MirrorMeterReading that the path names."""
    serial = int(turn.path.rpartition("/")[2])
    parts = zip(found.meters, mirror(turn, found).mirror_meter_readings, strict=True)
    return next((view for one, view in parts if one.serial == serial), None)


def _bare(posted: MirrorUsagePoint) -> MirrorUsagePoint:
    return msgspec.structs.replace(posted, href=None, mirror_meter_readings=(), usage_point_link=None)


def _filled(turn: Turn, world: World, mirror: Mirror, readings: tuple[MirrorMeterReading, ...]) -> World | None:
    """The world with the mirror and these readings in it; None if one of them is not defined, or one too many."""
    for posted in readings:
        known = next((one for one in mirror.meters if one.mrid == posted.mrid), None)
        if known is None:
            if posted.reading_type is None or len(mirror.meters) >= _METERS_MOST:
                return None
            world, serial = next_serial(world)
            known = Meter(serial=serial, mrid=posted.mrid)
        changed = _read(turn, known, posted)
        mirror = msgspec.structs.replace(mirror, meters=put_into(mirror.meters, changed))
    return put(world, mirror)


def _read(turn: Turn, meter: Meter, posted: MirrorMeterReading) -> Meter:
    most = turn.config.readings_kept
    sets = meter.sets
    for one in posted.mirror_reading_sets:
        same = any(kept.mrid == one.mrid for kept in sets)
        sets = tuple(one if kept.mrid == one.mrid else kept for kept in sets) if same else (*sets, one)
    fresh: tuple[Reading, ...] = tuple(reading for one in posted.mirror_reading_sets for reading in one.readings)
    if posted.reading is not None:
        fresh = (*fresh, posted.reading)
    return msgspec.structs.replace(
        meter,
        description=posted.description or meter.description,
        version=posted.version if posted.version is not None else meter.version,
        reading_type=posted.reading_type or meter.reading_type,
        updated=turn.clock,
        sets=sets[-most:],
        sets_gone=meter.sets_gone + max(0, len(sets) - most),
        readings=_merged(meter.readings, fresh)[-most:],
    )


def _merged(kept: tuple[Reading, ...], fresh: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """A reading of a period that is there already replaces it: a repeated post adds nothing."""
    places = {_period(one): one for one in kept}
    for one in fresh:
        places.pop(_period(one), None)
        places[_period(one)] = one
    return tuple(places.values())


def _period(reading: Reading) -> object:
    period = reading.time_period
    return reading if period is None else (period.start, period.duration, reading.local_id)
