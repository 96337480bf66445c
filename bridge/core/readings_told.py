"""Which readings go to the duties of a 2030.5 client, and on which a document that was told then rests."""

import sqlite3
from collections import deque
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
    """What was handed in, by device. Averages rest on all of it, as far back as one statement can name.

    A reading reaches the journal a little after its own time, and those of a device come in their order: so what is new
    of a device is what lies after the last of it that was handed in, whatever the time is now.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._from_ms: dict[str, int | None] = dict.fromkeys(device.name for device in config.devices)
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
        return measured_between({device: device}, samples_of, since, now_ms + 1)

    def grounds(self, kind: str, about: str) -> tuple[bytes, ...]:
        """Digests of the readings that a document of this kind, about this device or all of them, rests on."""
        some = [self._handed[about]] if about in self._handed else list(self._handed.values())
        if kind in _OF_THE_LATEST:
            return tuple(handed[-1] for handed in some if handed)[:_MOST_GROUNDS]
        if kind in _OF_MANY:
            return tuple(one for handed in some for one in handed)[-_MOST_GROUNDS:]
        return ()
