"""Re-execution: a record of the core comes out again byte for byte, and what changed since is named."""

import asyncio
import itertools
import shutil
from dataclasses import replace

import pytest
from bridge_world import EPOCH, NOW, Bench, decisions, forged
from hypothesis import given, settings
from hypothesis import strategies as st
from ven_world import dispatch, oadr_event, simple

from wattseal.bridge.core.core import RETRY_SECONDS
from wattseal.bridge.facts import Facts
from wattseal.bridge.replay import Record, replay
from wattseal.certs.box import Box
from wattseal.certs.statement import Kind
from wattseal.drivers.commands import Command, Decision, Order
from wattseal.drivers.testimony import Result
from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.vocabulary import EventStatus

TARGETS = {"battery": Target(resource_ids=("b1",)), "charger": Target(resource_ids=("c1",)), "site": Target()}


async def a_day(bench: Bench) -> None:
    """Two events, a modification, a cancel, a withdrawal, a refusal, receipts and readings."""
    await bench.connect()
    await bench.reading("battery", 500)
    first = oadr_event("E1", start=NOW, signals=(dispatch("2000"),), target=TARGETS["battery"])
    level = oadr_event("E2", start=NOW, signals=(simple("1"),), target=TARGETS["charger"])
    await bench.tell(first, level)
    await bench.receipt(bench.line.of(Kind.COMMAND)[0], Result.APPLIED)
    second = oadr_event("E1", 1, start=NOW, signals=(dispatch("2500"),), target=TARGETS["battery"])
    await bench.tell(second, level)
    await bench.tell(second)
    wrong = oadr_event("E1", 2, start=NOW, signals=(simple("7"),), target=TARGETS["battery"])
    await bench.tell(wrong)
    await bench.tell(oadr_event("E3", start=NOW, signals=(simple("2"),), test="x"))
    await bench.tell(oadr_event("E3", 1, start=NOW, status=EventStatus.CANCELLED))


async def test_a_record_comes_out_again(bench):
    await a_day(bench)
    verdict = bench.replayed()
    assert verdict.differences == ()
    written = [said.header.kind for said in bench.statements()]
    assert verdict.compared == {kind: written.count(kind) for kind in (Kind.INTENT, Kind.DECISION, Kind.COMMAND)}
    assert min(verdict.compared.values()) >= 5


def index_of(record: Record, kind: Kind, nth: int = 0) -> int:
    return [index for index, said in enumerate(record.statements) if said.header.kind is kind][nth]


def body_at(record: Record, kind: Kind) -> bytes:
    return record.statements[index_of(record, kind)].body


def other_watts(order: bytes) -> bytes:
    return replace(Order.decode(order), value=1999).encode()


def other_profile(order: bytes) -> bytes:
    return replace(Order.decode(order), profile_digest=bytes(32)).encode()


def of_intent(change):
    def made(body: bytes) -> bytes:
        event, translator = GridEvent.decode(body)
        return change(event).encode(translator)

    return made


def of_decision(change):
    return lambda body: replace(Decision.decode(body), order=change(Decision.decode(body).order)).encode()


def of_command(change):
    return lambda body: replace(Command.decode(body), order=change(Command.decode(body).order)).encode()


@pytest.mark.parametrize(
    ("kind", "change", "culprit"),
    [
        (Kind.INTENT, of_intent(lambda event: replace(event, start=event.start + 1)), "translator"),
        (Kind.INTENT, lambda body: GridEvent.decode(body)[0].encode("openadr-2.0b/0"), "openadr-2.0b/0"),
        (Kind.DECISION, of_decision(other_watts), "planner: this release has plan/2"),
        (Kind.DECISION, lambda body: replace(Decision.decode(body), policy_ids=("another",)).encode(), "planner"),
        (Kind.DECISION, of_decision(other_profile), "profile of battery"),
        (Kind.COMMAND, of_command(other_watts), "planner"),
        (Kind.COMMAND, of_command(other_profile), "profile of battery"),
        (Kind.COMMAND, lambda body: replace(Command.decode(body), sequence=9).encode(), "planner"),
    ],
)
async def test_a_changed_body_is_found_and_its_cause_named(bench, kind, change, culprit):
    """One body at a time: nothing else may differ, but for what is remade from it."""
    await a_day(bench)
    record = bench.record()
    at = index_of(record, kind)
    verdict = replay(forged(record, at, change(record.statements[at].body)))
    assert (verdict.differences[0].index, verdict.differences[0].kind) == (at, kind)
    assert culprit in verdict.differences[0].culprit
    if kind is not Kind.INTENT:
        assert len(verdict.differences) == 1


async def test_facts_of_another_planner(bench):
    await a_day(bench)
    record = bench.record()
    at = index_of(record, Kind.FACTS)
    facts = replace(Facts.decode(record.statements[at].body), planner="plan/1")
    differences = replay(forged(record, at, facts.encode())).differences
    assert {said.kind for said in differences} == {Kind.DECISION, Kind.COMMAND}
    assert all("plan/1" in said.culprit and "plan/2" in said.culprit for said in differences)
    first = {said.digest for said in record.statements if record.statements[at].digest in said.header.parents}
    assert {record.statements[said.index].digest for said in differences if said.kind is Kind.DECISION} == first


async def test_a_changed_reading_in_the_facts_changes_what_follows(bench):
    """Other facts, another plan: an empty battery gets no share, so its order comes out otherwise."""
    await bench.connect()
    await bench.reading("battery", 500)
    await bench.tell(oadr_event("E1", start=NOW, signals=(dispatch("2000"),)))
    record = bench.record()
    at = index_of(record, Kind.FACTS)
    facts = Facts.decode(record.statements[at].body)
    empty = tuple(replace(one, soc_permille=50) if one.name == "battery" else one for one in facts.devices)
    differences = replay(forged(record, at, replace(facts, devices=empty).encode())).differences
    assert {said.subject for said in differences} == {"device:battery"}


