"""The local door: a unix socket (mode 0660), one JSON line in, one out. It answers questions; it gives no orders.

Who asks is recorded by the kernel's word (SO_PEERCRED), not by the caller's.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from wattseal.certs.errors import MisuseError
from wattseal.certs.statement_stream import credentials_of

_MAX_LINE: Final = 65_536
_PATIENCE_SECONDS: Final = 10
_log = structlog.get_logger("local_api")

Answer = Callable[[], Mapping[str, object]]


@asynccontextmanager
async def local_door(path: Path, answers: Mapping[str, Answer]) -> AsyncIterator[None]:
    """Serves `answers` (by the word of the question) at `path` while the context is open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = credentials_of(writer)
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            line = await asyncio.wait_for(reader.readline(), _PATIENCE_SECONDS)
            asked = _question_in(line)
            _log.info("local_question", asked=asked, user_id=peer.user_id, process_id=peer.process_id)
            answer = answers[asked]() if asked in answers else {"error": "unknown_question", "known": sorted(answers)}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, path, limit=_MAX_LINE)
    path.chmod(0o660)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask(path: Path, question: str) -> Mapping[str, object]:
    """Puts one question to a running core. Raises `MisuseError` (`not_running`) where none answers."""
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=1 << 22)
    except OSError as error:
        raise MisuseError("not_running", f"Nothing answers at {path}; is the bridge running?") from error
    writer.write(json.dumps({"ask": question}).encode() + b"\n")
    await writer.drain()
    line = await asyncio.wait_for(reader.readline(), _PATIENCE_SECONDS)
    writer.close()
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise MisuseError("answer_malformed", "The bridge gave no answer that this command reads.")
    return answer


def _question_in(line: bytes) -> str:
    """The word of the question; empty for anything that is none."""
    try:
        asked = json.loads(line)
    except ValueError:
        return ""
    return str(asked.get("ask", "")) if isinstance(asked, dict) else ""
