"""Every trick spoils an answer in the one way that it names, and nothing else."""

import msgspec
import pytest
from lxml import etree
from utility_bench import ALICE, bench
from utility_town import subscription, town

from wattseal.protocols.ieee2030_5.codec import XmlRefusedError, decode
from wattseal.protocols.ieee2030_5.server.mischief import NOTES, Mischief, Trick, spoiled, spoiled_body
from wattseal.protocols.ieee2030_5.server.server import Reply

TOWN = town("csip-2018", validated=False)
PROFILE = TOWN.profile
ADDRESS = "/derp?l=255"
FOUND = TOWN.ask("GET", ADDRESS)
PROGRAMS = FOUND.body


def count(name: str, document: bytes) -> str | None:
    return etree.fromstring(document).get(name)


def controls() -> bytes:
    link = TOWN.get("derp").items[0].der_control_list_link.href
    return TOWN.ask("GET", f"{link}?l=255").body


@pytest.mark.parametrize("kind", [Mischief.TRUNCATED, Mischief.MALFORMED, Mischief.NOTE_MALFORMED])
def test_what_is_no_xml_any_more(kind):
    with pytest.raises(XmlRefusedError) as caught:
        decode(spoiled_body(kind, PROGRAMS), PROFILE)
    assert caught.value.reason == "malformed_xml"


@pytest.mark.parametrize(("kind", "reason"), [(Mischief.DTD, "dtd_forbidden"), (Mischief.OVERSIZED, "oversized")])
def test_what_a_reader_must_refuse(kind, reason):
    with pytest.raises(XmlRefusedError) as caught:
        decode(spoiled_body(kind, PROGRAMS), PROFILE)
    assert caught.value.reason == reason


def test_lists_that_lie():
    """`all` and `results` may be wrong or missing (1.1); the items stay."""
    for kind, all_, results in (
        (Mischief.ALL_TOO_HIGH, "6", "1"),
        (Mischief.ALL_TOO_LOW, "0", "1"),
        (Mischief.NO_ALL, None, "1"),
        (Mischief.NO_RESULTS, "1", None),
        (Mischief.EMPTY_LIST, "1", "1"),
    ):
        body = spoiled_body(kind, PROGRAMS)
        assert (count("all", body), count("results", body)) == (all_, results), kind
        assert len(decode(body, PROFILE).resource.items) == (0 if kind is Mischief.EMPTY_LIST else 1)


def test_what_a_tolerant_reader_reads_all_the_same():
    """1.1: unknown elements, wrong order, lower-case hexadecimal, no pollRate: the same resource."""
    good = decode(controls(), PROFILE).resource
    for kind in (Mischief.UNKNOWN_ELEMENT, Mischief.LOWER_CASE_HEX, Mischief.WRONG_ORDER):
        body = spoiled_body(kind, controls())
        assert body != controls()
        read = decode(body, PROFILE)
        assert {one.mrid for one in read.resource.items} == {one.mrid for one in good.items}, kind
        assert bool(read.notes) is (kind is not Mischief.LOWER_CASE_HEX)
    assert b"pollRate" in PROGRAMS
    assert decode(spoiled_body(Mischief.NO_POLL_RATE, PROGRAMS), PROFILE).resource.poll_rate is None


def test_what_is_wrong_in_the_content():
    mrids = [one.mrid for one in decode(spoiled_body(Mischief.DUPLICATE_MRIDS, controls()), PROFILE).resource.items]
    assert len(mrids) == 2
    assert len(set(mrids)) == 1
    links = decode(spoiled_body(Mischief.FOREIGN_HREFS, PROGRAMS), PROFILE).resource.items[0]
    assert links.der_control_list_link.href.startswith("https://elsewhere.invalid:9/")
    registration = TOWN.ask("GET", f"/edev/{TOWN.serial_of(ALICE)}/rg").body
    assert decode(registration, PROFILE).resource.pin == 111115
    assert decode(spoiled_body(Mischief.WRONG_PIN, registration), PROFILE).resource.pin == 999995
    assert type(decode(spoiled_body(Mischief.WRONG_TYPE, PROGRAMS), PROFILE).resource).__name__ == "Registration"


