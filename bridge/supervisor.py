"""The supervisor: starts gateway and core as processes of their own, and starts again whichever dies.

It holds no key and reads no message. A child that dies is started again after a pause that doubles up to
`MOST_PAUSE_SECONDS` and falls back once it has lived a while; the other one is left alone. SIGTERM and SIGINT end all.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from wattseal.certs.errors import WorldError

FIRST_PAUSE_SECONDS: Final = 0.2
MOST_PAUSE_SECONDS: Final = 30.0
_LIVED_SECONDS: Final = 20.0
_END_SECONDS: Final = 4.0
# A child that ends with one of these codes before it was ever ready will not do better next time.
_HOPELESS: Final = frozenset({1, 2})
# One that was never ready since `run` began is tried so often: whoever started us waits for a word.
_FIRST_TRIES: Final = 4
_log = structlog.get_logger("supervisor")


class ChildError(WorldError):
    """A process of the box could not be started (`child_failed`); its own sentence is in its log."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to be kept alive: its name, and the module to run with its arguments."""

    name: str
    module: str
    arguments: tuple[str, ...]

    def command(self) -> tuple[str, ...]:
        """The command line."""
        return sys.executable, "-m", self.module, *self.arguments


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Holds the box: one supervisor at a time. Raises `WorldError` (`already_running`, `run_directory_unwritable`)."""
    lock = directory / "run" / "run.lock"
    try:
        lock.parent.mkdir(exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WorldError("run_directory_unwritable", f"Cannot make {lock}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise WorldError("already_running", f"The box in {directory} already runs; end that first.") from error
        yield
    finally:
        os.close(descriptor)


def children_of(directory: Path, clock: str | None = None) -> tuple[Child, ...]:
    """The processes of a box, in the order in which they start. `clock`: `unix:PATH` of a lab's virtual clock.

    The supervisor itself keeps real time: what it watches are processes, and they live and die in it.
    """
    shared = (str(directory), "--json", "--parent-pid", str(os.getpid()))
    arguments = shared if clock is None else (*shared, "--clock", clock)
    return (
        Child("gateway", "wattseal.drivers.gateway.command", arguments),
        Child("core", "wattseal.bridge.core.process", arguments),
    )


async def supervise(children: Sequence[Child], stop: asyncio.Event, ready: Callable[[Sequence[object]], None]) -> None:
    """Keeps `children` alive until `stop`. `ready` is called once, with what they listen on, when all were ready.

    Raises `ChildError` when one refuses to start at all.
    """
    listens: dict[str, object] = {}

    def was_ready(name: str, told: object) -> None:
        first = len(listens) < len(children)
        listens[name] = told
        if first and len(listens) == len(children):
            ready([listens[child.name] for child in children])

    try:
        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(_keep(child, stop, was_ready)) for child in children]
            await stop.wait()
            del keepers
    except* ChildError as errors:
        raise errors.exceptions[0] from None


async def _keep(child: Child, stop: asyncio.Event, was_ready: Callable[[str, object], None]) -> None:
    pause, loop = FIRST_PAUSE_SECONDS, asyncio.get_running_loop()
    ever_lived, tries = False, 0
    while not stop.is_set():
        begun = loop.time()
        # Its standard input stays open as long as we live: its end tells the child that we are gone.
        process = await asyncio.create_subprocess_exec(
            *child.command(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        lived = await _live(child, process, stop, was_ready)
        if stop.is_set():
            return
        _log.warning("child_ended", name=child.name, code=process.returncode, was_ready=lived)
        ever_lived, tries = ever_lived or lived, tries + 1
        hopeless = not lived and process.returncode in _HOPELESS
        if hopeless or (not ever_lived and tries == _FIRST_TRIES):
            stop.set()
            raise ChildError("child_failed", f"The {child.name} cannot start; its own words are above.")
        pause = FIRST_PAUSE_SECONDS if loop.time() - begun > _LIVED_SECONDS else min(2 * pause, MOST_PAUSE_SECONDS)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def _live(
    child: Child, process: asyncio.subprocess.Process, stop: asyncio.Event, was_ready: Callable[[str, object], None]
) -> bool:
    """Until the process ends or is ended by `stop`; whether it was ever ready."""
    listening = asyncio.create_task(_listen(child, process, was_ready))
    stopping = asyncio.create_task(stop.wait())
    ending = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({stopping, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await _end(process)
    await ending
    return await listening


async def _listen(child: Child, process: asyncio.subprocess.Process, was_ready: Callable[[str, object], None]) -> bool:
    """Reads the child's standard output to its end, so that it never blocks on it."""
    ready = False
    while process.stdout is not None and (line := await process.stdout.readline()):
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and told.get("ready"):
                ready = True
                was_ready(child.name, told.get("socket") or told.get("listen"))
    return ready


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _END_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
