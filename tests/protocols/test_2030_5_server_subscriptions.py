"""Subscriptions and notifications (section 1.10): who is told what, when; retries, 400, endings."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from utility_bench import AGGREGATOR, ALICE, SITES, START, Bench, bench
from utility_town import log_event, subscription, town

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.protocols.ieee2030_5.codec import decode_as
from wattseal.protocols.ieee2030_5.der_control import DERControlList
from wattseal.protocols.ieee2030_5.server import staff
from wattseal.protocols.ieee2030_5.server.notifying import TRIES_MOST, delivered, due_notices
from wattseal.protocols.ieee2030_5.server.state import Clock, Device, World
from wattseal.protocols.ieee2030_5.server.subscription_staff import end_subscription
from wattseal.protocols.ieee2030_5.server.waking import wake_at
from wattseal.protocols.ieee2030_5.subscription import Condition, Notification
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus

URI = "https://aggregator.example/notify/1"


def subscribed(resource: str = "", **more: object) -> tuple[Bench, int]:
    """An aggregator with a site, a programme, and a subscription (to the programme's controls unless told)."""
    found = bench("csip-2018")
    found.register(SITES[0], AGGREGATOR)
    program = found.program(found.group(SITES[0]))
    wanted = subscription(found.hrefs.write(resource or f"derp/{program}/derc"), URI)
    assert found.send("POST", "edev/0/sub", msgspec.structs.replace(wanted, **more), AGGREGATOR).status == 201
    return found, program


def told(found: Bench) -> list[Notification]:
    """What is due, taken out as delivered; each must be valid by the schema."""
    notes = []
    while due := due_notices(found.world, found.now):
        for one in due:
            found.check(one.document)
            notes.append(decode_as(Notification, one.document, found.profile).resource)
            assert one.uri.startswith("https://aggregator.example/notify/")
            found.world = delivered(found.world, one, 201, found.now)
    return notes


def test_a_change_is_told_once_with_the_list_itself():
    found, program = subscribed()
    assert told(found) == []
    mrid = found.control(program)
    (note,) = told(found)
    assert (note.status, note.subscribed_resource) == (NotificationStatus.DEFAULT, f"/derp/{program}/derc")
    assert note.subscription_uri == f"/edev/0/sub/{found.world.subscribers[0].serial}"
    assert isinstance(note.resource, DERControlList)
    assert [one.mrid for one in note.resource.items] == [mrid]
    found.pass_time(1)
    assert told(found) == []


def test_the_clock_alone_is_a_change_when_an_event_starts_and_ends():
    """Status changes are news too: by push or poll alike."""
    found, program = subscribed()
    found.control(program, start_in=100, duration=50)
    told(found)
    counts = []
    for _ in range(200):
        found.pass_time(1)
        counts += [int(one.resource.items[0].event_status.current_status) for one in told(found)]
    assert counts == [1, 5]


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_as_much_of_a_list_is_told_as_was_asked_for(limit):
    """1.10: a list with results=0 means: changed, go and GET. A change past the limit is a change."""
    found, program = subscribed(limit=limit)
    for number in range(3):
        found.control(program, start_in=number)
        (note,) = told(found)
        assert (note.resource.all, note.resource.results) == (number + 1, min(limit, number + 1))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20), st.booleans()), max_size=4),
    st.integers(-50, 50),
    st.integers(0, 10),
)
def test_nothing_is_due_before_the_server_wakes(drawn, offset, keep):
    """Oracle: time is walked through second by second; all that is ever told is told at a time that was foreseen."""
    found = bench(keep_finished_seconds=keep, subscription_seconds=90)
    found.validated = False
    found.world = msgspec.structs.replace(found.world, clock=Clock(offset=offset))
    found.register(SITES[0], AGGREGATOR)
    program = found.program(found.group(SITES[0]))
    found.send("POST", "edev/0/sub", subscription(f"/derp/{program}/derc", URI), AGGREGATOR)
    for start, duration, export in drawn:
        found.control(program, "op_mod_max_lim_w" if export else "op_mod_fixed_w", start_in=start, duration=duration)
    told(found)
    wake = wake_at(found.world, found.config, found.now)
    for _ in range(120):
        before = found.world
        found.pass_time(1)
        if found.world is not before:
            assert found.now == wake
            told(found)
        if wake is not None and found.now >= wake:
            wake = wake_at(found.world, found.config, found.now)
    assert found.world.subscribers == ()
    assert wake_at(found.world, found.config, found.now) is None


