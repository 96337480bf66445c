"""One worker per device: what is due on it, one thing after another. A hung device holds up nobody else.

Order of what is due: a new command, then whether the envelope still permits the live one (so what a sample or an effect
has shown is acted upon before anything else), then what the lease demands (revert, heartbeat), then the effect, then
the sample.
`turn` does one of them and returns; `run` is the only loop, and sleeps until `wake_at` or until it is called.
"""

import asyncio
import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from wattseal.certs.clock import Instant
from wattseal.certs.errors import WattsealError
from wattseal.certs.statement import Kind
from wattseal.drivers.device import Scope
from wattseal.drivers.gate.leases import Heartbeat, Revert, Standing
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.gateway.attester import Attestation, Attester
from wattseal.drivers.gateway.executor import Bench, Executor, Work
from wattseal.drivers.gateway.history import History
from wattseal.drivers.gateway.receipts import Live
from wattseal.drivers.gateway.station import FAULTS, Station
from wattseal.drivers.gateway.testifying import Said

PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0
RESTART_GRACE_SECONDS: Final = 60.0
LOOK_AGAIN_SECONDS: Final = 5.0  # a device that failed is unavailable to the gate until it is seen again
_log: Final = structlog.get_logger("gateway.worker")


class Worker:
    """All that happens on one device. `looked` is set once it was sampled, or could not be."""

    def __init__(self, bench: Bench, station: Station, attester: Attester) -> None:
        self._bench = bench
        self._station = station
        self._attester = attester
        self._history = History()
        self.executor = Executor(bench, station, self._history)
        self.device = station.row.device
        self._queue: list[Work] = []
        self._doing: tuple[Work, ...] = ()
        self._restored: tuple[tuple[Live, ...], float] | None = None
        self._called = asyncio.Event()
        self.looked = asyncio.Event()
        self._sample_at = 0.0
        self._told_at = -math.inf
        self._not_before = 0.0

    def enqueue(self, work: Work) -> None:
        """A newly accepted command; it overtakes those that wait."""
        self._queue.append(work)
        self.call()

    def restore(self, lives: Sequence[Live], grace_seconds: float) -> None:
        """Commands that an earlier run left open, in the order they were accepted; the first thing to be done."""
        self._restored = (tuple(lives), grace_seconds)

    def call(self) -> None:
        """Something changed: look again what is due."""
        self._called.set()

    def facts(self, now: float) -> LocalFacts:
        """What the gate must know of the device; what waits, is found open or is being written counts already."""
        restored = () if self._restored is None else self._restored[0]
        lives = (*restored, *(work.live for work in (*self._doing, *self._queue)))
        return self._history.facts(
            now,
            available=self._station.fault is None,
            storage_low=self._bench.store.storage_low,
            pending=tuple((live.order.operation, live.watts) for live in lives),
        )

    def wake_at(self) -> float:
        """The monotonic time at which `turn` next has something to do."""
        now = self._bench.clock.now().monotonic
        if self._queue or self._restored is not None:
            return self._not_before
        live = self.executor.live
        times = [self._next_look(), self._bench.leases.wake_at(self.device, now)]
        times.append(None if live is None else live.effect_at)
        return max(self._not_before, min(at for at in times if at is not None))

    async def turn(self) -> bool:
        """Do the first thing that is due; False where nothing is."""
        at = self._bench.clock.now()
        if at.monotonic < self._not_before:
            return False
        try:
            return await self._one(at)
        except WattsealError as error:
            _log.error("turn_failed", device=self.device, reason=error.reason, sentence=error.sentence)
        except Exception:  # noqa: BLE001 - a fault of ours at one device must not end the others; told with its traceback
            _log.exception("turn_broke", device=self.device)
        self._not_before = at.monotonic + PAUSE_AFTER_FAILURE_SECONDS
        return True

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._called.clear()
            while await self.turn():
                pass
            pause = self.wake_at() - self._bench.clock.now().monotonic
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, pause)):
                    await self._called.wait()

    async def _one(self, at: Instant) -> bool:
        if self._restored is not None:
            (*older, live), grace = self._restored
            self._restored = None
            await self.executor.restart(live, older, grace)
            return True
        if self._queue:
            *older_work, newest = self._queue
            self._queue, self._doing = [], (newest,)
            try:
                await self.executor.carry_out(newest, older_work)
            finally:
                self._doing = ()
            return True
        self.executor.end_outgrown()
        match self._bench.leases.due(self.device, at.monotonic):
            case Revert() as due:
                await self.executor.revert(due)
                return True
            case Heartbeat() as beat:
                await self.executor.beat(beat)
                return True
        live_now = self.executor.live
        if live_now is not None and live_now.effect_at is not None and at.monotonic >= live_now.effect_at:
            await self.executor.measure_effect()
            return True
        if at.monotonic >= self._next_look():
            await self._sample(at)
            return True
        return False

    def _next_look(self) -> float:
        if self._station.fault is None:
            return self._sample_at
        return min(self._sample_at, self._station.fault_at + LOOK_AGAIN_SECONDS)

    async def _sample(self, at: Instant) -> None:
        self._sample_at = at.monotonic + self._station.row.sampling_seconds
        lease = self._bench.leases.lease(self.device)
        fed = lease is not None and lease.standing is Standing.FED
        state = None
        attestation: Attestation | None
        try:
            state = await self._station.read(Scope.FULL if fed else Scope.METERING)
        except FAULTS as fault:
            _log.warning("sample_failed", device=self.device, reason=fault.reason)
            due = at.monotonic >= self._told_at + self._station.row.sampling_seconds
            attestation = self._attester.stale(self._bench.clock.now()) if due else None
        else:
            self._history.measured(state)
            attestation = self._attester.attest(state, self._bench.clock.now())
        self.looked.set()
        if attestation is not None:
            self._told_at = at.monotonic
            await self._tell(attestation)
        if state is not None and fed:
            await self.executor.check(state)

    async def _tell(self, attestation: Attestation) -> None:
        at = self._bench.clock.now()
        said = Said(Kind.READING, self.device, attestation.reading.encode(), (), at)
        past = self.executor.past(at)
        sealed = await self._bench.store.book(said, attestation.frames, self.device, attestation.counters, past)
        if sealed is not None:
            self.executor.note_kept()
            self._bench.announce((sealed,))


def local_facts(workers: Mapping[str, Worker], monotonic: float) -> Mapping[str, LocalFacts]:
    """What is known of every device at `monotonic`."""
    return {name: worker.facts(monotonic) for name, worker in workers.items()}
