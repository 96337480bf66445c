"""Who carries notifications out: a POST of each to its address, over the server's own TLS, with its certificate shown.

Gives back the status that was answered, or None where nobody answered; what follows from it is the core's matter.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

SECONDS_MOST: Final = 10.0


class Postman:
    """Posts documents to absolute addresses. Use as `async with Postman.at_work(tls)`; no redirect is followed."""

    def __init__(self, session: aiohttp.ClientSession, seconds: float) -> None:
        self._session = session
        self._seconds = seconds

    @classmethod
    @asynccontextmanager
    async def at_work(cls, tls: ssl.SSLContext | None, seconds: float = SECONDS_MOST) -> AsyncIterator["Postman"]:
        """One that can post until the block is left. Without `tls` it reaches plain http only."""
        connector = aiohttp.TCPConnector(limit=16, ssl=tls if tls is not None else True)
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        ) as session:
            yield cls(session, seconds)

    async def post(self, uri: str, document: bytes, media_type: str) -> int | None:
        """The status of the answer; None: nobody answered in time, or nobody that is trusted."""
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.post(
                    uri, data=document, headers={"Content-Type": media_type}, allow_redirects=False
                ) as response,
            ):
                return response.status
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
            return None
