"""Reading what the site file says of a charger's daily need."""

import re
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wattseal.bridge.site.mistakes import Table
from wattseal.bridge.site.model import Charging

_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_MOST: Final = 100_000_000


def read_charging(device: Table) -> Charging | None:
    """The [device.charging] table, None where there is none. Mistakes go to the table."""
    if not device.has("charging"):
        return None
    table = device.table("charging", "")
    energy = table.whole("energy_watt_hours", "What it needs each day, 1 to 100000000 Wh.", 1, _MOST)
    power = table.whole("power_watts", "The power at which it charges, 1 to 100000000 W.", 1, _MOST)
    plugged = _time(table, "plugged_from", 'From when on it can charge: write "18:00".')
    ready = _time(table, "ready_by", 'When the energy must be there: write "07:00".')
    zone = table.text("time_zone", 'The zone of these times, such as "Australia/Sydney".', "UTC")
    if not _is_zone(zone):
        table.wrong("time_zone", f"is {zone!r}", 'Write the name of an IANA time zone, such as "Europe/Berlin".')
        zone = "UTC"
    if plugged == ready:
        table.wrong("ready_by", "is the same time as plugged_from", "Leave time in between to charge.")
    table.close()
    return Charging(energy, power, plugged, ready, zone)


def _time(table: Table, key: str, mend: str) -> time:
    text = table.text(key, mend)
    found = _TIME.fullmatch(text)
    if found is None:
        if text:
            table.wrong(key, f"is {text!r}", mend)
        return time()
    return time(int(found[1]), int(found[2]))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
