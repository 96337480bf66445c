"""What a device refuses when it is ordered does not stay unknown to the utility that was told 1 and 2."""

import pytest
from client_2030_5_world import LFDI, SFDI, T0, control
from ieee2030_5_schemas import schema_of
from lxml import etree
from server_line_world import LineWorld

from wattseal.bridge.core.refused_orders import refused_orders
from wattseal.bridge.core.status import status
from wattseal.certs.statement import Kind
from wattseal.drivers.testimony import Phase, Result
from wattseal.protocols.ieee2030_5.base import ListLink
from wattseal.protocols.ieee2030_5.core_resources import EndDevice, EndDeviceList
from wattseal.protocols.ieee2030_5.log_event import LogEvent
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3
from wattseal.protocols.ingress import Report


@pytest.fixture
async def world(tmp_path):
    made = await LineWorld(tmp_path / "box").connect()
    device = EndDevice(href="/edev/1", lfdi=LFDI.hex().upper(), sfdi=SFDI, changed_time=T0,
                       function_set_assignments_list_link=ListLink(href="/edev/1/fsa", all=1),
                       log_event_list_link=ListLink(href="/edev/1/log", all=0))  # fmt: skip
    made.server.resources["/edev"] = EndDeviceList(href="/edev", items=(device,), poll_rate=60)
    yield made
    made.bench.close()


async def tell(world, result: Result, reason: str, phase: Phase = Phase.COMMAND):
    """The gateway's receipt for the command that was given last."""
    said = await world.bench.receipt(world.bench.line.of(Kind.COMMAND)[-1], result, reason, phase)
    await world.hand_in()
    await world.run(5)
    return said


def events(world) -> list[LogEvent]:
    return [one for _, one in world.server.posted if isinstance(one, LogEvent)]


def codes(world) -> list[tuple[int, str]]:
    return [(one.log_event_code, one.details) for one in events(world)]


async def test_an_order_that_the_device_refuses_is_a_log_event_and_stands_in_status(world):
    """XSD LogEvent: a code that IEEE 2030.5 does not have is vendor defined (profileID 1), function set 11 DER."""
    world.show(control(1, 30, 600))
    await world.run(40)
    said = await tell(world, Result.REFUSED, "value_not_supported")
    assert codes(world) == [(2, "power refused")]
    (event,) = events(world)
    assert (event.profile_id, event.function_set) == (1, 11)
    bench = world.bench
    shown = status(bench.core.memory, bench.estate.site, world.now, 0)["devices"]["battery"]
    assert shown["refused"] == {"power": "value_not_supported"}
    reports = [one for one in world.said(Kind.REPORT) if said.digest in one.header.parents]
    assert [Report.decode(one.body).request for one in reports] == ["log_event battery"]
    await tell(world, Result.REFUSED, "value_not_supported")
    assert len(codes(world)) == 1, "it is told once"
    await tell(world, Result.APPLIED, "applied")
    assert codes(world) == [(2, "power refused"), (3, "power no longer refused")]


async def test_what_passes_by_itself_is_not_told(world):
    """A device that does not answer just now refused nothing: the order is given again."""
    world.show(control(1, 30, 600))
    await world.run(40)
    await tell(world, Result.REFUSED, "device_unavailable")
    await tell(world, Result.UNREACHABLE, "no_answer")
    await tell(world, Result.MISMATCH, "read_back_differs", Phase.EFFECT)
    assert codes(world) == []


async def test_an_order_that_the_device_took_and_does_not_show_is_told(world):
    """Accepted is not applied: what was written and does not read back is not carried out."""
    world.show(control(1, 30, 600))
    await world.run(40)
    await tell(world, Result.MISMATCH, "read_back_differs")
    assert codes(world) == [(2, "power refused")]


async def test_a_refusal_is_told_once_over_a_restart(world):
    world.show(control(1, 30, 600))
    await world.run(40)
    await tell(world, Result.REFUSED, "value_not_supported")
    await world.crash()
    await world.run(5)
    await world.hand_in()
    await world.run(5)
    assert codes(world) == [(2, "power refused")]


async def test_a_refusal_of_what_another_asked_for_is_not_told_here(world):
    """The order refused is of no event of this utility: nothing of it is this server's to know."""
    world.show(control(1, 30, 600))
    await world.run(40)
    memory = world.bench.core.memory
    await world.bench.receipt(world.bench.line.of(Kind.COMMAND)[-1], Result.REFUSED, "value_not_supported")
    now = int(world.bench.time.unix)
    assert refused_orders(memory, "north", ("battery",), now) == {"battery": {"power": True}}
    assert refused_orders(memory, "east", ("battery",), now) == {"battery": {"power": False}}
    assert refused_orders(memory, "north", ("charger",), now) == {}


async def test_a_fault_of_the_device_is_a_pair_of_our_own(world):
    """701.InvSt 6 is a fault for which alarmStatus has no bit: codes 0 and 1 of our own."""
    await world.run(1)
    for state in (3, 6, 6, 7):
        world.bench.time.advance(1)
        await world.bench.reading("battery", operating_state=state, connection_state=1)
        await world.hand_in()
        await world.run(2)
    assert codes(world) == [(0, "device fault"), (1, "device fault ended")]
    for request in (one for _, one in world.server.asked if one.href == "/edev/1/log"):
        schema_of(CSIPAUS_1_3.name).assertValid(etree.fromstring(request.body))
