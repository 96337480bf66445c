"""The strict Modbus TCP link: one connection to one endpoint, shared by its units, one request at a time.

pymodbus builds the frames and holds the socket. Everything that decides is here: the deadline of each operation, the
check of each answer byte against its request (`frames`), and what follows from a failure. The rules:

1. A request is sent once. A write above all is never repeated; the caller reads before it decides.
2. Whatever leaves an answer outstanding or out of step (deadline, wrong or surplus bytes, a cancelled caller) drops
   the connection before the next request, so that no late answer can be taken for the next.
3. A first connect that fails is like a lost connection: tried again after a back-off with jitter. Requests in the
   meantime fail at once with `link_down` and did nothing.
4. Transaction numbers go on counting over reconnects, for gateways that deliver the answers of an earlier connection.

pymodbus alone waits for its whole timeout when the peer closes, and takes an answer with too few registers.
Nothing here knows SunSpec or a product.
"""

import asyncio
import random as _random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
)

from wattseal.certs.errors import MisuseError
from wattseal.drivers.modbus.exchange import (
    MAX_READ_WORDS,
    MAX_WRITE_WORDS,
    DeadlineError,
    DeviceExceptionError,
    Effect,
    Exchange,
    LinkDownError,
    LinkError,
    Table,
)
from wattseal.drivers.modbus.frames import answer_length, answer_words, effect_of_loss

