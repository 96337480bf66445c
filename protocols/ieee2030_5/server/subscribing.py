"""Subscriptions under an EndDevice: made, renewed, shown, dropped. What is meant must be the caller's to see."""

import ipaddress
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from wattseal.protocols.ieee2030_5.server import access
from wattseal.protocols.ieee2030_5.server.access import Granted
from wattseal.protocols.ieee2030_5.server.changes import next_serial, put, take
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.digests import digest_of
from wattseal.protocols.ieee2030_5.server.hrefs import path_of
from wattseal.protocols.ieee2030_5.server.rows import Row, Table, View, Write, table
from wattseal.protocols.ieee2030_5.server.state import Subscriber
from wattseal.protocols.ieee2030_5.server.turn import Listing, Outcome, Turn
from wattseal.protocols.ieee2030_5.server.views import look
from wattseal.protocols.ieee2030_5.subscription import Subscription, SubscriptionList
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason, Subscribable

_LIMIT_MOST: Final = 255
_URI_MOST: Final = 2048
_SUBSCRIBED: Final = frozenset({Subscribable.PLAIN, Subscribable.BOTH})


def subscriptions(turn: Turn, found: Granted) -> Listing:
    """The caller's under this device."""
    mine = _mine(turn, found.ids[0])
    return Listing(SubscriptionList, tuple(subscription(turn, one) for one in mine), "sub")


def subscription(turn: Turn, found: Subscriber) -> Subscription:
    """One of them."""
    return Subscription(
        href=turn.at("edev", found.device, "sub", found.serial),
        subscribed_resource=turn.at(found.resource),
        encoding=found.encoding,
        level=found.level,
        limit=found.limit,
        notification_uri=found.notification_uri,
    )


def subscribe(turn: Turn, found: Granted) -> Outcome:
    """POST: 201; for the same resource and address again the same one, renewed.

    400 for what cannot be subscribed to or is not the caller's, for conditions, for EXI, for an address that is not
    absolute https or leads to a host that is not allowed.
    """
    posted: Subscription = turn.document
    if posted.condition is not None:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.CONDITION_NOT_SUPPORTED)
    path = turn.hrefs.read(_path_in(posted.subscribed_resource))
    view = None if path is None else look(turn, path)
    if path is None or view is None or not is_subscribable(view) or posted.encoding not in {None, 0}:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    if not _may_be_told(posted.notification_uri, turn.config):
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    mine = _mine(turn, found.ids[0])
    if sum(one.owner == turn.caller for one in turn.world.subscribers) >= turn.config.things_most:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.RESOURCE_LIMIT)
    same = (one for one in mine if (one.resource, one.notification_uri) == (path, posted.notification_uri))
    known = next(same, None)
    world, serial = (turn.world, known.serial) if known is not None else next_serial(turn.world)
    fresh = Subscriber(
        serial=serial,
        owner=turn.caller,
        device=found.ids[0],
        resource=path,
        notification_uri=posted.notification_uri,
        limit=min(_LIMIT_MOST if posted.limit is None else posted.limit, _LIMIT_MOST),
        level=posted.level or "+S1",
        made=turn.now,
        told=digest_of(view, turn.config.profile),
    )
    return turn.created(path_of("edev", found.ids[0], "sub", serial), put(world, fresh))


def unsubscribe(turn: Turn, found: Subscriber) -> Outcome:
    """DELETE."""
    return turn.done(take(turn.world, found))


def is_subscribable(view: View) -> bool:
    """Whether a resource offers that by itself."""
    if isinstance(view, Listing):
        return view.subscribable
    return getattr(view, "subscribable", None) in _SUBSCRIBED


def _mine(turn: Turn, device: int) -> tuple[Subscriber, ...]:
    return tuple(one for one in turn.world.subscribers if one.owner == turn.caller and one.device == device)


def _path_in(href: str) -> str:
    try:
        return urlsplit(href).path
    except ValueError:
        return ""


def _may_be_told(uri: str, config: ServerConfig) -> bool:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    hosts = config.notification_hosts
    if not host or len(uri) > _URI_MOST or (hosts is not None and host not in hosts):
        return False
    return parts.scheme == "https" or (config.plain_notifications and parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine. Plain http to it is for labs only: a client could reach what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


SUBSCRIPTIONS: Final[Table] = table(
    Row(
        "edev/#/sub",
        access.device_or_aggregator,
        subscriptions,
        {"POST": Write((Subscription,), subscribe, returned=False)},
    ),
    Row("edev/#/sub/#", access.subscriber, subscription, delete=unsubscribe),
)
