"""May this order be given? The question to Cedar, and the answer as the body of a decision.

The same question is asked again at the gate with the gate's own facts; entities come from what the owner signed.
"""

from dataclasses import dataclass

from wattseal.bridge.facts import Facts
from wattseal.bridge.plan import Desired
from wattseal.certs.clock import ClockQuality
from wattseal.certs.policy import Context, Name, Policy
from wattseal.drivers.commands import Decision, Operation


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks what of which device, under which circumstances."""

    principal: Name
    action: str
    resource: Name
    context: Context


def question(desired: Desired, facts: Facts, site: str) -> Question:
    """The question that an order comes to. An order that follows no event is asked by the site itself."""
    source = desired.source
    origin = None if source is None else source.timed.event.origin
    order = desired.order
    context: Context = {
        "clock_trusted": facts.clock is not ClockQuality.UNTRUSTED,
        "magnitude_watts": abs(order.value),
        "operation": str(order.operation),
        "programme": "" if origin is None else origin.programme,
        "raises_power": raises_power(desired, facts),
        "storage_low": facts.storage_low,
        "test": False if source is None else source.timed.event.test,
        "watts": order.value,
    }
    principal = Name("Site", site) if origin is None else Name("Utility", origin.utility)
    return Question(principal, str(order.operation), Name("Device", desired.device), context)


def decide(asked: Question, desired: Desired, policy: Policy) -> Decision:
    """The decision body: allowed or not, by which policies, of which text, on exactly which order."""
    verdict = policy.decide(asked.principal, asked.action, asked.resource, asked.context)
    return Decision(
        allowed=verdict.allowed,
        policy_ids=verdict.policy_ids,
        order=desired.order.encode(),
        policy_digest=policy.digest,
        principal_type=asked.principal.type,
        principal_id=asked.principal.id,
        action=asked.action,
        resource_id=asked.resource.id,
        context=asked.context,
    )


def raises_power(desired: Desired, facts: Facts) -> bool:
    """Whether the order lets a device move more power than the one that stands; a release never does.

    An order that was denied or refused never stood, so it is no measure. Without one, any power is more, and any limit
    less; a limit that takes the place of an order of another kind may be more.
    """
    order = desired.order
    standing = facts.standing_order(desired.device)
    free = standing is None or standing.operation is Operation.RELEASE
    same = standing if standing is not None and standing.operation is order.operation else None
    match order.operation:
        case Operation.RELEASE:
            return False
        case Operation.SET_POWER:
            return abs(order.value) > (0 if same is None else abs(same.watts))
        case Operation.LIMIT_INJECT | Operation.LIMIT_ABSORB:
            return not free and (same is None or order.value > same.watts)
