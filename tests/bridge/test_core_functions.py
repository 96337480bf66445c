"""The core with several functions of one device: what it orders, renews, remembers, forgets and can make again."""

import sqlite3

import pytest
from bridge_world import NOW, SITE_TEXT, TRANSLATOR, Bench, course, grid_event, make_bench

from wattseal.bridge import journal
from wattseal.bridge.core.inbound import Change, EventTaken
from wattseal.bridge.core.status import status
from wattseal.bridge.facts import Facts, Standing
from wattseal.bridge.journal import LiveRow
from wattseal.bridge.status_text import lines
from wattseal.certs.statement import Kind
from wattseal.certs.storage import Part, Store
from wattseal.drivers.commands import Command, Function, Operation, Order, Renewal, Seat
from wattseal.drivers.testimony import Phase, Result
from wattseal.protocols.grid_event import EventStatus
from wattseal.protocols.wish import Energize, RampRate, Setpoint, TargetVar

TEXT = SITE_TEXT.replace(
    b'operations = ["set_power", "limit_inject", "limit_absorb"]',
    b'operations = ["set_power", "energize", "target_var", "ramp_rate"]',
)
POWER, SERVICE, VARS = (Seat("battery", one) for one in (Function.POWER, Function.ENERGIZE, Function.VARS))


@pytest.fixture
async def bench(tmp_path):
    made = Bench(make_bench(tmp_path / "box", TEXT))
    await made.connect()
    yield made
    made.close()


async def take(bench: Bench, *courses, version: int = 0, status: EventStatus = EventStatus.STANDING, **fields):
    """An event with these courses, as any dialect's session would give it."""
    event = grid_event(*courses, **fields)
    kind = Change.NEW if status is EventStatus.STANDING else Change.CANCELLED
    arrival = bench.arrival(b"%d" % version)
    return await bench.core.take(arrival, [EventTaken(kind, event, 0, TRANSLATOR)], [], lambda _: b"state")


async def two_functions(bench: Bench):
    told = await take(
        bench, course(Setpoint(2000), "battery", name="p"), course(Energize(on=False), "battery", name="e")
    )
    return told, bench.line.of(Kind.COMMAND)


def seat_of(command) -> Seat:
    return Order.decode(Command.decode(command.body).order).seat


def live_rows(bench: Bench):
    """The functions of which the last facts tell."""
    facts = [said for said in bench.statements() if said.header.kind is Kind.FACTS][-1]
    return {row.seat for row in Facts.decode(facts.body).live}


async def test_one_event_gives_each_function_its_command(bench) -> None:
    told, commands = await two_functions(bench)
    assert [answer.opt_in for _, answer in told.consents] == [True]
    assert [seat_of(command) for command in commands] == [POWER, SERVICE]
    assert [Command.decode(command.body).sequence for command in commands] == [1, 2]
    assert {seat: row.standing for seat, row in bench.core.memory.live.items()} == {
        POWER: Standing.COMMANDED,
        SERVICE: Standing.COMMANDED,
    }


async def test_people_are_told_of_every_function(bench) -> None:
    await two_functions(bench)
    told = list(lines(status(bench.core.memory, bench.estate.site, bench.estate.clock.now(), 0)))
    assert any("set_power 2000 W (commanded)" in line for line in told)
    assert "  energize: energize 0 (commanded)" in told


async def test_a_receipt_moves_its_own_function(bench) -> None:
    _, (power, service) = await two_functions(bench)
    await bench.receipt(service, Result.REVERTED, "lease_over", Phase.REVERT)
    assert bench.core.memory.live[POWER].standing is Standing.COMMANDED
    again = bench.line.of(Kind.COMMAND)[2:]
    assert [seat_of(command) for command in again] == [SERVICE], "it lost its lease, and is given again"
    await bench.receipt(power, Result.REFUSED, "envelope_forbidden")
    assert bench.core.memory.live[POWER].standing is Standing.REFUSED
    assert bench.core.memory.live[SERVICE].standing is Standing.COMMANDED


async def test_every_live_function_is_renewed(bench) -> None:
    _, commands = await two_functions(bench)
    await bench.core.renew()
    (renewal,) = bench.line.of(Kind.RENEWAL)
    assert set(renewal.header.parents) == {command.digest for command in commands}
    assert Renewal.decode(renewal.body).sequence == 3


