"""Somebody else's client, py20305 (SunSpec Alliance), lives on our server: TLS with CCM8, discovery, registration,
controls with their Responses, DER documents and mirrored readings.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from wattseal.certs.device_pki import DevicePki, make_device_pki
from wattseal.certs.identity import describe_file
from wattseal.certs.tls import ccm8_client, ccm8_server
from wattseal.protocols.ieee2030_5.profiles import PROFILES
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.door import AdminClient, server_door
from wattseal.protocols.ieee2030_5.server.shell import running_server

pytest.importorskip("py20305", reason="py20305 is not installed: no foreign client was run")

from py20305.client.csip_client import CsipClient
from py20305.client.tls import TlsConfig
from py20305.connectors.print_demo import PrintDemoConnector
from py20305.events.dispatch import NullDispatcher
from py20305.subscription.manager import SubscriptionManager
from py20305.subscription.notification_server import NotificationServer
from py20305.telemetry.coordinator import TelemetryCoordinator


class Recorder(NullDispatcher):
    """Notes what py20305 would have done to the device."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []

    async def apply_control(self, _device_href: str, derc: Any, _curves: list[Any]) -> None:
        self.done.append(("control", derc))

    async def apply_default_control(self, _device_href: str, dderc: Any, _curves: list[Any], **_: Any) -> None:
        self.done.append(("default", dderc))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("pki"))


@asynccontextmanager
async def lab(
    pki: DevicePki, profile: str, directory: Path, **settings: Any
) -> AsyncIterator[tuple[CsipClient, Recorder, AdminClient]]:
    """Our server with CCM8 alone, its admin door, and py20305 before its first request."""
    config = ServerConfig(profile=PROFILES[profile], **settings)
    tls = ccm8_server(pki.server, pki.authority)
    notify = ccm8_client(pki.server, pki.authority)
    headers = {"Accept": PROFILES[profile].accept} if profile == "csipaus-1.3" else None
    shown = TlsConfig(pki.device.certificate, pki.device.key, pki.authority, check_hostname=False)
    recorder = Recorder()
    async with (
        running_server(config, tls=tls, notify_tls=notify, messages=directory) as utility,
        server_door(utility.shell) as port,
        AdminClient(port) as admin,
    ):
        client = CsipClient(
            utility.server.url,
            tls=shown,
            dispatcher=recorder,
            request_headers=headers,
            server_2018_compat=profile != "csip-2023",
        )
        client.http.csip_aus_mode = profile.startswith("csipaus")
        try:
            yield client, recorder, admin
        finally:
            await client.shutdown()
        assert utility.server.faults == []


async def until(seen: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer; py20305 has no event for what it has done."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = seen()
        found = await found if asyncio.iscoroutine(found) else found
        if found:
            return found
        await asyncio.sleep(0.05)
    pytest.fail(f"nothing was seen in {seconds} s")


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "seed"), [("csip-2018", ""), ("csip-2023", "scrambled"), ("csipaus-1.2", "")])
async def test_py20305_registers_follows_controls_answers_and_mirrors(
    pki: DevicePki, profile: str, seed: str, tmp_path: Path
):
    lfdi = describe_file(pki.device.certificate).lfdi
    async with lab(pki, profile, tmp_path, href_seed=seed, pin=111115) as (client, recorder, admin):
        await client.connect()
        assert await client.register_end_device(lfdi=lfdi, device_category=1 << 25)
        group = await admin.ask("add_group", members=[lfdi])
        program = (await admin.ask("add_program", groups=[group["serial"]], primacy=5))["serial"]
        base = {"op_mod_target_w": {"multiplier": 0, "value": 5000}}
        await admin.ask("set_default", program=program, default={"base": {"op_mod_max_lim_w": {"value": 0}}})
        await client.trigger_rediscovery()
        running = asyncio.create_task(client.run())
        done = await admin.ask("add_control", program=program, control={"duration": 3, "base": base})
        await client.poll_now()

        async def answers(mrid: str) -> list[int]:
            heard = (await admin.ask("list", of="responses"))["responses"]
            assert all(one["lfdi"] == lfdi for one in heard)
            return [one["status"] for one in heard if one["subject"] == mrid]

        async def completed() -> bool:
            await client.poll_now()
            return 3 in await answers(done["mrid"])

        await until(completed)
        assert await answers(done["mrid"]) == [1, 2, 3]
        assert [one.dercontrol_base.op_mod_target_w.value for kind, one in recorder.done if kind == "control"]

        ended = await admin.ask("add_control", program=program, control={"duration": 600, "base": base})
        await client.poll_now()
        await until(lambda: _has(answers, ended["mrid"], 2))
        await admin.ask("cancel", mrid=ended["mrid"])
        await client.poll_now()
        await until(lambda: _has(answers, ended["mrid"], 6))
        assert await answers(ended["mrid"]) == [1, 2, 6]

        await _mirrors(client, admin, lfdi)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _has(answers: Callable[[str], Any], mrid: str, status: int) -> bool:
    return status in await answers(mrid)


