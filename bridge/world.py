"""What a plan is made of and comes to: values only. Decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wattseal.bridge.connection_point import NOTHING_HELD, Holds, Measured
from wattseal.bridge.timeline import ActiveWish, TimedEvent
from wattseal.drivers.commands import Order, Seat

PLANNER: Final = "plan/2"


@dataclass(frozen=True, slots=True)
class DevicePicture:
    """What is known of a device when a plan is made, and the reading that says so.

    `reachable`: the reading is recent enough to be believed. `measured`: the power in it, where it has one.
    """

    name: str
    reading: bytes | None
    soc_permille: int | None
    reachable: bool
    measured: Measured | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Every input of one plan run but the site file itself.

    `held`: the functions beside power that were ordered before, and are to be released when no wish holds them.
    `holds`: what the run before this one left of limits at the site.
    """

    now: int
    events: tuple[TimedEvent, ...]
    devices: tuple[DevicePicture, ...]
    held: frozenset[Seat] = frozenset()
    holds: Holds = NOTHING_HELD


@dataclass(frozen=True, slots=True)
class Desired:
    """What one function of a device should be doing. `source` is the wish that decides; None: the default.

    `not_carried` is about the whole device, and stands with its power. `narrowed_by`: the limit that bites on the
    setpoint of `source`.
    """

    device: str
    order: Order
    source: ActiveWish | None
    not_carried: tuple[str, ...]
    narrowed_by: ActiveWish | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The desired orders of all devices that can be ordered, and what the next run must know of limits at the site."""

    desired: tuple[Desired, ...]
    holds: Holds


def window(wishes: Iterable[ActiveWish]) -> tuple[int, int]:
    """From when and for how many seconds (0: open-ended) all of some wishes hold."""
    together = tuple(wishes)
    since = max(wish.since for wish in together)
    untils = [wish.until for wish in together if wish.until is not None]
    return since, min(untils) - since if untils else 0
