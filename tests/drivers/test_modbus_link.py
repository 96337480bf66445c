"""The strict Modbus link against a server that misbehaves on demand, over real sockets on 127.0.0.1."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pymodbus.client import AsyncModbusTcpClient

from wattseal.certs.errors import MisuseError
from wattseal.drivers.modbus.exchange import (
    DeadlineError,
    DeviceExceptionError,
    Effect,
    LinkDownError,
    ShortAnswerError,
    Table,
    WrongAnswerError,
    WrongUnitError,
)
from wattseal.drivers.modbus.link import LinkSettings, ModbusLink
from wattseal.drivers.modbus.sharing import shared_links

HOST = "127.0.0.1"


def honest(request: bytes) -> bytes:
    """Registers hold their own address; writes are confirmed."""
    tid, unit, function = request[:2], request[6:7], request[7]
    address, count = int.from_bytes(request[8:10], "big"), int.from_bytes(request[10:12], "big")
    if function == 16:
        return tid + b"\0\0\0\x06" + unit + request[7:12]
    data = b"".join((address + at).to_bytes(2, "big") for at in range(count))
    body = unit + bytes([function, len(data)]) + data
    return tid + b"\0\0" + len(body).to_bytes(2, "big") + body


def with_length(frame: bytes) -> bytes:
    return frame[:4] + (len(frame) - 6).to_bytes(2, "big") + frame[6:]


@dataclass
class FaultServer:
    """A raw Modbus TCP server. `script` holds one behaviour per request to come; when it is empty, it is honest."""

    script: list[Callable[[bytes, asyncio.StreamWriter], None]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()
        await self._server.wait_closed()

    def writes(self) -> list[bytes]:
        return [frame for frame in self.frames if frame[7] == 16]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readexactly(6)
                request = head + await reader.readexactly(int.from_bytes(head[4:6], "big"))
                self.frames.append(request)
                if self.script:
                    self.script.pop(0)(request, writer)
                else:
                    writer.write(honest(request))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def silent(_request: bytes, _writer: asyncio.StreamWriter) -> None:
    """The request arrives and nothing comes back."""


def dropping(_request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


def short(request: bytes, writer: asyncio.StreamWriter) -> None:
    """A well-formed frame with fewer registers than were asked for."""
    frame = honest(request)[:-4]
    writer.write(with_length(frame[:8] + bytes([frame[8] - 4]) + frame[9:]))


def byte_count_lies(request: bytes, writer: asyncio.StreamWriter) -> None:
    frame = honest(request)
    writer.write(frame[:8] + bytes([frame[8] - 2]) + frame[9:])


def half(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(honest(request)[:9])


def wrong_unit(request: bytes, writer: asyncio.StreamWriter) -> None:
    frame = honest(request)
    writer.write(frame[:6] + bytes([frame[6] ^ 1]) + frame[7:])


def wrong_tid(request: bytes, writer: asyncio.StreamWriter) -> None:
    frame = honest(request)
    writer.write(bytes([frame[0] ^ 0x55]) + frame[1:])


def wrong_protocol(request: bytes, writer: asyncio.StreamWriter) -> None:
    frame = honest(request)
    writer.write(frame[:2] + b"\0\x01" + frame[4:])


def wrong_function(request: bytes, writer: asyncio.StreamWriter) -> None:
    frame = honest(request)
    writer.write(frame[:7] + bytes([frame[7] ^ 7]) + frame[8:])


def wrong_echo(request: bytes, writer: asyncio.StreamWriter) -> None:
    frame = honest(request)
    writer.write(frame[:9] + bytes([frame[9] ^ 1]) + frame[10:])


def refusing(code: int) -> Callable[[bytes, asyncio.StreamWriter], None]:
    def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(request[:4] + b"\0\x03" + request[6:7] + bytes([request[7] | 0x80, code]))

    return answer


def late(seconds: float, claim_next: bool = False) -> Callable[[bytes, asyncio.StreamWriter], None]:
    """Answers after `seconds`; with `claim_next` under the transaction number of the request that follows."""

    def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        frame = honest(request)
        if claim_next:
            frame = (int.from_bytes(frame[:2], "big") + 1).to_bytes(2, "big") + frame[2:]
        asyncio.get_running_loop().call_later(seconds, writer.write, frame)

    return answer


def surplus(request: bytes, writer: asyncio.StreamWriter) -> None:
    """The right answer, and behind it one nobody asked for, under the next transaction number."""
    follow = (int.from_bytes(request[:2], "big") + 1).to_bytes(2, "big") + request[2:8] + b"\x27\x0f" + request[10:]
    writer.write(honest(request) + honest(follow))


def byte_by_byte(request: bytes, writer: asyncio.StreamWriter) -> None:
    async def drip() -> None:
        for octet in honest(request):
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)

    drip.task = asyncio.ensure_future(drip())  # type: ignore[attr-defined]  # keeps the task from being collected


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 - the sockets' own progress is awaited, and there is no event to hook
        await asyncio.sleep(0)


@asynccontextmanager
async def world(*script: Callable[[bytes, asyncio.StreamWriter], None], **settings: float) -> AsyncIterator[tuple]:
    server = FaultServer(list(script))
    await server.start()
    options = {"deadline": 0.15, "connect_deadline": 1.0, "backoff_first": 0.0} | settings
    link = ModbusLink(LinkSettings(HOST, server.port, **options))
    try:
        yield server, link
    finally:
        await link.close()
        await server.stop()


async def test_read_keeps_whole_frames():
    """MBAP: transaction, protocol 0, length, unit, then function 3, byte count, registers."""
    async with world() as (server, link):
        exchange = await link.read(7, 0x0102, 2)
        assert exchange.words == (0x0102, 0x0103)
        assert exchange.request == server.frames[0]
        assert exchange.request[2:] == bytes.fromhex("0000 0006 07 03 0102 0002")
        assert exchange.answer == exchange.request[:2] + bytes.fromhex("0000 0007 07 03 04 0102 0103")


async def test_write_is_one_frame_of_function_16():
    async with world() as (server, link):
        exchange = await link.write(1, 40318, (1, 0, 1500))
        assert exchange.words == (1, 0, 1500)
        assert [frame[2:] for frame in server.frames] == [bytes.fromhex("0000 000d 01 10 9d7e 0003 06 0001 0000 05dc")]


async def test_input_table_is_function_4():
    async with world() as (server, link):
        assert (await link.read(1, 5, 1, Table.INPUT)).words == (5,)
        assert server.frames[0][7] == 4


async def test_answer_in_pieces_is_put_together():
    async with world(byte_by_byte) as (_, link):
        assert (await link.read(1, 10, 3)).words == (10, 11, 12)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (silent, DeadlineError),
        (half, DeadlineError),
        (late(0.3), DeadlineError),
        (dropping, LinkDownError),
        (short, ShortAnswerError),
        (byte_count_lies, ShortAnswerError),
        (wrong_unit, WrongUnitError),
        (wrong_tid, WrongAnswerError),
        (wrong_protocol, WrongAnswerError),
        (wrong_function, WrongAnswerError),
    ],
)
async def test_faulty_read_is_refused_and_the_next_is_right(fault, error):
    """A fault drops the connection, so that the next request starts on a clean one; a read never has an effect."""
    async with world(fault) as (server, link):
        with pytest.raises(error) as caught:
            await link.read(3, 100, 4)
        assert caught.value.effect is Effect.NONE
        assert caught.value.request == server.frames[0]
        assert not link.connected
        assert (await link.read(3, 200, 4)).words == (200, 201, 202, 203)
        assert (server.connections, len(server.frames)) == (2, 2)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (silent, DeadlineError),
        (half, DeadlineError),
        (late(0.3), DeadlineError),
        (dropping, LinkDownError),
        (wrong_unit, WrongUnitError),
        (wrong_tid, WrongAnswerError),
        (wrong_echo, WrongAnswerError),
    ],
)
async def test_faulty_write_is_sent_once_and_its_effect_unknown(fault, error):
    """By default pymodbus sends a write four times to a silent device; here the server counts one."""
    async with world(fault) as (server, link):
        with pytest.raises(error) as caught:
            await link.write(1, 24, (0, 1500))
        assert caught.value.effect is Effect.UNKNOWN
        await link.read(1, 24, 1)
        assert len(server.writes()) == 1


async def test_plain_pymodbus_repeats_the_write():
    """The trap itself, so that the test above is known to be able to fail."""
    async with world(silent, silent) as (server, _):
        client = AsyncModbusTcpClient(HOST, port=server.port, timeout=0.1, retries=1, reconnect_delay=0)
        await client.connect()
        with pytest.raises(Exception, match="No response"):
            await client.write_registers(24, [0, 1500], device_id=1)
        client.close()
        assert len(server.writes()) == 2


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        (1, Effect.NONE),
        (2, Effect.NONE),
        (3, Effect.NONE),
        (4, Effect.UNKNOWN),
        (5, Effect.UNKNOWN),
        (6, Effect.NONE),
        (11, Effect.UNKNOWN),
        (99, Effect.UNKNOWN),
    ],
)
async def test_device_exception_says_whether_the_write_may_stand(code, effect):
    """Codes 1-3 and 6 refuse before acting; 4, 5 and 11 come after (application protocol V1.1b3, 7)."""
    async with world(refusing(code), refusing(code)) as (server, link):
        with pytest.raises(DeviceExceptionError) as caught:
            await link.write(1, 0, (1,))
        assert (caught.value.code, caught.value.effect) == (code, effect)
        with pytest.raises(DeviceExceptionError) as caught:
            await link.read(1, 0, 1)
        assert caught.value.effect is Effect.NONE
        await link.read(1, 0, 1)
        assert server.connections == 1, "an exception is a proper answer and keeps the connection"


async def test_late_answer_is_never_taken_for_the_next():
    """As on RTU (pymodbus PR 2636): the late answer even carries the number of the request that follows."""
    async with world(late(0.2, claim_next=True), late(0.1)) as (server, link):
        with pytest.raises(DeadlineError):
            await link.read(1, 100, 2)
        assert (await link.read(1, 900, 2)).words == (900, 901)
        assert server.connections == 2


async def test_surplus_answer_is_never_taken_for_the_next():
    async with world(surplus) as (server, link):
        assert (await link.read(1, 100, 2)).words == (100, 101)
        assert (await link.read(1, 500, 2)).words == (500, 501)
        assert server.connections == 2


async def test_bytes_nobody_asked_for_end_the_connection():
    """Between two requests, the next transaction number already on it: the next request starts on a clean one."""

    def chatty(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(honest(request))
        follow = (int.from_bytes(request[:2], "big") + 1).to_bytes(2, "big") + request[2:]
        asyncio.get_running_loop().call_later(0.02, writer.write, honest(follow))

    async with world(chatty) as (server, link):
        await link.read(1, 100, 2)
        await until(lambda: not link.connected)
        assert (await link.read(1, 500, 2)).words == (500, 501)
        assert server.connections == 2


async def test_cancelled_caller_leaves_no_answer_behind():
    async with world(late(0.05, claim_next=True), deadline=1.0) as (server, link):
        task = asyncio.create_task(link.read(1, 100, 2))
        await until(lambda: bool(server.frames))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await link.read(1, 300, 2)).words == (300, 301)
        assert server.connections == 2


async def test_transaction_numbers_go_on_over_a_reconnect():
    async with world(silent) as (server, link):
        with pytest.raises(DeadlineError):
            await link.read(1, 1, 1)
        await link.read(1, 1, 1)
        first, second = (int.from_bytes(frame[:2], "big") for frame in server.frames)
        assert second == first + 1


async def test_units_share_one_connection_in_turn():
    async with world(late(0.02), deadline=1.0) as (server, link):
        answers = await asyncio.gather(*(link.read(unit, 10 * unit, 1) for unit in range(1, 9)))
        assert [answer.words for answer in answers] == [(10 * unit,) for unit in range(1, 9)]
        assert [frame[6] for frame in server.frames] == list(range(1, 9))
        assert server.connections == 1


@pytest.mark.parametrize(("unit", "address", "count"), [(1, 0, 0), (1, 0, 126), (1, 65535, 2), (1, -1, 1), (256, 0, 1)])
async def test_requests_outside_the_protocol_are_misuse(unit, address, count):
    """Application protocol 6.3: 1 to 125 registers; addresses 0 to 65535."""
    async with world() as (server, link):
        with pytest.raises(MisuseError):
            await link.read(unit, address, count)
        with pytest.raises(MisuseError):
            await link.write(1, 0, (0,) * 124)
        assert server.frames == []


class VirtualTime:
    """A monotonic clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(round(seconds, 6))
        self.now += seconds
        await asyncio.sleep(0)


