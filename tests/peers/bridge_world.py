"""A bridge's world without sockets: a lab box with throw-away keys, a gateway line that only writes down, a clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import ven_world as ven

from wattseal.bridge.core.consent import Consent
from wattseal.bridge.core.core import Core, Estate, Told
from wattseal.bridge.core.inbound import Arrival, Change, EventTaken
from wattseal.bridge.core.opening import open_estate
from wattseal.bridge.making import GATEWAY, make_box, sign_manifest
from wattseal.bridge.replay import Record, Verdict, record_of, replay
from wattseal.bridge.timeline import TimedEvent
from wattseal.certs import cbor, ledger
from wattseal.certs.box import Box
from wattseal.certs.statement import Header, Kind, Role, Statement, seal
from wattseal.drivers.commands import Command, Decision, Hail, Hello, Order
from wattseal.drivers.testimony import Phase, Quantity, Reading, Receipt, Result
from wattseal.protocols.grid_event import Course, EventStatus, GridEvent, Interval, Origin, Point
from wattseal.protocols.openadr20b import event as oadr
from wattseal.protocols.openadr20b import vocabulary
from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.translate import (
    TRANSLATOR,
    DispatchSign,
    MarketContext,
    Refusal,
    TranslationContext,
    cancelled,
    translate,
    withdrawn,
)
from wattseal.protocols.wish import Wish

NOW = 1_800_000_000
EPOCH = bytes(range(16))
VEN_ID = "VEN_1"
UTILITY = "north"
MARKET = ven.MARKET

SITE_TEXT = b"""
[site]
name = "bench"
lab = true
inject_limit_watts = 8000
absorb_limit_watts = 20000
lease_seconds = 300

[[device]]
name = "battery"
profile = "sunspec_battery"
link = "simulator"
address = "tcp://127.0.0.1:1502"
sampling_seconds = 10
tolerance_watts = 50
[device.levels]
level_1 = { operation = "set_power", watts = 0 }
level_2 = { operation = "set_power", watts = 1500 }
level_3 = { operation = "limit_inject", watts = 700 }
[device.envelope]
min_watts = -5000
max_watts = 5000
soc_floor_percent = 10
soc_ceiling_percent = 95

[[device]]
name = "charger"
profile = "alfen_eve"
link = "simulator"
address = "tcp://127.0.0.1:1503"
tolerance_watts = 250
[device.levels]
level_1 = { operation = "limit_absorb", watts = 7400 }
level_2 = { operation = "limit_absorb", watts = 0 }
[device.envelope]
min_watts = -11000
max_watts = 0

[[utility]]
name = "north"
dialect = "openadr-2.0b"
url = "http://127.0.0.1:8080"
ven_name = "bench"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = 7400
[[utility.market_context]]
uri = "http://utility.example/dispatch"
programme = "dispatch"
dispatch_sign = "generation"
[utility.resources]
b1 = "battery"
c1 = "charger"
"""


def grid_event(
    *courses: Course,
    event_id: str = "E1",
    utility: str = UTILITY,
    dialect: str = "openadr-2.0b",
    start: int = NOW,
    duration: int | None = 3600,
    priority: int | None = None,
    test: bool = False,
) -> GridEvent:
    """A standing event."""
    origin = Origin(dialect, utility, "dispatch", event_id, 0)
    return GridEvent(origin, EventStatus.STANDING, priority, test, start, duration, 0, None, None, courses)


def course(wish: Wish, *devices: str, offset: int = 0, duration: int | None = 3600, name: str = "S") -> Course:
    """One wish; at the site where no device is named."""
    point = Point.DEVICE if devices else Point.SITE
    return Course(name, point, devices, (Interval(offset, duration, wish),))


def timed(event: GridEvent, *, draw: int = 0, cut_at: int | None = None) -> TimedEvent:
    """An event on the timeline; its intent is named after its key."""
    name = ("/".join(event.origin.key)).encode().ljust(32, b".")[:32]
    return TimedEvent(event, name, draw, cut_at)


class Time:
    """Two clocks that stand still until they are moved."""

    def __init__(self, unix: float = NOW) -> None:
        self.unix = unix
        self.counted = 1000.0

    def wall(self) -> float:
        return self.unix

    def monotonic(self) -> float:
        return self.counted

    def advance(self, seconds: float) -> None:
        self.unix += seconds
        self.counted += seconds


@dataclass
class Line:
    """The gateway's end: what was sent, in order, each statement once as on a real connection."""

    sent: list[Statement] = field(default_factory=list)
    sent_all_again: int = 0

    def send_all_again(self) -> None:
        self.sent_all_again += 1

    async def send(self, statements: Sequence[Statement]) -> None:
        self.sent += [said for said in statements if said not in self.sent]

    def of(self, kind: Kind) -> list[Statement]:
        return [said for said in self.sent if said.header.kind is kind]

    def orders(self) -> list[tuple[str, str, int]]:
        """Device, operation and watts of each command, in order."""
        orders = [Order.decode(Command.decode(said.body).order) for said in self.of(Kind.COMMAND)]
        return [(order.device, str(order.operation), order.watts) for order in orders]


