"""Averages over a period, in integers: what mirror metering posts. Pure; knows no wire form.

A value is the arithmetic mean of the samples of the period, rounded to the nearest integer, a half to the even one, so
that many periods together do not drift. The period is told only as far as it was looked at: the first one after a gap
begins with its first sample.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wattseal.protocols.ieee2030_5.client.measured import Measured


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of our time, `end` outside, and what was measured in it, in the order of time."""

    start: int
    end: int
    samples: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class Average:
    """A value over a stretch of time, and the digests of the readings it rests on."""

    start: int
    seconds: int
    value: int
    evidence: tuple[bytes, ...]


def mean(values: Sequence[int]) -> int:
    """The mean of at least one integer, to the nearest integer, a half to the even one."""
    count = len(values)
    whole, rest = divmod(sum(values), count)
    return whole + (2 * rest > count or (2 * rest == count and whole % 2 == 1))


def average(window: Window, quantity: Callable[[Measured], int | None]) -> Average | None:
    """The average of a quantity over a window; None where it was not measured."""
    known = [(one, value) for one in window.samples if (value := quantity(one)) is not None]
    if not known:
        return None
    evidence = tuple(dict.fromkeys(one.evidence for one, _ in known if one.evidence))
    return Average(window.start, window.end - window.start, mean([value for _, value in known]), evidence)


def last(window: Window, quantity: Callable[[Measured], int | None]) -> Average | None:
    """The last value of a quantity in a window, as of its own second (zero seconds long); None where it has none."""
    for one in reversed(window.samples):
        value = quantity(one)
        if value is not None:
            return Average(one.at, 0, value, (one.evidence,) if one.evidence else ())
    return None


def total(parts: Sequence[Average | None]) -> Average | None:
    """The sum over several devices; None unless every one of them was measured over the same stretch of time."""
    known = [one for one in parts if one is not None]
    if not known or len(known) != len(parts) or len({(one.start, one.seconds) for one in known}) > 1:
        return None
    evidence = tuple(dict.fromkeys(digest for one in known for digest in one.evidence))
    return Average(known[0].start, known[0].seconds, sum(one.value for one in known), evidence)


class Collector:
    """The samples of one meter, cut into windows that begin at whole multiples of the period by the server's clock."""

    def __init__(self) -> None:
        self._samples: list[Measured] = []
        self._closed_until: int | None = None
        self._covered_until: int | None = None

    def take(self, measured: Measured) -> None:
        """A sample, in any order. One that falls into a window that is closed comes too late and is passed over."""
        if self._closed_until is None or measured.at >= self._closed_until:
            self._samples.append(measured)
            self._samples.sort(key=lambda one: one.at)

    def next_close(self, period_seconds: int, offset_seconds: int) -> int | None:
        """When the window that holds the oldest sample ends, in our time; None where there is no sample."""
        if not self._samples:
            return None
        return _end_of(self._samples[0].at, period_seconds, offset_seconds)

    def close(self, now: int, period_seconds: int, offset_seconds: int) -> tuple[Window, ...]:
        """The windows that have ended and hold samples. What is cut off is forgotten here."""
        found = []
        while (end := self.next_close(period_seconds, offset_seconds)) is not None and end <= now:
            inside = tuple(one for one in self._samples if one.at < end)
            start = end - period_seconds
            if self._covered_until is None or self._covered_until < start:
                start = inside[0].at
            start = max(start, self._closed_until or start)
            found.append(Window(start, end, inside))
            self._samples = self._samples[len(inside) :]
            self._closed_until = self._covered_until = end
        return tuple(found)


def _end_of(at: int, period_seconds: int, offset_seconds: int) -> int:
    beat = (at + offset_seconds) // period_seconds + 1
    return beat * period_seconds - offset_seconds
