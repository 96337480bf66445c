"""The core from a utility's message to the gateway's line and home again: docs/architecture.md, without a socket."""

import asyncio
import itertools
from dataclasses import replace
from functools import partial

import pytest
from bridge_world import EPOCH, NOW, SITE_TEXT, UTILITY, Bench, consents_of, decisions, make_bench
from ven_world import dispatch, oadr_event, simple

from wattseal.bridge.core.core import FORGET_SECONDS, RETRY_SECONDS
from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.inbound import Change, EventTaken
from wattseal.bridge.core.line import GatewayLine
from wattseal.bridge.facts import Facts, Standing
from wattseal.bridge.journal import keep_session, recall
from wattseal.certs.clock import ClockQuality
from wattseal.certs.statement import PARENTS_OF, ROLE_OF, Kind
from wattseal.certs.storage import StorageError, StorageFullError, Store
from wattseal.drivers.commands import Command, Function, Hail, Hello, Operation, Order, Renewal, Seat
from wattseal.drivers.testimony import Phase, Quantity, Reading, Receipt, Result
from wattseal.protocols.grid_event import EventStatus, GridEvent
from wattseal.protocols.ingress import Ingress
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.translate import TRANSLATOR, cancelled, translate
from wattseal.protocols.openadr20b.vocabulary import EventStatus as OadrStatus

BATTERY, CHARGER = Target(resource_ids=("b1",)), Target(resource_ids=("c1",))
POWER = Seat("battery", Function.POWER)
OTHER_EPOCH = bytes(16)


def give(watts=2000, number=0, *, event_id="E1", start=NOW, target=BATTERY, **fields):
    """A LOAD_DISPATCH to the battery that runs now."""
    return oadr_event(event_id, number, start=start, signals=(dispatch(str(watts)),), target=target, **fields)


def cancel(number=1, **fields):
    return give(number=number, status=OadrStatus.CANCELLED, **fields)


def order_of(command):
    return Order.decode(Command.decode(command.body).order)


def body_of(command):
    return Command.decode(command.body)


async def running(bench: Bench, watts=2000):
    """An event in force and its command sent."""
    await bench.connect()
    await bench.tell(give(watts))
    return bench.line.of(Kind.COMMAND)[-1]


# --- out


async def test_one_event_goes_out_sealed_and_in_order(bench):
    """Every statement is admitted, parents before children and of the kinds allowed; the order is as planned."""
    await bench.connect()
    told = await bench.tell(give(2000))
    assert consents_of(told)["E1"].opt_in
    assert bench.line.orders() == [("battery", "set_power", 2000)]
    written = bench.statements()
    seen = {}
    for said in written:
        needed, allowed = PARENTS_OF[said.header.kind]
        kinds = {seen[parent] for parent in said.header.parents}  # KeyError: a child before its parent
        assert needed <= kinds <= allowed
        assert bench.estate.manifest.keys[said.kid].role is ROLE_OF[said.header.kind]
        seen[said.digest] = said.header.kind
    order = [said.header.kind for said in written]
    assert order == [Kind.HAIL, Kind.HELLO, Kind.INGRESS, Kind.INTENT, Kind.FACTS, Kind.DECISION, Kind.COMMAND]
    assert [said.raw for said in bench.line.sent] == [
        said.raw for said in written if said.header.kind is not Kind.HELLO
    ]
    (command,) = bench.line.of(Kind.COMMAND)
    assert (command.header.audience, command.header.not_before) == ("gateway-1", NOW)
    assert NOW < command.header.expires_at <= NOW + 60
    assert (body_of(command).epoch, body_of(command).sequence, body_of(command).lease_seconds) == (EPOCH, 1, 300)
    assert (order_of(command).not_before, order_of(command).hold_seconds) == (NOW, 3600)


async def test_a_command_is_sent_only_when_all_it_rests_on_is_durable(bench):
    """The line sees a command only after the ledger holds it and its ancestors."""
    held = []

    class Careful:
        async def send(self, statements):
            known = {said.digest for said in bench.statements()}
            if any(said.header.kind is Kind.COMMAND for said in statements):
                held.append({said.digest for said in (*ahead, *statements)} <= known)
            ahead.extend(statements)

    ahead = []
    bench.core._line = Careful()
    bench.core._memory.gateway.epoch = EPOCH
    await bench.tell(give())
    assert held == [True]
    assert len({said.digest for said in ahead}) == 5


