"""Rules of what the statements say together: the gateway's chain, epochs and numbers, and every command's warrant.

A command is good if the decision it rests on allowed exactly its order, under the policy that the owner pinned, for a
device and a profile of the owner's inventory, for this gateway, in an epoch that the gateway itself opened.
"""

from collections.abc import Callable, Iterator
from typing import Final

from .case import Case, Device, Rule, Said

RESULTS: Final = ("applied", "clamped", "mismatch", "refused", "unreachable", "reverted", "superseded", "unknown")


def _each(*kinds: str) -> Callable[[Case], Iterator[Said]]:
    return lambda case: case.of_kind(*kinds)


def _number_follows(case: Case, leaf: Said) -> bool:
    before = case.before.get(leaf.leaf)
    return not (before and before.chain and leaf.chain) or leaf.chain[0] == before.chain[0] + 1


def _digest_follows(case: Case, leaf: Said) -> bool:
    """The first of a chain, numbered 0, follows nothing; of one that begins before this file, that cannot be seen."""
    before = case.before.get(leaf.leaf)
    if leaf.chain is None:
        return True
    return leaf.chain[1] == before.sealed.digest if before else (leaf.chain[0] == 0) == (leaf.chain[1] == bytes(32))


def _device(case: Case, command: Said) -> Device | None:
    return case.manifest_for(command).devices.get(command.order.get(1, ""))


_SAYS, _GIVES = _each("hello", "receipt", "reading", "gap"), _each("command", "renewal")
_HELLO, _COMMAND, _DECISION = _each("hello"), _each("command"), _each("decision")
# fmt: off
STORY_RULES: Final = (
    Rule("chain_missing", "A statement of the gateway has no place in its chain.",
         _SAYS, lambda _, leaf: leaf.chain is not None),
    Rule("chain_number", "Statements of the gateway are left out, or out of order: its numbers do not follow.",
         _SAYS, _number_follows),
    Rule("chain_digest", "It does not follow the gateway's statement before it.", _SAYS, _digest_follows),
    Rule("hello_nonce", "The hello answers another nonce than that of the hail it rests on.",
         _HELLO, lambda case, hello: all(hello.body.get(1) == hail.body.get(1) for hail in case.parents(hello))),
    Rule("audience_wrong", "It is not addressed to the gateway of the manifest.",
         _each("command", "renewal", "hail"), lambda case, leaf: leaf.audience == case.manifest_for(leaf).gateway),
    Rule("epoch_unknown", "No hello of the gateway opened this epoch before.",
         _GIVES, lambda case, leaf: case.index_of.get(("epoch", leaf.epoch), leaf.leaf) < leaf.leaf),
    Rule("sequence_not_rising", "Its number in the epoch is not above the one before it.",
         _GIVES, lambda case, leaf: leaf.leaf not in case.before or leaf.sequence > case.before[leaf.leaf].sequence),
    Rule("manifest_expired", "The owner's manifest had expired when the command was given.",
         _COMMAND, lambda case, leaf: case.times[leaf.leaf] < case.manifest_for(leaf).expires_at),
    Rule("policy_differs", "It was decided by another policy than the owner pinned.",
         _DECISION, lambda case, leaf: leaf.body.get(4) == case.manifest_for(leaf).policy),
    Rule("question_differs", "Policy was asked about another operation or device than the order's.",
         _DECISION, lambda _, leaf: list(leaf.body[5])[2:] == [leaf.order.get(2), leaf.order.get(1)]),
    Rule("decision_denied", "The decision under this command denied it.",
         _COMMAND, lambda case, leaf: all(decision.body.get(1) is True for decision in case.parents(leaf))),
    Rule("order_differs", "The order is not, byte for byte, the one that was decided.",
         _COMMAND, lambda case, leaf: all(leaf.body.get(1) == decision.body.get(3) for decision in case.parents(leaf))),
    Rule("intent_missing", "The order moves a device, and no event of a utility stands behind it.", _COMMAND,
         lambda case, leaf: leaf.order.get(2) == "release" or any(i.kind == "intent" for d in case.parents(leaf)
                                                                  for f in case.parents(d) for i in case.parents(f))),
    Rule("device_unknown", "The owner's inventory does not hold the device of this order.",
         _COMMAND, lambda case, leaf: _device(case, leaf) is not None),
    Rule("subject_differs", "The command is about another device than its order.",
         _COMMAND, lambda _, leaf: leaf.subject == f"device:{leaf.order.get(1)}"),
    Rule("profile_differs", "The order is bound to another profile than the inventory's.",
         _COMMAND, lambda case, leaf: (device := _device(case, leaf)) is None or leaf.order.get(10) == device.profile),
    Rule("profile_not_named", "The command does not name the text of the profile that its order is bound to.",
         _COMMAND, lambda _, leaf: leaf.order.get(10) in leaf.contents),
    Rule("result_unknown", "The receipt states a result that this release does not know.",
         _each("receipt"), lambda _, leaf: leaf.body.get(3) in RESULTS),
    Rule("receipt_device", "The receipt is about another device than its command.", _each("receipt"),
         lambda case, leaf: all(leaf.body.get(1) == command.order.get(1) for command in case.parents(leaf))),
    Rule("reading_device", "The owner's inventory does not hold the device of this reading.",
         _each("reading"), lambda case, leaf: leaf.body.get(1) in case.manifest_for(leaf).devices),
)
# fmt: on
