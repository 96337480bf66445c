"""The gateway as a process of its own: socket, keys, locks, refusals to start, kill -9 in mid-event."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_world import (
    POLICY_TEXT,
    ScriptedCore,
    Simulated,
    Site,
    connected,
    inventory_row,
    journalled,
    make_site,
    row_of,
    simulated,
    unjournalled,
)

from wattseal.certs.clock import SystemTime
from wattseal.certs.manifest import read_manifest
from wattseal.certs.statement import Kind, Role, Statement
from wattseal.certs.statement_stream import StatementStream
from wattseal.drivers.commands import Hello
from wattseal.drivers.device import Operation
from wattseal.drivers.gateway.command import main
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.faults import Scope as Hits
from wattseal.drivers.testimony import Receipt

SET, RELEASE = Operation.SET_POWER, Operation.RELEASE
BATTERY = ("sunspec_battery", lambda now: BatteryInverter(BatteryOptions(), now))
NOW = int(SystemTime().wall())


@asynccontextmanager
async def process(site: Site, *arguments: str, stdin: int = asyncio.subprocess.DEVNULL) -> AsyncIterator:
    """A gateway process that has said that it is ready."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wattseal.drivers.gateway.command", str(site.box.root), "--json", *arguments,
        stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        line = await asyncio.wait_for(running.stdout.readline(), 20)
        assert line, (await running.stderr.read()).decode()
        assert json.loads(line) == {"ready": True, "socket": str(site.box.gateway_socket)}
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


def command_line(site: Site) -> tuple[int, str]:
    """Exit code and standard error of a gateway process that does not get as far as being ready."""
    ended = subprocess.run(
        [sys.executable, "-m", "wattseal.drivers.gateway.command", str(site.box.root)],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stderr


class Line:
    """The core's end: sends, and verifies what comes."""

    def __init__(self, site: Site, core: ScriptedCore, stream: StatementStream) -> None:
        self.core = core
        self.stream = stream
        self.manifest = read_manifest(site.box.trust(), site.root, NOW)
        self.receipts: list[Statement] = []  # met on the way to something else: a restart may be told before the hello

    async def send(self, *messages: Statement) -> None:
        for message in messages:
            await self.stream.send(message.raw)

    async def next(self, kind: Kind) -> Statement:
        """The next statement of that kind; the core holds everything on the way."""
        while True:
            raw = await asyncio.wait_for(self.stream.receive(), 10)
            assert raw is not None
            said = self.manifest.admit(raw, NOW)
            number = said.header.chain[0]
            if number <= self.core.held:
                continue
            assert number == self.core.held + 1
            self.core.held = number
            if said.header.kind is kind:
                return said
            if said.header.kind is Kind.RECEIPT:
                self.receipts.append(said)

    async def hail(self) -> Hello:
        nonce = os.urandom(16)
        await self.send(self.core.hail(nonce))
        while True:
            hello = Hello.decode((await self.next(Kind.HELLO)).body)
            if hello.nonce == nonce:
                self.core.learn(hello)
                return hello

    async def receipt(self) -> Receipt:
        said = self.receipts.pop(0) if self.receipts else await self.next(Kind.RECEIPT)
        return Receipt.decode(said.body)


@asynccontextmanager
async def line(site: Site, core: ScriptedCore) -> AsyncIterator[Line]:
    async with connected(site) as stream:
        made = Line(site, core, stream)
        await made.hail()
        yield made


@asynccontextmanager
async def battery(tmp_path: Path) -> AsyncIterator[tuple[Simulated, Site, ScriptedCore]]:
    """A battery that has started up, on the real clock, and a box for it."""
    async with simulated({"battery": BATTERY}, tmp_path, virtual=False) as devices:
        site = make_site(tmp_path / "box-1", [row_of(devices["battery"], sampling=1)], now=NOW)
        yield devices["battery"], site, ScriptedCore(site, SystemTime())


def nobody(tmp_path: Path, **options) -> Site:
    """A box whose device is not there."""
    return make_site(tmp_path / "box-1", [inventory_row("battery", "sunspec_battery", 9)], now=NOW, **options)


async def test_a_command_goes_over_the_socket_and_a_receipt_comes_back(tmp_path: Path) -> None:
    async with battery(tmp_path) as (device, site, core), process(site) as running:
        assert stat.S_IMODE(site.box.gateway_socket.stat().st_mode) == 0o660
        async with line(site, core) as speaker:
            await speaker.next(Kind.READING)
            await speaker.send(*core.bundle(core.order("battery", SET, 2000)))
            receipt = await speaker.receipt()
            assert (str(receipt.result), receipt.read_back_watts) == ("applied", 2000)
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), 5) == 0
        assert not site.box.gateway_socket.exists()
        assert unjournalled(device, journalled(site)) == []
        assert device.run.device.controls.values["WSetEna"] == 1  # an orderly stop writes nothing


