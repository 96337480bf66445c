"""Every field of an event is either carried into the GridEvent or named as not carried: found by walking the codec's
own types, so that a field that is added there fails here.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
import pytest
from ven_world import MAINS, MARKET, NOON, config, oadr_event, utc

from wattseal.protocols.openadr20b import common, event
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.item_base import PowerReal
from wattseal.protocols.openadr20b.translate import NOT_CARRIED, Translation, translate
from wattseal.protocols.openadr20b.vocabulary import (
    EventStatus,
    OptType,
    ResponseRequired,
    SignalName,
    SignalType,
)

CONTEXT = config(groups={"all": ("charger-1",)}).context("VEN_1")
HOUR = Duration(hours=1)
RING = common.Polygon(id="p", positions=(Decimal(1), Decimal(2)))
AREA = common.FeatureCollection(id="a", polygon=RING)
INTERVAL = event.SignalInterval(dtstart=utc(NOON), duration=HOUR, uid="0", value=Decimal(1500))

FULL = event.OadrEvent(
    ei_event=event.EiEvent(
        event_descriptor=event.EventDescriptor(
            event_id="E1",
            modification_number=3,
            modification_date_time=utc(NOON),
            modification_reason="reason",
            priority=2,
            market_context=MARKET,
            created_date_time=utc(NOON),
            event_status=EventStatus.NEAR,
            test_event="false",
            vtn_comment="comment",
        ),
        active_period=common.CalendarPeriod(
            dtstart=utc(NOON), duration=HOUR, start_after=Duration(minutes=5), notification=HOUR,
            ramp_up=Duration(minutes=2), recovery=Duration(minutes=3),
        ),
        event_signals=event.EventSignals(
            signals=(
                event.EventSignal(
                    intervals=(INTERVAL,),
                    target=None,
                    signal_name=SignalName.LOAD_DISPATCH,
                    signal_type=SignalType.SETPOINT,
                    signal_id="s",
                    item_base=PowerReal(power_attributes=MAINS),
                    current_value=Decimal(7),
                ),
            ),
            baseline=event.EventBaseline(
                dtstart=utc(NOON), duration=HOUR, intervals=(INTERVAL,), baseline_id="b", resource_ids=("battery",),
                baseline_name="n", item_base=PowerReal(power_attributes=MAINS),
            ),
        ),
        target=common.Target(
            aggregated_pnodes=("x",), end_device_assets=("x",), meter_assets=("x",), pnodes=("x",),
            service_areas=(AREA,), service_delivery_points=("x",), service_locations=(AREA,),
            transport_interfaces=(common.TransportInterface(point_of_receipt="x", point_of_delivery="y"),),
            group_ids=("all",), group_names=("x",), resource_ids=("battery",), ven_ids=("VEN_1",), party_ids=("x",),
        ),
    ),
    response_required=ResponseRequired.ALWAYS,
)  # fmt: skip

UNSET = {"ei_event.event_signals.signals.target"}
"""Left out of the full event, because any value of it takes the signal away: has a test of its own below."""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf of a struct: its dotted path, and the same whole with that leaf changed."""
    for name in value.__struct_fields__:
        field, below = getattr(value, name), f"{path}.{name}" if path else name
        if below in UNSET:
            continue
        assert field is not None, f"{below} is not filled"
        assert field != (), f"{below} is not filled"
        for inner, changed in variants(field, below):
            yield inner, msgspec.structs.replace(value, **{name: changed})


def variants(field: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(field, tuple):
        for inner, changed in variants(field[0], path):
            yield inner, (changed, *field[1:])
    elif isinstance(field, msgspec.Struct) and not isinstance(field, Duration):
        yield from leaves(field, path)
    else:
        yield path, changed_leaf(field)


def changed_leaf(field: Any) -> Any:
    match field:
        case bool():
            return not field
        case Enum():
            others = [one for one in type(field) if one is not field and one.value != "cancelled"]
            return others[-1]
        case str():
            return field + "x"
        case int() | Decimal():
            return field + 1
        case datetime():
            return field + timedelta(hours=5)
        case Duration():
            return Duration(hours=field.hours, minutes=field.minutes, seconds=9)
    raise AssertionError(f"no variant of {field!r}")


def named(path: str) -> bool:
    return any(path == one or path.startswith(one + ".") for one in NOT_CARRIED)


ALL = list(leaves(FULL))


def test_the_full_event_is_taken() -> None:
    assert isinstance(translate(FULL, CONTEXT), Translation)


@pytest.mark.parametrize(("path", "changed"), ALL, ids=[path for path, _ in ALL])
def test_field_is_carried_or_named(path: str, changed: event.OadrEvent) -> None:
    """A change of a carried field changes the event or refuses it; a change of a named one changes nothing."""
    before, after = translate(FULL, CONTEXT), translate(changed, CONTEXT)
    assert isinstance(before, Translation)
    if named(path):
        assert isinstance(after, Translation)
        assert after.event == before.event
    else:
        assert not isinstance(after, Translation) or after.event != before.event


def test_nothing_is_named_that_does_not_exist() -> None:
    paths = {path for path, _ in ALL}
    for one in NOT_CARRIED:
        assert any(path == one or path.startswith(one + ".") for path in paths), one


def test_every_field_of_the_types_was_walked() -> None:
    """The full event leaves no field of any type out (the two kinds of `Target` share one type)."""
    walked = {part for path, _ in ALL for part in path.split(".")} | {"target"}
    types = (
        event.OadrEvent, event.EiEvent, event.EventDescriptor, common.CalendarPeriod, event.EventSignals,
        event.EventSignal, event.SignalInterval, event.EventBaseline, common.Target, common.FeatureCollection,
        common.Polygon, common.TransportInterface, PowerReal,
    )  # fmt: skip
    for kind in types:
        assert set(kind.__struct_fields__) <= walked, kind


def test_what_is_not_carried_is_named_in_the_translation() -> None:
    translated = translate(FULL, CONTEXT)
    assert isinstance(translated, Translation)
    assert set(translated.not_carried) == {
        "groupName x", "partyID x", "aggregatedPnode x", "pnode x", "meterAsset x", "endDeviceAsset x",
        "serviceDeliveryPoint x", "serviceArea", "serviceLocation", "transportInterface", "baseline n",
    }  # fmt: skip


def test_the_answer_is_no_part_of_an_event() -> None:
    """Guards the vocabulary: opt words live in answers only."""
    assert "opt" not in {part for path, _ in ALL for part in path.split(".")}
    assert oadr_event().response_required is ResponseRequired.ALWAYS
    assert OptType.OPT_IN != OptType.OPT_OUT
