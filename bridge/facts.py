"""Facts: every input of one plan run, as one sealed body. From them, and the texts they name, the run can be repeated.

facts {1: planner, 2: now, 3: clock quality, 4: storage low, 5: digest of the site file, 6: policy digest,
       7: [[intent digest, start draw, cut at or null], ...],
       8: [[device, reading digest or null, state of charge in permille or null, reachable, measured watts or null,
            measured at or null], ...],
       9: [[device, command digest or null, order digest, standing, fresh, window end or null, operation, watts,
             function (only another one than power; its watts are 0)], ...], only functions in use,
       10: epoch or null, 11: first sequence, 12: lease seconds,
       13: [what is held of an export limit at the site, of an import limit], each null or [room watts, since,
            meter watts or null, devices' watts, least room watts, its since, background watts or null, tested, doubts]}
"""

import hashlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from enum import StrEnum

from wattseal.bridge.connection_point import NOTHING_HELD, Hold, Holds, Measured
from wattseal.bridge.timeline import TimedEvent
from wattseal.bridge.world import PLANNER, DevicePicture, World
from wattseal.certs import cbor
from wattseal.certs.clock import ClockQuality
from wattseal.certs.errors import PeerError
from wattseal.drivers.commands import Function, Operation, Seat
from wattseal.protocols.grid_event import GridEvent


class FactsError(PeerError):
    """A facts body that is not laid out as this release reads it, or that names what is not at hand."""


class Standing(StrEnum):
    """Where the last order to a function of a device stands."""

    COMMANDED = "commanded"  # sealed and sent; it lives until its window ends or another supersedes it
    DENIED = "denied"  # policy said no: the same order is not asked again until something changes
    REFUSED = "refused"  # the gate or the device said no
    OVER = "over"  # the gateway reverted it


@dataclass(frozen=True, slots=True)
class EventFact:
    """One event that the plan took into account."""

    intent: bytes
    start_draw_seconds: int
    cut_at: int | None


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """The last order to a function of a device. `fresh`: to be ordered again though nothing changed (restart, drift).

    `order` is the digest of the last order that was asked for. Where policy denied it, the rest tells of the command
    that still stands until its lease ends (`command` None: none does).
    """

    device: str
    command: bytes | None
    order: bytes
    standing: Standing
    fresh: bool
    window_end: int | None
    operation: Operation
    watts: int
    function: Function = Function.POWER

    @property
    def seat(self) -> Seat:
        """The function of the device that it holds."""
        return Seat(self.device, self.function)


