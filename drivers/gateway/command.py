"""The gateway as a program: `python -m wattseal.drivers.gateway.command DIR [--root HEX] [--parent-pid PID]
[--clock unix:PATH] [--json]`.

Prints one line when it is ready, and runs until SIGTERM or SIGINT (with `--parent-pid` also until standard input ends
or the parent is gone). Exit: 0 ended, 2 usage (a text or a profile is not the one that was signed), 3 the world failed
(files, keys, trust, socket, disk). Results on standard output, everything else on standard error.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from wattseal.certs.box import Box
from wattseal.certs.clock import SystemTime, TimeSource
from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.certs.garbage import collect_rarely
from wattseal.certs.lab_clock.loop import joined
from wattseal.certs.lab_clock.loop import run as run_on
from wattseal.certs.parent import CHECK_SECONDS, CHECK_VIRTUAL_SECONDS
from wattseal.drivers.gateway.opening import open_estate
from wattseal.drivers.gateway.process import Gateway, alone, stop_on_signals

USAGE: Final = 2
WORLD_FAILED: Final = 3


def main(arguments: Sequence[str] | None = None, source: TimeSource | None = None) -> int:
    """Run a gateway; the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        clock = joined(parsed.clock, "gateway")
        run_on(_serve(parsed, source or clock or SystemTime()), clock)
    except BaseExceptionGroup as failures:
        return _told(_first(failures))
    except WattsealError as error:
        return _told(error)
    return 0


def run() -> None:
    """The program: logs go to standard error, one JSON line each."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # the link tells the same in our words
    sys.exit(main())


async def _serve(parsed: argparse.Namespace, source: TimeSource) -> None:
    directory = Path(parsed.directory)
    stopped = asyncio.Event()
    stop_on_signals(stopped)

    def ready(path: Path) -> None:
        line = json.dumps({"ready": True, "socket": str(path)}) if parsed.json else f"listening at {path}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    with alone(Box(directory).gateway_socket):
        estate = open_estate(directory, parsed.root, source)
        collect_rarely()
        try:
            check_seconds = CHECK_SECONDS if parsed.clock is None else CHECK_VIRTUAL_SECONDS
            await Gateway(estate).run(ready, stopped, parsed.parent_pid, check_seconds)
        finally:
            estate.store.close()


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def _told(failure: BaseException) -> int:
    if not isinstance(failure, WattsealError):
        structlog.get_logger("gateway").error("unexpected", exc_info=failure)
        return WORLD_FAILED
    sys.stderr.write(f"gateway: {failure.sentence} [{failure.reason}]\n")
    return USAGE if isinstance(failure, MisuseError) else WORLD_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway", description="The gateway process of a box.")
    parser.add_argument("directory", metavar="DIR", help="directory of the box")
    parser.add_argument("--root", metavar="HEX", help="digest of the root record (default: the one pinned in the box)")
    parser.add_argument("--parent-pid", type=int, metavar="PID", help="end when this parent, or standard input, ends")
    parser.add_argument("--clock", metavar="unix:PATH", help="a lab's virtual clock")
    parser.add_argument("--json", action="store_true", help="announce in JSON")
    return parser


if __name__ == "__main__":
    run()
