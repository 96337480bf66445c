"""Events as a VEN is shown them at a given time: which ones, in what order, with what status and current value.

Pure functions over records. Every list is the whole list (rule 50), so that one that is missing from it is cancelled by
implication (rule 61).
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from wattseal.protocols.openadr20b.common import CalendarPeriod, Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.event import (
    EiEvent,
    EventDescriptor,
    EventSignal,
    EventSignals,
    OadrEvent,
    SignalInterval,
)
from wattseal.protocols.openadr20b.vocabulary import EventStatus, SignalName
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, SignalDraft
from wattseal.protocols.openadr20b.vtn.state import EventRecord, Told, VenRecord

_LATEST: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
_ORDER: Final = {EventStatus.ACTIVE: 0, EventStatus.NEAR: 1, EventStatus.FAR: 1, EventStatus.CANCELLED: 2}
_NO_PRIORITY: Final = 2**32


def end_of(draft: EventDraft) -> datetime | None:
    """When the active period is over; None: never by itself (rule 47)."""
    if draft.duration_seconds == 0:
        return None
    start = draft.dtstart
    seconds = min(draft.duration_seconds, int((_LATEST - start).total_seconds()))
    return start + timedelta(seconds=seconds)


def is_over(draft: EventDraft, now: datetime) -> bool:
    """Whether the active period lies in the past."""
    end = end_of(draft)
    return end is not None and now >= end


def status_of(event: EventRecord, now: datetime) -> EventStatus:
    """EventStatus at the time of sending. The border of far and near is the ramp-up before the start, if there is one,
    otherwise the draft's own.
    """
    draft = event.draft
    if event.cancelled:
        return EventStatus.CANCELLED
    if is_over(draft, now):
        return EventStatus.COMPLETED
    if now >= draft.dtstart:
        return EventStatus.ACTIVE
    ahead = draft.near_seconds if draft.ramp_up_seconds is None else abs(draft.ramp_up_seconds)
    return EventStatus.NEAR if (draft.dtstart - now).total_seconds() <= ahead else EventStatus.FAR


def current_value(signal: SignalDraft, draft: EventDraft, now: datetime, status: EventStatus) -> Decimal | None:
    """The value in force; outside the active state 0 for SIMPLE (rule 14) and nothing for the others."""
    if status is not EventStatus.ACTIVE:
        simple = signal.name in {SignalName.SIMPLE, SignalName.SIMPLE_DEPRECATED}
        return Decimal(0) if simple else None
    elapsed = (now - draft.dtstart).total_seconds()
    for step in signal.steps:
        if elapsed < step.duration_seconds or step.duration_seconds == 0:
            return step.value
        elapsed -= step.duration_seconds
    return signal.steps[-1].value


def is_for(event: EventRecord, ven: VenRecord) -> bool:
    """Whether an event is this VEN's business. One that only reports has none (oadrReportOnly)."""
    return not ven.report_only and (not event.draft.vens or ven.ven_id in event.draft.vens)


def listed(ven: VenRecord, events: Iterable[EventRecord], now: datetime) -> tuple[EventRecord, ...]:
    """The events that a list for this VEN has now, in the order of rule 15: active ones by priority and start, then
    those to come by start, cancelled ones last.
    """
    return tuple(sorted((one for one in events if _belongs(one, ven, now)), key=lambda one: _place(one, now)))


def is_news(ven: VenRecord, shown: tuple[EventRecord, ...], events: dict[str, EventRecord], now: datetime) -> bool:
    """Whether the list differs from the last one that the VEN was given, other than by what ended by itself."""
    remembered = {one for one in ven.told if not _has_faded(one, ven, events, now)}
    return {told_of(one) for one in shown} != remembered


def is_unanswered(ven: VenRecord, shown: tuple[EventRecord, ...]) -> bool:
    """Whether the VEN owes an answer to an event of the list."""
    return any(one.wants_answer and ven.answer_to(one) is None for one in shown)