@dataclass(frozen=True, slots=True)
class Facts:
    """Every input of one plan run. Digests are SHA-256; `order` of a live order is the digest of its body."""

    now: int
    clock: ClockQuality
    storage_low: bool
    site: bytes
    policy: bytes
    events: tuple[EventFact, ...]
    devices: tuple[DevicePicture, ...]
    live: tuple[LiveOrder, ...]
    epoch: bytes | None
    first_sequence: int
    lease_seconds: int
    planner: str = PLANNER
    holds: Holds = NOTHING_HELD
    _live_by_seat: Mapping[Seat, LiveOrder] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Asked for each function of a thousand devices. Of two rows for one seat (nobody writes them) the first is it.
        object.__setattr__(self, "_live_by_seat", {live.seat: live for live in reversed(self.live)})

    def encode(self) -> bytes:
        """The facts body."""
        return cbor.encode(
            {
                1: self.planner,
                2: self.now,
                3: str(self.clock),
                4: self.storage_low,
                5: self.site,
                6: self.policy,
                7: tuple((event.intent, event.start_draw_seconds, event.cut_at) for event in self.events),
                8: tuple(_picture_row(picture) for picture in self.devices),
                9: tuple(_live_row(live) for live in self.live),
                10: self.epoch,
                11: self.first_sequence,
                12: self.lease_seconds,
                13: (_hold_row(self.holds.export), _hold_row(self.holds.importing)),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Facts":
        """Raises `FactsError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: str(planner),
                2: int(now),
                3: str(clock),
                4: bool(storage_low),
                5: bytes(site),
                6: bytes(policy),
                7: (tuple() | list()) as events,
                8: (tuple() | list()) as devices,
                9: (tuple() | list()) as live,
                10: (bytes() | None) as epoch,
                11: int(first),
                12: int(lease),
                13: [export, importing],
                **rest,
            } if not rest and clock in set(ClockQuality):
                return cls(
                    now,
                    ClockQuality(clock),
                    storage_low,
                    site,
                    policy,
                    tuple(_event_fact(row) for row in events),
                    tuple(_picture(row) for row in devices),
                    tuple(_live(row) for row in live),
                    epoch,
                    first,
                    lease,
                    planner,
                    Holds(_hold(export), _hold(importing)),
                )
        raise FactsError("facts_malformed", "The facts body is not laid out as this release reads it.")

    def world(self, events_by_intent: Mapping[bytes, GridEvent]) -> World:
        """The plan's world. Raises `FactsError` where an intent is not at hand."""
        try:
            timed = tuple(
                TimedEvent(events_by_intent[fact.intent], fact.intent, fact.start_draw_seconds, fact.cut_at)
                for fact in self.events
            )
        except KeyError as error:
            raise FactsError("intent_missing", "The facts name an intent that is not at hand.") from error
        held = frozenset(live.seat for live in self.live if live.function is not Function.POWER)
        return World(self.now, timed, self.devices, held, self.holds)

    def standing_order(self, seat: Seat) -> LiveOrder | None:
        """The command that still stands at `seat` as far as is known: given, not reverted, not refused."""
        live = self.live_order(seat)
        if live is None or live.command is None or live.standing not in {Standing.COMMANDED, Standing.DENIED}:
            return None
        return live

    def live_order(self, seat: Seat) -> LiveOrder | None:
        """The last order to `seat`, if there was one."""
        return self._live_by_seat.get(seat)


def order_digest(order: bytes) -> bytes:
    """SHA-256 of an order body."""
    return hashlib.sha256(order).digest()


def _live_row(live: LiveOrder) -> tuple[cbor.Value, ...]:
    return (
        live.device, live.command, live.order, str(live.standing), live.fresh, live.window_end,
        str(live.operation), live.watts, *(() if live.function is Function.POWER else (str(live.function),)),
    )  # fmt: skip


def _event_fact(row: cbor.Value) -> EventFact:
    match row:
        case [bytes(intent), int(draw), (int() | None) as cut]:
            return EventFact(intent, draw, cut)
    raise FactsError("facts_malformed", "An event of the facts is not intent, draw and cut.")


def _picture(row: cbor.Value) -> DevicePicture:
    match row:
        case [str(name), (bytes() | None) as reading, (int() | None) as soc, bool(reachable), None, None]:
            return DevicePicture(name, reading, soc, reachable)
        case [str(name), (bytes() | None) as reading, (int() | None) as soc, bool(reachable), int(watts), int(at)]:
            return DevicePicture(name, reading, soc, reachable, Measured(watts, at))
    raise FactsError("facts_malformed", "A device of the facts is not name, reading, charge, reachability and power.")


def _picture_row(picture: DevicePicture) -> tuple[cbor.Value, ...]:
    measured = picture.measured
    power = (None, None) if measured is None else (measured.watts, measured.at)
    return (picture.name, picture.reading, picture.soc_permille, picture.reachable, *power)


def _hold_row(hold: Hold | None) -> tuple[cbor.Value, ...] | None:
    return None if hold is None else astuple(hold)


def _hold(row: cbor.Value) -> Hold | None:
    match row:
        case None:
            return None
        case [
            int(room), int(since), (int() | None) as meter, int(devices), int(low), int(low_since),
            (int() | None) as background, bool(tested), int(doubts),
        ]:  # fmt: skip
            return Hold(room, since, meter, devices, low, low_since, background, tested, doubts)
    raise FactsError("facts_malformed", "What is held of a site's limit is not laid out as this release reads it.")


def _live(row: cbor.Value) -> LiveOrder:
    match row:
        case [
            str(device),
            (bytes() | None) as command,
            bytes(order),
            str(standing),
            bool(fresh),
            (int() | None) as window_end,
            str(operation),
            int(watts),
            *function,
        ] if standing in set(Standing) and operation in set(Operation):
            told = (device, command, order, Standing(standing), fresh, window_end, Operation(operation), watts)
            return LiveOrder(*told, _function(function))
    raise FactsError("facts_malformed", "A live order of the facts is not laid out as this release reads it.")


def _function(named: list[cbor.Value]) -> Function:
    """The function of a live order; power is never named: one encoding for each row."""
    match named:
        case []:
            return Function.POWER
        case [str(function)] if function in set(Function) - {Function.POWER}:
            return Function(function)
    raise FactsError("facts_malformed", "A live order of the facts names a function that it may not name.")
