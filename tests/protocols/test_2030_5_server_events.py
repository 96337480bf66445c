"""Events over time: status by the server's clock, supersession, cancellation, what is listed; against an oracle."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from utility_bench import ALICE, START, Bench, bench

from wattseal.protocols.ieee2030_5.base import DateTimeInterval, EventStatus
from wattseal.protocols.ieee2030_5.der_control import DERControl, DERControlBase
from wattseal.protocols.ieee2030_5.quantities import ActivePower
from wattseal.protocols.ieee2030_5.server.events import statuses
from wattseal.protocols.ieee2030_5.server.programs import modes_of
from wattseal.protocols.ieee2030_5.server.state import Clock, Listed
from wattseal.protocols.ieee2030_5.vocabulary import EventState

EXPORT = {"op_mod_exp_lim_w": {"multiplier": 0, "value": 5000}}
IMPORT = {"op_mod_imp_lim_w": {"multiplier": 0, "value": 1500}}


def served(**settings: object) -> tuple[Bench, int]:
    found = bench("csipaus-1.3", **settings)
    found.register(ALICE)
    return found, found.program(found.group(ALICE))


def states(found: Bench, program: int) -> dict[str, EventStatus]:
    return {one.mrid: one.event_status for one in found.get(f"derp/{program}/derc").items}


def test_a_control_is_scheduled_active_complete_and_then_no_longer_listed():
    """1.6: states 0, 1, 5 by the clock; dateTime is that of the change, never in the future."""
    found, program = served(keep_finished_seconds=600)
    mrid = found.control(program, base=EXPORT, start_in=100, duration=50)
    seen = []
    for seconds in (0, 99, 100, 149, 150, 749, 750):
        found.now = START + seconds
        status = states(found, program).get(mrid)
        active = [one.mrid for one in found.get(f"derp/{program}/actderc").items]
        seen.append((seconds, status and (int(status.current_status), status.date_time - START), active == [mrid]))
    assert seen == [
        (0, (0, 0), False),
        (99, (0, 0), False),
        (100, (1, 100), True),
        (149, (1, 100), True),
        (150, (5, 150), False),
        (749, (5, 150), False),
        (750, None, False),
    ]


@pytest.mark.parametrize(("randomized", "state"), [(False, 2), (True, 3)])
@pytest.mark.parametrize("after", [0, 150])
def test_a_cancelled_control_stays_listed_for_its_duration(randomized, state, after):
    """1.6: 2 at once, 3 with randomisation; the server keeps it listed for its duration."""
    found, program = served(keep_finished_seconds=0)
    mrid = found.control(program, base=EXPORT, start_in=100, duration=100)
    found.pass_time(after)
    found.do("cancel", mrid=mrid, randomized=randomized, reason="over")
    status = states(found, program)[mrid]
    assert (status.current_status, status.date_time, status.reason) == (state, START + after, "over")
    found.now = START + 199
    assert states(found, program)[mrid].current_status == state
    found.now = START + 200
    assert states(found, program) == {}


def test_a_newer_control_of_the_same_mode_supersedes_at_its_start():
    """1.6: at the winner's start, not before; until then only potentially, and it does not come back afterwards."""
    found, program = served()
    old = found.control(program, base=EXPORT, start_in=0, duration=1000)
    found.pass_time(10)
    new = found.control(program, base=EXPORT, start_in=90, duration=100)
    before = states(found, program)
    assert (before[old].current_status, before[old].potentially_superseded) == (EventState.ACTIVE, True)
    assert before[old].potentially_superseded_time == START + 10
    assert before[new].potentially_superseded is False
    for seconds, wanted in ((100, (4, 1)), (199, (4, 1)), (200, (4, 5)), (900, (4, 5))):
        found.now = START + seconds
        now = states(found, program)
        assert (now[old].current_status, now[new].current_status) == wanted
        assert now[old].date_time == START + 100


def test_other_modes_and_other_programmes_do_not_supersede():
    """1.6: independent controls run concurrently; across programmes the devices judge."""
    found, program = served()
    group = found.world.groups[0].serial
    other = found.program(group, primacy=0)
    mrids = {program: [found.control(program, base=EXPORT), found.control(program, base=IMPORT)]}
    mrids[other] = [found.control(other, base=EXPORT | IMPORT)]
    for one, expected in mrids.items():
        got = states(found, one)
        assert {got[mrid].current_status for mrid in expected} == {EventState.ACTIVE}
        assert not any(got[mrid].potentially_superseded for mrid in expected)


def test_one_mode_of_two_leaves_the_other_running():
    """Supersession is per mode: an event that keeps one of its modes is overlapped, not superseded."""
    found, program = served()
    both = found.control(program, base=EXPORT | IMPORT, creation_time=START - 5)
    found.control(program, base=EXPORT, creation_time=START - 4)
    status = states(found, program)[both]
    assert (status.current_status, status.potentially_superseded) == (EventState.ACTIVE, True)
    found.control(program, base=IMPORT, creation_time=START - 3)
    assert states(found, program)[both].current_status == EventState.SUPERSEDED


