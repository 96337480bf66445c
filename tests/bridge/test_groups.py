"""groupID targets (OpenADR 2.0b, eiTarget): a site names its groups, and an event for one is a wish for each member."""

import pytest

from wattseal.bridge.making import sections_of
from wattseal.bridge.site.mistakes import SiteFileError
from wattseal.bridge.site.reader import read_site
from wattseal.bridge.site.template import template


def site_with(groups: str) -> bytes:
    return template("home", lab=True) + f"\n[utility.groups]\n{groups}\n".encode()


def test_a_group_names_devices_and_enrols_them() -> None:
    site = read_site(site_with('feeder-7 = ["battery", "charger"]'))
    assert site.utilities[0].groups == {"feeder-7": ("battery", "charger")}
    assert sections_of(site).enrolments[0].devices == ("battery", "charger")


@pytest.mark.parametrize(
    "groups", ['feeder-7 = ["pool-pump"]', 'feeder-7 = "battery"', "feeder-7 = []", "feeder-7 = [1]"]
)
def test_a_group_of_strangers_is_a_mistake_with_its_key(groups: str) -> None:
    with pytest.raises(SiteFileError) as raised:
        read_site(site_with(groups))
    assert [mistake.key for mistake in raised.value.mistakes] == ["utility[0].groups.feeder-7"]
    assert "battery" in raised.value.mistakes[0].mend