async def test_an_event_to_come_waits_for_its_time(bench):
    await bench.connect()
    await bench.tell(give(start=NOW + 100))
    assert bench.line.orders() == []
    assert bench.core.seconds_to_next_look(1000.0) == 80.0, "a handover might be due"
    bench.time.advance(80)
    await bench.core.look()
    assert bench.line.orders() == []
    assert bench.core.seconds_to_next_look(1000.0) == 20.0
    bench.time.advance(20)
    await bench.core.look()
    assert bench.line.orders() == [("battery", "set_power", 2000)]
    await bench.core.look()
    assert len(bench.line.orders()) == 1, "level, not edge: nothing is due"


async def test_without_a_gateway_nothing_is_ordered_and_then_all_of_it(bench):
    await bench.tell(give())
    assert Kind.COMMAND not in {said.header.kind for said in bench.statements()}
    await bench.connect()
    assert bench.line.orders() == [("battery", "set_power", 2000)]
    await bench.core.detach()
    await bench.tell(give(3000, 1))
    assert len(bench.line.orders()) == 1


async def test_a_cancel_releases(bench):
    first = await running(bench)
    await bench.tell(cancel())
    assert bench.line.orders()[1:] == [("battery", "release", 0)]
    second = bench.line.of(Kind.COMMAND)[1]
    assert (body_of(second).sequence, body_of(second).supersedes) == (2, first.digest)
    intent = [said for said in bench.statements() if said.header.kind is Kind.INTENT][-1]
    event, _ = GridEvent.decode(intent.body)
    assert event.status is EventStatus.CANCELLED
    assert len(intent.header.parents) == 2, "the message, and the intent that it ends"
    facts = [said for said in bench.statements() if said.header.kind is Kind.FACTS][-1]
    assert intent.digest in facts.header.parents, "what has just ended explains the release"


async def test_a_cancel_is_spread_like_the_start_was(bench):
    """Rule 65: a running event with startafter ends after its random delay, not at once."""
    await bench.connect()
    event = translate(give(start=NOW - 60, start_after=60), bench.context()).event

    async def take(change, one):
        await bench.core.take(bench.arrival(b"<x/>"), [EventTaken(change, one, 30, TRANSLATOR)], [], lambda _: b"")

    await take(Change.NEW, event)
    await take(Change.CANCELLED, cancelled(event, 1))
    assert len(bench.line.orders()) == 2, "the same wish until then: only the window ends earlier"
    assert order_of(bench.line.of(Kind.COMMAND)[-1]).hold_seconds == 60
    bench.time.advance(5)
    await take(Change.CANCELLED, cancelled(event, 2))
    assert bench.core.memory.events[UTILITY, "E1"].cut_at == NOW + 30, "told twice, cut once"
    bench.time.advance(25 + 15)
    await bench.core.look()
    assert bench.line.orders()[-1] == ("battery", "release", 0)


@pytest.mark.parametrize("start", [NOW + 50, NOW])
async def test_a_withdrawn_event_ends(bench, start):
    """Rule 61: a full list without it. One that was still to come never begins."""
    await bench.connect()
    await bench.tell(give(start=start))
    await bench.tell()
    expected = [("battery", "set_power", 2000), ("battery", "release", 0)] if start == NOW else []
    assert bench.line.orders() == expected
    bench.time.advance(60)
    await bench.core.look()
    assert bench.line.orders() == expected
    assert bench.core.memory.events[UTILITY, "E1"].event.status is EventStatus.WITHDRAWN


async def test_a_modification_supersedes(bench):
    first = await running(bench)
    await bench.tell(give(2500, 1))
    assert bench.line.orders()[1:] == [("battery", "set_power", 2500)]
    assert body_of(bench.line.of(Kind.COMMAND)[1]).supersedes == first.digest


async def test_a_modification_that_is_refused_withdraws(bench):
    """A level of 7 means nothing (rule 9); the version that stood is no longer wanted either."""
    await running(bench)
    wrong = oadr_event("E1", 1, start=NOW, signals=(simple("7"),), target=BATTERY)
    await bench.tell(wrong)
    assert bench.line.orders()[1:] == [("battery", "release", 0)]
    ingress = [said for said in bench.statements() if said.header.kind is Kind.INGRESS][-1]
    assert [row[0] for row in Ingress.decode(ingress.body).refused] == ["E1"]


async def test_an_event_ends_by_the_gateways_revert_or_else_by_a_release(bench):
    await running(bench)
    bench.time.advance(3600)
    await bench.core.look()
    assert len(bench.line.orders()) == 1, "the gateway reverts by itself"
    bench.time.advance(15)
    await bench.core.look()
    assert bench.line.orders()[1:] == [("battery", "release", 0)], "it said nothing"


