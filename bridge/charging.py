"""What a charger needs every day, as its owner says it, into the need that is reserved now. Pure.

Knows the site's words, and the day as people there have it; no server.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from wattseal.bridge.site.model import Charging
from wattseal.protocols.ieee2030_5.client.duties.flow_reservations import ChargingNeed

_DAYS: Final = range(-2, 3)


def need_at(charging: Charging, now: int) -> ChargingNeed:
    """The need of the window that is open at `now` (unix seconds), or else of the next one.

    The same for the whole of a window, however often it is asked. A time that a change of clocks leaves out or repeats
    is taken as the zone has it before the change.
    """
    zone = ZoneInfo(charging.time_zone)
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    ends = (_unix(today + timedelta(days=day), charging.ready_by, zone) for day in _DAYS)
    until = min(at for at in ends if at > now)
    starts = (_unix(today + timedelta(days=day), charging.plugged_from, zone) for day in _DAYS)
    since = max(at for at in starts if at < until)
    return ChargingNeed(charging.energy_watt_hours, charging.power_watts, since, until)


def _unix(day: date, at: time, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, at, zone).timestamp())
