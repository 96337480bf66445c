"""What the gate lets pass, and what it makes of it."""

from dataclasses import replace

import pytest

from wattseal.certs import cbor
from wattseal.certs.clock import ClockQuality
from wattseal.certs.errors import MisuseError
from wattseal.certs.policy import Name, Policy
from wattseal.certs.statement import Kind
from wattseal.drivers.commands import Operation
from wattseal.drivers.gate.acceptance import Accepted, Gate, Hailed, LocalFacts, Refused, Remembered, Renewed
from wattseal.drivers.gate.steps import STEPS

SITE = Name("Site", "site-1")


def test_a_command_with_its_ancestry_is_accepted_as_ordered(gate_world):
    outcome = gate_world.tell()
    assert isinstance(outcome, Accepted)
    assert (outcome.asked_watts, outcome.watts, outcome.rule, outcome.consumes) == (3000, 3000, None, 1)
    assert outcome.order == gate_world.order()
    assert gate_world.memory.mark.high_water == 1


def test_parents_are_remembered_one_by_one_and_again_for_the_price_of_a_hash(gate_world, monkeypatch):
    said = gate_world.ancestry(gate_world.order())
    assert [gate_world.say(one) for one in said] == [Remembered(one) for one in said]
    monkeypatch.setattr("wattseal.certs.keys.PublicKey.verify", lambda *_: pytest.fail("verified twice"))
    assert [gate_world.say(one) for one in said] == [Remembered(one) for one in said]


def test_hail_needs_no_number_and_no_clock(gate_world):
    """A box with its clock in 1970 must still be able to agree on an epoch."""
    outcome = gate_world.say(gate_world.hail(), unix_ms=5000, quality=ClockQuality.UNTRUSTED)
    assert isinstance(outcome, Hailed)
    assert outcome.hail.nonce == bytes(16)
    assert gate_world.memory.high_water == 0


def test_numbers_rise_over_commands_and_renewals_together(gate_world):
    order = gate_world.order()
    command = gate_world.command(order, [gate_world.introduce(order)], 5)
    assert isinstance(gate_world.say(command), Accepted)
    assert gate_world.say(gate_world.renewal([command], 5)).reason == "sequence_replayed"
    renewed = gate_world.say(gate_world.renewal([command], 6))
    assert isinstance(renewed, Renewed)
    assert (renewed.commands, renewed.consumes, renewed.renewal.lease_seconds) == ((command.digest,), 6, 300)
    assert gate_world.tell(order, 6).reason == "sequence_replayed"


def test_renewal_passes_over_what_was_never_accepted(gate_world):
    """A refused command that the core still lists must not cost the others their lease."""
    order = gate_world.order()
    decision = gate_world.introduce(order)
    good = gate_world.command(order, [decision], 1)
    refused = gate_world.command(order, [decision], 2, lease_seconds=901)
    assert isinstance(gate_world.say(good), Accepted)
    assert gate_world.say(refused).reason == "lease_too_long"
    assert gate_world.say(gate_world.renewal([refused, good, good], 3)).commands == (good.digest,)
    alone = gate_world.say(gate_world.renewal([refused], 4))
    assert (alone.reason, alone.consumed_sequence) == ("parent_missing", 4)


def test_renewal_passes_over_what_the_device_has_outgrown(gate_world):
    """The battery ran empty under its order: the lease is not prolonged, so the device goes back to its default."""
    orders = [gate_world.order(), gate_world.order(device="charger", value=-3000)]
    commands = [gate_world.command(order, [gate_world.introduce(order)], n) for n, order in enumerate(orders, start=1)]
    assert all(isinstance(gate_world.say(command), Accepted) for command in commands)
    empty = LocalFacts(100, 3000, commanded=(Operation.SET_POWER, 3000), last_direction=1)
    gate_world.local |= {"battery": empty, "charger": LocalFacts(commanded=(Operation.SET_POWER, -3000))}
    renewed = gate_world.say(gate_world.renewal(commands, 3))
    assert renewed.commands == (commands[1].digest,)
    assert renewed.dropped == ((commands[0].digest, "envelope_soc_floor"),)
    alone = gate_world.say(gate_world.renewal(commands[:1], 4))
    assert (alone.reason, alone.step, alone.consumed_sequence) == ("envelope_soc_floor", 10, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"soc_permille": 101},
        {"available": False},
        {"commanded": None},
        {"commanded": (Operation.SET_POWER, 2000)},
    ],
)
def test_renewal_keeps_what_may_stay_and_what_is_not_known_to_live(gate_world, changes):
    """An unreachable device has outgrown nothing; an order that is not in force yet was judged at its acceptance."""
    order = gate_world.order()
    command = gate_world.command(order, [gate_world.introduce(order)], 1)
    assert isinstance(gate_world.say(command), Accepted)
    empty = LocalFacts(100, 3000, commanded=(Operation.SET_POWER, 3000), last_direction=1)
    gate_world.local["battery"] = replace(empty, **changes)
    assert gate_world.say(gate_world.renewal([command], 2)).commands == (command.digest,)


