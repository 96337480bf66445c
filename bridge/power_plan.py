"""The power function of each device: setpoints, limits and levels in, at most one operation out. Pure, integer.

A wish holds for the devices for which its utility is enrolled, at the site point too. In order, each rule may only
narrow what the one before it left:

1. The setpoint of a device is that of the highest-precedence wish that gives it one: a `Setpoint` at the device, its
   share of a `Setpoint` at the site (what devices bound by higher wishes leave over, by capacity), or a SIMPLE level
   that the site's table turns into a setpoint. Of one event, a setpoint or limit outranks its level: utilities send
   SIMPLE beside the finer signal for those who read nothing else.
2. Every limit in force narrows it, whichever event it comes from: a limit at the device, its share of a limit at the
   site, a level that the table turns into a limit, and last the connection's own limits.
3. The device's envelope narrows it.

A charger cannot be told to draw power, only to draw no more: a setpoint becomes a limit on what it absorbs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from wattseal.bridge import profiles
from wattseal.bridge.sharing import share
from wattseal.bridge.site.model import Device, Site
from wattseal.bridge.timeline import ActiveWish
from wattseal.bridge.world import Desired, DevicePicture, window
from wattseal.drivers.commands import Function, Operation, release_of
from wattseal.protocols.grid_event import Point
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Level, Setpoint

# A site with a meter has its limits held in `site_limits`; none of them comes here.
_UNMETERED: Final = "no meter at the connection point: the site's limit is shared, and the household does not count"


@dataclass(frozen=True, slots=True)
class _Bound:
    """A number of watts and the wish that set it."""

    watts: int
    wish: ActiveWish


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a device is told, the wish that asks for it, and the limit that narrows that, where one does."""

    operation: Operation
    watts: int
    asked_by: ActiveWish
    narrowed_by: ActiveWish | None = None


@dataclass(slots=True)
class PowerDraft:
    """A device's part of the plan while it is being narrowed. `not_carried` gathers the notes of all functions."""

    device: Device
    operations: frozenset[Operation]
    setpoint: _Bound | None = None
    inject_limit: _Bound | None = None
    absorb_limit: _Bound | None = None
    not_carried: list[str] = field(default_factory=list)

    def set(self, watts: int, wish: ActiveWish) -> None:
        """Take signed watts, unless a wish of higher precedence gave some."""
        if self.setpoint is None:
            self.setpoint = _Bound(watts, wish)

    def limit_inject(self, watts: int, wish: ActiveWish) -> None:
        """Take a limit, where it is the narrowest so far."""
        if self.inject_limit is None or watts < self.inject_limit.watts:
            self.inject_limit = _Bound(watts, wish)

    def limit_absorb(self, watts: int, wish: ActiveWish) -> None:
        """Take a limit, where it is the narrowest so far."""
        if self.absorb_limit is None or watts < self.absorb_limit.watts:
            self.absorb_limit = _Bound(watts, wish)

    def taken_watts(self) -> int:
        """What the device's setpoint is at most worth: no device gives more than its envelope."""
        if self.setpoint is None:
            return 0
        envelope = self.device.envelope
        most = envelope.max_watts if Operation.SET_POWER in self.operations else 0
        return max(envelope.min_watts, min(most, self.setpoint.watts))


def without_outranked_levels(active: Sequence[ActiveWish]) -> list[ActiveWish]:
    """The wishes without the levels of events that say something finer."""
    finer = {wish.timed.event.origin.key for wish in active if not isinstance(wish.wish, Level)}
    return [wish for wish in active if not (isinstance(wish.wish, Level) and wish.timed.event.origin.key in finer)]


