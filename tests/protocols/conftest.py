"""What several protocol tests need: the 2.0b schema (from the installed openleadr, tests only) and our own vectors."""

import importlib.util
from pathlib import Path

import pytest
from lxml import etree


@pytest.fixture(scope="session")
def openadr20b_schema() -> etree.XMLSchema:
    """The XSD of OpenADR 2.0b, an oracle that is not ours."""
    spec = importlib.util.find_spec("openleadr")
    assert spec is not None
    assert spec.origin is not None
    return etree.XMLSchema(etree.parse(Path(spec.origin).parent / "schema" / "oadr_20b.xsd"))


@pytest.fixture(scope="session")
def openadr20b_vectors() -> dict[str, bytes]:
    """The hand-written 2.0b messages by the name of what they show."""
    folder = Path(__file__).parent / "vectors" / "openadr20b"
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.xml"))}
