"""The safety envelope: how far, and whether, a device may follow an order. Integers only, no I/O, no look at a clock.

Nothing upstream can widen it. Its rules are of two kinds:

    on how far (they clamp)       range, state of charge, site, ramp: the order is followed as far as the rule permits,
                                  and the receipt says so. A clamp only ever brings a value nearer to 0.
    on whether (they refuse)      device available, envelope known, operation not forbidden, revert-to inside the range,
                                  cycles, dwell: the device stays as it is.

*Toward the safe side* is: release; a power that is no larger in magnitude and in the same direction, or 0; a limit that
is no higher, or set where none was. (So the same order said again is, too.) **Cycles, dwell and ramp never delay such a
move.** The other rules cannot either: the clamps bring it nearer still to 0. A reversal is the way down to 0, which is
free, and the way out, which is ramped.

State of charge: at or below the floor an order to discharge becomes 0 W, at or above the ceiling so does an order to
charge; a state of charge that cannot be read counts as both. (0 W and not a refusal: a refusal would leave the device
with the order before, which may be the worse one.)

What was accepted and is not carried out yet counts as done at this moment.

What was allowed once is *outgrown* when it would not be allowed as it is any longer (the battery ran empty). The
gateway looks after every picture of a device, ends an outgrown command at once and goes to its revert-to, as far as the
envelope permits that. The same order given again is then clamped like any other, so nothing swings to and fro.

All this concerns the power function. Of the others only `available`, `known` and `forbidden` are asked (of the
revert-to too): what they set is bounded by the profile and the device. To cease to energize is always toward the safe
side; to energize is the one thing among them that is not. A release of one of them writes too (it energizes, or takes a
curve out of force), so where the owner forbids all operations of a function, nobody releases it either: what stands
there was set at the device.

Site: each direction is summed by itself over the live powers that were ordered. What one device absorbs earns no room
to inject for another: it may end at any time, and its end must never be held up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from wattseal.drivers.commands import Function, Operation, Order, Value
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.manifest_sections import SOC_FULL_PERMILLE, DeviceEnvelope, SiteEnvelope
from wattseal.drivers.operations import FUNCTION_OF, operations_of_function

RAMP_CREDIT_SECONDS: Final = 60  # after a long rest one step is no larger than what a minute of ramp comes to


class Rule(StrEnum):
    """The envelope's rules, by the reason codes of receipts."""

    UNAVAILABLE = "device_unavailable"
    UNKNOWN = "envelope_missing"
    FORBIDDEN = "envelope_forbidden"
    REVERT = "envelope_revert"
    RANGE = "envelope_range"
    SOC_FLOOR = "envelope_soc_floor"
    SOC_CEILING = "envelope_soc_ceiling"
    SOC_UNKNOWN = "envelope_soc_unknown"
    SITE_INJECT = "envelope_site_inject"
    SITE_ABSORB = "envelope_site_absorb"
    CYCLES = "envelope_cycles"
    DWELL = "envelope_dwell"
    RAMP = "envelope_ramp"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of one device: `watts` signed for SET_POWER, non-negative for limits, 0 for all else.

    `released`: of a release, the function that it ends.
    """

    device: str
    operation: Operation
    watts: int
    revert_to: tuple[Operation, int] = (Operation.RELEASE, 0)
    released: Function = Function.POWER


@dataclass(frozen=True, slots=True)
class Ruling:
    """`watts` is what may be done (None: nothing); `rule` is the last rule that changed or refused it, if any."""

    watts: int | None
    rule: Rule | None


def judge(ask: Ask, envelope: SiteEnvelope, local: Mapping[str, LocalFacts], monotonic: float) -> Ruling:
    """How far `ask` may be followed now."""
    known, bounds = local.get(ask.device), envelope.device(ask.device)
    if ask.operation is Operation.RELEASE:
        return Ruling(None, Rule.FORBIDDEN) if _is_the_owners(ask.released, bounds) else Ruling(0, None)
    if known is None or not known.available:
        return Ruling(None, Rule.UNAVAILABLE)
    facts = foreseen(known, monotonic)
    if bounds is None:
        return Ruling(None, Rule.UNKNOWN)
    if ask.operation in bounds.forbidden:
        return Ruling(None, Rule.FORBIDDEN)
    if not _revert_permitted(ask.revert_to, bounds):
        return Ruling(None, Rule.REVERT)
    if FUNCTION_OF[ask.operation] is not Function.POWER:
        return Ruling(0, None)
    watts, rule = _how_far(ask, bounds, envelope, facts, local)
    if toward_safe_side(ask.operation, watts, facts):
        return Ruling(watts, rule)
    return _whether(ask.operation, Ruling(watts, rule), bounds, facts, monotonic)


def outgrown(allowed: Ask, envelope: SiteEnvelope, local: Mapping[str, LocalFacts], monotonic: float) -> Rule | None:
    """The rule that no longer permits what was allowed once, if the device lives under it still; None: it may stay.

    The battery may have run empty meanwhile; or a command of an earlier run meets a narrower envelope. A device that
    cannot be reached just now has outgrown nothing.
    """
    facts, bounds = local.get(allowed.device), envelope.device(allowed.device)
    if FUNCTION_OF.get(allowed.operation, Function.POWER) is not Function.POWER:
        return Rule.FORBIDDEN if bounds is not None and allowed.operation in bounds.forbidden else None
    if facts is None or facts.commanded != (allowed.operation, allowed.watts):
        return None
    ruling = judge(allowed, envelope, local, monotonic)
    return ruling.rule if ruling.watts != allowed.watts and ruling.rule is not Rule.UNAVAILABLE else None


def way_back(
    device: str, revert_to: tuple[Operation, int], envelope: SiteEnvelope, local: Mapping[str, LocalFacts]
) -> tuple[Operation, int]:
    """Where the device goes when its command is over: `revert_to` as far as it is permitted now, else its default.

    Of the power function. For another one: `permitted_back`.
    """
    operation, watts = revert_to
    bounds, facts = envelope.device(device), local.get(device)
    if operation is Operation.RELEASE or bounds is None or facts is None or operation in bounds.forbidden:
        return Operation.RELEASE, 0
    return operation, _how_far(Ask(device, operation, watts), bounds, envelope, facts, local)[0]


def permitted_back(device: str, revert_to: tuple[Operation, Value], envelope: SiteEnvelope) -> tuple[Operation, Value]:
    """Where another function than power goes when its command is over: `revert_to` if it is permitted, else release."""
    bounds = envelope.device(device)
    return (Operation.RELEASE, 0) if bounds is None or revert_to[0] in bounds.forbidden else revert_to


def raises_power(order: Order, facts: LocalFacts) -> bool:
    """Whether carrying out `order` can let the device move more power than it does."""
    if order.function is Function.POWER:
        return not toward_safe_side(order.operation, order.watts, facts)
    return order.operation is Operation.ENERGIZE and order.value != 0


def toward_safe_side(operation: Operation, watts: int, facts: LocalFacts) -> bool:
    """Whether doing this can only lessen what the device does; see the module's text."""
    if operation is Operation.RELEASE or watts == 0:
        return True
    if operation is Operation.SET_POWER:
        present = present_watts(facts)
        return _sign(watts) == _sign(present) and abs(watts) <= abs(present)
    limit = _live(operation, facts)
    return limit is None or watts <= limit


