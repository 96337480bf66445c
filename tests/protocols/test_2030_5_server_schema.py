"""Everything that the server says is valid by the schemas of its profile, which are not ours."""

import pytest
from utility_bench import AGGREGATOR, ALICE
from utility_town import town

from wattseal.protocols.ieee2030_5.profiles import PROFILES
from wattseal.protocols.ieee2030_5.server.rows import pattern_of
from wattseal.protocols.ieee2030_5.server.server import ROUTES


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", ["", "scrambled"])
def test_all_that_links_lead_to_is_there_and_valid(profile, seed):
    """From /dcap alone every route is found; only what was never put is missing (404)."""
    found = town(profile, href_seed=seed)
    before = found.checked
    met = set()
    for path, reply in found.everything():
        assert reply.status == 200, path
        met.add(pattern_of(path)[0])
    assert found.checked > before
    unmet = set(ROUTES) - met
    allowed = set() if "csipaus" in profile else {"edev/#/cp"}
    allowed |= set() if profile == "csipaus-1.3" else {"tp/#/ctti"}
    assert unmet == allowed, unmet


@pytest.mark.parametrize("profile", PROFILES)
def test_an_aggregator_finds_its_sites_and_nobody_else(profile):
    found = town(profile)
    text = b"".join(reply.body for _, reply in found.everything(AGGREGATOR))
    assert ALICE.encode() not in text
    assert all(one in text.decode() for one in ("51" * 20, "52" * 20, AGGREGATOR))
