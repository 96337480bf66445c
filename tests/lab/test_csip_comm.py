"""COMM tests of the CSIP procedures: the configured address, the suite on the wire, chains that are taken and refused.

What TLS did is read from the raw records on the wire (`wire_tap`), whatever either end says of it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from csip_lab_world import FOUR, CsipLab, csip_lab
from wire_tap import CCM_8, TLS_1_2, Conversation, WireTap, wire_tap

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

GRACE = 0.03
"""Real seconds that each step of the clock leaves to the tap, which does not follow it."""
STEP = 5
PROBE = 61
"""A lost server is asked for its root at least once in so many seconds."""


class TappedLab:
    """A lab whose box finds the server through a tap."""

    def __init__(self, lab: CsipLab, tap: WireTap) -> None:
        self.lab, self.tap = lab, tap

    def answered(self, since: int) -> list[Conversation]:
        """From the one of that number on, those in which the server said something."""
        return [one for one in self.tap.conversations[since:] if one.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["device", "aggregator"])
async def tapped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TappedLab]:
    role = request.param
    taps: list[WireTap] = []

    async def port_of(stack: AsyncExitStack, port: int) -> int:
        taps.append(await stack.enter_async_context(wire_tap(port)))
        return taps[0].port

    names = FOUR if role == "aggregator" else ("battery",)
    place: Path = tmp_path_factory.mktemp(f"comm-{role}")
    async with csip_lab(place, role=role, names=names, pinned=False, port_of=port_of, grace=GRACE, sampling=60) as lab:
        await lab.registered()
        yield TappedLab(lab, taps[0])


async def test_comm_002_the_configured_address_then_at_least_one_link(tapped: TappedLab) -> None:
    """The first request is GET of DeviceCapability; what it links follows."""
    first, *others = tapped.lab.messages(direction="sent")
    assert (first.about, first.status) == ("GET /dcap", 200)
    hrefs = {first.resource.time_link.href, first.resource.end_device_list_link.href}
    assert hrefs & {one.about.removeprefix("GET ").partition("?")[0] for one in others if one.status == 200}


async def test_comm_003_tls_1_2_with_ccm_8_on_the_wire(tapped: TappedLab) -> None:
    """Section 2: version 1.2 and suite 0xC0AE in the ServerHello; the client offers it, and no suite beside it."""
    conversations = tapped.answered(0)
    assert conversations
    for one in conversations:
        assert one.agreed == (TLS_1_2, CCM_8)
        assert one.offered == [CCM_8]
        assert one.client_sent_data


TAKEN = {"a": "device-chain-2", "b": "device-chain-3", "c": "server"}
REFUSED = {
    "d": "bad-mica-critical-eku",
    "e": "bad-mica-name-constraints",
    "f": "bad-mica-policy-mappings",
    "g": "bad-self-signed",
}


@pytest.mark.parametrize("tapped", ["device"], indirect=True)
@pytest.mark.parametrize("status", [301, 308])
async def test_err_001_a_permanent_redirect_of_dcap_is_followed_and_kept(tapped: TappedLab, status: int) -> None:
    """1.1: where DeviceCapability has moved for good, it is asked for there from then on."""
    lab = tapped.lab
    trick = {"kind": "redirect", "route": "dcap", "status": status, "times": None}
    await lab.restart_server()
    await lab.admin.ask("misbehave", tricks=[trick])

    async def arrived() -> bool:
        return bool(await lab.requests(method="GET", path="/moved/dcap"))

    await lab.clock.until(arrived, 3 * PROBE, STEP)
    mark = await lab.count()
    await lab.clock.until(lambda: _again(lab, mark), 3 * PROBE, STEP)
    asked = [one.path for one in await lab.requests(mark, method="GET", route="dcap")]
    assert set(asked) == {"/moved/dcap"}


async def _again(lab: CsipLab, mark: int) -> bool:
    return bool(await lab.requests(mark, method="GET", route="dcap"))


@pytest.mark.parametrize("part", TAKEN)
async def test_comm_004_chains_of_two_three_and_four_are_taken(tapped: TappedLab, part: str) -> None:
    """A to C: SERCA to device, with a MICA between, with MCA and MICA between."""
    lab = tapped.lab
    await lab.restart_server("--pki-server", TAKEN[part])

    async def linked() -> bool:
        return len({one.path for one in await lab.requests() if one.status == 200}) > 1

    await lab.clock.until(linked, 3 * PROBE, STEP)


@pytest.mark.parametrize("part", REFUSED)
async def test_comm_004_faulty_chains_are_refused(tapped: TappedLab, part: str) -> None:
    """D to G: a MICA with critical extended key usage, name constraints, policy mappings; a self-signed server.

    The trace shows handshakes and no application data of the client; the server heard no request.
    """
    lab, since = tapped.lab, len(tapped.tap.conversations)
    await lab.restart_server("--pki-server", REFUSED[part])
    await lab.clock.until(lambda: len(tapped.answered(since)) >= 2, 3 * PROBE, STEP)
    assert await lab.requests() == []
    assert not any(one.client_sent_data for one in tapped.answered(since))


@pytest.mark.parametrize("tapped", ["device"], indirect=True)
async def test_comm_004_after_a_faulty_server_a_good_one_is_believed(tapped: TappedLab) -> None:
    """What was refused is tried again: a server that mends its certificate is spoken with."""
    lab, since = tapped.lab, len(tapped.tap.conversations)
    await lab.restart_server("--pki-server", REFUSED["d"])
    await lab.clock.until(lambda: tapped.answered(since), 3 * PROBE, STEP)
    await lab.restart_server("--pki-server", "server")
    await lab.clock.until(lambda: _again(lab, 0), 3 * PROBE, STEP)
