"""OpenADR 2.0b events into GridEvent: signs, scales, targets, time, and what is refused with which code."""

from dataclasses import replace as put
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from ven_world import MAINS, MARKET, NOON, config, dispatch, distribute, oadr_event, simple, utc

from wattseal.protocols.grid_event import EventStatus, GridEvent, Point
from wattseal.protocols.openadr20b import event
from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.intents import intents_of
from wattseal.protocols.openadr20b.item_base import EnergyReal, PowerReal
from wattseal.protocols.openadr20b.party import CancelPartyRegistration
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.translate import (
    MAX_EVENT_BYTES,
    TRANSLATOR,
    DispatchSign,
    MarketContext,
    Refusal,
    Translation,
    cancelled,
    demand_watts,
    translate,
    withdrawn,
)
from wattseal.protocols.openadr20b.vocabulary import EventStatus as Told
from wattseal.protocols.openadr20b.vocabulary import RealPowerUnit, SignalName, SignalType, SiScaleCode
from wattseal.protocols.wish import Level, Setpoint

CONTEXT = config().context("VEN_1")


def taken(given_event: event.OadrEvent, **changes: Any) -> GridEvent:
    result = translate(given_event, put(CONTEXT, **changes))
    assert isinstance(result, Translation), result
    return result.event


def refused(given_event: event.OadrEvent, **changes: Any) -> Refusal:
    result = translate(given_event, put(CONTEXT, **changes))
    assert isinstance(result, Refusal), result
    return result


def market(sign: DispatchSign | None) -> dict[str, MarketContext]:
    return {MARKET: MarketContext("dispatch", sign)}


@pytest.mark.parametrize(
    ("value", "scale", "sign", "watts"),
    [
        ("2000", SiScaleCode.NONE, DispatchSign.CONSUMPTION, -2000),
        ("2000", SiScaleCode.NONE, DispatchSign.GENERATION, 2000),
        ("-2.5", SiScaleCode.KILO, DispatchSign.CONSUMPTION, 2500),
        ("0.0015", SiScaleCode.MEGA, DispatchSign.GENERATION, 1500),
        ("2500000", SiScaleCode.MILLI, DispatchSign.GENERATION, 2500),
        ("1", SiScaleCode.GIGA, DispatchSign.GENERATION, 1_000_000_000),
        ("0.5", SiScaleCode.NONE, DispatchSign.GENERATION, 0),
        ("1.5", SiScaleCode.NONE, DispatchSign.GENERATION, 2),
        ("2.5", SiScaleCode.NONE, DispatchSign.GENERATION, 2),
        ("-2.5", SiScaleCode.NONE, DispatchSign.GENERATION, -2),
        ("0", SiScaleCode.NONE, DispatchSign.CONSUMPTION, 0),
    ],
)
def test_setpoint_sign_scale_and_rounding(value: str, scale: SiScaleCode, sign: DispatchSign, watts: int) -> None:
    """Ours is the generator's sign; siScaleCode multiplies; half goes to even."""
    wish = taken(oadr_event(signals=(dispatch(value, scale=scale),)), market_contexts=market(sign))
    assert wish.courses[0].intervals[0].wish == Setpoint(watts)


@pytest.mark.parametrize(
    ("value", "scale"),
    [("1000000001", SiScaleCode.NONE), ("-1.1", SiScaleCode.GIGA), ("3.4e38", SiScaleCode.TERA)],
)
def test_a_setpoint_beyond_all_reason_is_refused(value: str, scale: SiScaleCode) -> None:
    assert refused(oadr_event(signals=(dispatch(value, scale=scale),))).reason == "value_out_of_range"


def test_dispatch_without_an_agreed_sign_is_refused() -> None:
    """The profile states no sign: none configured, none guessed."""
    refusal = refused(oadr_event(signals=(dispatch(),)), market_contexts=market(None))
    assert (refusal.code, refusal.reason) == ("460", "dispatch_sign_unknown")


@pytest.mark.parametrize("unit", [None, EnergyReal()])
def test_dispatch_in_no_watts_is_refused(unit: Any) -> None:
    refusal = refused(oadr_event(signals=(replace(dispatch(), item_base=unit),)))
    assert (refusal.code, refusal.reason) == ("460", "signal_unit_unknown")


def test_joules_per_second_are_watts() -> None:
    unit = PowerReal(item_units=RealPowerUnit.JOULE_PER_SECOND, power_attributes=MAINS)
    wish = taken(oadr_event(signals=(replace(dispatch("5"), item_base=unit),)))
    assert wish.courses[0].intervals[0].wish == Setpoint(-5)


