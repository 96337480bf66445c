"""Receipts of one device's turn: what is stated, and what changes with it, in one commit. Pure.

`before` is the power measured before; `read back` is the commanded value as the device shows it (phases command and
lease), or the power measured (phases effect, revert and restart). `asked` is the order's value, `clamped` what the
gate and the device made of it. Of another function than power, asked, clamped and read-back stand in values of its
own, and `before` and `read back` are the power measured.

`applied` and `clamped` say that the device shows, to the last digit of its registers, what it was told, and so in watts
the value `clamped` (give or take one watt of rounding); the result `clamped` says besides that this is not what was
asked. Neither the order's tolerance nor the profile's loosens that. `effective` is true where the measured power lies
no further from the value `clamped` (for a limit: no further beyond it) than the greater of the two tolerances.
"""

from dataclasses import dataclass, field

from wattseal.certs.clock import Instant
from wattseal.certs.statement import Kind
from wattseal.drivers.commands import Function, Operation, Order, Value
from wattseal.drivers.device import DeviceState, PlannedWrites
from wattseal.drivers.gateway.attempt import Attempt, measured_watts, shown_value, shown_watts
from wattseal.drivers.gateway.rows import CommandState, StepState
from wattseal.drivers.gateway.testifying import Frames, Said, frames_of
from wattseal.drivers.modbus.exchange import Exchange
from wattseal.drivers.testimony import FunctionValues, Phase, Receipt, Result


@dataclass(slots=True)
class Live:
    """A command on its device. `watts` are what the gate allowed; `rule` is what clamped them, if anything did.

    Of another function than power the gate allows the order's own value, or nothing.

    `effect_at`: monotonic time at which the effect is to be measured. `restored`: found again after a restart.
    `complained`: the reason last stated for a revert that does not succeed. `shown`: what the device
    showed of it last.
    """

    digest: bytes
    order: Order
    watts: int
    rule: str | None = None
    planned: PlannedWrites | None = None
    heartbeats: int = 0
    effect_at: float | None = None
    restored: bool = False
    complained: str | None = None
    shown: DeviceState | None = None

    @property
    def value(self) -> Value:
        """What the device is to be asked for, in the form of an order's value."""
        return self.watts if self.order.function is Function.POWER else self.order.value

    @property
    def falls_short(self) -> bool:
        """Whether the device was asked for something else than the order says."""
        asked = self.order.watts if self.order.function is Function.POWER else self.order.value
        return self.planned is not None and self.planned.asks_for != asked

    @property
    def is_release(self) -> bool:
        """Whether it only undoes."""
        return self.order.operation is Operation.RELEASE


@dataclass(slots=True)
class Page:
    """Receipts about `device` made at `at`, and the rows that change with them."""

    device: str
    at: Instant
    said: list[Said] = field(default_factory=list)
    moves: list[tuple[bytes, CommandState]] = field(default_factory=list)
    steps: list[tuple[bytes, Phase, int, int, StepState]] = field(default_factory=list)
    frames: Frames | None = None

    def superseded(self, live: Live) -> None:
        """Another command of its function takes its place."""
        self._receipt(live, Phase.LEASE, Result.SUPERSEDED, "superseded", (None, None))
        self.moves.append((live.digest, CommandState.ENDED))

    def attempted(self, live: Live, attempt: Attempt, phase: Phase, result: Result, reason: str) -> None:
        """An attempt was made; `applied at` stands where the device showed what was planned."""
        power = live.order.function is Function.POWER
        show = shown_watts(attempt.after, live.order.operation) if phase is Phase.COMMAND and power else None
        measured = phase is not Phase.COMMAND or live.is_release or not power
        read_back = measured_watts(attempt.after) if measured else show
        self._receipt(
            live,
            phase,
            result,
            reason,
            (measured_watts(attempt.before), read_back),
            attempt.exchanges,
            shown=None if phase is Phase.REVERT else shown_value(attempt.after, live.order.operation),
            applied_at_ms=attempt.written_at_ms if attempt.applied else None,
        )

    def frames_sent(self, live: Live, attempt: Attempt, phase: Phase) -> None:
        """What became of the attempt's frames."""
        self.steps += [
            (live.digest, phase, attempt.number, number, state)
            for number, state in enumerate(attempt.states)
            if state is not StepState.PLANNED
        ]

    def observed(
        self,
        live: Live,
        phase: Phase,
        result: Result,
        reason: str,
        state: DeviceState | None = None,
        *,
        effective: bool | None = None,
    ) -> None:
        """The device was looked at, or could not be."""
        operation, power = live.order.operation, live.order.function is Function.POWER
        seen = shown_watts(state, operation) if phase is Phase.LEASE and power else measured_watts(state)
        exchanges = () if state is None else state.exchanges
        self._receipt(
            live,
            phase,
            result,
            reason,
            (None, seen),
            exchanges,
            shown=shown_value(state, operation),
            effective=effective,
        )

    def _receipt(
        self,
        live: Live,
        phase: Phase,
        result: Result,
        reason: str,
        watts: tuple[int | None, int | None],
        exchanges: tuple[Exchange, ...] = (),
        *,
        shown: Value = None,
        applied_at_ms: int | None = None,
        effective: bool | None = None,
    ) -> None:
        power = live.order.function is Function.POWER
        frames = frames_of(exchanges) if exchanges else None
        self.frames = frames or self.frames
        receipt = Receipt(
            self.device,
            phase,
            result,
            reason,
            watts[0],
            live.order.watts if power else None,
            (live.watts if live.planned is None else live.planned.clamped_watts) if power else None,
            watts[1],
            applied_at_ms,
            None if frames is None else frames.digest,
            live.heartbeats,
            str(self.at.quality),
            effective,
            of=None if power else _function_values(live, shown),
        )
        live.heartbeats = 0
        self.said.append(Said(Kind.RECEIPT, self.device, receipt.encode(), (live.digest,), self.at))


def _function_values(live: Live, shown: Value) -> FunctionValues:
    asked = live.order.value
    clamped = asked if live.planned is None or live.is_release else live.planned.asks_for
    return FunctionValues(live.order.function, asked, clamped, shown)
