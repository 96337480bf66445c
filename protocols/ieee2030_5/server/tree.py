"""The trunk of the tree: DeviceCapability, Time, SelfDevice, EndDevices, Registration, function set assignments."""

from collections.abc import Callable
from functools import partial

import msgspec

from wattseal.certs.identity import sfdi_of
from wattseal.protocols.ieee2030_5.base import ListLink, Resource
from wattseal.protocols.ieee2030_5.core_resources import (
    DeviceCapability,
    EndDevice,
    EndDeviceList,
    FunctionSetAssignments,
    FunctionSetAssignmentsList,
    Registration,
    SelfDevice,
    Time,
)
from wattseal.protocols.ieee2030_5.editions import AUS
from wattseal.protocols.ieee2030_5.server.access import (
    AGGREGATOR,
    Granted,
    Ids,
    InGroup,
    listed_device,
    own_devices,
    reached,
)
from wattseal.protocols.ieee2030_5.server.state import Clock, Device, Group
from wattseal.protocols.ieee2030_5.server.turn import Listing, Turn, Views
from wattseal.protocols.ieee2030_5.vocabulary import Subscribable


def capability(turn: Turn, _: Granted) -> Resource:
    """/dcap, with the counts of what this caller would see."""
    world = turn.world
    aggregator = 1 if has_virtual_device(turn) else 0
    mirrors = sum(one.owner == turn.caller for one in world.mirrors)
    return DeviceCapability(
        href=turn.at("dcap"),
        poll_rate=turn.poll_seconds("dcap"),
        der_program_list_link=turn.list_link(len(reached(turn, world.der_programs)), "derp"),
        demand_response_program_list_link=turn.list_link(len(reached(turn, world.load_programs)), "drp"),
        messaging_program_list_link=turn.list_link(len(reached(turn, world.text_programs)), "msg"),
        tariff_profile_list_link=turn.list_link(len(reached(turn, world.tariffs)), "tp"),
        response_set_list_link=turn.list_link(1, "rsps"),
        usage_point_list_link=turn.list_link(mirrors, "upt"),
        time_link=turn.link("tm"),
        end_device_list_link=turn.list_link(len(own_devices(turn)) + aggregator, "edev"),
        mirror_usage_point_list_link=turn.list_link(mirrors, "mup"),
        self_device_link=turn.link("sdev"),
    )


def time(turn: Turn, _: Granted) -> Resource:
    """The server's clock."""
    return _time_of(turn, turn.world.clock, turn.at("tm"))


def group_time(turn: Turn, found: InGroup) -> Resource | None:
    """A group's own clock."""
    clock = found.group.clock
    if clock is None:
        return None
    return _time_of(turn, clock, turn.at("edev", found.device.serial, "fsa", found.group.serial, "tm"))


def self_device(turn: Turn, _: Granted) -> Resource:
    """The server itself."""
    lfdi = turn.config.own_lfdi
    return SelfDevice(href=turn.at("sdev"), poll_rate=turn.poll_seconds("sdev"), lfdi=lfdi, sfdi=int(sfdi_of(lfdi)))


def end_devices(turn: Turn, _: Granted) -> Listing:
    """The caller's EndDevices by SFDI, an aggregator's virtual one first."""
    makers: list[Callable[[], Resource]] = [partial(_device_view, turn, one) for one in own_devices(turn)]
    if has_virtual_device(turn):
        makers.insert(0, partial(_virtual_device, turn))
    return Listing(EndDeviceList, Views(makers), "edev", subscribable=True)


def end_device(turn: Turn, found: Device | Granted) -> Resource:
    """One EndDevice, or an aggregator's virtual one."""
    return _device_view(turn, found) if isinstance(found, Device) else _virtual_device(turn)


def device_or_virtual(turn: Turn, ids: Ids) -> Device | Granted | None:
    """The guard of one EndDevice: a device of the caller, served or not, or the caller's virtual one."""
    if ids[0] == AGGREGATOR:
        return Granted(ids) if has_virtual_device(turn) else None
    return listed_device(turn, ids)


def has_virtual_device(turn: Turn) -> bool:
    """Whether the caller is an aggregator that no EndDevice of the world stands for."""
    return turn.is_aggregator and all(one.lfdi != turn.caller for one in turn.world.devices)


def registration(turn: Turn, found: Device) -> Resource | None:
    """When it was registered, and its PIN."""
    pin = pin_of(turn, found)
    if pin is None:
        return None
    return Registration(
        href=turn.at("edev", found.serial, "rg"),
        poll_rate=turn.poll_seconds("rg"),
        date_time_registered=found.registered,
        pin=pin,
    )