def test_what_a_device_posts_does_not_stir_its_enddevice():
    """A log event or a subscription more is no news of the EndDeviceList."""
    found, _ = subscribed("edev")
    found.send("POST", f"edev/{found.serial_of(SITES[0])}/lel", log_event(), AGGREGATOR)
    found.send("POST", "edev/0/sub", subscription("/edev", URI + "2"), AGGREGATOR)
    assert told(found) == []
    found.register(SITES[1], AGGREGATOR)
    assert {one.resource.all for one in told(found)} == {3}


@pytest.mark.parametrize(
    "wanted",
    [
        subscription("/tm"),
        subscription("/nowhere"),
        subscription("http://["),
        subscription("https://[::1/edev"),
        subscription("/edev", "http://aggregator.example/x"),
        subscription("/edev", "ftp://aggregator.example/x"),
        subscription("/edev", "/relative"),
        subscription("/edev", "https://"),
        subscription("/edev", "https://host:port/x"),
        subscription("/edev", condition=Condition(attribute_identifier=0, lower_threshold=0, upper_threshold=1)),
        msgspec.structs.replace(subscription("/edev"), encoding=1),
    ],
)
def test_what_cannot_be_subscribed_to_is_refused(wanted):
    """Not subscribable, not there, not absolute https, conditions, EXI: 400."""
    found, _ = subscribed()
    assert found.send("POST", "edev/0/sub", wanted, AGGREGATOR).status == 400
    assert len(found.world.subscribers) == 1


def test_plain_http_is_for_labs_and_loopback():
    for plain, host, status in (
        (False, "127.0.0.1", 400),
        (True, "127.0.0.1:9", 201),
        (True, "[::1]", 201),
        (True, "far.example", 400),
    ):
        found = bench(plain_notifications=plain)
        assert found.send("POST", "edev/0/sub", subscription("/edev", f"http://{host}/x"), AGGREGATOR).status == status


def test_only_hosts_that_are_allowed_are_told():
    found = bench(notification_hosts=frozenset({"good.example"}))
    for host, status in (("good.example", 201), ("bad.example", 400), ("good.example.bad", 400)):
        assert found.send("POST", "edev/0/sub", subscription("/edev", f"https://{host}/x"), AGGREGATOR).status == status


def test_a_subscription_is_renewed_and_runs_out():
    """The same again is the same one; without renewal it ends after 36 h."""
    found, program = subscribed()
    first = found.world.subscribers[0].serial
    found.pass_time(35 * 3600)
    again = found.send("POST", "edev/0/sub", subscription(f"/derp/{program}/derc", URI), AGGREGATOR)
    assert found.location(again) == f"edev/0/sub/{first}"
    found.pass_time(35 * 3600)
    assert found.get("edev/0/sub", AGGREGATOR).all == 1
    found.pass_time(2 * 3600)
    assert found.get("edev/0/sub", AGGREGATOR).all == 0


def test_a_400_ends_the_subscription_and_its_notices():
    """ERR-002: the other side does not know it."""
    found, program = subscribed()
    found.control(program)
    found.control(program, start_in=9)
    notice = due_notices(found.world, found.now)[0]
    found.world = delivered(found.world, notice, 400, found.now)
    assert found.world.subscribers == found.world.outbox == ()


