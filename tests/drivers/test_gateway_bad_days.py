"""Bad days: a device that hangs, one that was swapped, a disk that fills up, commands that overtake each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_world import (
    ScriptedCore,
    Simulated,
    VirtualTime,
    World,
    hasty,
    inventory_row,
    make_site,
    row_of,
    simulated,
    unjournalled,
)

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.drivers.device import DeviceState, OperatingState, Operation, Quality, Quantity
from wattseal.drivers.gateway import opening
from wattseal.drivers.gateway.history import History
from wattseal.drivers.gateway.refusals import MOST_REMEMBERED, Refusals
from wattseal.drivers.manifest_sections import DeviceEnvelope, SiteEnvelope
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.faults import Scope as Hits
from wattseal.drivers.simulators.running import running_device

SET, RELEASE = Operation.SET_POWER, Operation.RELEASE
BATTERY = ("sunspec_battery", lambda now: BatteryInverter(BatteryOptions(), now))
AT = Instant(1_800_000_000_000, 100.0, ClockQuality.TRUSTED)


@pytest.fixture(autouse=True)
def hasty_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "link_settings", hasty(opening.link_settings))


@asynccontextmanager
async def world(tmp_path: Path, *names: str, sampling: int = 3600, envelope=None, **storage) -> AsyncIterator[World]:
    async with simulated(dict.fromkeys(names, BATTERY), tmp_path) as devices:
        rows = [row_of(device, sampling=sampling) for device in devices.values()]
        site = make_site(tmp_path / "box-1", rows, envelope=envelope)
        time = VirtualTime()
        made = World(site, time, devices, ScriptedCore(site, time), **storage)
        await made.start()
        await made.work()
        try:
            yield made
        finally:
            await made.close()


def told(receipts) -> list[tuple[str, str, str]]:
    return [(str(receipt.phase), str(receipt.result), receipt.reason) for receipt in receipts]


async def test_a_hung_device_delays_nobody_else(tmp_path: Path) -> None:
    """One worker for each device: while one waits for an answer, the other's command is done and receipted."""
    async with world(tmp_path, "hung", "well") as w:
        w.devices["hung"].run.control.fault(Fault(FaultKind.SILENT))
        for name in ("hung", "well"):
            await w.tell(*w.core.bundle(w.core.order(name, SET, 2000)))
        hung = asyncio.ensure_future(w.gateway.workers["hung"].turn())
        await w.gateway.workers["well"].turn()
        assert told(await w.receipts()) == [("command", "applied", "applied")]
        assert not hung.done()
        await hung
        assert told(await w.receipts("hung")) == [("command", "unreachable", "no_answer")]


