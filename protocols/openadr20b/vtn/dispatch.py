"""From an action of the table to the function that does it, with the types of both made sure."""

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b import messages as m
from wattseal.protocols.openadr20b.vocabulary import ResponseCode
from wattseal.protocols.openadr20b.vtn import mailbox, opting, registration, reporting
from wattseal.protocols.openadr20b.vtn.answers import acknowledgement, code_of, description_of, profiles_answer
from wattseal.protocols.openadr20b.vtn.happenings import VenRefused
from wattseal.protocols.openadr20b.vtn.state import VenRecord
from wattseal.protocols.openadr20b.vtn.table import Action
from wattseal.protocols.openadr20b.vtn.turn import Circumstances, RefusedTurn, Turn

_Message = TypeVar("_Message")
_Handler: TypeAlias = Callable[[m.Message, VenRecord, Circumstances], Turn]


def act(action: Action, message: m.Message, ven: VenRecord | None, around: Circumstances, taken: set[str]) -> Turn:
    """The turn of an action. `ven` is the sender's record, there for all but strangers; `taken` all venIDs.

    Raises RefusedTurn, and MisuseError (`vtn_table_wrong`) when the table gave an action to a message that has none.
    """
    if action is Action.TELL_PROFILES and isinstance(message, m.QueryRegistration):
        registered = (ven.registration_id, ven.ven_id) if ven else (None, None)
        return Turn(profiles_answer(message.request_id, around.config, *registered), ven)
    if action is Action.REGISTER and isinstance(message, m.CreatePartyRegistration):
        return registration.register(message, ven, around, taken)
    handler = _HANDLERS.get(action)
    if handler is None or ven is None:
        raise MisuseError("vtn_table_wrong", f"{action.name} cannot be done for {message.ELEMENT}.")
    return handler(message, ven, around)


def _for(kind: type[_Message], do: Callable[[_Message, VenRecord, Circumstances], Turn]) -> _Handler:
    def handle(message: m.Message, ven: VenRecord, around: Circumstances) -> Turn:
        if not isinstance(message, kind):
            raise MisuseError("vtn_table_wrong", f"{message.ELEMENT} came where {kind.__name__} was meant.")
        return do(message, ven, around)

    return handle


def _hand_over(_: m.Poll, ven: VenRecord, around: Circumstances) -> Turn:
    return mailbox.hand_over(ven, around)


def _decline_request(_message: m.CreateReport, _ven: VenRecord, _around: Circumstances) -> Turn:
    raise RefusedTurn(ResponseCode.REPORT_NOT_SUPPORTED, "no_reports_here", "This VTN offers no reports.")


def _decline_cancel(_message: m.CancelReport, _ven: VenRecord, _around: Circumstances) -> Turn:
    raise RefusedTurn(ResponseCode.INVALID_ID, "report_request_unknown", "No report of this VTN runs.")


def _take_response(message: m.Response, ven: VenRecord, around: Circumstances) -> Turn:
    """A plain acknowledgement; with an error code it is worth a note."""
    answer = acknowledgement(message, ven.ven_id)
    if code_of(message).startswith("2"):
        return Turn(answer, ven)
    code, description = code_of(message), description_of(message)
    refused = VenRefused(at=around.now, ven_id=ven.ven_id, message="oadrResponse", code=code, description=description)
    return Turn(answer, ven, (refused,))


_HANDLERS: Final[dict[Action, _Handler]] = {
    Action.DEREGISTER: _for(m.CancelPartyRegistration, registration.deregister),
    Action.CONFIRM_LEAVING: _for(m.CanceledPartyRegistration, registration.confirm_leaving),
    Action.HAND_OVER: _for(m.Poll, _hand_over),
    Action.LIST_EVENTS: _for(m.RequestEvent, opting.answer_request),
    Action.TAKE_ANSWERS: _for(m.CreatedEvent, opting.take_answers),
    Action.TAKE_OFFERS: _for(m.RegisterReport, reporting.take_offers),
    Action.TAKE_METADATA_ANSWER: _for(m.RegisteredReport, reporting.take_metadata_answer),
    Action.TAKE_REQUEST_ANSWER: _for(m.CreatedReport, reporting.take_request_answer),
    Action.TAKE_DATA: _for(m.UpdateReport, reporting.take_data),
    Action.TAKE_CANCEL_ANSWER: _for(m.CanceledReport, reporting.take_cancel_answer),
    Action.DECLINE_REQUEST: _for(m.CreateReport, _decline_request),
    Action.DECLINE_CANCEL: _for(m.CancelReport, _decline_cancel),
    Action.TAKE_OPT: _for(m.CreateOpt, opting.take_opt),
    Action.DROP_OPT: _for(m.CancelOpt, opting.drop_opt),
    Action.TAKE_RESPONSE: _for(m.Response, _take_response),
}
