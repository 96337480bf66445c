"""The gateway exactly as it is, with a stamp before and after some of its methods: `... STAMPS DIR [gateway options]`.

Each stamp is one JSON line [name, begin, end, detail], in nanoseconds of the monotonic clock, which all processes of
the machine share. Written in bunches, so that the writing falls between two measurements far more often than into one.
"""

import asyncio
import functools
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic_ns
from typing import Any, Final

from wattseal.drivers.gate.acceptance import Gate
from wattseal.drivers.gateway import command
from wattseal.drivers.gateway.hand import Hand
from wattseal.drivers.gateway.reception import Reception
from wattseal.drivers.gateway.store import GatewayStore
from wattseal.drivers.modbus.link import ModbusLink

_WRITE_SECONDS: Final = 0.03

Detail = Callable[..., object]


class Stamps:
    """Collects stamps and writes them to `path` a little later."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: list[tuple[str, int, int, object]] = []

    def put(self, name: str, begin: int, detail: object) -> None:
        """One stamp that ends now."""
        if not self._waiting:
            asyncio.get_running_loop().call_later(_WRITE_SECONDS, self._write)
        self._waiting.append((name, begin, monotonic_ns(), detail))

    def _write(self) -> None:
        text = "".join(json.dumps(row) + "\n" for row in self._waiting)
        self._waiting.clear()
        with self._path.open("a") as file:
            file.write(text)


def main() -> None:
    """Run the gateway with stamps."""
    path = sys.argv.pop(1)
    stamps = Stamps(Path(path))
    _stamp(stamps, Reception, "hear", len)
    _stamp(stamps, GatewayStore, "consume", lambda *_: None)
    _stamp(stamps, GatewayStore, "plan", lambda *_, **__: None)
    _stamp(stamps, GatewayStore, "say", lambda said, **_: [str(item.kind) for item in said])
    _stamp(stamps, Hand, "attempt", lambda aim: aim.command.hex())
    _stamp(stamps, ModbusLink, "read", lambda unit, address, count, *_: [unit, address, count])
    _stamp(stamps, ModbusLink, "write", lambda unit, address, words: [unit, address, list(words)])
    _stamp_plain(stamps, Gate, "consider")
    command.run()


def _stamp(stamps: Stamps, owner: type, name: str, detail: Detail) -> None:
    whole: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(whole)
    async def stamped(self: object, *arguments: Any, **named: Any) -> Any:
        begin = monotonic_ns()
        try:
            return await whole(self, *arguments, **named)
        finally:
            stamps.put(name, begin, detail(*arguments, **named))

    setattr(owner, name, stamped)


def _stamp_plain(stamps: Stamps, owner: type, name: str) -> None:
    whole: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(whole)
    def stamped(self: object, *arguments: Any, **named: Any) -> Any:
        begin = monotonic_ns()
        outcome = whole(self, *arguments, **named)
        stamps.put(name, begin, type(outcome).__name__)
        return outcome

    setattr(owner, name, stamped)


if __name__ == "__main__":
    main()
