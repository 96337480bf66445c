"""The meter of the connection point is the site's own usage point in CSIP-AUS, and no device's."""

from functools import partial

import pytest
from client_2030_5_world import LFDI
from ieee2030_5_schemas import schema_of
from lxml import etree
from msgspec.structs import replace
from server_line_world import SERVER_SITE, LineWorld

from wattseal.bridge.core.readings_told import ReadingsTold
from wattseal.bridge.core.server_config import client_config
from wattseal.protocols.ieee2030_5.base import ListLink
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.metering import MirrorUsagePointList
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_3

METER = b"""
[[device]]
name = "meter"
profile = "sunspec_meter_import_positive"
link = "simulator"
address = "tcp://127.0.0.1:1504"
sampling_seconds = 2

[[utility]]"""
METERED = SERVER_SITE.replace(b"[[utility]]", METER, 1).replace(b"[site]", b'[site]\nmeter = "meter"', 1)
SITE_ROLE = 0x0003  # RoleFlagsType: bit 0 isMirror, bit 1 isPremisesAggregationPoint
DEVICE_ROLE = 0x0049  # bits 0 isMirror, 3 isDER, 6 isSubmeter


def taken(world: LineWorld, request: Request) -> Answer | None:
    """The server keeps each usage point that is posted at a place of its own."""
    if request.method is not Method.POST:
        return None
    place = f"/mup/{1 + sum(name.startswith('/mup/') for name in world.server.resources)}"
    point = decode(request.body, CSIPAUS_1_3).resource
    world.server.resources[place] = replace(point, href=place, post_rate=60, mirror_meter_readings=())
    return Answer(201, location=place)


@pytest.fixture
async def world(tmp_path):
    made = await LineWorld(tmp_path / "box", METERED).connect()
    resources = made.server.resources
    resources["/dcap"] = replace(resources["/dcap"], mirror_usage_point_list_link=ListLink(href="/mup", all=0))
    resources["/mup"] = MirrorUsagePointList(href="/mup")
    made.server.faults["/mup"] = partial(taken, made)
    yield made
    made.bench.close()


async def test_the_site_is_told_with_export_negative(world):
    """CSIP-AUS: role flags 0003 at the site; W is positive for import there, so 1200 W of export are -1200."""
    await world.run(1)
    for _ in range(40):
        world.bench.time.advance(10)
        await world.bench.reading("meter", soc=None, watts=1200)
        await world.bench.reading("battery", soc=None, watts=-300)
        await world.hand_in()
        await world.run(0)
    places = {int(one.role_flags): name for name, one in world.server.resources.items() if name.startswith("/mup/")}
    assert set(places) == {SITE_ROLE, DEVICE_ROLE}
    assert world.server.resources[places[SITE_ROLE]].device_lfdi == LFDI.hex().upper()
    told = {role: watts_told(world, place) for role, place in places.items()}
    assert told == {SITE_ROLE: {-1200}, DEVICE_ROLE: {-300}}


def watts_told(world: LineWorld, place: str) -> set[int]:
    """Values of the readings that were posted to a usage point; each body is valid by the schema."""
    bodies = [
        etree.fromstring(one.body) for _, one in world.server.asked if one.href == place and one.method is Method.POST
    ]
    for body in bodies:
        schema_of(CSIPAUS_1_3.name).assertValid(body)
    return {int(str(one.text)) for body in bodies for one in body.iter("{*}value")}


def test_other_profiles_are_told_of_devices_alone(tmp_path):
    """CSIP of 2018 asks for readings of each DER; the site's meter is none."""
    world = LineWorld(tmp_path / "box", METERED)
    site = world.bench.estate.site
    for profile, names in ((CSIP_2018, {"battery"}), (CSIPAUS_1_3, {"battery", "meter"})):
        config = client_config(site, site.utilities[0], lfdi="5A" * 20, seed="seed", profile=profile, dcap="/dcap")
        assert set(ReadingsTold(config, site)._names) == names
    world.bench.close()
