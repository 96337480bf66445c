"""The arithmetic of events: effective times, who outranks whom, and what overlaps.

Overlap is judged on the specified periods, which all devices share; where only the random draws make two events meet,
the later one's effective start ends the earlier one, and adjacent events are never a conflict (rule m).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from wattseal.protocols.ieee2030_5.engine.inputs import OPEN_ENDED_SECONDS, Rules
from wattseal.protocols.ieee2030_5.engine.state import Event, KnownProgram, Record, Standing, State

Rank: TypeAlias = tuple[int, int, int, bytes]


@dataclass(frozen=True)
class Scene:
    """What all devices see alike during one evaluation; derived tables are made when first asked for."""

    seed: bytes
    rules: Rules
    programs: Mapping[bytes, KnownProgram]
    events: Mapping[bytes, Event]

    @classmethod
    def of(cls, state: State) -> "Scene":
        """The scene of a state."""
        return cls(state.seed, state.rules, state.programs, state.events)

    @cached_property
    def listed(self) -> dict[bytes, list[Event]]:
        """The events that each programme's list names now, by specified start, then mRID."""
        table: dict[bytes, list[Event]] = {}
        for event in self.events.values():
            if event.unlisted_since is None:
                table.setdefault(event.program, []).append(event)
        for events in table.values():
            events.sort(key=lambda event: (event.start, event.control.mrid))
        return table

    @cached_property
    def _modes(self) -> dict[bytes, frozenset[str]]:
        return {}

    def modes(self, mrid: bytes) -> frozenset[str]:
        """The modes of an event."""
        found = self._modes.get(mrid)
        if found is None:
            found = frozenset(setting.mode for setting in self.events[mrid].control.settings)
            self._modes[mrid] = found
        return found

    def applicable(self, mrid: bytes, standing: Standing) -> frozenset[str]:
        """The event's modes that a device of this standing can do."""
        wanted = self.modes(mrid)
        return wanted if standing.modes is None else wanted.intersection(standing.modes)

    def reaches(self, event: Event, standing: Standing) -> bool:
        """Whether a device of this standing is under the event's programme, and ours to command."""
        return standing.managed and event.program in standing.programs and event.program in self.programs

    def rank(self, event: Event) -> Rank:
        """Sort key, best first: lower primacy, then later creationTime, then larger mRID (rule e)."""
        program = self.programs.get(event.program)
        primacy = 1 << 16 if program is None else program.primacy
        mrid = event.control.mrid
        return primacy, -event.control.creation_time, -int.from_bytes(mrid, "big"), mrid

    def ranked_programs(self, standing: Standing) -> list[bytes]:
        """The device's programmes, best first: lower primacy, then larger mRID."""
        known = [mrid for mrid in standing.programs if mrid in self.programs]
        return sorted(known, key=lambda mrid: (self.programs[mrid].primacy, -int.from_bytes(mrid, "big"), mrid))


def effective_start(event: Event, record: Record) -> int:
    """Specified start plus its draw."""
    return event.start + record.start_draw_seconds


def effective_end(event: Event, record: Record) -> int | None:
    """Effective start plus effective duration (at least one second); None for an open-ended event."""
    duration = event.control.duration_seconds
    if duration >= OPEN_ENDED_SECONDS:
        return None
    return effective_start(event, record) + max(1, duration + record.duration_draw_seconds)


def overlaps(first: Event, second: Event) -> bool:
    """Whether the specified periods share an instant; one that begins as the other ends does not."""
    return _begins_before_end(first, second) and _begins_before_end(second, first)


def _begins_before_end(first: Event, second: Event) -> bool:
    end = second.end
    return end is None or first.start < end
