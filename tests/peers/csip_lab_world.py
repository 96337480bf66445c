"""A lab of IEEE 2030.5 on one virtual clock: box, server and batteries, each as it is run, and a test's hand.

The box is a black box here: what it did is read from the server's request log and raw messages, from what it posted and
put, and from the batteries' own doors and write logs. All times are virtual seconds since the clock's start.
"""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from box_world import WATTSEAL, Device, RunningBox, new_box
from lab_world import present

from wattseal.certs.box import Box
from wattseal.certs.device_pki import DevicePki, make_device_pki
from wattseal.certs.identity import describe_file, sfdi_of
from wattseal.certs.lab_clock.server import ClockOptions, ClockServer, running_clock
from wattseal.certs.lab_clock.words import MICROSECONDS
from wattseal.certs.tls import TlsIdentity
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018
from wattseal.protocols.ieee2030_5.server.door import AdminClient

POLL = 60
"""pollRate of every resource, and postRate, in seconds."""
A_BIT = 0.001
"""Two programs that write down the same moment differ in its last bits."""
PIN = "111115"
RATED_WATTS = 5000
"""Of each battery, and its envelope: a percentage of setMaxW is of this."""
OPERATIONS = (
    "set_power", "limit_inject", "limit_absorb", "energize", "power_factor_inject", "power_factor_absorb", "fixed_var",
    "target_var", "ramp_rate", "return_to_service", "freq_droop", "volt_var", "volt_watt", "watt_var", "watt_pf",
    "freq_watt", "hv_must_trip", "hv_may_trip", "hv_momentary_cessation", "lv_must_trip", "lv_may_trip",
    "lv_momentary_cessation", "hf_must_trip", "hf_may_trip", "lf_must_trip", "lf_may_trip",
)  # fmt: skip
FOUR = ("battery-a", "battery-b", "battery-c", "battery-d")

CURVE_POINTS = 10
"""As many as a DERCurve can have."""
BATTERY = (
    "--own-watts", "0", "--rated-watts", str(RATED_WATTS), "--capacity-wh", "10000",
    "--curve-points", str(CURVE_POINTS),
)  # fmt: skip

_HEAD = """\
[site]
name = "lab"
lab = true
inject_limit_watts = 50000
absorb_limit_watts = 50000
lease_seconds = 300
"""
_BATTERY = """
[[device]]
name = "{name}"
profile = "sunspec_battery"
link = "simulator"
address = "tcp://127.0.0.1:{port}"
sampling_seconds = {sampling}
[device.envelope]
min_watts = -5000
max_watts = 5000
"""
_UTILITY = """
[[utility]]
name = "north"
dialect = "ieee2030.5"
url = "https://127.0.0.1:{port}/dcap"
profile = "{profile}"
role = "{role}"
pin = "{pin}"
pen = 40732
operations = [{operations}]
ceiling_watts = 9000
{pinned}
[utility.tls]
certificate = "tls/box.pem"
key = "secret://file/tls/box.key"
authority = "tls/serca.pem"
"""
_END_DEVICE = """
[[utility.end_device]]
device = "{name}"
type = "battery"
lfdi = "{lfdi}"
volt_amperes = 5000
inject_vars = 2200
absorb_vars = 2200
storage_watt_hours = 10000
volts = 230
"""
_LISTENER = """
[utility.listener]
address = "127.0.0.1:{port}"
uri = "https://127.0.0.1:{port}"
"""


@dataclass(frozen=True)
class Seen:
    """A request that the server answered; `route` is the pattern of its path."""

    at: float
    lfdi: str
    method: str
    path: str
    query: str
    status: int
    route: str


@dataclass(frozen=True)
class Heard:
    """A Response that the server took: its code, the device's LFDI, when it says that it was made, when it came."""

    status: int
    lfdi: str
    created: float
    at: float


@dataclass(frozen=True)
class Raw:
    """A raw message of the server's log."""

    at: float
    direction: str
    about: str
    status: int | None
    body: bytes

    @property
    def resource(self) -> Any:
        """What it says, read."""
        return decode(self.body, CSIP_2018).resource


@dataclass(frozen=True)
class Programme:
    """A programme that a test made, in a group of its own."""

    serial: int
    mrid: str
    group: int


