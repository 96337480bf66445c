"""The control door: newline-separated JSON on a second loopback port, by which tests and the demo steer the simulator.

One request line, one answer line: `{"ok":true,...}` or `{"ok":false,"error":REASON,"message":SENTENCE}`. Nothing that
is sent here can take the device down. Requests, exactly one verb each:

    {"fault":"silent","count":3,"scope":"writes","address":[40310,40320],"unit":1,"skip":0,"effect":false}
        besides "seconds" (slow), "code" (exception), "registers" (short); see faults.Fault. The "adopt_..." kinds
        befall the adoption of a curve, whose request lies in "address"; they take "count", "skip" and "address" only
    {"clear":true}                  all faults off
    {"state":true}                  the truth of the physics, the active faults, the traffic, the time
    {"set":{"soc_percent":10}}      change the world around the device; see settings
    {"clock":{"advance":60}}        only on a virtual clock
"""

import asyncio
import contextlib
from dataclasses import asdict
from typing import Literal, Self

import msgspec

from wattseal.certs.errors import MisuseError, WattsealError, WorldError
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.device import Device, Truth
from wattseal.drivers.simulators.faults import Fault, FaultKind, Scope
from wattseal.drivers.simulators.loopback import LOOPBACK
from wattseal.drivers.simulators.responder import Responder

LONGEST_LINE_BYTES = 65_536


class ClockStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far to move a virtual clock, in seconds."""

    advance: float


class ControlRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line at the door: one of the verbs, and the details that belong to `fault`."""

    fault: FaultKind | None = None
    clear: Literal[True] | None = None
    state: Literal[True] | None = None
    set: dict[str, object] | None = None
    clock: ClockStep | None = None
    scope: Scope = Scope.ALL
    count: int | None = None
    skip: int = 0
    address: tuple[int, int] | None = None
    unit: int | None = None
    effect: bool | None = None
    seconds: float = 1.0
    code: int = 4
    registers: int | None = None


TOO_LONG = b'{"ok":false,"error":"bad_request","message":"A request is one line of at most 64 KiB."}\n'
VERBS = ("fault", "clear", "state", "set", "clock")


class Control:
    """Steers one device, in process or for the door. All methods raise MisuseError and then change nothing."""

    def __init__(self, device: Device, responder: Responder) -> None:
        self._device = device
        self._responder = responder
        self._clock = responder.clock

    def fault(self, fault: Fault) -> None:
        """Switch a fault on, behind those already on."""
        self._responder.faults.add(fault)

    def clear(self) -> None:
        """Switch all faults off."""
        self._responder.faults.clear()

    def state(self) -> dict[str, Truth]:
        """The device's truth and, beside it, `faults`, `traffic`, `monotonic` and `t`."""
        now = self._clock.monotonic()
        return self._device.state(now) | {
            "device": self._device.name,
            "faults": [msgspec.to_builtins(asdict(fault)) for fault in self._responder.faults.active],
            "traffic": dict(asdict(self._responder.traffic)),
            "write_log_lines": self._responder.log.lines,
            "monotonic": now,
            "t": self._clock.utc().isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }

    def set(self, **values: object) -> None:
        """Change the world around the device."""
        self._device.set(values, self._clock.monotonic())

    def advance(self, seconds: float) -> None:
        """Move a virtual clock on; the physics follow at once."""
        if not isinstance(self._clock, VirtualClock):
            raise MisuseError("real_clock", "This door moves a clock of its own alone; start the simulator with one.")
        self._device.state(self._clock.advance(seconds))

    def answer(self, line: bytes) -> bytes:
        """One request line to one answer line; every mistake in the request becomes an answer."""
        try:
            told = self._obey(_parse(line))
        except WattsealError as error:
            return msgspec.json.encode({"ok": False, "error": error.reason, "message": error.sentence}) + b"\n"
        return msgspec.json.encode({"ok": True, **told}) + b"\n"

    def _obey(self, request: ControlRequest) -> dict[str, Truth]:
        if request.fault is not None:
            self.fault(_fault(request, request.fault))
        elif request.clear:
            self.clear()
        elif request.set is not None:
            self._device.set(request.set, self._clock.monotonic())
        elif request.clock is not None:
            self.advance(request.clock.advance)
        else:
            return {"state": self.state()}
        return {}


def _parse(line: bytes) -> ControlRequest:
    try:
        request = msgspec.json.decode(line, type=ControlRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MisuseError("bad_request", f"Not a request of this door: {error}.") from error
    named = [verb for verb in VERBS if getattr(request, verb) is not None]
    if len(named) != 1:
        raise MisuseError("bad_request", f"Name exactly one of {', '.join(VERBS)}.")
    if named != ["fault"] and len(msgspec.to_builtins(request)) != 1:
        raise MisuseError("bad_request", f"Only a fault takes details; send {named[0]} alone.")
    return request


def _fault(request: ControlRequest, kind: FaultKind) -> Fault:
    return Fault(
        kind,
        scope=request.scope,
        count=request.count,
        skip=request.skip,
        address=request.address,
        unit=request.unit,
        effect=request.effect,
        seconds=request.seconds,
        code=request.code,
        registers=request.registers,
    )


class ControlDoor:
    """Speaks for a control on each connection of a listener (its `line_bytes` must be LONGEST_LINE_BYTES)."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer lines until the peer goes; one that sends an endless line is told so and hung up on."""
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return
            except asyncio.LimitOverrunError:
                line = b""
            writer.write(self._control.answer(line) if line else TOO_LONG)
            await writer.drain()
            if not line:
                writer.close()
                await writer.wait_closed()


class ControlClient:
    """The other end of the door, for tests and the demo. Use as `async with ControlClient(port) as control`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(LOOPBACK, self._port, limit=1 << 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    async def send(self, **request: object) -> dict[str, Truth]:
        """The answer to one request, such as `send(fault="silent", count=3)`.

        Raises MisuseError with the door's reason when it refuses, WorldError `control_gone` when it is gone.
        """
        if self._writer is None or self._reader is None:
            raise MisuseError("control_closed", "Open the control client with `async with` first.")
        try:
            self._writer.write(msgspec.json.encode(request) + b"\n")
            line = await self._reader.readuntil(b"\n")
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise WorldError("control_gone", "The simulator closed its control door; is it still running?") from error
        answer: dict[str, Truth] = msgspec.json.decode(line)
        if answer.pop("ok") is not True:
            raise MisuseError(str(answer["error"]), str(answer["message"]))
        return answer
