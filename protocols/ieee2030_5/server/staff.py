"""What the utility does to its world: devices, groups, programmes, events, curves, defaults. Pure: a world in, one out.

Things are named by serial, or by LFDI (devices) or mRID (all else), as is at hand. Raises MisuseError (`unknown_thing`)
for a name of nothing.
"""

from typing import Any, TypeVar

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.certs.identity import sfdi_of
from wattseal.protocols.ieee2030_5.der_control import DERControlBase, DERCurveLink
from wattseal.protocols.ieee2030_5.server.changes import SHELVES, next_serial, put, put_into, take
from wattseal.protocols.ieee2030_5.server.drafts import (
    ControlDraft,
    CurveDraft,
    DefaultDraft,
    IntervalDraft,
    LoadControlDraft,
    TextDraft,
)
from wattseal.protocols.ieee2030_5.server.programs import control_modes
from wattseal.protocols.ieee2030_5.server.registering import new_device
from wattseal.protocols.ieee2030_5.server.state import (
    Curve,
    DerProgram,
    Device,
    Group,
    Listed,
    LoadProgram,
    PricedInterval,
    Program,
    Rate,
    Tariff,
    TextProgram,
    World,
)
from wattseal.protocols.ieee2030_5.server.turn import mrid_of

Ref = int | str
AnyProgram = DerProgram | LoadProgram | TextProgram | Tariff
PROGRAM_KINDS: dict[str, type[AnyProgram]] = {
    "der": DerProgram,
    "load": LoadProgram,
    "text": TextProgram,
    "tariff": Tariff,
}
K = TypeVar("K", Device, Group, DerProgram, LoadProgram, TextProgram, Tariff)
Changed = tuple[World, int, str]
"""The next world, and the serial and mRID of what was made or changed in it."""


def named(world: World, kind: type[K], ref: Ref) -> K:
    """The thing of a kind by serial, mRID or LFDI. Raises MisuseError (`unknown_thing`)."""
    wanted = ref.upper() if isinstance(ref, str) else ref
    for one in getattr(world, SHELVES[kind]):
        if wanted in {one.serial, getattr(one, "mrid", None), getattr(one, "lfdi", None)}:
            found: K = one
            return found
    raise _unknown(kind.__name__, ref)


def add_device(world: World, now: int, lfdi: str, owner: str | None, **details: Any) -> tuple[World, Device]:
    """A device; an LFDI that is there already gives MisuseError (`device_there`). `sfdi` may be given apart."""
    lfdi = lfdi.upper()
    sfdi = int(sfdi_of(lfdi))
    if any(one.lfdi == lfdi for one in world.devices):
        raise MisuseError("device_there", f"There is a device with the LFDI {lfdi} already; change it instead.")
    world, device = new_device(world, lfdi, (owner or lfdi).upper(), now)
    device = msgspec.structs.replace(device, **({"sfdi": sfdi} | _said(details)))
    return put(world, device), device


def change(world: World, thing: Device | Group | AnyProgram, **details: Any) -> World:
    """Some fields of a thing, those that are not None."""
    return put(world, msgspec.structs.replace(thing, **_said(details)))


def add_group(world: World, description: str | None, **details: Any) -> Changed:
    """A group with members and programmes by serial."""
    world, serial = next_serial(world)
    fields = {"mrid": mrid_of(world, serial)} | _said(details)
    return _put(world, Group(serial=serial, description=description, **fields))


def move_device(world: World, device: Device, to: Group | None, out_of: Group | None = None) -> World:
    """Out of one group (None: out of all) into another (None: into none)."""
    for group in world.groups:
        if device.serial in group.members and (out_of is None or group.serial == out_of.serial):
            left = tuple(one for one in group.members if one != device.serial)
            world = put(world, msgspec.structs.replace(group, members=left))
    if to is None:
        return world
    target = named(world, Group, to.serial)
    if device.serial in target.members:
        return world
    return put(world, msgspec.structs.replace(target, members=(*target.members, device.serial)))


def add_program(world: World, kind: str, groups: tuple[Group, ...], **details: Any) -> Changed:
    """A programme of a kind (`der`, `load`, `text`, `tariff`), put into these groups."""
    world, serial = next_serial(world)
    fields = {"mrid": mrid_of(world, serial)} | _said(details)
    program = PROGRAM_KINDS[kind](serial=serial, **fields)
    world = put(world, program)
    for group in groups:
        here = named(world, Group, group.serial)
        world = put(world, msgspec.structs.replace(here, programs=(*here.programs, serial)))
    return world, serial, program.mrid


def drop(world: World, thing: Group | AnyProgram) -> World:
    """Without a group or a programme; groups forget the programme."""
    world = take(world, thing)
    if isinstance(thing, Program):
        for group in world.groups:
            if thing.serial in group.programs:
                left = tuple(one for one in group.programs if one != thing.serial)
                world = put(world, msgspec.structs.replace(group, programs=left))
    return world


