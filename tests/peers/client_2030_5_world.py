"""A small 2030.5 server in memory, a virtual clock, and one client session between them. Faults on demand.

The server is a table of resources by path. Lists are paged by `s` and `l` as a server does it. Everything that was
asked is kept with its time, so that tests can count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.protocols.ieee2030_5.base import DateTimeInterval, EventStatus, Link, List, ListLink
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType, Managed, Ratings, Role
from wattseal.protocols.ieee2030_5.client.duty import Duty
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request, Silence
from wattseal.protocols.ieee2030_5.client.happenings import Happening, ScheduleChanged
from wattseal.protocols.ieee2030_5.client.session import ClientSession, Send
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.core_resources import (
    DeviceCapability,
    EndDevice,
    EndDeviceList,
    FunctionSetAssignments,
    FunctionSetAssignmentsList,
    Time,
)
from wattseal.protocols.ieee2030_5.der_control import (
    DefaultDERControl,
    DERControl,
    DERControlBase,
    DERControlList,
    DERProgram,
    DERProgramList,
)
from wattseal.protocols.ieee2030_5.modes import value_of
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3, Profile
from wattseal.protocols.ieee2030_5.quantities import ActivePower
from wattseal.protocols.ieee2030_5.vocabulary import EventState, TimeQuality

T0 = 1_800_000_000
AUTHORITY = "utility.example:443"
LFDI = bytes.fromhex("3E4F45AB31EDFE5B67E343E5E4562E31984E23E5")
SFDI = 167261211391
EXPORT = "csipaus:opModExpLimW"
MODES = frozenset({EXPORT, "csipaus:opModImpLimW", "opModEnergize", "opModFixedW", "opModVoltVar", "setGradW"})


def lfdi(number: int) -> bytes:
    return number.to_bytes(20, "big")


def managed(number: int) -> Managed:
    return Managed(f"der-{number}", lfdi(number), number, DerType.BATTERY, Ratings(5000, 5000, modes=MODES))


def config(devices: int = 0, **changes: Any) -> ClientConfig:
    """One device of our own, or an aggregator with so many."""
    own = Managed("der", LFDI, SFDI, DerType.BATTERY, Ratings(5000, 5000, modes=MODES))
    fields: dict[str, Any] = {
        "profile": CSIPAUS_1_3,
        "role": Role.AGGREGATOR if devices else Role.DEVICE,
        "lfdi": LFDI,
        "sfdi": SFDI,
        "devices": tuple(managed(number + 1) for number in range(devices)) if devices else (own,),
        "seed": b"a seed of thirty-two bytes......",
        "authority": AUTHORITY,
    }
    return ClientConfig(**(fields | changes))


def device(number: int, **fields: Any) -> EndDevice:
    base = {
        "href": f"/edev/{number}", "lfdi": lfdi(number).hex().upper(), "sfdi": number, "changed_time": T0,
        "function_set_assignments_list_link": ListLink(href=f"/edev/{number}/fsa", all=1),
    }  # fmt: skip
    return EndDevice(**(base | fields))


def status(state: EventState = EventState.SCHEDULED) -> EventStatus:
    return EventStatus(current_status=state, date_time=T0 - 1000, potentially_superseded=False)


def control(number: int, start: int, seconds: int, watts: int = 1000, **changes: Any) -> DERControl:
    """An export limit from T0 + `start` on; it wants every Response."""
    fields: dict[str, Any] = {
        "href": f"/derp/1/derc/{number}",
        "reply_to": "/rsp",
        "response_required": 0x03,
        "mrid": f"{number:032X}",
        "creation_time": T0 - 1000 + number,
        "event_status": status(),
        "interval": DateTimeInterval(start=T0 + start, duration=seconds),
        "der_control_base": DERControlBase(op_mod_exp_lim_w=ActivePower(multiplier=0, value=watts)),
    }
    return DERControl(**(fields | changes))


def default(watts: int = 0, **changes: Any) -> DefaultDERControl:
    base = DERControlBase(op_mod_exp_lim_w=ActivePower(multiplier=0, value=watts))
    return DefaultDERControl(**({"href": "/derp/1/dderc", "mrid": "DD", "der_control_base": base} | changes))


@dataclass
class Server:
    """Resources by path (a resource, bytes, or an Answer to give as it is). `faults` by path go before them."""

    now: Callable[[], float]
    profile: Profile = CSIPAUS_1_3
    resources: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Answer | Silence | Callable[[Request], Answer | Silence | None]] = field(default_factory=dict)
    down: Answer | Silence | None = None
    asked: list[tuple[float, Request]] = field(default_factory=list)
    posted: list[tuple[str, Any]] = field(default_factory=list)
    page_most: int = 255
    _written: dict[int, tuple[Any, bytes]] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer | Silence:
        self.asked.append((self.now(), request))
        if self.down is not None:
            return self.down
        parts = urlsplit(request.href)
        fault = self.faults.get(parts.path)
        fault = fault(request) if callable(fault) else fault
        if fault is not None:
            return fault
        if request.method is not Method.GET:
            self.posted.append((parts.path, decode(request.body, self.profile).resource))
            return Answer(201, location=f"{parts.path}/1")
        found = self.resources.get(parts.path)
        if found is None:
            return Answer(404)
        if isinstance(found, Answer):
            return found
        body = found if isinstance(found, bytes) else self._body(found, parse_qs(parts.query))
        return Answer(200, body, "application/sep+xml")

    def gets(self, path: str) -> list[float]:
        """When a path was asked for, first pages only."""
        return [
            at for at, one in self.asked
            if urlsplit(one.href).path == path and one.method is Method.GET and "s=" not in one.href.replace("s=0", "")
        ]  # fmt: skip

    def _body(self, resource: Any, query: dict[str, list[str]]) -> bytes:
        if isinstance(resource, Time):
            return encode(msgspec.structs.replace(resource, current_time=T0 + int(self.now())), self.profile)
        if isinstance(resource, List):
            start, limit = int(query.get("s", ["0"])[0]), int(query.get("l", ["1"])[0])
            items = resource.items  # type: ignore[attr-defined]  # every list type has them
            page = items[start : start + min(limit, self.page_most)]
            if len(page) < len(items):
                resource = msgspec.structs.replace(resource, all=len(items), results=len(page), items=page)
            elif resource.all is None:
                resource = msgspec.structs.replace(resource, all=len(items), results=len(items))
        kept = self._written.get(id(resource))
        if kept is None or kept[0] is not resource:
            kept = self._written[id(resource)] = (resource, encode(resource, self.profile))
        return kept[1]


@dataclass
class World:
    """Clock, server and client. `latency` is how long an answer takes, seconds."""

    settings: ClientConfig = field(default_factory=config)
    duties: Sequence[Duty] = ()
    stored: bytes | None = None
    second: float = 0.0
    latency: float = 0.0
    clock_error: float = 0.0
    quality: ClockQuality = ClockQuality.TRUSTED
    told: list[Happening] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.server = Server(lambda: self.second, self.settings.profile)
        self.session = ClientSession(self.settings, self.stored, self.duties)
        self._flying: list[tuple[float, Send]] = []

    @property
    def now(self) -> Instant:
        return Instant(int((T0 + self.second + self.clock_error) * 1000), 5000.0 + self.second, self.quality)

    def begin(self) -> "World":
        self.told += self.session.begin(self.now)
        return self

    def run(self, seconds: float) -> "World":
        """Let time pass, event by event."""
        end = self.second + seconds
        while True:
            self._send()
            times = [at for at, _ in self._flying]
            times.append(self.session.wake_at(self.now) - 5000.0)
            at = max(min(times), self.second)
            if at > end:
                break
            self._advance(at)
        self.second = end
        self.told += self.session.looked(self.now)
        return self

    def restarted(self, **changes: Any) -> "World":
        """The same server, and another process that starts with this one's bytes."""
        other = World(self.settings, self.duties, self.session.state_bytes(), self.second, **changes)
        other.server.resources, other.server.faults = self.server.resources, self.server.faults
        return other.begin()

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]

    @property
    def responses(self) -> list[tuple[int, int, bytes]]:
        """What was posted as Responses: event, status, device."""
        return [
            (int(one.subject, 16), int(one.status), bytes.fromhex(one.end_device_lfdi))
            for path, one in self.server.posted
            if path.startswith("/rsp")
        ]

    def watts_at(self, second: float, device: bytes = LFDI, mode: str = EXPORT) -> int | None:
        """What the last told schedule says of a mode at a second; None: nothing."""
        last = self.of(ScheduleChanged)[-1]
        at = T0 + second + self.clock_error
        ours = [one for one in last.segments if device in one.devices and one.force.mode == mode]
        found = [one for one in ours if one.since <= at and (one.until is None or at < one.until)]
        assert len(found) <= 1
        return value_of(mode, found[0].force.value).value if found else None

    def _send(self) -> None:
        for send in self.session.sends(self.now):
            self._flying.append((self.second + self.latency, send))
        self.most_at_once = max(self.most_at_once, len(self._flying))

    def _advance(self, at: float) -> None:
        self.second = at
        landed = [one for one in self._flying if one[0] <= at]
        self._flying = [one for one in self._flying if one[0] > at]
        for _, send in landed:
            self.told += self.session.received(self.now, send.token, self.server.answer(send.request))
        if not landed:
            self.told += self.session.looked(self.now, handed_in=False)
            if not self._flying and self.session.wake_at(self.now) - 5000.0 <= at:
                self._send()


