"""kill -9 of either process in mid-event: what comes back resumes, and writes nothing twice."""

import asyncio
import contextlib
import random
import time
from pathlib import Path

import pytest
from box_world import MARKET, World, accepted_commands, accounted, complete, proven, until, world
from openleadr_vtn import OpenLeadrVtn

pytestmark = pytest.mark.slow

# Who is killed, and when: seconds after the setpoint stands at the device, or the very moment at which an order appears
# in the ledger or a frame in the device's log.
MOMENTS = ("steady", "command", "frame", "frame")


@pytest.mark.parametrize("victim", ["gateway", "core"])
async def test_killed_in_mid_event_resumes_and_writes_nothing_twice(
    vtn: OpenLeadrVtn, tmp_path: Path, victim: str
) -> None:
    """Once: every frame in the device's log is one journalled step, or a heartbeat of a live lease."""
    chance = random.Random(7)  # noqa: S311  moments, not secrets
    async with world(tmp_path, vtn.base, lease=20) as w:
        ven_id = (await until(lambda: vtn("vens"), 15, "registration"))[0]["ven_id"]
        for number, moment in enumerate(MOMENTS):
            watts = 1000 + 100 * number
            frames, orders = len(w.device("battery").writes()), len(w.diary.orders("battery"))
            _order(vtn, ven_id, f"E-{number}", watts)
            match moment:
                case "steady":
                    await w.until_setpoint("battery", watts)
                    await asyncio.sleep(chance.uniform(0.0, 2.0))
                case "command":
                    await until(lambda orders=orders: len(w.diary.orders("battery")) > orders, 15, "order", pause=0.001)
                case _:
                    log = w.device("battery").log
                    await until(lambda log=log, frames=frames: _lines(log) > frames, 15, "a frame", pause=0.001)
                    await asyncio.sleep(chance.uniform(0.0, 0.02))
            w.running.kill(victim)
            await w.until_setpoint("battery", watts, 25)
            watching = asyncio.create_task(_departures(w, watts))
            await until(lambda watts=watts: _applied(w, watts), 25, f"an applied receipt of {watts} W", pause=0.2)
            await w.running.until_status(lambda told: told["gateway"]["connected"])
            watching.cancel()
            assert watching.done() is False, f"the setpoint of {watts} W was left: {watching.result()}"
            vtn("cancel_event", ven_id=ven_id, event_id=f"E-{number}")
            await w.until_setpoint("battery", None, 20)
        accounted(w)
        complete(w.diary)
        if victim == "gateway":
            states = [one.receipt for one in w.diary.receipts("battery") if str(one.receipt.result) == "unknown"]
            assert states, "no restart was stated"
            assert all(one.read_back_watts is not None for one in states)
        await w.running.stop()
        verdict = await proven(w.box, tmp_path / "kills.wse")
        leaves = {said.index: said.statement.digest for said in w.diary.all()}
        cut = {leaves[index] for index in verdict["devices"]["battery"]["without_receipt"]}
        assert not cut & accepted_commands(w), "what the gateway accepted must have its receipt"
        assert len(cut) <= MOMENTS.count("command")


def _order(vtn: OpenLeadrVtn, ven_id: str, event_id: str, watts: int) -> None:
    wish = {"start": int(time.time()), "duration": 300, "value": watts, "resource_id": "battery-1"}
    vtn("add_event", ven_id=ven_id, event_id=event_id, signal="LOAD_DISPATCH", context=MARKET, **wish)


def _lines(log: Path) -> int:
    with contextlib.suppress(OSError):
        return log.read_bytes().count(b"\n")
    return 0


def _applied(w: World, watts: int) -> bool:
    """Whether the last order of so many watts has been confirmed."""
    confirmed = {one.command for one in w.diary.receipts("battery") if str(one.receipt.result) == "applied"}
    orders = [said.digest for said, order in w.diary.orders("battery") if order.watts == watts]
    return bool(orders) and orders[-1] in confirmed


async def _departures(w: World, watts: int) -> int | None:
    """Ends only when the device is seen to leave its setpoint: its own timer carries it over a restart of ours."""
    while (shown := await w.device("battery").setpoint()) == watts:  # noqa: ASYNC110  it is another process's state
        await asyncio.sleep(0.05)
    return shown
