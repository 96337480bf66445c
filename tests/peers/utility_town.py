"""A whole town on a bench: something of every kind, for Alice, for Bob and for the sites of an aggregator."""

from __future__ import annotations

from typing import Any

from utility_bench import AGGREGATOR, ALICE, BOB, SITES, START, Bench, bench

from wattseal.protocols.ieee2030_5.base import DateTimeInterval
from wattseal.protocols.ieee2030_5.csip_aus import ConnectionPoint
from wattseal.protocols.ieee2030_5.demand_response import LoadShedAvailability
from wattseal.protocols.ieee2030_5.der_status import (
    ConnectStatus,
    DERAvailability,
    DERCapability,
    DERSettings,
    DERStatus,
)
from wattseal.protocols.ieee2030_5.device_information import (
    Configuration,
    DeviceInformation,
    DeviceStatus,
    PowerStatus,
)
from wattseal.protocols.ieee2030_5.editions import AUS
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequest, RequestStatus
from wattseal.protocols.ieee2030_5.log_event import LogEvent
from wattseal.protocols.ieee2030_5.metering import (
    MirrorMeterReading,
    MirrorReadingSet,
    MirrorUsagePoint,
    Reading,
    ReadingType,
)
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.response import DERControlResponse
from wattseal.protocols.ieee2030_5.server.state import Clock
from wattseal.protocols.ieee2030_5.subscription import Subscription
from wattseal.protocols.ieee2030_5.vocabulary import (
    BatteryState,
    DERType,
    FunctionSet,
    PowerSource,
    RequestState,
    ResponseStatus,
    ServiceKind,
    TimeQuality,
    Uom,
    UsagePointState,
)

WATTS = ActivePower(multiplier=0, value=5000)
TYPE_W = ReadingType(uom=Uom.WATT, power_of_ten_multiplier=0)


def sheets(profile_speaks: frozenset[str], lfdi: str) -> dict[str, Any]:
    """One document for each place under an EndDevice into which a device may put one."""
    aus = AUS in profile_speaks
    found: dict[str, Any] = {
        "der/1/dercap": DERCapability(
            modes_supported=0x0010_0000,
            rtg_max_w=WATTS,
            type=DERType.OTHER_STORAGE,
            doe_modes_supported=0x0F if aus else None,
        ),
        "der/1/derg": DERSettings(set_grad_w=27, set_max_w=WATTS, updated_time=START),
        "der/1/ders": DERStatus(reading_time=START, gen_connect_status=ConnectStatus(date_time=START, value=7)),
        "der/1/dera": DERAvailability(reading_time=START, stat_w_avail=WATTS),
        "di": DeviceInformation(
            lfdi=lfdi, mf_date=START, mf_hw_ver="1", mf_id=32473, mf_model="m", mf_ser_num="1",
            primary_power=PowerSource.MAINS, secondary_power=PowerSource.NONE, sw_act_time=START, sw_ver="1",
        ),
        "dstat": DeviceStatus(changed_time=START),
        "ps": PowerStatus(
            battery_status=BatteryState.NORMAL, changed_time=START, current_power_source=PowerSource.MAINS
        ),
        "cfg": Configuration(current_locale="en", user_device_name="garage"),
        "lsl/1": LoadShedAvailability(sheddable_power=WATTS),
    }  # fmt: skip
    if aus:
        found["cp"] = ConnectionPoint(connection_point_id="NMI1234567")
    return found


def mirror(lfdi: str, mrid: str = "AA" * 16, **more: Any) -> MirrorUsagePoint:
    """A usage point with one quantity and one set of two readings."""
    period = DateTimeInterval(start=START - 300, duration=300)
    reading = Reading(value=1200, time_period=period)
    readings = MirrorReadingSet(mrid="5E", time_period=period, readings=(reading, Reading(value=1, time_period=None)))
    meter = MirrorMeterReading(mrid="77" + mrid[2:], reading_type=TYPE_W, mirror_reading_sets=(readings,))
    fields = {
        "mrid": mrid,
        "role_flags": 0x49,
        "service_category_kind": ServiceKind.ELECTRICITY,
        "status": UsagePointState.ON,
        "device_lfdi": lfdi,
        "mirror_meter_readings": (meter,),
    }
    return MirrorUsagePoint(**(fields | more))


