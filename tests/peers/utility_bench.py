"""A 2030.5 server on a virtual clock, asked by clients that are values; all that it says is held against the XSD."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from ieee2030_5_schemas import schema_of
from lxml import etree

from wattseal.certs.identity import sfdi_of
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, PROFILES, Profile
from wattseal.protocols.ieee2030_5.server import admin_events, staff
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.hrefs import Hrefs
from wattseal.protocols.ieee2030_5.server.server import Reply, respond, tick
from wattseal.protocols.ieee2030_5.server.state import Group, World
from wattseal.protocols.ieee2030_5.server.turn import Request

START = 1_800_000_000
ALICE = "A1" * 20
BOB = "B0" * 20
AGGREGATOR = "A9" * 16 + "00007ED9"
SITES = ("51" * 20, "52" * 20)


@dataclass
class Bench:
    """`checked` counts the documents that the XSD was asked about."""

    config: ServerConfig = field(default_factory=ServerConfig)
    world: World = field(default_factory=lambda: World(epoch="0123456789ab"))
    now: int = START
    validated: bool = True
    checked: int = 0
    hrefs: Hrefs = field(init=False)

    def __post_init__(self) -> None:
        self.hrefs = Hrefs(self.config.dcap_path, self.config.href_seed)

    @property
    def profile(self) -> Profile:
        return self.config.profile

    def pass_time(self, seconds: int) -> None:
        self.now += seconds
        self.world = tick(self.world, self.config, self.hrefs, self.now)

    def ask(self, method: str, address: str, body: bytes = b"", lfdi: str = ALICE, **more: Any) -> Reply:
        """One request at an address (path and query); what is answered must satisfy the profile's schema."""
        path, _, query = address.partition("?")
        fields = {"accept": self.profile.accept, "media_type": "application/sep+xml" if body else ""} | more
        request = Request(method, path, query, body=body, **fields)
        self.world, reply = respond(self.world, self.config, self.hrefs, request, lfdi, self.now)
        if reply.body and reply.media_type.startswith("application/sep+xml"):
            self.check(reply.body)
        return reply

    def check(self, document: bytes) -> None:
        if self.validated:
            schema_of(self.profile.name).assertValid(etree.fromstring(document))
            self.checked += 1

    def get(self, path: str, lfdi: str = ALICE, query: str = "l=255") -> Any:
        """The resource at a plain path; it must be there."""
        reply = self.ask("GET", f"{self.hrefs.write(path)}?{query}", lfdi=lfdi)
        assert reply.status == 200, (path, reply.status)
        document = decode(reply.body, self.profile)
        assert not document.notes, document.notes
        return document.resource

    def status(self, method: str, path: str, lfdi: str = ALICE, body: bytes = b"", **more: Any) -> int:
        return self.ask(method, self.hrefs.write(path), body, lfdi, **more).status

    def send(self, method: str, path: str, resource: msgspec.Struct, lfdi: str = ALICE) -> Reply:
        return self.ask(method, self.hrefs.write(path), encode(resource, self.profile), lfdi)

    def location(self, reply: Reply) -> str:
        """The plain path to which an answer points."""
        path = self.hrefs.read(dict(reply.headers)["Location"])
        assert path is not None
        return path

    def register(self, lfdi: str, caller: str | None = None) -> Reply:
        device = EndDevice(lfdi=lfdi, sfdi=int(sfdi_of(lfdi)), changed_time=self.now, device_category=1 << 25)
        return self.send("POST", "edev", device, caller or lfdi)

    def serial_of(self, lfdi: str) -> int:
        return next(one.serial for one in self.world.devices if one.lfdi == lfdi)

    def do(self, verb: str, **details: Any) -> dict[str, Any]:
        """A verb about events, as the admin door has it."""
        line = msgspec.json.encode({"verb": verb, **details})
        parsed = msgspec.json.decode(line, type=admin_events.EventVerb)
        world, told = admin_events.obey_about_events(
            self.world, self.now + self.world.clock.offset, parsed, self.profile
        )
        self.world = tick(world, self.config, self.hrefs, self.now)
        return told

    def group(self, *members: str, **more: Any) -> int:
        serials = tuple(self.serial_of(one) for one in members)
        self.world, serial, _ = staff.add_group(self.world, "group", members=serials, **more)
        return serial

    def program(self, group: int, kind: str = "der", primacy: int = 1, **more: Any) -> int:
        into = (staff.named(self.world, Group, group),)
        self.world, serial, _ = staff.add_program(self.world, kind, into, primacy=primacy, **more)
        return serial

    def control(self, program: int, mode: str = "op_mod_max_lim_w", **draft: Any) -> str:
        """A control of one mode (or `base`), an hour from now on; gives its mRID."""
        base = draft.pop("base", {mode: {"value": 5000}})
        told = self.do("add_control", program=program, control={"duration": 3600, "base": base} | draft)
        return str(told["mrid"])

    def restarted(self) -> Bench:
        """Another server that goes on from the bytes of this one's world."""
        world = World.from_bytes(self.world.to_bytes())
        assert world == self.world
        return replace(self, world=world)

    def everything(self, lfdi: str = ALICE) -> Iterator[tuple[str, Reply]]:
        """All that can be reached by links from /dcap, as a client finds it: plain paths and answers."""
        todo, done = ["dcap"], set()
        while todo:
            path = todo.pop(0)
            if path in done:
                continue
            done.add(path)
            reply = self.ask("GET", f"{self.hrefs.write(path)}?l=255", lfdi=lfdi)
            yield path, reply
            if reply.body:
                hrefs = etree.fromstring(reply.body).xpath("//@href")
                found = (self.hrefs.read(str(one)) for one in hrefs)
                todo += [one for one in found if one is not None]


def bench(profile: Profile | str = CSIP_2018, **settings: Any) -> Bench:
    """A server without anything in it; Alice and Bob may register, the aggregator is one."""
    named = PROFILES[profile] if isinstance(profile, str) else profile
    settings = {"aggregators": frozenset({AGGREGATOR})} | settings
    return Bench(ServerConfig(profile=named, **settings))
