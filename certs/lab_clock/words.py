"""What is said on the clock's socket: one JSON object a line. Pure; times are whole microseconds.

    participant                                           clock
    {"join": NAME}                               ->
                                                 <-       {"at": A, "wall": W, "turn": T, "go": B}
    {"turn": T, "doings": N, "wake": A or null}  ->       once it is idle; and so on, turn after turn

    controller                                            clock
    {"ask": VERB, ...}                           ->
                                                 <-       {"ok": true, "at": A, "wall": W} | {"ok": false, ...}

`at` counts from the clock's start, `wall` is unix time of the same moment, `turn` numbers the questions, `doings`
counts what a participant has done since it joined, `wake` is when the first of its timers is due. Where `go` is false,
others have a timer at the same moment and come first: what hears nothing from them waits with its own.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wattseal.certs.errors import MisuseError, PeerError

MICROSECONDS: Final = 1_000_000
LONGEST_LINE_BYTES: Final = 4096
LONGEST_ADVANCE_SECONDS: Final = 400 * 86_400.0
_SCHEME: Final = "unix:"


class ClockWordError(PeerError):
    """A line that is no word of this clock (`clock_word_malformed`)."""


@dataclass(frozen=True, slots=True)
class Told:
    """The clock's word: the time, and a turn that wants an answer. `go`: whether timers that are due may run."""

    at: int
    wall: int
    turn: int
    go: bool = True

    def line(self) -> bytes:
        """The line on the wire."""
        return _line({"at": self.at, "wall": self.wall, "turn": self.turn, "go": self.go})


@dataclass(frozen=True, slots=True)
class Idle:
    """A participant's word: nothing is left to do until `wake` (None: until it hears from somebody)."""

    turn: int
    doings: int
    wake: int | None

    def line(self) -> bytes:
        """The line on the wire."""
        return _line({"turn": self.turn, "doings": self.doings, "wake": self.wake})


def join_line(name: str) -> bytes:
    """A participant's first line."""
    return _line({"join": name})


def ask_line(verb: str, **details: object) -> bytes:
    """A controller's line."""
    return _line({"ask": verb, **details})


def answer_line(told: Told) -> bytes:
    """The clock's answer to a controller."""
    return _line({"ok": True, "at": told.at, "wall": told.wall, "turn": told.turn, "go": told.go})


def refusal_line(reason: str, sentence: str) -> bytes:
    """The clock's refusal."""
    return _line({"ok": False, "error": reason, "message": sentence})


def words_in(line: bytes) -> dict[str, object]:
    """One line taken apart. Raises `ClockWordError`."""
    try:
        words = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ClockWordError("clock_word_malformed", "A line on the clock's socket is not JSON.") from error
    if not isinstance(words, dict):
        raise _malformed()
    return words


def read_told(line: bytes) -> Told:
    """The clock's word. Raises `ClockWordError`."""
    match words_in(line):
        case {"at": int(at), "wall": int(wall), "turn": int(turn), "go": bool(go)}:
            return Told(at, wall, turn, go)
    raise _malformed()


def read_idle(line: bytes) -> Idle:
    """A participant's word. Raises `ClockWordError`."""
    match words_in(line):
        case {"turn": int(turn), "doings": int(doings), "wake": (int() | None) as wake}:
            return Idle(turn, doings, wake)
    raise _malformed()


def microseconds(seconds: float) -> int:
    """Whole microseconds, rounded up: a timer is never said to be due before it is."""
    return math.ceil(seconds * MICROSECONDS)


def span(seconds: object) -> int:
    """How far to move on, in microseconds. Raises `MisuseError` (`clock_advance`) outside 0 seconds to 400 days."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_ADVANCE_SECONDS:
        raise MisuseError("clock_advance", "Advance the clock by 0 seconds to 400 days; time does not go back.")
    return round(seconds * MICROSECONDS)


def socket_named(text: str) -> Path:
    """The path in `unix:PATH`. Raises `MisuseError` (`clock_address_wrong`)."""
    if not text.startswith(_SCHEME) or text == _SCHEME:
        raise MisuseError("clock_address_wrong", f"{text!r} is no clock; write unix:PATH, the socket of a lab's clock.")
    return Path(text.removeprefix(_SCHEME))


def _line(words: dict[str, object]) -> bytes:
    return json.dumps(words, separators=(",", ":")).encode() + b"\n"


def _malformed() -> ClockWordError:
    return ClockWordError("clock_word_malformed", "A line on the clock's socket is none of its words.")
