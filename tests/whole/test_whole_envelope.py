"""The safety envelope in mid-event: a battery that reaches its floor of charge stops at once, and stays stopped."""

import asyncio
import time
from pathlib import Path

import pytest
from box_world import MARKET, accounted, complete, proven, until, world
from openleadr_vtn import OpenLeadrVtn

pytestmark = pytest.mark.slow


async def test_a_battery_at_its_floor_stops_and_does_not_swing(vtn: OpenLeadrVtn, tmp_path: Path) -> None:
    """Reverted with the rule as reason; the core orders the same again, which is held at 0 W as long as it is empty."""
    async with world(tmp_path, vtn.base, chargers=(), lease=15) as w:
        ven_id = (await until(lambda: vtn("vens"), 15, "registration"))[0]["ven_id"]
        wish = {"start": int(time.time()), "duration": 300, "value": 2000, "resource_id": "battery-1"}
        vtn("add_event", ven_id=ven_id, event_id="E-1", signal="LOAD_DISPATCH", context=MARKET, **wish)
        await w.until_setpoint("battery", 2000)
        await w.until_result("battery", ("command", "applied", "applied"))
        await w.device("battery").tell(set={"soc_percent": 9.0})  # its floor is 10
        await w.until_result("battery", ("revert", "reverted", "envelope_soc_floor"), 10)
        held = await w.until_result("battery", ("command", "clamped", "envelope_soc_floor"), 10)
        assert held.receipt.clamped_watts == 0
        await w.until_result("battery", ("effect", "clamped", "applied"), 20, after=held.index)
        end = time.monotonic() + 18  # longer than a lease: renewals, heartbeats, and the same order asked for again
        while time.monotonic() < end:
            assert await w.device("battery").setpoint() == 0
            await asyncio.sleep(0.1)
        assert {order.watts for _, order in w.diary.orders("battery")} == {2000}
        told = w.diary.results("battery")
        assert [one for one in told if one[0] == "revert"] == [("revert", "reverted", "envelope_soc_floor")]
        commands = [one[1:] for one in told if one[0] == "command"]
        assert commands[0] == ("applied", "applied")
        assert set(commands[1:]) == {("clamped", "envelope_soc_floor")}
        assert len(commands) <= 4  # asked again ever more rarely
        vtn("cancel_event", ven_id=ven_id, event_id="E-1")
        await w.until_setpoint("battery", None)
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "floor.wse")
