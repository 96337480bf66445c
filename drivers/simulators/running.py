"""A simulator brought up and taken down: device, server, control door and write log together, in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from wattseal.drivers.simulators.clock import Clock, SystemClock
from wattseal.drivers.simulators.control import LONGEST_LINE_BYTES, Control, ControlDoor
from wattseal.drivers.simulators.device import AdoptsCurves, Device
from wattseal.drivers.simulators.loopback import LoopbackListener
from wattseal.drivers.simulators.modbus_server import ModbusServer
from wattseal.drivers.simulators.responder import Responder
from wattseal.drivers.simulators.write_log import WriteLog

AnyDevice = TypeVar("AnyDevice", bound=Device)


@dataclass(frozen=True, slots=True)
class RunningDevice(Generic[AnyDevice]):
    """A device that answers on `port`; `control` steers it from this process, `control_port` from another.

    `failed` ends only when the simulator itself fails.
    """

    device: AnyDevice
    control: Control
    port: int
    control_port: int
    failed: asyncio.Future[None]


@asynccontextmanager
async def running_device(
    build: Callable[[float], AnyDevice],
    *,
    clock: Clock | None = None,
    port: int = 0,
    control_port: int = 0,
    write_log: Path | None = None,
) -> AsyncIterator[RunningDevice[AnyDevice]]:
    """Run what `build(now)` returns on loopback, with real sockets, until the block is left.

    Raises WorldError when a port or the write log cannot be opened; any later error of the simulator on leaving.
    """
    clock = clock or SystemClock()
    device = build(clock.monotonic())
    log = WriteLog(write_log)
    responder = Responder(device, clock, log)
    adopting: object = device
    if isinstance(adopting, AdoptsCurves):
        adopting.mishap = responder.faults.take_adoption
    control = Control(device, responder)
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    server = ModbusServer(responder, failed)
    door = LoopbackListener(ControlDoor(control).serve, failed, line_bytes=LONGEST_LINE_BYTES)
    log.open()
    try:
        await server.open(port)
        await door.open(control_port)
        yield RunningDevice(device, control, server.port, door.port, failed)
    finally:
        await door.close()
        await server.close()
        log.close()
        if not failed.done():
            failed.cancel()
    if not failed.cancelled():
        failed.result()
