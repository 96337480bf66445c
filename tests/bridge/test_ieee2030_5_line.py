"""The line over IEEE 2030.5: schedule to events to orders, what is durable when, and what is told home."""

import hashlib

import pytest
from bridge_world import NOW
from client_2030_5_world import T0, control, status
from msgspec.structs import replace
from server_line_world import SERVER_SITE, LineWorld

from wattseal.certs.statement import Kind
from wattseal.drivers.commands import Command, Order
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.happenings import Told
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.vocabulary import EventState
from wattseal.protocols.ingress import Ingress, Report

DAY = 86_400
assert T0 == NOW


@pytest.fixture
async def world(tmp_path):
    made = await LineWorld(tmp_path / "box").connect()
    yield made
    made.bench.close()


async def test_a_default_limit_becomes_an_order(world):
    """1.5: csipaus default export limit of 0 W at the connection point holds while no event does."""
    await world.run(1)
    (event,) = world.intents()
    assert (event.origin.event_id, event.priority, event.duration_seconds) == ("default:0A", 2**32 + 1 + 1, None)
    assert world.orders() == [("battery", "limit_inject", 0)]


async def test_a_control_holds_from_its_start_to_its_end_without_a_gap(world):
    """1.6: back-to-back events and the return to the default switch without a trip through nothing."""
    world.show(control(1, 30, 60, watts=1000), control(2, 90, 60, watts=2000))
    await world.run(200)
    assert [watts for _, _, watts in world.orders()] == [0, 0, 1000, 1000, 2000, 2000, 0]  # each handed over
    assert all(operation == "limit_inject" for _, operation, _ in world.orders())
    commands = world.bench.line.of(Kind.COMMAND)
    assert [one.header.issued_at - NOW for one in commands] == [0, 10, 30, 70, 90, 130, 150]
    orders = [Order.decode(Command.decode(one.body).order) for one in commands]
    ends = [order.not_before + order.hold_seconds - NOW for order in orders]
    assert ends[:-1] == [30, 40, 90, 100, 150, 160], "held until the next is there"
    assert orders[-1].hold_seconds == 0, "open-ended"


async def test_an_intent_rests_on_the_messages_that_speak_of_it(world):
    """The control's intent names the ingress of the list that names it, the default's that of the default."""
    world.show(control(1, 30, 60))
    await world.run(1)
    ingresses = {one.digest: one for one in world.said(Kind.INGRESS)}
    contents = {hashlib.sha256(raw).digest(): raw for raw in world.bench.record().contents.values()}
    for intent in world.said(Kind.INTENT):
        raws = b"".join(contents[ingresses[parent].header.contents[0]] for parent in intent.header.parents)
        word = b"<DefaultDERControl" if "default" in intent.header.subject else b"<DERControlList"
        assert word in raws
        assert b"<DERProgramList" in raws, "its primacy is the programme's"
    body = Ingress.decode(next(iter(ingresses.values())).body)
    assert (body.dialect, body.utility, body.media_type) == ("ieee2030.5", "north", "application/sep+xml")


async def test_time_alone_makes_no_ingress(tmp_path):
    """A control told nine days ahead lies beyond the forecast: it is published when near, on the old message."""
    world = await LineWorld(tmp_path / "box", poll=DAY).connect()
    world.show(control(1, 9 * DAY, 60))
    await world.run(1)
    assert world.told() == [("t:0A", "standing", 0)]
    before = len(world.said(Kind.INGRESS))
    await world.run(9 * DAY + 30)
    assert {name for name, _, _ in world.told()[1:]} == {"0001", "t:0A"}, "the default makes room for it"
    after = world.said(Kind.INGRESS)
    assert len(after) == before
    for late in world.said(Kind.INTENT)[1:]:
        assert set(late.header.parents) <= {one.digest for one in after}
    assert world.orders()[-1] == ("battery", "limit_inject", 1000)
    world.bench.close()


async def test_polls_that_change_nothing_leave_no_statement(world):
    world.show(control(1, 5000, 60))
    await world.run(1)
    before = len(world.bench.statements())
    await world.run(3600)
    assert len(world.bench.statements()) == before