def foreseen(facts: LocalFacts, monotonic: float) -> LocalFacts:
    """The facts as they will be once what is pending is done, as if that were now."""
    for operation, watts in facts.pending:
        commanded = None if operation is Operation.RELEASE else (operation, watts)
        if commanded == facts.commanded:
            continue
        moves = operation is Operation.SET_POWER and watts != 0
        facts = replace(
            facts,
            commanded=commanded,
            last_change_at=monotonic,
            last_direction=_sign(watts) if moves else facts.last_direction,
            cycles_in_hour=facts.cycles_in_hour + reverses(operation, watts, facts),
        )
    return facts


def reverses(operation: Operation, watts: int, facts: LocalFacts) -> bool:
    """Whether this turns the direction of the last ordered power that was not 0: one cycle."""
    return operation is Operation.SET_POWER and _sign(watts) * facts.last_direction < 0


def present_watts(facts: LocalFacts) -> int:
    """The power from which a change is reckoned: the one ordered; without one, the one measured; else 0."""
    ordered = _live(Operation.SET_POWER, facts)
    return next((watts for watts in (ordered, facts.watts) if watts is not None), 0)


def _how_far(
    ask: Ask, bounds: DeviceEnvelope, envelope: SiteEnvelope, facts: LocalFacts, local: Mapping[str, LocalFacts]
) -> tuple[int, Rule | None]:
    """The clamps that hold whatever came before. Each brings the value nearer to 0, so their order cannot matter."""
    watts, rule = ask.watts, None
    least, most = _range_of(ask.operation, bounds)
    caps: list[tuple[int, int, Rule]] = [(least, most, Rule.RANGE)]
    if ask.operation is Operation.SET_POWER:
        caps += _charge_caps(bounds, facts)
        others = [_ordered_powers(other) for name, other in local.items() if name != ask.device]
        inject_room = max(0, envelope.inject_limit_watts - sum(max(powers) for powers in others))
        absorb_room = max(0, envelope.absorb_limit_watts + sum(min(powers) for powers in others))
        caps.append((min(watts, 0), inject_room, Rule.SITE_INJECT))
        caps.append((-absorb_room, max(watts, 0), Rule.SITE_ABSORB))
    for least, most, cap_rule in caps:
        clamped = min(max(watts, least), most)
        if clamped != watts:
            watts, rule = clamped, cap_rule
    return watts, rule


