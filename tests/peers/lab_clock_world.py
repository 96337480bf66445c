"""Programs for tests of the lab's clock: each runs on it as a process of its own and says when it did what."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from wattseal.certs.clock import TrustedClock
from wattseal.certs.errands import errand
from wattseal.certs.lab_clock.loop import run
from wattseal.certs.lab_clock.participant import Participant


async def ticker(clock: Participant, log: Path, period: float, count: int) -> None:
    """Wakes every `period` seconds and writes the time down, in one file for all."""
    trusted = TrustedClock(clock)
    for _ in range(count):
        await asyncio.sleep(period)
        now = trusted.now()
        with log.open("a") as file:
            file.write(f"{round(clock.monotonic(), 3):g} {period:g} {now.quality}\n")
    await asyncio.Event().wait()


async def server(port_file: Path) -> None:
    """Answers on loopback TCP, after a thread of its own has taken real time over each answer."""
    loop = asyncio.get_running_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            future = loop.create_future()
            with errand(loop):
                loop.run_in_executor(None, _slowly, loop, future)
                await future
            await asyncio.to_thread(time.sleep, 0.02)
            writer.write(b"pong\n")
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port_file.write_text(str(listening.sockets[0].getsockname()[1]))
    await asyncio.Event().wait()


def _slowly(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]") -> None:
    time.sleep(0.02)
    loop.call_soon_threadsafe(future.set_result, None)


async def client(clock: Participant, log: Path, port: int, count: int) -> None:
    """Every ten seconds asks the server, with a deadline of one millisecond of virtual time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        await asyncio.sleep(10)
        writer.write(b"ping\n")
        async with asyncio.timeout(0.001):
            await reader.readline()
        with log.open("a") as file:
            file.write(f"{round(clock.monotonic(), 3):g} pong\n")
    await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("ticker", "server", "client"))
    parser.add_argument("socket", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("rest", nargs="*")
    asked = parser.parse_args()
    clock = Participant.join(asked.socket, asked.role)
    if asked.role == "ticker":
        run(ticker(clock, asked.log, float(asked.rest[0]), int(asked.rest[1])), clock)
    elif asked.role == "server":
        run(server(Path(asked.rest[0])), clock)
    else:
        run(client(clock, asked.log, int(asked.rest[0]), int(asked.rest[1])), clock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
