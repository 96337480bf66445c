"""Attacks really mounted against the gate: each is refused, with its reason, and nothing moves."""

import hashlib
from dataclasses import replace

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattseal.certs import cbor, cose
from wattseal.certs.clock import ClockQuality
from wattseal.certs.policy import Name
from wattseal.certs.statement import ROLE_OF, Kind, Role
from wattseal.drivers.commands import Hail, Operation, Renewal
from wattseal.drivers.gate.acceptance import Accepted, LocalFacts, Refused, Remembered
from wattseal.drivers.gate.steps import ADDRESSED, HEARD

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
TEN_YEARS = 315_576_000


@pytest.fixture
def ready(gate_world):
    """The world, an order, and its decision, already remembered."""
    order = gate_world.order()
    return gate_world, order, gate_world.introduce(order)


def parts_of(raw):
    protected, unprotected, payload, signature = cbor2.loads(raw).value
    return [protected, unprotected, payload, signature]


def join(parts):
    return cbor2.dumps(cbor2.CBORTag(18, parts), canonical=True)


class PretendsToBe:
    """Signs with its own key under another key's id."""

    def __init__(self, signer, public):
        self._signer, self.public = signer, public

    def sign(self, message):
        return self._signer.sign(message)


def refused(outcome, reason, step, *, consumed=None, believed=True):
    assert isinstance(outcome, Refused), outcome
    assert (outcome.reason, outcome.step, outcome.consumed_sequence) == (reason, step, consumed)
    assert (outcome.statement is not None) == believed
    assert believed or (outcome.command is None and outcome.order is None)
    assert outcome.sentence.endswith(".")


# --- forged -----------------------------------------------------------------------------------------------------------


def test_forged_with_a_key_of_ones_own(ready):
    world, order, decision = ready
    command = world.command(order, [decision], signer=world.signers["stranger"])
    refused(world.say(command), "key_unknown", 2, believed=False)


def test_forged_under_the_right_key_id(ready):
    world, order, decision = ready
    forger = PretendsToBe(world.signers["stranger"], world.signers["issuer"].public)
    refused(world.say(world.command(order, [decision], signer=forger)), "signature_invalid", 4, believed=False)
    assert world.memory.high_water == 0


def test_every_bit_of_a_command_counts(ready):
    """No flipped bit is accepted; none escapes as an exception; the untouched one is still accepted afterwards."""
    world, order, decision = ready
    raw = world.command(order, [decision]).raw
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        outcome = world.say(bytes(flipped))
        assert isinstance(outcome, Refused)
        assert outcome.step <= 4
    assert isinstance(world.say(raw), Accepted)


def test_key_beyond_its_term(ready):
    world, order, decision = ready
    command = world.command(order, [decision], signer=world.signers["issuer-ended"])
    refused(world.say(command), "key_out_of_term", 2, believed=False)


def test_clock_turned_back_revives_no_ended_key(ready):
    """Below the manifest's own date the clock is wrong; terms are judged at that date, where this key had begun."""
    world, order, decision = ready
    command = world.command(order, [decision], signer=world.signers["issuer"])
    outcome = world.say(command, unix_ms=(world.NOW - TEN_YEARS) * 1000, quality=ClockQuality.TRUSTED)
    refused(outcome, "not_yet_valid", 7, consumed=1)


def test_high_s_twin(ready):
    """RFC 9053 section 2.1 leaves both forms open; here one statement has one digest."""
    world, order, decision = ready
    parts = parts_of(world.command(order, [decision]).raw)
    r, s = parts[3][:32], int.from_bytes(parts[3][32:])
    twin = join([*parts[:3], r + (P256_ORDER - s).to_bytes(32)])
    refused(world.say(twin), "signature_not_low_s", 4, believed=False)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(65), b"\xff" * 64])
def test_signatures_of_other_shapes(ready, signature):
    world, order, decision = ready
    parts = parts_of(world.command(order, [decision]).raw)
    refused(
        world.say(join([*parts[:3], signature])),
        "signature_not_low_s" if signature == b"\xff" * 64 else "signature_invalid",
        4,
        believed=False,
    )


def test_other_algorithm_than_the_keys(ready):
    world, order, decision = ready
    parts = parts_of(world.command(order, [decision]).raw)
    header = dict(cbor2.loads(parts[0])) | {1: -19}
    changed = join([cbor.encode(header), *parts[1:]])
    refused(world.say(changed), "algorithm_mismatch", 4, believed=False)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.OWNER])
