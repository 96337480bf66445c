"""The bench: a short whole run on real processes, and the arithmetic of its waterfalls apart from them."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from wattseal.bridge.bench.aggregator_figures import fleet_text
from wattseal.bridge.bench.figures import percentile, text_of
from wattseal.bridge.bench.ours import Passage
from wattseal.bridge.bench.raw import RawPath, Transaction, raw_path
from wattseal.bridge.bench.waterfall import STATIONS, middle_means, waterfall
from wattseal.certs.errors import WorldError
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import SystemClock
from wattseal.drivers.simulators.running import running_device

COMMAND = b"\x07" * 32
AT = {
    "handed": 0,
    "read": 10,
    "taken": 30,
    "consented": 60,
    "sealed": 100,
    "committed": 150,
    "bundle": 155,
    "heard": 900,
}
READ, WRITE = [1, 40277, 2], [1, 40300, [5, 6]]
STAMPS = [
    ("consider", 160, 200, "Remembered"),
    ("consider", 210, 260, "Accepted"),
    ("consume", 250, 330, None),  # 10 before the gate was done, 20 beside the first read
    ("read", 300, 320, READ),
    ("plan", 340, 380, None),
    ("write", 390, 450, WRITE),
    ("read", 460, 500, READ),
    ("attempt", 290, 510, COMMAND.hex()),
    ("say", 520, 600, ["receipt"]),
]


@pytest.mark.alone
@pytest.mark.slow
def test_a_short_run_measures_both_sides_alike():
    """Both sides make the same Modbus transactions; no station takes negative time; text and JSON say the same."""
    done = subprocess.run(
        [sys.executable, "-m", "wattseal.bridge.bench", "--only", "events", "--quick", "--rounds", "1", "--json"],
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["events"]["raw"] == found["events"]["ours"] > 0
    counts = found["modbus_transactions"]
    assert counts["raw"] == counts["ours"]
    assert counts["raw"]["reads"] >= 2, "before and after"
    assert counts["raw"]["writes"] >= 1
    assert tuple(found["ours_waterfall_ms"]) == STATIONS
    for side in ("raw", "ours"):
        assert 0 < found[side]["p50_ms"] <= found[side]["p99_ms"]
        assert all(value >= 0 for value in found[f"{side}_waterfall_ms"].values())
    assert found["ratio_p50"] == pytest.approx(found["ours"]["p50_ms"] / found["raw"]["p50_ms"], abs=0.01)
    assert found["parts_us"]["gate, one command of a run"] > 0
    text = text_of(found)
    assert "device transactions" in text
    assert f"{found['ratio_p50']:.2f} times the raw path" in text


@pytest.mark.alone
@pytest.mark.slow
def test_a_short_run_takes_an_aggregator_all_the_way():
    """Polled and notified, each control comes to an order for every device; figures as values and as text."""
    done = subprocess.run(
        [sys.executable, "-m", "wattseal.bridge.bench", "--only", "aggregator", "--quick", "--devices", "12", "--json"],
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)["aggregator"]
    assert found["commands"] == [12, 12]
    whole = found["word_to_sealed"]
    assert whole["processor_ms"] > 0
    assert min(one["ms"] for one in found["stations"].values()) >= 0
    assert [one["answers"] >= 24 for one in found["responses"]] == [True, True], "received and started, of each device"
    assert 0 < found["steady"]["share"] < 1
    assert "of a core" in fleet_text(found)


def test_stations_add_up_to_the_whole_and_nothing_counts_twice():
    found = waterfall(Passage(AT, COMMAND), STAMPS)
    assert found is not None
    assert dict(found.stations) == {
        "read message": 10,
        "ingress and intents": 20,
        "consent": 30,
        "plan, decide, seal": 40,
        "core commit": 50,
        "socket and gate": 110,
        "device transactions": 20 + 60 + 40,
        "gateway commits": 50 + 40,  # what lies beside a transaction, or before the gate was done, is counted there
        "gateway's own work": 260 - 120 - 90,
        "receipt": 80,
        "core hears": 300,
    }
    assert sum(found.stations.values()) == AT["heard"]
    assert found.transactions == (
        Transaction(1, 40277, 2),
        Transaction(1, 40300, 2, (5, 6)),
        Transaction(1, 40277, 2),
    )


@pytest.mark.parametrize("missing", ["attempt", "say", "consider"])
def test_an_event_without_its_stamps_has_no_waterfall(missing):
    assert waterfall(Passage(AT, COMMAND), [stamp for stamp in STAMPS if stamp[0] != missing]) is None
    assert waterfall(Passage(AT, b"another"), STAMPS) is None


def test_the_middle_half_is_what_is_averaged():
    """Means of the same events add up; medians of stations would not."""
    rows = [{"a": 1, "b": 1000}, {"a": 2, "b": 10}, {"a": 4, "b": 20}, {"a": 0, "b": 0}]
    assert middle_means(rows) == {"a": 3.0, "b": 15.0}
    assert middle_means([]) == {}


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 3), (99, 5), (100, 5)])
def test_percentiles_are_values_that_were_measured(percent, value):
    assert percentile([5, 3, 1, 2, 4], percent) == value


async def test_the_raw_path_makes_its_transactions_on_the_device(tmp_path: Path):
    """Same registers, same kinds, on the simulator's own word; and a refusal by the device ends the bench."""
    log = tmp_path / "writes.jsonl"
    async with running_device(
        lambda now: BatteryInverter(BatteryOptions(), now), clock=SystemClock(), port=0, control_port=0, write_log=log
    ) as running:
        wanted = (Transaction(1, 40000, 2), Transaction(1, 40299, 1, (0,)))
        async with raw_path(tmp_path, running.port, wanted) as raw:
            await _only_device(raw)
        written = [json.loads(line) for line in log.read_text().splitlines()]
        assert len(written) == 1
        (tmp_path / "other").mkdir()
        async with raw_path(tmp_path / "other", running.port, (Transaction(1, 1, 5),)) as raw:
            with pytest.raises(WorldError):
                await _only_device(raw)


async def _only_device(raw: RawPath) -> None:
    async with asyncio.timeout(5):
        await raw._device()
