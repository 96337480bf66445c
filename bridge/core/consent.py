"""Opt in or out: would this event, alone, come to orders that devices can carry and policy allows?

Asked before the utility is answered, so that an opt-in is a promise and an opt-out has its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from wattseal.bridge.facts import EventFact, Facts
from wattseal.bridge.plan import plan
from wattseal.bridge.run import Turn, turns
from wattseal.bridge.site.model import Site
from wattseal.bridge.timeline import TimedEvent
from wattseal.certs.policy import Policy
from wattseal.protocols.grid_event import GridEvent

# Enough for a day of quarter hours; what lies beyond is judged when the utility modifies the event.
_MOST_INTERVALS: Final = 96


@dataclass(frozen=True, slots=True)
class Consent:
    """The answer, and for an opt-out the sentence that says why."""

    opt_in: bool
    why: str


def consent(timed: TimedEvent, facts: Facts, site: Site, policy: Policy) -> Consent:
    """Whether the site opts in to `timed`; `facts` gives clock, storage and device pictures."""
    if timed.event.test:
        return Consent(opt_in=True, why="test event: answered, nothing is moved")
    for start in _starts(timed, facts.now):
        alone = replace(
            facts,
            now=start,
            events=(EventFact(timed.intent, timed.start_draw_seconds, timed.cut_at),),
            live=(),
            epoch=None,
        )
        refusal = _refusal(alone, {timed.intent: timed.event}, site, policy)
        if refusal:
            return Consent(opt_in=False, why=refusal)
    return Consent(opt_in=True, why="")


def _starts(timed: TimedEvent, now: int) -> tuple[int, ...]:
    offsets = {interval.offset_seconds for course in timed.event.courses for interval in course.intervals}
    starts = sorted(timed.start + offset for offset in offsets)
    running = [start for start in starts if start <= now][-1:]
    coming = [start for start in starts if start > now]
    return tuple((running and [max(running[0], now)]) + coming)[:_MOST_INTERVALS]


def _refusal(facts: Facts, events: Mapping[bytes, GridEvent], site: Site, policy: Policy) -> str:
    """Why nothing at all would be ordered; empty as soon as one order would."""
    desired = plan(facts.world(events), site).desired
    taken: list[Turn] = []
    for turn in turns(facts, desired, site, policy):
        if turn.decision.allowed:
            return ""
        taken.append(turn)
    if taken:
        denied = sorted({policy_id for turn in taken for policy_id in turn.decision.policy_ids})
        return f"policy denies every order ({', '.join(denied) or 'no policy permits it'})"
    return "; ".join(dict.fromkeys(note for one in desired for note in one.not_carried))
