"""One run: rounds of ours and rounds of the raw path in turn, on one stage, until the rounds or the time are over."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

from wattseal.bridge.bench.ours import Ours, Passage, ours
from wattseal.bridge.bench.raw import RawPassage, RawPath, Transaction, raw_path
from wattseal.bridge.bench.stage import Stage
from wattseal.bridge.bench.waterfall import Waterfall, waterfall
from wattseal.certs.errors import WorldError

_LEAST_WATTS: Final = 1000
_SPREAD_WATTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `seconds` bounds all of it: no new round begins after that."""

    rounds: int
    events: int
    warm_up: int
    seconds: float


@dataclass(slots=True)
class Harvest:
    """Everything measured, in the order in which it was. `considered`: nanoseconds of the gate for each command."""

    ours: list[Passage] = field(default_factory=list)
    raw: list[RawPassage] = field(default_factory=list)
    waterfalls: list[Waterfall] = field(default_factory=list)
    transactions: tuple[Transaction, ...] = ()
    considered: list[int] = field(default_factory=list)
    message: bytes = b""
    rounds: int = 0


class _Watts:
    """A wish that differs from the one before, so that each event moves something."""

    def __init__(self) -> None:
        self._count = 0

    def next(self) -> int:
        self._count += 1
        return _LEAST_WATTS + 7 * self._count % _SPREAD_WATTS


async def measure(stage: Stage, directory: Path, plan: Plan) -> Harvest:
    """Runs the plan. Raises `WorldError` where an event of either side fails."""
    harvest, watts = Harvest(), _Watts()
    until = monotonic() + plan.seconds
    async with ours(stage) as side:
        warm = [await side.event(watts.next()) for _ in range(plan.warm_up)]
        harvest.transactions = _transactions(warm, await side.stamps())
        async with raw_path(directory, stage.modbus_port, harvest.transactions) as raw:
            await _raw_round(raw, side, watts, plan.warm_up)
            while harvest.rounds < plan.rounds and (monotonic() < until or not harvest.rounds):
                gc.collect()
                harvest.message = side.grid.message(watts.next())
                passages = [await side.event(watts.next()) for _ in range(plan.events)]
                harvest.ours += passages
                stamps = await side.stamps()
                harvest.considered += [
                    end - begin for name, begin, end, detail in stamps if (name, detail) == ("consider", "Accepted")
                ]
                harvest.waterfalls += [found for one in passages if (found := waterfall(one, stamps)) is not None]
                harvest.raw += await _raw_round(raw, side, watts, plan.events)
                harvest.rounds += 1
    return harvest


async def _raw_round(raw: RawPath, side: Ours, watts: _Watts, events: int) -> list[RawPassage]:
    messages = [side.grid.message(watts.next()) for _ in range(events)]
    signatures = [raw.signed(message) for message in messages]
    gc.collect()
    return [await raw.event(message, signature) for message, signature in zip(messages, signatures, strict=True)]


def _transactions(
    passages: Sequence[Passage], stamps: Sequence[tuple[str, int, int, object]]
) -> tuple[Transaction, ...]:
    """What the gateway does on the device for one event: the last one's, when everything is warm."""
    for passage in reversed(passages):
        found = waterfall(passage, stamps)
        if found is not None:
            return found.transactions
    raise WorldError("bench_stamps_missing", "The gateway's stamps do not tell what it did on the device.")
