"""What servers in the field send although they should not: it is told, nothing that was good is lost, nothing stops."""

import msgspec
import pytest
from client_2030_5_world import AUTHORITY, LFDI, T0, World, config, control, default, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Silence
from wattseal.protocols.ieee2030_5.client.happenings import MessageRefused, ScheduleChanged, UtilitySilent
from wattseal.protocols.ieee2030_5.client.hrefs import resolve
from wattseal.protocols.ieee2030_5.client.reading import RAW_MOST
from wattseal.protocols.ieee2030_5.client.redirects import HOPS_MOST
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.der_control import (
    CurveData,
    DERControlBase,
    DERControlList,
    DERCurve,
    DERCurveLink,
    DERCurveList,
)
from wattseal.protocols.ieee2030_5.modes import value_of
from wattseal.protocols.ieee2030_5.profiles import CSIP_2023, CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.vocabulary import CurveType, UnitReference

DERC = "/derp/1/derc"


def raw(*controls, profile=CSIPAUS_1_3, **more) -> bytes:
    fields = {"href": DERC, "all": len(controls), "results": len(controls), "items": controls} | more
    return encode(DERControlList(**fields), profile)


def reasons(world: World) -> list[str]:
    return [one.reason for one in world.of(MessageRefused)]


BROKEN = {
    "malformed": (b"<DERControlList xmlns=", "malformed_xml"),
    "nothing": (b"", "malformed_xml"),
    "html": (b"<html><body>login</body></html>", "unknown_resource"),
    "dtd": (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "dtd_forbidden"),
    "another resource": (encode(default(), CSIPAUS_1_3), "unexpected_resource"),
    "too big": (b"<a>" + b" " * 5_000_000 + b"</a>", "oversized"),
    "utf-16": ("<a/>".encode("utf-16"), "encoding"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_cannot_be_read_is_told_with_its_bytes_and_loses_nothing(name):
    body, reason = BROKEN[name]
    world = plain(World(), [control(1, 200, 100, 1500)]).begin().run(30)
    world.server.faults[DERC] = Answer(200, body)
    world.run(60)
    assert reasons(world) == [reason]
    refused = world.of(MessageRefused)[0]
    assert refused.href == DERC
    assert refused.raw == body[:RAW_MOST]
    assert world.watts_at(250) == 1500
    world.server.faults.clear()
    world.run(300)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=200), path=st.sampled_from(["/dcap", "/tm", "/edev", "/edev/1/fsa", "/derp", DERC]))
def test_no_bytes_at_any_address_stop_the_client_or_lose_the_schedule(body, path):
    world = plain(World(), [control(1, 200, 100, 1500)]).begin().run(30)
    world.server.faults[path] = Answer(200, body)
    world.run(65)
    assert world.watts_at(250) == 1500
    world.server.faults.clear()
    world.run(300)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]


def test_an_oversized_answer_is_told_although_its_bytes_never_came():
    world = plain(World()).begin().run(30)
    world.server.faults[DERC] = Silence("response_oversized")
    world.run(60)
    assert reasons(world) == ["response_oversized"]
    assert world.of(UtilitySilent) == []


def test_a_refusal_is_not_asked_again_before_its_interval():
    """4xx: never repeated unchanged until the interval renews the question."""
    for answer in (Answer(400), Answer(403), Answer(404), Answer(200, b"<x")):
        world = plain(World())
        world.server.faults[DERC] = answer
        world.begin().run(200)
        assert world.server.gets(DERC) == [0, 60, 120, 180]


def test_429_is_honoured_per_resource():
    """P-05, P-06 of a public harness: with Retry-After nothing before it, and the others go on."""
    world = plain(World()).begin().run(30)
    world.server.faults[DERC] = Answer(429, retry_after_seconds=150)
    world.run(40)
    world.server.faults.clear()
    world.run(300)
    asked = world.server.gets(DERC)
    assert asked[:2] == [0, 60]
    assert asked[2] == 210
    assert world.server.gets("/derp") == [0, 60, 120, 180, 240, 300, 360]


def test_a_broken_control_is_no_vanished_one_and_draws_253_once():
    """One bad item must not cost the others; where it can be named it is answered for."""
    good, bad = control(1, 200, 100, 1500), control(2, 200, 100)
    world = plain(World(config(profile=CSIPAUS_1_3)), [good]).begin().run(30)
    body = raw(good, bad).replace(b"<creationTime>1799999002<", b"<creationTime>soon<")
    world.server.faults[DERC] = Answer(200, body)
    world.run(400)
    assert reasons(world) == ["item_left_out"]
    assert [(event, code) for event, code, _ in world.responses] == [(1, 1), (2, 253), (1, 2), (1, 3)]


