"""Notifications as values: what has changed for a subscriber becomes a notice in the world's outbox, to be delivered.

A change is judged by content: the resource is looked at with the subscriber's eyes and compared with what it was last
told. So it makes no difference what changed it: the utility, a device, or the clock. A resource that is no longer there
for the subscriber ends the subscription with status 4; what is told of a list is a page of it, as long as `limit` says.

A notice that draws 400 ends its subscription (the other side does not know it). Any other failure is tried again, at
growing distance, and given up after a number of tries; the subscription stays, because the client polls besides.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.server.access import of_serial
from wattseal.protocols.ieee2030_5.server.changes import next_serial, put, take
from wattseal.protocols.ieee2030_5.server.digests import digest_of
from wattseal.protocols.ieee2030_5.server.paging import Query, page_of
from wattseal.protocols.ieee2030_5.server.rows import View
from wattseal.protocols.ieee2030_5.server.state import Notice, Subscriber, World
from wattseal.protocols.ieee2030_5.server.tailoring import tailored
from wattseal.protocols.ieee2030_5.server.turn import Listing, Turn
from wattseal.protocols.ieee2030_5.server.views import look
from wattseal.protocols.ieee2030_5.subscription import Notification
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus

TRIES_MOST: Final = 6
_FIRST_WAIT_SECONDS: Final = 2
_OUTBOX_MOST: Final = 10_000


def settle(turn: Turn) -> World:
    """The world with a notice for every subscriber whose resource has changed, and without subscriptions that ran out.

    The caller of the turn does not matter.
    """
    world = turn.world
    seen: dict[tuple[str, str], tuple[View, str]] = {}  # many subscribe to the same
    for one in turn.world.subscribers:
        if one.made + turn.config.subscription_seconds <= turn.now:
            world = take(world, one)
            continue
        theirs = replace(turn, caller=one.owner)
        key = (one.owner, one.resource)
        if key not in seen:
            view = look(theirs, one.resource)
            seen[key] = (view, "" if view is None else digest_of(view, turn.config.profile))
        view, told = seen[key]
        if view is None:
            world = notify(replace(theirs, world=world), one, None, NotificationStatus.CANCELLED_DELETED)
            continue
        if told != one.told:
            fresh = msgspec.structs.replace(one, told=told)
            world = notify(replace(theirs, world=put(world, fresh)), fresh, view, NotificationStatus.DEFAULT)
    return world


def notify(turn: Turn, subscriber: Subscriber, view: View, status: NotificationStatus) -> World:
    """The world with one notice more; a status other than default ends the subscription."""
    document = notification(turn, subscriber, view, status)
    world, serial = next_serial(turn.world)
    notice = Notice(
        serial=serial,
        subscriber=subscriber.serial,
        uri=subscriber.notification_uri,
        document=encode(tailored(document, turn.config.profile), turn.config.profile),
        due=turn.now,
    )
    if len(world.outbox) < _OUTBOX_MOST:
        world = msgspec.structs.replace(world, outbox=(*world.outbox, notice))
    return world if status is NotificationStatus.DEFAULT else take(world, subscriber)


def notification(turn: Turn, subscriber: Subscriber, view: View, status: NotificationStatus) -> Notification:
    """What a subscriber is told."""
    return Notification(
        created_date_time=turn.clock,
        subscribed_resource=turn.at(subscriber.resource),
        resource=_carried(turn, subscriber, view),
        status=status,
        subscription_uri=turn.at("edev", subscriber.device, "sub", subscriber.serial),
    )


def due_notices(world: World, now: int) -> tuple[Notice, ...]:
    """What is to be sent now: of each subscription the oldest notice only, so that they arrive in order."""
    first: dict[int, Notice] = {}
    for one in world.outbox:
        first.setdefault(one.subscriber, one)
    return tuple(one for one in first.values() if one.due <= now)


def delivered(world: World, notice: Notice, status: int | None, now: int) -> World:
    """The world after a try: `status` is what was answered, None if nobody answered."""
    kept = tuple(one for one in world.outbox if one.serial != notice.serial)
    if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return msgspec.structs.replace(world, outbox=kept)
    if status == HTTPStatus.BAD_REQUEST:
        gone = of_serial(world.subscribers, notice.subscriber)
        kept = tuple(one for one in kept if one.subscriber != notice.subscriber)
        world = msgspec.structs.replace(world, outbox=kept)
        return world if gone is None else take(world, gone)
    if notice.tries + 1 >= TRIES_MOST:
        return msgspec.structs.replace(world, outbox=kept)
    wait = _FIRST_WAIT_SECONDS << notice.tries
    again = msgspec.structs.replace(notice, tries=notice.tries + 1, due=now + wait)
    left = tuple(again if one.serial == notice.serial else one for one in world.outbox)
    return msgspec.structs.replace(world, outbox=left)


def _carried(turn: Turn, subscriber: Subscriber, view: View) -> Resource | None:
    if not isinstance(view, Listing):
        return view
    query = Query(limit=subscriber.limit)
    poll = turn.poll_seconds(view.poll)
    return page_of(view, query, turn.at(subscriber.resource), turn.config.profile, poll, turn.config.page_most)
