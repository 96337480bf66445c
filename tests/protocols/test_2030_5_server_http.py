"""Verbs, statuses, headers and lists (section 1.1 of the facts)."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from utility_bench import ALICE, START, bench
from utility_town import log_event, town

from wattseal.protocols.ieee2030_5.base import Error
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.core_resources import EndDevice, Registration
from wattseal.protocols.ieee2030_5.server.server import METHODS, ROUTES
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason

TOWN = town("csip-2018", validated=False)


def paths() -> dict[str, str]:
    """One address of each route that Alice has, by pattern."""
    from wattseal.protocols.ieee2030_5.server.rows import pattern_of

    return {pattern_of(path)[0]: path for path, reply in TOWN.everything() if reply.status == 200}


@pytest.mark.parametrize("pattern", sorted(set(ROUTES) - {"edev/#/cp", "tp/#/ctti"}))
def test_a_verb_that_is_not_there_is_405_with_allow(pattern):
    """405 must carry Allow; HEAD wherever GET is."""
    path = PATHS[pattern]
    allowed = set(ROUTES[pattern].verbs)
    for method in METHODS - allowed:
        reply = TOWN.ask(method, TOWN.hrefs.write(path))
        assert reply.status == 405
        assert set(dict(reply.headers)["Allow"].split(", ")) == allowed
    assert TOWN.status("HEAD", path) == TOWN.status("GET", path) == 200


PATHS = paths()


def test_other_refusals_of_http():
    """501 for an unknown method, 400 without Host, 404 for no address, 406 for EXI alone, 415, 413."""
    found = bench(body_bytes=2000)
    assert found.status("PATCH", "dcap") == found.status("BREW", "dcap") == 501
    assert found.status("GET", "dcap", host=None) == 400
    for address in ("/", "", "/dcap/", "//dcap", "/DCAP", "/edev/x", "/edev/-1", "/a" * 300, "/edev/1\n", "/r/zz"):
        assert found.ask("GET", address).status == 404, address
    assert found.status("GET", "dcap", accept="application/sep-exi") == 406
    assert found.status("GET", "dcap", accept="application/sep-exi, application/sep+xml; level=-S1") == 200
    for media_type in ("application/json", "application/sep-exi", "text/plain"):
        assert found.status("POST", "edev", body=b"<a/>", media_type=media_type) == 415
    assert found.status("POST", "edev", body=b"<!--" + b"x" * 2000 + b"-->") == 413


@pytest.mark.parametrize("accept", ["", "*/*", "application/sep+xml", "application/sep+xml; csipaus=1.2"])
def test_csipaus_1_3_wants_its_accept_parameter(accept):
    """1.1: v1.3 requires the parameter; anything else, even any type, gets 406. v1.2 does not check."""
    assert bench("csipaus-1.3").status("GET", "dcap", accept=accept) == 406
    assert bench("csipaus-1.2").status("GET", "dcap", accept=accept) == 200
    for good in (
        "application/sep+xml; csipaus=1.3",
        "application/sep+xml;csipaus=1.3",
        "text/html, application/sep+xml ; csipaus=1.3",
    ):
        assert bench("csipaus-1.3").status("GET", "dcap", accept=good) == 200


def test_csipaus_1_3_says_which_versions_it_speaks():
    """Section 2: /.well-known/csipaus, needed before the Accept parameter is known."""
    reply = bench("csipaus-1.3").ask("GET", "/.well-known/csipaus", accept="")
    assert (reply.status, reply.media_type) == (200, "application/json")
    assert json.loads(reply.body) == {"supportedSchemaVersions": {"https://csipaus.org/ns/v1.3": {"dcap": ["/dcap"]}}}
    assert bench("csipaus-1.3").ask("PUT", "/.well-known/csipaus").status == 405
    assert bench("csipaus-1.2").ask("GET", "/.well-known/csipaus").status == 404


GOOD = EndDevice(lfdi=ALICE, sfdi=0, changed_time=START)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage\x00",
        b"<a>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b'<EndDevice xmlns="urn:ieee:std:2030.5:ns"><lFDI>0x12</lFDI></EndDevice>',
        b'<Unheard xmlns="urn:ieee:std:2030.5:ns"/>',
        encode(Registration(pin=111115, date_time_registered=0), bench().profile),
    ],
)
def test_a_body_that_is_none_is_answered_with_an_error(body):
    """Malformed, with a DTD, breaking its type, unknown, of another kind: 400 with an Error, nothing changed."""
    found = bench()
    reply = found.ask("POST", "/edev", body)
    assert reply.status == 400
    assert decode(reply.body, found.profile).resource == Error(reason_code=ErrorReason.INVALID_FORMAT)
    assert found.world.devices == ()


def test_only_a_strict_server_refuses_what_can_be_read():
    """1.1: lenient in reading; the wrong order is a validating peer's matter."""
    posted = encode(log_event(), bench().profile)
    swapped = posted.replace(b"<functionSet>11</functionSet>", b"").replace(
        b"</LogEvent>", b"<functionSet>11</functionSet></LogEvent>"
    )
    assert swapped != posted
    for strict, status in ((False, 201), (True, 400)):
        found = bench(strict_bodies=strict)
        found.register(ALICE)
        assert found.ask("POST", f"/edev/{found.serial_of(ALICE)}/lel", swapped).status == status