async def test_a_refused_message_is_kept_with_its_reason(bench):
    await bench.core.refuse(bench.arrival(b"<junk"), "xml_malformed")
    (ingress,) = bench.statements()
    assert Ingress.decode(ingress.body).verdict == "xml_malformed"
    assert b"<junk" in bench.record().contents.values()


async def test_more_events_at_once_than_a_statement_names_parents(bench):
    """A statement names at most 256 parents; a utility that floods the list stops no order of higher precedence."""
    await bench.connect()
    flood = [give(1, event_id=f"F{number:03}", target=CHARGER) for number in range(300)]
    await bench.tell(*flood, give(900, event_id="Z", priority=1))
    assert ("battery", "set_power", 900) in bench.line.orders()
    later = [give(1, event_id=f"L{number:03}", start=NOW + 900) for number in range(300)]
    await bench.tell(*later, give(901, event_id="Z", priority=1, number=1))
    assert ("battery", "set_power", 901) in bench.line.orders()
    facts = [said for said in bench.statements() if said.header.kind is Kind.FACTS][-1]
    to_come = {one.intent for one in bench.core.memory.events.values() if one.start > NOW}
    assert len(to_come) == 300
    assert not to_come & set(facts.header.parents), "what is to come moves nothing yet"


# --- consent


async def test_opt_out_says_why(bench):
    told = await bench.tell(
        give(7401, event_id="ceiling"),
        give(2000, event_id="fine"),
        oadr_event("level", start=NOW, signals=(simple("3"),), target=CHARGER),
        give(9999, event_id="test", test="true"),
        oadr_event("normal", start=NOW, signals=(simple("0"),), target=CHARGER),
    )
    answers = consents_of(told)
    assert {name: answer.opt_in for name, answer in answers.items()} == {
        "ceiling": True,  # the envelope brings 7401 W down to 5000 W, which the ceiling allows
        "fine": True,
        "level": False,
        "test": True,
        "normal": True,
    }
    assert "level 3 has no entry" in answers["level"].why


async def test_opt_out_by_the_owners_ceiling(tmp_path):
    """An opt-in is a promise, so what is to come is judged at its own time."""
    bench = Bench(make_bench(tmp_path / "low", SITE_TEXT.replace(b"ceiling_watts = 7400", b"ceiling_watts = 1000")))
    try:
        await bench.connect()
        to_come = {"start": NOW + 9000}
        answers = consents_of(
            await bench.tell(
                give(1001, event_id="above"),
                give(1000, event_id="at", **to_come),
                give(1001, event_id="then", **to_come),
            )
        )
        assert {name: answer.opt_in for name, answer in answers.items()} == {"above": False, "at": True, "then": False}
        assert "policy denies every order" in answers["above"].why
        assert bench.line.orders() == []
        (denied,) = decisions(bench.statements())
        assert not denied.allowed
        bench.time.advance(5)
        await bench.core.look()
        assert len(decisions(bench.statements())) == 1, "asked once"
        await bench.restart()
        await bench.connect()
        assert len(decisions(bench.statements())) == 2, "and once more at a start: the policy may be another"
    finally:
        bench.close()


async def test_a_test_event_moves_nothing(bench):
    """Rule 6."""
    await bench.connect()
    told = await bench.tell(give(test="true"))
    assert consents_of(told)["E1"].opt_in
    assert "nothing is moved" in consents_of(told)["E1"].why
    assert bench.line.orders() == []


# --- hello


async def test_hello_of_the_same_epoch_lets_commands_live(bench):
    await running(bench)
    await bench.connect(sequence=1)
    assert len(bench.line.orders()) == 1


async def test_hello_of_a_new_epoch_orders_afresh(bench):
    """docs/statements.md: each start of the gate draws an epoch; sequences begin again."""
    await running(bench)
    await bench.connect(epoch=OTHER_EPOCH)
    assert bench.line.orders() == [("battery", "set_power", 2000)] * 2
    again = body_of(bench.line.of(Kind.COMMAND)[-1])
    assert (again.epoch, again.sequence) == (OTHER_EPOCH, 1)


@pytest.mark.parametrize("ended", [False, True])
async def test_a_command_that_the_gateway_never_got_is_ordered_afresh(bench, ended):
    """Its number lies above the hello's. A lost release is no less wanted than a lost setpoint."""
    await running(bench)
    if ended:
        await bench.tell(cancel())
    count = len(bench.line.orders())
    await bench.connect(sequence=count - 1)
    assert bench.line.orders()[count:] == [bench.line.orders()[count - 1]]
    assert body_of(bench.line.of(Kind.COMMAND)[-1]).sequence == count + 1


