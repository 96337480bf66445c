"""The gate with orders of functions beside power: the same steps, and the envelope's few rules for them."""

from dataclasses import replace

import pytest

from wattseal.certs.clock import ClockQuality
from wattseal.certs.policy import Name
from wattseal.drivers.commands import Function, Operation, release_of
from wattseal.drivers.gate.acceptance import Accepted, Refused
from wattseal.drivers.gate.envelope import Ask, Rule, Ruling, judge, outgrown, permitted_back, raises_power
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.manifest_sections import DeviceEnvelope, SiteEnvelope
from wattseal.drivers.operations import FUNCTION_OF, POWER_OPERATIONS, operations_of_function, unit_of

ENERGIZE, FACTOR, TARGET = Operation.ENERGIZE, Operation.POWER_FACTOR_INJECT, Operation.TARGET_VAR
BESIDE = [operation for operation in Operation if operation not in POWER_OPERATIONS | {Operation.RELEASE}]
# Of power nothing is allowed here: no range, no ramp, no cycle left, changed a second ago, empty, site full.
NARROW = DeviceEnvelope("battery", 0, 0, 1, 3600, 1, 500, 501)
SITE = SiteEnvelope((NARROW,), 0, 0)
T = 10_000.0
BUSY = LocalFacts(
    0, 5000, commanded=(Operation.SET_POWER, 5000), last_change_at=T - 1, last_direction=1, cycles_in_hour=9
)


@pytest.fixture
def world(new_gate_world):
    """The utility is enrolled for everything."""
    made = new_gate_world()
    rows = tuple(
        replace(row, operations=tuple(one for one in Operation if one is not Operation.RELEASE))
        for row in made.sections.enrolments
    )
    return new_gate_world(sections=replace(made.sections, enrolments=rows))


def order(world, operation, value, **changes):
    unit, scale = unit_of(operation, FUNCTION_OF[operation])
    return world.order(
        **{"operation": operation, "value": value, "unit": unit, "scale": scale, "tolerance": 0} | changes
    )


@pytest.mark.parametrize("operation", BESIDE)
def test_no_rule_of_power_holds_up_another_function(operation):
    """Range, charge, site, ramp, dwell and cycles are of power; so to cease to energize is never delayed."""
    assert judge(Ask("battery", operation, 0), SITE, {"battery": BUSY}, T).rule is None
    assert judge(Ask("battery", operation, 0), SITE, {"battery": BUSY}, T).watts == 0


@pytest.mark.parametrize("operation", BESIDE)
def test_what_is_forbidden_is_forbidden_for_every_function(operation):
    bounds = SiteEnvelope((replace(NARROW, forbidden=(operation,)),), 0, 0)
    local = {"battery": BUSY}
    assert judge(Ask("battery", operation, 0), bounds, local, T).rule is Rule.FORBIDDEN
    other = TARGET if operation is not TARGET else FACTOR
    assert judge(Ask("battery", other, 0, (operation, 0)), bounds, local, T).rule is Rule.REVERT
    assert (
        judge(Ask("battery", other, 0), SITE, {"battery": replace(BUSY, available=False)}, T).rule is Rule.UNAVAILABLE
    )
    assert judge(Ask("battery", other, 0), SiteEnvelope((), 0, 0), local, T).rule is Rule.UNKNOWN


@pytest.mark.parametrize("function", [one for one in Function if one is not Function.POWER])
def test_what_the_owner_keeps_to_himself_is_not_released_either(function):
    """SunSpec 703 ES, 705 Ena and the like: a release of a function writes, and would undo what the owner set there."""
    local = {"battery": BUSY}
    ask = Ask("battery", Operation.RELEASE, 0, released=function)
    every = tuple(sorted(operations_of_function(function)))
    kept = SiteEnvelope((replace(NARROW, forbidden=every),), 0, 0)
    assert judge(ask, kept, local, T) == Ruling(None, Rule.FORBIDDEN)
    assert judge(ask, SITE, local, T) == Ruling(0, None)
    power = Ask("battery", Operation.RELEASE, 0)
    all_of_it = SiteEnvelope((replace(NARROW, forbidden=tuple(sorted(POWER_OPERATIONS))),), 0, 0)
    assert judge(power, all_of_it, local, T) == Ruling(0, None), "power always goes back to the device's default"
    for one in every if len(every) > 1 else ():
        in_part = SiteEnvelope((replace(NARROW, forbidden=(one,)),), 0, 0)
        assert judge(ask, in_part, local, T) == Ruling(0, None), "what may be ordered there may be taken back"


