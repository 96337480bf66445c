"""EiEvent and EiOpt as a VEN answers by them: which event, which version, with which opt, and what counts."""

from datetime import datetime
from typing import Final

import msgspec

from wattseal.protocols.lexical import LexicalError
from wattseal.protocols.openadr20b.common import CalendarPeriod
from wattseal.protocols.openadr20b.event import CreatedEvent, DistributeEvent, EventResponse, RequestEvent
from wattseal.protocols.openadr20b.messages import CanceledOpt, CancelOpt, CreatedOpt, CreateOpt
from wattseal.protocols.openadr20b.response import Response
from wattseal.protocols.openadr20b.vocabulary import ResponseCode
from wattseal.protocols.openadr20b.vtn.answers import code_of, description_of, ei_response
from wattseal.protocols.openadr20b.vtn.event_book import listed, oadr_event, status_of, told_of
from wattseal.protocols.openadr20b.vtn.happenings import (
    AnyHappening,
    EventAnswered,
    ListSent,
    OptCanceled,
    OptCreated,
    VenRefused,
)
from wattseal.protocols.openadr20b.vtn.state import EventAnswer, EventRecord, OptRecord, VenRecord
from wattseal.protocols.openadr20b.vtn.turn import Circumstances, RefusedTurn, Turn

_CODE_OF_OUTCOME: Final = {"unknown": ResponseCode.INVALID_ID, "ahead": ResponseCode.OUT_OF_SEQUENCE}
_ANSWERS_KEPT: Final = 500


def list_events(
    ven: VenRecord, shown: tuple[EventRecord, ...], request_id: str, around: Circumstances, *, asked: bool
) -> Turn:
    """The list as a message, and a VEN that has been told. `asked`: it answers an oadrRequestEvent."""
    answer = DistributeEvent(
        ei_response=ei_response(request_id if asked else ""),
        request_id=request_id if asked and request_id else around.draw("LIST"),
        vtn_id=around.config.vtn_id,
        events=tuple(oadr_event(one, around.now) for one in shown),
    )
    record = msgspec.structs.replace(ven, told=tuple(told_of(one) for one in shown))
    events = tuple((one.event_id, one.modification_number, status_of(one, around.now)) for one in shown)
    return Turn(answer, record, (ListSent(at=around.now, ven_id=ven.ven_id, events=events),))


