"""What the utility does to events that it has published: cancels, changes, removes. They are named by mRID."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.base import Event
from wattseal.protocols.ieee2030_5.server.changes import put
from wattseal.protocols.ieee2030_5.server.state import Listed, Rate, Tariff, World
from wattseal.protocols.ieee2030_5.vocabulary import EventState

E = TypeVar("E", bound=Event)
_TOO_LATE_SECONDS = 7 * 86_400
Edit = Callable[[Listed[Event]], Listed[Event] | None]


def cancel(world: World, now: int, mrid: str, *, randomized: bool, reason: str | None) -> World:
    """Cancels an event at `now` (by the server's clock), at once (2) or spread by its randomisation (3)."""
    state = EventState.CANCELLED_WITH_RANDOMIZATION if randomized else EventState.CANCELLED
    return edited(
        world, mrid, lambda one: msgspec.structs.replace(one, cancelled=state, cancelled_at=now, reason=reason)
    )


def remove(world: World, mrid: str) -> World:
    """Lists an event no longer; answers to it are still taken."""
    return edited(world, mrid, lambda one: msgspec.structs.replace(one, dropped=True))


def alter(world: World, mrid: str, event: Event) -> World:
    """Puts another event in the place of one; both have the same mRID and type."""

    def change(one: Listed[Event]) -> Listed[Event]:
        if type(one.event) is not type(event):
            raise MisuseError("event_kind", f"{mrid} is a {type(one.event).__name__}, not a {type(event).__name__}.")
        return msgspec.structs.replace(one, event=event)

    return edited(world, mrid, change)


def kept_event(world: World, mrid: str) -> Event:
    """The event of an mRID. Raises MisuseError (`unknown_thing`)."""
    found: list[Event] = []

    def look(one: Listed[Event]) -> Listed[Event]:
        found.append(one.event)
        return one

    edited(world, mrid, look)
    return found[0]


def require_free(world: World, mrid: str | None) -> None:
    """No event has this mRID yet, or none is named. Raises MisuseError (`mrid_taken`)."""
    if mrid is None:
        return
    try:
        kept_event(world, mrid)
    except MisuseError:
        return
    raise MisuseError("mrid_taken", f"There is an event {mrid} already; change it instead.")


def pruned(world: World, now: int) -> World:
    """Without events that ended so long ago (a week) that nobody answers to them any more."""
    if not any(_is_old(one, now) for program in world.der_programs for one in program.controls):
        return world
    for program in world.der_programs:
        left = tuple(one for one in program.controls if not _is_old(one, now))
        world = put(world, msgspec.structs.replace(program, controls=left))
    return world


def edited(world: World, mrid: str, edit: Edit) -> World:
    """The world with the event of this mRID changed, wherever it stands. Raises MisuseError (`unknown_thing`)."""
    wanted = mrid.upper()
    for der in world.der_programs:
        if _has(der.controls, wanted):
            return put(world, msgspec.structs.replace(der, controls=_edited(der.controls, wanted, edit)))
    for load in world.load_programs:
        if _has(load.controls, wanted):
            return put(world, msgspec.structs.replace(load, controls=_edited(load.controls, wanted, edit)))
    for text in world.text_programs:
        if _has(text.texts, wanted):
            return put(world, msgspec.structs.replace(text, texts=_edited(text.texts, wanted, edit)))
    for tariff in world.tariffs:
        for rate in tariff.rates:
            if _has(tuple(one.listed for one in rate.intervals), wanted):
                return put(world, _with_rate(tariff, rate, wanted, edit))
    for device in world.devices:
        if _has(device.flow_responses, wanted):
            changed = _edited(device.flow_responses, wanted, edit)
            return put(world, msgspec.structs.replace(device, flow_responses=changed))
    raise MisuseError("unknown_thing", f"There is no event {mrid!r}: name one by its mRID.")


def _has(listed: tuple[Listed[E], ...], mrid: str) -> bool:
    return any(one.event.mrid == mrid for one in listed)


def _edited(listed: tuple[Listed[E], ...], mrid: str, edit: Edit) -> tuple[Listed[E], ...]:
    return tuple(edit(one) if one.event.mrid == mrid else one for one in listed)  # type: ignore[arg-type,misc]  # an edit keeps the type of the event


def _with_rate(tariff: Tariff, rate: Rate, mrid: str, edit: Edit) -> Tariff:
    intervals = tuple(
        msgspec.structs.replace(one, listed=_edited((one.listed,), mrid, edit)[0]) for one in rate.intervals
    )
    changed = msgspec.structs.replace(rate, intervals=intervals)
    rates = tuple(changed if one.serial == rate.serial else one for one in tariff.rates)
    return msgspec.structs.replace(tariff, rates=rates)


def _is_old(one: Listed[E], now: int) -> bool:
    return one.event.interval.end + _TOO_LATE_SECONDS < now
