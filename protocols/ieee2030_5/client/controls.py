"""An event of any function set as the event engine carries it, and the lists that events come in. Pure.

A control that had to be left out is no control that vanished: if it was never known, it goes in as an invalid one, so
that the engine answers 253 for it; if it was, or if it has no name, the list is told in part and nothing of it counts
as gone.
"""

from collections.abc import Iterable
from typing import Final

from wattseal.protocols.ieee2030_5.base import Event, RandomizableEvent
from wattseal.protocols.ieee2030_5.codec import LeftOutItem
from wattseal.protocols.ieee2030_5.engine.inputs import Control, CurrentStatus, Program, Setting
from wattseal.protocols.ieee2030_5.engine.state import State

_STATUSES: Final = frozenset(CurrentStatus)


def control_from(
    event: Event,
    settings: tuple[Setting, ...],
    *,
    device_category: int | None = None,
    ramp_hundredths: int | None = None,
) -> Control:
    """What every event has, with what this one asks."""
    current = int(event.event_status.current_status)
    drawn = event if isinstance(event, RandomizableEvent) else None
    return Control(
        mrid=bytes.fromhex(event.mrid),
        creation_time=event.creation_time,
        start=event.interval.start,
        duration_seconds=event.interval.duration,
        settings=settings,
        status=CurrentStatus(current) if current in _STATUSES else CurrentStatus.SCHEDULED,
        version=event.version or 0,
        randomize_start_seconds=0 if drawn is None else drawn.randomize_start or 0,
        randomize_duration_seconds=0 if drawn is None else drawn.randomize_duration or 0,
        device_category=device_category,
        response_required=event.response_required or 0,
        reply_to=event.reply_to or "",
        ramp_hundredths=ramp_hundredths,
    )


def listed(
    controls: tuple[Control, ...], sound: tuple[Control, ...], left_out: Iterable[LeftOutItem], state: State
) -> tuple[tuple[Control, ...], bool]:
    """What a list comes to, and whether it is only known in part. `sound`: those of `controls` that can be told now."""
    names = {control.mrid for control in controls}
    missing = [one for one in left_out if one.mrid is None or bytes.fromhex(one.mrid) not in names]
    invalid = tuple(_invalid(one) for one in missing if one.mrid is not None and not _knows(state, one.mrid))
    partial = len(sound) < len(controls) or any(one.mrid is None or _knows(state, one.mrid) for one in missing)
    return sound + invalid, partial


def still_known(programs: list[Program], state: State, *, unread: bool) -> tuple[Program, ...]:
    """The programmes; those that a device keeps because its assignments could not be read are kept with it."""
    here = {program.mrid for program in programs}
    kept = [Program(mrid, known.primacy, default_read=False) for mrid, known in state.programs.items()]
    return (*programs, *(one for one in kept if unread and one.mrid not in here))


def _knows(state: State, mrid: str) -> bool:
    """Whether the engine knows an event as a valid one."""
    event = state.events.get(bytes.fromhex(mrid))
    return event is not None and bool(event.control.settings)


def _invalid(one: LeftOutItem) -> Control:
    """A control without content: the engine finds it invalid and answers for it."""
    try:
        required = int(one.response_required or "0", 16)
    except ValueError:
        required = 0
    mrid = bytes.fromhex(one.mrid or "")
    return Control(mrid, 0, 0, 0, (), response_required=required & 0xFF, reply_to=one.reply_to or "")
