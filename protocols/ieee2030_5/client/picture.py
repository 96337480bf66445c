"""A survey into what the event engine is told: programmes, controls with their curves, defaults, devices.

What was not read is None, and a device whose assignments are not known keeps the programmes that it had. Pure.
"""

from collections.abc import Callable, Mapping

import msgspec

from wattseal.protocols.ieee2030_5.carrying import carried_settings
from wattseal.protocols.ieee2030_5.client.config import CATEGORIES, ClientConfig, Managed, Ratings
from wattseal.protocols.ieee2030_5.client.controls import control_from, listed, still_known
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, ProgramRead
from wattseal.protocols.ieee2030_5.client.surveying import Surveyed
from wattseal.protocols.ieee2030_5.codec import LeftOutItem
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControl, DERCurve
from wattseal.protocols.ieee2030_5.engine.inputs import (
    Control,
    ControlsNotified,
    DefaultControl,
    Device,
    Picture,
    Program,
    Setting,
)
from wattseal.protocols.ieee2030_5.engine.state import State
from wattseal.protocols.ieee2030_5.modes import STRANGER, default_settings_of, settings_of

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
    if survey.devices is None:
        return (Picture(None, None), *parts)
    devices = _devices(survey.devices, config, state, may_serve)
    unread = any(device.programs is None for device in survey.devices.values())
    return (Picture(devices, still_known(programs, state, unread=unread)), *parts)


def control_of(control: DERControl, curves: Mapping[str, DERCurve]) -> Control:
    """A DERControl as the engine carries it."""
    return control_from(
        control,
        settings_of(control.der_control_base, curves.get),
        device_category=control.device_category,
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
    told, partial = listed(controls, sound, left_out, state)
    if partial:
        return Program(mrid, read.program.primacy, None, default, default_read), told
    return Program(mrid, read.program.primacy, told, default, default_read), ()


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
    return int(CATEGORIES[managed.der_type]) | (read.end_device.device_category or 0)
