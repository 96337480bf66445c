"""A gateway that dies at any point, starts again, and writes nothing twice; and time that cannot be believed."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_world import START, ScriptedCore, VirtualTime, World, hasty, make_site, row_of, simulated, unjournalled

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.drivers.commands import BodyError
from wattseal.drivers.device import Operation
from wattseal.drivers.gateway import opening
from wattseal.drivers.gateway.history import History
from wattseal.drivers.manifest_sections import DeviceEnvelope, SiteEnvelope
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.faults import Scope as Hits

SET, RELEASE = Operation.SET_POWER, Operation.RELEASE
BATTERY = ("sunspec_battery", lambda now: BatteryInverter(BatteryOptions(), now))
YEARS = 10 * 365 * 86_400


@pytest.fixture(autouse=True)
def hasty_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "link_settings", hasty(opening.link_settings))


@asynccontextmanager
async def world(
    tmp_path: Path, *, wall: float = START, sampling: int = 3600, envelope: SiteEnvelope | None = None
) -> AsyncIterator[World]:
    async with simulated({"battery": BATTERY}, tmp_path) as devices:
        site = make_site(tmp_path / "box-1", [row_of(devices["battery"], sampling=sampling)], envelope=envelope)
        time = VirtualTime(wall)
        made = World(site, time, devices, ScriptedCore(site, time))
        await made.start()
        await made.work()
        try:
            yield made
        finally:
            await made.close()


def watts_of(w: World) -> float:
    return w.devices["battery"].run.control.state()["watts"]


def told(receipts) -> list[tuple[str, str, str]]:
    return [(str(receipt.phase), str(receipt.result), receipt.reason) for receipt in receipts]


async def test_each_start_draws_its_own_epoch_and_old_commands_are_void(tmp_path: Path) -> None:
    """16 bytes, told in the hello; a command of the start before is refused, whatever its number."""
    async with world(tmp_path) as w:
        old = w.core.bundle(w.core.order("battery", SET, 3000))
        epoch = w.core.epoch
        await w.restart()
        assert len(w.core.epoch) == 16
        assert w.core.epoch != epoch
        await w.tell(*old)
        await w.work()
        assert told(await w.receipts()) == [("command", "refused", "epoch_wrong")]
        assert w.devices["battery"].writes() == []


async def test_a_live_command_is_found_stated_and_runs_out_unfed(tmp_path: Path) -> None:
    """Read first; unknown, state observed; no frame again; the revert-to when the device's timer must be over."""
    async with world(tmp_path) as w:
        await w.command("battery", SET, 3000, lease=60, hold=0)
        await w.pass_time(15)
        frames = len(w.devices["battery"].writes())
        await w.restart()
        await w.work()
        last = (await w.receipts())[-1]
        assert told([last]) == [("restart", "unknown", "gateway_restarted")]
        assert last.read_back_watts == pytest.approx(3000, abs=110)
        assert len(w.devices["battery"].writes()) == frames
        await w.pass_time(62)
        assert told(await w.receipts())[-1] == ("revert", "reverted", "lease_over")
        assert watts_of(w) == pytest.approx(0, abs=50)
        assert unjournalled(w.devices["battery"], await w.estate.store.steps()) == []


async def test_a_fresh_command_after_the_restart_takes_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.command("battery", SET, 3000)
        await w.pass_time(5)
        await w.restart()
        await w.work()
        await w.command("battery", SET, 3000)
        await w.pass_time(20)
        assert told(await w.receipts())[1:] == [
            ("restart", "unknown", "gateway_restarted"),
            ("lease", "superseded", "superseded"),
            ("command", "applied", "applied"),
            ("effect", "applied", "applied"),
        ]
        assert unjournalled(w.devices["battery"], await w.estate.store.steps()) == []
        await w.restart()
        await w.work()
        assert len(w.estate.found.commands) == 1


