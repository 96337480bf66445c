"""What the engine remembers, as one frozen value with a byte form: it is to be on disk before anything acts on it.

Knows no rule. Mappings are never changed in place. Times are unix seconds of the utility's clock unless a name says
otherwise.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, TypeAlias

import msgspec

from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.engine.inputs import OPEN_ENDED_SECONDS, Control, DefaultControl, Rules

FORMAT: Final = 1


class EngineStateError(WorldError):
    """Bytes that are no state of this release."""


class ResponseStatus(IntEnum):
    """The Response codes that the engine gives (2018 table 27; the same numbers in 2023 table 31)."""

    RECEIVED = 1
    STARTED = 2
    COMPLETED = 3
    CANCELLED = 6
    SUPERSEDED = 7
    ACKNOWLEDGED = 11  # by a person; the engine itself never says it
    OTHER_PROGRAM = 14
    NOT_APPLICABLE = 252
    INVALID = 253
    EXPIRED = 254


class Closing(IntEnum):
    """How a record ended; no record is opened again."""

    OPEN = 0
    COMPLETED = 1
    CANCELLED = 2
    SUPERSEDED = 3
    REJECTED = 4
    MISSED = 5  # its whole run passed while the engine was not asked
    SILENT = 6  # it ended while the device was not ours to speak for


class KnownProgram(msgspec.Struct, frozen=True, array_like=True):
    """A programme of the last picture. An event first seen after an end at or before `horizon` was known before."""

    primacy: int
    default: DefaultControl | None
    horizon: int | None


class Event(msgspec.Struct, frozen=True, array_like=True):
    """A control, the programme it stands in, and its start (0 on the wire is settled here, at first sight)."""

    control: Control
    program: bytes
    start: int
    unlisted_since: int | None

    @property
    def end(self) -> int | None:
        """The specified end; None for an open-ended one."""
        duration = self.control.duration_seconds
        return None if duration >= OPEN_ENDED_SECONDS else self.start + duration


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One event at one device. `lost`: modes taken by other events. `cut_at`: when a cancelled one stops."""

    event: bytes
    version: int
    start_draw_seconds: int = 0
    duration_draw_seconds: int = 0
    closing: Closing = Closing.OPEN
    started: bool = False
    lost: tuple[str, ...] = ()
    cut_at: int | None = None


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """What a device is to the utility. `managed` False: disabled or deleted; `absent_since`: no longer listed."""

    programs: tuple[bytes, ...]
    categories: int
    modes: tuple[str, ...] | None
    managed: bool
    absent_since: int | None


class Cohort(msgspec.Struct, frozen=True, array_like=True):
    """Devices of one standing and one ledger. `due_at`: when the clock alone changes something."""

    standing: Standing
    devices: tuple[bytes, ...]
    records: tuple[Record, ...]
    due_at: int | None


class Owed(msgspec.Struct, frozen=True, array_like=True):
    """One Response, owed for each of `lfdis`. `created_at` is its createdDateTime; `modes` what it speaks of (2023)."""

    serial: int
    subject: bytes
    status: ResponseStatus
    created_at: int
    reply_to: str
    modes: tuple[str, ...]
    lfdis: tuple[bytes, ...]


class State(msgspec.Struct, frozen=True):
    """All of it. `offset_seconds` None: no trusted clock. `evaluated_at`: the last instant judged.

    `utility_lost_since` is in our own time. `acknowledged`: the events that a person has acknowledged.
    """

    seed: bytes
    rules: Rules
    offset_seconds: int | None
    programs: Mapping[bytes, KnownProgram] = {}
    events: Mapping[bytes, Event] = {}
    cohorts: tuple[Cohort, ...] = ()
    outbox: tuple[Owed, ...] = ()
    next_serial: int = 1
    evaluated_at: int | None = None
    utility_lost_since: int | None = None
    acknowledged: tuple[bytes, ...] = ()
    layout: int = FORMAT


Ledger: TypeAlias = tuple[Record, ...]

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(State)


def to_bytes(state: State) -> bytes:
    """The state for the disk."""
    return _ENCODER.encode(state)


def from_bytes(data: bytes) -> State:
    """The state from the disk. Raises `EngineStateError`."""
    try:
        state = _DECODER.decode(data)
    except (msgspec.DecodeError, ValueError) as error:
        sentence = "The stored event state cannot be read; start with an empty one and read the utility again."
        raise EngineStateError("engine_state_unreadable", sentence) from error
    if state.layout != FORMAT:
        sentence = f"The stored event state has layout {state.layout}; this release reads {FORMAT}."
        raise EngineStateError("engine_state_layout", sentence)
    return state
