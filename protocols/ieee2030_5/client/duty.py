"""A duty: something owed to the server besides reading (to register, to put status, to post readings, to answer).

Each duty keeps a durable state of its own and says what is due now; the session sends, repeats and settles. An errand
is repeated, after a growing pause, until the server gave a final word (2xx or 4xx); a 4xx is never repeated unchanged.
"""

from dataclasses import dataclass
from typing import Protocol

from wattseal.protocols.ieee2030_5.client.exchange import Answer, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening
from wattseal.protocols.ieee2030_5.client.survey import Survey


@dataclass(frozen=True, slots=True)
class Errand:
    """One request that is due. `key` names it: (duty, what it is about, ...); one of a key is under way at a time.

    `reread`: where a lost answer may hide a success, the address to read anew before the duty is asked for it again;
    empty: it may be repeated as it is. `news_at`: an address where the server's reaction will show, read again as soon
    as it has taken the request; empty: none.
    """

    key: tuple[str, ...]
    request: Request
    reread: str = ""
    news_at: str = ""


class Duty(Protocol):
    """One duty of the client. Times are unix seconds of our own clock; everything is pure but for its own state."""

    @property
    def name(self) -> str:
        """The first part of its errands' keys, and its name in the durable state."""
        ...

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """What is owed now, given what was read; asked after every change and at `wake_at`."""
        ...

    def wake_at(self, now: int) -> int | None:
        """When something becomes due by the clock alone; None: never."""
        ...

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        """The server's final word on an errand (2xx or 4xx)."""
        ...

    def dump(self) -> bytes:
        """Its state for the disk; empty where there is none."""
        ...

    def load(self, data: bytes) -> None:
        """Its state from the disk. Raises WorldError where the bytes are not of this release."""
        ...
