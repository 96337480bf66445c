"""Who may see what: a guard for every row of the table of routes. What a guard does not give does not exist (404).

The caller is the LFDI of the TLS certificate and nothing else. A device's certificate reaches the one EndDevice that it
is; an aggregator's those that it registered or was given, and a virtual one of its own under number 0, which carries
subscriptions only. Programmes are reached through groups with a device of the caller; the rest belongs to who made it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from wattseal.protocols.ieee2030_5.server.state import (
    Curve,
    DerProgram,
    Device,
    Group,
    HeardResponse,
    LoadProgram,
    Meter,
    Mirror,
    Program,
    Rate,
    Subscriber,
    Tariff,
    TextProgram,
)
from wattseal.protocols.ieee2030_5.server.turn import Turn

Ids = tuple[int, ...]
P = TypeVar("P", bound=Program)
N = TypeVar(
    "N",
    Curve,
    Device,
    Group,
    HeardResponse,
    DerProgram,
    LoadProgram,
    TextProgram,
    Tariff,
    Rate,
    Mirror,
    Meter,
    Subscriber,
)
AGGREGATOR: int = 0
"""The number of an aggregator's virtual EndDevice."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A path whose numbers were found to be the caller's."""

    ids: Ids


@dataclass(frozen=True, slots=True)
class InGroup:
    """A group, seen from a member."""

    device: Device
    group: Group


@dataclass(frozen=True, slots=True)
class InMirror:
    """A meter of a mirror."""

    mirror: Mirror
    meter: Meter


@dataclass(frozen=True, slots=True)
class InTariff:
    """A rate component of a tariff."""

    tariff: Tariff
    rate: Rate


def own_devices(turn: Turn) -> tuple[Device, ...]:
    """All devices for which the caller's certificate may act, by SFDI."""
    return tuple(sorted((one for one in turn.world.devices if one.owner == turn.caller), key=lambda one: one.sfdi))


def own_groups(turn: Turn) -> tuple[Group, ...]:
    """All groups with a device of the caller that is served."""
    members = {one.serial for one in own_devices(turn) if one.enabled}
    return tuple(one for one in turn.world.groups if members.intersection(one.members))


def reached(turn: Turn, programs: Iterable[P]) -> tuple[P, ...]:
    """Those of the programmes that the caller reaches, by primacy, then mRID."""
    serials = {serial for group in own_groups(turn) for serial in group.programs}
    return ordered(one for one in programs if one.serial in serials)


def ordered(programs: Iterable[P]) -> tuple[P, ...]:
    """By primacy, then mRID."""
    return tuple(sorted(programs, key=lambda one: (one.primacy, one.mrid)))


def anybody(_: Turn, ids: Ids) -> Granted | None:
    """Whoever has a trusted certificate."""
    return Granted(ids)


def device(turn: Turn, ids: Ids) -> Device | None:
    """A device of the caller that is served."""
    found = of_serial((one for one in turn.world.devices if one.owner == turn.caller), ids[0])
    return found if found is not None and found.enabled else None


def listed_device(turn: Turn, ids: Ids) -> Device | None:
    """A device of the caller, served or not."""
    return of_serial((one for one in turn.world.devices if one.owner == turn.caller), ids[0])


def device_or_aggregator(turn: Turn, ids: Ids) -> Granted | None:
    """As `device`, or the caller's virtual one."""
    if ids[0] == AGGREGATOR:
        return Granted(ids) if turn.is_aggregator else None
    return Granted(ids) if device(turn, ids) is not None else None


def der(turn: Turn, ids: Ids) -> Device | None:
    """A device of the caller that has a DER of the second number (1 is the first)."""
    found = device(turn, ids)
    return found if found is not None and 1 <= ids[1] <= found.ders else None


def group(turn: Turn, ids: Ids) -> InGroup | None:
    """A group of a device of the caller."""
    member = device(turn, ids)
    found = of_serial(turn.world.groups, ids[1])
    if member is None or found is None or member.serial not in found.members:
        return None
    return InGroup(member, found)


def der_program(turn: Turn, ids: Ids) -> DerProgram | None:
    """A programme that the caller reaches."""
    return of_serial(reached(turn, turn.world.der_programs), ids[0])


def load_program(turn: Turn, ids: Ids) -> LoadProgram | None:
    """A programme that the caller reaches."""
    return of_serial(reached(turn, turn.world.load_programs), ids[0])


def text_program(turn: Turn, ids: Ids) -> TextProgram | None:
    """A programme that the caller reaches."""
    return of_serial(reached(turn, turn.world.text_programs), ids[0])


def tariff(turn: Turn, ids: Ids) -> Tariff | None:
    """A tariff that the caller reaches."""
    return of_serial(reached(turn, turn.world.tariffs), ids[0])


def rate(turn: Turn, ids: Ids) -> InTariff | None:
    """A rate component of such a tariff."""
    found = tariff(turn, ids)
    part = None if found is None else of_serial(found.rates, ids[1])
    return None if found is None or part is None else InTariff(found, part)


def response_set(_: Turn, ids: Ids) -> Granted | None:
    """The one set; what is in it is sorted out by the handlers."""
    return Granted(ids) if ids[0] == 1 else None


def response(turn: Turn, ids: Ids) -> HeardResponse | None:
    """An answer that the caller has sent."""
    mine = (one for one in turn.world.responses if one.owner == turn.caller)
    return of_serial(mine, ids[1]) if ids[0] == 1 else None


def mirror(turn: Turn, ids: Ids) -> Mirror | None:
    """A mirror that the caller made."""
    return of_serial((one for one in turn.world.mirrors if one.owner == turn.caller), ids[0])


def meter(turn: Turn, ids: Ids) -> InMirror | None:
    """A meter of such a mirror."""
    found = mirror(turn, ids)
    part = None if found is None else of_serial(found.meters, ids[1])
    return None if found is None or part is None else InMirror(found, part)


def subscriber(turn: Turn, ids: Ids) -> Subscriber | None:
    """A subscription of the caller under that device."""
    if device_or_aggregator(turn, ids) is None:
        return None
    mine = (one for one in turn.world.subscribers if one.owner == turn.caller and one.device == ids[0])
    return of_serial(mine, ids[1])


def of_serial(among: Iterable[N], serial: int) -> N | None:
    """The one of this number."""
    return next((one for one in among if one.serial == serial), None)
