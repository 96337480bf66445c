"""The command line on bad input: a sentence, the right exit code, and never a traceback."""

import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from box_world import AUDIT, WATTSEAL

from wattseal.certs.box import Box

GOOD, FOUND_WRONG, WRONG_USAGE, WORLD_FAILED = 0, 1, 2, 3


def run(*words: str, program: str = WATTSEAL) -> tuple[int, str, str]:
    ended = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
    assert "fault in this program" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """A signed lab box that never ran."""
    place = tmp_path_factory.mktemp("line")
    assert run("init", str(place / "box"), "--lab")[0] == GOOD
    assert run("trust", "sign", str(place / "box"))[0] == GOOD
    return Box(place / "box")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files that are not what any verb wants."""
    place = tmp_path_factory.mktemp("files")
    junk, empty, text = place / "junk", place / "empty", place / "text"
    junk.write_bytes(os.urandom(4096))
    empty.write_bytes(b"")
    text.write_text("hello\n")
    return {
        "junk": str(junk), "empty": str(empty), "text": str(text), "directory": str(place),
        "missing": str(place / "missing"), "null": "/dev/null", "name": str(place / ("x" * 300)),
    }  # fmt: skip


# The words before the file, and the exit codes that a file which is no such thing may end with.
FILE_VERBS = {
    ("replay",): {FOUND_WRONG, WRONG_USAGE, WORLD_FAILED},
    ("certs", "inspect"): {FOUND_WRONG, WRONG_USAGE, WORLD_FAILED},
    ("run",): {WRONG_USAGE, WORLD_FAILED},
    ("status",): {WRONG_USAGE, WORLD_FAILED},
    ("doctor",): {FOUND_WRONG, WORLD_FAILED},
    ("trust", "show"): {WRONG_USAGE, WORLD_FAILED},
    ("trust", "sign"): {WRONG_USAGE, WORLD_FAILED},
    ("evidence", "export", "-o", "/dev/null"): {WRONG_USAGE, WORLD_FAILED},
}
KINDS = ("junk", "empty", "directory", "missing", "name")


@pytest.mark.slow
@pytest.mark.parametrize("verb", FILE_VERBS, ids=" ".join)
def test_a_file_that_is_no_such_thing(verb: tuple[str, ...], files: dict[str, str]) -> None:
    """Junk, nothing, text, a directory, no file, a name too long."""
    for kind, mode in zip(KINDS, itertools.cycle((("--json",), ())), strict=False):
        code, out, errors = run(*verb, files[kind], *mode)
        assert code in FILE_VERBS[verb], (kind, code, errors)
        if code != FOUND_WRONG or verb != ("doctor",):
            assert errors.strip(), (kind, "nothing was said")
        if mode and out:
            json.loads(out)


def test_usage_is_two() -> None:
    """What nobody could have meant: exit 2, with a sentence on standard error and nothing on standard output."""
    for words in (
        ("nosuch",), ("init",), ("run",), ("run", "a", "b"), ("evidence",), ("evidence", "export", "x"),
        ("replay", "--nosuch", "x"), ("simulate", "device", "nosuch"), ("simulate", "utility", "nosuch"),
        ("simulate", "device", "battery", "--port", "x"), ("trust", "nosuch"), ("demo", "--seed", "x"),
    ):  # fmt: skip
        code, _, errors = run(*words)
        assert code == WRONG_USAGE, (words, code, errors)
        assert errors.strip(), words


def test_help_and_version_are_good() -> None:
    for words in (("--help",), ("--version",), ("run", "--help"), ("evidence", "export", "--help"), ("demo", "--help")):
        code, out, errors = run(*words)
        assert (code, errors) == (GOOD, ""), words
        assert out.strip()


def test_init_twice_and_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A box that exists is not touched (2); a place that cannot be written is the world's failure (3)."""
    code, out, _ = run("init", str(tmp_path / "box"), "--json")
    assert code == GOOD
    root = json.loads(out)["root"]
    assert len(bytes.fromhex(root)) == 32
    code, _, errors = run("init", str(tmp_path / "box"))
    assert code == WRONG_USAGE
    assert "another directory" in errors
    assert Box(tmp_path / "box").pinned_root() == root
    assert run("init", "/proc/box")[0] == WORLD_FAILED
    (tmp_path / "file").write_text("")
    assert run("init", str(tmp_path / "file"))[0] in {WRONG_USAGE, WORLD_FAILED}


def test_no_secret_is_readable_by_others(tmp_path: Path) -> None:
    """Keys are 0600, their directories closed."""
    assert run("init", str(tmp_path / "box"))[0] == GOOD
    for key in (tmp_path / "box").rglob("*.pem"):
        assert key.stat().st_mode & 0o077 == 0, key
    for place in ("owner", "box/keys"):
        assert (tmp_path / "box" / place).stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_box_with_one_file_spoiled(box: Box, tmp_path: Path) -> None:
    """Whatever file of a box is junk: the doctor names something bad, run refuses, nobody falls over."""
    trust = ("root.cbor", "root.hex", "manifest.cose", "mandate-1.cose")
    names = ["site.toml", "box/policy.cedar", "box/keys/issuer.pem", "box/keys/gateway.pem", "state/core.db"]
    for name in (*names, *(f"box/trust/{one}" for one in trust)):
        copy = tmp_path / name.replace("/", "-")
        shutil.copytree(box.root, copy)
        (copy / name).write_bytes(b"\x00junk" * 100)
        code, out, _ = run("doctor", str(copy), "--json")
        found = [one["reason"] for one in json.loads(out)["findings"] if one["bad"]]
        assert (code, bool(found)) == (FOUND_WRONG, True), name
        if name in {"box/policy.cedar", "box/keys/issuer.pem", "box/trust/manifest.cose"}:
            begun = time.monotonic()
            code, out, errors = run("run", str(copy), "--json")
            assert code in {FOUND_WRONG, WRONG_USAGE, WORLD_FAILED}, name
            assert time.monotonic() - begun < 20
            assert (out, bool(errors.strip())) == ("", True), name
        if name in {"state/core.db", "box/trust/root.hex"}:
            assert run("evidence", "export", str(copy), "-o", str(tmp_path / "out"))[0] != GOOD, name


def test_audit_on_what_is_no_evidence(files: dict[str, str]) -> None:
    """The separate verifier: 1 for a broken file, 3 for none, 2 for a root that is none."""
    root = "00" * 32
    expected = {"junk": 1, "empty": 1, "text": 1, "missing": 3, "directory": 3, "name": 3}
    for kind, code in expected.items():
        assert run("verify", files[kind], "--root", root, program=AUDIT)[0] == code, kind
    for words in ((), ("verify",), ("verify", files["junk"]), ("verify", files["junk"], "--root", "zz")):
        assert run(*words, program=AUDIT)[0] == WRONG_USAGE, words


def test_a_closed_pipe_is_no_fault(box: Box) -> None:
    """A reader that goes before anything is written: no fault of ours."""
    shown = subprocess.Popen(
        [WATTSEAL, "trust", "show", str(box.root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert shown.stdout is not None
    shown.stdout.close()
    assert shown.stderr is not None
    errors = shown.stderr.read()
    shown.stderr.close()
    assert shown.wait(30) == GOOD, errors
    assert errors == ""
