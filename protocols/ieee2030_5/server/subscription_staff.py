"""What the utility does to subscriptions: ends them, and says so."""

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.server.access import of_serial
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.hrefs import Hrefs
from wattseal.protocols.ieee2030_5.server.notifying import notify
from wattseal.protocols.ieee2030_5.server.state import World
from wattseal.protocols.ieee2030_5.server.turn import Turn
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus


def end_subscription(
    world: World, config: ServerConfig, hrefs: Hrefs, now: int, serial: int, status: NotificationStatus
) -> World:
    """The world without a subscription, whose end is told. Raises MisuseError (`unknown_thing`, `status_keeps_it`)."""
    found = of_serial(world.subscribers, serial)
    if found is None:
        raise MisuseError("unknown_thing", f"There is no subscription {serial}: list them for their serials.")
    if status is NotificationStatus.DEFAULT:
        raise MisuseError("status_keeps_it", "Status 0 ends no subscription: name one of 1 to 4.")
    return notify(Turn(world, config, hrefs, found.owner, now), found, None, status)
