"""What the gate must know of a device's recent past: last values, last change, reversals. Pure; monotonic seconds.

A restart must be no way around dwell, ramp and cycles. So what they rest on is kept (`encode`), in the same commit as
the receipt that tells of the change, and found again (`recall`). It is kept by the wall clock, for the monotonic one
may begin anew: what lies in the future then, or was kept when no clock could be trusted, counts as just now.
"""

from collections import deque
from typing import Final

from wattseal.certs import cbor
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.drivers.commands import BodyError
from wattseal.drivers.device import DeviceState, Operation, Quality
from wattseal.drivers.gate.outcomes import LocalFacts

HOUR_SECONDS: Final = 3600.0
MOST_MISSED: Final = 2
MOST_KEPT: Final = 1000  # more reversals in an hour no envelope allows


class History:
    """One device's past. `version` rises with every change of what is kept."""

    def __init__(self) -> None:
        self._soc_permille: int | None = None
        self._soc_missed = 0
        self._watts: int | None = None
        self._commanded: tuple[Operation, int] | None = None
        self._last_change_at: float | None = None
        self._last_direction = 0
        self._reversals: deque[float] = deque()
        self.version = 0

    def measured(self, state: DeviceState, *, whole: bool = True) -> None:
        """Take note of a picture of the device. `whole`: the state of charge was asked for.

        One that the device no longer gives is believed for `MOST_MISSED` such pictures, then it is unknown.
        """
        if state.watts.quality is Quality.GOOD:
            self._watts = state.watts.rounded()
        soc = state.soc_percent
        if soc.quality is Quality.GOOD and soc.mantissa is not None:
            exponent = soc.exponent + 1
            self._soc_permille = soc.mantissa * 10**exponent if exponent >= 0 else soc.mantissa // 10**-exponent
            self._soc_missed = 0
        elif whole:
            self._soc_missed += 1
            if self._soc_missed > MOST_MISSED:
                self._soc_permille = None

    def commanded(self, now: float, operation: Operation, watts: int) -> None:
        """Take note of what was written to the device."""
        wish = None if operation is Operation.RELEASE else (operation, watts)
        if wish != self._commanded:
            self._commanded, self._last_change_at = wish, now
            self.version += 1
        if operation is not Operation.SET_POWER or watts == 0:
            return
        direction = 1 if watts > 0 else -1
        if direction == -self._last_direction:
            self._reversals.append(now)
        self._last_direction = direction

    def facts(
        self, now: float, *, available: bool, storage_low: bool, pending: tuple[tuple[Operation, int], ...] = ()
    ) -> LocalFacts:
        """The facts at `now`; `pending` was accepted and is not carried out yet."""
        while self._reversals and now - self._reversals[0] >= HOUR_SECONDS:
            self._reversals.popleft()
        return LocalFacts(
            soc_permille=self._soc_permille,
            watts=self._watts,
            available=available,
            storage_low=storage_low,
            commanded=self._commanded,
            last_change_at=self._last_change_at,
            last_direction=self._last_direction,
            cycles_in_hour=len(self._reversals),
            pending=pending,
        )

    def encode(self, at: Instant) -> bytes:
        """{1: [operation, watts] / null, 2: changed at ms / null, 3: direction, 4: [ms of a reversal, ...]}"""

        def wall(monotonic: float) -> int:
            return at.unix_ms - int((at.monotonic - monotonic) * 1000)

        return cbor.encode(
            {
                1: None if self._commanded is None else (str(self._commanded[0]), self._commanded[1]),
                2: None if self._last_change_at is None else wall(self._last_change_at),
                3: self._last_direction,
                4: tuple(wall(when) for when in list(self._reversals)[-MOST_KEPT:]),
            }
        )

    def recall(self, raw: bytes, at: Instant) -> None:
        """Take up what an earlier run kept. Raises `BodyError` (`past_malformed`) or `CborError`."""

        def monotonic(unix_ms: int) -> float:
            age_ms = 0 if at.quality is ClockQuality.UNTRUSTED else at.unix_ms - unix_ms
            return at.monotonic - max(0, age_ms) / 1000

        match cbor.decode(raw):
            case {1: commanded, 2: (int() | None) as changed, 3: int(sign), 4: [*reversals]}:
                self._commanded = _wish(commanded)
                self._last_change_at = None if changed is None else monotonic(changed)
                self._last_direction = sign
                self._reversals = deque(monotonic(when) for when in reversals if isinstance(when, int))
            case _:
                raise _damaged()


def _wish(value: cbor.Value) -> tuple[Operation, int] | None:
    match value:
        case None:
            return None
        case [str(operation), int(watts)] if operation in set(Operation):
            return Operation(operation), watts
    raise _damaged()


def _damaged() -> BodyError:
    return BodyError("past_malformed", "What the gateway kept of a device is damaged; restore its database.")
