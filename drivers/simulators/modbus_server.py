"""Modbus TCP server for simulated devices: many clients, pipelined and split requests, answers in order.

Only bytes and connections live here; what is answered is decided by the responder.
"""

import asyncio

from wattseal.drivers.simulators.modbus_frames import FrameReader
from wattseal.drivers.simulators.responder import Reply, Responder

READ_BYTES = 65_536


class ModbusConversation:
    """Speaks Modbus on each connection of a listener, for one responder."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the peer goes, or a fault drops it. Raises PeerError when the stream is no Modbus TCP."""
        frames = FrameReader()
        self._responder.traffic.connections += 1
        while received := await reader.read(READ_BYTES):
            for frame in frames.feed(received):
                reply = self._responder.respond(frame)
                if reply.drop:
                    return
                await _send(writer, reply)


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    if reply.delay_seconds:
        await asyncio.sleep(reply.delay_seconds)
    if reply.data:
        writer.write(reply.data)
        await writer.drain()
