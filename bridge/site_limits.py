"""Limits at the site where a meter measures its connection: wishes and readings in, limits of devices out. Pure.

The tightest limit in each direction is held (`connection_point`), by the devices for which its utility is enrolled and
that can be narrowed in that direction; looser ones are held with it. Every other device is part of the household.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from wattseal.bridge.connection_point import NOTHING_HELD, Flow, Hold, Holds, Part, hold
from wattseal.bridge.power_plan import PowerDraft
from wattseal.bridge.site.model import Site
from wattseal.bridge.timeline import ActiveWish
from wattseal.bridge.world import World
from wattseal.drivers.commands import Operation
from wattseal.protocols.grid_event import Point
from wattseal.protocols.wish import AbsorbLimit, InjectLimit

_LIMITS: Final = (InjectLimit, AbsorbLimit)


def held_by_meter(wish: ActiveWish, site: Site) -> bool:
    """Whether `wish` is a limit at the site, and the site has a meter to hold it by."""
    return bool(site.meter) and _flow_of(wish) is not None


def hold_limits(active: Sequence[ActiveWish], drafts: Mapping[str, PowerDraft], world: World, site: Site) -> Holds:
    """Narrows `drafts` so that the connection stays within the limits among `active`; what the next run must know.

    To be called when each device's setpoint is known: one that is ours is a way to narrow it.
    """
    if not site.meter:
        return NOTHING_HELD
    export, importing = (_hold(flow, active, drafts, world, site) for flow in (Flow.EXPORT, Flow.IMPORT))
    return Holds(export, importing)


def _flow_of(wish: ActiveWish) -> Flow | None:
    if wish.course.point is not Point.SITE:
        return None
    match wish.wish:
        case InjectLimit():
            return Flow.EXPORT
        case AbsorbLimit():
            return Flow.IMPORT
        case _:
            return None


def _hold(
    flow: Flow, active: Sequence[ActiveWish], drafts: Mapping[str, PowerDraft], world: World, site: Site
) -> Hold | None:
    limits = [(wish.wish.watts, wish) for wish in active if _flow_of(wish) is flow and isinstance(wish.wish, _LIMITS)]
    if not limits:
        return None
    watts, wish = min(limits, key=lambda limit: limit[0])
    enrolled = site.devices_of(wish.timed.event.origin.utility)
    mine = [draft for name, draft in drafts.items() if name in enrolled and _capacity_watts(draft, flow)]
    able = [draft for draft in mine if _can_be_narrowed(draft, flow)]
    measured = {one.name: one.measured for one in world.devices if one.reachable}
    parts = [Part(one.device.name, _capacity_watts(one, flow), measured.get(one.device.name)) for one in able]
    found = hold(flow, watts, measured.get(site.meter), parts, world.holds.of(flow), world.now)
    for draft in able:
        limited = draft.limit_inject if flow is Flow.EXPORT else draft.limit_absorb
        limited(found.limits[draft.device.name], wish)
    for draft in able or drafts.values():
        draft.not_carried.extend(found.notes)
    for draft in mine:
        if not _can_be_narrowed(draft, flow):
            draft.not_carried.append(f"{draft.device.profile} cannot be told to {flow} less: it counts as household")
    return found.hold


def _capacity_watts(draft: PowerDraft, flow: Flow) -> int:
    envelope = draft.device.envelope
    return envelope.max_watts if flow is Flow.EXPORT else -envelope.min_watts


def _can_be_narrowed(draft: PowerDraft, flow: Flow) -> bool:
    """By a limit of its own, or because its setpoint is ours."""
    limit = Operation.LIMIT_INJECT if flow is Flow.EXPORT else Operation.LIMIT_ABSORB
    return limit in draft.operations or (draft.setpoint is not None and Operation.SET_POWER in draft.operations)
