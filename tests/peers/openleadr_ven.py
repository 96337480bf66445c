"""A VEN nobody here wrote (openleadr's OpenADRClient) as a process of its own, and the handle that tests hold on it.

Run as a script it registers with the VTN at --url, opts in to every event, offers one report with one data point
(`usage`/`power`, every second) and tells on stdout, one JSON object per line, what it saw:

    {"registered": venID}   {"value": x}
    {"event": id, "number": n, "status": s, "signals": [[name, type, value], ...]}
    {"complaint": text}     a warning or error of openleadr itself
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any


def say(**told: Any) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


class Complaints(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(complaint=record.getMessage())


async def main(arguments: argparse.Namespace) -> None:
    from datetime import timedelta

    from openleadr import OpenADRClient

    logging.getLogger("openleadr").addHandler(Complaints(logging.WARNING))
    security = {"cert": arguments.cert, "key": arguments.key, "ca_file": arguments.ca} if arguments.cert else {}
    client = OpenADRClient(
        ven_name=arguments.name, vtn_url=arguments.url, show_fingerprint=False, disable_signature=True, **security
    )
    values = itertools.count(1)

    async def read() -> float:
        value = -1000.5 - next(values) / 8
        say(value=value)
        return value

    async def take(event: dict[str, Any]) -> str:
        about = event["event_descriptor"]
        signals = [
            [one["signal_name"], one["signal_type"], one["intervals"][0]["signal_payload"]]
            for one in event["event_signals"]
        ]
        say(
            event=about["event_id"],
            number=about["modification_number"],
            status=about["event_status"],
            signals=signals,
        )
        return "optIn"

    client.add_report(
        callback=read,
        resource_id="battery",
        report_specifier_id="usage",
        r_id="power",
        measurement="REAL_POWER",
        sampling_rate=timedelta(seconds=1),
        report_duration=timedelta(seconds=3600),
    )
    client.add_handler("on_event", take)
    client.add_handler("on_update_event", take)
    await client.run()
    say(registered=client.ven_id)
    await asyncio.Event().wait()


class OpenLeadrVen:
    """What the process told so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._news = asyncio.Condition()
        self.told: list[dict[str, Any]] = []

    async def listen(self) -> None:
        """Reads until the process ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            async with self._news:
                with contextlib.suppress(ValueError):
                    self.told.append(json.loads(line))
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    def of(self, key: str) -> list[Any]:
        """All that was told under a key."""
        return [one[key] for one in self.told if key in one]

    async def wait_for(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 15) -> dict[str, Any]:
        """The first line that is wanted, past ones included."""
        async with asyncio.timeout(seconds), self._news:
            while True:
                for one in self.told:
                    if wanted(one):
                        return one
                await self._news.wait()


@asynccontextmanager
async def running_ven(
    url: str, *, name: str = "ven", tls: tuple[Path, Path, Path] | None = None
) -> AsyncIterator[OpenLeadrVen]:
    """The client in its own process; `tls` is certificate, key and authority."""
    command = [sys.executable, __file__, "--url", url, "--name", name]
    for flag, path in zip(("--cert", "--key", "--ca"), tls or (), strict=False):
        command += [flag, str(path)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    ven = OpenLeadrVen(process)
    listening = asyncio.create_task(ven.listen())
    try:
        yield ven
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await listening


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", required=True)
    for option in ("--cert", "--key", "--ca"):
        parser.add_argument(option)
    asyncio.run(main(parser.parse_args()))
