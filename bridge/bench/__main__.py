"""`make bench`: raw path and ours beside each other, and an aggregator's fleet. Results on stdout, progress on stderr.

Exit: 0 measured, 2 usage, 3 the world failed. How far ours may be from the raw path is an aim, not a verdict: a machine
that other work keeps busy must not fail a build.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog

from wattseal.bridge.bench import sides
from wattseal.bridge.bench.aggregator_figures import fleet_figures, fleet_text
from wattseal.bridge.bench.aggregator_measuring import FleetPlan, measure_fleet
from wattseal.bridge.bench.figures import figures, text_of
from wattseal.bridge.bench.measuring import Plan, measure
from wattseal.bridge.bench.stage import stage
from wattseal.certs.errors import WattsealError, WorldError

_WHOLE: Final = Plan(rounds=12, events=25, warm_up=20, seconds=30.0)
_QUICK: Final = Plan(rounds=3, events=8, warm_up=5, seconds=6.0)
_SECONDS_PER_ROUND: Final = 4.0
_FLEET: Final = FleetPlan(devices=1000, poll_seconds=60, steady_seconds=60.0, polled=3, notified=0)
_QUICK_FLEET: Final = FleetPlan(devices=60, poll_seconds=6, steady_seconds=4.0, polled=1, notified=1)
_MOST_DEVICES: Final = 4000
_EVENTS, _AGGREGATOR = "events", "aggregator"


def main() -> int:
    """Entry of the program; the exit code."""
    parser = argparse.ArgumentParser(prog="wattseal bench", description="Raw path and ours, beside each other.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="a few seconds, coarse figures")
    parser.add_argument("--rounds", type=int, default=None, help="rounds of each side, in turn")
    parser.add_argument("--only", choices=(_EVENTS, _AGGREGATOR), help="one of the two alone")
    parser.add_argument("--devices", type=int, default=None, help="devices of the aggregator")
    asked = parser.parse_args()
    if asked.rounds is not None and asked.rounds < 1:
        parser.error("--rounds is 1 or more")
    if asked.devices is not None and not 1 <= asked.devices <= _MOST_DEVICES:
        parser.error(f"--devices is 1 to {_MOST_DEVICES}")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30), logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    try:
        found = asyncio.run(_run(asked))
    except WattsealError as error:
        sys.stderr.write(f"wattseal bench: {error.sentence}\n")
        return 3 if isinstance(error, WorldError) else 2
    sys.stdout.write((json.dumps(found, indent=1) if asked.json else _text(found)) + "\n")
    return 0


async def _run(asked: argparse.Namespace) -> dict[str, Any]:
    """The figures of the events at the top, those of the aggregator beside them."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="wattseal-bench-") as name:
        if asked.only != _AGGREGATOR:
            found |= await _events(_plan(asked.rounds, quick=asked.quick), Path(name, _EVENTS), quick=asked.quick)
        if asked.only != _EVENTS:
            plan = _QUICK_FLEET if asked.quick else _FLEET
            plan = plan if asked.devices is None else replace(plan, devices=asked.devices)
            directory = Path(name, _AGGREGATOR)
            directory.mkdir()
            found[_AGGREGATOR] = fleet_figures(await measure_fleet(directory, plan, _progress))
    return found


def _text(found: Mapping[str, Any]) -> str:
    parts = [text_of(found)] if "raw" in found else []
    parts += [fleet_text(found[_AGGREGATOR])] if _AGGREGATOR in found else []
    return "\n\n".join(parts)


def _plan(rounds: int | None, *, quick: bool) -> Plan:
    plan = _QUICK if quick else _WHOLE
    if rounds is None:
        return plan
    return Plan(rounds, plan.events, plan.warm_up, max(plan.seconds, rounds * _SECONDS_PER_ROUND))


async def _events(plan: Plan, directory: Path, *, quick: bool) -> dict[str, object]:
    directory.mkdir()
    _progress("starting a simulated battery and a gateway, each its own process")
    async with stage(directory) as standing:
        _progress(f"up to {plan.rounds} rounds of {plan.events} events each way, ours and raw in turn")
        harvest = await measure(standing, directory, plan)
    _progress("the parts alone")
    parts = sides.measure(harvest.message, directory, quick=quick)
    return figures(harvest, parts)


def _progress(sentence: str) -> None:
    sys.stderr.write(f"== {sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
