"""The loop and its HTTP: over real TLS with the suite of IEEE 2030.5 on loopback, and what both do when things fail."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from aiohttp import web
from client_2030_5_duties import Chore
from client_2030_5_world import T0, World, config, control, plain

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.device_pki import Bad, DevicePki, make_device_pki
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import describe_file
from wattseal.certs.tls import TlsIdentity, ccm8_client, ccm8_server
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request, Silence
from wattseal.protocols.ieee2030_5.client.happenings import Happening, ScheduleChanged, Told
from wattseal.protocols.ieee2030_5.client.http import DeviceExchange, ServerJudge, retry_after_of
from wattseal.protocols.ieee2030_5.client.negotiation import QUESTION, negotiated
from wattseal.protocols.ieee2030_5.client.session import ClientSession
from wattseal.protocols.ieee2030_5.client.shell import run
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_2, CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.response import DERControlResponse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Ticking:
    """The machine's clock, so that T0 is when it was made."""

    def __init__(self) -> None:
        self._zero = time.monotonic()

    def now(self) -> Instant:
        passed = time.monotonic() - self._zero
        return Instant(int((T0 + passed) * 1000), time.monotonic(), ClockQuality.TRUSTED)


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("pki") / "pki")


@asynccontextmanager
async def served(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def behind(world: World, seen: list[web.Request]) -> Handler:
    """The world's server behind a socket."""

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        answer = world.server.answer(Request(Method(request.method), request.path_qs, await request.read()))
        assert isinstance(answer, Answer)
        headers = {"Location": answer.location} if answer.location else {}
        return web.Response(status=answer.status, body=answer.body, headers=headers, content_type="application/sep+xml")

    return handler


def lfdi_of(identity: TlsIdentity) -> str:
    return describe_file(identity.certificate).lfdi


def exchange(base: str, pki: DevicePki, lfdi: str | None, **options) -> DeviceExchange:
    return DeviceExchange(
        base,
        CSIPAUS_1_3.accept,
        tls=ccm8_client(pki.device, pki.authority),
        judge=ServerJudge(lfdi),
        **options,
    )


@dataclass
class Deck:
    """What the loop's owner sees, in order."""

    diary: list[str] = field(default_factory=list)
    told: list[Happening] = field(default_factory=list)
    stored: bytes = b""

    async def handle(self, happenings: tuple[Happening, ...]) -> None:
        self.diary += [type(one).__name__ for one in happenings]
        self.told += happenings

    async def save(self, data: bytes) -> None:
        await asyncio.sleep(0)
        self.diary.append("save")
        self.stored = data


async def seen(found: Callable[[], object], task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(10):
        while not found():
            assert not task.done(), task.exception()
            await asyncio.sleep(0)


async def until(found: Callable[[], object], task: asyncio.Task[None]) -> None:
    await seen(found, task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_session_runs_over_tls_with_the_suite_of_the_standard(pki):
    """COMM-003: TLS 1.2 with CCM8, both ends known by their LFDI; then an event, and its Response on the wire."""
    world = plain(World(config()), [control(1, 3600, 60)])
    world.server.now = lambda: 0.0
    requests: list[web.Request] = []
    deck = Deck()
    tls = ccm8_server(pki.server, pki.authority)
    async with served(behind(world, requests), tls) as base, exchange(base, pki, lfdi_of(pki.server)) as asks:
        session = ClientSession(replace(world.settings, authority=asks.authority), None)
        task = asyncio.create_task(run(session, asks, Ticking(), deck.handle, deck.save))
        await until(lambda: [one for one in deck.told if isinstance(one, Told)], task)
    assert requests[0].headers["Accept"] == "application/sep+xml; csipaus=1.3"
    posted = next(one for one in requests if one.method == "POST")
    assert posted.headers["Content-Type"] == "application/sep+xml"
    assert [type(one) for _, one in world.server.posted] == [DERControlResponse]
    assert deck.diary.index("ScheduleChanged") < deck.diary.index("Told")
    assert deck.diary[0] == "save"


async def test_the_suite_on_the_wire_is_ccm8(pki):
    ciphers = []

    async def handler(request: web.Request) -> web.StreamResponse:
        ciphers.append(request.transport.get_extra_info("cipher"))
        return web.Response()

    async with served(handler, ccm8_server(pki.server, pki.authority)) as base, exchange(base, pki, None) as asks:
        assert (await asks.ask(Request(Method.GET, "/dcap"))).status == 200
    assert [(name, version) for name, version, _ in ciphers] == [("ECDHE-ECDSA-AES128-CCM8", "TLSv1.2")]


@pytest.mark.parametrize("case", ["pin", "profile", "plain"])
async def test_a_server_that_is_not_ours_is_sent_nothing(pki, case):
    """The chain is judged, and the pin compared, before the first request goes over a connection."""
    reached = []

    async def handler(request: web.Request) -> web.StreamResponse:
        reached.append(request.path)
        return web.Response()

    identity = pki.bad[Bad.NO_POLICIES] if case == "profile" else pki.server
    context = None if case == "plain" else ccm8_server(identity, pki.authority)
    async with served(handler, context) as base:
        judge = ServerJudge("00" * 20 if case == "pin" else None)
        tls = None if case == "plain" else ccm8_client(pki.device, pki.authority)
        async with DeviceExchange(base, tls=tls, judge=judge) as asks:
            for _ in range(2):
                with pytest.raises(WorldError) as caught:
                    await asks.ask(Request(Method.POST, "/rsp", b"<x/>"))
                assert caught.value.reason == "peer_not_trusted"
    assert reached == []


async def test_every_status_is_an_answer_with_what_it_says_and_no_redirect_is_followed():
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/moved":
            return web.Response(status=301, headers={"Location": "/there"})
        if request.path == "/later":
            return web.Response(status=429, headers={"Retry-After": "17"})
        if request.path == "/odd":
            return web.Response(status=499, body=b"odd", content_type="Text/Plain")
        return web.Response(status=204)

    async with served(handler) as base, DeviceExchange(base) as asks:
        moved = await asks.ask(Request(Method.GET, "/moved?s=0&l=255"))
        assert (moved.status, moved.location) == (301, "/there")
        assert (await asks.ask(Request(Method.GET, "/later"))).retry_after_seconds == 17
        odd = await asks.ask(Request(Method.GET, "/odd"))
        assert (odd.status, odd.body, odd.media_type, odd.final) == (499, b"odd", "text/plain", True)
        assert (await asks.ask(Request(Method.DELETE, "/x"))).status == 204


async def test_what_is_no_answer_says_why():
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/slow":
            await asyncio.Event().wait()
        return web.Response(body=b"x" * 100_000)

    async with served(handler) as base:
        for path, options, reason in (
            ("/slow", {"timeout_seconds": 0.05}, "peer_timeout"),
            ("/big", {"max_response_bytes": 1000}, "response_oversized"),
        ):
            async with DeviceExchange(base, **options) as asks:
                with pytest.raises(WorldError) as caught:
                    await asks.ask(Request(Method.GET, path))
                assert caught.value.reason == reason
    async with DeviceExchange(base) as asks:
        with pytest.raises(WorldError) as caught:
            await asks.ask(Request(Method.GET, "/"))
        assert caught.value.reason == "peer_unreachable"


async def test_plain_http_leaves_the_machine_only_with_a_reason_and_nothing_goes_before_opening():
    with pytest.raises(MisuseError):
        DeviceExchange("http://192.0.2.1")
    with pytest.raises(MisuseError):
        await DeviceExchange("http://127.0.0.1:1").ask(Request(Method.GET, "/"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Fri, 27 Nov 2026 18:00:30 GMT", 30),
        ("Fri, 27 Nov 2026 17:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        (None, None),
        ("-5", None),
        ("9" * 40, None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_comes_as_seconds_or_as_a_date(header, seconds):
    """RFC 9110 10.2.3."""
    assert retry_after_of(header, datetime(2026, 11, 27, 18, 0, tzinfo=UTC)) == seconds


# ---- the loop alone ----------------------------------------------------------------------------------------------


@dataclass
class Wire:
    """The world's server as an exchange, with answers that wait for `go`, and a diary."""

    world: World
    diary: list[str]
    under_way: int = 0
    most: int = 0

    async def ask(self, request: Request) -> Answer:
        self.diary.append(f"{request.method} {request.href.partition('?')[0]}")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        answer = self.world.server.answer(request)
        if isinstance(answer, Silence):
            raise WorldError(answer.reason, "away")
        return answer


@dataclass
class Virtual:
    """The world's clock; each look moves it on a little, so that no test waits for the real one."""

    world: World

    def now(self) -> Instant:
        self.world.second += 0.01
        return self.world.now


async def test_the_state_is_saved_before_anything_is_asked_or_answered():
    world = plain(World(config()), [control(1, 3600, 60)])
    deck = Deck()
    wire = Wire(world, deck.diary)
    task = asyncio.create_task(run(world.session, wire, Virtual(world), deck.handle, deck.save))
    await until(lambda: "Told" in deck.diary, task)
    diary = deck.diary
    assert diary[:2] == ["save", "GET /dcap"]
    changed, answered = diary.index("ScheduleChanged"), diary.index("POST /rsp")
    assert "save" in diary[changed:answered], "whoever is told makes it durable first; then it is saved; then we answer"
    assert changed < answered
    assert wire.most <= world.settings.requests_at_once
    assert wire.under_way == 0


async def test_waking_brings_what_was_handed_in_and_a_cancelled_loop_can_be_run_again():
    chore = Chore()
    world = plain(World(config(), duties=(chore,)))
    deck, wake = Deck(), asyncio.Event()
    wire = Wire(world, deck.diary)
    task = asyncio.create_task(run(world.session, wire, Virtual(world), deck.handle, deck.save, wake))
    await seen(lambda: "ScheduleChanged" in deck.diary, task)
    world.second += 2
    chore.owed.append("a")
    wake.set()
    await until(lambda: "POST /box" in deck.diary, task)
    assert deck.stored


async def test_what_was_saved_starts_another_session():
    world = plain(World(config()), [control(1, 3600, 60, 1500)])
    deck = Deck()
    task = asyncio.create_task(run(world.session, Wire(world, deck.diary), Virtual(world), deck.handle, deck.save))
    await until(lambda: "Told" in deck.diary, task)
    told = ClientSession(world.settings, deck.stored).begin(world.now)
    (changed,) = [one for one in told if isinstance(one, ScheduleChanged)]
    assert {one.force.subject for one in changed.segments} == {b"", (1).to_bytes(16, "big")}


# ---- which version -----------------------------------------------------------------------------------------------

V12, V13 = "https://csipaus.org/ns", "https://csipaus.org/ns/v1.3"


def offer(**versions: list[str]) -> str:
    names = {"v12": V12, "v13": V13}
    offered = {names.get(name, name): {"dcap": dcap} for name, dcap in versions.items()}
    return json.dumps({"supportedSchemaVersions": offered})


@pytest.mark.parametrize(
    ("body", "profile", "dcap"),
    [
        (offer(v13=["/dcap"]), CSIPAUS_1_3, "/dcap"),
        (offer(v12=["/a"], v13=["/b"]), CSIPAUS_1_3, "/b"),
        (offer(v12=["/a"], other=["/b"]), CSIPAUS_1_2, "/a"),
        (offer(v12=["https://evil.example/d", "/e"]), CSIPAUS_1_2, "/e"),
        (offer(v13=[]), None, ""),
        (offer(), None, ""),
        ('{"supportedSchemaVersions":[]}', None, ""),
        ("{}", None, ""),
        ("<html/>", None, ""),
    ],
)
def test_the_newest_version_that_both_speak_is_taken(body, profile, dcap):
    """SDVN-01."""
    found = negotiated(Answer(200, body.encode()), "utility.example")
    assert (found and found.profile, found.dcap if found else "") == (profile, dcap)
    assert QUESTION.href == "/.well-known/csipaus"


def test_a_server_without_the_document_speaks_what_was_configured():
    assert negotiated(Answer(404), "utility.example") is None
    assert negotiated(Answer(200, b"x" * 100_000), "utility.example") is None