def program_named(world: World, ref: Ref) -> AnyProgram:
    """A programme of any kind. Raises MisuseError (`unknown_thing`)."""
    wanted = ref.upper() if isinstance(ref, str) else ref
    programs: tuple[AnyProgram, ...] = (
        *world.der_programs,
        *world.load_programs,
        *world.text_programs,
        *world.tariffs,
    )
    found = next((one for one in programs if wanted in {one.serial, one.mrid}), None)
    if found is None:
        raise _unknown("programme", ref)
    return found


def require_curves(program: DerProgram, base: DERControlBase) -> None:
    """Every curve that a control or a default names is one of the programme's. Raises MisuseError (`unknown_thing`).

    (A link that leads nowhere is to be had for a test: drop the curve afterwards.)
    """
    known = {one.curve.mrid for one in program.curves}
    for name in control_modes():
        value = getattr(base, name)
        if isinstance(value, DERCurveLink) and value.href not in known:
            raise _unknown("curve of this programme", value.href)


def add_control(world: World, now: int, program: DerProgram, draft: ControlDraft) -> Changed:
    """A DERControl."""
    require_curves(program, draft.base)
    world, serial = next_serial(world)
    event = draft.made(mrid_of(world, serial), now)
    listed = Listed(serial=serial, event=event)
    return put(world, msgspec.structs.replace(program, controls=(*program.controls, listed))), serial, event.mrid


def add_load_control(world: World, now: int, program: LoadProgram, draft: LoadControlDraft) -> Changed:
    """An EndDeviceControl."""
    world, serial = next_serial(world)
    event = draft.made(mrid_of(world, serial), now)
    listed = Listed(serial=serial, event=event)
    return put(world, msgspec.structs.replace(program, controls=(*program.controls, listed))), serial, event.mrid


def add_text(world: World, now: int, program: TextProgram, draft: TextDraft) -> Changed:
    """A TextMessage."""
    world, serial = next_serial(world)
    event = draft.made(mrid_of(world, serial), now)
    listed = Listed(serial=serial, event=event)
    return put(world, msgspec.structs.replace(program, texts=(*program.texts, listed))), serial, event.mrid


def add_rate(world: World, tariff: Tariff, **details: Any) -> Changed:
    """A rate component."""
    world, serial = next_serial(world)
    rate = Rate(serial=serial, mrid=mrid_of(world, serial), **_said(details))
    return put(world, msgspec.structs.replace(tariff, rates=(*tariff.rates, rate))), serial, rate.mrid


def add_interval(world: World, now: int, tariff: Tariff, rate: Ref, draft: IntervalDraft) -> Changed:
    """A priced interval of a rate component."""
    part = next((one for one in tariff.rates if rate in {one.serial, one.mrid}), None)
    if part is None:
        raise _unknown("rate component", rate)
    world, serial = next_serial(world)
    event = draft.made(mrid_of(world, serial), now)
    priced = PricedInterval(listed=Listed(serial=serial, event=event), prices=draft.blocks())
    changed = msgspec.structs.replace(part, intervals=(*part.intervals, priced))
    return put(world, msgspec.structs.replace(tariff, rates=put_into(tariff.rates, changed))), serial, event.mrid


def add_curve(world: World, now: int, program: DerProgram, draft: CurveDraft) -> Changed:
    """A curve; one of the same mRID is replaced and keeps its place."""
    known = next((one for one in program.curves if one.curve.mrid == (draft.mrid or "").upper()), None)
    world, serial = (world, known.serial) if known is not None else next_serial(world)
    curve = Curve(serial=serial, curve=draft.made(mrid_of(world, serial), now))
    changed = msgspec.structs.replace(program, curves=put_into(program.curves, curve))
    return put(world, changed), serial, curve.curve.mrid


def drop_curve(world: World, program: DerProgram, ref: Ref) -> World:
    """Without a curve."""
    left = tuple(one for one in program.curves if ref not in {one.serial, one.curve.mrid})
    if len(left) == len(program.curves):
        raise _unknown("curve", ref)
    return put(world, msgspec.structs.replace(program, curves=left))


def set_default(world: World, program: DerProgram, draft: DefaultDraft | None) -> Changed:
    """The default, or none."""
    if draft is None:
        return put(world, msgspec.structs.replace(program, default=None)), 0, ""
    require_curves(program, draft.base)
    world, serial = next_serial(world)
    mrid = mrid_of(world, serial) if program.default is None else program.default.mrid
    made = draft.made(mrid)
    return put(world, msgspec.structs.replace(program, default=made)), serial, made.mrid


def _put(world: World, group: Group) -> Changed:
    return put(world, group), group.serial, group.mrid


def _said(details: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if value is not None}


def _unknown(kind: str, ref: Ref) -> MisuseError:
    return MisuseError("unknown_thing", f"There is no {kind} {ref!r}: name one by its serial, its mRID or its LFDI.")
