"""The table of routes, but for subscriptions: every resource of the tree, who may see it, and what each verb does."""

from dataclasses import replace
from typing import Final

from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequest
from wattseal.protocols.ieee2030_5.log_event import LogEvent
from wattseal.protocols.ieee2030_5.metering import MirrorMeterReading, MirrorMeterReadingList, MirrorUsagePoint
from wattseal.protocols.ieee2030_5.response import RESPONSES, Response
from wattseal.protocols.ieee2030_5.server import (
    access,
    answering,
    device_lists,
    metering,
    mirroring,
    other_programs,
    programs,
    registering,
    sheets,
    tariffs,
    tree,
)
from wattseal.protocols.ieee2030_5.server.rows import Row, Table, View, Write, pattern_of, table
from wattseal.protocols.ieee2030_5.server.sheets import SheetRoute
from wattseal.protocols.ieee2030_5.server.state import Device
from wattseal.protocols.ieee2030_5.server.turn import Turn


def _sheet(pattern: str, route: SheetRoute) -> Row[Device]:
    guard = access.der if "/der/" in pattern else access.device
    return Row(pattern, guard, route.get, {"PUT": Write((route.kind,), route.put)})


_SHED: Final = sheets.shed_availability()
_READINGS: Final = (MirrorMeterReading, MirrorMeterReadingList)

