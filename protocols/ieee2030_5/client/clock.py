"""The server's clock, as far ahead of ours: events run on the time of the server that issued them.

Time is kept as an anchor: the server's time at a monotonic instant. So a step of our own clock moves the offset and not
the events. Differences of a second are rounding and are not followed; larger ones are, whatever the quality says
(CORE-005 follows quality 7). The clock of a function set assignment goes before that of DeviceCapability.
"""

from dataclasses import dataclass
from typing import Final

from wattseal.certs.clock import Instant
from wattseal.protocols.ieee2030_5.client.survey import ClockRead
from wattseal.protocols.ieee2030_5.core_resources import Time

ROUNDING_SECONDS: Final = 1
_HALF_SECOND_MS: Final = 500
_LAST_SECOND: Final = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a Time resource said: the server's milliseconds at a monotonic instant."""

    href: str
    server_ms: int
    monotonic: float
    quality: int | None

    def offset_seconds(self, now: Instant) -> int:
        """How far the server's clock is ahead of ours now."""
        passed = round((now.monotonic - self.monotonic) * 1000)
        return round((self.server_ms + passed - now.unix_ms) / 1000)


def anchor_of(href: str, time: Time, asked: float, answered: float) -> Anchor | None:
    """The anchor from an answer: the server looked between the question and the answer. None: no time at all."""
    if not 0 < time.current_time <= _LAST_SECOND:
        return None
    quality = None if time.quality is None else int(time.quality)
    return Anchor(href, time.current_time * 1000 + _HALF_SECOND_MS, (asked + answered) / 2, quality)


class ServerClock:
    """The anchors by address, and the offset that is followed."""

    def __init__(self) -> None:
        self._anchors: dict[str, Anchor] = {}
        self._offset: int | None = None

    def heard(self, anchor: Anchor) -> None:
        """A Time resource was read."""
        self._anchors[anchor.href] = anchor

    def read(self, preferred: tuple[str, ...], now: Instant) -> ClockRead | None:
        """The clock that counts: the first of these addresses that was read; None: none was."""
        if len(self._anchors) > len(preferred):  # a server may give its clock a new address at every reading
            self._anchors = {href: self._anchors[href] for href in preferred if href in self._anchors}
        anchor = next((self._anchors[href] for href in preferred if href in self._anchors), None)
        if anchor is None:
            return None
        offset = anchor.offset_seconds(now)
        if self._offset is None or abs(offset - self._offset) > ROUNDING_SECONDS:
            self._offset = offset
        return ClockRead(anchor.href, self._offset, anchor.quality)
