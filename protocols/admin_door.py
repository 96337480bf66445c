"""A door for the staff and the scripts of a server that runs: one line of JSON in, one line of JSON out.

It listens on loopback TCP or on a unix socket (0600) and has no lock of its own. What a line means is the owner's
matter: the door is given a function from line to line. Knows no dialect and no verb.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import msgspec

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.protocols.http_server import LOOPBACK

LONGEST_LINE_BYTES: Final = 4 * 1_048_576
_TOO_LONG: Final = b'{"ok":false,"error":"bad_request","message":"A request is one line of at most 4 MiB."}\n'

AnswerLine: TypeAlias = Callable[[bytes], Awaitable[bytes]]
"""One line to one line, both without the newline at the end of the answer; it does not raise."""


@asynccontextmanager
async def admin_door(answer: AnswerLine, *, port: int = 0, socket: Path | None = None) -> AsyncIterator[int]:
    """Listens until the block is left; gives the TCP port, 0 for a unix socket.

    Raises WorldError (`port_taken`).
    """
    open_connections: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(writer)
        try:
            await _serve(answer, reader, writer)
        except ConnectionError:
            pass  # the other end went away
        finally:
            open_connections.discard(writer)
            writer.close()

    try:
        if socket is None:
            server = await asyncio.start_server(serve, LOOPBACK, port, limit=LONGEST_LINE_BYTES)
        else:
            server = await _unix_server(serve, socket)
    except (OSError, OverflowError) as error:
        where = socket or f"{LOOPBACK}:{port}"
        raise WorldError("port_taken", f"The admin door {where} cannot be opened: {error}.") from error
    try:
        yield 0 if socket else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in tuple(open_connections):
            writer.close()
        await server.wait_closed()
        if socket is not None:
            socket.unlink(missing_ok=True)


async def _unix_server(serve: Any, socket: Path) -> asyncio.Server:
    """Bound with mode 0600 from the first moment on; a socket that an earlier run left is replaced."""
    socket.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(serve, socket, limit=LONGEST_LINE_BYTES)
    finally:
        os.umask(mask)


async def _serve(answer: AnswerLine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return
        except asyncio.LimitOverrunError:
            writer.write(_TOO_LONG)
            return
        writer.write(await answer(line) + b"\n")
        await writer.drain()


class AdminClient:
    """A script's end of the door. Use as `async with AdminClient(port) as admin`; or give a unix socket.

    `gone` and `sentence` are what is raised when the server is no longer there.
    """

    gone = "server_gone"
    sentence = "The server closed its admin door; is it still running?"

    def __init__(self, port: int = 0, socket: Path | None = None) -> None:
        self._port = port
        self._socket = socket
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        limit = LONGEST_LINE_BYTES * 4
        if self._socket is not None:
            self._streams = await asyncio.open_unix_connection(self._socket, limit=limit)
        else:
            self._streams = await asyncio.open_connection(LOOPBACK, self._port, limit=limit)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(ConnectionError):
                await self._streams[1].wait_closed()

    async def ask(self, verb: str, **details: object) -> dict[str, Any]:
        """The answer to one verb. Raises MisuseError with the reason of a refusal, WorldError (`gone`)."""
        if self._streams is None:
            raise MisuseError("admin_closed", "Open the admin client with `async with` first.")
        reader, writer = self._streams
        try:
            writer.write(msgspec.json.encode({"verb": verb, **details}) + b"\n")
            line = await reader.readuntil(b"\n")
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            raise WorldError(self.gone, self.sentence) from error
        answer: dict[str, Any] = msgspec.json.decode(line)
        if answer.pop("ok") is not True:
            raise MisuseError(str(answer["error"]), str(answer["message"]))
        return answer