def test_clamped_command_is_renewed_as_it_was_clamped(gate_world):
    order = gate_world.order(value=6000)
    command = gate_world.command(order, [gate_world.introduce(order)], 1)
    assert gate_world.say(command).watts == 5000
    gate_world.local["battery"] = LocalFacts(500, 5000, commanded=(Operation.SET_POWER, 5000), last_direction=1)
    assert gate_world.say(gate_world.renewal([command], 2)).dropped == ()


def test_site_release_rests_on_facts_alone(gate_world):
    """docs/architecture.md: an event that is gone leaves a default to return to, and no intent."""
    order = gate_world.release()
    facts = gate_world.seal(Kind.FACTS, cbor.encode({1: 0}))
    decision = gate_world.seal(
        Kind.DECISION, gate_world.decision_body(order, principal=SITE, programme="").encode(), [facts]
    )
    assert isinstance(gate_world.say(facts), Remembered)
    assert isinstance(gate_world.say(decision), Remembered)
    outcome = gate_world.say(gate_world.command(order, [decision], 1))
    assert isinstance(outcome, Accepted)
    assert (outcome.watts, outcome.rule) == (0, None)


@pytest.mark.parametrize("unix", [5, 1_800_000_000 - 10 * 31_557_600, 1_800_000_000 + 10 * 31_557_600])
def test_release_is_taken_without_a_trusted_clock_and_nothing_else_is(gate_world, unix):
    """Below the time floor only defaults and reverts are ordered; freshness rests on epoch and number."""
    order = gate_world.release()
    untrusted = {"unix_ms": unix * 1000, "quality": ClockQuality.UNTRUSTED}
    for one in (said := gate_world.ancestry(order, principal=SITE, programme="")):
        assert isinstance(gate_world.say(one, **untrusted), Remembered)
    command = gate_world.command(order, [said[-1]], 1)
    assert isinstance(gate_world.say(command, **untrusted), Accepted)
    decision = gate_world.introduce(gate_world.order())
    assert (
        gate_world.say(gate_world.command(gate_world.order(), [decision], 2), **untrusted).reason == "clock_untrusted"
    )
    assert gate_world.say(gate_world.renewal([command], 3), **untrusted).reason == "clock_untrusted"


def test_a_virtual_clock_is_as_good_as_trusted_in_a_lab_and_worth_nothing_elsewhere(new_gate_world):
    """DESIGN, one event: a virtual clock only in lab mode. Elsewhere it is as a clock that is not trusted."""
    virtual = {"quality": ClockQuality.VIRTUAL}
    for lab in (True, False):
        world = new_gate_world(lab=lab)
        decision = world.introduce(world.order())
        outcome = world.say(world.command(world.order(), [decision], 1), **virtual)
        assert isinstance(outcome, Accepted) if lab else outcome.reason == "clock_untrusted"
        release = world.release()
        decision = world.introduce(release, principal=SITE, programme="")
        assert isinstance(world.say(world.command(release, [decision], 2), **virtual), Accepted)


def test_expired_manifest_leaves_only_the_way_back(new_gate_world):
    world = new_gate_world(manifest_expires=new_gate_world().NOW)
    decision = world.introduce(world.order())
    assert world.say(world.command(world.order(), [decision], 1)).reason == "manifest_expired"
    release = world.release()
    decision = world.introduce(release, principal=SITE, programme="")
    command = world.command(release, [decision], 2)
    assert isinstance(world.say(command), Accepted)
    assert world.say(world.renewal([command], 3)).reason == "manifest_expired"


@pytest.mark.parametrize(
    ("quality", "slack"), [(ClockQuality.TRUSTED, 2), (ClockQuality.VIRTUAL, 2), (ClockQuality.HOLDOVER, 30)]
)
def test_window_of_validity_to_the_second(new_gate_world, quality, slack):
    """Half-open: taken while now < expiry + slack, and from not-before - slack on."""
    for shift, reason in ((59 + slack, None), (60 + slack, "expired"), (-slack, None), (-slack - 1, "not_yet_valid")):
        world = new_gate_world()
        order = world.order(not_before=world.NOW - 3600, hold_seconds=0)
        command = world.command(order, [world.introduce(order)], 1)
        outcome = world.say(command, unix_ms=(world.NOW + shift) * 1000, quality=quality)
        assert (outcome.reason if isinstance(outcome, Refused) else None) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"not_before": 1_800_000_003}, "not_yet_valid"),
        ({"not_before": 1_800_000_002}, None),
        ({"not_before": 1_799_999_900, "hold_seconds": 98}, "expired"),
        ({"not_before": 1_799_999_900, "hold_seconds": 99}, None),
        ({"not_before": 1, "hold_seconds": 0}, None),
    ],
)
def test_the_orders_own_window(gate_world, changes, reason):
    outcome = gate_world.tell(gate_world.order(**changes))
    assert (outcome.reason if isinstance(outcome, Refused) else None) == reason


