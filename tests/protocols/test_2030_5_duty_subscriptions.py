"""The duty of subscribing: facts of the reference, 1.10; values only."""

from dataclasses import replace
from typing import Any

import pytest
from duties_world import (
    AGGREGATOR_LFDI,
    NOW,
    OTHER_LFDI,
    SEED,
    carry,
    config,
    created,
    device_read,
    document,
    fleet,
    survey,
    without,
)

from wattseal.protocols.ieee2030_5.base import ListLink
from wattseal.protocols.ieee2030_5.client.duties.subscriptions import (
    EXPIRED_SECONDS,
    FIRST_PAUSE_SECONDS,
    REFUSED_AGAIN_SECONDS,
    RENEWED_SECONDS,
    Subscriptions,
)
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.subscription import Notification
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus

OURS = "https://bridge.example:8443/notify/"
OWN = DeviceRead(AGGREGATOR_LFDI, "/edev/0", EndDevice(subscription_list_link=ListLink(href="/edev/0/sub")))
FLEET = survey(device_read(), device_read(OTHER_LFDI, 2), own=OWN)
WANTED = {
    "/edev",
    "/edev/1/fsa",
    "/edev/2/fsa",
    "/edev/1/fsa/1/derp",
    "/edev/2/fsa/1/derp",
    "/derp/1/derc",
    "/derp/1/dderc",
}


def aggregator() -> Subscriptions:
    return Subscriptions(fleet(notification_uri=OURS))


def path(errand: Errand) -> str:
    return str(document(errand).notification_uri).removeprefix("https://bridge.example:8443")


def ended(status: NotificationStatus, **more: Any) -> Notification:
    return Notification(subscribed_resource="/any", status=status, subscription_uri="/sub/1", **more)


def test_an_aggregator_subscribes_to_the_five_kinds_at_its_own_end_device() -> None:
    """CSIP G16: EndDeviceList, FSAList, DERProgramList, DERControlList, DefaultDERControl; each once."""
    duty = aggregator()
    errands, happenings = carry(duty, FLEET, NOW, created)
    assert {document(one).subscribed_resource for one in errands} == WANTED
    assert len(errands) == len(WANTED)
    assert {(one.request.method, one.request.href) for one in errands} == {("POST", "/edev/0/sub")}
    assert {one.kind for one in happenings} == {"subscription"}
    first = document(errands[0])
    assert (first.encoding, first.level) == (0, "+S1")


def test_a_device_subscribes_at_its_own_end_device_where_it_is_reached_and_not_otherwise() -> None:
    device = survey(device_read())
    assert {one.request.href for one in Subscriptions(config(notification_uri=OURS)).due(device, NOW)} == {
        "/edev/1/sub"
    }
    assert Subscriptions(config()).due(device, NOW) == ()
    silent = survey(without(device_read(), subscription_list_link=None))
    assert Subscriptions(config(notification_uri=OURS)).due(silent, NOW) == ()


def test_each_has_a_path_of_its_own_that_cannot_be_guessed_and_outlives_a_restart() -> None:
    """A notification is known by its path alone: servers name other resources in it than were subscribed to."""
    duty = aggregator()
    errands, _ = carry(duty, FLEET, NOW, created)
    paths = {path(one): document(one).subscribed_resource for one in errands}
    assert len(paths) == len(WANTED)
    for one, resource in paths.items():
        assert one.startswith("/notify/")
        token = one.removeprefix("/notify/")
        assert len(token) == 32
        assert int(token, 16).bit_length() > 64
        assert SEED.hex() not in one
        assert duty.matched(one) == resource
        assert duty.matched(one[:-1]) is None
    assert duty.matched("/notify/") is None
    again = aggregator()
    again.load(duty.dump())
    assert again.due(FLEET, NOW + 1) == ()
    assert all(again.matched(one) == resource for one, resource in paths.items())