def make_bench(directory: Path, site_text: bytes = SITE_TEXT) -> Box:
    """A lab box, signed."""
    make_box(directory, now=NOW - 100, site_text=site_text)
    sign_manifest(directory, now=NOW - 100)
    return Box(directory)


class Bench:
    """A core on a lab box, its utility and its gateway. `open` may be called again: that is a restart."""

    def __init__(self, box: Box, *, max_pages: int | None = None) -> None:
        self.box = box
        self.time = Time()
        self.line = Line()
        self.known: dict[tuple[str, str], GridEvent] = {}
        self.listed: dict[str, oadr.OadrEvent] = {}
        self._chain: list[bytes] = []
        self._max_pages = max_pages
        self.gateway = box.signer(Role.GATEWAY)
        self.open()

    def open(self) -> None:
        """Starts, or starts again, the core."""
        self.estate: Estate = open_estate(self.box, self.time, max_pages=self._max_pages)
        self.core = Core(self.estate)

    def close(self) -> None:
        self.estate.store.close()

    async def restart(self) -> None:
        """The core ends and begins again."""
        self.close()
        self.open()

    # --- the utility's side

    async def tell(self, *events: oadr.OadrEvent, changes: bool = True) -> Told | None:
        """A full list of events, given to the core as a session would: changes only."""
        message = oadr.DistributeEvent(request_id="R1", vtn_id="VTN_1", events=events)
        raw = encode(message)
        taken: list[EventTaken] = []
        refused: list[tuple[str, str, str]] = []
        for one in events:
            self._compare(one, taken, refused)
        listed = {one.ei_event.event_descriptor.event_id for one in events}
        for key, event in sorted(self.known.items()):
            if key[1] not in listed:
                del self.known[key]
                taken.append(EventTaken(Change.WITHDRAWN, withdrawn(event), 0, TRANSLATOR))
        self.listed = {one.ei_event.event_descriptor.event_id: one for one in events}
        return await self.core.take(self.arrival(raw), taken, refused, lambda _consents: b"state") if changes else None

    def _compare(self, one: oadr.OadrEvent, taken: list[EventTaken], refused: list[tuple[str, str, str]]) -> None:
        descriptor = one.ei_event.event_descriptor
        key = (UTILITY, descriptor.event_id)
        before = self.known.get(key)
        if descriptor.event_status is vocabulary.EventStatus.CANCELLED:
            if before is not None:
                del self.known[key]
                taken.append(
                    EventTaken(Change.CANCELLED, cancelled(before, descriptor.modification_number), 0, TRANSLATOR)
                )
            return
        meant = translate(one, self.context())
        if isinstance(meant, Refusal):
            refused.append((descriptor.event_id, meant.code.value, meant.reason))
            if before is not None:
                del self.known[key]
                taken.append(EventTaken(Change.WITHDRAWN, withdrawn(before), 0, TRANSLATOR))
            return
        if meant.event != before:
            self.known[key] = meant.event
            change = Change.NEW if before is None else Change.MODIFIED
            taken.append(EventTaken(change, meant.event, 0, TRANSLATOR))

    def context(self) -> TranslationContext:
        return TranslationContext(
            UTILITY,
            VEN_ID,
            {MARKET: MarketContext("dispatch", DispatchSign.GENERATION)},
            {"b1": "battery", "c1": "charger"},
        )

    def arrival(self, raw: bytes) -> Arrival:
        return Arrival("openadr-2.0b", UTILITY, "127.0.0.1:8080", "application/xml", raw, VEN_ID)

    # --- the gateway's side

    async def connect(self, *, epoch: bytes = EPOCH, sequence: int = 0) -> None:
        """The gateway comes, is hailed and answers."""
        await self.core.attach(self.line)  # type: ignore[arg-type]  # the line's ability is `send`
        await self.hello(epoch=epoch, sequence=sequence)

    async def hello(self, *, epoch: bytes = EPOCH, sequence: int = 0) -> None:
        """The gateway's answer to the last hail."""
        hail = self.line.of(Kind.HAIL)[-1]
        body = Hello(Hail.decode(hail.body).nonce, epoch, sequence, "trusted")
        await self.say(Kind.HELLO, body.encode(), hail.digest)

    async def say(self, kind: Kind, body: bytes, *parents: bytes) -> Statement:
        """A sealed statement of the gateway, next in its chain, heard by the core."""
        said = self.sealed(kind, body, *parents)
        await self.core.hear(said.raw)
        return said

    def sealed(self, kind: Kind, body: bytes, *parents: bytes, number: int | None = None) -> Statement:
        """The next statement of the chain, or one numbered `number` that is not counted."""
        at = len(self._chain) if number is None else number
        previous = self._chain[-1] if self._chain else bytes(32)
        header = Header(kind, GATEWAY, "gateway", int(self.time.unix), parents=parents, chain=(at, previous))
        said = seal(self.gateway, header, body)
        if number is None:
            self._chain.append(said.digest)
        return said

    async def receipt(
        self, command: Statement, result: Result, reason: str = "-", phase: Phase = Phase.COMMAND
    ) -> Statement:
        """What became of `command`."""
        device = Order.decode(Command.decode(command.body).order).device
        body = Receipt(device, phase, result, reason, 0, 0, 0, 0, None, None, 0, "trusted")
        return await self.say(Kind.RECEIPT, body.encode(), command.digest)

    async def reading(self, device: str = "battery", soc: int | None = 500, watts: int = 0, **codes: int) -> Statement:
        """A good sample; `soc` in permille, `codes` what the device says of itself, by the quantity's name."""
        at = int(self.time.unix) * 1000
        quantities = [Quantity("watts", watts, 0, "W", "good", "40000")]
        if soc is not None:
            quantities.append(Quantity("soc_percent", soc, -1, "%", "good", "40001"))
        quantities += [Quantity(name, code, 0, "state", "good", "40002") for name, code in codes.items()]
        return await self.say(Kind.READING, Reading(device, tuple(quantities), at, at, bytes(32), "trusted").encode())

    # --- what is durable

    def statements(self) -> tuple[Statement, ...]:
        """All leaves of the ledger, each admitted by the manifest."""
        entries = self.estate.store.read_now(lambda db: ledger.entries(db, 0, 1 << 40))
        return tuple(self.estate.manifest.admit(entry.sealed, NOW) for entry in entries)

    def record(self) -> Record:
        """What an evidence file of the whole ledger would hold."""
        store = self.estate.store
        leaves = tuple(entry.sealed for entry in store.read_now(lambda db: ledger.entries(db, 0, 1 << 40)))
        contents = store.read_now(lambda db: [bytes(row[0]) for row in db.execute("SELECT bytes FROM ledger_content")])
        return record_of(leaves, tuple(contents), self.estate.manifest.sections)

    def replayed(self) -> Verdict:
        """The record made again."""
        return replay(self.record())


def decisions(statements: Sequence[Statement]) -> list[Decision]:
    """The decisions among `statements`."""
    return [Decision.decode(said.body) for said in statements if said.header.kind is Kind.DECISION]


def forged(record: Record, index: int, body: bytes) -> Record:
    """The record with another body at `index`, under the same digest: as if this release made it otherwise."""
    cbor.decode(body)
    said = record.statements[index]
    changed = replace(said, body=body)
    return Record(
        (*record.statements[:index], changed, *record.statements[index + 1 :]), record.contents, record.sections
    )


def consents_of(told: Told) -> Mapping[str, Consent]:
    """The answers by event id."""
    return {event_id: answer for (_, event_id), answer in told.consents}
