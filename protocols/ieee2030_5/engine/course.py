"""One device's events through one instant: admissions, cancellations, supersession, starts and ends, in that order.

Supersession is judged per mode. At its effective start an event takes its modes from every open event of lower rank
whose specified period overlaps its own; an event that has started goes on taking from those that arrive later. An event
that is being cancelled takes nothing and gives way. Events that meet only through their draws do not conflict: the
later one's effective start ends the earlier one, which is then complete (rule m). Events are taken in the order of
their effective starts, so it makes no difference whether several of them passed since the last evaluation; what begins
at one instant is settled by rank before it supersedes anything to come, so that what never starts supersedes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import msgspec

from wattseal.protocols.ieee2030_5.engine.admission import admit, cancel_spread_seconds, drawn_record, must_redraw
from wattseal.protocols.ieee2030_5.engine.draws import Purpose, draw
from wattseal.protocols.ieee2030_5.engine.inputs import CurrentStatus, Rules
from wattseal.protocols.ieee2030_5.engine.schedule import Rank, Scene, effective_end, effective_start, overlaps
from wattseal.protocols.ieee2030_5.engine.speech import NoteKind, Speech
from wattseal.protocols.ieee2030_5.engine.state import Closing, Event, Ledger, Record, ResponseStatus, Standing


@dataclass(slots=True)
class Run:
    """An open record while it is judged. `held`: its applicable modes that nobody has taken."""

    event: Event
    record: Record
    reached: bool
    held: frozenset[str]
    rank: Rank
    start: int
    end: int | None

    @property
    def dying(self) -> bool:
        """Whether it is cancelled and only spreads its stop."""
        return self.record.cut_at is not None

    @property
    def is_open(self) -> bool:
        """Whether it is not closed."""
        return self.record.closing is Closing.OPEN


@dataclass(frozen=True, slots=True)
class Bench:
    """What is fixed while one cohort is judged. `since`: the instant of the evaluation before."""

    scene: Scene
    standing: Standing
    devices: tuple[bytes, ...]
    since: int
    now: int
    speech: Speech


def judge(bench: Bench, records: Ledger) -> Ledger:
    """The ledger after this instant; what is due to be said goes to the bench's speech."""
    records = admit(bench.scene, bench.standing, bench.devices, records, bench.now, bench.speech)
    runs = [
        run for record in records if (run := open_run(bench.scene, bench.standing, record, bench.devices)) is not None
    ]
    if not runs:
        return records
    for run in runs:
        _heed_cancellation(bench, run)
    _heed_server_supersession(bench, runs)
    _supersede(bench, runs)
    for run in runs:
        _pass_time(bench, run)
    judged = {run.record.event: run.record for run in runs}
    return tuple(judged.get(record.event, record) for record in records)


def open_run(scene: Scene, standing: Standing, record: Record, devices: tuple[bytes, ...] = ()) -> Run | None:
    """The working form of an open record; with devices given, freshly drawn if the event's version asks for it."""
    if record.closing is not Closing.OPEN:
        return None
    event = scene.events[record.event]
    if devices and must_redraw(event, record):
        drawn = drawn_record(scene, event, devices[0])
        record = msgspec.structs.replace(drawn, lost=record.lost)
    held = scene.applicable(record.event, standing).difference(record.lost)
    end = _earlier(effective_end(event, record), record.cut_at)
    reached = scene.reaches(event, standing)
    return Run(event, record, reached, held, scene.rank(event), effective_start(event, record), end)


def next_edge(scene: Scene, standing: Standing, records: Ledger, now: int) -> int | None:
    """The earliest time after `now` at which the clock alone changes something for this ledger."""
    edges = (
        edge
        for record in records
        if (run := open_run(scene, standing, record)) is not None
        for edge in (run.start, run.end)
        if edge is not None and edge > now
    )
    return min(edges, default=None)


def _heed_cancellation(bench: Bench, run: Run) -> None:
    status = run.event.control.status
    randomized = status is CurrentStatus.CANCELLED_RANDOMIZED
    at_once = status is CurrentStatus.CANCELLED or (randomized and not run.record.started)
    if at_once or _is_vanished(bench, run):
        _close(bench, run, Closing.CANCELLED, ResponseStatus.CANCELLED, run.held)
    elif randomized and not run.dying:
        control = run.event.control
        spread = cancel_spread_seconds(run.event)
        drawn = draw(bench.scene.seed, Purpose.CANCEL, control.mrid, control.version, bench.devices[0], spread)
        run.record = msgspec.structs.replace(run.record, cut_at=bench.now + drawn)
        run.end = _earlier(run.end, bench.now + drawn)


def _is_vanished(bench: Bench, run: Run) -> bool:
    if bench.scene.rules is not Rules.EDITION_2023 or run.event.unlisted_since is None:
        return False
    return run.end is None or bench.now < run.end


