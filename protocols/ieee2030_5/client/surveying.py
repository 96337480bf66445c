"""The tree into a `Survey`: what was read, by LFDI and mRID instead of by address.

A programme that several lists name is one programme: its controls are those of all its lists, known only if each list
is. What is not known is None. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, get_type_hints

from wattseal.protocols.ieee2030_5.base import Link
from wattseal.protocols.ieee2030_5.client.kinds import Kind, Ours
from wattseal.protocols.ieee2030_5.client.reading import Known
from wattseal.protocols.ieee2030_5.client.sets.reading import Asked, SetRead, load_programs_of, sets_of
from wattseal.protocols.ieee2030_5.client.survey import ClockRead, DeviceRead, ProgramRead, Survey
from wattseal.protocols.ieee2030_5.client.tree import Tree
from wattseal.protocols.ieee2030_5.codec import LeftOutItem
from wattseal.protocols.ieee2030_5.core_resources import DeviceCapability, EndDevice, FunctionSetAssignments
from wattseal.protocols.ieee2030_5.der_control import DERControl, DERCurve, DERProgram
from wattseal.protocols.ieee2030_5.set_values import FunctionSet
from wattseal.protocols.xml_wire import Wire

_NOTHING: Final[Mapping[str, tuple[LeftOutItem, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A survey, for each DERProgram's mRID the controls that had to be left out of its lists, and the other sets."""

    survey: Survey
    left_out: Mapping[str, tuple[LeftOutItem, ...]]
    sets: Mapping[FunctionSet, SetRead]


def survey_of(tree: Tree, ours: Ours, clock: ClockRead | None, asked: Asked) -> Surveyed:
    """What was read so far. `asked`: which flow reservations are ours."""
    root = tree.known(tree.dcap, Kind.DCAP)
    if root is None:
        return Surveyed(Survey(clock=clock), _NOTHING, {})
    dcap: DeviceCapability = root.resource
    programs, left_out = _programs(tree)
    devices = _devices(tree, ours, dcap)
    managed = None if devices is None else _managed(devices, ours)
    own = None if devices is None else devices.get(bytes.fromhex(ours.lfdi))
    survey = Survey(dcap, _links(dcap), clock, own, managed, programs)
    sets = {} if managed is None else sets_of(tree, dcap, managed, bytes.fromhex(ours.lfdi), asked)
    return Surveyed(survey, left_out, sets)


def clocks_of(tree: Tree) -> tuple[str, ...]:
    """The addresses of the clocks, in order of preference: those of the assignments first, then the root's."""
    root = tree.known(tree.dcap, Kind.DCAP)
    own = root.resource.time_link if root is not None else None
    return (*tree.clocks, *(() if own is None else (own.href,)))


def _managed(devices: Mapping[bytes, DeviceRead], ours: Ours) -> dict[bytes, DeviceRead]:
    known = {bytes.fromhex(lfdi) for lfdi in ours.lfdis}
    return {lfdi: one for lfdi, one in devices.items() if lfdi in known}


def _links(dcap: DeviceCapability) -> Mapping[str, str]:
    found = {}
    for field, element in _link_names().items():
        link = getattr(dcap, field)
        if link is not None:
            found[element] = link.href
    return found


@cache
def _link_names() -> Mapping[str, str]:
    """The fields of DeviceCapability that are links, with their elements' names."""
    names = {}
    for field, hint in get_type_hints(DeviceCapability, include_extras=True).items():
        place = next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Wire)), None)
        if place is not None and field.endswith("_link"):
            names[field] = place.path.rstrip("?!*+")
    return names


def _devices(tree: Tree, ours: Ours, dcap: DeviceCapability) -> dict[bytes, DeviceRead] | None:
    listed = tree.known(_href(dcap.end_device_list_link), Kind.END_DEVICES)
    if listed is None:
        return None
    found: dict[bytes, DeviceRead] = {}
    for device in listed.items:
        lfdi = ours.lfdi_of(device)
        if lfdi is not None:
            found.setdefault(bytes.fromhex(lfdi), _device(tree, bytes.fromhex(lfdi), device, dcap))
    return found


