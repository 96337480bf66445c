"""The README's commands are run, in its order, and its tables are compared with what stands.

The walk through a real box runs in a directory of its own, with simulators in place of devices and utility. Three lines
of it are changed on the way: the simulators take free ports, and the site file is edited to name them, as an integrator
would. Commands that other tests run, or that set up a machine, are listed by name with who runs them.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
SERVERS = ("wattseal run", "wattseal simulate")
PATIENCE_SECONDS = 60.0

# Not run here: who runs it instead.
ELSEWHERE = {
    "make demo": "tests/test_packaging.py runs the demo from the wheel; the target adds set-up alone",
    "make test": ".ci/run, and whoever reads this",
    "python3 -m venv auditor": "test_the_verifier_works_with_its_two_packages_alone",
    "auditor/bin/pip install ./certs/audit": "test_the_verifier_works_with_its_two_packages_alone",
    'auditor/bin/wattseal-audit verify evidence.wse --root "$(cat house/box/trust/root.hex)"': (
        "test_the_distribution_alone_verifies_a_file"
    ),
}


def commands() -> list[str]:
    """Every command line of the README's shell blocks, in order, without its comment."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


RUN_HERE = [line for line in commands() if line not in ELSEWHERE]


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}


class Walk:
    """Runs command lines in one directory; servers stay until the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers: list[subprocess.Popen[str]] = []
        self.told: dict[str, str] = {}

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.directory, env=environment(), capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        self.told[line] = done.stdout
        return done

    def serve(self, line: str) -> dict[str, object]:
        """Starts a server of the README (with --json, so that it says when it is ready); gives what it said."""
        words = shlex.split(line)
        words = ["0" if before == "--port" else word for before, word in zip(["", *words], words, strict=False)]
        with (self.directory / f"log-{len(self.servers)}").open("w") as log:
            process = subprocess.Popen(
                [*words, "--json"], cwd=self.directory, env=environment(), text=True, stdout=subprocess.PIPE, stderr=log
            )
        self.servers.append(process)
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, f"{line} ended: {Path(log.name).read_text()}"
        ready: dict[str, object] = json.loads(first)
        assert ready["ready"] is True
        return ready

    def end(self) -> None:
        """Ends the servers, the bridge first; each must end in order within five seconds of SIGTERM."""
        for process in reversed(self.servers):
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 0, process.args

    def kill(self) -> None:
        for process in self.servers:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    walk = Walk(tmp_path)
    yield walk
    walk.kill()


@pytest.mark.slow
def test_the_walk_through_a_real_box(walk: Walk) -> None:
    """Each line of the README that is not listed above is run, in its order; simulators come before the site file."""
    simulators = [line for line in RUN_HERE if line.startswith("wattseal simulate")]
    steps = [line for line in RUN_HERE if line not in simulators]
    assert len(simulators) == 3
    assert steps[0] == "wattseal init house"
    walk.run(steps[0])
    battery, charger, utility = (walk.serve(line) for line in simulators)
    site = walk.directory / "house" / "site.toml"
    text = site.read_text()
    for usual, taken in ((1502, battery["port"]), (1503, charger["port"]), (8080, _port_of(utility))):
        assert text.count(f":{usual}") == 1
        text = text.replace(f":{usual}", f":{taken}")
    site.write_text(text)
    for line in steps[1:]:
        if line.startswith(SERVERS):
            walk.serve(line)
            _wait_until_seen(walk)
        else:
            walk.run(line)
    verdict = walk.told[next(line for line in steps if line.startswith("wattseal-audit verify"))]
    assert verdict.startswith("PROVEN")
    assert re.search(r"[1-9]\d* readings", verdict)
    assert "0 differ" in walk.told["wattseal replay evidence.wse"]
    walk.end()


def test_the_box_does_not_run_beside_the_owners_keys(walk: Walk) -> None:
    """What the README says of `run` before `mv house/owner`."""
    walk.run("wattseal init house && wattseal trust sign house")
    refused = subprocess.run(
        [BIN / "wattseal", "run", "house"], cwd=walk.directory, env=environment(), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "owner" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_every_command_is_run_here_or_named_with_who_runs_it() -> None:
    assert set(ELSEWHERE) <= set(commands()), "a command is listed that the README does not have"
    known = ("wattseal ", "wattseal-audit ", "mv house/owner owner-keys")
    assert [line for line in RUN_HERE if not line.startswith(known)] == []
    suites = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for who in ELSEWHERE.values():
        if who.startswith("test_"):
            assert f"def {who}" in suites, who


def test_the_table_of_verbs_is_the_command_line() -> None:
    """No verb is left out, none is promised that does not exist."""
    from wattseal.bridge.cli.main import app

    listed = set(re.findall(r"^\| `(wattseal(?:-audit)? [a-z ]+)` \|", README, re.MULTILINE))
    assert listed - {"wattseal-audit verify"} == {" ".join(path) for path in _verbs(typer.main.get_command(app))}


def test_make_targets_named_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in _documents():
        for block in re.findall(r"`make ([a-z]+)|^make ([a-z]+)", document.read_text(), re.MULTILINE):
            assert set(filter(None, block)) <= targets, f"{document.name}: make {block}"


def test_files_named_in_the_documents_exist() -> None:
    """A path in backticks that begins with one of our folders is there."""
    ours = r"`((?:bridge|certs|drivers|protocols|conformance|tests|docs|dev|requirements)/[^`\s*]*)`"
    wrong = [
        f"{document.relative_to(ROOT)}: {path}"
        for document in _documents()
        for path in re.findall(ours, document.read_text())
        if not (ROOT / path).exists()
    ]
    assert not wrong, wrong


def test_tests_named_in_the_documents_exist() -> None:
    """A claim rests on a test that is there: names such as `test_dwell` in the documents are functions."""
    defined = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    wrong = [
        f"{document.relative_to(ROOT)}: {name}"
        for document in _documents()
        for name in re.findall(r"`(test_\w+)`", document.read_text())
        if name not in defined | files
    ]
    assert not wrong, wrong


def _documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "requirements").glob("*.md")]


def _verbs(command: object, path: tuple[str, ...] = ("wattseal",)) -> Iterator[tuple[str, ...]]:
    below: dict[str, object] | None = getattr(command, "commands", None)
    if below is None:
        yield path
        return
    for name, verb in below.items():
        yield from _verbs(verb, (*path, name))


def _port_of(ready: dict[str, object]) -> int:
    found = re.search(r":(\d+)", str(ready["url"]))
    assert found
    return int(found[1])


def _wait_until_seen(walk: Walk) -> None:
    """Until both devices were sampled, asking again and again; a dead process is told at once."""
    began = time.monotonic()
    while True:
        status = json.loads(walk.run("wattseal status house --json").stdout)
        if all(device["last_seen"] for device in status["devices"].values()):
            return
        assert time.monotonic() - began < PATIENCE_SECONDS, status
        assert all(process.poll() is None for process in walk.servers)


def test_the_verifiers_checks_are_documented_in_their_order() -> None:
    from wattseal.certs.audit.verdict import RULES

    text = (ROOT / "docs" / "statements.md").read_text()
    listed = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    assert listed == [(str(number), rule.reason, rule.sentence) for number, rule in enumerate(RULES, 1)]


def test_the_reason_codes_of_the_gate_are_documented() -> None:
    """Each code that a step's room raises stands in the table of the gate."""
    from wattseal.drivers.gate.envelope import Rule

    text = (ROOT / "docs" / "statements.md").read_text()
    rooms = "".join((ROOT / "drivers" / "gate" / name).read_text() for name in ("steps.py", "chain.py"))
    raised = set(re.findall(r'(?:RefusalError|BodyError)\(\s*"(\w+)"', rooms)) | {str(rule) for rule in Rule}
    assert len(raised) > 30
    assert {code for code in raised if f"`{code}`" not in text} == set()


