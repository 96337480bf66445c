"""What becomes of each message from the core: the gate's outcome, made durable and handed to whom it concerns.

Knows neither sockets nor devices. A message that the gate refuses changes nothing but the record.

Whether this database is the one that the gateway spoke from before shows at the first hail of a run: before it nothing
was sent in this run, so a core that holds more than an earlier run had made holds what this database never saw (it was
lost, or an old copy was put back). Then the gateway says nothing any more, not even its epoch; so no command can be
made for it, and the ledger gets no second statement under a number that is taken.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from wattseal.certs.clock import ClockQuality, Instant, TrustedClock
from wattseal.certs.errors import PeerError
from wattseal.certs.statement import Kind, Statement
from wattseal.certs.storage import StorageError
from wattseal.drivers.commands import Function, Hello
from wattseal.drivers.gate.acceptance import Accepted, Gate, Hailed, Refused, Renewed
from wattseal.drivers.gate.leases import LeaseTable
from wattseal.drivers.gateway.executor import Work
from wattseal.drivers.gateway.outlet import Outlet
from wattseal.drivers.gateway.receipts import Live
from wattseal.drivers.gateway.refusals import Refusals
from wattseal.drivers.gateway.rows import CommandRow
from wattseal.drivers.gateway.store import GatewayStore
from wattseal.drivers.gateway.testifying import Said
from wattseal.drivers.gateway.worker import Worker, local_facts
from wattseal.drivers.testimony import FunctionValues, Phase, Receipt, Result

_CHAIN_LOST: Final = (
    "The core holds statements of this gateway that its database never saw. Nothing is ordered: put the right "
    "gateway.db back, or begin a new record as the operations guide says."
)
_log: Final = structlog.get_logger("gateway.reception")


class Reception:
    """Hears the core. `gateway` is our own name, `expires_at` the manifest's end in unix seconds.

    `head`: number of the last statement that an earlier run made (-1: none).
    """

    def __init__(
        self,
        gate: Gate,
        store: GatewayStore,
        clock: TrustedClock,
        leases: LeaseTable,
        workers: Mapping[str, Worker],
        outlet: Outlet,
        gateway: str,
        expires_at: int,
        head: int,
    ) -> None:
        self._gate = gate
        self._store = store
        self._clock = clock
        self._leases = leases
        self._workers = workers
        self._outlet = outlet
        self._gateway = gateway
        self._expires_at = expires_at
        self._refusals = Refusals()
        self._head_found: int | None = head
        if store.behind:
            gate.memory.lose_chain()

    def announce(self, statements: Sequence[Statement]) -> None:
        """Our own statements are durable: facts may name them from now on, and the core gets them."""
        for said in statements:
            if said.header.kind in {Kind.READING, Kind.HELLO}:
                self._gate.remember(said)
        self._outlet.announce(statements)

    async def hear(self, raw: bytes) -> None:
        """One message. Raises nothing for what the peer or the disk does wrong."""
        at = self._clock.now()
        outcome = self._gate.consider(raw, at, local_facts(self._workers, at.monotonic))
        try:
            match outcome:
                case Accepted():
                    await self._accept(outcome, at)
                case Renewed():
                    await self._renew(outcome, at)
                case Hailed():
                    await self._hello(outcome, at)
                case Refused():
                    await self._refuse(outcome, at)
        except StorageError as error:
            _log.error("not_recorded", reason=error.reason, sentence=error.sentence)

    async def state_refusals(self, at: Instant) -> None:
        """Put the refusals that were only counted on record, when it is time."""
        said = [Said(Kind.GAP, self._gateway, gap.encode(), (), at) for gap in self._refusals.due(at)]
        if said:
            self.announce(await self._store.say(said))

    async def _accept(self, accepted: Accepted, at: Instant) -> None:
        order, digest = accepted.order, accepted.statement.digest
        self._date_manifest(at)
        hold = None
        if order.hold_seconds and at.quality is not ClockQuality.UNTRUSTED:
            hold = order.not_before + order.hold_seconds - at.unix_ms / 1000
        self._leases.accept(order.seat, digest, at.monotonic, accepted.command.lease_seconds, hold)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        live = Live(digest, order, accepted.watts, accepted.rule)
        self._workers[order.device].enqueue(Work(live, durable))
        row = CommandRow(digest, order.device, accepted.statement.raw, accepted.watts)
        try:
            await asyncio.sleep(0)  # the worker's first read is on its way before the disk begins
            await self._store.consume(self._gate.memory.mark, row)
        except StorageError as error:
            _settle(durable, error)
            raise
        except BaseException:
            durable.cancel()
            raise
        _settle(durable, None)

    async def _renew(self, renewed: Renewed, at: Instant) -> None:
        await self._store.consume(self._gate.memory.mark)
        alive = self._leases.renew(renewed.commands, at.monotonic, renewed.renewal.lease_seconds)
        if len(alive) != len(renewed.commands):
            _log.info("renewal_partly_late", named=len(renewed.commands), alive=len(alive))
        for worker in self._workers.values():
            worker.call()  # it finds, and ends, what was dropped because the envelope no longer permits it
        await self._hold(renewed.renewal.held)

    async def _hello(self, hailed: Hailed, at: Instant) -> None:
        memory, held = self._gate.memory, hailed.hail.held
        if not memory.chain_lost and not await self._is_our_chain(held):
            memory.lose_chain()
            await self._store.note_behind(held)
        if memory.chain_lost:
            self._outlet.end()
            _log.error("gateway_chain_lost", held=held, sentence=_CHAIN_LOST)
            return
        hello = Hello(hailed.hail.nonce, memory.epoch, memory.high_water, str(at.quality))
        said = Said(Kind.HELLO, self._gateway, hello.encode(), (hailed.statement.digest,), at)
        self.announce(await self._store.say((said,)))
        self._outlet.begin_after(hailed.hail.held)

    async def _refuse(self, refused: Refused, at: Instant) -> None:
        _log.warning("message_refused", reason=refused.reason, step=refused.step, sentence=refused.sentence)
        mark = None if refused.consumed_sequence is None else self._gate.memory.mark
        said = refused.statement
        if said is None or refused.order is None or self._stands(said.digest) or not self._refusals.first(said.digest):
            self._refusals.count(refused.reason, at)
            if mark is not None:
                await self._store.consume(mark)
            await self.state_refusals(at)
            return
        order = refused.order
        power = order.function is Function.POWER
        receipt = Receipt(
            order.device, Phase.COMMAND, Result.REFUSED, refused.reason,
            None, order.watts if power else None, None, None, None, None, 0, str(at.quality),
            of=None if power else FunctionValues(order.function, order.value, None, None),
        )  # fmt: skip
        words = Said(Kind.RECEIPT, order.device, receipt.encode(), (said.digest,), at)
        self.announce(await self._store.say((words,), mark=mark))

    def _stands(self, command: bytes) -> bool:
        """Whether the command was accepted before: then a refusal of its copy says nothing about it."""
        return self._gate.memory.accepted(command)

    async def _is_our_chain(self, held: int) -> bool:
        """Whether the core can hold what it says; see the module's text."""
        if self._head_found is not None and held > self._head_found:
            return False
        self._head_found = None
        return await self._hold(held)

    async def _hold(self, held: int) -> bool:
        """Whether we ever said as much; then it need not be sent again."""
        try:
            await self._store.hold(held)
        except PeerError as error:
            _log.error("held_ahead", held=held, reason=error.reason, sentence=error.sentence)
            return False
        return True

    def _date_manifest(self, at: Instant) -> None:
        if at.quality is not ClockQuality.UNTRUSTED:
            self._leases.end_manifest_at(at.monotonic + self._expires_at - at.unix_ms / 1000)


def _settle(durable: "asyncio.Future[None]", error: StorageError | None) -> None:
    if durable.done():
        return
    if error is None:
        durable.set_result(None)
        return
    durable.set_exception(error)
    durable.exception()  # the worker may have no need of it any more
