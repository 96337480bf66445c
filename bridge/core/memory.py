"""What the core knows while it runs: the journal's content, plus what only a running process can know.

One writer, the event loop. Each change here goes with a journal write in the same deed; after a restart `restore`
brings back everything but the gateway's epoch and the last readings, which the gateway tells again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wattseal.bridge.facts import LiveOrder, Standing, order_digest
from wattseal.bridge.journal import LiveRow, Recollection, live_order_of
from wattseal.bridge.plan import DevicePicture
from wattseal.bridge.timeline import TimedEvent
from wattseal.drivers.commands import Operation
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


@dataclass(slots=True)
class Memory:
    """The core's world. `wanted_afresh` names devices that must be ordered again although nothing changed.

    `messages`: the latest ingress by utility and what it is about, oldest first: events may rest on what came before.
    """

    events: dict[tuple[str, str], TimedEvent] = field(default_factory=dict)
    live: dict[str, LiveRow] = field(default_factory=dict)
    pictures: dict[str, DevicePicture] = field(default_factory=dict)
    seen_at: dict[str, int] = field(default_factory=dict)
    wanted_afresh: set[str] = field(default_factory=set)
    gateway: GatewayPicture = field(default_factory=GatewayPicture)
    storage_low: bool = False
    messages: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @classmethod
    def restore(cls, recollection: Recollection) -> "Memory":
        """The world as the journal remembers it; the gateway's epoch, once told, says whether its commands live on."""
        memory = cls(
            {timed.event.origin.key: timed for timed in recollection.events},
            {row.order.device: row for row in recollection.live},
            messages=dict(recollection.messages),
        )
        memory.gateway.held = recollection.held
        memory.gateway.last_epoch = recollection.epoch
        memory.gateway.sequence = recollection.sequence
        return memory

    def live_orders(self) -> tuple[LiveOrder, ...]:
        """The live rows as facts carry them, by device name."""
        return tuple(
            live_order_of(row, fresh=name in self.wanted_afresh, digest=order_digest(row.order.encode()))
            for name, row in sorted(self.live.items())
        )

    def events_by_intent(self) -> Mapping[bytes, GridEvent]:
        """Every event at hand, by the digest of its intent."""
        return {timed.intent: timed.event for timed in self.events.values()}

    def ask_denied_again(self) -> None:
        """What policy was asked under has changed: every order that it denied is to be put to it once more."""
        denied = (name for name, row in self.live.items() if row.standing is Standing.DENIED)
        self.wanted_afresh.update(denied)

    def stand(self, device: str, standing: Standing) -> LiveRow | None:
        """Moves the live row of `device` to `standing`; the new row, or None where there is none."""
        row = self.live.get(device)
        if row is None:
            return None
        self.live[device] = replace(row, standing=standing)
        return self.live[device]

    def device_of(self, command: bytes) -> str | None:
        """The device whose live order `command` is (by digest), or None."""
        return next((name for name, row in self.live.items() if row.command == command), None)

    def commanded(self) -> tuple[bytes, ...]:
        """Digests of the commands that must be kept alive; a release has no lease to keep."""
        rows = (
            row
            for _, row in sorted(self.live.items())
            if row.standing is Standing.COMMANDED and row.order.operation is not Operation.RELEASE
        )
        return tuple(row.command for row in rows if row.command is not None)
