"""DER programmes on the wire: programmes, controls with their state, defaults, curves."""

from functools import cache
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.der_control import (
    DERControl,
    DERControlBase,
    DERControlList,
    DERCurve,
    DERCurveLink,
    DERCurveList,
    DERProgram,
    DERProgramList,
)
from wattseal.protocols.ieee2030_5.modes import modes
from wattseal.protocols.ieee2030_5.server.access import Granted, InGroup, of_serial, ordered, reached
from wattseal.protocols.ieee2030_5.server.events import shown
from wattseal.protocols.ieee2030_5.server.state import DerProgram, Listed
from wattseal.protocols.ieee2030_5.server.turn import Listing, Turn
from wattseal.protocols.ieee2030_5.vocabulary import Subscribable

RESPONSES_PATH: Final = "rsps/1/rsp"
"""Where answers to every event go."""


def all_programs(turn: Turn, _: Granted) -> Listing:
    """The programmes that the caller reaches."""
    return _programs(turn, reached(turn, turn.world.der_programs))


def group_programs(turn: Turn, found: InGroup) -> Listing:
    """The programmes of one group."""
    mine = (one for one in turn.world.der_programs if one.serial in found.group.programs)
    return _programs(turn, ordered(mine))


def program(turn: Turn, found: DerProgram) -> DERProgram:
    """One programme."""
    base = ("derp", found.serial)
    controls = _shown(turn, found, active=False)
    return DERProgram(
        href=turn.at(*base),
        subscribable=Subscribable.PLAIN,
        mrid=found.mrid,
        description=found.description,
        version=found.version,
        active_der_control_list_link=turn.list_link(len(_shown(turn, found, active=True)), *base, "actderc"),
        default_der_control_link=turn.link(*base, "dderc") if found.default is not None else None,
        der_control_list_link=turn.list_link(len(controls), *base, "derc"),
        der_curve_list_link=turn.list_link(len(found.curves), *base, "dc"),
        primacy=found.primacy,
    )


def controls(turn: Turn, found: DerProgram) -> Listing:
    """All controls that are listed."""
    return _controls(turn, found, active=False)


def active_controls(turn: Turn, found: DerProgram) -> Listing:
    """Those whose time it is."""
    return _controls(turn, found, active=True)


def control(turn: Turn, found: DerProgram) -> Resource | None:
    """The control that the path names."""
    serial = int(turn.path.rpartition("/")[2])
    pairs = (pair for pair in _shown(turn, found, active=False) if pair[0].serial == serial)
    return next((_control_view(turn, found, *pair) for pair in pairs), None)


def default(turn: Turn, found: DerProgram) -> Resource | None:
    """What holds while no control does."""
    if found.default is None:
        return None
    base = _with_curve_hrefs(turn, found, found.default.der_control_base)
    return msgspec.structs.replace(
        found.default,
        href=turn.at("derp", found.serial, "dderc"),
        subscribable=Subscribable.PLAIN,
        der_control_base=base,
    )


def curves(turn: Turn, found: DerProgram) -> Listing:
    """The curves of a programme."""
    items = tuple(_curve_view(turn, found, one.serial) for one in found.curves)
    return Listing(DERCurveList, tuple(one for one in items if one is not None))


def curve(turn: Turn, found: DerProgram) -> Resource | None:
    """The curve that the path names."""
    return _curve_view(turn, found, int(turn.path.rpartition("/")[2]))


def modes_of(control: DERControl) -> frozenset[str]:
    """The modes that a control sets."""
    return frozenset(name for name in control_modes() if getattr(control.der_control_base, name) is not None)


@cache
def control_modes() -> tuple[str, ...]:
    """The fields of DERControlBase that are modes."""
    names = {mode.field for mode in modes().values()}
    return tuple(name for name in DERControlBase.__struct_fields__ if name in names)


def _programs(turn: Turn, programs: tuple[DerProgram, ...]) -> Listing:
    return Listing(DERProgramList, tuple(program(turn, one) for one in programs), "derp", subscribable=True)


def _controls(turn: Turn, found: DerProgram, *, active: bool) -> Listing:
    pairs = _shown(turn, found, active=active)
    items = tuple(_control_view(turn, found, *pair) for pair in pairs)
    stamps = tuple(one.interval.start for one in items)
    return Listing(DERControlList, items, stamps=stamps, subscribable=True)


def _shown(turn: Turn, found: DerProgram, *, active: bool) -> tuple[tuple[Listed[DERControl], DERControl], ...]:
    return shown(found.controls, modes_of, turn.clock, turn.config.keep_finished_seconds, active=active)


def _control_view(turn: Turn, found: DerProgram, listed: Listed[DERControl], event: DERControl) -> DERControl:
    return msgspec.structs.replace(
        event,
        href=turn.at("derp", found.serial, "derc", listed.serial),
        reply_to=turn.at(RESPONSES_PATH) if event.response_required else None,
        subscribable=Subscribable.NO,
        der_control_base=_with_curve_hrefs(turn, found, event.der_control_base),
    )


def _with_curve_hrefs(turn: Turn, found: DerProgram, base: DERControlBase) -> DERControlBase:
    """Curve links hold mRIDs in the world and addresses on the wire; that of no curve is left as it is."""
    known = {one.curve.mrid: one.serial for one in found.curves}
    changes = {}
    for name in control_modes():
        value = getattr(base, name)
        if isinstance(value, DERCurveLink) and value.href in known:
            changes[name] = msgspec.structs.replace(value, href=turn.at("derp", found.serial, "dc", known[value.href]))
    return msgspec.structs.replace(base, **changes) if changes else base


def _curve_view(turn: Turn, found: DerProgram, serial: int) -> DERCurve | None:
    kept = of_serial(found.curves, serial)
    return (
        None if kept is None else msgspec.structs.replace(kept.curve, href=turn.at("derp", found.serial, "dc", serial))
    )