async def test_only_the_newest_of_the_commands_that_wait_is_written(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        for watts in (1000, 2000, 3000):
            await w.tell(*w.core.bundle(w.core.order("battery", SET, watts)))
        await w.work()
        receipts = await w.receipts()
        assert [(str(one.result), one.asked_watts) for one in receipts] == [
            ("superseded", 1000),
            ("superseded", 2000),
            ("applied", 3000),
        ]
        assert len(w.devices["battery"].writes()) == 2


async def test_another_device_at_the_same_address_is_noticed_after_the_reconnect(tmp_path: Path) -> None:
    """The pinned serial number is asked for again on each new connection, before anything is written."""
    time = VirtualTime()
    async with running_device(BATTERY[1], clock=VirtualClock()) as run:
        run.control.advance(60.0)
        port = run.port
        row = inventory_row("battery", "sunspec_battery", port, identity="Wattseal|Sim-Battery|WS-BAT-0001")
        identity = await _identity(port)
        site = make_site(tmp_path / "box-1", [inventory_row("battery", row.profile, port, identity=identity)])
        w = World(site, time, {"battery": Simulated("battery", run, tmp_path / "one", row.profile)}, None)
        w.core = ScriptedCore(site, time)
        await w.start()
        await w.command("battery", SET, 1000)
        assert told(await w.receipts()) == [("command", "applied", "applied")]
    log = tmp_path / "two.jsonl"
    other = lambda now: BatteryInverter(BatteryOptions(serial="WS-BAT-0002"), now)  # noqa: E731 - a build function
    async with running_device(other, clock=VirtualClock(), port=port, write_log=log) as run:
        run.control.advance(60.0)
        await asyncio.sleep(0.05)  # the link hears that its peer is gone
        await w.command("battery", SET, 2000)
        assert told(await w.receipts())[1:] == [
            ("lease", "superseded", "superseded"),
            ("command", "refused", "identity_mismatch"),
        ]
        assert log.read_text() == ""
    await w.close()


async def _identity(port: int) -> str:
    from wattseal.drivers.modbus.link import LinkSettings, ModbusLink
    from wattseal.drivers.profiles.catalogue import profile_named
    from wattseal.drivers.profiles.interpreter import ProfiledDevice

    async with ModbusLink(LinkSettings("127.0.0.1", port)) as link:
        found = await ProfiledDevice(profile_named("sunspec_battery"), link).identify()
    return f"{found.maker}|{found.model}|{found.serial}"


async def test_readings_come_every_sampling_period_and_go_stale_with_the_device(tmp_path: Path) -> None:
    async with world(tmp_path, "battery", sampling=10) as w:
        await w.pass_time(20)
        good = await w.readings("battery")
        assert [reading.to_ms for reading in good] == [AT.unix_ms + second * 1000 for second in (0, 10, 20)]
        assert {q.quality for q in good[-1].quantities} == {"good"}
        assert await w.estate.store.frames(good[-1].frames_digest) is not None
        w.devices["battery"].run.control.fault(Fault(FaultKind.SILENT))
        await w.pass_time(20, by=5)
        stale = (await w.readings("battery"))[len(good) :]
        assert len(stale) == 2
        assert {q.quality for reading in stale for q in reading.quantities} == {"stale"}
        assert {reading.to_ms for reading in stale} == {good[-1].to_ms}
        w.devices["battery"].run.control.clear()
        await w.pass_time(5, by=5)
        assert {q.quality for q in (await w.readings("battery"))[-1].quantities} == {"good"}


async def test_an_unreachable_device_is_refused_at_the_gate_until_it_is_seen_again(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        w.devices["battery"].run.control.fault(Fault(FaultKind.SILENT))
        await w.command("battery", SET, 1000)
        await w.command("battery", SET, 1000)
        w.devices["battery"].run.control.clear()
        await w.pass_time(6)
        await w.command("battery", SET, 1000)
        assert told(await w.receipts()) == [
            ("command", "unreachable", "no_answer"),
            ("command", "refused", "device_unavailable"),
            ("command", "applied", "applied"),
        ]


async def test_a_lost_heartbeat_is_made_good(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        command = await w.command("battery", SET, 3000, hold=0, lease=60)
        await w.pass_time(20)
        await w.tell(w.core.renewal([command], lease=300))
        w.devices["battery"].run.control.fault(Fault(FaultKind.SILENT, Hits.WRITES, count=1))
        await w.pass_time(50)
        assert w.devices["battery"].run.control.state()["watts"] == pytest.approx(3000, abs=110)
        left = unjournalled(w.devices["battery"], await w.estate.store.steps())
        await w.command("battery", RELEASE, 0)
        assert len(left) == sum(receipt.heartbeats for receipt in await w.receipts()) == 2


async def test_a_battery_at_its_floor_is_let_go_at_once(tmp_path: Path) -> None:
    """Found by a sample, in mid-lease: reverted with the rule as reason, and no renewal revives it."""
    bounds = tuple(DeviceEnvelope(name, -10_000, 10_000, 0, 0, 0, 500, 1000) for name in ("empty", "full"))
    envelope = SiteEnvelope(bounds, 30_000, 30_000)
    async with world(tmp_path, "empty", "full", sampling=5, envelope=envelope) as w:
        commands = [await w.command(name, SET, 3000, hold=0, lease=900) for name in ("empty", "full")]
        await w.pass_time(15)
        w.devices["empty"].run.control.set(soc_percent=40.0)
        await w.pass_time(5)
        assert told(await w.receipts("empty"))[2:] == [("revert", "reverted", "envelope_soc_floor")]
        assert w.devices["empty"].run.device.controls.values["WSetEna"] == 0
        for _ in range(4):
            await w.pass_time(20)
            await w.tell(w.core.renewal(commands, lease=60))
            await w.work()
        assert len(await w.receipts("empty")) == 3
        assert w.devices["empty"].run.control.state()["watts"] == pytest.approx(0, abs=50)
        assert told(await w.receipts("full")) == [("command", "applied", "applied"), ("effect", "applied", "applied")]
        assert w.devices["full"].run.control.state()["watts"] == pytest.approx(3000, abs=110)


@pytest.mark.parametrize("seen", ["sample", "effect"])
async def test_the_same_order_again_is_held_at_nothing_and_nothing_swings(tmp_path: Path, seen: str) -> None:
    """What the core does on a receipt of reverted: the same order, a new number. It is clamped to 0 W and stays."""
    envelope = SiteEnvelope((DeviceEnvelope("battery", -10_000, 10_000, 0, 0, 0, 500, 1000),), 30_000, 30_000)
    async with world(tmp_path, "battery", sampling=5 if seen == "sample" else 3600, envelope=envelope) as w:
        await w.command("battery", SET, 3000, hold=0, lease=900)
        w.devices["battery"].run.control.set(soc_percent=50.0)
        await w.pass_time(15)
        again = await w.command("battery", SET, 3000, hold=0, lease=900)
        writes = len(w.devices["battery"].writes())
        for _ in range(3):
            await w.pass_time(60)
            await w.tell(w.core.renewal([again], lease=900))
            await w.work()
        expected = [
            ("command", "applied", "applied"),
            ("revert", "reverted", "envelope_soc_floor"),
            ("command", "clamped", "envelope_soc_floor"),
            ("effect", "clamped", "applied"),
        ]
        if seen == "effect":
            expected.insert(1, ("effect", "applied", "applied"))
        assert told(await w.receipts()) == expected
        assert w.devices["battery"].run.control.state()["watts"] == pytest.approx(0, abs=50)
        heartbeats = sum(receipt.heartbeats for receipt in await w.receipts())
        live = w.gateway.workers["battery"].executor.live
        assert live is not None
        assert live.watts == 0
        frames = len(w.devices["battery"].writes()) - writes
        assert frames == heartbeats + live.heartbeats
        charged = await w.command("battery", SET, -2000)
        await w.pass_time(15)
        assert told(await w.receipts())[-2:] == [("command", "applied", "applied"), ("effect", "applied", "applied")]
        assert charged.digest == w.gateway.workers["battery"].executor.live.digest


async def test_a_command_found_after_a_restart_is_let_go_when_it_is_outgrown(tmp_path: Path) -> None:
    """The battery ran to its floor while the gateway was dead: the first look ends it, the device's timer need not."""
    envelope = SiteEnvelope((DeviceEnvelope("battery", -10_000, 10_000, 0, 0, 0, 500, 1000),), 30_000, 30_000)
    async with world(tmp_path, "battery", sampling=5, envelope=envelope) as w:
        await w.command("battery", SET, 3000, hold=0, lease=900)
        w.devices["battery"].run.control.set(soc_percent=40.0)
        await w.restart()
        await w.work()
        assert told(await w.receipts())[1:] == [
            ("restart", "unknown", "gateway_restarted"),
            ("revert", "reverted", "envelope_soc_floor"),
        ]
        assert w.devices["battery"].run.device.controls.values["WSetEna"] == 0


async def test_a_revert_to_a_power_goes_no_further_than_the_envelope(tmp_path: Path) -> None:
    """Back to 2 kW was in range when it was ordered; at the floor of charge it has become 0 W."""
    envelope = SiteEnvelope((DeviceEnvelope("battery", -10_000, 10_000, 0, 0, 0, 500, 1000),), 30_000, 30_000)
    async with world(tmp_path, "battery", sampling=5, envelope=envelope) as w:
        await w.command("battery", SET, 3000, hold=60, revert_to=(SET, 2000))
        await w.pass_time(5)
        w.devices["battery"].run.control.set(soc_percent=40.0)
        await w.pass_time(15)
        assert told(await w.receipts())[-1] == ("revert", "reverted", "envelope_soc_floor")
        assert w.devices["battery"].run.device.controls.values["WSet"] == 0
        assert w.devices["battery"].run.control.state()["watts"] == pytest.approx(0, abs=50)


@pytest.mark.parametrize(("tolerance", "effective"), [(0, False), (2999, False), (3000, True)])
async def test_the_effect_is_judged_by_the_greater_tolerance(tmp_path: Path, tolerance: int, effective: bool) -> None:
    """An empty battery gives 0 W instead of 3000 W; registers are right, so it stays applied either way."""
    async with world(tmp_path, "battery") as w:
        w.devices["battery"].run.control.set(soc_percent=0.0)
        await w.command("battery", SET, 3000, tolerance=tolerance)
        await w.pass_time(15)
        _, effect = await w.receipts()
        assert (effect.clamped_watts, effect.read_back_watts) == (3000, 0)
        assert (str(effect.result), effect.effective) == ("applied", effective)
        assert effect.reason == ("applied" if effective else "not_effective")


async def test_the_profiles_tolerance_holds_where_the_order_tolerates_less(tmp_path: Path) -> None:
    """The battery's own losses lie inside what its profile declares."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000, tolerance=0)
        await w.pass_time(15)
        assert (await w.receipts())[1].effective is True


async def test_no_tolerance_excuses_a_register_that_reads_something_else(tmp_path: Path) -> None:
    """Acknowledged and ignored: the setpoint reads 0 W, and the order would tolerate that far."""
    async with world(tmp_path, "battery") as w:
        w.devices["battery"].run.control.fault(Fault(FaultKind.IGNORE, Hits.WRITES))
        await w.command("battery", SET, 1000, tolerance=10_000)
        assert told(await w.receipts()) == [("command", "mismatch", "read_back_differs")]


async def test_a_full_disk_refuses_to_raise_power_but_still_lets_go(tmp_path: Path) -> None:
    """Out of the reserve: revert and receipts; then room again, and a signed gap tells what was given up."""
    async with world(tmp_path, "battery", sampling=1, max_pages=110, reserve_bytes=120_000) as w:
        await w.command("battery", SET, 2000, hold=0, lease=900)
        for _ in range(900):
            w.move(1.0)
            await w.work()
            if w.estate.store.storage_low:
                break
        assert w.estate.store.storage_low
        before = len(await w.receipts())
        await w.command("battery", SET, 4000)
        await w.command("battery", RELEASE, 0)
        assert told(await w.receipts())[before:] == [
            ("command", "refused", "storage_full"),
            ("lease", "superseded", "superseded"),
            ("command", "applied", "applied"),
        ]
        assert w.devices["battery"].run.device.controls.values["WSetEna"] == 0
        w.core.held = (await w.said())[-1].header.chain[0]
        await w.hail()
        w.gateway.reception.announce(await w.estate.store.recover(w.estate.clock.now()))
        assert {gap.what for gap in await w.gaps()} == {"raw_frames", "readings"}
        await w.command("battery", SET, 4000)
        assert told(await w.receipts())[-1] == ("command", "applied", "applied")


def test_refusals_are_told_at_once_and_then_together() -> None:
    refusals = Refusals()
    refusals.count("signature_invalid", AT)
    assert [(gap.what, gap.reason, gap.count) for gap in refusals.due(AT)] == [
        ("refused_message", "signature_invalid", 1)
    ]
    for second in range(1, 60):
        later = Instant(AT.unix_ms + second * 1000, AT.monotonic + second, ClockQuality.TRUSTED)
        refusals.count("signature_invalid", later)
        assert refusals.due(later) == ()
    (gap,) = refusals.due(Instant(AT.unix_ms + 60_000, AT.monotonic + 60, ClockQuality.TRUSTED))
    assert (gap.count, gap.from_ms, gap.to_ms) == (59, AT.unix_ms + 1000, AT.unix_ms + 59_000)


def test_refusals_remember_a_bounded_number_of_commands() -> None:
    refusals = Refusals()
    assert refusals.first(b"a")
    assert not refusals.first(b"a")
    for number in range(MOST_REMEMBERED):
        refusals.first(number.to_bytes(4))
    assert refusals.first(b"a")


def test_history_knows_reversals_of_the_last_hour_and_the_last_change() -> None:
    """A reversal is a turn of the commanded power's direction; 0 W and limits turn nothing."""
    history = History()
    for now, operation, watts in (
        (0.0, SET, 1000),
        (10.0, SET, 0),
        (20.0, SET, -500),
        (30.0, Operation.LIMIT_INJECT, 100),
        (40.0, SET, 700),
        (50.0, SET, 700),
        (60.0, RELEASE, 0),
    ):
        history.commanded(now, operation, watts)
    facts = history.facts(70.0, available=True, storage_low=False)
    assert (facts.commanded, facts.last_change_at, facts.last_direction, facts.cycles_in_hour) == (None, 60.0, 1, 2)
    assert history.facts(3620.0, available=True, storage_low=False).cycles_in_hour == 1
    assert history.facts(3640.0, available=True, storage_low=False).cycles_in_hour == 0


def test_history_takes_only_good_values() -> None:
    lacking = Quantity(None, 0, Quality.NOT_IMPLEMENTED)
    soc = Quantity(605, -1, Quality.GOOD)
    state = DeviceState(
        Quantity(-15, 2, Quality.GOOD), lacking, lacking, lacking, lacking, lacking, lacking, soc,
        OperatingState.RUNNING, (), (), (),
    )  # fmt: skip
    history = History()
    history.measured(state)
    facts = history.facts(0.0, available=True, storage_low=False)
    assert (facts.watts, facts.soc_permille) == (-1500, 605)


def test_a_state_of_charge_that_is_no_longer_given_becomes_unknown() -> None:
    """The third picture without one; a look at the controls alone says nothing, one that has it counts anew."""
    none = Quantity(None, 0, Quality.UNREADABLE)

    def picture(soc: Quantity) -> DeviceState:
        return DeviceState(none, none, none, none, none, none, none, soc, OperatingState.RUNNING, (), (), ())

    def known(history: History) -> int | None:
        return history.facts(0.0, available=True, storage_low=False).soc_permille

    history = History()
    for _ in range(2):
        history.measured(picture(Quantity(60, 0, Quality.GOOD)))
        for _ in range(9):
            history.measured(picture(none), whole=False)
        for _ in range(2):
            history.measured(picture(none))
            assert known(history) == 600
    history.measured(picture(none))
    assert known(history) is None