def test_a_known_control_that_breaks_stands_as_it_was_known():
    """2023, where a vanished event is a cancelled one: what cannot be read has not vanished."""
    base = DERControlBase(op_mod_energize=False)
    good = control(1, 40, 300, der_control_base=base)
    world = plain(World(config(profile=CSIP_2023)))
    world.server.resources["/derp/1/dderc"] = default(der_control_base=base)
    world.server.resources[DERC] = raw(good, profile=CSIP_2023)
    world.begin().run(50)
    body = raw(good, profile=CSIP_2023)
    world.server.resources[DERC] = body.replace(b"<creationTime>1799999001<", b"<creationTime>soon<")
    world.run(100)
    assert [code for _, code, _ in world.responses] == [1, 2]
    nameless = body.replace(b"<mRID>00000000000000000000000000000001<", b"<mRID>0<")
    assert nameless != body
    world.server.resources[DERC] = nameless
    world.run(300)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]


def test_after_a_restart_a_broken_item_cancels_nothing_either():
    base = DERControlBase(op_mod_energize=False)
    good = control(1, 40, 300, der_control_base=base)
    world = plain(World(config(profile=CSIP_2023)))
    world.server.resources["/derp/1/dderc"] = default(der_control_base=base)
    world.server.resources[DERC] = raw(good, profile=CSIP_2023)
    world.begin().run(50)
    broken = raw(good, profile=CSIP_2023).replace(b"<creationTime>1799999001<", b"<creationTime>soon<")
    world.server.resources[DERC] = broken
    other = world.restarted().run(400)
    assert [code for _, code, _ in other.responses] == [3]


def test_duplicates_count_once_and_are_told():
    world = plain(World())
    world.server.resources[DERC] = raw(control(1, 10, 20), control(1, 10, 20))
    world.begin().run(100)
    assert reasons(world) == ["listed_twice"]
    assert [code for _, code, _ in world.responses] == [1, 2, 3]


def test_order_unknown_elements_and_the_case_of_hexadecimals_do_not_matter():
    """Element order, extensions, hexBinary of any case: lenient reading."""
    body = raw(control(0xABCDEF, 10, 20)).replace(b"ABCDEF<", b"abcdef<")
    body = body.replace(b"<DERControlBase>", b"<x:new xmlns:x='urn:x'>1</x:new><DERControlBase>")
    moved = body[body.index(b"<interval>") : body.index(b"</interval>") + 11]
    body = body.replace(moved, b"").replace(b"</DERControl>", moved + b"</DERControl>")
    world = plain(World())
    world.server.resources[DERC] = body
    own = world.server.resources["/edev"].items[0]
    listed = world.server._body(world.server.resources["/edev"], {"l": ["255"]})
    world.server.resources["/edev"] = listed.replace(own.lfdi.encode(), own.lfdi.lower().encode())
    world.begin().run(100)
    assert world.responses == [(0xABCDEF, code, LFDI) for code in (1, 2, 3)]
    assert all(one.subject == f"{0xABCDEF:032X}" for _, one in world.server.posted)


def test_start_zero_is_now():
    """CSIP "immediate"."""
    one = control(1, 0, 0)
    world = plain(
        World(), [msgspec.structs.replace(one, interval=msgspec.structs.replace(one.interval, start=0, duration=50))]
    )
    world.begin().run(100)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]


# ---- curves ----------------------------------------------------------------------------------------------------


def curved(world: World, link: str = "/derp/1/dc/1") -> World:
    base = DERControlBase(op_mod_volt_var=DERCurveLink(href=link))
    plain(world, [control(1, 100, 200, der_control_base=base)])
    program = world.server.resources["/derp"].items[0]
    program = msgspec.structs.replace(program, der_curve_list_link=ListLink(href="/derp/1/dc"))
    world.server.resources["/derp"] = msgspec.structs.replace(world.server.resources["/derp"], items=(program,))
    curve = DERCurve(
        href="/derp/1/dc/1", mrid="C1", creation_time=T0, curve_data=(CurveData(xvalue=9_200, yvalue=4_400),),
        curve_type=CurveType(11), x_multiplier=-2, y_multiplier=-2, y_ref_type=UnitReference(3),
    )  # fmt: skip
    world.server.resources["/derp/1/dc"] = DERCurveList(href="/derp/1/dc", items=(curve,))
    return world


@pytest.mark.parametrize("link", ["/derp/1/dc/1", "dc/1", f"https://{AUTHORITY}/derp/1/dc/1", "../1/dc/1"])
def test_a_curve_travels_with_its_mode_however_it_is_addressed(link):
    world = curved(World(), link).begin().run(150)
    found = [one for one in world.of(ScheduleChanged)[-1].segments if one.force.mode == "opModVoltVar"]
    assert len(found) == 1
    curve, disabled = value_of("opModVoltVar", found[0].force.value)
    assert (curve.curve_data[0].xvalue, disabled) == (9_200, False)


def test_while_the_curves_cannot_be_read_nothing_is_said_of_their_events():
    world = curved(World())
    world.server.faults["/derp/1/dc"] = Answer(500)
    world.begin().run(30)
    assert world.responses == []
    world.server.faults.clear()
    world.run(70)
    assert [code for _, code, _ in world.responses] == [1, 2]


