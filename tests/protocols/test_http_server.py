"""The HTTP server over real sockets: limits, slow peers, failures of the responder, mutual TLS."""

import asyncio
import gzip
import ssl

import aiohttp
import pytest

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import describe_file
from wattseal.certs.lab_pki import LabPki, make_test_pki
from wattseal.certs.tls import mutual_tls_client, mutual_tls_server
from wattseal.protocols.http_server import HttpAnswer, HttpLimits, HttpRequest, running_http_server
from wattseal.protocols.openadr20b.security import MANDATED_CIPHERS, OPENADR_CIPHERS

SMALL = HttpLimits(body_bytes=1000, body_seconds=0.3, idle_seconds=0.3, connections=4)


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> LabPki:
    return make_test_pki(tmp_path_factory.mktemp("pki"))


class Seen:
    """A responder that keeps what it saw and says how much that was."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []

    async def respond(self, request: HttpRequest) -> HttpAnswer | None:
        self.requests.append(request)
        if request.path == "/fail":
            raise RuntimeError("ours")
        if request.path == "/hang-up":
            return None
        return HttpAnswer(200, b"%d bytes" % len(request.body), "application/xml")


async def post(url: str, body: object = b"<a/>", **more: object) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.post(url, data=body, **more) as response:
        return response.status, await response.read()


async def speak(port: int, *pieces: bytes) -> bytes:
    """Raw bytes there; everything that comes until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_request_arrives_whole_and_its_answer_goes_back():
    seen = Seen()
    async with running_http_server(seen.respond) as server:
        headers = {"Content-Type": "Application/XML; charset=utf-8"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.url}/a/b?c=d", data=b"<a/>", headers=headers) as got,
        ):
            assert (got.status, got.content_type, await got.read()) == (200, "application/xml", b"4 bytes")
    request = seen.requests[0]
    assert (request.method, request.path, request.media_type, request.body) == (
        "POST",
        "/a/b",
        "application/xml",
        b"<a/>",
    )
    assert (request.peer, request.address) == (None, "127.0.0.1")
    assert server.url == f"http://127.0.0.1:{server.port}"


async def test_one_connection_serves_many_requests():
    seen = Seen()
    async with running_http_server(seen.respond) as server, aiohttp.ClientSession() as session:
        for _ in range(20):
            async with session.post(server.url, data=b"x") as response:
                assert response.status == 200
        assert len(session.connector._conns) == 1
    assert len(seen.requests) == 20


