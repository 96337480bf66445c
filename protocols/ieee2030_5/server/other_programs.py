"""Programmes that are not of DER: demand response and load control, and messages."""

from typing import TypeVar

import msgspec

from wattseal.protocols.ieee2030_5.base import Event, Resource
from wattseal.protocols.ieee2030_5.demand_response import (
    DemandResponseProgram,
    DemandResponseProgramList,
    EndDeviceControl,
    EndDeviceControlList,
)
from wattseal.protocols.ieee2030_5.messaging import MessagingProgram, MessagingProgramList, TextMessage, TextMessageList
from wattseal.protocols.ieee2030_5.server.access import Granted, InGroup, ordered, reached
from wattseal.protocols.ieee2030_5.server.events import no_modes, shown
from wattseal.protocols.ieee2030_5.server.programs import RESPONSES_PATH
from wattseal.protocols.ieee2030_5.server.state import Listed, LoadProgram, TextProgram
from wattseal.protocols.ieee2030_5.server.turn import Listing, Turn
from wattseal.protocols.ieee2030_5.vocabulary import Subscribable

E = TypeVar("E", bound=Event)


def all_load_programs(turn: Turn, _: Granted) -> Listing:
    """Those that the caller reaches."""
    return _load_programs(turn, reached(turn, turn.world.load_programs))


def group_load_programs(turn: Turn, found: InGroup) -> Listing:
    """Those of one group."""
    mine = (one for one in turn.world.load_programs if one.serial in found.group.programs)
    return _load_programs(turn, ordered(mine))


def load_program(turn: Turn, found: LoadProgram) -> DemandResponseProgram:
    """One of them."""
    base = ("drp", found.serial)
    return DemandResponseProgram(
        href=turn.at(*base),
        mrid=found.mrid,
        description=found.description,
        version=found.version,
        active_end_device_control_list_link=turn.list_link(
            len(active_load_controls(turn, found).items), *base, "actedc"
        ),
        end_device_control_list_link=turn.list_link(len(load_controls(turn, found).items), *base, "edc"),
        primacy=found.primacy,
    )


def load_controls(turn: Turn, found: LoadProgram) -> Listing:
    """All that are listed."""
    items = _views(turn, found.controls, ("drp", found.serial, "edc"), active=False)
    return _events(EndDeviceControlList, items)


def active_load_controls(turn: Turn, found: LoadProgram) -> Listing:
    """Those whose time it is."""
    items = _views(turn, found.controls, ("drp", found.serial, "edc"), active=True)
    return _events(EndDeviceControlList, items)


def load_control(turn: Turn, found: LoadProgram) -> Resource | None:
    """The one that the path names."""
    return _named(turn, load_controls(turn, found))


def all_text_programs(turn: Turn, _: Granted) -> Listing:
    """Those that the caller reaches."""
    return _text_programs(turn, reached(turn, turn.world.text_programs))


def group_text_programs(turn: Turn, found: InGroup) -> Listing:
    """Those of one group."""
    mine = (one for one in turn.world.text_programs if one.serial in found.group.programs)
    return _text_programs(turn, ordered(mine))


def text_program(turn: Turn, found: TextProgram) -> MessagingProgram:
    """One of them."""
    base = ("msg", found.serial)
    return MessagingProgram(
        href=turn.at(*base),
        subscribable=Subscribable.PLAIN,
        mrid=found.mrid,
        description=found.description,
        version=found.version,
        active_text_message_list_link=turn.list_link(len(active_texts(turn, found).items), *base, "acttxt"),
        locale=found.locale,
        primacy=found.primacy,
        text_message_list_link=turn.list_link(len(texts(turn, found).items), *base, "txt"),
    )


def texts(turn: Turn, found: TextProgram) -> Listing:
    """All that are listed."""
    return _events(TextMessageList, _views(turn, found.texts, ("msg", found.serial, "txt"), active=False))


def active_texts(turn: Turn, found: TextProgram) -> Listing:
    """Those whose time it is."""
    return _events(TextMessageList, _views(turn, found.texts, ("msg", found.serial, "txt"), active=True))


def text(turn: Turn, found: TextProgram) -> Resource | None:
    """The one that the path names."""
    return _named(turn, texts(turn, found))


def _load_programs(turn: Turn, programs: tuple[LoadProgram, ...]) -> Listing:
    items = tuple(load_program(turn, one) for one in programs)
    return Listing(DemandResponseProgramList, items, "drp", subscribable=True)


def _text_programs(turn: Turn, programs: tuple[TextProgram, ...]) -> Listing:
    items = tuple(text_program(turn, one) for one in programs)
    return Listing(MessagingProgramList, items, "msg", subscribable=True)


def _views(turn: Turn, listed: tuple[Listed[E], ...], base: tuple[str | int, ...], *, active: bool) -> tuple[E, ...]:
    pairs = shown(listed, no_modes, turn.clock, turn.config.keep_finished_seconds, active=active)
    return tuple(
        msgspec.structs.replace(
            event,
            href=turn.at(*base, one.serial),
            reply_to=turn.at(RESPONSES_PATH) if event.response_required else None,
            subscribable=Subscribable.NO,
        )
        for one, event in pairs
    )


def _events(
    kind: type[EndDeviceControlList | TextMessageList],
    items: tuple[EndDeviceControl, ...] | tuple[TextMessage, ...],
) -> Listing:
    return Listing(kind, items, stamps=tuple(one.interval.start for one in items), subscribable=True)


def _named(turn: Turn, listing: Listing) -> Resource | None:
    href = turn.hrefs.write(turn.path)
    return next((one for one in listing.items if one.href == href), None)
