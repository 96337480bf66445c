"""A notification at our listener: who sent it, whether it is ours, and what it means for the address it tells of.

Answered 400 (the server then drops the subscription): nonsense, a path that is no subscription of ours, a resource of
another type than the one subscribed to. Answered 403: another sender than our server. A whole resource is taken as if
it had been read; a page, an empty list or a bare word means "changed": the one poller asks. Pure.
"""

from dataclasses import dataclass
from typing import Final

from wattseal.certs.errors import PeerError
from wattseal.protocols.ieee2030_5.base import List, Resource
from wattseal.protocols.ieee2030_5.client.happenings import MessageRefused
from wattseal.protocols.ieee2030_5.client.interfaces import SubscriptionDesk
from wattseal.protocols.ieee2030_5.client.kinds import NATURES, Kind
from wattseal.protocols.ieee2030_5.client.reading import (
    Known,
    known_list,
    known_single,
    leaf_from,
    page_of,
    refused,
    unreadable,
)
from wattseal.protocols.ieee2030_5.client.tree import Tree
from wattseal.protocols.ieee2030_5.codec import decode_as
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.subscription import Notification
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus

TAKEN: Final = 201
REFUSED: Final = 400
FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notification means. `known`: the resource itself, to be taken as read; None: ask for `href`.

    `refusals`: parts of it that were left out.
    """

    href: str
    notification: Notification
    known: Known | None = None


def notice_of(
    path: str, body: bytes, peer_lfdi: bytes | None, desk: SubscriptionDesk | None, terms: "NoticeTerms", tree: Tree
) -> Notice | tuple[int, MessageRefused]:
    """The notice in a body, or the status to answer with and what was refused."""
    if terms.server_lfdi is not None and peer_lfdi != terms.server_lfdi:
        sentence = "A notification came from somebody who does not show the server's certificate."
        return FORBIDDEN, refused(path, body, "notification_foreign", sentence)
    href = desk.matched(path) if desk is not None else None
    if href is None:
        sentence = "A notification came to a path that belongs to no subscription of ours."
        return REFUSED, refused(path, body, "notification_unknown", sentence)
    try:
        document = decode_as(Notification, body, terms.profile)
    except PeerError as error:
        return REFUSED, unreadable(error, path, body)
    notification = document.resource
    if notification.status is not NotificationStatus.DEFAULT:
        return Notice(href, notification)
    branch = tree.branch(href)
    resource = notification.resource
    if branch is None or resource is None or type(resource) is Resource:
        return Notice(href, notification)
    if not isinstance(resource, NATURES[branch.kind].resource):
        found, wanted = type(resource).__name__, NATURES[branch.kind].resource.__name__
        sentence = f"A notification carries a {found} where a {wanted} is subscribed to."
        return REFUSED, refused(path, body, "unexpected_resource", sentence)
    if document.left_out:  # it cannot be told here which part broke: the resource itself is asked for
        return Notice(href, notification)
    return Notice(href, notification, _whole(branch.kind, href, body, resource, terms.authority, branch.known))


@dataclass(frozen=True, slots=True)
class NoticeTerms:
    """What all notifications of a server share."""

    profile: Profile
    authority: str
    server_lfdi: bytes | None


def _whole(
    kind: Kind, href: str, body: bytes, resource: Resource, authority: str, before: Known | None
) -> Known | None:
    """The resource as if it had been read; None where it is a page, or says nothing."""
    leaf = leaf_from(kind, href, body, resource, authority)
    if not isinstance(resource, List):
        return known_single(kind, leaf)
    page = page_of(kind, leaf)
    keys = {key for key, _ in page.items}
    if not page.items or page.all != len(page.items) or len(keys) != len(page.items):
        return None
    return known_list(kind, (leaf,), leaf.items, before)
