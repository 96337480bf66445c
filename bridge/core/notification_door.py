"""The door at which a 2030.5 server's notifications arrive: mutual TLS, a bounded body, and nothing but POST."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from wattseal.bridge.site.model import Listener
from wattseal.certs.identity import PeerIdentity
from wattseal.protocols.http_server import HttpAnswer, HttpLimits, HttpRequest, RunningServer, running_http_server

_LIMITS: Final = HttpLimits(body_bytes=1_048_576, connections=32)
_LFDI_DIGITS: Final = 40

Notified = Callable[[str, bytes, bytes | None], Awaitable[int]]


@asynccontextmanager
async def notification_door(
    listener: Listener, tls: ssl.SSLContext | None, notified: Notified
) -> AsyncIterator[RunningServer]:
    """Listens until the block is left. `notified`: path, body and the sender's LFDI in, status of the answer out.

    Raises MisuseError (`listener_unprotected`: beyond loopback TLS is needed) and WorldError (`port_taken`).
    """

    async def respond(request: HttpRequest) -> HttpAnswer:
        if request.method != "POST":
            return HttpAnswer(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "POST"),))
        return HttpAnswer(await notified(request.path, request.body, lfdi_of_peer(request.peer)))

    async with running_http_server(respond, host=listener.host, port=listener.port, tls=tls, limits=_LIMITS) as running:
        yield running


def lfdi_of_peer(peer: PeerIdentity | None) -> bytes | None:
    """The sender's LFDI: the first 20 bytes of the hash of its certificate."""
    return None if peer is None else bytes.fromhex(peer.sha256[:_LFDI_DIGITS])