@pytest.mark.parametrize(
    ("trick", "status", "headers"),
    [
        (Trick(kind=Mischief.REDIRECT), 301, {"Location": "/moved/derp?l=255"}),
        (Trick(kind=Mischief.REDIRECT, status=308, location="/x"), 308, {"Location": "/x"}),
        (Trick(kind=Mischief.REDIRECT_LOOP), 301, {"Location": "/derp?l=255"}),
        (Trick(kind=Mischief.TOO_MANY), 429, {}),
        (Trick(kind=Mischief.TOO_MANY, retry_after=7), 429, {"Retry-After": "7"}),
        (Trick(kind=Mischief.ERROR), 500, {}),
        (Trick(kind=Mischief.ERROR, status=503, retry_after=9), 503, {"Retry-After": "9"}),
    ],
)
def test_statuses_instead_of_an_answer(trick, status, headers):
    reply = spoiled(trick, ADDRESS, FOUND).reply
    assert reply is not None
    assert (reply.status, reply.body, dict(reply.headers)) == (status, b"", headers)


def test_silence_and_slowness():
    assert spoiled(Trick(kind=Mischief.SILENCE, seconds=3), ADDRESS, FOUND).hold_seconds == 3
    assert spoiled(Trick(kind=Mischief.SILENCE), ADDRESS, FOUND).reply is None
    slow = spoiled(Trick(kind=Mischief.SLOW_BODY, seconds=3), ADDRESS, FOUND)
    assert (slow.reply, slow.trickle_seconds) == (FOUND, 3)


def test_bad_notifications():
    found = bench()
    found.register(ALICE)
    base = f"edev/{found.serial_of(ALICE)}"
    found.send("POST", f"{base}/sub", subscription("/edev"))
    found.group(ALICE)
    stale = msgspec.structs.replace(found.world.subscribers[0], told="")
    found.world = msgspec.structs.replace(found.world, subscribers=(stale,))
    found.pass_time(1)
    good = found.world.outbox[0].document
    other = decode(spoiled_body(Mischief.NOTE_OF_ANOTHER, good), PROFILE).resource
    assert other.subscription_uri != decode(good, PROFILE).resource.subscription_uri
    assert other.resource == decode(good, PROFILE).resource.resource
    wrong = decode(spoiled_body(Mischief.NOTE_WRONG_TYPE, good), PROFILE).resource
    assert type(wrong.resource).__name__ == "Registration"


@pytest.mark.parametrize("kind", list(Mischief))
def test_every_trick_changes_something_and_none_breaks_on_an_empty_answer(kind):
    document = {
        Mischief.WRONG_PIN: TOWN.ask("GET", f"/edev/{TOWN.serial_of(ALICE)}/rg").body,
        Mischief.LOWER_CASE_HEX: controls(),
        Mischief.DUPLICATE_MRIDS: controls(),
    }.get(kind, PROGRAMS)
    if kind in NOTES or kind is Mischief.MOVING_HREFS:
        return  # of notifications, and of the shell: tested there
    good = Reply(200, document)
    out = spoiled(Trick(kind=kind, seconds=1), ADDRESS, good)
    assert out.reply != good or out.trickle_seconds
    empty = spoiled(Trick(kind=kind), ADDRESS, Reply(404))
    assert empty.reply is None or empty.reply.body == b""


def test_a_trick_hits_what_it_names():
    trick = Trick(kind=Mischief.ERROR, route="derp/*", lfdi=ALICE.lower())
    assert trick.hits("GET", "derp/#/derc", ALICE)
    assert not trick.hits("GET", "derp/#/derc", "B" * 40)
    assert not trick.hits("GET", "dcap", ALICE)
    assert not trick.hits("POST", "derp/#/derc", ALICE)
    assert Trick(kind=Mischief.ERROR, method="*").hits("POST", "mup", ALICE)
