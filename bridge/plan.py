"""The plan: a frozen picture of the world in, one desired order for each function of a device out. Pure, level-based.

Power, of which every device has one order, is planned in `power_plan`; each other function that a wish holds, or that
was ordered before, in `function_plan`. Limits at a site with a meter are held at its connection (`site_limits`). What
cannot be carried out at all is named in `not_carried`. With no wish in force a function is released to the device's own
default.
"""

from collections.abc import Iterator

from wattseal.bridge import power_plan, profiles
from wattseal.bridge.function_plan import carried, desired_functions, order_value
from wattseal.bridge.power_plan import PowerDraft
from wattseal.bridge.site.model import Site
from wattseal.bridge.site_limits import held_by_meter, hold_limits
from wattseal.bridge.timeline import ActiveWish, in_force
from wattseal.bridge.world import PLANNER, Desired, DevicePicture, Plan, World
from wattseal.protocols.grid_event import Point
from wattseal.protocols.wish import Connect

__all__ = ["PLANNER", "Desired", "DevicePicture", "Plan", "World", "plan"]


def plan(world: World, site: Site) -> Plan:
    """The desired orders, in the site's order of devices: power first, then the functions in use. Meters have none."""
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
