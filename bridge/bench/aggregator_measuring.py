"""The course of the aggregator's bench: start, steady polling, controls found by polling, and controls notified.

At first the box has no door for notifications, and everything is polled; then it is given one, and started again. That
part is for small fleets: the server looks at every subscription after every change, and of a large fleet each device
has some. From the server's word on the way is the same.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattseal.bridge.bench.aggregator import Aggregator, Passage, Span, aggregator
from wattseal.bridge.bench.aggregator_stage import fleet, free_address

_RARELY_SECONDS: Final = 3600
_OFTEN_SECONDS: Final = 10
_MOST_NOTIFIED: Final = 100
_KINDS: Final = ("dcap", "edev", "fsa", "derp", "derc", "dderc", "dc", "der", "tm", "rg")
_LEAST_PERMILLE: Final = 100
_STEP_PERMILLE: Final = 7


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """How much is measured: so many devices, polled every `poll_seconds` for a while, and so many controls.

    `notified`: how many more come by notification, where the fleet is small enough for it.
    """

    devices: int
    poll_seconds: int
    steady_seconds: float
    polled: int
    notified: int


@dataclass(frozen=True, slots=True)
class Control:
    """One control all the way, and the Responses to it."""

    passage: Passage
    responses: Span


@dataclass(frozen=True, slots=True)
class FleetHarvest:
    """What was measured, in the order in which it was. `load`: the machine's, when the controls began.

    `again` None: there was no second start.
    """

    plan: FleetPlan
    manifest_bytes: int
    load: float
    start: Span
    steady: Span
    polled: tuple[Control, ...]
    again: Span | None
    notified: tuple[Control, ...]


async def measure_fleet(directory: Path, plan: FleetPlan, progress: Callable[[str], None]) -> FleetHarvest:
    """Runs the plan. Raises `WorldError` where a control comes to no commands, or a process will not start."""
    async with fleet(directory, plan.devices, poll_seconds=plan.poll_seconds) as standing:
        await standing.admin.ask("set_polls", seconds={"derc": min(_OFTEN_SECONDS, plan.poll_seconds)})
        size = standing.signed()
        progress(f"{plan.devices} devices: the first start, until the server has been read and told everything")
        async with aggregator(standing) as side:
            start = await side.until_quiet()
            progress(f"{start.told} questions and answers; now {plan.steady_seconds:.0f} s of polling")
            steady = await side.steady(plan.steady_seconds)
            load = os.getloadavg()[0]
            progress(f"{plan.polled} controls, found by polling, and their Responses")
            polled = [await _control(side, number) for number in range(plan.polled)]
        again, notified = None, []
        if plan.devices <= _MOST_NOTIFIED:
            standing.signed(listener=free_address())
            await standing.admin.ask("set_polls", seconds=dict.fromkeys(_KINDS, _RARELY_SECONDS))
            progress(f"started again with a door for notifications; {plan.notified} controls and their Responses")
            async with aggregator(standing) as side:
                again = await side.until_quiet()
                notified = [await _control(side, plan.polled + number) for number in range(plan.notified)]
    return FleetHarvest(plan, size, load, start, steady, tuple(polled), again, tuple(notified))


async def _control(side: Aggregator, number: int) -> Control:
    passage = await side.control(_LEAST_PERMILLE + _STEP_PERMILLE * number)
    return Control(passage, await side.until_quiet())
