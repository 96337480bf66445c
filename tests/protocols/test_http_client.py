"""The HTTP client against real sockets on loopback: what is an answer, what is a failure, and what it never does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.http_client import ExchangeError, HttpExchange

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/base"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(script: bytes, *, stay: bool = False) -> AsyncIterator[str]:
    """A server that says exactly this, whatever it is asked, and hangs up (or stays)."""
    done = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(script)
        await writer.drain()
        if stay:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        server.close()
        await server.wait_closed()


async def reason_of(base: str, **options: object) -> str:
    async with HttpExchange(base, **options) as exchange:  # type: ignore[arg-type]
        with pytest.raises(ExchangeError) as caught:
            await exchange.post("x", b"")
    return caught.value.reason


async def test_an_answer_and_what_was_asked() -> None:
    """Rule 53: POST with Host, Content-Type application/xml and Content-Length, below the base address."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(body=b"echo " + await request.read())

    async with served(handler) as base, HttpExchange(base) as exchange:
        assert await exchange.post("OpenADR2/Simple/2.0b/EiEvent", b"<a/>") == b"echo <a/>"
    request = seen[0]
    assert request.path == "/base/OpenADR2/Simple/2.0b/EiEvent"
    assert request.headers["Content-Type"] == "application/xml"
    assert request.headers["Content-Length"] == "4"
    assert request.headers["Host"].startswith("127.0.0.1:")


async def test_the_connection_is_kept_alive() -> None:
    peers: set[object] = set()

    async def handler(request: web.Request) -> web.Response:
        peers.add(request.transport.get_extra_info("peername"))  # type: ignore[union-attr]
        return web.Response(body=b"")

    async with served(handler) as base, HttpExchange(base) as exchange:
        for _ in range(5):
            await exchange.post("x", b"")
    assert len(peers) == 1


@pytest.mark.parametrize("status", [201, 204, 400, 403, 500, 503])
async def test_any_other_status_failed(status: int) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=None if status == 204 else b"<a/>")

    async with served(handler) as base:
        assert await reason_of(base) == f"http_{status}"


async def test_redirects_are_not_followed() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with served(handler) as base:
        assert await reason_of(base) == "http_307"
    assert asked == ["/base/x"]


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_over_the_cap_is_not_held(chunked: bool) -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        if chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = 500_000_000
        await response.prepare(request)
        try:
            while sent < 500_000_000:
                await response.write(b"x" * 100_000)
                sent += 100_000
        except ConnectionError:
            pass
        return response

    async with served(handler) as base:
        assert await reason_of(base, max_response_bytes=1_000_000) == "response_oversized"
    assert sent < 50_000_000


async def test_a_body_that_is_compressed_is_not_blown_up() -> None:
    """A small compressed body could be a very large one: nothing is decompressed."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"\x1f\x8b rubbish", headers={"Content-Encoding": "gzip"})

    async with served(handler) as base, HttpExchange(base) as exchange:
        assert await exchange.post("x", b"") == b"\x1f\x8b rubbish"


async def test_a_peer_that_is_slow_times_out() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", stay=True) as base:
        assert await reason_of(base, timeout_seconds=0.1) == "peer_timeout"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "response_broken"),
        (b"", "peer_unreachable"),
        (b"nonsense\r\n\r\n", "peer_unreachable"),
    ],
)
async def test_a_peer_that_breaks_off(script: bytes, reason: str) -> None:
    async with raw_server(script) as base:
        assert await reason_of(base) == reason


async def test_nobody_there() -> None:
    async with raw_server(b"") as base:
        pass
    assert await reason_of(base) == "peer_unreachable"


@pytest.mark.parametrize(
    "base",
    ["", "vtn", "ftp://127.0.0.1/", "http://", "http://user:pw@127.0.0.1/", "http://127.0.0.1/?a=b", "http://[::1/"],
)
def test_addresses_that_are_none(base: str) -> None:
    with pytest.raises(MisuseError, match="address_wrong"):
        HttpExchange(base)


@pytest.mark.parametrize("base", ["http://vtn.example/", "http://10.0.0.1/", "http://127.0.0.1.example/"])
def test_plain_http_stays_on_the_machine(base: str) -> None:
    with pytest.raises(MisuseError, match="plain_http_refused"):
        HttpExchange(base)
    with pytest.raises(MisuseError, match="plain_http_refused"):
        HttpExchange(base, insecure_reason="  ")
    assert HttpExchange(base, insecure_reason="lab network, no certificates yet").base == base


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080/", "http://localhost/", "http://[::1]:80/", "https://vtn/"])
def test_loopback_and_https_need_no_reason(base: str) -> None:
    assert HttpExchange(base).base


def test_a_tls_context_that_checks_nothing_is_refused() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(MisuseError, match="tls_unverified"):
        HttpExchange("https://vtn.example/", tls=context)


async def test_posting_needs_an_open_exchange() -> None:
    with pytest.raises(MisuseError, match="exchange_closed"):
        await HttpExchange("http://127.0.0.1/").post("x", b"")


async def test_tls_with_a_certificate_we_trust_and_one_we_do_not(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=b"ok")

    async with served(handler, server) as base:
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with HttpExchange(base, tls=trusting) as exchange:
            assert await exchange.post("x", b"") == b"ok"
        assert await reason_of(base) == "peer_not_trusted"


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vtn")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"
