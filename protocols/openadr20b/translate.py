"""OpenADR 2.0b events into `GridEvent`: pure, total, and the one place where this dialect's signs and scales end.

One event gives one GridEvent or one refusal with the code to send back. A signal that is not supported is left out as
long as another one is; a signal that is supported but wrong (a level of 7, durations that do not add up) refuses the
whole event, for nobody can tell what was meant. Knows the site's market contexts, resources and groups by name, no
device and no session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

from wattseal.protocols.grid_event import Course, EventStatus, GridEvent, Interval, Origin, Point
from wattseal.protocols.lexical import LexicalError
from wattseal.protocols.openadr20b.common import CalendarPeriod, Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.event import EiEvent, EventSignal, OadrEvent, SignalInterval
from wattseal.protocols.openadr20b.item_base import PowerReal
from wattseal.protocols.openadr20b.vocabulary import ResponseCode, SignalName, SignalType
from wattseal.protocols.wish import Level, Setpoint, Wish

TRANSLATOR: Final = "openadr-2.0b/1"
DIALECT: Final = "openadr-2.0b"
MAX_WATTS: Final = 1_000_000_000
MAX_EVENT_BYTES: Final = 60_000  # a sealed statement has at most 65,536, its header some thousand of them
_LEVELS: Final = range(4)
_SIMPLE: Final = frozenset({SignalName.SIMPLE, SignalName.SIMPLE_DEPRECATED})

_NO_SUCH_TARGET: Final = "a site has no such name; refuses the event when it stands alone, is named in it otherwise"

NOT_CARRIED: Final[Mapping[str, str]] = {
    "response_required": "belongs to the answer, which the session gives",
    "ei_event.event_descriptor.modification_date_time": "the modification number orders versions",
    "ei_event.event_descriptor.modification_reason": "for people",
    "ei_event.event_descriptor.created_date_time": "for people",
    "ei_event.event_descriptor.event_status": "only `cancelled` says something; the rest follows from our clock",
    "ei_event.event_descriptor.vtn_comment": "for people",
    "ei_event.active_period.notification": "asks the VTN to send in time, nothing of a device",
    "ei_event.event_signals.signals.signal_id": "no answer of the profile refers to it",
    "ei_event.event_signals.signals.current_value": "the VTN's opinion of now; intervals and clock say it exactly",
    "ei_event.event_signals.signals.intervals.uid": "intervals are taken in their order",
    "ei_event.event_signals.signals.item_base.item_description": "fixed by the schema",
    "ei_event.event_signals.signals.item_base.item_units": "W and J/s are the same",
    "ei_event.event_signals.signals.item_base.power_attributes": "nominal grid data",
    "ei_event.event_signals.baseline": "no wish; baselines are not computed here",
    "ei_event.target.aggregated_pnodes": _NO_SUCH_TARGET,
    "ei_event.target.end_device_assets": _NO_SUCH_TARGET,
    "ei_event.target.meter_assets": _NO_SUCH_TARGET,
    "ei_event.target.pnodes": _NO_SUCH_TARGET,
    "ei_event.target.service_areas": _NO_SUCH_TARGET,
    "ei_event.target.service_delivery_points": _NO_SUCH_TARGET,
    "ei_event.target.service_locations": _NO_SUCH_TARGET,
    "ei_event.target.transport_interfaces": _NO_SUCH_TARGET,
    "ei_event.target.group_names": _NO_SUCH_TARGET,
    "ei_event.target.party_ids": _NO_SUCH_TARGET,
}
"""Fields of oadrEvent, with all below them, that a GridEvent does not hold, and why. A test fills every field and
fails for one that is neither carried nor named here."""


class DispatchSign(StrEnum):
    """What a positive LOAD_DISPATCH setpoint means. The profile does not say it, so each programme must."""

    CONSUMPTION = "consumption"
    GENERATION = "generation"


@dataclass(frozen=True, slots=True)
class MarketContext:
    """What the site agreed for one market context. `dispatch_sign` None: this programme sends no dispatch."""

    programme: str
    dispatch_sign: DispatchSign | None = None


@dataclass(frozen=True, slots=True)
class TranslationContext:
    """What the site knows: its enrolled name for the utility, its venID there, and its names of things.

    `resources`: 2.0b resourceID to device name; `groups`: groupID to device names; `market_contexts` by URI.
    """

    utility: str
    ven_id: str
    market_contexts: Mapping[str, MarketContext] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accept_test_events: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not taken: the code of its eventResponse, a stable reason and a sentence for the operator."""

    code: ResponseCode
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Translation:
    """An event taken. `not_carried` names what it holds beyond what we act on: signals and targets, by name."""

    event: GridEvent
    not_carried: tuple[str, ...] = ()


