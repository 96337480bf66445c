"""The default policy, rule by rule, and the gate's own second opinion."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattseal.certs.clock import ClockQuality
from wattseal.certs.policy import Name
from wattseal.drivers.authorisation import asks_the_same, question_of
from wattseal.drivers.commands import Decision, Operation
from wattseal.drivers.gate.acceptance import Accepted, LocalFacts, Refused

GRID, SITE = Name("Utility", "grid"), Name("Site", "site-1")
CALM = {
    "programme": "dispatch",
    "test": False,
    "clock_trusted": True,
    "storage_low": False,
    "raises_power": True,
}


def verdict(world, order, principal=GRID, **asked):
    given_verdict = question_of(order, principal, **(CALM | asked)).put_to(world.policy)
    return given_verdict.allowed, given_verdict.policy_ids


@pytest.mark.parametrize(
    ("order", "asked", "expected"),
    [
        ({}, {}, (True, ("enrolled-utility-may-order",))),
        ({"value": 8000}, {}, (True, ("enrolled-utility-may-order",))),
        ({"value": 8001}, {}, (False, ())),
        ({"value": -8001}, {}, (False, ())),
        ({"device": "neighbour"}, {}, (False, ())),
        ({}, {"programme": "another"}, (False, ())),
        ({}, {"test": True}, (False, ("test-event-moves-nothing",))),
        ({}, {"clock_trusted": False}, (False, ("clock-untrusted-only-release",))),
        ({}, {"storage_low": True}, (False, ("storage-low-no-raise",))),
        ({}, {"storage_low": True, "raises_power": False}, (True, ("enrolled-utility-may-order",))),
        ({"operation": Operation.RELEASE, "value": 0}, {}, (False, ())),
    ],
)
def test_what_a_utility_may_order(gate_world, order, asked, expected):
    assert verdict(gate_world, gate_world.order(**order), **asked) == expected


def test_nobody_unknown_may_order(gate_world):
    assert not verdict(gate_world, gate_world.order(), Name("Utility", "nobody"))[0]


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.text(max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_circumstance_keeps_a_device_from_its_default(gate_world, test, trusted, low, raises, programme):
    """docs/statements.md: nothing ever delays a move toward the safe side."""
    asked = {
        "test": test,
        "clock_trusted": trusted,
        "storage_low": low,
        "raises_power": raises,
        "programme": programme,
    }
    assert verdict(gate_world, gate_world.release(), SITE, **asked) == (True, ("site-may-release",))


@pytest.mark.parametrize("operation", [Operation.SET_POWER, Operation.LIMIT_ABSORB, Operation.LIMIT_INJECT])
def test_the_site_may_do_nothing_else(gate_world, operation):
    assert verdict(gate_world, gate_world.order(operation=operation, value=0), SITE) == (False, ())


def test_permit_at_the_core_that_the_gates_facts_forbid(gate_world):
    """The decision says storage is plenty; the gateway's own disk is short: docs/operations.md, `storage_full`."""
    gate_world.local["battery"] = LocalFacts(500, 0, storage_low=True)
    outcome = gate_world.tell()
    assert (outcome.reason, outcome.step, outcome.consumed_sequence) == ("storage_full", 9, 1)
    assert "storage-low-no-raise" in outcome.sentence


def test_short_disk_still_lets_power_down(gate_world):
    gate_world.local["battery"] = LocalFacts(
        500, 5000, storage_low=True, commanded=(Operation.SET_POWER, 5000), last_direction=1
    )
    assert isinstance(gate_world.tell(gate_world.order(value=3000)), Accepted)
    assert gate_world.tell(gate_world.order(value=5001), 2).reason == "storage_full"
    assert isinstance(gate_world.tell(gate_world.order(value=5000), 3), Accepted)


def test_what_is_pending_counts_when_it_is_asked_whether_power_is_raised(gate_world):
    """5 kW live, the way down to 1 kW accepted and on its way: 3 kW would raise it again."""
    gate_world.local["battery"] = LocalFacts(
        500,
        5000,
        storage_low=True,
        commanded=(Operation.SET_POWER, 5000),
        last_direction=1,
        pending=((Operation.SET_POWER, 1000),),
    )
    assert gate_world.tell(gate_world.order(value=3000)).reason == "storage_full"


def test_gate_believes_its_own_clock_not_the_decisions(new_gate_world):
    """A policy that lets a release only by a trusted clock is obeyed by the gate's clock."""
    text = b"""
        @id("any") permit (principal, action, resource);
        @id("clock") forbid (principal, action, resource) when { !context.clock_trusted };
    """
    world = new_gate_world(policy_text=text)
    assert world.policy.digest == hashlib.sha256(text).digest()
    order = world.release()
    decision = world.introduce(order, principal=SITE, programme="")
    assert isinstance(world.say(world.command(order, [decision], 1)), Accepted)
    outcome = world.say(world.command(order, [decision], 2), quality=ClockQuality.UNTRUSTED)
    assert (outcome.reason, outcome.step) == ("clock_untrusted", 9)


def test_a_short_disk_is_the_reason_only_where_it_decides(new_gate_world):
    """What the policy would deny with plenty of room too is the policy's own no."""
    text = b"""
        @id("low-power") permit (principal, action, resource) when { context.magnitude_watts <= 1000 };
        @id("room") forbid (principal, action, resource) when { context.storage_low };
    """
    world = new_gate_world(policy_text=text)
    world.local["battery"] = LocalFacts(500, 0, storage_low=True)
    little, much = world.order(value=1000), world.order(value=1001)
    assert world.say(world.command(little, [world.introduce(little)], 1)).reason == "storage_full"
    assert world.say(world.command(much, [world.introduce(much)], 2)).reason == "policy_denied"


def test_test_event_of_a_lying_policy_role(gate_world):
    """The decision allows what its own question makes forbidden: the gate asks again and denies."""
    order = gate_world.order()
    decision = gate_world.introduce(order, test=True)
    outcome = gate_world.say(gate_world.command(order, [decision]))
    assert (outcome.reason, outcome.step) == ("policy_denied", 9)


@pytest.mark.parametrize(
    ("value", "programme"), [(8001, "dispatch"), (3000, "another"), (3000, ""), (3000, 'x" || true //')]
)
def test_utility_beyond_its_enrolment(gate_world, value, programme):
    order = gate_world.order(value=value)
    decision = gate_world.introduce(order, programme=programme)
    outcome = gate_world.say(gate_world.command(order, [decision]))
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.step) == ("policy_denied", 9)


def test_decision_body_carries_the_whole_question(gate_world):
    """{1 allow, 2 ids, 3 order, 4 policy digest, 5 [type, id, action, resource], 6 sorted context}."""
    order = gate_world.order()
    question = question_of(order, GRID, **CALM)
    body = question.decision(question.put_to(gate_world.policy), order.encode(), gate_world.policy.digest)
    again = Decision.decode(body.encode())
    assert again == body
    assert again.context == {
        "programme": "dispatch",
        "operation": "set_power",
        "watts": 3000,
        "magnitude_watts": 3000,
        "test": False,
        "clock_trusted": True,
        "storage_low": False,
        "raises_power": True,
    }
    assert asks_the_same(again, question_of(order, GRID, **(CALM | {"storage_low": True})))
    assert not asks_the_same(again, question_of(order, SITE, **CALM))