async def test_an_old_hello_moves_nothing(bench):
    await bench.core.attach(bench.line)
    old = bench.line.of(Kind.HAIL)[-1]
    await bench.core.hail()

    await bench.say(Kind.HELLO, Hello(Hail.decode(old.body).nonce, EPOCH, 0, "trusted").encode(), old.digest)
    assert bench.core.memory.gateway.epoch is None
    await bench.hello()
    assert bench.core.memory.gateway.epoch == EPOCH


async def test_renewal_names_the_live_commands(bench):
    first = await running(bench)
    await bench.core.renew()
    (renewal,) = bench.line.of(Kind.RENEWAL)
    assert renewal.header.parents == (first.digest,)
    body = Renewal.decode(renewal.body)
    assert (body.epoch, body.sequence, body.lease_seconds, body.held) == (EPOCH, 2, 300, 0)
    await bench.tell(give(2500, 1))
    assert body_of(bench.line.of(Kind.COMMAND)[-1]).sequence == 3


async def test_a_release_has_no_lease_to_renew(bench):
    """A gate refuses a renewal of which it knows no command, and then hears no acknowledgement either."""
    await running(bench)
    await bench.tell(cancel())
    await bench.core.renew()
    assert bench.line.of(Kind.RENEWAL) == []
    assert len(bench.line.of(Kind.HAIL)) == 2


async def test_nothing_to_renew_is_a_hail(bench):
    await bench.connect()
    await bench.core.renew()
    assert len(bench.line.of(Kind.HAIL)) == 2
    assert bench.line.of(Kind.RENEWAL) == []


# --- home


@pytest.mark.parametrize(
    ("result", "reason", "phase", "standing", "now", "after_retry"),
    [
        (Result.APPLIED, "-", Phase.COMMAND, Standing.COMMANDED, 0, 0),
        (Result.CLAMPED, "device_rating", Phase.COMMAND, Standing.COMMANDED, 0, 0),
        (Result.CLAMPED, "envelope_ramp", Phase.COMMAND, Standing.COMMANDED, 0, 1),
        (Result.CLAMPED, "envelope_soc_floor", Phase.COMMAND, Standing.COMMANDED, 0, 1),
        (Result.REVERTED, "lease_over", Phase.REVERT, Standing.OVER, 1, 0),
        (Result.REFUSED, "envelope_forbidden", Phase.COMMAND, Standing.REFUSED, 0, 0),
        (Result.REFUSED, "device_unavailable", Phase.COMMAND, Standing.REFUSED, 0, 1),
        (Result.UNREACHABLE, "timeout", Phase.COMMAND, Standing.COMMANDED, 0, 1),
        (Result.MISMATCH, "other_value", Phase.EFFECT, Standing.COMMANDED, 0, 1),
        (Result.UNREACHABLE, "timeout", Phase.REVERT, Standing.COMMANDED, 0, 0),
        (Result.UNKNOWN, "restart", Phase.RESTART, Standing.COMMANDED, 1, 0),
        (Result.SUPERSEDED, "-", Phase.LEASE, Standing.COMMANDED, 0, 0),
    ],
)
async def test_what_a_receipt_leads_to(bench, result, reason, phase, standing, now, after_retry):
    """Orders given at once, and after a while; where the order stands in between."""
    command = await running(bench)
    await bench.receipt(command, result, reason, phase)
    assert len(bench.line.orders()) == 1 + now
    if not now:
        assert bench.core.memory.live[POWER].standing is standing
    bench.time.advance(RETRY_SECONDS - 1)
    await bench.core.look()
    assert len(bench.line.orders()) == 1 + now, "not before its time"
    bench.time.advance(1)
    await bench.core.look()
    assert len(bench.line.orders()) == 1 + now + after_retry
    assert set(bench.line.orders()) == {("battery", "set_power", 2000)}


async def test_an_unreachable_device_is_tried_ever_more_seldom(bench):
    """Nothing is worn out: neither the device's memory nor the disk. After a quiet while it begins anew."""
    command = await running(bench)
    begun, tried = bench.time.unix, []
    for second in range(1200):
        if len(bench.line.orders()) > len(tried):
            tried.append(second)
            await bench.receipt(bench.line.of(Kind.COMMAND)[-1], Result.UNREACHABLE, "timeout")
        bench.time.unix, bench.time.counted = begun + second + 1, 1000.0 + second + 1
        await bench.core.look()
    waits = [later - sooner for sooner, later in itertools.pairwise(tried)]
    assert waits == [20, 40, 80, 160, 300, 300]
    bench.time.advance(700)
    await bench.core.look()
    count = len(bench.line.orders())
    await bench.receipt(bench.line.of(Kind.COMMAND)[-1], Result.UNREACHABLE, "timeout")
    bench.time.advance(RETRY_SECONDS)
    await bench.core.look()
    assert len(bench.line.orders()) == count + 1
    assert command.digest == bench.line.of(Kind.COMMAND)[0].digest


