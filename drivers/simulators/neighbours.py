"""What other simulators give, asked at their control doors: how a meter in one process sees devices in others."""

import asyncio
import contextlib
from typing import NoReturn

from wattseal.certs.errors import WattsealError
from wattseal.drivers.simulators.control import ControlClient

LOOK_SECONDS = 0.1


class Neighbours:
    """The power of the simulators behind some control ports, at most `LOOK_SECONDS` old.

    One whose door is closed gives nothing: it is switched off.
    """

    def __init__(self, control_ports: tuple[int, ...]) -> None:
        self._watts = dict.fromkeys(control_ports, 0.0)

    def watts(self, now: float) -> float:
        """Their sum; positive gives. `now` makes no difference: they run on clocks of their own."""
        del now
        return sum(self._watts.values())

    async def follow(self) -> None:
        """Look at all of them until cancelled."""
        async with asyncio.TaskGroup() as group:
            for port in self._watts:
                group.create_task(self._follow(port))

    async def _follow(self, port: int) -> NoReturn:
        while True:
            with contextlib.suppress(OSError, WattsealError):
                await self._listen(port)
            self._watts[port] = 0.0
            await asyncio.sleep(LOOK_SECONDS)

    async def _listen(self, port: int) -> NoReturn:
        async with ControlClient(port) as door:
            while True:
                truth = (await door.send(state=True))["state"]
                watts = truth.get("watts") if isinstance(truth, dict) else None
                self._watts[port] = float(watts) if isinstance(watts, int | float) else 0.0
                await asyncio.sleep(LOOK_SECONDS)