async def test_first_connect_backs_off_with_jitter_and_recovers():
    """A first connect that fails is retried (pymodbus never does), each wait between half and all of 1, 2, 4 s."""
    server = FaultServer()
    await server.start()
    await server.stop()
    time, draws = VirtualTime(), iter([0.0, 1.0, 0.5])
    link = ModbusLink(
        LinkSettings(HOST, server.port, backoff_first=1.0, backoff_most=60.0),
        monotonic=time.monotonic,
        sleep=time.sleep,
        draw=lambda: next(draws),
    )
    for wait in (0.5, 2.0, 3.0):
        with pytest.raises(LinkDownError) as caught:
            await link.write(1, 1, (1,))
        assert caught.value.effect is Effect.NONE
        time.now += wait - 0.001
        with pytest.raises(LinkDownError, match="the next try waits"):
            await link.read(1, 1, 1)
        time.now += 0.002
    await server.start()
    assert (await link.read(1, 9, 1)).words == (9,)
    await link.close()
    await server.stop()


async def test_supervise_connects_first_and_again_after_a_loss():
    server = FaultServer()
    await server.start()
    await server.stop()
    time = VirtualTime()
    link = ModbusLink(
        LinkSettings(HOST, server.port, backoff_first=1.0, backoff_most=8.0),
        monotonic=time.monotonic,
        sleep=time.sleep,
        draw=lambda: 1.0,
    )
    task = asyncio.create_task(link.supervise())
    await until(lambda: len(time.sleeps) >= 6)
    assert time.sleeps[:6] == [0.0, 1.0, 2.0, 4.0, 8.0, 8.0]
    for _ in range(2):
        await server.start()
        await until(lambda: link.connected)
        assert (await link.read(1, 4, 1)).words == (4,)
        await server.stop()
        await until(lambda: not link.connected)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await link.close()


