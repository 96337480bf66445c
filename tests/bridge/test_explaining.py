"""The sentence of who wins and why: by hand from the rules, and against the plan itself for random worlds.

The rules: precedence in `timeline` (decision 012), limits in `power_plan`, functions in `function_plan`.
"""

from dataclasses import replace

import pytest
from bridge_world import NOW, SITE_TEXT, course, grid_event, timed
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_world import TWO, UTILITIES, battery, charger, site, worlds

from wattseal.bridge.core.memory import Memory
from wattseal.bridge.core.outbound import explanations
from wattseal.bridge.core.status import status
from wattseal.bridge.explaining import Rule, explain, named
from wattseal.bridge.plan import DevicePicture, World, plan
from wattseal.bridge.site.reader import read_site
from wattseal.bridge.status_text import lines
from wattseal.bridge.timeline import precedence
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.drivers.commands import Function, Operation, Seat
from wattseal.protocols.grid_event import DEFAULT_PRIORITY, Point
from wattseal.protocols.ieee2030_5.set_values import FLOW, LOAD
from wattseal.protocols.ieee2030_5.translate import DIALECT
from wattseal.protocols.wish import AbsorbLimit, Connect, FixedVar, InjectLimit, Level, Reference, Setpoint

ONE = site(battery("a"))


def explained(where, *events, held=frozenset()):
    pictures = tuple(DevicePicture(one.name, None, None, True) for one in where.devices)
    world = World(NOW + 10, events, pictures, held)
    desired = plan(world, where).desired
    return desired, explain(desired, world, where)


def sentence(where, *events, device="a", function=Function.POWER, **world):
    _, found = explained(where, *events, **world)
    return next(one.sentence for one in found if (one.device, one.function) == (device, function))


def openadr(wish, event_id="E1", **fields):
    return timed(grid_event(course(wish, "a"), event_id=event_id, utility="north", **fields))


def control(wish, event_id="0A", **fields):
    return timed(grid_event(course(wish, "a"), event_id=event_id, utility="v", dialect=DIALECT, **fields))


def default(wish, primacy):
    return control(wish, "default:0A", priority=DEFAULT_PRIORITY + primacy, start=NOW - 60, duration=None)


