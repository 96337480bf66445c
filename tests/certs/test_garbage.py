"""The collector's settings: rare, and still able to collect."""

import gc

import pytest

from wattseal.certs.garbage import collect_rarely


@pytest.fixture(autouse=True)
def settings_restored():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_stands_is_left_alone_and_what_comes_is_still_collected():
    collect_rarely()
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_threshold()[0] > 700  # CPython's default
    ring: list[object] = []
    ring.append(ring)
    del ring
    assert gc.collect() >= 1
