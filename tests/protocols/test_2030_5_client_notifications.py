"""Notifications at our listener, and polling beside subscriptions: what is pushed goes through the same door."""

from dataclasses import dataclass, field

import pytest
from client_2030_5_world import LFDI, T0, World, config, control, default, plain, status

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Silence
from wattseal.protocols.ieee2030_5.client.happenings import Happening, MessageRefused, ScheduleChanged
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.der_control import DERControlList
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.subscription import Notification
from wattseal.protocols.ieee2030_5.vocabulary import EventState, NotificationStatus

SERVER = b"\x07" * 20
DERC = "/derp/1/derc"


@dataclass
class Desk:
    """A book of subscriptions as the session sees it: path -> address, alive or not."""

    name: str = "desk"
    paths: dict[str, str] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    def alive(self, href: str, now: int) -> bool:
        assert now >= T0
        return href in self.paths.values()

    def matched(self, path: str) -> str | None:
        return self.paths.get(path)

    def notified(self, path: str, notification: Notification, now: int) -> None:
        assert now >= T0
        if notification.status is not NotificationStatus.DEFAULT:
            self.ended.append(self.paths.pop(path))

    def refused(self, path: str, now: int) -> str | None:
        assert now >= T0
        return self.paths.get(path)

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:  # noqa: ARG002 - a duty's signature
        return ()

    def wake_at(self, now: int) -> int | None:  # noqa: ARG002 - a duty's signature
        return None

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:  # noqa: ARG002 - a duty's signature
        return ()

    def dump(self) -> bytes:
        return b""

    def load(self, data: bytes) -> None:  # noqa: ARG002 - a duty's signature
        return None


def subscribed(*controls, **paths) -> World:
    world = World(
        config(server_lfdi=SERVER), duties=(Desk(paths={f"/n/{name}": href for name, href in paths.items()}),)
    )
    return plain(world, controls).begin()


def notify(world: World, path: str, resource: Resource | None = None, peer: bytes | None = SERVER, **more) -> int:
    fields = {"subscribed_resource": "/whatever", "subscription_uri": "/sub/1", "status": NotificationStatus.DEFAULT}
    body = encode(Notification(resource=resource, **(fields | more)), CSIPAUS_1_3)
    return push(world, path, body, peer)


def push(world: World, path: str, body: bytes, peer: bytes | None = SERVER) -> int:
    code, happenings = world.session.notified(world.now, path, body, peer)
    world.told += happenings
    return code


def whole(*controls) -> DERControlList:
    return DERControlList(href=DERC, all=len(controls), results=len(controls), items=controls)


def test_a_subscribed_resource_is_not_polled_and_the_others_are():
    world = subscribed(derc=DERC).run(300)
    assert world.server.gets(DERC) == [0]
    assert world.server.gets("/derp") == [0, 60, 120, 180, 240, 300]


def test_a_whole_list_is_taken_as_if_it_had_been_read():
    world = subscribed(derc=DERC).run(30)
    assert notify(world, "/n/derc", whole(control(1, 100, 50, 1500))) == 201
    assert world.watts_at(120) == 1500
    assert [(one.href, one.pushed) for one in world.of(ScheduleChanged)[-1].heard] == [(DERC, True)]
    world.run(200)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]
    assert world.server.gets(DERC) == [0]


@pytest.mark.parametrize("pushed", ["nothing", "empty", "page", "bare"])
def test_less_than_a_whole_list_means_go_and_get_it(pushed):
    """A list with results=0 means "changed": the one poller asks, at once."""
    world = subscribed(derc=DERC).run(30)
    world.server.resources[DERC] = DERControlList(href=DERC, items=(control(1, 100, 50, 1500), control(2, 200, 50)))
    carried = {
        "nothing": None,
        "empty": DERControlList(href=DERC, all=2, results=0),
        "page": DERControlList(href=DERC, all=2, results=1, items=(control(1, 100, 50, 1500),)),
        "bare": Resource(href=DERC),
    }[pushed]
    assert notify(world, "/n/derc", carried) == 201
    world.run(1)
    assert world.server.gets(DERC) == [0, 30]
    assert {(event, code) for event, code, _ in world.responses} == {(1, 1), (2, 1)}


def test_a_default_is_taken_at_once():
    world = subscribed(dderc="/derp/1/dderc").run(30)
    assert notify(world, "/n/dderc", default(700)) == 201
    assert world.watts_at(31) == 700


