"""What the gate must know of a device's recent past: last values, last change, reversals. Pure; monotonic seconds."""

from collections import deque
from typing import Final

from wattseal.drivers.device import DeviceState, Operation, Quality
from wattseal.drivers.gate.outcomes import LocalFacts

HOUR_SECONDS: Final = 3600.0


class History:
    """One device's past, as far as this run has seen it: a restart forgets reversals, never a live command."""

    def __init__(self) -> None:
        self._soc_permille: int | None = None
        self._watts: int | None = None
        self._commanded: tuple[Operation, int] | None = None
        self._last_change_at: float | None = None
        self._last_direction = 0
        self._reversals: deque[float] = deque()

    def measured(self, state: DeviceState) -> None:
        """Take note of a picture of the device."""
        if state.watts.quality is Quality.GOOD:
            self._watts = state.watts.rounded()
        soc = state.soc_percent
        if soc.quality is Quality.GOOD and soc.mantissa is not None:
            exponent = soc.exponent + 1
            self._soc_permille = soc.mantissa * 10**exponent if exponent >= 0 else soc.mantissa // 10**-exponent

    def commanded(self, now: float, operation: Operation, watts: int) -> None:
        """Take note of what was written to the device."""
        wish = None if operation is Operation.RELEASE else (operation, watts)
        if wish != self._commanded:
            self._commanded, self._last_change_at = wish, now
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
