"""Every resource that may stand as the root of a document."""

from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Error
from wattseal.protocols.ieee2030_5.catalogue import CARRIED
from wattseal.protocols.ieee2030_5.subscription import Notification, NotificationList, Subscription, SubscriptionList

RESOURCE_TYPES: Final[tuple[type[msgspec.Struct], ...]] = (
    *CARRIED,
    Subscription,
    SubscriptionList,
    Notification,
    NotificationList,
    Error,
)