@dataclass
class Utility:
    """The server as a process, and the script's end of its door."""

    process: asyncio.subprocess.Process
    port: int
    admin: AdminClient
    lfdi: str

    async def stop(self) -> None:
        if self.process.returncode is None:
            await self.admin.__aexit__()
            self.process.terminate()
        await self.process.wait()


@dataclass
class CsipLab:
    """What runs. `lfdis`: of each device, by name; `start`: unix time at the clock's start."""

    directory: Path
    clock: ClockServer
    devices: dict[str, Device]
    lfdis: dict[str, str]
    pki: DevicePki
    start: int
    own_lfdi: str
    utility: Utility
    server_options: tuple[str, ...]
    running: RunningBox
    programmes: list[Programme] = field(default_factory=list)

    @property
    def box(self) -> Box:
        return self.running.box

    @property
    def admin(self) -> AdminClient:
        return self.utility.admin

    @property
    def device(self) -> Device:
        """The first battery."""
        return next(iter(self.devices.values()))

    @property
    def now(self) -> float:
        """Virtual seconds since the clock's start."""
        return self.clock.told.at / MICROSECONDS

    @property
    def unix(self) -> int:
        return self.start + int(self.now)

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)

    async def advance_to(self, second: float) -> None:
        assert second >= self.now, f"it is {self.now}, past {second}"
        await self.clock.advance(second - self.now)

    # ---- the utility's staff ------------------------------------------------------------------------------------

    async def add_programme(self, *members: str, primacy: int = 1, group: int | None = None, **more: Any) -> Programme:
        """A DERProgram for these devices (none named: all), in a group of its own or in that one."""
        if group is None:
            named = [self.lfdis[one] for one in members or self.lfdis]
            group = (await self.admin.ask("add_group", members=named))["serial"]
        told = await self.admin.ask("add_program", groups=[group], primacy=primacy, **more)
        made = Programme(told["serial"], told["mrid"], group)
        self.programmes.append(made)
        return made

    async def add_control(
        self, programme: Programme, base: Mapping[str, Any], *, start_in: int, duration: int, **more: Any
    ) -> str:
        """A DERControl with responseRequired 07, as the labs have it; its mRID."""
        control = {"base": base, "start_in": start_in, "duration": duration, "response_required": 7} | more
        return str((await self.admin.ask("add_control", program=programme.serial, control=control))["mrid"])

    async def set_default(self, programme: Programme, base: Mapping[str, Any], **more: Any) -> None:
        await self.admin.ask("set_default", program=programme.serial, default={"base": base} | more)

    async def cancel(self, mrid: str, *, randomized: bool = False) -> None:
        await self.admin.ask("cancel", mrid=mrid, randomized=randomized)

    async def polls(self, **seconds: int) -> None:
        """Poll rates of these kinds of resource, as in their paths."""
        await self.admin.ask("set_polls", seconds=seconds)

    async def clear(self) -> None:
        """Everything that a test made is cancelled, read by the box, and gone; the clock stands where it then is."""
        await self.admin.ask("behave")
        for event in (await self.admin.ask("list", of="events"))["events"]:
            if event["event"]["event_status"]["current_status"] in {0, 1} and not event["dropped"]:
                await self.admin.ask("cancel", mrid=event["event"]["mrid"])
        await self.advance(POLL + 5)
        for programme in (await self.admin.ask("list", of="programs"))["programs"]:
            await self.admin.ask("drop_program", program=programme["serial"])
        for group in (await self.admin.ask("list", of="groups"))["groups"]:
            await self.admin.ask("drop_group", group=group["serial"])
        self.programmes.clear()
        await self.advance(POLL + 5)

    # ---- what was seen on the wire ------------------------------------------------------------------------------

    async def count(self) -> int:
        """How many requests the server has seen: a mark, from which on a test looks."""
        return int((await self.admin.ask("requests", after=1 << 40))["count"])

    async def requests(
        self, after: int = 0, *, method: str | None = None, route: str | None = None, path: str | None = None
    ) -> list[Seen]:
        told = await self.admin.ask("requests", after=after)
        every = [
            Seen(
                one["at"] - self.start, *(one[name] for name in ("lfdi", "method", "path", "query", "status", "route"))
            )
            for one in told["requests"]
        ]
        return [
            one
            for one in every
            if method in {None, one.method} and route in {None, one.route} and path in {None, one.path}
        ]

    async def subscribed(self) -> set[str]:
        """The paths that the box subscribes to."""
        return {f"/{one['resource']}" for one in (await self.admin.ask("list", of="subscriptions"))["subscriptions"]}

    async def responses(self, mrid: str, *devices: str) -> list[Heard]:
        """The Responses to that event, of these devices (none named: all), as they came."""
        wanted = {self.lfdis[one] for one in devices}
        return [
            Heard(one["status"], one["lfdi"], one["created"] - self.start, one["heard"] - self.start)
            for one in (await self.admin.ask("list", of="responses"))["responses"]
            if one["subject"].upper() == mrid.upper() and (not wanted or one["lfdi"] in wanted)
        ]

    async def statuses(self, mrid: str, *devices: str) -> list[int]:
        return [one.status for one in await self.responses(mrid, *devices)]

    def messages(self, about: str = "", *, direction: str = "received", since: float = 0.0) -> list[Raw]:
        """Raw messages whose request line begins with `about` (``PUT /edev/``), in order."""
        folder = self.directory / "messages"
        rows = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
        found = []
        for row in rows:
            at = datetime.fromisoformat(row["at"]).timestamp() - self.start
            if row["direction"] == direction and row["about"].startswith(about) and at >= since - A_BIT:
                found.append(Raw(at, direction, row["about"], row["status"], (folder / row["file"]).read_bytes()))
        return found

    # ---- what the devices show ----------------------------------------------------------------------------------

    async def limit(self, name: str | None = None) -> int | None:
        """The limit on generation in the battery's registers, in hundredths of percent; None where none is enabled."""
        points = await self.devices[name or self.device.name].points()
        return points["WMaxLimPct"] if points["WMaxLimPctEna"] == 1 else None

    async def limits(self) -> list[int | None]:
        """Of every battery, in order."""
        return [await self.limit(name) for name in self.devices]

    def writes(
        self, name: str | None = None, *, since: float = 0.0, until: float = 1e12
    ) -> list[tuple[float, int, list[int]]]:
        """Second, address and words of each write frame that reached the battery."""
        found = [
            (datetime.fromisoformat(one["t"]).timestamp() - self.start, one["address"], one["words"])
            for one in self.devices[name or self.device.name].writes()
        ]
        return [one for one in found if since - A_BIT <= one[0] < until - A_BIT]

    # ---- the world ----------------------------------------------------------------------------------------------

    async def registered(self, seconds: float = 120) -> None:
        """Goes on until the server knows every device and has its DERStatus."""
        wanted = set(self.lfdis.values())

        async def known() -> bool:
            sheets = (await self.admin.ask("list", of="sheets"))["sheets"]
            return all("der/1/ders" in sheets.get(lfdi, {}) for lfdi in wanted)

        await self.clock.until(known, seconds)

    async def restart_server(self, *options: str) -> None:
        """Another server in the place of this one, at the same port, with other options; it remembers nothing."""
        await self.stop_server()
        await self.start_server(*options)

    async def stop_server(self) -> None:
        await self.utility.stop()

    async def start_server(self, *options: str) -> None:
        port = str(self.utility.port)
        self.utility = await start_utility(
            self.directory, *_following(self.directory / "clock.sock"), "--port", port, *self.server_options, *options
        )


