"""Which readings go to the duties of a 2030.5 client, and on which a document that was told then rests."""

import sqlite3
from collections import deque
from functools import partial
from typing import Final

from wattseal.bridge import journal
from wattseal.bridge.measuring import measured_between
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.measured import Measured

_MOST_GROUNDS: Final = 256
_REACH_MS: Final = 300_000  # after a start, what was read within this time is still news
_OF_THE_LATEST: Final = frozenset({"status", "availability", "log_event", "load_shed"})
_OF_MANY: Final = frozenset({"reading"})


class ReadingsTold:
    """What was handed in, by device. Averages rest on all of it, as far back as one statement can name."""

    def __init__(self, config: ClientConfig) -> None:
        self._devices = {device.name: device.name for device in config.devices}
        self._until_ms: int | None = None
        self._handed: dict[str, deque[bytes]] = {}

    def newly(self, db: sqlite3.Connection, *, now_ms: int) -> tuple[Measured, ...]:
        """What was read since the last call, oldest first."""
        since = now_ms - _REACH_MS if self._until_ms is None else self._until_ms
        found = measured_between(self._devices, partial(journal.samples_between, db), since, now_ms + 1)
        self._until_ms = max(since, now_ms + 1)
        for one in found:
            if one.evidence:
                self._handed.setdefault(one.device, deque(maxlen=_MOST_GROUNDS)).append(one.evidence)
        return found

    def grounds(self, kind: str, about: str) -> tuple[bytes, ...]:
        """Digests of the readings that a document of this kind, about this device or all of them, rests on."""
        some = [self._handed[about]] if about in self._handed else list(self._handed.values())
        if kind in _OF_THE_LATEST:
            return tuple(handed[-1] for handed in some if handed)[:_MOST_GROUNDS]
        if kind in _OF_MANY:
            return tuple(one for handed in some for one in handed)[-_MOST_GROUNDS:]
        return ()
