"""The meter of the connection point is the site's own usage point in CSIP-AUS, and no device's."""

import pytest
from client_2030_5_world import LFDI
from ieee2030_5_schemas import schema_of
from lxml import etree
from msgspec.structs import replace
from server_line_world import SERVER_SITE, LineWorld
from test_core_connection_point import METER

from wattseal.bridge.core.readings_told import ReadingsTold
from wattseal.bridge.core.server_config import client_config
from wattseal.protocols.ieee2030_5.base import ListLink
from wattseal.protocols.ieee2030_5.metering import MirrorUsagePoint, MirrorUsagePointList
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_3

METERED = SERVER_SITE.replace(b"[[utility]]", METER, 1).replace(b"[site]", b'[site]\nmeter = "meter"', 1)
SITE_ROLE = 0x0003  # RoleFlagsType: bit 0 isMirror, bit 1 isPremisesAggregationPoint


@pytest.fixture
async def world(tmp_path):
    made = await LineWorld(tmp_path / "box", METERED).connect()
    resources = made.server.resources
    resources["/dcap"] = replace(resources["/dcap"], mirror_usage_point_list_link=ListLink(href="/mup", all=0))
    resources["/mup"] = MirrorUsagePointList(href="/mup")
    yield made
    made.bench.close()


async def test_the_site_is_told_with_export_negative(world):
    """CSIP-AUS: role flags 0003 at the site; W is positive for import there, so 1200 W of export are -1200."""
    await world.run(1)
    for _ in range(70):
        world.bench.time.advance(10)
        await world.bench.reading("meter", soc=None, watts=1200)
        await world.bench.reading("battery", watts=-300)
        await world.hand_in()
        await world.run(0)
    points = {int(one.role_flags): one for _, one in world.server.posted if isinstance(one, MirrorUsagePoint)}
    site = points[SITE_ROLE]
    assert site.device_lfdi == LFDI.hex().upper()
    bodies = [
        etree.fromstring(one.body)
        for _, one in world.server.asked
        if one.href.startswith("/mup") and one.method == "POST"
    ]
    for body in bodies:
        schema_of(CSIPAUS_1_3.name).assertValid(body)
    told = {int(str(one.text)) for body in bodies for one in body.iter("{*}value")}
    assert -1200 in told, "the site exports"
    assert 1200 not in told


def test_other_profiles_are_told_of_devices_alone(tmp_path):
    """CSIP of 2018 asks for readings of each DER; the site's meter is none."""
    world = LineWorld(tmp_path / "box", METERED)
    site = world.bench.estate.site
    for profile, names in ((CSIP_2018, {"battery"}), (CSIPAUS_1_3, {"battery", "meter"})):
        config = client_config(site, site.utilities[0], lfdi="5A" * 20, seed="seed", profile=profile, dcap="/dcap")
        assert set(ReadingsTold(config, site)._names) == names
    world.bench.close()