async def test_a_gate_that_lacks_parents_is_sent_them_again(bench):
    command = await running(bench)
    await bench.receipt(command, Result.REFUSED, "parent_missing")
    assert bench.line.sent_all_again == 1
    bench.time.advance(RETRY_SECONDS)
    await bench.core.look()
    assert len(bench.line.orders()) == 2


async def test_a_revert_at_the_windows_end_is_the_end(bench):
    command = await running(bench)
    bench.time.advance(3599)
    await bench.receipt(command, Result.REVERTED, "window_over", Phase.REVERT)
    bench.time.advance(600)
    await bench.core.look()
    assert len(bench.line.orders()) == 1


async def test_a_receipt_of_an_older_command_moves_nothing(bench):
    first = await running(bench)
    await bench.tell(give(2500, 1))
    await bench.receipt(first, Result.REVERTED, "lease_over", Phase.REVERT)
    assert bench.core.memory.live[POWER].standing is Standing.COMMANDED


async def test_readings_feed_pictures_and_facts_name_them(bench):
    await bench.connect()
    reading = await bench.reading("battery", 421)
    picture = bench.core.memory.pictures["battery"]
    assert (picture.soc_permille, picture.reading, picture.reachable) == (421, reading.digest, True)
    await bench.tell(give())
    (facts,) = (said for said in bench.statements() if said.header.kind is Kind.FACTS)
    assert reading.digest in facts.header.parents
    named = {device.name: device for device in Facts.decode(facts.body).devices}
    assert (named["battery"].soc_permille, named["battery"].reading) == (421, reading.digest)
    assert named["charger"].reading is None


async def test_a_silent_device_gets_no_share(bench):
    """Three samples and five seconds without a word."""
    await bench.connect()
    await bench.reading("charger", None)
    bench.time.advance(35)
    await bench.reading("battery", 500)
    await bench.tell(give(-3200, target=Target(ven_ids=("VEN_1",)), start=NOW))
    # both heard: 5000 to 11000 of 3200 W
    assert bench.line.orders() == [("battery", "set_power", -1000), ("charger", "limit_absorb", 2200)]
    bench.time.advance(1)
    await bench.core.look()
    assert bench.line.orders()[2:] == [("battery", "set_power", -3200), ("charger", "limit_absorb", 0)]


@pytest.mark.parametrize(("value", "scale", "permille"), [(42, 0, 420), (425, -1, 425), (4259, -2, 425), (4, 1, 400)])
async def test_a_state_of_charge_in_any_scale(bench, value, scale, permille):
    await bench.connect()
    row = Quantity("soc_percent", value, scale, "%", "good", "1")
    await bench.say(Kind.READING, Reading("battery", (row,), 0, NOW * 1000, bytes(32), "trusted").encode())
    assert bench.core.memory.pictures["battery"].soc_permille == permille


@pytest.mark.parametrize(
    "row", [("soc_percent", 42, 0, "bad"), ("soc_percent", 4, 10**9, "good"), ("watts", 1, 0, "good")]
)
async def test_a_state_of_charge_that_is_not_known(bench, row):
    name, value, scale, quality = row
    await bench.connect()
    quantity = Quantity(name, value, scale, "%", quality, "1")
    await bench.say(Kind.READING, Reading("battery", (quantity,), 0, NOW * 1000, bytes(32), "trusted").encode())
    assert bench.core.memory.pictures["battery"].soc_permille is None


async def test_the_chain_repeated_and_skipped(bench):
    """docs/architecture.md: a lost message heals. A repeated statement changes nothing, a skipped one is asked for."""
    await bench.connect()
    said = await bench.reading("battery", 500)
    held, count = bench.core.memory.gateway.held, len(bench.statements())
    await bench.core.hear(said.raw)
    assert (bench.core.memory.gateway.held, len(bench.statements())) == (held, count)
    hails = len(bench.line.of(Kind.HAIL))
    body = Reading("battery", (), 0, NOW * 1000, bytes(32), "trusted").encode()
    await bench.core.hear(bench.sealed(Kind.READING, body, number=held + 2).raw)
    await bench.core.hear(bench.sealed(Kind.READING, body, number=held + 3).raw)
    assert bench.core.memory.gateway.held == held
    assert len(bench.line.of(Kind.HAIL)) == hails + 1, "once, not for each of those behind it"
    bench.time.advance(RETRY_SECONDS)
    await bench.core.hear(bench.sealed(Kind.READING, body, number=held + 4).raw)
    assert len(bench.line.of(Kind.HAIL)) == hails + 2
    assert bench.core.memory.pictures["battery"].soc_permille == 500


