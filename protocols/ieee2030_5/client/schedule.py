"""The event engine's place in the session: inputs go in, what is and will be in force comes out when it changed.

Keeps the engine's state; whoever holds this room writes `state` to the disk before anything acts on what it said. The
forecast is renewed when the state changed in a way that matters, and when three quarters of what is known have passed.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from wattseal.certs.clock import STEP_SECONDS, ClockQuality, Instant
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Heard, Noted, ScheduleChanged
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.engine.engine import fresh, step
from wattseal.protocols.ieee2030_5.engine.forecast import Forecast, Segment, forecast
from wattseal.protocols.ieee2030_5.engine.inputs import ClockRead, Input, Restarted, Rules, RulesChosen, Tick
from wattseal.protocols.ieee2030_5.engine.speech import acknowledge, settle
from wattseal.protocols.ieee2030_5.engine.state import State, from_bytes

_KNOWN_PART: Final = 0.75


class Schedule:
    """An engine of one server. Raises EngineStateError for stored bytes that are not of this release.

    `foresees`: whether what will be in force is told. A day of prices has hundreds of edges, and nobody acts ahead on
    them: to run ahead would cost seconds for nothing.
    """

    def __init__(self, config: ClientConfig, stored: bytes | None, *, foresees: bool = True) -> None:
        self._foresees = foresees
        self._rules = Rules.EDITION_2023 if E2023 in config.profile.speaks else Rules.EDITION_2018
        self._restarted = stored is not None
        self.state: State = fresh(config.seed, self._rules) if stored is None else from_bytes(stored)
        self._told: Forecast | None = None
        self._wake_at: int | None = None
        self._renew_at: int | None = None
        self._last: Instant | None = None

    def begin(self, now: Instant) -> tuple[Happening, ...]:
        """After a start: what is stored holds at once, told whole."""
        inputs: list[Input] = [Restarted(clock_trusted=now.quality is not ClockQuality.UNTRUSTED)]
        if self.state.rules is not self._rules:
            inputs.append(RulesChosen(self._rules))
        happenings = self.feed(inputs, now, None)
        return happenings if self._restarted else ()  # of a first start nothing is known, which is no news

    def feed(
        self, inputs: Iterable[Input], now: Instant, offset_seconds: int | None, heard: tuple[Heard, ...] = ()
    ) -> tuple[Happening, ...]:
        """Take inputs in this order, the clock before them; the schedule is told if any of them changed it.

        `offset_seconds`: how far the server's clock is ahead of ours now; None: not known.
        """
        before = self.state
        happenings: list[Happening] = []
        for one in (*self._clock(now, offset_seconds), *inputs):
            taken = step(self.state, one, now.unix)
            self.state, self._wake_at = taken.state, taken.wake_at
            happenings += [Noted(note) for note in taken.notes]
        if self._foresees and (self._told is None or _matters(before, self.state) or self._renews(now)):
            happenings += self._forecast(now, heard)
        return tuple(happenings)

    def looked(self, now: Instant, offset_seconds: int | None) -> tuple[Happening, ...]:
        """Time passed."""
        stale = offset_seconds is not None and offset_seconds != self.state.offset_seconds
        if stale or (self._wake_at is not None and self._wake_at <= now.unix) or self._renews(now):
            return self.feed((Tick(),), now, offset_seconds)
        return ()

    def settle(self, settled: Iterable[tuple[int, bytes]]) -> None:
        """These Responses (serial, LFDI) were delivered or given up."""
        self.state = settle(self.state, settled)

    def acknowledge(self, mrid: bytes, now: Instant) -> bool:
        """A person has acknowledged an event that is running; False where there is none."""
        self.state = acknowledge(self.state, mrid, now.unix + (self.state.offset_seconds or 0))
        return mrid in self.state.acknowledged

    def wake_at(self) -> int | None:
        """When something changes by the clock alone, our unix seconds."""
        times = [at for at in (self._wake_at, self._renew_at) if at is not None]
        return min(times, default=None)

    def _clock(self, now: Instant, offset_seconds: int | None) -> tuple[Input, ...]:
        """What the engine must know of the clock. After a step of ours, nothing is judged by the old offset before."""
        last, self._last = self._last, now
        if offset_seconds is None or offset_seconds == self.state.offset_seconds:
            return ()
        stepped = (
            last is not None
            and abs((now.unix_ms - last.unix_ms) / 1000 - (now.monotonic - last.monotonic)) > STEP_SECONDS
        )
        return (*((Restarted(clock_trusted=False),) if stepped else ()), ClockRead(offset_seconds))

    def _renews(self, now: Instant) -> bool:
        return self._renew_at is not None and self._renew_at <= now.unix

    def _forecast(self, now: Instant, heard: tuple[Heard, ...]) -> tuple[Happening, ...]:
        found = forecast(self.state, now.unix)
        known = found.known_until
        self._renew_at = None if known is None else now.unix + max(1, int((known - now.unix) * _KNOWN_PART))
        told, self._told = self._told, found
        same = told is not None and told.known_until == known and _from(told, now.unix) == _from(found, now.unix)
        if same and not heard:  # what was heard may matter later, and is put on record with this telling
            return ()
        return (ScheduleChanged(found.segments, known, heard),)


def _matters(before: State, after: State) -> bool:
    return (
        before.cohorts != after.cohorts
        or before.programs != after.programs
        or before.events != after.events
        or before.offset_seconds != after.offset_seconds
    )


def _from(found: Forecast, now: int) -> list[Segment]:
    """The part of a forecast that lies ahead, so that two can be compared."""
    ahead = [one for one in found.segments if one.until is None or one.until > now]
    cut = [replace(one, since=max(one.since, now)) for one in ahead]
    return sorted(cut, key=lambda one: (one.since, one.force.mode, one.devices))
