"""The course of the aggregator's bench: start, steady polling, a control found by polling, controls that are notified.

At first the box has no door for notifications, and everything is polled; then it is given one, and started again.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattseal.bridge.bench.aggregator import Passage, Span, aggregator
from wattseal.bridge.bench.aggregator_stage import fleet, free_address

_RARELY_SECONDS: Final = 3600
_KINDS: Final = ("dcap", "edev", "fsa", "derp", "derc", "dderc", "dc", "der", "tm", "rg")
_LEAST_PERMILLE: Final = 100
_STEP_PERMILLE: Final = 7


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How much is measured: so many devices, all polled every `poll_seconds` for a while; `notified` controls after."""

    devices: int
    poll_seconds: int
    steady_seconds: float
    notified: int


@dataclass(frozen=True, slots=True)
class FleetHarvest:
    """What was measured, in the order in which it was. `load`: the machine's, when the controls began."""

    plan: FleetPlan
    manifest_bytes: int
    load: float
    start: Span
    steady: Span
    polled: Passage
    polled_responses: Span
    again: Span
    notified: tuple[Passage, ...]
    responses: tuple[Span, ...]


async def measure_fleet(directory: Path, plan: FleetPlan, progress: Callable[[str], None]) -> FleetHarvest:
    """Runs the plan. Raises `WorldError` where a control comes to no commands, or a process will not start."""
    async with fleet(directory, plan.devices, poll_seconds=plan.poll_seconds) as standing:
        size = standing.signed()
        progress(f"{plan.devices} devices: the first start, until the server has been read and told everything")
        async with aggregator(standing) as side:
            start = await side.until_quiet()
            progress(f"{start.told} questions and answers; now {plan.steady_seconds:.0f} s of polling")
            steady = await side.steady(plan.steady_seconds)
            load = os.getloadavg()[0]
            progress("one control, found by polling, and its Responses")
            polled = await side.control(_LEAST_PERMILLE)
            polled_responses = await side.until_quiet()
        standing.signed(listener=free_address())
        await standing.admin.ask("set_polls", seconds=dict.fromkeys(_KINDS, _RARELY_SECONDS))
        progress(f"started again with a door for notifications; {plan.notified} controls and their Responses")
        passages, spans = [], []
        async with aggregator(standing) as side:
            again = await side.until_quiet()
            for number in range(plan.notified):
                passages.append(await side.control(_LEAST_PERMILLE + _STEP_PERMILLE * (number + 1)))
                spans.append(await side.until_quiet())
    return FleetHarvest(plan, size, load, start, steady, polled, polled_responses, again, tuple(passages), tuple(spans))
