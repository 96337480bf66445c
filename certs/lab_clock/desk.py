"""The clock's arithmetic, without sockets: who takes part, whether all is at rest, and where time goes next.

Theory of operation. Time moves only while all is at rest, from one due timer to the next, whosever it is; so no timer
is late because another process had not yet come to an earlier one. *At rest* is found out by asking, not by waiting:

    ask (turn n)      every participant answers once it is idle, with a count of all that it has done so far
    complete          all have answered turn n
    at rest           complete, and every count is that of the complete turn before

Why that is enough: each participant was idle from its answer to the one turn until its answer to the next, and all of
these spans contain the moment between the turns. Whatever one had sent another before that moment lay in a socket of
this machine, readable, and would have been counted. Work in threads counts as not idle.

    at rest, target ahead      step to the earliest wake, or to the target if that is earlier; ask
    at rest, target reached    done

Where several have a timer at the same moment they go one after another, by name, each until all is at rest again: what
one of them sends is with the others before their own timers run, in every run alike.

A step to a timer lands `BEHIND` later than the timer, as every real clock does: code that computes what is left of a
wait in floating point must not find itself a hair early on a clock that stands still, and turn for ever.
"""

from dataclasses import dataclass, field
from typing import Final

from wattseal.certs.errors import MisuseError
from wattseal.certs.lab_clock.words import Idle, Told

BEHIND: Final = 1
"""Microseconds."""


@dataclass(slots=True)
class _Member:
    name: str
    said: Idle | None = None


@dataclass(slots=True)
class Desk:
    """The state of one clock. `wall_zero` is unix time at its start; `expected`, how many must take part."""

    wall_zero: int
    expected: int = 0
    at: int = 0
    turn: int = 0
    _members: dict[int, _Member] = field(default_factory=dict)
    _before: dict[int, int] = field(default_factory=dict)

    @property
    def told(self) -> Told:
        """The time, and the turn that wants an answer."""
        return Told(self.at, self.wall_zero + self.at, self.turn)

    @property
    def members(self) -> tuple[str, ...]:
        """The names of those who take part."""
        return tuple(member.name for member in self._members.values())

    def joined(self, key: int, name: str) -> Told:
        """One more takes part; what it is told first is a turn like any other."""
        self._members[key] = _Member(name)
        return self.told

    def left(self, key: int) -> None:
        """One takes part no longer."""
        self._members.pop(key, None)

    def ask(self) -> Told:
        """Begins another turn."""
        self.turn += 1
        return self.told

    def answered(self, key: int, idle: Idle) -> None:
        """An answer; one to an earlier turn says nothing."""
        if key in self._members and idle.turn == self.turn:
            self._members[key].said = idle

    def due(self) -> tuple[int, ...]:
        """Whose timers this moment has come for, in the order in which they go."""
        waking = ((m.name, key) for key, m in self._members.items() if m.said is not None and _is_due(m.said, self.at))
        return tuple(key for _, key in sorted(waking))

    @property
    def complete(self) -> bool:
        """Whether everybody has answered the turn that was asked last."""
        return len(self._members) >= self.expected and not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """Who has not answered it yet."""
        return tuple(m.name for m in self._members.values() if m.said is None or m.said.turn != self.turn)

    def at_rest(self) -> bool:
        """Whether this complete turn found everybody where the complete turn before had left them."""
        counts = {key: member.said.doings for key, member in self._members.items() if member.said is not None}
        same, self._before = counts == self._before, counts
        return same

    def step_towards(self, target: int) -> bool:
        """Moves on to the earliest timer, or to `target`; False where that is reached and nothing is due."""
        wakes = [m.said.wake for m in self._members.values() if m.said is not None and m.said.wake is not None]
        wake = min(wakes, default=None)
        if wake is not None and wake <= target:
            self.at = max(wake, self.at) + BEHIND
            return True
        if self.at >= target:
            return False
        self.at = target
        return True

    def begin_at(self, wall: int) -> None:
        """Puts the wall clock forward. Raises `MisuseError` (`clock_in_use`, `clock_backwards`)."""
        if self._members:
            raise MisuseError("clock_in_use", "Set the clock before anybody takes part; later, only advance it.")
        if wall < self.wall_zero + self.at:
            raise MisuseError("clock_backwards", "A lab's clock is never put back; name a later time.")
        self.wall_zero = wall - self.at


def _is_due(idle: Idle, at: int) -> bool:
    return idle.wake is not None and idle.wake <= at
