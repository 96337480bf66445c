"""Threads that work for an event loop: a loop that wants to know of them is told. Knows no work and no thread."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable


@runtime_checkable
class CountsErrands(Protocol):
    """A loop that counts what threads do for it."""

    def errand(self, change: int) -> None:
        """One more (+1) or one less (-1)."""
        ...


@contextmanager
def errand(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While the context is open, a thread works for this loop."""
    if not isinstance(loop, CountsErrands):
        yield
        return
    loop.errand(+1)
    try:
        yield
    finally:
        loop.errand(-1)
