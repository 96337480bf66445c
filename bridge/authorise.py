"""May this order be given? The question to Cedar, and the answer as the body of a decision.

The same question is asked again at the gate with the gate's own facts; entities come from what the owner signed.
"""

from wattseal.bridge.facts import Facts
from wattseal.bridge.plan import Desired
from wattseal.certs.policy import Name, Policy
from wattseal.drivers.authorisation import SITE, UTILITY, Question, question_of
from wattseal.drivers.commands import Decision, Operation


def question(desired: Desired, facts: Facts, site: str, *, lab: bool = False) -> Question:
    """The question that an order comes to. An order that follows no event is asked by the site itself.

    `lab`: whether the site is a lab's, where alone a virtual clock is worth something.
    """
    source = desired.source
    origin = None if source is None else source.timed.event.origin
    return question_of(
        desired.order,
        Name(SITE, site) if origin is None else Name(UTILITY, origin.utility),
        programme="" if origin is None else origin.programme,
        test=False if source is None else source.timed.event.test,
        clock_trusted=facts.clock.may_order(lab=lab),
        storage_low=facts.storage_low,
        raises_power=raises_power(desired, facts),
    )


def decide(asked: Question, desired: Desired, policy: Policy) -> Decision:
    """The decision body: allowed or not, by which policies, of which text, on exactly which order."""
    return asked.decision(asked.put_to(policy), desired.order.encode(), policy.digest)


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
