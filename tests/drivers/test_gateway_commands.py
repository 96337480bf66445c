"""One command, out and back, on simulated devices: executor, leases, receipts, readings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_world import ScriptedCore, Simulated, VirtualTime, World, hasty, make_site, row_of, simulated, unjournalled

from wattseal.certs.statement import Kind
from wattseal.drivers.device import Operation
from wattseal.drivers.gateway import opening
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.ev_charger import EvCharger, EvChargerOptions
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.faults import Scope as Hits
from wattseal.drivers.testimony import Phase, Result

SET, LIMIT, ABSORB, RELEASE = (
    Operation.SET_POWER,
    Operation.LIMIT_INJECT,
    Operation.LIMIT_ABSORB,
    Operation.RELEASE,
)
BATTERY = ("sunspec_battery", lambda now: BatteryInverter(BatteryOptions(), now))
CHARGER = ("alfen_eve", lambda now: EvCharger(EvChargerOptions(), now))


@pytest.fixture(autouse=True)
def hasty_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "link_settings", hasty(opening.link_settings))


@asynccontextmanager
async def world(tmp_path: Path, *names: str, sampling: int = 3600, **options) -> AsyncIterator[World]:
    """A started gateway with the devices named; nothing is sampled of itself unless asked for."""
    builds = {name: BATTERY if name.startswith("battery") else CHARGER for name in names}
    async with simulated(builds, tmp_path) as devices:
        rows = [row_of(device, sampling=sampling) for device in devices.values()]
        site = make_site(tmp_path / "box-1", rows, **{k: v for k, v in options.items() if k == "expires_at"})
        time = VirtualTime()
        made = World(site, time, devices, ScriptedCore(site, time))
        await made.start()
        await made.work()
        try:
            yield made
        finally:
            await made.close()


def watts_of(device: Simulated) -> float:
    return device.run.control.state()["watts"]


def told(receipts) -> list[tuple[str, str, str]]:
    return [(str(receipt.phase), str(receipt.result), receipt.reason) for receipt in receipts]


async def test_a_command_is_written_read_back_measured_and_undone(tmp_path: Path) -> None:
    """Sealed command, register written, read back, effect measured, window over, default: each step receipted."""
    async with world(tmp_path, "battery") as w:
        command = await w.command("battery", SET, 3000, hold=60)
        (first,) = await w.receipts()
        assert (first.phase, first.result, first.reason) == (Phase.COMMAND, Result.APPLIED, "applied")
        assert (first.asked_watts, first.clamped_watts, first.read_back_watts) == (3000, 3000, 3000)
        assert first.applied_at_ms == 1_800_000_000_000
        await w.pass_time(15)
        effect = (await w.receipts())[1]
        assert (effect.phase, effect.result, effect.effective) == (Phase.EFFECT, Result.APPLIED, True)
        assert effect.read_back_watts == pytest.approx(3000, abs=110)
        await w.pass_time(46)
        assert told(await w.receipts())[2:] == [("revert", "reverted", "window_over")]
        await w.pass_time(10)
        assert watts_of(w.devices["battery"]) == pytest.approx(0, abs=50)
        parents = {said.header.parents for said in await w.said() if said.header.kind is Kind.RECEIPT}
        assert parents == {(command.digest,)}
        assert unjournalled(w.devices["battery"], await w.estate.store.steps()) == []


async def test_the_devices_timer_never_outlives_the_event(tmp_path: Path) -> None:
    """Armed with what is left of the event, so the battery falls back by itself at its end, not after it."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000, hold=60)
        (frame, _enable) = w.devices["battery"].writes()
        assert frame["words"][-1] == 59
        w.move(59.5)  # the gateway is dead
        w.move(10.0)
        assert watts_of(w.devices["battery"]) == pytest.approx(0, abs=50)


async def test_heartbeats_keep_the_timer_armed_as_long_as_the_core_renews(tmp_path: Path) -> None:
    """Renewed at half of its time; counted in the next receipt; every frame is a step or a heartbeat."""
    async with world(tmp_path, "battery") as w:
        command = await w.command("battery", SET, 3000, hold=0, lease=60)
        for _ in range(4):
            await w.pass_time(30)
            await w.tell(w.core.renewal([command], lease=60))
            await w.work()
            assert watts_of(w.devices["battery"]) == pytest.approx(3000, abs=110)
        await w.pass_time(75)
        receipts = await w.receipts()
        assert told(receipts)[-1] == ("revert", "reverted", "lease_over")
        assert watts_of(w.devices["battery"]) == pytest.approx(0, abs=50)
        left = unjournalled(w.devices["battery"], await w.estate.store.steps())
        assert len(left) == sum(receipt.heartbeats for receipt in receipts) >= 4