async def test_supervise_rests_while_the_connection_stands():
    """A connection that was dropped and replaced must not keep the supervisor turning."""
    time = VirtualTime()
    server = FaultServer([silent])
    await server.start()
    link = ModbusLink(
        LinkSettings(HOST, server.port, deadline=0.05), monotonic=time.monotonic, sleep=time.sleep, draw=lambda: 1.0
    )
    task = asyncio.create_task(link.supervise())
    await until(lambda: link.connected)
    with pytest.raises(DeadlineError):
        await link.read(1, 1, 1)
    assert (await link.read(1, 2, 1)).words == (2,)
    for _ in range(20):
        await asyncio.sleep(0)
    rounds = len(time.sleeps)
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(time.sleeps) == rounds
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await link.close()
    await server.stop()


async def test_gap_and_connect_delay_are_kept():
    """Huawei wants 1 s after connect, an EVSE board 0.1 s before each request."""
    server = FaultServer()
    await server.start()
    time = VirtualTime()
    link = ModbusLink(
        LinkSettings(HOST, server.port, connect_delay=1.0, gap=0.1), monotonic=time.monotonic, sleep=time.sleep
    )
    await link.read(1, 1, 1)
    await link.read(1, 1, 1)
    assert time.sleeps == [1.0, 0.1]
    await link.close()
    await server.stop()


