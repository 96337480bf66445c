"""Inward: what a utility session made of messages becomes ingresses and intents, and the timeline changes.

An event rests on the messages that came with it, or on those that it names, which may have been recorded long before:
then time alone brings it near, and no new ingress is made. A message that changes nothing (the full list that a utility
repeats at every poll) leaves no statement; one that was refused leaves an ingress with the reason. The raw bytes are
kept either way.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.memory import Memory
from wattseal.bridge.core.scribe import Scribe
from wattseal.bridge.journal import forget_message, keep_event, keep_message
from wattseal.bridge.timeline import TimedEvent, is_over
from wattseal.certs.clock import Instant
from wattseal.certs.statement import Statement
from wattseal.protocols.grid_event import EventStatus, GridEvent
from wattseal.protocols.ingress import CARRIED, Ingress

_MOST_REFUSED: Final = 128
_MOST_PARENTS: Final = 32  # of one intent; the latest messages say most
_MOST_NAMES: Final = 16_384


class Change(StrEnum):
    """What a message does to one event."""

    NEW = "new"
    MODIFIED = "modified"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes from a utility and where they came from; `addressee` is our own id there.

    `about`: the names under which events told later may rest on it.
    """

    dialect: str
    utility: str
    peer: str
    media_type: str
    raw: bytes
    addressee: str = ""
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventTaken:
    """One event that the messages change. `draw` is its start draw in seconds; `translator` read it.

    `rests_on`: names of messages (`Arrival.about`) that ask for it, recorded earlier or now; where none is known, it
    rests on all that came with it.
    """

    change: Change
    event: GridEvent
    draw: int
    translator: str
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tidings:
    """What a session makes of messages of one utility. `refused`: [event id, code, reason] of the first message.

    Without messages, time alone changed what they asked for.
    """

    utility: str
    arrivals: Sequence[Arrival]
    taken: Sequence[EventTaken]
    refused: Sequence[tuple[str, str, str]] = ()


def record_refusal(arrival: Arrival, reason: str, scribe: Scribe, now: Instant, deed: Deed) -> Statement:
    """A message that could not be carried at all."""
    return _ingress(arrival, reason, (), scribe, now, deed)


def take_in(
    tidings: Tidings, memory: Memory, scribe: Scribe, site: bytes, now: Instant, deed: Deed
) -> tuple[TimedEvent, ...]:
    """Seals what changes and puts it on the timeline; the events as they now stand.

    `site` is the text of the site file, by whose names the messages were read. The end of an event that is not at hand
    is left out.
    """
    came: list[bytes] = []
    for number, arrival in enumerate(tidings.arrivals):
        said = _ingress(arrival, CARRIED, tuple(tidings.refused) if number == 0 else (), scribe, now, deed)
        came.append(said.digest)
        for name in arrival.about:
            _remember((arrival.utility, name), said.digest, memory, deed)
    return tuple(
        _take(one, _parents(one, came, memory), memory, scribe, site, now, deed)
        for one in tidings.taken
        if not _is_idle(one, memory)
    )


def _remember(key: tuple[str, str], ingress: bytes, memory: Memory, deed: Deed) -> None:
    memory.messages.pop(key, None)  # the newest stand last
    memory.messages[key] = ingress
    deed.write(lambda db: keep_message(db, key, ingress))
    if len(memory.messages) > _MOST_NAMES:
        oldest = next(iter(memory.messages))
        del memory.messages[oldest]
        deed.write(lambda db: forget_message(db, oldest))


def _parents(one: EventTaken, came: Sequence[bytes], memory: Memory) -> list[bytes]:
    """The ingresses that an event rests on: those it names, else what came with it, else the last of this utility."""
    utility = one.event.origin.utility
    named = [memory.messages.get((utility, name)) for name in one.rests_on]
    found = [ingress for ingress in named if ingress is not None] or list(came)
    if not found:
        found = [ingress for (of, _), ingress in memory.messages.items() if of == utility][-1:]
    return list(dict.fromkeys(found))[-_MOST_PARENTS:]


def _is_idle(one: EventTaken, memory: Memory) -> bool:
    """Whether this ends an event that is no longer at hand: long over and forgotten, there is nothing to end."""
    return one.event.status is not EventStatus.STANDING and one.event.origin.key not in memory.events


def _take(
    one: EventTaken, parents: list[bytes], memory: Memory, scribe: Scribe, site: bytes, now: Instant, deed: Deed
) -> TimedEvent:
    key = one.event.origin.key
    before = memory.events.get(key)
    if one.event.status is not EventStatus.STANDING and before is not None:
        parents = [*parents, before.intent]
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
