"""Why each function of each device is to do what the plan says: one sentence for people, and what it rests on. Pure.

It plans nothing: the plan says which wish holds, `precedence` says by what rule it beats the others that ask for the
same, and the notes of the plan say what was left out. What a device really does, readings and receipts say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from wattseal.bridge.function_plan import carried
from wattseal.bridge.power_plan import without_outranked_levels
from wattseal.bridge.site.model import Device, Site
from wattseal.bridge.timeline import ActiveWish, in_force, precedence
from wattseal.bridge.world import Desired, World
from wattseal.drivers.commands import Function, Operation, Order
from wattseal.protocols.grid_event import DEFAULT_PRIORITY, GridEvent, Point
from wattseal.protocols.ieee2030_5 import translate as ieee2030_5
from wattseal.protocols.ieee2030_5.set_values import FLOW, LOAD
from wattseal.protocols.openadr20b import translate as openadr20b
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Level, Setpoint

_DIALECTS: Final = {openadr20b.DIALECT: "OpenADR 2.0b", ieee2030_5.DIALECT: "IEEE 2030.5"}
_BESIDE_DER: Final = {LOAD: "EndDeviceControl", FLOW: "FlowReservationResponse"}
_MOST_TOLD: Final = 3
_POWER_SETTINGS: Final = {
    Operation.SET_POWER: Operation.SET_POWER,
    Operation.LIMIT_INJECT: Operation.LIMIT_INJECT,
    Operation.LIMIT_ABSORB: Operation.LIMIT_ABSORB,
}


class Rule(StrEnum):
    """By what a wish beats another that asks for the same: the first of these in which they differ."""

    NUMBER = "number"  # lower priority or primacy; none below every number, a default below every event
    START = "start"
    NAME = "name"  # of the utility, then of the event
    SIGNAL = "signal"  # two of one event
    NARROWER = "narrower"  # of limits in one direction the tightest holds, whoever set it


@dataclass(frozen=True, slots=True)
class Beaten:
    """A wish in force that does not hold, and the rule by which the one that holds beats it."""

    wish: ActiveWish
    rule: Rule


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one function of a device is to do what it is to do. `source` None: nothing is asked, or nothing carried."""

    device: str
    function: Function
    source: ActiveWish | None
    beaten: tuple[Beaten, ...]
    narrowed_by: ActiveWish | None
    sentence: str


def explain(desired: Iterable[Desired], world: World, site: Site) -> tuple[Explanation, ...]:
    """One explanation for each of `desired`, which is what the plan of `world` at `site` came to, in its order."""
    aimed = _by_device(without_outranked_levels(in_force(world.events, world.now)), site)
    devices = {device.name: device for device in site.devices}
    return tuple(_explained(one, devices[one.device], aimed.get(one.device, ())) for one in desired)


def _by_device(active: Iterable[ActiveWish], site: Site) -> Mapping[str, Sequence[ActiveWish]]:
    """The wishes that are aimed at each device, highest precedence first, as the plan takes them."""
    found: dict[str, list[ActiveWish]] = {}
    enrolled = {utility.name: frozenset(site.devices_of(utility.name)) for utility in site.utilities}
    for wish in active:
        mine = enrolled.get(wish.timed.event.origin.utility, frozenset())
        for name in mine if wish.course.point is Point.SITE else mine.intersection(wish.course.devices):
            found.setdefault(name, []).append(wish)
    return found


def _explained(desired: Desired, device: Device, aimed: Sequence[ActiveWish]) -> Explanation:
    function = desired.order.function
    beaten: tuple[Beaten, ...] = ()
    if desired.source is not None:
        beaten = tuple(_beaten(desired.source, aimed, device, function))
    sentence = _sentence(desired, beaten, any(_asks_for(wish, device) is not None for wish in aimed))
    return Explanation(device.name, function, desired.source, beaten, desired.narrowed_by, sentence)


def _beaten(source: ActiveWish, aimed: Iterable[ActiveWish], device: Device, function: Function) -> Iterator[Beaten]:
    """What else is asked of the same: setpoints beside a setpoint, limits beside a limit in the same direction."""
    asked = _asks_for(source, device)
    is_limit = asked in {Operation.LIMIT_INJECT, Operation.LIMIT_ABSORB}
    for wish in aimed:
        other = _asks_for(wish, device)
        same = other is asked if function is Function.POWER else other is function
        if wish != source and same:
            yield Beaten(wish, Rule.NARROWER if is_limit else rule_between(source, wish))


def rule_between(one: ActiveWish, other: ActiveWish) -> Rule:
    """The rule by which `one` comes before `other`: the first part of their precedence in which they differ."""
    rules = (Rule.NUMBER, Rule.START, Rule.NAME, Rule.NAME)
    pairs = zip(precedence(one.timed), precedence(other.timed), rules, strict=True)
    return next((rule for mine, theirs, rule in pairs if mine != theirs), Rule.SIGNAL)


