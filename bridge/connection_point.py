"""The loop at the connection point: what devices may do together so that the site stays within a limit. Pure, integer.

The background is what the meter shows less what the devices that can be narrowed measure: household, other generation,
and every device that cannot be told. The room is the limit less the background, and is shared by capacity. One function
serves both directions; inside it numbers point *toward* the limit (export for one, import for the other).

1. Tightening acts at once, and leaves `MARGIN_WATTS` below the room. Noise below the margin writes nothing.
2. Loosening waits: only what the room was at its lowest during `LOOSEN_SECONDS` is given back, and only where that is
   `BAND_WATTS` or more. So a load that comes and goes costs two orders a period, not one at each sample.
3. Meter and devices are read at different moments. Until both are read `SETTLE_SECONDS` after the last change, devices
   count with the most that they may have done at the meter's moment: only what is proved tightens, nothing loosens.
4. A limit never becomes a setpoint: where the background alone breaks it, devices are held at 0 W toward the limit, and
   that is told. Nobody is asked to absorb so that others may export.
5. Without a meter's word (silent, or disbelieved) export counts on no household load, import on the last load that was
   known, or on none of the limit being free. A background that itself leans toward the limit is remembered.
6. A meter must be seen to move with the devices (a wrong sign, frozen registers). At the beginning, and where it did
   not, devices that give `TEST_WATTS` or more are turned down by `PROBE_WATTS`, the safe way; a meter that does not
   answer to that is not believed, and rule 5 holds until a later probe is answered.

Knows no site file, no event and no order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from wattseal.bridge.sharing import share

MARGIN_WATTS: Final = 50
BAND_WATTS: Final = 100
LOOSEN_SECONDS: Final = 30
SETTLE_SECONDS: Final = 15  # the longest settle time of a profile, `alfen_eve`
TEST_WATTS: Final = 500  # the devices' move, at least, by which a meter is judged
PROBE_WATTS: Final = 1000
PROBE_SECONDS: Final = 120  # between two probes of a meter that is not believed
_UNTRIED: Final = 1
_DISBELIEVED: Final = 2  # one failed test may be the household's doing


class Flow(StrEnum):
    """Which way power crosses the connection point."""

    EXPORT = "export"
    IMPORT = "import"

    @property
    def sign(self) -> int:
        """What turns the generator's sign into "toward the limit"."""
        return 1 if self is Flow.EXPORT else -1


@dataclass(frozen=True, slots=True)
class Measured:
    """Watts in the generator's sign, and the unix second at which they were true."""

    watts: int
    at: int


@dataclass(frozen=True, slots=True)
class Part:
    """A device that can be narrowed in this direction. `measured` None: it is not known what it does now."""

    device: str
    capacity_watts: int
    measured: Measured | None


@dataclass(frozen=True, slots=True)
class Hold:
    """What the loop remembers of one direction between two looks; all watts toward the limit.

    `room_watts` is what the devices together may do, since `changed_at`; `meter_watts` and `devices_watts` were
    measured then (None: not all of them). `low_watts` is the least room since `low_since`. `background_watts` is the
    last that was known. `tested`: the change has been compared with the meter. `doubts`: comparisons in a row that
    failed; 1 before the first.
    """

    room_watts: int
    changed_at: int
    meter_watts: int | None
    devices_watts: int
    low_watts: int
    low_since: int
    background_watts: int | None
    tested: bool
    doubts: int

    @property
    def believed(self) -> bool:
        """Whether the meter's word counts."""
        return self.doubts < _DISBELIEVED


@dataclass(frozen=True, slots=True)
class Holds:
    """Both directions; None where no limit is in force."""

    export: Hold | None = None
    importing: Hold | None = None

    def of(self, flow: Flow) -> Hold | None:
        """The hold of that direction."""
        return self.export if flow is Flow.EXPORT else self.importing

    def __bool__(self) -> bool:
        """Whether a limit is being held."""
        return self.export is not None or self.importing is not None


NOTHING_HELD: Final = Holds()