async def test_a_retry_is_of_the_function_that_failed(bench) -> None:
    _, (_, service) = await two_functions(bench)
    await bench.receipt(service, Result.UNREACHABLE, "no_answer")
    bench.time.advance(30)
    await bench.core.look()
    assert [seat_of(command) for command in bench.line.of(Kind.COMMAND)[2:]] == [SERVICE]


async def test_after_a_restart_each_function_stands_as_it_stood(bench) -> None:
    await two_functions(bench)
    before = bench.core.memory.live
    await bench.restart()
    assert bench.core.memory.live == before
    await bench.connect(sequence=2)
    assert len(bench.line.of(Kind.COMMAND)) == 2, "the same gateway: nothing is given again"
    await bench.connect(epoch=bytes(16))
    assert [seat_of(command) for command in bench.line.of(Kind.COMMAND)[2:]] == [POWER, SERVICE]


async def test_a_function_that_is_over_is_as_if_never_ordered(bench) -> None:
    """Wish gone, release ordered, release applied: later facts tell of it no more, and nothing is ordered again."""
    await take(bench, course(TargetVar(500), "battery", duration=60), duration=60)
    bench.time.advance(200)
    await bench.core.look()
    release = bench.line.of(Kind.COMMAND)[-1]
    order = Order.decode(Command.decode(release.body).order)
    assert (order.operation, order.seat) == (Operation.RELEASE, VARS)
    assert live_rows(bench) == {VARS}
    await bench.receipt(release, Result.APPLIED, "applied")
    await take(bench, course(Setpoint(100), "battery"), event_id="E2", start=NOW + 200)
    assert live_rows(bench) == set()
    assert seat_of(bench.line.of(Kind.COMMAND)[-1]) == POWER
    assert len(bench.line.of(Kind.COMMAND)) == 3


async def test_a_setting_that_is_kept_is_over(bench) -> None:
    await take(bench, course(RampRate(100), "battery", duration=60), duration=60)
    (command,) = bench.line.of(Kind.COMMAND)
    bench.time.advance(61)
    await bench.receipt(command, Result.KEPT, "window_over", Phase.REVERT)
    assert bench.core.memory.live[Seat("battery", Function.RAMP_RATE)].standing is Standing.OVER
    assert len(bench.line.of(Kind.COMMAND)) == 1


async def test_decisions_and_commands_of_all_functions_are_made_again(bench) -> None:
    """The record holds every input; what is made anew is equal byte for byte."""
    _, (_, service) = await two_functions(bench)
    await bench.receipt(service, Result.REVERTED, "lease_over", Phase.REVERT)
    verdict = bench.replayed()
    assert verdict.compared[Kind.COMMAND] == 3
    assert {one.kind for one in verdict.differences} <= {Kind.INTENT}, "this message is no OpenADR"


async def test_what_a_device_cannot_do_is_answered_with_the_reason(bench) -> None:
    told = await take(bench, course(Energize(on=False), "charger"))
    assert [(answer.opt_in, answer.why) for _, answer in told.consents] == [
        (False, "alfen_eve has no operation for energize")
    ]


def test_a_journal_of_one_order_for_each_device_is_taken_over(tmp_path) -> None:
    """Rows of the layout before functions are power's."""
    steps = journal.PART.steps
    earlier = Part("journal", steps[: next(n for n, step in enumerate(steps) if "live_by_function" in step)])
    row = LiveRow(
        Order("battery", Operation.SET_POWER, 100, NOW, 60, (Operation.RELEASE, 0), 5, bytes(32)),
        b"c" * 32, Standing.COMMANDED, 4, b"d" * 32,
    )  # fmt: skip
    path = tmp_path / "core.db"
    Store.open(path, (earlier,)).close()
    with sqlite3.connect(path) as db:
        values = (row.order.device, row.command, row.order.encode(), str(row.standing), row.sequence, row.denied)
        db.execute("INSERT INTO live VALUES(?, ?, ?, ?, ?, ?)", values)
    db.close()
    for _ in range(2):
        with Store.open(path, (journal.PART,)) as store:
            assert store.read_now(journal.recall).live == (row,)
