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
    FunctionSetAssignmentsBase,
    FunctionSetAssignmentsList,
    Registration,
    Time,
)
from wattseal.protocols.ieee2030_5.demand_response import DemandResponseProgramList, EndDeviceControlList
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControlList, DERCurveList, DERProgramList
from wattseal.protocols.ieee2030_5.der_status import DERList
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequestList, FlowReservationResponseList
from wattseal.protocols.ieee2030_5.messaging import MessagingProgramList, TextMessageList
from wattseal.protocols.ieee2030_5.metering import ReadingType
from wattseal.protocols.ieee2030_5.pricing import (
    ConsumptionTariffIntervalList,
    RateComponentList,
    TariffProfileList,
    TimeTariffInterval,
    TimeTariffIntervalList,
)


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
    LOAD_PROGRAMS = "load_programs"
    LOAD_CONTROLS = "load_controls"
    TARIFFS = "tariffs"
    RATES = "rates"
    RATES_COMBINED = "rates_combined"  # of a tariff that lists the intervals of all its rates together
    READING_TYPE = "reading_type"
    TARIFF_INTERVALS = "tariff_intervals"
    BLOCKS = "blocks"
    TEXT_PROGRAMS = "text_programs"
    TEXTS = "texts"
    FLOW_REQUESTS = "flow_requests"
    FLOW_RESPONSES = "flow_responses"


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


def _block(item: Any) -> str:
    return str(item.consumption_block)


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
    Kind.LOAD_PROGRAMS: Nature(DemandResponseProgramList, "DemandResponseProgram", _mrid, heard=True),
    Kind.LOAD_CONTROLS: Nature(EndDeviceControlList, "EndDeviceControl", _mrid, CSIP_CONTROL_SECONDS, heard=True),
    Kind.TARIFFS: Nature(TariffProfileList, "TariffProfile", _mrid, heard=True),
    Kind.RATES: Nature(RateComponentList, "RateComponent", _mrid),
    Kind.RATES_COMBINED: Nature(RateComponentList, "RateComponent", _mrid),
    Kind.READING_TYPE: Nature(ReadingType),
    Kind.TARIFF_INTERVALS: Nature(TimeTariffIntervalList, "TimeTariffInterval", _mrid, heard=True),
    Kind.BLOCKS: Nature(ConsumptionTariffIntervalList, "ConsumptionTariffInterval", _block, heard=True),
    Kind.TEXT_PROGRAMS: Nature(MessagingProgramList, "MessagingProgram", _mrid, heard=True),
    Kind.TEXTS: Nature(TextMessageList, "TextMessage", _mrid, heard=True),
    Kind.FLOW_REQUESTS: Nature(FlowReservationRequestList, "FlowReservationRequest", _mrid),
    Kind.FLOW_RESPONSES: Nature(
        FlowReservationResponseList, "FlowReservationResponse", _mrid, CSIP_CONTROL_SECONDS, heard=True
    ),
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
            yield from _to_programs(resource)
        case Kind.END_DEVICES:
            for device in items:
                if ours.lfdi_of(device) is not None:
                    yield from _of_device(device, dcap)
        case Kind.ASSIGNMENTS:
            for assignment in items:
                yield from _to(Kind.TIME, assignment.time_link)
                yield from _to(Kind.PROGRAMS, assignment.der_program_list_link)
                yield from _to_programs(assignment)
        case Kind.PROGRAMS:
            for program in items:
                yield from _to(Kind.CURVES, program.der_curve_list_link)
                yield from _to(Kind.DEFAULT, program.default_der_control_link)
                yield from _to(Kind.CONTROLS, program.der_control_list_link)
        case _:
            for item in items:
                yield from _further(kind, item)


def _of_device(device: EndDevice, dcap: DeviceCapability | None) -> Iterator[tuple[Kind, str]]:
    yield from _to(Kind.REGISTRATION, device.registration_link)
    yield from _to(Kind.ASSIGNMENTS, device.function_set_assignments_list_link)
    if device.function_set_assignments_list_link is None and dcap is not None:
        yield from _to(Kind.PROGRAMS, dcap.der_program_list_link)  # a server without assignments: its programmes
    yield from _to(Kind.DERS, device.der_list_link)
    yield from _to(Kind.FLOW_REQUESTS, device.flow_reservation_request_list_link)
    yield from _to(Kind.FLOW_RESPONSES, device.flow_reservation_response_list_link)


def _to_programs(base: FunctionSetAssignmentsBase) -> Iterator[tuple[Kind, str]]:
    """The programmes of the function sets beside DER."""
    yield from _to(Kind.LOAD_PROGRAMS, base.demand_response_program_list_link)
    yield from _to(Kind.TARIFFS, base.tariff_profile_list_link)
    yield from _to(Kind.TEXT_PROGRAMS, base.messaging_program_list_link)


def _further(kind: Kind, item: Any) -> Iterator[tuple[Kind, str]]:
    """Where one item of a list of those function sets leads."""
    match kind:
        case Kind.LOAD_PROGRAMS:
            yield from _to(Kind.LOAD_CONTROLS, item.end_device_control_list_link)
        case Kind.TARIFFS:
            combined = item.combined_time_tariff_interval_list_link
            yield from _to(Kind.RATES if combined is None else Kind.RATES_COMBINED, item.rate_component_list_link)
            yield from _to(Kind.TARIFF_INTERVALS, combined)
        case Kind.RATES | Kind.RATES_COMBINED:
            yield from _to(Kind.READING_TYPE, item.reading_type_link)
            if kind is Kind.RATES:
                yield from _to(Kind.TARIFF_INTERVALS, item.time_tariff_interval_list_link)
        case Kind.TARIFF_INTERVALS:
            if not has_blocks(item):
                yield from _to(Kind.BLOCKS, item.consumption_tariff_interval_list_link)
        case Kind.TEXT_PROGRAMS:
            yield from _to(Kind.TEXTS, item.text_message_list_link)
        case _:
            return


def has_blocks(interval: TimeTariffInterval) -> bool:
    """Whether an interval has its prices written into it, all of them (CSIP-AUS 1.3)."""
    summary = interval.consumption_tariff_interval_list_summary
    return summary is not None and len(summary.items) >= (summary.all or 0)


def _to(kind: Kind, link: Link | None) -> Iterator[tuple[Kind, str]]:
    if link is not None:
        yield kind, link.href