async def test_a_charger_with_a_fixed_validity_time_is_fed_and_let_go(tmp_path: Path) -> None:
    """The charger's own validity time (60 s) is not ours to set: it is fed while the command lives."""
    async with world(tmp_path, "charger") as w:
        await w.pass_time(30)
        await w.command("charger", ABSORB, 4200, hold=180)
        await w.pass_time(179)
        assert told(await w.receipts())[:2] == [
            ("command", "clamped", "device_rating"),
            ("effect", "clamped", "applied"),
        ]
        assert -4300 <= watts_of(w.devices["charger"]) <= -3500
        await w.pass_time(3)
        assert told(await w.receipts())[-1] == ("revert", "reverted", "window_over")
        left = unjournalled(w.devices["charger"], await w.estate.store.steps())
        assert len(left) == sum(receipt.heartbeats for receipt in await w.receipts()) >= 5


async def test_a_new_command_replaces_the_live_one(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000)
        await w.pass_time(5)
        await w.command("battery", SET, -2000)
        assert told(await w.receipts()) == [
            ("command", "applied", "applied"),
            ("lease", "superseded", "superseded"),
            ("command", "applied", "applied"),
        ]
        await w.pass_time(15)
        assert watts_of(w.devices["battery"]) == pytest.approx(-2000, abs=110)


async def test_another_function_takes_the_first_one_back(tmp_path: Path) -> None:
    """A limit after a setpoint: the setpoint may not stay in force behind it."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000)
        await w.command("battery", LIMIT, 1000)
        values = w.devices["battery"].run.device.controls.values
        assert (values["WSetEna"], values["WMaxLimPctEna"]) == (0, 1)
        assert told(await w.receipts())[-1] == ("command", "applied", "applied")
        assert unjournalled(w.devices["battery"], await w.estate.store.steps()) == []


async def test_release_ends_the_command_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000)
        await w.pass_time(5)
        await w.command("battery", RELEASE, 0)
        assert told(await w.receipts())[1:] == [
            ("lease", "superseded", "superseded"),
            ("command", "applied", "applied"),
        ]
        await w.pass_time(20)
        assert watts_of(w.devices["battery"]) == pytest.approx(0, abs=50)
        assert len(await w.receipts()) == 3
        assert w.gateway.workers["battery"].executor.live is None


async def test_a_release_that_fails_is_tried_until_the_device_shows_it(tmp_path: Path) -> None:
    """The device is silent for a while: it is read before each further try, and nothing is sent twice."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000)
        w.devices["battery"].run.control.fault(Fault(FaultKind.SILENT))
        await w.command("battery", RELEASE, 0)
        assert told(await w.receipts())[2:] == [("command", "unreachable", "no_answer")]
        await w.pass_time(3)
        w.devices["battery"].run.control.clear()
        await w.pass_time(10)
        assert told(await w.receipts())[3:] == [
            ("revert", "unreachable", "no_answer"),
            ("revert", "reverted", "released"),
        ]
        assert unjournalled(w.devices["battery"], await w.estate.store.steps()) == []


