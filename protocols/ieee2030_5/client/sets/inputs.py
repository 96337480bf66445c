"""What was read of a function set into what its engine is told: programmes, events, devices and what they can do. Pure.

A device can be asked for less load where it can be told a limit on what it absorbs; it can reserve where it is an
electric vehicle's charger with such a limit. Prices and texts are for every device: nothing need be able to do anything
but a text must be one that can be shown.
"""

from typing import Final

from wattseal.protocols.ieee2030_5.client.config import CATEGORIES, ClientConfig, DerType, Managed
from wattseal.protocols.ieee2030_5.client.controls import listed, still_known
from wattseal.protocols.ieee2030_5.client.picture import MayServe
from wattseal.protocols.ieee2030_5.client.sets.reading import ProgrammeRead, SetRead
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey
from wattseal.protocols.ieee2030_5.engine.inputs import Control, ControlsNotified, Device, Picture, Program
from wattseal.protocols.ieee2030_5.engine.state import State
from wattseal.protocols.ieee2030_5.modes import STRANGER
from wattseal.protocols.ieee2030_5.set_values import FLOW, LOAD, FunctionSet
from wattseal.protocols.ieee2030_5.vocabulary import DeviceCategory

LIMITS_ABSORPTION: Final = frozenset({"opModMaxLimWAbsorb", "opModMaxLimPctWAbsorb", "csipaus:opModLoadLimW"})
"""The modes of DER that take what these sets take: a limit on what the device absorbs."""


def set_inputs(
    name: FunctionSet, read: SetRead, survey: Survey, config: ClientConfig, state: State, may_serve: MayServe
) -> tuple[Picture | ControlsNotified, ...]:
    """One picture of the set, and the parts of lists that could not be taken whole; nothing for a set never used."""
    if not read.programmes and not state.programs and not state.cohorts:
        return ()
    programs, parts = [], []
    for _, programme in sorted(read.programmes.items()):
        program, part = _program(programme, state)
        programs.append(program)
        if part:
            parts.append(ControlsNotified(program.mrid, part))
    unread = any(mrids is None for mrids in read.devices.values())
    devices = tuple(_devices(name, read, survey, config, state, may_serve))
    return (Picture(devices, still_known(programs, state, unread=unread)), *parts)


def _program(read: ProgrammeRead, state: State) -> tuple[Program, tuple[Control, ...]]:
    mrid = bytes.fromhex(read.mrid)
    if read.controls is None:
        return Program(mrid, read.primacy), ()
    sound = tuple(one for one in read.controls if one.mrid not in read.unclear)
    told, partial = listed(read.controls, sound, read.left_out, state)
    return (Program(mrid, read.primacy), told) if partial else (Program(mrid, read.primacy, told), ())


def _devices(
    name: FunctionSet, read: SetRead, survey: Survey, config: ClientConfig, state: State, may_serve: MayServe
) -> list[Device]:
    before = {lfdi: cohort.standing.programs for cohort in state.cohorts for lfdi in cohort.devices}
    shown = _shown(read, state) if name is FunctionSet.MESSAGING else None
    found = []
    for managed in config.devices:
        device = (survey.devices or {}).get(managed.lfdi)
        if device is None:
            continue
        mrids = read.devices.get(managed.lfdi)
        programs = before.get(managed.lfdi, ()) if mrids is None else tuple(bytes.fromhex(mrid) for mrid in mrids)
        enabled = device.end_device.enabled is not False and may_serve(managed.lfdi)
        modes = shown if shown is not None else _modes(name, managed)
        found.append(Device(managed.lfdi, programs, _categories(managed, device), modes, enabled))
    return found


def _modes(name: FunctionSet, managed: Managed) -> frozenset[str] | None:
    """What a device can be asked for in a set; None: everything."""
    limited = not LIMITS_ABSORPTION.isdisjoint(managed.ratings.modes)
    match name:
        case FunctionSet.LOAD_CONTROL:
            return frozenset({LOAD} if limited else ())
        case FunctionSet.FLOW_RESERVATION:
            return frozenset({FLOW} if limited and managed.der_type is DerType.EV_CHARGER else ())
        case _:
            return None


def _shown(read: SetRead, state: State) -> frozenset[str]:
    """The modes of all texts that can be shown, listed now or known before."""
    listed_now = (one for programme in read.programmes.values() for one in programme.controls or ())
    known = (event.control for event in state.events.values())
    modes = (setting.mode for control in (*listed_now, *known) for setting in control.settings)
    return frozenset(mode for mode in modes if not mode.startswith(STRANGER))


def _categories(managed: Managed, device: DeviceRead) -> int:
    """A charger is asked as what it is and as the vehicle at it."""
    ours = int(CATEGORIES[managed.der_type])
    if managed.der_type is DerType.EV_CHARGER:
        ours |= int(DeviceCategory.ELECTRIC_VEHICLE)
    return ours | (device.end_device.device_category or 0)
