"""One run: facts in, decisions and command bodies out. Pure, so that a record of the facts is enough to repeat it.

    plan -> which functions need an order -> ask policy for each -> give each allowed one its number

The live bridge and `replay` both ask `plan` and `turns`, as `run_plan` does; nothing else decides what is ordered.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wattseal.bridge.authorise import decide, question
from wattseal.bridge.connection_point import Holds
from wattseal.bridge.facts import Facts, Standing, order_digest
from wattseal.bridge.plan import plan
from wattseal.bridge.site.model import Site
from wattseal.bridge.world import Desired
from wattseal.certs.policy import Policy
from wattseal.drivers.commands import Command, Decision, Operation
from wattseal.protocols.grid_event import GridEvent

# How long after a window's end the core waits for the gateway's own revert before it orders a release itself.
REVERT_GRACE_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn of one function of a device. `command` is None where policy denies, or no gateway has said hello yet."""

    desired: Desired
    decision: Decision
    command: Command | None


@dataclass(frozen=True, slots=True)
class Run:
    """What a run came to: the whole plan, a turn for each function of a device that needs an order; what is held."""

    plan: tuple[Desired, ...]
    turns: tuple[Turn, ...]
    holds: Holds


def run_plan(facts: Facts, events: Mapping[bytes, GridEvent], site: Site, policy: Policy) -> Run:
    """Repeats nothing, remembers nothing: equal facts give equal bytes."""
    made = plan(facts.world(events), site)
    return Run(made.desired, tuple(turns(facts, made.desired, site, policy)), made.holds)


def is_due(desired: Desired, facts: Facts) -> bool:
    """Whether the function of the device needs an order now, given where its last one stands.

        last order          the same is desired               another is          a release is
        none                -                                 yes                 no
        fresh               yes                               yes                 yes
        commanded           no                                yes                 unless released, or in its grace
        denied              no                                yes                 as above, where a command stands
        refused             no                                yes                 as above: what it replaced may stand
        over                well before its window's end      yes                 no

    Its grace: the gateway reverts by itself at the window's end, and is given a while to say so. An order over before
    its window ends has lost its lease, and is given again.
    """
    live = facts.live_order(desired.order.seat)
    releasing = desired.order.operation is Operation.RELEASE
    if live is None:
        return not releasing
    if live.fresh:
        return True
    if live.order == order_digest(desired.order.encode()):
        ends_soon = live.window_end is not None and live.window_end <= facts.now + REVERT_GRACE_SECONDS
        return live.standing is Standing.OVER and not releasing and not ends_soon
    if not releasing:
        return True
    if live.operation is Operation.RELEASE or live.standing is Standing.OVER or live.command is None:
        return False
    return live.window_end is None or not live.window_end <= facts.now < live.window_end + REVERT_GRACE_SECONDS


def turns(facts: Facts, desired: Iterable[Desired], site: Site, policy: Policy) -> Iterator[Turn]:
    """The turn of each function that needs an order, one after the other: policy is asked when a turn is taken."""
    sequence = facts.first_sequence
    for wanted in desired:
        if not is_due(wanted, facts):
            continue
        decision = decide(question(wanted, facts, site.name, lab=site.lab), wanted, policy)
        if not decision.allowed or facts.epoch is None:
            yield Turn(wanted, decision, None)
            continue
        standing = facts.standing_order(wanted.order.seat)
        supersedes = None if standing is None else standing.command
        yield Turn(wanted, decision, Command(decision.order, facts.epoch, sequence, facts.lease_seconds, supersedes))
        sequence += 1