TRUNK: Final = table(
    Row("dcap", access.anybody, tree.capability),
    Row("tm", access.anybody, tree.time),
    Row("sdev", access.anybody, tree.self_device),
    Row(
        "edev",
        access.anybody,
        tree.end_devices,
        {"POST": Write((EndDevice,), registering.register, returned=False)},
    ),
    Row(
        "edev/#",
        tree.device_or_virtual,
        tree.end_device,
        {"PUT": Write((EndDevice,), registering.amend, returned=False)},
        registering.leave,
    ),
    Row("edev/#/rg", access.device, tree.registration),
    Row("edev/#/fsa", access.device, tree.groups),
    Row("edev/#/fsa/#", access.group, tree.group),
    Row("edev/#/fsa/#/tm", access.group, tree.group_time),
    Row("edev/#/fsa/#/derp", access.group, programs.group_programs),
    Row("edev/#/fsa/#/drp", access.group, other_programs.group_load_programs),
    Row("edev/#/fsa/#/msg", access.group, other_programs.group_text_programs),
    Row("edev/#/fsa/#/tp", access.group, tariffs.group_tariffs),
)
DEVICES: Final = table(
    *(_sheet(f"edev/#/{name}", sheets.device_sheet(name)) for name in sheets.DEVICE_SHEETS),
    Row("edev/#/der", access.device, sheets.ders),
    Row("edev/#/der/#", access.der, sheets.der_at),
    *(_sheet(f"edev/#/der/#/{name}", sheets.der_sheet(name)) for name in sheets.DER_SHEETS),
    Row(
        "edev/#/lsl",
        access.device,
        sheets.shed_availabilities,
        {"POST": Write((_SHED.kind,), sheets.post_shed_availability)},
    ),
    _sheet("edev/#/lsl/#", _SHED),
    Row(
        "edev/#/lel", access.device, device_lists.log_events, {"POST": Write((LogEvent,), device_lists.post_log_event)}
    ),
    Row("edev/#/lel/#", access.device, device_lists.log_event),
    Row(
        "edev/#/frq",
        access.device,
        device_lists.flow_requests,
        {"POST": Write((FlowReservationRequest,), device_lists.post_flow_request)},
    ),
    Row(
        "edev/#/frq/#",
        access.device,
        device_lists.flow_request,
        {"PUT": Write((FlowReservationRequest,), device_lists.change_flow_request)},
    ),
    Row("edev/#/frp", access.device, device_lists.flow_responses),
    Row("edev/#/frp/#", access.device, device_lists.flow_response),
)
PROGRAMS: Final = table(
    Row("derp", access.anybody, programs.all_programs),
    Row("derp/#", access.der_program, programs.program),
    Row("derp/#/derc", access.der_program, programs.controls),
    Row("derp/#/derc/#", access.der_program, programs.control),
    Row("derp/#/actderc", access.der_program, programs.active_controls),
    Row("derp/#/dderc", access.der_program, programs.default),
    Row("derp/#/dc", access.der_program, programs.curves),
    Row("derp/#/dc/#", access.der_program, programs.curve),
    Row("drp", access.anybody, other_programs.all_load_programs),
    Row("drp/#", access.load_program, other_programs.load_program),
    Row("drp/#/edc", access.load_program, other_programs.load_controls),
    Row("drp/#/edc/#", access.load_program, other_programs.load_control),
    Row("drp/#/actedc", access.load_program, other_programs.active_load_controls),
    Row("msg", access.anybody, other_programs.all_text_programs),
    Row("msg/#", access.text_program, other_programs.text_program),
    Row("msg/#/txt", access.text_program, other_programs.texts),
    Row("msg/#/txt/#", access.text_program, other_programs.text),
    Row("msg/#/acttxt", access.text_program, other_programs.active_texts),
    Row("tp", access.anybody, tariffs.all_tariffs),
    Row("tp/#", access.tariff, tariffs.tariff),
    Row("tp/#/ctti", access.tariff, tariffs.combined_intervals),
    Row("tp/#/rc", access.tariff, tariffs.rates),
    Row("tp/#/rc/#", access.rate, tariffs.rate),
    Row("tp/#/rc/#/rt", access.rate, tariffs.rate_reading_type),
    Row("tp/#/rc/#/tti", access.rate, tariffs.intervals),
    Row("tp/#/rc/#/acttti", access.rate, tariffs.active_intervals),
    Row("tp/#/rc/#/tti/#", access.rate, tariffs.interval),
    Row("tp/#/rc/#/tti/#/cti", access.rate, tariffs.prices),
    Row("tp/#/rc/#/tti/#/cti/#", access.rate, tariffs.price),
)
ANSWERS: Final = table(
    Row("rsps", access.anybody, answering.response_sets),
    Row("rsps/#", access.response_set, answering.response_set),
    Row(
        "rsps/#/rsp",
        access.response_set,
        answering.responses,
        {"POST": Write((Response, *RESPONSES), answering.answer)},
    ),
    Row("rsps/#/rsp/#", access.response, answering.response),
    Row(
        "mup",
        access.anybody,
        mirroring.mirrors,
        {"POST": Write((MirrorUsagePoint,), mirroring.post_mirror)},
    ),
    Row(
        "mup/#",
        access.mirror,
        mirroring.mirror,
        {
            "PUT": Write((MirrorUsagePoint,), mirroring.change_mirror),
            "POST": Write(_READINGS, mirroring.post_readings, returned=False),
        },
        mirroring.drop_mirror,
    ),
    Row("mup/#/mmr/#", access.mirror, mirroring.meter),
    Row("upt", access.anybody, metering.usage_points),
    Row("upt/#", access.mirror, metering.usage_point),
    Row("upt/#/mr", access.mirror, metering.meter_readings),
    Row("upt/#/mr/#", access.meter, metering.meter_reading),
    Row("upt/#/mr/#/rt", access.meter, metering.reading_type),
    Row("upt/#/mr/#/r", access.meter, metering.reading),
    Row("upt/#/mr/#/rs", access.meter, metering.reading_sets),
    Row("upt/#/mr/#/rs/#", access.meter, metering.reading_set),
    Row("upt/#/mr/#/rs/#/r", access.meter, metering.set_readings),
)
VIEWS: Final[Table] = {**TRUNK, **DEVICES, **PROGRAMS, **ANSWERS}


def look(turn: Turn, path: str, views: Table = VIEWS) -> View:
    """What the caller of a turn sees at a plain path; None for what is not there for it."""
    pattern, ids = pattern_of(path)
    row = views.get(pattern)
    found = None if row is None else row.guard(turn, ids)
    if row is None or row.get is None or found is None:
        return None
    return row.get(replace(turn, path=path), found)