@pytest.mark.parametrize("kind", [Kind.INGRESS, Kind.FACTS, Kind.DECISION])
async def test_a_missing_parent_is_a_difference_and_no_crash(bench, kind):
    await a_day(bench)
    record = bench.record()
    at = index_of(record, kind)
    less = Record((*record.statements[:at], *record.statements[at + 1 :]), record.contents, record.sections)
    assert replay(less).differences


async def test_missing_contents_are_named(bench):
    await a_day(bench)
    record = bench.record()
    verdict = replay(Record(record.statements, {}, record.sections))
    assert len(verdict.differences) == sum(verdict.compared.values())
    assert {said.culprit.split(":")[0] for said in verdict.differences} == {"content_missing"}


async def test_a_site_file_that_was_changed_in_between(bench):
    """Each intent and each plan names the site text it was made by, so an older part still comes out."""
    await bench.connect()
    await bench.tell(oadr_event("E1", start=NOW, signals=(dispatch("2000"),), target=TARGETS["battery"]))
    bench.close()
    text = bench.box.site_file.read_bytes()
    bench.box.site_file.write_bytes(text.replace(b"lease_seconds = 300", b"lease_seconds = 200"))
    bench.open()
    await bench.connect(sequence=1)
    await bench.tell(oadr_event("E1", 1, start=NOW, signals=(dispatch("900"),), target=TARGETS["battery"]))
    leases = [Command.decode(said.body).lease_seconds for said in bench.line.of(Kind.COMMAND)]
    assert leases == [300, 200]
    assert bench.replayed().differences == ()


# --- whatever happens

EVENT = st.tuples(
    st.sampled_from(["A", "B", "C"]),
    st.sampled_from(["simple", "dispatch", "both"]),
    st.sampled_from([0, 1, 2, 3, 7]),
    st.integers(-9000, 9000),
    st.sampled_from(list(TARGETS)),
    st.sampled_from([-100, 0, 50]),
    st.sampled_from([0, 60, 3600]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, None, None, "true"]),
    st.sampled_from([False, False, True]),
)
STEP = st.one_of(
    st.tuples(st.just("tell"), st.lists(EVENT, max_size=3, unique_by=lambda event: event[0])),
    st.tuples(st.just("wait"), st.sampled_from([1, RETRY_SECONDS, 60, 4000])),
    st.tuples(st.just("receipt"), st.sampled_from(Result)),
    st.tuples(st.just("reading"), st.integers(0, 1000)),
    st.tuples(st.just("connect"), st.booleans()),
    st.tuples(st.just("low"), st.booleans()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("forget"), st.none()),
)


def listed(number, event_id, kind, level, watts, target, start, duration, priority, test, gone):
    signals = {
        "simple": (simple(str(level), duration or 60),),
        "dispatch": (dispatch(str(watts), duration),),
        "both": (simple(str(level), duration), dispatch(str(watts), duration)),
    }[kind]
    if not duration and kind != "dispatch":
        signals = (dispatch(str(watts), 0),)
    status = EventStatus.CANCELLED if gone else EventStatus.FAR
    return oadr_event(
        event_id,
        number,
        status=status,
        start=NOW + start,
        duration=duration,
        signals=signals,
        target=TARGETS[target],
        priority=priority,
        test=test,
    )


async def lived(bench: Bench, steps) -> None:
    await bench.connect()
    for number, (what, value) in enumerate(steps):
        match what:
            case "tell":
                await bench.tell(*(listed(number, *one) for one in value))
            case "wait":
                bench.time.advance(value)
                await bench.core.look()
            case "receipt" if bench.line.of(Kind.COMMAND):
                await bench.receipt(bench.line.of(Kind.COMMAND)[-1], value)
            case "reading":
                await bench.reading("battery", value)
            case "connect":  # again in the epoch that it drew, or in a new one: it never returns to an old one
                drawn = len(bench.line.of(Kind.HAIL)).to_bytes(16, "big")
                await bench.connect(epoch=drawn if value else bench.core.memory.gateway.last_epoch or EPOCH)
            case "low":
                bench.core._memory.storage_low = value
            case "restart":  # of the core alone: its gateway goes on in the epoch that it drew
                await bench.restart()
                await bench.connect(epoch=bench.core.memory.gateway.last_epoch or EPOCH)
            case "forget":
                bench.time.advance(2 * 86_400)
                await bench.core.forget_old_events(bench.estate.clock.now())


@given(steps=st.lists(STEP, min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_whatever_happens_it_comes_out_again(signed_box, tmp_path_factory, steps):
    """0 differences; every number given once in its epoch, rising; a denied order leaves no command."""
    directory = tmp_path_factory.mktemp("replay") / "b"
    shutil.copytree(signed_box.root, directory)
    bench = Bench(Box(directory))
    try:
        asyncio.run(lived(bench, steps))
        assert bench.replayed().differences == ()
        commands = [Command.decode(said.body) for said in bench.line.of(Kind.COMMAND)]
        runs: list[tuple[bytes, int]] = [(command.epoch, command.sequence) for command in commands]
        for (epoch, number), (next_epoch, next_number) in itertools.pairwise(runs):
            assert next_epoch != epoch or next_number > number
        assert len(commands) == sum(decision.allowed for decision in decisions(bench.statements()))
    finally:
        bench.close()
        shutil.rmtree(directory)
