"""What the utility's staff and scripts can ask of a running server: one JSON object a line, one JSON object back.

The verb stands in `verb`, its details beside it; the answer is `{"ok":true,...}`, or `{"ok":false,"error":REASON,
"message":SENTENCE}` and then nothing was changed. Devices are named by LFDI or serial, all else by mRID or serial.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.protocols.ieee2030_5.server import staff
from wattseal.protocols.ieee2030_5.server.admin_events import EventVerb, obey_about_events
from wattseal.protocols.ieee2030_5.server.admin_views import Subject, seen_of
from wattseal.protocols.ieee2030_5.server.drafts import Mrid
from wattseal.protocols.ieee2030_5.server.mischief import Trick
from wattseal.protocols.ieee2030_5.server.registering import without_device
from wattseal.protocols.ieee2030_5.server.shell import ServerShell, fresh_world, read_world
from wattseal.protocols.ieee2030_5.server.staff import Ref
from wattseal.protocols.ieee2030_5.server.state import Clock, Device, Group, World
from wattseal.protocols.ieee2030_5.server.subscription_staff import end_subscription
from wattseal.protocols.ieee2030_5.server.verbs import Verb
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus, TimeQuality

Told: TypeAlias = dict[str, Any]  # JSON
Lfdi = Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{40}$")]
Uint32 = Annotated[int, msgspec.Meta(ge=0, le=4_294_967_295)]
Uint16 = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Primacy = Annotated[int, msgspec.Meta(ge=0, le=255)]
Sfdi = Annotated[int, msgspec.Meta(ge=0, le=1_099_511_627_775)]
Ders = Annotated[int, msgspec.Meta(ge=0, le=100)]
PowerOfTen = Annotated[int, msgspec.Meta(ge=-9, le=9)]
Name = Annotated[str, msgspec.Meta(pattern="^[ -~]{0,32}$")]
Code = Annotated[str, msgspec.Meta(pattern="^[ -~]{0,20}$")]
Offset = Annotated[int, msgspec.Meta(ge=-2_147_483_648, le=2_147_483_647)]


class AddDevice(Verb, frozen=True, kw_only=True, tag="add_device"):
    """A device, under its own certificate or an `owner`'s; `groups` to be put into. Answers `device`."""

    lfdi: Lfdi
    sfdi: Sfdi | None = None
    owner: Lfdi | None = None
    pin: Uint32 | None = None
    category: Uint32 | None = None
    ders: Ders | None = None
    post_seconds: Uint32 | None = None
    groups: tuple[Ref, ...] = ()


class ChangeDevice(Verb, frozen=True, kw_only=True, tag="change_device"):
    """What is named is changed."""

    device: Ref
    pin: Uint32 | None = None
    category: Uint32 | None = None
    enabled: bool | None = None
    ders: Ders | None = None
    post_seconds: Uint32 | None = None


class DropDevice(Verb, frozen=True, kw_only=True, tag="drop_device"):
    """The device is gone, as for MAINT-001."""

    device: Ref


class AddAggregator(Verb, frozen=True, kw_only=True, tag="add_aggregator"):
    """From now on this certificate stands for many."""

    lfdi: Lfdi


class ClockDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A clock apart from the wall."""

    offset: Offset = 0
    quality: TimeQuality = TimeQuality.LEVEL_3
    tz_offset: Offset = 0

    def made(self) -> Clock:
        """It."""
        return Clock(offset=self.offset, quality=self.quality, tz_offset=self.tz_offset)


class AddGroup(Verb, frozen=True, kw_only=True, tag="add_group"):
    """Function set assignments. Answers `serial`, `mrid`."""

    description: Name | None = None
    mrid: Mrid | None = None
    members: tuple[Ref, ...] = ()
    programs: tuple[Ref, ...] = ()
    clock: ClockDraft | None = None


class ChangeGroup(Verb, frozen=True, kw_only=True, tag="change_group"):
    """What is named is changed; members and programmes are replaced."""

    group: Ref
    description: Name | None = None
    members: tuple[Ref, ...] | None = None
    programs: tuple[Ref, ...] | None = None
    clock: ClockDraft | None = None


class DropGroup(Verb, frozen=True, kw_only=True, tag="drop_group"):
    """The group is gone; its programmes stay."""

    group: Ref


class MoveDevice(Verb, frozen=True, kw_only=True, tag="move_device"):
    """Out of a group (none named: all) into another (none named: none)."""

    device: Ref
    to: Ref | None = None
    out_of: Ref | None = None


class AddProgram(Verb, frozen=True, kw_only=True, tag="add_program"):
    """A programme. Answers `serial`, `mrid`."""

    kind: Literal["der", "load", "text", "tariff"] = "der"
    groups: tuple[Ref, ...] = ()
    primacy: Primacy = 1
    description: Name | None = None
    mrid: Mrid | None = None
    locale: Name | None = None
    currency: Uint16 | None = None
    power_of_ten: PowerOfTen | None = None
    rate_code: Code | None = None


class ChangeProgram(Verb, frozen=True, kw_only=True, tag="change_program"):
    """What is named is changed."""

    program: Ref
    primacy: Primacy | None = None
    description: Name | None = None
    version: Uint16 | None = None


class DropProgram(Verb, frozen=True, kw_only=True, tag="drop_program"):
    """The programme is gone, with its events."""

    program: Ref


class SetPolls(Verb, frozen=True, kw_only=True, tag="set_polls"):
    """Poll rates in seconds, by kind as in the path (`dcap`, `edev`, `fsa`, `derp`, ...); `post`: of readings."""

    seconds: dict[str, Uint32]


class SetTime(Verb, frozen=True, kw_only=True, tag="set_time"):
    """The server's clock."""

    clock: ClockDraft


