"""Courses of events that the CSIP procedures play on one device and, again, on an aggregator's devices.

BASIC-016 to 026 and AGG-002 to 012 (CSIP Conformance Test Procedures 1.3) are the same eleven courses. Each is written
once for a cast: who stands under the first programme, who under the second, and who under neither and must stay silent.
Limits are hundredths of a percent of setMaxW, times virtual seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from csip_lab_world import POLL, CsipLab, Programme

LEAD = 2 * POLL + 30
"""From the posting of an event to its start: whoever polls knows of it by then."""
LAST = 120
PROMPT = 3
"""Seconds within which a box acts on what it knows: an order, its write and its read-back."""
EARLY = 2
"""Seconds: a device's own timer counts whole seconds and never outlives an order, so it may lapse this much before."""
RECEIVED, STARTED, COMPLETED, CANCELLED, SUPERSEDED, OTHER_PROGRAMME, REFUSED = 1, 2, 3, 6, 7, 14, 252
FIRST_DEFAULT, SECOND_DEFAULT, FIRST, SECOND = 9000, 8000, 4000, 6000

Telling = tuple[int, float | None]
"""A Response's code, and the second at which it says that it was made (None: soon after the posting)."""


@dataclass(frozen=True)
class Cast:
    """Names of devices. `delivered_seconds`: how long news takes at most, by poll or by notification."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    delivered_seconds: int = POLL

    def only_first(self) -> list[str]:
        return [one for one in self.first if one not in self.second]

    def only_second(self) -> list[str]:
        return [one for one in self.second if one not in self.first]

    def both(self) -> list[str]:
        return [one for one in self.first if one in self.second]


def everybody(lab: CsipLab) -> Cast:
    return Cast(tuple(lab.devices), tuple(lab.devices))


def max_lim(hundredths: int) -> dict[str, Any]:
    return {"op_mod_max_lim_w": {"value": hundredths}}


def whole(start: float) -> tuple[Telling, ...]:
    """Received, begun and ended on time."""
    return (RECEIVED, None), (STARTED, start), (COMPLETED, start + LAST)


async def heard(
    lab: CsipLab, mrid: str, posted: float, told: Mapping[str, Sequence[Telling]], delivered_seconds: int = POLL
) -> None:
    """Every device told exactly this of the event, each within a second of its time; whoever is not named, nothing."""
    for name in lab.devices:
        found = await lab.responses(mrid, name)
        expected = told.get(name, ())
        wanted = [status for status, _ in expected]
        assert [one.status for one in found] == wanted, f"{name} told {found}, not {wanted}"
        for one, (_, second) in zip(found, expected, strict=True):
            since, until = (posted, posted + delivered_seconds + PROMPT) if second is None else (second, second + 1)
            assert since - 1 <= one.created <= until, (name, one, expected)
            assert one.at - one.created <= PROMPT, "made and kept back"


async def limits(lab: CsipLab, expected: Mapping[str, int | None]) -> None:
    """The limits in the batteries' registers; none at whoever is not named."""
    found = dict(zip(lab.devices, await lab.limits(), strict=True))
    wanted = {name: expected.get(name) for name in lab.devices}
    assert found == wanted, f"at {lab.now}: {found}, not {wanted}"


# ---- BASIC-016 to 020, AGG-002 to 006: defaults, and events that do not overlap ----------------------------------


async def default_alone(lab: CsipLab, cast: Cast) -> None:
    """016: the default holds, and another one when it is changed; no Response is owed for a default (2018)."""
    programme, before = await lab.add_programme(*cast.first), await _all_responses(lab)
    await lab.set_default(programme, max_lim(FIRST_DEFAULT))
    await lab.advance(2 * POLL + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, FIRST_DEFAULT))
    await lab.set_default(programme, max_lim(SECOND_DEFAULT))
    await lab.advance(cast.delivered_seconds + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, SECOND_DEFAULT))
    assert await _all_responses(lab) == before


