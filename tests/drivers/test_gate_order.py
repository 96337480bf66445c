"""The gate's one legal order: a message with several faults is refused for the earliest, however they came about."""

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattseal.certs.clock import ClockQuality
from wattseal.certs.statement import Kind
from wattseal.drivers.commands import Operation
from wattseal.drivers.gate.acceptance import Accepted, LocalFacts, Refused
from wattseal.drivers.gate.steps import STEPS

USED = 40  # numbers up to here were consumed before the message comes


@dataclass
class Draft:
    """A message in the making, and the circumstances in which it arrives. Without a fault it is accepted."""

    order: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    sequence: int = USED + 1
    signer: str = "issuer"
    parent: str = "decision"
    clock: dict[str, Any] = field(default_factory=dict)
    local: dict[str, Any] = field(default_factory=dict)
    unprotected: dict[int, bytes] = field(default_factory=dict)
    spoil_signature: bool = False
    trailing: int = 0
    padding: int = 0


def fault(step, reason, **changes):
    """A fault changes a few fields of the draft; faults of different steps change different fields or agree."""

    def apply(draft):
        for name, value in changes.items():
            present = getattr(draft, name)
            setattr(draft, name, present | value if isinstance(value, dict) else value)

    return step, reason, apply


FAULTS = {
    "oversized": fault(1, "message_oversized", padding=1 << 20),
    "stranger": fault(2, "key_unknown", signer="stranger"),
    "ended key": fault(2, "key_out_of_term", signer="issuer-ended"),
    "core signs": fault(2, "role_wrong", signer="core"),
    "unprotected filled": fault(3, "unprotected_not_empty", unprotected={4: b"x"}),
    "trailing byte": fault(3, "cbor_not_canonical", trailing=1),
    "senseless order": fault(3, "order_malformed", order={"tolerance": -1}),
    "signature": fault(4, "signature_invalid", spoil_signature=True),
    "audience": fault(5, "audience_wrong", header={"audience": "gw-2"}),
    "profile": fault(5, "profile_changed", order={"profile_digest": bytes(32)}),
    "epoch": fault(6, "epoch_wrong", header={"epoch": bytes(16)}),
    "replayed": fault(6, "sequence_replayed", sequence=USED),
    "jump": fault(6, "sequence_jump", sequence=USED + 1001),
    "lease": fault(7, "lease_too_long", header={"lease_seconds": 901}),
    "expired": fault(7, "expired", header={"expires_at": 1_799_000_000}),
    "early": fault(7, "not_yet_valid", header={"not_before": 1_900_000_000}),
    "clock": fault(7, "clock_untrusted", clock={"quality": ClockQuality.UNTRUSTED}),
    "no parent": fault(8, "parent_missing", parent="none"),
    "facts as parent": fault(8, "parent_kind_wrong", parent="facts"),
    "two parents": fault(8, "parent_too_many", parent="two"),
    "denied": fault(8, "decision_denied", decision={"allowed": False}),
    "other order": fault(8, "decision_other_order", decision={"order": b"\xa0"}),
    "other policy": fault(8, "policy_digest_wrong", decision={"policy_digest": bytes(32)}),
    "local storage": fault(9, "storage_full", local={"storage_low": True}),
    "taken out": fault(10, "device_unavailable", local={"available": False}),
    "dwell": fault(10, "envelope_dwell", local={"last_change_at": 49_999.0}),
}


def arrive(world, draft):
    """Make the message of a draft and put it to the gate."""
    order = world.order(**draft.order)
    said = world.ancestry(order, **draft.decision)
    for one in said:
        world.say(one)
    parents = {"none": [], "facts": [said[2]], "two": [said[3], said[3]], "decision": [said[3]]}[draft.parent]
    world.memory.consume(USED)
    world.local["battery"] = replace(LocalFacts(500, 0), **draft.local)
    signer = world.signers[draft.signer]
    raw = world.command(order, parents, draft.sequence, signer=signer, **draft.header).raw
    protected, _unprotected, payload, signature = cbor2.loads(raw).value
    if draft.spoil_signature:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    raw = cbor2.dumps(cbor2.CBORTag(18, [protected, draft.unprotected, payload, signature]), canonical=True)
    return world.say(raw + bytes(draft.trailing + draft.padding), **draft.clock)


def expected(names):
    return min((FAULTS[name][:2] for name in names), key=lambda found: found[0])


def check(world, names):
    draft = Draft()
    for name in names:
        FAULTS[name][2](draft)
    outcome = arrive(world, draft)
    step, reason = expected(names)
    assert isinstance(outcome, Refused), names
    assert (outcome.step, outcome.reason) == (step, reason), names
    assert outcome.consumed_sequence == (draft.sequence if step > 6 else None)
    assert world.memory.high_water == (draft.sequence if step > 6 else USED)
    assert (outcome.statement is None) == (step <= 4)


def test_draft_without_a_fault_is_accepted(gate_world):
    """Or the faults would prove nothing."""
    assert isinstance(arrive(gate_world, Draft()), Accepted)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone(gate_world, name):
    check(gate_world, [name])


def test_every_step_has_a_fault_here():
    assert {step for step, *_ in FAULTS.values()} == {step.number for step in STEPS}


def test_every_pair_of_faults_of_different_steps(new_gate_world):
    for pair in combinations(FAULTS, 2):
        if FAULTS[pair[0]][0] != FAULTS[pair[1]][0]:
            check(new_gate_world(), pair)


ONE_PER_STEP = st.fixed_dictionaries(
    {},
    optional={
        step.number: st.sampled_from([name for name, found in FAULTS.items() if found[0] == step.number])
        for step in STEPS
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=ONE_PER_STEP.filter(bool), data=st.data())
def test_any_faults_in_any_permutation_give_the_reason_of_the_earliest_step(new_gate_world, chosen, data):
    """docs/statements.md, the gate's one order; by which road the faults came into the message does not matter."""
    check(new_gate_world(), data.draw(st.permutations(sorted(chosen.values()))))


def test_release_is_subject_to_the_same_order(gate_world):
    draft = Draft(order={"operation": Operation.RELEASE, "value": 0}, header={"audience": "gw-2"}, sequence=USED)
    outcome = arrive(gate_world, draft)
    assert (outcome.step, outcome.reason) == (5, "audience_wrong")


def test_unsealed_parents_are_refused_by_the_same_order(gate_world):
    """Parents go through the same steps; what an intent lacks is found after its seal, not before."""
    forged = gate_world.seal(Kind.INTENT, cbor2.dumps({1: 0}), signer=gate_world.signers["stranger"])
    assert gate_world.say(forged).reason == "key_unknown"
