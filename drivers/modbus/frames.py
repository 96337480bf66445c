"""Is this answer the answer to that request? The strict reading of Modbus TCP frames, over bytes only.

pymodbus lets short answers pass and skips those of other units, so that they look like silence. Here every byte that
can be compared with the request is compared, as soon as it has arrived. Clause numbers are those of the Modbus
application protocol V1.1b3 and of the TCP/IP messaging guide V1.0b.
"""

import struct
from typing import Final

from wattseal.drivers.modbus.exchange import (
    DeviceExceptionError,
    Effect,
    ShortAnswerError,
    WrongAnswerError,
    WrongUnitError,
)

HEADER_BYTES: Final = 7  # MBAP: transaction, protocol, length, unit (messaging guide 3.1.3)
WRITE_MULTIPLE: Final = 16

_EXCEPTION_BIT: Final = 0x80
_EXCEPTION_LENGTH: Final = 3
_WRITE_LENGTH: Final = 6

# What each exception code says about a write (application protocol, 7). 4, 5 and 8 come after the action has begun,
# and a gateway that reports 11 has sent the request on; a device was seen to store a value and answer 4 all the same.
_EXCEPTION_NAMES: Final = {
    1: ("illegal function", Effect.NONE),
    2: ("illegal data address", Effect.NONE),
    3: ("illegal data value", Effect.NONE),
    4: ("server device failure", Effect.UNKNOWN),
    5: ("acknowledge, still working", Effect.UNKNOWN),
    6: ("server device busy", Effect.NONE),
    8: ("memory parity error", Effect.UNKNOWN),
    10: ("gateway path unavailable", Effect.NONE),
    11: ("gateway target did not respond", Effect.UNKNOWN),
}


def is_write(request: bytes) -> bool:
    """Whether that request frame writes."""
    return request[HEADER_BYTES] == WRITE_MULTIPLE


def effect_of_loss(request: bytes) -> Effect:
    """What a request that was sent and not properly answered may have done."""
    return Effect.UNKNOWN if is_write(request) else Effect.NONE


def answer_length(request: bytes, received: bytes) -> int | None:
    """How many of the `received` bytes are the whole, right answer to `request`; None while more are needed.

    Raises `WrongAnswerError`, `WrongUnitError` or `ShortAnswerError` on the first byte that cannot be right, and
    `DeviceExceptionError` when the whole, right answer is a Modbus exception.
    """
    _check_prefix(request, received)
    if len(received) < HEADER_BYTES + 1:
        return None
    length = int.from_bytes(received[4:6], "big")
    function, code = request[HEADER_BYTES], received[HEADER_BYTES]
    if code == function | _EXCEPTION_BIT:
        return _exception(request, received, length)
    if code != function:
        raise WrongAnswerError(
            "wrong_answer",
            f"Function {function} was asked and function {code} answered; look for a second client behind the gateway.",
            effect_of_loss(request),
            request,
            received,
        )
    if function == WRITE_MULTIPLE:
        return _write_answer(request, received, length)
    return _read_answer(request, received, length)


def answer_words(answer: bytes) -> tuple[int, ...]:
    """The registers of a whole answer to a read."""
    return struct.unpack_from(f">{(len(answer) - HEADER_BYTES - 2) // 2}H", answer, HEADER_BYTES + 2)


def _check_prefix(request: bytes, received: bytes) -> None:
    if received[:2] != request[: min(2, len(received))]:
        raise WrongAnswerError(
            "wrong_answer",
            "The answer carries another transaction number than the request; the connection is given up.",
            effect_of_loss(request),
            request,
            received,
        )
    if any(received[2:4]):
        raise WrongAnswerError(
            "wrong_answer",
            "The answer is not Modbus TCP (protocol number is not 0); check the port and the framing.",
            effect_of_loss(request),
            request,
            received,
        )
    if len(received) >= HEADER_BYTES and received[6] != request[6]:
        raise WrongUnitError(
            "wrong_unit",
            f"Unit {request[6]} was asked and unit {received[6]} answered; check the unit set in the gateway.",
            effect_of_loss(request),
            request,
            received,
        )


def _exception(request: bytes, received: bytes, length: int) -> int | None:
    if length != _EXCEPTION_LENGTH:
        raise _short(request, received, f"an exception frame of length {length}")
    if len(received) < HEADER_BYTES + 2:
        return None
    code = received[HEADER_BYTES + 1]
    name, effect = _EXCEPTION_NAMES.get(code, ("not in the standard", Effect.UNKNOWN))
    raise DeviceExceptionError(
        code,
        f"The device refused with Modbus exception {code} ({name}); compare its register map with the profile.",
        effect if is_write(request) else Effect.NONE,
        request,
        received[: HEADER_BYTES + 2],
    )


def _read_answer(request: bytes, received: bytes, length: int) -> int | None:
    count = int.from_bytes(request[HEADER_BYTES + 3 : HEADER_BYTES + 5], "big")
    if length != 3 + 2 * count:
        raise _short(request, received, f"{(length - 3) / 2:g} registers where {count} were asked")
    if len(received) > HEADER_BYTES + 1 and received[HEADER_BYTES + 1] != 2 * count:
        raise _short(request, received, f"a byte count of {received[HEADER_BYTES + 1]} for {count} registers")
    return 6 + length if len(received) >= 6 + length else None


def _write_answer(request: bytes, received: bytes, length: int) -> int | None:
    if length != _WRITE_LENGTH:
        raise _short(request, received, f"a write answer of length {length}")
    if len(received) < 6 + length:
        return None
    if received[8:12] != request[8:12]:
        raise WrongAnswerError(
            "wrong_answer",
            "The device confirmed a write to another address or of another count; read it back before going on.",
            Effect.UNKNOWN,
            request,
            received,
        )
    return 6 + length


def _short(request: bytes, received: bytes, what: str) -> ShortAnswerError:
    return ShortAnswerError(
        "short_answer",
        f"The device answered with {what}; the answer is not used.",
        effect_of_loss(request),
        request,
        received,
    )
