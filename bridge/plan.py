"""The plan: a frozen picture of the world in, one desired order per device out. Pure, integer, level-based.

A wish holds for the devices for which its utility is enrolled, at the site point too. In order, each rule may only
narrow what the one before it left:

1. The setpoint of a device is that of the highest-precedence wish that gives it one: a `Setpoint` at the device, its
   share of a `Setpoint` at the site (what devices bound by higher wishes leave over, by capacity), or a SIMPLE level
   that the site's table turns into a setpoint. Of one event, a setpoint or limit outranks its level: utilities send
   SIMPLE beside the finer signal for those who read nothing else.
2. Every limit in force narrows it, whichever event it comes from: a limit at the device, its share of a limit at the
   site, a level that the table turns into a limit, and last the connection's own limits. Where the site has a meter,
   the tightest limit at the site in each direction is held at the connection point instead (`connection_point`), by
   the devices of that wish that can be narrowed; looser ones are held with it.
3. The device's envelope narrows it.

A charger cannot be told to draw power, only to draw no more: a setpoint becomes a limit on what it absorbs. What cannot
be carried out at all is named in `not_carried`. With no wish in force a device is released to its own default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wattseal.bridge import profiles
from wattseal.bridge.connection_point import NOTHING_HELD, Flow, Hold, Holds, Measured, Part, hold
from wattseal.bridge.sharing import share
from wattseal.bridge.site.model import Device, Site
from wattseal.bridge.timeline import ActiveWish, TimedEvent, in_force
from wattseal.drivers.commands import Operation, Order
from wattseal.protocols.grid_event import Point
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Level, Setpoint

PLANNER: Final = "plan/2"
_LIMITS: Final = (InjectLimit, AbsorbLimit)
_UNMETERED: Final = "no meter at the connection point: the site's limit is shared, and the household does not count"


@dataclass(frozen=True, slots=True)
class DevicePicture:
    """What is known of a device when a plan is made, and the reading that says so.

    `reachable`: the reading is recent enough to be believed. `measured`: the power in it, where it has one.
    """

    name: str
    reading: bytes | None
    soc_permille: int | None
    reachable: bool
    measured: Measured | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Every input of one plan run but the site file itself. `holds`: what the run before it left of site limits."""

    now: int
    events: tuple[TimedEvent, ...]
    devices: tuple[DevicePicture, ...]
    holds: Holds = NOTHING_HELD


@dataclass(frozen=True, slots=True)
class Desired:
    """What one device should be doing. `source` is the wish that decides; None: the site's own default."""

    device: str
    order: Order
    source: ActiveWish | None
    not_carried: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """One desired order for each device that can be ordered, in the site's order, and what the next run must know."""

    desired: tuple[Desired, ...]
    holds: Holds


@dataclass(frozen=True, slots=True)
class _Bound:
    """A number of watts and the wish that set it."""

    watts: int
    wish: ActiveWish


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a device is told, and the wishes that make it so; the first is the one that asks."""

    operation: Operation
    watts: int
    by: tuple[ActiveWish, ...]


@dataclass(slots=True)
class _Draft:
    """A device's part of the plan while it is being narrowed."""

    device: Device
    operations: frozenset[Operation]
    setpoint: _Bound | None = None
    inject_limit: _Bound | None = None
    absorb_limit: _Bound | None = None
    not_carried: list[str] = field(default_factory=list)

    def set(self, watts: int, wish: ActiveWish) -> None:
        if self.setpoint is None:
            self.setpoint = _Bound(watts, wish)

    def limit_inject(self, watts: int, wish: ActiveWish) -> None:
        if self.inject_limit is None or watts < self.inject_limit.watts:
            self.inject_limit = _Bound(watts, wish)

    def limit_absorb(self, watts: int, wish: ActiveWish) -> None:
        if self.absorb_limit is None or watts < self.absorb_limit.watts:
            self.absorb_limit = _Bound(watts, wish)

    def limit(self, flow: Flow, watts: int, wish: ActiveWish) -> None:
        (self.limit_inject if flow is Flow.EXPORT else self.limit_absorb)(watts, wish)

    def capacity_watts(self, flow: Flow) -> int:
        envelope = self.device.envelope
        return envelope.max_watts if flow is Flow.EXPORT else -envelope.min_watts

    def can_be_narrowed(self, flow: Flow) -> bool:
        """By a limit of its own, or because its setpoint is ours."""
        limit = Operation.LIMIT_INJECT if flow is Flow.EXPORT else Operation.LIMIT_ABSORB
        return limit in self.operations or (self.setpoint is not None and Operation.SET_POWER in self.operations)

    def taken_watts(self) -> int:
        """What the device's setpoint is at most worth: no device gives more than its envelope."""
        if self.setpoint is None:
            return 0
        envelope = self.device.envelope
        most = envelope.max_watts if Operation.SET_POWER in self.operations else 0
        return max(envelope.min_watts, min(most, self.setpoint.watts))