def test_role_confusion_for_every_kind_and_role(gate_world, kind, role):
    """ROLE_OF: one key has one role, and no role may say what is another's."""
    statement = gate_world.seal(kind, cbor.encode({1: 0}), signer=gate_world.signers[str(role)])
    outcome = gate_world.say(statement)
    if ROLE_OF.get(kind) is not role:
        refused(outcome, "role_wrong", 2, believed=False)
    elif kind not in HEARD:
        refused(outcome, "kind_unexpected", 2, believed=False)
    else:
        assert not isinstance(outcome, Refused) or outcome.step >= 3


def test_owner_key_is_no_key_here(gate_world):
    refused(gate_world.say(gate_world.seal(Kind.MANIFEST, cbor.encode({1: 0}))), "key_unknown", 2, believed=False)


def test_core_that_signs_intents_and_commands_itself(ready):
    """Threat 4: an owned core may say what it likes, and still orders nothing."""
    world, order, decision = ready
    core = world.signers["core"]
    refused(world.say(world.command(order, [decision], signer=core)), "role_wrong", 2, believed=False)
    own_decision = world.seal(Kind.DECISION, world.decision_body(order).encode(), [decision], signer=core)
    refused(world.say(own_decision), "role_wrong", 2, believed=False)
    invented = world.seal(Kind.INTENT, cbor.encode({1: "invented"}))
    refused(world.say(invented), "parent_missing", 8)


def test_ingress_key_that_signs_a_command(ready):
    """Threat 3: an owned front end may say what it received, and nothing more."""
    world, order, decision = ready
    command = world.command(order, [decision], signer=world.signers["ingress"])
    refused(world.say(command), "role_wrong", 2, believed=False)


# --- replayed ---------------------------------------------------------------------------------------------------------


def test_replayed_in_the_same_epoch(ready):
    world, order, decision = ready
    command = world.command(order, [decision])
    assert isinstance(world.say(command), Accepted)
    refused(world.say(command), "sequence_replayed", 6)


@pytest.mark.parametrize("shift", [0, -TEN_YEARS, TEN_YEARS])
@pytest.mark.parametrize("quality", list(ClockQuality))
def test_replayed_after_a_restart_whatever_the_clock_says(ready, shift, quality):
    """docs/statements.md: at each start another epoch; a wrong clock never makes a replay acceptable."""
    world, order, decision = ready
    command = world.command(order, [decision])
    release = world.release()
    way_back = world.command(release, [world.introduce(release, principal=Name("Site", "site-1"), programme="")], 2)
    assert isinstance(world.say(command), Accepted)
    assert isinstance(world.say(way_back), Accepted)
    world.restart(hashlib.sha256(b"next").digest()[:16])
    for one in (command, way_back):
        refused(world.say(one, unix_ms=(world.NOW + shift) * 1000, quality=quality), "epoch_wrong", 6)


@pytest.mark.parametrize("quality", list(ClockQuality))
def test_replayed_with_the_clock_set_back_ten_years(ready, quality):
    world, order, decision = ready
    command = world.command(order, [decision])
    assert isinstance(world.say(command), Accepted)
    outcome = world.say(command, unix_ms=(world.NOW - TEN_YEARS) * 1000, quality=quality)
    refused(outcome, "sequence_replayed", 6)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"lease_seconds": 901}, "lease_too_long"),
        ({"expires_at": 1_799_999_000}, "expired"),
        ({"issued_at": 1_800_000_900}, "not_yet_valid"),
    ],
)
def test_a_refused_command_sent_again_when_it_would_be_good(ready, spoil, reason):
    """docs/statements.md: passing 4 to 6 consumes the number, accepted or refused."""
    world, order, decision = ready
    command = world.command(order, [decision], **spoil)
    refused(world.say(command), reason, 7, consumed=1)
    for shift in (-900, 0, 900):
        refused(world.say(command, unix_ms=(world.NOW + shift) * 1000), "sequence_replayed", 6)


