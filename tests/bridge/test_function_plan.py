"""One desired order for each function of a device: wishes of IEEE 2030.5's modes, by hand and as properties."""

from dataclasses import replace

import pytest
from bridge_world import NOW, SITE_TEXT, course, grid_event, timed
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.bridge.authorise import decide, question, raises_power
from wattseal.bridge.facts import EventFact, Facts, FactsError, LiveOrder, Standing, order_digest
from wattseal.bridge.function_plan import order_value
from wattseal.bridge.making import default_policy, sections_of
from wattseal.bridge.plan import DevicePicture, World, plan
from wattseal.bridge.run import is_due, run_plan
from wattseal.bridge.site.reader import read_site
from wattseal.certs import cbor
from wattseal.certs.clock import ClockQuality
from wattseal.certs.policy import Policy
from wattseal.certs.statement import digest
from wattseal.drivers.commands import Function, Operation, Order, Seat, release_of
from wattseal.drivers.manifest_sections import policy_entities
from wattseal.drivers.operations import FUNCTION_OF, UNIT_OF, value_fits
from wattseal.protocols.wish import (
    Connect,
    Curve,
    CurveKind,
    Energize,
    FixedVar,
    Flow,
    FreqDroop,
    InjectLimit,
    PowerFactor,
    RampRate,
    Reference,
    ReturnToService,
    Setpoint,
    TargetVar,
)

TEMPLATE = read_site(SITE_TEXT)
CHARGER = replace(TEMPLATE.devices[1], name="charger")
UTILITY = replace(TEMPLATE.utilities[0], resources={}, groups={})


def site(*devices):
    return replace(TEMPLATE, devices=devices, utilities=(UTILITY,))


TWO = site(*(replace(TEMPLATE.devices[0], name=name) for name in ("a", "b")))
# IEEE 2030.5 has these two kinds; no SunSpec model of the 700s holds them.
CURVE = Curve(CurveKind.WATT_PF, Reference.NONE, ((5000, 10000), (10000, -9000)), 5000)
FREQ_WATT = Curve(CurveKind.FREQ_WATT, Reference.MAX_WATTS, ((50_200, 10_000), (51_000, 0)))
# Wish, and the operation and value that stand in the order for it (docs/statements.md, "Functions").
CARRIED = [
    (Energize(on=False), Operation.ENERGIZE, 0),
    (Energize(on=True), Operation.ENERGIZE, 1),
    (PowerFactor(Flow.INJECT, 9500, over_excited=True), Operation.POWER_FACTOR_INJECT, 9500),
    (PowerFactor(Flow.INJECT, 9500, over_excited=False), Operation.POWER_FACTOR_INJECT, -9500),
    (PowerFactor(Flow.ABSORB, 10000, over_excited=False), Operation.POWER_FACTOR_ABSORB, 10000),
    (FixedVar(Reference.MAX_VARS, -2500), Operation.FIXED_VAR, ("max_vars", -2500)),
    (TargetVar(-700), Operation.TARGET_VAR, -700),
    (RampRate(27), Operation.RAMP_RATE, 27),
    (ReturnToService(delay_ms=300_000), Operation.RETURN_TO_SERVICE, (300_000, None, None, None, None, None, None)),
]


def one(*courses, **fields):
    return timed(grid_event(*courses, **fields))


def functions(where, *events, held=frozenset()):
    """(device, function) -> the order, of functions beside power."""
    pictures = tuple(DevicePicture(device.name, None, None, reachable=True) for device in where.devices)
    found = plan(World(NOW + 10, events, pictures, held), where).desired
    return {one.order.seat: one for one in found if one.order.function is not Function.POWER}


def notes(where, *events):
    pictures = tuple(DevicePicture(device.name, None, None, reachable=True) for device in where.devices)
    return {
        one.device: one.not_carried for one in plan(World(NOW + 10, events, pictures), where).desired if one.not_carried
    }