async def test_clamped_by_the_device_is_said_so(tmp_path: Path) -> None:
    """The battery charges with 8 kW at most (702.WChaRteMax)."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, -9000)
        (receipt,) = await w.receipts()
        assert (receipt.result, receipt.reason) == (Result.CLAMPED, "device_rating")
        assert (receipt.asked_watts, receipt.clamped_watts, receipt.read_back_watts) == (-9000, -8000, -8000)


async def test_a_setting_that_somebody_else_changes_is_noticed(tmp_path: Path) -> None:
    """A drifted device is stated (then a fresh command heals it) and not fed any more."""
    async with world(tmp_path, "battery", sampling=10) as w:
        await w.command("battery", SET, 3000)
        await w.pass_time(11)
        w.devices["battery"].run.control.set(points={"WSetEna": 0})
        await w.pass_time(11)
        assert told(await w.receipts())[-1] == ("lease", "mismatch", "read_back_differs")


@pytest.mark.parametrize(
    ("fault", "result", "reason"),
    [
        (Fault(FaultKind.SILENT, Hits.WRITES), Result.MISMATCH, "no_answer"),
        (Fault(FaultKind.SLOW, Hits.WRITES, seconds=0.6), Result.MISMATCH, "no_answer"),
        (Fault(FaultKind.SHORT, Hits.WRITES), Result.MISMATCH, "short_answer"),
        (Fault(FaultKind.EXCEPTION, Hits.WRITES, code=2), Result.REFUSED, "device_exception"),
        (Fault(FaultKind.EXCEPTION, Hits.WRITES, code=4), Result.MISMATCH, "device_exception"),
        (Fault(FaultKind.WRONG_UNIT, Hits.WRITES), Result.MISMATCH, "wrong_unit"),
        (Fault(FaultKind.DROP, Hits.WRITES), Result.MISMATCH, "link_down"),
        (Fault(FaultKind.IGNORE, Hits.WRITES), Result.MISMATCH, "read_back_differs"),
        (Fault(FaultKind.SILENT, Hits.READS), Result.UNREACHABLE, "no_answer"),
        (Fault(FaultKind.SHORT, Hits.READS), Result.UNREACHABLE, "short_answer"),
        (Fault(FaultKind.EXCEPTION, Hits.READS, code=4), Result.UNREACHABLE, "read_back_missing"),
        (Fault(FaultKind.WRONG_UNIT, Hits.READS), Result.UNREACHABLE, "wrong_unit"),
        (Fault(FaultKind.DROP, Hits.READS), Result.UNREACHABLE, "link_down"),
    ],
    ids=lambda value: f"{value.kind}-{value.scope}-{value.code}" if isinstance(value, Fault) else "",
)
async def test_each_fault_has_its_reason_and_the_others_go_on(
    tmp_path: Path, fault: Fault, result: Result, reason: str
) -> None:
    """Whatever one device does, its receipt names it, no frame is sent twice, and the other device obeys."""
    async with world(tmp_path, "battery-1", "battery-2") as w:
        w.devices["battery-1"].run.control.fault(fault)
        await w.command("battery-1", SET, 3000)
        await w.command("battery-2", SET, 2000)
        (bad,) = await w.receipts("battery-1")
        assert (bad.result, bad.reason) == (result, reason)
        assert bad.applied_at_ms is None
        (good,) = await w.receipts("battery-2")
        assert good.result is Result.APPLIED
        steps = await w.estate.store.steps()
        for device in w.devices.values():
            assert unjournalled(device, steps) == []


async def test_a_write_whose_effect_is_unknown_is_read_before_anything_else(tmp_path: Path) -> None:
    """The enable was taken, only its answer was lost: the device shows it, so it counts as applied, written once."""
    async with world(tmp_path, "battery") as w:
        w.devices["battery"].run.control.fault(Fault(FaultKind.SILENT, Hits.WRITES, count=1, skip=1, effect=True))
        await w.command("battery", SET, 3000)
        (receipt,) = await w.receipts()
        assert (receipt.result, receipt.reason) == (Result.APPLIED, "applied")
        assert len(w.devices["battery"].writes()) == 2
        await w.pass_time(15)
        assert watts_of(w.devices["battery"]) == pytest.approx(3000, abs=110)


async def test_a_half_written_command_runs_out_and_is_undone(tmp_path: Path) -> None:
    """Unconfirmed, so not fed; at the end of the lease the revert-to is written all the same."""
    async with world(tmp_path, "battery") as w:
        w.devices["battery"].run.control.fault(Fault(FaultKind.IGNORE, Hits.WRITES, count=1, skip=1))
        await w.command("battery", SET, 3000, lease=30, hold=0)
        assert told(await w.receipts()) == [("command", "mismatch", "read_back_differs")]
        await w.pass_time(32)
        assert told(await w.receipts())[1:] == [("revert", "reverted", "lease_over")]


async def test_a_device_that_is_not_the_pinned_one_gets_no_orders(tmp_path: Path) -> None:
    """Checked at the first connect, and again after a reconnect."""
    async with simulated({"battery": BATTERY}, tmp_path) as devices:
        row = row_of(devices["battery"], identity="Wattseal|Other|9", sampling=3600)
        site = make_site(tmp_path / "box-1", [row])
        time = VirtualTime()
        w = World(site, time, devices, ScriptedCore(site, time))
        await w.start()
        await w.command("battery", SET, 3000)
        await w.command("battery", SET, 3000)
        assert {receipt.reason for receipt in await w.receipts()} <= {"identity_mismatch", "device_unavailable"}
        assert (await w.receipts())[0].reason == "identity_mismatch"
        assert devices["battery"].writes() == []
        await w.close()


async def test_the_gates_refusals_are_receipted(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 19_000)
        (receipt,) = await w.receipts()
        assert receipt.clamped_watts == 10_000
        order = w.core.order("battery", SET, 3000, profile_digest=bytes(32))
        await w.tell(*w.core.bundle(order))
        assert told(await w.receipts())[-1] == ("command", "refused", "profile_changed")


async def test_what_comes_again_gets_no_second_receipt_but_is_on_record(tmp_path: Path) -> None:
    """A replayed copy must not be able to say that the command in force was refused."""
    async with world(tmp_path, "battery") as w:
        said = w.core.bundle(w.core.order("battery", SET, 3000))
        await w.tell(*said)
        await w.work()
        for _ in range(3):
            await w.tell(said[-1])
        await w.tell(said[-1].raw[:-1] + b"\x00", b"\xd2junk")
        assert told(await w.receipts()) == [("command", "applied", "applied")]
        assert {gap.reason for gap in await w.gaps()} >= {"sequence_replayed"}
        assert len([gap for gap in await w.gaps() if gap.reason == "sequence_replayed"]) == 1


async def test_the_statements_of_the_gateway_form_one_chain(tmp_path: Path) -> None:
    """Number and digest of the one before, from 0, over restarts."""
    async with world(tmp_path, "battery", sampling=5) as w:
        await w.command("battery", SET, 3000)
        await w.pass_time(12)
        await w.restart()
        await w.pass_time(6)
        before, number = bytes(32), 0
        for said in await w.said():
            assert said.header.chain == (number, before)
            before, number = said.digest, number + 1
        assert number > 8


async def test_what_the_core_holds_is_forgotten(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000)
        last = (await w.said())[-1]
        w.core.held = last.header.chain[0]
        await w.hail()
        assert [said.header.kind for said in await w.said()] == [Kind.HELLO]


async def test_an_expired_manifest_ends_every_command(tmp_path: Path) -> None:
    async with world(tmp_path, "battery", expires_at=1_800_000_040) as w:
        await w.command("battery", SET, 3000)
        await w.pass_time(41)
        assert told(await w.receipts())[-1] == ("revert", "reverted", "manifest_expired")
        await w.command("battery", SET, 3000)
        assert told(await w.receipts())[-1] == ("command", "refused", "manifest_expired")


async def test_a_revert_to_another_function_is_written_with_a_timer_of_its_own(tmp_path: Path) -> None:
    """Nothing is set without a time after which the device falls back by itself, not even a revert-to."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 3000, hold=30, revert_to=(LIMIT, 2000))
        await w.pass_time(31)
        assert told(await w.receipts())[-1] == ("revert", "reverted", "window_over")
        values = w.devices["battery"].run.device.controls.values
        assert (values["WSetEna"], values["WMaxLimPctEna"], values["WMaxLimPctRvrtTms"]) == (0, 1, 900)
        await w.command("battery", SET, 1000)
        assert (values["WSetEna"], values["WMaxLimPctEna"]) == (1, 0)
        assert unjournalled(w.devices["battery"], await w.estate.store.steps()) == []


async def test_a_renewal_says_what_the_core_holds(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        command = await w.command("battery", SET, 3000)
        w.core.held = (await w.said())[-1].header.chain[0]
        await w.tell(w.core.renewal([command]))
        assert await w.said() == []


async def test_a_command_that_comes_too_late_for_a_timer_is_not_written(tmp_path: Path) -> None:
    """Within the last second of its window there is no whole second left to arm the device with."""
    async with world(tmp_path, "battery") as w:
        said = w.core.bundle(w.core.order("battery", SET, 3000, hold=5))
        w.move(4.0)
        await w.tell(*said)
        await w.work()
        assert told(await w.receipts()) == [("command", "refused", "window_over")]
        assert w.devices["battery"].writes() == []


async def test_what_the_device_cannot_do_is_refused_with_its_reason(tmp_path: Path) -> None:
    """A charger has no signed setpoint; its limit still works afterwards."""
    async with world(tmp_path, "charger") as w:
        await w.command("charger", SET, -4000)
        await w.command("charger", ABSORB, 5000)
        first, second = await w.receipts()
        assert (first.result, first.reason) == (Result.REFUSED, "operation_not_supported")
        assert second.result in {Result.APPLIED, Result.CLAMPED}