def test_command_without_expiry_is_refused(gate_world):
    assert gate_world.tell(expires_at=None).reason == "expiry_missing"


def test_clamped_watts_name_their_rule(gate_world):
    outcome = gate_world.tell(gate_world.order(value=6000))
    assert (outcome.asked_watts, outcome.watts, outcome.rule) == (6000, 5000, "envelope_range")


def test_value_and_revert_share_scale_and_unit(gate_world):
    order = gate_world.order(value=30, scale=2, revert_to=(Operation.SET_POWER, 10))
    outcome = gate_world.tell(order)
    assert (outcome.watts, outcome.order.revert_watts) == (3000, 1000)


def test_own_readings_may_stand_among_the_facts(gate_world):
    """What the gateway sealed itself is known to it, and an intent is still wanted."""
    reading = gate_world.seal(Kind.READING, cbor.encode({1: "battery"}))
    order = gate_world.order()
    ingress, intent, _facts, _decision = gate_world.ancestry(order)
    facts = gate_world.seal(Kind.FACTS, cbor.encode({1: 0}), [intent, reading])
    gate_world.say(ingress)
    gate_world.say(intent)
    assert gate_world.say(facts).reason == "parent_missing"
    gate_world.gate.remember(reading)
    assert isinstance(gate_world.say(facts), Remembered)


def test_readings_of_an_earlier_run_can_be_sent_down_again(gate_world):
    reading = gate_world.seal(Kind.READING, cbor.encode({1: "battery"}), parents=())
    assert isinstance(gate_world.say(reading), Remembered)


def test_follow_up_intent_rests_on_a_list_and_on_the_intent_before(gate_world):
    """PARENTS_OF: an event that a later list no longer names rests on that list and on its own last intent."""
    ingress, intent, *_ = gate_world.ancestry(gate_world.order())
    later = gate_world.seal(Kind.INGRESS, cbor.encode({1: "a later list"}))
    gone = gate_world.seal(Kind.INTENT, cbor.encode({1: "gone"}), [later, intent])
    orphan = gate_world.seal(Kind.INTENT, cbor.encode({1: "orphan"}), [intent])
    for one in (ingress, intent, later, gone):
        assert isinstance(gate_world.say(one), Remembered)
    assert gate_world.say(orphan).reason == "parent_missing"


def test_release_passes_an_unavailable_device(gate_world):
    gate_world.local["battery"] = LocalFacts(available=False, storage_low=True)
    order = gate_world.release()
    outcome = gate_world.say(gate_world.command(order, [gate_world.introduce(order, principal=SITE, programme="")], 1))
    assert isinstance(outcome, Accepted)


def test_gate_wants_the_signed_policy_and_its_own_name(gate_world):
    other = Policy(gate_world.POLICY_TEXT + b"\n", ())
    world = gate_world
    with pytest.raises(MisuseError, match="policy_digest_wrong"):
        Gate(world.manifest, other, world.sections, world.memory, "gw-1")
    with pytest.raises(MisuseError, match="gateway_wrong"):
        Gate(world.manifest, world.policy, world.sections, world.memory, "gw-2")


def test_steps_are_numbered_in_the_legal_order():
    """docs/statements.md, the gate: 1 size ... 10 safety envelope."""
    assert [(step.number, step.name) for step in STEPS] == [
        (1, "size"), (2, "key"), (3, "form"), (4, "seal"), (5, "address"), (6, "freshness"), (7, "time"),
        (8, "parents"), (9, "policy"), (10, "envelope"),
    ]  # fmt: skip


def test_outcomes_of_equal_messages_are_equal(new_gate_world):
    """Nothing but the arguments and the memory decides."""
    first, second = new_gate_world(), new_gate_world()
    second.manifest, second.gate = (
        first.manifest,
        Gate(first.manifest, first.policy, first.sections, second.memory, "gw-1"),
    )
    order = first.order()
    said = [*first.ancestry(order)]
    said.append(first.command(order, [said[-1]], 1))
    assert [first.say(one) for one in said] == [second.say(one) for one in said]
    assert replace(first.memory.mark) == second.memory.mark
