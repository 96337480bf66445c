"""A whole lab on one virtual clock: battery, utility and box, each a process of its own; its hand is here."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from box_world import MARKET, Device, RunningBox, new_box, site_text

from wattseal.bridge import journal
from wattseal.certs.box import Box
from wattseal.certs.lab_clock.server import ClockOptions, ClockServer, running_clock
from wattseal.certs.lab_clock.words import MICROSECONDS
from wattseal.certs.ledger import LEDGER
from wattseal.certs.storage import Store
from wattseal.protocols.openadr20b.vtn.admin_door import AdminClient

TAKING_PART = 4  # battery, utility, gateway, core


@dataclass
class Lab:
    """What runs. `start` is unix time at the clock's start."""

    clock: ClockServer
    device: Device
    running: RunningBox
    admin: AdminClient
    start: int

    @property
    def box(self) -> Box:
        return self.running.box

    @property
    def seconds(self) -> float:
        """Virtual seconds since the clock's start."""
        return self.clock.told.at / MICROSECONDS

    async def registered(self) -> None:
        """Goes on until the VEN is known to the utility."""

        async def known() -> bool:
            return bool(
                any(one["registered"] for one in (await self.admin.ask("list", of="registrations"))["registrations"])
            )

        await self.clock.until(known, 60)

    async def add_event(self, watts: int, *, at_second: int, duration_seconds: int) -> str:
        begin = datetime.fromtimestamp(self.start, UTC) + timedelta(seconds=at_second)
        signal = {
            "name": "LOAD_DISPATCH",
            "type": "setpoint",
            "unit": "W",
            "steps": [{"duration_seconds": duration_seconds, "value": str(watts)}],
        }
        event = {
            "market_context": MARKET,
            "dtstart": begin.isoformat(),
            "duration_seconds": duration_seconds,
            "signals": [signal],
            "target": {"resource_ids": ["battery-1"]},
        }
        return str((await self.admin.ask("add_event", event=event))["event_id"])


@asynccontextmanager
async def lab(
    directory: Path, *, wall: int | None = None, seed: int | None = None, lease: int = 120
) -> AsyncIterator[Lab]:
    """A lab that runs, frozen. `seed` is the draw that the jitter of its polls follows, as in a restored box."""
    directory.mkdir(parents=True, exist_ok=True)
    socket = directory / "clock.sock"
    name = f"unix:{socket}"
    async with running_clock(socket, ClockOptions(wall=wall or present(), expected=TAKING_PART)) as clock:
        device = await Device.start("battery", "battery", directory, "--own-watts", "300", "--clock", name)
        utility, told = await _utility(directory, name)
        text = site_text([device], f"http://127.0.0.1:{told['port']}", lease=lease).decode()
        text = text.replace("sampling_seconds = 1\n", "sampling_seconds = 10\n")
        box = new_box(directory / "box", text.replace("report_seconds = 1\n", "report_seconds = 60\n").encode())
        if seed is not None:
            _draw(box, seed)
        running = RunningBox(box, directory / "run.log", ("--clock", name))
        try:
            await running.start()
            async with AdminClient(told["admin_port"]) as admin:
                yield Lab(clock, device, running, admin, clock.told.wall // MICROSECONDS)
        finally:
            assert await running.stop() < 5
            utility.terminate()
            await utility.wait()
            await device.end()


async def _utility(directory: Path, clock: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wattseal.protocols.openadr20b.vtn.command", "--json", "--poll-seconds", "10",
        "--messages", str(directory / "messages"), "--clock", clock, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    return process, json.loads(await asyncio.wait_for(process.stdout.readline(), 20))


def _draw(box: Box, seed: int) -> None:
    box.core_database.parent.mkdir(parents=True, exist_ok=True)
    with Store.open(box.core_database, (LEDGER, journal.PART)) as store:
        store.commit_now(lambda db: journal.keep_mark(db, "seed:north", seed))


def present() -> int:
    """Now, rounded up to a whole minute: where two labs can begin alike."""
    return (int(time.time()) // 60 + 2) * 60
