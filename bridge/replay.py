"""Re-execution: from the recorded inputs make every intent, decision and command again, and compare byte for byte.

Ids, times, draws and signatures come from the record; what is made anew are the bodies. Seals are not checked here:
that is the separate verifier's work, and it comes first. A difference names the statement and what made it: the
translator that read the message, the planner, or the profile that the order is bound to.

An intent of IEEE 2030.5 follows from many messages and the state of an event engine, which are not in one record: it is
taken as recorded, counted apart, and everything that rests on it is made again.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from wattseal.bridge.facts import Facts
from wattseal.bridge.plan import PLANNER
from wattseal.bridge.run import Turn, run_plan
from wattseal.bridge.site.model import Site
from wattseal.bridge.site.reader import read_site
from wattseal.certs import cose, statement
from wattseal.certs.errors import PeerError, WattsealError
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.commands import Command, Decision, Order
from wattseal.drivers.manifest_sections import Sections, policy_entities
from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.ieee2030_5 import translate as ieee2030_5
from wattseal.protocols.ingress import Ingress
from wattseal.protocols.openadr20b.intents import intents_of
from wattseal.protocols.openadr20b.translate import TRANSLATOR, TranslationContext

_COMPARED: Final = frozenset({Kind.INTENT, Kind.DECISION, Kind.COMMAND})


class ReplayError(PeerError):
    """The record lacks something that re-execution needs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A statement whose body comes out otherwise. `culprit` names what changed since, as far as that can be told."""

    index: int
    kind: Kind
    subject: str
    culprit: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many bodies were made again, by kind, and those that differ; how many intents were taken as recorded."""

    compared: Mapping[Kind, int]
    differences: tuple[Difference, ...]
    as_recorded: int = 0


@dataclass(slots=True)
class Record:
    """The statements of an evidence file in log order, and its contents by digest."""

    statements: tuple[Statement, ...]
    contents: Mapping[bytes, bytes]
    sections: Sections
    by_digest: dict[bytes, Statement] = field(default_factory=dict)
    policies: dict[bytes, Policy] = field(default_factory=dict)
    sites: dict[bytes, Site] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_digest = {said.digest: said for said in self.statements}

    def content(self, digest: bytes) -> bytes:
        """A content by its digest. Raises `ReplayError` (`content_missing`)."""
        try:
            return self.contents[digest]
        except KeyError as error:
            raise ReplayError("content_missing", f"The record lacks the content {digest.hex()}.") from error

    def site(self, digest: bytes) -> Site:
        """The site file of that digest, parsed once."""
        if digest not in self.sites:
            self.sites[digest] = read_site(self.content(digest), "site.toml in the evidence")
        return self.sites[digest]

    def policy(self, digest: bytes) -> Policy:
        """The policy of that digest, parsed once."""
        if digest not in self.policies:
            entities = policy_entities(self.sections.enrolments, self.sections.inventory)
            self.policies[digest] = Policy(self.content(digest), entities)
        return self.policies[digest]

    def parent(self, said: Statement, kind: Kind) -> Statement | None:
        """The first parent of that kind that stands in the record."""
        found = (self.by_digest.get(digest) for digest in said.header.parents)
        return next((parent for parent in found if parent is not None and parent.header.kind is kind), None)


def record_of(leaves: tuple[bytes, ...], contents: tuple[bytes, ...], sections: Mapping[str, bytes]) -> Record:
    """A record from the parts of an evidence file whose seals were verified."""
    statements = tuple(statement.read(cose.take_apart(leaf)) for leaf in leaves)
    by_digest = {hashlib.sha256(content).digest(): content for content in contents}
    return Record(statements, by_digest, Sections.decode(sections))


def replay(record: Record) -> Verdict:
    """Makes every intent, decision and command of the record again and compares."""
    compared = dict.fromkeys(sorted(_COMPARED), 0)
    differences: list[Difference] = []
    turns = dict(_turns(record))
    as_recorded = 0
    for index, said in enumerate(record.statements):
        kind = said.header.kind
        if kind not in _COMPARED:
            continue
        if kind is Kind.INTENT and _is_of_a_schedule(said):
            as_recorded += 1
            continue
        compared[kind] += 1
        try:
            body, culprit = _again(said, record, turns)
        except WattsealError as error:
            body, culprit = None, f"{error.reason}: {error.sentence}"
        if body != said.body:
            differences.append(Difference(index, kind, said.header.subject, culprit))
    return Verdict(compared, tuple(differences), as_recorded)


