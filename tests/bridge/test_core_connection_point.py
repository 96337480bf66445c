"""The core at a site with a meter: a limit at the site is held by what the meter shows, and the record repeats it.

CSIP-AUS opModExpLimW and opModImpLimW become limits at the site; their figures here are worked out by hand from
`bridge/connection_point.py`: room = limit + load, less a margin of 50 W.
"""

import shutil

import pytest
from bridge_world import SITE_TEXT, Bench, course, grid_event, make_bench

from wattseal.bridge.core.inbound import Change, EventTaken
from wattseal.bridge.core.status import status
from wattseal.bridge.facts import Facts
from wattseal.bridge.status_text import lines
from wattseal.certs.box import Box
from wattseal.certs.statement import Kind
from wattseal.protocols.openadr20b.translate import TRANSLATOR
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Setpoint, Wish

METER = b"""
[[device]]
name = "meter"
profile = "sunspec_meter_import_positive"
link = "simulator"
address = "tcp://127.0.0.1:1504"
sampling_seconds = 2

[[utility]]"""
METERED = SITE_TEXT.replace(b"[[utility]]", METER, 1).replace(b"[site]", b'[site]\nmeter = "meter"', 1)


@pytest.fixture(scope="session")
def metered_box(tmp_path_factory) -> Box:
    return make_bench(tmp_path_factory.mktemp("metered") / "b", METERED)


@pytest.fixture
def metered(metered_box, tmp_path):
    shutil.copytree(metered_box.root, tmp_path / "b")
    bench = Bench(Box(tmp_path / "b"))
    yield bench
    bench.close()


async def wish(bench: Bench, *wishes: Wish, devices: tuple[str, ...] = (), event_id: str = "E1"):
    event = grid_event(*(course(one, *devices, name=f"S{at}") for at, one in enumerate(wishes)), event_id=event_id)
    taken = [EventTaken(Change.NEW, event, 0, TRANSLATOR)]
    return await bench.core.take(bench.arrival(b"<limit/>"), taken, (), lambda _consents: b"state")


async def show(bench: Bench, meter: int, battery: int, charger: int = 0, *, after: float = 0.0) -> None:
    """Time passes, and all three are sampled; not so long that the meter would count as silent."""
    bench.time.advance(after)
    await bench.reading("battery", 500, battery)
    await bench.reading("charger", None, charger)
    await bench.reading("meter", None, meter)


async def settle(bench: Bench, meter: int, battery: int) -> None:
    """Twenty seconds, sampled every five."""
    for _ in range(4):
        await show(bench, meter, battery, after=5)


def told(bench: Bench, device: str = "battery") -> list[tuple[str, int]]:
    return [(operation, watts) for name, operation, watts in bench.line.orders() if name == device]


async def test_an_export_limit_counts_the_household(metered):
    """The house draws 2000 W: the battery may give 1500 + 2000 - 50 W; then 500 W less, and it follows at once."""
    await metered.connect()
    await show(metered, -2000, 0)
    consents = await wish(metered, InjectLimit(1500))
    assert [consent.opt_in for _, consent in consents.consents] == [True]
    assert told(metered) == [("limit_inject", 3450)]
    await settle(metered, 1450, 3450)
    assert told(metered) == [("limit_inject", 3450)]
    await show(metered, 1950, 3450, after=1)
    assert told(metered) == [("limit_inject", 3450), ("limit_inject", 2950)]
    assert told(metered, "charger") == []
    assert told(metered, "meter") == []


async def test_status_tells_what_is_held_and_measured(metered):
    await metered.connect()
    await show(metered, -2000, 0)
    await wish(metered, InjectLimit(1500))
    told = status(metered.core.memory, metered.estate.site, metered.estate.clock.now(), 0)
    assert told["held"] == {
        "export": {
            "room_watts": 3450, "since": told["time"], "background_watts": -2000, "meter_believed": True,
        }
    }  # fmt: skip
    assert told["devices"]["meter"]["measured_watts"] == -2000
    assert "export limit at the connection: devices together may export 3450 W" in list(lines(told))
    assert any(line.startswith("meter: no order yet, measures -2000 W") for line in lines(told))


