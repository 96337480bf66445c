"""One intent, two dialects, the same bytes: what a device is told says nothing of who asked, or in which words.

Each pair goes as a document through the real codec, session rules and translator of its dialect, and through the plan:
an oadrDistributeEvent (LOAD_DISPATCH in watts, or a SIMPLE level that the site's table resolves) on one side, a list of
DERControls (a percentage of a setting, watts times a power of ten, a limit) on the other.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec
import pytest
import ven_world as ven
from bridge_world import NOW, SITE_TEXT
from client_2030_5_world import World as ServerWorld
from client_2030_5_world import control, lay

from wattseal.bridge.core.server_config import client_config, translation_context
from wattseal.bridge.plan import World, plan
from wattseal.bridge.site.reader import read_site
from wattseal.bridge.timeline import TimedEvent
from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.ieee2030_5 import quantities
from wattseal.protocols.ieee2030_5.client.happenings import ScheduleChanged
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.der_control import DERControl, DERControlBase, DERProgramList
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIP_2023, CSIPAUS_1_2, CSIPAUS_1_3, Profile
from wattseal.protocols.ieee2030_5.translate import translate as translate_schedule
from wattseal.protocols.openadr20b import codec as openadr
from wattseal.protocols.openadr20b import common
from wattseal.protocols.openadr20b.event import DistributeEvent, EventSignal, EventSignals
from wattseal.protocols.openadr20b.translate import Translation, TranslationContext, translate
from wattseal.protocols.openadr20b.vocabulary import SiScaleCode

LFDIS = {"battery": "01" * 20, "charger": "02" * 20}
SITE = read_site(
    SITE_TEXT
    + f"""
