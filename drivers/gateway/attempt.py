"""One attempt to bring a device to a wish: the frames, what became of them, and what that makes of the command.

Pure values and one judgement; the I/O is the executor's. A write whose effect is unknown is never repeated: the device
is read, and the truth is what it shows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from wattseal.certs.errors import WattsealError
from wattseal.drivers.device import Device, DeviceState, Operation, PlannedWrites, Value, WriteStep
from wattseal.drivers.gateway.rows import StepState
from wattseal.drivers.modbus.exchange import Effect, Exchange, LinkError
from wattseal.drivers.testimony import Result


@dataclass(frozen=True, slots=True)
class Plan:
    """`main` carries out the wish; `undone` takes back what the command before it left in another operation.

    What the wish overwrites anyhow is not taken back: two operations may share their registers.
    """

    main: PlannedWrites
    undone: tuple[PlannedWrites, ...] = ()

    @classmethod
    def of(cls, main: PlannedWrites, undone: Iterable[PlannedWrites]) -> "Plan":
        """The plan, less what `main` overwrites."""
        own = {place for step in main.steps for place in _places(step)}
        return cls(main, tuple(back for back in undone if not all(_places(step) <= own for step in back.steps)))

    @property
    def steps(self) -> tuple[WriteStep, ...]:
        """All frames, numbered through; the wish first, so that the device is never without one."""
        every = [step for planned in (self.main, *self.undone) for step in planned.steps]
        return tuple(replace(step, index=number) for number, step in enumerate(every))

    def reason(self, device: Device, before: DeviceState | None, after: DeviceState) -> str:
        """`applied`, or what the device shows instead."""
        for planned in (self.main, *self.undone):
            verdict = device.verify(planned, before, after, settled=False)
            if not verdict.applied:
                return verdict.reason
        return "applied"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What happened, as far as it got. `failure` is the first thing that went wrong before the read-back.

    `shown` is the reason that the read-back gives (`applied` when all is as planned), None when nothing could be read.
    `states` are the frames that may have left.
    """

    plan: Plan | None = None
    before: DeviceState | None = None
    after: DeviceState | None = None
    writes: tuple[Exchange, ...] = ()
    states: tuple[StepState, ...] = ()
    number: int = 0
    failure: WattsealError | None = None
    shown: str | None = None
    read_back_fault: str | None = None
    written_at: float = 0.0
    written_at_ms: int | None = None

    @property
    def touched(self) -> bool:
        """Whether a frame may have had effect."""
        return any(state in {StepState.SENT, StepState.DONE} for state in self.states)

    @property
    def applied(self) -> bool:
        """Whether the device shows what was planned."""
        return self.shown == "applied"

    @property
    def leaves_setting(self) -> bool:
        """Whether nothing was to be written: the device has no way back from what was set."""
        return self.plan is not None and self.plan.main.leaves_setting

    @property
    def over(self) -> bool:
        """Of a release or revert: whether nothing remains to be done."""
        return self.applied or self.leaves_setting

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All raw frames, in order."""
        before = () if self.before is None else self.before.exchanges
        after = () if self.after is None else self.after.exchanges
        return before + self.writes + after

    def judged(self) -> tuple[Result, str]:
        """Result and reason. Whether the wish was clamped is not judged here."""
        if self.applied:
            return Result.APPLIED, "applied"
        if self.leaves_setting:
            return Result.KEPT, "no_way_back"
        reason = self.failure.reason if self.failure is not None else (self.shown or self.read_back_fault or "")
        if self.touched:
            unseen = self.shown in {None, "read_back_missing"}
            return (Result.UNREACHABLE if unseen else Result.MISMATCH), reason
        if isinstance(self.failure, LinkError) and self.failure.reason != "device_exception":
            return Result.UNREACHABLE, reason
        return Result.REFUSED, reason


def _places(step: WriteStep) -> set[tuple[int, int]]:
    """Unit and address of each register that a step writes."""
    return {(step.unit, step.address + number) for number in range(len(step.words))}


def sent_state(failure: LinkError) -> StepState:
    """What is known of a frame whose write failed; a frame that surely did nothing and never left stays planned."""
    if failure.effect is Effect.NONE and not failure.request:
        return StepState.PLANNED
    return StepState.FAILED if failure.effect is Effect.NONE else StepState.SENT


def exchange_of(failure: LinkError) -> tuple[Exchange, ...]:
    """The frames of a failed write, as far as there were any."""
    return (Exchange(failure.request, failure.answer, ()),) if failure.request else ()


def shown_watts(state: DeviceState | None, operation: Operation) -> int | None:
    """The commanded value as the device shows it, or None."""
    control = None if state is None else state.control(operation)
    return None if control is None else control.watts.rounded()


def shown_value(state: DeviceState | None, operation: Operation) -> Value:
    """The value of another operation than power as the device shows it, in the form of an order's; or None."""
    control = None if state is None else state.control(operation)
    return None if control is None else control.value


def measured_watts(state: DeviceState | None) -> int | None:
    """The measured power, or None."""
    return None if state is None else state.watts.rounded()
