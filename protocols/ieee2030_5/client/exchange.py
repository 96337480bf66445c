"""Requests and answers of one 2030.5 server as values: what goes out, and what came back or did not."""

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """The verbs that a client uses."""

    GET = "GET"
    PUT = "PUT"
    POST = "POST"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `href` is absolute on the server: a path with its query. `body` is a document in UTF-8, or empty."""

    method: Method
    href: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `location` as the server wrote it, empty if it did not. `retry_after_seconds`: None if not said.

    `media_type` is lower case without parameters. A status that is not known counts as the x00 of its class.
    """

    status: int
    body: bytes = b""
    media_type: str = ""
    location: str = ""
    retry_after_seconds: int | None = None

    @property
    def good(self) -> bool:
        """Whether the server did what was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the class of success

    @property
    def final(self) -> bool:
        """Whether asking the same again would draw the same refusal (4xx, but for 408 and 429)."""
        return 400 <= self.status < 500 and self.status not in {408, 429}  # noqa: PLR2004 - classes of statuses


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer came: `reason` is the rim's (`peer_unreachable`, `peer_timeout`, `peer_not_trusted`, ...)."""

    reason: str
