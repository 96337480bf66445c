"""What a device says of itself: documents that it PUTs under its EndDevice, kept as they came and given back.

DER with capability, settings, status and availability; device information, status, power status, configuration, what
could be shed, and the connection point of CSIP-AUS. What was never put does not exist yet (404).
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from wattseal.certs.errors import PeerError
from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.csip_aus import ConnectionPoint
from wattseal.protocols.ieee2030_5.demand_response import LoadShedAvailability, LoadShedAvailabilityList
from wattseal.protocols.ieee2030_5.der_status import (
    DER,
    DERAvailability,
    DERCapability,
    DERList,
    DERSettings,
    DERStatus,
)
from wattseal.protocols.ieee2030_5.device_information import (
    Configuration,
    DeviceInformation,
    DeviceStatus,
    PowerStatus,
)
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.server.changes import put
from wattseal.protocols.ieee2030_5.server.hrefs import path_of
from wattseal.protocols.ieee2030_5.server.state import Device, Sheet
from wattseal.protocols.ieee2030_5.server.turn import Listing, Outcome, Turn
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason

DEVICE_SHEETS: Final[dict[str, type[Resource]]] = {
    "cfg": Configuration,
    "di": DeviceInformation,
    "dstat": DeviceStatus,
    "ps": PowerStatus,
    "cp": ConnectionPoint,
}
DER_SHEETS: Final[dict[str, type[Resource]]] = {
    "dercap": DERCapability,
    "derg": DERSettings,
    "ders": DERStatus,
    "dera": DERAvailability,
}


@dataclass(frozen=True, slots=True)
class SheetRoute:
    """GET and PUT of one sheet."""

    kind: type[Resource]
    get: Callable[[Turn, Device], Resource | None]
    put: Callable[[Turn, Device], Outcome]


def device_sheet(name: str) -> SheetRoute:
    """A sheet right below the EndDevice."""
    kind = DEVICE_SHEETS[name]
    change = _put_connection_point if kind is ConnectionPoint else _put
    return SheetRoute(kind, lambda turn, found: _get(turn, found, name), lambda turn, found: change(turn, found, name))


def der_sheet(name: str) -> SheetRoute:
    """A sheet of a DER; which one says the path."""

    def get(turn: Turn, found: Device) -> Resource | None:
        return _get(turn, found, _below(turn))

    def replace(turn: Turn, found: Device) -> Outcome:
        return _put(turn, found, _below(turn))

    return SheetRoute(DER_SHEETS[name], get, replace)


def shed_availability() -> SheetRoute:
    """The one LoadShedAvailability of a device."""
    name = "lsl/1"
    return SheetRoute(
        LoadShedAvailability,
        lambda turn, found: _get(turn, found, name),
        lambda turn, found: _put(turn, found, name),
    )


def shed_availabilities(turn: Turn, found: Device) -> Listing:
    """All of them: one or none."""
    one = _get(turn, found, "lsl/1")
    return Listing(LoadShedAvailabilityList, () if one is None else (one,), "lsl")


def post_shed_availability(turn: Turn, found: Device) -> Outcome:
    """POST to the list replaces the one."""
    return turn.created(path_of("edev", found.serial, "lsl", 1), _put(turn, found, "lsl/1").world)


def ders(turn: Turn, found: Device) -> Listing:
    """The DER of a device."""
    return Listing(DERList, tuple(der(turn, found, number) for number in range(1, found.ders + 1)), "der")


def der(turn: Turn, found: Device, number: int) -> DER:
    """One DER: its links."""
    base = ("edev", found.serial, "der", number)
    return DER(
        href=turn.at(*base),
        der_availability_link=turn.link(*base, "dera"),
        der_capability_link=turn.link(*base, "dercap"),
        der_settings_link=turn.link(*base, "derg"),
        der_status_link=turn.link(*base, "ders"),
    )


def der_at(turn: Turn, found: Device) -> DER:
    """The DER that the path names."""
    return der(turn, found, int(turn.path.rpartition("/")[2]))


def read(sheet: Sheet, profile: Profile) -> Resource:
    """What a kept document says. It was read before it was kept."""
    resource = decode(sheet.document, profile).resource
    if not isinstance(resource, Resource):
        raise PeerError("unexpected_resource", "A kept document is no resource with an address.")
    return resource


def _below(turn: Turn) -> str:
    return turn.path.split("/", 2)[2]


def _get(turn: Turn, found: Device, name: str) -> Resource | None:
    sheet = found.sheets.get(name)
    if sheet is None:
        return None
    return msgspec.structs.replace(read(sheet, turn.config.profile), href=turn.at("edev", found.serial, name))


def _put(turn: Turn, found: Device, name: str) -> Outcome:
    """204, also the first time: clients in the field take 201 for a failure here.

    A capability without what the profile requires is refused (CSIP-AUS).
    """
    missing = turn.config.profile.requires.get(type(turn.document), frozenset())
    if any(getattr(turn.document, field) is None for field in missing):
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_FORMAT)
    sheet = Sheet(document=turn.request.body, at=turn.now)
    return turn.done(put(turn.world, msgspec.structs.replace(found, sheets={**found.sheets, name: sheet})))


def _put_connection_point(turn: Turn, found: Device, name: str) -> Outcome:
    """201 the first time, 204 then; 409 where a server that forbids changes has another one already."""
    before = found.sheets.get(name)
    if before is not None and not turn.config.connection_point_may_change:
        known = read(before, turn.config.profile)
        if isinstance(known, ConnectionPoint) and known.connection_point_id != turn.document.connection_point_id:
            return turn.refuse(HTTPStatus.CONFLICT)
    outcome = _put(turn, found, name)
    return outcome if before is not None else turn.created(path_of("edev", found.serial, name), outcome.world)
