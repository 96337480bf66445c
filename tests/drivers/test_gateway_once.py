"""Once: whatever devices, core, time and power supply do, the device's own write log matches the journal.

Random days on a simulated battery, with real sockets and its real write log. At the end of each day: every frame that
reached the device is exactly one journalled step of an accepted command or a heartbeat of a live one; the battery is
back in its own mode; nothing is left open; the chain of statements has no hole.
"""

import asyncio
import tempfile
from pathlib import Path
from unittest import mock

from gateway_world import START, ScriptedCore, VirtualTime, World, hasty, make_site, row_of, simulated, unjournalled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.device import Operation
from wattseal.drivers.gateway import opening
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.faults import Scope as Hits
from wattseal.drivers.testimony import Receipt

BATTERY = ("sunspec_battery", lambda now: BatteryInverter(BatteryOptions(), now))
FAULTS = (
    FaultKind.SILENT,
    FaultKind.SHORT,
    FaultKind.EXCEPTION,
    FaultKind.WRONG_UNIT,
    FaultKind.DROP,
    FaultKind.IGNORE,
    FaultKind.HALF_FRAME,
)
DEEDS = st.one_of(
    st.tuples(st.just("set"), st.integers(-5, 5), st.sampled_from((0, 20, 45))),
    st.tuples(st.just("limit"), st.integers(0, 5), st.sampled_from((0, 30))),
    st.tuples(st.just("release"), st.just(0), st.just(0)),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.tuples(st.sampled_from(tuple(Hits)), st.integers(0, 4))),
    st.tuples(st.just("pass"), st.integers(1, 25), st.just(0)),
    st.tuples(st.just("renew"), st.just(0), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
    st.tuples(st.just("step"), st.sampled_from((-(10**8), 10**8)), st.just(0)),
)


@given(day=st.lists(DEEDS, min_size=3, max_size=9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_random_day_ends_at_the_default_with_nothing_written_twice(day: list[tuple]) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        mock.patch.object(opening, "link_settings", hasty(opening.link_settings)),
    ):
        asyncio.run(_live(Path(directory), day))


async def _live(directory: Path, day: list[tuple]) -> None:
    async with simulated({"battery": BATTERY}, directory) as devices:
        site = make_site(directory / "box-1", [row_of(devices["battery"], sampling=20)])
        time = VirtualTime()
        w = World(site, time, devices, ScriptedCore(site, time))
        await w.start()
        commands: list[Statement] = []
        for deed in day:
            await _do(w, commands, *deed)
        devices["battery"].run.control.clear()
        await w.pass_time(250, by=5)
        steps = await w.estate.store.steps()
        beats = unjournalled(devices["battery"], steps)
        said = await w.said()
        receipts = [Receipt.decode(one.body) for one in said if one.header.kind is Kind.RECEIPT]
        restarts = sum(deed[0] == "restart" for deed in day)
        counted = sum(receipt.heartbeats for receipt in receipts)
        # A heartbeat that never left is counted too, and the count that a killed process kept in mind is lost.
        assert len(beats) <= counted or restarts, (len(beats), counted)
        values = devices["battery"].run.device.controls.values
        assert (values["WSetEna"], values["WMaxLimPctEna"]) == (0, 0)
        assert w.gateway.workers["battery"].executor.live is None
        assert w.estate.store.found().commands == ()
        assert [one.header.chain[0] for one in said] == list(range(len(said)))
        await w.close()


async def _do(w: World, commands: list[Statement], what: str, one, other) -> None:
    match what:
        case "set":
            commands.append(await w.command("battery", Operation.SET_POWER, one * 1000, hold=other, lease=60))
        case "limit":
            commands.append(await w.command("battery", Operation.LIMIT_INJECT, one * 1000, hold=other, lease=60))
        case "release":
            await w.command("battery", Operation.RELEASE, 0)
        case "fault":
            scope, skip = other
            w.devices["battery"].run.control.fault(Fault(one, scope, count=2, skip=skip))
        case "pass":
            await w.pass_time(one)
        case "renew" if commands:
            await w.tell(w.core.renewal(commands[-3:], lease=60))
            await w.work()
        case "restart":
            w.time._wall = max(w.time._wall, START)
            await w.restart()
        case "step":
            w.time.step(one)
