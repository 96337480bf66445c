"""Who may see what: the whole table of routes, asked by everybody. Identity is the LFDI of the certificate alone."""

import pytest
from utility_bench import AGGREGATOR, ALICE, BOB, SITES, Bench, bench
from utility_town import mirror, subscription, town

from wattseal.protocols.ieee2030_5.profiles import PROFILES
from wattseal.protocols.ieee2030_5.response import DERControlResponse
from wattseal.protocols.ieee2030_5.server.rows import pattern_of
from wattseal.protocols.ieee2030_5.server.server import METHODS, ROUTES
from wattseal.protocols.ieee2030_5.vocabulary import ResponseStatus

STRANGER = "EE" * 20
COMMON = {"dcap", "tm", "sdev", "edev", "derp", "drp", "msg", "tp", "rsps", "rsps/#", "rsps/#/rsp", "mup", "upt"}
"""Addresses that are the same for everybody; what stands there is each one's own."""
SECRETS = {
    ALICE: (ALICE, f"{10:032X}"),
    BOB: (BOB, f"{11:032X}"),
    AGGREGATOR: (AGGREGATOR, *SITES, f"{12:032X}", f"{13:032X}"),
    STRANGER: (STRANGER,),
}
"""By whom they may be met: LFDIs, and mRIDs of mirrors."""


@pytest.fixture(scope="module")
def full_town() -> Bench:
    return town("csipaus-1.3", validated=False)


def own_paths(found: Bench, lfdi: str) -> set[str]:
    return {path for path, reply in found.everything(lfdi) if reply.status == 200}


@pytest.mark.parametrize("owner", [ALICE, BOB, AGGREGATOR])
@pytest.mark.parametrize("other", [ALICE, BOB, AGGREGATOR, STRANGER])
def test_what_is_somebody_elses_does_not_exist(full_town, owner, other):
    """1.3, section 2: a device sees its own EndDevice only, an aggregator its own; never data of another."""
    if owner == other:
        return
    world = full_town.world
    paths = own_paths(full_town, owner)
    tried = {pattern_of(path)[0] for path in paths}
    assert tried >= set(ROUTES)
    for path in sorted(paths):
        if pattern_of(path)[0] in COMMON:
            continue
        for method in METHODS:
            reply = full_town.ask(
                method, f"{full_town.hrefs.write(path)}?l=255", b"<a/>" * (method in "PUTPOST"), other
            )
            assert (reply.status, reply.body) == (404, b""), (method, path)
    assert full_town.world is world


@pytest.mark.parametrize("caller", [ALICE, BOB, AGGREGATOR, STRANGER])
def test_nothing_that_anybody_can_read_names_another(full_town, caller):
    text = b"".join(reply.body for _, reply in full_town.everything(caller)).decode()
    for owner, secrets in SECRETS.items():
        for secret in secrets:
            assert (secret in text) is (owner == caller and caller != STRANGER), (secret, owner)


@pytest.mark.parametrize("pattern", sorted(ROUTES))
def test_numbers_of_nothing_are_not_there(full_town, pattern):
    """Also 0, which is an aggregator's own only, and very large ones."""
    if "#" not in pattern:
        return
    for number in ("0", "999999999"):
        assert full_town.status("GET", pattern.replace("#", number)) == 404


def test_a_header_is_no_identity():
    """Section 2: nothing in a request but the certificate says who asks; the core takes no other word."""
    found = town("csip-2018")
    path = f"edev/{found.serial_of(ALICE)}"
    assert found.status("GET", path, BOB, host=ALICE, accept=f"application/sep+xml, {ALICE}") == 404


def test_nobody_writes_for_another():
    found = town("csip-2018")
    bobs = found.serial_of(BOB)
    assert found.send("POST", "mup", mirror(BOB, "C" * 32)).status == 403
    assert found.send("POST", "edev/0/sub", subscription(found.hrefs.write("edev"))).status == 404
    stolen = subscription(found.hrefs.write(f"edev/{bobs}/fsa"))
    assert found.send("POST", f"edev/{found.serial_of(ALICE)}/sub", stolen).status == 400
    subject = found.world.der_programs[1].controls[0].event.mrid
    answer = DERControlResponse(end_device_lfdi=BOB, subject=subject, status=ResponseStatus.RECEIVED)
    assert found.send("POST", "rsps/1/rsp", answer).status == 400
    assert len(found.world.responses) == 4


def test_a_device_that_is_not_served_is_shown_as_such_and_no_more():
    """1.3: `enabled` false means that it is not served any longer."""
    found = town("csip-2018")
    device = next(one for one in found.world.devices if one.lfdi == ALICE)
    from wattseal.protocols.ieee2030_5.server import staff

    found.world = staff.change(found.world, device, enabled=False)
    shown = found.get("edev").items[0]
    assert (shown.enabled, shown.function_set_assignments_list_link, shown.der_list_link) == (False, None, None)
    assert found.status("GET", f"edev/{device.serial}/fsa") == 404
    assert found.get("derp").all == 0
    assert found.send("POST", "mup", mirror(ALICE, "D" * 32)).status == 403


@pytest.mark.parametrize("profile", PROFILES)
def test_an_aggregators_own_enddevice_carries_subscriptions_only(profile):
    """1.3: the virtual own EndDevice at /edev/0 has SubscriptionListLink alone; it is not there for devices."""
    found = bench(profile)
    own = found.get("edev/0", AGGREGATOR)
    assert own.lfdi == AGGREGATOR
    assert own.subscription_list_link is not None
    assert own.function_set_assignments_list_link is own.der_list_link is own.registration_link is None
    assert found.get("edev", AGGREGATOR).items == (own,)
    assert found.status("GET", "edev/0") == 404
    found.register(SITES[0], AGGREGATOR)
    assert [one.lfdi for one in found.get("edev", AGGREGATOR).items] == [AGGREGATOR, SITES[0]]