def test_a_release_does_not_energize_where_that_is_forbidden(new_gate_world):
    """The whole gate: by its number alone, with an untrusted clock, such a release passes every other step."""
    made = new_gate_world()
    bounds = tuple(replace(one, forbidden=(ENERGIZE,)) for one in made.sections.envelope.devices)
    world = new_gate_world(sections=replace(made.sections, envelope=replace(made.sections.envelope, devices=bounds)))
    for number, (function, taken) in enumerate(((Function.ENERGIZE, False), (Function.POWER, True)), start=1):
        way_back = release_of("battery", function, world.PROFILE["battery"])
        decided = world.introduce(way_back, principal=Name("Site", world.manifest.site), programme="")
        outcome = world.say(world.command(way_back, [decided], number), quality=ClockQuality.UNTRUSTED)
        assert isinstance(outcome, Accepted if taken else Refused), outcome
        assert taken or (outcome.step, outcome.reason) == (10, "envelope_forbidden")


def test_a_command_is_outgrown_when_its_operation_was_forbidden_meanwhile():
    bounds = SiteEnvelope((replace(NARROW, forbidden=(ENERGIZE,)),), 0, 0)
    local = {"battery": BUSY}
    assert outgrown(Ask("battery", ENERGIZE, 0), bounds, local, T) is Rule.FORBIDDEN
    assert outgrown(Ask("battery", FACTOR, 0), bounds, local, T) is None
    assert permitted_back("battery", (ENERGIZE, 1), bounds) == (Operation.RELEASE, 0)
    assert permitted_back("battery", (FACTOR, 9500), bounds) == (FACTOR, 9500)


def test_only_to_energize_raises_power(world):
    facts = LocalFacts(500, 0)
    assert raises_power(order(world, ENERGIZE, 1), facts)
    assert not raises_power(order(world, ENERGIZE, 0), facts)
    assert not raises_power(order(world, FACTOR, 9500), facts)
    assert not raises_power(release_of("battery", Function.ENERGIZE, bytes(32)), facts)
    assert raises_power(world.order(value=3000), facts)


@pytest.mark.parametrize(("operation", "value"), [(ENERGIZE, 0), (FACTOR, -9500), (TARGET, 1_000_000)])
def test_an_order_of_another_function_passes_with_its_value_as_it_is(world, operation, value):
    outcome = world.tell(order(world, operation, value))
    assert isinstance(outcome, Accepted), outcome
    assert (outcome.order.value, outcome.asked_watts, outcome.watts, outcome.rule) == (value, 0, 0, None)


def test_what_the_utility_is_not_enrolled_for_is_denied_by_the_gates_own_policy(gate_world):
    """The lie of a core that let it pass: the decision says yes, the gate asks again."""
    outcome = gate_world.tell(order(gate_world, ENERGIZE, 0))
    assert (outcome.step, outcome.reason, outcome.consumed_sequence) == (9, "policy_denied", 1)


def test_with_the_disk_short_a_device_may_cease_and_not_energize(world):
    world.local["battery"] = replace(world.local["battery"], storage_low=True)
    assert world.tell(order(world, ENERGIZE, 1)).reason == "storage_full"
    assert isinstance(world.tell(order(world, ENERGIZE, 0), 2), Accepted)


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "W"},
        {"scale": 1},
        {"value": True},
        {"value": 2},
        {"value": (0,)},
        {"revert_to": (Operation.SET_POWER, 0)},
        {"revert_to": (Operation.TARGET_VAR, 0)},
        {"revert_to": (Operation.ENERGIZE, 2)},
    ],
)
def test_an_order_that_makes_no_sense_for_its_function_stops_at_step_three(world, changes):
    outcome = world.tell(replace(order(world, ENERGIZE, 0), **changes))
    assert isinstance(outcome, Refused)
    assert (outcome.step, outcome.reason, outcome.consumed_sequence) == (3, "order_malformed", None)


def test_a_release_of_any_function_is_taken_when_nothing_else_is(world):
    """With an untrusted clock only the way back to the default is open, for every function."""
    for number, function in enumerate((Function.POWER, Function.ENERGIZE, Function.VARS), start=1):
        way_back = release_of("battery", function, world.PROFILE["battery"])
        decided = world.introduce(way_back, principal=Name("Site", world.manifest.site), programme="")
        outcome = world.say(world.command(way_back, [decided], number), quality=ClockQuality.UNTRUSTED)
        assert isinstance(outcome, Accepted), outcome
        assert outcome.order.function is function
    cease = order(world, ENERGIZE, 0)
    refused = world.say(world.command(cease, [world.introduce(cease)], 4), quality=ClockQuality.UNTRUSTED)
    assert (refused.step, refused.reason) == (7, "clock_untrusted")
