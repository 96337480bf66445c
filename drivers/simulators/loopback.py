"""A TCP listener on loopback that owns its connections. Knows nothing of what is spoken on them."""

import asyncio
from collections.abc import Awaitable, Callable

from wattseal.certs.errors import PeerError, WorldError

LOOPBACK = "127.0.0.1"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class LoopbackListener:
    """Runs `serve` for each connection and closes the connection when it returns.

    A connection that fails by its peer's doing (ConnectionError, PeerError) just ends. Any other error is the
    simulator's own: it ends `failed`, because a device that cannot be trusted must stop, not go on.
    """

    def __init__(self, serve: Serve, failed: "asyncio.Future[None]", *, line_bytes: int = 65_536) -> None:
        self._serve = serve
        self._failed = failed
        self._line_bytes = line_bytes
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self, port: int) -> None:
        """Listen on `port` (0: any free one; then see `port`). Raises WorldError `port_taken`."""
        try:
            self._server = await asyncio.start_server(self._connected, LOOPBACK, port, limit=self._line_bytes)
        except (OSError, OverflowError) as error:
            raise WorldError("port_taken", f"TCP port {port} on {LOOPBACK} cannot be opened: {error}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine always runs in a task
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.CancelledError, ConnectionError, PeerError):
            pass  # cancelled only by `close`, which waits for this task; the others are the peer's doing
        except Exception as error:  # noqa: BLE001 - handed to the owner, see the class
            if not self._failed.done():
                self._failed.set_exception(error)
        finally:
            self._connections.discard(task)
            writer.transport.abort()