async def test_writes_keep_their_own_pause():
    """A charger's vendor wants 5 s between writes and 0.5 s between reads: reads go on in between."""
    server = FaultServer()
    await server.start()
    time = VirtualTime()
    settings = LinkSettings(HOST, server.port, gap=0.5, write_gap=5.0)
    link = ModbusLink(settings, monotonic=time.monotonic, sleep=time.sleep)
    await link.write(1, 1, (1,))
    await link.read(1, 1, 1)
    await link.write(1, 1, (2,))
    assert time.sleeps == [0.5, 4.5]
    await link.close()
    await server.stop()


async def test_one_link_per_endpoint_with_the_gentlest_wishes():
    """Two units behind one gateway share a connection (some devices take only one); the longer pauses hold."""
    made = []
    links = shared_links(
        [
            LinkSettings("10.0.0.1", gap=0.1, deadline=1.0),
            LinkSettings("10.0.0.2"),
            LinkSettings("10.0.0.1", gap=0.0, deadline=3.0, connect_delay=1.0),
        ],
        lambda settings: made.append(settings) or ModbusLink(settings),
    )
    assert list(links) == [("10.0.0.1", 502), ("10.0.0.2", 502)]
    assert made[0] == LinkSettings("10.0.0.1", gap=0.1, deadline=3.0, connect_delay=1.0)