def plan(world: World, site: Site) -> Plan:
    """What every device of the site should be doing."""
    drafts = {
        device.name: _Draft(device, profiles.operations_of(device.profile))
        for device in site.devices
        if not profiles.is_meter(device.profile)
    }
    pictures = {picture.name: picture for picture in world.devices}
    active = _without_outranked_levels(in_force(world.events, world.now))
    for wish in active:
        if not (site.meter and _flow_of(wish)):
            _apply(wish, _enrolled(wish, drafts, site), drafts, pictures)
    holds = {flow: _hold(flow, active, drafts, world, site) for flow in Flow} if site.meter else {}
    desired = tuple(_desired(draft, site) for draft in drafts.values())
    return Plan(desired, Holds(holds.get(Flow.EXPORT), holds.get(Flow.IMPORT)))


def _enrolled(wish: ActiveWish, drafts: Mapping[str, _Draft], site: Site) -> list[_Draft]:
    enrolled = site.devices_of(wish.timed.event.origin.utility)
    return [draft for name, draft in drafts.items() if name in enrolled]


def _flow_of(wish: ActiveWish) -> Flow | None:
    """Which way a limit at the site limits; None for any other wish."""
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
    flow: Flow, active: Sequence[ActiveWish], drafts: Mapping[str, _Draft], world: World, site: Site
) -> Hold | None:
    """Narrows the devices so that the connection point stays within the tightest limit at the site."""
    limits = [(wish.wish.watts, wish) for wish in active if _flow_of(wish) is flow and isinstance(wish.wish, _LIMITS)]
    if not limits:
        return None
    watts, wish = min(limits, key=lambda limit: limit[0])
    mine = [draft for draft in _enrolled(wish, drafts, site) if draft.capacity_watts(flow)]
    able = [draft for draft in mine if draft.can_be_narrowed(flow)]
    measured = {one.name: one.measured for one in world.devices if one.reachable}
    parts = [Part(one.device.name, one.capacity_watts(flow), measured.get(one.device.name)) for one in able]
    found = hold(flow, watts, measured.get(site.meter), parts, world.holds.of(flow), world.now)
    for draft in able:
        draft.limit(flow, found.limits[draft.device.name], wish)
    for draft in able or list(drafts.values()):
        draft.not_carried.extend(found.notes)
    for draft in mine:
        if draft not in able:
            draft.not_carried.append(f"{draft.device.profile} cannot be told to {flow} less: it counts as household")
    return found.hold


def _without_outranked_levels(active: Sequence[ActiveWish]) -> list[ActiveWish]:
    finer = {wish.timed.event.origin.key for wish in active if not isinstance(wish.wish, Level)}
    return [wish for wish in active if not (isinstance(wish.wish, Level) and wish.timed.event.origin.key in finer)]


def _apply(
    wish: ActiveWish, mine: Sequence[_Draft], drafts: Mapping[str, _Draft], pictures: Mapping[str, DevicePicture]
) -> None:
    """`mine`: the devices for which the wish's utility is enrolled; no others are moved or narrowed by it."""
    named = [draft for draft in mine if draft.device.name in wish.course.devices]
    aimed = named if wish.course.point is Point.DEVICE else mine
    match wish.wish:
        case Setpoint(watts) if wish.course.point is Point.SITE:
            taken = sum(draft.taken_watts() for draft in drafts.values())
            _share_setpoint(watts - taken, wish, mine, pictures)
        case InjectLimit(watts) if wish.course.point is Point.SITE:
            _share_limit(Flow.EXPORT, watts, wish, aimed)
        case AbsorbLimit(watts) if wish.course.point is Point.SITE:
            _share_limit(Flow.IMPORT, watts, wish, aimed)
        case Setpoint(watts):
            for draft in aimed:
                draft.set(watts, wish)
        case InjectLimit(watts):
            for draft in aimed:
                draft.limit_inject(watts, wish)
        case AbsorbLimit(watts):
            for draft in aimed:
                draft.limit_absorb(watts, wish)
        case Level(level):
            for draft in aimed:
                _apply_level(level, wish, draft)


def _share_limit(flow: Flow, watts: int, wish: ActiveWish, aimed: Sequence[_Draft]) -> None:
    """Without a meter: as if the devices were all there is at the connection point, and that is told."""
    parts = share(watts, _positive({draft.device.name: draft.capacity_watts(flow) for draft in aimed}))
    for draft in aimed:
        if draft.device.name in parts:
            draft.limit(flow, parts[draft.device.name], wish)
            draft.not_carried.append(_UNMETERED)


def _apply_level(level: int, wish: ActiveWish, draft: _Draft) -> None:
    action = draft.device.levels.get(level)
    if action is None:
        if level:
            draft.not_carried.append(f"level {level} has no entry in the site's table")
        return
    match action.operation:
        case Operation.SET_POWER:
            draft.set(action.watts, wish)
        case Operation.LIMIT_INJECT:
            draft.limit_inject(action.watts, wish)
        case Operation.LIMIT_ABSORB:
            draft.limit_absorb(action.watts, wish)
        case Operation.RELEASE:
            return