@pytest.mark.parametrize(("wish", "operation", "value"), CARRIED)
def test_each_wish_becomes_one_order_of_its_function(wish, operation, value) -> None:
    found = functions(TWO, one(course(wish, "a", duration=600)))
    assert set(found) == {Seat("a", FUNCTION_OF[operation])}
    (desired,) = found.values()
    order = desired.order
    assert (order.operation, order.value, order.unit, order.scale) == (operation, value, *UNIT_OF[operation])
    assert (order.not_before, order.hold_seconds, order.revert_to) == (NOW, 600, (Operation.RELEASE, 0))
    assert desired.source.wish == wish


def test_all_of_them_hold_together_and_beside_power() -> None:
    """One event of a 2030.5 control may carry several modes; each is an order of its own."""
    wishes = (Setpoint(1000), Energize(on=True), PowerFactor(Flow.INJECT, 9500, over_excited=True), TargetVar(100))
    courses = [course(wish, "a", name=str(number)) for number, wish in enumerate(wishes)]
    found = plan(World(NOW + 10, (one(*courses),), ()), TWO).desired
    assert [(one.device, str(one.order.operation)) for one in found] == [
        ("a", "set_power"),
        ("a", "energize"),
        ("a", "power_factor_inject"),
        ("a", "target_var"),
        ("b", "release"),
    ]


def test_of_two_wishes_for_a_function_the_one_of_higher_precedence_holds_it() -> None:
    """Vars are one function, whether in var or in percent."""
    higher = one(course(TargetVar(100), "a"), event_id="first", priority=1)
    lower = one(course(FixedVar(Reference.MAX_VARS, 500), "a"), event_id="second", priority=2)
    for events in ((higher, lower), (lower, higher)):
        (desired,) = functions(TWO, *events).values()
        assert (desired.order.operation, desired.order.value) == (Operation.TARGET_VAR, 100)


def test_a_wish_that_cannot_be_carried_gives_way_to_one_that_can() -> None:
    higher = one(course(TargetVar(100)), event_id="first", priority=1)  # at the site point: not shared
    lower = one(course(FixedVar(Reference.MAX_VARS, 500)), event_id="second", priority=2)
    found = functions(TWO, higher, lower)
    assert {seat.device: desired.order.operation for seat, desired in found.items()} == {
        "a": Operation.FIXED_VAR,
        "b": Operation.FIXED_VAR,
    }


@pytest.mark.parametrize(
    ("wish", "note"),
    [
        (Connect(on=False), "sunspec_battery cannot be told to connect or disconnect galvanically"),
        (CURVE, "sunspec_battery has no operation for watt_pf"),
        (FREQ_WATT, "sunspec_battery has no operation for freq_watt"),
        (FixedVar(Reference.MAX_VARS, 20_000), "fixed_var cannot be ordered with that value"),
        (ReturnToService(), "return_to_service cannot be ordered with that value"),
    ],
)
def test_what_a_device_cannot_do_is_named(wish, note) -> None:
    event = one(course(wish, "a"))
    assert functions(TWO, event) == {}
    assert notes(TWO, event) == {"a": (note,)}


def test_a_charger_offers_power_only() -> None:
    assert notes(site(CHARGER), one(course(Energize(on=False), "charger"))) == {
        "charger": ("alfen_eve has no operation for energize",)
    }


def test_vars_at_the_site_point_are_not_shared() -> None:
    assert functions(TWO, one(course(TargetVar(100)))) == {}
    assert set(notes(TWO, one(course(TargetVar(100))))) == {"a", "b"}


def test_a_release_is_wished_only_for_what_was_ordered_before() -> None:
    """An aggregator has a thousand devices: what nobody uses is not told."""
    assert functions(TWO) == {}
    held = frozenset({Seat("a", Function.ENERGIZE)})
    (desired,) = functions(TWO, held=held).values()
    assert desired.order == release_of("a", Function.ENERGIZE, desired.order.profile_digest)
    assert desired.source is None
    (desired,) = functions(TWO, one(course(Energize(on=False), "a")), held=held).values()
    assert desired.order.operation is Operation.ENERGIZE


