"""The line over real sockets: mutual TLS with the suite of the standard, the profile asked for, notifications taken."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from bridge_world import NOW, Bench, make_bench
from client_2030_5_world import World, config, plain
from msgspec.structs import replace
from server_line_world import SERVER_SITE

from wattseal.bridge.core.ieee2030_5_line import ServerLine
from wattseal.bridge.core.server_rim import opened_rim
from wattseal.bridge.server_findings import server_findings
from wattseal.certs.device_pki import DevicePki, make_device_pki
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import lfdi_of, read_certificates, sfdi_of
from wattseal.certs.storage import StorageError
from wattseal.certs.tls import ccm8_server
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.core_resources import EndDeviceList
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_3

WELL_KNOWN = b'{"supportedSchemaVersions":{"https://csipaus.org/ns/v1.3":{"dcap":["/dcap"]}}}'


def lfdi_in(file) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return lfdi_of(read_certificates(file.read_bytes())[0].public_bytes(Encoding.DER))


@asynccontextmanager
async def served(world: World, tls=None) -> AsyncIterator[int]:
    """The server in memory behind a real socket."""

    async def respond(request: web.Request) -> web.Response:
        if request.path == "/.well-known/csipaus" and request.path not in world.server.faults:
            return web.Response(body=WELL_KNOWN, content_type="application/json")
        answer = world.server.answer(Request(Method(request.method), str(request.rel_url), await request.read()))
        assert not hasattr(answer, "reason")
        headers = {"Location": answer.location} if answer.location else {}
        return web.Response(status=answer.status, body=answer.body, content_type="application/sep+xml", headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
def pki(tmp_path) -> DevicePki:
    return make_device_pki(tmp_path / "pki")


def site_for(port: int, pki: DevicePki, box, *, profile: str = "auto", pin: str = "", listener: str = "") -> bytes:
    """The bench's site with TLS files in the box, and the server's LFDI pinned."""
    for file in (pki.device.certificate, pki.authority):
        shutil.copy(file, box / file.name)
    (box / "device.key").write_bytes(pki.device.key.read_bytes())
    (box / "device.key").chmod(0o600)
    text = SERVER_SITE.decode()
    text = text.replace('url = "http://127.0.0.1:8080/dcap"', f"""url = "https://127.0.0.1:{port}/dcap"
tls = {{ certificate = "{pki.device.certificate.name}", key = "secret://file/device.key", \
authority = "{pki.authority.name}" }}
server_lfdi = "{pin or lfdi_in(pki.server.certificate)}"
""")  # fmt: skip
    text = text.replace('profile = "csipaus-1.3"', f'profile = "{profile}"')
    lines = [line for line in text.splitlines() if not line.startswith("lfdi")]
    return ("\n".join(lines) + listener).encode()


def running(bench: Bench) -> Bench:
    """The bench's clock goes at the pace of the machine's, from the bench's own noon on."""
    began = time.monotonic()
    bench.time.wall = lambda: NOW + time.monotonic() - began
    bench.time.monotonic = time.monotonic
    return bench


async def until(true, task: asyncio.Task | None = None) -> None:
    async with asyncio.timeout(20):
        while not true():
            if task is not None and task.done():
                task.result()
            await asyncio.sleep(0.01)


def known_server(pki: DevicePki, profile) -> World:
    """A server that lists the device whose certificate we show."""
    world = plain(World(config(profile=profile)))
    listed = world.server.resources["/edev"]
    lfdi = lfdi_in(pki.device.certificate)
    own = replace(listed.items[0], lfdi=lfdi, sfdi=int(sfdi_of(lfdi)))
    world.server.resources["/edev"] = EndDeviceList(href="/edev", items=(own,), poll_rate=60)
    return world


async def test_a_default_reaches_the_gateway_over_mutual_tls(tmp_path, pki):
    """COMM-003: TLS 1.2 with CCM8; the profile is asked for; the limit becomes an order; LFDI from the certificate."""
    world = known_server(pki, CSIPAUS_1_3)
    async with served(world, ccm8_server(pki.server, pki.authority)) as port:
        box = tmp_path / "box"
        box.mkdir()
        bench = running(Bench(make_bench(box, site_for(port, pki, box))))
        await bench.connect()
        line = ServerLine(bench.estate.site.utilities[0], bench.core, bench.estate, box)
        task = asyncio.create_task(line.run())
        await until(bench.line.orders, task)
        assert bench.line.orders() == [("battery", "limit_inject", 0)]
        contact = bench.core.contacts["north"]
        assert (contact["profile"], contact["lfdi"]) == ("csipaus-1.3", lfdi_in(pki.device.certificate))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.close()


async def test_another_server_than_the_pinned_one_is_not_spoken_to(tmp_path, pki):
    """The LFDI is pinned: a good certificate of somebody else gets no request."""
    world = known_server(pki, CSIP_2018)
    async with served(world, ccm8_server(pki.server, pki.authority)) as port:
        box = tmp_path / "box"
        box.mkdir()
        bench = Bench(make_bench(box, site_for(port, pki, box, profile="csip-2018", pin="AB" * 20)))
        async with opened_rim(bench.estate.site.utilities[0], bench.estate, box) as rim:
            with pytest.raises(WorldError) as caught:
                await rim.exchange.ask(Request(Method.GET, rim.dcap))
        assert caught.value.reason == "peer_not_trusted"
        assert world.server.asked == []
        bench.close()