def told_of(event: EventRecord) -> Told:
    """An event as the VEN's memory of a list has it."""
    return Told(event.event_id, event.modification_number)


def oadr_event(event: EventRecord, now: datetime) -> OadrEvent:
    """The event on the wire. Interval uids count from 0 (rule 2)."""
    draft = event.draft
    status = status_of(event, now)
    return OadrEvent(
        ei_event=EiEvent(
            event_descriptor=EventDescriptor(
                event_id=event.event_id,
                modification_number=event.modification_number,
                modification_date_time=event.modified,
                modification_reason=event.modification_reason,
                priority=draft.priority,
                market_context=draft.market_context,
                created_date_time=event.created,
                event_status=status,
                test_event=draft.test_event,
                vtn_comment=draft.vtn_comment,
            ),
            active_period=_period(draft),
            event_signals=EventSignals(
                signals=tuple(_signal(index, one, draft, now, status) for index, one in enumerate(draft.signals))
            ),
            target=draft.target,
        ),
        response_required=draft.response_required,
    )


def _belongs(event: EventRecord, ven: VenRecord, now: datetime) -> bool:
    if event.retired or not is_for(event, ven) or is_over(event.draft, now):
        return False
    return not event.cancelled or _still_owed(event, ven)


def _still_owed(event: EventRecord, ven: VenRecord) -> bool:
    """A cancelled event is told to those who knew of it, until they have answered (rule 52); without an answer wanted,
    once.
    """
    knew = [one.modification_number for one in ven.told if one.event_id == event.event_id]
    if not knew:
        return False
    if event.wants_answer:
        return ven.answer_to(event) is None
    return event.modification_number not in knew


def _has_faded(told: Told, ven: VenRecord, events: dict[str, EventRecord], now: datetime) -> bool:
    """Whether the VEN needs no word about the absence of an event that it was told of."""
    event = events.get(told.event_id)
    if event is None or is_over(event.draft, now):
        return True
    return event.cancelled and told == told_of(event) and not _still_owed(event, ven)


def _place(event: EventRecord, now: datetime) -> tuple[int, int, datetime, str]:
    status = status_of(event, now)
    priority = event.draft.priority or _NO_PRIORITY
    active = status is EventStatus.ACTIVE
    return (_ORDER.get(status, 2), priority if active else 0, event.draft.dtstart, event.event_id)


def _period(draft: EventDraft) -> CalendarPeriod:
    return CalendarPeriod(
        dtstart=draft.dtstart,
        duration=Duration.of_seconds(draft.duration_seconds),
        start_after=_span(draft.start_after_seconds),
        notification=_span(draft.notification_seconds),
        ramp_up=_span(draft.ramp_up_seconds),
        recovery=_span(draft.recovery_seconds),
    )


def _span(seconds: int | None) -> Duration | None:
    return None if seconds is None else Duration.of_seconds(seconds)


def _signal(index: int, signal: SignalDraft, draft: EventDraft, now: datetime, status: EventStatus) -> EventSignal:
    intervals = tuple(
        SignalInterval(duration=Duration.of_seconds(step.duration_seconds), uid=str(uid), value=step.value)
        for uid, step in enumerate(signal.steps)
    )
    return EventSignal(
        intervals=intervals,
        target=Target(end_device_assets=signal.device_classes) if signal.device_classes else None,
        signal_name=signal.signal_name,
        signal_type=signal.type,
        signal_id=signal.signal_id or f"SIG_{index}",
        item_base=signal.item_base,
        current_value=current_value(signal, draft, now, status),
    )


def replaced(event: EventRecord, draft: EventDraft, now: datetime, reason: str | None) -> EventRecord:
    """The next version of an event (rule 57)."""
    number = event.modification_number + 1
    return msgspec.structs.replace(
        event, draft=draft, modification_number=number, modified=now, modification_reason=reason
    )
