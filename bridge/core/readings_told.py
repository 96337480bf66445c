"""Which readings go to the duties of a 2030.5 client, and on which a document that was told then rests."""

import sqlite3
from collections import deque
from dataclasses import replace
from typing import Final

from wattseal.bridge import journal
from wattseal.bridge.availability import Bounds, with_availability
from wattseal.bridge.measuring import measured_between
from wattseal.bridge.site.model import Site
from wattseal.drivers.manifest_sections import SOC_FULL_PERMILLE
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, Managed
from wattseal.protocols.ieee2030_5.client.measured import SITE, Measured
from wattseal.protocols.ieee2030_5.editions import AUS

_MOST_GROUNDS: Final = 256
_REACH_MS: Final = 300_000  # after a start, what was read within this time is still news
_OF_THE_LATEST: Final = frozenset({"status", "availability", "log_event", "load_shed"})
_OF_MANY: Final = frozenset({"reading"})


class ReadingsTold:
    """What was handed in, by device. Averages rest on all of it, as far back as one statement can name.

    A reading reaches the journal a little after its own time, and those of a device come in their order: so what is new
    of a device is what lies after the last of it that was handed in, whatever the time is now.
    """

    def __init__(self, config: ClientConfig, site: Site) -> None:
        ours = [device.name for device in config.devices]
        self._names = {name: (name,) for name in ours}
        if site.meter and AUS in config.profile.speaks:
            # The meter of the connection is told without a name; also by its own where the server knows it as a device.
            self._names[site.meter] = (*self._names.get(site.meter, ()), SITE)
        self._bounds = {one.name: _bounds(one, site) for one in config.devices}
        self._from_ms: dict[str, int | None] = dict.fromkeys(self._names)
        self._handed: dict[str, deque[bytes]] = {}

    def newly(self, db: sqlite3.Connection, *, now_ms: int) -> tuple[Measured, ...]:
        """What was read since the last call, oldest first."""
        found: list[Measured] = []
        for device in self._from_ms:
            found += self._newly_of(device, db, now_ms)
        found.sort(key=lambda one: (one.at, one.device))
        for one in found:
            if one.evidence:
                self._handed.setdefault(one.device, deque(maxlen=_MOST_GROUNDS)).append(one.evidence)
        return tuple(found)

    def _newly_of(self, device: str, db: sqlite3.Connection, now_ms: int) -> tuple[Measured, ...]:
        mark = self._from_ms[device]
        # After a step back of the clock, what is read from now on is new.
        since = now_ms - _REACH_MS if mark is None else min(mark, now_ms)

        def samples_of(device: str, quantity: str, from_ms: int, to_ms: int) -> tuple[journal.Sample, ...]:
            some = journal.samples_between(db, device, quantity, from_ms, to_ms)
            if some:
                self._from_ms[device] = max(self._from_ms[device] or 0, some[-1].at_ms + 1)
            return some

        self._from_ms[device] = None if mark is None else since
        looks = measured_between({device: device}, samples_of, since, now_ms + 1)
        return tuple(replace(self._whole(look), device=name) for look in looks for name in self._names[device])

    def _whole(self, look: Measured) -> Measured:
        bounds = self._bounds.get(look.device)
        return look if bounds is None else with_availability(look, bounds)

    def grounds(self, kind: str, about: str) -> tuple[bytes, ...]:
        """Digests of the readings that a document of this kind, about this device or all of them, rests on."""
        some = [self._handed[about]] if about in self._handed else list(self._handed.values())
        if kind in _OF_THE_LATEST:
            return tuple(handed[-1] for handed in some if handed)[:_MOST_GROUNDS]
        if kind in _OF_MANY:
            return tuple(one for handed in some for one in handed)[-_MOST_GROUNDS:]
        return ()


def _bounds(device: Managed, site: Site) -> Bounds:
    """The watts that the server was told, and the charge limits of the envelope."""
    known, ratings = site.device(device.name), device.ratings
    floor, ceiling = (
        (0, SOC_FULL_PERMILLE)
        if known is None
        else (known.envelope.soc_floor_permille, known.envelope.soc_ceiling_permille)
    )
    return Bounds(ratings.inject_watts, ratings.absorb_watts, ratings.storage_watt_hours, floor, ceiling)
