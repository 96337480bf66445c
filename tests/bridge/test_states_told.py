"""A fault at a device, all the way to the server: simulator, profile, sealed reading, journal, document."""

from contextlib import asynccontextmanager

import pytest
from client_2030_5_world import LFDI, SFDI, T0
from ieee2030_5_schemas import schema_of
from lxml import etree
from server_line_world import SERVER_SITE, LineWorld

from wattseal.certs.statement import Kind
from wattseal.drivers.device import Scope
from wattseal.drivers.gateway.attester import Attester
from wattseal.drivers.modbus.link import ModbusLink
from wattseal.drivers.profiles.interpreter import ProfiledDevice, link_settings
from wattseal.drivers.profiles.sunspec_battery import SUNSPEC_BATTERY
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.running import running_device
from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.core_resources import EndDevice, EndDeviceList
from wattseal.protocols.ieee2030_5.der_status import DER, DERAvailability, DERList, DERStatus
from wattseal.protocols.ieee2030_5.log_event import LogEvent
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.vocabulary import Alarm, InverterState
from wattseal.protocols.ingress import Report

OVER_VOLTAGE = 1 << 10  # 701.Alrm AC_OVER_VOLT


@asynccontextmanager
async def simulated_battery():
    async with running_device(lambda now: BatteryInverter(BatteryOptions(), now), clock=VirtualClock()) as run:
        run.control.advance(400.0)
        async with ModbusLink(link_settings(SUNSPEC_BATTERY, "127.0.0.1", run.port)) as link:
            device = ProfiledDevice(SUNSPEC_BATTERY, link)
            yield run.control, device, await device.capabilities()


@pytest.fixture
async def world(tmp_path):
    made = await LineWorld(tmp_path / "box", SERVER_SITE).connect()
    at = "/edev/1/der/1"
    links = {name: Link(href=f"{at}/{name}") for name in ("dera", "dercap", "derg", "ders")}
    der = DER(href=at, der_availability_link=links["dera"], der_capability_link=links["dercap"],
              der_settings_link=links["derg"], der_status_link=links["ders"])  # fmt: skip
    device = EndDevice(href="/edev/1", lfdi=LFDI.hex().upper(), sfdi=SFDI, changed_time=T0,
                       function_set_assignments_list_link=ListLink(href="/edev/1/fsa", all=1),
                       der_list_link=ListLink(href="/edev/1/der", all=1),
                       log_event_list_link=ListLink(href="/edev/1/log", all=0))  # fmt: skip
    made.server.resources["/edev"] = EndDeviceList(href="/edev", items=(device,), poll_rate=60)
    made.server.resources["/edev/1/der"] = DERList(href="/edev/1/der", items=(der,))
    yield made
    made.bench.close()


def posted(world, kind):
    return [one for _, one in world.server.posted if isinstance(one, kind)]


async def test_an_alarm_of_the_device_is_a_pair_of_log_events_and_stands_in_its_status(world):
    """BASIC-027, BASIC-028: code 2 over voltage, 3 its return; alarmStatus bit 1. Each rests on the sealed reading."""
    await world.run(1)
    async with simulated_battery() as (control, device, capabilities):
        attester = Attester("battery")

        async def look():
            state = await device.read_state(capabilities, Scope.METERING)
            world.bench.time.advance(1)
            said = await world.bench.say(Kind.READING, attester.attest(state, world.now).reading.encode())
            await world.hand_in()
            await world.run(5)
            return said

        await look()
        assert posted(world, LogEvent) == []
        control.set(alarms=OVER_VOLTAGE)
        raised = await look()
        control.set(alarms=0)
        await look()
    events = posted(world, LogEvent)
    assert [(one.function_set, one.log_event_code, one.log_event_id) for one in events] == [(11, 2, 0), (11, 3, 1)]
    statuses = posted(world, DERStatus)
    assert [one.alarm_status for one in statuses] == [0, int(Alarm.OVER_VOLTAGE), 0]
    assert {one.inverter_status.value for one in statuses} == {InverterState.STANDBY}
    assert {one.gen_connect_status.value for one in statuses} == {0b00011}, "connected, available"
    assert posted(world, DERAvailability)[0].stat_w_avail.value == 5000
    rests = {Report.decode(one.body).request for one in world.said(Kind.REPORT) if raised.digest in one.header.parents}
    assert {"log_event battery", "status battery"} <= rests


async def test_what_is_told_is_valid_by_the_schema(world):
    await world.run(1)
    await world.bench.reading("battery", watts=1234, operating_state=6, connection_state=1, alarms=1 << 7 | 1 << 8)
    await world.hand_in()
    await world.run(5)
    bodies = [
        one.body for _, one in world.server.asked if one.body and one.href.startswith(("/edev/1/der", "/edev/1/log"))
    ]
    assert len(bodies) >= 4
    for body in bodies:
        schema_of(CSIPAUS_1_3.name).assertValid(etree.fromstring(body))
