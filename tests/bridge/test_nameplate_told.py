"""DeviceInformation: model and serial from the pinned identity, the rest from the site file; never half of it."""

import pytest
from client_2030_5_world import LFDI, SFDI, T0
from ieee2030_5_schemas import schema_of
from lxml import etree
from server_line_world import SERVER_SITE, LineWorld

from wattseal.bridge.core.server_config import nameplates
from wattseal.bridge.site.mistakes import SiteFileError
from wattseal.bridge.site.reader import read_site
from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.core_resources import EndDevice, EndDeviceList
from wattseal.protocols.ieee2030_5.device_information import DeviceInformation
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3

MAKE = b"""[utility.end_device.make]
pen = 40732
made = "2025-01-02"
hardware_version = "B"
software_version = "1.2.3"
software_since = "2026-01-01"
"""
PINNED = SERVER_SITE.replace(b'name = "battery"\n', b'name = "battery"\nidentity = "Maker|Model 10|SN-1"\n', 1)


async def test_device_information_is_told_once_where_all_of_it_is_known(tmp_path):
    """XSD DeviceInformation: mfModel, mfSerNum, mfID, mfDate, mfHwVer, swVer and swActTime are required."""
    world = await LineWorld(tmp_path / "box", PINNED + MAKE).connect()
    device = EndDevice(href="/edev/1", lfdi=LFDI.hex().upper(), sfdi=SFDI, changed_time=T0,
                       function_set_assignments_list_link=ListLink(href="/edev/1/fsa", all=1),
                       device_information_link=Link(href="/edev/1/di"))  # fmt: skip
    world.server.resources["/edev"] = EndDeviceList(href="/edev", items=(device,), poll_rate=60)
    await world.run(130)
    (told,) = [one for _, one in world.server.posted if isinstance(one, DeviceInformation)]
    assert (told.mf_model, told.mf_ser_num, told.mf_id) == ("Model 10", "SN-1", 40732)
    assert (told.mf_date, told.sw_act_time) == (1_735_776_000, 1_767_225_600)
    (body,) = [one.body for _, one in world.server.asked if one.href == "/edev/1/di" and one.body]
    schema_of(CSIPAUS_1_3.name).assertValid(etree.fromstring(body))
    world.bench.close()


@pytest.mark.parametrize("text", [PINNED, SERVER_SITE + MAKE])
def test_half_a_nameplate_is_none(text):
    site = read_site(text)
    assert nameplates(site, site.utilities[0]) == {}


@pytest.mark.parametrize("wrong", [b'made = "2025-13-02"', b'made = "yesterday"'])
def test_a_day_that_is_none_is_a_mistake(wrong):
    with pytest.raises(SiteFileError):
        read_site(PINNED + MAKE.replace(b'made = "2025-01-02"', wrong))
