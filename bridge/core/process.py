"""The core as a process: utilities on one side, the gateway on the other, one task group, opened here and nowhere else.

Run as `python -m wattseal.bridge.core.process DIR`, usually by the supervisor. Holds the keys of ingress, core, policy
and issuer; the gateway's and the log's are not opened here.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from wattseal.bridge import journal
from wattseal.bridge.core.core import Core, Estate
from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.ieee2030_5_line import ServerLine
from wattseal.bridge.core.line import GatewayLine
from wattseal.bridge.core.local_api import local_door
from wattseal.bridge.core.opening import TIME_FLOOR, open_estate
from wattseal.bridge.core.status import status
from wattseal.bridge.core.utility_line import UtilityLine
from wattseal.bridge.site.model import Utility
from wattseal.bridge.speaking import put, tell
from wattseal.bridge.supervisor import stop_on_signals
from wattseal.certs import ledger
from wattseal.certs.box import Box
from wattseal.certs.clock import SystemTime, TimeSource
from wattseal.certs.errors import MisuseError, PeerError, WattsealError, WorldError
from wattseal.certs.garbage import collect_rarely
from wattseal.certs.lab_clock.loop import joined, run
from wattseal.certs.parent import CHECK_SECONDS, CHECK_VIRTUAL_SECONDS, stop_with_parent
from wattseal.certs.statement_stream import open_stream
from wattseal.certs.storage import StorageFullError

_REOPEN_SECONDS: Final = 5.0
_RECONNECT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 5.0
_KEEP_SECONDS: Final = 60.0
_SAMPLES_KEPT_MS: Final = 7 * 86_400_000
_log = structlog.get_logger("core")


@asynccontextmanager
async def running_core(
    box: Box, estate: Estate, core: Core, utilities: Sequence[Utility] | None = None
) -> AsyncIterator[None]:
    """Everything that a core does, as long as the context is open. `utilities`: whom to speak with (None: all)."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_gateway(box, estate, core)), group.create_task(orders(core))]
        tasks += [group.create_task(_renewals(estate, core)), group.create_task(_housekeeping(estate, core))]
        for utility in estate.site.utilities if utilities is None else utilities:
            tasks.append(group.create_task(_utility(utility, box, estate, core)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def _utility(utility: Utility, box: Box, estate: Estate, core: Core) -> None:
    """Keeps a line to one utility. What ends it (a full disk, say) ends neither the others nor the core.

    A line that broke is made anew from what is durable, so that its session never runs ahead of the journal.
    """
    while True:
        try:
            line = UtilityLine if utility.server is None else ServerLine
            await line(utility, core, estate, box.root).run()
        except WattsealError as error:
            _log.error("utility_line_ended", utility=utility.name, reason=error.reason, sentence=error.sentence)
        except Exception:  # noqa: BLE001 - a fault of ours in one line must not end the others; told with its traceback
            _log.exception("utility_line_failed", utility=utility.name)
        await asyncio.sleep(_REOPEN_SECONDS)


async def _gateway(box: Box, estate: Estate, core: Core) -> None:
    """Keeps a line to the gateway; hears it until it hangs up, then tries again."""

    async def find(digest: bytes) -> bytes | None:
        entry = await estate.store.read(lambda db: ledger.entry(db, digest))
        return None if entry is None else entry.sealed

    while True:
        try:
            async with await open_stream(box.gateway_socket) as stream:
                line = GatewayLine(stream, find)
                await core.attach(line)
                while (raws := await line.receive()) is not None:
                    await _sheltered(core.hear(*raws))
        except (WorldError, PeerError) as error:
            _log.info("gateway_away", reason=error.reason)
        await core.detach()
        await asyncio.sleep(_RECONNECT_SECONDS)


async def orders(core: Core) -> None:
    """Looks whenever something changed, or an event begins or ends."""
    while True:
        core.changed.clear()
        await _sheltered(core.look())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(core.changed.wait(), core.seconds_to_next_look(_LONGEST_WAIT_SECONDS))


async def _renewals(estate: Estate, core: Core) -> None:
    """Keeps the standing commands alive, well within their lease."""
    period = min(_KEEP_SECONDS, estate.site.lease_seconds / 3)
    while True:
        await asyncio.sleep(period)
        await _sheltered(core.renew())


async def _housekeeping(estate: Estate, core: Core) -> None:
    """Marks the time floor, forgets old samples and events, and takes the reserve back once there is room."""
    while True:
        await asyncio.sleep(_KEEP_SECONDS)
        now = estate.clock.now()
        deed = Deed()
        if now.quality.is_firm:
            estate.clock.raise_floor(now.unix)
            deed.write(partial(journal.keep_mark, name=TIME_FLOOR, value=now.unix))
            deed.write(partial(journal.prune_samples, before_ms=now.unix_ms - _SAMPLES_KEPT_MS))
        await _sheltered(core.record(deed))
        await _sheltered(core.forget_old_events(now))
        await _sheltered(core.recover_storage())


async def _sheltered(work: Awaitable[object]) -> None:
    """Awaits `work`; a full disk or a failed read is told and survived, for the next turn may go better."""
    try:
        await work
    except StorageFullError as error:
        _log.error("storage_full", sentence=error.sentence)
    except WattsealError as error:
        _log.error("core_turn_failed", reason=error.reason, sentence=error.sentence)


async def serve(
    box: Box, source: TimeSource, *, json_out: bool, parent: int | None, check_seconds: float = CHECK_SECONDS
) -> None:
    """Opens and runs a core until it is told to end, or its parent is gone."""
    estate = open_estate(box, source)
    try:
        collect_rarely()
        core = Core(estate)
        stop = stop_on_signals()

        def answer() -> Mapping[str, object]:
            size = estate.store.read_now(ledger.size)
            return status(core.memory, estate.site, estate.clock.now(), size, core.contacts)

        hearings = {"acknowledge": partial(acknowledged, core)}
        async with local_door(box.local_socket, {"status": answer}, hearings), running_core(box, estate, core):
            if json_out:
                put({"ready": True, "listen": str(box.local_socket)})
            watching = None if parent is None else asyncio.create_task(stop_with_parent(parent, stop, check_seconds))
            await stop.wait()
            if watching is not None:
                watching.cancel()
    finally:
        estate.store.close()


async def acknowledged(core: Core, about: str) -> Mapping[str, object]:
    """A person has read the text with this mRID. Raises `MisuseError` (`text_not_shown`) where none such is shown."""
    for utility, acknowledge in core.acknowledgers.items():
        if await acknowledge(about):
            return {"acknowledged": about.upper(), "utility": utility}
    raise MisuseError("text_not_shown", f"No text {about!r} is shown; `wattseal status` tells which are.")


def main() -> int:
    """Entry of the process; the exit codes of the command line."""
    parser = argparse.ArgumentParser(prog="wattseal core", description="The core of a Wattseal box.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--parent-pid", type=int, default=None)
    parser.add_argument("--clock", metavar="unix:PATH", help="a lab's virtual clock")
    asked = parser.parse_args()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        clock = joined(asked.clock, "core")
        check_seconds = CHECK_SECONDS if clock is None else CHECK_VIRTUAL_SECONDS
        box, source = Box(asked.directory), clock or SystemTime()
        serving = serve(box, source, json_out=asked.json, parent=asked.parent_pid, check_seconds=check_seconds)
        run(serving, clock)
    except WattsealError as error:
        tell(f"wattseal core: {error.sentence}")
        return 3 if isinstance(error, WorldError) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
