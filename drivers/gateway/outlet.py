"""The way out: the gateway's statements to whichever core is connected, in the order of their numbers.

Nothing is sent before the core has hailed and said how far it holds. A statement leaves the outbox only when the core
says that it holds it durably; until then every connection gets it again.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from wattseal.certs.statement import Statement
from wattseal.certs.statement_stream import StatementStream
from wattseal.drivers.gateway.store import GatewayStore

BATCH: Final = 64
MOST_FRESH: Final = 1024
NEVER: Final = -2  # below every number, and below the -1 of a core that holds nothing


class Outlet:
    """One for the process. `announce` is called with what has become durable."""

    def __init__(self, store: GatewayStore) -> None:
        self._store = store
        self._fresh: deque[tuple[int, bytes]] = deque(maxlen=MOST_FRESH)
        self._called = asyncio.Event()
        self._sent: int | None = None
        self._newest = NEVER

    def announce(self, statements: Sequence[Statement]) -> None:
        """These are durable; they go out as soon as a core wants them."""
        for said in statements:
            if said.header.chain is not None:
                self._fresh.append((said.header.chain[0], said.raw))
                self._newest = max(self._newest, said.header.chain[0])
        self._called.set()

    def begin_after(self, held: int) -> None:
        """The core has hailed, and holds everything up to `held`: the rest goes out."""
        self._sent = held
        self._called.set()

    def end(self) -> None:
        """The core is gone."""
        self._sent = None

    async def pour(self, stream: StatementStream) -> None:
        """Send until cancelled. Raises the errors of the stream."""
        while True:
            self._called.clear()
            while (after := self._sent) is not None:
                batch = await self._following(after)
                if self._sent != after:
                    continue  # hailed again meanwhile: begin anew from there
                if not batch:
                    break
                await stream.send_all([raw for _, raw in batch])
                if self._sent == after:
                    self._sent = batch[-1][0]
            await self._called.wait()

    async def _following(self, after: int) -> Sequence[tuple[int, bytes]]:
        while self._fresh and self._fresh[0][0] <= after:
            self._fresh.popleft()
        batch: list[tuple[int, bytes]] = []
        while self._fresh and len(batch) < BATCH and self._fresh[0][0] == after + 1 + len(batch):
            batch.append(self._fresh.popleft())
        if batch or after == self._newest:
            return batch
        return await self._store.outbox_after(after, BATCH)
