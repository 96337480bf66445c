"""The gateway's database is lost, or an old copy is put back: nothing moves, nothing is said, the operator is told."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_world import ScriptedCore, VirtualTime, World, hasty, make_site, row_of, simulated
from structlog.testing import capture_logs

from wattseal.bridge.doctor import examine
from wattseal.certs.statement import Kind
from wattseal.drivers.device import Operation
from wattseal.drivers.gateway import opening
from wattseal.drivers.gateway.store import behind
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.testimony import Receipt

SET, RELEASE = Operation.SET_POWER, Operation.RELEASE
BATTERY = ("sunspec_battery", lambda now: BatteryInverter(BatteryOptions(), now))


@pytest.fixture(autouse=True)
def hasty_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "link_settings", hasty(opening.link_settings))


@asynccontextmanager
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with simulated({"battery": BATTERY}, tmp_path) as devices:
        site = make_site(tmp_path / "box-1", [row_of(devices["battery"], sampling=1)])
        time = VirtualTime()
        made = World(site, time, devices, ScriptedCore(site, time))
        await made.start()
        await made.work()
        try:
            yield made
        finally:
            await made.close()


async def holds_all(w: World) -> None:
    """The core holds whatever the gateway has said."""
    w.core.held = (await w.said())[-1].header.chain[0]


def lose(w: World) -> None:
    for name in ("", "-wal", "-shm"):
        w.site.box.gateway_database.with_name(f"gateway.db{name}").unlink(missing_ok=True)


async def told(w: World) -> list[str]:
    found = await asyncio.to_thread(examine, w.site.box.root)
    return [finding.reason for finding in found if finding.bad]


@pytest.mark.parametrize("readings", [0, 20])
async def test_a_gateway_that_lost_its_database_is_silent_and_moves_nothing(tmp_path: Path, readings: int) -> None:
    """Found at the first hail, also where the new chain has meanwhile grown beyond what the core holds."""
    async with world(tmp_path) as w:
        await w.command("battery", SET, 1000)
        await w.command("battery", RELEASE, 0)
        await holds_all(w)
        await w.close()
        lose(w)
        w.open()
        await w.work()
        if readings:
            await w.pass_time(readings)
            assert (await w.said())[-1].header.chain[0] > w.core.held
        before, writes = await w.said(), len(w.devices["battery"].writes())
        with capture_logs() as logs:
            await w.tell(w.core.hail())
        assert [(entry["event"], entry["held"]) for entry in logs] == [("gateway_chain_lost", w.core.held)]
        assert "put the right gateway.db back" in logs[0]["sentence"]
        await w.pass_time(20)
        assert await w.said() == before
        assert behind(w.site.box.gateway_database) == w.core.held
        assert "gateway_chain_lost" in await told(w)
        assert len(w.devices["battery"].writes()) == writes


async def test_even_who_knows_the_epoch_can_order_nothing_but_a_release(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        w.core.held = 10_000
        await w.tell(w.core.hail())
        w.core.epoch, w.core.sequence = w.estate.gate.memory.epoch, 0
        writes = len(w.devices["battery"].writes())
        await w.command("battery", SET, 1000)
        assert len(w.devices["battery"].writes()) == writes
        await w.command("battery", RELEASE, 0)
        receipts = [Receipt.decode(said.body) for said in await w.said() if said.header.kind is Kind.RECEIPT]
        assert [(str(one.result), one.reason) for one in receipts] == [
            ("refused", "gateway_chain_lost"),
            ("applied", "applied"),
        ]


async def test_it_is_not_forgotten_until_the_right_database_is_back(tmp_path: Path) -> None:
    """An old copy, a restart, a core that claims less: it stays. The right file, and all goes on in one chain."""
    async with world(tmp_path) as w:
        database, old, right = w.site.box.gateway_database, tmp_path / "old.db", tmp_path / "right.db"
        await w.close()
        shutil.copy(database, old)
        await w.start()
        await w.pass_time(5)
        await holds_all(w)
        held = w.core.held
        await w.close()
        shutil.copy(database, right)
        shutil.copy(old, database)
        for claimed in (held, held, -1):
            w.open()
            before = await w.said()
            w.core.held = claimed
            await w.tell(w.core.hail())
            assert w.gateway.reception._outlet._sent is None
            assert [said for said in await w.said() if said not in before] == []
            await w.close()
        assert "gateway_chain_lost" in await told(w)
        lose(w)
        shutil.copy(right, database)
        w.core.held = held
        await w.start()
        await w.command("battery", SET, 1000)
        chain = [said.header.chain[0] for said in await w.said()]
        assert chain == list(range(held + 1, held + 1 + len(chain)))
        assert behind(database) is None


async def test_a_gateway_that_was_never_heard_of_begins_its_chain(tmp_path: Path) -> None:
    """Both databases are new: nothing is held, and nothing was lost."""
    async with world(tmp_path) as w:
        assert not w.estate.store.behind
        await w.command("battery", SET, 1000)
        assert len(w.devices["battery"].writes()) > 0
        assert behind(tmp_path / "nothing.db") is None
