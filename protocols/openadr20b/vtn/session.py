"""The VTN without any I/O: a message's bytes and the time go in, an answer's bytes and what happened come out.

The order for each message: read it, find its service, find where its sender stands, look the two up in the table, do
that one thing. Whatever refuses a message changes nothing. What the utility's staff want is said by the calls below and
reaches a VEN at its next poll. Knows no socket, no clock and no file; identifiers are counted, so that a run repeats.

Signatures are seen, not checked: a VEN that announces oadrXmlSignature is registered and the remark is made.
"""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.certs.identity import PeerIdentity
from wattseal.protocols.openadr20b.codec import Payload, SchemaError, XmlRefusedError, decode, encode
from wattseal.protocols.openadr20b.event import DistributeEvent
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.response import Response
from wattseal.protocols.openadr20b.vocabulary import ResponseCode, ServiceName
from wattseal.protocols.openadr20b.vtn import dispatch
from wattseal.protocols.openadr20b.vtn.answers import ei_response, refusal, ven_id_of
from wattseal.protocols.openadr20b.vtn.config import METADATA, VtnConfig
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, check_draft
from wattseal.protocols.openadr20b.vtn.event_book import is_for, is_over, listed, oadr_event, replaced
from wattseal.protocols.openadr20b.vtn.happenings import AnyHappening, Deregistered, Refused, Remarked
from wattseal.protocols.openadr20b.vtn.registration import standing_of
from wattseal.protocols.openadr20b.vtn.reporting import METADATA_POINTS
from wattseal.protocols.openadr20b.vtn.state import EventRecord, RequestRecord, RequestState, VenRecord, VtnState
from wattseal.protocols.openadr20b.vtn.table import SERVICES, TABLE, Action, Standing
from wattseal.protocols.openadr20b.vtn.turn import Circumstances, RefusedTurn, Turn