def test_the_poller_rests_only_while_the_server_holds_the_subscription() -> None:
    """While subscribed do not poll; a server may drop it after 36 hours."""
    duty = aggregator()
    duty.due(FLEET, NOW)
    assert not duty.alive("/edev", NOW)
    carry(duty, FLEET, NOW, created)
    assert duty.alive("/edev", NOW)
    assert not duty.alive("/elsewhere", NOW)
    assert duty.alive("/edev", NOW + EXPIRED_SECONDS - 1)
    assert not duty.alive("/edev", NOW + EXPIRED_SECONDS)
    assert EXPIRED_SECONDS == 36 * 3600


def test_they_are_renewed_daily_under_the_same_path() -> None:
    duty = aggregator()
    first, _ = carry(duty, FLEET, NOW, created)
    assert duty.wake_at(NOW) == NOW + RENEWED_SECONDS == NOW + 86_400
    assert duty.due(FLEET, NOW + RENEWED_SECONDS - 1) == ()
    again, _ = carry(duty, FLEET, NOW + RENEWED_SECONDS, created)
    assert {path(one) for one in again} == {path(one) for one in first}
    assert [one.request.method for one in again] == ["POST"] * len(WANTED)
    assert duty.alive("/edev", NOW + EXPIRED_SECONDS)


def test_a_second_subscription_made_by_a_renewal_costs_the_first() -> None:
    duty = aggregator()
    carry(duty, FLEET, NOW, created)
    errands, _ = carry(
        duty,
        FLEET,
        NOW + RENEWED_SECONDS,
        lambda one: Answer(201, location=f"/new{one.key[1]}") if one.request.body else Answer(204),
    )
    deleted = [one.request.href for one in errands if one.request.method == "DELETE"]
    assert len(deleted) == len(WANTED)
    assert all(one.startswith("/edev/0/sub/") for one in deleted)
    assert duty.alive("/edev", NOW + RENEWED_SECONDS)


def test_after_a_4xx_it_is_polled_and_tried_again_only_after_a_day() -> None:
    duty = aggregator()
    carry(duty, FLEET, NOW, lambda _: Answer(400))
    assert not duty.alive("/edev", NOW)
    assert duty.due(FLEET, NOW + REFUSED_AGAIN_SECONDS - 1) == ()
    assert len(duty.due(FLEET, NOW + REFUSED_AGAIN_SECONDS)) == len(WANTED)
    assert duty.wake_at(NOW) == NOW + REFUSED_AGAIN_SECONDS


@pytest.mark.parametrize(
    "status",
    [
        NotificationStatus.CANCELLED,
        NotificationStatus.CANCELLED_MOVED,
        NotificationStatus.CANCELLED_DEFINITION_CHANGED,
        NotificationStatus.CANCELLED_DELETED,
    ],
)
def test_a_notification_of_the_end_brings_back_polling_and_another_try_under_a_new_path(
    status: NotificationStatus,
) -> None:
    """Status 1 to 4: forget it; CORE-019."""
    duty = aggregator()
    errands, _ = carry(duty, FLEET, NOW, created)
    old = next(path(one) for one in errands if one.key[1] == "/edev")
    found = duty.notified(old, ended(status), NOW + 10)
    assert found is not None
    assert (found.href, found.ended, found.moved_to) == ("/edev", True, "")
    assert not duty.alive("/edev", NOW + 10)
    assert duty.matched(old) is None
    assert duty.due(FLEET, NOW + 10 + FIRST_PAUSE_SECONDS - 1) == ()
    (errand,) = duty.due(FLEET, NOW + 10 + FIRST_PAUSE_SECONDS)
    assert path(errand) != old


