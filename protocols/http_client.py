"""One HTTP peer that we post to: connection kept alive, deadline, size cap, no redirects. Knows no protocol above HTTP.

The body is read in pieces, so that a peer cannot make us hold more than the cap. Status 200 is an answer; everything
else failed, and its `reason` says how: `http_<status>` means that somebody is there and refuses.
"""

import ipaddress
import ssl
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from wattseal.certs.errors import MisuseError, WorldError

MAX_RESPONSE_BYTES: Final = 1_048_576
_PIECE_BYTES: Final = 65_536


class ExchangeError(WorldError):
    """An exchange brought no usable answer: peer_unreachable, peer_timeout, peer_not_trusted, response_oversized,
    response_broken or http_<status>.
    """


class HttpExchange:
    """Posts bodies below one base address. `async with` opens and closes it; one at a time or many, as the peer likes.

    Plain http goes to loopback only, unless `insecure_reason` says why it may leave the machine. Raises MisuseError
    (`address_wrong`, `plain_http_refused`) when made.
    """

    def __init__(
        self,
        base: str,
        *,
        tls: ssl.SSLContext | None = None,
        insecure_reason: str = "",
        timeout_seconds: float = 20.0,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self._base = checked_base(base, insecure_reason, tls)
        self._tls = tls
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._cap = max_response_bytes
        self._session: aiohttp.ClientSession | None = None

    @property
    def base(self) -> str:
        """The address below which everything is posted."""
        return str(self._base)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=4, ssl=self._tls if self._tls is not None else True)
        self._session = aiohttp.ClientSession(
            connector=connector,
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

    async def post(self, path: str, body: bytes, media_type: str = "application/xml") -> bytes:
        """The body of the answer with status 200. Raises ExchangeError otherwise."""
        if self._session is None:
            raise MisuseError("exchange_closed", "Open the exchange with `async with` before posting.")
        headers = {"Content-Type": media_type, "Accept-Encoding": "identity"}
        try:
            async with self._session.post(
                self._base / path, data=body, headers=headers, allow_redirects=False
            ) as response:
                if response.status != 200:  # noqa: PLR2004  the one status that is an answer
                    raise ExchangeError(
                        f"http_{response.status}", f"{self.base} answered {path} with status {response.status}."
                    )
                return await self._body(response)
        except TimeoutError as error:
            raise ExchangeError("peer_timeout", f"{self.base} did not answer in {self._timeout.total} s.") from error
        except aiohttp.ClientSSLError as error:
            raise ExchangeError(
                "peer_not_trusted", f"The certificate of {self.base} is not accepted, or ours is not: {error}."
            ) from error
        except aiohttp.ClientPayloadError as error:
            raise ExchangeError("response_broken", f"The answer of {self.base} broke off: {error}.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ExchangeError("peer_unreachable", f"{self.base} cannot be reached: {error}.") from error

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        pieces = bytearray()
        async for piece in response.content.iter_chunked(_PIECE_BYTES):
            pieces += piece
            if len(pieces) > self._cap:
                response.close()
                raise ExchangeError("response_oversized", f"The answer of {self.base} has over {self._cap} bytes.")
        return bytes(pieces)


def checked_base(base: str, insecure_reason: str, tls: ssl.SSLContext | None) -> URL:
    """A base address that may be talked to. Raises MisuseError (address_wrong, tls_unverified, plain_http_refused)."""
    try:
        url = URL(base)
        host = url.host
    except ValueError as error:
        raise MisuseError("address_wrong", f"{base!r} is no address of the form https://host/path.") from error
    if url.scheme not in {"http", "https"} or not host or url.user is not None or url.query_string or url.fragment:
        raise MisuseError("address_wrong", f"{base!r} is no address of the form https://host/path.")
    if url.scheme == "https" and tls is not None and not _verifies(tls):
        raise MisuseError("tls_unverified", "The TLS context does not check the peer's certificate; use one that does.")
    if url.scheme == "http" and not _is_loopback(host) and not insecure_reason.strip():
        raise MisuseError(
            "plain_http_refused",
            f'{base} is not loopback and not https: use https, or say why not with insecure = "reason".',
        )
    return url


def _verifies(tls: ssl.SSLContext) -> bool:
    return tls.verify_mode is ssl.CERT_REQUIRED


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
