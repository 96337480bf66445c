"""What one mode's value comes to: a wish with the point where it holds, or the reason why it is not carried."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from wattseal.protocols.grid_event import Point
from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.wish import Wish


@dataclass(frozen=True, slots=True)
class Meant:
    """A wish that is asked for. `remarks` names what else the value held, or how it was rounded."""

    wish: Wish
    remarks: tuple[str, ...] = ()


class NotCarriedError(Exception):
    """Internal: the value is no wish of ours. `reason` is a stable word, `what` the rest of a sentence."""

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason
        self.what = what


Reader: TypeAlias = Callable[[Any, Ratings], Meant]
"""The wish of a decoded wire value (`modes.value_of`) at a device with these ratings. Raises `NotCarriedError`."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A mode that is carried: where its wish holds, and who reads its value."""

    point: Point
    read: Reader