def flow_request(mrid: str = "F1") -> FlowReservationRequest:
    """10 kWh at up to 5 kW within four hours from now."""
    return FlowReservationRequest(
        mrid=mrid,
        creation_time=START,
        duration_requested=7200,
        energy_requested=SignedRealEnergy(multiplier=3, value=10),
        interval_requested=DateTimeInterval(start=START, duration=4 * 3600),
        power_requested=WATTS,
        request_status=RequestStatus(date_time=START, request_status=RequestState.REQUESTED),
    )


def log_event(code: int = 0) -> LogEvent:
    """An alarm of DER."""
    return LogEvent(
        created_date_time=START, function_set=FunctionSet.DER, log_event_code=code, log_event_id=1,
        log_event_pen=40732, profile_id=2,
    )  # fmt: skip


def subscription(resource: str, uri: str = "https://aggregator.example/notify/1", **more: Any) -> Subscription:
    """A plain one."""
    return Subscription(subscribed_resource=resource, encoding=0, level="+S1", limit=255, notification_uri=uri, **more)


def programs_of(town: Bench, group: int) -> dict[str, int]:
    """A programme of every kind with something in it, in a group."""
    der = town.program(group, primacy=5)
    points = [{"xvalue": 9500, "yvalue": 4400}, {"xvalue": 10500, "yvalue": -4400}]
    curve = town.do("add_curve", program=der, curve={"curve_type": 11, "curve_data": points, "y_ref_type": 2})
    town.control(der, base={"op_mod_volt_var": {"href": curve["mrid"]}, "op_mod_max_lim_w": {"value": 1}})
    town.control(der, start_in=7200, randomize_start=30, device_category=1 << 25)
    town.do("set_default", program=der, default={"base": {"op_mod_max_lim_w": {"value": 0}}, "set_grad_w": 27})
    load = town.program(group, "load")
    town.do("add_load_control", program=load, control={"duration": 60, "duty_cycle": {"normal_value": 50}})
    text = town.program(group, "text", locale="en")
    town.do("add_text", program=text, text={"duration": 60, "text": "Hello", "originator": "utility"})
    tariff = town.program(group, "tariff", currency=36, power_of_ten=-3)
    rate = town.do("add_rate", program=tariff, role_flags=1, reading_type={"uom": 72})
    interval = {"duration": 1800, "prices": [[0, 250], [1000, 400]]}
    town.do("add_interval", program=tariff, rate=rate["serial"], interval=interval)
    return {"der": der, "load": load, "text": text, "tariff": tariff}


def own_things(town: Bench, lfdi: str, caller: str, mrid: str) -> None:
    """What a device puts and posts of its own."""
    base = f"edev/{town.serial_of(lfdi)}"
    for place, document in sheets(town.profile.speaks, lfdi).items():
        assert town.send("PUT", f"{base}/{place}", document, caller).status == (201 if place == "cp" else 204), place
    assert town.send("POST", f"{base}/lel", log_event(), caller).status == 201
    assert town.send("POST", f"{base}/frq", flow_request(), caller).status == 201
    assert town.send("POST", "mup", mirror(lfdi, mrid), caller).status == 201
    assert town.send("POST", f"{base}/sub", subscription(town.hrefs.write(f"{base}/fsa")), caller).status == 201


def town(profile: str, *, validated: bool = True, **settings: Any) -> Bench:
    """Alice, Bob and two sites of an aggregator, each in a group of its own with programmes of its own."""
    found = bench(profile, **settings)
    found.validated = validated
    for number, (lfdi, caller) in enumerate(((ALICE, ALICE), (BOB, BOB), *((one, AGGREGATOR) for one in SITES))):
        assert found.register(lfdi, caller).status == 201
        group = found.group(lfdi, clock=Clock(offset=60, quality=TimeQuality.UNCOORDINATED))
        programs = programs_of(found, group)
        own_things(found, lfdi, caller, f"{number + 10:032X}")
        subject = next(one for one in found.world.der_programs if one.serial == programs["der"]).controls[0].event.mrid
        answer = DERControlResponse(
            created_date_time=START, end_device_lfdi=lfdi, status=ResponseStatus.RECEIVED, subject=subject
        )
        assert found.send("POST", "rsps/1/rsp", answer, caller).status == 201
    return found
