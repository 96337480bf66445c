"""Fixtures of the whole-bridge tests: a utility nobody here wrote, in its own process."""

from collections.abc import Iterator

import pytest
from openleadr_vtn import OpenLeadrVtn, running


@pytest.fixture
def vtn() -> Iterator[OpenLeadrVtn]:
    """The server of openleadr: polls every second, samples and reports every second or two."""
    yield from running(poll=1, sampling=1, reporting=2)