async def test_an_ended_command_is_not_brought_up_again(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.command("battery", SET, 3000, hold=30)
        await w.pass_time(32)
        count = len(await w.receipts())
        await w.restart()
        await w.pass_time(5)
        assert len(await w.receipts()) == count


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("point", range(10))
async def test_it_may_die_before_every_single_step(tmp_path: Path, point: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Death at each await of the device and of the disk in turn; afterwards the device is at its default again, each
    frame in its log is one journalled step, and the command has a last receipt.
    """
    async with world(tmp_path) as w:
        worker = w.gateway.workers["battery"]
        calls = itertools.count()
        device, store = worker.executor._station, w.estate.store

        def deadly(owner: object, name: str) -> None:
            real = getattr(owner, name)

            async def call(*args, **kwargs):
                if next(calls) == point:
                    raise Crash
                return await real(*args, **kwargs)

            monkeypatch.setattr(owner, name, call)

        for name in ("read", "write"):
            deadly(device, name)
        for name in ("plan", "say"):
            deadly(store, name)
        said = w.core.bundle(w.core.order("battery", SET, 3000, hold=60))
        await w.tell(*said)
        died = False
        try:
            while await worker.turn():
                pass
            for _ in range(70):
                w.move(1.0)
                while await worker.turn():
                    pass
        except Crash:
            died = True
        assert died
        await w.restart()
        await w.pass_time(125)
        assert watts_of(w) == pytest.approx(0, abs=50)
        assert w.devices["battery"].run.device.controls.values["WSetEna"] == 0
        assert w.gateway.workers["battery"].executor.live is None
        assert (await w.receipts())[-1].phase in {"revert", "restart"}
        assert unjournalled(w.devices["battery"], await w.estate.store.steps()) == []


async def test_a_device_that_is_away_at_the_restart(tmp_path: Path) -> None:
    """The truth is that nothing could be seen; the revert is tried until the device shows its default."""
    async with world(tmp_path) as w:
        await w.command("battery", SET, 3000, lease=60, hold=0)
        w.devices["battery"].run.control.fault(Fault(FaultKind.DROP, Hits.ALL))
        await w.restart()
        await w.pass_time(70, by=5)
        w.devices["battery"].run.control.clear()
        await w.pass_time(70, by=5)
        assert told(await w.receipts())[1:] == [
            ("restart", "unknown", "link_down"),
            ("revert", "unreachable", "link_down"),
            ("revert", "reverted", "lease_over"),
        ]


async def test_an_older_manifest_is_not_obeyed(tmp_path: Path) -> None:
    """The version of the manifest never goes back."""
    from wattseal.drivers.gate.memory import RollbackError

    async with simulated({"battery": BATTERY}, tmp_path) as devices:
        time = VirtualTime()
        row = row_of(devices["battery"])
        for version in (5, 4):
            site = make_site(tmp_path / "box-1", [row], version=version)
            w = World(site, time, devices, ScriptedCore(site, time))
            if version == 5:
                await w.start()
                await w.command("battery", SET, 1000)
                await w.close()
            else:
                with pytest.raises(RollbackError):
                    w.open()


@pytest.mark.parametrize("step", [YEARS, -YEARS])
async def test_the_wall_clock_is_stepped_by_ten_years_in_mid_event(tmp_path: Path, step: int) -> None:
    """Durations run on the monotonic clock: the event ends when it should; the receipts' time goes on unmoved."""
    async with world(tmp_path) as w:
        await w.command("battery", SET, 3000, hold=60)
        await w.pass_time(20)
        w.time.step(step)
        await w.pass_time(35)
        assert watts_of(w) == pytest.approx(3000, abs=110)
        await w.pass_time(10)
        assert told(await w.receipts())[-1] == ("revert", "reverted", "window_over")
        last = (await w.receipts())[-1]
        assert last.clock == "holdover"
        assert last.applied_at_ms == pytest.approx((START + 60) * 1000, abs=2000)


async def test_the_clock_in_1970_only_release_moves_anything(tmp_path: Path) -> None:
    """Below the floor events wait; defaults and reverts go through; later the clock is set and orders are taken."""
    async with world(tmp_path, wall=1000.0) as w:
        said = w.core.bundle(w.core.order("battery", SET, 3000), issued_at=START, expires_at=START + 60)
        await w.tell(*said)
        await w.work()
        assert told(await w.receipts()) == [("command", "refused", "clock_untrusted")]
        assert w.devices["battery"].writes() == []
        await w.command("battery", RELEASE, 0)
        assert told(await w.receipts())[1:] == [("command", "applied", "applied")]
        w.time.step(START)
        await w.command("battery", SET, 3000)
        assert told(await w.receipts())[2:] == [("command", "applied", "applied")]


async def test_the_floor_outlives_the_process(tmp_path: Path) -> None:
    """A clock that comes back below what was persisted is not believed."""
    async with world(tmp_path) as w:
        w.time.step(5000.0)
        await w.restart()
        await w.command("battery", SET, 1000)
        assert w.estate.store.found().floor == START + 5000
        await w.close()
        w.time.step(-4000.0)
        await w.start()
        assert str(w.estate.clock.now().quality) == "untrusted"


def bounded(*, dwell: int = 0, cycles: int = 0) -> SiteEnvelope:
    return SiteEnvelope((DeviceEnvelope("battery", -10_000, 10_000, 0, dwell, cycles, 0, 1000),), 30_000, 30_000)


async def test_a_restart_is_no_way_around_the_cycle_rule(tmp_path: Path) -> None:
    """Two reversals in an hour are permitted; killed after the second, the third is still refused, for an hour."""
    async with world(tmp_path, envelope=bounded(cycles=2)) as w:
        for watts in (1000, -1000, 1000):
            await w.command("battery", SET, watts)
            await w.pass_time(30, by=10)
        await w.command("battery", RELEASE, 0)
        await w.restart()
        await w.command("battery", SET, -1000)
        assert told(await w.receipts())[-1] == ("command", "refused", "envelope_cycles")
        await w.restart()
        w.move(3600.0 - 61)  # the first of them was an hour ago, less a second
        await w.command("battery", SET, -1000)
        assert told(await w.receipts())[-1] == ("command", "refused", "envelope_cycles")
        w.move(1.0)
        await w.command("battery", SET, -1000)
        assert told(await w.receipts())[-1] == ("command", "applied", "applied")


async def test_a_restart_is_no_way_around_the_dwell_time(tmp_path: Path) -> None:
    """Released, killed, started again: what was changed ten seconds ago may not be changed yet."""
    async with world(tmp_path, envelope=bounded(dwell=60)) as w:
        await w.command("battery", SET, 1000)
        await w.pass_time(70, by=10)
        await w.command("battery", RELEASE, 0)
        await w.pass_time(10)
        await w.restart()
        await w.command("battery", SET, 2000)
        assert told(await w.receipts())[-1] == ("command", "refused", "envelope_dwell")
        w.move(50.0)
        await w.command("battery", SET, 2000)
        assert told(await w.receipts())[-1] == ("command", "applied", "applied")


async def test_heartbeats_that_no_receipt_had_counted_are_counted_after_kill_9(tmp_path: Path) -> None:
    """Kept with each sample: all but those of the last sampling interval."""
    async with world(tmp_path, sampling=5) as w:
        command = await w.command("battery", SET, 3000, hold=0, lease=40)
        for _ in range(4):
            await w.pass_time(20)
            await w.tell(w.core.renewal([command], lease=40))
            await w.work()
        await w.pass_time(5)
        live = w.gateway.workers["battery"].executor.live
        assert live is not None
        beaten, stated = live.heartbeats, len(await w.receipts())
        assert beaten >= 3
        await w.restart()
        await w.work()
        restarted = (await w.receipts())[stated]
        assert (str(restarted.phase), restarted.heartbeats) == ("restart", beaten)
        left = unjournalled(w.devices["battery"], await w.estate.store.steps())
        assert len(left) == sum(receipt.heartbeats for receipt in await w.receipts())


@pytest.mark.parametrize(
    ("later", "cycles"),
    [
        (Instant(1_000_000_000 + 3_500_000, 5.0, ClockQuality.TRUSTED), 1),
        (Instant(1_000_000_000 + 3_600_000, 5.0, ClockQuality.TRUSTED), 0),
        (Instant(0, 5.0, ClockQuality.TRUSTED), 1),
        (Instant(1_000_000_000 + 9_000_000, 5.0, ClockQuality.UNTRUSTED), 1),
    ],
)
def test_what_is_kept_by_a_clock_that_cannot_be_trusted_counts_as_just_now(later: Instant, cycles: int) -> None:
    """A wall clock in 1970 or set back makes nothing older than it is; the monotonic clock began anew."""
    history = History()
    history.commanded(100.0, SET, 1000)
    history.commanded(200.0, SET, -1000)
    raw = history.encode(Instant(1_000_000_000, 200.0, ClockQuality.TRUSTED))
    found = History()
    found.recall(raw, later)
    facts = found.facts(later.monotonic, available=True, storage_low=False)
    assert facts.cycles_in_hour == cycles
    assert (facts.commanded, facts.last_direction) == ((SET, -1000), -1)
    assert facts.last_change_at is not None
    assert facts.last_change_at <= later.monotonic


@pytest.mark.parametrize("raw", [b"\xa0", b"\xa4\x01\x82\x63off\x00\x02\xf6\x03\x00\x04\x80", b"\x01"])
def test_a_damaged_past_is_told_and_not_guessed(raw: bytes) -> None:
    with pytest.raises(BodyError, match="damaged"):
        History().recall(raw, Instant(0, 0.0, ClockQuality.TRUSTED))
