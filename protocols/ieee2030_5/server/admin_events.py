"""The verbs about events, curves, defaults, prices and messages."""

from collections.abc import Iterator
from typing import Any

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.base import DateTimeInterval, Link, ListLink
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControl
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationResponse
from wattseal.protocols.ieee2030_5.metering import ReadingType
from wattseal.protocols.ieee2030_5.pricing import ConsumptionTariffIntervalList, RateComponent
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.server import event_staff, staff
from wattseal.protocols.ieee2030_5.server.drafts import (
    ControlDraft,
    CurveDraft,
    DefaultDraft,
    IntervalDraft,
    LoadControlDraft,
    TextDraft,
)
from wattseal.protocols.ieee2030_5.server.staff import Changed, Ref
from wattseal.protocols.ieee2030_5.server.state import DerProgram, LoadProgram, Tariff, TextProgram, World
from wattseal.protocols.ieee2030_5.server.tailoring import tailored
from wattseal.protocols.ieee2030_5.server.verbs import Verb


class OfProgram(Verb, frozen=True, kw_only=True):
    """Root of those that need a programme."""

    program: Ref


class AddControl(OfProgram, frozen=True, kw_only=True, tag="add_control"):
    """A DERControl. This and all that adds answers `serial` and `mrid`."""

    control: ControlDraft


class ChangeControl(Verb, frozen=True, kw_only=True, tag="change_control"):
    """Another content under the same mRID; without a version, the next one."""

    mrid: str
    control: ControlDraft


class AddLoadControl(OfProgram, frozen=True, kw_only=True, tag="add_load_control"):
    """An EndDeviceControl."""

    control: LoadControlDraft


class AddText(OfProgram, frozen=True, kw_only=True, tag="add_text"):
    """A TextMessage."""

    text: TextDraft


class AddRate(OfProgram, frozen=True, kw_only=True, tag="add_rate"):
    """A rate component of a tariff."""

    description: str | None = None
    role_flags: int | None = None
    reading_type: ReadingType | None = None


class AddInterval(OfProgram, frozen=True, kw_only=True, tag="add_interval"):
    """A priced interval of a rate component."""

    rate: Ref
    interval: IntervalDraft


class AddCurve(OfProgram, frozen=True, kw_only=True, tag="add_curve"):
    """A curve, or another one in the place of that with the same mRID."""

    curve: CurveDraft


class DropCurve(OfProgram, frozen=True, kw_only=True, tag="drop_curve"):
    """Without that curve."""

    curve: Ref


class SetDefault(OfProgram, frozen=True, kw_only=True, tag="set_default"):
    """The default, or none."""

    default: DefaultDraft | None


class Cancel(Verb, frozen=True, kw_only=True, tag="cancel"):
    """Cancels an event of any kind, at once (status 2) or `randomized` (3)."""

    mrid: str
    randomized: bool = False
    reason: str | None = None


class DeleteEvent(Verb, frozen=True, kw_only=True, tag="delete_event"):
    """Lists an event no longer."""

    mrid: str


class ChangeGrant(Verb, frozen=True, kw_only=True, tag="change_grant"):
    """What of a flow reservation is granted; what is not named stays."""

    mrid: str
    interval: DateTimeInterval | None = None
    energy: SignedRealEnergy | None = None
    power: ActivePower | None = None


EventVerb = (
    AddControl
    | ChangeControl
    | AddLoadControl
    | AddText
    | AddRate
    | AddInterval
    | AddCurve
    | DropCurve
    | SetDefault
    | Cancel
    | DeleteEvent
    | ChangeGrant
)
_VERSION_MOST = 65_535
_SOME_MRID = "00"
_SOME_LINK = Link(href="/")


def obey_about_events(world: World, clock: int, verb: EventVerb, profile: Profile) -> tuple[World, dict[str, Any]]:
    """The next world, and what the answer says. `clock` is the server's time.

    Raises MisuseError, also (`unencodable_message`) for what could not be written in this profile: a client must not
    find it out by an answer that fails.
    """
    for made in _made(verb, clock):
        encode(made if _is_wish(made) else tailored(made, profile), profile)
    world = event_staff.pruned(world, clock)
    match verb:
        case Cancel():
            return event_staff.cancel(world, clock, verb.mrid, randomized=verb.randomized, reason=verb.reason), {}
        case DeleteEvent():
            return event_staff.remove(world, verb.mrid), {}
        case ChangeControl():
            return _change_control(world, clock, verb), {}
        case ChangeGrant():
            return _change_grant(world, verb, profile), {}
        case DropCurve():
            return staff.drop_curve(world, staff.named(world, DerProgram, verb.program), verb.curve), {}
    world, serial, mrid = _added(world, clock, verb)
    return world, {"serial": serial, "mrid": mrid}


