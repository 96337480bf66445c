"""A whole small world around a gateway: throw-away keys, a signed box, simulated devices, and a core that is scripted.

Everything is real but the utility: keys, seals, manifest, policy, sockets, register maps. Time is ours: `VirtualTime`
is the gateway's, and the simulators' virtual clocks move with it. The core can speak in process (`World.tell`) or on
the unix socket (`connected`).
"""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import wattseal.drivers.gate
from wattseal.certs import cbor, manifest, statement
from wattseal.certs.box import Box
from wattseal.certs.clock import TimeSource
from wattseal.certs.keys import Algorithm, Signer, create_key
from wattseal.certs.manifest import RoleKey
from wattseal.certs.policy import Name, Policy
from wattseal.certs.statement import ROLE_OF, Header, Kind, Role, Statement
from wattseal.certs.statement_stream import StatementStream, open_stream
from wattseal.drivers.authorisation import question_of
from wattseal.drivers.commands import Command, Function, Hail, Hello, Operation, Order, Renewal, Value
from wattseal.drivers.gateway import rows
from wattseal.drivers.gateway.opening import Estate, open_estate
from wattseal.drivers.gateway.process import Gateway
from wattseal.drivers.manifest_sections import (
    DeviceEnvelope,
    Enrolment,
    EnrolmentKind,
    InventoryRow,
    LinkKind,
    Sections,
    SiteEnvelope,
    policy_entities,
)
from wattseal.drivers.modbus.link import LinkSettings
from wattseal.drivers.operations import FUNCTION_OF, unit_of
from wattseal.drivers.profiles import canonical
from wattseal.drivers.profiles.catalogue import profile_named
from wattseal.drivers.profiles.interpreter import ProfiledDevice
from wattseal.drivers.simulators.clock import SystemClock, VirtualClock
from wattseal.drivers.simulators.running import RunningDevice, running_device
from wattseal.drivers.testimony import Gap, Reading, Receipt

SITE, GATEWAY, UTILITY, PROGRAMME = "site-1", "gw-1", "grid", "dispatch"
START = 1_800_000_000
POLICY_TEXT = Path(wattseal.drivers.gate.__file__).with_name("default_policy.cedar").read_bytes()
ROLES = (Role.INGRESS, Role.CORE, Role.POLICY, Role.ISSUER, Role.GATEWAY, Role.LOG)


class VirtualTime:
    """A wall clock and a monotonic clock that stand still until somebody moves them; the wall may be stepped alone."""

    def __init__(self, wall: float = START) -> None:
        self._wall = wall
        self._monotonic = 1000.0

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._wall += seconds
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """The wall clock is set by somebody; nothing else passes."""
        self._wall += seconds


@dataclass(frozen=True)
class Site:
    """A box that was made and signed, and the keys of all who run it."""

    box: Box
    root: str
    signers: dict[Role, Signer]
    sections: Sections
    policy: Policy
    manifest_policy_digest: bytes


def inventory_row(device: str, profile: str, port: int, *, identity: str = "", sampling: int = 5) -> InventoryRow:
    """A simulated device of the inventory."""
    known = profile_named(profile)
    return InventoryRow(
        device,
        LinkKind.SIMULATOR,
        f"tcp://127.0.0.1:{port}",
        known.transport.unit,
        profile,
        canonical.digest(known),
        identity,
        sampling,
    )


