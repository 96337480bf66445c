"""The device's own write log: one durable JSON line for each write frame that reached it. The judge of "nothing twice".

A line is on disk before the answer leaves, so a dropped connection or a killed process cannot hide a write. Knows
no device and no meaning of a register.
"""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wattseal.certs.errors import WorldError


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """One write frame as received.

    `result` is `ok`, `exception N` (the device's own refusal), `ignored` (acknowledged without effect), or, under a
    fault, `FAULT: ok|exception N|no effect`.
    `function` 5, 15, 21, 22 and 23 are kept too, though they are refused; their `words` are empty.
    """

    time: datetime
    monotonic: float
    unit: int
    function: int
    address: int | None
    words: tuple[int, ...]
    frame: bytes
    result: str

    def to_line(self) -> bytes:
        """One JSON line; `t` is RFC 3339 with microseconds."""
        fields = {
            "t": self.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "monotonic": round(self.monotonic, 6),
            "unit": self.unit,
            "function": self.function,
            "address": self.address,
            "words": list(self.words),
            "frame": self.frame.hex(),
            "result": self.result,
        }
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


class WriteLog:
    """An append-only file of write records; `path` None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.lines = 0

    def open(self) -> None:
        """Raises WorldError `write_log` when the file cannot be opened."""
        if self._path is None:
            return
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise WorldError("write_log", f"The write log {self._path} cannot be opened: {error.strerror}.") from error

    def append(self, record: WriteRecord) -> None:
        """Write and flush to disk. Raises WorldError `write_log`: a device without its judge must stop."""
        self.lines += 1
        if self._descriptor is None:
            return
        line = record.to_line()
        try:
            if os.write(self._descriptor, line) != len(line):
                raise WorldError("write_log", f"The write log {self._path} took only a part of a line: disk full?")
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise WorldError("write_log", f"The write log {self._path} failed: {error.strerror}.") from error

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
