"""Bytes from the VTN to an input of the state table, or to the fault that stands in for it. Total."""

from dataclasses import dataclass

from wattseal.protocols.openadr20b.codec import SchemaError, XmlRefusedError, decode
from wattseal.protocols.openadr20b.event import DistributeEvent
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.ven.happenings import MessageRefused
from wattseal.protocols.openadr20b.ven.table import Input, Phase, classify, response_code

_EVENT_LIST = DistributeEvent.ELEMENT.removeprefix("oadr:")
_COMPLIANCE = "459"


@dataclass(frozen=True, slots=True)
class Fault:
    """What the codec found. `is_event_list`: it happened inside an oadrDistributeEvent, which is owed an answer."""

    reason: str
    code: str
    sentence: str
    request_id: str = ""
    is_event_list: bool = False


def read(raw: bytes) -> tuple[Message | None, Input, Fault | None]:
    """The message and its input; for what cannot be read, no message and the fault."""
    if not raw.strip():
        return None, Input.EMPTY, None
    try:
        message = decode(raw).message
    except (XmlRefusedError, SchemaError) as error:
        is_list = isinstance(error, SchemaError) and _EVENT_LIST in error.path
        fault = Fault(error.reason, error.response_code.value, error.sentence, error.request_id or "", is_list)
        return None, Input.UNREADABLE, fault
    return message, classify(message), None


def refusal(phase: Phase, given: Input, raw: bytes, message: Message | None, fault: Fault | None) -> MessageRefused:
    """The record of what is not acted on in this phase."""
    if fault is not None:
        return MessageRefused(raw, fault.reason, fault.code, fault.sentence)
    if given is Input.EMPTY:
        return MessageRefused(raw, "body_empty", _COMPLIANCE, f"The VTN answered our {phase} with nothing.")
    code = "200" if message is None else response_code(message)
    if not code.startswith("2"):
        return MessageRefused(raw, "request_refused", code, f"The VTN refused our {phase} with code {code}.")
    kind = "nothing" if message is None else type(message).__name__
    sentence = f"The VTN sent {kind} where it has no place (we were at: {phase})."
    return MessageRefused(raw, "message_out_of_place", _COMPLIANCE, sentence)