@dataclass(frozen=True, slots=True)
class Holding:
    """The answer: watts for each device by name (toward the limit, not negative), what to remember, and words.

    `notes` are assumptions made and what could not be carried out.
    """

    limits: Mapping[str, int]
    hold: Hold
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One look, toward the limit. `background` None: nothing new is known. `settled`: the readings agree in time."""

    background: int | None
    devices: int
    settled: bool


def hold(
    flow: Flow, limit_watts: int, meter: Measured | None, parts: Sequence[Part], before: Hold | None, now: int
) -> Holding:
    """What each of `parts` may do now. `meter` None: silent or stale. `before` None: the limit has just come."""
    capacity = {part.device: part.capacity_watts for part in parts if part.capacity_watts > 0}
    before = _judged(flow, meter, parts, before)
    believed = meter if before is None or before.believed else None
    seen = _look(flow, believed, parts, before, capacity)
    known = None if before is None else before.background_watts
    if seen.settled and believed is not None:
        known = seen.background
    free, notes = _free(flow, limit_watts, seen, known, heard=believed is not None)
    notes += tuple(_doubts(flow, meter, parts, before))
    shown = None if meter is None or any(part.measured is None for part in parts) else flow.sign * meter.watts
    after = _next(free, sum(capacity.values()), before, seen, shown, now)
    limits = {part.device: 0 for part in parts} | share(after.room_watts, capacity)
    return Holding(limits, replace(after, background_watts=known), notes)


def _look(
    flow: Flow, meter: Measured | None, parts: Sequence[Part], before: Hold | None, capacity: Mapping[str, int]
) -> _Seen:
    """What the readings say of the background. A device that is not measured counts as part of it."""
    known = {part.device: part.measured for part in parts if part.measured is not None}
    devices = sum(flow.sign * measured.watts for measured in known.values())
    if meter is None:
        return _Seen(None, devices, settled=True)
    if before is None or _settled(meter, parts, before):
        return _Seen(flow.sign * meter.watts - devices, devices, settled=True)
    if meter.at <= before.changed_at:
        return _Seen(None, devices, settled=False)
    told = share(before.room_watts, capacity)
    most = sum(max(flow.sign * measured.watts, told.get(name, 0)) for name, measured in known.items())
    return _Seen(flow.sign * meter.watts - max(most, before.devices_watts), devices, settled=False)


def _settled(meter: Measured, parts: Sequence[Part], before: Hold) -> bool:
    moments = [meter.at, *(part.measured.at for part in parts if part.measured is not None)]
    return min(moments) >= before.changed_at + SETTLE_SECONDS


def _free(
    flow: Flow, limit_watts: int, seen: _Seen, known: int | None, *, heard: bool
) -> tuple[int | None, tuple[str, ...]]:
    """The room that is left (negative: the background alone breaks the limit), or None where nothing new is known."""
    if heard:
        background = known if seen.background is None else seen.background  # a new limit need not wait for a reading
        if background is None:
            return None, ()
        free = limit_watts - background
        beyond = f"the {flow} limit of {limit_watts} W is broken by {-free} W without the devices; they are held at 0 W"
        return free, (beyond,) if free < 0 else ()
    if flow is Flow.EXPORT:
        return limit_watts - max(0, known or 0), ("no word of the meter: export counts on no household load",)
    if known is None:
        return 0, ("no word of the meter, and no load known: devices may draw nothing",)
    return limit_watts - max(0, known), (f"no word of the meter: import counts on the last known load of {known} W",)


def _doubts(flow: Flow, meter: Measured | None, parts: Sequence[Part], before: Hold | None) -> Sequence[str]:
    doubts = [f"{part.device} tells no power: it counts as household" for part in parts if part.measured is None]
    if meter is not None and before is not None and not before.believed:
        doubts.append(f"the meter did not move with the devices ({flow}): check its sign and whether it stands still")
    return doubts


def _next(free: int | None, capacity: int, before: Hold | None, seen: _Seen, shown: int | None, now: int) -> Hold:
    """The rules 1 to 3. The same `Hold` comes back where nothing changes."""
    if free is None and before is not None:
        return before
    room = max(0, min(capacity, (free or 0) - MARGIN_WATTS))
    if before is None or max(0, free or 0) < before.room_watts:
        return _changed(room, capacity, before, seen, shown, now)
    if not seen.settled:
        return before
    if _probe_due(before, seen, now):
        return _changed(max(0, seen.devices - PROBE_WATTS), capacity, before, seen, shown, now)
    low = min(before.low_watts, room)
    if now < before.low_since + LOOSEN_SECONDS:
        return replace(before, low_watts=low)
    if low >= before.room_watts + BAND_WATTS or before.room_watts < low == capacity:
        return _changed(low, capacity, before, seen, shown, now)
    return replace(before, low_watts=room, low_since=now)


def _probe_due(before: Hold, seen: _Seen, now: int) -> bool:
    wait = 0 if before.believed else PROBE_SECONDS
    return bool(before.doubts) and before.tested and seen.devices >= TEST_WATTS and now >= before.changed_at + wait


def _changed(room: int, capacity: int, before: Hold | None, seen: _Seen, shown: int | None, now: int) -> Hold:
    doubts = _UNTRIED if before is None else before.doubts
    return Hold(room, now, shown, seen.devices, capacity, now, None, tested=shown is None, doubts=doubts)


def _judged(flow: Flow, meter: Measured | None, parts: Sequence[Part], before: Hold | None) -> Hold | None:
    """`before`, with the last change compared with the meter once both have settled.

    Devices that moved by `TEST_WATTS` or more must have moved the meter the same way, by a quarter of it at least; the
    household may have done the rest.
    """
    if before is None or before.tested or meter is None or not _settled(meter, parts, before):
        return before
    if before.meter_watts is None or any(part.measured is None for part in parts):
        return replace(before, tested=True)
    moved = sum(flow.sign * part.measured.watts for part in parts if part.measured is not None) - before.devices_watts
    if abs(moved) < TEST_WATTS:
        return replace(before, tested=True)
    followed = flow.sign * meter.watts - before.meter_watts
    way = 1 if moved > 0 else -1
    moves_along = 4 * followed * way >= abs(moved)
    return replace(before, tested=True, doubts=0 if moves_along else min(before.doubts + 1, _DISBELIEVED))