@pytest.mark.slow
async def test_kill_9_in_mid_event_and_mid_write_then_a_restart_writes_nothing_twice(tmp_path: Path) -> None:
    """Killed while a write frame is on the wire, killed again in mid-event: the device's own log is the judge."""
    async with battery(tmp_path) as (device, site, core):
        device.run.control.fault(Fault(FaultKind.SLOW, Hits.WRITES, count=1, seconds=1.5))
        async with process(site) as running, line(site, core) as speaker:
            await speaker.next(Kind.READING)
            await speaker.send(*core.bundle(core.order("battery", SET, 2000), lease=60))
            while not device.writes():  # noqa: ASYNC110 - a file tells it, and files ring no bell
                await asyncio.sleep(0.01)
            running.kill()
            await running.wait()
        device.run.control.clear()
        assert len(device.writes()) == 1
        epoch = core.epoch
        async with process(site) as running:
            async with line(site, core) as speaker:
                assert core.epoch != epoch
                assert [str((await speaker.receipt()).result)] == ["unknown"]
                await speaker.send(*core.bundle(core.order("battery", SET, 2500), lease=4))
                results = [str((await speaker.receipt()).result) for _ in range(2)]
                assert results == ["superseded", "applied"]
                command = core.bundle(core.order("battery", SET, 2600), lease=4)
                await speaker.send(*command)
                results = [str((await speaker.receipt()).result) for _ in range(2)]
                assert results == ["superseded", "applied"]
                await asyncio.sleep(1.0)
                await speaker.send(core.renewal([command[-1]], lease=4))
                await asyncio.sleep(1.5)  # past the half of the timer: at least one heartbeat has gone out
            running.kill()
            await running.wait()
        async with process(site), line(site, core) as speaker:
            receipts = [await speaker.receipt() for _ in range(2)]
            assert [(str(one.phase), str(one.result)) for one in receipts] == [
                ("restart", "unknown"),
                ("revert", "reverted"),
            ]
        beats = unjournalled(device, journalled(site))
        assert 1 <= len(beats) <= 3
        assert device.run.device.controls.values["WSetEna"] == 0


async def test_what_was_not_held_comes_again_to_the_next_core(tmp_path: Path) -> None:
    async with battery(tmp_path) as (_, site, core), process(site):
        async with line(site, core) as speaker:
            await speaker.next(Kind.READING)
            await speaker.next(Kind.READING)
            held = core.held
        core.held = held - 2
        async with line(site, core) as speaker:
            assert core.held > held


async def test_junk_on_the_socket_hangs_up_and_a_second_core_is_not_let_in(tmp_path: Path) -> None:
    """One core at a time; broken framing costs the connection, never the process."""
    site = nobody(tmp_path)
    core = ScriptedCore(site, SystemTime())
    async with process(site):
        async with line(site, core), connected(site) as second:
            assert await asyncio.wait_for(second.receive(), 5) is None
        reader, writer = await asyncio.open_unix_connection(site.box.gateway_socket)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        async with line(site, core) as speaker:
            await speaker.stream.send(b"\xd2 not a statement")
            await speaker.hail()


async def test_a_second_gateway_on_the_same_box_is_refused(tmp_path: Path) -> None:
    site = nobody(tmp_path)
    async with process(site):
        code, told = await asyncio.to_thread(command_line, site)
        assert code == 3
        assert "Another gateway runs" in told
        assert site.box.gateway_socket.exists()


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    site = nobody(tmp_path)
    site.box.gateway_socket.parent.mkdir(exist_ok=True)
    site.box.gateway_socket.touch()
    async with process(site), connected(site):
        pass


async def test_it_ends_with_its_parent_and_with_its_standard_input(tmp_path: Path) -> None:
    site = nobody(tmp_path)
    async with process(site, "--parent-pid", str(os.getpid()), stdin=asyncio.subprocess.PIPE) as running:
        running.stdin.close()
        assert await asyncio.wait_for(running.wait(), 5) == 0
    async with process(site, "--parent-pid", "1", stdin=asyncio.subprocess.PIPE) as running:
        assert await asyncio.wait_for(running.wait(), 5) == 0


async def test_it_opens_its_own_key_only(tmp_path: Path) -> None:
    """The other roles' keys may be gone, or unreadable: the gateway never looks at them."""
    site = nobody(tmp_path)
    for role in (Role.INGRESS, Role.CORE, Role.POLICY, Role.ISSUER, Role.LOG):
        site.box.key_file(role).unlink()
    (tmp_path / "box-1" / "root.pem").unlink()
    (tmp_path / "box-1" / "owner.pem").unlink()
    async with process(site):
        pass


@pytest.mark.parametrize(
    ("damage", "code", "word"),
    [
        (lambda site: site.box.policy_file.write_bytes(POLICY_TEXT + b"\n"), 2, "policy_digest_wrong"),
        (lambda site: (site.box.trust_directory / "manifest.cose").write_bytes(b"\xd2"), 3, "cose_malformed"),
        (lambda site: (site.box.trust_directory / "manifest.cose").unlink(), 3, "box_file_missing"),
        (lambda site: (site.box.trust_directory / "root.hex").write_text("00" * 32), 3, "root_unknown"),
        (lambda site: site.box.key_file(Role.GATEWAY).unlink(), 3, "key_unreadable"),
        (lambda site: site.box.key_file(Role.GATEWAY).chmod(0o644), 3, "key_too_open"),
        (
            lambda site: site.box.key_file(Role.GATEWAY).write_bytes(site.box.key_file(Role.CORE).read_bytes()),
            3,
            "key_not_in_manifest",
        ),
    ],
    ids=["policy", "manifest", "no-manifest", "root", "no-key", "open-key", "other-key"],
)
def test_it_refuses_to_start_on_what_was_not_signed(tmp_path: Path, capsys, damage, code: int, word: str) -> None:
    """One plain sentence, the reason code, no traceback."""
    site = nobody(tmp_path)
    damage(site)
    assert main([str(site.box.root)]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert word in told.err
    assert len(told.err.splitlines()) == 1


def test_another_root_on_the_command_line_is_refused(tmp_path: Path, capsys) -> None:
    assert main([str(nobody(tmp_path).box.root), "--root", "11" * 32]) == 3
    assert "root_unknown" in capsys.readouterr().err
