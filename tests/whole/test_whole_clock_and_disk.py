"""A clock in 1970, a clock stepped by ten years, a disk that is full: core and gateway, real sockets, real devices."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from box_world import (
    OtherTenant,
    RunningBox,
    SteppedTime,
    World,
    accounted,
    complete,
    devices,
    new_box,
    parts,
    proven,
    site_text,
    until,
)
from scripted_vtn import ScriptedVtn, scripted_vtn
from ven_world import dispatch, distribute, oadr_event

from wattseal.certs.clock import ClockQuality
from wattseal.certs.statement import Kind
from wattseal.drivers.commands import Decision
from wattseal.drivers.gateway.store import Pressure
from wattseal.protocols.openadr20b import common, event
from wattseal.protocols.openadr20b.codec import encode

pytestmark = pytest.mark.slow

TEN_YEARS = 10 * 365.25 * 86_400


def wish(watts: int, number: int = 0, *, start: int, duration: int = 600, event_id: str = "E") -> event.OadrEvent:
    target = common.Target(resource_ids=("battery-1",))
    signals = (dispatch(str(watts), duration),)
    return oadr_event(event_id, number, start=start, duration=duration, signals=signals, target=target)


def told(vtn: ScriptedVtn, *events: event.OadrEvent) -> None:
    """From now on the VTN's list is these."""
    vtn.events = events
    vtn.queue.append(encode(distribute(*events)))


@asynccontextmanager
async def bench(directory: Path, vtn: ScriptedVtn, *, lease: int = 60) -> AsyncIterator[World]:
    """A box and its battery; nothing runs yet but the battery."""
    async with devices(directory / "devices", ("battery",), ()) as found:
        box = new_box(directory / "box", site_text(found.values(), vtn.base, lease=lease))
        yield World(directory, found, RunningBox(box, directory / "run.log"), vtn.base)


async def test_in_1970_events_wait_and_devices_are_released(tmp_path: Path) -> None:
    """Below the time floor only defaults are ordered; the event is taken up again once the clock is set."""
    start = int(time.time()) - 2
    async with scripted_vtn(wish(1500, start=start)) as vtn, bench(tmp_path, vtn) as w:
        source = SteppedTime()
        async with parts(w.box, source):
            await w.until_result("battery", ("command", "applied", "applied"))
        source.step_seconds = 1000 - time.time()
        async with parts(w.box, source) as running:
            assert running.core_estate.clock.now().quality is ClockQuality.UNTRUSTED
            await w.until_setpoint("battery", None)
            polls = vtn.polls_since_last_queued()
            told(vtn, wish(1500, start=start), wish(1900, start=start, event_id="E-in-1970"))
            await until(lambda: vtn.polls_since_last_queued() >= 2, 15, f"polls beyond {polls}", pause=0.2)
            assert await w.device("battery").setpoint() is None
            assert [order.operation for _, order in w.diary.orders("battery")][1:] == ["release"]
            source.step_seconds = 0.0
            await w.until_setpoint("battery", 1500)
            assert running.core_estate.clock.now().quality is ClockQuality.TRUSTED
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "1970.wse")


@pytest.mark.parametrize("step", [TEN_YEARS, -TEN_YEARS], ids=["forward", "back"])
async def test_stepped_by_ten_years_in_mid_event_it_ends_on_time(tmp_path: Path, step: float) -> None:
    """Durations run on the monotonic clock; statements say holdover; no old command becomes new."""
    start = int(time.time()) - 1
    async with scripted_vtn(wish(1500, start=start, duration=14)) as vtn, bench(tmp_path, vtn) as w:
        source = SteppedTime()
        async with parts(w.box, source) as running:
            await w.until_result("battery", ("command", "applied", "applied"))
            (recorded, _) = w.diary.orders("battery")[0]
            source.step_seconds = step
            await running.gateway.reception.hear(recorded.raw)
            await asyncio.sleep(3)
            assert await w.device("battery").setpoint() == 1500
            ended = await w.until_result("battery", ("revert", "reverted", "window_over"), 20)
            assert start + 13 <= time.time() <= start + 14 + 4
            assert ended.receipt.clock == "holdover"
            assert ended.receipt.applied_at_ms is not None
            assert start + 13 <= ended.receipt.applied_at_ms / 1000 <= start + 14 + 4
            assert await w.device("battery").setpoint() is None
            refused = {gap.reason for gap in w.diary.gaps()}
            assert refused == {"sequence_replayed"}
            assert len(w.diary.orders("battery")) == 1
            held = {said.statement.header.issued_at for said in w.diary.all()}
            assert max(held) <= time.time() + 1
            assert min(held) >= start - 5
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "stepped.wse")