async def default_and_event(lab: CsipLab, cast: Cast) -> None:
    """017: the default until the start, the event until its end, then the default."""
    programme = await lab.add_programme(*cast.first)
    await lab.set_default(programme, max_lim(FIRST_DEFAULT))
    posted, begin = lab.now, lab.now + LEAD
    mrid = await lab.add_control(programme, max_lim(FIRST), start_in=LEAD, duration=LAST)
    await lab.advance_to(begin - EARLY)
    await limits(lab, dict.fromkeys(cast.first, FIRST_DEFAULT))
    await lab.advance_to(begin + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, FIRST))
    await lab.advance_to(begin + LAST - EARLY)
    await limits(lab, dict.fromkeys(cast.first, FIRST))
    await lab.advance_to(begin + LAST + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, FIRST_DEFAULT))
    await heard(lab, mrid, posted, dict.fromkeys(cast.first, whole(begin)))


async def two_events_in_a_row(lab: CsipLab, cast: Cast) -> None:
    """018: the second begins where the first ends: no overlap, and no trip through the default in between."""
    programme = await lab.add_programme(*cast.first)
    await lab.set_default(programme, max_lim(FIRST_DEFAULT))
    posted, begin = lab.now, lab.now + LEAD
    mrids = [
        await lab.add_control(programme, max_lim(limit), start_in=LEAD + place * LAST, duration=LAST)
        for place, limit in enumerate((FIRST, SECOND))
    ]
    await lab.advance_to(begin + LAST - EARLY)
    await limits(lab, dict.fromkeys(cast.first, FIRST))
    await lab.advance_to(begin + LAST + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, SECOND))
    for name in cast.first:
        words = [word for _, _, frame in lab.writes(name, since=begin + PROMPT, until=lab.now) for word in frame]
        assert SECOND in words
        assert FIRST_DEFAULT not in words, "through the default"
    await lab.advance_to(begin + 2 * LAST + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, FIRST_DEFAULT))
    for place, mrid in enumerate(mrids):
        await heard(lab, mrid, posted, dict.fromkeys(cast.first, whole(begin + place * LAST)))


async def two_defaults(lab: CsipLab, cast: Cast) -> None:
    """019: of two programmes the default of the lower primacy number holds, whichever came first."""
    second = await lab.add_programme(*cast.second, primacy=2)
    await lab.set_default(second, max_lim(SECOND_DEFAULT))
    await lab.advance(2 * POLL + PROMPT)
    await limits(lab, dict.fromkeys(cast.second, SECOND_DEFAULT))
    first = await lab.add_programme(*cast.first, primacy=1)
    await lab.set_default(first, max_lim(FIRST_DEFAULT))
    await lab.advance(2 * POLL + PROMPT)
    await limits(lab, _layered(cast))


async def an_event_in_each_programme(lab: CsipLab, cast: Cast) -> None:
    """020: an event of the first programme, a pause, an event of the second: both run; the best default in between."""
    first, second = await _two_programmes(lab, cast)
    posted, begin = lab.now, lab.now + LEAD
    later = begin + LAST + POLL
    one = await lab.add_control(first, max_lim(FIRST), start_in=LEAD, duration=LAST)
    other = await lab.add_control(second, max_lim(SECOND), start_in=LEAD + LAST + POLL, duration=LAST)
    await lab.advance_to(begin + PROMPT)
    await limits(lab, _layered(cast) | dict.fromkeys(cast.first, FIRST))
    await lab.advance_to(later - EARLY)
    await limits(lab, _layered(cast))
    await lab.advance_to(later + PROMPT)
    await limits(lab, _layered(cast) | dict.fromkeys(cast.second, SECOND))
    await lab.advance_to(later + LAST + PROMPT)
    await limits(lab, _layered(cast))
    await heard(lab, one, posted, dict.fromkeys(cast.first, whole(begin)))
    await heard(lab, other, posted, dict.fromkeys(cast.second, whole(later)))


# ---- BASIC-021 to 023, AGG-007 to 009: the same control, overlapping ---------------------------------------------


async def overlap_known_before(lab: CsipLab, cast: Cast) -> None:
    """021: both are known before either begins. The one of the worse programme begins within the other: it is aborted
    (14, other programme), never runs, and does not come back for what would be left of it.
    """
    first, second = await _two_programmes(lab, cast)
    posted, begin = lab.now, lab.now + LEAD
    winner = await lab.add_control(first, max_lim(FIRST), start_in=LEAD, duration=LAST)
    loser = await lab.add_control(second, max_lim(SECOND), start_in=LEAD + POLL, duration=LAST)
    await lab.advance_to(begin + POLL + PROMPT)
    await limits(lab, dict.fromkeys(cast.second, SECOND) | dict.fromkeys(cast.first, FIRST))
    await lab.advance_to(begin + LAST + PROMPT)
    await limits(lab, _layered(cast) | dict.fromkeys(cast.only_second(), SECOND))
    await lab.advance_to(begin + POLL + LAST + PROMPT)
    await limits(lab, _layered(cast))
    await heard(lab, winner, posted, dict.fromkeys(cast.first, whole(begin)))
    for name in cast.both():
        statuses = await lab.statuses(loser, name)
        assert statuses == [RECEIVED, OTHER_PROGRAMME]
    await _silent(lab, loser, cast.only_first())
    for name in cast.only_second():
        assert await lab.statuses(loser, name) == [RECEIVED, STARTED, COMPLETED]