def _added(
    world: World,
    clock: int,
    verb: AddControl | AddLoadControl | AddText | AddRate | AddInterval | AddCurve | SetDefault,
) -> Changed:
    match verb:
        case AddControl() | AddLoadControl():
            event_staff.require_free(world, verb.control.mrid)
        case AddText():
            event_staff.require_free(world, verb.text.mrid)
        case AddInterval():
            event_staff.require_free(world, verb.interval.mrid)
    match verb:
        case AddControl():
            return staff.add_control(world, clock, staff.named(world, DerProgram, verb.program), verb.control)
        case AddLoadControl():
            return staff.add_load_control(world, clock, staff.named(world, LoadProgram, verb.program), verb.control)
        case AddText():
            return staff.add_text(world, clock, staff.named(world, TextProgram, verb.program), verb.text)
        case AddRate():
            fields = {
                "description": verb.description,
                "role_flags": verb.role_flags,
                "reading_type": verb.reading_type,
            }
            return staff.add_rate(world, staff.named(world, Tariff, verb.program), **fields)
        case AddInterval():
            return staff.add_interval(world, clock, staff.named(world, Tariff, verb.program), verb.rate, verb.interval)
        case AddCurve():
            return staff.add_curve(world, clock, staff.named(world, DerProgram, verb.program), verb.curve)
        case SetDefault():
            return staff.set_default(world, staff.named(world, DerProgram, verb.program), verb.default)


def _is_wish(made: msgspec.Struct) -> bool:
    """What names modes must be sayable as a whole: a mode that is left out is another wish."""
    return isinstance(made, DERControl | DefaultDERControl)


def _made(verb: EventVerb, clock: int) -> Iterator[msgspec.Struct]:
    """What the drafts of a verb become on the wire."""
    match verb:
        case AddControl() | ChangeControl() | AddLoadControl():
            yield verb.control.made(_SOME_MRID, clock)
        case AddText():
            yield verb.text.made(_SOME_MRID, clock)
        case AddRate():
            yield RateComponent(
                mrid=_SOME_MRID,
                description=verb.description,
                role_flags=verb.role_flags or 0,
                reading_type_link=_SOME_LINK,
                time_tariff_interval_list_link=ListLink(href="/"),
            )
            yield verb.reading_type or ReadingType()
        case AddInterval():
            yield ConsumptionTariffIntervalList(all=0, results=0, items=verb.interval.blocks())
            summary = ConsumptionTariffIntervalList(all=0, results=0)
            interval = verb.interval.made(_SOME_MRID, clock)
            yield msgspec.structs.replace(
                interval, consumption_tariff_interval_list_summary=summary, rate_component_link=_SOME_LINK
            )
        case AddCurve():
            yield verb.curve.made(_SOME_MRID, clock)
        case SetDefault(default=DefaultDraft() as draft):
            yield draft.made(_SOME_MRID)


def _change_control(world: World, clock: int, verb: ChangeControl) -> World:
    before = event_staff.kept_event(world, verb.mrid)
    for program in world.der_programs:
        if any(one.event is before for one in program.controls):
            staff.require_curves(program, verb.control.base)
    made = verb.control.made(verb.mrid.upper(), clock)
    version = made.version if made.version is not None else min((before.version or 0) + 1, _VERSION_MOST)
    created = before.creation_time if verb.control.creation_time is None else made.creation_time
    changed: DERControl = msgspec.structs.replace(made, mrid=before.mrid, version=version, creation_time=created)
    return event_staff.alter(world, verb.mrid, changed)


def _change_grant(world: World, verb: ChangeGrant, profile: Profile) -> World:
    event = event_staff.kept_event(world, verb.mrid)
    if not isinstance(event, FlowReservationResponse):
        raise MisuseError("event_kind", f"{verb.mrid} is a {type(event).__name__}, not a grant.")
    changed = msgspec.structs.replace(
        event,
        interval=verb.interval or event.interval,
        energy_available=verb.energy or event.energy_available,
        power_available=verb.power or event.power_available,
    )
    encode(tailored(changed, profile), profile)
    return event_staff.alter(world, verb.mrid, changed)