@pytest.mark.parametrize("level", ["0", "1", "2.0", "3"])
def test_rules_7_and_9_levels(level: str) -> None:
    assert taken(oadr_event(signals=(simple(level),))).courses[0].intervals[0].wish == Level(int(float(level)))


@pytest.mark.parametrize("level", ["4", "-1", "1.5", "1e30"])
def test_rule_9_other_levels_are_refused(level: str) -> None:
    refusal = refused(oadr_event(signals=(simple(level),)))
    assert (refusal.code, refusal.reason) == ("454", "level_out_of_range")


def test_rule_7_the_deprecated_spelling_is_the_same_signal() -> None:
    old = replace(simple(), signal_name=SignalName.SIMPLE_DEPRECATED)
    assert taken(oadr_event(signals=(old,))) == taken(oadr_event(signals=(simple(),)))


@pytest.mark.parametrize("kind", [one for one in SignalType if one is not SignalType.LEVEL])
def test_simple_is_a_level_or_nothing(kind: SignalType) -> None:
    assert refused(oadr_event(signals=(replace(simple(), signal_type=kind),))).code == "460"


@pytest.mark.parametrize(
    "name", [one for one in SignalName if one not in {"SIMPLE", "simple", "LOAD_DISPATCH"}] + ["x-own"]
)
def test_rule_48_unknown_signals_are_460(name: Any) -> None:
    odd = replace(simple(), signal_name=name)
    assert refused(oadr_event(signals=(odd,))).reason == "signal_unknown"


def test_one_known_and_one_unknown_signal_are_taken_for_the_known_one() -> None:
    odd = replace(simple(), signal_name=SignalName.ENERGY_PRICE, signal_type=SignalType.PRICE)
    result = translate(oadr_event(signals=(odd, simple("2"))), CONTEXT)
    assert isinstance(result, Translation)
    assert [course.signal_name for course in result.event.courses] == ["SIMPLE"]
    assert result.not_carried == ("signal ENERGY_PRICE price (signal_unknown)",)


def test_a_known_signal_that_is_wrong_refuses_the_whole_event() -> None:
    assert refused(oadr_event(signals=(simple("1"), dispatch(duration=60)))).reason == "interval_sum_wrong"


def test_a_signal_for_a_class_of_devices_is_not_for_all() -> None:
    classed = replace(simple(), target=Target(end_device_assets=("Water_Heater",)))
    assert refused(oadr_event(signals=(classed,))).reason == "device_class_unknown"
    empty = replace(simple(), target=Target())
    assert taken(oadr_event(signals=(empty,))) == taken(oadr_event())


@pytest.mark.parametrize(
    ("target", "point", "devices"),
    [
        (Target(), Point.SITE, ()),
        (Target(ven_ids=("VEN_1",)), Point.SITE, ()),
        (Target(ven_ids=("VEN_0", "VEN_1")), Point.SITE, ()),
        (Target(resource_ids=("battery",)), Point.DEVICE, ("battery-1",)),
        (Target(resource_ids=("charger", "battery")), Point.DEVICE, ("battery-1", "charger-1")),
        (Target(group_ids=("all",)), Point.DEVICE, ("battery-1", "charger-1")),
        (Target(group_ids=("all",), resource_ids=("battery",)), Point.DEVICE, ("battery-1", "charger-1")),
        (Target(ven_ids=("VEN_1",), resource_ids=("battery",)), Point.DEVICE, ("battery-1",)),
        (Target(resource_ids=("battery", "pump")), Point.DEVICE, ("battery-1",)),
        (Target(ven_ids=("VEN_1",), party_ids=("p",)), Point.SITE, ()),
    ],
)
def test_rule_22_targets(target: Target, point: Point, devices: tuple[str, ...]) -> None:
    """Several are an OR; a resource or group is the narrower word."""
    course = taken(oadr_event(target=target)).courses[0]
    assert (course.point, course.devices) == (point, devices)