async def overlap_in_reverse_order(lab: CsipLab, cast: Cast) -> None:
    """022: the worse programme's event is posted and begins first; the better one begins within it and takes over, to
    the second; the other is aborted then (14) and does not come back.
    """
    first, second = await _two_programmes(lab, cast)
    posted, begin = lab.now, lab.now + LEAD
    loser = await lab.add_control(second, max_lim(SECOND), start_in=LEAD, duration=2 * LAST)
    await lab.advance(POLL + PROMPT)
    late = lab.now
    winner = await lab.add_control(first, max_lim(FIRST), start_in=int(begin + POLL - late), duration=LAST)
    await lab.advance_to(begin + PROMPT)
    await limits(lab, _layered(cast) | dict.fromkeys(cast.second, SECOND))
    await lab.advance_to(begin + POLL + PROMPT)
    await limits(lab, dict.fromkeys(cast.second, SECOND) | dict.fromkeys(cast.first, FIRST))
    await lab.advance_to(begin + POLL + LAST + PROMPT)
    await limits(lab, _layered(cast) | dict.fromkeys(cast.only_second(), SECOND))
    await lab.advance_to(begin + 2 * LAST + PROMPT)
    await limits(lab, _layered(cast))
    await heard(lab, winner, late, dict.fromkeys(cast.first, whole(begin + POLL)))
    ran = (RECEIVED, None), (STARTED, begin), (COMPLETED, begin + 2 * LAST)
    aborted = (RECEIVED, None), (STARTED, begin), (OTHER_PROGRAMME, begin + POLL)
    await heard(lab, loser, posted, dict.fromkeys(cast.only_second(), ran) | dict.fromkeys(cast.both(), aborted))


async def overlap_in_flight(lab: CsipLab, cast: Cast) -> None:
    """023: an event runs when a later one of the same programme is posted over it: 7 at the new one's start."""
    programme = await lab.add_programme(*cast.first)
    await lab.set_default(programme, max_lim(FIRST_DEFAULT))
    posted, begin = lab.now, lab.now + LEAD
    loser = await lab.add_control(programme, max_lim(SECOND), start_in=LEAD, duration=4 * LAST)
    await lab.advance_to(begin + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, SECOND))
    late, take_over = lab.now, lab.now + POLL + 30
    winner = await lab.add_control(programme, max_lim(FIRST), start_in=POLL + 30, duration=LAST)
    await lab.advance_to(take_over + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, FIRST))
    await lab.advance_to(take_over + LAST + PROMPT)
    await limits(lab, dict.fromkeys(cast.first, FIRST_DEFAULT))
    await heard(lab, winner, late, dict.fromkeys(cast.first, whole(take_over)), cast.delivered_seconds)
    superseded = (RECEIVED, None), (STARTED, begin), (SUPERSEDED, take_over)
    await heard(lab, loser, posted, dict.fromkeys(cast.first, superseded))


# ---- BASIC-024 to 026, AGG-010 to 012: independent controls, overlapping -----------------------------------------


async def independent_in_one_programme(lab: CsipLab, cast: Cast) -> None:
    """024: a limit and a power factor of one programme overlap: both run, to their ends."""
    programme = await lab.add_programme(*cast.first)
    posted, begin = lab.now, lab.now + LEAD
    limit = await lab.add_control(programme, max_lim(FIRST), start_in=LEAD, duration=LAST)
    factor = {"op_mod_fixed_pf_inject_w": {"displacement": 950, "excitation": True, "multiplier": -3}}
    other = await lab.add_control(programme, factor, start_in=LEAD + POLL, duration=LAST)
    await _both_run(lab, cast, (limit, other), (posted, posted), begin, _has_power_factor)