def test_refused_for_want_of_its_parent_and_sent_again_with_it(gate_world):
    order = gate_world.order()
    said = gate_world.ancestry(order)
    command = gate_world.command(order, [said[-1]])
    refused(gate_world.say(command), "parent_missing", 8, consumed=1)
    for one in said:
        assert isinstance(gate_world.say(one), Remembered)
    refused(gate_world.say(command), "sequence_replayed", 6)


def test_refused_by_the_envelope_and_sent_again_when_it_has_room(ready):
    world, order, decision = ready
    command = world.command(order, [decision])
    world.local["battery"] = LocalFacts(500, 0, available=False)
    refused(world.say(command), "device_unavailable", 10, consumed=1)
    world.local["battery"] = LocalFacts(500, 0)
    refused(world.say(command), "sequence_replayed", 6)


def test_sequence_jump_consumes_nothing(ready):
    """docs/statements.md: a jump over 1,000 is refused."""
    world, order, decision = ready
    refused(world.say(world.command(order, [decision], 1001)), "sequence_jump", 6)
    refused(world.say(world.command(order, [decision], 2**63)), "sequence_jump", 6)
    assert isinstance(world.say(world.command(order, [decision], 1000)), Accepted)


def test_epoch_of_another_start(ready):
    world, order, decision = ready
    refused(world.say(world.command(order, [decision], epoch=bytes(16))), "epoch_wrong", 6)
    refused(world.say(world.renewal([decision], 1, epoch=bytes(16))), "epoch_wrong", 6)


# --- out of time ------------------------------------------------------------------------------------------------------


def test_expired_and_not_yet_valid(ready):
    world, order, decision = ready
    refused(world.say(world.command(order, [decision], 1, expires_at=world.NOW - 2)), "expired", 7, consumed=1)
    refused(world.say(world.command(order, [decision], 2, not_before=world.NOW + 3)), "not_yet_valid", 7, consumed=2)


def test_lease_beyond_fifteen_minutes_even_for_a_renewal(ready):
    world, order, decision = ready
    command = world.command(order, [decision], 1, lease_seconds=900)
    assert isinstance(world.say(command), Accepted)
    refused(world.say(world.renewal([command], 2, lease_seconds=901)), "lease_too_long", 7, consumed=2)


# --- re-addressed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", [None, "", "gw-2", "GW-1", "gw-1 "])
def test_re_addressed_to_another_gateway(ready, audience):
    world, order, decision = ready
    refused(world.say(world.command(order, [decision], audience=audience)), "audience_wrong", 5)
    refused(world.say(world.renewal([decision], 1, audience=audience)), "audience_wrong", 5)
    refused(world.say(world.hail(audience=audience)), "audience_wrong", 5)
    assert world.memory.high_water == 0


def test_for_a_device_that_is_not_here(gate_world):
    order = gate_world.order(device="neighbour")
    decision = gate_world.introduce(order)
    refused(gate_world.say(gate_world.command(order, [decision])), "device_unknown", 5)


def test_decision_for_one_device_under_a_command_for_another(ready):
    world, _order, decision = ready
    other = world.order(device="charger", operation=Operation.SET_POWER, value=-3000)
    refused(world.say(world.command(other, [decision])), "decision_other_order", 8, consumed=1)


def test_order_made_for_another_profile(gate_world):
    order = gate_world.order(profile_digest=bytes(32))
    decision = gate_world.introduce(order)
    refused(gate_world.say(gate_world.command(order, [decision])), "profile_changed", 5)


# --- clipped ----------------------------------------------------------------------------------------------------------


def test_clipped_at_every_byte(ready):
    world, order, decision = ready
    raw = world.command(order, [decision]).raw
    for length in range(len(raw)):
        refused(world.say(raw[:length]), "cose_malformed", 3, believed=False)
    refused(world.say(raw + b"\x00"), "cbor_not_canonical", 3, believed=False)


def test_parent_dropped(ready):
    world, order, _decision = ready
    refused(world.say(world.command(order, [])), "parent_missing", 8, consumed=1)


def test_parent_swapped_for_another_kind(gate_world):
    order = gate_world.order()
    said = gate_world.ancestry(order)
    for sequence, parent in enumerate(said[:-1], start=1):
        gate_world.say(parent)
        outcome = gate_world.say(gate_world.command(order, [parent], sequence))
        refused(outcome, "parent_kind_wrong", 8, consumed=sequence)


