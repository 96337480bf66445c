"""Something that stands between client and server on loopback and keeps the raw bytes: a packet trace of TLS records.

It decrypts nothing. What it tells is in clear on every wire: handshake messages up to the change of the cipher, alerts
before it, and whether application data went in a direction.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANDSHAKE, ALERT, DATA = 22, 21, 23
CLIENT_HELLO, SERVER_HELLO = 1, 2
TLS_1_2 = 0x0303
CCM_8 = 0xC0AE


@dataclass
class Conversation:
    """One connection: the bytes of each side, as they came."""

    client: bytearray = field(default_factory=bytearray)
    server: bytearray = field(default_factory=bytearray)

    def records(self, side: bytes) -> list[tuple[int, bytes]]:
        """Content type and fragment of each whole TLS record."""
        found, place = [], 0
        while place + 5 <= len(side):
            length = int.from_bytes(side[place + 3 : place + 5])
            found.append((side[place], bytes(side[place + 5 : place + 5 + length])))
            place += 5 + length
        return found

    @property
    def offered(self) -> list[int]:
        """The suites of the ClientHello, without the two that are signals and no suites."""
        hello = next(body for kind, body in self.records(self.client) if kind == HANDSHAKE and body[0] == CLIENT_HELLO)
        at = 4 + 2 + 32
        at += 1 + hello[at]
        length = int.from_bytes(hello[at : at + 2])
        suites = [int.from_bytes(hello[i : i + 2]) for i in range(at + 2, at + 2 + length, 2)]
        return [one for one in suites if one not in {0x00FF, 0x5600}]

    @property
    def agreed(self) -> tuple[int, int]:
        """Version and suite of the ServerHello."""
        hello = next(body for kind, body in self.records(self.server) if kind == HANDSHAKE and body[0] == SERVER_HELLO)
        at = 4 + 2 + 32
        at += 1 + hello[at]
        return int.from_bytes(hello[4:6]), int.from_bytes(hello[at : at + 2])

    @property
    def client_sent_data(self) -> bool:
        return any(kind == DATA for kind, _ in self.records(self.client))


class WireTap:
    """Listens at `port`, and forwards each connection to the server's port."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.conversations: list[Conversation] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        heard = Conversation()
        self.conversations.append(heard)
        await asyncio.gather(_carry(reader, back, heard.client), _carry(onward, writer, heard.server))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            kept += piece
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def wire_tap(target: int) -> AsyncIterator[WireTap]:
    """A tap in front of that port of loopback."""
    tap = WireTap(target)
    server = await asyncio.start_server(tap.serve, "127.0.0.1", 0)
    tap.port = server.sockets[0].getsockname()[1]
    try:
        yield tap
    finally:
        server.close()