def make_site(
    directory: Path,
    inventory: Sequence[InventoryRow],
    *,
    now: int = START,
    expires_at: int | None = None,
    policy_text: bytes = POLICY_TEXT,
    version: int = 1,
    envelope: SiteEnvelope | None = None,
) -> Site:
    """Make keys, sign a manifest and lay out a box in `directory`, as the owner would."""
    box = Box(directory)
    box.make_directories()
    keys = box.key_file(Role.GATEWAY).parent
    signers = {role: _key(keys / f"{role}.pem") for role in ROLES}
    root, owner = _key(directory / "root.pem"), _key(directory / "owner.pem")
    sections = Sections(
        tuple(inventory),
        (
            Enrolment(
                UTILITY,
                EnrolmentKind.OPENADR_2_0B,
                "AA:BB",
                (PROGRAMME,),
                tuple(row.device for row in inventory),
                tuple(operation for operation in Operation if operation is not Operation.RELEASE),
                20_000,
            ),
        ),
        envelope
        or SiteEnvelope(
            tuple(DeviceEnvelope(row.device, -11_000, 10_000, 0, 0, 0, 0, 1000) for row in inventory), 30_000, 30_000
        ),
    )
    root_record = manifest.root_record_of(1, [root.public])
    mandate = manifest.mandate_of(root, root_record, owner.public, issued_at=now - 100, expires_at=now + 10**9)
    sealed = manifest.manifest_of(
        owner,
        mandates=[mandate],
        version=version,
        issued_at=now - 50,
        expires_at=now + 10**8 if expires_at is None else expires_at,
        site=SITE,
        gateway=GATEWAY,
        keys=[RoleKey(role, signer.public, now - 100, now + 10**9) for role, signer in signers.items()],
        policy_digest=hashlib.sha256(POLICY_TEXT).digest(),
        sections=sections.encode(),
        lab=True,
    )
    trust = box.trust_directory
    (trust / "root.cbor").write_bytes(root_record)
    (trust / "mandate-1.cose").write_bytes(mandate)
    (trust / "manifest.cose").write_bytes(sealed)
    (trust / "root.hex").write_text(manifest.root_of(root_record))
    box.policy_file.write_bytes(policy_text)
    policy = Policy(POLICY_TEXT, policy_entities(sections.enrolments, sections.inventory))
    return Site(box, manifest.root_of(root_record), signers, sections, policy, policy.digest)


def _key(path: Path) -> Signer:
    if path.exists():
        path.unlink()
    return create_key(f"file:{path}", Algorithm.ESP256)


class ScriptedCore:
    """Seals what the core's roles would seal. Every order is a fresh event of the one utility."""

    def __init__(self, site: Site, time: TimeSource) -> None:
        self.site = site
        self.time = time
        self.epoch = bytes(16)
        self.sequence = 0
        self.held = -1

    @property
    def now(self) -> int:
        return int(self.time.wall())

    def seal(self, kind: Kind, body: bytes, parents: Iterable[bytes] = (), **changes: Any) -> Statement:
        """A statement by the role that may say it."""
        fields: dict[str, Any] = {"subject": SITE, "issued_at": self.now, "parents": tuple(parents)}
        if kind in {Kind.COMMAND, Kind.RENEWAL, Kind.HAIL}:
            fields |= {"audience": GATEWAY, "expires_at": self.now + 60}
        return statement.seal(self.site.signers[ROLE_OF[kind]], Header(kind, SITE, **(fields | changes)), body)

    def order(self, device: str, operation: Operation, value: Value, *, hold: int = 600, **changes: Any) -> Order:
        row = self.site.sections.device(device)
        assert row is not None
        release = operation is Operation.RELEASE
        function = FUNCTION_OF.get(operation, changes.get("released", Function.POWER))
        unit, scale = unit_of(operation, function)
        fields: dict[str, Any] = {
            "device": device,
            "operation": operation,
            "value": value,
            "unit": unit,
            "scale": scale,
            "not_before": self.now,
            "hold_seconds": 0 if release else hold,
            "revert_to": (Operation.RELEASE, 0),
            "tolerance": 50 if function is Function.POWER else 0,
            "profile_digest": row.profile_digest,
        }
        return Order(**(fields | changes))

    def bundle(self, order: Order, *, lease: int = 300, **changes: Any) -> tuple[Statement, ...]:
        """Ingress, intent, facts, decision and, last, the command."""
        release = order.operation is Operation.RELEASE
        principal = Name("Site", SITE) if release else Name("Utility", UTILITY)
        ingress = self.seal(Kind.INGRESS, cbor.encode({1: "poll"}))
        intent = self.seal(Kind.INTENT, cbor.encode({1: "event"}), [ingress.digest])
        facts = self.seal(Kind.FACTS, cbor.encode({1: "run"}), [intent.digest])
        question = question_of(
            order,
            principal,
            programme="" if release else PROGRAMME,
            test=False,
            clock_trusted=True,
            storage_low=False,
            raises_power=not release,
        )
        verdict = replace(question.put_to(self.site.policy), allowed=True)
        decision = question.decision(verdict, order.encode(), self.site.manifest_policy_digest)
        decided = self.seal(Kind.DECISION, decision.encode(), [facts.digest])
        self.sequence += 1
        body = Command(order.encode(), self.epoch, self.sequence, lease)
        command = self.seal(Kind.COMMAND, body.encode(), [decided.digest], **changes)
        return ingress, intent, facts, decided, command

    def renewal(self, commands: Sequence[Statement], *, lease: int = 300) -> Statement:
        self.sequence += 1
        body = Renewal(self.epoch, self.sequence, lease, self.held)
        return self.seal(Kind.RENEWAL, body.encode(), [command.digest for command in commands])

    def hail(self, nonce: bytes = bytes(16)) -> Statement:
        return self.seal(Kind.HAIL, Hail(nonce, self.held).encode())

    def learn(self, hello: Hello) -> None:
        self.epoch, self.sequence = hello.epoch, hello.sequence