def _is_of_a_schedule(said: Statement) -> bool:
    try:
        return GridEvent.decode(said.body)[0].origin.dialect == ieee2030_5.DIALECT
    except PeerError:
        return False


def _again(said: Statement, record: Record, turns: Mapping[bytes, Turn | str]) -> tuple[bytes | None, str]:
    """The body made anew, and the best name for the cause should it differ."""
    match said.header.kind:
        case Kind.INTENT:
            return _intent(said, record)
        case Kind.DECISION:
            turn = turns.get(said.digest, "no order of the re-made plan answers to it")
            if isinstance(turn, str):
                return None, turn
            return turn.decision.encode(), _order_culprit(Decision.decode(said.body).order, turn)
        case _:
            decision = record.parent(said, Kind.DECISION)
            turn = "its decision is not in the record" if decision is None else turns.get(decision.digest, "no turn")
            if isinstance(turn, str) or turn.command is None:
                return None, turn if isinstance(turn, str) else "the re-made decision allows no command"
            return turn.command.encode(), _order_culprit(Command.decode(said.body).order, turn)


def _order_culprit(recorded: bytes, turn: Turn) -> str:
    order = Order.decode(recorded)
    if order.profile_digest != turn.desired.order.profile_digest:
        return f"profile of {order.device}: {order.profile_digest.hex()[:16]} is not what this release has"
    return f"planner: this release has {PLANNER}"


def _intent(said: Statement, record: Record) -> tuple[bytes | None, str]:
    event, translator = GridEvent.decode(said.body)
    culprit = f"translator: the record was read by {translator}, this release has {TRANSLATOR}"
    ingress = record.parent(said, Kind.INGRESS)
    previous = record.parent(said, Kind.INTENT)
    if ingress is None:
        raise ReplayError("ingress_missing", "The record lacks the message that this intent rests on.")
    body = Ingress.decode(ingress.body)
    site = record.site(said.header.contents[0])
    utility = site.utility(body.utility)
    if utility is None:
        raise ReplayError("utility_missing", f"The site file does not name the utility {body.utility}.")
    named = (utility.market_contexts, utility.resources, utility.groups)
    context = TranslationContext(utility.name, body.addressee, *named, accept_test_events=True)
    before = () if previous is None else (GridEvent.decode(previous.body)[0],)
    raw = record.content(ingress.header.contents[0])
    found = intents_of(raw, context, {one.origin.key: one for one in before})
    again = next((one for one in found if one.origin.key == event.origin.key), None)
    return (None if again is None else again.encode(TRANSLATOR)), culprit


def _turns(record: Record) -> Iterator[tuple[bytes, "Turn | str"]]:
    """For each decision in the record, the turn of the re-made run that answers to it (same device)."""
    runs: dict[bytes, dict[str, Turn] | str] = {}
    for said in record.statements:
        if said.header.kind is not Kind.DECISION:
            continue
        facts = record.parent(said, Kind.FACTS)
        if facts is None:
            yield said.digest, "the facts of this decision are not in the record"
            continue
        if facts.digest not in runs:
            runs[facts.digest] = _run_again(facts, record)
        run = runs[facts.digest]
        device = Decision.decode(said.body).resource_id
        yield said.digest, run if isinstance(run, str) else run.get(device, f"planner: no order for {device} is due")


def _run_again(said: Statement, record: Record) -> dict[str, Turn] | str:
    facts = Facts.decode(said.body)
    if facts.planner != PLANNER:
        return f"planner: the record was made by {facts.planner}, this release has {PLANNER}"
    try:
        events = {
            parent: GridEvent.decode(record.by_digest[parent].body)[0]
            for parent in said.header.parents
            if parent in record.by_digest and record.by_digest[parent].header.kind is Kind.INTENT
        }
        run = run_plan(facts, events, record.site(facts.site), record.policy(facts.policy))
    except WattsealError as error:
        return f"{error.reason}: {error.sentence}"
    return {turn.desired.device: turn for turn in run.turns}
