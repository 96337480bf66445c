"""One request frame in, one reply out: the device's answer, spoiled by whatever fault is switched on. No sockets.

The effect of a write, the choice of its fault and its line in the write log happen in one stretch without a pause, and
before any byte of the answer exists: nobody can see an effect, or an answer, whose line is not on disk.
"""

from dataclasses import dataclass, field

from wattseal.drivers.simulators.clock import Clock
from wattseal.drivers.simulators.device import RegisterMap
from wattseal.drivers.simulators.faults import Fault, FaultBoard, FaultKind
from wattseal.drivers.simulators.modbus_frames import (
    MBAP_BYTES,
    WRITING_FUNCTIONS,
    ExceptionCode,
    Frame,
    ModbusFault,
    ReadRequest,
    WriteRequest,
    exception_answer,
    parse_request,
    read_answer,
    to_frame,
    write_answer,
)
from wattseal.drivers.simulators.write_log import WriteLog, WriteRecord


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to send after a delay; with `drop` the connection is closed instead."""

    data: bytes = b""
    delay_seconds: float = 0.0
    drop: bool = False


@dataclass(slots=True)
class Traffic:
    """How many connections and frames arrived since the start."""

    connections: int = 0
    requests: int = 0
    reads: int = 0
    writes: int = 0


@dataclass(slots=True)
class Responder:
    """Answers frames for one device."""

    device: RegisterMap
    clock: Clock
    log: WriteLog
    faults: FaultBoard = field(default_factory=FaultBoard)
    traffic: Traffic = field(default_factory=Traffic)

    def respond(self, frame: Frame) -> Reply:
        """Raises WorldError when the write log fails; every other outcome is a reply."""
        request = parse_request(frame.pdu)
        if frame.function not in self.device.functions:
            request = ModbusFault(ExceptionCode.ILLEGAL_FUNCTION)
        writes = frame.function in WRITING_FUNCTIONS
        self._count(writes=writes)
        first, last = _span(request)
        fault = self.faults.take(frame.unit, writes=writes, first=first, last=last)
        pdu = self._write(frame, request, fault) if writes else self._read(frame, request, fault)
        return _spoil(frame, request, pdu, fault)

    def _count(self, *, writes: bool) -> None:
        self.traffic.requests += 1
        if writes:
            self.traffic.writes += 1
        else:
            self.traffic.reads += 1

    def _read(self, frame: Frame, request: ReadRequest | WriteRequest | ModbusFault, fault: Fault | None) -> bytes:
        if fault is not None and fault.kind is FaultKind.EXCEPTION:
            return exception_answer(frame.function, fault.code)
        if not isinstance(request, ReadRequest):
            code = request.code if isinstance(request, ModbusFault) else ExceptionCode.ILLEGAL_FUNCTION
            return exception_answer(frame.function, code)
        now = self.clock.monotonic()
        words = self.device.read(frame.unit, request.function, request.address, request.count, now)
        if isinstance(words, ModbusFault):
            return exception_answer(frame.function, words.code)
        return read_answer(request.function, words)

    def _write(self, frame: Frame, request: ReadRequest | WriteRequest | ModbusFault, fault: Fault | None) -> bytes:
        """Refusals of the device come before an ignored write, so that only a legal write can be ignored."""
        now = self.clock.monotonic()
        acts = fault is None or fault.acts
        refusal = request if isinstance(request, ModbusFault) else None
        if isinstance(request, WriteRequest) and acts:
            refusal = self.device.write(frame.unit, request.address, request.words, now)
        record = WriteRecord(
            time=self.clock.utc(),
            monotonic=now,
            unit=frame.unit,
            function=frame.function,
            address=_address(frame, request),
            words=request.words if isinstance(request, WriteRequest) else (),
            frame=frame.raw,
            result=_result(refusal, fault, acts=acts),
        )
        self.log.append(record)
        if fault is not None and fault.kind is FaultKind.EXCEPTION:
            return exception_answer(frame.function, fault.code)
        if refusal is not None:
            return exception_answer(frame.function, refusal.code)
        assert isinstance(request, WriteRequest)  # noqa: S101 - narrows for mypy: anything else was refused above
        return write_answer(request)


def _result(refusal: ModbusFault | None, fault: Fault | None, *, acts: bool) -> str:
    own = "ok" if acts else "no effect"
    if refusal is not None:
        own = f"exception {refusal.code}"
    if fault is None:
        return own
    if fault.kind is FaultKind.IGNORE and refusal is None and not acts:
        return "ignored"
    if fault.kind is FaultKind.EXCEPTION and not acts:
        return f"exception {fault.code}"
    return f"{fault.kind.value}: {own}"


def _span(request: ReadRequest | WriteRequest | ModbusFault) -> tuple[int, int]:
    """First and last word touched; an empty span for a request that names none."""
    if isinstance(request, ReadRequest):
        return request.address, request.address + request.count - 1
    if isinstance(request, WriteRequest):
        return request.address, request.address + len(request.words) - 1
    return 0, -1


def _address(frame: Frame, request: ReadRequest | WriteRequest | ModbusFault) -> int | None:
    """The address that the frame names, also when the request is malformed."""
    if isinstance(request, WriteRequest):
        return request.address
    return int.from_bytes(frame.pdu[1:3], "big") if len(frame.pdu) >= 3 else None  # noqa: PLR2004 - function, address


def _spoil(frame: Frame, request: ReadRequest | WriteRequest | ModbusFault, pdu: bytes, fault: Fault | None) -> Reply:
    whole = to_frame(frame.transaction, frame.unit, pdu)
    match fault.kind if fault else None:
        case FaultKind.SILENT:
            return Reply()
        case FaultKind.DROP:
            return Reply(drop=True)
        case FaultKind.SLOW if fault:
            return Reply(whole, delay_seconds=fault.seconds)
        case FaultKind.SHORT if fault:
            return Reply(to_frame(frame.transaction, frame.unit, _shortened(request, pdu, fault)))
        case FaultKind.WRONG_UNIT:
            return Reply(to_frame(frame.transaction, frame.unit ^ 1, pdu))
        case FaultKind.WRONG_TRANSACTION:
            return Reply(to_frame(frame.transaction ^ 0x5555, frame.unit, pdu))
        case FaultKind.HALF_FRAME:
            return Reply(whole[: max(MBAP_BYTES, len(whole) // 2)])
        case _:
            return Reply(whole)


def _shortened(request: ReadRequest | WriteRequest | ModbusFault, pdu: bytes, fault: Fault) -> bytes:
    """Consistent in its own lengths, so that only a check against the request can find it out."""
    if isinstance(request, ReadRequest) and pdu[0] == request.function:
        kept = request.count - 1 if fault.registers is None else min(fault.registers, request.count - 1)
        return bytes((pdu[0], 2 * kept)) + pdu[2 : 2 + 2 * kept]
    return pdu[: max(1, len(pdu) - 2)]
