"""LoadShedAvailability: how much of what a device absorbs now could be shed, for a programme that wants to know.

A programme says by its thresholds whether it wants to be told, and how far a value must have moved to be told again; a
programme without them is told nothing (DemandResponseProgram). All that a device absorbs can be shed, since a limit of
zero can be given to it; a device that takes no such limit offers nothing. For how long is not known, and not told.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Link
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.duties.durable import pack, unpack
from wattseal.protocols.ieee2030_5.client.duties.scaling import active_power, as_told
from wattseal.protocols.ieee2030_5.client.duties.surroundings import MayServe, device_at, everybody, path_of
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.sets.inputs import LIMITS_ABSORPTION
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.demand_response import DemandResponseProgram, LoadShedAvailability
from wattseal.protocols.ieee2030_5.translating.numbers import floor

WHOLE: Final = 10_000
"""All of the load, in hundredths of a percent."""
LEAST_SECONDS: Final = 60
"""A device is told no oftener, whatever its load does."""
_INT16_MOST: Final = 2**15 - 1
_LAYOUT: Final = 1


class Offer(msgspec.Struct, frozen=True, array_like=True):
    """What was last told of a device, when, and where it stands at the server (empty: not there yet)."""

    watts: int
    program: str
    at: int
    href: str = ""


class LoadShedState(msgspec.Struct, frozen=True):
    """Offers by device name."""

    devices: dict[str, Offer] = {}


class LoadShed:
    """The duty."""

    name: Final = "load_shed"

    def __init__(self, config: ClientConfig, may_serve: MayServe = everybody) -> None:
        self._config = config
        self._may_serve = may_serve
        self._able = [one for one in config.devices if not LIMITS_ABSORPTION.isdisjoint(one.ratings.modes)]
        self._names = frozenset(one.name for one in self._able)
        self._watts: dict[str, int] = {}
        self._state = LoadShedState()
        self._going: dict[tuple[str, bytes], Offer] = {}

    def take(self, measured: Measured) -> None:
        """What a device absorbs; what it injects is no load."""
        if measured.device in self._names and measured.watts is not None:
            self._watts[measured.device] = as_told(max(0, -measured.watts), _INT16_MOST)

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """What a programme wants to know and does not."""
        return tuple(self._due(survey, now))

    def wake_at(self, now: int) -> int | None:
        """When a device that was just told of may be told of again."""
        times = [
            told.at + LEAST_SECONDS
            for name, told in self._state.devices.items()
            if self._watts.get(name, told.watts) != told.watts
        ]
        return min((at for at in times if at > now), default=None)

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        """It was taken, or refused for good; a place that is gone is made anew the next time."""
        _, name = errand.key
        before = self._state.devices.get(name)
        href = "" if before is None else before.href
        if answer.good:
            href = path_of(answer.location, errand.request.href) or href
        elif errand.request.method is Method.PUT:
            href = ""
        offer = msgspec.structs.replace(self._going[name, errand.request.body], at=now, href=href)
        self._going = {key: one for key, one in self._going.items() if key[0] != name}
        self._state = LoadShedState({**self._state.devices, name: offer})
        return (Told(self.name, name, errand.request.href, errand.request.body, answer.status),)

    def dump(self) -> bytes:
        """What was told."""
        return pack(self._state, _LAYOUT)

    def load(self, data: bytes) -> None:
        """Raises DutyStateError."""
        self._state = unpack(LoadShedState, data, _LAYOUT)

    def _due(self, survey: Survey, now: int) -> Iterator[Errand]:
        for device in self._able:
            read = device_at(survey, device.lfdi, self._may_serve)
            watts = self._watts.get(device.name)
            link = None if read is None else read.end_device.load_shed_availability_list_link
            program = None if read is None else _curious(read.load_programs)
            if watts is None or link is None or program is None:
                continue
            told = self._state.devices.get(device.name)
            if told is not None and not _is_news(told, watts, program, now):
                continue
            body = encode(availability_of(watts, program), self._config.profile)
            self._going[device.name, body] = Offer(watts, program.mrid, now)
            place = "" if told is None else told.href
            request = Request(Method.PUT, place, body) if place else Request(Method.POST, link.href, body)
            yield Errand((self.name, device.name), request)


def availability_of(watts: int, program: DemandResponseProgram) -> LoadShedAvailability:
    """The document for a programme, with what its thresholds ask for. `watts`: absorbed now, non-negative."""
    wants_percent = bool(program.availability_update_percent_change_threshold)
    return LoadShedAvailability(
        demand_response_program_link=None if program.href is None else Link(href=program.href),
        sheddable_percent=WHOLE if wants_percent else None,
        sheddable_power=active_power(watts) if _power_threshold(program) else None,
    )


def _curious(programs: tuple[DemandResponseProgram, ...]) -> DemandResponseProgram | None:
    """The best programme that wants to be told."""
    wanting = (one for one in programs if _power_threshold(one) or one.availability_update_percent_change_threshold)
    return min(wanting, key=lambda one: (one.primacy, one.mrid), default=None)


def _power_threshold(program: DemandResponseProgram) -> int:
    threshold = program.availability_update_power_change_threshold
    return 0 if threshold is None else max(0, floor(threshold.value, threshold.multiplier))


def _is_news(told: Offer, watts: int, program: DemandResponseProgram, now: int) -> bool:
    """The percentage never changes; the power is told again when it moved by more than the threshold."""
    if told.program != program.mrid:
        return True
    threshold = _power_threshold(program)
    return bool(threshold) and abs(watts - told.watts) > threshold and now >= told.at + LEAST_SECONDS
