"""What is in force: for each device and mode the value, where it comes from, and until when it stands by itself.

An event that holds the mode; else, in the gap that a successor's randomised start would tear, the completed event that
was current when the gap began (rule m: no gap between successive events); else the default of the best programme whose
default sets the mode; else nothing, and the device's own setting holds.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from wattseal.protocols.ieee2030_5.engine.course import Run, open_run
from wattseal.protocols.ieee2030_5.engine.schedule import Scene, effective_end, effective_start
from wattseal.protocols.ieee2030_5.engine.state import Closing, Cohort, Event, Record, Standing, State


class Source(StrEnum):
    """Where a value comes from."""

    EVENT = "event"
    HELD = "held"  # a completed event's, until its successor starts
    DEFAULT = "default"


class InForce(msgspec.Struct, frozen=True, array_like=True):
    """One mode's value. `subject`: the event's mRID, empty for a default. `until`: our unix seconds, None: open.

    `primacy` is the programme's; `version` the event's, 0 for a default. `since`: the event's effective start (our
    unix seconds), None for what is no running event's.
    """

    mode: str
    value: bytes
    ramp_hundredths: int | None
    source: Source
    program: bytes
    subject: bytes
    until: int | None
    primacy: int = 0
    version: int = 0
    since: int | None = None


class Holding(msgspec.Struct, frozen=True, array_like=True):
    """Devices for which the same values are in force; `values` by mode."""

    devices: tuple[bytes, ...]
    values: tuple[InForce, ...]


def in_force(state: State) -> tuple[Holding, ...]:
    """What is in force at `state.evaluated_at` for every managed device. Without a trusted clock: the defaults."""
    scene = Scene.of(state)
    offset = state.offset_seconds
    now = state.evaluated_at
    defaults: dict[tuple[bytes, ...], dict[str, InForce]] = {}
    groups: dict[tuple[InForce, ...], list[bytes]] = {}
    for cohort in state.cohorts:
        standing = cohort.standing
        if not standing.managed:
            continue
        if standing.programs not in defaults:
            defaults[standing.programs] = _defaults(scene, standing)
        values = {mode: value for mode, value in defaults[standing.programs].items() if _can(standing, mode)}
        if offset is not None and now is not None:
            values.update(_event_values(scene, cohort, now, offset))
        key = tuple(values[mode] for mode in sorted(values))
        groups.setdefault(key, []).extend(cohort.devices)
    holdings = (Holding(tuple(sorted(devices)), values) for values, devices in groups.items())
    return tuple(sorted(holdings, key=lambda holding: holding.devices))


def by_device(holdings: tuple[Holding, ...]) -> dict[bytes, tuple[InForce, ...]]:
    """The same, by LFDI."""
    return {lfdi: holding.values for holding in holdings for lfdi in holding.devices}


def _defaults(scene: Scene, standing: Standing) -> dict[str, InForce]:
    values: dict[str, InForce] = {}
    for mrid in scene.ranked_programs(standing):
        default = scene.programs[mrid].default
        for setting in () if default is None else default.settings:
            ramp = None if default is None else default.ramp_hundredths
            primacy = scene.programs[mrid].primacy
            value = InForce(setting.mode, setting.value, ramp, Source.DEFAULT, mrid, b"", None, primacy)
            values.setdefault(setting.mode, value)
    return values


def _can(standing: Standing, mode: str) -> bool:
    return standing.modes is None or mode in standing.modes


def _event_values(scene: Scene, cohort: Cohort, now: int, offset: int) -> Mapping[str, InForce]:
    # Most records are neither running nor in their start window: they are passed over before anything is computed.
    begun = [record for record in cohort.records if record.started or scene.events[record.event].start <= now]
    runs = [run for record in begun if (run := open_run(scene, cohort.standing, record)) is not None]
    runs = [run for run in runs if run.reached and run.held]
    if not runs:
        return {}
    values = _held_values(scene, cohort, [run for run in runs if run.event.start <= now < run.start], now, offset)
    active = [run for run in runs if run.record.started and run.start <= now and (run.end is None or now < run.end)]
    for run in sorted(active, key=lambda run: run.rank, reverse=True):
        until = None if run.end is None else run.end - offset
        values.update(_values(scene, run.event, run.held, Source.EVENT, until, run.start - offset))
    return values


def _held_values(scene: Scene, cohort: Cohort, waiting: list[Run], now: int, offset: int) -> dict[str, InForce]:
    """For each waiting successor: the modes of what was completed within its start window, the latest end last."""
    values: dict[str, InForce] = {}
    if not waiting:
        return values
    ended = sorted(_completed(scene, cohort, now), key=lambda item: (item[0], item[1].event))
    for end, record in ended:
        event = scene.events[record.event]
        kept = scene.applicable(record.event, cohort.standing).difference(record.lost)
        for run in waiting:
            if run.event.start <= end < run.start:
                values.update(_values(scene, event, kept & run.held, Source.HELD, run.start - offset))
    return values


def _completed(scene: Scene, cohort: Cohort, now: int) -> list[tuple[int, Record]]:
    return [
        (end, record)
        for record in cohort.records
        if record.closing in {Closing.COMPLETED, Closing.MISSED}
        and scene.reaches(scene.events[record.event], cohort.standing)
        and (end := effective_end(scene.events[record.event], record)) is not None
        and effective_start(scene.events[record.event], record) < end <= now
    ]


def _values(
    scene: Scene, event: Event, modes: frozenset[str], source: Source, until: int | None, since: int | None = None
) -> dict[str, InForce]:
    control = event.control
    primacy = scene.programs[event.program].primacy
    who = control.ramp_hundredths, source, event.program, control.mrid, until, primacy, control.version, since
    return {
        setting.mode: InForce(setting.mode, setting.value, *who)
        for setting in control.settings
        if setting.mode in modes
    }
