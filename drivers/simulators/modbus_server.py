"""Modbus TCP server for simulated devices on loopback: many clients, pipelined and split requests, answers in order.

A request is played in the moment its last byte is received, even if the client is gone by then or an earlier answer is
still being held back; only answers wait. (Reading by streams was tried: after a reset, frames that had been received
were lost with the stream's buffer, and with them their lines in the write log.)
"""

import asyncio
from collections import deque

from wattseal.certs.errors import PeerError, WorldError
from wattseal.drivers.simulators.loopback import LOOPBACK
from wattseal.drivers.simulators.modbus_frames import FrameReader
from wattseal.drivers.simulators.responder import Reply, Responder


class ModbusServer:
    """Serves one responder. An error of the simulator itself ends `failed`, as with any loopback listener."""

    def __init__(self, responder: Responder, failed: "asyncio.Future[None]") -> None:
        self._responder = responder
        self._failed = failed
        self._server: asyncio.Server | None = None
        self._connections: set[ModbusConnection] = set()
        self.port = 0

    async def open(self, port: int) -> None:
        """Listen on `port` (0: any free one; then see `port`). Raises WorldError `port_taken`."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._accept, LOOPBACK, port)
        except (OSError, OverflowError) as error:
            raise WorldError("port_taken", f"TCP port {port} on {LOOPBACK} cannot be opened: {error}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.drop()
        await asyncio.sleep(0)  # lets the transports close their sockets before the caller goes on

    def _accept(self) -> "ModbusConnection":
        return ModbusConnection(self._responder, self._failed, self._connections)


class ModbusConnection(asyncio.Protocol):
    """One client. Answers leave in the order of the requests; one that is held back holds back those behind it."""

    def __init__(
        self, responder: Responder, failed: "asyncio.Future[None]", connections: "set[ModbusConnection]"
    ) -> None:
        self._responder = responder
        self._failed = failed
        self._connections = connections
        self._frames = FrameReader()
        self._replies: deque[Reply] = deque()
        self._holding: asyncio.TimerHandle | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - a TCP transport always is
        self._transport = transport
        self._connections.add(self)
        self._responder.traffic.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, or was dropped."""
        del exc
        self._transport = None
        self._connections.discard(self)
        if self._holding is not None:
            self._holding.cancel()

    def data_received(self, data: bytes) -> None:
        """Play every complete request at once. A stream that is no Modbus TCP is hung up on."""
        try:
            for frame in self._frames.feed(data):
                reply = self._responder.respond(frame)
                if reply.drop:
                    self._send()
                    self.drop()
                    return
                self._replies.append(reply)
        except PeerError:
            self.drop()
        except Exception as error:  # noqa: BLE001 - the simulator's own failure is handed to its owner
            self.drop()
            if not self._failed.done():
                self._failed.set_exception(error)
        else:
            self._send()

    def drop(self) -> None:
        """Close at once; what is still held back is lost."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        while self._replies and self._holding is None and self._transport is not None:
            reply = self._replies.popleft()
            if reply.delay_seconds:
                self._holding = asyncio.get_running_loop().call_later(reply.delay_seconds, self._release, reply.data)
            else:
                self._transport.write(reply.data)

    def _release(self, held: bytes) -> None:
        self._holding = None
        if self._transport is not None:
            self._transport.write(held)
        self._send()