def apply(
    wish: ActiveWish,
    mine: Sequence[PowerDraft],
    drafts: Mapping[str, PowerDraft],
    pictures: Mapping[str, DevicePicture],
) -> None:
    """Narrow by one wish. `mine`: the devices for which its utility is enrolled; no others are moved or narrowed."""
    names = frozenset(wish.course.devices)
    named = [draft for draft in mine if draft.device.name in names]
    aimed = named if wish.course.point is Point.DEVICE else mine
    match wish.wish:
        case Setpoint(watts) if wish.course.point is Point.SITE:
            taken = sum(draft.taken_watts() for draft in drafts.values())
            _share_setpoint(watts - taken, wish, mine, pictures)
        case InjectLimit(watts) if wish.course.point is Point.SITE:
            weights = {draft.device.name: draft.device.envelope.max_watts for draft in aimed}
            for name, part in share(watts, _positive(weights)).items():
                drafts[name].limit_inject(part, wish)
                drafts[name].not_carried.append(_UNMETERED)
        case AbsorbLimit(watts) if wish.course.point is Point.SITE:
            weights = {draft.device.name: -draft.device.envelope.min_watts for draft in aimed}
            for name, part in share(watts, _positive(weights)).items():
                drafts[name].limit_absorb(part, wish)
                drafts[name].not_carried.append(_UNMETERED)
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
        case _:
            return  # of another function


def _apply_level(level: int, wish: ActiveWish, draft: PowerDraft) -> None:
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
        case _:
            return


def _share_setpoint(
    left: int, wish: ActiveWish, mine: Sequence[PowerDraft], pictures: Mapping[str, DevicePicture]
) -> None:
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


def _room(draft: PowerDraft, left: int, picture: DevicePicture | None) -> int:
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


def desired(draft: PowerDraft, site: Site) -> Desired:
    """What the device's power should be doing, once every wish in force was applied."""
    device = draft.device
    release = release_of(device.name, Function.POWER, profiles.digest_of(device.profile))
    answer = _answer(draft, site)
    not_carried = tuple(dict.fromkeys(draft.not_carried))
    if answer is None:
        return Desired(device.name, release, None, not_carried)
    narrowed_by = answer.narrowed_by
    since, hold = window((answer.asked_by,) if narrowed_by is None else (answer.asked_by, narrowed_by))
    order = replace(
        release,
        operation=answer.operation,
        value=answer.watts,
        not_before=since,
        hold_seconds=hold,
        tolerance=device.tolerance_watts,
    )
    return Desired(device.name, order, answer.asked_by, not_carried, narrowed_by)


def _answer(draft: PowerDraft, site: Site) -> _Answer | None:
    """The one operation that a device can be told, or None. A limit counts as its author only where it bites."""
    envelope, able = draft.device.envelope, draft.operations
    setpoint, inject_limit, absorb_limit = draft.setpoint, draft.inject_limit, draft.absorb_limit
    inject = _least(inject_limit, site.inject_limit_watts, envelope.max_watts)
    absorb = _least(absorb_limit, site.absorb_limit_watts, -envelope.min_watts)
    if setpoint is not None and Operation.SET_POWER in able:
        watts = max(-absorb, min(inject, setpoint.watts))
        limit = inject_limit if setpoint.watts > 0 else absorb_limit
        return _Answer(Operation.SET_POWER, watts, setpoint.wish, _biting(setpoint, limit, watts))
    if setpoint is not None and Operation.LIMIT_ABSORB in able:
        watts = min(absorb, max(0, -setpoint.watts))
        return _Answer(Operation.LIMIT_ABSORB, watts, setpoint.wish, _biting(setpoint, absorb_limit, watts))
    if setpoint is not None:
        draft.not_carried.append(f"{draft.device.profile} has no operation for this wish")
    answer = None
    if absorb_limit is not None and absorb < -envelope.min_watts and Operation.LIMIT_ABSORB not in able:
        draft.not_carried.append(f"{draft.device.profile} cannot be told to absorb no more than {absorb} W")
    elif absorb_limit is not None and Operation.LIMIT_ABSORB in able:
        answer = _Answer(Operation.LIMIT_ABSORB, absorb, absorb_limit.wish)
    if inject_limit is not None and answer is None and Operation.LIMIT_INJECT in able:
        answer = _Answer(Operation.LIMIT_INJECT, inject, inject_limit.wish)
    elif inject_limit is not None and inject < envelope.max_watts:
        draft.not_carried.append(f"{draft.device.profile} cannot be told to inject no more than {inject} W")
    return answer


def _biting(setpoint: _Bound, limit: _Bound | None, watts: int) -> ActiveWish | None:
    return limit.wish if limit is not None and abs(watts) == limit.watts < abs(setpoint.watts) else None


def _least(limit: _Bound | None, *bounds: int) -> int:
    return min(bounds) if limit is None else min(limit.watts, *bounds)


def _positive(weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in weights.items() if weight > 0}
