"""The hand: one attempt on one device. Read before, plan, journal, write each frame once, read back.

Every fault of the device or the link ends in the attempt's value, none is raised: what it means for the command is
judged elsewhere. A frame leaves only after it is in the journal, and never twice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from wattseal.certs.clock import TrustedClock
from wattseal.certs.errors import WattsealError
from wattseal.certs.storage import StorageError
from wattseal.drivers.device import (
    AdoptionError,
    DeviceState,
    Function,
    Operation,
    Scope,
    UnsupportedError,
    Value,
    Wish,
)
from wattseal.drivers.gateway.attempt import Attempt, Plan, exchange_of, sent_state
from wattseal.drivers.gateway.rows import StepState
from wattseal.drivers.gateway.station import FAULTS, Station
from wattseal.drivers.gateway.store import GatewayStore
from wattseal.drivers.modbus.exchange import Exchange, LinkError
from wattseal.drivers.testimony import Phase

LONGEST_TIMER_SECONDS: Final = 900


class TooLateError(WattsealError):
    """The event or the lease is over before the frames could be written (`window_over`)."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What an attempt is for. `timer_seconds` is asked as late as possible; 0 seconds are too late for a timer.

    `value` is of `operation`, which is of `function` (of a release: which it ends). `undone`: operations of the same
    function that an earlier command left in force. `before_writing` must be done before a frame leaves.
    """

    command: bytes
    phase: Phase
    operation: Operation
    value: Value
    function: Function
    timer_seconds: Callable[[], int]
    undone: tuple[Operation, ...] = ()
    read_first: bool = False
    before_writing: Awaitable[object] | None = None


class Hand:
    """Carries out attempts on one device."""

    def __init__(self, station: Station, store: GatewayStore, clock: TrustedClock) -> None:
        self._station = station
        self._store = store
        self._clock = clock

    async def attempt(self, aim: Aim) -> Attempt:
        """Do it, as far as it goes."""
        begun = Attempt()
        try:
            begun = replace(begun, before=await self._station.read(Scope.CONTROL, frozenset({aim.function})))
            if aim.before_writing is not None:
                await aim.before_writing
            plan = await self._plan(aim, begun.before)
            begun = replace(begun, plan=plan)
            if plan.main.leaves_setting:
                return replace(begun, after=begun.before)
            if aim.read_first and self._shown(begun, begun) == "applied":
                return replace(begun, after=begun.before, shown="applied", written_at_ms=self._clock.now().unix_ms)
            number = await self._store.plan(aim.command, aim.phase, plan.steps, timer_seconds=plan.main.timer_seconds)
        except (*FAULTS, UnsupportedError, TooLateError, StorageError) as failure:
            return replace(begun, failure=failure)
        written = await self._write(replace(begun, number=number))
        return await self._read_back(written, aim.function) if written.touched else written

    async def _plan(self, aim: Aim, shown: DeviceState | None) -> Plan:
        capabilities = await self._station.ready()
        device = self._station.device
        seconds = aim.timer_seconds()
        if aim.operation is Operation.RELEASE:
            return Plan(device.steps_for(capabilities, Wish(Operation.RELEASE, 0, 0, function=aim.function)))
        if seconds <= 0:
            raise _too_late()
        main = device.steps_for(capabilities, Wish(aim.operation, aim.value, seconds), shown)
        if (main.timer_seconds or 0) > seconds:
            raise _too_late()
        releases = (Wish(Operation.RELEASE, 0, 0, operation, aim.function) for operation in aim.undone)
        return Plan.of(main, [device.steps_for(capabilities, wish) for wish in releases])

    async def _write(self, begun: Attempt) -> Attempt:
        steps = () if begun.plan is None else begun.plan.steps
        states = [StepState.PLANNED] * len(steps)
        writes: list[Exchange] = []
        failure: LinkError | AdoptionError | None = None
        started = self._clock.now().monotonic
        for step in steps:
            try:
                writes.append(await self._station.write(step))
            except LinkError as fault:
                failure, states[step.index] = fault, sent_state(fault)
                writes.extend(exchange_of(fault))
                break
            states[step.index] = StepState.DONE
            if step.adoption is None:
                continue
            try:
                writes.extend(await self._station.adopted(step.adoption))
            except (LinkError, AdoptionError) as fault:
                failure = fault
                writes.extend(exchange_of(fault) if isinstance(fault, LinkError) else fault.exchanges)
                break
        return replace(
            begun,
            writes=tuple(writes),
            states=tuple(states),
            failure=failure,
            written_at=started,
            written_at_ms=self._clock.now().unix_ms,
        )

    async def _read_back(self, written: Attempt, function: Function) -> Attempt:
        try:
            after = await self._station.read(Scope.CONTROL, frozenset({function}))
        except FAULTS as fault:
            return replace(written, read_back_fault=fault.reason)
        seen = replace(written, after=after)
        return replace(seen, shown=self._shown(seen, replace(seen, before=after)))

    def _shown(self, begun: Attempt, seen: Attempt) -> str | None:
        if begun.plan is None or seen.before is None:
            return None
        return begun.plan.reason(self._station.device, begun.before, seen.before)


def _too_late() -> TooLateError:
    return TooLateError("window_over", "Too little is left of the event to arm the device's timer.")