_REFUSALS: Final = {
    Action.NOT_REGISTERED: (ResponseCode.NOT_REGISTERED, "not_registered", "Not registered here, or not by you."),
    Action.NOT_OURS: (ResponseCode.NOT_ALLOWED, "vtn_only", "Only a VTN sends this message."),
    Action.OUT_OF_SEQUENCE: (ResponseCode.OUT_OF_SEQUENCE, "out_of_sequence", "Nothing here waits for this message."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: HTTP status and body, XML where the status is 200, one plain sentence otherwise."""

    status: int
    body: bytes
    happenings: tuple[AnyHappening, ...] = ()


class Vtn:
    """One VTN's session. Not shared between threads; `state` may be taken at any time and handed to a new one."""

    def __init__(self, config: VtnConfig, state: VtnState) -> None:
        self._config = config
        self._epoch = state.epoch
        self._serial = state.serial
        self._events = {one.event_id: one for one in state.events}
        self._vens = {one.ven_id: one for one in state.vens}

    @property
    def config(self) -> VtnConfig:
        """Its settings."""
        return self._config

    @property
    def state(self) -> VtnState:
        """All that must outlive a restart."""
        return VtnState(
            epoch=self._epoch,
            serial=self._serial,
            events=tuple(self._events.values()),
            vens=tuple(self._vens.values()),
        )

    # ---- what VENs say -----------------------------------------------------------------------------------------

    def received(self, now: datetime, peer: PeerIdentity | None, service: str, raw: bytes) -> Answer:
        """The answer to one message that was posted to a service at `now` (aware UTC) by `peer` (None: plain HTTP).

        Never raises for what the other side sent: what is no XML gets HTTP 400, a service that does not exist 404, any
        other bad message a 200 with its response code.
        """
        if service not in set(ServiceName):
            refused = Refused(
                at=now,
                ven_id=None,
                service=service[:80],
                message=None,
                reason="service_unknown",
                sentence="There is no such service.",
                code=None,
            )
            return Answer(HTTPStatus.NOT_FOUND, b"There is no such service.", (refused,))
        try:
            payload = decode(raw)
        except XmlRefusedError as error:
            refused = Refused(
                at=now,
                ven_id=None,
                service=service,
                message=None,
                reason=error.reason,
                sentence=error.sentence,
                code=None,
            )
            return Answer(HTTPStatus.BAD_REQUEST, error.sentence.encode(), (refused,))
        except SchemaError as error:
            response = ei_response(error.request_id or "", error.response_code, error.sentence[:500])
            refused = Refused(
                at=now,
                ven_id=error.ven_id,
                service=service,
                message=None,
                reason=error.reason,
                sentence=error.sentence,
                code=error.response_code.value,
            )
            return Answer(HTTPStatus.OK, encode(Response(ei_response=response, ven_id=error.ven_id)), (refused,))
        answer, happenings = self._handle(now, peer, ServiceName(service), payload.message)
        return Answer(HTTPStatus.OK, encode(answer), (*_remarks(payload, now), *happenings))

    def _handle(
        self, now: datetime, peer: PeerIdentity | None, service: ServiceName, message: Message
    ) -> tuple[Message, tuple[AnyHappening, ...]]:
        standing, ven = standing_of(message, peer, self._vens, self._config)
        try:
            action = _action(standing, service, message)
            around = Circumstances(now, self._config, peer, self._events, self._draw)
            turn = dispatch.act(action, message, ven, around, set(self._vens))
        except RefusedTurn as refused:
            happened = Refused(
                at=now,
                ven_id=ven_id_of(message),
                service=service,
                message=message.ELEMENT,
                reason=refused.reason,
                sentence=refused.sentence,
                code=refused.code.value,
            )
            return refusal(message, refused.code, refused.sentence, self._config), (happened,)
        self._keep(ven, turn, now)
        return turn.answer, turn.happenings

    def _keep(self, ven: VenRecord | None, turn: Turn, now: datetime) -> None:
        if turn.ven is not None:
            self._vens[turn.ven.ven_id] = turn.ven
        elif ven is not None:
            del self._vens[ven.ven_id]
        self._tidy(now)

    def _draw(self, prefix: str) -> str:
        self._serial += 1
        return f"{prefix}-{self._epoch}-{self._serial}"

    # ---- what the utility wants --------------------------------------------------------------------------------

    def add_event(self, now: datetime, draft: EventDraft) -> str:
        """A new event; gives its id. Raises MisuseError (`event_draft_wrong`, `unencodable_message`)."""
        check_draft(draft)
        serial = self._serial
        event = EventRecord(event_id=self._draw("EVENT"), modification_number=0, draft=draft, created=now)
        try:
            self._check_encodable(event, now)
        except MisuseError:
            self._serial = serial
            raise
        self._events[event.event_id] = event
        return event.event_id

    def modify_event(self, now: datetime, event_id: str, draft: EventDraft, *, reason: str | None = None) -> int:
        """The next version of an event that stands; gives its modification number.

        Raises MisuseError (`event_unknown`, `event_is_over`, `event_draft_wrong`, `unencodable_message`).
        """
        check_draft(draft)
        event = replaced(self._standing(now, event_id), draft, now, reason)
        self._check_encodable(event, now)
        self._events[event_id] = event
        return event.modification_number

    def cancel_event(self, now: datetime, event_id: str, *, reason: str | None = None) -> int:
        """Cancels: each VEN that knows of the event is told until it has answered (rule 52), then it is dropped.

        Gives the modification number of the cancellation. Raises as `modify_event`.
        """
        event = self._standing(now, event_id)
        cancelled = msgspec.structs.replace(replaced(event, event.draft, now, reason), cancelled=True)
        self._events[event_id] = cancelled
        self._tidy(now)
        return cancelled.modification_number

    def drop_event(self, event_id: str) -> None:
        """Lists the event no longer: cancelled by implication (rule 61). Raises MisuseError (`event_unknown`)."""
        self._events[event_id] = msgspec.structs.replace(self._event(event_id), retired=True)

    def request_report(
        self,
        ven_id: str,
        specifier_id: str,
        *,
        granularity_seconds: int,
        back_seconds: int,
        r_ids: tuple[str, ...] = (),
        window: tuple[datetime, int] | None = None,
    ) -> str:
        """Asks a VEN for a report that it offers (no `r_ids`: all data points); gives the reportRequestID.

        Both periods 0: once. `window` is (start, seconds). The specifier "METADATA" asks for the offers themselves.
        Raises MisuseError (`ven_unknown`, `report_not_offered`, `report_period_wrong`).
        """
        ven = self._ven(ven_id)
        if granularity_seconds < 0 or back_seconds < 0 or (window is not None and window[1] < 0):
            raise MisuseError("report_period_wrong", "Periods of a report are 0 or more seconds.")
        points = METADATA_POINTS if specifier_id == METADATA else _points(ven, specifier_id, r_ids)
        request = RequestRecord(
            request_id=self._draw("REPORT"),
            specifier_id=specifier_id,
            points=points,
            granularity_seconds=granularity_seconds,
            back_seconds=back_seconds,
            window=window,
        )
        self._vens[ven_id] = ven.with_request(request)
        return request.request_id

    def cancel_report(self, ven_id: str, request_id: str, *, to_follow: bool = False) -> None:
        """Ends a report request; `to_follow` asks for one last report. One that was never sent just goes.

        Raises MisuseError (`ven_unknown`, `report_request_unknown`).
        """
        ven = self._ven(ven_id)
        request = ven.request(request_id)
        if request is None:
            raise MisuseError("report_request_unknown", f"{ven_id} has no report request {request_id!r}.")
        ended = request.state in {RequestState.WANTED, RequestState.ENDED, RequestState.REFUSED}
        state = RequestState.ENDED if ended else RequestState.CANCEL_WANTED
        self._vens[ven_id] = ven.with_request(
            msgspec.structs.replace(request, state=state, to_follow=to_follow, tries=0)
        )

    def request_reregistration(self, ven_id: str) -> None:
        """Wishes that a VEN registers again. Raises MisuseError (`ven_unknown`)."""
        self._vens[ven_id] = msgspec.structs.replace(self._ven(ven_id), reregister=True)

    def cancel_registration(self, ven_id: str) -> None:
        """Ends a registration in the proper way: the VEN is told and confirms. Raises MisuseError (`ven_unknown`)."""
        self._vens[ven_id] = msgspec.structs.replace(self._ven(ven_id), leaving=True)

    def forget(self, now: datetime, ven_id: str) -> tuple[AnyHappening, ...]:
        """Loses a registration, as after a crash: what the VEN says next is answered 463.

        Raises MisuseError (`ven_unknown`).
        """
        del self._vens[self._ven(ven_id).ven_id]
        self._tidy(now)
        return (Deregistered(at=now, ven_id=ven_id, by_ven=False),)

    def listing(self, now: datetime, ven_id: str) -> DistributeEvent:
        """The list that a VEN would be shown now. Changes nothing. Raises MisuseError (`ven_unknown`)."""
        shown = listed(self._ven(ven_id), self._events.values(), now)
        events = tuple(oadr_event(one, now) for one in shown)
        return DistributeEvent(request_id=f"SHOW-{self._epoch}", vtn_id=self._config.vtn_id, events=events)

    # ---- its own housekeeping ----------------------------------------------------------------------------------

    def _ven(self, ven_id: str) -> VenRecord:
        if ven_id not in self._vens:
            raise MisuseError("ven_unknown", f"No VEN {ven_id!r} is registered here.")
        return self._vens[ven_id]

    def _event(self, event_id: str) -> EventRecord:
        event = self._events.get(event_id)
        if event is None or event.retired:
            raise MisuseError("event_unknown", f"There is no event {event_id!r}, or no longer.")
        return event

    def _standing(self, now: datetime, event_id: str) -> EventRecord:
        event = self._event(event_id)
        if event.cancelled or is_over(event.draft, now):
            raise MisuseError("event_is_over", f"The event {event_id!r} is cancelled or completed.")
        return event

    def _check_encodable(self, event: EventRecord, now: datetime) -> None:
        """What cannot be written must not be found out when a VEN polls."""
        encode(DistributeEvent(request_id="", vtn_id=self._config.vtn_id, events=(oadr_event(event, now),)))

    def _tidy(self, now: datetime) -> None:
        """Cancelled events that nobody has to be told of any more are dropped; of those over, the oldest go."""
        for event in tuple(self._events.values()):
            if event.cancelled and not event.retired and not self._is_owed(event, now):
                self._events[event.event_id] = msgspec.structs.replace(event, retired=True)
        over = [one.event_id for one in self._events.values() if one.retired or is_over(one.draft, now)]
        told = {one.event_id for ven in self._vens.values() for one in ven.told}
        spent = [event_id for event_id in over if event_id not in told]
        for event_id in spent[: max(0, len(over) - self._config.events_kept)]:
            del self._events[event_id]

    def _is_owed(self, event: EventRecord, now: datetime) -> bool:
        vens = [ven for ven in self._vens.values() if is_for(event, ven)]
        return any(listed(ven, (event,), now) for ven in vens)


def _action(standing: Standing, service: ServiceName, message: Message) -> Action:
    """What the table says. Raises RefusedTurn where it says no."""
    if service not in SERVICES[type(message)]:
        sentence = f"{message.ELEMENT} does not belong to {service}."
        raise RefusedTurn(ResponseCode.COMPLIANCE_ERROR, "wrong_service", sentence)
    action = TABLE.get((standing, type(message)), Action.OUT_OF_SEQUENCE)
    if action in _REFUSALS:
        raise RefusedTurn(*_REFUSALS[action])
    return action


def _points(ven: VenRecord, specifier_id: str, r_ids: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    offer = next((one for one in ven.offers if one.specifier_id == specifier_id), None)
    points = (
        ()
        if offer is None
        else tuple((one.r_id, one.reading_type) for one in offer.points if not r_ids or one.r_id in r_ids)
    )
    if not points or (r_ids and len(points) < len(set(r_ids))):
        raise MisuseError("report_not_offered", f"{ven.ven_id} does not offer that of a report {specifier_id!r}.")
    return points


def _remarks(payload: Payload, now: datetime) -> tuple[Remarked, ...]:
    """In which points the message was read leniently."""
    remarks = [f"{note.path}: {note.text}" for note in payload.notes]
    if payload.signed:
        remarks.append("signed; the signature was not checked")
    if not payload.wrapped:
        remarks.append("no oadrPayload around the message")
    if not remarks:
        return ()
    ven_id = ven_id_of(payload.message)
    return (Remarked(at=now, ven_id=ven_id, message=payload.message.ELEMENT, remarks=tuple(remarks)),)
