"""What each action of the state table does: pure functions from message and state to state, happenings and answers.

Nothing here knows timers, transport or what comes next; that is the session's.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.event import DistributeEvent
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.party import (
    CancelPartyRegistration,
    CreatedPartyRegistration,
    RequestReregistration,
)
from wattseal.protocols.openadr20b.report import (
    CancelReport,
    CreateReport,
    RegisteredReport,
    RegisterReport,
    UpdatedReport,
    UpdateReport,
)
from wattseal.protocols.openadr20b.translate import Refusal
from wattseal.protocols.openadr20b.ven import outgoing, requests
from wattseal.protocols.openadr20b.ven.config import VenConfig
from wattseal.protocols.openadr20b.ven.event_list import Owed, Reading, compare, withdraw_all
from wattseal.protocols.openadr20b.ven.happenings import (
    Deregistered,
    EventsReceived,
    Forgotten,
    Happening,
    MessageRefused,
    Registered,
    ReportAccepted,
    ReportCancelled,
    ReportRefused,
)
from wattseal.protocols.openadr20b.ven.outgoing import Outgoing
from wattseal.protocols.openadr20b.ven.state import Lapse, QueuedReport, VenState
from wattseal.protocols.openadr20b.ven.table import Action, response_code
from wattseal.protocols.openadr20b.vocabulary import ProfileName, TransportName

_DAY_SECONDS: Final = 86_400
_INVALID_ID: Final = "452"
_DEPLOYMENT: Final = "469"


@dataclass(frozen=True, slots=True)
class Decision:
    """A list of events that waits for the deck: what is owed to the VTN, and the event ids still open."""

    request_id: str
    owed: tuple[Owed, ...]
    open_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a reaction may look at: the message, its bytes, the bytes it answers, settings, state, the moment."""

    raw: bytes
    sent_raw: bytes
    config: VenConfig
    state: VenState
    reading: Reading


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of it. `answers` are owed to the VTN; `done` is False where the step did not achieve its end."""

    state: VenState
    happenings: tuple[Happening, ...] = ()
    answers: tuple[Outgoing, ...] = ()
    decision: Decision | None = None
    metadata_for: str | None = None
    done: bool = True


def react(action: Action, message: Message | None, case: Circumstances) -> Taken:
    """Carries out one action. Raises MisuseError if the table paired an action with a message it cannot read."""
    reaction = _REACTIONS.get(action)
    taken = None if reaction is None else reaction(message, case)
    if taken is None:
        raise MisuseError("table_inconsistent", f"{action.name} does not read a {type(message).__name__}.")
    return taken


def _take_profiles(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, CreatedPartyRegistration):
        return None
    for profile in message.profiles:
        if profile.profile_name is ProfileName.PROFILE_20B and TransportName.SIMPLE_HTTP in profile.transport_names:
            return Taken(case.state)
    sentence = "The VTN offers no profile 2.0b over simpleHttp; ask its operator which base address has it."
    return Taken(case.state, (MessageRefused(case.raw, "profile_not_offered", _DEPLOYMENT, sentence),), done=False)


def _take_registration(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, CreatedPartyRegistration):
        return None
    state, config = case.state, case.config
    ven_id, registration_id = message.ven_id, message.registration_id
    if not ven_id or not registration_id:
        sentence = f"The VTN gave {config.ven_name} no identifiers; ask its operator to accept this VEN."
        return _not_registered(case, "registration_refused", sentence)
    if config.vtn_id is not None and message.vtn_id != config.vtn_id:
        sentence = f"The VTN calls itself {message.vtn_id}, the site file {config.vtn_id}; mend the one that is wrong."
        return _not_registered(case, "vtn_id_wrong", sentence)
    same = (ven_id, registration_id) == (state.ven_id, state.registration_id)
    ended: tuple[ReportCancelled, ...] = ()
    if not same:
        state, ended = requests.drop_all(state, "forgotten")
    state = replace(
        state,
        ven_id=ven_id,
        registration_id=registration_id,
        vtn_id=message.vtn_id,
        poll_seconds=_poll_seconds(message),
        lapsed=Lapse.NO,
        offered="",
        counters=replace(state.counters, registrations=state.counters.registrations + 1),
    )
    registered = Registered(
        ven_id=ven_id,
        vtn_id=message.vtn_id,
        registration_id=registration_id,
        poll_seconds=state.poll_seconds,
        again=bool(case.state.registration_id),
    )
    return Taken(state, (registered, *ended))


def _not_registered(case: Circumstances, reason: str, sentence: str) -> Taken:
    return Taken(case.state, (MessageRefused(case.raw, reason, _INVALID_ID, sentence),), done=False)


def _poll_seconds(message: CreatedPartyRegistration) -> int | None:
    """The period that the VTN asks for; None where it names none that makes sense. Months count as 30 days."""
    wish = message.requested_poll_freq
    if wish is None or wish.negative:
        return None
    seconds = wish.clock_seconds + (wish.months * 30 + wish.years * 365) * _DAY_SECONDS
    return seconds or None


def _refused_registration(message: Message | None, case: Circumstances) -> Taken | None:
    if message is None:
        return None
    code = response_code(message)
    state = case.state
    if state.lapsed is Lapse.RENEW:
        state = replace(state, lapsed=Lapse.FORGOTTEN)
    sentence = f"The VTN refuses to register {case.config.ven_name} ({code}); ask its operator to enrol this VEN."
    return Taken(state, (MessageRefused(case.raw, "registration_refused", code, sentence),), done=False)


def _forget(message: Message | None, case: Circumstances) -> Taken | None:
    if message is None:
        return None
    if not case.state.registered:
        return Taken(case.state)
    reason = "invalid_id" if response_code(message) == _INVALID_ID else "not_registered"
    state = replace(case.state, lapsed=Lapse.FORGOTTEN, offered="")
    return Taken(state, (Forgotten(reason),))


def _reregister(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, RequestReregistration):
        return None
    if not case.state.registered:
        return Taken(case.state)
    if message.ven_id != case.state.ven_id:
        return _foreign(case, message.ven_id, outgoing.response(case.state.ven_id, _INVALID_ID, "not this venID"))
    state = replace(case.state, lapsed=Lapse.RENEW, offered="")
    return Taken(state, (Forgotten("reregistration_requested"),), (outgoing.response(case.state.ven_id),))


def _foreign(case: Circumstances, ven_id: str | None, answer: Outgoing) -> Taken:
    sentence = f"The message is for the VEN {ven_id}; here is {case.state.ven_id} (rule 21)."
    return Taken(case.state, (MessageRefused(case.raw, "ven_id_wrong", _INVALID_ID, sentence),), (answer,), done=False)


def _is_foreign(case: Circumstances, ven_id: str | None) -> bool:
    return ven_id is not None and ven_id not in {"", case.state.ven_id}


def _take_requests(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, RegisteredReport):
        return None
    state = replace(case.state, offered=case.config.offers_digest())
    if not message.report_requests:
        return Taken(state)
    intake = requests.take(state, message.report_requests, case.config, case.reading.now, supersede=True)
    told = dataclasses.replace(intake, metadata_for=None)  # the metadata went out a moment ago
    return _intake_answered(told, message.ei_response.request_id, case)


def _create_reports(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, CreateReport):
        return None
    if _is_foreign(case, message.ven_id):
        pending = requests.running_ids(case.state)
        answer = outgoing.created_report(message.request_id, case.state.ven_id, pending, _INVALID_ID, "not this venID")
        return _foreign(case, message.ven_id, answer)
    intake = requests.take(case.state, message.report_requests, case.config, case.reading.now, supersede=False)
    return _intake_answered(intake, message.request_id, case)


def _intake_answered(intake: requests.Intake, request_id: str, case: Circumstances) -> Taken:
    refused = tuple(MessageRefused(case.raw, one.reason, one.code.value, one.sentence) for one in intake.refusals)
    state = intake.state if intake.metadata_for is None else replace(intake.state, offered="")
    code, sentence = _intake_code(intake.refusals, anything=bool(intake.happenings) or intake.metadata_for is not None)
    answer = outgoing.created_report(request_id, state.ven_id, requests.running_ids(state), code, sentence)
    return Taken(state, (*intake.happenings, *refused), (answer,), metadata_for=intake.metadata_for)


def _intake_code(refusals: tuple[Refusal, ...], *, anything: bool) -> tuple[str, str]:
    """An error only if nothing was taken: the pending list says what runs, and a code would throw it all away."""
    if not refusals:
        return outgoing.OK, "OK"
    sentence = " ".join(one.sentence for one in refusals)
    return (outgoing.OK if anything else refusals[0].code.value), sentence


def _answer_offer(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, RegisterReport):
        return None
    if _is_foreign(case, message.ven_id):
        answer = outgoing.registered_report(message.request_id, case.state.ven_id, _INVALID_ID, "not this venID")
        return _foreign(case, message.ven_id, answer)
    answer = outgoing.registered_report(message.request_id, case.state.ven_id, outgoing.OK, "OK")
    return Taken(case.state, (), (answer,))


def _cancel_reports(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, CancelReport):
        return None
    return _cancelled_reports(message, case, case.state)


def _cancelled_reports(message: CancelReport, case: Circumstances, state: VenState) -> Taken:
    if _is_foreign(case, message.ven_id):
        answer = outgoing.canceled_report(
            message.request_id, state.ven_id, requests.running_ids(state), _INVALID_ID, "not this venID"
        )
        return _foreign(case, message.ven_id, answer)
    state, happenings, unknown = requests.cancel(state, message.report_request_ids, to_follow=message.report_to_follow)
    code, sentence = outgoing.OK, "OK"
    refused: tuple[MessageRefused, ...] = ()
    if unknown:
        sentence = f"Not running here: {', '.join(unknown)}."
        refused = (MessageRefused(case.raw, "report_request_unknown", _INVALID_ID, sentence),)
        code = outgoing.OK if len(unknown) < len(set(message.report_request_ids)) else _INVALID_ID
    answer = outgoing.canceled_report(message.request_id, state.ven_id, requests.running_ids(state), code, sentence)
    return Taken(state, (*happenings, *refused), (answer,))


def _decline_data(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, UpdateReport):
        return None
    sentence = "The VTN sends a report that nobody asked for."
    refused = MessageRefused(case.raw, "report_not_asked_for", "461", sentence)
    return Taken(case.state, (refused,), (outgoing.declined_data(message.request_id, case.state.ven_id),))


def _take_events(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, DistributeEvent):
        return None
    state = case.state
    if state.vtn_id and message.vtn_id != state.vtn_id:
        sentence = f"The list is signed off by the VTN {message.vtn_id}; we are registered with {state.vtn_id}."
        answer = outgoing.refused_list(message.request_id, state.ven_id, _INVALID_ID, sentence)
        refused = MessageRefused(case.raw, "vtn_id_wrong", _INVALID_ID, sentence)
        return Taken(state, (refused,), (answer,), done=False)
    outcome = compare(message.events, state.events, case.reading)
    open_ids = frozenset(change.event_id for change in outcome.changes if change.needs_answer)
    happening = EventsReceived(case.raw, message.request_id, outcome.changes)
    state = replace(state, events=outcome.known)
    if open_ids:
        return Taken(state, (happening,), decision=Decision(message.request_id, outcome.owed, open_ids))
    answers = (outgoing.created_event(message.request_id, state.ven_id, outcome.owed),) if outcome.owed else ()
    return Taken(state, (happening,), answers)


def _close(message: Message | None, case: Circumstances) -> Taken | None:
    """The VTN ends the registration: every wish of it ends with it."""
    if not isinstance(message, CancelPartyRegistration):
        return None
    state = case.state
    if _is_foreign(case, message.ven_id) or message.registration_id != state.registration_id:
        answer = outgoing.canceled_registration(message.request_id, state, _INVALID_ID, "not this registration")
        return _foreign(case, message.ven_id, answer)
    answer = outgoing.canceled_registration(message.request_id, state, outgoing.OK, "OK")
    return _ended(case, (answer,), Lapse.ENDED_BY_UTILITY)


def _closed(_message: Message | None, case: Circumstances) -> Taken | None:
    return _ended(case, (), Lapse.ENDED_BY_US)


def _ended(case: Circumstances, answers: tuple[Outgoing, ...], lapse: Lapse) -> Taken:
    state, ended = requests.drop_all(case.state, "deregistered")
    gone = Deregistered(case.raw, lapse is Lapse.ENDED_BY_UTILITY, withdraw_all(state.events))
    return Taken(replace(state, lapsed=lapse, offered="", events=()), (gone, *ended), answers)


def _report_taken(message: Message | None, case: Circumstances) -> Taken | None:
    if not isinstance(message, UpdatedReport):
        return None
    report, state = _off_the_backlog(case.state)
    counters = replace(state.counters, reports_accepted=state.counters.reports_accepted + 1)
    state = replace(state, counters=counters)
    accepted = ReportAccepted(
        report.request_id, report.begin, report.end, len(report.rows), case.sent_raw, case.raw,
        message.ei_response.response_code,
    )  # fmt: skip
    ended = (ReportCancelled(report.request_id, "completed"),) if report.last else ()
    if message.cancel_report is None:
        return Taken(state, (accepted, *ended))
    more = _cancelled_reports(message.cancel_report, case, state)
    return Taken(more.state, (accepted, *ended, *more.happenings), more.answers)


def _report_refused(message: Message | None, case: Circumstances) -> Taken | None:
    """A code of the fives is the VTN's own trouble: the report stays and is sent again."""
    if message is None:
        return None
    code = response_code(message)
    if code.startswith("5"):
        sentence = f"The VTN could not take a report ({code}); it is sent again."
        return Taken(case.state, (MessageRefused(case.raw, "report_postponed", code, sentence),), done=False)
    report, state = _off_the_backlog(case.state)
    counters = replace(state.counters, reports_refused=state.counters.reports_refused + 1)
    refused = ReportRefused(
        report.request_id, report.begin, report.end, len(report.rows), case.sent_raw, case.raw, code
    )
    return Taken(replace(state, counters=counters), (refused,))


