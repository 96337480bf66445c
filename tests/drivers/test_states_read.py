"""What devices say of themselves, read through their profiles over a socket: battery 701, charger mode 3."""

from contextlib import asynccontextmanager

import pytest

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.errors import MisuseError
from wattseal.drivers.device import OperatingState, Quality, Scope
from wattseal.drivers.gateway.attester import Attester
from wattseal.drivers.modbus.link import ModbusLink
from wattseal.drivers.profiles.alfen_eve import ALFEN_EVE
from wattseal.drivers.profiles.interpreter import ProfiledDevice, link_settings
from wattseal.drivers.profiles.sunspec_battery import SUNSPEC_BATTERY
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.ev_charger import EvCharger, EvChargerOptions
from wattseal.drivers.simulators.running import running_device

AT = Instant(1_800_000_000_000, 50.0, ClockQuality.TRUSTED)
OVER_VOLTAGE = 1 << 10  # 701.Alrm AC_OVER_VOLT


@asynccontextmanager
async def device_of(make, profile):
    async with running_device(make, clock=VirtualClock()) as run:
        run.control.advance(400.0)
        async with ModbusLink(link_settings(profile, "127.0.0.1", run.port)) as link:
            device = ProfiledDevice(profile, link)
            capabilities = await device.capabilities()

            async def codes():
                state = await device.read_state(capabilities, Scope.METERING)
                return {
                    q.name: (q.value, q.register)
                    for q in Attester("device").attest(state, AT).reading.quantities
                    if q.unit in {"state", "bits"} and q.quality == Quality.GOOD
                }

            yield run, codes


def battery(now):
    return BatteryInverter(BatteryOptions(), now)


def charger(now):
    return EvCharger(EvChargerOptions(visits=()), now)


async def test_a_battery_tells_its_state_its_relay_and_its_alarms():
    """701.InvSt: 7 standby, 3 running, 6 fault; ConnSt 1 connected; Alrm bit 7 over temperature, 10 AC over voltage."""
    async with device_of(battery, SUNSPEC_BATTERY) as (run, codes):
        at_rest = {
            "operating_state": (7, "701.InvSt"),
            "connection_state": (1, "701.ConnSt"),
            "alarms": (0, "701.Alrm"),
        }
        assert await codes() == at_rest
        run.control.set(own_watts=2000.0)
        run.control.advance(60.0)
        assert (await codes())["operating_state"][0] == 3
        run.control.set(alarms=OVER_VOLTAGE, device_fault=True)
        assert await codes() == {
            "operating_state": (6, "701.InvSt"),
            "connection_state": (1, "701.ConnSt"),
            "alarms": (OVER_VOLTAGE | 1 << 7, "701.Alrm"),
        }
        run.control.set(alarms=0, device_fault=False, own_watts=0.0)
        run.control.advance(400.0)
        assert await codes() == at_rest


async def test_an_alarm_that_701_does_not_name_cannot_be_raised():
    async with device_of(battery, SUNSPEC_BATTERY) as (run, codes):
        with pytest.raises(MisuseError):
            run.control.set(alarms=1 << 17)
        assert (await codes())["alarms"][0] == 0


async def test_a_charger_tells_the_letter_of_its_socket():
    """IEC 61851-1: A no car, B connected, C charging, F fault; by the alphabet, A is 0."""
    async with device_of(charger, ALFEN_EVE) as (run, codes):
        assert await codes() == {"operating_state": (7, "holding 1201"), "mode_3_state": (0, "holding 1201")}
        run.control.set(car_connected=True, car_soc_percent=50.0)
        run.control.advance(5.0)
        assert await codes() == {"operating_state": (3, "holding 1201"), "mode_3_state": (2, "holding 1201")}
        run.control.set(car_soc_percent=100.0)
        run.control.advance(5.0)
        assert await codes() == {"operating_state": (7, "holding 1201"), "mode_3_state": (1, "holding 1201")}
        run.control.set(device_fault=True)
        assert await codes() == {"operating_state": (6, "holding 1201"), "mode_3_state": (5, "holding 1201")}


def test_every_state_but_the_unknown_one_has_a_number_of_its_own():
    """The numbers are those of 701.InvSt."""
    from wattseal.drivers.operating_state import STATE_NUMBERS

    assert set(OperatingState) - set(STATE_NUMBERS) == {OperatingState.UNKNOWN}
    assert sorted(STATE_NUMBERS.values()) == list(range(8))