def _share_setpoint(left: int, wish: ActiveWish, mine: Sequence[_Draft], pictures: Mapping[str, DevicePicture]) -> None:
    """`left`: what the site's setpoint asks for beyond what higher wishes have taken."""
    free = [draft for draft in mine if draft.setpoint is None]
    weights = _positive({draft.device.name: _room(draft, left, pictures.get(draft.device.name)) for draft in free})
    parts = share(abs(left), weights)
    sign = 1 if left >= 0 else -1
    for draft in free:
        if draft.operations & {Operation.SET_POWER, Operation.LIMIT_ABSORB}:
            draft.set(sign * parts.get(draft.device.name, 0), wish)
    if sum(parts.values()) < abs(left):
        for draft in free:
            draft.not_carried.append(f"{abs(left) - sum(parts.values())} W of the site's setpoint find no device")


def _room(draft: _Draft, left: int, picture: DevicePicture | None) -> int:
    """How many watts the device can take of a share in the direction of `left`."""
    envelope = draft.device.envelope
    soc = None if picture is None else picture.soc_permille
    if picture is not None and not picture.reachable:
        return 0
    if left >= 0:
        empty = soc is not None and soc <= envelope.soc_floor_permille
        return 0 if empty or Operation.SET_POWER not in draft.operations else envelope.max_watts
    full = soc is not None and soc >= envelope.soc_ceiling_permille
    steerable = draft.operations & {Operation.SET_POWER, Operation.LIMIT_ABSORB}
    return 0 if full or not steerable else -envelope.min_watts


def _desired(draft: _Draft, site: Site) -> Desired:
    device = draft.device
    release = Order(
        device.name, Operation.RELEASE, 0, 0, 0, (Operation.RELEASE, 0), 0, profiles.digest_of(device.profile)
    )
    answer = _answer(draft, site)
    not_carried = tuple(dict.fromkeys(draft.not_carried))
    if answer is None:
        return Desired(device.name, release, None, not_carried)
    since = max(wish.since for wish in answer.by)
    untils = [wish.until for wish in answer.by if wish.until is not None]
    order = replace(
        release,
        operation=answer.operation,
        value=answer.watts,
        not_before=since,
        hold_seconds=min(untils) - since if untils else 0,
        tolerance=device.tolerance_watts,
    )
    return Desired(device.name, order, answer.by[0], not_carried)


def _answer(draft: _Draft, site: Site) -> _Answer | None:
    """The one operation that a device can be told, or None. A limit counts as its author only where it bites."""
    envelope, able = draft.device.envelope, draft.operations
    setpoint, inject_limit, absorb_limit = draft.setpoint, draft.inject_limit, draft.absorb_limit
    inject = _least(inject_limit, site.inject_limit_watts, envelope.max_watts)
    absorb = _least(absorb_limit, site.absorb_limit_watts, -envelope.min_watts)
    if setpoint is not None and Operation.SET_POWER in able:
        watts = max(-absorb, min(inject, setpoint.watts))
        limit = inject_limit if setpoint.watts > 0 else absorb_limit
        return _Answer(Operation.SET_POWER, watts, _authors(setpoint, limit, watts))
    if setpoint is not None and Operation.LIMIT_ABSORB in able:
        watts = min(absorb, max(0, -setpoint.watts))
        return _Answer(Operation.LIMIT_ABSORB, watts, _authors(setpoint, absorb_limit, watts))
    if setpoint is not None:
        draft.not_carried.append(f"{draft.device.profile} has no operation for this wish")
    answer = None
    if absorb_limit is not None and absorb < -envelope.min_watts and Operation.LIMIT_ABSORB not in able:
        draft.not_carried.append(f"{draft.device.profile} cannot be told to absorb no more than {absorb} W")
    elif absorb_limit is not None and Operation.LIMIT_ABSORB in able:
        answer = _Answer(Operation.LIMIT_ABSORB, absorb, (absorb_limit.wish,))
    if inject_limit is not None and answer is None and Operation.LIMIT_INJECT in able:
        answer = _Answer(Operation.LIMIT_INJECT, inject, (inject_limit.wish,))
    elif inject_limit is not None and inject < envelope.max_watts:
        draft.not_carried.append(f"{draft.device.profile} cannot be told to inject no more than {inject} W")
    return answer


def _authors(setpoint: _Bound, limit: _Bound | None, watts: int) -> tuple[ActiveWish, ...]:
    bites = limit is not None and abs(watts) == limit.watts < abs(setpoint.watts)
    return (setpoint.wish, limit.wish) if bites and limit is not None else (setpoint.wish,)


def _least(limit: _Bound | None, *bounds: int) -> int:
    return min(bounds) if limit is None else min(limit.watts, *bounds)


def _positive(weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in weights.items() if weight > 0}
