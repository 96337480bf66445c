"""The tree that a client walks: DeviceCapability, the devices and their function set assignments, Time, Registration.

Links lead everywhere; only /dcap is known beforehand. A link that cannot be read is left out and recorded.
"""

from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.ieee2030_5.base import (
    IdentifiedObject,
    Link,
    ListLink,
    Resource,
    SubscribableList,
    SubscribableResource,
)
from wattseal.protocols.ieee2030_5.editions import AUS, E2023
from wattseal.protocols.ieee2030_5.lexicals import BITS32, HEX128, HEX160, INT32, STRING32, TIME, UINT16, UINT32, UINT40
from wattseal.protocols.ieee2030_5.vocabulary import Distribution, Phase, Subscribable, TimeQuality
from wattseal.protocols.xml_wire import wire


class FunctionSetAssignmentsBase(Resource, frozen=True, kw_only=True):
    """The links that DeviceCapability and FunctionSetAssignments share."""

    customer_account_list_link: Annotated[ListLink | None, wire("CustomerAccountListLink?", apart=True)] = None
    demand_response_program_list_link: Annotated[
        ListLink | None, wire("DemandResponseProgramListLink?", apart=True)
    ] = None
    der_program_list_link: Annotated[ListLink | None, wire("DERProgramListLink?", apart=True)] = None
    file_list_link: Annotated[ListLink | None, wire("FileListLink?", apart=True)] = None
    messaging_program_list_link: Annotated[ListLink | None, wire("MessagingProgramListLink?", apart=True)] = None
    prepayment_list_link: Annotated[ListLink | None, wire("PrepaymentListLink?", apart=True)] = None
    response_set_list_link: Annotated[ListLink | None, wire("ResponseSetListLink?", apart=True)] = None
    tariff_profile_list_link: Annotated[ListLink | None, wire("TariffProfileListLink?", apart=True)] = None
    time_link: Annotated[Link | None, wire("TimeLink?", apart=True)] = None
    usage_point_list_link: Annotated[ListLink | None, wire("UsagePointListLink?", apart=True)] = None


class DeviceCapability(FunctionSetAssignmentsBase, frozen=True, kw_only=True):
    """/dcap: where everything else is. `poll_rate` in seconds, also for what lies below."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    end_device_list_link: Annotated[ListLink | None, wire("EndDeviceListLink?", apart=True)] = None
    mirror_usage_point_list_link: Annotated[ListLink | None, wire("MirrorUsagePointListLink?", apart=True)] = None
    self_device_link: Annotated[Link | None, wire("SelfDeviceLink?", apart=True)] = None


class FunctionSetAssignments(FunctionSetAssignmentsBase, frozen=True, kw_only=True):
    """A group of programs for a device; its own `time_link` is the clock of those programs."""

    subscribable: Annotated[Subscribable | None, wire("@subscribable?")] = None
    mrid: Annotated[str, wire("mRID", HEX128)]
    description: Annotated[str | None, wire("description?", STRING32)] = None
    version: Annotated[int | None, wire("version?", UINT16)] = None


class FunctionSetAssignmentsList(SubscribableList, frozen=True, kw_only=True):
    """FunctionSetAssignmentsList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[FunctionSetAssignments, ...], wire("FunctionSetAssignments*", apart=True)] = ()


class AbstractDevice(SubscribableResource, frozen=True, kw_only=True):
    """What every device says of itself. `sfdi` has its check digit last; `device_category` is a bitmap."""

    aggregated_device_list_link: Annotated[ListLink | None, wire("AggregatedDeviceListLink?", apart=True, of=E2023)] = (
        None
    )
    aggregation_priority_link: Annotated[Link | None, wire("AggregationPriorityLink?", apart=True, of=E2023)] = None
    configuration_link: Annotated[Link | None, wire("ConfigurationLink?", apart=True)] = None
    der_list_link: Annotated[ListLink | None, wire("DERListLink?", apart=True)] = None
    device_category: Annotated[int | None, wire("deviceCategory?", BITS32)] = None
    device_information_link: Annotated[Link | None, wire("DeviceInformationLink?", apart=True)] = None
    device_status_link: Annotated[Link | None, wire("DeviceStatusLink?", apart=True)] = None
    distribution: Annotated[Distribution | None, wire("distribution?", of=E2023)] = None
    file_status_link: Annotated[Link | None, wire("FileStatusLink?", apart=True)] = None
    ip_interface_list_link: Annotated[ListLink | None, wire("IPInterfaceListLink?", apart=True)] = None
    lfdi: Annotated[str | None, wire("lFDI?", HEX160)] = None
    load_shed_availability_list_link: Annotated[ListLink | None, wire("LoadShedAvailabilityListLink?", apart=True)] = (
        None
    )
    log_event_list_link: Annotated[ListLink | None, wire("LogEventListLink?", apart=True)] = None
    phase: Annotated[Phase | None, wire("phase?", of=E2023)] = None
    power_status_link: Annotated[Link | None, wire("PowerStatusLink?", apart=True)] = None
    sfdi: Annotated[int | None, wire("sFDI!", UINT40)] = None