def test_back_to_back_is_no_overlap():
    """1.6: an event that starts exactly at another's end is not an overlap."""
    found, program = served()
    first = found.control(program, base=EXPORT, duration=100)
    found.control(program, base=EXPORT, start_in=100, duration=100)
    assert states(found, program)[first].potentially_superseded is False
    found.now = START + 100
    assert states(found, program)[first].current_status == EventState.COMPLETE


def test_a_winner_that_is_cancelled_before_it_starts_takes_nothing():
    found, program = served()
    old = found.control(program, base=EXPORT, duration=1000)
    new = found.control(program, base=EXPORT, start_in=100, duration=100, creation_time=START + 1)
    found.pass_time(50)
    found.do("cancel", mrid=new)
    found.now = START + 150
    assert states(found, program)[old].current_status == EventState.ACTIVE


def test_the_servers_clock_may_be_apart_from_the_wall():
    """1.2: events run on the server's time; quality 7 is told."""
    found, program = served()
    found.world = msgspec.structs.replace(found.world, clock=Clock(offset=7200, quality=7, tz_offset=36000))
    shown = found.get("tm")
    assert (shown.current_time, shown.quality, shown.tz_offset) == (START + 7200, 7, 36000)
    assert shown.local_time == START + 7200 + 36000
    mrid = found.control(program, base=EXPORT, start=START + 7200)
    status = states(found, program)[mrid]
    assert (status.current_status, status.date_time) == (EventState.ACTIVE, START + 7200)


def test_a_deleted_control_is_gone_at_once():
    """2023, rule p: removed before its end."""
    found, program = served()
    mrid = found.control(program, base=EXPORT)
    found.do("delete_event", mrid=mrid)
    assert states(found, program) == {}
    assert found.get(f"derp/{program}").der_control_list_link.all == 0


LIMIT = ActivePower(multiplier=0, value=1)
MODES = ("op_mod_exp_lim_w", "op_mod_imp_lim_w", "op_mod_gen_lim_w")
DRAWN = st.tuples(
    st.integers(0, 12),  # start
    st.integers(1, 8),  # duration
    st.integers(-3, 6),  # creation
    st.sets(st.sampled_from(MODES), min_size=1),
    st.none() | st.integers(0, 14),  # cancelled at
)


def oracle(events: list[tuple[int, int, int, set[str], int | None]], until: int) -> list[list[int]]:
    """State of each event at each instant, by walking through time one second at a time and forgetting nothing.

    Each second: what is cancelled ends; then who starts (or was created while running) takes its modes, for good, from
    whoever is older, overlaps it and is neither over nor cancelled.
    """
    rank = sorted(range(len(events)), key=lambda one: (events[one][2], one), reverse=True)
    lost: list[set[str]] = [set() for _ in events]
    superseded: dict[int, int] = {}
    told = []
    for now in range(-3, until):
        gone = {one for one, event in enumerate(events) if event[4] is not None and event[4] <= now}
        for winner in rank:
            start, duration, created, modes, _ = events[winner]
            running = max(start, created) <= now < start + duration and winner not in gone
            if not running or (winner in superseded and superseded[winner] <= now):
                continue
            for loser in rank[rank.index(winner) + 1 :]:
                begin, seconds = events[loser][:2]
                if not begin <= now < begin + seconds or loser in gone:
                    continue
                lost[loser] |= modes & events[loser][3]
                if lost[loser] == events[loser][3]:
                    superseded.setdefault(loser, now)
        row = []
        for one, (start, duration, _, _, cancelled) in enumerate(events):
            state = 5 if now >= start + duration else 1 if now >= start else 0
            if superseded.get(one, now + 1) <= now:
                state = 4
            if cancelled is not None and cancelled <= now and not superseded.get(one, now + 1) <= cancelled:
                state = 2
            row.append(state)
        told.append(row)
    return told


@settings(deadline=None, max_examples=400)
@given(st.lists(DRAWN, min_size=1, max_size=5))
def test_states_are_those_of_an_oracle_that_walks_through_time(drawn):
    """1.6, any number of overlapping controls in one programme, some of them cancelled at some time."""
    events = [(start, seconds, created, modes, cancelled) for start, seconds, created, modes, cancelled in drawn]
    events = [
        (start, seconds, created, modes, None if cancelled is None or cancelled >= start + seconds else cancelled)
        for start, seconds, created, modes, cancelled in events
    ]
    listed = [
        Listed(
            serial=number,
            event=DERControl(
                mrid=f"{number:02X}",
                creation_time=START + created,
                event_status=EventStatus(current_status=EventState.SCHEDULED),
                interval=DateTimeInterval(start=START + start, duration=seconds),
                der_control_base=DERControlBase(**dict.fromkeys(modes, LIMIT)),
            ),
            cancelled=None if cancelled is None else EventState.CANCELLED,
            cancelled_at=0 if cancelled is None else START + cancelled,
        )
        for number, (start, seconds, created, modes, cancelled) in enumerate(events)
    ]
    for number, wanted in enumerate(oracle(events, 22)):
        now = START - 3 + number
        got = statuses(listed, modes_of, now)
        assert [int(one.current_status) for one in got] == wanted, number - 3
        assert all(one.date_time is not None and one.date_time <= now for one in got)