async def _mirrors(client: CsipClient, admin: AdminClient, lfdi: str) -> None:
    coordinator = TelemetryCoordinator(client, lfdis=[lfdi], connector_resolver=lambda _: PrintDemoConnector())
    coordinator.setup()
    coordinator.start_device_telemetry()
    try:

        async def put() -> Any:
            sheets = (await admin.ask("list", of="sheets"))["sheets"][lfdi]
            return sheets if {"der/1/dercap", "der/1/derg", "der/1/ders"} <= sheets.keys() else None

        sheets = await until(put)
        assert sheets["der/1/dercap"]["rtg_max_w"]["value"] > 0
        assert sheets["der/1/derg"]["set_max_w"]["value"] > 0
        assert coordinator.telemetry is not None
        await coordinator.telemetry._metering_cycle(lfdi.lower())

        async def read() -> Any:
            mirrors = (await admin.ask("list", of="readings"))["readings"]
            return [meter for one in mirrors for meter in one["meters"]]

        meters = await until(read)
        assert {38, 63, 29, 33} <= {one["reading_type"]["uom"] for one in meters}
    finally:
        await coordinator.shutdown()


@pytest.mark.slow
async def test_py20305_subscribes_and_acts_on_what_it_is_told(pki: DevicePki, tmp_path: Path):
    """CORE-018: it was never told to poll; a control reaches it by notification alone, over mutual TLS."""
    lfdi = describe_file(pki.device.certificate).lfdi
    async with lab(pki, "csip-2018", tmp_path) as (client, recorder, admin):
        await admin.ask("add_device", lfdi=lfdi)
        group = await admin.ask("add_group", members=[lfdi])
        program = (await admin.ask("add_program", groups=[group["serial"]]))["serial"]
        shown = TlsConfig(pki.device.certificate, pki.device.key, pki.authority, check_hostname=False)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ear = NotificationServer("127.0.0.1", port, tls=shown, client_cert_mode="enforce")
        client.attach_subscriptions(
            SubscriptionManager(client.http, f"https://127.0.0.1:{port}/notify", server_2018_compat=True), ear
        )
        await client.connect()
        subscribed = (await admin.ask("list", of="subscriptions"))["subscriptions"]
        assert f"derp/{program}/derc" in {one["resource"] for one in subscribed}
        base = {"op_mod_target_w": {"multiplier": 0, "value": 5000}}
        await admin.ask("add_control", program=program, control={"duration": 600, "base": base})
        await until(lambda: [one for one in recorder.done if one[0] == "control"])
        await until(lambda: _all_delivered(admin))
        assert len((await admin.ask("list", of="subscriptions"))["subscriptions"]) == len(subscribed)
        await ear.stop()


async def _all_delivered(admin: AdminClient) -> bool:
    return not (await admin.ask("list", of="outbox"))["outbox"]
