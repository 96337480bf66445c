"""Sealed statements over a stream: four bytes of length (big-endian), then one sealed statement; nothing else.

Both ends speak this on a unix socket. Whatever is not in that form ends the connection with a named error: a stream
that is out of step cannot be brought back. What a statement says, and whether its seal holds, is decided elsewhere.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wattseal.certs import cose
from wattseal.certs.errors import PeerError, WorldError

MAX_FRAME_BYTES: Final = cose.MAX_BYTES
_CHUNK_BYTES: Final = 65_536
_PREFIX: Final = struct.Struct(">I")
_SEALED: Final = 0xD2  # tag 18 of COSE_Sign1: the first byte of every sealed statement
_CREDENTIALS: Final = struct.Struct("3i")


class StreamError(PeerError):
    """The peer broke the framing (`frame_oversized`, `frame_empty`, `frame_not_sealed`, `frame_incomplete`)."""


class StreamLostError(WorldError):
    """The stream cannot be used any more (`stream_lost`), or could not be opened (`stream_unreachable`)."""


@dataclass(frozen=True, slots=True)
class PeerCredentials:
    """Who is at the other end of a unix socket, as the kernel says; -1 where it does not."""

    process_id: int
    user_id: int
    group_id: int


class StatementStream:
    """One connection. `async with` closes it; a receive and a send may run at the same time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._arrived = bytearray()
        self.peer = credentials_of(writer)

    async def receive(self) -> bytes | None:
        """The next sealed statement, unchecked but for its framing; None when the peer ended between two.

        Raises `StreamError` (and closes) or `StreamLostError`. Cancelling it loses nothing.
        """
        while (raw := self.at_hand()) is None:
            try:
                arrived = await self._reader.read(_CHUNK_BYTES)
            except OSError as error:
                raise StreamLostError("stream_lost", "The connection broke while a statement was awaited.") from error
            if arrived:
                self._arrived += arrived
                continue
            if not self._arrived:
                return None
            self._writer.close()
            raise StreamError("frame_incomplete", "The peer ended in the middle of a frame.")
        return raw

    def at_hand(self) -> bytes | None:
        """The next statement if it has arrived whole with those before it; no waiting. Raises as `receive`."""
        try:
            return self._frame()
        except StreamError:
            self._writer.close()
            raise

    def _frame(self) -> bytes | None:
        if len(self._arrived) < _PREFIX.size:
            return None
        (length,) = _PREFIX.unpack_from(self._arrived)
        if not 0 < length <= MAX_FRAME_BYTES:
            raise _wrong_length(length)
        end = _PREFIX.size + length
        if len(self._arrived) < end:
            return None
        raw = bytes(self._arrived[_PREFIX.size : end])
        if raw[0] != _SEALED:
            raise StreamError("frame_not_sealed", "The frame does not begin as a COSE_Sign1; the peer is hung up on.")
        del self._arrived[:end]
        return raw

    async def send(self, raw: bytes) -> None:
        """Send one sealed statement. Raises `StreamLostError`; `StreamError` for one that the peer would refuse."""
        await self.send_all((raw,))

    async def send_all(self, raws: Sequence[bytes]) -> None:
        """Send statements in order, in one write. Raises as `send`, and then nothing of them was sent."""
        for raw in raws:
            if not 0 < len(raw) <= MAX_FRAME_BYTES:
                raise _wrong_length(len(raw))
        try:
            self._writer.write(b"".join(part for raw in raws for part in (_PREFIX.pack(len(raw)), raw)))
            await self._writer.drain()
        except OSError as error:
            raise StreamLostError("stream_lost", "The connection broke while a statement was sent.") from error

    async def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def open_stream(path: Path) -> StatementStream:
    """Connect to the statement socket at `path`. Raises `StreamLostError` (`stream_unreachable`)."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        raise StreamLostError(
            "stream_unreachable", f"Nobody listens at {path}: {error.strerror}; is the gateway running?"
        ) from error
    return StatementStream(reader, writer)


def credentials_of(writer: asyncio.StreamWriter) -> PeerCredentials:
    """The peer's process, user and group ids (SO_PEERCRED), as they were when it connected."""
    plain = writer.get_extra_info("socket")
    try:
        answer = plain.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    except (AttributeError, OSError):
        return PeerCredentials(-1, -1, -1)
    return PeerCredentials(*_CREDENTIALS.unpack(answer))


def _wrong_length(length: int) -> StreamError:
    if length == 0:
        return StreamError("frame_empty", "A frame of length 0 holds no statement; the peer is hung up on.")
    return StreamError("frame_oversized", f"A frame of {length} bytes is over the cap of {MAX_FRAME_BYTES}.")