@asynccontextmanager
async def csip_lab(
    directory: Path,
    *,
    names: Sequence[str] = ("battery",),
    role: str = "device",
    profile: str = "csip-2018",
    listen: bool = False,
    pinned: bool = True,
    identity: str | None = None,
    pin: str = PIN,
    server: Collection[str] = (),
    sampling: int = 10,
    port_of: Any = None,
    grace: float = 0.0,
) -> AsyncIterator[CsipLab]:
    """A lab that runs, frozen. `identity`: the name in the test hierarchy of the certificate that the box shows.

    `port_of`: given the server's port, the port at which the box finds it (something may stand in between).
    """
    directory.mkdir(parents=True, exist_ok=True)
    pki = make_device_pki(directory / "pki")
    identity = identity or role
    own = describe_file(directory / "pki" / f"{identity}.pem").lfdi
    lfdis = {names[0]: own} if role == "device" else {name: managed_lfdi(place) for place, name in enumerate(names)}
    path, wall = directory / "clock.sock", present()
    options = ClockOptions(wall=wall, expected=3 + len(names), grace_seconds=grace)
    async with AsyncExitStack() as stack:
        clock = await stack.enter_async_context(running_clock(path, options))
        started = [Device.start(one, "battery", directory, *BATTERY, *_following(path)) for one in names]
        *devices, utility = await asyncio.gather(
            *started, start_utility(directory, *_following(path), *_server_options(role, own, server))
        )
        for device in devices:
            stack.push_async_callback(device.end)
        port = utility.port if port_of is None else await port_of(stack, utility.port)
        text = site_text(
            devices, lfdis, port, role, profile, pin, sampling, utility.lfdi if pinned else "", listen=listen
        )
        running = RunningBox(new_box(directory / "box", text.encode()), directory / "run.log", _following(path))
        lay_out(running.box, pki, TlsIdentity(*(directory / "pki" / f"{identity}.{end}" for end in ("pem", "key"))))
        lab = CsipLab(
            directory, clock, {one.name: one for one in devices}, lfdis, pki, wall, own, utility,
            _server_options(role, own, server), running,
        )  # fmt: skip
        stack.push_async_callback(_ended, lab)
        await running.start()
        yield lab