E1 = "event E1 of north (OpenADR 2.0b, programme dispatch, "
C0A = "DERControl 0A of v (IEEE 2030.5, programme dispatch, "


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [openadr(Setpoint(-2000), priority=5), control(Setpoint(1500), priority=1)],
            f"a is to inject 1500 W: {C0A}primacy 1) asks for 1500 W; "
            f"it beats {E1}priority 5): the lower number wins, 1 before 5.",
            id="primacy and priority on one scale",
        ),
        pytest.param(
            [openadr(Setpoint(-2000)), control(Setpoint(1500), priority=255)],
            f"a is to inject 1500 W: {C0A}primacy 255) asks for 1500 W; "
            f"it beats {E1}no priority): a number comes before none.",
            id="an OpenADR event without priority is the lowest of events",
        ),
        pytest.param(
            [openadr(Setpoint(-2000), priority=300), default(Setpoint(1500), 0)],
            f"a is to absorb 2000 W: {E1}priority 300) asks for -2000 W; it beats DefaultDERControl of v (IEEE 2030.5, "
            "programme dispatch, primacy 0): an event comes before a default.",
            id="an event of any number comes before a default",
        ),
        pytest.param(
            [openadr(Setpoint(-2000)), default(Setpoint(1500), 0)],
            f"a is to absorb 2000 W: {E1}no priority) asks for -2000 W; it beats DefaultDERControl of v (IEEE 2030.5, "
            "programme dispatch, primacy 0): an event comes before a default.",
            id="so does one without a number",
        ),
        pytest.param(
            [openadr(Setpoint(0), priority=1, start=NOW - 5), control(Setpoint(1500), priority=1, start=NOW)],
            f"a is to stand at 0 W: {E1}priority 1) asks for 0 W; it beats {C0A}primacy 1): "
            "equal in number, the one that started first wins, 07:59:55Z before 08:00:00Z.",
            id="the one that started first",
        ),
        pytest.param(
            [openadr(Setpoint(900), priority=1), control(Setpoint(1500), priority=1)],
            f"a is to inject 900 W: {E1}priority 1) asks for 900 W; it beats {C0A}primacy 1): "
            "equal in number and start, the name decides, north/E1 before v/0A.",
            id="then names",
        ),
        pytest.param(
            [openadr(Setpoint(3000), priority=1), control(InjectLimit(1000), priority=9)],
            f"a is to inject 1000 W: {E1}priority 1) asks for 3000 W; the limit of {C0A}primacy 9) narrows it, for a "
            "setpoint and a limit hold together.",
            id="a limit of one narrows the setpoint of another",
        ),
        pytest.param(
            [openadr(InjectLimit(3000), priority=1), control(InjectLimit(1000), priority=9)],
            f"a is to inject no more than 1000 W: {C0A}primacy 9) asks for no more than 1000 W out; it beats {E1}"
            "priority 1): of limits in one direction the tightest holds, whoever set it.",
            id="of two limits the tighter, whatever their numbers",
        ),
        pytest.param(
            [openadr(Setpoint(9000))],
            f"a is to inject 5000 W: {E1}no priority) asks for 9000 W; what the device and the connection may do "
            "narrows it.",
            id="the envelope",
        ),
        pytest.param([], "a is at its own default: no event in force asks for anything.", id="nothing"),
        pytest.param(
            [control(AbsorbLimit(100), priority=1)],
            "a is at its own default: what is asked of it is left out; left out: sunspec_battery cannot be told to "
            "absorb no more than 100 W.",
            id="what cannot be carried out",
        ),
    ],
)
def test_the_sentence_by_hand(events, expected):
    """NOW is 2027-01-15 08:00:00 UTC."""
    assert sentence(ONE, *events) == expected
    assert sentence(ONE, *reversed(events)) == expected, "no order of arrival changes it"


def test_a_share_of_the_site_is_said_to_be_one():
    event = timed(grid_event(course(Setpoint(1001)), utility="north"))
    assert sentence(TWO, event) == (
        f"a is to inject 501 W: {E1}no priority) asks for 1001 W at the site; this is the device's part of it."
    )


def test_a_function_beside_power_has_a_sentence_of_its_own():
    """Functions are independent: vars are held beside the setpoint, a release is named after its function."""
    vars_a = control(FixedVar(Reference.MAX_VARS, 500), priority=1)
    vars_b = control(FixedVar(Reference.MAX_VARS, 700), "0B", priority=2)
    told = sentence(ONE, openadr(Setpoint(1), priority=0), vars_a, vars_b, function=Function.VARS)
    assert told == (
        f"a is to hold fixed_var: {C0A}primacy 1) asks for it; it beats DERControl 0B of v (IEEE 2030.5, programme "
        "dispatch, primacy 2): the lower number wins, 1 before 2."
    )
    held = frozenset({Seat("a", Function.VARS)})
    assert sentence(ONE, held=held, function=Function.VARS) == (
        "a is at its own default in vars: no event in force asks for anything."
    )


def test_more_than_three_beaten_are_counted():
    events = [openadr(Setpoint(n), f"E{n}", priority=n) for n in range(1, 7)]
    told = sentence(ONE, *events)
    assert told.count("it beats") == 3
    assert told.endswith("; and 2 more.")


@pytest.mark.parametrize(
    ("signal", "kind"), [(LOAD, "EndDeviceControl"), (FLOW, "FlowReservationResponse"), ("opModTargetW", "DERControl")]
)
def test_what_a_server_sends_is_called_by_its_resource(signal, kind):
    event = grid_event(course(Setpoint(1), "a", name=signal), event_id="0A", utility="v", dialect=DIALECT, priority=3)
    assert named(event) == f"{kind} 0A of v (IEEE 2030.5, programme dispatch, primacy 3)"


def test_a_connect_that_no_device_can_hold_is_left_out():
    told = sentence(ONE, control(Connect(False), priority=1))
    assert "left out: sunspec_battery cannot be told to connect" in told


