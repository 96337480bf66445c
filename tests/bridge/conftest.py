"""Benches: a core on a lab box of its own."""

import shutil

import pytest
from bridge_world import Bench, make_bench

from wattseal.certs.box import Box


@pytest.fixture(scope="session")
def signed_box(tmp_path_factory):
    """One signed box, to be copied: its keys are made once."""
    return make_bench(tmp_path_factory.mktemp("box") / "b")


@pytest.fixture
def new_bench(signed_box, tmp_path):
    """Makes benches, each on a copy of the box, and closes them."""
    made = []

    def make(**options) -> Bench:
        directory = tmp_path / str(len(made))
        shutil.copytree(signed_box.root, directory)
        made.append(Bench(Box(directory), **options))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(new_bench):
    """A core on a fresh box."""
    return new_bench()