async def test_a_cancelled_control_and_a_superseded_one(world):
    """1.6: status 2 cancels; a later control of the same programme supersedes the rest of an earlier one."""
    world.show(control(1, 30, 600), control(2, 1000, 600))
    await world.run(60)
    world.show(control(1, 30, 600, event_status=status(EventState.CANCELLED)), control(2, 1000, 600))
    await world.run(61)
    assert world.told()[-1][:2] == ("0001", "cancelled")
    assert world.orders()[-1] == ("battery", "limit_inject", 0)
    world.show(control(2, 1000, 600), control(3, 1200, 600, watts=3000))
    await world.run(61)
    ends = {
        one.origin.event_id[-4:]: one.start + one.duration_seconds - NOW
        for one in world.intents()[-3:]
        if one.duration_seconds is not None
    }
    assert ends == {"0002": 1200, "0003": 1800}


async def test_a_running_event_that_changes_keeps_its_start(world):
    """What was ordered stands: an event shortened while it runs is told with the start it was published with."""
    world.show(control(1, 30, 600))
    await world.run(100)
    world.show(control(1, 30, 600), control(2, 300, 600))
    await world.run(61)
    shortened = next(one for one in reversed(world.intents()) if one.origin.event_id.endswith("0001"))
    assert (shortened.start - NOW, shortened.duration_seconds) == (30, 270)
    assert [watts for _, _, watts in world.orders()] == [0, 0, 1000, 1000]  # its hold is another, its start is not


async def test_state_and_events_are_durable_together(world):
    """A crash right after an event was taken, before the session's state was saved by itself: nothing is forgotten."""
    world.show(control(1, 30, 600))
    await world.run(1, save=False)
    told = world.told()
    assert {name for name, _, _ in told} == {"t:0A", "0001"}
    world.silence(down=True)
    await world.crash()
    await world.run(40)
    assert world.told() == told, "the schedule came from the disk, and nothing of it is news"
    assert world.orders()[-1] == ("battery", "limit_inject", 1000)


async def test_what_is_stored_goes_on_without_the_server(world):
    """G12, ALL-23: the schedule runs on, then the default holds; the status says that the server is silent."""
    world.show(control(1, 100, 60))
    await world.run(1)
    world.silence(down=True)
    await world.run(400)
    assert [watts for _, _, watts in world.orders()] == [0, 0, 1000, 1000, 0]
    assert world.bench.core.contacts["north"]["answers"] is False
    world.silence(down=False)
    await world.run(1000)
    assert world.bench.core.contacts["north"]["answers"] is True


async def test_responses_are_put_on_record_with_what_they_answer(world):
    """1.7: 1, 2, 3 as told, each a report that names the event's intent."""
    world.show(control(1, 30, 60))
    await world.run(200)
    reports = [(Report.decode(one.body), one.header.parents) for one in world.said(Kind.REPORT)]
    responses = [(body, parents) for body, parents in reports if body.request.startswith("response")]
    assert [body.code for body, _ in responses] == ["201"] * 3
    intents = {one.digest for one in world.said(Kind.INTENT)}
    assert all(parents and set(parents) <= intents for _, parents in responses)


async def test_a_mode_that_cannot_be_held_is_answered_by_the_engine(tmp_path):
    """1.7: 252 for a control whose only mode no device of the site can hold."""
    site = SERVER_SITE.replace(
        b'operations = ["set_power", "limit_inject", "limit_absorb"]', b'operations = ["set_power"]'
    )
    world = await LineWorld(tmp_path / "box", site).connect()
    world.show(control(1, 30, 60))
    await world.run(10)
    assert [one.status for _, one in world.server.posted] == [252]
    assert world.intents() == []
    world.bench.close()


async def test_a_limit_above_the_ceiling_holds_all_the_same(tmp_path):
    """The ceiling bounds what is ordered to move; to deny a loose limit would leave the battery without any."""
    world = await LineWorld(
        tmp_path / "box", SERVER_SITE.replace(b"ceiling_watts = 7400", b"ceiling_watts = 500")
    ).connect()
    world.show(control(1, 0, 600, watts=1000))
    await world.run(10)
    assert world.bench.core.contacts["north"]["not_followed"] == {}
    assert world.orders()[-1] == ("battery", "limit_inject", 1000)
    world.bench.close()


async def test_a_document_that_cannot_be_read_is_on_record(world):
    """Bad input ends nothing: it is kept with its bytes and the reason, and what stood goes on."""
    await world.run(1)
    world.server.resources["/derp/1/derc"] = b"<DERControlList"
    await world.run(120)
    verdicts = [Ingress.decode(one.body).verdict for one in world.said(Kind.INGRESS)]
    assert [one for one in verdicts if one != "carried"]
    assert world.orders() == [("battery", "limit_inject", 0)]


