"""Parts that several message families share: response, target, period, payloads, extension content."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.lexical import FLOAT, NAME, list_of, matching
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.xml_wire import wire

RESPONSE_CODE = matching("[0-9]{3}", "response code of three digits")
_POSITIONS = list_of(FLOAT, 10_000)


class EiResponse(msgspec.Struct, frozen=True, kw_only=True):
    """eiResponse. `response_code` has three digits (`ResponseCode`); `request_id` may be empty."""

    response_code: Annotated[str, wire("ei:responseCode", RESPONSE_CODE)]
    response_description: Annotated[str | None, wire("ei:responseDescription?")] = None
    request_id: Annotated[str, wire("pyld:requestID")]


class QualifiedEventID(msgspec.Struct, frozen=True, kw_only=True):
    """qualifiedEventID: one version of one event."""

    event_id: Annotated[str, wire("ei:eventID")]
    modification_number: Annotated[int, wire("ei:modificationNumber")]


class Polygon(msgspec.Struct, frozen=True, kw_only=True):
    """gml:Polygon: its outer ring as a flat list of coordinates."""

    id: Annotated[str | None, wire("@gml:id?", NAME)] = None
    positions: Annotated[tuple[Decimal, ...], wire("gml:exterior/gml:LinearRing/gml:posList", _POSITIONS)]


class FeatureCollection(msgspec.Struct, frozen=True, kw_only=True):
    """gml:FeatureCollection, as the schema of 2.0b cuts it down: one polygon."""

    id: Annotated[str | None, wire("@gml:id?", NAME)] = None
    polygon: Annotated[Polygon, wire("gml:location/gml:Polygon")]


class TransportInterface(msgspec.Struct, frozen=True, kw_only=True):
    """power:transportInterface: an edge of the network."""

    point_of_receipt: Annotated[str, wire("power:pointOfReceipt")]
    point_of_delivery: Annotated[str, wire("power:pointOfDelivery")]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """EiTargetType: eiTarget, reportSubject, reportDataSource, oadrDeviceClass. Empty means the receiving VEN; several
    entries mean any of them (rule 22).
    """

    aggregated_pnodes: Annotated[tuple[str, ...], wire("power:aggregatedPnode*/power:node")] = ()
    end_device_assets: Annotated[tuple[str, ...], wire("power:endDeviceAsset*/power:mrid")] = ()
    meter_assets: Annotated[tuple[str, ...], wire("power:meterAsset*/power:mrid")] = ()
    pnodes: Annotated[tuple[str, ...], wire("power:pnode*/power:node")] = ()
    service_areas: Annotated[tuple[FeatureCollection, ...], wire("emix:serviceArea*/gml:FeatureCollection")] = ()
    service_delivery_points: Annotated[tuple[str, ...], wire("power:serviceDeliveryPoint*/power:node")] = ()
    service_locations: Annotated[
        tuple[FeatureCollection, ...], wire("power:serviceLocation*/gml:FeatureCollection")
    ] = ()
    transport_interfaces: Annotated[tuple[TransportInterface, ...], wire("power:transportInterface*")] = ()
    group_ids: Annotated[tuple[str, ...], wire("ei:groupID*")] = ()
    group_names: Annotated[tuple[str, ...], wire("ei:groupName*")] = ()
    resource_ids: Annotated[tuple[str, ...], wire("ei:resourceID*")] = ()
    ven_ids: Annotated[tuple[str, ...], wire("ei:venID*")] = ()
    party_ids: Annotated[tuple[str, ...], wire("ei:partyID*")] = ()


class CalendarPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """xcal:properties: of an active period, of an available stretch, of a report interval.

    A zero `duration` of an active period means open-ended (rule 47). `start_after` is tolerance/tolerate/startafter.
    `ramp_up` and `recovery` may be negative.
    """

    dtstart: Annotated[datetime, wire("xcal:dtstart/xcal:date-time")]
    duration: Annotated[Duration, wire("xcal:duration/xcal:duration")]
    start_after: Annotated[Duration | None, wire("xcal:tolerance?/xcal:tolerate/xcal:startafter?")] = None
    notification: Annotated[Duration | None, wire("ei:x-eiNotification?/xcal:duration")] = None
    ramp_up: Annotated[Duration | None, wire("ei:x-eiRampUp?/xcal:duration")] = None
    recovery: Annotated[Duration | None, wire("ei:x-eiRecovery?/xcal:duration")] = None


class PayloadFloat(msgspec.Struct, frozen=True, kw_only=True):
    """payloadFloat: one number, exactly as written, in the unit and scale of the item base beside it."""

    ELEMENT: ClassVar[str] = "ei:payloadFloat"

    value: Annotated[Decimal, wire("ei:value")]
