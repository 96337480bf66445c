"""Whether a mode's value can be carried as it is asked, judged by the translator's own readers and by nothing else.

A value that cannot is no wish of ours: before the event engine sees it, it becomes a stranger mode, so that the utility
draws 252 where nothing else of the event is left, and no Response says of a device what it was never asked for.

The readers refuse what they cannot hold exactly: a number finer than our units, a reference or a type that does not
fit, a value out of range. They round what they say that they round: a limit down to whole watts, a setpoint to the
nearest one. No refusal is a matter of one device's ratings alone; still, a value must be readable at all of the devices
that can do its mode, so that none of them is left out unsaid.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from wattseal.protocols.ieee2030_5 import modes, set_values
from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.ieee2030_5.engine.inputs import Setting
from wattseal.protocols.ieee2030_5.engine.state import State
from wattseal.protocols.ieee2030_5.translating.loads import LOADS
from wattseal.protocols.ieee2030_5.translating.meaning import Carried, Meant, NotCarriedError
from wattseal.protocols.ieee2030_5.translating.table import CARRIED, NOT_CARRIED

Reading: TypeAlias = Meant | NotCarriedError | None


@dataclass(frozen=True, slots=True, order=True)
class Unfit:
    """A mode that was asked for and is not carried. `event`: the mRID, or empty for the default of `programme`."""

    programme: bytes
    event: bytes
    mode: str
    why: str


def carried_of(mode: str) -> Carried | None:
    """How a mode is carried, of DER or of the function sets that steer loads; None where none carries it."""
    return CARRIED.get(mode) or LOADS.get(mode)


def reading(mode: str, value: bytes, ratings: Ratings) -> Reading:
    """What the value of a mode means at such a device; None where the mode is switched off, or not carried at all."""
    try:
        decoded: Any = set_values.value_of(mode, value) if mode in LOADS else modes.value_of(mode, value)
        carried = carried_of(mode)
        return None if carried is None or _is_disabled(decoded) else carried.read(decoded, ratings)
    except NotCarriedError as refused:
        return refused
    except msgspec.MsgspecError:
        return NotCarriedError("value_unreadable", "its stored value is not of this release")


@lru_cache(maxsize=1 << 14)
def refusal(mode: str, value: bytes, ratings: Ratings) -> str | None:
    """Why the value of a mode is not carried at such a device, as the rest of a sentence; None: it is carried."""
    if carried_of(mode) is None:
        return NOT_CARRIED.get(mode, "is not known to this release")
    found = reading(mode, value, ratings)
    return sentence(found) if isinstance(found, NotCarriedError) else None


def sentence(refused: NotCarriedError) -> str:
    """The refusal as the rest of a sentence about the mode."""
    return f"is not carried ({refused.reason}): {refused.what}"


def carried_settings(settings: Iterable[Setting], devices: frozenset[Ratings]) -> tuple[Setting, ...]:
    """The settings, those that are not carried as strangers, whose value then is the reason. Sorted by mode.

    Modes that none of the devices can do are left as they are: the engine answers for them anyway.
    """
    return tuple(sorted((_as_carried(one, devices) for one in settings), key=lambda setting: setting.mode))


def unfit(state: State) -> Iterator[Unfit]:
    """What the engine knows of events and defaults that is not carried, and why."""
    for event in state.events.values():
        yield from _strangers(event.program, event.control.mrid, event.control.settings)
    for mrid, program in state.programs.items():
        if program.default is not None:
            yield from _strangers(mrid, b"", program.default.settings)


def _as_carried(setting: Setting, devices: frozenset[Ratings]) -> Setting:
    reasons = (refusal(setting.mode, setting.value, one) for one in devices if setting.mode in one.modes)
    why = next((reason for reason in reasons if reason is not None), None)
    return setting if why is None else Setting(f"{modes.STRANGER}{setting.mode}", why.encode())


def _strangers(programme: bytes, event: bytes, settings: Iterable[Setting]) -> Iterator[Unfit]:
    for one in settings:
        if one.mode.startswith(modes.STRANGER) and one.value:
            yield Unfit(programme, event, one.mode.removeprefix(modes.STRANGER), one.value.decode(errors="replace"))


def _is_disabled(value: Any) -> bool:
    """2023: a mode that is followed like any other, and is off."""
    return bool(value[1] if isinstance(value, tuple) else getattr(value, "disabled", False))
