"""One small HTTP server for whatever protocol answers requests: the rim where sockets, limits and TLS end.

What reaches the responder is a whole request with bounded body and, under mutual TLS, the certificate's identity. The
body is capped while it is read, before anybody parses it. A peer that is slow, with its first byte or with its last, is
hung up on. A responder that fails costs that one request a 500 and is told to the owner. Knows no path and no message.

By default it listens on 127.0.0.1; another address must be named, and then TLS is required.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp import http_exceptions, web
from aiohttp.web_protocol import RequestHandler

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import PeerIdentity, describe
from wattseal.certs.tls import peer_chain

LOOPBACK: Final = "127.0.0.1"
_FAULTS_KEPT: Final = 10
_TRICKLE_PIECES: Final = 10
_LINGER_SECONDS: Final = 1.0  # how long the rest of a refused body is read and thrown away, so that the answer arrives


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `media_type` is lower case without parameters, empty if none was sent; `address` the peer's.

    `query` is what stands after the question mark, as it came; `accept` the header's value, `host` too, None without
    it. `chain` is the peer's certificates (DER, its own first, the root last), if the server was told to look.
    """

    method: str
    path: str
    media_type: str
    body: bytes
    peer: PeerIdentity | None
    address: str
    query: str = ""
    accept: str = ""
    host: str | None = None
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One answer. `headers` are added to those that every answer has; `close` ends the connection after it.

    `trickle_seconds`: the body is spread over so long, for servers that have to be slow on demand.
    """

    status: int
    body: bytes = b""
    media_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    trickle_seconds: float = 0.0


_Shown: TypeAlias = tuple[PeerIdentity | None, tuple[bytes, ...]]
Respond: TypeAlias = Callable[[HttpRequest], Awaitable[HttpAnswer | None]]
"""None hangs up without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What one peer may cost. `idle_seconds` bounds the wait for a request's head, new connections included;
    `body_seconds` the time until its body is there.
    """

    body_bytes: int = 1_048_576
    body_seconds: float = 10.0
    idle_seconds: float = 75.0
    handshake_seconds: float = 10.0
    connections: int = 512


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that listens. `faults` holds what the responder raised, newest last, ten at most."""

    host: str
    port: int
    tls: bool
    faults: list[Exception]

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


@asynccontextmanager
async def running_http_server(
    respond: Respond,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    limits: HttpLimits | None = None,
    want_chain: bool = False,
) -> AsyncIterator[RunningServer]:
    """Serves until the block is left (port 0: any free one). `want_chain`: requests carry the peer's chain.

    Raises MisuseError (`listener_unprotected`) for another address than loopback without mutual TLS, and WorldError
    (`port_taken`).
    """
    if host != LOOPBACK and (tls is None or tls.verify_mode is not ssl.CERT_REQUIRED):
        raise MisuseError("listener_unprotected", f"Listening on {host} needs TLS that demands client certificates.")
    limits = limits or HttpLimits()
    faults: list[Exception] = []
    server = _Server(respond, limits, faults, want_chain=want_chain)
    loop = asyncio.get_running_loop()
    handshake = limits.handshake_seconds if tls else None
    try:
        listener = await loop.create_server(server, host, port, ssl=tls, ssl_handshake_timeout=handshake)
    except (OSError, OverflowError) as error:
        raise WorldError("port_taken", f"TCP port {port} on {host} cannot be opened: {error}.") from error
    try:
        yield RunningServer(host, listener.sockets[0].getsockname()[1], tls is not None, faults)
    finally:
        listener.close()
        await server.shutdown(timeout=1.0)
        await listener.wait_closed()


