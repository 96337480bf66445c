"""When a server that nobody asks has something to do by itself: the next time at which subscribers may have to be told.

States of events change at their starts and ends only, and lists when finished events leave them; besides there are
notices to be tried again and subscriptions that run out. Between those times the world stands still.
"""

from collections.abc import Iterator

from wattseal.protocols.ieee2030_5.base import DateTimeInterval
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.state import World


def wake_at(world: World, config: ServerConfig, now: int) -> int | None:
    """The first second after `now` (both by the wall) at which something may be due; None: nothing ever will."""
    if not world.subscribers and not world.outbox:
        return None
    offset = world.clock.offset
    later = [
        moment - offset
        for interval in _intervals(world)
        for moment in (interval.start, interval.end, interval.end + config.keep_finished_seconds)
    ]
    later += [one.due for one in world.outbox]
    later += [one.made + config.subscription_seconds for one in world.subscribers]
    return min((moment for moment in later if moment > now), default=None)


def _intervals(world: World) -> Iterator[DateTimeInterval]:
    for der in world.der_programs:
        yield from (one.event.interval for one in der.controls)
    for load in world.load_programs:
        yield from (one.event.interval for one in load.controls)
    for text in world.text_programs:
        yield from (one.event.interval for one in text.texts)
    for tariff in world.tariffs:
        yield from (one.listed.event.interval for rate in tariff.rates for one in rate.intervals)
    for device in world.devices:
        yield from (one.event.interval for one in device.flow_responses)