async def test_samples_that_change_nothing_seal_nothing(metered):
    await metered.connect()
    await show(metered, -2000, 0)
    await wish(metered, InjectLimit(1500))
    before = len(metered.line.of(Kind.FACTS)), len(metered.line.orders())
    for second in range(60):
        await show(metered, 1450 + 30 * (second % 2), 3450, after=1)
    assert (len(metered.line.of(Kind.FACTS)), len(metered.line.orders())) == before


async def test_facts_name_the_meters_reading_and_the_record_repeats_every_order(metered):
    """The reading is a parent of the facts, its power and what was held stand in them: enough to make the run again."""
    await metered.connect()
    await show(metered, -2000, 0)
    await wish(metered, InjectLimit(1500))
    await settle(metered, 1450, 3450)
    await metered.reading("battery", 500, 3450)
    shown = await metered.reading("meter", None, 1950)
    facts = metered.line.of(Kind.FACTS)[-1]
    assert shown.digest in facts.header.parents
    body = Facts.decode(facts.body)
    assert {one.name: one.measured.watts for one in body.devices if one.measured} == {
        "battery": 3450, "charger": 0, "meter": 1950,
    }  # fmt: skip
    assert body.holds.export.room_watts == 3450
    assert body.holds.importing is None
    for second in range(120):
        await show(metered, 1450 - 10 * second, 2950, after=1)
    assert len(metered.line.orders()) > 2
    differing = [one for one in metered.replayed().differences if one.kind is not Kind.INTENT]
    assert differing == []


async def test_an_import_limit_is_the_chargers(metered):
    """The battery has no limit on what it absorbs: it counts as household, and that is said."""
    await metered.connect()
    await show(metered, -3000, 0)
    await wish(metered, AbsorbLimit(8000))
    assert told(metered, "charger") == [("limit_absorb", 4950)]
    assert told(metered) == []


async def test_an_import_limit_narrows_a_setpoint_of_the_battery(metered):
    """With a setpoint of ours the battery can be narrowed: 8000 - 3000 - 50 = 4950 W, shared 5 to 11."""
    await metered.connect()
    await show(metered, -3000, 0)
    await wish(metered, Setpoint(-5000), devices=("battery",), event_id="E0")
    await wish(metered, AbsorbLimit(8000))
    assert told(metered)[-1] == ("set_power", -1547)
    assert told(metered, "charger")[-1] == ("limit_absorb", 3403)


async def test_the_tightest_limit_at_the_site_holds(metered):
    await metered.connect()
    await show(metered, -2000, 0)
    await wish(metered, InjectLimit(4000), event_id="E1")
    await wish(metered, InjectLimit(1000), event_id="E2")
    assert told(metered)[-1] == ("limit_inject", 2950)


async def test_a_silent_meter_is_not_believed(metered):
    """Three samples of 2 s and 5 s more, as for any device: then export counts on no load."""
    await metered.connect()
    await show(metered, -2000, 0)
    await wish(metered, InjectLimit(1500))
    for _ in range(3):
        metered.time.advance(5)
        await metered.reading("battery", 500, 3450)
    assert told(metered)[-1] == ("limit_inject", 1450)


async def test_after_the_limit_nothing_is_held(metered):
    await metered.connect()
    await show(metered, -2000, 0)
    await wish(metered, InjectLimit(1500))
    assert metered.core.memory.holds
    metered.time.advance(3700)
    await metered.core.look()
    assert not metered.core.memory.holds


async def test_a_restart_begins_tight(metered):
    await metered.connect()
    await show(metered, -2000, 0)
    await wish(metered, InjectLimit(1500))
    await metered.restart()
    await metered.connect()
    assert told(metered)[-1] == ("limit_inject", 1450)


async def test_without_a_meter_the_limit_is_shared_and_that_is_said(bench):
    """5000 W of battery are all that can export: it gets the whole limit, and no load counts."""
    await bench.connect()
    await show_no_meter(bench)
    await wish(bench, InjectLimit(1500))
    assert told(bench) == [("limit_inject", 1500)]


async def show_no_meter(bench: Bench) -> None:
    await bench.reading("battery", 500, 0)
    await bench.reading("charger", None, 0)
