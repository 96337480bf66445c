"""The simulated meter, read by pysunspec2 and by our profiles; its truth is the sum that the test itself works out.

SunSpec 203: W is total real power, TotWhExp and TotWhImp are named by direction; which sign of W is export, vendors
decide.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sunspec2.modbus.client as oracle
from test_simulator_command import started

from wattseal.certs.errors import MisuseError
from wattseal.drivers.device import (
    Capabilities,
    LayoutError,
    OperatingState,
    Operation,
    Quality,
    UnsupportedError,
    Wish,
)
from wattseal.drivers.modbus.exchange import DeadlineError, DeviceExceptionError
from wattseal.drivers.modbus.link import LinkSettings, ModbusLink
from wattseal.drivers.profiles.catalogue import profile_named
from wattseal.drivers.profiles.interpreter import ProfiledDevice
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.control import ControlClient
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.own_mode import constant
from wattseal.drivers.simulators.running import RunningDevice, running_device
from wattseal.drivers.simulators.site_meter import SiteMeter, SiteMeterOptions

IMPORT, EXPORT = "sunspec_meter_import_positive", "sunspec_meter_export_positive"


@asynccontextmanager
async def meter(**options: object) -> AsyncIterator[tuple[RunningDevice[SiteMeter], ModbusLink]]:
    built = SiteMeterOptions(**options)
    async with (
        running_device(lambda now: SiteMeter(built, now), clock=VirtualClock()) as run,
        ModbusLink(LinkSettings("127.0.0.1", run.port, deadline=0.3)) as link,
    ):
        yield run, link


def pysunspec(port: int) -> dict[str, float]:
    client = oracle.SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
    client.scan()
    found = client.models[203][0]
    names = ("W", "WphA", "PhV", "A", "Hz", "TotWhExp", "TotWhImp", "Evt")
    told = {name: getattr(found, name).cvalue for name in names} | {"serial": client.common[0].SN.cvalue}
    client.close()
    return told


async def shown(link: ModbusLink, profile: str):
    device = ProfiledDevice(profile_named(profile), link)
    return await device.read_state(await device.capabilities())


async def test_pysunspec2_reads_it():
    """2300 W are drawn: W is +2300 on a meter whose positive is import; 3 phases of 3.3 A at 230.9 V."""
    async with meter(household_watts=-2300.0) as (run, _):
        told = await asyncio.to_thread(pysunspec, run.port)
    assert (told["W"], told["WphA"], told["serial"]) == (2300, 767, "WS-MET-0001")
    assert told["PhV"] == pytest.approx(230.9)
    assert told["A"] == pytest.approx(9.9)
    assert (told["TotWhExp"], told["TotWhImp"], told["Evt"]) == (1_200_000, 3_400_000, 0)


@pytest.mark.parametrize(("vendor", "profile"), [(False, IMPORT), (True, EXPORT)])
async def test_either_sign_comes_to_the_generators_sign(vendor: bool, profile: str) -> None:
    async with meter(household_watts=-2300.0, export_positive=vendor) as (run, link):
        state = await shown(link, profile)
        assert (state.watts.rounded(), state.watts.quality, state.watts.register) == (-2300, Quality.GOOD, "203.W")
        run.control.set(household_watts=1700.0)
        state = await shown(link, profile)
        assert state.watts.rounded() == 1700
        assert state.operating_state is OperatingState.UNKNOWN
        assert state.soc_percent.mantissa is None


async def test_the_wrong_profile_shows_the_wrong_sign():
    """Nothing on the wire tells the sign: that is why the owner has to."""
    async with meter(household_watts=-2300.0) as (_, link):
        assert (await shown(link, EXPORT)).watts.rounded() == 2300


async def test_power_is_the_household_and_all_behind_it_and_energy_its_integral():
    """3000 W from a battery against 1000 W of load export 2000 W: 1000 Wh in half an hour; then 4000 W are imported."""
    clock = VirtualClock()
    battery = BatteryInverter(BatteryOptions(own_mode=constant(3000.0)), clock.monotonic())
    battery.advance(clock.advance(60.0))
    options = SiteMeterOptions(household_watts=-1000.0, behind=(lambda now: float(battery.state(now)["watts"]),))
    device = SiteMeter(options, clock.monotonic())
    half = device.state(clock.advance(1800.0))
    assert half["watts"] == 2000.0
    assert half["energy_exported_wh"] == pytest.approx(1_201_000.0)
    device.set({"household_watts": -7000.0}, clock.monotonic())
    whole = device.state(clock.advance(900.0))
    assert (whole["watts"], whole["behind_watts"]) == (-4000.0, 3000.0)
    assert whole["energy_exported_wh"] == pytest.approx(1_201_000.0)
    assert whole["energy_imported_wh"] == pytest.approx(3_401_000.0)


async def test_power_beyond_16_bits_changes_the_scale_factor():
    async with meter(household_watts=-61_234.0) as (_, link):
        assert (await shown(link, IMPORT)).watts.rounded() == -61_230


async def test_frozen_registers_and_a_flipped_sign():
    async with meter(household_watts=-2300.0) as (run, link):
        run.control.set(frozen=True)
        run.control.set(household_watts=-9000.0)
        assert (await shown(link, IMPORT)).watts.rounded() == -2300
        assert run.control.state()["watts"] == -9000.0
        run.control.set(frozen=False, sign_flipped=True)
        state = await shown(link, IMPORT)
        assert state.watts.rounded() == 9000
        assert (state.energy_injected_wh.mantissa, state.energy_absorbed_wh.mantissa) == (3_400_000, 1_200_000)


async def test_a_silent_meter_gives_no_reading():
    async with meter() as (run, link):
        device = ProfiledDevice(profile_named(IMPORT), link)
        capabilities = await device.capabilities()
        run.control.fault(Fault(FaultKind.SILENT))
        with pytest.raises(DeadlineError):
            await device.read_state(capabilities)


async def test_nothing_can_be_commanded_or_written():
    async with meter() as (_, link):
        device = ProfiledDevice(profile_named(IMPORT), link)
        capabilities: Capabilities = await device.capabilities()
        assert capabilities.operations == (Operation.RELEASE,)
        for wish in (Wish(Operation.SET_POWER, 100, 60), Wish(Operation.RELEASE, 0, 0)):
            with pytest.raises(UnsupportedError):
                device.steps_for(capabilities, wish)
        with pytest.raises(DeviceExceptionError):
            await link.write(1, 40_090, (1,))


async def test_a_meter_profile_on_something_else_says_which_models_it_wants():
    clock = VirtualClock()
    async with (
        running_device(lambda now: BatteryInverter(BatteryOptions(), now), clock=clock) as run,
        ModbusLink(LinkSettings("127.0.0.1", run.port)) as link,
    ):
        with pytest.raises(LayoutError, match="201 to 204"):
            await ProfiledDevice(profile_named(IMPORT), link).capabilities()


def test_values_out_of_the_world_are_refused():
    device = SiteMeter(SiteMeterOptions(), 0.0)
    for values in ({"household_watts": float("nan")}, {"household_watts": 1e9}, {"frozen": 1}, {"mood": "good"}):
        with pytest.raises(MisuseError, match="bad_set"):
            device.set(values, 0.0)


async def test_as_a_process_it_sees_a_battery_in_another():
    """Each asks nothing of the other but its control door; a battery that ends gives nothing any more."""
    async with started("battery", "--own-watts", "2500") as (battery, ready):
        port = str(ready["control_port"])
        async with (
            started("meter", "--household-watts", "-500", "--behind", port) as (_, meter_ready),
            ControlClient(int(str(meter_ready["control_port"]))) as door,
        ):
            await until_watts(door, 2000.0)
            battery.kill()
            await until_watts(door, -500.0)


async def until_watts(door: ControlClient, watts: float) -> None:
    async with asyncio.timeout(30):
        while True:
            truth = (await door.send(state=True))["state"]
            assert isinstance(truth, dict)
            if truth["watts"] == watts:
                return
            await asyncio.sleep(0.05)
