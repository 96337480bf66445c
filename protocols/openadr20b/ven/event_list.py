"""A full list of events against what is known: what changed, what is known from now on, what answer is owed.

Pure. The rules of the profile, by number: 56 a new event is added, 57 a higher modification replaces, 58 a lower one
is an error, the same one is unchanged but answered, 59 cancelled, 60 an unknown cancelled one is answered only,
61 an event that is missing is cancelled by implication, 66 but not when its active period is over, 12/62 answers only
where they are asked for, 19/25 each event on its own.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.openadr20b.event import OadrEvent
from wattseal.protocols.openadr20b.translate import (
    TRANSLATOR,
    Refusal,
    Translation,
    TranslationContext,
    cancelled,
    translate,
    withdrawn,
)
from wattseal.protocols.openadr20b.ven.happenings import ChangeKind, EventChange
from wattseal.protocols.openadr20b.ven.state import KnownEvent
from wattseal.protocols.openadr20b.vocabulary import EventStatus, OptType, ResponseCode, ResponseRequired

_SEQUENCE = ResponseCode.OUT_OF_SEQUENCE.value


@dataclass(frozen=True, slots=True)
class Owed:
    """An eventResponse that is owed. `opt` None: the deck's answer, under this event id, is waited for."""

    event_id: str
    modification_number: int
    code: str
    description: str
    opt: OptType | None