def test_push_and_poll_of_the_same_are_one_event():
    """Events must work by push or poll alike, in any order, answered once."""
    world = subscribed(control(1, 40, 50), derc=DERC).run(30)
    for _ in range(3):
        assert notify(world, "/n/derc", whole(control(1, 40, 50))) == 201
        world.run(1)
    world.session._desk.paths.clear()
    world.run(200)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]


def test_a_cancellation_by_push_is_answered_at_once():
    """CORE-019."""
    world = subscribed(control(1, 10, 500), derc=DERC).run(30)
    assert notify(world, "/n/derc", whole(control(1, 10, 500, event_status=status(EventState.CANCELLED)))) == 201
    world.run(1)
    assert [code for _, code, _ in world.responses] == [1, 2, 6]


@pytest.mark.parametrize("ending", [1, 2, 3, 4])
def test_a_subscription_that_ends_leads_back_to_polling(ending):
    world = subscribed(derc=DERC).run(100)
    assert notify(world, "/n/derc", status=NotificationStatus(ending)) == 201
    assert world.session._desk.ended == [DERC]
    world.run(130)
    assert world.server.gets(DERC) == [0, 100, 120, 180]


def test_after_a_loss_subscribed_resources_are_read_too():
    """What was pushed meanwhile is lost."""
    world = subscribed(derc=DERC).run(30)
    world.server.down = Silence("peer_unreachable")
    world.run(300)
    world.server.resources[DERC] = DERControlList(href=DERC, items=(control(1, 2000, 50),))
    world.server.down = None
    world.run(100)
    assert len(world.server.gets(DERC)) >= 2
    assert [code for _, code, _ in world.responses] == [1]


def test_strangers_and_nonsense_are_refused_and_recorded():
    """ERR-002: 400, and the server drops the subscription; another sender is turned away."""
    world = subscribed(control(1, 100, 50, 1500), derc=DERC).run(30)
    good = whole()
    assert notify(world, "/n/derc", good, peer=LFDI) == 403
    assert notify(world, "/n/derc", good, peer=None) == 403
    assert notify(world, "/n/unknown", good) == 400
    assert notify(world, "/n/derc", default()) == 400
    assert push(world, "/n/derc", b"<Notification") == 400
    assert push(world, "/n/derc", encode(default(), CSIPAUS_1_3)) == 400
    assert [one.reason for one in world.of(MessageRefused)] == [
        "notification_foreign", "notification_foreign", "notification_unknown", "unexpected_resource",
        "malformed_xml", "unexpected_resource",
    ]  # fmt: skip
    assert all(one.raw for one in world.of(MessageRefused))
    assert world.watts_at(120) == 1500


def test_what_a_refused_notification_told_of_is_read():
    """ERR-002: the server drops a subscription whose notification was answered 400; what changed must not be missed."""
    world = subscribed(derc=DERC).run(30)
    world.server.resources[DERC] = whole(control(1, 100, 50, 1500))
    assert push(world, "/n/derc", b"<Notification") == 400
    world.run(1)
    assert world.server.gets(DERC) == [0, 30]
    assert world.watts_at(120) == 1500


def test_a_foreign_sender_has_nothing_read():
    world = subscribed(derc=DERC).run(30)
    assert push(world, "/n/derc", b"<Notification", LFDI) == 403
    world.run(1)
    assert world.server.gets(DERC) == [0]


def test_without_subscriptions_every_notification_is_a_strangers():
    world = plain(World()).begin().run(10)
    assert push(world, "/n/derc", b"<x/>", None) == 400


def test_a_broken_item_in_a_notification_leads_to_a_reading():
    world = subscribed(derc=DERC).run(30)
    fields = {"subscribed_resource": DERC, "subscription_uri": "/sub/1", "status": NotificationStatus.DEFAULT}
    body = encode(Notification(resource=whole(control(1, 100, 50), control(2, 300, 50)), **fields), CSIPAUS_1_3)
    assert push(world, "/n/derc", body.replace(b"<creationTime>1799999002<", b"<creationTime>soon<")) == 201
    world.run(1)
    assert world.server.gets(DERC) == [0, 30]


def test_a_storm_of_notifications_is_no_storm_of_questions():
    world = subscribed(derc=DERC).run(30)
    for _ in range(100):
        notify(world, "/n/derc")
        world.run(1)
    assert len(world.server.gets(DERC)) <= 6


def test_a_notification_for_a_place_that_nothing_links_any_more_changes_nothing():
    world = subscribed(old="/old/derc").run(30)
    world.told.clear()
    assert notify(world, "/n/old", whole(control(9, 100, 50))) == 201
    world.run(10)
    assert world.of(ScheduleChanged) == []
