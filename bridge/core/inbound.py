"""Inward: what a utility session made of a message becomes ingress and intents, and the timeline changes.

A message that changes nothing (the full list that a utility repeats at every poll) leaves no statement; one that was
refused leaves an ingress with the reason. The raw bytes are kept either way.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.memory import Memory
from wattseal.bridge.core.scribe import Scribe
from wattseal.bridge.journal import keep_event
from wattseal.bridge.timeline import TimedEvent, is_over
from wattseal.certs.clock import Instant
from wattseal.certs.statement import Statement
from wattseal.protocols.grid_event import EventStatus, GridEvent
from wattseal.protocols.ingress import CARRIED, Ingress

_MOST_REFUSED: Final = 128


class Change(StrEnum):
    """What a message does to one event."""

    NEW = "new"
    MODIFIED = "modified"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes from a utility and where they came from; `addressee` is our own id there."""

    dialect: str
    utility: str
    peer: str
    media_type: str
    raw: bytes
    addressee: str = ""


@dataclass(frozen=True, slots=True)
class EventTaken:
    """One event that the message changes. `draw` is its start draw in seconds; `translator` read it."""

    change: Change
    event: GridEvent
    draw: int
    translator: str


def record_refusal(arrival: Arrival, reason: str, scribe: Scribe, now: Instant, deed: Deed) -> Statement:
    """A message that could not be carried at all."""
    return _ingress(arrival, reason, (), scribe, now, deed)


def take_in(
    arrival: Arrival,
    taken: Sequence[EventTaken],
    refused: Sequence[tuple[str, str, str]],
    memory: Memory,
    scribe: Scribe,
    site: bytes,
    now: Instant,
    deed: Deed,
) -> tuple[TimedEvent, ...]:
    """Seals what the message changes and puts it on the timeline; the events as they now stand.

    `site` is the text of the site file, by whose names the message was read. The end of an event that is not at hand
    is left out.
    """
    ingress = _ingress(arrival, CARRIED, tuple(refused), scribe, now, deed)
    return tuple(_take(one, ingress, memory, scribe, site, now, deed) for one in taken if not _is_idle(one, memory))


def _is_idle(one: EventTaken, memory: Memory) -> bool:
    """Whether this ends an event that is no longer at hand: long over and forgotten, there is nothing to end."""
    return one.event.status is not EventStatus.STANDING and one.event.origin.key not in memory.events


def _take(
    one: EventTaken, ingress: Statement, memory: Memory, scribe: Scribe, site: bytes, now: Instant, deed: Deed
) -> TimedEvent:
    key = one.event.origin.key
    before = memory.events.get(key)
    parents = [ingress.digest]
    if one.event.status is not EventStatus.STANDING and before is not None:
        parents.append(before.intent)
    body = one.event.encode(one.translator)
    intent = deed.say(scribe.intent(one.event.origin.event_id, body, parents, site, now), site)
    cut_at = _cut(one, before, now.unix) if one.event.status is not EventStatus.STANDING else None
    timed = TimedEvent(one.event, intent.digest, one.draw, cut_at)
    memory.events[key] = timed
    deed.write(lambda db: keep_event(db, timed, body))
    return timed


def _cut(one: EventTaken, before: TimedEvent | None, now: int) -> int:
    """When a cancelled event ceases. One that runs is spread like its start was (rule 65); one to come just goes."""
    if before is not None and before.cut_at is not None:
        return before.cut_at
    start = one.event.start + one.draw
    running = start <= now and not is_over(TimedEvent(one.event, b"", one.draw, None), now)
    return now + one.draw if running else now


def _ingress(
    arrival: Arrival,
    verdict: str,
    refused: tuple[tuple[str, str, str], ...],
    scribe: Scribe,
    now: Instant,
    deed: Deed,
) -> Statement:
    body = Ingress(
        dialect=arrival.dialect,
        utility=arrival.utility,
        peer=arrival.peer,
        media_type=arrival.media_type,
        length=len(arrival.raw),
        arrived_ms=now.unix_ms,
        clock=str(now.quality),
        verdict=verdict,
        refused=_told(refused),
        addressee=arrival.addressee,
    )
    return deed.say(scribe.ingress(body, hashlib.sha256(arrival.raw).digest(), now), arrival.raw)


def _told(refused: tuple[tuple[str, str, str], ...]) -> tuple[tuple[str, str, str], ...]:
    """What an ingress says of refused events: each, or the first of them and how many more."""
    if len(refused) <= _MOST_REFUSED:
        return refused
    return (*refused[:_MOST_REFUSED], ("", "", f"{len(refused) - _MOST_REFUSED}_more"))
