"""What the gate remembers, and what a restart leaves of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs import cbor
from wattseal.certs.statement import Kind
from wattseal.drivers.gate import memory
from wattseal.drivers.gate.acceptance import Accepted, Remembered
from wattseal.drivers.gate.memory import GateMemory, Mark, MemoryFaultError, RollbackError


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**63), st.integers(0, 2**63))
def test_mark_round_trip(epoch, high_water, version):
    mark = Mark(epoch, high_water, version)
    assert Mark.decode(mark.encode()) == mark


@pytest.mark.parametrize("body", [{}, {1: b"", 2: 0}, {1: b"", 2: 0, 3: 0, 4: 0}, {1: "x", 2: 0, 3: 0}])
def test_damaged_mark(body):
    with pytest.raises(MemoryFaultError, match="mark_malformed"):
        Mark.decode(cbor.encode(body))


def test_older_manifest_is_refused_and_the_same_or_a_newer_one_is_not():
    """docs/statements.md: a manifest version never goes back."""
    last = Mark(bytes(16), 9, 5)
    with pytest.raises(RollbackError, match="manifest_rolled_back"):
        GateMemory.begin(b"\x01" * 16, 4, last)
    for version in (5, 6):
        begun = GateMemory.begin(b"\x01" * 16, version, last)
        assert begun.mark == Mark(b"\x01" * 16, 0, version)


@pytest.mark.parametrize(("epoch", "reason"), [(bytes(16), "epoch_reused"), (bytes(15), "epoch_malformed")])
def test_epoch_must_be_new_and_whole(epoch, reason):
    with pytest.raises(MemoryFaultError, match=reason):
        GateMemory.begin(epoch, 5, Mark(bytes(16), 9, 5))


def test_high_water_only_rises():
    kept = GateMemory.begin(bytes(16), 1, None)
    kept.consume(3)
    for number in (3, 2, -1):
        with pytest.raises(MemoryFaultError, match="sequence_not_rising"):
            kept.consume(number)
    assert kept.high_water == 3


def test_restart_forgets_commands_and_parents(gate_world):
    """A new epoch: what rests on the old one must be said again."""
    order = gate_world.order()
    command = gate_world.command(order, [gate_world.introduce(order)])
    assert isinstance(gate_world.say(command), Accepted)
    gate_world.restart(b"\x07" * 16)
    assert gate_world.say(gate_world.renewal([command], 1)).reason == "parent_missing"
    assert gate_world.memory.mark.manifest_version == 7


def test_parents_are_bounded_and_the_least_recently_named_goes_first(gate_world, monkeypatch):
    monkeypatch.setattr(memory, "MAX_PARENTS", 3)
    said = [gate_world.seal(Kind.INGRESS, cbor.encode({1: number})) for number in range(4)]
    for one in said[:3]:
        gate_world.say(one)
    assert isinstance(gate_world.say(said[0]), Remembered)
    gate_world.say(said[3])
    assert [gate_world.memory.parent(one.digest) is not None for one in said] == [True, False, True, True]


def test_readings_crowd_out_no_intent(gate_world, monkeypatch):
    monkeypatch.setattr(memory, "MAX_OWN", 2)
    decision = gate_world.introduce(gate_world.order())
    readings = [gate_world.seal(Kind.READING, cbor.encode({1: number})) for number in range(4)]
    for reading in readings:
        gate_world.gate.remember(reading)
    assert gate_world.memory.parent(decision.digest) is not None
    assert [gate_world.memory.parent(one.digest) is not None for one in readings] == [False, False, True, True]


def test_accepted_commands_are_bounded_and_renewing_keeps_them(gate_world, monkeypatch):
    monkeypatch.setattr(memory, "MAX_ACCEPTED", 2)
    order = gate_world.order()
    decision = gate_world.introduce(order)
    commands = [gate_world.command(order, [decision], number) for number in (1, 2, 4)]
    gate_world.say(commands[0])
    gate_world.say(commands[1])
    gate_world.say(gate_world.renewal([commands[0]], 3))
    gate_world.say(commands[2])
    assert gate_world.say(gate_world.renewal(commands, 5)).commands == (commands[0].digest, commands[2].digest)