class _RefusedError(Exception):
    """Internal: carries a refusal out of the reading."""

    def __init__(self, code: ResponseCode, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.refusal = Refusal(code, reason, sentence)


class _UnsupportedError(_RefusedError):
    """Internal: a signal that we do not act on, though nothing is wrong with it."""


def translate(event: OadrEvent, context: TranslationContext) -> Translation | Refusal:
    """The GridEvent of one event, standing. A cancelled one is not read: see `cancelled`."""
    try:
        return _translated(event.ei_event, context)
    except _RefusedError as refused:
        return refused.refusal


def cancelled(previous: GridEvent, modification_number: int) -> GridEvent:
    """The form of an event that an explicit message cancelled (rule 59), whatever else that message holds."""
    origin = replace(previous.origin, version=modification_number)
    return replace(previous, origin=origin, status=EventStatus.CANCELLED)


def withdrawn(previous: GridEvent) -> GridEvent:
    """The form of an event that a full list no longer names (rule 61)."""
    return replace(previous, status=EventStatus.WITHDRAWN)


def demand_watts(watts: int) -> Decimal:
    """The demand that a report states (positive is consumption), from our watts (positive is injection)."""
    return Decimal(-watts)


def _translated(event: EiEvent, context: TranslationContext) -> Translation:
    descriptor, period = event.event_descriptor, event.active_period
    market = context.market_contexts.get(descriptor.market_context)
    if market is None:
        raise _RefusedError(
            ResponseCode.NOT_RECOGNISED,
            "market_context_unknown",
            f"The market context {descriptor.market_context} is not configured for {context.utility}; add it if the "
            "site takes part in that programme.",
        )
    if descriptor.is_test and not context.accept_test_events:
        raise _RefusedError(ResponseCode.NOT_ALLOWED, "test_event_refused", "The site takes no test events.")
    point, devices, odd_targets = _pointed(event.target, context)
    start = int(period.dtstart.timestamp())
    duration = _seconds(period.duration, period, "the active period") or None
    courses, odd_signals = _courses(event, market, point, devices)
    event_out = GridEvent(
        origin=Origin(DIALECT, context.utility, market.programme, descriptor.event_id, descriptor.modification_number),
        status=EventStatus.STANDING,
        priority=descriptor.priority or None,
        test=descriptor.is_test,
        start=start,
        duration_seconds=duration,
        start_tolerance_seconds=_seconds(period.start_after, period, "startafter") if period.start_after else 0,
        ramp_up_seconds=_signed_seconds(period.ramp_up, period),
        recovery_seconds=_signed_seconds(period.recovery, period),
        courses=courses,
    )
    _require_sealable(event_out)
    return Translation(event_out, odd_signals + odd_targets)


def _require_sealable(event: GridEvent) -> None:
    """What is too long for one statement could be told to no gateway, and neither could what rests on it."""
    length = len(event.encode(TRANSLATOR))
    if length > MAX_EVENT_BYTES:
        raise _RefusedError(
            ResponseCode.INVALID_DATA,
            "event_too_long",
            f"The event has more intervals than one statement holds ({length} of {MAX_EVENT_BYTES} bytes); ask the "
            "utility for fewer, longer ones.",
        )


def _pointed(target: Target, context: TranslationContext) -> tuple[Point, tuple[str, ...], tuple[str, ...]]:
    """Where the event holds, its devices, and the targets that are not ours to act on.

    Resources and groups are the narrower word, so they win over a venID beside them; several are an OR (rule 22).
    """
    if target.ven_ids and context.ven_id not in target.ven_ids:
        raise _RefusedError(
            ResponseCode.INVALID_ID,
            "target_ven_foreign",
            f"The event is for {', '.join(target.ven_ids)}; here is {context.ven_id}.",
        )
    named = [context.resources.get(one) for one in target.resource_ids]
    devices = {one for one in named if one is not None}
    for group in target.group_ids:
        devices.update(context.groups.get(group, ()))
    odd = _odd_targets(target, context)
    if devices:
        return Point.DEVICE, tuple(sorted(devices)), odd
    if odd and not target.ven_ids:
        raise _RefusedError(
            ResponseCode.TARGET_MISMATCH,
            "target_unknown",
            f"Nothing of this site is known as {', '.join(odd)}; configure it, or tell the utility.",
        )
    if target.resource_ids or target.group_ids:
        raise _RefusedError(
            ResponseCode.TARGET_MISMATCH,
            "target_unknown",
            f"The event narrows itself to {', '.join(odd)}, which this site does not have.",
        )
    return Point.SITE, (), odd


def _odd_targets(target: Target, context: TranslationContext) -> tuple[str, ...]:
    odd = [f"venID {one}" for one in target.ven_ids if one != context.ven_id]
    odd += [f"resourceID {one}" for one in target.resource_ids if one not in context.resources]
    odd += [f"groupID {one}" for one in target.group_ids if not context.groups.get(one)]
    odd += [f"groupName {one}" for one in target.group_names]
    odd += [f"partyID {one}" for one in target.party_ids]
    odd += [f"aggregatedPnode {one}" for one in target.aggregated_pnodes]
    odd += [f"pnode {one}" for one in target.pnodes]
    odd += [f"meterAsset {one}" for one in target.meter_assets]
    odd += [f"endDeviceAsset {one}" for one in target.end_device_assets]
    odd += [f"serviceDeliveryPoint {one}" for one in target.service_delivery_points]
    odd += ["serviceArea" for _ in target.service_areas]
    odd += ["serviceLocation" for _ in target.service_locations]
    odd += ["transportInterface" for _ in target.transport_interfaces]
    return tuple(odd)


def _courses(
    event: EiEvent, market: MarketContext, point: Point, devices: tuple[str, ...]
) -> tuple[tuple[Course, ...], tuple[str, ...]]:
    """The signals we act on, and the names of those that we do not. Refuses when none is left."""
    courses: list[Course] = []
    odd: list[str] = []
    first: _UnsupportedError | None = None
    for signal in event.event_signals.signals:
        try:
            intervals = _intervals(signal, event, market)
        except _UnsupportedError as unsupported:
            first = first or unsupported
            odd.append(f"signal {signal.signal_name} {signal.signal_type} ({unsupported.refusal.reason})")
            continue
        courses.append(Course(_plain_name(signal), point, devices, intervals))
    if not courses and first is not None:
        raise first
    if event.event_signals.baseline is not None:
        odd.append(f"baseline {event.event_signals.baseline.baseline_name}")
    return tuple(courses), tuple(odd)


def _plain_name(signal: EventSignal) -> str:
    return str(SignalName.SIMPLE if signal.signal_name in _SIMPLE else signal.signal_name)


def _intervals(signal: EventSignal, event: EiEvent, market: MarketContext) -> tuple[Interval, ...]:
    if signal.target is not None and signal.target != Target():
        raise _UnsupportedError(
            ResponseCode.TARGET_MISMATCH,
            "device_class_unknown",
            f"The signal {signal.signal_name} is for a class of devices, which this site does not tell apart.",
        )
    wishes = tuple(_wish(signal, interval, market) for interval in signal.intervals)
    return tuple(
        Interval(offset, duration, wish) for (offset, duration), wish in zip(_spans(signal, event), wishes, strict=True)
    )


def _wish(signal: EventSignal, interval: SignalInterval, market: MarketContext) -> Wish:
    if signal.signal_name in _SIMPLE and signal.signal_type is SignalType.LEVEL:
        return _level(interval.value)
    if signal.signal_name == SignalName.LOAD_DISPATCH and signal.signal_type is SignalType.SETPOINT:
        return _setpoint(signal, interval.value, market)
    raise _UnsupportedError(
        ResponseCode.SIGNAL_NOT_SUPPORTED,
        "signal_unknown",
        f"The signal {signal.signal_name} of type {signal.signal_type} is not acted on here.",
    )


def _level(value: Decimal) -> Level:
    if value not in _LEVELS:
        raise _RefusedError(
            ResponseCode.INVALID_DATA, "level_out_of_range", f"A SIMPLE level is 0, 1, 2 or 3 (rule 9), not {value}."
        )
    return Level(int(value))


def _setpoint(signal: EventSignal, value: Decimal, market: MarketContext) -> Setpoint:
    """Signed watts, the generator's way: consumption becomes negative."""
    if market.dispatch_sign is None:
        raise _UnsupportedError(
            ResponseCode.SIGNAL_NOT_SUPPORTED,
            "dispatch_sign_unknown",
            f"The programme {market.programme} has no dispatch_sign; OpenADR does not say what + means, so set it.",
        )
    unit = signal.item_base
    if not isinstance(unit, PowerReal):
        raise _UnsupportedError(
            ResponseCode.SIGNAL_NOT_SUPPORTED,
            "signal_unit_unknown",
            "A LOAD_DISPATCH setpoint is acted on in watts (powerReal) only.",
        )
    scaled = value.scaleb(unit.si_scale_code.exponent)
    if abs(scaled) > MAX_WATTS:
        raise _RefusedError(
            ResponseCode.INVALID_DATA, "value_out_of_range", f"{scaled} W is beyond {MAX_WATTS} W; no site has that."
        )
    watts = int(scaled.to_integral_value(ROUND_HALF_EVEN))
    return Setpoint(-watts if market.dispatch_sign is DispatchSign.CONSUMPTION else watts)


def _spans(signal: EventSignal, event: EiEvent) -> tuple[tuple[int, int | None], ...]:
    """Offset and duration of each interval in seconds, the last open-ended where the period is (rules 8, 32, 47)."""
    period = event.active_period
    whole = _seconds(period.duration, period, "the active period")
    intervals = signal.intervals
    lengths = [_interval_seconds(one, period) for one in intervals]
    if len(lengths) == 1 and lengths[0] is None:
        lengths = [whole]
    spans: list[tuple[int, int | None]] = []
    offset = 0
    for number, (interval, length) in enumerate(zip(intervals, lengths, strict=True)):
        last = number == len(lengths) - 1
        if length is None or (length == 0 and not (last and whole == 0)):
            raise _spans_refused("interval_duration_wrong", f"interval {number} of {signal.signal_name} has no length")
        if (
            interval.dtstart is not None
            and int(interval.dtstart.timestamp()) != int(period.dtstart.timestamp()) + offset
        ):
            raise _spans_refused("interval_start_wrong", f"interval {number} does not start where the one before ends")
        spans.append((offset, length or None))
        offset += length
    if whole and offset != whole:
        raise _spans_refused(
            "interval_sum_wrong", f"the intervals last {offset} s, the active period {whole} s (rule 8)"
        )
    if not whole and spans[-1][1] is not None:
        raise _spans_refused("interval_sum_wrong", "the event is open-ended, so its last interval must be (rule 47)")
    return tuple(spans)


def _spans_refused(reason: str, what: str) -> _RefusedError:
    return _RefusedError(ResponseCode.INVALID_DATA, reason, f"The event cannot be laid out in time: {what}.")


def _interval_seconds(interval: SignalInterval, period: CalendarPeriod) -> int | None:
    if interval.duration is None:
        return None
    return _seconds(interval.duration, period, f"interval {interval.uid}")


def _seconds(duration: Duration, period: CalendarPeriod, what: str) -> int:
    """Whole seconds, months counted from the event's start. Refuses negative ones."""
    seconds = _length(duration, period)
    if seconds < 0:
        raise _RefusedError(ResponseCode.INVALID_DATA, "duration_negative", f"The duration of {what} is negative.")
    return seconds


def _signed_seconds(duration: Duration | None, period: CalendarPeriod) -> int | None:
    """Ramp-up and recovery: negative means before the start or end (rule 31)."""
    return None if duration is None else _length(duration, period)


def _length(duration: Duration, period: CalendarPeriod) -> int:
    try:
        return duration.total_seconds(period.dtstart)
    except LexicalError as error:
        raise _RefusedError(ResponseCode.INVALID_DATA, "duration_out_of_range", f"{error}.") from error