async def test_what_another_key_sealed_is_dropped(bench):
    await bench.connect()
    said = bench.sealed(Kind.READING, b"\xa0", number=1)
    count = len(bench.statements())
    for raw in (b"", b"junk", said.raw[:-1] + bytes([said.raw[-1] ^ 1]), bench.line.of(Kind.HAIL)[0].raw[:50]):
        await bench.core.hear(raw)
    assert len(bench.statements()) == count
    assert bench.core.memory.gateway.held == 0


@pytest.mark.parametrize("kind", [Kind.READING, Kind.RECEIPT, Kind.HELLO])
async def test_a_sealed_body_that_cannot_be_read_is_kept_and_holds_nothing_up(bench, kind):
    """It would otherwise be sent again for ever, and everything behind it would wait."""
    await bench.connect()
    said = await bench.say(kind, b"\xa0")
    assert bench.statements()[-1].digest == said.digest
    assert bench.core.memory.gateway.held == 1
    await bench.reading("battery", 77)
    assert bench.core.memory.pictures["battery"].soc_permille == 77


async def test_a_receipt_without_a_parent_moves_nothing(bench):
    await running(bench)

    body = Receipt("battery", Phase.REVERT, Result.REVERTED, "-", 0, 0, 0, 0, None, None, 0, "trusted")
    await bench.say(Kind.RECEIPT, body.encode())
    assert bench.core.memory.live[POWER].standing is Standing.COMMANDED


# --- clock


async def test_with_an_untrusted_clock_events_wait_and_releases_go(bench):
    """docs/operations.md: below the floor only defaults and reverts are ordered."""
    await running(bench)
    await bench.restart()
    bench.time.unix = 1000.0
    await bench.restart()
    assert bench.estate.clock.now().quality is ClockQuality.UNTRUSTED
    await bench.connect(sequence=1)
    assert bench.core.memory.gateway.epoch == EPOCH, "the gateway's keys are judged at the floor, not in 1970"
    assert bench.line.orders()[1:] == [("battery", "release", 0)]


# --- restart


async def test_a_restart_remembers(bench):
    first = await running(bench)
    await bench.reading()
    await bench.tell(give(2500, 1), give(800, event_id="E2", start=NOW + 9000))
    await bench.receipt(first, Result.SUPERSEDED)
    before = bench.core.memory
    await bench.restart()
    after = bench.core.memory
    assert (after.events, after.live, after.storage_low) == (before.events, before.live, False)
    assert after.gateway.row() == before.gateway.row()
    assert after.gateway.epoch is None
    await bench.connect(sequence=2)
    assert len(bench.line.orders()) == 2, "same epoch, same commands"
    await bench.tell(cancel(2))
    assert bench.line.orders()[2:] == [("battery", "release", 0)]
    assert body_of(bench.line.of(Kind.COMMAND)[-1]).sequence == 3


async def test_a_denial_is_remembered_with_the_command_that_stands(bench):
    command = await running(bench, 1000)
    bench.core._memory.storage_low = True
    await bench.tell(give(3000, 1))
    row = bench.core.memory.live[POWER]
    assert (row.standing, row.command, row.order.value) == (Standing.DENIED, command.digest, 1000)
    before = bench.core.memory.live
    await bench.restart()
    assert bench.core.memory.live == before


# --- storage


async def fill(bench):
    """Leaves no room at all, reserve apart."""
    for size in (1 << 16, 4096, 512):
        try:
            while True:
                await bench.estate.store.commit(
                    lambda db, size=size: db.execute("INSERT INTO storm VALUES(zeroblob(?))", (size,))
                )
        except StorageFullError:
            continue


async def full_bench(new_bench, watts):
    bench = new_bench(max_pages=600)
    await running(bench, watts)
    await bench.estate.store.commit(lambda db: db.execute("CREATE TABLE storm(filler BLOB)"))
    await fill(bench)
    return bench


async def test_a_full_disk_still_releases(new_bench):
    """docs/operations.md: reverts are still written."""
    bench = await full_bench(new_bench, 1000)
    told = await bench.tell(cancel())
    assert told is not None
    assert bench.core.memory.storage_low
    assert bench.line.orders()[1:] == [("battery", "release", 0)]
    assert bench.line.of(Kind.COMMAND)[-1].digest in {said.digest for said in bench.statements()}


