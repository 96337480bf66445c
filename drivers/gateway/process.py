"""The gateway's process: one TaskGroup, one socket, one core at a time; one worker for each device.

What reaches it are sealed statements on a unix socket and nothing else. On an orderly stop nothing is written to the
devices: a live command goes on under the device's own timer, as it does when the process is killed. The next start
finds it in the database and takes it over unfed: a fresh command replaces it, or its revert-to is written when the
device's timer must have run out. So a restart of the software is no event for the battery.
"""

import asyncio
import contextlib
import fcntl
import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import structlog

from wattseal.certs import cose, statement
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.errors import WorldError
from wattseal.certs.parent import CHECK_SECONDS, stop_with_parent
from wattseal.certs.statement import Statement
from wattseal.certs.statement_stream import StatementStream, StreamError, StreamLostError
from wattseal.certs.storage import StorageError
from wattseal.drivers.commands import Command, Order
from wattseal.drivers.gate.leases import LeaseTable
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.gateway.attester import Attester
from wattseal.drivers.gateway.executor import Bench
from wattseal.drivers.gateway.opening import Estate
from wattseal.drivers.gateway.outlet import Outlet
from wattseal.drivers.gateway.receipts import Live
from wattseal.drivers.gateway.reception import Reception
from wattseal.drivers.gateway.rows import CommandRow
from wattseal.drivers.gateway.worker import RESTART_GRACE_SECONDS, Worker, local_facts

HOUSEKEEPING_SECONDS: Final = 5.0
CANCEL_AGAIN_SECONDS: Final = 0.05
FIRST_LOOK_SECONDS: Final = 4.0  # what charge a battery has, above all; a device that does not answer is not waited for
_SOCKET_MASK: Final = 0o117  # leaves 0660
_log: Final = structlog.get_logger("gateway")


class Gateway:
    """A gateway put together; `run` makes it live."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._clock = estate.clock
        self._leases = LeaseTable()
        self._outlet = Outlet(estate.store)
        bench = Bench(estate.store, self._leases, estate.clock, self._announce, estate.sections.envelope, self._local)
        self.workers = {
            station.row.device: Worker(
                bench, station, Attester(station.row.device, _counters_of(estate, station.row.device))
            )
            for station in estate.stations
        }
        self.reception = Reception(
            estate.gate,
            estate.store,
            estate.clock,
            self._leases,
            self.workers,
            self._outlet,
            estate.manifest.gateway,
            estate.manifest.expires_at,
            estate.found.head,
        )
        self._occupied = False
        self._cores: asyncio.Queue[StatementStream] = asyncio.Queue()
        self._restore(estate.clock.now())

    async def run(
        self,
        ready: Callable[[Path], None],
        stopped: asyncio.Event,
        parent: int | None = None,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """Serve until `stopped`, or until `parent` is gone. Raises `WorldError` where the socket cannot be had."""
        path = self._estate.box.gateway_socket
        try:
            await self._estate.store.consume(self._estate.gate.memory.mark)
            async with listening(path, self._arrived), asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(link.supervise()) for link in self._estate.links]
                running += [tasks.create_task(worker.run()) for worker in self.workers.values()]
                running += [tasks.create_task(self._attend(tasks)), tasks.create_task(self._keep_house())]
                if parent is not None:
                    running.append(tasks.create_task(stop_with_parent(parent, stopped, check_seconds)))
                try:
                    ready(path)
                    await stopped.wait()
                finally:
                    await end_all(running)
        finally:
            for link in self._estate.links:
                await link.close()

    def _arrived(self, stream: StatementStream) -> bool:
        """Whether this core is taken; a second one at the same time is not."""
        if self._occupied:
            _log.warning("second_core_refused", pid=stream.peer.process_id, uid=stream.peer.user_id)
            return False
        self._occupied = True
        self._cores.put_nowait(stream)
        return True

    async def _attend(self, tasks: asyncio.TaskGroup) -> None:
        """One core after the other, none before the devices were looked at: an order would be judged blindly."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                for worker in self.workers.values():
                    await worker.looked.wait()
        while True:
            async with await self._cores.get() as stream:
                _log.info("core_connected", pid=stream.peer.process_id, uid=stream.peer.user_id)
                pouring = tasks.create_task(self._pour(stream))
                try:
                    await self._listen(stream)
                finally:
                    pouring.cancel()
                    self._outlet.end()
                    self._occupied = False
                    _log.info("core_gone")

    async def _listen(self, stream: StatementStream) -> None:
        try:
            while (raw := await stream.receive()) is not None:
                await self.reception.hear(raw)
        except StreamError as error:
            _log.warning("stream_refused", reason=error.reason, sentence=error.sentence)
        except StreamLostError:
            return

    async def _pour(self, stream: StatementStream) -> None:
        try:
            await self._outlet.pour(stream)
        except StreamLostError:
            await stream.close()  # whoever listens on it finds its end
        except StorageError as error:
            _log.error("outbox_unreadable", reason=error.reason, sentence=error.sentence)
            await stream.close()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            at = self._clock.now()
            try:
                self._announce(await self._estate.store.recover(at))
                await self.reception.state_refusals(at)
            except StorageError as error:
                _log.error("housekeeping_failed", reason=error.reason)

    def _announce(self, statements: Sequence[Statement]) -> None:
        self.reception.announce(statements)

    def _local(self, monotonic: float) -> Mapping[str, LocalFacts]:
        return local_facts(self.workers, monotonic)

    def _restore(self, at: Instant) -> None:
        """Hand what an earlier run kept of each device, and the commands it left open, to their workers."""
        for past in self._estate.found.past:
            if past.device in self.workers:
                self.workers[past.device].executor.recall(past, at)
        by_device: dict[str, list[tuple[CommandRow, Live]]] = {}
        for row in self._estate.found.commands:
            by_device.setdefault(row.device, []).append((row, _live_of(row)))
        for device, found in by_device.items():
            worker = self.workers.get(device)
            if worker is None:
                _log.error("restored_device_unknown", device=device)
                continue
            armed = max((row.timer_seconds or 0 for row, _ in found), default=0) or RESTART_GRACE_SECONDS
            worker.restore([live for _, live in found], min(armed, _left_of(found[-1][1].order, at)))


