"""The duties' errands on their way: one of a key at a time, repeated after growing pauses until the final word.

A duty is asked again when what was read changed, when its own time has come, and when nothing of what it last offered
can go. Times: monotonic for pauses, our unix seconds towards the duties.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from wattseal.certs.clock import Instant
from wattseal.protocols.ieee2030_5.client.duty import Duty, Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Silence
from wattseal.protocols.ieee2030_5.client.happenings import Happening
from wattseal.protocols.ieee2030_5.client.survey import Survey

FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 300.0
ASK_AGAIN_SECONDS: Final = 1.0
_PAUSES_KEPT: Final = 4096


@dataclass(slots=True)
class _Queue:
    """What one duty last offered, by key; and when it wants to be asked, as it said at `heard_at` (monotonic).

    `settled`: an errand had its end since. A duty looks at every device to say when, so it is asked once a second then.
    """

    duty: Duty
    offered: dict[tuple[str, ...], Errand] = field(default_factory=dict)
    stale: bool = True
    wake_at: int | None = None
    heard_at: float = float("-inf")
    settled: bool = False

    def hear(self, now: Instant) -> None:
        """Has the duty say when, if that may have changed and it was not asked just now."""
        if self.settled and now.monotonic >= self.heard_at + ASK_AGAIN_SECONDS:
            self.wake_at, self.heard_at, self.settled = self.duty.wake_at(now.unix), now.monotonic, False


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    seconds: float


class Errands:
    """The queues of all duties, in the order in which they are served."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._queues = [_Queue(duty) for duty in duties]
        self._under_way: set[tuple[str, ...]] = set()
        self._pauses: dict[tuple[str, ...], _Pause] = {}
        self._asked_at = float("-inf")
        self._nudged = False

    def ask_all(self, survey: Survey, now: Instant) -> None:
        """What was read changed: ask every duty anew."""
        self._asked_at, self._nudged = now.monotonic, False
        for queue in self._queues:
            _refill(queue, survey, now)

    def looked(self, survey: Survey, now: Instant, *, handed_in: bool) -> bool:
        """Time passed, or (`handed_in`) the deck may have given a duty something: ask anew, at most once a second.

        True if the duties were asked.
        """
        for queue in self._queues:
            queue.hear(now)
        self._nudged |= handed_in or any(one.wake_at is not None and one.wake_at <= now.unix for one in self._queues)
        if not self._nudged or now.monotonic < self._asked_at + ASK_AGAIN_SECONDS:  # as `wake_at` says, to the last bit
            return False
        self.ask_all(survey, now)
        return True

    def ask_anew(self, name: str) -> None:
        """This duty owes something else than before."""
        for queue in self._queues:
            queue.stale |= queue.duty.name == name

    def next(self, survey: Survey, now: Instant) -> Errand | None:
        """An errand that can go now; it is under way until `ended`."""
        for queue in self._queues:
            errand = self._startable(queue, now.monotonic)
            if errand is None and queue.stale:
                _refill(queue, survey, now)
                errand = self._startable(queue, now.monotonic)
            if errand is not None:
                self._under_way.add(errand.key)
                return errand
        return None

    def ended(
        self, errand: Errand, answer: Answer | Silence, now: Instant, reread: Callable[[str], None]
    ) -> tuple[Happening, ...]:
        """What came of an errand. `reread` is called with an address where a lost answer may hide a success."""
        self._under_way.discard(errand.key)
        queue = next((one for one in self._queues if one.duty.name == errand.key[0]), None)
        if queue is None:
            return ()
        queue.stale = True
        if isinstance(answer, Answer) and (answer.good or answer.final):
            self._pauses.pop(errand.key, None)
            queue.offered.pop(errand.key, None)
            queue.settled = True
            return queue.duty.settled(errand, answer, now.unix)
        self._pause(errand.key, now.monotonic, answer.retry_after_seconds if isinstance(answer, Answer) else None)
        if errand.reread:
            queue.offered.pop(errand.key, None)
            reread(errand.reread)
        return ()

    def unsent(self, errand: Errand) -> None:
        """It was never sent (the loop ended)."""
        self._under_way.discard(errand.key)

    def wake_at(self, now: Instant) -> float | None:
        """When something can go by the clock alone, monotonic seconds."""
        times = [self._asked_at + ASK_AGAIN_SECONDS] if self._nudged else []
        for queue in self._queues:
            queue.hear(now)
            if queue.settled:
                times.append(queue.heard_at + ASK_AGAIN_SECONDS)
            if queue.wake_at is not None:
                at = now.monotonic + queue.wake_at - now.unix_ms / 1000
                times.append(max(at, self._asked_at + ASK_AGAIN_SECONDS))
            if self._pauses:
                waiting = (key for key in queue.offered if key not in self._under_way)
                times += [self._pauses[key].until for key in waiting if key in self._pauses]
        return min(times, default=None)

    def _startable(self, queue: _Queue, now: float) -> Errand | None:
        for key, errand in queue.offered.items():
            if key in self._under_way:
                continue
            pause = self._pauses.get(key)
            if pause is None or pause.until <= now:
                return errand
        return None

    def _pause(self, key: tuple[str, ...], now: float, retry_after_seconds: int | None) -> None:
        before = self._pauses.get(key)
        seconds = FIRST_PAUSE_SECONDS if before is None else min(before.seconds * 2, LONGEST_PAUSE_SECONDS)
        if len(self._pauses) >= _PAUSES_KEPT:
            self._pauses.pop(next(iter(self._pauses)))
        wait = seconds if retry_after_seconds is None else max(float(retry_after_seconds), 0.0)
        self._pauses[key] = _Pause(now + wait, seconds)


def _refill(queue: _Queue, survey: Survey, now: Instant) -> None:
    queue.offered = {errand.key: errand for errand in queue.duty.due(survey, now.unix)}
    queue.stale = False
    queue.settled, queue.heard_at = True, float("-inf")
    queue.hear(now)
