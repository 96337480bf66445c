"""The line to the gateway: sealed statements on a unix socket, and nothing else.

A statement goes with all its ancestors that the gateway has not seen on this connection, parents first, because the
gate believes no child whose parents it has not verified itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from wattseal.certs import cose, statement
from wattseal.certs.statement import Kind, Statement
from wattseal.certs.statement_stream import StatementStream

# The gateway remembers what it said itself in this epoch; facts name nothing older.
_ITS_OWN: Final = frozenset({Kind.READING, Kind.HELLO, Kind.RECEIPT, Kind.GAP})
_MOST_SEEN: Final = 4096
MOST_TOGETHER: Final = 64

FindRaw = Callable[[bytes], Awaitable[bytes | None]]


class Line(Protocol):
    """What the core needs of the way to its gateway."""

    async def send(self, statements: Sequence[Statement]) -> None:
        """Sends `statements`, each after what it rests on. Raises WorldError or PeerError where the line broke."""
        ...

    def send_all_again(self) -> None:
        """From now on what they rest on is sent once more."""
        ...


class GatewayLine:
    """One connection. `find` gives the sealed bytes of an older statement by its digest, or None."""

    def __init__(self, stream: StatementStream, find: FindRaw) -> None:
        self._stream = stream
        self._find = find
        self._seen: dict[bytes, None] = {}

    async def send(self, statements: Sequence[Statement]) -> None:
        """Sends `statements` in one write, each after its unseen ancestors. Raises the errors of the stream."""
        raws = [raw for said in statements for raw in await self._unseen(said)]
        if raws:
            await self._stream.send_all(raws)

    def send_all_again(self) -> None:
        """The gate keeps only so many parents, the most recently named: from now on each is sent once more."""
        self._seen.clear()

    async def receive(self) -> tuple[bytes, ...] | None:
        """The next statements of the gateway, as many as have arrived, unchecked; None when it hung up."""
        first = await self._stream.receive()
        if first is None:
            return None
        raws = [first]
        while len(raws) < MOST_TOGETHER and (more := self._stream.at_hand()) is not None:
            raws.append(more)
        for raw in raws:
            self._note(statement.digest(raw))
        return tuple(raws)

    async def _unseen(self, said: Statement) -> list[bytes]:
        """`said` and its unseen ancestors, parents first."""
        if said.digest in self._seen:
            return []
        self._note(said.digest)
        if said.header.kind in _ITS_OWN:
            return []
        before: list[bytes] = []
        for parent in said.header.parents:
            if parent in self._seen:
                continue
            raw = await self._find(parent)
            if raw is not None:
                before += await self._unseen(statement.read(cose.take_apart(raw)))
        return [*before, said.raw]

    def _note(self, digest: bytes) -> None:
        """The gateway has it. What is forgotten here is only sent once more than needed."""
        self._seen[digest] = None
        if len(self._seen) > _MOST_SEEN:
            del self._seen[next(iter(self._seen))]