class EndSubscription(Verb, frozen=True, kw_only=True, tag="end_subscription"):
    """Ends a subscription with a notification of that status (1 to 4)."""

    subscription: int
    status: NotificationStatus = NotificationStatus.CANCELLED


class Show(Verb, frozen=True, kw_only=True, tag="list"):
    """What is known, under the name that was asked for."""

    of: Subject


class Requests(Verb, frozen=True, kw_only=True, tag="requests"):
    """Every request after so many, with its time; `count` is what to ask with the next time."""

    after: int = 0


class MoveHrefs(Verb, frozen=True, kw_only=True, tag="move_hrefs"):
    """Every address but /dcap's moves; without a seed they are plain."""

    seed: str = ""


class Misbehave(Verb, frozen=True, kw_only=True, tag="misbehave"):
    """Tricks that are played from now on, besides those that are."""

    tricks: tuple[Trick, ...]


class Behave(Verb, frozen=True, kw_only=True, tag="behave"):
    """No more of that."""


class GoSilent(Verb, frozen=True, kw_only=True, tag="go_silent"):
    """Hangs up on everybody for so long."""

    seconds: float


class Save(Verb, frozen=True, kw_only=True, tag="save"):
    """Writes the world to a file."""

    file: str


class Restore(Verb, frozen=True, kw_only=True, tag="restore"):
    """Goes on from the world in a file, or from none: then everybody is forgotten."""

    file: str | None = None


DeviceVerb = AddDevice | ChangeDevice | DropDevice | AddAggregator | MoveDevice | AddGroup | ChangeGroup | DropGroup
ProgramVerb = AddProgram | ChangeProgram | DropProgram | SetPolls | SetTime | EndSubscription
ServerVerb = Show | Requests | MoveHrefs | Misbehave | Behave | GoSilent | Save | Restore
AnyVerb = DeviceVerb | ProgramVerb | EventVerb | ServerVerb
_DECODER: "msgspec.json.Decoder[AnyVerb]" = msgspec.json.Decoder(AnyVerb)


async def answer_line(shell: ServerShell, line: bytes) -> bytes:
    """One line to one line, without the newline; every mistake in it becomes an answer."""
    try:
        told = await obey(shell, _parsed(line))
    except WattsealError as error:
        return msgspec.json.encode({"ok": False, "error": error.reason, "message": error.sentence})
    return msgspec.json.encode({"ok": True, **told})


async def obey(shell: ServerShell, verb: AnyVerb) -> Told:
    """Does what a verb says, keeps the world, and gives what the answer says. Raises WattsealError."""
    if isinstance(verb, ServerVerb):
        return await _obey_about_itself(shell, verb)
    if isinstance(verb, DeviceVerb):
        world, told = _obey_about_devices(shell, verb)
    elif isinstance(verb, ProgramVerb):
        world, told = _obey_about_programs(shell, verb)
    else:
        world, told = obey_about_events(shell.world, shell.now + shell.world.clock.offset, verb, shell.config.profile)
    await shell.staff(world)
    return told