async def independent_in_two_programmes(lab: CsipLab, cast: Cast) -> None:
    """025: the programmes differ in primacy, the controls set different modes: both run."""
    first, second = await _two_programmes(lab, cast, defaults=False)
    posted, begin = lab.now, lab.now + LEAD
    limit = await lab.add_control(first, max_lim(FIRST), start_in=LEAD, duration=LAST)
    vars_ = {"op_mod_fixed_var": {"ref_type": 1, "value": 1000}}
    other = await lab.add_control(second, vars_, start_in=LEAD + POLL, duration=LAST)
    await _both_run(lab, cast, (limit, other), (posted, posted), begin, _has_vars)


async def independent_in_flight(lab: CsipLab, cast: Cast) -> None:
    """026: the second is posted while the first runs, by the better programme: neither disturbs the other."""
    second, first = await _two_programmes(lab, Cast(cast.second, cast.first), defaults=False)
    posted, begin = lab.now, lab.now + LEAD
    limit = await lab.add_control(first, max_lim(FIRST), start_in=LEAD, duration=2 * LAST)
    await lab.advance_to(begin - 10)
    cease = {"op_mod_energize": False}
    late = lab.now
    other = await lab.add_control(second, cease, start_in=POLL + 10, duration=LAST)
    await lab.advance_to(begin + POLL + PROMPT)
    await _in_force(lab, cast, _is_out_of_service)
    await lab.advance_to(begin + 2 * LAST + PROMPT)
    ran = (RECEIVED, None), (STARTED, begin), (COMPLETED, begin + 2 * LAST)
    await heard(lab, limit, posted, dict.fromkeys(cast.first, ran))
    await heard(lab, other, late, dict.fromkeys(cast.second, whole(begin + POLL)), cast.delivered_seconds)


Judge = Callable[[dict[str, Any]], bool]


async def _both_run(
    lab: CsipLab, cast: Cast, mrids: tuple[str, str], posted: tuple[float, float], begin: float, shows: Judge
) -> None:
    second = cast.first if shows is _has_power_factor else cast.second
    cast = Cast(cast.first, second)
    await lab.advance_to(begin + POLL + PROMPT + 2)
    await _in_force(lab, cast, shows)
    await lab.advance_to(begin + POLL + LAST + PROMPT)
    for name, device in lab.devices.items():
        assert not shows(await device.points()), f"{name} keeps it beyond the end"
    await limits(lab, {})
    await heard(lab, mrids[0], posted[0], dict.fromkeys(cast.first, whole(begin)))
    await heard(lab, mrids[1], posted[1], dict.fromkeys(cast.second, whole(begin + POLL)))


async def _in_force(lab: CsipLab, cast: Cast, shows: Judge) -> None:
    await limits(lab, dict.fromkeys(cast.first, FIRST))
    for name, device in lab.devices.items():
        assert shows(await device.points()) is (name in cast.second), name


def _has_power_factor(points: dict[str, Any]) -> bool:
    return (points["PFWInjEna"], points["PFWInjPF"], points["PFWInjExt"]) == (1, 950, 1)


def _has_vars(points: dict[str, Any]) -> bool:
    """10 % of setMaxW, injected."""
    return (points["VarSetEna"], points["VarSetMod"], points["VarSetPct"]) == (1, 0, 1000)


def _is_out_of_service(points: dict[str, Any]) -> bool:
    return bool(points["ES"] == 0)


async def _two_programmes(lab: CsipLab, cast: Cast, *, defaults: bool = True) -> tuple[Programme, Programme]:
    first = await lab.add_programme(*cast.first, primacy=1)
    second = await lab.add_programme(*cast.second, primacy=2)
    if defaults:
        await lab.set_default(first, max_lim(FIRST_DEFAULT))
        await lab.set_default(second, max_lim(SECOND_DEFAULT))
    return first, second


def _layered(cast: Cast) -> dict[str, int | None]:
    """The defaults in force: the first programme's wherever it reaches."""
    found: dict[str, int | None] = dict.fromkeys(cast.second, SECOND_DEFAULT)
    return found | dict.fromkeys(cast.first, FIRST_DEFAULT)


async def _silent(lab: CsipLab, mrid: str, names: Sequence[str]) -> None:
    for name in names:
        assert await lab.statuses(mrid, name) == [], name


async def _all_responses(lab: CsipLab) -> int:
    return len((await lab.admin.ask("list", of="responses"))["responses"])