WISHES = st.sampled_from([wish for wish, _, _ in CARRIED] + [CURVE, Connect(on=True), Setpoint(500), InjectLimit(900)])
EVENTS = st.lists(
    st.tuples(WISHES, st.sampled_from(["a", "b", None]), st.integers(0, 2), st.integers(0, 300)), max_size=6
)


@given(EVENTS)
@settings(max_examples=150, deadline=None)
def test_functions_do_not_move_each_other(events) -> None:
    """What is desired of one function is the same whatever is wished of the others; and by brute force, the first
    carried wish in the order of precedence.
    """
    made = [
        timed(
            grid_event(
                course(wish, *([] if name is None else [name])), event_id=f"E{n}", priority=priority, start=NOW - ago
            )
        )
        for n, (wish, name, priority, ago) in enumerate(events)
    ]
    whole = functions(TWO, *made)
    for seat in [Seat(name, function) for name in ("a", "b") for function in Function]:
        mine = [event for event, (wish, _, _, _) in zip(made, events, strict=True) if _of(wish) is seat.function]
        alone = functions(TWO, *mine).get(seat)
        assert (whole.get(seat) and whole[seat].order) == (alone and alone.order)
        ranked = (
            sorted(
                (priority, NOW - ago, f"E{n}", wish)
                for n, (wish, name, priority, ago) in enumerate(events)
                if _of(wish) is seat.function
                and name in {None, seat.device}
                and not (name is None and type(wish) is TargetVar)
                and not isinstance(wish, Curve)
            )
            if seat.function is not Function.POWER
            else []
        )
        assert (alone is None) == (not ranked)
        if alone is not None:
            assert alone.source.wish == ranked[0][3]


def _of(wish):
    asked = order_value(wish)
    return Function.POWER if asked is None else FUNCTION_OF[asked[0]]


# --- facts, policy and one run

TEXT = SITE_TEXT.replace(
    b'operations = ["set_power", "limit_inject", "limit_absorb"]',
    b'operations = ["set_power", "energize", "target_var"]',
)
SITE = read_site(TEXT)
SECTIONS = sections_of(SITE)
POLICY = Policy(default_policy(), policy_entities(SECTIONS.enrolments, SECTIONS.inventory))


def facts_of(*events, live=(), now=NOW + 10, **changes):
    named = {event.intent: event.event for event in events}
    told = tuple(EventFact(event.intent, 0, None) for event in events)
    pictures = tuple(DevicePicture(device.name, None, 500, reachable=True) for device in SITE.devices)
    facts = Facts(
        now, ClockQuality.TRUSTED, False, digest(TEXT), POLICY.digest, told, pictures, tuple(live), bytes(16), 7, 300
    )
    return replace(facts, **changes), named


def run(*events, **changes):
    facts, named = facts_of(*events, **changes)
    return run_plan(Facts.decode(facts.encode()), named, SITE, POLICY)


def live_of(order: Order, command=b"c" * 32, standing=Standing.COMMANDED, **changes) -> LiveOrder:
    end = order.not_before + order.hold_seconds if order.hold_seconds else None
    row = LiveOrder(
        order.device, command, order_digest(order.encode()), standing, False, end, order.operation, order.watts,
        order.function,
    )  # fmt: skip
    return replace(row, **changes)


def test_policy_judges_each_function_by_its_operation_and_no_ceiling() -> None:
    """The enrolment names energize and target_var, not the power factor; 100 kvar have no ceiling in watts."""
    run_of = run(
        one(course(Setpoint(1000), "battery"), event_id="E1"),
        one(course(TargetVar(100_000), "battery"), event_id="E2"),
        one(course(PowerFactor(Flow.INJECT, 9500, over_excited=True), "battery"), event_id="E3"),
    )
    told = {str(turn.desired.order.operation): turn.decision.allowed for turn in run_of.turns}
    assert told == {"set_power": True, "target_var": True, "power_factor_inject": False}
    commands = [turn.command for turn in run_of.turns if turn.command is not None]
    assert [command.sequence for command in commands] == [7, 8]


