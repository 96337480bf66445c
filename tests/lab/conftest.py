"""The labs of this folder: one box for each role, which the tests of a module share; each leaves nothing behind."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from csip_lab_world import FOUR, CsipLab, csip_lab


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["device", "aggregator"])
async def shared_lab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CsipLab]:
    """A box of one device that polls, or of an aggregator with four devices that subscribes."""
    role = request.param
    names = FOUR if role == "aggregator" else ("battery",)
    listen = role == "aggregator"
    async with csip_lab(tmp_path_factory.mktemp(role), role=role, names=names, listen=listen) as lab:
        await lab.registered()
        yield lab


@pytest_asyncio.fixture(loop_scope="module")
async def lab(shared_lab: CsipLab) -> AsyncIterator[CsipLab]:
    """The shared box, and nothing in force."""
    yield shared_lab
    await shared_lab.clear()
