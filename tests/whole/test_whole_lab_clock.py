"""A whole lab on one virtual clock, every part a process of its own: an hour passes in seconds, and is said to."""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from box_world import (
    AUDIT,
    WATTSEAL,
    Device,
    Diary,
    RunningBox,
    command_line,
    devices,
    new_box,
    proven,
    site_text,
    until,
)
from lab_world import Lab, lab, present

from wattseal.certs.lab_clock.server import ClockOptions, running_clock
from wattseal.certs.statement import Kind
from wattseal.drivers.testimony import Receipt

pytestmark = pytest.mark.slow

BEGIN, HOLD, WATTS = 1200, 3600, 1500
POLL_SECONDS = 10


async def played(lab: Lab) -> None:
    """An event that begins in twenty minutes and lasts an hour, from its announcement to its end and a minute more."""
    await lab.registered()
    await lab.add_event(WATTS, at_second=BEGIN, duration_seconds=HOLD)
    await lab.clock.advance(BEGIN + HOLD + 60 - lab.seconds)


def applied_at(lab: Lab) -> list[tuple[str, str, float]]:
    """Phase and result of each receipt, and the virtual second of what it tells."""
    told = [Receipt.decode(said.statement.body) for said in Diary(lab.box).of(Kind.RECEIPT)]
    return [(str(one.phase), str(one.result), (one.applied_at_ms or 0) / 1000 - lab.start) for one in told]


async def test_an_event_in_twenty_minutes_that_lasts_an_hour(tmp_path: Path) -> None:
    """The order comes in the second in which the event begins, and is given back in the one in which it ends."""
    async with lab(tmp_path) as world:
        begun = time.monotonic()
        await world.registered()
        await world.add_event(WATTS, at_second=BEGIN, duration_seconds=HOLD)
        await world.clock.advance(BEGIN - 1 - world.seconds)
        assert await world.device.setpoint() is None
        await world.clock.advance(2)
        assert await world.device.setpoint() == WATTS
        status = await world.running.status()
        assert (status["clock"], status["devices"]["battery"]["watts"]) == ("virtual", WATTS)
        code, out, _ = await command_line(WATTSEAL, "status", str(world.box.root))
        assert code == 0
        assert "a lab moves this clock by hand" in out
        code, out, _ = await command_line(WATTSEAL, "doctor", str(world.box.root))
        assert code == 0
        assert "virtual clock" in out

        await world.clock.advance(BEGIN + HOLD - 2 - world.seconds)
        assert await world.device.setpoint() == WATTS
        await world.clock.advance(30)
        assert await world.device.setpoint() is None
        assert time.monotonic() - begun < (BEGIN + HOLD) / 20, "an hour and twenty minutes took too much of a real one"

        receipts = applied_at(world)
        assert [row[:2] for row in receipts if row[0] == "command"] == [("command", "applied")]
        (at,) = [second for phase, _, second in receipts if phase == "command"]
        assert BEGIN <= at < BEGIN + 1
        (over,) = [second for phase, result, second in receipts if (phase, result) == ("revert", "reverted")]
        assert BEGIN + HOLD - 1 <= over < BEGIN + HOLD + 15

        file = tmp_path / "evidence.wse"
        verdict = await proven(world.box, file)
        assert (verdict["virtual_clock"], verdict["lab"], verdict["commands"]) == (True, True, 1)
        root = world.box.pinned_root()
        code, out, _ = await command_line(AUDIT, "verify", str(file), "--root", root)
        assert code == 0
        assert "on a virtual clock: a lab moved its time by hand" in out


async def test_the_devices_own_timer_counts_on_the_same_clock(tmp_path: Path) -> None:
    """SunSpec 704 WSetRvrtTms: once nobody feeds it, the battery falls back when its own timer has run out, to the
    second, and not before.
    """
    async with lab(tmp_path) as world:
        await world.registered()
        await world.add_event(WATTS, at_second=60, duration_seconds=HOLD)
        await world.clock.advance(121)
        points = await world.device.points()
        assert (points["WSet"], points["WSetEna"]) == (WATTS, 1)
        assert await world.running.stop() < 5, "a stop runs in real time, whatever the clock does"
        assert await world.device.setpoint() == WATTS, "a stop writes nothing"
        await until(lambda: len(world.clock.members) == 2, 10, "the box to have left the clock")
        world.clock.expect(2)
        fed = world.device.writes()[-1]
        over = datetime.fromisoformat(fed["t"]).timestamp() - world.start + (fed["words"][-2] << 16 | fed["words"][-1])
        assert over > world.seconds + 1
        await world.clock.advance(over - world.seconds - 0.1)
        assert await world.device.setpoint() == WATTS
        await world.clock.advance(0.2)
        assert await world.device.setpoint() is None


