"""What is installed is what stands here: wheel, wheel from sdist, editable install, and the verifier alone.

Everything is built from a copy of the checkout, so that nothing is left in it and no edit made meanwhile is seen.
Building needs no network; two tests install the pinned packages into empty environments and are skipped where pip
cannot reach a package index.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("bridge", "certs", "conformance", "drivers", "protocols")
PACKAGE_DATA = {"wattseal/drivers/gate/default_policy.cedar"}
NEVER_COPIED = (".venv", ".venvs", ".git", "__pycache__", ".*_cache", ".hypothesis", "dist", "build", "*.egg-info")
# What pip says when the index is out of reach, as against a package that is wrong.
UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|MaxRetryError|Connection refused"
    r"|name resolution|Network is unreachable|\(from versions: none\)"
)
pytestmark = pytest.mark.slow


def quiet(*command: str | Path, cwd: Path | None = None, seconds: int = 300) -> subprocess.CompletedProcess[str]:
    """Runs a command that must succeed, without this process's Python settings; gives what it printed."""
    done = attempt(*command, cwd=cwd, seconds=seconds)
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def attempt(*command: str | Path, cwd: Path | None = None, seconds: int = 300) -> subprocess.CompletedProcess[str]:
    """The same for a command that may fail."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(  # noqa: PLW1510 - the callers look at the code
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=seconds, env=environment
    )


def pip(*arguments: str | Path) -> tuple[str | Path, ...]:
    return (sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments)


def wheel_of(source: Path, into: Path) -> Path:
    """Builds a wheel offline with the pinned build packages of this environment."""
    quiet(*pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", into, source))
    (wheel,) = into.glob("*.whl")
    return wheel


def packaged(wheel: Path) -> dict[str, bytes]:
    """The package files of a wheel with their content (what describes the wheel itself is left out)."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


def empty_environment(directory: Path) -> Path:
    """An environment with nothing in it, not even pip; gives its interpreter."""
    venv.create(directory, with_pip=False)
    return directory / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    """Installs wheels without a network and without asking for dependencies."""
    quiet(*pip("--python", python, "install", "--no-deps", "--no-index", *what))


