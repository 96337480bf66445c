"""The plan: a frozen picture of the world in, one desired order for each function of a device out. Pure, level-based.

Power, of which every device has one order, is planned in `power_plan`; each other function that a wish holds, or that
was ordered before, in `function_plan`. Limits at a site with a meter are held at its connection (`site_limits`). What
cannot be carried out at all is named in `not_carried`. With no wish in force a function is released to the device's own
default.

A wish that is followed at once by another for the same function is handed over (`docs/decisions/013`): shortly before
its end the order's hold is made a little longer, so that the next order supersedes it before anything runs out. Where
nothing follows, no order is held beyond the wish.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from wattseal.bridge import power_plan, profiles
from wattseal.bridge.function_plan import carried, desired_functions, order_value
from wattseal.bridge.power_plan import PowerDraft
from wattseal.bridge.site.model import Site
from wattseal.bridge.site_limits import held_by_meter, hold_limits
from wattseal.bridge.timeline import ActiveWish, in_force
from wattseal.bridge.world import PLANNER, Desired, DevicePicture, Plan, World
from wattseal.drivers.commands import Operation
from wattseal.protocols.grid_event import Point
from wattseal.protocols.wish import Connect

__all__ = ["HANDOVER_SECONDS", "PLANNER", "Desired", "DevicePicture", "Plan", "World", "plan"]

HANDOVER_SECONDS: Final = 20  # so long before its end an order is looked at for what follows: two rounds to the device
_OVERLAP_SECONDS: Final = 10  # so much longer it is held then, at most, should the next one not come


def plan(world: World, site: Site) -> Plan:
    """The desired orders, in the site's order of devices: power first, then the functions in use. Meters have none."""
    made = _planned(world, site)
    return replace(made, desired=tuple(_handed_over(made.desired, world, site)))


def _handed_over(desired: Iterable[Desired], world: World, site: Site) -> Iterator[Desired]:
    """Orders whose wish ends soon and is followed by another for the same function, held a little longer."""
    followed: dict[int, frozenset[object]] = {}
    for one in desired:
        order = one.order
        end = order.not_before + order.hold_seconds
        if order.operation is Operation.RELEASE or not order.hold_seconds or end > world.now + HANDOVER_SECONDS:
            yield one
            continue
        if end not in followed:
            next_ones = _planned(replace(world, now=end), site).desired
            followed[end] = frozenset(n.order.seat for n in next_ones if n.order.operation is not Operation.RELEASE)
        longer = replace(order, hold_seconds=order.hold_seconds + _OVERLAP_SECONDS)
        yield replace(one, order=longer) if order.seat in followed[end] else one


def _planned(world: World, site: Site) -> Plan:
    drafts = {
        device.name: PowerDraft(device, profiles.operations_of(device.profile))
        for device in site.devices
        if not profiles.is_meter(device.profile)
    }
    pictures = {picture.name: picture for picture in world.devices}
    active = power_plan.without_outranked_levels(in_force(world.events, world.now))
    beside: dict[str, list[ActiveWish]] = {}
    for wish in active:
        enrolled = frozenset(site.devices_of(wish.timed.event.origin.utility))
        if not held_by_meter(wish, site):
            power_plan.apply(wish, [draft for name, draft in drafts.items() if name in enrolled], drafts, pictures)
        if order_value(wish.wish) is not None or isinstance(wish.wish, Connect):
            for name in enrolled if wish.course.point is Point.SITE else enrolled.intersection(wish.course.devices):
                beside.setdefault(name, []).append(wish)
    holds = hold_limits(active, drafts, world, site)
    return Plan(tuple(_all(drafts, beside, world, site)), holds)


def _all(
    drafts: dict[str, PowerDraft], beside: dict[str, list[ActiveWish]], world: World, site: Site
) -> Iterator[Desired]:
    for name, draft in drafts.items():
        asked = [(wish, carried(draft.device, wish)) for wish in beside.get(name, ())]
        draft.not_carried.extend(answer for _, answer in asked if isinstance(answer, str))
        yield power_plan.desired(draft, site)
        if asked or world.held:
            yield from desired_functions(draft.device, asked, world.held)
