"""A whole box with real processes: simulators, `wattseal run`, and what each of them wrote down about itself.

Nothing here judges by the bridge's own word alone: a device's truth comes from its control door and its write log, the
utility's from the utility, and the box's from the sealed statements in its ledger and the separate verifier.
"""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wattseal.bridge.core.core import Core
from wattseal.bridge.core.core import Estate as CoreEstate
from wattseal.bridge.core.local_api import ask
from wattseal.bridge.core.opening import open_estate as open_core
from wattseal.bridge.core.process import running_core
from wattseal.bridge.making import make_box, sign_manifest
from wattseal.certs import cose, ledger, statement
from wattseal.certs.box import Box
from wattseal.certs.clock import TimeSource
from wattseal.certs.errors import WattsealError
from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.commands import Command, Order
from wattseal.drivers.gateway import rows
from wattseal.drivers.gateway.opening import Estate as GatewayEstate
from wattseal.drivers.gateway.opening import open_estate as open_gateway
from wattseal.drivers.gateway.process import Gateway
from wattseal.drivers.gateway.rows import StepState
from wattseal.drivers.simulators.control import ControlClient
from wattseal.drivers.testimony import Gap, Phase, Reading, Receipt
from wattseal.protocols.ingress import Ingress

MARKET = "http://utility.example/dispatch"
OWN_WATTS = 300
SAFE_WATTS = 4140  # 6 A on three phases of 230 V
WATTSEAL = str(Path(sys.executable).with_name("wattseal"))
AUDIT = str(Path(sys.executable).with_name("wattseal-audit"))

_HEAD = """\
[site]
name = "whole"
lab = {lab}
inject_limit_watts = 50000
absorb_limit_watts = 60000
lease_seconds = {lease}
"""
_BATTERY = """
[[device]]
name = "{name}"
profile = "sunspec_battery"
link = "simulator"
address = "tcp://127.0.0.1:{port}"
sampling_seconds = 1
tolerance_watts = 50
[device.envelope]
min_watts = -5000
max_watts = 5000
soc_floor_percent = 10
soc_ceiling_percent = 100
"""
_CHARGER = """
[[device]]
name = "{name}"
profile = "alfen_eve"
link = "simulator"
address = "tcp://127.0.0.1:{port}"
sampling_seconds = 1
tolerance_watts = 250
[device.levels]
level_1 = {{ operation = "limit_absorb", watts = 7400 }}
level_2 = {{ operation = "limit_absorb", watts = 5600 }}
[device.envelope]
min_watts = -22000
max_watts = 0
"""
_UTILITY = """
[[utility]]
name = "north"
dialect = "openadr-2.0b"
url = "{url}"
ven_name = "whole"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = 9000
poll_seconds_least = 1
report_seconds = 1
[[utility.market_context]]
uri = "http://utility.example/dispatch"
programme = "dispatch"
dispatch_sign = "generation"
[utility.resources]
"""


