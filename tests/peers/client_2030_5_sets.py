"""The function sets beside DER in the small server of `client_2030_5_world`, and one charger that is under all of them.

Also our own 2030.5 server in the place of the small one: the same world, the same clock, every request by the same
bytes; what is posted to it is held against the published schemas where they are at hand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from client_2030_5_world import LFDI, SFDI, T0, World, config, plain, status
from ieee2030_5_schemas import edition_folder, schema_of
from lxml import etree
from utility_bench import Bench, bench

from wattseal.protocols.ieee2030_5.base import DateTimeInterval, Event, Link, ListLink
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request, Silence
from wattseal.protocols.ieee2030_5.client.happenings import PricesInForce, ScheduleChanged, TextsInForce
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.demand_response import (
    DemandResponseProgram,
    DemandResponseProgramList,
    DutyCycle,
    EndDeviceControl,
    EndDeviceControlList,
)
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequestList, FlowReservationResponseList
from wattseal.protocols.ieee2030_5.messaging import MessagingProgram, MessagingProgramList, TextMessage, TextMessageList
from wattseal.protocols.ieee2030_5.metering import ReadingType
from wattseal.protocols.ieee2030_5.pricing import (
    ConsumptionTariffInterval,
    ConsumptionTariffIntervalList,
    RateComponent,
    RateComponentList,
    TariffProfile,
    TariffProfileList,
    TimeTariffInterval,
    TimeTariffIntervalList,
)
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_2, Profile
from wattseal.protocols.ieee2030_5.translate import Translation, TranslationContext, translate
from wattseal.protocols.ieee2030_5.vocabulary import DeviceCategory, MessagePriority, ServiceKind, Uom

RATING = 7400
LIMIT = "csipaus:opModLoadLimW"
CHARGER = Managed("charger", LFDI, SFDI, DerType.EV_CHARGER, Ratings(0, RATING, modes=frozenset({LIMIT})))
EVSE = int(DeviceCategory.EVSE)


def charger_config(*devices: Managed, **changes: Any) -> ClientConfig:
    """The charger, or other devices in its place."""
    return replace(config(**({"profile": CSIPAUS_1_2} | changes)), devices=devices or (CHARGER,))


def event(number: int, start: int, seconds: int, **changes: Any) -> dict[str, Any]:
    """What every event has; it wants every Response."""
    return {
        "href": f"/event/{number}", "reply_to": "/rsp", "response_required": 0x07, "mrid": f"{number:032X}",
        "creation_time": T0 - 1000 + number, "event_status": status(),
        "interval": DateTimeInterval(start=T0 + start, duration=seconds),
    } | changes  # fmt: skip


def load_control(number: int, start: int, seconds: int, percent: int = 50, **changes: Any) -> EndDeviceControl:
    fields = {
        "device_category": EVSE, "dr_program_mandatory": True, "load_shift_forward": False,
        "duty_cycle": DutyCycle(normal_value=percent),
    }  # fmt: skip
    return EndDeviceControl(**event(number, start, seconds, **(fields | changes)))


def text(number: int, start: int, seconds: int, words: str = "Storm tonight", **changes: Any) -> TextMessage:
    fields = {"priority": MessagePriority.HIGH, "text_message": words, "originator": "Utility"} | changes
    return TextMessage(**event(number, start, seconds, **fields))


def interval(number: int, start: int, seconds: int, price: int | None = None, **changes: Any) -> TimeTariffInterval:
    """Its price lies at an address of its own, unless one is given: then it is written into it."""
    summary = None
    if price is not None:
        block = ConsumptionTariffInterval(consumption_block=0, price=price, start_value=0)
        summary = ConsumptionTariffIntervalList(href=f"/tti/{number}/cti", all=1, results=1, items=(block,))
    fields = {
        "tou_tier": 1, "consumption_tariff_interval_list_link": ListLink(href=f"/tti/{number}/cti", all=1),
        "consumption_tariff_interval_list_summary": summary,
    }  # fmt: skip
    return TimeTariffInterval(**event(number, start, seconds, **(fields | changes)))


def blocks(number: int, *prices: tuple[int, int]) -> ConsumptionTariffIntervalList:
    items = tuple(
        ConsumptionTariffInterval(consumption_block=place, start_value=since, price=price)
        for place, (since, price) in enumerate(prices, start=1 if len(prices) > 1 else 0)
    )
    return ConsumptionTariffIntervalList(href=f"/tti/{number}/cti", items=items)


def change(world: World, path: str, **fields: Any) -> None:
    world.server.resources[path] = msgspec.structs.replace(world.server.resources[path], **fields)


def lay_sets(world: World, poll: int = 60, **program: Any) -> World:
    """Everything linked from the one assignment, the flow lists from the device; all lists are empty."""
    plain(world, poll=poll)
    resources = world.server.resources
    assignment = resources["/edev/1/fsa"].items[0]
    linked = msgspec.structs.replace(
        assignment,
        demand_response_program_list_link=ListLink(href="/dr"),
        tariff_profile_list_link=ListLink(href="/tp"),
        messaging_program_list_link=ListLink(href="/msg"),
    )
    change(world, "/edev/1/fsa", items=(linked,))
    device = msgspec.structs.replace(
        resources["/edev"].items[0],
        flow_reservation_request_list_link=ListLink(href="/edev/1/frq"),
        flow_reservation_response_list_link=ListLink(href="/edev/1/frp"),
        load_shed_availability_list_link=ListLink(href="/edev/1/lsl"),
    )
    change(world, "/edev", items=(device,))
    load = DemandResponseProgram(
        href="/dr/1", mrid="D1", primacy=2, end_device_control_list_link=ListLink(href="/dr/1/edc"), **program
    )
    tariff = TariffProfile(
        href="/tp/1", mrid="71", primacy=3, currency=978, price_power_of_ten_multiplier=-3, rate_code="NIGHT",
        service_category_kind=ServiceKind.ELECTRICITY, rate_component_list_link=ListLink(href="/tp/1/rc"),
    )  # fmt: skip
    rate = RateComponent(
        href="/tp/1/rc/1", mrid="72", role_flags=0, reading_type_link=Link(href="/tp/1/rc/1/rt"),
        time_tariff_interval_list_link=ListLink(href="/tp/1/rc/1/tti"),
    )  # fmt: skip
    texts = MessagingProgram(
        href="/msg/1", mrid="3E", primacy=4, locale="en", text_message_list_link=ListLink(href="/msg/1/txt")
    )
    resources |= {
        "/dr": DemandResponseProgramList(href="/dr", items=(load,), poll_rate=poll),
        "/dr/1/edc": EndDeviceControlList(href="/dr/1/edc"),
        "/tp": TariffProfileList(href="/tp", items=(tariff,), poll_rate=poll),
        "/tp/1/rc": RateComponentList(href="/tp/1/rc", items=(rate,)),
        "/tp/1/rc/1/rt": ReadingType(
            href="/tp/1/rc/1/rt", uom=Uom.WATT_HOUR, power_of_ten_multiplier=3, flow_direction=1
        ),
        "/tp/1/rc/1/tti": TimeTariffIntervalList(href="/tp/1/rc/1/tti"),
        "/msg": MessagingProgramList(href="/msg", items=(texts,), poll_rate=poll),
        "/msg/1/txt": TextMessageList(href="/msg/1/txt"),
        "/edev/1/frq": FlowReservationRequestList(href="/edev/1/frq"),
        "/edev/1/frp": FlowReservationResponseList(href="/edev/1/frp"),
    }
    return world


def show(world: World, path: str, *items: Event) -> None:
    """What a list holds from now on."""
    change(world, path, items=tuple(items), all=len(items), results=len(items))


# ---- what came of it --------------------------------------------------------------------------------------------


def translated(world: World) -> Translation:
    """The events of the schedule as it was last told."""
    context = TranslationContext("north", {device.lfdi: device for device in world.settings.devices})
    return translate(world.of(ScheduleChanged)[-1].segments, context)


def limit_at(world: World, second: float) -> int | None:
    """The tightest limit on absorption that the last told schedule puts on the charger at a second; None: none."""
    found = []
    for one in translated(world).events:
        for course in one.courses:
            for span in course.intervals:
                since = one.start + span.offset_seconds - T0
                if since <= second and (span.duration_seconds is None or second < since + span.duration_seconds):
                    found.append(
                        getattr(span.wish, "watts", None) if type(span.wish).__name__ == "AbsorbLimit" else None
                    )
    return min((watts for watts in found if watts is not None), default=None)


def prices(world: World) -> tuple[Any, ...]:
    told = world.of(PricesInForce)
    return told[-1].prices if told else ()


def texts(world: World) -> tuple[Any, ...]:
    told = world.of(TextsInForce)
    return told[-1].texts if told else ()


# ---- our own server in the place of the small one ----------------------------------------------------------------


@dataclass
class Served:
    """A `utility_bench` server as the world's: `now` is the world's second, `lfdi` who asks."""

    bench: Bench
    now: Callable[[], float]
    lfdi: str = LFDI.hex().upper()
    posted: list[tuple[str, Any]] = field(default_factory=list)
    valid: int = 0

    def answer(self, request: Request) -> Answer | Silence:
        bench = self.bench
        bench.pass_time(T0 + int(self.now()) - bench.now)
        if request.method is not Method.GET:
            self.posted.append((request.href, decode(request.body, bench.profile).resource))
            if bench.validated:
                schema_of(bench.profile.name).assertValid(etree.fromstring(request.body))
                self.valid += 1
        reply = bench.ask(str(request.method), request.href, request.body, lfdi=self.lfdi)
        location = dict(reply.headers).get("Location", "")
        return Answer(reply.status, reply.body, reply.media_type.partition(";")[0], location)


def served(profile: Profile, duties: Sequence[Any] = (), **settings: Any) -> tuple[World, Served]:
    """A world whose server is ours, with the charger registered there; its clock and the world's are one."""
    world = World(charger_config(profile=profile, **settings), duties)
    server = Served(bench(profile, poll_seconds=60), lambda: world.second)
    server.bench.validated = edition_folder() is not None and profile is CSIP_2018
    server.bench.register(server.lfdi)
    world.server = server  # type: ignore[assignment]  # a server all the same
    return world, server
