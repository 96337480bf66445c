"""All event engines of one session as one: fed together, told together, saved together. No set knows another.

What DER, load control and flow reservations ask is told as one schedule, for the devices obey all of it at once; prices
and texts are told as what is in force now, whenever that changes. A set that the server never used is left alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from wattseal.certs.clock import Instant
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.happenings import (
    Happening,
    Heard,
    PricesInForce,
    ScheduleChanged,
    Shown,
    TextsInForce,
)
from wattseal.protocols.ieee2030_5.client.responses import Responses, der_writer
from wattseal.protocols.ieee2030_5.client.schedule import Schedule
from wattseal.protocols.ieee2030_5.client.sets.answers import WRITERS
from wattseal.protocols.ieee2030_5.engine.force import InForce, Source, in_force
from wattseal.protocols.ieee2030_5.engine.forecast import Segment
from wattseal.protocols.ieee2030_5.engine.inputs import Input
from wattseal.protocols.ieee2030_5.engine.state import State, to_bytes
from wattseal.protocols.ieee2030_5.set_values import FunctionSet

Inputs: TypeAlias = Mapping[FunctionSet, Sequence[Input]]

_STEERING: Final = frozenset({FunctionSet.DER, FunctionSet.LOAD_CONTROL, FunctionSet.FLOW_RESERVATION})


@dataclass(slots=True)
class _Set:
    """One set: its engine and its Responses. `heard_of`: whether the server ever used it."""

    name: FunctionSet
    schedule: Schedule
    responses: Responses
    heard_of: bool
    told: tuple[Segment, ...] = ()
    known_until: int | None = None


class EventSets:
    """The engines of one server. Raises EngineStateError for stored bytes that are not of this release."""

    def __init__(self, config: ClientConfig, der: bytes | None, others: Mapping[str, bytes]) -> None:
        self._restarted = der is not None
        self._der = _Set(
            FunctionSet.DER, Schedule(config, der), Responses(config, "response", der_writer(config)), True
        )
        self._sets = [self._der]
        for name, write in WRITERS.items():
            stored = others.get(name)
            responses = Responses(config, f"response_{name}", write)
            schedule = Schedule(config, stored, foresees=name in _STEERING)
            self._sets.append(_Set(name, schedule, responses, stored is not None))
        self._shown: dict[FunctionSet, tuple[Shown, ...]] = {}

    @property
    def responses(self) -> tuple[Responses, ...]:
        """The duties that answer, one for each set."""
        return tuple(one.responses for one in self._sets)

    @property
    def offset_seconds(self) -> int | None:
        """How far the server's clock is ahead, as the engines know it."""
        return self._der.schedule.state.offset_seconds

    @property
    def states(self) -> tuple[State, ...]:
        """Each engine's state; the same objects as long as nothing changed."""
        return tuple(one.schedule.state for one in self._sets)

    def state_of(self, name: FunctionSet) -> State:
        """One engine's state."""
        return next(one.schedule.state for one in self._sets if one.name is name)

    def to_bytes(self) -> tuple[bytes, dict[str, bytes]]:
        """DER's state, and those of the other sets that the server uses."""
        others = {str(one.name): to_bytes(one.schedule.state) for one in self._sets[1:] if one.heard_of}
        return to_bytes(self._der.schedule.state), others

    def begin(self, now: Instant) -> tuple[Happening, ...]:
        """After a start: what is stored holds at once, told whole."""
        happenings = [one for some in self._sets for one in self._taken(some, some.schedule.begin(now))]
        whole = (self._whole(()),) if self._restarted else ()
        return (*happenings, *whole, *self._news())

    def feed(
        self, inputs: Inputs, now: Instant, offset_seconds: int | None, heard: tuple[Heard, ...]
    ) -> tuple[Happening, ...]:
        """Take each set's inputs in their order, the clock before them."""
        happenings: list[Happening] = []
        changed = False
        for one in self._sets:
            given = inputs.get(one.name, ())
            one.heard_of |= bool(given)
            if not one.heard_of:
                continue
            events = one.schedule.state.events
            of_der = heard if one is self._der else ()
            changed |= self._heed(one, one.schedule.feed(given, now, offset_seconds, of_der), happenings)
            # A price or a text changes no schedule, but the message that brought it goes on record like any other.
            changed |= bool(heard) and one.name not in _STEERING and one.schedule.state.events is not events
        return (*happenings, *((self._whole(heard),) if changed else ()), *self._news())

    def looked(self, now: Instant, offset_seconds: int | None) -> tuple[Happening, ...]:
        """Time passed."""
        happenings: list[Happening] = []
        changed = False
        for one in self._used():
            changed |= self._heed(one, one.schedule.looked(now, offset_seconds), happenings)
        return (*happenings, *((self._whole(()),) if changed else ()), *self._news())

    def to_all(self, one: Input) -> Inputs:
        """An input for every set that is used."""
        return {some.name: (one,) for some in self._used()}

    def wake_at(self) -> int | None:
        """When something changes by the clock alone, our unix seconds."""
        return min((at for one in self._used() if (at := one.schedule.wake_at()) is not None), default=None)

    def acknowledge(self, mrid: bytes, now: Instant) -> bool:
        """A person has acknowledged a text that is shown; False where there is none of this mRID."""
        texts = next(one for one in self._sets if one.name is FunctionSet.MESSAGING)
        return texts.schedule.acknowledge(mrid, now)

    def owe(self) -> tuple[str, ...]:
        """Hands what is owed now to the Responses; the names of those whose debt changed."""
        changed = []
        for one in self._sets:
            if one.responses.owe(one.schedule.state):
                one.schedule.settle(one.responses.delivered())
                one.responses.owe(one.schedule.state)
                changed.append(one.responses.name)
        return tuple(changed)

    def settle(self) -> None:
        """What the Responses delivered is owed no longer."""
        for one in self._sets:
            one.schedule.settle(one.responses.delivered())

    def _used(self) -> Iterator[_Set]:
        return (one for one in self._sets if one.heard_of)

    def _heed(self, one: _Set, told: Iterable[Happening], happenings: list[Happening]) -> bool:
        """Keeps what a set tells; True if the common schedule is to be told anew."""
        before = one.told
        told = tuple(told)
        happenings += self._taken(one, told)
        renewed = any(isinstance(happening, ScheduleChanged) for happening in told)
        return renewed and one.name in _STEERING and (one is self._der or bool(before or one.told))

    def _taken(self, one: _Set, told: Iterable[Happening]) -> list[Happening]:
        """All but the schedule, which is kept until it is told with the others'."""
        rest: list[Happening] = []
        for happening in told:
            if isinstance(happening, ScheduleChanged):
                one.told, one.known_until = happening.segments, happening.known_until
            else:
                rest.append(happening)
        return rest

    def _whole(self, heard: tuple[Heard, ...]) -> ScheduleChanged:
        steering = [one for one in self._sets if one.name in _STEERING]
        segments = [segment for one in steering for segment in one.told]
        segments.sort(key=lambda segment: (segment.since, segment.force.mode, segment.devices))
        untils = [one.known_until for one in steering if one.known_until is not None]
        return ScheduleChanged(tuple(segments), min(untils, default=None), heard)

    def _news(self) -> tuple[Happening, ...]:
        """Prices and texts in force, where they are others than before."""
        found: list[Happening] = []
        for name, kind in ((FunctionSet.PRICING, PricesInForce), (FunctionSet.MESSAGING, TextsInForce)):
            shown = _shown(self.state_of(name))
            if shown != self._shown.get(name, ()):
                self._shown[name] = shown
                found.append(kind(shown))
        return tuple(found)


def _shown(state: State) -> tuple[Shown, ...]:
    """What events of a set have in force, each with the devices that it is for."""
    devices: dict[InForce, list[bytes]] = {}
    for holding in in_force(state):
        for value in holding.values:
            if value.source is Source.EVENT:
                devices.setdefault(value, []).extend(holding.devices)
    found = [Shown(value, tuple(sorted(lfdis))) for value, lfdis in devices.items()]
    return tuple(sorted(found, key=lambda one: (one.force.primacy, one.force.mode, one.devices)))
