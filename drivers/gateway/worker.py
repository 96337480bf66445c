"""One worker per device: what is due on it, one thing after another. A hung device holds up nobody else.

A device is one link, so its functions take turns; each has an executor of its own, made when it is first used. Order of
what is due: a new command (of those that wait, one to energize or to cease first), then whether the envelope still
permits the live ones (so what a sample or an effect has shown is acted upon before anything else), then what the leases
demand (reverts, then heartbeats), then an effect, then the sample.
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
from wattseal.drivers.commands import Function, Seat
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
        self._executors: dict[Function, Executor] = {}
        self.device = station.row.device
        self._queue: list[Work] = []
        self._doing: tuple[Work, ...] = ()
        self._restored: list[tuple[tuple[Live, ...], float]] = []
        self._called = asyncio.Event()
        self.looked = asyncio.Event()
        self._sample_at = 0.0
        self._told_at = -math.inf
        self._not_before = 0.0

    @property
    def executor(self) -> Executor:
        """That of the power function, which every device has."""
        return self.executor_of(Function.POWER)

    def executor_of(self, function: Function) -> Executor:
        """That of `function`."""
        if function not in self._executors:
            self._executors[function] = Executor(self._bench, self._station, self._history, function)
        return self._executors[function]

    def enqueue(self, work: Work) -> None:
        """A newly accepted command; it overtakes those that wait."""
        self._queue.append(work)
        self.call()

    def restore(self, lives: Sequence[Live], grace_seconds: float) -> None:
        """Commands of one function that an earlier run left open, in the order they were accepted; to be done first."""
        self._restored.append((tuple(lives), grace_seconds))

    def call(self) -> None:
        """Something changed: look again what is due."""
        self._called.set()

    def facts(self, now: float) -> LocalFacts:
        """What the gate must know of the device; what waits, is found open or is being written counts already."""
        restored = (live for lives, _ in self._restored for live in lives)
        lives = (*restored, *(work.live for work in (*self._doing, *self._queue)))
        return self._history.facts(
            now,
            available=self._station.fault is None,
            storage_low=self._bench.store.storage_low,
            pending=tuple(
                (live.order.operation, live.watts) for live in lives if live.order.function is Function.POWER
            ),
        )

    def wake_at(self) -> float:
        """The monotonic time at which `turn` next has something to do."""
        now = self._bench.clock.now().monotonic
        if self._queue or self._restored:
            return self._not_before
        times: list[float | None] = [self._next_look()]
        for function, executor in self._executors.items():
            times.append(self._bench.leases.wake_at(Seat(self.device, function), now))
            times.append(None if executor.live is None else executor.live.effect_at)
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
        if self._restored:
            (*older, live), grace = self._restored.pop(0)
            await self.executor_of(live.order.function).restart(live, older, grace)
            return True
        if self._queue:
            await self._next_command()
            return True
        for executor in self._executors.values():
            executor.end_outgrown()
        if await self._demanded(at.monotonic) or await self._effect(at.monotonic):
            return True
        if at.monotonic >= self._next_look():
            await self._sample(at)
            return True
        return False

    async def _next_command(self) -> None:
        """The newest that waits of one function; those before it, of the same function, were overtaken."""
        waiting = (work.live.order.function for work in self._queue)
        function = min(waiting, key=lambda one: one is not Function.ENERGIZE)  # of equals, the first that came
        *older, newest = [work for work in self._queue if work.live.order.function is function]
        self._queue = [work for work in self._queue if work.live.order.function is not function]
        self._doing = (newest,)
        try:
            await self.executor_of(function).carry_out(newest, older)
        finally:
            self._doing = ()

    async def _demanded(self, now: float) -> bool:
        """What a lease demands: a revert of any function goes before a heartbeat of another."""
        due = [(self._bench.leases.due(Seat(self.device, one), now), one) for one in self._executors]
        for action, function in sorted(due, key=lambda item: not isinstance(item[0], Revert)):
            match action:
                case Revert():
                    await self.executor_of(function).revert(action)
                    return True
                case Heartbeat():
                    await self.executor_of(function).beat(action)
                    return True
        return False

    async def _effect(self, now: float) -> bool:
        for executor in self._executors.values():
            if executor.live is not None and executor.live.effect_at is not None and now >= executor.live.effect_at:
                await executor.measure_effect()
                return True
        return False

    def _next_look(self) -> float:
        if self._station.fault is None:
            return self._sample_at
        return min(self._sample_at, self._station.fault_at + LOOK_AGAIN_SECONDS)

    async def _sample(self, at: Instant) -> None:
        self._sample_at = at.monotonic + self._station.row.sampling_seconds
        fed = [function for function in self._executors if self._is_fed(function)]
        state = None
        attestation: Attestation | None
        try:
            state = await self._station.read(Scope.FULL if fed else Scope.METERING, frozenset(fed))
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
        for function in fed:
            if state is not None:
                await self.executor_of(function).check(state)

    def _is_fed(self, function: Function) -> bool:
        lease = self._bench.leases.lease(Seat(self.device, function))
        return lease is not None and lease.standing is Standing.FED

    async def _tell(self, attestation: Attestation) -> None:
        at = self._bench.clock.now()
        said = Said(Kind.READING, self.device, attestation.reading.encode(), (), at)
        past = [row for one in self._executors.values() if (row := one.past(at)) is not None]
        sealed = await self._bench.store.book(said, attestation.frames, self.device, attestation.counters, past)
        if sealed is not None:
            for one in self._executors.values():
                one.note_kept()
            self._bench.announce((sealed,))


def local_facts(workers: Mapping[str, Worker], monotonic: float) -> Mapping[str, LocalFacts]:
    """What is known of every device at `monotonic`."""
    return {name: worker.facts(monotonic) for name, worker in workers.items()}