@pytest.mark.parametrize(
    ("target", "code", "reason"),
    [
        (Target(ven_ids=("VEN_9",)), "452", "target_ven_foreign"),
        (Target(ven_ids=("VEN_9",), resource_ids=("battery",)), "452", "target_ven_foreign"),
        (Target(resource_ids=("pump",)), "462", "target_unknown"),
        (Target(ven_ids=("VEN_1",), resource_ids=("pump",)), "462", "target_unknown"),
        (Target(group_ids=("none",)), "462", "target_unknown"),
        (Target(party_ids=("p",)), "462", "target_unknown"),
        (Target(group_names=("all",)), "462", "target_unknown"),
    ],
)
def test_targets_that_are_not_ours(target: Target, code: str, reason: str) -> None:
    refusal = refused(oadr_event(target=target))
    assert (refusal.code, refusal.reason) == (code, reason)


def test_rule_32_intervals_follow_each_other() -> None:
    course = taken(oadr_event(signals=(simple("1", 3600, 4),))).courses[0]
    assert [(one.offset_seconds, one.duration_seconds) for one in course.intervals] == [
        (0, 900), (900, 900), (1800, 900), (2700, 900),
    ]  # fmt: skip


def spans(*lengths: int | None, starts: tuple[int, ...] | None = None) -> event.EventSignal:
    intervals = tuple(
        event.SignalInterval(
            dtstart=None if starts is None else utc(starts[number]),
            duration=None if length is None else Duration.of_seconds(length),
            uid=str(number),
            value=Decimal(1),
        )
        for number, length in enumerate(lengths)
    )
    return replace(simple(), intervals=intervals)


@pytest.mark.parametrize(
    ("signal", "duration", "reason"),
    [
        (spans(1800), 3600, "interval_sum_wrong"),
        (spans(1800, 1801), 3600, "interval_sum_wrong"),
        (spans(1800, 0), 1800, "interval_duration_wrong"),
        (spans(0), 3600, "interval_duration_wrong"),
        (spans(None, None), 3600, "interval_duration_wrong"),
        (spans(3600), 0, "interval_sum_wrong"),
        (spans(0, 0), 0, "interval_duration_wrong"),
        (spans(-3600), 3600, "duration_negative"),
        (spans(1800, 1800, starts=(NOON + 3600, NOON + 3600)), 3600, "interval_start_wrong"),
    ],
)
def test_rules_8_and_47_time_that_does_not_add_up(signal: event.EventSignal, duration: int, reason: str) -> None:
    refusal = refused(oadr_event(duration=duration, signals=(signal,)))
    assert (refusal.code, refusal.reason) == ("454", reason)


def test_rule_47_open_ended() -> None:
    event_out = taken(oadr_event(duration=0, signals=(spans(0),)))
    assert event_out.duration_seconds is None
    assert event_out.courses[0].intervals[0].duration_seconds is None


def test_rule_47_open_ended_after_some_fixed_intervals() -> None:
    course = taken(oadr_event(duration=0, signals=(spans(60, 0),))).courses[0]
    assert [(one.offset_seconds, one.duration_seconds) for one in course.intervals] == [(0, 60), (60, None)]


def test_one_interval_without_a_length_fills_the_period() -> None:
    course = taken(oadr_event(signals=(spans(None),))).courses[0]
    assert (course.intervals[0].offset_seconds, course.intervals[0].duration_seconds) == (0, 3600)


def test_interval_starts_are_checked_and_agree() -> None:
    signal = spans(1800, 1800, starts=(NOON + 3600, NOON + 5400))
    assert len(taken(oadr_event(signals=(signal,))).courses[0].intervals) == 2


def test_a_month_is_counted_in_the_calendar() -> None:
    """From 15 January 2027: 31 days."""
    base = oadr_event(start=NOON)
    period = replace(base.ei_event.active_period, duration=Duration(months=1))
    signal = replace(simple(), intervals=(replace(simple().intervals[0], duration=Duration(months=1)),))
    whole = replace(
        base,
        ei_event=replace(base.ei_event, active_period=period, event_signals=event.EventSignals(signals=(signal,))),
    )
    assert taken(whole).duration_seconds == 31 * 86_400


def test_rules_30_and_31_tolerance_ramp_and_recovery() -> None:
    base = oadr_event(start_after=300)
    period = replace(
        base.ei_event.active_period, ramp_up=Duration(minutes=2), recovery=Duration(minutes=3, negative=True)
    )
    out = taken(replace(base, ei_event=replace(base.ei_event, active_period=period)))
    assert (out.start_tolerance_seconds, out.ramp_up_seconds, out.recovery_seconds) == (300, 120, -180)


