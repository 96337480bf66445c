"""In-band registration: POST, PUT and DELETE of EndDevices.

Whoever posts a device that is there already is led to it; nothing is ever there twice. A device's certificate registers
itself alone, under the LFDI that it shows; an aggregator's registers others, not itself.
"""

from http import HTTPStatus

import msgspec

from wattseal.certs.identity import LFDI_DIGITS, sfdi_of
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.server.access import Granted
from wattseal.protocols.ieee2030_5.server.changes import next_serial, put, take
from wattseal.protocols.ieee2030_5.server.hrefs import path_of
from wattseal.protocols.ieee2030_5.server.state import Device, World
from wattseal.protocols.ieee2030_5.server.turn import Outcome, Turn
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason


def register(turn: Turn, _: Granted) -> Outcome:
    """POST to the EndDeviceList: 201 with the address, the same one again for the same device.

    400 for an LFDI that is none or an SFDI that is not its own (its first digits are taken too: they are met in the
    field without the check digit); 403 where the caller may not register this device; 409 if it is somebody else's.
    """
    posted: EndDevice = turn.document
    lfdi = posted.lfdi or ("" if turn.is_aggregator else turn.caller)
    if len(lfdi) != LFDI_DIGITS or not _is_sfdi(posted.sfdi, lfdi):
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    known = next((one for one in turn.world.devices if one.lfdi == lfdi), None)
    if known is not None and known.owner == turn.caller:
        return turn.created(path_of("edev", known.serial))
    if (lfdi == turn.caller) is turn.is_aggregator or not turn.config.open_registration:
        return turn.refuse(HTTPStatus.FORBIDDEN)
    if known is not None:
        return turn.refuse(HTTPStatus.CONFLICT)
    if sum(one.owner == turn.caller for one in turn.world.devices) >= turn.config.things_most:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.RESOURCE_LIMIT)
    world, device = new_device(turn.world, lfdi, turn.caller, turn.now, posted.device_category)
    return turn.created(path_of("edev", device.serial), put(world, device))


def new_device(world: World, lfdi: str, owner: str, now: int, category: int | None = None) -> tuple[World, Device]:
    """A device that stands in no group yet; not yet put into the world, whose counter has moved on."""
    world, serial = next_serial(world)
    clock = now + world.clock.offset
    return world, Device(
        serial=serial,
        lfdi=lfdi,
        sfdi=int(sfdi_of(lfdi)),
        owner=owner,
        registered=clock,
        changed=clock,
        category=category,
    )


def amend(turn: Turn, found: Device | Granted) -> Outcome:
    """PUT of one's EndDevice: its category is taken over; another LFDI is refused, and an aggregator's virtual one."""
    if not isinstance(found, Device):
        return turn.refuse(HTTPStatus.FORBIDDEN)
    posted: EndDevice = turn.document
    if posted.lfdi not in {None, found.lfdi} or not _is_sfdi(posted.sfdi, found.lfdi):
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    changed = msgspec.structs.replace(found, category=posted.device_category, changed=turn.clock)
    return turn.done(put(turn.world, changed))


def leave(turn: Turn, found: Device | Granted) -> Outcome:
    """DELETE of one's EndDevice; an aggregator's virtual one stays."""
    if not isinstance(found, Device):
        return turn.refuse(HTTPStatus.FORBIDDEN)
    return turn.done(without_device(turn.world, found))


def without_device(world: World, gone: Device) -> World:
    """The world without a device, its places in groups and its subscriptions. Its responses and readings stay."""
    world = take(world, gone)
    for group in world.groups:
        if gone.serial in group.members:
            left = tuple(one for one in group.members if one != gone.serial)
            world = put(world, msgspec.structs.replace(group, members=left))
    for one in world.subscribers:
        if one.device == gone.serial:
            world = take(world, one)
    return world


def _is_sfdi(number: int | None, lfdi: str) -> bool:
    whole = sfdi_of(lfdi) if _is_hex(lfdi) else ""
    return whole != "" and (number is None or str(number) in {whole, whole[:-1]})


def _is_hex(text: str) -> bool:
    return len(text) == LFDI_DIGITS and all(one in "0123456789ABCDEF" for one in text)
