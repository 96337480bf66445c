"""The clock as a program: `wattseal simulate clock --socket PATH [--json]`, and a word to one that runs.

Without a word it serves: prints one line when it is ready and runs until SIGTERM or SIGINT. With `--advance`, `--run`,
`--set` or `--show` it tells that to the clock at PATH and prints the time. Exit: 0, 2 usage, 3 the world failed.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.certs.lab_clock.hand import RemoteClock
from wattseal.certs.lab_clock.server import ClockOptions, running_clock
from wattseal.certs.lab_clock.words import MICROSECONDS, Told

USAGE, WORLD_FAILED = 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and return the exit code."""
    asked = _parser().parse_args(argv)
    serving = not asked.show and asked.advance is None and asked.run is None and asked.set is None
    try:
        asyncio.run(_serve(asked) if serving else _tell(asked))
    except WattsealError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return USAGE if isinstance(error, MisuseError) else WORLD_FAILED
    return 0


async def _serve(asked: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    wall = None if asked.start is None else int(asked.start.timestamp())
    options = ClockOptions(wall=wall, expected=asked.expect, grace_seconds=asked.grace_seconds)
    async with running_clock(asked.socket, options) as clock:
        _print({"ready": True, "socket": str(asked.socket), **_shown(clock.told)}, as_json=asked.json)
        await stop.wait()


async def _tell(asked: argparse.Namespace) -> None:
    async with RemoteClock(asked.socket) as clock:
        told = await clock.time()
        if asked.set is not None:
            told = await clock.set(int(asked.set.timestamp()))
        if asked.advance is not None:
            told = await clock.advance(asked.advance)
        if asked.run is not None:
            told = await clock.run(asked.run)
    _print(_shown(told), as_json=asked.json)


def _shown(told: Told) -> dict[str, object]:
    wall = datetime.fromtimestamp(told.wall / MICROSECONDS, UTC)
    return {"seconds": told.at / MICROSECONDS, "t": wall.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _print(told: dict[str, object], *, as_json: bool) -> None:
    place = f" at {told['socket']}" if "socket" in told else ""
    line = json.dumps(told) if as_json else f"Virtual clock{place}: {told['t']}, {told['seconds']} s since its start"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clock", description="A lab's virtual clock, frozen at first.")
    parser.add_argument("--socket", type=Path, required=True, metavar="PATH", help="its unix socket")
    parser.add_argument("--json", action="store_true", help="announce in JSON")
    parser.add_argument("--start", type=_time, metavar="TIME", help="RFC 3339 time to stand at (default: the present)")
    parser.add_argument("--expect", type=int, default=0, metavar="N", help="stand still until so many take part")
    parser.add_argument(
        "--grace-seconds", type=float, default=0.0, help="real time to wait at each step for whoever does not follow"
    )
    told = parser.add_argument_group("tell the clock that runs there, and print the time")
    told.add_argument("--advance", type=float, metavar="SECONDS", help="move on, timer by timer")
    told.add_argument("--run", type=float, metavar="RATE", help="virtual seconds a second; 0 freezes it")
    told.add_argument("--set", type=_time, metavar="TIME", help="put it forward, while nobody takes part")
    told.add_argument("--show", action="store_true", help="the time")
    return parser


if __name__ == "__main__":
    sys.exit(main())