def test_parent_swapped_for_another_decision(ready):
    world, order, _decision = ready
    other = world.introduce(world.order(value=10))
    refused(world.say(world.command(order, [other])), "decision_other_order", 8, consumed=1)


def test_two_parents(ready):
    world, order, decision = ready
    other = world.introduce(order)
    refused(world.say(world.command(order, [decision, other])), "parent_too_many", 8, consumed=1)


def test_links_left_out_of_the_chain(gate_world):
    """Each statement must rest on what its kind demands, all the way up to the utility's bytes."""
    ingress, intent, facts, decision = gate_world.ancestry(gate_world.order())
    for orphan in (intent, facts, decision):
        refused(gate_world.say(orphan), "parent_missing", 8)
    gate_world.say(ingress)
    for kind, parents in (
        (Kind.DECISION, ()),
        (Kind.DECISION, (ingress,)),
        (Kind.INTENT, ()),
        (Kind.FACTS, (ingress,)),
    ):
        body = decision.body if kind is Kind.DECISION else cbor.encode({1: 0})
        reason = "parent_kind_wrong" if parents else "parent_missing"
        refused(gate_world.say(gate_world.seal(kind, body, parents)), reason, 8)
    refused(gate_world.say(gate_world.seal(Kind.INGRESS, cbor.encode({1: 0}), [ingress])), "parent_kind_wrong", 8)


def test_utility_order_that_rests_on_no_intent(gate_world):
    order = gate_world.order()
    facts = gate_world.seal(Kind.FACTS, cbor.encode({1: 0}))
    decision = gate_world.seal(Kind.DECISION, gate_world.decision_body(order).encode(), [facts])
    gate_world.say(facts)
    gate_world.say(decision)
    refused(gate_world.say(gate_world.command(order, [decision])), "parent_missing", 8, consumed=1)


# --- undecided --------------------------------------------------------------------------------------------------------


def test_decision_that_denies(gate_world):
    order = gate_world.order()
    decision = gate_world.introduce(order, allowed=False)
    refused(gate_world.say(gate_world.command(order, [decision])), "decision_denied", 8, consumed=1)


def test_decision_under_another_policy(gate_world):
    order = gate_world.order()
    decision = gate_world.introduce(order, policy_digest=bytes(32))
    refused(gate_world.say(gate_world.command(order, [decision])), "policy_digest_wrong", 8, consumed=1)


def test_command_that_orders_one_watt_more_than_was_decided(ready):
    world, order, decision = ready
    more = replace(order, value=order.value + 1)
    refused(world.say(world.command(more, [decision])), "decision_other_order", 8, consumed=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "release"},
        {"resource_id": "charger"},
        {"context": {}},
    ],
)
def test_policy_that_was_asked_something_else(gate_world, changes):
    """A decision records order and question; they must speak of the same thing."""
    order = gate_world.order()
    decision = gate_world.introduce(order, **changes)
    refused(gate_world.say(gate_world.command(order, [decision])), "decision_other_order", 8, consumed=1)


@pytest.mark.parametrize(
    "lie", [{"watts": 1}, {"magnitude_watts": 1}, {"operation": "release"}, {"test": 0}, {"programme": 3}]
)
def test_policy_that_was_asked_about_fewer_watts(gate_world, lie):
    order = gate_world.order()
    honest = gate_world.decision_body(order).context
    decision = gate_world.introduce(order, context=dict(honest) | lie)
    refused(gate_world.say(gate_world.command(order, [decision])), "decision_other_order", 8, consumed=1)


@pytest.mark.parametrize(
    "principal", [("Utility", "nobody"), ("Site", "site-2"), ("Device", "battery"), ("Site", "grid")]
)
def test_principal_who_is_not_enrolled(gate_world, principal):
    order = gate_world.order()
    decision = gate_world.introduce(order, principal_type=principal[0], principal_id=principal[1])
    refused(gate_world.say(gate_world.command(order, [decision])), "principal_unknown", 8, consumed=1)


def test_utilitys_order_passed_off_as_the_sites(gate_world):
    """The site may only go back to the default, whatever an owned policy role signed."""
    order = gate_world.order()
    decision = gate_world.introduce(order, principal_type="Site", principal_id="site-1")
    refused(gate_world.say(gate_world.command(order, [decision])), "policy_denied", 9, consumed=1)


# --- malformed --------------------------------------------------------------------------------------------------------


