"""The kinds of resources that are read, and where each leads. Only the address of the first is known beforehand.

`links_of` is the whole map of the tree: what to read next, given what was read. Knows no schedule and no network.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Link
from wattseal.protocols.ieee2030_5.core_resources import (
    DeviceCapability,
    EndDevice,
    EndDeviceList,
    FunctionSetAssignmentsList,
    Registration,
    Time,
)
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControlList, DERCurveList, DERProgramList
from wattseal.protocols.ieee2030_5.der_status import DERList


class Kind(StrEnum):
    """What is read at an address. The order is that in which a tree is read again."""

    DCAP = "dcap"
    TIME = "time"
    END_DEVICES = "end_devices"
    REGISTRATION = "registration"
    ASSIGNMENTS = "assignments"
    PROGRAMS = "programs"
    CONTROLS = "controls"
    CURVES = "curves"
    DEFAULT = "default"
    DERS = "ders"


@dataclass(frozen=True, slots=True)
class Nature:
    """How a kind is read. `item`: the element of a list's items, empty for a single resource; `key` of an item.

    `seconds`: how often where no pollRate is in force. `heard`: its messages change what is in force.
    """

    resource: type[msgspec.Struct]
    item: str = ""
    key: Callable[[Any], str] = lambda _: ""
    seconds: int = 900
    heard: bool = False


def _mrid(item: Any) -> str:
    return str(item.mrid)


def _device(item: EndDevice) -> str:
    return item.lfdi or f"sfdi {item.sfdi} {item.href}"


def _href(item: Any) -> str:
    return item.href or ""


CSIP_CONTROL_SECONDS: Final = 600
NATURES: Final[Mapping[Kind, Nature]] = {
    Kind.DCAP: Nature(DeviceCapability),
    Kind.TIME: Nature(Time),
    Kind.END_DEVICES: Nature(EndDeviceList, "EndDevice", _device),
    Kind.REGISTRATION: Nature(Registration),
    Kind.ASSIGNMENTS: Nature(FunctionSetAssignmentsList, "FunctionSetAssignments", _mrid),
    Kind.PROGRAMS: Nature(DERProgramList, "DERProgram", _mrid, heard=True),
    Kind.CONTROLS: Nature(DERControlList, "DERControl", _mrid, CSIP_CONTROL_SECONDS, heard=True),
    Kind.CURVES: Nature(DERCurveList, "DERCurve", _href, heard=True),
    Kind.DEFAULT: Nature(DefaultDERControl, seconds=CSIP_CONTROL_SECONDS, heard=True),
    Kind.DERS: Nature(DERList, "DER", _href),
}


@dataclass(frozen=True, slots=True)
class Ours:
    """Which EndDevices are ours: LFDIs in upper-case hexadecimal, and for our own certificate the SFDI too."""

    lfdis: Collection[str]
    lfdi: str
    sfdi: int

    def lfdi_of(self, device: EndDevice) -> str | None:
        """The LFDI under which an EndDevice is ours; None: it is not.

        A managed device is known by its LFDI alone (servers register them with SFDIs of all sorts). Our own must agree
        in both; one without an LFDI is known by its SFDI.
        """
        lfdi = device.lfdi
        if lfdi == self.lfdi:
            return lfdi if device.sfdi in {None, self.sfdi} else None
        if lfdi is None:
            return self.lfdi if device.sfdi == self.sfdi else None
        return lfdi if lfdi in self.lfdis else None


def links_of(
    kind: Kind, resource: Any, items: tuple[Any, ...], ours: Ours, dcap: DeviceCapability | None
) -> Iterator[tuple[Kind, str]]:
    """Where a resource leads: kinds and addresses (resolved), in the order in which they are to be read."""
    match kind:
        case Kind.DCAP:
            yield from _to(Kind.TIME, resource.time_link)
            yield from _to(Kind.END_DEVICES, resource.end_device_list_link)
        case Kind.END_DEVICES:
            for device in items:
                if ours.lfdi_of(device) is not None:
                    yield from _of_device(device, dcap)
        case Kind.ASSIGNMENTS:
            for assignment in items:
                yield from _to(Kind.TIME, assignment.time_link)
                yield from _to(Kind.PROGRAMS, assignment.der_program_list_link)
        case Kind.PROGRAMS:
            for program in items:
                yield from _to(Kind.CURVES, program.der_curve_list_link)
                yield from _to(Kind.DEFAULT, program.default_der_control_link)
                yield from _to(Kind.CONTROLS, program.der_control_list_link)
        case _:
            return


def _of_device(device: EndDevice, dcap: DeviceCapability | None) -> Iterator[tuple[Kind, str]]:
    yield from _to(Kind.REGISTRATION, device.registration_link)
    yield from _to(Kind.ASSIGNMENTS, device.function_set_assignments_list_link)
    if device.function_set_assignments_list_link is None and dcap is not None:
        yield from _to(Kind.PROGRAMS, dcap.der_program_list_link)  # a server without assignments: its programmes
    yield from _to(Kind.DERS, device.der_list_link)


def _to(kind: Kind, link: Link | None) -> Iterator[tuple[Kind, str]]:
    if link is not None:
        yield kind, link.href