[[utility]]
name = "south"
dialect = "ieee2030.5"
url = "http://127.0.0.1:8081/dcap"
profile = "csipaus-1.3"
role = "aggregator"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = 22000
[[utility.end_device]]
device = "battery"
lfdi = "{LFDIS["battery"]}"
type = "battery"
[[utility.end_device]]
device = "charger"
lfdi = "{LFDIS["charger"]}"
type = "ev_charger"
""".encode()
)
NORTH, SOUTH = SITE.utilities
OPENADR = TranslationContext(NORTH.name, "VEN_1", NORTH.market_contexts, NORTH.resources)
RESOURCE = {"battery": "b1", "charger": "c1"}
FOREVER = 0xFFFFFFFF


@dataclass(frozen=True)
class Pair:
    """The same intent twice. `intervals` of OpenADR: watts (text) or a level (number), each `seconds` long."""

    name: str
    device: str
    said: tuple[str | int, ...]
    bases: tuple[DERControlBase, ...]
    start: int = 600
    seconds: int = 3600
    profile: Profile = CSIPAUS_1_3


def fixed(part: int) -> DERControlBase:
    return DERControlBase(op_mod_fixed_w=quantities.SignedPerCentControl(value=part))


def target(value: int, multiplier: int = 0) -> DERControlBase:
    return DERControlBase(op_mod_target_w=quantities.ActivePowerControl(value=value, multiplier=multiplier))


def storage(value: int, multiplier: int = 0) -> DERControlBase:
    return DERControlBase(op_mod_storage_target_w=quantities.ActivePower(value=value, multiplier=multiplier))


def of(name: str, value: object) -> DERControlBase:
    return DERControlBase(**{name: value})


def aus(watts: int) -> quantities.ActivePower:
    return quantities.ActivePower(value=watts, multiplier=0)


def share(part: int, of_watts: int) -> str:
    """The exact watts of a percentage, as OpenADR writes them."""
    return format((Decimal(part) * of_watts / 10_000).normalize(), "f")


UNSIGNED = quantities.UnsignedActivePowerControl
PAIRS = [
    *(Pair(f"target {w} W", "battery", (str(w),), (target(w),))
      for w in (-5000, -4999, -2500, -1234, -1, 0, 1, 700, 1500, 3333, 5000)),
    *(Pair(f"target {v}e{m} W", "battery", (format(Decimal(v).scaleb(m), "f"),), (target(v, m),))
      for v, m in ((15, 2), (-15, 2), (15_000, -1), (1505, -1), (25, -1), (35, -1), (-25, -1), (5, 3), (-5, 3),
                   (12_345, -2), (-12_345, -2), (32_767, -3), (-32_768, -3), (4, -9))),
    *(Pair(f"{p} ‱ of 5000 W", "battery", (share(p, 5000),), (fixed(p),))
      for p in (10_000, -10_000, 5000, -5000, 1, 3, -1, -3, 3333, -3333, 1234, 0)),
    *(Pair(f"2018, {p} ‱", "battery", (share(p, 5000),), (fixed(p),), profile=CSIP_2018) for p in (2000, -2000)),
    *(Pair(f"2023, {p} ‱", "battery", (share(p, 5000),), (fixed(p),), profile=CSIP_2023) for p in (2000, -2000)),
    *(Pair(f"storage target {w} W", "battery", (str(w),), (storage(w),)) for w in (-2000, 0, 2000, 4321)),
    *(Pair(f"charger {w} W", "charger", (str(w),), (target(w),)) for w in (-11_000, -7400, -1380, 0, 500)),
    *(Pair(f"charger {p} ‱ of 11000 W", "charger", (share(p, 11_000),), (fixed(p),)) for p in (-10_000, -2500, -1)),
    Pair("level 1 is a setpoint of 0 W", "battery", (1,), (target(0),)),
    Pair("level 2 is a setpoint of 1500 W", "battery", (2,), (target(1500),)),
    Pair("level 3 is a generation limit", "battery", (3,), (of("op_mod_gen_lim_w", aus(700)),)),
    Pair("level 3, csipaus 1.2", "battery", (3,), (of("op_mod_gen_lim_w", aus(700)),), profile=CSIPAUS_1_2),
    Pair("level 3 is 14 % of setMaxW", "battery", (3,),
         (of("op_mod_max_lim_w", quantities.PerCentControl(value=1400)),)),
    Pair("level 3 is an injection limit of 2023", "battery", (3,),
         (of("op_mod_max_lim_w_inject", UNSIGNED(value=7, multiplier=2)),), profile=CSIP_2023),
    Pair("charger level 1 is a load limit", "charger", (1,), (of("op_mod_load_lim_w", aus(7400)),)),
    Pair("charger level 2 is a load limit of 0", "charger", (2,), (of("op_mod_load_lim_w", aus(0)),)),
    Pair("charger level 2 is 0 % of 2023", "charger", (2,),
         (of("op_mod_max_lim_pct_w_absorb", quantities.PerCentControl(value=0)),), profile=CSIP_2023),
    Pair("charger level 1 in watts of 2023", "charger", (1,),
         (of("op_mod_max_lim_w_absorb", UNSIGNED(value=74, multiplier=2)),), profile=CSIP_2023),
    Pair("starts at once", "battery", ("1500",), (target(1500),), start=0),
    Pair("known late", "battery", ("1500",), (target(1500),), start=-900),
    Pair("a minute", "battery", ("-1500",), (target(-1500),), seconds=60),
    Pair("until further notice", "battery", ("1500",), (target(1500),), seconds=0),
    Pair("two in a row", "battery", ("1500", "-1500"), (target(1500), target(-1500))),
    Pair("three in a row", "battery", ("1000", "2000", "3000"), (target(1000), fixed(4000), storage(3000)),
         seconds=300),
    Pair("levels in a row", "charger", (1, 2), (of("op_mod_load_lim_w", aus(7400)), of("op_mod_load_lim_w", aus(0)))),
]  # fmt: skip


def by_openadr(pair: Pair) -> GridEvent:
    """Through the document and the translator of OpenADR 2.0b."""
    seconds = pair.seconds
    first = ven.simple(duration=seconds) if isinstance(pair.said[0], int) else ven.dispatch(duration=seconds)
    first = msgspec.structs.replace(first, item_base=None if isinstance(pair.said[0], int) else scaled(first))
    intervals = tuple(
        msgspec.structs.replace(first.intervals[0], uid=str(n), value=Decimal(said)) for n, said in enumerate(pair.said)
    )
    signal: EventSignal = msgspec.structs.replace(first, intervals=intervals)
    event = ven.oadr_event(
        start=NOW + pair.start,
        duration=seconds * len(pair.said),
        target=common.Target(resource_ids=(RESOURCE[pair.device],)),
    )
    inner = msgspec.structs.replace(event.ei_event, event_signals=EventSignals(signals=(signal,)))
    raw = openadr.encode(ven.distribute(msgspec.structs.replace(event, ei_event=inner)))
    message = openadr.decode(raw).message
    assert isinstance(message, DistributeEvent)
    meant = translate(message.events[0], OPENADR)
    assert isinstance(meant, Translation), meant
    return meant.event


def scaled(signal: EventSignal):
    return msgspec.structs.replace(signal.item_base, si_scale_code=SiScaleCode.NONE)


def by_server(pair: Pair) -> tuple[GridEvent, ...]:
    """Through the documents, the event engine, the forecast and the translator of IEEE 2030.5."""
    site = SITE
    config = client_config(site, SOUTH, lfdi="03" * 20, seed="s", profile=pair.profile, dcap="/dcap")
    world = ServerWorld(config)
    seconds = pair.seconds or FOREVER
    controls: list[DERControl] = [
        control(n + 1, pair.start + n * seconds, seconds, der_control_base=base) for n, base in enumerate(pair.bases)
    ]
    devices = [
        EndDevice(href="/edev/1", lfdi=LFDIS[pair.device], sfdi=1, changed_time=NOW,
                  function_set_assignments_list_link=control_list())
    ]  # fmt: skip
    lay(world, devices, controls)
    programs = world.server.resources["/derp"]
    world.server.resources["/derp"] = DERProgramList(
        href="/derp",
        poll_rate=60,
        items=tuple(msgspec.structs.replace(one, default_der_control_link=None) for one in programs.items),
    )
    world.begin().run(5)
    schedule = world.of(ScheduleChanged)[-1]
    made = translate_schedule(schedule.segments, translation_context(config, SOUTH))
    assert not [one for one in made.remarks if "taken as" not in one.what]
    return made.events


def control_list():
    from wattseal.protocols.ieee2030_5.base import ListLink

    return ListLink(href="/edev/1/fsa", all=1)


def orders(events: tuple[GridEvent, ...], at: int) -> dict[str, bytes]:
    timed = tuple(TimedEvent(event, bytes(32), 0, None) for event in events)
    return {desired.device: desired.order.encode() for desired in plan(World(at, timed, ()), SITE).desired}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_same_intent_gives_the_same_order_bytes(pair: Pair) -> None:
    """DESIGN 3, the order body: byte-identical by any dialect; before, in each part, and after the end."""
    ours, theirs = (by_openadr(pair),), by_server(pair)
    start = NOW + pair.start
    ends = start + (pair.seconds or 86_400) * len(pair.said)
    moments = {start - 1, start, start + 59, ends - 1, ends} | {start + n * pair.seconds for n in range(len(pair.said))}
    for at in sorted(moments):
        if pair.start > 0 or at >= NOW:
            assert orders(theirs, at) == orders(ours, at), at - start
    assert orders(ours, max(start, NOW))[pair.device] != orders((), start)[pair.device], "something was ordered"


def test_there_are_fifty_pairs_of_different_names() -> None:
    assert len({pair.name for pair in PAIRS}) == len(PAIRS) >= 50


def test_another_intent_gives_other_bytes() -> None:
    """The comparison can fail: one watt, or one second, makes other bytes."""
    pair = PAIRS[0]
    at = NOW + pair.start
    ours = orders((by_openadr(pair),), at)
    assert orders(by_server(replace(pair, bases=(target(-4999),))), at) != ours
    assert orders(by_server(replace(pair, seconds=3601)), at) != ours
