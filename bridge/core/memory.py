"""What the core knows while it runs: the journal's content, plus what only a running process can know.

One writer, the event loop. Each change here goes with a journal write in the same deed; after a restart `restore`
brings back everything but the gateway's epoch and the last readings, which the gateway tells again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wattseal.bridge.connection_point import NOTHING_HELD, Holds
from wattseal.bridge.facts import LiveOrder, Standing, order_digest
from wattseal.bridge.journal import LiveRow, Recollection, live_order_of
from wattseal.bridge.run import REVERT_GRACE_SECONDS
from wattseal.bridge.timeline import TimedEvent
from wattseal.bridge.world import DevicePicture
from wattseal.drivers.commands import Function, Operation, Seat
from wattseal.protocols.grid_event import GridEvent


@dataclass(slots=True)
class GatewayPicture:
    """What the core knows of its gateway. `epoch` is None until a hello answered our nonce on this connection.

    `last_epoch` is that of the commands given so far: as long as the gateway tells the same one, they live on.
    `sequence` is the last number given in it. `held` is the highest chain number of its statements that is durable
    here (-1: none).
    """

    epoch: bytes | None = None
    last_epoch: bytes | None = None
    sequence: int = 0
    held: int = -1

    def row(self) -> tuple[int, bytes | None, int]:
        """What the journal keeps of it."""
        return self.held, self.last_epoch, self.sequence


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order is not carried out, and the receipt (its digest) that says so."""

    reason: str
    receipt: bytes


@dataclass(slots=True)
class Memory:
    """The core's world. `wanted_afresh` names what must be ordered again although nothing changed.

    `holds` is what the last look left of limits at the site; a restart begins them anew, tight.
    `refusals`: of each function of which a receipt was heard since the start, why its order is not carried out (None:
    it is).
    `messages`: the latest ingress by utility and what it is about, oldest first: events may rest on what came before.
    """

    events: dict[tuple[str, str], TimedEvent] = field(default_factory=dict)
    live: dict[Seat, LiveRow] = field(default_factory=dict)
    pictures: dict[str, DevicePicture] = field(default_factory=dict)
    seen_at: dict[str, int] = field(default_factory=dict)
    wanted_afresh: set[Seat] = field(default_factory=set)
    gateway: GatewayPicture = field(default_factory=GatewayPicture)
    storage_low: bool = False
    holds: Holds = NOTHING_HELD
    refusals: dict[Seat, Refusal | None] = field(default_factory=dict)
    messages: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @classmethod
    def restore(cls, recollection: Recollection) -> "Memory":
        """The world as the journal remembers it; the gateway's epoch, once told, says whether its commands live on."""
        memory = cls(
            {timed.event.origin.key: timed for timed in recollection.events},
            {row.order.seat: row for row in recollection.live},
            messages=dict(recollection.messages),
        )
        memory.gateway.held = recollection.held
        memory.gateway.last_epoch = recollection.epoch
        memory.gateway.sequence = recollection.sequence
        return memory

    def live_orders(self, now: int) -> tuple[LiveOrder, ...]:
        """The live rows as facts carry them, by device and function: power of every device, and functions in use."""
        return tuple(
            live_order_of(row, fresh=seat in self.wanted_afresh, digest=order_digest(row.order.encode()))
            for seat, row in sorted(self.live.items())
            if self._in_use(seat, row, now)
        )

    def _in_use(self, seat: Seat, row: LiveRow, now: int) -> bool:
        """Whether a run must know of it: one that is over, window and all, is as if it had never been ordered."""
        hold, end = row.order.hold_seconds, row.order.not_before + row.order.hold_seconds
        if seat.function is Function.POWER or seat in self.wanted_afresh:
            return True
        if row.standing is Standing.OVER:
            return bool(hold) and now < end + REVERT_GRACE_SECONDS
        return row.command is not None or not hold or now < end

    def events_by_intent(self) -> Mapping[bytes, GridEvent]:
        """Every event at hand, by the digest of its intent."""
        return {timed.intent: timed.event for timed in self.events.values()}

    def ask_denied_again(self) -> None:
        """What policy was asked under has changed: every order that it denied is to be put to it once more."""
        denied = (seat for seat, row in self.live.items() if row.standing is Standing.DENIED)
        self.wanted_afresh.update(denied)

    def stand(self, seat: Seat, standing: Standing) -> LiveRow | None:
        """Moves the live row of `seat` to `standing`; the new row, or None where there is none."""
        row = self.live.get(seat)
        if row is None:
            return None
        self.live[seat] = replace(row, standing=standing)
        return self.live[seat]

    def seat_of(self, command: bytes) -> Seat | None:
        """The function of a device whose live order `command` is (by digest), or None."""
        return next((seat for seat, row in self.live.items() if row.command == command), None)

    def commanded(self) -> tuple[bytes, ...]:
        """Digests of the commands that must be kept alive; a release has no lease to keep."""
        rows = (
            row
            for _, row in sorted(self.live.items())
            if row.standing is Standing.COMMANDED and row.order.operation is not Operation.RELEASE
        )
        return tuple(row.command for row in rows if row.command is not None)