def install_from_index(python: Path, *what: str | Path) -> None:
    """Installs with dependencies; skips the test where no package index answers."""
    done = attempt(*pip("--python", python, "install", "--retries", "1", "--timeout", "15", *what), seconds=600)
    if done.returncode and UNREACHABLE.search(done.stdout + done.stderr):
        pytest.skip("pip reaches no package index here: the install from the pinned versions is not tried")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout as a fresh clone would have it (directory links stay links)."""
    copy = tmp_path_factory.mktemp("checkout") / "wattseal"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*NEVER_COPIED))
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(checkout, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("sdist")
    quiet(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", into, cwd=checkout)
    (archive,) = into.glob("*.tar.gz")
    return archive


def test_the_wheel_holds_the_five_folders_whole_under_one_prefix(wheel: Path, checkout: Path) -> None:
    """Every module of the checkout is in the wheel, and nothing is at top level but `wattseal`."""
    files = packaged(wheel)
    assert {name.split("/")[0] for name in files} == {"wattseal"}
    assert {name.split("/")[1] for name in files} == set(FOLDERS)
    modules = {
        f"wattseal/{path.relative_to(checkout)}" for folder in FOLDERS for path in (checkout / folder).rglob("*.py")
    }
    assert {name for name in files if name.endswith(".py")} == modules
    assert len(modules) > 100
    assert set(files) >= PACKAGE_DATA
    assert {f"wattseal/{folder}/py.typed" for folder in FOLDERS} <= set(files)


def test_every_data_file_of_the_folders_is_packaged(wheel: Path, checkout: Path) -> None:
    """A file beside the modules that the product reads at run time must not be left behind by a pattern."""
    data = {
        f"wattseal/{path.relative_to(checkout)}"
        for folder in FOLDERS
        for path in (checkout / folder).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert data <= set(packaged(wheel))


def test_a_wheel_built_from_the_sdist_is_the_wheel_built_from_the_tree(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    """The trap: with the directory links of dev/ in the sdist, the wheel built from it comes out empty."""
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path, filter="data")
    assert not [name for name in names if name.split("/")[1:2] == ["dev"]]
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    again = wheel_of(source, tmp_path / "again")
    assert packaged(again) == packaged(wheel)


def test_the_sdist_carries_tests_documents_and_licence(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml"}
    assert wanted <= names
    assert {
        "tests/test_packaging.py",
        "docs/architecture.md",
        "requirements/run.txt",
        "certs/audit/pyproject.toml",
    } <= names


def test_the_wheel_names_its_licence_commands_and_dependencies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        described = {name.partition(".dist-info/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        metadata = archive.read(described["METADATA"]).decode()
        commands = archive.read(described["entry_points.txt"]).decode()
    assert {"licenses/LICENSE", "licenses/NOTICE"} <= set(described)
    assert "License-Expression: Apache-2.0" in metadata
    assert "wattseal = wattseal.bridge.cli.main:run" in commands
    assert "wattseal-audit = wattseal.certs.audit.command:run" in commands
    assert {"cbor2", "cryptography", "cedarpy", "pymodbus"} <= set(
        re.findall(r"^Requires-Dist: ([a-z0-9]+)", metadata, re.MULTILINE)
    )


@pytest.mark.parametrize("theirs_first", [False, True], ids=["ours first", "theirs first"])
def test_another_distribution_named_certs_neither_overwrites_us_nor_is_overwritten(
    wheel: Path, tmp_path: Path, theirs_first: bool
) -> None:
    """A flat install of `certs` was silently overwritten by a second package of that name; the prefix prevents it."""
    stranger = tmp_path / "stranger"
    (stranger / "certs").mkdir(parents=True)
    (stranger / "certs" / "__init__.py").write_text("WHOSE = 'theirs'\n")
    (stranger / "certs" / "cbor.py").write_text("WHOSE = 'theirs'\n")
    (stranger / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "stranger"\nversion = "1"\n'
        '[tool.hatch.build.targets.wheel]\npackages = ["certs"]\n'
    )
    python = empty_environment(tmp_path / "empty")
    theirs = wheel_of(stranger, tmp_path / "theirs")
    for distribution in (theirs, wheel) if theirs_first else (wheel, theirs):
        install(python, distribution)
    program = (
        "import certs, certs.cbor, wattseal.certs, importlib.util as found\n"
        "assert certs.WHOSE == certs.cbor.WHOSE == 'theirs'\n"
        "assert not hasattr(wattseal.certs, 'WHOSE')\n"
        "assert found.find_spec('wattseal.certs.cbor').origin.endswith('wattseal/certs/cbor.py')\n"
        "for name in ('bridge', 'protocols', 'drivers', 'conformance'):\n"
        "    assert found.find_spec(name) is None, name\n"
    )
    quiet(python, "-c", program, cwd=tmp_path)


def test_an_editable_install_finds_the_five_folders_in_the_checkout(checkout: Path, tmp_path: Path) -> None:
    """`pip install -e .`: the links of dev/ put the folders under the prefix, and an edit is seen at once."""
    python = empty_environment(tmp_path / "empty")
    # What the build back end's editable hook makes; pip would want the back end in the empty environment itself.
    quiet(sys.executable, "-m", "hatchling", "build", "-t", "wheel:editable", "-d", tmp_path / "made", cwd=checkout)
    install(python, *(tmp_path / "made").glob("*.whl"))
    program = "import pathlib, wattseal.{0} as room; print(pathlib.Path(room.__file__).resolve())"
    for folder in FOLDERS:
        printed = quiet(python, "-c", program.format(folder), cwd=tmp_path).stdout.strip()
        assert Path(printed) == (checkout / folder / "__init__.py").resolve()
    quiet(python, "-c", "import importlib.util as found; assert found.find_spec('certs') is None", cwd=tmp_path)


def test_this_suite_runs_on_this_checkout() -> None:
    """An older install of the product would otherwise be what the tests judge."""
    import wattseal.bridge

    assert Path(wattseal.bridge.__file__ or "").resolve() == (ROOT / "bridge" / "__init__.py").resolve()


def test_the_wheel_alone_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """`pip install wattseal.whl`, at the pinned versions, brings all that the commands need, in an empty directory."""
    python = empty_environment(tmp_path / "empty")
    install_from_index(python, wheel, "--constraint", ROOT / "requirements" / "run.txt")
    here = tmp_path / "here"
    here.mkdir()
    wattseal = python.parent / "wattseal"
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert quiet(wattseal, "--version", cwd=here).stdout.strip() == version[1]
    assert "simulate" in quiet(wattseal, "--help", cwd=here).stdout
    assert "verify" in quiet(python.parent / "wattseal-audit", "--help", cwd=here).stdout
    quiet(wattseal, "init", "box", "--lab", cwd=here)
    quiet(wattseal, "trust", "sign", "box", cwd=here)
    shown = quiet(wattseal, "demo", "--headless", "--seed", "7", cwd=here, seconds=180)
    assert "proven" in (shown.stdout + shown.stderr).lower()
    assert "the lower number wins, 1 before 5" in shown.stderr, "who wins where the two utilities overlap, and why"


def test_the_pinned_versions_satisfy_what_the_project_declares(wheel: Path) -> None:
    """A pin outside the declared range would make the wheel and the checkout two different products."""
    from packaging.requirements import Requirement

    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        declared = [
            Requirement(text)
            for text in re.findall(r"^Requires-Dist: (.*)$", archive.read(name).decode(), re.MULTILINE)
        ]
    assert declared
    for listing in ("run.txt", "test.txt"):
        pins = dict(re.findall(r"^([^=\s]+)==(\S+)$", (ROOT / "requirements" / listing).read_text(), re.MULTILINE))
        folded = {name.lower().replace("_", "-"): pinned for name, pinned in pins.items()}
        for requirement in declared:
            if listing == "run.txt" and "extra" in str(requirement.marker or ""):
                continue  # an extra is installed by whoever wants it
            assert requirement.specifier.contains(folded[requirement.name.lower()]), f"{listing}: {requirement}"


@pytest.fixture(scope="module")
def audit_wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(checkout / "certs" / "audit", tmp_path_factory.mktemp("audit"))


def test_the_verifier_is_a_distribution_of_its_own_and_whole(audit_wheel: Path, checkout: Path) -> None:
    """Its file list is written out by hand: a module added and not listed would fail only at the customer's."""
    modules = {f"wattseal_audit/{path.name}": path.read_bytes() for path in (checkout / "certs" / "audit").glob("*.py")}
    assert packaged(audit_wheel) == modules
    with zipfile.ZipFile(audit_wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    assert set(re.findall(r"^Requires-Dist: ([a-z0-9]+)", metadata, re.MULTILINE)) == {"cbor2", "cryptography"}


def test_the_verifier_works_with_its_two_packages_alone(audit_wheel: Path, tmp_path: Path) -> None:
    """An environment with cbor2 and cryptography (and what cryptography itself needs), and nothing of the product."""
    python = empty_environment(tmp_path / "empty")
    install_from_index(python, "--requirement", ROOT / "requirements" / "audit.txt")
    install(python, audit_wheel)
    audit = python.parent / "wattseal-audit"
    quiet(python, "-c", "import importlib.util as found; assert found.find_spec('wattseal') is None", cwd=tmp_path)
    assert "--root" in quiet(audit, "verify", "--help", cwd=tmp_path).stdout
    (tmp_path / "no.wse").write_bytes(b"no evidence")
    refused = attempt(audit, "verify", "no.wse", "--root", "00" * 32, cwd=tmp_path)
    assert refused.returncode == 1, refused.stderr
    assert "BROKEN" in refused.stdout
    assert attempt(audit, "verify", "absent.wse", "--root", "00" * 32, cwd=tmp_path).returncode == 3
    assert attempt(audit, "verify", "no.wse", "--root", "short", cwd=tmp_path).returncode == 2