def _obey_about_devices(shell: ServerShell, verb: DeviceVerb) -> tuple[World, Told]:
    world = shell.world
    match verb:
        case AddDevice():
            return _add_device(shell, verb)
        case ChangeDevice():
            fields = {name: getattr(verb, name) for name in ("pin", "category", "enabled", "ders", "post_seconds")}
            changed = shell.now + world.clock.offset
            return staff.change(world, staff.named(world, Device, verb.device), changed=changed, **fields), {}
        case DropDevice():
            return without_device(world, staff.named(world, Device, verb.device)), {}
        case AddAggregator():
            known = dict.fromkeys((*world.aggregators, verb.lfdi.upper()))
            return msgspec.structs.replace(world, aggregators=tuple(known)), {}
        case MoveDevice():
            to = None if verb.to is None else staff.named(world, Group, verb.to)
            out_of = None if verb.out_of is None else staff.named(world, Group, verb.out_of)
            return staff.move_device(world, staff.named(world, Device, verb.device), to, out_of), {}
        case AddGroup() | ChangeGroup():
            return _put_group(world, verb)
        case DropGroup():
            return staff.drop(world, staff.named(world, Group, verb.group)), {}


def _add_device(shell: ServerShell, verb: AddDevice) -> tuple[World, Told]:
    world, device = staff.add_device(
        shell.world,
        shell.now,
        verb.lfdi,
        verb.owner,
        sfdi=verb.sfdi,
        pin=verb.pin,
        category=verb.category,
        ders=verb.ders,
        post_seconds=verb.post_seconds,
    )
    for ref in verb.groups:
        group = staff.named(world, Group, ref)
        world = staff.change(world, group, members=(*group.members, device.serial))
    return world, {"device": device.serial, "lfdi": device.lfdi, "sfdi": device.sfdi}


def _put_group(world: World, verb: AddGroup | ChangeGroup) -> tuple[World, Told]:
    members = None if verb.members is None else tuple(staff.named(world, Device, one).serial for one in verb.members)
    programs = None if verb.programs is None else tuple(staff.program_named(world, one).serial for one in verb.programs)
    clock = None if verb.clock is None else verb.clock.made()
    if isinstance(verb, ChangeGroup):
        group = staff.named(world, Group, verb.group)
        changed = staff.change(
            world, group, description=verb.description, members=members, programs=programs, clock=clock
        )
        return changed, {}
    mrid = None if verb.mrid is None else verb.mrid.upper()
    world, serial, name = staff.add_group(
        world, verb.description, mrid=mrid, members=members, programs=programs, clock=clock
    )
    return world, {"serial": serial, "mrid": name}


def _obey_about_programs(shell: ServerShell, verb: ProgramVerb) -> tuple[World, Told]:
    world = shell.world
    match verb:
        case AddProgram():
            groups = tuple(staff.named(world, Group, one) for one in verb.groups)
            own: dict[str, Any] = {}
            if verb.kind == "text":
                own = {"locale": verb.locale}
            elif verb.kind == "tariff":
                own = {"currency": verb.currency, "power_of_ten": verb.power_of_ten, "rate_code": verb.rate_code}
            mrid = None if verb.mrid is None else verb.mrid.upper()
            common = {"primacy": verb.primacy, "description": verb.description, "mrid": mrid}
            world, serial, name = staff.add_program(world, verb.kind, groups, **common, **own)
            return world, {"serial": serial, "mrid": name}
        case ChangeProgram():
            fields = {"primacy": verb.primacy, "description": verb.description, "version": verb.version}
            return staff.change(world, staff.program_named(world, verb.program), **fields), {}
        case DropProgram():
            return staff.drop(world, staff.program_named(world, verb.program)), {}
        case SetPolls():
            return msgspec.structs.replace(world, polls={**world.polls, **verb.seconds}), {}
        case SetTime():
            return msgspec.structs.replace(world, clock=verb.clock.made()), {}
        case EndSubscription():
            return end_subscription(world, shell.config, shell.hrefs, shell.now, verb.subscription, verb.status), {}


async def _obey_about_itself(shell: ServerShell, verb: ServerVerb) -> Told:
    match verb:
        case Show():
            return {verb.of: seen_of(shell.world, verb.of, shell.config, shell.now)}
        case Requests():
            count, requests = shell.seen(verb.after)
            return {"count": count, "requests": requests}
        case MoveHrefs():
            shell.move_hrefs(verb.seed)
        case Misbehave():
            shell.tricks.extend(verb.tricks)
        case Behave():
            shell.tricks.clear()
            shell.silent_until = 0.0
        case GoSilent():
            shell.silent_until = shell.clock() + verb.seconds
        case Save():
            await shell.save_to(Path(verb.file))
        case Restore():
            await shell.change(fresh_world() if verb.file is None else read_world(Path(verb.file)))
    return {}


def _parsed(line: bytes) -> AnyVerb:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MisuseError("bad_request", f"Not a request of this door: {error}.") from error
