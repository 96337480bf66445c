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

from wattseal.certs.errors import MisuseError, WattsealError, WorldError
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
            answer = _answered(asked, answers)
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    try:
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(serve, path, limit=_MAX_LINE)
        path.chmod(0o660)
    except OSError as error:
        raise WorldError("socket_failed", f"Cannot listen at {path}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def ask(path: Path, question: str) -> Mapping[str, object]:
    """Puts one question to a running core. Raises `MisuseError` (`not_running`) where nobody listens, `WorldError`
    (`answer_missing`, `answer_malformed`) where what listens does not answer.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=1 << 22)
    except OSError as error:
        raise MisuseError("not_running", f"Nothing answers at {path}; is the bridge running?") from error
    try:
        writer.write(json.dumps({"ask": question}).encode() + b"\n")
        await writer.drain()
        answer = json.loads(await asyncio.wait_for(reader.readline(), _PATIENCE_SECONDS))
    except (OSError, ValueError, RecursionError) as error:
        raise WorldError("answer_missing", f"The bridge at {path} gave no answer; read its log.") from error
    finally:
        writer.close()
    if not isinstance(answer, dict):
        raise WorldError("answer_malformed", f"What answers at {path} is no bridge of this release.")
    if "error" in answer:
        raise WorldError("answer_missing", f"The bridge could not answer: {answer.get('sentence', answer['error'])}")
    return answer


def _answered(asked: str, answers: Mapping[str, Answer]) -> Mapping[str, object]:
    if asked not in answers:
        return {"error": "unknown_question", "known": sorted(answers)}
    try:
        return answers[asked]()
    except WattsealError as error:
        return {"error": error.reason, "sentence": error.sentence}


def _question_in(line: bytes) -> str:
    """The word of the question; empty for anything that is none."""
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    return str(asked.get("ask", "")) if isinstance(asked, dict) else ""
