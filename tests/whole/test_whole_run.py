"""`wattseal run`: it ends in time, is alone on its box, refuses beside the owner's keys; status and doctor."""

import asyncio
import functools
import json
import os
import shutil
import signal
import stat
import time
from pathlib import Path

import pytest
from box_world import WATTSEAL, RunningBox, World, command_line, devices, new_box, site_text, until, world
from scripted_vtn import scripted_vtn
from ven_world import dispatch, oadr_event

from wattseal.protocols.openadr20b import common, event

pytestmark = pytest.mark.slow


@functools.cache
def begun() -> int:
    """When the events of a test begin: a moment before the first of them is asked for, and the same for all."""
    return int(time.time()) - 5


@pytest.fixture(autouse=True)
def _begins_anew() -> None:
    begun.cache_clear()


def wish(watts: str) -> event.OadrEvent:
    target = common.Target(resource_ids=("battery-1",))
    return oadr_event("E", start=begun(), duration=900, signals=(dispatch(watts, 900),), target=target)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_a_second_run_is_refused_and_the_first_is_not_disturbed(tmp_path: Path) -> None:
    """One box, one bridge. Sigterm in mid-event writes nothing: the device's own timer carries the order."""
    async with scripted_vtn(wish("1500")) as vtn, world(tmp_path, vtn.base) as w:
        await w.until_setpoint("battery", 1500)
        pids = {name: w.running.pid(name) for name in ("core", "gateway")}
        code, out, errors = await command_line(WATTSEAL, "run", str(w.box.root), "--json", seconds=20)
        assert (code, out) == (3, ""), errors
        assert "already runs" in errors
        assert "Traceback" not in errors
        assert {name: w.running.pid(name) for name in pids} == pids
        told = await w.running.status()
        assert told["gateway"]["connected"] is True
        assert told["devices"]["battery"]["watts"] == 1500
        code, out, errors = await command_line(WATTSEAL, "status", str(w.box.root))
        assert (code, errors) == (0, "")
        assert "1500" in out
        code, out, _ = await command_line(WATTSEAL, "doctor", str(w.box.root), "--json")
        assert code == 0
        assert not any(finding["bad"] for finding in json.loads(out)["findings"])
        for socket in (w.box.local_socket, w.box.gateway_socket):
            assert stat.S_IMODE(socket.stat().st_mode) == 0o660

        frames = len(w.device("battery").writes())
        assert await w.running.stop() < 5
        assert not any(alive(pid) for pid in pids.values())
        assert await w.device("battery").setpoint() == 1500
        assert len(w.device("battery").writes()) == frames
        code, _, errors = await command_line(WATTSEAL, "status", str(w.box.root))
        assert code == 2
        assert "running" in errors
        await w.running.start()
        await w.until_setpoint("battery", 1500)
        assert (await w.running.status())["gateway"]["connected"] in {True, False}


async def test_the_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """Kill -9 of `run` itself leaves no process behind that nobody watches, and the next start finds all free."""
    async with devices(tmp_path / "devices", ("battery",), ()) as found:
        box = new_box(tmp_path / "box", site_text(found.values(), "http://127.0.0.1:9/"))
        running = RunningBox(box, tmp_path / "run.log")
        await running.start()
        pids = [running.pid(name) for name in ("core", "gateway")]
        assert running.process is not None
        os.kill(running.process.pid, signal.SIGKILL)
        await running.process.wait()
        await until(lambda: not any(alive(pid) for pid in pids), 10, "the end of the children")
        await running.start()
        assert await running.stop() < 5


async def test_run_refuses_beside_the_owners_keys_unless_in_a_lab(tmp_path: Path) -> None:
    """The owner's keys are taken away before the box runs: exit 2, with the mend."""
    async with devices(tmp_path / "devices", ("battery",), ()) as found:
        box = new_box(tmp_path / "box", site_text(found.values(), "http://127.0.0.1:9/", lab=False))
        code, out, errors = await command_line(WATTSEAL, "run", str(box.root), "--json", seconds=20)
        assert (code, out) == (2, ""), errors
        assert "owner" in errors
        assert "Traceback" not in errors
        code, out, _ = await command_line(WATTSEAL, "doctor", str(box.root), "--json")
        assert code == 1
        assert "owner_keys_present" in {one["reason"] for one in json.loads(out)["findings"] if one["bad"]}
        shutil.move(box.owner, tmp_path / "safe")
        running = RunningBox(box, tmp_path / "run.log")
        await running.start()
        assert await running.stop() < 5


async def test_run_refuses_a_site_file_that_was_not_signed(tmp_path: Path) -> None:
    """The site file can only narrow what was signed: any other text is exit 2, with the mend."""
    async with devices(tmp_path / "devices", ("battery",), ()) as found:
        box = new_box(tmp_path / "box", site_text(found.values(), "http://127.0.0.1:9/"))
        text = box.site_file.read_text()
        for changed in (
            text.replace("max_watts = 5000", "max_watts = 9000"),
            text.replace("[site]", "[site"),
            text * 2,
        ):
            box.site_file.write_text(changed)
            code, out, errors = await command_line(WATTSEAL, "run", str(box.root), "--json", seconds=20)
            assert (code, out) == (2, ""), errors
            assert "Traceback" not in errors
            assert "site.toml" in errors


async def test_the_local_door_survives_what_is_no_question(tmp_path: Path) -> None:
    """Junk at the local socket is answered with a word or hung up on; the core goes on."""
    async with scripted_vtn(wish("1500")) as vtn, world(tmp_path, vtn.base) as w:
        for line in (b"\n", b"junk\n", b'{"ask":["status"]}\n', b'{"ask":"stop"}\n', b"\xff\xfe\n", b"x" * 100_000):
            reader, writer = await asyncio.open_unix_connection(w.box.local_socket)
            writer.write(line)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 15)
            assert answer == b"" or "error" in json.loads(answer)
            writer.close()
        assert (await w.running.status())["site"] == "whole"
        await _still_works(w)


async def _still_works(w: World) -> None:
    await w.until_setpoint("battery", 1500)