@dataclass
class Device:
    """A simulator in its own process."""

    name: str
    kind: str
    log: Path
    process: asyncio.subprocess.Process
    port: int
    door: int

    @classmethod
    async def start(cls, name: str, kind: str, directory: Path, *options: str) -> "Device":
        log = directory / f"{name}.jsonl"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "wattseal.drivers.simulators.command", kind, "--port", "0", "--control-port", "0",
            "--write-log", str(log), "--json", *options, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        told = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        return cls(name, kind, log, process, told["port"], told["control_port"])

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()

    async def tell(self, **request: Any) -> dict[str, Any]:
        async with ControlClient(self.door) as control:
            return dict(await control.send(**request))

    async def state(self) -> dict[str, Any]:
        return dict((await self.tell(state=True))["state"])

    async def points(self) -> dict[str, Any]:
        """The battery's own control registers, by SunSpec name."""
        return dict((await self.state())["points"])

    def writes(self) -> list[dict[str, Any]]:
        """Every write frame that reached the device, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    async def setpoint(self) -> int | None:
        """What the battery is commanded to (generator's sign), None where no setpoint is in force."""
        points = await self.points()
        return points["WSet"] if points["WSetEna"] == 1 else None


@dataclass(frozen=True)
class Said:
    """One leaf of the ledger."""

    index: int
    statement: Statement

    @property
    def kind(self) -> Kind:
        return self.statement.header.kind


@dataclass(frozen=True)
class Receipted:
    """A receipt with the command it is about."""

    receipt: Receipt
    command: bytes
    index: int


class Diary:
    """The ledger of a box, read beside the running box; nothing is written."""

    def __init__(self, box: Box) -> None:
        self._path = box.core_database

    def all(self) -> list[Said]:
        with contextlib.closing(_reading(self._path)) as db:
            entries = ledger.entries(db, 0, 1 << 40)
        return [Said(entry.index, statement.read(cose.take_apart(entry.sealed))) for entry in entries]

    def of(self, kind: Kind) -> list[Said]:
        with contextlib.closing(_reading(self._path)) as db:
            entries = ledger.entries_of_kind(db, kind)
        return [Said(entry.index, statement.read(cose.take_apart(entry.sealed))) for entry in entries]

    def content(self, digest: bytes) -> bytes | None:
        with contextlib.closing(_reading(self._path)) as db:
            return ledger.content(db, digest)

    def receipts(self, device: str) -> list[Receipted]:
        every = [(said, Receipt.decode(said.statement.body)) for said in self.of(Kind.RECEIPT)]
        return [
            Receipted(body, said.statement.header.parents[0], said.index)
            for said, body in every
            if body.device == device
        ]

    def results(self, device: str) -> list[tuple[str, str, str]]:
        """Phase, result and reason of each receipt of the device."""
        return [(str(r.receipt.phase), str(r.receipt.result), r.receipt.reason) for r in self.receipts(device)]

    def orders(self, device: str) -> list[tuple[Statement, Order]]:
        every = [(said.statement, order_of(said.statement)) for said in self.of(Kind.COMMAND)]
        return [(said, order) for said, order in every if order.device == device]

    def ingresses(self) -> list[tuple[Ingress, bytes | None]]:
        """Each ingress, with the raw bytes that were kept for it."""
        return [
            (Ingress.decode(said.statement.body), self.content(said.statement.header.contents[0]))
            for said in self.of(Kind.INGRESS)
        ]

    def readings(self, device: str) -> list[Reading]:
        every = (Reading.decode(said.statement.body) for said in self.of(Kind.READING))
        return [reading for reading in every if reading.device == device]

    def gaps(self) -> list[Gap]:
        return [Gap.decode(said.statement.body) for said in self.of(Kind.GAP)]


def order_of(command: Statement) -> Order:
    return Order.decode(Command.decode(command.body).order)


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)