def test_a_notification_that_we_refused_ends_its_subscription_as_the_servers_word_would() -> None:
    """ERR-002: the server drops it, so it is polled, and there is another under a new path after a pause."""
    duty = aggregator()
    errands, _ = carry(duty, FLEET, NOW, created)
    old = next(path(one) for one in errands if one.key[1] == "/edev")
    assert duty.refused(old, NOW + 10) == "/edev"
    assert not duty.alive("/edev", NOW + 10)
    assert duty.refused(old, NOW + 11) is None
    (errand,) = duty.due(FLEET, NOW + 10 + FIRST_PAUSE_SECONDS)
    assert path(errand) != old


def test_the_pause_doubles_up_to_a_day_and_news_ends_it() -> None:
    duty = aggregator()
    now, pauses = NOW, []
    for _ in range(10):
        errands, _ = carry(duty, FLEET, now, created)
        (at,) = [path(one) for one in errands if one.key[1] == "/edev"]
        duty.notified(at, ended(NotificationStatus.CANCELLED), now)
        pauses.append(duty._state.entries["/edev"].rests_until - now)
        now = duty._state.entries["/edev"].rests_until
    assert pauses[:4] == [900, 1800, 3600, 7200]
    assert pauses[-1] == 86_400
    errands, _ = carry(duty, FLEET, now, created)
    (at,) = [path(one) for one in errands if one.key[1] == "/edev"]
    found = duty.notified(at, ended(NotificationStatus.DEFAULT), now)
    assert found is not None
    assert not found.ended
    duty.notified(at, ended(NotificationStatus.CANCELLED), now)
    assert duty._state.entries["/edev"].rests_until == now + FIRST_PAUSE_SECONDS


@pytest.mark.parametrize(
    ("uri", "place"),
    [("https://utility.example/v2/edev?x=1", "/v2/edev?x=1"), ("https://[::1/edev", ""), ("//[", "")],
)
def test_where_a_resource_moved_to_is_said_as_a_path(uri: str, place: str) -> None:
    """Status 2 carries newResourceURI; what is no address is no place."""
    duty = aggregator()
    errands, _ = carry(duty, FLEET, NOW, created)
    at = next(path(one) for one in errands if one.key[1] == "/edev")
    moved = ended(NotificationStatus.CANCELLED_MOVED, new_resource_uri=uri)
    found = duty.notified(at, moved, NOW)
    assert found is not None
    assert found.moved_to == place


def test_a_stranger_has_no_subscription() -> None:
    """Answered like any unknown address; nothing changes."""
    duty = aggregator()
    carry(duty, FLEET, NOW, created)
    before = duty.dump()
    assert duty.notified("/notify/" + "0" * 32, ended(NotificationStatus.CANCELLED), NOW) is None
    assert duty.dump() == before


def test_what_left_a_whole_survey_is_deleted_what_was_not_read_is_not() -> None:
    duty = aggregator()
    carry(duty, FLEET, NOW, created)
    assert duty.due(Survey(links=FLEET.links, own=OWN), NOW) == ()
    unread = replace(device_read(OTHER_LFDI, 2), assignments=None, programs=None)
    assert duty.due(survey(device_read(), unread, own=OWN), NOW) == ()
    errands, _ = carry(duty, survey(device_read(), own=OWN), NOW, created)
    assert {(one.request.method, one.key[1]) for one in errands} == {
        ("DELETE", "/edev/2/fsa"),
        ("DELETE", "/edev/2/fsa/1/derp"),
    }
    assert not duty.alive("/edev/2/fsa", NOW)
    assert duty.alive("/derp/1/derc", NOW)


def test_a_token_is_never_drawn_twice_also_after_a_restart() -> None:
    duty = aggregator()
    tokens: list[str] = []
    for number in range(4):
        errands, _ = carry(duty, FLEET, NOW + number * 2 * REFUSED_AGAIN_SECONDS, created)
        for errand in errands:
            tokens += [path(errand)] if path(errand) not in tokens else []
            duty.notified(path(errand), ended(NotificationStatus.CANCELLED), NOW)
        again = aggregator()
        again.load(duty.dump())
        duty = again
    assert len(tokens) == 4 * len(WANTED) == len(set(tokens))
