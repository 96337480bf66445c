"""What the gate is told about the devices, and what it says of a message: values only.

Knows neither how a message is judged nor what is done about it.
"""

from dataclasses import dataclass
from typing import TypeAlias

from wattseal.certs.statement import Statement
from wattseal.drivers.commands import Command, Hail, Operation, Order, Renewal


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """What the gateway itself knows of one device at this moment, whatever the statements say.

    `watts`: measured, signed. What was ordered and what is pending: of the power function only. `commanded`:
    operation and clamped watts of the live command (a revert that was written counts too), None when the device
    follows its own default.
    `last_change_at`: monotonic seconds at which the commanded value last changed. `last_direction`: sign of the last
    commanded power that was not 0. `cycles_in_hour`: reversals of that direction in the last 3,600 s. `available`:
    false while the device is unreachable or taken out by site staff. `storage_low`: the box's disk is short.
    `pending`: what was accepted and is not carried out yet, oldest first; without it a burst of commands would be
    judged as if each were alone.
    """

    soc_permille: int | None = None
    watts: int | None = None
    available: bool = True
    storage_low: bool = False
    commanded: tuple[Operation, int] | None = None
    last_change_at: float | None = None
    last_direction: int = 0
    cycles_in_hour: int = 0
    pending: tuple[tuple[Operation, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Remembered:
    """A parent (ingress, intent, facts, decision, reading, hello): verified, and kept for its children."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class Hailed:
    """The issuer asks for the epoch: answer with a hello that names this statement as its parent."""

    statement: Statement
    hail: Hail


@dataclass(frozen=True, slots=True)
class Accepted:
    """Carry out `order` with `watts` (inside the envelope; signed for SET_POWER, 0 for RELEASE and other functions).

    `rule` is the envelope's rule that clamped it, None when `watts` are as ordered. `asked_watts` are the order's.
    `consumes` is the sequence number to persist in the same commit as "accepted" and the write steps.
    """

    statement: Statement
    command: Command
    order: Order
    asked_watts: int
    watts: int
    rule: str | None
    consumes: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """Each command named (by digest; accepted in this epoch, in the order they were named) lives on.

    `consumes` is the sequence number to persist. `dropped`: accepted once, but no longer inside the envelope, each with
    the rule; the gateway ends them.
    """

    statement: Statement
    renewal: Renewal
    commands: tuple[bytes, ...]
    consumes: int
    dropped: tuple[tuple[bytes, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing moves. `reason` is the code of the earliest step that failed, `step` its number.

    `statement` is None when the message was not shown to be sealed by whom it says; then nothing in it may be believed.
    `consumed_sequence` is the sequence number to persist: the message passed steps 4 to 6 and may not come again.
    `command` and `order` are there when the refused message was a sealed command (for its receipt).
    """

    reason: str
    sentence: str
    step: int
    statement: Statement | None = None
    consumed_sequence: int | None = None
    command: Command | None = None
    order: Order | None = None


Outcome: TypeAlias = Remembered | Hailed | Accepted | Renewed | Refused
