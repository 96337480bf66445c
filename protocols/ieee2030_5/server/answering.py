"""ResponseSets: where devices answer to events. What comes is judged, kept as it came, and shown again."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus

import msgspec

from wattseal.protocols.ieee2030_5.base import Event, Resource
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.response import Response, ResponseList, ResponseSet, ResponseSetList
from wattseal.protocols.ieee2030_5.server.access import Granted, own_devices
from wattseal.protocols.ieee2030_5.server.changes import next_serial, put
from wattseal.protocols.ieee2030_5.server.hrefs import path_of
from wattseal.protocols.ieee2030_5.server.state import HeardResponse, World
from wattseal.protocols.ieee2030_5.server.turn import Listing, Outcome, Turn
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason

SET: int = 1
"""There is one set, for all events."""


def response_sets(turn: Turn, _: Granted) -> Listing:
    """The one set."""
    return Listing(ResponseSetList, (_set(turn),), "rsps")


def response_set(turn: Turn, _: Granted) -> Resource:
    """It alone."""
    return _set(turn)


def responses(turn: Turn, _: Granted) -> Listing:
    """What the caller's devices have answered, newest first."""
    return Listing(ResponseList, tuple(_view(turn, one) for one in reversed(_mine(turn))))


def response(turn: Turn, found: HeardResponse) -> Resource:
    """One answer of the caller's."""
    return _view(turn, found)


def answer(turn: Turn, _: Granted) -> Outcome:
    """POST of a Response: 201; 400 for a device that is not the caller's or an event that there never was.

    The device need not stand in the event's group any longer: who is moved in mid-event has still to answer for it.
    """
    posted: Response = turn.document
    known = posted.end_device_lfdi in {one.lfdi for one in own_devices(turn)}
    known = known and posted.subject in set(_subjects(turn.world))
    if turn.config.strict_responses and not known:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    world, serial = next_serial(turn.world)
    heard = HeardResponse(
        serial=serial,
        owner=turn.caller,
        kind=type(posted).__name__,
        lfdi=posted.end_device_lfdi,
        subject=posted.subject,
        status=None if posted.status is None else int(posted.status),
        created=posted.created_date_time,
        heard=turn.now,
        document=turn.request.body,
    )
    world = put(world, heard)
    newest = world.responses[-turn.config.things_most :]
    return turn.created(path_of("rsps", SET, "rsp", serial), msgspec.structs.replace(world, responses=newest))


def _subjects(world: World) -> Iterator[str]:
    """The mRIDs of all events and defaults of this world, also of those that are no longer listed."""
    for program in world.der_programs:
        yield from _mrids(one.event for one in program.controls)
        if program.default is not None:
            yield program.default.mrid
    for load in world.load_programs:
        yield from _mrids(one.event for one in load.controls)
    for text in world.text_programs:
        yield from _mrids(one.event for one in text.texts)
    for tariff in world.tariffs:
        yield from _mrids(one.listed.event for rate in tariff.rates for one in rate.intervals)
    for device in world.devices:
        yield from _mrids(one.event for one in device.flow_responses)


def _mrids(events: Iterable[Event]) -> Iterator[str]:
    return (one.mrid for one in events)


def _mine(turn: Turn) -> tuple[HeardResponse, ...]:
    return tuple(one for one in turn.world.responses if one.owner == turn.caller)


def _set(turn: Turn) -> ResponseSet:
    return ResponseSet(
        href=turn.at("rsps", SET),
        mrid=turn.mrid(0),
        response_list_link=turn.list_link(len(_mine(turn)), "rsps", SET, "rsp"),
    )


def _view(turn: Turn, heard: HeardResponse) -> Response:
    resource = decode(heard.document, turn.config.profile).resource
    assert isinstance(resource, Response)  # noqa: S101 - it was read as one before it was kept
    return msgspec.structs.replace(resource, href=turn.at("rsps", SET, "rsp", heard.serial))
