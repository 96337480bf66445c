"""Modbus TCP frames, as a server sees them: bytes in, requests out, answers to bytes. No sockets, no devices.

Facts from the MODBUS Application Protocol V1.1b3 (clauses 6 and 7) and the Messaging on TCP/IP Guide (clause 3.1.3).
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from wattseal.certs.errors import PeerError

MBAP_BYTES = 7
LARGEST_PDU_BYTES = 253
SMALLEST_LENGTH = 2  # unit id and function code
LARGEST_READ_WORDS = 125
LARGEST_WRITE_WORDS = 123
LAST_ADDRESS = 0xFFFF
EXCEPTION_BIT = 0x80

READ_HOLDING = 3
READ_INPUT = 4
WRITE_SINGLE = 6
WRITE_MULTIPLE = 16
WRITING_FUNCTIONS = frozenset({5, 6, 15, 16, 21, 22, 23})
"""Every standard function that changes something, served here or not: the write log keeps them all."""


class ExceptionCode(IntEnum):
    """Exception codes of V1.1b3 clause 7."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_DATA_ADDRESS = 2
    ILLEGAL_DATA_VALUE = 3
    SERVER_DEVICE_FAILURE = 4
    GATEWAY_TARGET_SILENT = 11


@dataclass(frozen=True, slots=True)
class ModbusFault:
    """A refusal, answered as an exception with this code."""

    code: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One complete request frame: its MBAP fields, the PDU and all bytes as received."""

    transaction: int
    unit: int
    pdu: bytes
    raw: bytes

    @property
    def function(self) -> int:
        """The function code."""
        return self.pdu[0]


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read `count` words (1 to 125) from `address`."""

    function: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Write 1 to 123 words from `address`."""

    function: int
    address: int
    words: tuple[int, ...]


class FrameReader:
    """Cuts a byte stream into frames, however the network split or joined it."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, received: bytes) -> tuple[Frame, ...]:
        """The frames completed by `received`.

        Raises PeerError `not_modbus_tcp` when the stream cannot be cut any more; the connection must then be closed.
        """
        self._pending += received
        frames = []
        while len(self._pending) >= MBAP_BYTES:
            transaction, protocol, length, unit = struct.unpack_from(">HHHB", self._pending)
            if protocol != 0 or not SMALLEST_LENGTH <= length <= LARGEST_PDU_BYTES + 1:
                raise PeerError("not_modbus_tcp", "Send Modbus TCP: protocol id 0 and a length of 2 to 254.")
            end = MBAP_BYTES - 1 + length
            if len(self._pending) < end:
                break
            raw, self._pending = self._pending[:end], self._pending[end:]
            frames.append(Frame(transaction, unit, raw[MBAP_BYTES:], raw))
        return tuple(frames)


def parse_request(pdu: bytes) -> ReadRequest | WriteRequest | ModbusFault:
    """The request in a PDU, or the exception the standard's state diagrams prescribe for it."""
    function = pdu[0]
    if function in {READ_HOLDING, READ_INPUT}:
        return _parse_read(pdu)
    if function == WRITE_SINGLE:
        if len(pdu) != 5:  # noqa: PLR2004 - function, address, value
            return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
        address, word = struct.unpack(">HH", pdu[1:])
        return WriteRequest(function, address, (word,))
    if function == WRITE_MULTIPLE:
        return _parse_write_multiple(pdu)
    return ModbusFault(ExceptionCode.ILLEGAL_FUNCTION)


def _parse_read(pdu: bytes) -> ReadRequest | ModbusFault:
    if len(pdu) != 5:  # noqa: PLR2004 - function, address, count
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
    address, count = struct.unpack(">HH", pdu[1:])
    if not 1 <= count <= LARGEST_READ_WORDS:
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
    if address + count - 1 > LAST_ADDRESS:
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)
    return ReadRequest(pdu[0], address, count)


def _parse_write_multiple(pdu: bytes) -> WriteRequest | ModbusFault:
    if len(pdu) < 6:  # noqa: PLR2004 - function, address, count, byte count
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
    address, count, byte_count = struct.unpack_from(">HHB", pdu, 1)
    if not 1 <= count <= LARGEST_WRITE_WORDS or byte_count != 2 * count or len(pdu) != 6 + byte_count:
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
    if address + count - 1 > LAST_ADDRESS:
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)
    return WriteRequest(pdu[0], address, words_of(pdu[6:]))


def words_of(data: bytes) -> tuple[int, ...]:
    """Big-endian 16-bit words; an odd last byte is left out."""
    return struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])


def read_answer(function: int, words: tuple[int, ...]) -> bytes:
    """PDU that answers FC 3 or 4."""
    return struct.pack(f">BB{len(words)}H", function, 2 * len(words), *words)


def write_answer(request: WriteRequest) -> bytes:
    """PDU that acknowledges FC 6 (echo) or FC 16 (address and count)."""
    last = request.words[0] if request.function == WRITE_SINGLE else len(request.words)
    return struct.pack(">BHH", request.function, request.address, last)


def exception_answer(function: int, code: int) -> bytes:
    """PDU of an exception."""
    return bytes((function | EXCEPTION_BIT, code))


def to_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A PDU behind its MBAP header."""
    return struct.pack(">HHHB", transaction & 0xFFFF, 0, len(pdu) + 1, unit & 0xFF) + pdu
