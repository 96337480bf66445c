"""Who may import whom: the house as a test, with the reason beside each ban."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("certs", "protocols", "drivers", "bridge", "conformance")
ALLOWED = {
    "certs": {"certs"},
    "protocols": {"protocols", "certs"},
    "drivers": {"drivers", "certs"},
    "bridge": {"bridge", "protocols", "drivers", "certs"},
    "conformance": {"conformance", "protocols", "drivers", "certs"},
}
REASONS = {
    ("certs", "*"): "bedrock carries everybody and knows nobody; an energy word in it would tie trust to one trade",
    ("protocols", "drivers"): "the two banks never see each other: a path between them would bypass plan and policy",
    ("drivers", "protocols"): "a gateway must not know which utility asked; it judges statements, not dialects",
    ("protocols", "bridge"): "a dialect that calls the deck back cannot be replayed from its bytes",
    ("drivers", "bridge"): "what an owned core could widen, the gate would have to believe",
    ("conformance", "bridge"): "the lab judges black boxes over the wire; a shared fault must not cancel out",
    ("bridge", "conformance"): "the deck runs without the lab; verbs of the lab are found by entry point",
}
# The separate verifier is a distribution of its own: it repeats what it needs on purpose.
AUDIT_MAY_IMPORT = {"cbor2", "cryptography"}


def modules() -> Iterator[tuple[str, Path]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            yield ".".join(["wattseal", *(parts[:-1] if parts[-1] == "__init__" else parts)]), path


def imported(name: str, path: Path) -> Iterator[str]:
    """Every module that a file imports, absolute; inside functions too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


MODULES = dict(modules())


def ours(name: str, path: Path) -> set[str]:
    """The modules of ours that a file imports."""
    return {found for found in imported(name, path) if found in MODULES and found != name}


def test_each_folder_imports_only_what_it_may() -> None:
    wrong = []
    for name, path in MODULES.items():
        here = name.split(".")[1]
        for target in {found.split(".")[1] for found in imported(name, path) if found.startswith("wattseal.")}:
            if target not in ALLOWED[here]:
                reason = REASONS.get((here, target)) or REASONS.get((here, "*"), "not in the plan of the house")
                wrong.append(f"{name} imports wattseal.{target}: {reason}")
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles() -> None:
    """A file stands above all that it imports (packages' own __init__ files hold no imports of ours)."""
    graph = {name: ours(name, path) for name, path in MODULES.items()}
    done: set[str] = set()
    trail: list[str] = []

    def visit(name: str) -> None:
        if name in trail:
            pytest.fail("import cycle: " + " -> ".join([*trail[trail.index(name) :], name]))
        if name in done:
            return
        trail.append(name)
        for target in sorted(graph[name]):
            visit(target)
        trail.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


def test_the_verifier_imports_nothing_of_ours_and_two_libraries_only() -> None:
    audit = ROOT / "certs" / "audit"
    files = sorted(audit.rglob("*.py"))
    assert files, "the verifier has no files"
    import sys

    for path in files:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                tops = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                tops = {(node.module or "").split(".")[0]}
            else:
                continue
            strange = tops - AUDIT_MAY_IMPORT - set(sys.stdlib_module_names)
            assert not strange, f"{path.name} imports {strange}"


def test_the_verifier_stays_small() -> None:
    lines = sum(path.read_text().count("\n") for path in (ROOT / "certs" / "audit").rglob("*.py"))
    assert lines < 1000, f"{lines} lines: a verifier that nobody can read proves nothing"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_is_typed_and_says_what_it_is_for(folder: str) -> None:
    assert (ROOT / folder / "py.typed").exists()
    docstring = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text()))
    assert docstring
    assert len(docstring) > 40


def test_every_module_says_what_it_is_for() -> None:
    silent = [name for name, path in MODULES.items() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent, f"no module docstring: {silent}"


def test_no_file_outgrows_its_room() -> None:
    """Ceiling 400 lines; tables and enums excepted, by name and with the reason."""
    excepted = {"wattseal.protocols.ieee2030_5.vocabulary": "enumerations and nothing else, in the standard's order"}
    long = {
        name: path.read_text().count("\n")
        for name, path in MODULES.items()
        if path.read_text().count("\n") > 400 and name not in excepted
    }
    assert not long, f"split these: {long}"


def test_bare_names_of_the_five_folders_are_never_imported() -> None:
    """`import certs` would work in a checkout and be somebody else's package after an install."""
    wrong = [
        f"{name} imports {found}"
        for name, path in MODULES.items()
        for found in imported(name, path)
        if found.split(".")[0] in FOLDERS
    ]
    assert not wrong, wrong