async def test_a_body_over_the_limit_is_refused_before_anybody_sees_it():
    """413, whether its length was announced or not."""
    seen = Seen()

    async def endless():
        for _ in range(50):
            yield b"x" * 100

    async with running_http_server(seen.respond, limits=SMALL) as server:
        assert (await post(server.url, b"x" * 1000))[0] == 200
        assert (await post(server.url, b"x" * 1001))[0] == 413
        assert (await post(server.url, endless()))[0] == 413
        announced = await speak(server.port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert announced.startswith(b"HTTP/1.1 413")
        assert b"Connection: close" in announced
        assert (await post(server.url))[0] == 200
    assert [len(one.body) for one in seen.requests] == [1000, 4]


async def test_a_small_body_does_not_become_a_large_one():
    """Compressed bodies are handed on as they came."""
    seen = Seen()
    bomb = gzip.compress(b"x" * 1_000_000)
    limits = HttpLimits(body_bytes=10_000)
    async with running_http_server(seen.respond, limits=limits) as server:
        assert (await post(server.url, bomb, headers={"Content-Encoding": "gzip"}))[0] == 200
    assert seen.requests[0].body == bomb


async def test_slow_peers_are_hung_up_on():
    """A head or a body that does not come in time; also a connection that says nothing."""
    seen = Seen()
    async with running_http_server(seen.respond, limits=SMALL) as server:
        nothing, half_head, half_body = await asyncio.gather(
            speak(server.port),
            speak(server.port, b"POST / HTTP/1.1\r\nHost"),
            speak(server.port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"),
        )
        assert (nothing, half_head) == (b"", b"")
        assert half_body.startswith(b"HTTP/1.1 408")
        idle = await speak(server.port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na")
        assert idle.startswith(b"HTTP/1.1 200")  # answered, and hung up on when nothing more came
    assert len(seen.requests) == 1


async def test_a_body_that_breaks_off_is_no_request():
    seen = Seen()
    async with running_http_server(seen.respond) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        writer.transport.abort()
        assert (await post(server.url))[0] == 200
    assert len(seen.requests) == 1
    assert server.faults == []


@pytest.mark.parametrize(
    "raw", [b"\x16\x03\x01\x00\x00", b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\r\n\r\n\x00\r\n\r\n"]
)
async def test_what_is_no_http_does_not_reach_the_responder(raw: bytes):
    seen = Seen()
    async with running_http_server(seen.respond, limits=SMALL) as server:
        assert not (await speak(server.port, raw)).startswith(b"HTTP/1.1 200")
        assert (await post(server.url))[0] == 200
    assert len(seen.requests) == 1


async def test_a_responder_that_fails_costs_one_request():
    seen = Seen()
    async with running_http_server(seen.respond) as server:
        assert (await post(f"{server.url}/fail"))[0] == 500
        assert (await post(server.url))[0] == 200
    assert [str(fault) for fault in server.faults] == ["ours"]


async def test_a_responder_can_hang_up():
    async with running_http_server(Seen().respond) as server:
        with pytest.raises(aiohttp.ClientError):
            await post(f"{server.url}/hang-up")
        assert (await post(server.url))[0] == 200


async def test_connections_are_bounded():
    async with running_http_server(Seen().respond, limits=HttpLimits(connections=2)) as server:
        writers = [(await asyncio.open_connection("127.0.0.1", server.port))[1] for _ in range(2)]
        with pytest.raises(aiohttp.ClientError):
            await post(server.url)
        for writer in writers:
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            while True:
                try:
                    assert (await post(server.url))[0] == 200
                    break
                except aiohttp.ClientError:
                    continue


async def test_a_port_that_is_taken_and_an_open_listener():
    async with running_http_server(Seen().respond) as server:
        with pytest.raises(WorldError) as caught:
            async with running_http_server(Seen().respond, port=server.port):
                pass
        assert caught.value.reason == "port_taken"
    with pytest.raises(MisuseError) as misuse:
        async with running_http_server(Seen().respond, host="0.0.0.0"):
            pass
    assert misuse.value.reason == "listener_unprotected"


@pytest.mark.parametrize("kind", ["ven_ec", "ven_rsa"])
async def test_the_clients_certificate_becomes_its_identity(pki: LabPki, kind: str):
    seen = Seen()
    tls = mutual_tls_server((pki.vtn_ec, pki.vtn_rsa), pki.authority, OPENADR_CIPHERS)
    identity = getattr(pki, kind)
    client = mutual_tls_client(identity, pki.authority, MANDATED_CIPHERS)
    async with running_http_server(seen.respond, tls=tls) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert (await post(server.url, ssl=client))[0] == 200
    assert seen.requests[0].peer == describe_file(identity.certificate).peer


async def test_strangers_do_not_get_in(pki: LabPki):
    seen = Seen()
    tls = mutual_tls_server((pki.vtn_ec,), pki.authority, OPENADR_CIPHERS)
    anonymous = ssl.create_default_context(cafile=str(pki.authority))
    stranger = mutual_tls_client(pki.stranger, pki.authority, OPENADR_CIPHERS)
    async with running_http_server(seen.respond, tls=tls, limits=SMALL) as server:
        for client in (anonymous, stranger):
            with pytest.raises(aiohttp.ClientError):
                await post(server.url, ssl=client)
        assert not (await speak(server.port, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert seen.requests == []