@dataclass
class RunningBox:
    """`wattseal run` on a box, and what can be done to its processes."""

    box: Box
    errors: Path
    options: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = None
    kills: list[float] = field(default_factory=list)

    @property
    def diary(self) -> Diary:
        return Diary(self.box)

    async def start(self) -> None:
        with self.errors.open("ab") as errors:
            self.process = await asyncio.create_subprocess_exec(
                WATTSEAL, "run", str(self.box.root), "--json", *self.options,
                stdout=asyncio.subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        assert line, self.errors.read_text()[-3000:]
        assert json.loads(line)["ready"] is True

    async def stop(self) -> float:
        """SIGTERM; the seconds until the end."""
        if self.process is None or self.process.returncode is not None:
            return 0.0
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), 20)
        except TimeoutError:
            for name in ("core", "gateway"):
                with contextlib.suppress(ProcessLookupError, AssertionError):
                    os.kill(self.pid(name), signal.SIGKILL)
            self.process.kill()
            raise
        return time.monotonic() - begun

    def pid(self, name: str) -> int:
        """The process id of `core` or `gateway`: the child of ours that runs that module."""
        module = {"core": "wattseal.bridge.core.process", "gateway": "wattseal.drivers.gateway.command"}[name]
        assert self.process is not None
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                parent = int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (place / "cmdline").read_bytes().split(b"\0")
                if parent == self.process.pid and module.encode() in words:
                    return int(place.name)
        raise AssertionError(f"no {name} process runs")

    def kill(self, name: str) -> int:
        """Ends a process as `kill -9` does; its id."""
        pid = self.pid(name)
        if name == "gateway":
            self.kills.append(time.time())
        os.kill(pid, signal.SIGKILL)
        return pid

    async def status(self) -> dict[str, Any]:
        return dict(await ask(self.box.local_socket, "status"))

    async def until_status(self, found: Callable[[dict[str, Any]], object], seconds: float = 15.0) -> dict[str, Any]:
        """Asks until the answer is `found`; a core that is being restarted is waited for."""

        async def look() -> dict[str, Any] | None:
            try:
                told = await self.status()
            except WattsealError:
                return None
            return told if found(told) else None

        return await until(look, seconds, "the status asked for")


async def until(found: Callable[[], Awaitable[Any] | Any], seconds: float, what: str, *, pause: float = 0.05) -> Any:
    """Asks `found` until it gives something; processes of their own keep their own time, so there is none to move."""
    end = time.monotonic() + seconds
    while True:
        answer = found()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(pause)