def _heed_server_supersession(bench: Bench, runs: list[Run]) -> None:
    """The server calls an event superseded: modes for which we know no winner are lost now, the others in time."""
    for run in runs:
        if run.event.control.status is not CurrentStatus.SUPERSEDED or not run.is_open or not run.reached:
            continue
        known = frozenset[str]().union(*(rival.held for rival in _rivals(run, runs) if rival.rank < run.rank))
        _take(bench, run, run.held - known, Closing.SUPERSEDED, ResponseStatus.SUPERSEDED)


def _rivals(run: Run, runs: list[Run]) -> Iterator[Run]:
    return (
        rival
        for rival in runs
        if rival is not run and rival.is_open and rival.reached and not rival.dying and overlaps(rival.event, run.event)
    )


def _supersede(bench: Bench, runs: list[Run]) -> None:
    """Turn by turn: who begins, best first, meets who has entered; then who is left takes from what is to come."""
    ours = sorted((run for run in runs if run.reached and run.is_open), key=lambda run: (_turn(bench, run), run.rank))
    entered = [run for run in ours if run.record.started and run.start <= bench.now]
    beginning = [run for run in ours if not run.record.started and run.start <= bench.now]
    waiting = [run for run in ours if run.start > bench.now]
    for turn, group in groupby(beginning, key=lambda run: _turn(bench, run)):
        for run in group:
            _enter(bench, run, entered)
        _knock_out(bench, entered, [run for run in beginning if _turn(bench, run) > turn])
        _knock_out(bench, entered, waiting)
    if not beginning:
        _knock_out(bench, entered, waiting)


def _enter(bench: Bench, run: Run, entered: list[Run]) -> None:
    for other in entered:
        _meet(bench, run, other)
        _meet(bench, other, run)
    entered.append(run)


def _knock_out(bench: Bench, entered: list[Run], others: list[Run]) -> None:
    for winner in entered:
        for other in others:
            _meet(bench, winner, other)


def _turn(bench: Bench, run: Run) -> int:
    """When it begins: at its effective start, but now if that had passed before it was known."""
    return run.start if run.record.started or run.start > bench.since else bench.now


def _meet(bench: Bench, winner: Run, other: Run) -> None:
    """`winner` has started; what does `other`, which holds a mode of it too, lose to it?"""
    if winner.dying or not winner.is_open or not other.is_open or winner.held.isdisjoint(other.held):
        return
    shared = winner.held & other.held
    status = ResponseStatus.SUPERSEDED if winner.event.program == other.event.program else ResponseStatus.OTHER_PROGRAM
    if other.dying:
        _take(bench, other, shared, Closing.CANCELLED, ResponseStatus.CANCELLED)
    elif other.end is not None and other.end <= winner.start:
        return
    elif overlaps(winner.event, other.event):
        if winner.rank < other.rank:
            _take(bench, other, shared, Closing.SUPERSEDED, status)
    elif other.event.start < winner.event.start:
        if other.record.started:
            _take(bench, other, shared, Closing.COMPLETED, ResponseStatus.COMPLETED)
        else:
            _take(bench, other, shared, Closing.SUPERSEDED, status)


def _take(bench: Bench, run: Run, modes: frozenset[str], closing: Closing, status: ResponseStatus) -> None:
    if not modes:
        return
    held = run.held - modes
    run.record = msgspec.structs.replace(run.record, lost=tuple(sorted({*run.record.lost, *modes})))
    if not held:
        _close(bench, run, closing, status, modes)
    run.held = held


def _pass_time(bench: Bench, run: Run) -> None:
    if not run.is_open:
        return
    if not run.held:
        _close(bench, run, Closing.SILENT, None, ())
    elif run.end is not None and run.end <= bench.now:
        _finish(bench, run)
    elif run.start <= bench.now and not run.record.started and run.reached:
        run.record = msgspec.structs.replace(run.record, started=True)
        bench.speech.respond(run.event.control, ResponseStatus.STARTED, run.held, bench.devices)


def _finish(bench: Bench, run: Run) -> None:
    if run.dying:
        _close(bench, run, Closing.CANCELLED, ResponseStatus.CANCELLED, run.held)
    elif run.record.started:
        _close(bench, run, Closing.COMPLETED, ResponseStatus.COMPLETED, run.held)
    else:
        if run.reached:
            bench.speech.note(NoteKind.MISSED, run.record.event, bench.devices)
        _close(bench, run, Closing.MISSED if run.reached else Closing.SILENT, None, ())


def _close(
    bench: Bench, run: Run, closing: Closing, status: ResponseStatus | None, modes: frozenset[str] | tuple[()]
) -> None:
    if not run.reached:
        bench.speech.note(NoteKind.LEFT, run.record.event, bench.devices)
        closing, status = Closing.SILENT, None
    run.record = msgspec.structs.replace(run.record, closing=closing)
    if status is not None:
        bench.speech.respond(run.event.control, status, modes, bench.devices)


def _earlier(first: int | None, second: int | None) -> int | None:
    known = [moment for moment in (first, second) if moment is not None]
    return min(known, default=None)
