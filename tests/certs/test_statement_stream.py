"""Framing of sealed statements on a unix socket."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs.statement_stream import (
    MAX_FRAME_BYTES,
    StatementStream,
    StreamError,
    StreamLostError,
    open_stream,
)

SEALED = b"\xd2"


@asynccontextmanager
async def socket_pair(
    tmp_path: Path, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[StatementStream]:
    """A stream whose other end is the coroutine `talk`."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            done.set()

    server = await asyncio.start_unix_server(serve, tmp_path / "s")
    async with server, await open_stream(tmp_path / "s") as stream:
        yield stream
        await stream.close()
        await done.wait()


async def received(data: bytes) -> list[bytes]:
    """All statements in a recorded byte stream, or the error that ends it."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    statements = []
    stream = StatementStream(reader, _NoWriter())  # type: ignore[arg-type]  # only close and the socket are asked for
    while (raw := await stream.receive()) is not None:
        statements.append(raw)
    return statements


class _NoWriter:
    def close(self) -> None: ...

    def get_extra_info(self, _name: str) -> None:
        return None


def framed(raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + raw


async def test_statements_arrive_whole_and_in_order(tmp_path: Path) -> None:
    """Length prefix: 4 bytes, big-endian; largest frame included."""
    sent = [SEALED, SEALED + b"x" * 500, SEALED + b"y" * (MAX_FRAME_BYTES - 1)]

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for raw in sent:
            writer.write(struct.pack(">I", len(raw)) + raw)
        await writer.drain()

    async with socket_pair(tmp_path, talk) as stream:
        assert [await stream.receive() for _ in range(4)] == [*sent, None]


async def test_what_is_sent_is_length_and_bytes(tmp_path: Path) -> None:
    arrived = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        arrived.set_result(await reader.readexactly(7))

    async with socket_pair(tmp_path, talk) as stream:
        await stream.send(b"\xd2ab")
        assert await arrived == b"\x00\x00\x00\x03\xd2ab"


async def test_the_peer_is_known_by_its_credentials(tmp_path: Path) -> None:
    """SO_PEERCRED, unix(7)."""

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with socket_pair(tmp_path, talk) as stream:
        assert (stream.peer.process_id, stream.peer.user_id) == (os.getpid(), os.getuid())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (struct.pack(">I", MAX_FRAME_BYTES + 1), "frame_oversized"),
        (b"GET / HTTP/1.1\r\n", "frame_oversized"),  # 0x47455420 bytes
        (struct.pack(">I", 0), "frame_empty"),
        (framed(b"{}"), "frame_not_sealed"),
        (b"\x00\x00", "frame_incomplete"),
        (struct.pack(">I", 10) + SEALED, "frame_incomplete"),
        (struct.pack(">I", 10), "frame_incomplete"),
        (struct.pack(">I", 4), "frame_incomplete"),  # as long as a prefix
    ],
)
async def test_what_breaks_the_framing_has_a_name(data: bytes, reason: str) -> None:
    with pytest.raises(StreamError) as caught:
        await received(data)
    assert caught.value.reason == reason


async def test_a_broken_frame_ends_the_connection(tmp_path: Path) -> None:
    ended = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(b"junk"))
        ended.set_result(await reader.read())

    async with socket_pair(tmp_path, talk) as stream:
        with pytest.raises(StreamError):
            await stream.receive()
        assert await asyncio.wait_for(ended, 2) == b""


async def test_an_oversized_statement_is_not_sent(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""

    async with socket_pair(tmp_path, talk) as stream:
        with pytest.raises(StreamError):
            await stream.send(bytes(MAX_FRAME_BYTES + 1))


async def test_nobody_at_the_socket_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(StreamLostError) as caught:
        await open_stream(tmp_path / "nobody")
    assert caught.value.reason == "stream_unreachable"


@given(st.lists(st.binary(max_size=40).map(lambda tail: SEALED + tail), max_size=4), st.binary(max_size=12))
@settings(max_examples=60, deadline=None)
def test_only_named_errors_escape_and_whole_frames_come_first(frames: list[bytes], junk: bytes) -> None:
    """Junk behind whole frames never changes the frames before it."""
    seen: list[bytes] = []

    async def drain() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(b"".join(framed(raw) for raw in frames) + junk)
        reader.feed_eof()
        stream = StatementStream(reader, _NoWriter())  # type: ignore[arg-type]  # only close and the socket are asked for
        while (raw := await stream.receive()) is not None:
            seen.append(raw)

    try:
        asyncio.run(drain())
    except StreamError:
        assert junk
    assert seen[: len(frames)] == frames


async def test_statements_sent_together_are_at_hand_after_the_first() -> None:
    """One write, one wake-up: what came with the awaited statement is had without waiting, an incomplete one is not."""
    reader = asyncio.StreamReader()
    stream = StatementStream(reader, _NoWriter())  # type: ignore[arg-type]  # only close and the socket are asked for
    frames = [SEALED + bytes((number,)) for number in range(4)]
    joined = b"".join(map(framed, frames))
    reader.feed_data(joined[:-1])
    assert stream.at_hand() is None, "nothing was awaited yet"
    assert await stream.receive() == frames[0]
    assert [stream.at_hand(), stream.at_hand(), stream.at_hand()] == [frames[1], frames[2], None]
    reader.feed_data(joined[-1:])
    assert await stream.receive() == frames[3]


async def test_a_receive_that_is_given_up_loses_nothing() -> None:
    reader = asyncio.StreamReader()
    stream = StatementStream(reader, _NoWriter())  # type: ignore[arg-type]  # only close and the socket are asked for
    whole = framed(SEALED + b"whole")
    for end in range(1, len(whole)):
        reader.feed_data(whole[end - 1 : end])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.receive(), 0.001)
    reader.feed_data(whole[-1:])
    assert await stream.receive() == SEALED + b"whole"


async def test_statements_sent_together_arrive_one_by_one(tmp_path: Path) -> None:
    raws = [SEALED + bytes((number,)) * 1000 for number in range(200)]
    got = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        got.set_result(await reader.readexactly(sum(map(len, map(framed, raws)))))

    async with socket_pair(tmp_path, talk) as stream:
        await stream.send_all(raws)
        assert await asyncio.wait_for(got, 2) == b"".join(map(framed, raws))
        with pytest.raises(StreamError):
            await stream.send_all([raws[0], b""])
