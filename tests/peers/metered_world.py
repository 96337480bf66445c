"""A whole site on one virtual clock: core, gateway, gate, simulated battery, charger and meter; only time is ours.

The core's and the gateway's statements are handed over in process, as the socket would hand them. Devices are reached
by Modbus TCP on loopback. The meter sums the household and what the simulated devices really do.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge_world import MARKET, UTILITY, VEN_ID, course, grid_event

from wattseal.bridge.core.core import Core, Told
from wattseal.bridge.core.inbound import Arrival, Change, EventTaken
from wattseal.bridge.core.opening import open_estate as open_core
from wattseal.bridge.exporting import export_box
from wattseal.bridge.making import make_box, sign_manifest
from wattseal.bridge.replay import Verdict, record_of, replay
from wattseal.certs import ledger
from wattseal.certs.audit.verdict import verify
from wattseal.certs.box import Box
from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.commands import Command, Order
from wattseal.drivers.gateway.opening import open_estate as open_gateway
from wattseal.drivers.gateway.process import Gateway
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.ev_charger import EvCharger, EvChargerOptions
from wattseal.drivers.simulators.ev_physics import Visit
from wattseal.drivers.simulators.own_mode import constant
from wattseal.drivers.simulators.running import RunningDevice, running_device
from wattseal.drivers.simulators.site_meter import SiteMeter, SiteMeterOptions
from wattseal.protocols.openadr20b.translate import TRANSLATOR
from wattseal.protocols.wish import Wish

START = 1_800_000_000
RENEW_SECONDS = 60
SITE = f"""
[site]
name = "house"
lab = true
inject_limit_watts = 10000
absorb_limit_watts = 30000
lease_seconds = 300
meter = "meter"

[[device]]
name = "meter"
profile = "sunspec_meter_import_positive"
link = "simulator"
address = "tcp://127.0.0.1:METER"
sampling_seconds = 2

[[device]]
name = "battery"
profile = "sunspec_battery"
link = "simulator"
address = "tcp://127.0.0.1:BATTERY"
sampling_seconds = 3
[device.envelope]
min_watts = -5000
max_watts = 5000

[[device]]
name = "charger"
profile = "alfen_eve"
link = "simulator"
address = "tcp://127.0.0.1:CHARGER"
sampling_seconds = 3
tolerance_watts = 250
[device.envelope]
min_watts = -22000
max_watts = 0