def test_oversized(ready):
    world, order, decision = ready
    raw = world.command(order, [decision]).raw
    refused(world.say(raw + bytes(cose.MAX_BYTES)), "message_oversized", 1, believed=False)
    protected, _unprotected, _payload, _signature = parts_of(world.command(order, [decision]).raw)
    payload = cbor.encode({1: bytes(cose.MAX_BYTES)})
    signature = world.signers["issuer"].sign(cbor2.dumps(["Signature1", protected, b"", payload], canonical=True))
    huge = join([protected, {}, payload, signature])  # sealed as it should be, by another's code: ours seals none
    refused(world.say(huge), "message_oversized", 1, believed=False)
    payload = cbor.encode({1: bytes(1 << 16)})  # a size that facts may have, and a command may not
    signature = world.signers["issuer"].sign(cbor2.dumps(["Signature1", protected, b"", payload], canonical=True))
    refused(world.say(join([protected, {}, payload, signature])), "message_oversized", 3, believed=False)


def test_unprotected_header_filled(ready):
    world, order, decision = ready
    protected, _unprotected, payload, signature = parts_of(world.command(order, [decision]).raw)
    filled = join([protected, {4: b"x"}, payload, signature])
    refused(world.say(filled), "unprotected_not_empty", 3, believed=False)


def test_form_that_is_not_canonical_though_truly_signed(ready):
    """RFC 8949 section 4.2.1, in each of the three layers: message, header, body."""
    world, order, decision = ready
    raw = world.command(order, [decision]).raw
    protected, _unprotected, payload, _signature = parts_of(raw)
    long_array = b"\xd2\x98\x04" + raw[2:]
    refused(world.say(long_array), "cbor_not_canonical", 3, believed=False)
    indefinite = b"\xd2\x9f" + raw[2:] + b"\xff"
    refused(world.say(indefinite), "cbor_not_canonical", 3, believed=False)
    issuer = world.signers["issuer"]
    for odd_header, odd_payload in (
        (b"\xb8" + bytes([protected[0] & 0x1F]) + protected[1:], payload),
        (protected, b"\xb8\x05" + payload[1:]),
    ):
        message = cbor2.dumps(["Signature1", odd_header, b"", odd_payload], canonical=True)
        signed = join([odd_header, {}, odd_payload, issuer.sign(message)])
        refused(world.say(signed), "cbor_not_canonical", 3, believed=False)


def test_header_that_demands_the_unknown(ready):
    """RFC 9052 section 3.1: a critical label that is not understood refuses the message."""
    world, order, decision = ready
    sealed = world.command(order, [decision])
    header = dict(cbor2.loads(parts_of(sealed.raw)[0]))
    for extra, reason in (({2: (99,)}, "critical_header_unknown"), ({99: 1}, "header_malformed")):
        protected = {label: value for label, value in (header | extra).items() if label not in {1, 4}}
        changed = cose.seal(world.signers["issuer"], protected, sealed.body)
        refused(world.say(changed), reason, 3, believed=False)


def test_kind_unknown_to_this_release(ready):
    world, order, decision = ready
    sealed = world.command(order, [decision])
    header = dict(cbor2.loads(parts_of(sealed.raw)[0]))
    for name in ("application/wattseal-decree+cbor", "command", "application/wattseal-command"):
        protected = {label: value for label, value in header.items() if label not in {1, 4}} | {16: name}
        refused(
            world.say(cose.seal(world.signers["issuer"], protected, sealed.body)), "kind_unknown", 3, believed=False
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": Operation.LIMIT_INJECT, "value": -1},
        {"operation": Operation.RELEASE, "value": 1},
        {"revert_to": (Operation.RELEASE, 5)},
        {"revert_to": (Operation.LIMIT_ABSORB, -5)},
        {"value": 10**9 + 1},
        {"value": -(2**63)},
        {"value": 1, "scale": 10},
        {"value": 5, "scale": -1},
        {"unit": "kW"},
        {"hold_seconds": -1},
        {"not_before": -1},
        {"tolerance": -1},
        {"value": True},
    ],
)
def test_orders_without_sense(ready, changes):
    world, _order, decision = ready
    refused(world.say(world.command(world.order(**changes), [decision])), "order_malformed", 3, believed=False)


