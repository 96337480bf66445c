"""HTTP towards one 2030.5 server: GET, PUT, POST and DELETE over mutual TLS, with deadlines and caps. No redirects.

Every status is an answer and goes to the session; what is no answer is a WorldError with the rim's reason. After each
handshake, before anything is sent, the server's chain is judged by the rules of IEEE 2030.5 (the TLS library lets pass
what they forbid) and its LFDI is compared with the pinned one. Knows no resource.
"""

import ssl
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from weakref import WeakSet

import aiohttp
from yarl import URL

from wattseal.certs.device_certificate import require_device_chain
from wattseal.certs.device_profile import Ground
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.identity import require_lfdi
from wattseal.certs.tls import peer_chain
from wattseal.protocols.http_client import MAX_RESPONSE_BYTES, ExchangeError, checked_base
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Request
from wattseal.protocols.ieee2030_5.profiles import MEDIA_TYPE

if TYPE_CHECKING:
    from aiohttp.connector import Connection

_PIECE_BYTES: Final = 65_536
_LONGEST_HEADER: Final = 2048


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ServerJudge:
    """Who may be our server: a chain without objection (but those `tolerated`), and the pinned LFDI, if there is one.

    `wall` tells the time by which certificates are judged.
    """

    def __init__(
        self, lfdi: str | None, tolerated: Collection[Ground] = (), wall: Callable[[], datetime] = _utc_now
    ) -> None:
        self._lfdi = lfdi
        self._tolerated = frozenset(tolerated)
        self._wall = wall

    def require(self, connection: ssl.SSLObject | ssl.SSLSocket) -> None:
        """Raises PeerError for anybody else."""
        chain = peer_chain(connection)
        require_device_chain(chain, self._wall(), self._tolerated)
        if self._lfdi is not None:
            require_lfdi(chain[0], self._lfdi)


class DeviceExchange:
    """Asks one server. `async with` opens and closes it; several requests at once are fine.

    `base` is https://host:port. `accept` is the profile's Accept header. Plain http goes to loopback only, unless
    `insecure_reason` says why it may leave the machine. Raises MisuseError when made (`address_wrong`,
    `plain_http_refused`, `tls_unverified`).
    """

    def __init__(
        self,
        base: str,
        accept: str = MEDIA_TYPE,
        *,
        tls: ssl.SSLContext | None = None,
        judge: ServerJudge | None = None,
        insecure_reason: str = "",
        timeout_seconds: float = 20.0,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        connections: int = 4,
    ) -> None:
        self._base = checked_base(base, insecure_reason, tls)
        self._accept = accept
        self._tls = tls
        self._judge = judge
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._cap = max_response_bytes
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    @property
    def authority(self) -> str:
        """The server's "host:port"."""
        return f"{self._base.raw_authority}" if self._base.explicit_port else f"{self._base.host}:{self._base.port}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(self._tls, self._judge, self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),  # nothing that one answer sets may come back with the next question
            timeout=self._timeout,
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, request: Request, accept: str | None = None) -> Answer:
        """The answer, whatever its status. Raises ExchangeError: peer_unreachable, peer_timeout, peer_not_trusted,
        response_oversized, response_broken.
        """
        if self._session is None:
            raise MisuseError("exchange_closed", "Open the exchange with `async with` before asking.")
        url = URL(f"{self._base.origin()}{request.href}", encoded=True)
        headers = {"Accept": accept or self._accept, "Accept-Encoding": "identity"}
        if request.body:
            headers["Content-Type"] = MEDIA_TYPE
        try:
            async with self._session.request(
                request.method, url, data=request.body or None, headers=headers, allow_redirects=False
            ) as response:
                return await self._answer(response)
        except TimeoutError as error:
            raise ExchangeError("peer_timeout", f"{self._base} did not answer in {self._timeout.total} s.") from error
        except PeerError as error:
            raise ExchangeError("peer_not_trusted", error.sentence) from error
        except aiohttp.ClientSSLError as error:
            sentence = f"The certificate of {self._base} is not accepted, or ours is not: {error}."
            raise ExchangeError("peer_not_trusted", sentence) from error
        except aiohttp.ClientPayloadError as error:
            raise ExchangeError("response_broken", f"The answer of {self._base} broke off: {error}.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ExchangeError("peer_unreachable", f"{self._base} cannot be reached: {error}.") from error

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        pieces = bytearray()
        async for piece in response.content.iter_chunked(_PIECE_BYTES):
            pieces += piece
            if len(pieces) > self._cap:
                response.close()
                raise ExchangeError("response_oversized", f"The answer of {self._base} has over {self._cap} bytes.")
        return Answer(
            response.status,
            bytes(pieces),
            response.content_type.lower(),
            response.headers.get("Location", "")[:_LONGEST_HEADER],
            retry_after_of(response.headers.get("Retry-After"), _utc_now()),
        )


class _Connector(aiohttp.TCPConnector):
    """A connector that judges the server once per connection, before the first request goes over it."""

    def __init__(self, tls: ssl.SSLContext | None, judge: ServerJudge | None, limit: int) -> None:
        super().__init__(limit=limit, ssl=tls if tls is not None else True)
        self._judge = judge
        self._judged: WeakSet[Any] = WeakSet()

    async def connect(self, req: Any, traces: Any, timeout: Any) -> "Connection":  # noqa: ASYNC109 - aiohttp's own
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if self._judge is None or protocol in self._judged:
            return connection
        try:
            self._judge.require(_shown_by(connection))
        except BaseException:
            connection.close()
            raise
        self._judged.add(protocol)
        return connection


def _shown_by(connection: "Connection") -> ssl.SSLObject:
    """The TLS side of a connection. Raises PeerError where there is none."""
    shown = connection.transport.get_extra_info("ssl_object") if connection.transport is not None else None
    if not isinstance(shown, ssl.SSLObject):
        raise PeerError("peer_without_tls", "The server speaks without TLS; nothing is sent to it.")
    return shown


def retry_after_of(header: str | None, now: datetime) -> int | None:
    """Retry-After (RFC 9110 10.2.3), as seconds from `now` (aware); None where it is absent or means nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:  # noqa: PLR2004 - digits: thirty years
        return int(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a number that no calendar holds
        return None
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0, int((aware - now).total_seconds()))