def _charge_caps(bounds: DeviceEnvelope, facts: LocalFacts) -> list[tuple[int, int, Rule]]:
    """What the state of charge leaves of the range: (least, most, rule) for each end that it closes."""
    caps: list[tuple[int, int, Rule]] = []
    charge = facts.soc_permille
    if bounds.soc_floor_permille > 0 and (charge is None or charge <= bounds.soc_floor_permille):
        caps.append((bounds.min_watts, 0, Rule.SOC_UNKNOWN if charge is None else Rule.SOC_FLOOR))
    if bounds.soc_ceiling_permille < SOC_FULL_PERMILLE and (charge is None or charge >= bounds.soc_ceiling_permille):
        caps.append((0, bounds.max_watts, Rule.SOC_UNKNOWN if charge is None else Rule.SOC_CEILING))
    return caps


def _whether(
    operation: Operation, ruling: Ruling, bounds: DeviceEnvelope, facts: LocalFacts, monotonic: float
) -> Ruling:
    """Cycles, dwell and ramp, for a change that is not toward the safe side."""
    watts = ruling.watts or 0
    spent = bounds.cycles_per_hour and facts.cycles_in_hour >= bounds.cycles_per_hour
    if spent and reverses(operation, watts, facts):
        return Ruling(None, Rule.CYCLES)
    rested = None if facts.last_change_at is None else max(0, int(monotonic - facts.last_change_at))
    if rested is not None and rested < bounds.dwell_seconds:
        return Ruling(None, Rule.DWELL)
    if not bounds.ramp_watts_per_second:
        return ruling
    reach = _start_of(operation, watts, facts) + bounds.ramp_watts_per_second * (
        RAMP_CREDIT_SECONDS if rested is None else min(rested, RAMP_CREDIT_SECONDS)
    )
    if abs(watts) <= reach:
        return ruling
    return Ruling(_sign(watts) * reach, Rule.RAMP)


def _start_of(operation: Operation, watts: int, facts: LocalFacts) -> int:
    """The magnitude from which the ramp is reckoned: the present one in that direction, else 0."""
    if operation is not Operation.SET_POWER:
        return _live(operation, facts) or 0
    present = present_watts(facts)
    return abs(present) if _sign(present) == _sign(watts) else 0


def _is_the_owners(function: Function, bounds: DeviceEnvelope | None) -> bool:
    """Whether the owner keeps a function other than power to himself: all its operations are forbidden."""
    if function is Function.POWER or bounds is None:
        return False
    return operations_of_function(function) <= set(bounds.forbidden)


def _revert_permitted(revert_to: tuple[Operation, int], bounds: DeviceEnvelope) -> bool:
    operation, watts = revert_to
    if operation is Operation.RELEASE:
        return True
    if FUNCTION_OF[operation] is not Function.POWER:
        return operation not in bounds.forbidden
    least, most = _range_of(operation, bounds)
    return operation not in bounds.forbidden and least <= watts <= most


def _range_of(operation: Operation, bounds: DeviceEnvelope) -> tuple[int, int]:
    if operation is Operation.LIMIT_INJECT:
        return 0, bounds.max_watts
    if operation is Operation.LIMIT_ABSORB:
        return 0, -bounds.min_watts
    return bounds.min_watts, bounds.max_watts


def _ordered_powers(facts: LocalFacts) -> tuple[int, ...]:
    """0 and every power that was ordered and may be in force, or come into force, at this moment."""
    orders = facts.pending if facts.commanded is None else (facts.commanded, *facts.pending)
    return (0, *(watts for operation, watts in orders if operation is Operation.SET_POWER))


def _live(operation: Operation, facts: LocalFacts) -> int | None:
    """The watts of the live command, if it is of that operation."""
    if facts.commanded is None or facts.commanded[0] is not operation:
        return None
    return facts.commanded[1]


def _sign(watts: int) -> int:
    return (watts > 0) - (watts < 0)
