"""What the admin door shows of a world: plain values, with documents read and states of events worked out."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from wattseal.certs.errors import PeerError
from wattseal.protocols.ieee2030_5.base import Event
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.events import no_modes, statuses
from wattseal.protocols.ieee2030_5.server.programs import modes_of
from wattseal.protocols.ieee2030_5.server.state import Device, Listed, World

Subject = Literal[
    "devices",
    "groups",
    "programs",
    "events",
    "responses",
    "readings",
    "sheets",
    "logs",
    "subscriptions",
    "outbox",
    "flow_requests",
    "clock",
]


def seen_of(world: World, of: Subject, config: ServerConfig, now: int) -> object:
    """What is known under that name."""
    clock = now + world.clock.offset
    match of:
        case "devices":
            return [_device(one) for one in world.devices]
        case "groups":
            return world.groups
        case "programs":
            return list(_programs(world))
        case "events":
            return list(_events(world, clock))
        case "responses":
            return [_without(one, "document") for one in world.responses]
        case "readings":
            return [{"mirror": one.point, "owner": one.owner, "meters": one.meters} for one in world.mirrors]
        case "sheets":
            return {one.lfdi: _sheets(one, config) for one in world.devices}
        case "logs":
            return {one.lfdi: one.logs for one in world.devices}
        case "subscriptions":
            return world.subscribers
        case "outbox":
            return [_without(one, "document") | {"document": one.document.decode()} for one in world.outbox]
        case "flow_requests":
            return {one.lfdi: one.flow_requests for one in world.devices}
        case "clock":
            return {"now": clock, **msgspec.structs.asdict(world.clock)}


def _device(device: Device) -> dict[str, Any]:
    return _without(device, "sheets", "logs", "flow_requests", "flow_responses")


def _programs(world: World) -> Iterator[dict[str, Any]]:
    for kind, programs in (
        ("der", world.der_programs),
        ("load", world.load_programs),
        ("text", world.text_programs),
        ("tariff", world.tariffs),
    ):
        for one in programs:
            common = {"serial": one.serial, "mrid": one.mrid, "primacy": one.primacy, "description": one.description}
            yield {"kind": kind, **common}


def _events(world: World, clock: int) -> Iterator[dict[str, Any]]:
    for der in world.der_programs:
        states = statuses(der.controls, modes_of, clock)
        for listed, status in zip(der.controls, states, strict=True):
            yield _event(der.serial, listed, msgspec.structs.replace(listed.event, event_status=status))
    for program, many in _plain_events(world):
        for one, status in zip(many, statuses(many, no_modes, clock), strict=True):
            yield _event(program, one, msgspec.structs.replace(one.event, event_status=status))


def _plain_events(world: World) -> Iterator[tuple[int, tuple[Listed[Any], ...]]]:
    for load in world.load_programs:
        yield load.serial, load.controls
    for text in world.text_programs:
        yield text.serial, text.texts
    for tariff in world.tariffs:
        for rate in tariff.rates:
            yield tariff.serial, tuple(one.listed for one in rate.intervals)
    for device in world.devices:
        yield device.serial, device.flow_responses


def _event(program: int, listed: Listed[Any], event: Event) -> dict[str, Any]:
    said = {name: value for name, value in msgspec.structs.asdict(event).items() if value is not None}
    kind = type(event).__name__
    return {"program": program, "serial": listed.serial, "kind": kind, "dropped": listed.dropped, "event": said}


def _sheets(device: Device, config: ServerConfig) -> dict[str, Any]:
    found = {}
    for name, sheet in device.sheets.items():
        try:
            resource = decode(sheet.document, config.profile).resource
        except PeerError:
            continue
        said = {key: value for key, value in msgspec.structs.asdict(resource).items() if value is not None}
        found[name] = {"at": sheet.at, "kind": type(resource).__name__, **said}
    return found


def _without(thing: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(thing).items() if name not in names}
