"""The next world from this one: things added, replaced and taken away, by kind and serial. Pure and small."""

from typing import TypeVar

import msgspec

from wattseal.protocols.ieee2030_5.server.state import (
    DerProgram,
    Device,
    Group,
    HeardResponse,
    LoadProgram,
    Mirror,
    Subscriber,
    Tariff,
    TextProgram,
    World,
)

Thing = Device | Group | DerProgram | LoadProgram | TextProgram | Tariff | Mirror | Subscriber | HeardResponse
T = TypeVar("T", bound=msgspec.Struct)
SHELVES: dict[type[msgspec.Struct], str] = {
    Device: "devices",
    Group: "groups",
    DerProgram: "der_programs",
    LoadProgram: "load_programs",
    TextProgram: "text_programs",
    Tariff: "tariffs",
    Mirror: "mirrors",
    Subscriber: "subscribers",
    HeardResponse: "responses",
}
"""Where in the world each kind stands."""


def next_serial(world: World) -> tuple[World, int]:
    """The world with its counter moved on, and the number that this gave."""
    return msgspec.structs.replace(world, serial=world.serial + 1), world.serial + 1


def put(world: World, thing: Thing) -> World:
    """The world with this in it, in place of the one with its serial or at the end."""
    shelf = SHELVES[type(thing)]
    return msgspec.structs.replace(world, **{shelf: put_into(getattr(world, shelf), thing)})


def take(world: World, thing: Thing) -> World:
    """The world without it."""
    shelf = SHELVES[type(thing)]
    left = tuple(one for one in getattr(world, shelf) if one.serial != thing.serial)
    return msgspec.structs.replace(world, **{shelf: left})


def put_into(things: tuple[T, ...], thing: T) -> tuple[T, ...]:
    """The same with one of this serial replaced, or added at the end."""
    serial = getattr(thing, "serial", None)
    if any(getattr(one, "serial", None) == serial for one in things):
        return tuple(thing if getattr(one, "serial", None) == serial else one for one in things)
    return (*things, thing)
