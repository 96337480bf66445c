"""The engine's two doors: `fresh` for the first state, and `step`: (state, input, now) -> (state, what follows).

The rule of use: write the returned state to the disk, then act on values and Responses. The outbox in the state holds
every Response until `settle` (speech) takes it out. Calling `step` more often than `wake_at` asks for changes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.engine import intake
from wattseal.protocols.ieee2030_5.engine.admission import parts_devices
from wattseal.protocols.ieee2030_5.engine.course import Bench, judge, next_edge
from wattseal.protocols.ieee2030_5.engine.force import Holding, in_force
from wattseal.protocols.ieee2030_5.engine.inputs import (
    ClockRead,
    ControlsNotified,
    DefaultControl,
    DefaultNotified,
    Input,
    Picture,
    Restarted,
    Rules,
    RulesChosen,
    Tick,
    UtilityBack,
    UtilityLost,
)
from wattseal.protocols.ieee2030_5.engine.pruning import prune
from wattseal.protocols.ieee2030_5.engine.schedule import Scene
from wattseal.protocols.ieee2030_5.engine.speech import Note, NoteKind, Speech
from wattseal.protocols.ieee2030_5.engine.state import Cohort, KnownProgram, Ledger, Owed, Standing, State

_AT_ONCE: Final = 0  # a due time that has always passed


class Step(msgspec.Struct, frozen=True):
    """What follows from one input. `responses`: the newly owed ones; `wake_at`: our unix seconds, None: never."""

    state: State
    in_force: tuple[Holding, ...]
    responses: tuple[Owed, ...]
    notes: tuple[Note, ...]
    wake_at: int | None


class EngineSeedError(MisuseError):
    """A seed that the draws cannot use."""


def fresh(seed: bytes, rules: Rules = Rules.EDITION_2018, offset_seconds: int | None = 0) -> State:
    """A state that knows nothing. `seed`: 16 to 64 bytes, secret or not, kept for the life of the box."""
    if not 16 <= len(seed) <= 64:  # noqa: PLR2004 - the lengths stand in the sentence
        raise EngineSeedError("engine_seed_length", "The seed of the draws must have 16 to 64 bytes.")
    return State(seed=seed, rules=rules, offset_seconds=offset_seconds)


def step(state: State, given: Input, now: int) -> Step:
    """Take one input at `now` (our unix seconds): first the time up to now, then the input, then its consequences."""
    before = state
    notes: list[Note] = []
    if not isinstance(given, Restarted):
        state = _evaluate(state, now, notes, ())
    state = _take(state, given, now, notes)
    touched = _touched(before, state)
    whole = isinstance(given, ClockRead | RulesChosen | Restarted)
    state = _evaluate(state, now, notes, None if whole else touched)
    if isinstance(given, Picture | ControlsNotified):
        pruned = prune(state, _theirs(state, now))
        state = state if pruned is state else _regrouped(pruned)
    responses = tuple(owed for owed in state.outbox if owed.serial >= before.next_serial)
    return Step(state, in_force(state), responses, tuple(notes), _wake_at(state))


def _theirs(state: State, now: int) -> int:
    return now + (state.offset_seconds or 0)


def _take(state: State, given: Input, now: int, notes: list[Note]) -> State:
    match given:
        case Picture():
            return _take_picture(state, given, now, notes)
        case ControlsNotified(program, controls):
            if program not in state.programs:
                notes.append(Note(NoteKind.UNKNOWN_PROGRAM, program))
                return state
            speech = Speech(_theirs(state, now))
            events = intake.notified_events(
                program, controls, state.programs, state.events, _theirs(state, now), speech
            )
            notes.extend(speech.notes())
            return msgspec.structs.replace(state, events=events)
        case DefaultNotified(program, default):
            return _take_default(state, program, default, notes)
        case ClockRead(offset_seconds):
            return msgspec.structs.replace(state, offset_seconds=offset_seconds)
        case RulesChosen(rules):
            return msgspec.structs.replace(state, rules=rules)
        case UtilityLost():
            since = now if state.utility_lost_since is None else state.utility_lost_since
            return msgspec.structs.replace(state, utility_lost_since=since)
        case UtilityBack():
            return msgspec.structs.replace(state, utility_lost_since=None)
        case Restarted(clock_trusted):
            return state if clock_trusted else msgspec.structs.replace(state, offset_seconds=None)
        case Tick():
            return state


def _take_picture(state: State, picture: Picture, now: int, notes: list[Note]) -> State:
    theirs = _theirs(state, now)
    if picture.programs is not None:
        speech = Speech(theirs)
        merged = intake.merged_programs(picture.programs)
        programs = intake.known_programs(merged, state.programs)
        events = intake.picture_events(merged, programs, state.events, theirs, speech)
        notes.extend(speech.notes())
        state = msgspec.structs.replace(state, programs=programs, events=events)
    if picture.devices is not None:
        before = {lfdi: cohort.standing for cohort in state.cohorts for lfdi in cohort.devices}
        after = intake.standings(picture.devices, before, state.programs, theirs)
        if after != before:
            state = msgspec.structs.replace(state, cohorts=_resettled(state.cohorts, after))
    return state


def _take_default(state: State, mrid: bytes, default: DefaultControl | None, notes: list[Note]) -> State:
    program = state.programs.get(mrid)
    if program is None:
        notes.append(Note(NoteKind.UNKNOWN_PROGRAM, mrid))
        return state
    programs = {**state.programs, mrid: msgspec.structs.replace(program, default=default)}
    return msgspec.structs.replace(state, programs=programs)


def _resettled(cohorts: tuple[Cohort, ...], standings: Mapping[bytes, Standing]) -> tuple[Cohort, ...]:
    """The cohorts after standings changed; whose did is due at once."""
    old = {lfdi: cohort for cohort in cohorts for lfdi in cohort.devices}
    parts = []
    for lfdi, standing in standings.items():
        cohort = old.get(lfdi)
        if cohort is None:
            parts.append(Cohort(standing, (lfdi,), (), _AT_ONCE))
        elif cohort.standing == standing:
            parts.append(Cohort(standing, (lfdi,), cohort.records, cohort.due_at))
        else:
            parts.append(Cohort(standing, (lfdi,), cohort.records, _AT_ONCE))
    return _grouped(parts)


def _touched(before: State, after: State) -> frozenset[bytes]:
    """The programmes whose rank or events an input changed."""
    touched: set[bytes] = set()
    if before.programs is not after.programs:
        names = before.programs.keys() | after.programs.keys()
        touched.update(n for n in names if _primacy(before.programs, n) != _primacy(after.programs, n))
    if before.events is not after.events:
        for mrid, event in after.events.items():
            old = before.events.get(mrid)
            if old is not event and old != event:
                touched.update((event.program, event.program if old is None else old.program))
    return frozenset(touched)


def _primacy(programs: Mapping[bytes, KnownProgram], mrid: bytes) -> int | None:
    program = programs.get(mrid)
    return None if program is None else program.primacy


def _evaluate(state: State, now: int, notes: list[Note], touched: frozenset[bytes] | tuple[()] | None) -> State:
    """Judge the cohorts that are due or under a touched programme (None: all). Without a trusted clock: nothing."""
    if state.offset_seconds is None:
        return state
    theirs = now + state.offset_seconds
    if state.evaluated_at is None or theirs < state.evaluated_at:
        touched = None
    since = theirs if state.evaluated_at is None else state.evaluated_at
    scene, speech = Scene.of(state), Speech(theirs)
    parts: list[Cohort] = []
    judged = False
    for cohort in state.cohorts:
        if _needs_judging(cohort, theirs, touched):
            judged = True
            parts.extend(_judged(scene, cohort, since, theirs, speech))
        else:
            parts.append(cohort)
    given = speech.given(state.next_serial)
    notes.extend(speech.notes())
    return msgspec.structs.replace(
        state,
        cohorts=_grouped(parts) if judged else state.cohorts,
        outbox=(*state.outbox, *given) if given else state.outbox,
        next_serial=state.next_serial + len(given),
        evaluated_at=theirs,
    )


def _needs_judging(cohort: Cohort, theirs: int, touched: frozenset[bytes] | tuple[()] | None) -> bool:
    if touched is None or (cohort.due_at is not None and cohort.due_at <= theirs):
        return True
    return any(program in touched for program in cohort.standing.programs)


def _judged(scene: Scene, cohort: Cohort, since: int, theirs: int, speech: Speech) -> list[Cohort]:
    standing = cohort.standing
    parts = (
        ((lfdi,) for lfdi in cohort.devices) if parts_devices(scene, standing, cohort.records) else (cohort.devices,)
    )
    after: list[Cohort] = []
    for devices in parts:
        records: Ledger = judge(Bench(scene, standing, devices, since, theirs, speech), cohort.records)
        due_at = next_edge(scene, standing, records, theirs)
        after.append(Cohort(standing, devices, records, due_at))
    return after


def _regrouped(state: State) -> State:
    return msgspec.structs.replace(state, cohorts=_grouped(state.cohorts))


def _grouped(parts: Iterable[Cohort]) -> tuple[Cohort, ...]:
    """Devices of one standing and one ledger together; sorted by their first device."""
    groups: dict[tuple[Standing, Ledger, int | None], list[bytes]] = {}
    for part in parts:
        groups.setdefault((part.standing, part.records, part.due_at), []).extend(part.devices)
    cohorts = (
        Cohort(standing, tuple(sorted(devices)), records, due) for (standing, records, due), devices in groups.items()
    )
    return tuple(sorted(cohorts, key=lambda cohort: cohort.devices))


def _wake_at(state: State) -> int | None:
    offset = state.offset_seconds
    if offset is None:
        return None
    due = [cohort.due_at for cohort in state.cohorts if cohort.due_at is not None]
    return min(due) - offset if due else None