# ---- against the plan, for random worlds ----------------------------------------------------------------------

WHERE = site(battery("a", -4000, 3000), battery("b"), charger(), inject=4500, absorb=6000)
RANKS = st.sampled_from([None, 0, 1, 2, 300, DEFAULT_PRIORITY, DEFAULT_PRIORITY + 1])


@st.composite
def ranked(draw):
    events = draw(worlds())
    return [replace(one, event=replace(one.event, priority=draw(RANKS))) for one in events]


def is_asked(wish, device):
    """Whether a wish asks for a setpoint of the device: by its kind, or by the site's table of levels."""
    match wish:
        case Setpoint():
            return True
        case Level(level):
            action = device.levels.get(level)
            return action is not None and action.operation is Operation.SET_POWER
    return False


@given(ranked())
@settings(max_examples=300, deadline=None)
def test_the_winner_of_the_sentence_is_the_source_of_the_plan(events):
    """And it beats exactly the other events that ask for a setpoint there, each by a rule that is true of the two."""
    desired, found = explained(WHERE, *events)
    assert [(one.device, one.order.function) for one in desired] == [(one.device, one.function) for one in found]
    for one, why in zip(desired, found, strict=True):
        if one.source is None:
            assert why.sentence.startswith(f"{one.device} is at its own default")
            continue
        winner = one.source.timed
        head = why.sentence.split(";")[0]
        assert f" {winner.event.origin.event_id} of {winner.event.origin.utility} " in head
        device = WHERE.device(one.device)
        if not is_asked(one.source.wish, device):
            limits = [type(one.source.wish), *(type(beaten.wish.wish) for beaten in why.beaten)]
            assert all(beaten.rule is Rule.NARROWER for beaten in why.beaten), limits
            continue
        rivals = {
            event.event.origin.key
            for event in events
            for aimed in event.event.courses
            if (aimed.point is Point.SITE or one.device in aimed.devices) and is_asked(aimed.intervals[0].wish, device)
        }
        assert {beaten.wish.timed.event.origin.key for beaten in why.beaten} == rivals - {winner.event.origin.key}
        for beaten in why.beaten:
            assert_true(beaten.rule, winner, beaten.wish.timed)
        assert why.sentence.count("it beats") == min(3, len(why.beaten))


def assert_true(rule, winner, loser):
    """An oracle that knows neither keys nor ranks: the words of decision 012."""
    mine, theirs = winner.event, loser.event
    match rule:
        case Rule.NUMBER if theirs.is_default or mine.is_default:
            assert theirs.is_default
            assert not mine.is_default or mine.priority < theirs.priority
        case Rule.NUMBER:
            assert mine.priority is not None
            assert theirs.priority is None or mine.priority < theirs.priority
        case Rule.START:
            assert mine.priority == theirs.priority
            assert winner.start < loser.start
        case _:
            assert (mine.priority, winner.start) == (theirs.priority, loser.start)
            assert mine.origin.key < theirs.origin.key
    assert precedence(winner) < precedence(loser)


# ---- where it is shown ----------------------------------------------------------------------------------------


def test_status_tells_it_in_json_and_text():
    """`wattseal status`: why, for each function of each device; the world is that of the facts of a run."""
    found = read_site(SITE_TEXT)
    where = replace(found, utilities=(*found.utilities, replace(UTILITIES[0], name="v")))
    memory = Memory()
    for one in (openadr(Setpoint(2000), priority=5), control(Setpoint(1500), priority=1)):
        moved = replace(one.event.courses[0], devices=("battery",))
        memory.events[one.event.origin.key] = replace(one, event=replace(one.event, courses=(moved,)))
    now = Instant((NOW + 10) * 1000, 0.0, ClockQuality.TRUSTED)
    told = status(memory, where, now, 0)
    why = told["devices"]["battery"]["why"]["power"]
    assert why.startswith(f"battery is to inject 1500 W: {C0A}primacy 1)")
    assert f"  why: {why}" in list(lines(told))
    assert next(iter(explanations(memory, where, now))).sentence == why
