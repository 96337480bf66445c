"""The VTN's state table.

Theory of operation. HTTP pull: a VEN asks, the VTN answers in the same exchange, and what the VTN itself wants of a VEN
waits until that VEN polls. So the state that decides about a message is where its *sender* stands:

    STRANGER     not registered: may ask what the VTN speaks and may register; everything else is 463
    REGISTERED   all services
    LEAVING      the VTN is ending the registration: told so at every poll, until it is confirmed. What the VEN still
                 has to say is heard, nothing new is begun; a VEN that registers anew (it may have lost everything)
                 is registered again
    IMPOSTOR     names a venID that belongs to another certificate: 463, whatever it says

                  oadrCreatePartyRegistration          cancel_registration
        STRANGER ----------------------------> REGISTERED ----------------> LEAVING
            ^                                      |                           |
            '------ oadrCancelPartyRegistration, forget ------ oadrCanceledPartyRegistration

The table is total: what it does not name is OUT_OF_SEQUENCE (450), messages that only a VTN sends are NOT_OURS (451),
and both change nothing. Every action ends in exactly one answer. A message that came to the service of another is
refused (459) before the table is asked.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from wattseal.protocols.openadr20b import event, opt, party, poll, report, response
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.vocabulary import ServiceName


class Standing(StrEnum):
    """Where the sender of a message stands."""

    STRANGER = "stranger"
    REGISTERED = "registered"
    LEAVING = "leaving"
    IMPOSTOR = "impostor"


class Action(StrEnum):
    """What the VTN does about a message."""

    TELL_PROFILES = "tell what we speak"
    REGISTER = "register, or register again"
    DEREGISTER = "end the registration, by the VEN's wish"
    CONFIRM_LEAVING = "end the registration, by ours"
    HAND_OVER = "hand over what waits for it"
    LIST_EVENTS = "tell all events"
    TAKE_ANSWERS = "record the answers to events"
    TAKE_OFFERS = "record the reports on offer, ask for those that are wanted"
    TAKE_METADATA_ANSWER = "our own metadata are acknowledged"
    TAKE_REQUEST_ANSWER = "record which report requests run"
    TAKE_DATA = "record the readings"
    TAKE_CANCEL_ANSWER = "record that a report request ended"
    DECLINE_REQUEST = "we have no reports: 461"
    DECLINE_CANCEL = "nothing of ours runs: 452"
    TAKE_OPT = "record the opt"
    DROP_OPT = "take the opt back"
    TAKE_RESPONSE = "acknowledged"
    NOT_REGISTERED = "463"
    NOT_OURS = "only a VTN sends this: 451"
    OUT_OF_SEQUENCE = "450"


_S, _A = Standing, Action

_AT_HOME: dict[type[Message], Action] = {
    party.QueryRegistration: _A.TELL_PROFILES,
    party.CreatePartyRegistration: _A.REGISTER,
    party.CancelPartyRegistration: _A.DEREGISTER,
    poll.Poll: _A.HAND_OVER,
    event.RequestEvent: _A.LIST_EVENTS,
    event.CreatedEvent: _A.TAKE_ANSWERS,
    report.RegisterReport: _A.TAKE_OFFERS,
    report.RegisteredReport: _A.TAKE_METADATA_ANSWER,
    report.CreatedReport: _A.TAKE_REQUEST_ANSWER,
    report.UpdateReport: _A.TAKE_DATA,
    report.CanceledReport: _A.TAKE_CANCEL_ANSWER,
    report.CreateReport: _A.DECLINE_REQUEST,
    report.CancelReport: _A.DECLINE_CANCEL,
    opt.CreateOpt: _A.TAKE_OPT,
    opt.CancelOpt: _A.DROP_OPT,
    response.Response: _A.TAKE_RESPONSE,
}
_ONLY_OURS: Final[tuple[type[Message], ...]] = (
    event.DistributeEvent,
    party.CreatedPartyRegistration,
    party.RequestReregistration,
    opt.CreatedOpt,
    opt.CanceledOpt,
)

_TABLE: dict[tuple[Standing, type[Message]], Action] = {}
_TABLE |= {(_S.REGISTERED, kind): action for kind, action in _AT_HOME.items()}
_TABLE |= {(_S.LEAVING, kind): action for kind, action in _AT_HOME.items()}
_TABLE |= {
    (_S.LEAVING, party.CanceledPartyRegistration): _A.CONFIRM_LEAVING,
    (_S.LEAVING, report.RegisterReport): _A.OUT_OF_SEQUENCE,
    (_S.LEAVING, opt.CreateOpt): _A.OUT_OF_SEQUENCE,
}
_TABLE |= {(_S.STRANGER, kind): _A.NOT_REGISTERED for kind in (*_AT_HOME, party.CanceledPartyRegistration)}
_TABLE |= {(_S.IMPOSTOR, kind): _A.NOT_REGISTERED for kind in (*_AT_HOME, party.CanceledPartyRegistration)}
_TABLE |= {
    (_S.STRANGER, party.QueryRegistration): _A.TELL_PROFILES,
    (_S.STRANGER, party.CreatePartyRegistration): _A.REGISTER,
}
_TABLE |= {(standing, kind): _A.NOT_OURS for standing in Standing for kind in _ONLY_OURS}

TABLE: Final = MappingProxyType(_TABLE)
"""(standing, message type) to action. What is missing is OUT_OF_SEQUENCE."""

SERVICES: Final[MappingProxyType[type[Message], frozenset[ServiceName]]] = MappingProxyType(
    {
        party.QueryRegistration: frozenset({ServiceName.EI_REGISTER_PARTY}),
        party.CreatePartyRegistration: frozenset({ServiceName.EI_REGISTER_PARTY}),
        party.CreatedPartyRegistration: frozenset({ServiceName.EI_REGISTER_PARTY}),
        party.CancelPartyRegistration: frozenset({ServiceName.EI_REGISTER_PARTY}),
        party.CanceledPartyRegistration: frozenset({ServiceName.EI_REGISTER_PARTY}),
        party.RequestReregistration: frozenset({ServiceName.EI_REGISTER_PARTY}),
        event.RequestEvent: frozenset({ServiceName.EI_EVENT}),
        event.DistributeEvent: frozenset({ServiceName.EI_EVENT}),
        event.CreatedEvent: frozenset({ServiceName.EI_EVENT}),
        report.RegisterReport: frozenset({ServiceName.EI_REPORT}),
        report.RegisteredReport: frozenset({ServiceName.EI_REPORT}),
        report.CreateReport: frozenset({ServiceName.EI_REPORT}),
        report.CreatedReport: frozenset({ServiceName.EI_REPORT}),
        report.UpdateReport: frozenset({ServiceName.EI_REPORT}),
        report.UpdatedReport: frozenset({ServiceName.EI_REPORT}),
        report.CancelReport: frozenset({ServiceName.EI_REPORT}),
        report.CanceledReport: frozenset({ServiceName.EI_REPORT}),
        opt.CreateOpt: frozenset({ServiceName.EI_OPT}),
        opt.CreatedOpt: frozenset({ServiceName.EI_OPT}),
        opt.CancelOpt: frozenset({ServiceName.EI_OPT}),
        opt.CanceledOpt: frozenset({ServiceName.EI_OPT}),
        poll.Poll: frozenset({ServiceName.OADR_POLL}),
        response.Response: frozenset(ServiceName),
    }
)
"""To which service each message type may be posted; the plain response to any."""