async def test_a_core_that_is_killed_in_mid_event_is_waited_for(tmp_path: Path) -> None:
    """Time stands until all who are expected take part again; the order is the same one before and after."""
    async with lab(tmp_path) as world:
        await world.registered()
        await world.add_event(WATTS, at_second=60, duration_seconds=HOLD)
        await world.clock.advance(121 - world.seconds)
        assert await world.device.setpoint() == WATTS
        killed = world.running.kill("core")
        await until(lambda: "core" not in world.clock.members, 10, "the clock to see that the core is gone")
        await world.clock.advance(600)
        assert world.running.pid("core") != killed
        assert await world.device.setpoint() == WATTS
        assert (await world.running.status())["devices"]["battery"]["watts"] == WATTS


async def test_on_a_clock_that_stands_the_children_end_with_the_supervisor(tmp_path: Path) -> None:
    """Kill -9 of `run` itself: the end of standard input is real, and so is the end that follows from it."""
    async with lab(tmp_path) as world:
        await world.registered()
        assert world.running.process is not None
        world.running.process.kill()
        await until(lambda: len(world.clock.members) == 2, 10, "the end of core and gateway")
        await until(lambda: not world.box.gateway_socket.exists(), 10, "the gateway to have ended in order")


async def test_two_runs_give_the_same_statements_in_the_same_order(tmp_path: Path) -> None:
    """Kind, subject (event ids are drawn by the utility) and second of all that was sealed once the box was known."""
    wall, told = present() + 3600, []
    for name in ("one", "other"):
        async with lab(tmp_path / name, wall=wall, seed=20_261_127) as world:
            await played(world)
            said = [entry.statement.header for entry in Diary(world.box).all()]
            told.append([(header.kind, header.subject.partition(":")[0], header.issued_at - wall) for header in said])
    steady = [[row for row in run if row[2] >= POLL_SECONDS] for run in told]
    assert len(steady[0]) > (BEGIN + HOLD) / 10
    assert steady[0] == steady[1]


def text_of(found: Iterable[Device], url: str, *, lab: bool) -> bytes:
    text = site_text(found, url, lab=lab).decode()
    return text.replace("ven_name =", 'insecure = "a bench of its own"\nven_name =').encode()


async def test_outside_a_lab_and_off_this_machine_it_is_refused(tmp_path: Path) -> None:
    """DESIGN, one event: only in lab mode and on loopback. Plain words, exit 2, nothing started."""
    refusals = (
        ({"lab": False}, "http://127.0.0.1:9/", "lab = true"),
        ({"lab": True}, "http://192.0.2.7/", "192.0.2.7"),
    )
    async with (
        running_clock(tmp_path / "c", ClockOptions(wall=present())) as clock,
        devices(tmp_path / "devices", ("battery",), ()) as found,
    ):
        for number, (mode, url, word) in enumerate(refusals):
            box = new_box(tmp_path / f"box-{number}", text_of(found.values(), url, **mode))
            if not mode["lab"]:
                box.owner.rename(tmp_path / "safe")
            running = RunningBox(box, tmp_path / "run.log")
            code, out, errors = await command_line(
                WATTSEAL, "run", str(running.box.root), "--clock", f"unix:{tmp_path / 'c'}", seconds=30
            )
            assert (code, out) == (2, ""), errors
            assert word in errors
            assert "Traceback" not in errors
        for place, code_wanted in (("unix:" + str(tmp_path / "nobody"), 3), ("tcp://127.0.0.1:1", 2)):
            code, out, errors = await command_line(WATTSEAL, "run", str(box.root), "--clock", place, seconds=30)
            assert (code, out) == (code_wanted, ""), errors
            assert "Traceback" not in errors
        assert clock.members == ()


async def test_the_clock_as_a_program_and_a_word_to_it(tmp_path: Path) -> None:
    """`wattseal simulate clock`: it serves, and with a word it tells the one that serves."""
    socket = tmp_path / "c"
    serving = await asyncio.create_subprocess_exec(
        WATTSEAL, "simulate", "clock", "--socket", str(socket), "--start", "2030-01-01T00:00:00Z", "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    word = (WATTSEAL, "simulate", "clock", "--socket", str(socket))
    try:
        assert serving.stdout is not None
        assert b'"ready": true' in await asyncio.wait_for(serving.stdout.readline(), 30)
        code, out, errors = await command_line(*word, "--advance", "90.5")
        assert (code, errors) == (0, "")
        assert "2030-01-01T00:01:30.500Z" in out
        code, out, errors = await command_line(*word, "--advance", "-1")
        assert (code, out) == (2, "")
        assert "does not go back" in errors
    finally:
        serving.terminate()
        assert await serving.wait() == 0
    code, _, errors = await command_line(*word, "--show")
    assert code == 3
    assert "No lab's clock" in errors
