"""The simulators share nothing with the driver that is tested against them."""

import ast
from pathlib import Path

import pytest

from wattseal.drivers import simulators

FILES = sorted(Path(simulators.__path__[0]).glob("*.py"))
OWN = "wattseal.drivers.simulators"
SHARED = {"wattseal.certs.errors", "wattseal.certs.lab_clock.loop"}  # words for people, and the lab's time
FOREIGN = {"msgspec"}  # typed JSON at the control door; no Modbus or SunSpec library


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imports_nothing_of_the_driver(path: Path) -> None:
    """A decoder, layout or link used on both sides would hide its own mistakes."""
    import sys

    for node in ast.walk(ast.parse(path.read_text())):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [str(node.module)]
        for module in modules:
            ours = module in SHARED | {OWN} or module.startswith(f"{OWN}.")
            assert ours or module.partition(".")[0] in sys.stdlib_module_names | FOREIGN, module


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 20
