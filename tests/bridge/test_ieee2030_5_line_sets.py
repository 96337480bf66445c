"""The function sets beside DER on the line: limits become orders, prices and texts stand in the status, needs go."""

import hashlib
import json
from functools import partial

import pytest
from bridge_world import NOW, SITE_TEXT
from client_2030_5_sets import event, interval, lay_sets, load_control, text
from client_2030_5_world import LFDI
from msgspec.structs import replace
from server_line_world import LineWorld

from wattseal.bridge import status_text
from wattseal.bridge.core.local_api import ask, local_door
from wattseal.bridge.core.process import acknowledged
from wattseal.bridge.core.status import status
from wattseal.certs.errors import WorldError
from wattseal.certs.statement import Kind
from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationResponse
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.vocabulary import RequestState

CHARGING = b"""[device.charging]
energy_watt_hours = 20000
power_watts = 7000
plugged_from = "18:00"
ready_by = "07:00"
"""
SITE = (
    SITE_TEXT.partition(b"[[utility]]")[0]
    + CHARGING
    + f"""[[utility]]
name = "north"
dialect = "ieee2030.5"
url = "http://127.0.0.1:8080/dcap"
profile = "csipaus-1.3"
role = "device"
pen = 32473
operations = ["limit_absorb"]
ceiling_watts = 22000
[[utility.end_device]]
device = "charger"
lfdi = "{LFDI.hex().upper()}"
type = "ev_charger"
""".encode()
)
RATING = 11_000


@pytest.fixture
async def world(tmp_path):
    made = await LineWorld(tmp_path / "box", SITE, lay=lay_sets).connect()
    # The profile demands the combined list of every tariff.
    tariffs = made.server.resources["/tp"]
    tariff = replace(tariffs.items[0], combined_time_tariff_interval_list_link=ListLink(href="/tp/1/ctti"))
    made.server.resources["/tp"] = replace(tariffs, items=(tariff,))
    made.server.resources["/tp/1/ctti"] = replace(made.server.resources["/tp/1/rc/1/tti"], href="/tp/1/ctti")
    yield made
    made.bench.close()


def show(world, path, *items):
    world.server.resources[path] = replace(world.server.resources[path], items=items)


def told_status(world):
    core = world.bench.core
    return json.loads(json.dumps(status(core.memory, world.bench.estate.site, world.now, 0, core.contacts)))


def charger_orders(world):
    return [(operation, watts) for device, operation, watts in world.orders() if device == "charger"]


async def test_a_load_control_becomes_an_order_that_rests_on_its_message(world):
    """1.11 DRLC: 25 % of the charger's 11 kW; the intent names the list that names the control, and its programme."""
    show(world, "/dr/1/edc", load_control(1, 30, 60, 25))
    await world.run(200)
    assert charger_orders(world) == [("limit_absorb", RATING // 4), ("release", 0)]
    (intent,) = world.said(Kind.INTENT)[:1]
    ingresses = {one.digest: one for one in world.said(Kind.INGRESS)}
    contents = {hashlib.sha256(raw).digest(): raw for raw in world.bench.record().contents.values()}
    raws = b"".join(contents[ingresses[parent].header.contents[0]] for parent in intent.header.parents)
    assert b"<EndDeviceControlList" in raws
    assert b"<DemandResponseProgramList" in raws
    told = [contents[one.header.contents[0]] for one in world.said(Kind.REPORT)]
    assert len([raw for raw in told if b"<DrResponse" in raw]) == 3


async def test_a_price_stands_in_the_status_while_it_holds_and_moves_nothing(world):
    """Money as it is written: 245 x 10^-3 of currency 978 for a kWh delivered."""
    rate = Link(href="/tp/1/rc/1")
    show(world, "/tp/1/ctti", interval(1, 60, 600, price=245, rate_component_link=rate))
    await world.run(30)
    assert told_status(world)["utilities"]["north"].get("prices", []) == []
    await world.run(60)
    (price,) = told_status(world)["utilities"]["north"]["prices"]
    assert (price["price"], price["currency"], price["per"], price["flow"]) == ("0.245", 978, "kWh", "delivered")
    assert (price["tariff"], price["devices"], price["tier"]) == ("NIGHT", ["charger"], 1)
    assert price["until"] == "2027-01-15T08:11:00Z"
    lines = list(status_text.lines(told_status(world)))
    assert "price of north: 0.245 of currency 978 for a kWh delivered, until 2027-01-15T08:11:00Z" in lines
    assert charger_orders(world) == []
    assert world.intents() == []
    contents = world.bench.record().contents.values()
    assert any(b"<TimeTariffIntervalList" in raw for raw in contents), "it is on record"
    await world.run(700)
    assert told_status(world)["utilities"]["north"]["prices"] == []


async def test_a_text_stands_in_the_status_and_is_acknowledged_through_the_local_door(world, tmp_path):
    show(world, "/msg/1/txt", text(1, 0, 600, "Storm \x9b2J tonight"))
    await world.run(10)
    (shown,) = told_status(world)["utilities"]["north"]["texts"]
    assert (shown["text"], shown["from"], shown["priority"]) == ("Storm 2J tonight", "Utility", "high")
    assert f"high message {shown['event']} of Utility: Storm 2J tonight" in list(status_text.lines(told_status(world)))
    core = world.bench.core
    async with local_door(tmp_path / "s", {}, {"acknowledge": partial(acknowledged, core)}):
        answer = await ask(tmp_path / "s", "acknowledge", shown["event"])
        assert answer == {"acknowledged": shown["event"], "utility": "north"}
        for nonsense in ("", "00" * 16, "no hex", "\u20ac" * 500):
            with pytest.raises(WorldError, match="No text"):
                await ask(tmp_path / "s", "acknowledge", nonsense)
    await world.run(60)
    answers = [int(one.status) for path, one in world.server.posted if path == "/rsp"]
    assert answers == [1, 11]


async def test_a_need_in_the_site_file_is_reserved_and_its_grant_becomes_an_order(world):
    """From the file: 20 kWh between 18:00 and 07:00 UTC. NOW is 08:00, so it is the window of the coming night."""
    await world.line.hand_in()
    await world.run(5)
    (asked,) = [one for path, one in world.server.posted if path == "/edev/1/frq"]
    assert (asked.energy_requested.value, asked.power_requested.value) == (20_000, 7000)
    assert (asked.interval_requested.start - NOW, asked.interval_requested.duration) == (10 * 3600, 13 * 3600)
    granted = FlowReservationResponse(
        **event(9, 600, 300), subject=asked.mrid, power_available=ActivePower(multiplier=0, value=4000),
        energy_available=SignedRealEnergy(multiplier=0, value=300),
    )  # fmt: skip
    show(world, "/edev/1/frp", granted)
    await world.line.hand_in()
    await world.run(2000)
    assert charger_orders(world) == [("limit_absorb", 4000), ("release", 0)]
    requests = [one for path, one in world.server.posted if path.startswith("/edev/1/frq")]
    assert [one.request_status.request_status for one in requests] == [RequestState.REQUESTED]


async def test_a_crash_in_a_load_control_orders_nothing_twice(world):
    show(world, "/dr/1/edc", load_control(1, 30, 600, 25))
    await world.run(100)
    await world.crash()
    await world.run(100)
    assert charger_orders(world) == [("limit_absorb", RATING // 4)]
    answers = [int(one.status) for path, one in world.server.posted if path == "/rsp"]
    assert answers == [1, 2]
