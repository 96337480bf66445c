"""A survey into what the event engine is told: programmes, controls with their curves, defaults, devices.

A control that had to be left out is no control that vanished: if it was never known, it goes in as an invalid one, so
that the engine answers 253 for it; if it was, or if it has no name, the list is told in part and nothing of it counts
as gone. What was not read is None, and a device whose assignments are not known keeps the programmes that it had. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.carrying import carried_settings
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, ProgramRead
from wattseal.protocols.ieee2030_5.client.surveying import Surveyed
from wattseal.protocols.ieee2030_5.codec import LeftOutItem
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControl, DERCurve
from wattseal.protocols.ieee2030_5.engine.inputs import (
    Control,
    ControlsNotified,
    CurrentStatus,
    DefaultControl,
    Device,
    Picture,
    Program,
    Setting,
)
from wattseal.protocols.ieee2030_5.engine.state import State
from wattseal.protocols.ieee2030_5.modes import STRANGER, default_settings_of, settings_of
from wattseal.protocols.ieee2030_5.vocabulary import DeviceCategory

_CATEGORIES: Final = {
    DerType.BATTERY: DeviceCategory.OTHER_STORAGE,
    DerType.PV: DeviceCategory.PHOTOVOLTAIC,
    DerType.PV_BATTERY: DeviceCategory.PHOTOVOLTAIC_AND_STORAGE,
    DerType.EV_CHARGER: DeviceCategory.EVSE,
}
_STATUSES: Final = frozenset(CurrentStatus)

MayServe = Callable[[bytes], bool]


def inputs_of(
    surveyed: Surveyed, config: ClientConfig, state: State, may_serve: MayServe
) -> tuple[Picture | ControlsNotified, ...]:
    """One picture of everything that was read, and the parts of lists that could not be taken whole."""
    survey = surveyed.survey
    programs, parts = [], []
    ratings = frozenset(device.ratings for device in config.devices)
    for mrid, read in sorted(survey.programs.items()):
        program, part = _program(read, surveyed.left_out.get(mrid, ()), state)
        programs.append(_carried(program, ratings))
        if part:
            parts.append(ControlsNotified(program.mrid, _carried_controls(part, ratings)))
    devices = None if survey.devices is None else _devices(survey.devices, config, state, may_serve)
    known = _still_known(programs, survey.devices, state)
    return (Picture(devices, known), *parts)


def control_of(control: DERControl, curves: Mapping[str, DERCurve]) -> Control:
    """A DERControl as the engine carries it."""
    current = int(control.event_status.current_status)
    return Control(
        mrid=bytes.fromhex(control.mrid),
        creation_time=control.creation_time,
        start=control.interval.start,
        duration_seconds=control.interval.duration,
        settings=settings_of(control.der_control_base, curves.get),
        status=CurrentStatus(current) if current in _STATUSES else CurrentStatus.SCHEDULED,
        version=control.version or 0,
        randomize_start_seconds=control.randomize_start or 0,
        randomize_duration_seconds=control.randomize_duration or 0,
        device_category=control.device_category,
        response_required=control.response_required or 0,
        reply_to=control.reply_to or "",
        ramp_hundredths=control.der_control_base.ramp_tms,
    )


def default_of(default: DefaultDERControl, curves: Mapping[str, DERCurve]) -> DefaultControl:
    """A DefaultDERControl as the engine carries it."""
    return DefaultControl(default_settings_of(default, curves.get), default.der_control_base.ramp_tms)


def _program(read: ProgramRead, left_out: tuple[LeftOutItem, ...], state: State) -> tuple[Program, tuple[Control, ...]]:
    """The programme, and of a list that is only known in part the controls that are."""
    mrid, curves = bytes.fromhex(read.program.mrid), read.curves or {}
    default = None if read.default is None else default_of(read.default, curves)
    default_read = read.default_read and not (default is not None and _lacks_curve(default.settings, read))
    controls = None if read.controls is None else tuple(control_of(one, curves) for one in read.controls)
    if controls is None:
        return Program(mrid, read.program.primacy, None, default, default_read), ()
    sound = tuple(one for one in controls if not _lacks_curve(one.settings, read))
    names = {control.mrid for control in controls}
    missing = [one for one in left_out if one.mrid is None or bytes.fromhex(one.mrid) not in names]
    invalid = tuple(_invalid(one) for one in missing if one.mrid is not None and not _knows(state, one.mrid))
    partial = len(sound) < len(controls) or any(one.mrid is None or _knows(state, one.mrid) for one in missing)
    if partial:
        return Program(mrid, read.program.primacy, None, default, default_read), sound + invalid
    return Program(mrid, read.program.primacy, sound + invalid, default, default_read), ()


def _carried(program: Program, ratings: frozenset[Ratings]) -> Program:
    """The programme, with strangers in the place of what the translator would not carry."""
    default = program.default
    return msgspec.structs.replace(
        program,
        controls=None if program.controls is None else _carried_controls(program.controls, ratings),
        default=None
        if default is None
        else msgspec.structs.replace(default, settings=carried_settings(default.settings, ratings)),
    )


def _carried_controls(controls: tuple[Control, ...], ratings: frozenset[Ratings]) -> tuple[Control, ...]:
    return tuple(
        msgspec.structs.replace(one, settings=carried_settings(one.settings, ratings)) if one.settings else one
        for one in controls
    )


def _lacks_curve(settings: tuple[Setting, ...], read: ProgramRead) -> bool:
    """Whether a curve is missing only because the list of curves was not read: then nothing is said of it yet."""
    if read.curves is not None or read.program.der_curve_list_link is None:
        return False
    return any(setting.mode.startswith(f"{STRANGER}opMod") for setting in settings)


def _knows(state: State, mrid: str) -> bool:
    """Whether the engine knows an event as a valid one."""
    event = state.events.get(bytes.fromhex(mrid))
    return event is not None and bool(event.control.settings)


def _invalid(one: LeftOutItem) -> Control:
    """A control without content: the engine finds it invalid and answers for it."""
    try:
        required = int(one.response_required or "0", 16)
    except ValueError:
        required = 0
    mrid = bytes.fromhex(one.mrid or "")
    return Control(mrid, 0, 0, 0, (), response_required=required & 0xFF, reply_to=one.reply_to or "")


def _devices(
    devices: Mapping[bytes, DeviceRead], config: ClientConfig, state: State, may_serve: MayServe
) -> tuple[Device, ...]:
    before = {lfdi: cohort.standing.programs for cohort in state.cohorts for lfdi in cohort.devices}
    ours = {device.lfdi: device for device in config.devices}
    shared: dict[tuple[str, ...], tuple[bytes, ...]] = {}
    found = []
    for lfdi, read in devices.items():
        managed = ours.get(lfdi)
        if managed is None:
            continue
        if read.programs is None:
            programs = before.get(lfdi, ())
        else:
            programs = shared.get(read.programs) or shared.setdefault(
                read.programs, tuple(bytes.fromhex(mrid) for mrid in read.programs)
            )
        enabled = read.end_device.enabled is not False and may_serve(lfdi)
        found.append(Device(lfdi, programs, _categories(managed, read), managed.ratings.modes, enabled))
    return tuple(found)


def _categories(managed: Managed, read: DeviceRead) -> int:
    return int(_CATEGORIES[managed.der_type]) | (read.end_device.device_category or 0)


def _still_known(
    programs: list[Program], devices: Mapping[bytes, DeviceRead] | None, state: State
) -> tuple[Program, ...] | None:
    """The programmes; those that a device keeps because its assignments could not be read are kept with it."""
    if devices is None:
        return None
    here = {program.mrid for program in programs}
    unread = any(device.programs is None for device in devices.values())
    kept = [Program(mrid, known.primacy, default_read=False) for mrid, known in state.programs.items()]
    return (*programs, *(one for one in kept if unread and one.mrid not in here))
