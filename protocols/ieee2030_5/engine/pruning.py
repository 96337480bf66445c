"""Forgetting, so that the state stays bounded: what may go, and what is kept so that nothing is said twice.

An event is forgotten when no list has named it for a day and nobody runs it; beyond the ceilings, the oldest events
that are over go at once. What is forgotten after its end raises its programme's horizon: should a list name it again,
it is no first sight. A device that is no longer listed is forgotten after a day. The outbox is never pruned: a Response
leaves it only by `settle`.
"""

from collections.abc import Collection
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.engine.intake import ENDED_EVENTS_PER_PROGRAM
from wattseal.protocols.ieee2030_5.engine.schedule import Scene
from wattseal.protocols.ieee2030_5.engine.state import Closing, Cohort, Event, KnownProgram, State

KEPT_SECONDS: Final = 86_400


def prune(state: State, now: int) -> State:
    """The state without what need not be known any longer."""
    cohorts = tuple(cohort for cohort in state.cohorts if not _is_long_absent(cohort, now))
    gone = _forgettable(state, cohorts, now)
    if not gone:
        return state if len(cohorts) == len(state.cohorts) else msgspec.structs.replace(state, cohorts=cohorts)
    return msgspec.structs.replace(
        state,
        events={mrid: event for mrid, event in state.events.items() if mrid not in gone},
        programs=_raised(state, gone, now),
        cohorts=tuple(_without(cohort, gone) for cohort in cohorts),
    )


def _is_long_absent(cohort: Cohort, now: int) -> bool:
    since = cohort.standing.absent_since
    return since is not None and now - since >= KEPT_SECONDS


def _forgettable(state: State, cohorts: tuple[Cohort, ...], now: int) -> set[bytes]:
    idle = [event for event in state.events.values() if _is_idle_by_time(event, now)]
    if not idle:
        return set()
    busy = _busy(state, cohorts)
    gone: set[bytes] = set()
    over: dict[bytes, list[Event]] = {}
    for event in idle:
        if event.control.mrid in busy:
            continue
        if event.unlisted_since is not None and now - event.unlisted_since >= KEPT_SECONDS:
            gone.add(event.control.mrid)
        elif event.end is not None and event.end <= now:
            over.setdefault(event.program, []).append(event)
    for events in over.values():
        events.sort(key=lambda event: (event.end or 0, event.control.mrid), reverse=True)
        gone.update(event.control.mrid for event in events[ENDED_EVENTS_PER_PROGRAM:])
    return gone


def _is_idle_by_time(event: Event, now: int) -> bool:
    return event.unlisted_since is not None or (event.end is not None and event.end <= now)


def _busy(state: State, cohorts: tuple[Cohort, ...]) -> set[bytes]:
    """The events that some device runs or will run."""
    scene = Scene.of(state)
    return {
        record.event
        for cohort in cohorts
        for record in cohort.records
        if record.closing is Closing.OPEN and scene.reaches(state.events[record.event], cohort.standing)
    }


def _raised(state: State, gone: Collection[bytes], now: int) -> dict[bytes, KnownProgram]:
    programs = dict(state.programs)
    for mrid in gone:
        event = state.events[mrid]
        program = programs.get(event.program)
        if program is None or event.end is None or event.end > now:
            continue
        horizon = event.end if program.horizon is None else max(program.horizon, event.end)
        programs[event.program] = msgspec.structs.replace(program, horizon=horizon)
    return programs


def _without(cohort: Cohort, gone: Collection[bytes]) -> Cohort:
    kept = tuple(record for record in cohort.records if record.event not in gone)
    return msgspec.structs.replace(cohort, records=kept)
