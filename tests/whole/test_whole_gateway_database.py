"""The gateway's database is deleted under a box: nothing is ordered, the ledger stays whole, the doctor says why."""

import json
import shutil
import time
from pathlib import Path

import pytest
from box_world import MARKET, WATTSEAL, accounted, command_line, complete, proven, until, world
from openleadr_vtn import OpenLeadrVtn

pytestmark = pytest.mark.slow


async def test_a_lost_gateway_database_stops_all_orders_and_is_told(vtn: OpenLeadrVtn, tmp_path: Path) -> None:
    """No order under a chain that begins anew; with the right file back the event that waited is carried out."""
    async with world(tmp_path, vtn.base, chargers=()) as w:
        ven_id = (await until(lambda: vtn("vens"), 15, "registration"))[0]["ven_id"]
        await until(lambda: w.diary.readings("battery"), 15, "a reading")
        await w.running.stop()
        database, kept = w.box.gateway_database, tmp_path / "kept"
        kept.mkdir()
        for file in database.parent.glob("gateway.db*"):
            shutil.move(file, kept / file.name)
        wish = {"start": int(time.time()), "duration": 300, "value": 2000, "resource_id": "battery-1"}
        vtn("add_event", ven_id=ven_id, event_id="E-1", signal="LOAD_DISPATCH", context=MARKET, **wish)
        await w.running.start()
        await w.running.until_status(lambda told: any(one["event"] == "E-1" for one in told["events"]), 20)

        async def said() -> bool:
            _, out, _ = await command_line(WATTSEAL, "doctor", str(w.box.root), "--json")
            return "gateway_chain_lost" in json.dumps(json.loads(out))

        await until(said, 15, "the doctor's word", pause=0.5)
        assert (await w.running.status())["gateway"]["connected"] is False
        assert w.device("battery").writes() == []
        assert w.diary.orders("battery") == []
        complete(w.diary)
        await w.running.stop()
        for file in database.parent.glob("gateway.db*"):
            file.unlink()
        for file in kept.iterdir():
            shutil.move(file, database.parent / file.name)
        await w.running.start()
        await w.until_setpoint("battery", 2000)
        await w.until_result("battery", ("command", "applied", "applied"))
        complete(w.diary)
        accounted(w)
        await proven(w.box, tmp_path / "chain.wse")
