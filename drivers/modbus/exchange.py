"""What one Modbus operation gives back, and how it fails: the seam between whoever wants registers and the link.

A register address is the wire's (0-based), a word is one unsigned 16-bit register. Nothing here does I/O, and nothing
here knows pymodbus, SunSpec or a product.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol

from wattseal.certs.errors import WorldError

MAX_READ_WORDS: Final = 125  # Modbus application protocol V1.1b3, 6.3
MAX_WRITE_WORDS: Final = 123  # same, 6.12


class Table(IntEnum):
    """The register tables, by the function code that reads them."""

    HOLDING = 3
    INPUT = 4


class Effect(StrEnum):
    """Whether a failed operation may have changed the device. A failed read never has."""

    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One operation that went well: whole request and answer frames (MBAP header included), and the words moved.

    `words` are the registers read, or the registers written.
    """

    request: bytes
    answer: bytes
    words: tuple[int, ...]


class RegisterLink(Protocol):
    """What a device is reached by. Both methods raise `LinkError` and nothing else for what the world does wrong."""

    async def read(self, unit: int, address: int, count: int, table: Table = Table.HOLDING) -> Exchange:
        """`count` registers from `address`; exactly that many, or an error."""
        ...

    async def write(self, unit: int, address: int, words: tuple[int, ...]) -> Exchange:
        """Function 16, once. It is never repeated here: on `Effect.UNKNOWN` the caller reads before it decides."""
        ...


class LinkError(WorldError):
    """A Modbus operation that gave no usable answer; `effect` says whether a write may have been taken."""

    def __init__(self, reason: str, sentence: str, effect: Effect, request: bytes = b"", answer: bytes = b"") -> None:
        super().__init__(reason, sentence)
        self.effect = effect
        self.request = request
        self.answer = answer


class LinkDownError(LinkError):
    """No connection, or it broke while the answer was awaited (`link_down`)."""


class DeadlineError(LinkError):
    """No answer within the operation's deadline (`no_answer`)."""


class ShortAnswerError(LinkError):
    """An answer with another number of registers than asked for, or that is not a whole frame (`short_answer`)."""


class WrongUnitError(LinkError):
    """An answer from another unit than the one asked (`wrong_unit`)."""


class WrongAnswerError(LinkError):
    """An answer to something else: another function, address, count or protocol (`wrong_answer`)."""


class DeviceExceptionError(LinkError):
    """The device answered with a Modbus exception (`device_exception`); `code` is the exception code."""

    def __init__(self, code: int, sentence: str, effect: Effect, request: bytes = b"", answer: bytes = b"") -> None:
        super().__init__("device_exception", sentence, effect, request, answer)
        self.code = code
