"""One process that takes part in a lab's clock: its end of the socket, and the time as it was last told.

The socket is written and read without an event loop, because the loop itself is what follows this clock (`loop.py`).
Whoever leaves goes on in real time from where it stood, so that the timers of its own end still run.
"""

import contextlib
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wattseal.certs.clock import VirtualTime
from wattseal.certs.errors import WorldError
from wattseal.certs.lab_clock.words import (
    LONGEST_LINE_BYTES,
    MICROSECONDS,
    ClockWordError,
    Idle,
    Told,
    ask_line,
    join_line,
    read_told,
)

_PATIENCE_SECONDS: Final = 10.0


class ClockLostError(WorldError):
    """The clock cannot be reached (`clock_unreachable`), or has gone away (`clock_lost`)."""


class Participant(VirtualTime):
    """Takes part from `join` until `leave`. A `TimeSource`."""

    def __init__(self, line: socket.socket, told: Told, rest: bytes, real: Callable[[], float]) -> None:
        self._line = line
        self._told = told
        self._rest = rest
        self._real = real
        self._owes = True
        self._left_at: float | None = None

    @classmethod
    def join(cls, path: Path, name: str, real: Callable[[], float] = time.monotonic) -> "Participant":
        """Connects and is told the time. Raises `ClockLostError`."""
        line, told, rest = _first_answer(path, join_line(name))
        line.setblocking(False)
        return cls(line, told, rest, real)

    @property
    def line(self) -> socket.socket:
        """To be watched for reading."""
        return self._line

    @property
    def has_left(self) -> bool:
        """Whether this process is on its own time."""
        return self._left_at is not None

    def has_come(self, wake: int) -> bool:
        """Whether a timer due at `wake` may run."""
        return self._told.at >= wake and self._told.go

    def monotonic(self) -> float:
        """Seconds since the clock's start."""
        return self._told.at / MICROSECONDS + self._own_seconds()

    def wall(self) -> float:
        """Unix seconds."""
        return self._told.wall / MICROSECONDS + self._own_seconds()

    def utc(self) -> datetime:
        """The wall clock as aware UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)

    def take(self) -> None:
        """Takes in what has come, without waiting. Raises `ClockLostError` where the clock has gone."""
        try:
            piece = self._line.recv(LONGEST_LINE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if not piece or len(self._rest) > LONGEST_LINE_BYTES:
            self.leave()
            raise ClockLostError("clock_lost", "The lab's clock is gone; end what follows it before the clock itself.")
        for line in lines:
            self._told, self._owes = read_told(line), True

    def rest(self, doings: int, wake: int | None) -> None:
        """This process is idle: answers the last turn, if it has not yet."""
        if self._owes and not self.has_left:
            self._owes = False
            with contextlib.suppress(OSError):  # a clock that is gone is met at the next `take`
                self._line.send(Idle(self._told.turn, doings, wake).line())

    def leave(self) -> None:
        """Takes part no longer: time goes on by itself. Safe to call twice."""
        if self._left_at is None:
            self._left_at = self._real()
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Lets go of the socket."""
        self.leave()
        self._line.close()

    def _own_seconds(self) -> float:
        return 0.0 if self._left_at is None else self._real() - self._left_at


class GlimpsedTime(VirtualTime):
    """The time that a lab's clock showed at one look: for what is judged before anything takes part."""

    def __init__(self, told: Told) -> None:
        self._told = told

    @classmethod
    def at(cls, path: Path) -> "GlimpsedTime":
        """One look. Raises `ClockLostError`."""
        line, told, _ = _first_answer(path, ask_line("time"))
        line.close()
        return cls(told)

    def monotonic(self) -> float:
        """Seconds since the clock's start."""
        return self._told.at / MICROSECONDS

    def wall(self) -> float:
        """Unix seconds."""
        return self._told.wall / MICROSECONDS


def _first_answer(path: Path, asked: bytes) -> tuple[socket.socket, Told, bytes]:
    line = socket.socket(socket.AF_UNIX)
    answer = b""
    try:
        line.settimeout(_PATIENCE_SECONDS)
        line.connect(str(path))
        line.sendall(asked)
        while b"\n" not in answer:
            piece = line.recv(LONGEST_LINE_BYTES)
            if not piece or len(answer) > LONGEST_LINE_BYTES:
                raise _unreachable(path)
            answer += piece
        first, _, rest = answer.partition(b"\n")
        return line, read_told(first), rest
    except (OSError, ClockWordError) as error:
        line.close()
        raise _unreachable(path) from error
    except ClockLostError:
        line.close()
        raise


def _unreachable(path: Path) -> ClockLostError:
    return ClockLostError("clock_unreachable", f"No lab's clock answers at {path}; start it with `simulate clock`.")
