"""The chronicle: every statement of the ledger as it appears, told as a link of the chain, and counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wattseal.bridge.demo.stations import Stations
from wattseal.bridge.demo.telling import Teller
from wattseal.bridge.facts import Facts
from wattseal.certs import cose, ledger, statement
from wattseal.certs.statement import Kind, Statement
from wattseal.certs.storage import Store
from wattseal.drivers.commands import Command, Decision, Order
from wattseal.drivers.testimony import Gap, Receipt, Result
from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.ieee2030_5 import translate as ieee2030_5
from wattseal.protocols.ingress import Ingress, Report

_TOLD_READINGS: Final = 2


@dataclass(slots=True)
class Chronicle:
    """Reads the ledger onward from where it stopped. Counts are by kind, and for receipts by result."""

    store: Store
    teller: Teller
    stations: Stations
    counts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    commands: list[Statement] = field(default_factory=list)
    _seen: int = 0
    _arrived_ms: int = 0
    _is_news: bool = False  # an intent came since the last facts
    _by_message: bool = False  # the last facts were made for a message, and not because time passed
    _orders: dict[bytes, tuple[Order, bool]] = field(default_factory=dict)

    def read(self) -> None:
        """Tells and counts what is new."""
        first = self._seen
        for entry in self.store.read_now(lambda db: ledger.entries(db, first, 1 << 60)):
            self._seen = entry.index + 1
            said = statement.read(cose.take_apart(entry.sealed))
            self.counts[str(said.header.kind)] += 1
            self._tell(said)

    def results(self) -> Mapping[str, int]:
        """How many receipts there are of each phase and result, as `phase/result`."""
        return {key.removeprefix("receipt "): count for key, count in self.counts.items() if " " in key}

    def _tell(self, said: Statement) -> None:
        match said.header.kind:
            case Kind.INGRESS:
                body = Ingress.decode(said.body)
                self._arrived_ms = body.arrived_ms
                self.teller.say(f"ingress   {body.length} bytes from {body.utility} at {body.peer}, sealed as received")
            case Kind.INTENT:
                self._is_news = True
                event = GridEvent.decode(said.body)[0]
                wish = event.courses[0].intervals[0].wish if event.courses else "-"
                self.teller.say(f"intent    {event.origin.event_id} v{event.origin.version} {event.status}: {wish}")
            case Kind.FACTS:
                self._by_message, self._is_news = self._is_news, False
                facts = Facts.decode(said.body)
                counted = f"{len(facts.events)} events, {len(facts.devices)} devices"
                self.teller.say(f"facts     {counted}, clock {facts.clock}")
            case Kind.DECISION:
                decision = Decision.decode(said.body)
                word = "allowed" if decision.allowed else "DENIED"
                self.teller.say(f"decision  {decision.resource_id}: {word} by {', '.join(decision.policy_ids)}")
            case Kind.COMMAND:
                self._command(said)
            case Kind.RECEIPT:
                self._receipt(said)
            case Kind.READING if self.counts["reading"] <= _TOLD_READINGS:
                self.teller.say(f"reading   {said.header.subject}, sealed by the gateway")
            case Kind.REPORT:
                self._report(Report.decode(said.body))
            case Kind.GAP:
                gap = Gap.decode(said.body)
                self.refusals[gap.reason] += gap.count
            case _:
                return

    def _command(self, said: Statement) -> None:
        command = Command.decode(said.body)
        order = Order.decode(command.order)
        self._orders[said.digest] = order, self._by_message
        self.commands.append(said)
        self.teller.say(
            f"command   {order.device}: {order.operation} {order.value} W, number {command.sequence}, "
            f"lease {command.lease_seconds} s"
        )

    def _receipt(self, said: Statement) -> None:
        receipt = Receipt.decode(said.body)
        self.counts[f"receipt {receipt.phase}/{receipt.result}"] += 1
        if receipt.effective:
            self.counts["receipt effective"] += 1
        if receipt.result is Result.REFUSED:
            self.refusals[receipt.reason] += 1
        took = (receipt.applied_at_ms or 0) - self._arrived_ms
        order, by_message = self._orders.get(said.header.parents[0], (None, False))
        at_once = order is not None and by_message and order.not_before * 1000 <= self._arrived_ms
        late = not at_once or receipt.phase != "command"
        effect = {True: ", the power obeys", False: ", the power does NOT obey", None: ""}[receipt.effective]
        values = receipt.of
        shown = f"{receipt.read_back_watts} W" if values is None else f"{values.function} {values.read_back}"
        self.teller.say(
            f"receipt   {receipt.device}: {receipt.phase} {receipt.result}, read back {shown}"
            f"{'' if late else f', {took} ms after the message came'}{effect}",
            "good" if receipt.result not in {Result.REFUSED, Result.MISMATCH, Result.UNREACHABLE} else "bad",
        )
        way = self.stations.line(said.header.parents[0])
        if way is not None:
            self.teller.say(f"          {way}", "note")

    def _report(self, report: Report) -> None:
        """The first of each kind to each utility, and every Response to an event."""
        self.counts[f"report {report.code}"] += 1
        kind = report.request.split()[0] if report.dialect == ieee2030_5.DIALECT else "readings"
        self.counts[f"report {report.utility} {kind}"] += 1
        if kind == "response" or self.counts[f"report {report.utility} {kind}"] == 1:
            self.teller.say(f"report    {kind}: accepted by {report.utility} with {report.code}", "good")