def _device(tree: Tree, lfdi: bytes, device: EndDevice, dcap: DeviceCapability) -> DeviceRead:
    registration = tree.known(_href(device.registration_link), Kind.REGISTRATION)
    ders = tree.known(_href(device.der_list_link), Kind.DERS)
    assigned = tree.known(_href(device.function_set_assignments_list_link), Kind.ASSIGNMENTS)
    assignments = None if assigned is None else tuple(assigned.items)
    if device.function_set_assignments_list_link is None and dcap.der_program_list_link is not None:
        programs = _mrids(tree, (dcap.der_program_list_link.href,))
    else:
        programs = None if assignments is None else _mrids(tree, _program_lists(assignments))
    read = DeviceRead(
        lfdi,
        device.href or "",
        device,
        None if registration is None else registration.resource,
        None if ders is None else tuple((one.href or "", one) for one in ders.items),
        assignments,
        programs,
        flow_requests=_items(tree, device.flow_reservation_request_list_link, Kind.FLOW_REQUESTS),
        flow_responses=_items(tree, device.flow_reservation_response_list_link, Kind.FLOW_RESPONSES),
    )
    return replace(read, load_programs=load_programs_of(tree, read, dcap))


def _items(tree: Tree, link: Link | None, kind: Kind) -> tuple[Any, ...] | None:
    known = tree.known(_href(link), kind)
    return None if known is None else known.items


def _program_lists(assignments: tuple[FunctionSetAssignments, ...]) -> Iterator[str]:
    return (one.der_program_list_link.href for one in assignments if one.der_program_list_link is not None)


def _mrids(tree: Tree, lists: Iterable[str]) -> tuple[str, ...] | None:
    """The programmes of all these lists; None if one is not known."""
    found: dict[str, None] = {}
    for href in lists:
        known = tree.known(href, Kind.PROGRAMS)
        if known is None:
            return None
        found.update(dict.fromkeys(program.mrid for program in known.items))
    return tuple(found)


def _href(link: Link | None) -> str | None:
    return None if link is None else link.href


def _programs(tree: Tree) -> tuple[dict[str, ProgramRead], dict[str, tuple[LeftOutItem, ...]]]:
    listed: dict[str, dict[tuple[str | None, ...], tuple[DERProgram, bool]]] = {}
    for _, branch in tree.of_kind(Kind.PROGRAMS):
        known = branch.known
        for program in known.items if known is not None else ():
            key = _addresses(program)
            listed.setdefault(program.mrid, {}).setdefault(key, (program, bool(known and not _maimed(known))))
    programs, left_out = {}, {}
    for mrid, places in listed.items():
        programs[mrid], out = _program(tree, tuple(places.values()))
        if out:
            left_out[mrid] = out
    return programs, left_out


def _maimed(known: Known) -> bool:
    """Whether links may be missing because they could not be read or lead elsewhere."""
    return any(leaf.refusals for leaf in known.leaves)


def _addresses(program: DERProgram) -> tuple[str | None, ...]:
    return (
        _href(program.der_control_list_link),
        _href(program.der_curve_list_link),
        _href(program.default_der_control_link),
        str(program.primacy),
    )


def _program(tree: Tree, places: tuple[tuple[DERProgram, bool], ...]) -> tuple[ProgramRead, tuple[LeftOutItem, ...]]:
    programs = [program for program, _ in places]
    best = min(programs, key=lambda program: program.primacy)
    controls = [tree.known(_href(one.der_control_list_link), Kind.CONTROLS) for one in programs]
    defaults = [tree.known(_href(one.default_der_control_link), Kind.DEFAULT) for one in programs]
    named = [known.resource for known in defaults if known is not None and not known.absent]
    linked = [known for known, one in zip(defaults, programs, strict=True) if one.default_der_control_link is not None]
    default_read = all(known is not None for known in linked) if linked else all(whole for _, whole in places)
    read = ProgramRead(
        best,
        _controls(controls),
        _curves(tree, programs),
        named[0] if named else None,
        default_read,
        tuple(digest for known in (*controls, *defaults) if known is not None for digest in known.digests),
    )
    return read, tuple(one for known in controls if known is not None for one in known.left_out)


def _controls(lists: list[Known | None]) -> tuple[DERControl, ...] | None:
    """The controls of all lists, each mRID once; None if one list is not known."""
    found: dict[tuple[str, Any], DERControl] = {}
    for known in lists:
        if known is None:
            return None
        found.update({(control.mrid, control): control for control in known.items})
    return tuple(found.values())


def _curves(tree: Tree, programs: list[DERProgram]) -> Mapping[str, DERCurve] | None:
    hrefs = {href for program in programs if (href := _href(program.der_curve_list_link)) is not None}
    found: dict[str, DERCurve] = {}
    for href in sorted(hrefs):
        known = tree.known(href, Kind.CURVES)
        if known is None:
            return None
        found.update({curve.href: curve for curve in known.items if curve.href is not None})
    return found