async def test_a_full_disk_refuses_what_raises_power_and_recovers(new_bench):
    """docs/operations.md: refuse orders that raise power; the event is kept, and followed once there is room."""
    bench = await full_bench(new_bench, 1000)
    told = await bench.tell(give(3000, 1))
    assert told is not None
    assert bench.core.memory.storage_low
    assert len(bench.line.orders()) == 1
    assert decisions(bench.statements())[-1].policy_ids == ("storage-low-no-raise",)
    await bench.tell(give(2999, 2))
    assert len(bench.line.orders()) == 1, "less than what was denied, more than what stands"
    await bench.tell(give(900, 3))
    assert bench.line.orders()[1:] == [("battery", "set_power", 900)], "less than what stands"
    await bench.tell(give(4000, 4))
    assert len(bench.line.orders()) == 2
    await bench.core.recover_storage()
    assert bench.core.memory.storage_low, "no room yet"
    await bench.estate.store.commit(lambda db: db.execute("DELETE FROM storm"))
    await bench.core.recover_storage()
    assert not bench.core.memory.storage_low
    await bench.core.look()
    assert bench.line.orders()[2:] == [("battery", "set_power", 4000)]
    assert bench.estate.store.reserve_stands


async def test_a_full_disk_still_records_what_a_session_says(new_bench):
    """On the reserve: a session whose state could not be saved would have to start again."""
    bench = await full_bench(new_bench, 1000)
    await bench.core.refuse(bench.arrival(b"<junk" * 5000), "xml_malformed")
    assert bench.core.memory.storage_low
    assert Ingress.decode(bench.statements()[-1].body).verdict == "xml_malformed"
    other = await full_bench(new_bench, 1000)
    deed = Deed()
    deed.write(lambda db: keep_session(db, UTILITY, b"x" * 5000))
    await other.core.record(deed)
    assert other.estate.store.read_now(recall).sessions[UTILITY] == b"x" * 5000


async def test_a_full_disk_forgets_no_order_that_was_wanted_afresh(new_bench):
    bench = await full_bench(new_bench, 1000)

    bench.core._memory.wanted_afresh.add(POWER)
    with pytest.raises(StorageFullError):
        await bench.core.look()
    assert len(bench.line.orders()) == 1
    await bench.core.look()
    assert len(bench.line.orders()) == 2


@pytest.mark.parametrize("turn", ["an order that is due", "a new event", "what the gateway says"])
async def test_what_the_disk_did_not_take_did_not_happen(bench, monkeypatch, turn):
    """Another process holds the database for a while: no order is taken for given, and the next look gives it."""
    await bench.connect()
    await bench.tell(give(2000, start=NOW + 100))
    bench.time.advance(100)
    held = bench.core.memory.gateway.held

    async def busy(_store, _work):
        raise StorageError("storage_busy", "Another process holds core.db; end it, or wait.")

    news = give(2000, start=NOW + 100), give(500, event_id="E2", start=NOW, target=CHARGER)
    turns = {
        "an order that is due": bench.core.look,
        "a new event": partial(bench.tell, *news),
        "what the gateway says": bench.reading,
    }
    with monkeypatch.context() as patched:
        patched.setattr(Store, "commit", busy)
        with pytest.raises(StorageError):
            await turns[turn]()
    assert bench.line.orders() == []
    assert set(bench.core.memory.events) == {(UTILITY, "E1")}
    assert bench.core.memory.gateway.held == held
    await bench.core.look()
    assert bench.line.orders() == [("battery", "set_power", 2000)]


async def test_a_list_of_many_refused_events_fits_its_ingress(bench):
    """A mebibyte of events for somebody else: the ingress names the first, says how many more, and can be read."""
    odd = tuple(give(event_id=f"{number:04}" + "x" * 200, target=Target(resource_ids=("zz",))) for number in range(500))
    await bench.tell(give(1000, event_id="E1"), *odd)
    ingress = next(said for said in bench.statements() if said.header.kind is Kind.INGRESS)
    refused = Ingress.decode(ingress.body).refused
    assert len(refused) == 129
    assert refused[-1] == ("", "", "372_more")
    assert len(ingress.raw) <= 65_536


# --- forgetting