def answer_request(message: RequestEvent, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrRequestEvent: the whole list, or its first `reply_limit` events, in which case the rest follows by poll."""
    shown = listed(ven, around.events.values(), around.now)
    limited = shown[: message.reply_limit] if message.reply_limit else shown
    return list_events(ven, limited, message.request_id, around, asked=True)


def take_answers(message: CreatedEvent, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrCreatedEvent: each eventResponse stands for itself (rule 19); an older version's answer is only noted."""
    happened: list[AnyHappening] = []
    worst = ResponseCode.OK
    for one in message.event_responses:
        outcome = _outcome(one, ven, around)
        worst = _CODE_OF_OUTCOME.get(outcome, worst)
        happened.append(_answered(one, ven, around.now, outcome))
        if outcome == "recorded":
            ven = _with_answer(ven, _answer_of(one, around.now))
    if not message.event_responses and not code_of(message).startswith("2"):
        happened.append(
            VenRefused(
                at=around.now,
                ven_id=ven.ven_id,
                message="oadrDistributeEvent",
                code=code_of(message),
                description=description_of(message),
            )
        )
    description = "OK" if worst is ResponseCode.OK else "An event or version in this answer is not known here."
    request_id = message.ei_response.request_id
    answer = Response(ei_response=ei_response(request_id, worst, description), ven_id=ven.ven_id)
    return Turn(answer, ven, tuple(happened))


def take_opt(message: CreateOpt, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrCreateOpt. One that qualifies an event also answers it, and no later oadrCreatedEvent for the same version
    changes that (rule 206).
    """
    record = _opt_record(message)
    happened: list[AnyHappening] = [OptCreated(at=around.now, ven_id=ven.ven_id, opt=record)]
    qualified = message.qualified_event_id
    if qualified is not None:
        event = around.events.get(qualified.event_id)
        if event is None:
            raise RefusedTurn(ResponseCode.INVALID_ID, "event_unknown", "The opt qualifies an event not known here.")
        if qualified.modification_number > event.modification_number:
            raise RefusedTurn(ResponseCode.OUT_OF_SEQUENCE, "event_version_ahead", "There is no such version yet.")
        answer = EventAnswer(
            event_id=qualified.event_id,
            modification_number=qualified.modification_number,
            opt=message.opt_type,
            code=ResponseCode.OK.value,
            description=record.reason,
            at=around.now,
            opt_id=message.opt_id,
        )
        ven = _with_answer(ven, answer)
    others = tuple(one for one in ven.opts if one.opt_id != message.opt_id)
    ven = msgspec.structs.replace(ven, opts=(*others, record))
    answer_message = CreatedOpt(ei_response=ei_response(message.request_id), opt_id=message.opt_id)
    return Turn(answer_message, ven, tuple(happened))


def drop_opt(message: CancelOpt, ven: VenRecord, around: Circumstances) -> Turn:
    """OadrCancelOpt: the opt goes; what it said of an event stays until another answer comes."""
    if all(one.opt_id != message.opt_id for one in ven.opts):
        raise RefusedTurn(ResponseCode.INVALID_ID, "opt_unknown", "This optID is not known here.")
    record = msgspec.structs.replace(
        ven,
        opts=tuple(one for one in ven.opts if one.opt_id != message.opt_id),
        answers=tuple(
            msgspec.structs.replace(one, opt_id=None) if one.opt_id == message.opt_id else one for one in ven.answers
        ),
    )
    answer = CanceledOpt(ei_response=ei_response(message.request_id), opt_id=message.opt_id)
    return Turn(answer, record, (OptCanceled(at=around.now, ven_id=ven.ven_id, opt_id=message.opt_id),))


def _outcome(response: EventResponse, ven: VenRecord, around: Circumstances) -> str:
    qualified = response.qualified_event_id
    event = around.events.get(qualified.event_id)
    if event is None:
        return "unknown"
    if qualified.modification_number > event.modification_number:
        return "ahead"
    if qualified.modification_number < event.modification_number:
        return "stale"
    before = ven.answer_to(event)
    if before is None:
        return "recorded"
    if before.opt_id is not None:
        return "overruled"
    same = (before.opt, before.code) == (response.opt_type, response.response_code)
    return "repeated" if same else "recorded"


def _answer_of(response: EventResponse, now: datetime) -> EventAnswer:
    return EventAnswer(
        event_id=response.qualified_event_id.event_id,
        modification_number=response.qualified_event_id.modification_number,
        opt=response.opt_type,
        code=response.response_code,
        description=response.response_description,
        at=now,
    )


def _answered(response: EventResponse, ven: VenRecord, now: datetime, outcome: str) -> EventAnswered:
    return EventAnswered(
        at=now,
        ven_id=ven.ven_id,
        event_id=response.qualified_event_id.event_id,
        modification_number=response.qualified_event_id.modification_number,
        opt=response.opt_type,
        code=response.response_code,
        description=response.response_description,
        outcome=outcome,
    )


def _with_answer(ven: VenRecord, answer: EventAnswer) -> VenRecord:
    """One answer per event and version; the oldest of very many go."""
    key = (answer.event_id, answer.modification_number)
    others = tuple(one for one in ven.answers if (one.event_id, one.modification_number) != key)
    return msgspec.structs.replace(ven, answers=(*others, answer)[-_ANSWERS_KEPT:])


def _opt_record(message: CreateOpt) -> OptRecord:
    qualified = message.qualified_event_id
    schedule = message.vavailability
    return OptRecord(
        opt_id=message.opt_id,
        opt=message.opt_type,
        reason=str(message.opt_reason),
        created=message.created_date_time,
        event_id=qualified.event_id if qualified else None,
        modification_number=qualified.modification_number if qualified else None,
        market_context=message.market_context,
        resource_ids=message.target.resource_ids,
        available=tuple(_stretch(one) for one in schedule.available) if schedule else (),
    )


def _stretch(period: CalendarPeriod) -> tuple[datetime, int]:
    try:
        return period.dtstart, period.duration.total_seconds(period.dtstart)
    except LexicalError as error:
        raise RefusedTurn(ResponseCode.INVALID_DATA, "duration_unusable", f"An available stretch: {error}.") from error
