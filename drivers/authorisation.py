"""The one question that is put to the policy, in the same words at the core and at the gate.

Principal `Utility::"name"` (an order that follows an event) or `Site::"name"` (back to the default), the operation as
action, `Device::"name"` as resource, and a context of eight entries. Decides nothing and looks at no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from wattseal.certs.policy import Name, Policy, Verdict
from wattseal.drivers.commands import Decision, Order

UTILITY: Final = "Utility"
SITE: Final = "Site"
PROGRAMME: Final = "programme"
TEST: Final = "test"
OPERATION: Final = "operation"
WATTS: Final = "watts"
MAGNITUDE: Final = "magnitude_watts"
CLOCK_TRUSTED: Final = "clock_trusted"
STORAGE_LOW: Final = "storage_low"


@dataclass(frozen=True, slots=True)
class Question:
    """Who may do what with which device, under which circumstances."""

    principal: Name
    action: str
    resource: Name
    context: Mapping[str, str | int | bool]

    def put_to(self, policy: Policy) -> Verdict:
        """The policy's verdict."""
        return policy.decide(self.principal, self.action, self.resource, self.context)

    def supposing(self, fact: str, value: bool) -> "Question":
        """The same question under one other circumstance, to learn whether it is that one that decides."""
        return replace(self, context={**self.context, fact: value})

    def decision(self, verdict: Verdict, order: bytes, policy_digest: bytes) -> Decision:
        """The decision body that records question and verdict."""
        return Decision(
            verdict.allowed,
            verdict.policy_ids,
            order,
            policy_digest,
            self.principal.type,
            self.principal.id,
            self.action,
            self.resource.id,
            self.context,
        )


def question_of(
    order: Order,
    principal: Name,
    *,
    programme: str,
    test: bool,
    clock_trusted: bool,
    storage_low: bool,
    raises_power: bool,
) -> Question:
    """The question about `order`. `programme` is empty where no event stands behind it.

    `raises_power`: the change is not toward the safe side. Raises `BodyError` for an order that is not in watts.
    """
    watts = order.watts
    context: dict[str, str | int | bool] = {
        PROGRAMME: programme,
        OPERATION: str(order.operation),
        WATTS: watts,
        MAGNITUDE: abs(watts),
        TEST: test,
        CLOCK_TRUSTED: clock_trusted,
        STORAGE_LOW: storage_low,
        "raises_power": raises_power,
    }
    return Question(principal, str(order.operation), Name("Device", order.device), context)


def asks_the_same(decision: Decision, question: Question) -> bool:
    """Whether `decision` was taken on this order by this principal; circumstances may differ from the gate's."""
    asked = decision.context
    return (
        (decision.principal_type, decision.principal_id) == (question.principal.type, question.principal.id)
        and (decision.action, decision.resource_id) == (question.action, question.resource.id)
        and set(asked) == set(question.context)
        and all(asked[key] == question.context[key] for key in (OPERATION, WATTS, MAGNITUDE))
    )
