"""The local door: a unix socket (mode 0660), one JSON line in, one out. It answers questions; it gives no orders.
What a person can say through it is that a utility's text was read, which moves no device.

Who asks is recorded by the kernel's word (SO_PEERCRED), not by the caller's.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from wattseal.certs.errors import MisuseError, WattsealError, WorldError
from wattseal.certs.statement_stream import credentials_of

_MAX_LINE: Final = 65_536
_PATIENCE_SECONDS: Final = 10
_MOST_ABOUT: Final = 256
_log = structlog.get_logger("local_api")

Answer = Callable[[], Mapping[str, object]]
Hearing = Callable[[str], Awaitable[Mapping[str, object]]]
"""Takes what a person says about something, and answers."""
_NOTHING: Final[Mapping[str, Hearing]] = {}


@asynccontextmanager
async def local_door(
    path: Path, answers: Mapping[str, Answer], hearings: Mapping[str, Hearing] = _NOTHING
) -> AsyncIterator[None]:
    """Serves `answers` and `hearings` (by the word of the question) at `path` while the context is open."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = credentials_of(writer)
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            line = await asyncio.wait_for(reader.readline(), _PATIENCE_SECONDS)
            asked, about = _question_in(line)
            _log.info("local_question", asked=asked, about=about, user_id=peer.user_id, process_id=peer.process_id)
            answer = await _answered(asked, about, answers, hearings)
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


async def ask(path: Path, question: str, about: str = "") -> Mapping[str, object]:
    """Puts one question, which may be about something, to a running core.

    Raises `MisuseError` (`not_running`) where nobody listens, `WorldError` (`answer_missing`, `answer_malformed`) where
    what listens does not answer.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=1 << 22)
    except OSError as error:
        raise MisuseError("not_running", f"Nothing answers at {path}; is the bridge running?") from error
    try:
        writer.write(json.dumps({"ask": question, "about": about}).encode() + b"\n")
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


async def _answered(
    asked: str, about: str, answers: Mapping[str, Answer], hearings: Mapping[str, Hearing]
) -> Mapping[str, object]:
    try:
        if asked in answers:
            return answers[asked]()
        if asked in hearings:
            return await hearings[asked](about)
    except WattsealError as error:
        return {"error": error.reason, "sentence": error.sentence}
    return {"error": "unknown_question", "known": sorted({*answers, *hearings})}


def _question_in(line: bytes) -> tuple[str, str]:
    """The word of the question and what it is about; empty for anything that is none."""
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(asked, dict):
        return "", ""
    return str(asked.get("ask", "")), str(asked.get("about", ""))[:_MOST_ABOUT]