def _report_unknown(message: Message | None, case: Circumstances) -> Taken | None:
    """The VTN does not know the request: it ends, and the offers are registered again so that it can be renewed."""
    taken = _report_refused(message, case)
    if taken is None:
        return None
    request_id = case.state.backlog[0].request_id
    state = replace(requests.drop(taken.state, request_id), offered="")
    return Taken(state, (*taken.happenings, ReportCancelled(request_id, "forgotten")))


def _off_the_backlog(state: VenState) -> tuple[QueuedReport, VenState]:
    return state.backlog[0], replace(state, backlog=state.backlog[1:])


def _answer_refused(message: Message | None, case: Circumstances) -> Taken | None:
    if message is None:
        return None
    code = response_code(message)
    sentence = f"The VTN did not like our answer ({code}); it is not repeated."
    return Taken(case.state, (MessageRefused(case.raw, "answer_refused", code, sentence),))


def _nothing(_message: Message | None, case: Circumstances) -> Taken | None:
    return Taken(case.state)


_REACTIONS: Final[dict[Action, Callable[[Message | None, Circumstances], Taken | None]]] = {
    Action.TAKE_PROFILES: _take_profiles,
    Action.TAKE_REGISTRATION: _take_registration,
    Action.REFUSED_REGISTRATION: _refused_registration,
    Action.FORGET: _forget,
    Action.REREGISTER: _reregister,
    Action.TAKE_REQUESTS: _take_requests,
    Action.TAKE_EVENTS: _take_events,
    Action.NO_EVENTS_TOLD: _nothing,
    Action.NOTHING_NEW: _nothing,
    Action.ANSWER_OFFER: _answer_offer,
    Action.CREATE_REPORTS: _create_reports,
    Action.CANCEL_REPORTS: _cancel_reports,
    Action.DECLINE_DATA: _decline_data,
    Action.REPORT_TAKEN: _report_taken,
    Action.REPORT_REFUSED: _report_refused,
    Action.REPORT_UNKNOWN: _report_unknown,
    Action.ANSWER_TAKEN: _nothing,
    Action.ANSWER_REFUSED: _answer_refused,
    Action.CLOSE: _close,
    Action.CLOSED: _closed,
}