def _asks_for(wish: ActiveWish, device: Device) -> Operation | Function | None:
    """What a wish asks of the device: of its power the operation, of another function the function, if it can."""
    match wish.wish:
        case Setpoint():
            return Operation.SET_POWER
        case InjectLimit():
            return Operation.LIMIT_INJECT
        case AbsorbLimit():
            return Operation.LIMIT_ABSORB
        case Level(level):
            action = device.levels.get(level)
            return None if action is None else _POWER_SETTINGS.get(action.operation)
    order = carried(device, wish)
    return order.function if isinstance(order, Order) else None


# ---- words ---------------------------------------------------------------------------------------------------------


def _sentence(desired: Desired, beaten: Sequence[Beaten], is_asked: bool) -> str:
    clauses = [f"left out: {note}" for note in desired.not_carried]
    if desired.source is None:
        asked = "what is asked of it is left out" if is_asked and clauses else "no event in force asks for anything"
        function = "" if desired.order.function is Function.POWER else f" in {desired.order.function}"
        return "; ".join([f"{desired.device} is at its own default{function}: {asked}", *clauses]) + "."
    source = desired.source
    told = [f"it beats {named(one.wish.timed.event)}: {_why(source, one)}" for one in beaten[:_MOST_TOLD]]
    if len(beaten) > _MOST_TOLD:
        told.append(f"and {len(beaten) - _MOST_TOLD} more")
    head = f"{desired.device} is to {_deed(desired.order)}: {named(source.timed.event)} asks for {_asked(source)}"
    return "; ".join([head, *told, *_narrowing(desired, source), *clauses]) + "."


def _narrowing(desired: Desired, source: ActiveWish) -> Iterator[str]:
    if desired.narrowed_by is not None:
        limit = named(desired.narrowed_by.timed.event)
        yield f"the limit of {limit} narrows it, for a setpoint and a limit hold together"
        return
    wish, watts = source.wish, desired.order.value
    if not isinstance(wish, Setpoint | InjectLimit | AbsorbLimit):
        return
    if source.course.point is Point.SITE:
        yield "this is the device's part of it"
    elif watts not in {wish.watts, -wish.watts}:
        yield "what the device and the connection may do narrows it"


def _why(source: ActiveWish, beaten: Beaten) -> str:
    mine, theirs = source.timed.event, beaten.wish.timed.event
    match beaten.rule:
        case Rule.NUMBER if theirs.is_default and not mine.is_default:
            return "an event comes before a default"
        case Rule.NUMBER if theirs.priority is None:
            return "a number comes before none"
        case Rule.NUMBER:
            return f"the lower number wins, {_number(mine)} before {_number(theirs)}"
        case Rule.START:
            begun = f"{_clock(source.timed.start)} before {_clock(beaten.wish.timed.start)}"
            return f"equal in number, the one that started first wins, {begun}"
        case Rule.NAME:
            return f"equal in number and start, the name decides, {_key(mine)} before {_key(theirs)}"
        case Rule.SIGNAL:
            first, second = source.course.signal_name, beaten.wish.course.signal_name
            return f"of one event's signals the name decides, {first} before {second}"
        case Rule.NARROWER:
            return "of limits in one direction the tightest holds, whoever set it"


def named(event: GridEvent) -> str:
    """An event in the words of its field, with what decides its rank."""
    origin = event.origin
    dialect = _DIALECTS.get(origin.dialect, origin.dialect)
    is_server = origin.dialect == ieee2030_5.DIALECT
    word = "primacy" if is_server else "priority"
    number = f"no {word}" if event.priority is None else f"{word} {_number(event)}"
    which = "" if is_server and event.is_default else f" {origin.event_id}"
    return f"{_kind(event)}{which} of {origin.utility} ({dialect}, programme {origin.programme}, {number})"


def _kind(event: GridEvent) -> str:
    if event.origin.dialect != ieee2030_5.DIALECT:
        return "event"
    signals = {course.signal_name for course in event.courses}
    control = "DefaultDERControl" if event.is_default else "DERControl"
    return next((kind for signal, kind in _BESIDE_DER.items() if signal in signals), control)


def _number(event: GridEvent) -> int:
    """As its dialect writes it."""
    return event.rank - DEFAULT_PRIORITY if event.is_default else event.rank


def _key(event: GridEvent) -> str:
    return "/".join(event.origin.key)


def _deed(order: Order) -> str:
    value = order.value
    match order.operation:
        case Operation.SET_POWER if isinstance(value, int):
            return f"inject {value} W" if value > 0 else f"absorb {-value} W" if value else "stand at 0 W"
        case Operation.LIMIT_INJECT:
            return f"inject no more than {value} W"
        case Operation.LIMIT_ABSORB:
            return f"absorb no more than {value} W"
        case _:
            return f"hold {order.operation}{f' {value}' if isinstance(value, int) else ''}"


def _asked(wish: ActiveWish) -> str:
    where = " at the site" if wish.course.point is Point.SITE else ""
    match wish.wish:
        case Setpoint(watts):
            return f"{watts} W{where}"
        case InjectLimit(watts):
            return f"no more than {watts} W out{where}"
        case AbsorbLimit(watts):
            return f"no more than {watts} W in{where}"
        case Level(level):
            return f"level {level}{where}"
        case _:
            return f"it{where}"


def _clock(unix: int) -> str:
    try:
        return datetime.fromtimestamp(unix, UTC).strftime("%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"unix {unix}"