async def test_what_a_stranger_brings_to_the_door_is_answered_and_not_kept(world):
    """1.10: a path that is no subscription of ours draws 400; nobody fills the record by knocking."""
    await world.run(1)
    before, kept = len(world.bench.statements()), len(world.bench.record().contents)
    for number in range(20):
        assert await world.line.notified(f"/notes/{number}", b"<Notification/>" * 1000, bytes(20)) == 400
    assert len(world.bench.statements()) == before
    assert len(world.bench.record().contents) == kept


async def test_a_report_of_a_reading_names_the_readings(world):
    """What was told rests on attested readings: the sealed ones that were handed in."""
    await world.run(1)
    reading = await world.bench.reading("battery", watts=1234)
    world.bench.time.advance(1)
    await world.line.hand_in()
    await world.line.handle((Told("status", "battery", "/edev/1/der/1/ders", b"<DERStatus/>", 204),))
    report = world.said(Kind.REPORT)[-1]
    assert report.header.parents == (reading.digest,)
    assert Report.decode(report.body).request == "status battery"


async def test_a_kept_state_of_another_release_is_read_anew(world):
    """The line goes on with an empty state, and the server is read again."""
    await world.line.save(b"not a state")
    world.open_line()
    await world.run(1)
    assert world.orders() == [("battery", "limit_inject", 0)]


@pytest.mark.parametrize("unread", ["/derp/1/dderc", "/derp/1/derc", "/derp", "/edev/1/fsa"])
async def test_what_was_published_stands_until_a_session_without_state_has_read_the_server(world, unread):
    """G12: a state that was lost does not end what the utility never took back; read whole, what is gone ends."""
    world.show(control(1, 30, 60_000))
    await world.run(60)
    told = world.told()
    await world.line.save(b"not a state")
    world.server.faults[unread] = Answer(500)
    world.open_line()
    await world.run(200)
    await world.hand_in()
    assert not [one for one in world.told() if one[1] != "standing"]
    assert {(operation, watts <= 1000) for _, operation, watts in world.orders()} == {("limit_inject", True)}
    del world.server.faults[unread]
    world.show(control(1, 30, 60_000, event_status=status(EventState.CANCELLED)))
    await world.run(2000)
    await world.hand_in()
    await world.run(10)
    assert {one[:2] for one in world.told()[len(told) :]} & {("0001", "withdrawn"), ("0001", "cancelled")}
    assert world.orders()[-1] == ("battery", "limit_inject", 0)


async def test_percent_is_of_the_envelope_that_the_server_was_told(world):
    """1.5: opModMaxLimW of 25 % is of the watts in DERSettings, which are the envelope's."""
    (managed,) = world.line._context.devices.values()
    assert (managed.ratings.inject_watts, managed.ratings.absorb_watts) == (5000, 5000)
    base = control(1, 0, 60).der_control_base
    from wattseal.protocols.ieee2030_5.quantities import PerCentControl

    only = replace(base, op_mod_exp_lim_w=None, op_mod_max_lim_w=PerCentControl(value=2500))
    world.show(control(1, 10, 60, der_control_base=only))
    await world.run(20)
    assert world.orders()[-1] == ("battery", "limit_inject", 0), "the default's limit at the site is the narrower one"
    assert CSIPAUS_1_3.name == world.bench.core.contacts["north"]["profile"]


async def test_orders_are_made_again_from_intents_as_recorded(world):
    """Re-execution: what rests on the schedule's intents comes out byte for byte; the intents are counted apart."""
    world.show(control(1, 30, 60))
    await world.run(200)
    verdict = world.bench.replayed()
    assert verdict.differences == ()
    assert verdict.as_recorded == len(world.intents())
    assert verdict.compared[Kind.COMMAND] == len(world.orders())
    assert verdict.compared[Kind.INTENT] == 0


async def test_the_policy_of_the_box_permits_any_programme_only_where_the_owner_signed_that(tmp_path):
    """The enrolment's programme "*" is what `trust sign` draws from a site file that names none."""
    named = SERVER_SITE + b'[utility.programmes]\nfeeder = "0B"\n'
    world = await LineWorld(tmp_path / "box", named).connect()
    await world.run(1)
    assert world.orders() == [], "the default is of programme 0A, which the owner did not sign"
    assert world.bench.core.contacts["north"]["not_followed"]
    world.bench.close()
    right = await LineWorld(tmp_path / "right", named.replace(b"0B", b"0a")).connect()
    await right.run(1)
    assert right.orders() == [("battery", "limit_inject", 0)]
    assert right.intents()[0].origin.programme == "feeder"
    right.bench.close()