@dataclass
class Simulated:
    """One simulated device, its write log, and its name in the inventory."""

    name: str
    run: RunningDevice[Any]
    log: Path
    profile: str

    def writes(self) -> list[dict[str, Any]]:
        """Every write frame that reached the device."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@dataclass
class World:
    """A gateway in this process, its devices, its core and its time."""

    site: Site
    time: VirtualTime
    devices: dict[str, Simulated]
    core: ScriptedCore
    estate: Estate = field(init=False)
    gateway: Gateway = field(init=False)
    max_pages: int | None = None
    reserve_bytes: int = 0

    def open(self) -> None:
        self.estate = open_estate(
            self.site.box.root,
            self.site.root,
            self.time,
            reserve_bytes=self.reserve_bytes,
            max_pages=self.max_pages,
        )
        for station in self.estate.stations:
            if isinstance(station.device, ProfiledDevice):
                station.device.pause = self._pause
        self.gateway = Gateway(self.estate)

    async def _pause(self, seconds: float) -> None:
        """What waits for a device waits in this world's time."""
        self.move(seconds)

    async def start(self) -> None:
        """Open, hail, learn the epoch."""
        self.open()
        await self.hail()

    async def close(self) -> None:
        for link in self.estate.links:
            await link.close()
        self.estate.store.close()

    async def restart(self) -> None:
        """As after kill -9: nothing is said on the way down."""
        await self.close()
        await self.start()

    async def hail(self) -> None:
        await self.tell(self.core.hail())
        hellos = [Hello.decode(said.body) for said in await self.said() if said.header.kind is Kind.HELLO]
        self.core.learn(hellos[-1])

    async def tell(self, *messages: Statement | bytes) -> None:
        """Messages as they would come from the socket."""
        for message in messages:
            await self.gateway.reception.hear(message.raw if isinstance(message, Statement) else message)

    async def command(self, device: str, operation: Operation, value: Value, **changes: Any) -> Statement:
        """Order, send, let the device's worker do it."""
        lease = changes.pop("lease", 300)
        said = self.core.bundle(self.core.order(device, operation, value, **changes), lease=lease)
        await self.tell(*said)
        await self.work()
        return said[-1]

    async def work(self) -> None:
        """Let every worker do all that is due."""
        async with asyncio.TaskGroup() as tasks:
            for worker in self.gateway.workers.values():
                tasks.create_task(_all_turns(worker))

    async def pass_time(self, seconds: int, *, by: float = 1.0) -> None:
        """Time passes, everywhere, in small steps."""
        for _ in range(int(seconds / by)):
            self.move(by)
            await self.work()

    def move(self, seconds: float) -> None:
        """Time passes, but nobody works."""
        self.time.advance(seconds)
        for device in self.devices.values():
            device.run.control.advance(seconds)

    async def said(self) -> list[Statement]:
        """Everything the gateway has stated so far, verified as the core would."""
        found: list[Statement] = []
        number = -1
        while batch := await self.estate.store.outbox_after(number):
            found += [self.estate.manifest.admit(raw, START) for _, raw in batch]
            number = batch[-1][0]
        return found

    async def receipts(self, device: str | None = None) -> list[Receipt]:
        every = [Receipt.decode(said.body) for said in await self.said() if said.header.kind is Kind.RECEIPT]
        return [receipt for receipt in every if device in {None, receipt.device}]

    async def readings(self, device: str) -> list[Reading]:
        every = [Reading.decode(said.body) for said in await self.said() if said.header.kind is Kind.READING]
        return [reading for reading in every if reading.device == device]

    async def gaps(self) -> list[Gap]:
        return [Gap.decode(said.body) for said in await self.said() if said.header.kind is Kind.GAP]


