"""What a VEN finds when it polls: one message at a time, by urgency.

    1 the end of its registration          until it confirms
    2 the whole list of events             when it changed, or while an answer to one of them is owed
    3 our own metadata                     once, or until answered
    4 report requests, together            until answered, at most `tries` times
    5 cancellations of report requests     the same
    6 the wish that it register again      until it does
    7 nothing: oadrResponse

A list that only repeats itself lets others through every second time, so that a VEN that never answers an event can
still be asked for reports.
"""

import msgspec

from wattseal.protocols.openadr20b.messages import (
    CancelPartyRegistration,
    CreateReport,
    RegisterReport,
    RequestReregistration,
)
from wattseal.protocols.openadr20b.response import Response
from wattseal.protocols.openadr20b.vtn.answers import ei_response
from wattseal.protocols.openadr20b.vtn.event_book import is_news, is_unanswered, listed
from wattseal.protocols.openadr20b.vtn.happenings import AnyHappening
from wattseal.protocols.openadr20b.vtn.opting import list_events
from wattseal.protocols.openadr20b.vtn.reporting import cancel_message, moved, report_request
from wattseal.protocols.openadr20b.vtn.state import RequestRecord, RequestState, VenRecord
from wattseal.protocols.openadr20b.vtn.turn import Circumstances, Turn


def hand_over(ven: VenRecord, around: Circumstances) -> Turn:
    """The answer to an oadrPoll."""
    if ven.leaving:
        answer = CancelPartyRegistration(
            request_id=around.draw("LEAVE"), registration_id=ven.registration_id, ven_id=ven.ven_id
        )
        return Turn(answer, ven)
    shown = listed(ven, around.events.values(), around.now)
    if is_news(ven, shown, around.events, around.now):
        return list_events(msgspec.structs.replace(ven, repeated=False), shown, "", around, asked=False)
    unanswered = is_unanswered(ven, shown)
    if unanswered and not ven.repeated:
        return list_events(msgspec.structs.replace(ven, repeated=True), shown, "", around, asked=False)
    ven = msgspec.structs.replace(ven, repeated=False)
    turn = _other(ven, around)
    if isinstance(turn.answer, Response) and unanswered and turn.ven is not None:
        again = list_events(msgspec.structs.replace(turn.ven, repeated=True), shown, "", around, asked=False)
        return Turn(again.answer, again.ven, (*turn.happenings, *again.happenings))
    return turn


def _other(ven: VenRecord, around: Circumstances) -> Turn:
    """What is not about events."""
    tries = around.config.tries
    if 0 <= ven.metadata_tries < tries:
        ven = msgspec.structs.replace(ven, metadata_tries=ven.metadata_tries + 1)
        return Turn(RegisterReport(request_id=around.draw("METADATA"), ven_id=ven.ven_id), ven)
    ven, given_up = _without_hopeless(ven, around)
    asked = [one for one in ven.requests if one.state in {RequestState.WANTED, RequestState.SENT}]
    if asked:
        for one in asked:
            ven = ven.with_request(_put_once_more(one, RequestState.SENT))
        requests = tuple(report_request(one) for one in asked)
        create = CreateReport(request_id=around.draw("CREATE"), report_requests=requests, ven_id=ven.ven_id)
        return Turn(create, ven, given_up)
    for one in ven.requests:
        if one.state in {RequestState.CANCEL_WANTED, RequestState.CANCEL_SENT}:
            cancelling = _put_once_more(one, RequestState.CANCEL_SENT)
            ven = ven.with_request(cancelling)
            return Turn(cancel_message(cancelling, ven, around), ven, given_up)
    if ven.reregister:
        return Turn(RequestReregistration(ven_id=ven.ven_id), ven, given_up)
    return Turn(Response(ei_response=ei_response(""), ven_id=ven.ven_id), ven, given_up)


def _put_once_more(request: RequestRecord, state: RequestState) -> RequestRecord:
    return msgspec.structs.replace(request, state=state, tries=request.tries + 1)


def _without_hopeless(ven: VenRecord, around: Circumstances) -> tuple[VenRecord, tuple[AnyHappening, ...]]:
    """Requests that were put to the VEN often enough are left alone: asked for, they may still be answered; to be
    cancelled, they count as ended.
    """
    happened: list[AnyHappening] = []
    ends = {RequestState.SENT: RequestState.UNANSWERED, RequestState.CANCEL_SENT: RequestState.ENDED}
    for one in ven.requests:
        if one.state in ends and one.tries >= around.config.tries:
            given_up = msgspec.structs.replace(one, state=ends[one.state])
            ven = ven.with_request(given_up)
            happened.append(moved(given_up, ven, around))
    return ven, tuple(happened)
