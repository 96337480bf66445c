"""Attacks at the gateway's socket of a running box: each refused with its reason, on record, and nothing is written."""

import asyncio
import functools
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from box_world import AUDIT, WATTSEAL, World, accounted, command_line, complete, proven, until, world
from cryptography.hazmat.primitives.asymmetric import ec
from scripted_vtn import scripted_vtn
from ven_world import dispatch, distribute, oadr_event

from wattseal.certs import statement
from wattseal.certs.errors import WorldError
from wattseal.certs.keys import FileSigner, Signer
from wattseal.certs.statement import Kind, Role, Statement
from wattseal.certs.statement_stream import StatementStream, open_stream
from wattseal.drivers.commands import Command
from wattseal.protocols.openadr20b import common, event
from wattseal.protocols.openadr20b.codec import encode

pytestmark = pytest.mark.slow


@functools.cache
def begun() -> int:
    """When the events of a test begin: a moment before the first of them is asked for, and the same for all."""
    return int(time.time()) - 5


@pytest.fixture(autouse=True)
def _begins_anew() -> None:
    begun.cache_clear()


def wish(watts: str, number: int) -> event.OadrEvent:
    target = common.Target(resource_ids=("battery-1",))
    return oadr_event("E", number, start=begun(), duration=900, signals=(dispatch(watts, 900),), target=target)


@asynccontextmanager
async def in_place_of_the_core(w: World) -> AsyncIterator[StatementStream]:
    """The core is killed, and before it is back somebody else sits at the gateway's socket."""
    w.running.kill("core")
    async with await until(lambda: _taken(w), 5, "the gateway's socket") as stream:
        yield stream


async def _taken(w: World) -> StatementStream | None:
    """A connection that the gateway keeps: a second core at the same time is hung up on at once."""
    try:
        stream = await open_stream(w.box.gateway_socket)
    except WorldError:
        return None
    try:
        assert await asyncio.wait_for(stream.receive(), 0.3) is None
    except TimeoutError:
        return stream
    await stream.close()
    return None


def refusals(w: World) -> list[str]:
    """The reasons of all refused messages, in order, as the gateway logged them."""
    lines = w.running.errors.read_text().splitlines()
    return [json.loads(line)["reason"] for line in lines if '"message_refused"' in line]


async def refused(w: World, stream: StatementStream, raw: bytes) -> str:
    """Sends one message; the reason for which it was refused."""
    before = len(refusals(w))
    await stream.send(raw)
    await until(lambda: len(refusals(w)) > before, 5, "a refusal")
    return refusals(w)[before]


def resealed(signer: Signer, original: Statement, *, sequence: int, **header: object) -> Statement:
    """The same order under another seal, with another number, and with what `header` changes."""
    body = replace(Command.decode(original.body), sequence=sequence)
    return statement.seal(signer, replace(original.header, **header), body.encode())  # type: ignore[arg-type]


