"""The processes of the stage: started with a ready line, ended in reverse order whatever happens. Knows no story."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from wattseal.certs.errors import WorldError

_START_SECONDS: Final = 20.0
_END_SECONDS: Final = 4.0


class StageError(WorldError):
    """The stage cannot be set: a process did not start (`stage_failed`), or there is no CCM8 (`tls_ccm8_missing`)."""


async def started(stack: AsyncExitStack, module: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Starts a process of ours, which `stack` ends; what its ready line says. Raises `StageError`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    stack.push_async_callback(_ended, process)
    if process.stdout is None:
        raise StageError("stage_failed", f"{module} has no output to read.")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        ready: dict[str, Any] = json.loads(line)
    except (TimeoutError, ValueError) as error:
        raise StageError("stage_failed", f"{module} did not become ready on this machine.") from error
    return ready


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
