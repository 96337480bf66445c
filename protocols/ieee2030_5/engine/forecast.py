"""What is and will be in force: the engine run ahead on a scratch copy, so that no second rule can differ from it.

Nothing outside is heard while it runs: what it tells holds until the next picture, notification or clock change.
Devices do not influence each other, so each cohort is run ahead alone, the one with the earliest edge first; what one
edge costs does not grow with the number of devices that were drawn apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, TypeAlias

import msgspec

from wattseal.protocols.ieee2030_5.engine.engine import Step, step
from wattseal.protocols.ieee2030_5.engine.force import InForce, in_force
from wattseal.protocols.ieee2030_5.engine.inputs import Tick
from wattseal.protocols.ieee2030_5.engine.state import State

MOST_EDGES: Final = 96  # 48 events of a device; about a tenth of a second of work, for nothing else runs meanwhile
HORIZON_SECONDS: Final = 7 * 86_400

Span: TypeAlias = tuple[int, InForce]
Spans: TypeAlias = Mapping[str, Span]


@dataclass(frozen=True, slots=True)
class Segment:
    """For these devices (LFDIs) a mode has a value from `since` to `until` (our unix seconds; None: open-ended).

    What stands behind it (source, programme, event, ramp) is in `force`; its own times are not read (None here). An
    event that runs already has its effective start as `since`, also where it became known later.
    """

    devices: tuple[bytes, ...]
    since: int
    until: int | None
    force: InForce


@dataclass(frozen=True, slots=True)
class Forecast:
    """Maximal segments by since, mode and devices, exact before `known_until` (None: for good).

    Two segments of one device and mode never share an instant. A segment that reaches past `known_until` has the end
    that stands by itself (an event's own end; none for a default): another event may end it earlier, but a forecast
    that is not renewed in time goes on with what held, and never with nothing.
    """

    segments: tuple[Segment, ...]
    known_until: int | None


def forecast(
    state: State, now: int, *, most_edges: int = MOST_EDGES, horizon_seconds: int = HORIZON_SECONDS
) -> Forecast:
    """What a state makes of the time from `now` (our unix seconds, not before its last evaluation) on.

    `most_edges` bounds the work: instants judged, counted for each group of devices that runs alike. Without a trusted
    clock only defaults are told, open-ended, as the engine has it.
    """
    walk = _Walk()
    start = msgspec.structs.replace(state, outbox=())
    walk.enter(step(start, Tick(), now), now, {})
    for _ in range(most_edges):
        if walk.next_at is None or walk.next_at >= now + horizon_seconds:
            break
        walk.advance()
    return walk.finished()


@dataclass(frozen=True, slots=True)
class _Ahead:
    """One cohort that has something to come, with what is open of it."""

    state: State
    spans: Spans
    wake_at: int


class _Walk:
    """Cohorts by their next edge, and the segments that were closed."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, _Ahead]] = []
        self._entered = 0
        self._segments: dict[tuple[int, int | None, InForce], list[bytes]] = {}

    @property
    def next_at(self) -> int | None:
        """The earliest edge not judged yet."""
        return self._waiting[0][0] if self._waiting else None

    def advance(self) -> None:
        """Judge the cohort whose edge is the earliest."""
        at, _, ahead = heappop(self._waiting)
        self.enter(step(ahead.state, Tick(), at), at, ahead.spans)

    def enter(self, taken: Step, at: int, before: Spans) -> None:
        """Take what a step made of one or many cohorts of which `before` was open."""
        for alone in _apart(taken.state):
            devices = alone.cohorts[0].devices
            values = {value.mode: value for holding in in_force(alone) for value in holding.values}
            spans = self._moved(devices, before, values, at)
            wake_at = _wake_at(alone)
            if wake_at is None:
                self._close(devices, spans)
                continue
            self._entered += 1
            heappush(self._waiting, (wake_at, self._entered, _Ahead(alone, spans, wake_at)))

    def finished(self) -> Forecast:
        """All segments; those still open get the end that stands by itself."""
        known_until = self.next_at
        for _, _, ahead in self._waiting:
            self._close(ahead.state.cohorts[0].devices, ahead.spans, natural=True)
        self._waiting.clear()
        segments = [
            Segment(tuple(sorted(devices)), since, until, force)
            for (since, until, force), devices in self._segments.items()
        ]
        segments.sort(key=lambda segment: (segment.since, segment.force.mode, segment.devices))
        return Forecast(tuple(segments), known_until)

    def _moved(self, devices: tuple[bytes, ...], before: Spans, values: Mapping[str, InForce], at: int) -> Spans:
        spans: dict[str, Span] = {}
        for mode, value in values.items():
            open_span = before.get(mode)
            if open_span is not None and _timeless(open_span[1]) == _timeless(value):
                spans[mode] = open_span[0], value
            else:
                spans[mode] = at if value.since is None else min(at, value.since), value
        for mode, (since, value) in before.items():
            if mode not in spans or spans[mode][0] != since:
                self._emit(devices, since, at, value)
        return spans

    def _close(self, devices: tuple[bytes, ...], spans: Spans, *, natural: bool = False) -> None:
        for since, value in spans.values():
            self._emit(devices, since, value.until if natural else None, value)

    def _emit(self, devices: tuple[bytes, ...], since: int, until: int | None, value: InForce) -> None:
        key = since, until, _timeless(value)
        self._segments.setdefault(key, []).extend(devices)


def _apart(state: State) -> Iterator[State]:
    """A state of its own for each managed cohort."""
    return (
        msgspec.structs.replace(state, cohorts=(cohort,), outbox=())
        for cohort in state.cohorts
        if cohort.standing.managed
    )


def _wake_at(state: State) -> int | None:
    due_at = state.cohorts[0].due_at
    return None if due_at is None or state.offset_seconds is None else due_at - state.offset_seconds


def _timeless(value: InForce) -> InForce:
    return msgspec.structs.replace(value, since=None, until=None)