def test_every_key_of_the_site_file_is_documented() -> None:
    text = (ROOT / "docs" / "site-file.md").read_text()
    reader = "".join((ROOT / "bridge" / "site" / name).read_text() for name in ("reader.py", "server_reader.py"))
    keys = set(re.findall(r'\.(?:text|texts|whole|truth|one_of|table|tables)\("(\w+)"', reader))
    assert len(keys) > 30
    assert {key for key in keys if key not in text} == set()


def test_results_phases_kinds_and_roles_are_documented() -> None:
    from wattseal.certs.statement import Kind, Role
    from wattseal.drivers.testimony import Phase, Result

    text = (ROOT / "docs" / "statements.md").read_text()
    words = [str(word) for enum in (Kind, Role, Phase, Result) for word in enum]
    assert [word for word in words if not re.search(rf"\b{word}\b", text)] == []


def test_the_table_of_kinds_is_the_codes() -> None:
    """Who signs what, and on what it must and may rest; the words of a cell may stand in the plural."""
    from wattseal.certs.statement import PARENTS_OF, ROLE_OF, Kind

    def kinds(cell: str) -> set[Kind]:
        return {kind for kind in Kind if re.search(rf"\b{kind}(?:s|es)?\b", cell)}

    text = (ROOT / "docs" / "statements.md").read_text()
    listed = re.findall(r"^\| (\w+) \| ([\w ]+) \| ([^|]*) \| ([^|]*) \| [^|]* \|$", text, re.MULTILINE)
    rows = {kind: cells for kind, *cells in listed if kind in set(Kind)}
    assert set(rows) == set(Kind)
    for kind in Kind:
        signed_by, required, further = rows[kind]
        assert signed_by == ("a root key" if kind is Kind.MANDATE else ROLE_OF[kind]), kind
        needed, permitted = PARENTS_OF.get(kind, (frozenset(), frozenset()))
        assert kinds(required) == needed, kind
        assert kinds(required) | kinds(further) == permitted, kind
