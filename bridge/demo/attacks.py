"""Three attacks on the running demonstration: forge a command, replay one, edit the log. Each must be refused.

The first two come over the gateway's own socket, in the place of the core; the third is made on a copy of the ledger
by somebody who may write every byte of the disk but holds no key.
"""

import asyncio
import shutil
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from wattseal.bridge.exporting import export_box
from wattseal.certs import statement
from wattseal.certs.box import Box
from wattseal.certs.keys import Algorithm, create_key
from wattseal.certs.statement import Header, Kind, Statement
from wattseal.certs.statement_stream import open_stream
from wattseal.drivers.commands import Command, Operation, Order

_SETTLE_SECONDS: Final = 0.3


async def forge(box: Box, model: Statement, directory: Path) -> None:
    """A command for full power, with the right shape and a key of our own."""
    attacker = create_key(f"file:{directory / 'attacker.pem'}", Algorithm.ESP256)
    command = Command.decode(model.body)
    order = Order.decode(command.order)
    wild = Order(
        order.device, Operation.SET_POWER, 5000, int(time.time()), 600, (Operation.RELEASE, 0), 50,
        order.profile_digest,
    )  # fmt: skip
    now = int(time.time())
    header = Header(
        Kind.COMMAND, model.header.issuer, model.header.subject, now, audience=model.header.audience,
        not_before=now, expires_at=now + 30, parents=model.header.parents, contents=model.header.contents,
    )  # fmt: skip
    body = Command(wild.encode(), command.epoch, command.sequence + 1, 60)
    await _send(box, [statement.seal(attacker, header, body.encode()).raw])


async def replay(box: Box, recorded: Sequence[Statement]) -> None:
    """Every genuine command of the day once more, byte for byte."""
    await _send(box, [said.raw for said in recorded])


async def _send(box: Box, frames: Sequence[bytes]) -> None:
    async with await open_stream(box.gateway_socket) as stream:
        for frame in frames:
            await stream.send(frame)
        await asyncio.sleep(_SETTLE_SECONDS)


def edit_log(box: Box, copy: Path) -> Path:
    """A copy of the box in which one receipt of the ledger was changed; evidence exported from it."""
    shutil.copytree(box.root, copy, ignore=shutil.ignore_patterns("run"))
    database = sqlite3.connect(copy / "state" / "core.db")
    with database:
        database.execute("DROP TRIGGER ledger_leaf_stays")
        position, sealed = database.execute(
            "SELECT position, sealed FROM ledger_leaf WHERE kind = 'receipt' ORDER BY position LIMIT 1"
        ).fetchone()
        altered = bytearray(sealed)
        altered[len(altered) // 2] ^= 1
        database.execute("UPDATE ledger_leaf SET sealed = ? WHERE position = ?", (bytes(altered), position))
    database.close()
    now = int(time.time())
    file = copy / "edited.wse"
    file.write_bytes(export_box(Box(copy), from_ms=0, to_ms=(now + 1) * 1000, now=now))
    return file


async def verify(file: Path, root: str) -> tuple[int, str]:
    """The separate verifier, as a process of its own: its exit code and what it printed."""
    program = "from wattseal.certs.audit.command import run; run()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, "verify", str(file), "--root", root, "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