def site_text(
    devices: Iterable[Device], lfdis: Mapping[str, str], port: int, role: str, profile: str, pin: str, sampling: int,
    server_lfdi: str, *, listen: bool,
) -> str:  # fmt: skip
    text = _HEAD + "".join(_BATTERY.format(name=one.name, port=one.port, sampling=sampling) for one in devices)
    pinned = f'server_lfdi = "{server_lfdi}"' if server_lfdi else ""
    operations = ", ".join(f'"{one}"' for one in OPERATIONS)
    text += _UTILITY.format(port=port, profile=profile, role=role, pin=pin, operations=operations, pinned=pinned)
    text += "".join(_END_DEVICE.format(name=name, lfdi=lfdi) for name, lfdi in lfdis.items())
    return text + (_LISTENER.format(port=free_port()) if listen else "")


def managed_lfdi(place: int) -> str:
    """The LFDI of an aggregator's device: 32 digits of its own, and the aggregator's enterprise number 40732."""
    return f"{place + 1:032X}{40732:08X}"


def sfdi(lfdi: str) -> int:
    return int(sfdi_of(lfdi))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def polled_well(times: Iterable[float], interval: float, since: float, until: float) -> None:
    """The labs' judge: in every window of 3 intervals at least 2 polls, at most min(3 x expected, expected + 3)."""
    window, expected = 3 * interval, 3
    found = sorted(times)
    assert until - since >= window, "nothing to judge"
    begins = [since, *(at for at in found if since <= at <= until - window)]
    for begin in begins:
        inside = [at for at in found if begin <= at < begin + window]
        assert 2 <= len(inside) <= min(3 * expected, expected + 3), (begin, inside)


async def start_utility(directory: Path, *options: str, poll: int = POLL) -> Utility:
    """The server's process over TLS of the hierarchy in `directory`, once it listens."""
    process = await asyncio.create_subprocess_exec(
        WATTSEAL, "simulate", "utility", "ieee2030.5", "--json", "--pki", str(directory / "pki"), "--poll-seconds",
        str(poll), "--post-seconds", str(poll), "--messages", str(directory / "messages"), *options,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    told = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    admin = await AdminClient(told["admin_port"]).__aenter__()
    return Utility(process, told["port"], admin, told["lfdi"])


def _server_options(role: str, own: str, more: Collection[str]) -> tuple[str, ...]:
    return (*(("--aggregator", own) if role == "aggregator" else ()), *more)


def _following(path: Path) -> tuple[str, str]:
    return "--clock", f"unix:{path}"


def lay_out(box: Box, pki: DevicePki, identity: TlsIdentity) -> None:
    """The files that the site file names under `tls/`."""
    folder = box.root / "tls"
    folder.mkdir()
    shutil.copy(identity.certificate, folder / "box.pem")
    shutil.copy(pki.authority, folder / "serca.pem")
    shutil.copy(identity.key, folder / "box.key")  # keeps no mode
    (folder / "box.key").chmod(0o600)


async def _ended(lab: CsipLab) -> None:
    assert await lab.running.stop() < 5
    await lab.utility.stop()
