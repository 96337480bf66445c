"""The local door: questions in, one answer each; a caller or a core that misbehaves costs nobody more than its turn."""

import asyncio
import json

import pytest
from bridge_world import NOW, course, grid_event, timed

from wattseal.bridge.core.local_api import ask, local_door
from wattseal.bridge.core.memory import Memory
from wattseal.bridge.core.status import status
from wattseal.bridge.status_text import lines
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.protocols.wish import Level


def fails():
    raise WorldError("storage_busy", "Another process holds it.")


async def said_to(path, line: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("line", [b"[" * 60_000 + b"\n", b"\n", b"\xff\n", b'{"ask": 1}\n', b'{"ask": "give"}\n'])
async def test_what_is_no_question_gets_the_list_of_questions(tmp_path, line):
    """Brackets a thousand deep are no reason to leave the caller without an answer."""
    async with local_door(tmp_path / "s", {"status": dict}):
        answer = json.loads(await said_to(tmp_path / "s", line))
    assert answer == {"error": "unknown_question", "known": ["status"]}


async def test_a_core_that_cannot_answer_says_why(tmp_path):
    async with local_door(tmp_path / "s", {"status": fails}):
        with pytest.raises(WorldError, match="Another process holds it"):
            await ask(tmp_path / "s", "status")


@pytest.mark.parametrize("answer", [b"", b"junk\n", b"[1]\n", b"[" * 60_000 + b"\n"])
async def test_a_stranger_behind_the_socket_ends_in_a_sentence(tmp_path, answer):
    async def serve(reader, writer):
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(serve, tmp_path / "s"):
        with pytest.raises(WorldError) as caught:
            await ask(tmp_path / "s", "status")
    assert caught.value.reason in {"answer_missing", "answer_malformed"}


async def test_nobody_there(tmp_path):
    with pytest.raises(MisuseError) as caught:
        await ask(tmp_path / "s", "status")
    assert caught.value.reason == "not_running"


async def test_a_path_longer_than_a_socket_may_have_is_told(tmp_path):
    """sun_path has 108 bytes on Linux (unix(7))."""
    deep = tmp_path / ("d" * 110)
    deep.mkdir()
    with pytest.raises(WorldError) as caught:
        async with local_door(deep / "s", {}):
            pass
    assert caught.value.reason == "socket_failed"
    assert "too long" in caught.value.sentence


def test_an_event_that_ends_after_the_calendar_is_shown_all_the_same(new_bench):
    bench = new_bench()
    event = timed(grid_event(course(Level(1), "battery"), start=NOW, duration=10**12))
    memory = Memory({event.event.origin.key: event})
    now = Instant(NOW * 1000, 0.0, ClockQuality.TRUSTED)
    assert any(f"unix {NOW + 10**12}" in line for line in lines(status(memory, bench.estate.site, now, 0)))