@dataclass(frozen=True, slots=True)
class Reading:
    """The circumstances of reading a list: configuration with its digest, seed of the draws, unix time now."""

    context: TranslationContext
    context_digest: str
    seed: str
    now: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a list came to."""

    changes: tuple[EventChange, ...]
    known: tuple[KnownEvent, ...]
    owed: tuple[Owed, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    change: EventChange
    known: KnownEvent | None
    owed: Owed


def compare(events: tuple[OadrEvent, ...], known: tuple[KnownEvent, ...], reading: Reading) -> Outcome:
    """Total: every event of the list, and every known one that the list lacks, gives one change."""
    before = {one.event_id: one for one in known}
    after: dict[str, KnownEvent] = {}
    changes: list[EventChange] = []
    owed: list[Owed] = []
    seen: set[str] = set()
    for event in events:
        event_id = event.ei_event.event_descriptor.event_id
        verdict = _repeated(event) if event_id in seen else _judged(event, before.get(event_id), reading)
        if verdict.known is not None:
            after[event_id] = verdict.known
        seen.add(event_id)
        changes.append(verdict.change)
        if event.response_required is ResponseRequired.ALWAYS:
            owed.append(verdict.owed)
    missing = [one for one in known if one.event_id not in seen]
    changes.extend(_missing(missing, reading.now))
    return Outcome(tuple(changes), tuple(after.values()), tuple(owed))


def withdraw_all(known: tuple[KnownEvent, ...]) -> tuple[EventChange, ...]:
    """The changes when the registration ends: whatever stood is withdrawn."""
    return tuple(_withdrawal(one) for one in known if one.standing)


def draw_seconds(seed: str, event_id: str, tolerance_seconds: int) -> int:
    """Uniform over 0..tolerance in whole seconds; the same for the same three, so that a crash cannot redraw it."""
    return random.Random(f"{seed}/{event_id}/{tolerance_seconds}").randint(0, tolerance_seconds)  # noqa: S311  spreads load, guards nothing


def _missing(missing: Iterable[KnownEvent], now: int) -> Iterable[EventChange]:
    for one in missing:
        if not one.standing:
            continue
        if _is_over(one.event, now):
            yield EventChange(ChangeKind.ENDED, one.event_id, one.modification_number)
        else:
            yield _withdrawal(one)


def _is_over(event: GridEvent | None, now: int) -> bool:
    return event is not None and event.duration_seconds is not None and now >= event.start + event.duration_seconds


def _withdrawal(one: KnownEvent) -> EventChange:
    event = one.event
    return EventChange(
        ChangeKind.WITHDRAWN,
        one.event_id,
        one.modification_number,
        event=None if event is None else withdrawn(event),
        reason="no_longer_listed",
        start_draw_seconds=one.draw_seconds,
    )


def _judged(event: OadrEvent, before: KnownEvent | None, reading: Reading) -> _Verdict:
    descriptor = event.ei_event.event_descriptor
    number = descriptor.modification_number
    if before is not None and number < before.modification_number:
        return _older(event, before)
    if descriptor.event_status is EventStatus.CANCELLED:
        return _cancelled(event, before)
    if before is not None and number == before.modification_number and before.cancelled:
        return _unchanged(before)
    meant = translate(event, reading.context)
    if before is not None and number == before.modification_number and before.opt is not None:
        same = before.context == reading.context_digest or (
            isinstance(meant, Translation) and before.standing and meant.event == before.event
        )
        if same:
            return _unchanged(before)
    if isinstance(meant, Refusal):
        return _refused(event, before, meant, reading)
    return _taken(event, before, meant, reading)


def _taken(event: OadrEvent, before: KnownEvent | None, meant: Translation, reading: Reading) -> _Verdict:
    """New, or modified: the draw is kept unless its range changed (rule 30)."""
    descriptor = event.ei_event.event_descriptor
    tolerance = meant.event.start_tolerance_seconds
    kept = before is not None and before.standing and before.tolerance_seconds == tolerance
    draw = before.draw_seconds if before is not None and kept else draw_seconds(
        reading.seed, descriptor.event_id, tolerance
    )  # fmt: skip
    known = KnownEvent(
        event_id=descriptor.event_id,
        modification_number=descriptor.modification_number,
        intent=meant.event.encode(TRANSLATOR),
        standing=True,
        tolerance_seconds=tolerance,
        draw_seconds=draw,
        context=reading.context_digest,
    )
    answered_before = before is not None and before.standing and (
        before.opt is not None or before.modification_number < descriptor.modification_number
    )  # fmt: skip
    change = EventChange(
        ChangeKind.MODIFIED if answered_before else ChangeKind.NEW,
        descriptor.event_id,
        descriptor.modification_number,
        event=meant.event,
        start_draw_seconds=draw,
        not_carried=meant.not_carried,
        needs_answer=True,
    )
    return _Verdict(change, known, Owed(known.event_id, known.modification_number, known.code, "", None))


def _refused(event: OadrEvent, before: KnownEvent | None, refusal: Refusal, reading: Reading) -> _Verdict:
    descriptor = event.ei_event.event_descriptor
    stood = before.event if before is not None and before.standing else None
    known = KnownEvent(
        event_id=descriptor.event_id,
        modification_number=descriptor.modification_number,
        code=refusal.code.value,
        description=refusal.sentence,
        opt=OptType.OPT_OUT,
        context=reading.context_digest,
    )
    change = EventChange(
        ChangeKind.REFUSED,
        descriptor.event_id,
        descriptor.modification_number,
        event=None if stood is None else withdrawn(stood),
        code=refusal.code.value,
        reason=refusal.reason,
        sentence=refusal.sentence,
        start_draw_seconds=0 if before is None else before.draw_seconds,
    )
    return _Verdict(change, known, _owed(known))


def _cancelled(event: OadrEvent, before: KnownEvent | None) -> _Verdict:
    """Rules 59 and 60. What else the message holds is not looked at: a cancel must work."""
    descriptor = event.ei_event.event_descriptor
    number = descriptor.modification_number
    stood = before.event if before is not None and (before.standing or before.cancelled) else None
    if before is not None and before.cancelled and before.opt is not None:
        known = replace(before, modification_number=number)
        return _Verdict(EventChange(ChangeKind.UNCHANGED, known.event_id, number), known, _owed(known))
    if before is None or stood is None:
        change = EventChange(ChangeKind.CANCELLED, descriptor.event_id, number, reason="cancelled_unknown")
        sentence = "Nothing stood under this id."
        owed = Owed(descriptor.event_id, number, ResponseCode.OK.value, sentence, OptType.OPT_IN)
        remembered = None if before is None else replace(
            before, modification_number=number, cancelled=True, opt=owed.opt, code=owed.code, description=sentence
        )  # fmt: skip
        return _Verdict(change, remembered, owed)
    gone = cancelled(stood, number)
    known = replace(
        before,
        modification_number=number,
        intent=gone.encode(TRANSLATOR),
        standing=False,
        cancelled=True,
        opt=None,
        code=ResponseCode.OK.value,
        description="",
    )
    change = EventChange(
        ChangeKind.CANCELLED,
        known.event_id,
        number,
        event=gone,
        start_draw_seconds=known.draw_seconds,
        needs_answer=True,
    )
    return _Verdict(change, known, _owed(known))


def _older(event: OadrEvent, before: KnownEvent) -> _Verdict:
    """Rule 58: an error, and what stands goes on standing."""
    number = event.ei_event.event_descriptor.modification_number
    sentence = f"Modification {number} came after {before.modification_number}; the later one stands."
    change = EventChange(
        ChangeKind.REFUSED, before.event_id, number, code=_SEQUENCE, reason="modification_older", sentence=sentence
    )
    return _Verdict(change, before, Owed(before.event_id, number, _SEQUENCE, sentence, OptType.OPT_OUT))


def _repeated(event: OadrEvent) -> _Verdict:
    descriptor = event.ei_event.event_descriptor
    code, sentence = ResponseCode.INVALID_DATA.value, "The list names this event twice; its first entry counts."
    number = descriptor.modification_number
    change = EventChange(
        ChangeKind.REFUSED, descriptor.event_id, number, code=code, reason="event_repeated", sentence=sentence
    )
    return _Verdict(change, None, Owed(descriptor.event_id, number, code, sentence, OptType.OPT_OUT))


def _unchanged(before: KnownEvent) -> _Verdict:
    change = EventChange(
        ChangeKind.UNCHANGED, before.event_id, before.modification_number, start_draw_seconds=before.draw_seconds
    )
    return _Verdict(change, before, _owed(before))


def _owed(known: KnownEvent) -> Owed:
    return Owed(known.event_id, known.modification_number, known.code, known.description, known.opt)