def test_a_curve_that_does_not_exist_draws_252():
    world = curved(World(), "/derp/1/dc/7").begin().run(30)
    assert [code for _, code, _ in world.responses] == [252]


# ---- addresses and redirects ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "href", "place"),
    [
        ("/edev", "/edev/1", "/edev/1"),
        ("/edev/1", "fsa", "/edev/fsa"),
        ("/edev/1/", "fsa?x=1", "/edev/1/fsa?x=1"),
        ("/edev/1/fsa", "../der", "/edev/der"),
        ("/a", f"https://{AUTHORITY}/b?c=d#e", "/b?c=d"),
        ("/a", "https://utility.example/b", "/b"),
        ("/a", "HTTPS://UTILITY.EXAMPLE/b", "/b"),
        ("/a", "https://utility.example:8443/b", None),
        ("/a", "https://other.example/b", None),
        ("/a", "//other.example/b", None),
        ("/a", "http://utility.example/b", None),
        ("/a", "https://x@utility.example/b", None),
        ("/a", "file:///etc/passwd", None),
        ("/a", "javascript:1", None),
        ("/a", "", None),
        ("/a", "/b c", None),
        ("/a", "\\\\other\\b", None),
        ("/a", "https://[::1", None),
        ("/a", "/" + "x" * 5000, None),
    ],
)
def test_addresses_lead_to_our_server_or_nowhere(base, href, place):
    assert resolve(base, href, AUTHORITY) == place


def test_a_foreign_link_is_refused_and_told_and_the_default_is_kept():
    """A programme whose links lead away keeps what is known of it: silence never means unlimited."""
    world = plain(World(), [control(1, 200, 100, 1500)]).begin().run(30)
    listed = world.server.resources["/derp"]
    away = msgspec.structs.replace(
        listed.items[0],
        default_der_control_link=Link(href="https://evil.example/dderc"),
        der_control_list_link=ListLink(href="https://evil.example/derc"),
    )
    world.server.resources["/derp"] = msgspec.structs.replace(listed, items=(away,))
    world.run(300)
    assert set(reasons(world)) == {"href_foreign"}
    assert not [request for _, request in world.server.asked if "evil" in request.href]
    assert [world.watts_at(second) for second in (150, 250, 320)] == [0, 1500, 0]


def moved(status, location):
    return Answer(status, location=location)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_followed_and_permanent_ones_remembered(status):
    """ERR-001: also on the root."""
    world = plain(World())
    world.server.resources["/new"] = world.server.resources["/dcap"]
    world.server.faults["/dcap"] = moved(status, f"https://{AUTHORITY}/new")
    world.server.faults["/edev"] = moved(status, "/edev2?s=0&l=255")
    world.server.resources["/edev2"] = world.server.resources["/edev"]
    world.begin().run(130)
    assert world.watts_at(130) == 0
    assert world.server.gets("/new") == [0, 60, 120]
    assert world.server.gets("/edev2") == [0, 60, 120]
    assert len(world.server.gets("/dcap")) == (1 if status in {301, 308} else 3)


def test_a_remembered_place_that_fails_is_forgotten():
    world = plain(World())
    world.server.resources["/new"] = world.server.resources["/dcap"]
    world.server.faults["/dcap"] = moved(301, "/new")
    world.begin().run(30)
    other = world.restarted().run(1)
    assert other.server.gets("/dcap") == []
    del other.server.resources["/new"]
    other.server.faults.clear()
    other.run(61)
    assert other.server.gets("/dcap") == [pytest.approx(90, abs=1)]
    assert other.session.survey.dcap is not None


@pytest.mark.parametrize("case", ["loop", "self", "chain", "foreign", "nowhere", "no address"])
def test_redirects_that_lead_nowhere_fail_closed(case):
    world = plain(World(), [control(1, 200, 100, 1500)]).begin().run(30)
    steps = {
        "loop": {DERC: "/b", "/b": DERC},
        "self": {DERC: DERC},
        "chain": {DERC: "/0"} | {f"/{number}": f"/{number + 1}" for number in range(50)},
        "foreign": {DERC: "https://evil.example/derc"},
        "nowhere": {DERC: ""},
        "no address": {DERC: "https://[::1/derc"},
    }[case]
    world.server.faults.update({path: moved(302, place) for path, place in steps.items()})
    world.server.asked.clear()
    world.run(60)
    assert len(world.server.asked) <= len(world.server.resources) + HOPS_MOST + 1
    assert reasons(world) == [{"self": "redirect_loop", "no address": "redirect_foreign"}.get(case, f"redirect_{case}")]
    assert world.watts_at(250) == 1500


def test_a_response_follows_a_redirect_too():
    world = plain(World(), [control(1, 10, 20)])
    world.server.faults["/rsp"] = moved(307, "/rsp2")
    world.begin().run(100)
    assert [(path, int(one.status)) for path, one in world.server.posted] == [("/rsp2", code) for code in (1, 2, 3)]
