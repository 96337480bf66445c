"""The tree into the programmes and events of each function set beside DER, and which device is under which programme.

A device is under the programmes that its assignments link; one without assignments under those of DeviceCapability.
Tariffs and texts that only DeviceCapability links are for whoever holds the certificate, so they concern our own
EndDevice and no other. A flow reservation has no programme: the device's own list of responses stands for one, with the
first half of the LFDI for a name, and only grants of what we asked for count. What is not known is None. Pure.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from wattseal.protocols.ieee2030_5.base import Event, Link
from wattseal.protocols.ieee2030_5.client.controls import control_from
from wattseal.protocols.ieee2030_5.client.kinds import Kind, has_blocks
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead
from wattseal.protocols.ieee2030_5.client.tree import Tree
from wattseal.protocols.ieee2030_5.codec import LeftOutItem
from wattseal.protocols.ieee2030_5.core_resources import DeviceCapability, FunctionSetAssignmentsBase
from wattseal.protocols.ieee2030_5.engine.inputs import Control, Setting
from wattseal.protocols.ieee2030_5.metering import ReadingType
from wattseal.protocols.ieee2030_5.pricing import ConsumptionTariffInterval, RateComponent, TariffProfile
from wattseal.protocols.ieee2030_5.set_values import FunctionSet, grant_of, load_of, price_of, text_of

FLOW_NAME_OCTETS: Final = 16

Asked: TypeAlias = Callable[[bytes, str], bool]
"""Whether the flow reservation request of this mRID is ours, for the device of this LFDI."""


@dataclass(frozen=True, slots=True)
class ProgrammeRead:
    """A programme. `controls`: all of its list, None while not read whole; `unclear`: mRIDs that cannot be told yet."""

    mrid: str
    primacy: int
    controls: tuple[Control, ...] | None
    left_out: tuple[LeftOutItem, ...] = ()
    unclear: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class SetRead:
    """One function set: programmes by mRID; for each of our devices the mRIDs of its programmes, None: not known."""

    programmes: Mapping[str, ProgrammeRead]
    devices: Mapping[bytes, tuple[str, ...] | None]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where the programmes of a set are linked, and for whom a link of DeviceCapability alone counts."""

    kind: Kind
    link: Callable[[FunctionSetAssignmentsBase], Link | None]
    of_everybody: bool


_SHELVES: Final[Mapping[FunctionSet, _Shelf]] = {
    FunctionSet.LOAD_CONTROL: _Shelf(Kind.LOAD_PROGRAMS, lambda base: base.demand_response_program_list_link, False),
    FunctionSet.PRICING: _Shelf(Kind.TARIFFS, lambda base: base.tariff_profile_list_link, True),
    FunctionSet.MESSAGING: _Shelf(Kind.TEXT_PROGRAMS, lambda base: base.messaging_program_list_link, True),
}


def sets_of(
    tree: Tree, dcap: DeviceCapability, devices: Mapping[bytes, DeviceRead], own: bytes, asked: Asked
) -> Mapping[FunctionSet, SetRead]:
    """What was read of each set. `own`: the LFDI of our certificate."""
    found = {}
    for name, shelf in _SHELVES.items():
        programs = {
            lfdi: _programs(tree, shelf.kind, _lists(read, dcap, shelf, own=lfdi == own))
            for lfdi, read in devices.items()
        }
        listed = {program.mrid: program for some in programs.values() for program in some or ()}
        found[name] = SetRead(
            {mrid: _programme(tree, name, program) for mrid, program in listed.items()},
            {lfdi: None if some is None else tuple(one.mrid for one in some) for lfdi, some in programs.items()},
        )
    found[FunctionSet.FLOW_RESERVATION] = _reservations(devices, asked)
    return found


def load_programs_of(tree: Tree, device: DeviceRead, dcap: DeviceCapability) -> tuple[Any, ...]:
    """The DemandResponsePrograms of a device, as far as they were read."""
    shelf = _SHELVES[FunctionSet.LOAD_CONTROL]
    return _programs(tree, shelf.kind, _lists(device, dcap, shelf, own=False)) or ()


def _lists(device: DeviceRead, dcap: DeviceCapability, shelf: _Shelf, *, own: bool) -> tuple[str, ...] | None:
    """The addresses of the lists of programmes that a device is under; None: not known."""
    root = shelf.link(dcap)
    general = () if root is None else (root.href,)
    if device.end_device.function_set_assignments_list_link is None:
        return general
    if device.assignments is None:
        return None
    links = [shelf.link(one) for one in device.assignments]
    named = tuple(dict.fromkeys(link.href for link in links if link is not None))
    return general if not named and own and shelf.of_everybody else named


def _programs(tree: Tree, kind: Kind, lists: Iterable[str] | None) -> tuple[Any, ...] | None:
    if lists is None:
        return None
    found: dict[str, Any] = {}
    for href in lists:
        known = tree.known(href, kind)
        if known is None:
            return None
        for program in known.items:
            found.setdefault(program.mrid, program)
    return tuple(found.values())


