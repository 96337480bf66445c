"""What the utility's staff and scripts can ask of a running VTN: one JSON object a line, one JSON object back.

The verb stands in `verb`, its details beside it; the answer is `{"ok":true,...}`, or `{"ok":false,"error":REASON,
"message":SENTENCE}` and then nothing was changed. Only for this machine: the door has no lock of its own.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.protocols.openadr20b.vtn.draft import EventDraft
from wattseal.protocols.openadr20b.vtn.mischief import BadEvent, Mischief, bad_event
from wattseal.protocols.openadr20b.vtn.shell import VtnShell, fresh_state, read_state
from wattseal.protocols.openadr20b.vtn.state import VtnState

Told: TypeAlias = dict[str, Any]  # JSON


class Verb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="verb"):
    """Root of all verbs."""


class AddEvent(Verb, frozen=True, kw_only=True, tag="add_event"):
    """A new event; answers its `event_id`."""

    event: EventDraft


class Modify(Verb, frozen=True, kw_only=True, tag="modify"):
    """The next version of an event; answers its `modification_number`."""

    event_id: str
    event: EventDraft
    reason: str | None = None


class Cancel(Verb, frozen=True, kw_only=True, tag="cancel"):
    """Cancels an event; answers its `modification_number`."""

    event_id: str
    reason: str | None = None


class Drop(Verb, frozen=True, kw_only=True, tag="drop"):
    """Lists an event no longer."""

    event_id: str


class RequestReport(Verb, frozen=True, kw_only=True, tag="request_report"):
    """Asks for a report; answers its `request_id`."""

    ven_id: str
    specifier_id: str
    granularity_seconds: int = 0
    back_seconds: int = 0
    r_ids: tuple[str, ...] = ()
    window: tuple[datetime, int] | None = None


class CancelReport(Verb, frozen=True, kw_only=True, tag="cancel_report"):
    """Ends a report request."""

    ven_id: str
    request_id: str
    to_follow: bool = False


class OfVen(Verb, frozen=True, kw_only=True):
    """Root of those that need a VEN only."""

    ven_id: str


class Reregister(OfVen, frozen=True, kw_only=True, tag="reregister"):
    """Wishes that a VEN registers again."""


class EndRegistration(OfVen, frozen=True, kw_only=True, tag="end_registration"):
    """Ends a registration; the VEN is told."""


class Forget(OfVen, frozen=True, kw_only=True, tag="forget"):
    """Loses a registration; the VEN is not told."""


class List(Verb, frozen=True, kw_only=True, tag="list"):
    """What is known, under the name that was asked for; `reports` are requests and readings together."""

    of: Literal["registrations", "events", "answers", "opts", "offers", "reports", "requests", "readings"]


class Happenings(Verb, frozen=True, kw_only=True, tag="happenings"):
    """What happened after so many; `count` is what to ask with the next time."""

    after: int = 0


class Save(Verb, frozen=True, kw_only=True, tag="save"):
    """Writes the state to a file."""

    file: str


class Restore(Verb, frozen=True, kw_only=True, tag="restore"):
    """Goes on from the state in a file, or from none: then everybody is forgotten."""

    file: str | None = None


class GoSilent(Verb, frozen=True, kw_only=True, tag="go_silent"):
    """Answers nothing for so long."""

    seconds: float
    hang: bool = False


class Misbehave(Verb, frozen=True, kw_only=True, tag="misbehave"):
    """Bad answers to the next polls, or an event that must be refused (answers its `event_id`)."""

    kind: str
    times: int = 1


class Behave(Verb, frozen=True, kw_only=True, tag="behave"):
    """No more of that."""


AnyVerb = (
    AddEvent
    | Modify
    | Cancel
    | Drop
    | RequestReport
    | CancelReport
    | Reregister
    | EndRegistration
    | Forget
    | List
    | Happenings
    | Save
    | Restore
    | GoSilent
    | Misbehave
    | Behave
)
_DECODER: "msgspec.json.Decoder[AnyVerb]" = msgspec.json.Decoder(AnyVerb)


async def answer_line(shell: VtnShell, line: bytes) -> bytes:
    """One line to one line, without the newline; every mistake in it becomes an answer."""
    try:
        told = await obey(shell, _parsed(line))
    except WattsealError as error:
        return msgspec.json.encode({"ok": False, "error": error.reason, "message": error.sentence})
    return msgspec.json.encode({"ok": True, **told})


async def obey(shell: VtnShell, verb: AnyVerb) -> Told:
    """Does what a verb says, saves the state, and gives what the answer says. Raises WattsealError."""
    told = await _obey_about_events(shell, verb)
    if told is None:
        told = await _obey_about_vens(shell, verb)
    if told is None:
        told = await _obey_about_itself(shell, verb)
    await shell.save()
    return told


async def _obey_about_events(shell: VtnShell, verb: AnyVerb) -> Told | None:
    now, vtn = shell.clock(), shell.vtn
    match verb:
        case AddEvent():
            return {"event_id": vtn.add_event(now, verb.event)}
        case Modify():
            return {"modification_number": vtn.modify_event(now, verb.event_id, verb.event, reason=verb.reason)}
        case Cancel():
            return {"modification_number": vtn.cancel_event(now, verb.event_id, reason=verb.reason)}
        case Drop():
            vtn.drop_event(verb.event_id)
            return {}
    return None


async def _obey_about_vens(shell: VtnShell, verb: AnyVerb) -> Told | None:
    vtn = shell.vtn
    match verb:
        case RequestReport():
            request_id = vtn.request_report(
                verb.ven_id,
                verb.specifier_id,
                granularity_seconds=verb.granularity_seconds,
                back_seconds=verb.back_seconds,
                r_ids=verb.r_ids,
                window=verb.window,
            )
            return {"request_id": request_id}
        case CancelReport():
            vtn.cancel_report(verb.ven_id, verb.request_id, to_follow=verb.to_follow)
        case Reregister():
            vtn.request_reregistration(verb.ven_id)
        case EndRegistration():
            vtn.cancel_registration(verb.ven_id)
        case Forget():
            await shell.tell(vtn.forget(shell.clock(), verb.ven_id))
        case _:
            return None
    return {}


async def _obey_about_itself(shell: VtnShell, verb: AnyVerb) -> Told:
    match verb:
        case List():
            return {verb.of: _listed(shell.vtn.state, verb.of)}
        case Happenings():
            count, happened = shell.happenings(verb.after)
            return {"count": count, "happenings": happened}
        case Save():
            await shell.save_to(Path(verb.file))
        case Restore():
            path = None if verb.file is None else Path(verb.file)
            shell.restore(read_state(path) if path is not None else fresh_state())
        case GoSilent():
            shell.go_silent(verb.seconds, hang=verb.hang)
        case Misbehave():
            return _misbehave(shell, verb)
        case Behave():
            shell.behave()
    return {}


def _misbehave(shell: VtnShell, verb: Misbehave) -> Told:
    if verb.kind in set(Mischief):
        shell.misbehave(Mischief(verb.kind), verb.times)
        return {}
    if verb.kind not in set(BadEvent):
        known = ", ".join((*Mischief, *BadEvent))
        raise MisuseError("mischief_unknown", f"{verb.kind!r} is none of {known}.")
    now = shell.clock()
    like = next((one.draft for one in shell.vtn.state.events if not one.cancelled and not one.retired), None)
    return {"event_id": shell.vtn.add_event(now, bad_event(BadEvent(verb.kind), now, like))}


def _listed(state: VtnState, of: str) -> object:
    if of == "events":
        return state.events
    if of == "registrations":
        return [
            {
                "ven_id": one.ven_id,
                "ven_name": one.ven_name,
                "registration_id": one.registration_id,
                "registered": one.registered,
                "certificate": one.certificate,
                "leaving": one.leaving,
            }
            for one in state.vens
        ]
    if of == "reports":
        return {one.ven_id: {"requests": one.requests, "readings": one.readings} for one in state.vens}
    return {one.ven_id: getattr(one, of) for one in state.vens}


def _parsed(line: bytes) -> AnyVerb:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MisuseError("bad_request", f"Not a request of this door: {error}.") from error
