"""The simulators' Modbus server, its faults and its write log, all as seen by a raw client on a real socket."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import VirtualClock
from wattseal.drivers.simulators.faults import Fault, FaultKind, Scope
from wattseal.drivers.simulators.running import RunningDevice, running_device

WSET_ENA = 40277 + 22  # model 704 begins at 40277, behind "SunS", model 1 (66), 701 (153) and 702 (50)
WMAXLIM = 40277 + 14
LAST_WORD = 41328  # the length of the end model, behind the curves: see test_simulator_curves
TIMEOUT = 5.0
QUIET = 0.05


def frame(transaction: int, pdu: str, unit: int = 1) -> bytes:
    body = bytes.fromhex(pdu)
    return struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body


def read_pdu(address: int, count: int, function: int = 3) -> str:
    return struct.pack(">BHH", function, address, count).hex()


def write_pdu(address: int, *words: int) -> str:
    return struct.pack(f">BHHB{len(words)}H", 16, address, len(words), 2 * len(words), *words).hex()


class RawClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    async def answer(self) -> tuple[int, int, bytes]:
        """Transaction, unit and PDU of the next answer."""
        async with asyncio.timeout(TIMEOUT):
            header = await self.reader.readexactly(7)
            transaction, protocol, length, unit = struct.unpack(">HHHB", header)
            assert protocol == 0
            return transaction, unit, await self.reader.readexactly(length - 1)

    async def ask(self, pdu: str, transaction: int = 7, unit: int = 1) -> tuple[int, int, bytes]:
        self.send(frame(transaction, pdu, unit))
        return await self.answer()

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(QUIET):
                return await self.reader.read(1) == b"impossible"
        except TimeoutError:
            return True


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[RawClient]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "writes.jsonl"


@pytest.fixture
async def device(log_path: Path) -> AsyncIterator[RunningDevice[BatteryInverter]]:
    options = BatteryOptions()
    async with running_device(
        lambda now: BatteryInverter(options, now), clock=VirtualClock(), write_log=log_path
    ) as running:
        yield running


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def points(device: RunningDevice[BatteryInverter]) -> dict[str, int]:
    return device.device.controls.values


# --- plain service


async def test_reads_marker_and_first_header(device) -> None:
    """SunSpec: "SunS" at the base, then ID 1 and L 66; FC 3 and FC 4 alike."""
    async with connected(device.port) as client:
        for function in (3, 4):
            transaction, unit, pdu = await client.ask(read_pdu(40000, 4, function), transaction=0xBEEF)
            assert (transaction, unit) == (0xBEEF, 1)
            assert pdu == bytes((function, 8)) + b"SunS" + bytes((0, 1, 0, 66))


async def test_pipelined_requests_are_all_answered_in_order(device) -> None:
    """Messaging on TCP/IP guide 4.3.2: a client may send several requests; here 60 in one segment."""
    async with connected(device.port) as client:
        client.send(*(frame(number, read_pdu(40000 + number, 1)) for number in range(60)))
        answers = [await client.answer() for _ in range(60)]
        assert [answer[0] for answer in answers] == list(range(60))
        assert answers[0][2] == b"\x03\x02Su"
        assert answers[1][2] == b"\x03\x02nS"


async def test_request_split_into_single_bytes(device) -> None:
    """TCP is a byte stream: a frame may arrive in any pieces."""
    async with connected(device.port) as client:
        for byte in frame(9, read_pdu(40000, 2)):
            client.send(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert (await client.answer())[2] == b"\x03\x04SunS"


async def test_several_clients_at_once(device) -> None:
    async with connected(device.port) as one, connected(device.port) as other:
        one.send(frame(1, read_pdu(40000, 1)))
        other.send(frame(2, read_pdu(40001, 1)))
        assert (await other.answer())[0] == 2
        assert (await one.answer())[0] == 1


@pytest.mark.parametrize(
    ("pdu", "unit", "code"),
    [
        pytest.param("11", 1, 1, id="function_17_not_served"),
        pytest.param("0500010000", 1, 1, id="coil_write_not_served"),
        pytest.param("0300000000", 1, 3, id="count_0"),
        pytest.param("0300000" + "07e", 1, 3, id="count_126"),
        pytest.param("03fffe0003", 1, 2, id="beyond_65535"),
        pytest.param("0300", 1, 3, id="read_cut_short"),
        pytest.param("10000000010300010a", 1, 3, id="byte_count_odd"),
        pytest.param("1000000002020001", 1, 3, id="byte_count_disagrees"),
        pytest.param(read_pdu(39999, 1), 1, 2, id="before_the_map"),
        pytest.param(read_pdu(LAST_WORD, 2), 1, 2, id="half_behind_the_map"),
        pytest.param(read_pdu(40000, 2), 9, 11, id="no_such_unit"),
        pytest.param(write_pdu(40277 + 20, 0, 1), 1, 2, id="remaining_time_is_read_only"),
        pytest.param(write_pdu(40277 + 18, 5), 1, 2, id="half_of_a_32_bit_point"),
        pytest.param(write_pdu(WMAXLIM + 1, 10001), 1, 3, id="limit_above_100_percent"),
        pytest.param(write_pdu(WSET_ENA + 2, 0xFFFF, 0xE0BF), 1, 3, id="charge_beyond_rating"),
    ],
)
async def test_refusals(device, log_path: Path, pdu: str, unit: int, code: int) -> None:
    """V1.1b3 clauses 6 and 7: each refusal is an exception with its code, changes nothing, and the link goes on."""
    before = dict(points(device))
    async with connected(device.port) as client:
        _, answered_unit, answer = await client.ask(pdu, unit=unit)
        assert (answered_unit, answer) == (unit, bytes((int(pdu[:2], 16) | 0x80, code)))
        assert (await client.ask(read_pdu(40000, 1)))[2] == b"\x03\x02Su"
    assert points(device) == before
    writes = int(pdu[:2], 16) in {5, 6, 15, 16}
    assert [line["result"] for line in lines(log_path)] == [f"exception {code}"] * writes


async def test_other_protocols_are_hung_up_on(device) -> None:
    """Guide 3.1.3: the protocol id is 0. After anything else the stream cannot be cut into frames."""
    async with connected(device.port) as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.answer()
    async with connected(device.port) as client:
        assert (await client.ask(read_pdu(40000, 1)))[2] == b"\x03\x02Su"


# --- faults, each really seen on the wire


async def test_silent_answers_nothing_then_recovers(device) -> None:
    device.control.fault(Fault(FaultKind.SILENT, count=2))
    async with connected(device.port) as client:
        client.send(frame(1, read_pdu(40000, 1)), frame(2, write_pdu(WMAXLIM, 1)))
        assert await client.hears_nothing()
        assert points(device)["WMaxLimPctEna"] == 0
        assert (await client.ask(read_pdu(40000, 1), transaction=3))[0] == 3


async def test_silent_may_have_acted(device, log_path: Path) -> None:
    """The nasty case: the write took effect and only its answer is missing."""
    device.control.fault(Fault(FaultKind.SILENT, count=1, effect=True))
    async with connected(device.port) as client:
        client.send(frame(1, write_pdu(WMAXLIM, 1)))
        assert await client.hears_nothing()
    assert points(device)["WMaxLimPctEna"] == 1
    assert [line["result"] for line in lines(log_path)] == ["silent: ok"]


async def test_slow_answers_late_and_in_order(device) -> None:
    """The effect comes at once, the answer late; what was sent behind it waits."""
    device.control.fault(Fault(FaultKind.SLOW, count=1, seconds=0.5))
    async with connected(device.port) as client:
        client.send(frame(1, write_pdu(WMAXLIM, 1)), frame(2, read_pdu(40000, 1)))
        assert await client.hears_nothing()
        assert points(device)["WMaxLimPctEna"] == 1
        assert [(await client.answer())[0] for _ in range(2)] == [1, 2]


async def test_slow_does_not_hold_up_other_clients(device) -> None:
    device.control.fault(Fault(FaultKind.SLOW, count=1, seconds=60))
    async with connected(device.port) as stuck, connected(device.port) as free:
        stuck.send(frame(1, read_pdu(40000, 1)))
        assert await stuck.hears_nothing()
        assert (await free.ask(read_pdu(40000, 1)))[0] == 7


@pytest.mark.parametrize(("registers", "kept"), [(None, 9), (2, 2), (0, 0), (124, 9)])
async def test_short_read_is_consistent_in_itself(device, registers: int | None, kept: int) -> None:
    """Asked 10 registers, fewer come, with lengths that agree: only a check against the request finds it."""
    device.control.fault(Fault(FaultKind.SHORT, count=1, registers=registers))
    async with connected(device.port) as client:
        _, _, pdu = await client.ask(read_pdu(40000, 10))
        assert (pdu[1], len(pdu)) == (2 * kept, 2 + 2 * kept)


async def test_short_write_answer_lacks_its_count(device) -> None:
    device.control.fault(Fault(FaultKind.SHORT, count=1))
    async with connected(device.port) as client:
        _, _, pdu = await client.ask(write_pdu(WMAXLIM, 1))
        assert pdu == struct.pack(">BH", 16, WMAXLIM)


async def test_exception_on_demand(device, log_path: Path) -> None:
    device.control.fault(Fault(FaultKind.EXCEPTION, code=6, count=2))
    async with connected(device.port) as client:
        assert (await client.ask(read_pdu(40000, 1)))[2] == b"\x83\x06"
        assert (await client.ask(write_pdu(WMAXLIM, 1)))[2] == b"\x90\x06"
    assert points(device)["WMaxLimPctEna"] == 0
    assert [line["result"] for line in lines(log_path)] == ["exception 6"]


async def test_wrong_unit_and_wrong_transaction(device) -> None:
    device.control.fault(Fault(FaultKind.WRONG_UNIT, count=1))
    device.control.fault(Fault(FaultKind.WRONG_TRANSACTION, count=1))
    async with connected(device.port) as client:
        assert await client.ask(read_pdu(40000, 1), transaction=5) == (5, 0, b"\x03\x02Su")
        transaction, unit, _ = await client.ask(read_pdu(40000, 1), transaction=5)
        assert (transaction != 5, unit) == (True, 1)


@pytest.mark.parametrize("effect", [False, True])
async def test_drop_before_and_after_the_effect(device, log_path: Path, effect: bool) -> None:
    """The connection is reset instead of an answer; the log tells whether the write acted."""
    device.control.fault(Fault(FaultKind.DROP, count=1, effect=effect))
    async with connected(device.port) as client:
        client.send(frame(1, write_pdu(WMAXLIM, 1)))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.answer()
    assert points(device)["WMaxLimPctEna"] == int(effect)
    assert [line["result"] for line in lines(log_path)] == ["drop: ok" if effect else "drop: no effect"]


async def test_drop_leaves_earlier_answers_alone(device) -> None:
    device.control.fault(Fault(FaultKind.DROP, skip=1, count=1))
    async with connected(device.port) as client:
        client.send(*(frame(number, read_pdu(40000, 1)) for number in range(3)))
        assert (await client.answer())[0] == 0
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.answer()


async def test_accept_and_ignore(device, log_path: Path) -> None:
    """A real 7xx battery acknowledges writes that it discards; reads are untouched, illegal writes still refused."""
    device.control.fault(Fault(FaultKind.IGNORE, address=(WMAXLIM, WMAXLIM + 1)))
    async with connected(device.port) as client:
        assert (await client.ask(write_pdu(WMAXLIM, 1)))[2] == struct.pack(">BHH", 16, WMAXLIM, 1)
        assert (await client.ask(read_pdu(WMAXLIM, 1)))[2] == b"\x03\x02\x00\x00"
        assert (await client.ask(write_pdu(WSET_ENA, 1)))[2] == struct.pack(">BHH", 16, WSET_ENA, 1)
    assert (points(device)["WMaxLimPctEna"], points(device)["WSetEna"]) == (0, 1)
    assert [line["result"] for line in lines(log_path)] == ["ignored", "ok"]


async def test_half_frame(device) -> None:
    device.control.fault(Fault(FaultKind.HALF_FRAME, count=1))
    async with connected(device.port) as client:
        client.send(frame(1, read_pdu(40000, 10)))
        async with asyncio.timeout(TIMEOUT):
            received = await client.reader.readexactly((9 + 20) // 2)
        assert received[:6] == struct.pack(">HHH", 1, 0, 3 + 20)
        assert await client.hears_nothing()


async def test_scope_skip_unit_and_clear(device) -> None:
    device.control.fault(Fault(FaultKind.EXCEPTION, scope=Scope.WRITES, skip=1, unit=1))
    async with connected(device.port) as client:
        assert (await client.ask(read_pdu(40000, 1)))[2] == b"\x03\x02Su"
        assert (await client.ask(write_pdu(WMAXLIM, 0)))[2][0] == 0x10
        for _ in range(3):
            assert (await client.ask(write_pdu(WMAXLIM, 0)))[2] == b"\x90\x04"
        device.control.clear()
        assert (await client.ask(write_pdu(WMAXLIM, 0)))[2][0] == 0x10


# --- the judge


async def test_log_line_says_everything(device, log_path: Path) -> None:
    device.control.advance(1.5)
    async with connected(device.port) as client:
        sent = frame(0x1234, write_pdu(WSET_ENA, 1, 1))
        client.send(sent)
        await client.answer()
        single = frame(0x1235, struct.pack(">BHH", 6, WMAXLIM, 1).hex())
        client.send(single)
        await client.answer()
    first, second = lines(log_path)
    assert first == {
        "t": "2025-01-01T00:00:01.500000Z",
        "monotonic": 1.5,
        "unit": 1,
        "function": 16,
        "address": WSET_ENA,
        "words": [1, 1],
        "frame": sent.hex(),
        "result": "ok",
    }
    assert (second["function"], second["words"], second["frame"]) == (6, [1], single.hex())


async def test_log_is_complete_when_pipelining_client_vanishes(device, log_path: Path) -> None:
    """50 writes in one segment, then the client is gone without reading an answer: 50 lines, in order."""
    sent = [frame(number, write_pdu(WMAXLIM + 1, number)) for number in range(50)]
    async with connected(device.port) as client:
        client.send(*sent)
        await client.writer.drain()
        client.writer.transport.abort()
    async with connected(device.port) as witness:  # the device is still there; wait until it has read all
        for _ in range(200):
            await witness.ask(read_pdu(40000, 1))
            if device.control.state()["write_log_lines"] == 50:
                break
    assert [line["frame"] for line in lines(log_path)] == [each.hex() for each in sent]


async def test_log_line_is_on_disk_before_the_answer(device, log_path: Path) -> None:
    """Whoever holds an answer finds its line, at once."""
    async with connected(device.port) as client:
        for number in range(20):
            await client.ask(write_pdu(WMAXLIM + 1, number), transaction=number)
            assert len(lines(log_path)) == number + 1


async def test_reads_leave_no_line(device, log_path: Path) -> None:
    async with connected(device.port) as client:
        await client.ask(read_pdu(40000, 100))
    assert lines(log_path) == []


async def test_log_is_appended_to_over_restarts(log_path: Path) -> None:
    for _ in range(2):
        async with (
            running_device(lambda now: BatteryInverter(BatteryOptions(), now), write_log=log_path) as running,
            connected(running.port) as client,
        ):
            await client.ask(write_pdu(WMAXLIM, 1))
    assert [line["words"] for line in lines(log_path)] == [[1], [1]]