def _programme(tree: Tree, name: FunctionSet, program: Any) -> ProgrammeRead:
    match name:
        case FunctionSet.LOAD_CONTROL:
            events = _Events.of(tree, Kind.LOAD_CONTROLS, program.end_device_control_list_link)
            controls = [_control(one, load_of(one), one.device_category) for one in events.items or ()]
        case FunctionSet.MESSAGING:
            events = _Events.of(tree, Kind.TEXTS, program.text_message_list_link)
            controls = [_control(one, text_of(one)) for one in events.items or ()]
        case _:
            return _tariff(tree, program)
    told = None if events.items is None else tuple(controls)
    return ProgrammeRead(program.mrid, program.primacy, told, events.left_out)


@dataclass(frozen=True, slots=True)
class _Events:
    """A list of events; `items` None: linked and not read whole. Without a link it is empty."""

    items: tuple[Any, ...] | None
    left_out: tuple[LeftOutItem, ...] = ()

    @classmethod
    def of(cls, tree: Tree, kind: Kind, link: Link | None) -> "_Events":
        if link is None:
            return cls(())
        known = tree.known(link.href, kind)
        return cls(None) if known is None else cls(known.items, known.left_out)


def _control(event: Event, asked: tuple[str, bytes], category: int | None = None) -> Control:
    return control_from(event, (Setting(*asked),), device_category=category)


def _tariff(tree: Tree, tariff: TariffProfile) -> ProgrammeRead:
    """A tariff: the intervals of all its rates, from one list or from one for each rate."""
    combined = tariff.combined_time_tariff_interval_list_link
    kind = Kind.RATES if combined is None else Kind.RATES_COMBINED
    rates = _Events.of(tree, kind, tariff.rate_component_list_link)
    if rates.items is None:
        return ProgrammeRead(tariff.mrid, tariff.primacy, None)
    lists: list[tuple[RateComponent | None, _Events]]
    if combined is not None:
        lists = [(None, _Events.of(tree, Kind.TARIFF_INTERVALS, combined))]
    else:
        links = [(rate, rate.time_tariff_interval_list_link) for rate in rates.items]
        lists = [(rate, _Events.of(tree, Kind.TARIFF_INTERVALS, link)) for rate, link in links]
    if any(events.items is None for _, events in lists):
        return ProgrammeRead(tariff.mrid, tariff.primacy, None)
    priced = list(_priced(tree, tariff, {rate.href: rate for rate in rates.items}, lists))
    return ProgrammeRead(
        tariff.mrid,
        tariff.primacy,
        tuple(control for control, _ in priced),
        tuple(one for _, events in lists for one in events.left_out),
        frozenset(control.mrid for control, clear in priced if not clear),
    )


def _priced(
    tree: Tree,
    tariff: TariffProfile,
    rates: Mapping[str | None, RateComponent],
    lists: Iterable[tuple[RateComponent | None, _Events]],
) -> Iterator[tuple[Control, bool]]:
    """The intervals, and whether their prices are known."""
    for listed_under, events in lists:
        for interval in events.items or ():
            link = interval.rate_component_link
            rate = listed_under or (None if link is None else rates.get(link.href))
            blocks = _blocks(tree, interval)
            asked = price_of(tariff, rate, _reading_type(tree, rate), interval.tou_tier, blocks or ())
            yield _control(interval, asked), blocks is not None


def _blocks(tree: Tree, interval: Any) -> tuple[ConsumptionTariffInterval, ...] | None:
    if has_blocks(interval):
        return tuple(interval.consumption_tariff_interval_list_summary.items)
    return _Events.of(tree, Kind.BLOCKS, interval.consumption_tariff_interval_list_link).items


def _reading_type(tree: Tree, rate: RateComponent | None) -> ReadingType | None:
    if rate is None or rate.reading_type_link is None:
        return None
    known = tree.known(rate.reading_type_link.href, Kind.READING_TYPE)
    return None if known is None or known.absent else known.resource


def _reservations(devices: Mapping[bytes, DeviceRead], asked: Asked) -> SetRead:
    programmes = {}
    for lfdi, read in devices.items():
        if read.end_device.flow_reservation_response_list_link is None:
            continue
        name = lfdi[:FLOW_NAME_OCTETS].hex().upper()
        granted = read.flow_responses
        ours = [one for one in granted or () if asked(lfdi, one.subject)]
        controls = None if granted is None else tuple(_control(one, grant_of(one)) for one in ours)
        programmes[name] = ProgrammeRead(name, 0, controls)
    names = {lfdi: lfdi[:FLOW_NAME_OCTETS].hex().upper() for lfdi in devices}
    return SetRead(programmes, {lfdi: (name,) if name in programmes else () for lfdi, name in names.items()})
