"""One request on its way through the core: what is asked, by whom, when, in which world; and what comes of it.

Handlers take a turn and what the guard of their route found, and give a resource or an outcome. They never see an
address: they name plain paths, and `Turn.at` writes them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, overload

import msgspec

from wattseal.protocols.ieee2030_5.base import Error, Link, List, ListLink, Resource
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.hrefs import Hrefs, path_of
from wattseal.protocols.ieee2030_5.server.state import World
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason

MRID_SUFFIX: Final = "00007ED9"
"""The low 32 bits of every mRID made here: the enterprise number that is set aside for documents."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` without query, `query` without question mark; `accept` and `media_type` as headers say.

    `host` None: an HTTP/1.1 request came without that header.
    """

    method: str
    path: str
    query: str = ""
    accept: str = ""
    media_type: str = ""
    body: bytes = b""
    host: str | None = ""


class Views(Sequence[Resource]):
    """Resources that are made when they are looked at: a page of a long list costs a page."""

    def __init__(self, makers: Sequence[Callable[[], Resource]]) -> None:
        self._makers = makers

    def __len__(self) -> int:
        return len(self._makers)

    @overload
    def __getitem__(self, place: int) -> Resource: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Resource, ...]: ...
    def __getitem__(self, place: int | slice) -> Resource | tuple[Resource, ...]:
        if isinstance(place, slice):
            return tuple(make() for make in self._makers[place])
        return self._makers[place]()


@dataclass(frozen=True, slots=True)
class Listing:
    """A list before it is cut into a page. `stamps` are the times by which `a` selects, for lists that have them.

    `poll`: the kind whose poll rate it shows, empty for none.
    """

    kind: type[List]
    items: Sequence[Resource]
    poll: str = ""
    stamps: tuple[int, ...] | None = None
    subscribable: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What the core answers. `resource` is not encoded yet; `location` is a plain path; `document` goes out as is."""

    status: int
    resource: msgspec.Struct | None = None
    location: str | None = None
    allow: tuple[str, ...] = ()
    document: tuple[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and the world after it."""

    answer: Answer
    world: World


@dataclass(frozen=True, slots=True)
class Turn:
    """One request in its world. `caller` is the LFDI of the TLS certificate; `now` unix seconds by the wall.

    `document` is the body of a PUT or POST, read.
    """

    world: World
    config: ServerConfig
    hrefs: Hrefs
    caller: str
    now: int
    path: str = ""
    request: Request = field(default_factory=lambda: Request("GET", "/"))
    document: Any = None

    @property
    def clock(self) -> int:
        """The server's own time."""
        return self.now + self.world.clock.offset

    @property
    def is_aggregator(self) -> bool:
        """Whether the caller's certificate stands for many devices."""
        return self.caller in self.config.aggregators or self.caller in self.world.aggregators

    def at(self, *steps: str | int) -> str:
        """The address of a plain path."""
        return self.hrefs.write(path_of(*steps))

    def link(self, *steps: str | int) -> Link:
        """A link to it."""
        return Link(href=self.at(*steps))

    def list_link(self, count: int | None, *steps: str | int) -> ListLink:
        """A link to a list of so many; None does not say."""
        return ListLink(href=self.at(*steps), all=count)

    def poll_seconds(self, kind: str) -> int:
        """The poll rate of a kind of resource."""
        return self.world.polls.get(kind, self.config.poll_seconds)

    def mrid(self, serial: int) -> str:
        """A new mRID for what has this serial."""
        return mrid_of(self.world, serial)

    def after(self, world: World) -> "Turn":
        """The same turn in the next world."""
        return replace(self, world=world)

    def refuse(self, status: HTTPStatus, reason: ErrorReason | None = None) -> Outcome:
        """Nothing changed; a 4xx with an Error where a reason is given."""
        return Outcome(Answer(status, None if reason is None else Error(reason_code=reason)), self.world)

    def created(self, location: str, world: World | None = None) -> Outcome:
        """201 with the address."""
        return Outcome(Answer(HTTPStatus.CREATED, location=location), world or self.world)

    def done(self, world: World | None = None, location: str | None = None) -> Outcome:
        """204."""
        return Outcome(Answer(HTTPStatus.NO_CONTENT, location=location), world or self.world)


def mrid_of(world: World, serial: int) -> str:
    """An mRID that nobody has met before: the world's epoch, the serial, the enterprise number."""
    return f"{world.epoch:0>12}{serial:012X}{MRID_SUFFIX}".upper()[-32:]
