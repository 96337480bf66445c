"""The judge of the write logs is judged: what must not happen is found when it happens."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from box_world import _accounted_on

from wattseal.drivers.gateway.rows import StepRow, StepState
from wattseal.drivers.testimony import Phase

NOON = 1_800_000_000.0
SET = (1, 0, 1500, 0, 0, 0, 0, 0, 0, 20)
AGAIN = (1, 0, 1500, 0, 0, 0, 0, 0, 0, 15)


@dataclass
class Log:
    """A device's write log."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    name: str = "battery"

    def write(self, seconds: float, address: int, words: Sequence[int]) -> None:
        at = datetime.fromtimestamp(NOON + seconds, UTC).isoformat()
        self.frames.append({"t": at, "unit": 1, "address": address, "words": list(words)})

    def writes(self) -> list[dict[str, Any]]:
        return [json.loads(json.dumps(frame)) for frame in self.frames]


def step(number: int, address: int, words: tuple[int, ...], state: StepState = StepState.DONE) -> StepRow:
    return StepRow(b"c" * 32, Phase.COMMAND, 0, number, 1, address, words, state)


STEPS = (step(0, 40300, SET), step(1, 40299, (1,)))


@pytest.fixture
def log() -> Log:
    made = Log()
    made.write(0.0, 40300, SET)
    made.write(0.1, 40299, (1,))
    return made


def judged(log: Log, steps: Sequence[StepRow] = STEPS, kills: Sequence[float] = ()) -> int:
    return _accounted_on(log, steps, kills)  # type: ignore[arg-type]  # all that is asked of a device is its log


def test_each_step_once_and_heartbeats_in_their_time_are_good(log: Log) -> None:
    log.write(10.0, 40300, AGAIN)
    log.write(20.0, 40300, SET)
    assert judged(log) == 2


def test_a_frame_written_twice_is_found(log: Log) -> None:
    log.write(0.3, 40300, SET)
    with pytest.raises(AssertionError, match="no journalled step"):
        judged(log)


def test_a_second_enable_is_found(log: Log) -> None:
    log.write(10.0, 40299, (1,))
    with pytest.raises(AssertionError, match="no journalled step"):
        judged(log)


def test_other_watts_than_ordered_are_found(log: Log) -> None:
    log.write(10.0, 40300, (1, 0, 1600, *SET[3:]))
    with pytest.raises(AssertionError, match="no journalled step"):
        judged(log)


def test_a_heartbeat_after_a_restart_is_found(log: Log) -> None:
    log.write(10.0, 40300, AGAIN)
    with pytest.raises(AssertionError, match="no journalled step"):
        judged(log, kills=[NOON + 5])


def test_a_step_that_never_arrived_is_found(log: Log) -> None:
    with pytest.raises(AssertionError, match="never arrived"):
        judged(log, (*STEPS, step(2, 40310, (0,))))
    assert judged(log, (*STEPS, step(2, 40310, (0,), StepState.PLANNED))) == 0
