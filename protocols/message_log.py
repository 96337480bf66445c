"""The raw messages of a server, each in a file of its own, with one line about each in `index.jsonl`.

Written before the answer leaves, so that the record is never behind what a client has seen. Knows no message's content.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from wattseal.certs.errors import WorldError

INDEX: Final = "index.jsonl"


class LoggedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the index. `direction` is received or sent, or answered: what came back for what was sent unasked.

    `status` is the HTTP status of an answer, None where there was none.

    `service` is what the message belongs to, as it stands in the file's name; `about` more of it, where that is little.
    """

    serial: int
    at: datetime
    direction: str
    service: str
    status: int | None
    peer: str
    bytes: int
    sha256: str
    file: str
    about: str = ""


class MessageLog:
    """Appends to a directory; goes on counting where an earlier run stopped. Without a directory it keeps nothing."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._serial = 0

    def open(self) -> None:
        """Makes the directory. Raises WorldError (`message_log_unwritable`)."""
        if self._directory is None:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._serial = max((int(one.name[:6]) for one in self._directory.glob("[0-9]*.xml")), default=0)
        except (OSError, ValueError) as error:
            raise WorldError(
                "message_log_unwritable", f"Cannot keep messages in {self._directory}: {error}."
            ) from error

    def keep(
        self,
        at: datetime,
        direction: str,
        service: str,
        peer: str,
        content: bytes,
        status: int | None,
        about: str = "",
    ) -> None:
        """Writes one message. Raises WorldError (`message_log_unwritable`)."""
        if self._directory is None:
            return
        self._serial += 1
        name = f"{self._serial:06}-{direction}-{service}.xml"
        line = LoggedMessage(
            serial=self._serial,
            at=at,
            direction=direction,
            service=service,
            status=status,
            peer=peer,
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            file=name,
            about=about,
        )
        try:
            (self._directory / name).write_bytes(content)
            with (self._directory / INDEX).open("ab") as index:
                index.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            raise WorldError("message_log_unwritable", f"Cannot write {name}: {error.strerror}.") from error