@pytest.mark.parametrize("status", [None, 500, 503, 302, 404])
def test_what_is_not_delivered_is_tried_again_in_order_and_then_given_up(status):
    found, program = subscribed()
    found.control(program)
    found.control(program, start_in=9)
    first, tries = due_notices(found.world, found.now)[0].serial, []
    for _ in range(400):
        for notice in due_notices(found.world, found.now):
            if notice.serial == first:
                tries.append(found.now - START)
                found.world = delivered(found.world, notice, status, found.now)
        found.now += 1
    assert tries == [0, 2, 6, 14, 30, 62]
    assert len(tries) == TRIES_MOST
    assert [one.serial for one in due_notices(found.world, found.now)] == [found.world.outbox[0].serial]
    assert len(found.world.subscribers) == 1


def test_what_is_gone_is_told_as_deleted():
    """Status 4 for a resource that is no longer there for the subscriber."""
    found, program = subscribed()
    site = staff.named(found.world, Device, SITES[0])
    found.world = staff.move_device(found.world, site, None)
    found.pass_time(0)
    (note,) = told(found)
    assert (note.status, note.resource) == (NotificationStatus.CANCELLED_DELETED, None)
    assert found.world.subscribers == ()
    assert found.status("GET", f"derp/{program}", AGGREGATOR) == 404


def test_the_staff_ends_a_subscription_with_a_word():
    """1.10: status 1 to 4."""
    found, _ = subscribed()
    serial = found.world.subscribers[0].serial
    for wrong in (serial + 99, serial):
        with pytest.raises(MisuseError):
            end_subscription(
                found.world, found.config, found.hrefs, found.now, wrong, NotificationStatus(int(wrong != serial))
            )
    found.world = end_subscription(
        found.world, found.config, found.hrefs, found.now, serial, NotificationStatus.CANCELLED_MOVED
    )
    assert [one.status for one in told(found)] == [NotificationStatus.CANCELLED_MOVED]
    assert found.world.subscribers == ()


def test_a_subscription_is_dropped_by_its_owner_and_by_nobody_else():
    found, _ = subscribed()
    path = f"edev/0/sub/{found.world.subscribers[0].serial}"
    assert found.status("DELETE", path, ALICE) == 404
    assert found.get(path, AGGREGATOR).notification_uri == URI
    assert found.status("DELETE", path, AGGREGATOR) == 204
    assert found.world.subscribers == ()


def test_notices_outlive_a_restart():
    found, program = subscribed()
    found.control(program)
    again = found.restarted()
    assert due_notices(again.world, again.now) == due_notices(found.world, found.now) != ()


@pytest.mark.parametrize("data", [b"", b"{}", b'{"layout": 0, "epoch": "a"}', b"\xff", b"[" * 100_000, b'{"layout":1}'])
def test_a_state_that_was_not_written_here_is_refused(data):
    with pytest.raises(WorldError) as caught:
        World.from_bytes(data)
    assert caught.value.reason == "server_state_unreadable"


@pytest.mark.parametrize("profile", ["csip-2023", "csipaus-1.2", "csipaus-1.3"])
def test_notifications_of_every_kind_are_valid(profile):
    """Each resource that may be subscribed to is carried by a notification that the schema accepts."""
    found = town(profile)
    paths = [path for path, reply in found.everything() if reply.body and b' subscribable="1"' in reply.body[:400]]
    base = f"edev/{found.serial_of(ALICE)}/sub"
    taken = [one for one in paths if found.send("POST", base, subscription(found.hrefs.write(one))).status == 201]
    assert {one.rpartition("/")[2] for one in taken} >= {"derc", "fsa", "edev", "dderc", "derp"}
    fresh = tuple(msgspec.structs.replace(one, told="") for one in found.world.subscribers)
    found.world = msgspec.structs.replace(found.world, subscribers=fresh, outbox=())
    found.pass_time(1)
    carried = {type(one.resource).__name__ for one in told(found) if one.resource is not None}
    assert {"DERControlList", "DefaultDERControl", "EndDeviceList", "FunctionSetAssignmentsList"} <= carried
