"""What resources are made of: links, the attributes of lists and of identified, subscribable, respondable resources.

Times are whole seconds since 1970 UTC, as on the wire. Class names are those of the schema, because xsi:type uses them.
The order of fields, base first, is the order of the schemas; fields of 2023 and of CSIP-AUS stand where those put them.
"""

from typing import Annotated

import msgspec

from wattseal.protocols.ieee2030_5.editions import BEYOND
from wattseal.protocols.ieee2030_5.lexicals import (
    BITS8,
    HEX128,
    ONE_HOUR,
    STRING32,
    STRING192,
    TIME,
    UINT16,
    UINT32,
)
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason, EventState, Subscribable
from wattseal.protocols.lexical import URI
from wattseal.protocols.xml_wire import wire


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a resource; `href` is as the server wrote it, usually a path."""

    href: Annotated[str, wire("@href", URI)]


class ListLink(Link, frozen=True, kw_only=True):
    """A reference to a list. `all` may be absent or stale: never a reason to skip a GET."""

    all: Annotated[int | None, wire("@all?", UINT32)] = None


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Anything with an address."""

    href: Annotated[str | None, wire("@href?", URI)] = None


class SubscribableResource(Resource, frozen=True, kw_only=True):
    """A resource that may be subscribed to; absent means no."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?")] = None


class List(Resource, frozen=True, kw_only=True):
    """A page of a list: `all` that there are, `results` in this page. Both may be absent or lie in the field.

    Every list type holds its page in `items`. `poll_rate` is in seconds; None where the server did not say.
    """

    all: Annotated[int | None, wire("@all!", UINT32)] = None
    results: Annotated[int | None, wire("@results!", UINT32)] = None
    subscribable: Annotated[Subscribable | None, wire("@subscribable?", of=BEYOND)] = None
    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32, of=BEYOND)] = None


class SubscribableList(List, frozen=True, kw_only=True):
    """A list that may be subscribed to."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?")] = None


class IdentifiedObject(Resource, frozen=True, kw_only=True):
    """A resource with a global identifier: `mrid` is upper-case hexadecimal, up to 32 digits."""

    mrid: Annotated[str, wire("mRID", HEX128)]
    description: Annotated[str | None, wire("description?", STRING32)] = None
    version: Annotated[int | None, wire("version?", UINT16)] = None


class SubscribableIdentifiedObject(SubscribableResource, frozen=True, kw_only=True):
    """An identified resource that may be subscribed to."""

    mrid: Annotated[str, wire("mRID", HEX128)]
    description: Annotated[str | None, wire("description?", STRING32)] = None
    version: Annotated[int | None, wire("version?", UINT16)] = None


class RespondableResource(Resource, frozen=True, kw_only=True):
    """A resource that wants answers: to `reply_to`, the kinds whose bits `response_required` has set; None means 0."""

    reply_to: Annotated[str | None, wire("@replyTo?", URI)] = None
    response_required: Annotated[int | None, wire("@responseRequired?", BITS8)] = None


class RespondableSubscribableIdentifiedObject(RespondableResource, frozen=True, kw_only=True):
    """An identified resource that wants answers and may be subscribed to."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?")] = None
    mrid: Annotated[str, wire("mRID", HEX128)]
    description: Annotated[str | None, wire("description?", STRING32)] = None
    version: Annotated[int | None, wire("version?", UINT16)] = None


class DateTimeInterval(msgspec.Struct, frozen=True, kw_only=True):
    """From `start`, for `duration` seconds; 4294967295 is a common way to say without end."""

    duration: Annotated[int, wire("duration", UINT32)]
    start: Annotated[int, wire("start", TIME)]

    @property
    def end(self) -> int:
        """The first second that is no longer in it."""
        return self.start + self.duration


class EventStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of an event. `potentially_superseded` only says that something overlaps it in part."""

    current_status: Annotated[EventState, wire("currentStatus")]
    date_time: Annotated[int | None, wire("dateTime!", TIME)] = None
    potentially_superseded: Annotated[bool | None, wire("potentiallySuperseded!")] = None
    potentially_superseded_time: Annotated[int | None, wire("potentiallySupersededTime?", TIME)] = None
    reason: Annotated[str | None, wire("reason?", STRING192)] = None


class Event(RespondableSubscribableIdentifiedObject, frozen=True, kw_only=True):
    """Something for a stretch of time."""

    creation_time: Annotated[int, wire("creationTime", TIME)]
    event_status: Annotated[EventStatus, wire("EventStatus")]
    interval: Annotated[DateTimeInterval, wire("interval")]


class RandomizableEvent(Event, frozen=True, kw_only=True):
    """An event whose start and duration move by a draw between 0 and the value, seconds, sign kept."""

    randomize_duration: Annotated[int | None, wire("randomizeDuration?", ONE_HOUR)] = None
    randomize_start: Annotated[int | None, wire("randomizeStart?", ONE_HOUR)] = None


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a refusal. `max_retry_duration` in seconds."""

    max_retry_duration: Annotated[int | None, wire("maxRetryDuration?", UINT16)] = None
    reason_code: Annotated[ErrorReason, wire("reasonCode")]