def plain(world: World, controls: Sequence[DERControl] = (), **options: Any) -> World:
    """One programme for our own device: dcap, time, edev, fsa, derp, controls, default 0 W."""
    devices = (EndDevice(href="/edev/1", lfdi=LFDI.hex().upper(), sfdi=SFDI, changed_time=T0,
                         function_set_assignments_list_link=ListLink(href="/edev/1/fsa", all=1)),)  # fmt: skip
    lay(world, devices, controls, **options)
    return world


def lay(world: World, devices: Sequence[EndDevice], controls: Sequence[DERControl] = (), poll: int | None = 60) -> None:
    """Lay out a server: each device has its FSA list, all share one list of programmes with one programme."""
    resources = world.server.resources
    resources["/dcap"] = DeviceCapability(
        href="/dcap", poll_rate=poll, time_link=Link(href="/tm"), end_device_list_link=ListLink(href="/edev", all=0)
    )
    resources["/tm"] = Time(
        href="/tm", current_time=T0, dst_end_time=0, dst_offset=0, dst_start_time=0, quality=TimeQuality(7),
        tz_offset=0, poll_rate=poll,
    )  # fmt: skip
    resources["/edev"] = EndDeviceList(href="/edev", items=tuple(devices), poll_rate=poll)
    for device in devices:
        assignment = FunctionSetAssignments(
            href=f"{device.href}/fsa/1", mrid="FA", der_program_list_link=ListLink(href="/derp", all=1)
        )
        resources[f"{device.href}/fsa"] = FunctionSetAssignmentsList(
            href=f"{device.href}/fsa", items=(assignment,), poll_rate=poll
        )
    program = DERProgram(
        href="/derp/1", mrid="0A", primacy=1, der_control_list_link=ListLink(href="/derp/1/derc", all=0),
        default_der_control_link=Link(href="/derp/1/dderc"),
    )  # fmt: skip
    resources["/derp"] = DERProgramList(href="/derp", items=(program,), poll_rate=poll)
    resources["/derp/1/derc"] = DERControlList(href="/derp/1/derc", items=tuple(controls))
    resources["/derp/1/dderc"] = default()
