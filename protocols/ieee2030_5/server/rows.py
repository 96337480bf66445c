"""What a row of the table of routes is: a plain path with numbers left open, its guard, and what each verb does."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.server.access import Ids
from wattseal.protocols.ieee2030_5.server.turn import Listing, Outcome, Turn

G = TypeVar("G")
_NUMBER: Final = re.compile(r"(?<=/)[0-9]{1,15}(?=/|\Z)")
View = Resource | Listing | None
"""What a GET shows; None: nothing is there."""


@dataclass(frozen=True, slots=True)
class Write(Generic[G]):
    """A PUT or POST: the types of document that it takes, and what it does.

    `returned`: the document is given back on a GET, so that what could not be written again is refused.
    """

    kinds: tuple[type[msgspec.Struct], ...]
    do: Callable[[Turn, G], Outcome]
    returned: bool = True


@dataclass(frozen=True, slots=True)
class Row(Generic[G]):
    """One kind of resource. `pattern` has ``#`` for each number."""

    pattern: str
    guard: Callable[[Turn, Ids], G | None]
    get: Callable[[Turn, G], View] | None = None
    writes: Mapping[str, Write[G]] = field(default_factory=dict)
    delete: Callable[[Turn, G], Outcome] | None = None

    @property
    def verbs(self) -> tuple[str, ...]:
        """What Allow says."""
        reads = ("GET", "HEAD") if self.get is not None else ()
        return (*reads, *self.writes, *(("DELETE",) if self.delete is not None else ()))


def pattern_of(path: str) -> tuple[str, Ids]:
    """A plain path as its pattern and its numbers."""
    return _NUMBER.sub("#", path), tuple(int(one) for one in _NUMBER.findall(path))


Table = Mapping[str, Row[Any]]


def table(*rows: Row[Any]) -> Table:
    """Rows by pattern."""
    return {row.pattern: row for row in rows}