@asynccontextmanager
async def listening(path: Path, arrived: Callable[[StatementStream], bool]) -> AsyncIterator[None]:
    """A unix socket at `path`, mode 0660; a stale one is replaced. Raises `WorldError` (`socket_failed`).

    `arrived` takes a connection over, or returns False: then it is closed at once.
    """

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not arrived(StatementStream(reader, writer)):
            writer.close()

    mask = os.umask(_SOCKET_MASK)
    try:
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(connected, path)
    except OSError as error:
        raise WorldError("socket_failed", f"Cannot listen at {path}: {error.strerror or error}.") from error
    finally:
        os.umask(mask)
    try:
        async with server:
            yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock beside the socket; raises `WorldError` (`already_running`) where another process has it."""
    lock = path.with_name("gateway.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WorldError("run_directory_unwritable", f"Cannot make {lock}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorldError("already_running", f"Another gateway runs in {path.parent}; end it first.") from error
        yield
    finally:
        os.close(descriptor)


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until they have ended: a task can lose one cancellation that meets the end of what it awaited."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)


def stop_on_signals(stopped: asyncio.Event) -> None:
    """SIGTERM and SIGINT end the process in order."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)


def _counters_of(estate: Estate, device: str) -> tuple[tuple[str, int], ...]:
    return tuple((quantity, value) for name, quantity, value in estate.found.counters if name == device)


def _live_of(row: CommandRow) -> Live:
    """A command out of the database: it was verified before it was put there."""
    said = statement.read(cose.take_apart(row.raw))
    return Live(row.digest, Order.decode(Command.decode(said.body).order), row.watts)


def _left_of(order: Order, at: Instant) -> float:
    """Seconds to the event's end, where there is one and the clock can tell."""
    if not order.hold_seconds or at.quality is ClockQuality.UNTRUSTED:
        return math.inf
    return max(0.0, order.not_before + order.hold_seconds - at.unix_ms / 1000)