async def _all_turns(worker: Any) -> None:
    while await worker.turn():
        pass


def hasty(settings: Any) -> Any:
    """Link settings of a profile, but with a deadline and pauses that suit a test."""

    def link_settings(profile: Any, host: str, port: int | None = None) -> LinkSettings:
        whole: LinkSettings = settings(profile, host, port)
        return replace(
            whole, deadline=0.25, connect_deadline=0.5, connect_delay=0.0, gap=0.0, backoff_first=0.001,
            backoff_most=0.002, write_gap=0.0,
        )  # fmt: skip

    return link_settings


@asynccontextmanager
async def simulated(
    builds: dict[str, tuple[str, Any]], directory: Path, *, virtual: bool = True
) -> AsyncIterator[dict[str, Simulated]]:
    """Simulators by name: (profile, build function), each on its own socket and with its own write log."""
    async with AsyncExitStack() as stack:
        found: dict[str, Simulated] = {}
        for name, (profile, build) in builds.items():
            log = directory / f"{name}.jsonl"
            clock = VirtualClock() if virtual else SystemClock()
            run = await stack.enter_async_context(running_device(build, clock=clock, write_log=log))
            if virtual:
                run.control.advance(60.0)  # past its start-up
            found[name] = Simulated(name, run, log, profile)
        yield found


def row_of(device: Simulated, **changes: Any) -> InventoryRow:
    return inventory_row(device.name, device.profile, device.run.port, **changes)


@asynccontextmanager
async def connected(site: Site) -> AsyncIterator[StatementStream]:
    """The core's end of the gateway's socket."""
    async with await open_stream(site.box.gateway_socket) as stream:
        yield stream


def journalled(site: Site) -> tuple[rows.StepRow, ...]:
    """Every step in the gateway's database, read beside it."""
    connection = sqlite3.connect(f"file:{site.box.gateway_database}?mode=ro", uri=True)
    try:
        return rows.all_steps(connection)
    finally:
        connection.close()


def unjournalled(device: Simulated, steps: Sequence[rows.StepRow]) -> list[dict[str, Any]]:
    """The device's own write log less the journal: each journalled step accounts for at most one frame.

    What is left must be heartbeats: a frame of a journalled command with, at most, another time in it.
    """
    waiting = [(step.unit, step.address, step.words) for step in steps]
    left = []
    for frame in device.writes():
        key = (frame["unit"], frame["address"], tuple(frame["words"]))
        if key in waiting:
            waiting.remove(key)
        else:
            left.append(frame)
    for frame in left:
        known = [step for step in steps if (step.unit, step.address) == (frame["unit"], frame["address"])]
        differing = [
            sum(one != other for one, other in zip(step.words, frame["words"], strict=True))
            for step in known
            if len(step.words) == len(frame["words"])
        ]
        assert differing, f"no journalled command writes what reached {device.name}: {frame}"
        assert min(differing) <= 2, f"this frame differs from the journal in more than its timer: {frame}"
    return left
