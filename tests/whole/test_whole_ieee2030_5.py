"""IEEE 2030.5 over CCM8 on the real clock: box, server, battery; a crash, a silence, and what is proved of it."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from box_world import Device, RunningBox, new_box, proven, until
from csip_lab_world import BATTERY, PIN, Utility, lay_out, site_text, start_utility

from wattseal.certs.device_pki import make_device_pki
from wattseal.certs.identity import describe_file
from wattseal.certs.statement import Kind
from wattseal.drivers.testimony import Reading

pytestmark = pytest.mark.slow

POLL = 2
PEN = f"{40732:08X}"
DEFAULT, FIRST, SECOND = 8000, 5000, 3000
"""Limits on generation in hundredths of percent: the programme's default, and those of two controls."""


class Bench:
    """One box, one battery, one server with a state file, so that it may go and come back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pki = make_device_pki(directory / "pki")
        self.lfdi = describe_file(self.pki.device.certificate).lfdi

    async def start(self) -> "Bench":
        self.battery = await Device.start("battery", "battery", self.directory, *BATTERY)
        self.server = await self._server()
        devices, lfdis = [self.battery], {"battery": self.lfdi}
        text = site_text(
            devices, lfdis, self.server.port, "device", "csip-2018", PIN, 1, self.server.lfdi, listen=False
        )
        self.running = RunningBox(new_box(self.directory / "box", text.encode()), self.directory / "run.log")
        lay_out(self.running.box, self.pki, self.pki.device)
        await self.running.start()
        return self

    async def _server(self, *options: str) -> Utility:
        state = str(self.directory / "utility.json")
        return await start_utility(self.directory, "--state", state, *options, poll=POLL)

    async def server_back(self) -> None:
        self.server = await self._server("--port", str(self.server.port))

    async def end(self) -> None:
        await self.running.stop()
        await self.server.stop()
        await self.battery.end()

    async def asked(self, of: str) -> Any:
        return (await self.server.admin.ask("list", of=of))[of]

    async def limit(self) -> int | None:
        points = await self.battery.points()
        return points["WMaxLimPct"] if points["WMaxLimPctEna"] == 1 else None

    async def until_limit(self, limit: int, seconds: float) -> None:
        async def shown() -> bool:
            return await self.limit() == limit

        await until(shown, seconds, f"a limit of {limit} at the battery")

    async def statuses(self, mrid: str) -> list[int]:
        return [one["status"] for one in await self.asked("responses") if one["subject"] == mrid]

    async def until_statuses(self, mrid: str, wanted: list[int], seconds: float) -> None:
        async def heard() -> bool:
            return await self.statuses(mrid) == wanted

        await until(heard, seconds, f"Responses {wanted}")


async def control(bench: Bench, programme: int, limit: int, start_in: int, duration: int) -> str:
    wish = {"op_mod_max_lim_w": {"value": limit}}
    draft = {"base": wish, "start_in": start_in, "duration": duration, "response_required": 7}
    return str((await bench.server.admin.ask("add_control", program=programme, control=draft))["mrid"])


async def test_a_control_through_crash_and_silence_and_what_is_proved_of_it(tmp_path: Path) -> None:
    """1.5 to 1.7, 1.9: followed, read back, answered 1, 2, 3 once each; schedule, then default, go on alone."""
    bench = await Bench(tmp_path).start()
    try:
        await until(lambda: bench.asked("devices"), 20, "the registration")
        ask = bench.server.admin.ask
        group = (await ask("add_group", members=[bench.lfdi]))["serial"]
        programme = (await ask("add_program", groups=[group]))["serial"]
        default = {"base": {"op_mod_max_lim_w": {"value": DEFAULT}}}
        await ask("set_default", program=programme, default=default)
        await bench.until_limit(DEFAULT, 20)
        first = await control(bench, programme, FIRST, 6, 18)
        second = await control(bench, programme, SECOND, 32, 6)

        await bench.until_limit(FIRST, 20)
        killed = bench.running.kill("core")
        await bench.running.until_status(lambda told: told["gateway"]["connected"], 20)
        assert bench.running.pid("core") != killed
        assert await bench.limit() == FIRST
        await bench.until_statuses(first, [1, 2], 15)
        assert await bench.statuses(second) == [1]
        await until(lambda: _sets(bench), 15, "readings at the server")
        sets = await _sets(bench)

        await bench.server.stop()
        await bench.until_limit(DEFAULT, 30)
        await bench.until_limit(SECOND, 30)
        await bench.until_limit(DEFAULT, 30)

        assert await bench.running.stop() < 5
        await bench.battery.tell(set={"points": {"WMaxLimPctEna": 0}})
        assert await bench.limit() is None
        await bench.running.start()
        await bench.until_limit(DEFAULT, 20)

        await bench.server_back()
        await bench.until_statuses(first, [1, 2, 3], 90)
        await bench.until_statuses(second, [1, 2, 3], 30)
        await asyncio.sleep(3 * POLL)  # a repetition would come with the polls that follow
        assert await bench.statuses(first) == await bench.statuses(second) == [1, 2, 3]
        assert await bench.limit() == DEFAULT

        _rest_on_sealed_readings(bench, [*sets, *await _sets(bench)])
        assert await bench.running.stop() < 5
        verdict = await proven(bench.running.box, tmp_path / "evidence.wse")
        assert verdict["commands"] >= 4
    finally:
        await bench.end()


async def _sets(bench: Bench) -> list[dict[str, Any]]:
    """Every MirrorReadingSet that the server holds, with the mRID of its MirrorMeterReading."""
    return [
        {"meter": meter["mrid"], **one}
        for mirror in await bench.asked("readings")
        for meter in mirror["meters"]
        for one in meter["sets"]
    ]


def _rest_on_sealed_readings(bench: Bench, sets: list[dict[str, Any]]) -> None:
    """The mRID of each set is the digest of its meter, its start, and consecutive sealed readings of the ledger."""
    sealed = [
        (Reading.decode(said.statement.body).to_ms / 1000, said.statement.digest)
        for said in bench.running.diary.of(Kind.READING)
        if Reading.decode(said.statement.body).device == "battery"
    ]
    assert sets
    for one in sets:
        start = one["time_period"]["start"]
        near = [digest for at, digest in sealed if start - 2 <= at <= start + one["time_period"]["duration"] + 2]
        assert one["mrid"][24:] == PEN
        assert one["mrid"] in _possible(one["meter"], start, near), "no sealed readings give this mRID"


def _possible(meter: str, start: int, digests: list[bytes]) -> set[str]:
    head = hashlib.sha256(bytes.fromhex(meter) + start.to_bytes(8, "big", signed=True))
    found = set()
    for begin in range(len(digests)):
        told = head.copy()
        for one in digests[begin:]:
            told.update(one)
            found.add(told.digest()[:12].hex().upper() + PEN)
    return found
