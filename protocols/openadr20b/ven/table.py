"""The VEN's state table.

Theory of operation. HTTP pull: we ask, the VTN answers, one exchange at a time. The *phase* is what the exchange in
flight asked for; between exchanges the session rests, in one of four phases. Nothing but the table decides what an
answer does; what is sent next, from rest, is the agenda of the session:

    at rest    UNREGISTERED -> QUERY, then CREATE
               REGISTERED   -> owed answers, OFFER if the offers are not registered, SYNC if the events are not fetched,
                               REPORT while reports wait, POLL when it is time
               DECIDING     -> nothing, until the deck has answered the events (rule 64: before the next poll)
               CLOSED       -> owed answers only
    in flight  QUERY CREATE OFFER SYNC POLL REPORT ANSWER CANCEL

A message by poll (events, report requests, cancellations, re-registration) makes us owe an answer, which is an exchange
of its own (ANSWER), sent to the service that owns it. Whatever the table does not name was not asked for: it is
recorded as refused, nothing of what stood is touched, and the session is at rest again. EiOpt has a place here (its
answers are inputs) and no rows yet.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from wattseal.protocols.openadr20b import event, opt, party, report, response
from wattseal.protocols.openadr20b.messages import Message


class Phase(StrEnum):
    """Where the session is."""

    UNREGISTERED = "unregistered"
    REGISTERED = "registered"
    DECIDING = "deciding"
    CLOSED = "closed"
    QUERY = "query"
    CREATE = "create"
    OFFER = "offer"
    SYNC = "sync"
    POLL = "poll"
    REPORT = "report"
    ANSWER = "answer"
    CANCEL = "cancel"


AT_REST: Final = frozenset({Phase.UNREGISTERED, Phase.REGISTERED, Phase.DECIDING, Phase.CLOSED})


class Input(StrEnum):
    """What came back. Messages that carry an eiResponse are told apart by its code first."""

    NOT_REGISTERED = "463"
    INVALID_ID = "452"
    REFUSAL = "any other code than 2xx"
    RESPONSE = "oadrResponse"
    CREATED_REGISTRATION = "oadrCreatedPartyRegistration"
    CANCELED_REGISTRATION = "oadrCanceledPartyRegistration"
    CANCEL_REGISTRATION = "oadrCancelPartyRegistration"
    REQUEST_REREGISTRATION = "oadrRequestReregistration"
    REGISTERED_REPORT = "oadrRegisteredReport"
    REGISTER_REPORT = "oadrRegisterReport"
    CREATE_REPORT = "oadrCreateReport"
    CANCEL_REPORT = "oadrCancelReport"
    UPDATE_REPORT = "oadrUpdateReport"
    UPDATED_REPORT = "oadrUpdatedReport"
    DISTRIBUTE_EVENT = "oadrDistributeEvent"
    CREATED_OPT = "oadrCreatedOpt"
    CANCELED_OPT = "oadrCanceledOpt"
    STRANGE = "a message that only a VEN sends"
    EMPTY = "no body"
    UNREADABLE = "what the codec refuses"
    FAILED = "no answer"


class Action(StrEnum):
    """What the session does about it."""

    TAKE_PROFILES = "the VTN told what it speaks"
    TAKE_REGISTRATION = "we are registered"
    REFUSED_REGISTRATION = "the VTN does not want us: wait long, ask again"
    FORGET = "the VTN does not know us: register again"
    REREGISTER = "answer, then register again"
    TAKE_REQUESTS = "the offers are registered, perhaps requests came with it"
    TAKE_EVENTS = "compare the list"
    NO_EVENTS_TOLD = "the VTN told nothing about events: nothing changes"
    NOTHING_NEW = "nothing waits for us"
    ANSWER_OFFER = "acknowledge the VTN's own metadata"
    CREATE_REPORTS = "take or refuse report requests, answer"
    CANCEL_REPORTS = "end report requests, answer"
    DECLINE_DATA = "we asked for no data: answer 461"
    REPORT_TAKEN = "off the backlog, perhaps a cancellation came with it"
    REPORT_REFUSED = "off the backlog, recorded"
    REPORT_UNKNOWN = "the VTN has lost the request: end it, offer again"
    ANSWER_TAKEN = "the answer arrived"
    ANSWER_REFUSED = "the answer arrived and displeased: recorded"
    CLOSE = "answer, withdraw everything, stay away"
    CLOSED = "our cancellation is confirmed"
    REFUSE = "recorded, nothing touched"
    RETRY = "back off, then the same again"


_I, _P, _A = Input, Phase, Action

_TABLE: dict[tuple[Phase, Input], Action] = {
    (_P.QUERY, _I.CREATED_REGISTRATION): _A.TAKE_PROFILES,
    (_P.CREATE, _I.CREATED_REGISTRATION): _A.TAKE_REGISTRATION,
    (_P.OFFER, _I.REGISTERED_REPORT): _A.TAKE_REQUESTS,
    (_P.SYNC, _I.DISTRIBUTE_EVENT): _A.TAKE_EVENTS,
    (_P.SYNC, _I.RESPONSE): _A.NO_EVENTS_TOLD,
    (_P.POLL, _I.RESPONSE): _A.NOTHING_NEW,
    (_P.POLL, _I.DISTRIBUTE_EVENT): _A.TAKE_EVENTS,
    (_P.POLL, _I.CREATE_REPORT): _A.CREATE_REPORTS,
    (_P.POLL, _I.REGISTER_REPORT): _A.ANSWER_OFFER,
    (_P.POLL, _I.CANCEL_REPORT): _A.CANCEL_REPORTS,
    (_P.POLL, _I.UPDATE_REPORT): _A.DECLINE_DATA,
    (_P.POLL, _I.CANCEL_REGISTRATION): _A.CLOSE,
    (_P.REPORT, _I.UPDATED_REPORT): _A.REPORT_TAKEN,
    (_P.REPORT, _I.REFUSAL): _A.REPORT_REFUSED,
    (_P.REPORT, _I.INVALID_ID): _A.REPORT_UNKNOWN,
    (_P.ANSWER, _I.RESPONSE): _A.ANSWER_TAKEN,
    (_P.ANSWER, _I.EMPTY): _A.ANSWER_TAKEN,
    (_P.ANSWER, _I.CREATED_REGISTRATION): _A.ANSWER_TAKEN,
    (_P.CANCEL, _I.CANCELED_REGISTRATION): _A.CLOSED,
}
_TABLE |= {(phase, _I.REFUSAL): _A.REFUSED_REGISTRATION for phase in (_P.QUERY, _P.CREATE)}
_TABLE |= {(phase, _I.NOT_REGISTERED): _A.REFUSED_REGISTRATION for phase in (_P.QUERY, _P.CREATE)}
_TABLE |= {(phase, _I.INVALID_ID): _A.REFUSED_REGISTRATION for phase in (_P.QUERY, _P.CREATE)}
_TABLE |= {(phase, _I.NOT_REGISTERED): _A.FORGET for phase in (_P.OFFER, _P.SYNC, _P.POLL, _P.REPORT, _P.ANSWER)}
_TABLE |= {(phase, _I.INVALID_ID): _A.FORGET for phase in (_P.OFFER, _P.SYNC, _P.POLL)}
_TABLE |= {
    (phase, _I.REQUEST_REREGISTRATION): _A.REREGISTER for phase in (_P.OFFER, _P.SYNC, _P.POLL, _P.REPORT, _P.ANSWER)
}
_TABLE |= {(_P.ANSWER, given): _A.ANSWER_REFUSED for given in (_I.REFUSAL, _I.INVALID_ID)}
_TABLE |= {(_P.CANCEL, given): _A.CLOSED for given in (_I.NOT_REGISTERED, _I.INVALID_ID, _I.RESPONSE, _I.REFUSAL)}
_TABLE |= {(phase, _I.FAILED): _A.RETRY for phase in set(Phase) - AT_REST}

TABLE: Final = MappingProxyType(_TABLE)
"""(phase, input) to action. What is missing is REFUSE."""

_INPUTS: Final[dict[type[Message], Input]] = {
    response.Response: Input.RESPONSE,
    party.CreatedPartyRegistration: Input.CREATED_REGISTRATION,
    party.CanceledPartyRegistration: Input.CANCELED_REGISTRATION,
    party.CancelPartyRegistration: Input.CANCEL_REGISTRATION,
    party.RequestReregistration: Input.REQUEST_REREGISTRATION,
    report.RegisteredReport: Input.REGISTERED_REPORT,
    report.RegisterReport: Input.REGISTER_REPORT,
    report.CreateReport: Input.CREATE_REPORT,
    report.CancelReport: Input.CANCEL_REPORT,
    report.UpdateReport: Input.UPDATE_REPORT,
    report.UpdatedReport: Input.UPDATED_REPORT,
    event.DistributeEvent: Input.DISTRIBUTE_EVENT,
    opt.CreatedOpt: Input.CREATED_OPT,
    opt.CanceledOpt: Input.CANCELED_OPT,
}


def response_code(message: Message) -> str:
    """The code of a message's eiResponse; 200 where it has none."""
    response = getattr(message, "ei_response", None)
    return "200" if response is None else str(response.response_code)


def classify(message: Message) -> Input:
    """Which input of the table a message is."""
    kind = _INPUTS.get(type(message), Input.STRANGE)
    code = response_code(message)
    if kind is Input.STRANGE or code.startswith("2"):
        return kind
    return {"463": Input.NOT_REGISTERED, "452": Input.INVALID_ID}.get(code, Input.REFUSAL)
