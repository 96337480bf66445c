"""Hand-written documents, one family after the other, against the values that their texts say.

Expectations are written from the reference of the types (order, scale, sign, codes), not from our own output; each
document is also written again and compared with what stood there.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from ieee2030_5_schemas import schema_of
from lxml import etree

from wattseal.protocols.ieee2030_5 import vocabulary as words
from wattseal.protocols.ieee2030_5.base import DateTimeInterval, Link, ListLink
from wattseal.protocols.ieee2030_5.codec import decode, decode_as, encode
from wattseal.protocols.ieee2030_5.core_resources import (
    DeviceCapability,
    EndDeviceList,
    FunctionSetAssignmentsList,
    Registration,
    Time,
)
from wattseal.protocols.ieee2030_5.csip_aus import ConnectionPoint
from wattseal.protocols.ieee2030_5.demand_response import EndDeviceControl
from wattseal.protocols.ieee2030_5.der_control import (
    CurveData,
    DefaultDERControl,
    DERControl,
    DERControlBase,
    DERControlList,
    DERCurve,
    DERCurveLink,
)
from wattseal.protocols.ieee2030_5.der_status import DERCapability, DERStatus
from wattseal.protocols.ieee2030_5.device_information import Configuration, DeviceInformation, PowerStatus
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequest, FlowReservationResponse
from wattseal.protocols.ieee2030_5.log_event import LogEvent
from wattseal.protocols.ieee2030_5.messaging import TextMessage
from wattseal.protocols.ieee2030_5.metering import MirrorUsagePoint
from wattseal.protocols.ieee2030_5.pricing import TimeTariffInterval
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIP_2023, CSIPAUS_1_2, CSIPAUS_1_3, Profile
from wattseal.protocols.ieee2030_5.quantities import (
    ActivePower,
    ActivePowerControl,
    ActivePowerDeltaControl,
    FixedVarControl,
    FreqDroop,
    PerCentControl,
    PowerFactor,
    PowerFactorWithExcitationControl,
    ReactivePowerControl,
    SignedPerCentControl,
    SignedRealEnergy,
    UnsignedActivePowerControl,
    UnsignedFixedVarControl,
)
from wattseal.protocols.ieee2030_5.response import DERControlResponse, Response, ResponseList
from wattseal.protocols.ieee2030_5.subscription import Notification, Subscription

FOLDER = Path(__file__).parent / "vectors" / "ieee2030_5"
VECTORS = sorted(FOLDER.glob("*.xml"))
LFDI = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"


def profile_of(data: bytes) -> Profile:
    """The profile that a document is written for, by its namespaces."""
    if b"csipaus.org/ns/v1.3" in data:
        return CSIPAUS_1_3
    if b"csipaus.org/ns" in data:
        return CSIPAUS_1_2
    return CSIP_2023 if b"schemaVer" in data else CSIP_2018


def vector(name: str, kind: type[Any]) -> Any:
    data = (FOLDER / f"{name}.xml").read_bytes()
    document = decode_as(kind, data, profile_of(data))
    assert document.notes == ()
    assert document.left_out == ()
    return document.resource


def shape(element: etree._Element) -> tuple[Any, ...]:
    """An element without what does not matter: prefixes, the order of attributes, blanks between elements."""
    return (
        str(element.tag),
        sorted((str(name), value) for name, value in element.attrib.items()),
        (element.text or "").strip() if len(element) else element.text or "",
        [shape(child) for child in element],
    )


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_written_again_it_is_the_same_document(path: Path) -> None:
    data = path.read_bytes()
    profile = profile_of(data)
    again = encode(decode(data, profile).resource, profile)
    assert shape(etree.fromstring(again)) == shape(etree.fromstring(data))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_vectors_themselves_are_valid(path: Path) -> None:
    """Oracle: the XSD of the profile; a vector that is wrong proves nothing."""
    data = path.read_bytes()
    schema_of(profile_of(data).name).assertValid(etree.fromstring(data))


def test_device_capability() -> None:
    assert vector("device_capability", DeviceCapability) == DeviceCapability(
        href="/dcap",
        poll_rate=600,
        der_program_list_link=ListLink(href="/derp", all=2),
        time_link=Link(href="/tm"),
        end_device_list_link=ListLink(href="/edev"),
        mirror_usage_point_list_link=ListLink(href="/mup", all=0),
        self_device_link=Link(href="/sdev"),
    )


def test_end_device_list() -> None:
    """LFDI starting 3E4F45AB3 goes with SFDI 167261211391; deviceCategory bit 23 is PV with storage."""
    page = vector("end_device_with_connection_point", EndDeviceList)
    assert (page.all, page.results, page.poll_rate, page.subscribable) == (7, 1, 300, words.Subscribable.PLAIN)
    (device,) = page.items
    assert (device.lfdi, device.sfdi, device.enabled, device.post_rate) == (LFDI, 167_261_211_391, True, 300)
    assert device.device_category == words.DeviceCategory.PHOTOVOLTAIC_AND_STORAGE
    assert device.connection_point_link == Link(href="/edev/1/cp")
    assert device.registration_link == Link(href="/edev/1/rg")
    assert device.subscription_list_link is None


def test_function_set_assignments() -> None:
    (assignment,) = vector("function_set_assignments_with_their_own_clock", FunctionSetAssignmentsList).items
    assert assignment.time_link == Link(href="/edev/1/fsa/1/tm")
    assert assignment.mrid == "01BE7A7E570000000000000000009D9C"


def test_registration() -> None:
    """PIN 11111 with its check digit is 111115."""
    assert vector("registration_and_pin", Registration).pin == 111_115


def test_time() -> None:
    assert vector("time_uncoordinated", Time) == Time(
        href="/tm",
        poll_rate=900,
        current_time=1_795_399_569,
        dst_end_time=1_793_523_600,
        dst_offset=3600,
        dst_start_time=1_772_964_000,
        local_time=1_795_370_769,
        quality=words.TimeQuality.UNCOORDINATED,
        tz_offset=-28_800,
    )


def test_device_information() -> None:
    device = vector("device_information", DeviceInformation)
    assert (device.lfdi, device.mf_id, device.sw_ver) == (LFDI, 40_732, "1.0")
    assert device.primary_power is words.PowerSource.MAINS


def test_power_status() -> None:
    status = vector("power_status_of_a_vehicle", PowerStatus)
    assert status.battery_status is words.BatteryState.NORMAL
    assert status.estimated_charge_remaining == 4250
    assert (status.pev_info.energy_request_now.multiplier, status.pev_info.energy_request_now.value) == (3, 22)


def test_configuration() -> None:
    rules = vector("configuration_with_dst_rules", Configuration).time_configuration
    assert (rules.dst_end_rule, rules.tz_offset) == (0xA40E2000, 36_000)


def test_every_mode_of_2018() -> None:
    """The DERControlBase table: hundredths of a percent, multiplier and value, links to curves."""
    (control,) = vector("control_with_every_2018_mode", DERControlList).items
    assert control.reply_to == "/rsps/1/rsp"
    assert control.response_required == 0b111
    assert control.interval == DateTimeInterval(duration=300, start=1_795_399_444)
    assert (control.randomize_duration, control.randomize_start) == (-30, 30)
    assert control.device_category == words.DeviceCategory.OTHER_STORAGE
    assert control.der_control_base == DERControlBase(
        op_mod_connect=True,
        op_mod_energize=False,
        op_mod_fixed_pf_absorb_w=PowerFactorWithExcitationControl(displacement=950, excitation=True, multiplier=-3),
        op_mod_fixed_pf_inject_w=PowerFactorWithExcitationControl(displacement=1, excitation=False, multiplier=0),
        op_mod_fixed_var=FixedVarControl(ref_type=words.UnitReference.SET_MAX_VAR, value=-4400),
        op_mod_fixed_w=SignedPerCentControl(value=-5000),
        op_mod_freq_droop=FreqDroop(dbof=36, dbuf=37, kof=50, kuf=51, open_loop_tms=500),
        op_mod_freq_watt=DERCurveLink(href="/dc/0"),
        op_mod_hfrt_may_trip=DERCurveLink(href="/dc/1"),
        op_mod_hfrt_must_trip=DERCurveLink(href="/dc/2"),
        op_mod_hvrt_may_trip=DERCurveLink(href="/dc/3"),
        op_mod_hvrt_momentary_cessation=DERCurveLink(href="/dc/4"),
        op_mod_hvrt_must_trip=DERCurveLink(href="/dc/5"),
        op_mod_lfrt_may_trip=DERCurveLink(href="/dc/6"),
        op_mod_lfrt_must_trip=DERCurveLink(href="/dc/7"),
        op_mod_lvrt_may_trip=DERCurveLink(href="/dc/8"),
        op_mod_lvrt_momentary_cessation=DERCurveLink(href="/dc/9"),
        op_mod_lvrt_must_trip=DERCurveLink(href="/dc/10"),
        op_mod_max_lim_w=PerCentControl(value=10_000),
        op_mod_target_var=ReactivePowerControl(multiplier=2, value=-12),
        op_mod_target_w=ActivePowerControl(multiplier=-1, value=-32_768),
        op_mod_volt_var=DERCurveLink(href="/dc/11"),
        op_mod_volt_watt=DERCurveLink(href="/dc/12"),
        op_mod_watt_pf=DERCurveLink(href="/dc/13"),
        op_mod_watt_var=DERCurveLink(href="/dc/14"),
        ramp_tms=6000,
    )


def test_modes_of_2023() -> None:
    """Since 2023 a mode may be disabled; its value is then only a fallback for older devices."""
    control = vector("control_of_2023_with_a_disabled_mode", DERControl)
    assert control.event_status.current_status is words.EventState.COMPLETE
    assert control.der_control_base == DERControlBase(
        op_mod_delta_w=ActivePowerDeltaControl(
            multiplier=0, value=-100, disabled=False, bidirectional=words.DeltaDirection.SHALL_NOT
        ),
        op_mod_fixed_w=SignedPerCentControl(disabled=True, value=500),
        op_mod_max_lim_pct_var_inject=UnsignedFixedVarControl(ref_type=words.UnitReference.SET_MAX_VA, value=4400),
        op_mod_max_lim_w_inject=UnsignedActivePowerControl(multiplier=0, value=65_535),
        op_mod_volt_var=DERCurveLink(href="/dc/11", disabled=True),
    )


def test_modes_of_csipaus() -> None:
    control = vector("control_of_csipaus_13_storage_target", DERControl)
    assert control.event_status.potentially_superseded is True
    assert control.interval.end == 4_294_967_295
    assert control.der_control_base == DERControlBase(
        op_mod_imp_lim_w=ActivePower(multiplier=0, value=1500),
        op_mod_exp_lim_w=ActivePower(multiplier=3, value=5),
        op_mod_storage_target_w=ActivePower(multiplier=0, value=-2500),
    )


def test_default_control() -> None:
    default = vector("default_control_of_an_australian_site", DefaultDERControl)
    assert default.der_control_base == DERControlBase(
        op_mod_imp_lim_w=ActivePower(multiplier=0, value=0), op_mod_exp_lim_w=ActivePower(multiplier=0, value=0)
    )
    assert (default.set_es_delay, default.set_es_low_volt, default.set_grad_w) == (30_000, -1500, 27)


def test_curve() -> None:
    curve = vector("curve_volt_var", DERCurve)
    assert curve.curve_type is words.CurveType.VOLT_VAR
    assert curve.y_ref_type is words.UnitReference.SET_MAX_VAR
    assert (curve.x_multiplier, curve.y_multiplier) == (-2, -2)
    assert curve.curve_data == (
        CurveData(xvalue=9200, yvalue=4400),
        CurveData(excitation=True, xvalue=10_800, yvalue=-4400),
    )


def test_capability() -> None:
    capability = vector("capability_of_a_hybrid_inverter", DERCapability)
    modes = words.DERMode.CHARGE | words.DERMode.DISCHARGE | words.DERMode.CONNECT | words.DERMode.ENERGIZE
    assert capability.modes_supported == modes | words.DERMode.MAX_LIM_W | words.DERMode.TARGET_W
    assert capability.type is words.DERType.PHOTOVOLTAIC_AND_STORAGE
    assert capability.rtg_max_va.value == 60_000
    assert capability.rtg_min_pf_over_excited == PowerFactor(displacement=80, multiplier=-2)
    assert capability.doe_modes_supported == 0b1111
    assert capability.vpp_modes_supported == words.VppMode.STORAGE_TARGET_W


def test_status() -> None:
    status = vector("status_of_a_battery", DERStatus)
    assert status.alarm_status == words.Alarm.PHASE_ROTATION | words.Alarm.UNDER_VOLTAGE
    assert status.gen_connect_status.value == 0b111
    assert status.inverter_status.value is words.InverterState.TRACKING_MPPT
    assert status.manufacturer_status.value == "E042"
    assert status.state_of_charge_status.value == 8750
    assert status.storage_mode_status.value is words.StorageMode.HOLDING


def test_responses() -> None:
    """A code that is reserved today is kept with its number."""
    started = vector("response_started", DERControlResponse)
    assert (started.status, started.subject) == (words.ResponseStatus.STARTED, "0C009D9C")
    first, second = vector("responses_told_apart_by_type", ResponseList).items
    assert type(first) is DERControlResponse
    assert type(second) is Response
    assert (second.status, second.status.name) == (199, "OTHER_199")


def test_mirror_usage_point() -> None:
    """CSIP-AUS: role flags of the site are 0003; site power is negative for export."""
    point = vector("mirror_usage_point_of_a_site", MirrorUsagePoint)
    assert point.role_flags == words.RoleFlag.MIRROR | words.RoleFlag.PREMISES_AGGREGATION_POINT
    (meter,) = point.mirror_meter_readings
    assert (meter.reading_type.uom, meter.reading_type.kind) == (words.Uom.WATT, words.Kind.POWER)
    assert meter.reading_type.data_qualifier is words.DataQualifier.AVERAGE
    (readings,) = meter.mirror_reading_sets
    assert readings.time_period == DateTimeInterval(duration=300, start=1_795_399_200)
    assert [one.value for one in readings.readings] == [-2500]


def test_subscription() -> None:
    assert vector("subscription_to_controls", Subscription) == Subscription(
        subscribed_resource="/derp/1/derc",
        encoding=0,
        level="+S1",
        limit=10,
        notification_uri="https://192.0.2.7:8443/n/7f3a",
    )


def test_notifications() -> None:
    """The type of what changed stands in xsi:type; results=0 only says that it changed."""
    changed = vector("notification_of_an_empty_list", Notification)
    assert changed.resource == DERControlList(href="/derp/1/derc", all=3, results=0)
    moved = vector("notification_that_the_resource_moved", Notification)
    assert moved.resource is None
    assert (moved.status, moved.new_resource_uri) == (words.NotificationStatus.CANCELLED_MOVED, "/derp2")


def test_log_event() -> None:
    event = vector("log_event_over_voltage", LogEvent)
    assert event.function_set is words.FunctionSet.DER
    assert (event.log_event_code, event.log_event_id, event.log_event_pen) == (2, 65_535, 40_732)


def test_flow_reservation() -> None:
    request = vector("flow_reservation_request", FlowReservationRequest)
    assert request.energy_requested == SignedRealEnergy(multiplier=3, value=22)
    assert request.request_status.request_status is words.RequestState.REQUESTED
    granted = vector("flow_reservation_response", FlowReservationResponse)
    assert granted.subject == request.mrid
    assert granted.energy_available.value == -5


def test_demand_response() -> None:
    event = vector("end_device_control_target_reduction", EndDeviceControl)
    assert event.duty_cycle.normal_value == 50
    assert event.target_reduction.type is words.ReductionUnit.KILOWATT
    assert event.dr_program_mandatory is True


def test_pricing() -> None:
    interval = vector("tariff_interval_of_csipaus_13", TimeTariffInterval)
    assert [one.price for one in interval.consumption_tariff_interval_list_summary.items] == [-1250]
    assert interval.rate_component_link == Link(href="/tp/1/rc/1")


def test_messaging() -> None:
    message = vector("text_message", TextMessage)
    assert message.text_message == "Export is limited & will return at 5 <pm>."
    assert message.priority is words.MessagePriority.CRITICAL


def test_connection_point() -> None:
    assert vector("connection_point", ConnectionPoint).connection_point_id == "NMI 6102 1234567"


def test_a_resource_survives_a_journal() -> None:
    """Resources are kept in journals as JSON; reserved codes come back by their number."""
    page = vector("responses_told_apart_by_type", ResponseList)
    kept = msgspec.json.decode(msgspec.json.encode(page.items[1]), type=Response)
    assert kept == page.items[1]