class _Server(web.Server):
    """aiohttp's server of connections, with our limits and our one handler."""

    def __init__(self, respond: Respond, limits: HttpLimits, faults: list[Exception], *, want_chain: bool) -> None:
        super().__init__(
            self._handle,
            keepalive_timeout=limits.idle_seconds,  # counts from the connection on, until a whole head is there
            access_log=None,
            auto_decompress=False,  # a small body must not become a large one
            lingering_time=_LINGER_SECONDS,
        )
        self._respond = respond
        self._limits = limits
        self._faults = faults
        self._want_chain = want_chain
        self._shown: WeakKeyDictionary[asyncio.BaseTransport, _Shown] = WeakKeyDictionary()

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """A new connection: one too many is hung up on."""
        super().connection_made(handler, transport)
        if len(self.connections) > self._limits.connections:
            transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            answer = await self._answer(request)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - one request fails, the server goes on; the owner is told
            self._faults[:] = [*self._faults[-(_FAULTS_KEPT - 1) :], error]
            answer = HttpAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, b"The server failed at this request.")
        if answer is None and request.transport is not None:
            request.transport.abort()
        answer = answer or HttpAnswer(HTTPStatus.SERVICE_UNAVAILABLE)
        response = web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))
        response.content_type = answer.media_type
        if answer.close:
            response.force_close()
        if answer.trickle_seconds:
            return await _trickled(request, answer)
        return response

    async def _answer(self, request: web.BaseRequest) -> HttpAnswer | None:
        if (request.content_length or 0) > self._limits.body_bytes:
            return self._too_large()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                body = await self._read(request)
        except TimeoutError:
            return HttpAnswer(HTTPStatus.REQUEST_TIMEOUT, b"The body did not arrive in time.", close=True)
        except (ConnectionError, http_exceptions.HttpProcessingError, aiohttp.ClientPayloadError):
            return HttpAnswer(HTTPStatus.BAD_REQUEST, b"The body broke off.", close=True)
        if body is None:
            return self._too_large()
        named = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        peer, chain = self._shown_by(request.transport)
        return await self._respond(
            HttpRequest(
                request.method,
                request.path,
                named,
                body,
                peer,
                request.remote or "",
                query=request.rel_url.raw_query_string,
                accept=", ".join(request.headers.getall("Accept", [])),
                host=request.headers.get("Host"),
                chain=chain,
            )
        )

    def _shown_by(self, transport: asyncio.BaseTransport | None) -> "_Shown":
        """Who is at the other end, read once for each connection: nobody renegotiates."""
        if transport is None:
            return None, ()
        if transport not in self._shown:
            chain = _chain_of(transport) if self._want_chain else ()
            self._shown[transport] = (_peer_of(transport), chain)
        return self._shown[transport]

    async def _read(self, request: web.BaseRequest) -> bytes | None:
        """The body, piece by piece; None as soon as it passes the limit."""
        pieces = bytearray()
        async for piece in request.content.iter_any():
            pieces += piece
            if len(pieces) > self._limits.body_bytes:
                return None
        return bytes(pieces)

    def _too_large(self) -> HttpAnswer:
        sentence = f"A body has at most {self._limits.body_bytes} bytes."
        return HttpAnswer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence.encode(), close=True)


async def _trickled(request: web.BaseRequest, answer: HttpAnswer) -> web.StreamResponse:
    """The answer in pieces with pauses between them."""
    response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
    response.content_type = answer.media_type
    response.content_length = len(answer.body)
    await response.prepare(request)
    size = max(1, -(-len(answer.body) // _TRICKLE_PIECES))
    for start in range(0, len(answer.body), size):
        await asyncio.sleep(answer.trickle_seconds / _TRICKLE_PIECES)
        await response.write(answer.body[start : start + size])
    await response.write_eof()
    return response


def _chain_of(transport: asyncio.BaseTransport) -> tuple[bytes, ...]:
    tls = transport.get_extra_info("ssl_object")
    return () if tls is None else peer_chain(tls)


def _peer_of(transport: asyncio.BaseTransport) -> PeerIdentity | None:
    """Who the peer's certificate says it is; the chain was checked in the handshake."""
    tls = transport.get_extra_info("ssl_object")
    der = None if tls is None else tls.getpeercert(binary_form=True)
    return None if der is None else describe(der).peer