def test_each_function_supersedes_its_own_last_command() -> None:
    before = run(one(course(Setpoint(1000), "battery")), one(course(TargetVar(100), "battery"), event_id="E2"))
    power, var = (turn.desired.order for turn in before.turns)
    live = (live_of(power, b"p" * 32), live_of(var, b"v" * 32))
    again = run(
        one(course(Setpoint(1000), "battery")), one(course(TargetVar(200), "battery"), event_id="E2"), live=live
    )
    (turn,) = again.turns
    assert (turn.desired.order.operation, turn.command.supersedes) == (Operation.TARGET_VAR, b"v" * 32)


def test_a_function_is_released_once_its_wish_is_gone() -> None:
    (turn,) = run(one(course(Energize(on=False), "battery", duration=None), duration=None)).turns
    live = (live_of(turn.desired.order),)
    (turn,) = run(live=live).turns
    assert (turn.desired.order.operation, turn.desired.order.function) == (Operation.RELEASE, Function.ENERGIZE)
    assert turn.decision.allowed
    assert run(live=(live_of(turn.desired.order),)).turns == ()


def test_only_to_energize_raises_power_among_the_functions_beside_it() -> None:
    """With the disk short, policy lets a device cease, not energize."""
    for on, allowed in ((True, False), (False, True)):
        (turn,) = run(one(course(Energize(on=on), "battery")), storage_low=True).turns
        assert turn.decision.allowed is allowed
    for wish, operation, _ in CARRIED:
        facts, named = facts_of(one(course(wish, "battery")))
        desired = next(one for one in plan(facts.world(named), SITE).desired if one.order.operation is operation)
        assert raises_power(desired, facts) is (wish == Energize(on=True))
        assert decide(question(desired, facts, SITE.name), desired, POLICY).context["magnitude_watts"] == 0


def test_facts_name_a_function_only_where_it_is_not_power() -> None:
    """Rows of power are the bytes they always were; a second spelling is refused."""
    (turn,) = run(one(course(Energize(on=False), "battery"))).turns
    power = LiveOrder("battery", None, bytes(32), Standing.OVER, False, None, Operation.SET_POWER, 5)
    facts, _ = facts_of(live=(live_of(turn.desired.order), power))
    body = dict(cbor.decode(facts.encode()))
    assert [len(row) for row in body[9]] == [9, 8]
    assert Facts.decode(facts.encode()) == facts
    for wrong in ("power", "other", 3):
        with pytest.raises(FactsError):
            Facts.decode(cbor.encode({**body, 9: ((*body[9][1], wrong),)}))


def test_whether_an_order_is_due_is_asked_of_its_own_function() -> None:
    facts, named = facts_of(one(course(Energize(on=False), "battery")))
    desired = next(one for one in plan(facts.world(named), SITE).desired if one.order.function is Function.ENERGIZE)
    assert is_due(desired, facts)
    assert not is_due(desired, replace(facts, live=(live_of(desired.order),)))
    power = replace(live_of(desired.order), function=Function.POWER, operation=Operation.SET_POWER)
    assert is_due(desired, replace(facts, live=(power,)))


@pytest.mark.parametrize("kind", CurveKind)
def test_a_curve_is_the_value_of_an_operation_of_its_own(kind) -> None:
    curve = Curve(kind, Reference.MAX_VARS, ((9200, 3000), (10800, -3000)), 5000, 10_000, 300)
    operation, value = order_value(curve)
    assert str(operation) == str(kind)
    assert value == ("max_vars", ((9200, 3000), (10800, -3000)), 5000, 10_000, 300)
    assert value_fits(operation, value)


def test_droop_is_the_value_of_an_operation_of_its_own() -> None:
    assert order_value(FreqDroop(36, 37, 50, 51, 5000)) == (Operation.FREQ_DROOP, (36, 37, 50, 51, 5000))


def test_every_value_of_a_carried_wish_fits() -> None:
    assert all(value_fits(operation, value) for _, operation, value in CARRIED)
