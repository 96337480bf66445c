"""Outward: from what is known to sealed commands. Pure but for signing; nothing is sent from here.

memory -> facts -> run -> for each turn: decision, and where it allows: command
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wattseal.bridge import profiles
from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.memory import Memory
from wattseal.bridge.core.scribe import Scribe
from wattseal.bridge.explaining import Explanation, explain
from wattseal.bridge.facts import EventFact, Facts, Standing, order_digest
from wattseal.bridge.journal import LiveRow, keep_gateway, keep_live
from wattseal.bridge.plan import HANDOVER_SECONDS, plan
from wattseal.bridge.run import Run, Turn, turns
from wattseal.bridge.site.model import Device, Site
from wattseal.bridge.timeline import TimedEvent, is_over, precedence
from wattseal.bridge.world import DevicePicture, World
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Statement, digest
from wattseal.drivers.commands import Function, Order

# An event that has just ended still explains why devices are released, so it stands in the facts a while longer.
_OVER_SECONDS: Final = 120
# Facts name at most 4,096 parents, readings among them; beyond this many events at once, those of lowest precedence
# are left out.
_MOST_EVENTS: Final = 2048
# A device that missed this many samples, and this many seconds more, gets no share of a site's setpoint.
_SILENT_SAMPLES: Final = 3
_SILENT_SECONDS: Final = 5
# So many orders are decided and sealed in one go: about ten milliseconds of work.
_AT_A_TIME: Final = 32


@dataclass(frozen=True, slots=True)
class Bundle:
    """One run, sealed: what goes to the gateway, parents first, and the run itself for whoever tells people."""

    run: Run
    statements: tuple[Statement, ...]
    commands: tuple[Statement, ...]


def facts_of(memory: Memory, site: Site, policy: Policy, now: Instant) -> Facts:
    """The inputs of a run as things stand. With an untrusted clock no event is taken into account: they wait."""
    timed = _events(memory, now)
    return Facts(
        now=now.unix,
        clock=now.quality,
        storage_low=memory.storage_low,
        site=digest(site.text),
        policy=policy.digest,
        events=tuple(EventFact(event.intent, event.start_draw_seconds, event.cut_at) for event in timed),
        devices=_pictures(memory, site, now),
        live=memory.live_orders(now.unix),
        epoch=memory.gateway.epoch,
        first_sequence=memory.gateway.sequence + 1,
        lease_seconds=site.lease_seconds,
        holds=memory.holds,
    )


def world_of(memory: Memory, site: Site, now: Instant) -> World:
    """The world that a run at `now` would plan from: that of `facts_of`, for whoever asks and orders nothing."""
    held = frozenset(live.seat for live in memory.live_orders(now.unix) if live.function is not Function.POWER)
    return World(now.unix, _events(memory, now), _pictures(memory, site, now), held, memory.holds)


def explanations(memory: Memory, site: Site, now: Instant) -> tuple[Explanation, ...]:
    """Why each function of each device is to do what it is to do, as a run at `now` would plan it. Changes nothing."""
    world = world_of(memory, site, now)
    return explain(plan(world, site).desired, world, site)


async def dispatch(
    memory: Memory, site: Site, policy: Policy, scribe: Scribe, now: Instant, deed: Deed
) -> Bundle | None:
    """Runs the plan and seals what follows into `deed`; None where nothing needs an order.

    To be called by whoever alone may change `memory`: with a fleet others of the process get their turn in between.
    Nothing of the orders is remembered before all of them are sealed.
    """
    if memory.gateway.epoch is None:
        return None
    facts = facts_of(memory, site, policy, now)
    made = plan(facts.world(memory.events_by_intent()), site)
    memory.holds = made.holds
    ordered: list[tuple[Turn, Statement, Statement | None]] = []
    said: Statement | None = None
    for number, turn in enumerate(turns(facts, made.desired, site, policy), start=1):
        said = said or scribe.facts(facts, _parents(facts), now)
        decision = scribe.decision(turn.decision, said.digest, now)
        ordered.append((turn, decision, _command(turn, decision, scribe, now)))
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)
    if said is None:
        return None
    deed.say(said, site.text, policy.text)
    statements = [said]
    for turn, decision, command in ordered:
        statements.append(deed.say(decision, policy.text))
        if command is not None:
            statements.append(deed.say(command, profiles.text_of(turn.desired.order.profile_digest)))
        _remember(memory, turn, command, deed)
    gateway = memory.gateway.row()
    deed.write(lambda db: keep_gateway(db, *gateway))
    run = Run(made.desired, tuple(turn for turn, _, _ in ordered), made.holds)
    return Bundle(run, tuple(statements), tuple(command for _, _, command in ordered if command is not None))


def _command(turn: Turn, decision: Statement, scribe: Scribe, now: Instant) -> Statement | None:
    if turn.command is None:
        return None
    return scribe.command(turn.command, turn.desired.order, decision.digest, now)


def _remember(memory: Memory, turn: Turn, command: Statement | None, deed: Deed) -> None:
    order = turn.desired.order
    row = _denied(memory.live.get(order.seat), order)
    if command is not None and turn.command is not None:
        memory.gateway.sequence = turn.command.sequence
        row = LiveRow(order, command.digest, Standing.COMMANDED, turn.command.sequence)
    memory.live[order.seat] = row
    memory.wanted_afresh.discard(order.seat)
    deed.write(lambda db: keep_live(db, row))


def _denied(before: LiveRow | None, order: Order) -> LiveRow:
    """What policy denied moves nothing: a command that stands does so until its lease ends, for nobody renews it."""
    stands = before is not None and before.command is not None
    if before is None or not stands or before.standing not in {Standing.COMMANDED, Standing.DENIED}:
        return LiveRow(order, None, Standing.DENIED, 0)
    return replace(before, standing=Standing.DENIED, denied=order_digest(order.encode()))


def _parents(facts: Facts) -> Sequence[bytes]:
    readings = [picture.reading for picture in facts.devices if picture.reading is not None]
    return [*(event.intent for event in facts.events), *readings]


def _events(memory: Memory, now: Instant) -> tuple[TimedEvent, ...]:
    """With an untrusted clock none."""
    return () if now.quality is ClockQuality.UNTRUSTED else tuple(_considered(memory, now.unix))


def _considered(memory: Memory, now: int) -> Iterator[TimedEvent]:
    """Events that run, have just ended or begin within a handover, by key. Others to come would only fill facts."""
    over, soon = now - _OVER_SECONDS, now + HANDOVER_SECONDS
    begun = [timed for timed in memory.events.values() if timed.start <= soon and not is_over(timed, over)]
    begun.sort(key=lambda timed: (is_over(timed, now), precedence(timed)))
    yield from sorted(begun[:_MOST_EVENTS], key=lambda timed: timed.event.origin.key)


def _pictures(memory: Memory, site: Site, now: Instant) -> tuple[DevicePicture, ...]:
    return tuple(_picture(memory, device, now.unix) for device in site.devices)


def _picture(memory: Memory, device: Device, now: int) -> DevicePicture:
    known = memory.pictures.get(device.name)
    if known is None:
        return DevicePicture(device.name, None, None, reachable=True)
    silent = now - memory.seen_at.get(device.name, now)
    return replace(known, reachable=silent <= _SILENT_SAMPLES * device.sampling_seconds + _SILENT_SECONDS)
