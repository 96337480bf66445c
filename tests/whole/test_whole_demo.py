"""`wattseal demo`: two utilities on one battery, who wins and why; and what is told where it cannot be shown."""

import json
import subprocess
from pathlib import Path

import pytest
from box_world import WATTSEAL
from typer.testing import CliRunner

from wattseal.bridge.cli.main import app, code_of
from wattseal.bridge.demo import second_utility
from wattseal.bridge.demo.processes import StageError
from wattseal.bridge.demo.watching import DemoError, first_of
from wattseal.certs.tls_selftest import SelfTest
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018
from wattseal.protocols.ieee2030_5.response import DERControlResponse

WORLD_FAILED = 3


@pytest.mark.slow
def test_the_demo_shows_both_utilities_and_who_wins(tmp_path: Path):
    """Exit 0 means every count; what is kept says the same: raw messages of both dialects, evidence, and its replay."""
    kept = tmp_path / "kept"
    words = ["demo", "--headless", "--json", "--seed", "3", "--out", str(kept)]
    done = run(*words, seconds=180)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = json.loads(done.stdout)["checks"]
    won = checks["who wins"]["found"]
    assert "of south-wires (IEEE 2030.5, programme relief, primacy 1)" in won
    assert "it beats event " in won
    assert won.endswith("of north-grid (OpenADR 2.0b, programme peak, priority 5): the lower number wins, 1 before 5.")
    assert f"why       {won}" in done.stderr
    first, second = (checks[name]["found"] for name in ("battery followed", "battery followed the second utility"))
    assert first > 500 > -500 > second, "the device's own truth: it injected for one, absorbed for the other"
    assert abs(checks["battery went on with the first event"]["found"] - first) < 300
    narrowed = checks["who narrows whom"]["found"]
    assert "asks for" in narrowed
    assert narrowed.endswith("narrows it, for a setpoint and a limit hold together.")
    assert abs(checks["battery kept within the limit"]["found"] - first / 2) < 300
    assert sorted(responses_in(kept / "utility" / "ieee2030.5")) == [1, 1, 2, 2, 3, 3]
    assert list((kept / "utility" / "openadr").glob("*.xml"))
    again = run("replay", str(kept / "evidence.wse"), "--json", seconds=60)
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert told["differences"] == []
    assert told["as_recorded"] >= 1, "the control's intent follows from a whole schedule"
    assert told["compared"]["command"] == 6


def run(*words: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WATTSEAL, *words], check=False, capture_output=True, text=True, timeout=seconds)


def responses_in(folder: Path) -> list[int | None]:
    """The codes of the Responses among the raw messages that the server received, in order."""
    rows = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    posted = [row["file"] for row in rows if row["direction"] == "received" and row["about"].startswith("POST")]
    read = (decode((folder / file).read_bytes(), CSIP_2018).resource for file in posted)
    return [one.status for one in read if isinstance(one, DERControlResponse)]


def test_without_ccm8_the_demo_says_so(monkeypatch):
    """Some builds of OpenSSL lack the suite: a sentence and exit 3, and nothing was started."""
    missing = SelfTest(False, "OpenSSL 0", "OpenSSL 0 cannot speak TLS 1.2 with ECDHE-ECDSA-AES128-CCM8.")
    monkeypatch.setattr(second_utility, "ccm8_works", lambda: missing)
    told = CliRunner().invoke(app, ["demo", "--headless"])
    assert isinstance(told.exception, StageError)
    assert told.exception.reason == "tls_ccm8_missing"
    assert told.exception.sentence.endswith(missing.sentence)
    assert code_of(told.exception) == WORLD_FAILED


def test_a_story_that_is_stuck_comes_out_as_its_sentence():
    """The core runs in task groups, which wrap what goes wrong; without a sentence of ours, nothing is hidden."""
    stuck = DemoError("demo_stuck", "Waited 45 s in vain until the site registered.")
    assert first_of(ExceptionGroup("a", [ValueError(), ExceptionGroup("b", [stuck])])) is stuck
    other = ExceptionGroup("a", [ValueError()])
    assert first_of(other) is other
