"""Subscriptions and notifications. What a notification carries is told by xsi:type."""

from typing import Annotated

import msgspec

from wattseal.protocols.ieee2030_5.base import List, Resource
from wattseal.protocols.ieee2030_5.catalogue import CARRIED
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.lexicals import INT48, STRING16, TIME, UINT8, UINT32
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus
from wattseal.protocols.lexical import URI
from wattseal.protocols.xml_wire import wire


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds of a conditional subscription."""

    attribute_identifier: Annotated[int, wire("attributeIdentifier", UINT8)]
    lower_threshold: Annotated[int, wire("lowerThreshold", INT48)]
    upper_threshold: Annotated[int, wire("upperThreshold", INT48)]


class SubscriptionBase(Resource, frozen=True, kw_only=True):
    """What is subscribed to."""

    subscribed_resource: Annotated[str, wire("subscribedResource", URI)]


class Subscription(SubscriptionBase, frozen=True, kw_only=True):
    """A wish to be notified at an absolute `notification_uri`; `limit` items of a list at most."""

    condition: Annotated[Condition | None, wire("Condition?")] = None
    encoding: Annotated[int | None, wire("encoding!", UINT8)] = None
    level: Annotated[str | None, wire("level!", STRING16)] = None
    limit: Annotated[int | None, wire("limit!", UINT32)] = None
    notification_uri: Annotated[str, wire("notificationURI", URI)]


class SubscriptionList(List, frozen=True, kw_only=True):
    """SubscriptionList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[Subscription, ...], wire("Subscription*", apart=True)] = ()


class Notification(SubscriptionBase, frozen=True, kw_only=True):
    """News of a resource. A `status` other than default ends the subscription.

    `resource` is a plain Resource where the type was not named or is not known; None where nothing was carried.
    """

    created_date_time: Annotated[int | None, wire("createdDateTime?", TIME, of=E2023)] = None
    new_resource_uri: Annotated[str | None, wire("newResourceURI?", URI)] = None
    resource: Annotated[Resource | None, wire("Resource?", by_type=CARRIED)] = None
    status: Annotated[NotificationStatus, wire("status")]
    subscription_uri: Annotated[str | None, wire("subscriptionURI!", URI)] = None


class NotificationList(List, frozen=True, kw_only=True):
    """NotificationList."""

    items: Annotated[tuple[Notification, ...], wire("Notification*", apart=True)] = ()
