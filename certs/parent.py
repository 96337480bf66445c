"""A child process that does not outlive its parent. Knows neither of them."""

import asyncio
import contextlib
import os
import sys
from typing import Final

from wattseal.certs.lab_clock.loop import go_on_alone

CHECK_SECONDS: Final = 0.5
CHECK_VIRTUAL_SECONDS: Final = 60.0
"""On a clock that is moved by hand, each look costs a step; there the end of standard input tells it at once."""


async def stop_with_parent(parent: int, stopped: asyncio.Event, check_seconds: float = CHECK_SECONDS) -> None:
    """Sets `stopped` when standard input ends or `parent` is no longer our parent."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with contextlib.suppress(OSError, ValueError):
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while not stopped.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(check_seconds):
                if not await reader.read(64):
                    break
    go_on_alone()
    stopped.set()
