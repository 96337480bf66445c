"""The milliseconds of each station, as the core passes it: a line for every command that came home."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

from wattseal.bridge.core.outbound import Bundle
from wattseal.certs.statement import Statement

Passage: TypeAlias = tuple[tuple[str, int], ...]

_WORDS: Final = {
    "taken": "sealed as received and read",
    "consented": "consent",
    "sealed": "planned, decided, sealed",
    "committed": "durable",
    "bundle": "on its way",
}
_BEGINNING: Final = "arrived"
_NANOSECONDS: Final = 1_000_000


@dataclass(slots=True)
class Stations:
    """Give `watch` to a core. `line` tells a command's way once its first receipt was heard, and then forgets it."""

    _now: list[tuple[str, int]] = field(default_factory=list)
    _commands: dict[bytes, Passage] = field(default_factory=dict)
    _lines: dict[bytes, str] = field(default_factory=dict)

    def watch(self, what: str, fields: dict[str, object]) -> None:
        """Called by the core at each station, with the moment in monotonic nanoseconds."""
        at = fields["at"]
        if not isinstance(at, int):
            return
        if what == _BEGINNING:
            self._now = []
        self._now.append((what, at))
        bundle, said = fields.get("bundle"), fields.get("statement")
        if what == "bundle" and isinstance(bundle, Bundle):
            passage = tuple(self._now)
            self._commands.update((command.digest, passage) for command in bundle.commands)
            self._now = []
        elif what == "committed" and bundle is None:
            self._now = []  # no command follows from that message now; one that does later has time alone behind it
        elif what == "receipt" and isinstance(said, Statement):
            passage = self._commands.pop(said.header.parents[0], ())
            if passage and passage[0][0] == _BEGINNING:
                self._lines[said.header.parents[0]] = _line(passage, at)

    def line(self, command: bytes) -> str | None:
        """The way of that command, told once."""
        return self._lines.pop(command, None)


def _line(passage: Passage, home: int) -> str:
    legs = [
        f"{_WORDS[what]} {(at - before) / _NANOSECONDS:.1f}"
        for (_, before), (what, at) in pairwise(passage)
        if what in _WORDS
    ]
    last = passage[-1][1]
    total = (home - passage[0][1]) / _NANOSECONDS
    return f"{', '.join(legs)}, gate and device and home {(home - last) / _NANOSECONDS:.1f}: {total:.1f} ms in all"
