"""What a VTN session tells its owner: values only, each of them encodable as JSON with its kind in `happened`."""

from datetime import datetime

import msgspec

from wattseal.protocols.openadr20b.vocabulary import EventStatus, OptType
from wattseal.protocols.openadr20b.vtn.state import OptRecord, Reading, RequestState


class Happening(msgspec.Struct, frozen=True, kw_only=True, tag_field="happened"):
    """Root of all of them. `ven_id` is None where it could not be told."""

    at: datetime
    ven_id: str | None


class Registered(Happening, frozen=True, kw_only=True, tag="registered"):
    """A VEN registered. `again`: it was registered before."""

    ven_name: str | None
    registration_id: str
    again: bool
    fingerprint: str | None


class Deregistered(Happening, frozen=True, kw_only=True, tag="deregistered"):
    """A registration ended. `by_ven`: by the VEN's wish."""

    by_ven: bool


class ListSent(Happening, frozen=True, kw_only=True, tag="list_sent"):
    """A VEN was given its whole list of events, perhaps empty: (id, modification number, status) of each."""

    events: tuple[tuple[str, int, EventStatus], ...]


class EventAnswered(Happening, frozen=True, kw_only=True, tag="event_answered"):
    """A VEN answered an event. `outcome` is recorded, repeated, stale (an older version), overruled (by an earlier
    oadrCreateOpt, rule 206), ahead (a version never made) or unknown.
    """

    event_id: str
    modification_number: int
    opt: OptType
    code: str
    description: str | None
    outcome: str


class OffersRegistered(Happening, frozen=True, kw_only=True, tag="offers_registered"):
    """A VEN registered its reports; `asked` are the requests that went out with the answer."""

    specifier_ids: tuple[str, ...]
    asked: tuple[str, ...]


class RequestMoved(Happening, frozen=True, kw_only=True, tag="request_moved"):
    """A report request came to another state."""

    request_id: str
    state: RequestState
    code: str


class ReadingsReceived(Happening, frozen=True, kw_only=True, tag="readings_received"):
    """Data of one report request."""

    request_id: str
    readings: tuple[Reading, ...]


class OptCreated(Happening, frozen=True, kw_only=True, tag="opt_created"):
    """A VEN declared an opt."""

    opt: OptRecord


class OptCanceled(Happening, frozen=True, kw_only=True, tag="opt_canceled"):
    """A VEN took an opt back."""

    opt_id: str


class Refused(Happening, frozen=True, kw_only=True, tag="refused"):
    """A message was not taken. `code` is the responseCode that went back, None where HTTP 4xx did."""

    service: str
    message: str | None
    reason: str
    sentence: str
    code: str | None


class VenRefused(Happening, frozen=True, kw_only=True, tag="ven_refused"):
    """A VEN answered something of ours with an error code."""

    message: str
    code: str
    description: str | None


class Remarked(Happening, frozen=True, kw_only=True, tag="remarked"):
    """A message was taken, but in these points it was not what the profile says."""

    message: str
    remarks: tuple[str, ...]


AnyHappening = (
    Registered
    | Deregistered
    | ListSent
    | EventAnswered
    | OffersRegistered
    | RequestMoved
    | ReadingsReceived
    | OptCreated
    | OptCanceled
    | Refused
    | VenRefused
    | Remarked
)