async def test_old_events_are_forgotten(bench):
    await running(bench)
    await bench.tell(give(), give(event_id="later", start=NOW + 5 * FORGET_SECONDS))
    bench.time.advance(3600 + FORGET_SECONDS - 1)
    assert await bench.core.forget_old_events(bench.estate.clock.now()) == 0
    bench.time.advance(1)
    assert await bench.core.forget_old_events(bench.estate.clock.now()) == 1
    assert set(bench.core.memory.events) == {(UTILITY, "later")}
    await bench.restart()
    assert set(bench.core.memory.events) == {(UTILITY, "later")}
    count = len([said for said in bench.statements() if said.header.kind is Kind.INTENT])
    told = await bench.tell(cancel(), give(event_id="later", start=NOW + 5 * FORGET_SECONDS))
    assert told is not None
    assert (UTILITY, "E1") not in bench.core.memory.events, "an end of what is long over ends nothing"
    assert len([said for said in bench.statements() if said.header.kind is Kind.INTENT]) == count


async def test_nothing_is_forgotten_by_an_untrusted_clock(bench):
    await running(bench)
    now = replace(bench.estate.clock.now(), quality=ClockQuality.UNTRUSTED, unix_ms=(NOW + 10**7) * 1000)
    assert await bench.core.forget_old_events(now) == 0


# --- the line


async def test_the_line_sends_unseen_ancestors_first(bench):
    """The gate believes no child whose parents it has not verified itself."""

    class Stream:
        def __init__(self):
            self.sent = []

        async def send_all(self, raws):
            self.sent += raws

    await running(bench)
    await bench.receipt(bench.line.of(Kind.COMMAND)[0], Result.APPLIED)
    by_digest = {said.digest: said for said in bench.statements()}

    async def find(digest):
        return by_digest[digest].raw if digest in by_digest else None

    stream = Stream()
    line = GatewayLine(stream, find)
    command = bench.line.of(Kind.COMMAND)[0]
    await line.send([command])
    kinds = [next(said.header.kind for said in by_digest.values() if said.raw == raw) for raw in stream.sent]
    assert kinds == [Kind.INGRESS, Kind.INTENT, Kind.FACTS, Kind.DECISION, Kind.COMMAND]
    await line.send([command])
    assert len(stream.sent) == 5, "once on a connection"
    assert order_of(command).operation is Operation.SET_POWER


async def test_the_line_asks_for_no_ancestor_that_the_gateway_said_itself(bench):
    """Readings stand among the parents of facts: those that came over this line are looked up nowhere."""
    await bench.connect()
    reading = await bench.reading()
    await bench.tell(give())
    asked = []

    class Stream:
        async def receive(self):
            return reading.raw

        def at_hand(self):
            return None

        async def send_all(self, raws):
            pass

    async def find(digest):
        asked.append(digest)

    line = GatewayLine(Stream(), find)
    assert await line.receive() == (reading.raw,)
    facts = bench.line.of(Kind.FACTS)[0]
    assert reading.digest in facts.header.parents
    await line.send([facts])
    assert asked
    assert reading.digest not in asked


async def test_statements_that_come_together_are_one_commit(bench):
    """Two receipts of one turn: one fsync, both effects, in order; what is unsealed between them is dropped."""
    await running(bench)
    command = bench.line.of(Kind.COMMAND)[0]
    held = bench.core.memory.gateway.held
    commits = []
    commit = bench.estate.store.commit

    async def counted(work):
        commits.append(work)
        return await commit(work)

    bench.estate.store.commit = counted
    body = Receipt("battery", Phase.COMMAND, Result.REFUSED, "policy_denied", 0, 0, 0, 0, None, None, 0, "trusted")
    first = bench.sealed(Kind.RECEIPT, replace(body, result=Result.APPLIED, reason="applied").encode(), command.digest)
    second = bench.sealed(Kind.RECEIPT, body.encode(), command.digest)
    await bench.core.hear(first.raw, b"\xd2junk", second.raw)
    assert len(commits) == 1
    assert bench.core.memory.gateway.held == held + 2
    assert bench.core.memory.live[POWER].standing is Standing.REFUSED
    assert [said.digest for said in bench.statements()[-2:]] == [first.digest, second.digest]


async def test_no_command_leaves_before_its_commit_and_what_it_rests_on_goes_ahead(bench):
    """The gate checks the parents while the disk is at work; alone they move nothing."""
    await bench.connect()
    before = []
    commit = bench.estate.store.commit

    async def watched(work):
        before.append([said.header.kind for said in bench.line.sent])
        for _ in range(5):
            await asyncio.sleep(0)  # the disk is slow
        before.append([said.header.kind for said in bench.line.sent])
        return await commit(work)

    bench.estate.store.commit = watched
    await bench.tell(give())
    rest = [Kind.INGRESS, Kind.INTENT, Kind.FACTS, Kind.DECISION]
    assert before == [[Kind.HAIL, *rest[:2]], [Kind.HAIL, *rest]]
    assert [said.header.kind for said in bench.line.sent] == [Kind.HAIL, *rest, Kind.COMMAND]
