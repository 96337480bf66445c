"""The VTN's admin door: the common one (`protocols.admin_door`) with the VTN's verbs behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from wattseal.protocols import admin_door as common
from wattseal.protocols.openadr20b.vtn.admin import answer_line
from wattseal.protocols.openadr20b.vtn.shell import VtnShell


@asynccontextmanager
async def admin_door(shell: VtnShell, *, port: int = 0, socket: Path | None = None) -> AsyncIterator[int]:
    """Listens until the block is left; gives the TCP port, 0 for a unix socket. Raises WorldError (`port_taken`)."""
    async with common.admin_door(partial(answer_line, shell), port=port, socket=socket) as bound:
        yield bound


class AdminClient(common.AdminClient):
    """A script's end of the door. Use as `async with AdminClient(port) as admin`; or give a unix socket."""

    gone = "vtn_gone"
    sentence = "The VTN closed its admin door; is it still running?"