async def test_who_holds_no_key_moves_nothing_and_breaks_no_proof(tmp_path: Path) -> None:
    """Forged, replayed, re-addressed without a key, clipped, junk: the evidence stays proven and counts them."""
    async with scripted_vtn(wish("1500", 0)) as vtn, world(tmp_path, vtn.base) as w:
        await w.until_result("battery", ("command", "applied", "applied"))
        (recorded, order) = w.diary.orders("battery")[0]
        assert order.watts == 1500
        forger = FileSigner(ec.generate_private_key(ec.SECP256R1()))
        forged = resealed(forger, recorded, sequence=50)
        flipped = bytearray(recorded.raw)
        flipped[-1] ^= 1
        elsewhere = recorded.raw.replace(b"gateway-1", b"gateway-2")
        stronger = recorded.raw.replace((1500).to_bytes(2), (5000).to_bytes(2))
        assert recorded.raw not in {elsewhere, stronger}
        frames = len(w.device("battery").writes())
        async with in_place_of_the_core(w) as stream:
            told = {
                "forged": await refused(w, stream, forged.raw),
                "elsewhere": await refused(w, stream, elsewhere),
                "stronger": await refused(w, stream, stronger),
                "flipped": await refused(w, stream, bytes(flipped)),
                "replayed": await refused(w, stream, recorded.raw),
                "clipped": await refused(w, stream, recorded.raw[: len(recorded.raw) // 2]),
                "junk": await refused(w, stream, recorded.raw[:1] + os.urandom(200)),
            }
        assert told["forged"] == "key_unknown"
        assert told["flipped"] in {"signature_invalid", "signature_not_low_s"}
        assert told["elsewhere"] == told["stronger"] == "signature_invalid"
        assert told["replayed"] == "sequence_replayed"
        assert told["clipped"].startswith(("cose_", "cbor_"))
        assert told["junk"].startswith(("cose_", "cbor_", "unprotected_"))  # what chance makes of 200 bytes
        assert await w.device("battery").setpoint() == 1500
        await w.running.until_status(lambda seen: seen["gateway"]["connected"])
        await until(lambda: {gap.reason for gap in w.diary.gaps()} >= set(told.values()), 10, "all on record")
        assert all(len(frame["words"]) > 2 for frame in w.device("battery").writes()[frames:]), "more than heartbeats"
        assert len(w.diary.orders("battery")) == 1

        vtn.queue.append(encode(distribute(wish("1700", 1))))
        await w.until_setpoint("battery", 1700)
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "attacked.wse")


async def test_a_stolen_issuer_key_is_refused_receipted_and_named_by_the_verifier(tmp_path: Path) -> None:
    """Expired, re-addressed, of another epoch, out of its order; a refused one again later. The log never held them."""
    async with scripted_vtn(wish("1500", 0)) as vtn, world(tmp_path, vtn.base) as w:
        await w.until_result("battery", ("command", "applied", "applied"))
        (recorded, _) = w.diary.orders("battery")[0]
        last = Command.decode(recorded.body).sequence
        thief, now = w.box.signer(Role.ISSUER), int(time.time())
        frames = len(w.device("battery").writes())
        decision = recorded.header.parents
        async with in_place_of_the_core(w) as stream:
            expired = resealed(thief, recorded, sequence=last + 101, issued_at=now - 90, not_before=now - 90,
                               expires_at=now - 60)  # fmt: skip
            elsewhere = resealed(thief, recorded, sequence=last + 102, audience="gateway-2")
            jump = resealed(thief, recorded, sequence=last + 5000)
            orphan = resealed(thief, recorded, sequence=last + 103, parents=(bytes(32),))
            body = replace(Command.decode(recorded.body), epoch=bytes(16), sequence=last + 104)
            old = statement.seal(thief, recorded.header, body.encode())
            told = {
                "expired": await refused(w, stream, expired.raw),
                "elsewhere": await refused(w, stream, elsewhere.raw),
                "jump": await refused(w, stream, jump.raw),
                "orphan": await refused(w, stream, orphan.raw),
                "old epoch": await refused(w, stream, old.raw),
                "expired again": await refused(w, stream, expired.raw),
                "orphan again": await refused(w, stream, orphan.raw),
            }
        assert decision
        assert told["expired"] == "expired"
        assert told["elsewhere"] == "audience_wrong"
        assert told["jump"] == "sequence_jump"
        assert told["orphan"] == "parent_missing"
        assert told["old epoch"] == "epoch_wrong"
        assert told["expired again"] == told["orphan again"] == "sequence_replayed", "a refused one was looked at again"
        await w.running.until_status(lambda seen: seen["gateway"]["connected"])
        receipts = await until(
            lambda: len(found := _refused_receipts(w)) >= 5 and found, 10, "receipts of the refused commands"
        )
        assert receipts[expired.digest] == "expired"
        assert receipts[orphan.digest] == "parent_missing"
        assert all(len(frame["words"]) > 2 for frame in w.device("battery").writes()[frames:]), "more than heartbeats"
        assert await w.device("battery").setpoint() == 1500

        vtn.queue.append(encode(distribute(wish("1700", 1))))
        await w.until_setpoint("battery", 1700)
        accounted(w)
        complete(w.diary)
        file = tmp_path / "stolen.wse"
        code, _, errors = await command_line(WATTSEAL, "evidence", "export", str(w.box.root), "-o", str(file))
        assert code == 0, errors
        code, out, _ = await command_line(AUDIT, "verify", str(file), "--root", w.box.pinned_root(), "--json")
        assert code == 1, "commands that the log never held are proof of a stolen key"
        assert json.loads(out)["first_broken"]["reason"] == "parent_missing"


def _refused_receipts(w: World) -> dict[bytes, str]:
    return {one.command: one.receipt.reason for one in w.diary.receipts("battery") if one.receipt.result == "refused"}


async def test_an_endless_frame_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    """A second core is not let in, a length beyond the cap closes the stream; the box goes on."""
    async with scripted_vtn(wish("1500", 0)) as vtn, world(tmp_path, vtn.base) as w:
        await w.until_setpoint("battery", 1500)
        async with in_place_of_the_core(w) as stream:
            reader, writer = await asyncio.open_unix_connection(w.box.gateway_socket)
            assert await asyncio.wait_for(reader.read(1), 5) == b"", "a second core was let in"
            writer.close()
            stream._writer.write(b"\xff\xff\xff\xff" + bytes(4096))
            assert await asyncio.wait_for(stream.receive(), 5) is None, "an endless frame is still awaited"
        await w.running.until_status(lambda seen: seen["gateway"]["connected"])
        assert w.diary.of(Kind.HELLO)
        vtn.queue.append(encode(distribute(wish("1700", 1))))
        await w.until_setpoint("battery", 1700)