[[utility]]
name = "{UTILITY}"
dialect = "openadr-2.0b"
url = "http://127.0.0.1:8080"
ven_name = "house"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = 22000
[[utility.market_context]]
uri = "{MARKET}"
programme = "dispatch"
dispatch_sign = "generation"
"""


class Time:
    """Wall and monotonic, moved together."""

    def __init__(self) -> None:
        self.passed = 0.0

    def wall(self) -> float:
        return START + self.passed

    def monotonic(self) -> float:
        return 1000.0 + self.passed


@dataclass
class House:
    """The running whole. `course` is the true power at the connection, second by second."""

    box: Box
    time: Time
    core: Core
    gateway: Gateway
    core_estate: Any
    gateway_estate: Any
    devices: dict[str, RunningDevice[Any]]
    poured: int = -1
    course: list[float] = field(default_factory=list)
    commands: list[Statement] = field(default_factory=list)

    async def send(self, statements: Sequence[Statement]) -> None:
        """The core's line to the gateway."""
        for said in statements:
            if said.header.kind is Kind.COMMAND:
                self.commands.append(said)
            await self.gateway.reception.hear(said.raw)

    def send_all_again(self) -> None:
        raise AssertionError("in one process the gate forgets no parent")

    async def wish(self, event_id: str, *wishes: Wish, devices: tuple[str, ...] = ()) -> Told:
        """An event of an hour that begins now."""
        courses = [course(one, *devices, name=f"S{at}") for at, one in enumerate(wishes)]
        event = grid_event(*courses, event_id=event_id, start=int(self.time.wall()))
        arrival = Arrival("openadr-2.0b", UTILITY, "127.0.0.1:8080", "application/xml", b"<limit/>", VEN_ID)
        taken = [EventTaken(Change.NEW, event, 0, TRANSLATOR)]
        return await self.core.take(arrival, taken, (), lambda _consents: b"state")

    async def seconds(self, count: int) -> list[float]:
        """Time passes; the true power at the connection at the end of each second."""
        for _ in range(count):
            self.time.passed += 1
            for name in ("battery", "charger", "meter"):
                self.devices[name].control.advance(1.0)
            self.course.append(self.watts())
            await self.settle()
            if self.core.seconds_to_next_look(5.0) <= 0 or int(self.time.passed) % 5 == 0:
                await self.core.look()
            if int(self.time.passed) % RENEW_SECONDS == 0:
                await self.core.renew()
            await self.settle()
        return self.course[-count:]

    async def settle(self) -> None:
        """Every worker does what is due, and the core hears of it, until nobody has anything to say."""
        while True:
            async with asyncio.TaskGroup() as group:
                for worker in self.gateway.workers.values():
                    group.create_task(_turns(worker))
            batch = await self.gateway_estate.store.outbox_after(self.poured)
            if not batch:
                return
            self.poured = batch[-1][0]
            await self.core.hear(*(raw for _, raw in batch))

    def watts(self) -> float:
        return float(self.state("meter")["watts"])

    def state(self, device: str) -> dict[str, Any]:
        return self.devices[device].control.state()

    def household(self, watts: float) -> None:
        self.devices["meter"].control.set(household_watts=watts)

    def orders(self, device: str) -> list[tuple[str, int]]:
        """Operation and watts of every command to the device, in order."""
        orders = [Order.decode(Command.decode(said.body).order) for said in self.commands]
        return [(str(order.operation), order.watts) for order in orders if order.device == device]

    def audited(self) -> dict[str, Any]:
        """What the separate verifier says of the whole record."""
        now = int(self.time.wall())
        evidence = export_box(self.box, from_ms=0, to_ms=(now + 1) * 1000, now=now)
        return dict(verify(evidence, self.box.pinned_root()))

    def replayed(self) -> Verdict:
        """The core's record, made again."""
        store = self.core_estate.store
        leaves = tuple(entry.sealed for entry in store.read_now(lambda db: ledger.entries(db, 0, 1 << 40)))
        contents = store.read_now(lambda db: [bytes(row[0]) for row in db.execute("SELECT bytes FROM ledger_content")])
        return replay(record_of(leaves, tuple(contents), self.core_estate.manifest.sections))


async def _turns(worker: Any) -> None:
    while await worker.turn():
        pass


@asynccontextmanager
async def house(directory: Path, *, own_watts: float = 0.0, car: bool = False) -> AsyncIterator[House]:
    """A site that runs; the battery left alone gives `own_watts`, and a car is there or not."""
    async with AsyncExitStack() as stack:
        devices: dict[str, RunningDevice[Any]] = {}
        battery = BatteryOptions(own_mode=constant(own_watts))
        charger = EvChargerOptions(visits=(Visit(),) if car else (), station_amperes=32.0)
        builds = {"battery": lambda now: BatteryInverter(battery, now), "charger": lambda now: EvCharger(charger, now)}
        for name, build in builds.items():
            devices[name] = await stack.enter_async_context(running_device(build, clock=VirtualClock()))
            devices[name].control.advance(60.0)
        behind = tuple(_power_of(devices[name]) for name in builds)
        options = SiteMeterOptions(behind=behind)
        meter = running_device(lambda now: SiteMeter(options, now), clock=VirtualClock())
        devices["meter"] = await stack.enter_async_context(meter)
        text = SITE
        for name, device in devices.items():
            text = text.replace(f":{name.upper()}", f":{device.port}")
        make_box(directory, now=START - 100, site_text=text.encode())
        sign_manifest(directory, now=START - 100)
        box, time = Box(directory), Time()
        core_estate, gateway_estate = open_core(box, time), open_gateway(directory, None, time)
        stack.callback(core_estate.store.close)
        stack.callback(gateway_estate.store.close)
        for link in gateway_estate.links:
            stack.push_async_callback(link.close)
        made = House(box, time, Core(core_estate), Gateway(gateway_estate), core_estate, gateway_estate, devices)
        await made.core.attach(made)  # type: ignore[arg-type]  # the line's ability is `send`
        await made.settle()
        yield made


def _power_of(device: RunningDevice[Any]) -> Any:
    return lambda _now: float(device.control.state()["watts"])