@pytest.mark.parametrize("query", ["l=x", "s=-1", "a=1.5", "l=", "l=99999999999999999999", "s=%zz"])
def test_a_query_that_is_no_number_is_refused(query):
    assert TOWN.ask("GET", f"/edev?{query}").status == 400


def test_a_list_has_one_item_unless_more_is_asked_for():
    """1.1: the default of `l` is 1."""
    found = bench()
    found.register(ALICE)
    base = f"edev/{found.serial_of(ALICE)}/lel"
    for number in range(3):
        found.send("POST", base, log_event(number))
    listed = found.get(base, query="")
    assert (listed.all, listed.results, len(listed.items)) == (3, 1, 1)
    assert found.get(base, query="l=0").items == ()
    assert found.get(base, query="s=7&l=9").results == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 40), st.integers(1, 20), st.integers(1, 300), st.integers(-5, 45) | st.none())
def test_pages_put_together_are_the_list(count, limit, most, after):
    """1.1: page until s + results >= all; whatever the limits, everything comes once and in order, `a` cuts by time."""
    found = bench(page_most=most)
    found.validated = False
    found.register(ALICE)
    program = found.program(found.group(ALICE))
    for number in range(count):
        found.control(program, start=START + number, duration=9_000)
    since = "" if after is None else f"&a={START + after}"
    expected = [START + number for number in range(count) if after is None or number > after]
    starts, start = [], 0
    while True:
        page = found.get(f"derp/{program}/derc", query=f"s={start}&l={limit}{since}")
        assert (page.all, page.results) == (len(expected), len(page.items))
        assert page.results <= min(limit, most)
        starts += [one.interval.start for one in page.items]
        start += page.results
        if start >= page.all:
            break
    assert starts == expected


def test_lists_are_in_the_order_of_their_type():
    """1.1: programmes by primacy then mRID; controls by start, then latest creation, then largest mRID; groups by mRID
    descending; EndDevices by SFDI.
    """
    found = bench()
    found.register(ALICE)
    group = found.group(ALICE, mrid="0A")
    found.group(ALICE, mrid="0C")
    found.group(ALICE, mrid="0B")
    for mrid, primacy in (("03", 9), ("02", 1), ("01", 9)):
        found.program(group, primacy=primacy, mrid=mrid)
    assert [(one.primacy, one.mrid) for one in found.get("derp").items] == [(1, "02"), (9, "01"), (9, "03")]
    assert [one.mrid for one in found.get(f"edev/{found.serial_of(ALICE)}/fsa").items] == ["0C", "0B", "0A"]
    program = found.world.der_programs[0].serial
    for mrid, start, created in (("01", 5, 0), ("02", 5, 1), ("03", 5, 1), ("04", 1, 0)):
        found.control(program, mrid=mrid, start=START + start, creation_time=START + created)
    assert [one.mrid for one in found.get(f"derp/{program}/derc").items] == ["04", "03", "02", "01"]


def test_poll_rates_are_told_and_follow_the_staff():
    """1.1: pollRate per kind, 900 by default, changed at run time."""
    found = town("csip-2018", poll_seconds=300)
    import msgspec

    assert found.get("dcap").poll_rate == found.get("edev").poll_rate == found.get("derp").poll_rate == 300
    found.world = msgspec.structs.replace(found.world, polls={"derp": 10, "post": 60})
    assert (found.get("dcap").poll_rate, found.get("derp").poll_rate) == (300, 10)
    assert found.get("mup").items[0].post_rate == 60


def test_addresses_move_but_dcap_does_not():
    """Other seeds give other addresses, and the old ones are gone (a client must not keep them)."""
    plain, scrambled, again = bench(), bench(href_seed="a"), bench(href_seed="b")
    for one in (plain, scrambled, again):
        assert one.ask("GET", "/dcap").status == 200
    links = [one.get("dcap").end_device_list_link.href for one in (plain, scrambled, again)]
    assert len(set(links)) == 3
    assert [scrambled.ask("GET", one).status for one in links] == [404, 200, 404]


@given(st.text(max_size=80))
def test_no_address_brings_the_server_down(address):
    for seed in ("", "x"):
        found = bench(href_seed=seed)
        assert found.ask("GET", address).status in {200, 404}
        assert found.ask("GET", f"/r/{address.encode().hex()}").status in {200, 404}
