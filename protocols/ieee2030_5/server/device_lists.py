"""Lists that a device fills under its EndDevice: log events, and flow reservations, which the utility then grants."""

from http import HTTPStatus
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import DateTimeInterval, EventStatus, Resource
from wattseal.protocols.ieee2030_5.flow_reservation import (
    FlowReservationRequest,
    FlowReservationRequestList,
    FlowReservationResponse,
    FlowReservationResponseList,
    RequestStatus,
)
from wattseal.protocols.ieee2030_5.log_event import LogEvent, LogEventList
from wattseal.protocols.ieee2030_5.server.changes import next_serial, put
from wattseal.protocols.ieee2030_5.server.events import no_modes, shown
from wattseal.protocols.ieee2030_5.server.hrefs import path_of
from wattseal.protocols.ieee2030_5.server.programs import RESPONSES_PATH
from wattseal.protocols.ieee2030_5.server.state import Device, Listed
from wattseal.protocols.ieee2030_5.server.turn import Listing, Outcome, Turn, mrid_of
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason, EventState, RequestState, ResponseRequired

_LOGS_MOST: Final = 1000
_REQUESTS_MOST: Final = 1000
_ALL_ANSWERS: Final = ResponseRequired.RECEIVED | ResponseRequired.SPECIFIC


def log_events(turn: Turn, found: Device) -> Listing:
    """Newest first."""
    numbered = [
        msgspec.structs.replace(one, href=turn.at("edev", found.serial, "lel", number))
        for number, one in enumerate(found.logs, start=found.logs_gone + 1)
    ]
    items = tuple(sorted(numbered, key=lambda one: -one.created_date_time))
    return Listing(LogEventList, items, "lel", stamps=tuple(one.created_date_time for one in items))


def log_event(turn: Turn, found: Device) -> Resource | None:
    """The one that the path names."""
    return _numbered(turn, found.logs, found.logs_gone)


def post_log_event(turn: Turn, found: Device) -> Outcome:
    """POST: 201. Of very many the oldest are given up; numbers stay."""
    posted: LogEvent = turn.document
    logs = (*found.logs, msgspec.structs.replace(posted, href=None))
    gone = max(0, len(logs) - _LOGS_MOST)
    changed = msgspec.structs.replace(found, logs=logs[gone:], logs_gone=found.logs_gone + gone)
    number = changed.logs_gone + len(changed.logs)
    return turn.created(path_of("edev", found.serial, "lel", number), put(turn.world, changed))


def flow_requests(turn: Turn, found: Device) -> Listing:
    """What the device has asked for, newest first."""
    items = tuple(
        msgspec.structs.replace(one, href=turn.at("edev", found.serial, "frq", number))
        for number, one in enumerate(found.flow_requests, start=1)
    )
    return Listing(FlowReservationRequestList, tuple(reversed(items)), "frq")


def flow_request(turn: Turn, found: Device) -> Resource | None:
    """The one that the path names."""
    return _numbered(turn, found.flow_requests)


def post_flow_request(turn: Turn, found: Device) -> Outcome:
    """POST: 201, and all that is asked for is granted at once (the utility's staff may change the grant).

    A request of an mRID that is known replaces it; one that is cancelled takes its grant with it.
    """
    posted: FlowReservationRequest = msgspec.structs.replace(turn.document, href=None)
    places = [number for number, one in enumerate(found.flow_requests) if one.mrid == posted.mrid]
    if places:
        requests = (*found.flow_requests[: places[0]], posted, *found.flow_requests[places[0] + 1 :])
        number = places[0] + 1
    elif len(found.flow_requests) >= _REQUESTS_MOST:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.RESOURCE_LIMIT)
    else:
        requests = (*found.flow_requests, posted)
        number = len(requests)
    changed = msgspec.structs.replace(found, flow_requests=requests)
    outcome = _settled(turn, changed, posted)
    return turn.created(path_of("edev", found.serial, "frq", number), outcome.world)


def change_flow_request(turn: Turn, found: Device) -> Outcome:
    """PUT of one of them, as its cancellation is told."""
    number = int(turn.path.rpartition("/")[2])
    posted: FlowReservationRequest = msgspec.structs.replace(turn.document, href=None)
    if not 1 <= number <= len(found.flow_requests) or found.flow_requests[number - 1].mrid != posted.mrid:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    requests = (*found.flow_requests[: number - 1], posted, *found.flow_requests[number:])
    return _settled(turn, msgspec.structs.replace(found, flow_requests=requests), posted)


def flow_responses(turn: Turn, found: Device) -> Listing:
    """What was granted."""
    pairs = shown(found.flow_responses, no_modes, turn.clock, turn.config.keep_finished_seconds)
    items = tuple(
        msgspec.structs.replace(
            event, href=turn.at("edev", found.serial, "frp", one.serial), reply_to=turn.at(RESPONSES_PATH)
        )
        for one, event in pairs
    )
    return Listing(FlowReservationResponseList, items, "frp", tuple(one.interval.start for one in items), True)


def flow_response(turn: Turn, found: Device) -> Resource | None:
    """The one that the path names."""
    href = turn.hrefs.write(turn.path)
    return next((one for one in flow_responses(turn, found).items if one.href == href), None)


def _numbered(
    turn: Turn, things: tuple[LogEvent, ...] | tuple[FlowReservationRequest, ...], gone: int = 0
) -> Resource | None:
    number = int(turn.path.rpartition("/")[2]) - gone
    if not 1 <= number <= len(things):
        return None
    return msgspec.structs.replace(things[number - 1], href=turn.hrefs.write(turn.path))


def _settled(turn: Turn, device: Device, request: FlowReservationRequest) -> Outcome:
    """The grant that follows from a request."""
    status: RequestStatus = request.request_status
    granted = next((one for one in device.flow_responses if one.event.subject == request.mrid), None)
    world = turn.world
    if status.request_status is RequestState.CANCELLED:
        if granted is not None and granted.cancelled is None:
            gone = msgspec.structs.replace(granted, cancelled=EventState.CANCELLED, cancelled_at=turn.clock)
            left = tuple(gone if one is granted else one for one in device.flow_responses)
            device = msgspec.structs.replace(device, flow_responses=left)
    elif granted is None:
        world, serial = next_serial(world)
        fresh = Listed(serial=serial, event=_grant(turn, request, serial))
        device = msgspec.structs.replace(device, flow_responses=(*device.flow_responses, fresh))
    return turn.done(put(world, device))


def _grant(turn: Turn, request: FlowReservationRequest, serial: int) -> FlowReservationResponse:
    wanted = request.interval_requested
    seconds = request.duration_requested or wanted.duration
    return FlowReservationResponse(
        mrid=mrid_of(turn.world, serial),
        response_required=_ALL_ANSWERS,
        creation_time=turn.clock,
        event_status=EventStatus(
            current_status=EventState.SCHEDULED, date_time=turn.clock, potentially_superseded=False
        ),
        interval=DateTimeInterval(start=wanted.start, duration=min(seconds, wanted.duration)),
        energy_available=request.energy_requested,
        power_available=request.power_requested,
        subject=request.mrid,
    )
