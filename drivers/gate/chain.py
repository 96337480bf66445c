"""Step 8 in full: what a message rests on, all the way from a command to the bytes that a utility sent.

Parents come before their children. What is remembered rested, when it came, on what was remembered; so here only the
links next to the message need to be looked at, and for a command the two behind its decision.
"""

from typing import Final

from wattseal.certs.policy import Name
from wattseal.certs.statement import PARENTS_OF, ROLE_OF, Kind, Role, Statement
from wattseal.drivers.authorisation import PROGRAMME, SITE, TEST, UTILITY, Question, asks_the_same, question_of
from wattseal.drivers.commands import Command, Decision, Order, Renewal
from wattseal.drivers.gate.envelope import foreseen, toward_safe_side
from wattseal.drivers.gate.memory import GateMemory
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.gate.passage import Passage, RefusalError

_A_DECISION: Final = frozenset({Kind.DECISION})
_THE_FACTS: Final = frozenset({Kind.FACTS})


def require_chain(passage: Passage) -> None:
    """Raises `RefusalError` unless every parent is there, of a permitted kind, and says what the child needs."""
    if isinstance(passage.body, Renewal):
        memory = passage.ground.memory
        passage.renewed = tuple(filter(memory.accepted, dict.fromkeys(passage.said.header.parents)))
        if not passage.renewed:
            raise RefusalError("parent_missing", "None of the commands it names was accepted in this epoch.")
    elif isinstance(passage.body, Command) and passage.order is not None:
        _require_decided(passage, passage.body, passage.order)
    elif ROLE_OF[passage.kind] is not Role.GATEWAY:
        _require_rest(passage)


def _require_rest(passage: Passage) -> None:
    required, permitted = PARENTS_OF[passage.kind]
    kinds = {_parent(passage.ground.memory, digest, permitted).header.kind for digest in passage.said.header.parents}
    if not required <= kinds:
        raise RefusalError("parent_missing", f"The {passage.kind} does not rest on {', '.join(required - kinds)}.")


def _require_decided(passage: Passage, command: Command, order: Order) -> None:
    decided, said_by = _decision_of(passage)
    if not decided.allowed:
        raise RefusalError("decision_denied", "The decision it rests on denies.")
    if decided.order != command.order:
        raise RefusalError("decision_other_order", "The decision was taken on another order.")
    if decided.policy_digest != passage.ground.manifest.policy_digest:
        raise RefusalError("policy_digest_wrong", "The decision was taken under another policy than the manifest's.")
    passage.question = _question(passage, order, decided)
    if not asks_the_same(decided, passage.question):
        raise RefusalError("decision_other_order", "What the policy was asked is not what the command orders.")
    _require_intent(passage, decided, said_by)


def _decision_of(passage: Passage) -> tuple[Decision, Statement]:
    named, memory = passage.said.header.parents, passage.ground.memory
    if not named:
        raise RefusalError("parent_missing", "The command names no decision.")
    if len(named) > 1:
        raise RefusalError("parent_too_many", "A command rests on exactly one decision.")
    found = _parent(memory, named[0], _A_DECISION)
    return memory.decision(found), found


def _parent(memory: GateMemory, digest: bytes, permitted: frozenset[Kind]) -> Statement:
    found = memory.parent(digest)
    if found is None:
        raise RefusalError("parent_missing", f"The parent {digest.hex()[:16]} was not sent before its child.")
    if found.header.kind not in permitted:
        raise RefusalError("parent_kind_wrong", f"A {found.header.kind} statement may not be a parent here.")
    return found


def _question(passage: Passage, order: Order, decided: Decision) -> Question:
    ground = passage.ground
    known = {(UTILITY, row.utility) for row in ground.sections.enrolments} | {(SITE, ground.manifest.site)}
    if (decided.principal_type, decided.principal_id) not in known:
        raise RefusalError("principal_unknown", f"{decided.principal_id!r} is neither enrolled nor this site.")
    programme, test = decided.context.get(PROGRAMME), decided.context.get(TEST)
    if not isinstance(programme, str) or not isinstance(test, bool):
        raise RefusalError("decision_other_order", "The decision does not say for which programme it was taken.")
    facts = foreseen(passage.local.get(order.device, LocalFacts()), passage.now.monotonic)
    return question_of(
        order,
        Name(decided.principal_type, decided.principal_id),
        programme=programme,
        test=test,
        clock_trusted=passage.may_order_by_clock,
        storage_low=facts.storage_low,
        raises_power=not toward_safe_side(order.operation, order.watts, facts),
    )


def _require_intent(passage: Passage, decided: Decision, said_by: Statement) -> None:
    """What a utility orders rests on an intent; only the site's own return to the default needs none."""
    if decided.principal_type != UTILITY:
        return
    memory = passage.ground.memory
    for digest in said_by.header.parents:
        facts = _parent(memory, digest, _THE_FACTS)
        if any(memory.parent_of_kind(named, Kind.INTENT) for named in facts.header.parents):
            return
    raise RefusalError("parent_missing", "The decision for a utility rests on no intent.")