@pytest.mark.parametrize("changes", [{"lease_seconds": 0}, {"lease_seconds": -5}, {"lease_seconds": True}])
def test_counts_without_sense(ready, changes):
    world, order, decision = ready
    refused(world.say(world.command(order, [decision], **changes)), "count_malformed", 3, believed=False)
    refused(world.say(world.renewal([decision], 1, **changes)), "count_malformed", 3, believed=False)
    refused(world.say(world.command(order, [decision], 0)), "count_malformed", 3, believed=False)


@pytest.mark.parametrize("held", [1 << 62, (1 << 64) - 1, -2, -(1 << 64)])
def test_a_chain_number_that_no_database_can_count(ready, held):
    """Hail and renewal say how far the core holds; -1 is nothing. What SQLite could not take ends at step 3."""
    world, _order, decision = ready
    hail = world.seal(Kind.HAIL, Hail(bytes(16), held).encode())
    refused(world.say(hail), "count_malformed", 3, believed=False)
    renewal = Renewal(world.memory.epoch, 1, 300, held).encode()
    refused(world.say(world.seal(Kind.RENEWAL, renewal, [decision])), "count_malformed", 3, believed=False)


def test_bodies_of_other_kinds(ready):
    world, order, decision = ready
    command = world.command(order, [decision])
    for kind, body, reason in (
        (Kind.COMMAND, cbor.encode({1: 0}), "command_malformed"),
        (Kind.COMMAND, decision.body, "command_malformed"),
        (Kind.DECISION, command.body, "decision_malformed"),
        (Kind.RENEWAL, command.body, "renewal_malformed"),
        (Kind.HAIL, command.body, "hail_malformed"),
        (Kind.FACTS, b"\xff", "cbor_malformed"),
    ):
        refused(world.say(world.seal(kind, body, [decision])), reason, 3, believed=False)


# [[[1, x1], x2], ...]: each level names the one inside twice, by shared reference (tags 28 and 29).
SHARED_BOMB = b"\xd8\x1c\x82\x01\x01"
for _level in range(39, -1, -1):
    SHARED_BOMB = b"\xd8\x1c\x82" + SHARED_BOMB + b"\xd8\x1d" + cbor2.dumps(_level + 1)
NASTY = {
    "nothing": (b"", "cose_malformed"),
    "a number": (b"\x00", "cose_malformed"),
    "a bare tag": (b"\xd2", "cose_malformed"),
    "a value that contains itself": (bytes.fromhex("d81c81d81d00"), "cose_malformed"),
    "a value of 2**40 members": (SHARED_BOMB, "cose_malformed"),
    "deep": (b"\x81" * 60_000 + b"\x01", "cose_malformed"),
    "a length beyond the end": (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "cose_malformed"),
    "no header": (b"\xd2\x84\x40\xa0\x40\x40", "cbor_malformed"),
    "a header that contains itself": (b"\xd2\x84\x46\xd8\x1c\x81\xd8\x1d\x00\xa0\x40\x40", "cbor_malformed"),
    "a header of 2**40 members": (join([SHARED_BOMB, {}, b"", b""]), "cbor_malformed"),
    "a header that is a list": (join([b"\x80", {}, b"", b""]), "cose_malformed"),
    "a header without a key": (join([b"\xa0", {}, b"", b""]), "cose_malformed"),
}


@pytest.mark.parametrize("name", NASTY)
def test_nasty_bytes(gate_world, name):
    raw, reason = NASTY[name]
    refused(gate_world.say(raw), reason, 3, believed=False)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_fuzzed_bytes_never_escape_and_never_pass(ready, data):
    """Bad input never takes the process down: whatever comes, an outcome comes of it, and nothing is accepted."""
    world, order, decision = ready
    good = world.command(order, [decision]).raw
    raw = data.draw(
        st.one_of(
            st.binary(max_size=300),
            st.tuples(st.integers(0, len(good)), st.binary(min_size=1, max_size=40), st.integers(0, 40)).map(
                lambda cut: good[: cut[0]] + cut[1] + good[cut[0] + cut[2] :]
            ),
        )
    )
    outcome = world.say(raw)
    assert raw == good or (isinstance(outcome, Refused) and outcome.step <= 4)


def test_addressed_kinds_are_those_that_ask_something_of_the_gateway():
    assert {Kind.COMMAND, Kind.RENEWAL, Kind.HAIL} == ADDRESSED