@dataclass
class World:
    """A box, its devices by name, and where its files lie."""

    directory: Path
    devices: dict[str, Device]
    running: RunningBox
    url: str

    @property
    def box(self) -> Box:
        return self.running.box

    @property
    def diary(self) -> Diary:
        return self.running.diary

    def device(self, name: str) -> Device:
        return self.devices[name]

    async def until_result(
        self,
        device: str,
        wanted: tuple[str, str, str],
        seconds: float = 15.0,
        *,
        after: int = 0,
        watts: int | None = None,
    ) -> Receipted:
        """The first receipt of the device after leaf `after` with that phase, result and reason."""

        def look() -> Receipted | None:
            for one in self.diary.receipts(device):
                told = (str(one.receipt.phase), str(one.receipt.result), one.receipt.reason)
                if one.index >= after and told == wanted and (watts is None or one.receipt.asked_watts == watts):
                    return one
            return None

        try:
            return await until(look, seconds, f"{wanted} of {device}", pause=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; there were {self.diary.results(device)}") from None

    async def until_setpoint(self, name: str, watts: int | None, seconds: float = 15.0) -> None:
        async def look() -> bool:
            return await self.device(name).setpoint() == watts

        await until(look, seconds, f"setpoint {watts} at {name}")


@asynccontextmanager
async def devices(
    directory: Path, batteries: Sequence[str], chargers: Sequence[str]
) -> AsyncIterator[dict[str, Device]]:
    """Simulators, each in its own process."""
    directory.mkdir(parents=True, exist_ok=True)
    battery = ("--own-watts", str(OWN_WATTS))
    async with AsyncExitStack() as stack:
        starting = [Device.start(name, "battery", directory, *battery) for name in batteries]
        starting += [Device.start(name, "ev-charger", directory, "--station-amperes", "32") for name in chargers]
        found = await asyncio.gather(*starting)
        for device in found:
            stack.push_async_callback(device.end)
        yield {device.name: device for device in found}


def site_text(found: Iterable[Device], url: str, *, lease: int = 60, lab: bool = True) -> bytes:
    text = _HEAD.format(lease=lease, lab=str(lab).lower())
    utility = _UTILITY.format(url=url)
    for device in found:
        table = _BATTERY if device.kind == "battery" else _CHARGER
        text += table.format(name=device.name, port=device.port)
        utility += f'{device.name}-1 = "{device.name}"\n'
    return (text + utility).encode()


def new_box(directory: Path, text: bytes) -> Box:
    now = int(time.time())
    make_box(directory, now=now, site_text=text)
    sign_manifest(directory, now=now)
    return Box(directory)


@asynccontextmanager
async def world(
    directory: Path,
    url: str,
    *,
    batteries: Sequence[str] = ("battery",),
    chargers: Sequence[str] = ("charger",),
    lease: int = 60,
) -> AsyncIterator[World]:
    """A box that runs. It is ended by SIGTERM, which must take less than five seconds."""
    async with devices(directory / "devices", batteries, chargers) as found:
        box = new_box(directory / "box", site_text(found.values(), url, lease=lease))
        running = RunningBox(box, directory / "run.log")
        await running.start()
        try:
            yield World(directory, found, running, url)
        finally:
            assert await running.stop() < 5


# ---- judges ------------------------------------------------------------------------------------------------------


async def command_line(*words: str, seconds: float = 60) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a program."""
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def proven(box: Box, file: Path) -> dict[str, Any]:
    """Exports evidence, has the separate verifier prove it, and re-executes it; the verifier's verdict."""
    code, _, errors = await command_line(WATTSEAL, "evidence", "export", str(box.root), "-o", str(file))
    assert code == 0, errors
    code, out, errors = await command_line(AUDIT, "verify", str(file), "--root", box.pinned_root(), "--json")
    assert code == 0, out + errors
    verdict: dict[str, Any] = json.loads(out)
    assert verdict["verdict"] == "proven"
    code, out, errors = await command_line(WATTSEAL, "replay", str(file), "--json")
    replayed = json.loads(out)
    assert (code, replayed["differences"]) == (0, []), out + errors
    assert replayed["compared"]["command"] == verdict["commands"]
    return verdict


def complete(diary: Diary) -> None:
    """Every statement that the gateway numbered stands in the ledger, once, in its order."""
    numbers = [said.statement.header.chain[0] for said in diary.all() if said.statement.header.chain is not None]
    assert numbers == list(range(len(numbers)))


def accounted(world: World) -> dict[str, int]:
    """Holds every write frame in the devices' own logs against the gateway's journal; heartbeats by device.

    A frame is one journalled step of one accepted command, or a heartbeat: the frame of the command in force once
    more, with at most another time in it, after a good part of the device's timer, and never by a gateway that was
    started after that command. A step that the journal calls done is in the device's log; none is there twice.
    """
    with contextlib.closing(_reading(world.box.gateway_database)) as db:
        steps = rows.all_steps(db)
        owners = {bytes(row[0]): row[1] for row in db.execute("SELECT digest, device FROM command")}
    sealed = {said.statement.digest for said in world.diary.of(Kind.COMMAND)}
    assert set(owners) <= sealed, "the gateway accepted a command that the core does not hold"
    return {
        name: _accounted_on(device, [step for step in steps if owners[step.command] == name], world.running.kills)
        for name, device in world.devices.items()
    }


def accepted_commands(world: World) -> set[bytes]:
    """The commands that the gateway's own journal holds; any other one died on the way to it."""
    with contextlib.closing(_reading(world.box.gateway_database)) as db:
        return {bytes(row[0]) for row in db.execute("SELECT digest FROM command")}


def _accounted_on(device: Device, steps: Sequence[rows.StepRow], kills: Sequence[float]) -> int:
    waiting = list(steps)
    frames = device.writes()
    in_force: tuple[rows.StepRow, float] | None = None
    fed_at: dict[int, float] = {}
    heartbeats = 0
    for frame in frames:
        at, key = _unix(frame["t"]), (frame["unit"], frame["address"], tuple(frame["words"]))
        same = [one for one in waiting if (one.unit, one.address, one.words) == key]
        step = min(same, key=lambda one: _KNOWN[one.state], default=None)
        fed = in_force is not None and not any(in_force[1] < kill < at for kill in kills)
        beat = fed and in_force is not None and _is_beat(frame, in_force[0], fed_at)
        if step is not None and not (beat and step.state is StepState.PLANNED):
            waiting.remove(step)
            if step.number == 0:
                in_force = (step, at) if step.phase is Phase.COMMAND else None
        else:
            assert beat, f"{device.name}: no journalled step wrote this, and no gateway may have fed it: {frame}"
            heartbeats += 1
        fed_at[frame["address"]] = at
    left = [one for one in waiting if one.state is StepState.DONE]
    assert not left, f"{device.name}: the journal calls done what never arrived: {left}"
    return heartbeats


# Which of several equal steps a frame was: one of which the journal knows more.
_KNOWN = {StepState.DONE: 0, StepState.SENT: 1, StepState.FAILED: 2, StepState.PLANNED: 3}


def _is_beat(frame: dict[str, Any], step: rows.StepRow, fed_at: dict[int, float]) -> bool:
    """The same frame again, a good while later; on the battery its last two words are the time."""
    words, timed = tuple(frame["words"]), 2 if len(step.words) > 2 else 0
    same = (frame["unit"], frame["address"]) == (step.unit, step.address) and len(words) == len(step.words)
    if not same or words[: len(words) - timed] != step.words[: len(words) - timed]:
        return False
    seconds = (words[-2] << 16 | words[-1]) if timed else 50
    return _unix(frame["t"]) - fed_at.get(step.address, 0.0) >= min(2.0, seconds * 0.3)


def _unix(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


# ---- a box in this process, where clock and disk are ours to spoil -----------------------------------------------


class SteppedTime:
    """The machine's clocks, and a step in the wall clock that a test may change at any time."""

    def __init__(self, step_seconds: float = 0.0) -> None:
        self.step_seconds = step_seconds

    def wall(self) -> float:
        return time.time() + self.step_seconds

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class Parts:
    """Core and gateway as running objects."""

    core: Core
    gateway: Gateway
    core_estate: CoreEstate
    gateway_estate: GatewayEstate


@asynccontextmanager
async def parts(
    box: Box,
    source: TimeSource,
    *,
    core_pages: int | None = None,
    gateway_pages: int | None = None,
    gateway_reserve: int = 1 << 18,
) -> AsyncIterator[Parts]:
    """Core and gateway in this process, with the socket between them and all tasks of both."""
    gateway_estate = open_gateway(box.root, None, source, reserve_bytes=gateway_reserve, max_pages=gateway_pages)
    stopped, ready = asyncio.Event(), asyncio.Event()
    gateway = Gateway(gateway_estate)
    running = asyncio.create_task(gateway.run(lambda _path: ready.set(), stopped))
    try:
        await asyncio.wait_for(ready.wait(), 10)
        core_estate = open_core(box, source, max_pages=core_pages)
        try:
            core = Core(core_estate)
            async with running_core(box, core_estate, core):
                yield Parts(core, gateway, core_estate, gateway_estate)
        finally:
            core_estate.store.close()
    finally:
        stopped.set()
        await asyncio.wait_for(running, 10)
        gateway_estate.store.close()


class OtherTenant:
    """Somebody else on the same disk: takes room in a database until nothing is left, and gives it back."""

    def __init__(self, path: Path, pages: int) -> None:
        self._path = path
        self._pages = pages

    def fill(self) -> None:
        """Takes every page up to the cap."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as db:
            db.execute("CREATE TABLE IF NOT EXISTS other_tenant(stuff BLOB)")
            (count,) = db.execute("PRAGMA page_count").fetchone()
            (free,) = db.execute("PRAGMA freelist_count").fetchone()
            left = max(0, self._pages - count) + free
            if left > 2:
                db.execute("INSERT INTO other_tenant VALUES(zeroblob(?))", ((left - 2) * 4086,))
            db.commit()

    def leave(self) -> None:
        """Gives all of it back."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as db:
            db.execute("DELETE FROM other_tenant")
            db.commit()