class ExternalDevice(AbstractDevice, frozen=True, kw_only=True):
    """A device that the server knows. `enabled` false: not served. `post_rate`: seconds between its status posts."""

    changed_time: Annotated[int | None, wire("changedTime!", TIME)] = None
    enabled: Annotated[bool | None, wire("enabled?")] = None
    flow_reservation_request_list_link: Annotated[
        ListLink | None, wire("FlowReservationRequestListLink?", apart=True)
    ] = None
    flow_reservation_response_list_link: Annotated[
        ListLink | None, wire("FlowReservationResponseListLink?", apart=True)
    ] = None
    function_set_assignments_list_link: Annotated[
        ListLink | None, wire("FunctionSetAssignmentsListLink?", apart=True)
    ] = None
    post_rate: Annotated[int | None, wire("postRate?", UINT32)] = None
    registration_link: Annotated[Link | None, wire("RegistrationLink?", apart=True)] = None


class EndDevice(ExternalDevice, frozen=True, kw_only=True):
    """A device under a certificate, or managed by an aggregator."""

    proxied_device_list_link: Annotated[ListLink | None, wire("ProxiedDeviceListLink?", apart=True, of=E2023)] = None
    subscription_list_link: Annotated[ListLink | None, wire("SubscriptionListLink?", apart=True)] = None
    connection_point_link: Annotated[Link | None, wire("csipaus:ConnectionPointLink?", apart=True, of=AUS)] = None


class EndDeviceList(SubscribableList, frozen=True, kw_only=True):
    """EndDeviceList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[EndDevice, ...], wire("EndDevice*", apart=True)] = ()


class SelfDevice(AbstractDevice, frozen=True, kw_only=True):
    """The server itself."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    proxied_device_list_link: Annotated[ListLink | None, wire("ProxiedDeviceListLink?", apart=True, of=E2023)] = None


class ProxiedDevice(ExternalDevice, frozen=True, kw_only=True):
    """A device behind a proxy (2023)."""

    OF: ClassVar[str] = E2023


class ProxiedDeviceList(SubscribableList, frozen=True, kw_only=True):
    """ProxiedDeviceList (2023)."""

    OF: ClassVar[str] = E2023

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[ProxiedDevice, ...], wire("ProxiedDevice*", apart=True)] = ()


class AggregatedDevice(Resource, frozen=True, kw_only=True):
    """A member of an aggregation (2023)."""

    OF: ClassVar[str] = E2023

    changed_time: Annotated[int, wire("changedTime", TIME)]
    device_category: Annotated[int | None, wire("deviceCategory?", BITS32)] = None
    enabled: Annotated[bool | None, wire("enabled?")] = None
    lfdi: Annotated[str, wire("lFDI", HEX160)]
    sfdi: Annotated[int, wire("sFDI", UINT40)]


class AggregatedDeviceList(SubscribableList, frozen=True, kw_only=True):
    """AggregatedDeviceList (2023)."""

    OF: ClassVar[str] = E2023

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[AggregatedDevice, ...], wire("AggregatedDevice*", apart=True)] = ()


class PriorityData(msgspec.Struct, frozen=True, kw_only=True):
    """One place in an order of devices (2023)."""

    lfdi: Annotated[str, wire("lFDI", HEX160)]


class AggregationPriority(IdentifiedObject, frozen=True, kw_only=True):
    """The order in which the members of an aggregation are used (2023)."""

    OF: ClassVar[str] = E2023

    priority_data: Annotated[tuple[PriorityData, ...], wire("PriorityData+")]


class Registration(Resource, frozen=True, kw_only=True):
    """`pin` has its check digit last."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    date_time_registered: Annotated[int | None, wire("dateTimeRegistered!", TIME)] = None
    pin: Annotated[int, wire("pIN", UINT32)]


class Time(Resource, frozen=True, kw_only=True):
    """The server's clock. `quality` 7 is intentionally uncoordinated and is followed. Offsets in seconds."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    current_time: Annotated[int, wire("currentTime", TIME)]
    dst_end_time: Annotated[int | None, wire("dstEndTime!", TIME)] = None
    dst_offset: Annotated[int | None, wire("dstOffset!", INT32)] = None
    dst_start_time: Annotated[int | None, wire("dstStartTime!", TIME)] = None
    local_time: Annotated[int | None, wire("localTime?", TIME)] = None
    quality: Annotated[TimeQuality | None, wire("quality!")] = None
    tz_offset: Annotated[int | None, wire("tzOffset!", INT32)] = None