async def test_a_server_that_is_away_is_spoken_to_as_last_time(tmp_path, pki):
    """What was found out stays known: without the server the profile is the one that it had."""
    box = tmp_path / "box"
    box.mkdir()
    world = known_server(pki, CSIPAUS_1_3)
    async with served(world, ccm8_server(pki.server, pki.authority)) as port:
        bench = Bench(make_bench(box, site_for(port, pki, box)))
        utility = bench.estate.site.utilities[0]
        async with opened_rim(utility, bench.estate, box) as rim:
            assert (rim.profile, rim.dcap) == (CSIPAUS_1_3, "/dcap")
    async with opened_rim(utility, bench.estate, box) as rim:
        assert rim.profile is CSIPAUS_1_3
    bench.close()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_cannot_say_now_is_spoken_to_as_last_time(tmp_path, pki, status):
    """A server under load does not make a CSIP-AUS box speak another profile, now or after the next start."""
    box = tmp_path / "box"
    box.mkdir()
    world = known_server(pki, CSIPAUS_1_3)
    async with served(world, ccm8_server(pki.server, pki.authority)) as port:
        bench = Bench(make_bench(box, site_for(port, pki, box)))
        utility = bench.estate.site.utilities[0]
        async with opened_rim(utility, bench.estate, box) as rim:
            assert rim.profile is CSIPAUS_1_3
        world.server.faults["/.well-known/csipaus"] = Answer(status)
        async with opened_rim(utility, bench.estate, box) as rim:
            assert rim.profile is CSIPAUS_1_3
    async with opened_rim(utility, bench.estate, box) as rim:
        assert rim.profile is CSIPAUS_1_3, "nor was it remembered"
    bench.close()


async def test_the_doctor_tells_who_we_are_there(tmp_path, pki):
    """BASIC-001: LFDI and SFDI of our certificate; what a peer would object to; what is not compared."""
    box = tmp_path / "box"
    box.mkdir()
    bench = Bench(make_bench(box, site_for(8443, pki, box)))
    found = {one.reason: one for one in server_findings(bench.estate.site, bench.box)}
    assert lfdi_in(pki.device.certificate) in found["lfdi"].sentence
    assert "SFDI" in found["lfdi"].sentence
    assert "pin_not_compared" in found
    assert not any(one.bad for one in found.values())
    shutil.copy(pki.authority, box / pki.device.certificate.name)
    worse = list(server_findings(bench.estate.site, bench.box))
    assert any(one.bad for one in worse)
    (box / pki.device.certificate.name).unlink()
    assert "tls_file_unreadable" in {one.reason for one in server_findings(bench.estate.site, bench.box) if one.bad}
    bench.close()


async def test_a_certificate_that_is_not_the_named_one_is_a_mistake(tmp_path, pki):
    box = tmp_path / "box"
    box.mkdir()
    text = site_for(8443, pki, box, profile="csip-2018").replace(
        b'device = "battery"', b'device = "battery"\nlfdi = "' + b"AB" * 20 + b'"'
    )
    bench = Bench(make_bench(box, text))
    with pytest.raises(MisuseError) as caught:
        await ServerLine(bench.estate.site.utilities[0], bench.core, bench.estate, box).run()
    assert caught.value.reason == "lfdi_differs"
    bench.close()


async def test_notifications_are_answered_at_the_door_of_the_line(tmp_path, pki):
    """1.10: a sender that is not our server is refused; a path that is no subscription of ours draws 400 or 403."""
    world = known_server(pki, CSIPAUS_1_3)
    async with served(world, ccm8_server(pki.server, pki.authority)) as port:
        box = tmp_path / "box"
        box.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            door = f"127.0.0.1:{free.getsockname()[1]}"
        listener = f'\n[utility.listener]\naddress = "{door}"\nuri = "https://{door}/2030"\n'
        bench = running(Bench(make_bench(box, site_for(port, pki, box, listener=listener))))
        line = ServerLine(bench.estate.site.utilities[0], bench.core, bench.estate, box)
        task = asyncio.create_task(line.run())
        await until(lambda: bench.core.contacts.get("north", {}).get("devices"), task)
        from wattseal.certs.tls import ccm8_client

        for identity, expected in ((pki.server, {400}), (pki.device, {403})):
            context = ccm8_client(identity, pki.authority)
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"https://{door}/2030/nonsense", data=b"<x/>", ssl=context) as answer,
            ):
                assert answer.status in expected
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.close()


async def test_a_notification_that_the_disk_did_not_take_ends_the_line(tmp_path, pki):
    """What the session has heard and the core has not would never be told again: the line is made anew instead."""
    world = known_server(pki, CSIPAUS_1_3)
    async with served(world, ccm8_server(pki.server, pki.authority)) as port:
        box = tmp_path / "box"
        box.mkdir()
        bench = running(Bench(make_bench(box, site_for(port, pki, box))))
        line = ServerLine(bench.estate.site.utilities[0], bench.core, bench.estate, box)
        task = asyncio.create_task(line.run())
        await until(lambda: bench.core.contacts.get("north", {}).get("devices"), task)

        async def busy(_happenings):
            raise StorageError("storage_failed", "The database is locked.")

        line.handle = busy  # of the notification alone: the session's loop holds its own way already
        with pytest.raises(StorageError):
            await line.notified("/2030/nonsense", b"<x/>", None)
        with pytest.raises(StorageError):
            async with asyncio.timeout(20):
                await task
        bench.close()