async def test_a_full_disk_of_the_core_lets_nothing_raise_power(tmp_path: Path) -> None:
    """Policy denies what raises power, reverts are still given, and with room again all goes on."""
    start, pages = int(time.time()) - 2, 900
    async with scripted_vtn(wish(1500, start=start)) as vtn, bench(tmp_path, vtn, lease=300) as w:
        async with parts(w.box, SteppedTime(), core_pages=pages) as running:
            await w.until_result("battery", ("command", "applied", "applied"))
            tenant = OtherTenant(w.box.core_database, pages)
            await until(lambda: tenant.fill() or running.core.memory.storage_low, 20, "the core sees it", pause=0.3)
            told(vtn, wish(2500, 1, start=start))
            denied = await until(lambda: _denied(w), 15, "the denial", pause=0.2)
            assert "storage-low-no-raise" in denied.policy_ids
            await until(lambda: ("E", "optOut") in _opts(vtn), 10, "the answer", pause=0.2)
            assert await w.device("battery").setpoint() == 1500
            told(vtn)
            await w.until_setpoint("battery", None)
            held = running.core.memory.gateway.held

            tenant.leave()
            await running.core.recover_storage()
            assert running.core.memory.storage_low is False
            told(vtn, wish(2500, start=int(time.time()) - 1, event_id="E-later"))
            await w.until_setpoint("battery", 2500)
            await until(lambda: running.core.memory.gateway.held > held + 5, 30, "readings arrive again")
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "full.wse")


def _denied(w: World) -> Decision | None:
    every = (Decision.decode(said.statement.body) for said in w.diary.of(Kind.DECISION))
    return next((one for one in every if not one.allowed), None)


def _opts(vtn: ScriptedVtn) -> set[tuple[str, str]]:
    return {(event_id, opt) for event_id, rows in vtn.event_codes().items() for _, opt in rows}


async def test_a_full_disk_of_the_gateway_refuses_what_raises_power_and_leaves_a_signed_gap(tmp_path: Path) -> None:
    """Raw frames go first, then readings, then orders that raise power; a release is still written and receipted."""
    start, pages = int(time.time()) - 2, 400
    async with scripted_vtn(wish(1500, start=start)) as vtn, bench(tmp_path, vtn, lease=300) as w:
        async with parts(w.box, SteppedTime(), gateway_pages=pages) as running:
            await w.until_result("battery", ("command", "applied", "applied"))
            store, tenant = running.gateway_estate.store, OtherTenant(w.box.gateway_database, pages)

            def pressed() -> bool:
                if store.pressure < Pressure.READINGS:
                    tenant.fill()
                return store.storage_low

            await until(pressed, 20, "the gateway sees it", pause=0.2)
            told(vtn, wish(2500, 1, start=start))
            refused = await w.until_result("battery", ("command", "refused", "storage_full"))
            assert refused.receipt.asked_watts == 2500
            assert await w.device("battery").setpoint() == 1500
            told(vtn)
            await w.until_setpoint("battery", None)

            tenant.leave()
            await until(lambda: {"raw_frames", "readings"} <= _lost(w), 15, "the gaps", pause=0.2)
            told(vtn, wish(2500, start=int(time.time()) - 1, event_id="E-later"))
            await w.until_setpoint("battery", 2500)
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "full.wse")


def _lost(w: World) -> set[str]:
    return {gap.what for gap in w.diary.gaps() if gap.reason == "storage_full" and gap.count > 0}