def pin_of(turn: Turn, found: Device) -> int | None:
    """The PIN of a device: its own, or the server's."""
    return turn.config.pin if found.pin is None else found.pin


def groups(turn: Turn, found: Device) -> Listing:
    """The groups of a device, by mRID descending."""
    mine = sorted(
        (one for one in turn.world.groups if found.serial in one.members), key=lambda one: one.mrid, reverse=True
    )
    items = tuple(_group_view(turn, InGroup(found, one)) for one in mine)
    return Listing(FunctionSetAssignmentsList, items, "fsa", subscribable=True)


def group(turn: Turn, found: InGroup) -> Resource:
    """One group."""
    return _group_view(turn, found)


def _time_of(turn: Turn, clock: Clock, href: str) -> Time:
    current = turn.now + clock.offset
    return Time(
        href=href,
        poll_rate=turn.poll_seconds("tm"),
        current_time=current,
        dst_end_time=0,
        dst_offset=0,
        dst_start_time=0,
        local_time=current + clock.tz_offset,
        quality=clock.quality,
        tz_offset=clock.tz_offset,
    )


def _virtual_device(turn: Turn) -> EndDevice:
    return EndDevice(
        href=turn.at("edev", AGGREGATOR),
        subscribable=Subscribable.NO,
        lfdi=turn.caller,
        sfdi=int(sfdi_of(turn.caller)),
        changed_time=0,
        enabled=True,
        subscription_list_link=turn.list_link(_subscriptions(turn, AGGREGATOR), "edev", AGGREGATOR, "sub"),
    )


def _device_view(turn: Turn, device: Device) -> EndDevice:
    base = ("edev", device.serial)
    plain = EndDevice(
        href=turn.at(*base),
        subscribable=Subscribable.PLAIN,
        device_category=device.category,
        lfdi=device.lfdi,
        sfdi=device.sfdi,
        changed_time=device.changed,
        enabled=device.enabled,
        post_rate=device.post_seconds or turn.config.post_seconds,
    )
    if not device.enabled:
        return plain
    linked = {
        "configuration_link": turn.link(*base, "cfg"),
        "der_list_link": turn.list_link(device.ders, *base, "der"),
        "device_information_link": turn.link(*base, "di"),
        "device_status_link": turn.link(*base, "dstat"),
        "load_shed_availability_list_link": turn.list_link(int("lsl/1" in device.sheets), *base, "lsl"),
        "log_event_list_link": turn.list_link(len(device.logs), *base, "lel"),
        "power_status_link": turn.link(*base, "ps"),
        "flow_reservation_request_list_link": turn.list_link(len(device.flow_requests), *base, "frq"),
        "flow_reservation_response_list_link": turn.list_link(len(device.flow_responses), *base, "frp"),
        "function_set_assignments_list_link": turn.list_link(_groups_of(turn, device), *base, "fsa"),
        "registration_link": turn.link(*base, "rg") if pin_of(turn, device) is not None else None,
        "subscription_list_link": turn.list_link(_subscriptions(turn, device.serial), *base, "sub"),
        "connection_point_link": turn.link(*base, "cp") if AUS in turn.config.profile.speaks else None,
    }
    return msgspec.structs.replace(plain, **linked)


def _group_view(turn: Turn, found: InGroup) -> FunctionSetAssignments:
    group = found.group
    base = ("edev", found.device.serial, "fsa", group.serial)
    return FunctionSetAssignments(
        href=turn.at(*base),
        subscribable=Subscribable.PLAIN,
        mrid=group.mrid,
        description=group.description,
        der_program_list_link=_programs_link(turn, group, "der_programs", *base, "derp"),
        demand_response_program_list_link=_programs_link(turn, group, "load_programs", *base, "drp"),
        messaging_program_list_link=_programs_link(turn, group, "text_programs", *base, "msg"),
        tariff_profile_list_link=_programs_link(turn, group, "tariffs", *base, "tp"),
        response_set_list_link=turn.list_link(1, "rsps"),
        time_link=turn.link("tm") if group.clock is None else turn.link(*base, "tm"),
    )


def _programs_link(turn: Turn, group: Group, shelf: str, *steps: str | int) -> ListLink | None:
    count = sum(one.serial in group.programs for one in getattr(turn.world, shelf))
    return turn.list_link(count, *steps) if count or shelf == "der_programs" else None


def _groups_of(turn: Turn, device: Device) -> int:
    return sum(device.serial in one.members for one in turn.world.groups)


def _subscriptions(turn: Turn, serial: int) -> int:
    return sum(one.owner == turn.caller and one.device == serial for one in turn.world.subscribers)
