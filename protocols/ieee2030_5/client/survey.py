"""What was read of a server, as one frozen value: complete lists only, by LFDI and mRID. Knows no address scheme.

A list that could not be read whole is None, never short: nobody may take a missing page for a deletion. hrefs inside
are absolute on the server (path and query), resolved from whatever the server wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattseal.protocols.ieee2030_5.core_resources import (
    DeviceCapability,
    EndDevice,
    FunctionSetAssignments,
    Registration,
)
from wattseal.protocols.ieee2030_5.demand_response import DemandResponseProgram
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControl, DERCurve, DERProgram
from wattseal.protocols.ieee2030_5.der_status import DER
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequest, FlowReservationResponse


@dataclass(frozen=True, slots=True)
class ClockRead:
    """A Time resource as read: `offset_seconds` is how far the server's clock is ahead of ours."""

    href: str
    offset_seconds: int
    quality: int | None


@dataclass(frozen=True, slots=True)
class ProgramRead:
    """A DERProgram. `controls`, `curves`: None while not read whole. `default_read`: False while unknown.

    `raws` are the digests (SHA-256) of the messages that brought controls and default, for the record.
    """

    program: DERProgram
    controls: tuple[DERControl, ...] | None = None
    curves: Mapping[str, DERCurve] | None = None
    default: DefaultDERControl | None = None
    default_read: bool = False
    raws: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceRead:
    """One of our EndDevices at the server. Everything below it is None while it was not read whole.

    `programs`: mRIDs of DERPrograms through all its assignments. `load_programs`: as far as they were read.
    """

    lfdi: bytes
    href: str
    end_device: EndDevice
    registration: Registration | None = None
    ders: tuple[tuple[str, DER], ...] | None = None
    assignments: tuple[FunctionSetAssignments, ...] | None = None
    programs: tuple[str, ...] | None = None
    load_programs: tuple[DemandResponseProgram, ...] = ()
    flow_requests: tuple[FlowReservationRequest, ...] | None = None
    flow_responses: tuple[FlowReservationResponse, ...] | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything read so far. `devices` are ours only; None: the EndDeviceList was not yet read whole.

    `own` is the EndDevice of our certificate, where the server has one (an aggregator's may carry a subscription list
    and nothing else). `links` are named addresses of function sets (by the element's name, for example
    "MirrorUsagePointListLink"), from DeviceCapability.
    """

    dcap: DeviceCapability | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    clock: ClockRead | None = None
    own: DeviceRead | None = None
    devices: Mapping[bytes, DeviceRead] | None = None
    programs: Mapping[str, ProgramRead] = field(default_factory=dict)
