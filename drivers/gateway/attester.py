"""Attester: from one picture of a device to the body of a sealed reading. Pure; seals and sends nothing itself.

What a device measured, and what it says it is doing, is told as it was read: integers with scale, unit, register and
quality. Judged here:

    a counter that fell, or that the device no longer gives: `suspect`, and not booked (a reading must never make
      energy out of a register that lost its memory); a counter that keeps counting from its new value for
      `RESET_READINGS` readings is taken to have been reset, and booked again from there
    a number that no database can count (a register that shows all ones, say): `suspect`, and not told
    a device that does not answer: its last values again, with quality `stale` and the time at which they were true
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from wattseal.certs.clock import Instant
from wattseal.drivers import testimony
from wattseal.drivers.commands import MOST_COUNT
from wattseal.drivers.device import DeviceState, Quality, Quantity
from wattseal.drivers.gateway.testifying import Frames, frames_of
from wattseal.drivers.testimony import Reading

RESET_READINGS: Final = 10
STALE: Final = "stale"
COUNTERS: Final = ("energy_injected_wh", "energy_absorbed_wh")
UNITS: Final = (
    ("watts", "W"),
    ("vars", "var"),
    ("volts", "V"),
    ("amps", "A"),
    ("hertz", "Hz"),
    ("energy_injected_wh", "Wh"),
    ("energy_absorbed_wh", "Wh"),
    ("soc_percent", "%"),
)
STATES: Final = (
    ("operating_state", "state"),
    ("connection_state", "state"),
    ("alarms", "bits"),
    ("mode_3_state", "state"),
)
"""What a device says of itself, by its profile's names of the points: codes, not measures (`docs/statements.md`)."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A reading's body, the raw frames behind it, and the counters it books."""

    reading: Reading
    frames: Frames
    counters: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class _Counter:
    """The last booked value in whole Wh, and what a fallen counter has shown since."""

    booked: int
    since_fall: int | None = None
    risen: int = 0


class Attester:
    """Attests one device. `counters` are the values booked by an earlier run."""

    def __init__(self, device: str, counters: tuple[tuple[str, int], ...] = ()) -> None:
        self._device = device
        self._counters = {name: _Counter(value) for name, value in counters}
        self._last: Attestation | None = None

    def attest(self, state: DeviceState, at: Instant) -> Attestation:
        """What `state`, read at `at`, says."""
        frames = frames_of(state.exchanges)
        quantities: list[testimony.Quantity] = []
        booked: list[tuple[str, int]] = []
        for name, unit in UNITS:
            read = _countable(getattr(state, name))
            quality = read.quality
            if name in COUNTERS:
                quality, value = self._judged(name, read)
                if value is not None:
                    booked.append((name, value))
            if read.mantissa is not None:
                quantities.append(
                    testimony.Quantity(name, read.mantissa, read.exponent, unit, str(quality), read.register)
                )
            elif name in self._counters and quality is Quality.SUSPECT:
                last = self._counters[name].booked
                quantities.append(testimony.Quantity(name, last, 0, unit, str(quality), read.register))
        quantities += _states_in(state)
        reading = Reading(self._device, tuple(quantities), at.unix_ms, at.unix_ms, frames.digest, str(at.quality))
        self._last = Attestation(reading, frames, tuple(booked))
        return self._last

    def stale(self, at: Instant) -> Attestation | None:
        """The last values once more, flagged stale; None where nothing was ever read."""
        if self._last is None:
            return None
        last = self._last.reading
        quantities = tuple(
            testimony.Quantity(q.name, q.value, q.scale, q.unit, STALE, q.register) for q in last.quantities
        )
        reading = Reading(self._device, quantities, last.from_ms, last.to_ms, last.frames_digest, str(at.quality))
        return Attestation(reading, self._last.frames, ())

    def _judged(self, name: str, read: Quantity) -> tuple[Quality, int | None]:
        """The counter's quality, and the value to book (None: nothing)."""
        counter = self._counters.get(name)
        whole = _whole(read)
        if read.quality is not Quality.GOOD or whole is None:
            return (read.quality if counter is None else Quality.SUSPECT), None
        if counter is None:
            self._counters[name] = _Counter(whole)
            return Quality.GOOD, whole
        if whole < counter.booked and not _reset(counter, whole):
            return Quality.SUSPECT, None
        counter.booked, counter.since_fall, counter.risen = whole, None, 0
        return Quality.GOOD, whole


def _states_in(state: DeviceState) -> list[testimony.Quantity]:
    """Each code as it was read; one that was not read is left out."""
    read = [(name, unit, state.point(name)) for name, unit in STATES]
    return [
        testimony.Quantity(name, one.mantissa, one.exponent, unit, str(one.quality), one.register)
        for name, unit, one in read
        if one.mantissa is not None and 0 <= one.mantissa < MOST_COUNT
    ]


def _countable(read: Quantity) -> Quantity:
    """The quantity, without a value that is beyond all counting, as read or in whole units."""
    if read.mantissa is None or max(abs(read.mantissa), abs(_whole(read) or 0)) < MOST_COUNT:
        return read
    return replace(read, mantissa=None, quality=Quality.SUSPECT)


def _reset(counter: _Counter, whole: int) -> bool:
    """Whether a fallen counter has by now counted on long enough from its new value."""
    steady = counter.since_fall is not None and whole >= counter.since_fall
    counter.risen = counter.risen + 1 if steady else 1
    counter.since_fall = whole
    return counter.risen > RESET_READINGS


def _whole(read: Quantity) -> int | None:
    """Whole units, rounded down: a counter never shows more than was counted."""
    if read.mantissa is None:
        return None
    return int(Fraction(read.mantissa) * Fraction(10) ** read.exponent // 1)