@pytest.mark.parametrize(("given_", "ours"), [(0, None), (None, None), (1, 1), (7, 7)])
def test_rule_18_priority_zero_is_none(given_: int | None, ours: int | None) -> None:
    assert taken(oadr_event(priority=given_)).priority == ours


def test_the_event_is_named_by_utility_programme_id_and_version() -> None:
    origin = taken(oadr_event("E7", 4)).origin
    assert (origin.dialect, origin.utility, origin.programme, origin.event_id, origin.version) == (
        "openadr-2.0b", "utility", "dispatch", "E7", 4,
    )  # fmt: skip
    assert TRANSLATOR == "openadr-2.0b/1"


def test_demand_is_the_other_sign() -> None:
    assert demand_watts(1500) == Decimal(-1500)
    assert demand_watts(-1500) == Decimal(1500)


texts = st.decimals(allow_nan=False, allow_infinity=False, places=6)


@given(
    texts, st.sampled_from(SiScaleCode), st.integers(-10, 10**7), st.integers(-10, 10**7), st.sampled_from(SignalName),
    st.sampled_from(SignalType), st.sampled_from([None, -1, 0, 60]),
)  # fmt: skip
def test_translation_is_total(
    value: Decimal, scale: SiScaleCode, whole: int, part: int, name: SignalName, kind: SignalType, after: int | None
) -> None:
    """Whatever the codec lets through gives an event whose bytes read back, or a refusal with a sentence."""
    signal = replace(dispatch(scale=scale), signal_name=name, signal_type=kind, intervals=(
        event.SignalInterval(duration=Duration.of_seconds(part), value=value),))  # fmt: skip
    result = translate(oadr_event(duration=whole, signals=(signal,), start_after=after), CONTEXT)
    if isinstance(result, Refusal):
        assert result.sentence.endswith((".", "it."))
        assert result.code in {"454", "460"}
    else:
        assert GridEvent.decode(result.event.encode(TRANSLATOR)) == (result.event, TRANSLATOR)


def many(count: int) -> event.OadrEvent:
    """An event of so many seconds, each its own interval: 240 bytes apiece on the wire."""
    one = dispatch(duration=1).intervals[0]
    intervals = tuple(replace(one, uid=str(number), value=Decimal(1000 + number % 9)) for number in range(count))
    return oadr_event(duration=count, signals=(replace(dispatch(), intervals=intervals),))


def test_an_event_too_long_for_a_statement_is_refused() -> None:
    """A sealed statement has 65,536 bytes at most: what is longer, though its XML fits a mebibyte, goes nowhere."""
    assert len(encode(distribute(many(4000)))) < 1_048_576
    assert len(taken(many(2000)).encode(TRANSLATOR)) <= MAX_EVENT_BYTES
    result = translate(many(4000), CONTEXT)
    assert isinstance(result, Refusal)
    assert (result.code, result.reason) == ("454", "event_too_long")


def test_replay_gives_the_intents_again() -> None:
    """New, modified, cancelled, withdrawn and refused, from raw bytes and what stood before."""
    stood = {event_id: taken(oadr_event(event_id)) for event_id in ("kept", "gone", "cancelled", "older", "spoilt")}
    previous = {one.origin.key: one for one in stood.values()}
    stood_newer = put(stood["older"], origin=put(stood["older"].origin, version=5))
    previous["utility", "older"] = stood_newer
    other = put(stood["kept"], origin=put(stood["kept"].origin, utility="other"))
    previous["other", "kept"] = other
    raw = encode(
        distribute(
            oadr_event("new"),
            oadr_event("kept", 1),
            oadr_event("cancelled", 2, status=Told.CANCELLED),
            oadr_event("older", 4),
            oadr_event("spoilt", 1, context="http://else.example/"),
            oadr_event("unknown", 1, status=Told.CANCELLED),
        )
    )
    assert intents_of(raw, CONTEXT, previous) == (
        taken(oadr_event("new")),
        taken(oadr_event("kept", 1)),
        cancelled(stood["cancelled"], 2),
        withdrawn(stood["spoilt"]),
        withdrawn(stood["gone"]),
    )


def test_replay_of_other_messages() -> None:
    stood = taken(oadr_event())
    previous = {stood.origin.key: stood}
    ended = CancelPartyRegistration(request_id="r", registration_id="REG")
    assert intents_of(encode(ended), CONTEXT, previous) == (withdrawn(stood),)
    assert intents_of(encode(Poll(ven_id="v")), CONTEXT, previous) == ()
    assert withdrawn(stood).status is EventStatus.WITHDRAWN