_ADDRESSES: Final = 0x10000
_LAST_UNIT: Final = 255
_LAST_TRANSACTION: Final = 65000  # where pymodbus starts over
# pymodbus has a timeout of its own; ours must be the one that strikes.
_NEVER_FIRST_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where the endpoint is and how it wants to be treated; times in seconds.

    `connect_delay`: pause between connect and first request. `gap`: least pause between an answer and the next
    request; `write_gap`: the same between two writes. The back-off starts at `backoff_first` and doubles to
    `backoff_most`; each wait is drawn from its upper half.
    """

    host: str
    port: int = 502
    deadline: float = 3.0
    connect_deadline: float = 5.0
    connect_delay: float = 0.0
    gap: float = 0.0
    write_gap: float = 0.0
    backoff_first: float = 0.5
    backoff_most: float = 60.0


class ModbusLink:
    """A `RegisterLink` over TCP. Opening it has no effect: the first request, or `supervise`, connects.

    `monotonic`, `sleep` and `draw` (uniform in 0..1) are given so that tests own time and chance.
    """

    def __init__(
        self,
        settings: LinkSettings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = _random.random,
    ) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._sleep = sleep
        self._draw = draw
        self._turn = asyncio.Lock()
        self._down = asyncio.Event()
        self._down.set()
        self._line: _Line | None = None
        self._connections = 0
        self._transaction = 0
        self._failures = 0
        self._next_attempt = float("-inf")
        self._next_request = float("-inf")
        self._next_write = float("-inf")

    @property
    def connected(self) -> bool:
        """Whether a connection stands that the next request would use."""
        return self._line is not None and self._line.usable

    @property
    def connection(self) -> int | None:
        """The number of the connection that stands, None where none does: after another, another device may answer."""
        return self._connections if self.connected else None

    async def read(self, unit: int, address: int, count: int, table: Table = Table.HOLDING) -> Exchange:
        """`count` registers from `address` of `unit`, exactly. Raises `LinkError`; `MisuseError` outside 1..125."""
        _check_request(unit, address, count, MAX_READ_WORDS)
        kind = ReadInputRegistersRequest if table is Table.INPUT else ReadHoldingRegistersRequest
        request, answer = await self._operate(kind(unit, address=address, count=count), Effect.NONE)
        return Exchange(request, answer, answer_words(answer))

    async def write(self, unit: int, address: int, words: tuple[int, ...]) -> Exchange:
        """Function 16, one frame, sent once. Raises `LinkError` with the `effect` the frame may have had."""
        _check_request(unit, address, len(words), MAX_WRITE_WORDS)
        asked = WriteMultipleRegistersRequest(unit, address=address, registers=list(words))
        request, answer = await self._operate(asked, Effect.UNKNOWN)
        return Exchange(request, answer, words)

    async def supervise(self) -> None:
        """Keep the connection up until cancelled: the first connect too, which pymodbus never tries again."""
        while True:
            await self._down.wait()
            await self._sleep(max(0.0, self._next_attempt - self._monotonic()))
            async with self._turn:
                if self.connected:
                    self._down.clear()
                    continue
                self._drop()
                try:
                    await self._connect()
                except LinkDownError:
                    continue

    async def close(self) -> None:
        """Drop the connection; a later request opens a new one."""
        async with self._turn:
            self._drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _operate(self, asked: ModbusPDU, effect: Effect) -> tuple[bytes, bytes]:
        async with self._turn:
            line = await self._ready_line()
            writing = effect is Effect.UNKNOWN
            await self._pause(max(self._next_request, self._next_write) if writing else self._next_request)
            try:
                async with asyncio.timeout(self._settings.deadline):
                    await line.exchange(asked)
            except DeviceExceptionError:
                raise  # a whole, right answer: the connection is sound
            except LinkError:
                self._drop()
                raise
            except TimeoutError as error:
                self._drop()
                raise DeadlineError(
                    "no_answer",
                    f"{self._place} gave no whole answer within {self._settings.deadline:g} s; check unit and wiring.",
                    effect_of_loss(line.request) if line.request else Effect.NONE,
                    line.request,
                    line.received,
                ) from error
            except (ModbusException, OSError) as error:
                self._drop()
                raise self._lost(effect if line.request else Effect.NONE, line) from error
            except BaseException:
                self._drop()  # cancelled: the answer may still come
                raise
            finally:
                self._next_request = self._monotonic() + self._settings.gap
                if writing:
                    self._next_write = self._monotonic() + self._settings.write_gap
                self._transaction = line.client.ctx.next_tid
            return line.request, line.answer

    async def _ready_line(self) -> "_Line":
        if self._line is not None and self._line.usable:
            return self._line
        self._drop()
        if self._monotonic() < self._next_attempt:
            raise LinkDownError("link_down", f"{self._place} is not connected; the next try waits.", Effect.NONE)
        return await self._connect()

    async def _connect(self) -> "_Line":
        line = _Line(self._settings, self._down)
        try:
            async with asyncio.timeout(self._settings.connect_deadline):
                connected = await line.client.connect()
        except (TimeoutError, OSError):
            connected = False
        except BaseException:
            line.close()
            raise
        if not connected:
            line.close()
            self._back_off()
            raise LinkDownError(
                "link_down", f"{self._place} does not accept connections; check power, address and port.", Effect.NONE
            )
        self._failures = 0
        self._next_attempt = float("-inf")
        line.client.ctx.next_tid = self._transaction if self._transaction < _LAST_TRANSACTION else 0
        self._line = line
        self._connections += 1
        self._down.clear()
        await self._pause(self._monotonic() + self._settings.connect_delay)
        return line

    def _back_off(self) -> None:
        whole = min(self._settings.backoff_first * 2.0**self._failures, self._settings.backoff_most)
        self._failures = min(self._failures + 1, 32)
        self._next_attempt = self._monotonic() + whole * (0.5 + self._draw() / 2)

    async def _pause(self, until: float) -> None:
        left = until - self._monotonic()
        if left > 0:
            await self._sleep(left)

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        self._down.set()

    def _lost(self, effect: Effect, line: "_Line") -> LinkDownError:
        return LinkDownError(
            "link_down", f"The connection to {self._place} was lost.", effect, line.request, line.received
        )

    @property
    def _place(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"


class _Line:
    """One TCP connection: watches each frame that pymodbus sends and receives, and fails the pending request itself.

    pymodbus numbers, frames and sends the request, and gives the whole unconsumed buffer to `trace_packet` on each
    arrival. The pending request awaits a future of ours and not pymodbus' own `execute`: that one would wait for its
    timeout when the line breaks, send again, and take an answer apart a second time, register by register.
    """

    def __init__(self, settings: LinkSettings, down: asyncio.Event) -> None:
        self.request = b""
        self.received = b""
        self.answer = b""
        self._down = down
        self._in_step = True
        self._waiting = False
        self._closed = False
        self._pending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.client = AsyncModbusTcpClient(
            settings.host,
            port=settings.port,
            timeout=_NEVER_FIRST_SECONDS,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._trace_packet,
            trace_connect=self._trace_connect,
        )

    @property
    def usable(self) -> bool:
        """Connected, and nothing has arrived that was not asked for."""
        return self._in_step and bool(self.client.connected)

    async def exchange(self, asked: ModbusPDU) -> None:
        """Send one request, once, and await its answer. Raises `LinkError`, or pymodbus' own errors."""
        self.request = self.received = self.answer = b""
        context = self.client.ctx
        if not self.client.connected:
            raise ConnectionException("the connection is gone")
        asked.transaction_id = context.getNextTID()
        self._pending = asyncio.get_running_loop().create_future()
        context.pdu_send(asked)
        await self._pending

    def close(self) -> None:
        """Close the socket; what still arrives reaches nobody."""
        self._in_step = self._waiting = False
        self._closed = True
        self.client.close()

    def _trace_packet(self, sending: bool, data: bytes) -> bytes:
        if sending:
            self.request, self._waiting = bytes(data), True
            return data
        if not self._waiting:
            self._in_step = False
            return b""
        self.received = bytes(data)
        try:
            length = answer_length(self.request, self.received)
        except LinkError as error:
            self._fail(error)
            return b""
        if length is None:
            return b""
        self._waiting = False
        self._in_step = length == len(data)
        self.answer = self.received[:length]
        if not self._pending.done():
            self._pending.set_result(None)
        return b""

    def _trace_connect(self, connected: bool) -> None:
        if connected or self._closed:
            return  # a line that was dropped says nothing about the one that took its place
        self._in_step = False
        self._down.set()
        if self._waiting:
            effect = effect_of_loss(self.request)
            self._fail(
                LinkDownError("link_down", "The peer closed before it answered.", effect, self.request, self.received)
            )

    def _fail(self, error: LinkError) -> None:
        self._waiting = False
        if not self._pending.done():
            self._pending.set_exception(error)


def _check_request(unit: int, address: int, count: int, most: int) -> None:
    if not (0 <= unit <= _LAST_UNIT and 1 <= count <= most and 0 <= address <= _ADDRESSES - count):
        raise MisuseError(
            "request_out_of_range",
            f"Unit {unit}, address {address}, {count} registers cannot be asked in one frame (at most {most}).",
        )
