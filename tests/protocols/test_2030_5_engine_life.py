"""Single rules of the 2030.5 event engine: draws, cancels, vanishing, Responses, defaults, moves, restarts, clock."""

import pytest
from engine_2030_5_world import DER, DER_2, DER_3, EXPORT, SEED, T0, VAR, W, World, control, default, mrid
from msgspec.structs import replace

from wattseal.protocols.ieee2030_5.engine.draws import Purpose, draw
from wattseal.protocols.ieee2030_5.engine.engine import EngineSeedError, fresh, step
from wattseal.protocols.ieee2030_5.engine.inputs import (
    ClockRead,
    ControlsNotified,
    CurrentStatus,
    DefaultControl,
    DefaultNotified,
    Device,
    Picture,
    Program,
    Restarted,
    Rules,
    RulesChosen,
    Setting,
    Tick,
    UtilityBack,
    UtilityLost,
)
from wattseal.protocols.ieee2030_5.engine.speech import NoteKind, settle
from wattseal.protocols.ieee2030_5.engine.state import EngineStateError, from_bytes, to_bytes

A = {1: 1}
AB = {1: 1, 2: 2}


def world_with(*controls, **more) -> World:
    world = World(primacies=A, controls={1: list(controls)}, defaults={1: default(opModFixedW=7)}, **more)
    world.poll(at=0)
    return world


@pytest.mark.parametrize("bound", [0, 30, -30, 3600, -3600])
def test_draws_lie_between_zero_and_the_value_and_reach_both_ends(bound):
    """CORE-021, 1.6: uniform between 0 and the value, its sign kept; the same names give the same draw."""
    drawn = [draw(SEED, Purpose.START, mrid(1), 0, n.to_bytes(20, "big"), bound) for n in range(2000)]
    assert all(min(0, bound) <= seconds <= max(0, bound) for seconds in drawn)
    assert drawn == [draw(SEED, Purpose.START, mrid(1), 0, n.to_bytes(20, "big"), bound) for n in range(2000)]
    if abs(bound) == 30:
        counts = [drawn.count(seconds) for seconds in range(min(0, bound), max(0, bound) + 1)]
        assert min(counts) > 30, "31 values, 2000 draws: about 64 each"
        assert max(counts) < 110


def test_draws_differ_by_device_event_version_purpose_and_seed():
    """1.6: with several devices in one aggregator, one draw per device."""
    base = (SEED, Purpose.START, mrid(1), 0, DER)
    others = [
        (SEED + b"x", *base[1:]), (SEED, Purpose.CANCEL, *base[2:]), (*base[:2], mrid(2), 0, DER),
        (*base[:3], 1, DER), (*base[:4], DER_2),
    ]  # fmt: skip
    assert all(draw(*other, 3600) != draw(*base, 3600) for other in others)


@pytest.mark.parametrize(("start", "duration"), [(30, 0), (-30, 0), (0, 30), (0, -30), (30, 30), (-30, -30)])
def test_randomised_start_and_duration(start, duration):
    """CORE-021: started at start + draw, complete at effective start + duration + draw, values switch with them."""
    event = control(11, 100, 200, randomize_start_seconds=start, randomize_duration_seconds=duration)
    world = world_with(event)
    begins = 100 + draw(SEED, Purpose.START, mrid(11), 0, DER, start)
    ends = begins + 200 + draw(SEED, Purpose.DURATION, mrid(11), 0, DER, duration)
    world.poll(at=60)
    world.restart()
    world.pass_to(begins - 1)
    assert world.value() == 7
    world.pass_to(begins)
    world.restart()
    assert world.value() == 11
    world.pass_to(ends - 1)
    assert world.value() == 11
    world.pass_to(ends)
    assert (world.value(), world.timed(11)) == (7, [(0, 1), (begins, 2), (ends, 3)])


def test_a_new_version_is_drawn_anew_until_the_event_has_started():
    """1.6: once per mRID and version; randomisation that has elapsed does not begin again."""
    event = control(11, 100, 4000, randomize_start_seconds=3600)
    world = world_with(event)
    first = world.last.wake_at - T0
    world.change(1, 11, version=1)
    world.poll(at=1)
    second = world.last.wake_at - T0
    assert second == 100 + draw(SEED, Purpose.START, mrid(11), 1, DER, 3600) != first
    world.pass_to(second)
    world.change(1, 11, version=2)
    world.poll(at=second + 1)
    assert (world.value(), world.statuses(11)) == (11, [1, 2])


def test_a_randomised_shortening_never_makes_an_event_vanish():
    """A draw longer than the duration leaves one second, so that the order 1, 2, 3 holds."""
    world = world_with(control(11, 100, 5, randomize_duration_seconds=-3600))
    world.pass_to(200)
    assert world.timed(11) == [(0, 1), (100, 2), (101, 3)]


@pytest.mark.parametrize("delay", range(4))
def test_no_gap_between_successive_events_by_a_random_start(delay):
    """Rule m: a successor's delayed start tears no trip through the default; the first is complete at its end."""
    lfdi = bytes([delay + 1]) * 20
    first, second = control(11, 100, 100), control(12, 200, 100, randomize_start_seconds=60)
    world = world_with(first, second, devices=(Device(lfdi, (mrid(1),)),))
    begins = 200 + draw(SEED, Purpose.START, mrid(12), 0, lfdi, 60)
    assert set(world.values(range(190, begins), lfdi=lfdi)) == {11}
    world.pass_to(begins)
    assert world.value(lfdi=lfdi) == 12
    assert world.timed(11, lfdi) == [(0, 1), (100, 2), (200, 3)]


def test_a_random_end_yields_to_a_successor_whatever_its_rank():
    """Rule m: events that meet only through their draws are no conflict: the effective start ends the first, with 3."""
    world = World(
        primacies=AB, controls={1: [control(11, 100, 100, randomize_duration_seconds=3600)], 2: [control(21, 200, 50)]}
    )
    world.poll(at=0)
    assert draw(SEED, Purpose.DURATION, mrid(11), 0, DER, 3600) > 0
    world.pass_to(200)
    assert (world.value(), world.timed(11), world.statuses(21)) == (21, [(0, 1), (100, 2), (200, 3)], [1, 2])


def test_cancel_stops_at_once():
    """CORE-022, currentStatus 2: in flight 1, 2, 6, and the default at once."""
    world = world_with(control(11, 100, 200))
    world.pass_to(150)
    world.cancel(1, 11)
    world.poll(at=160)
    world.poll(at=170)
    assert (world.value(), world.timed(11)) == (7, [(0, 1), (100, 2), (160, 6)])


def test_cancel_with_randomisation_is_spread_over_the_larger_bound():
    """CurrentStatus 3: each device goes on for a draw of its own within max(|start|, |duration|), and then says 6."""
    devices = tuple(Device(bytes([n]) * 20, (mrid(1),)) for n in range(1, 41))
    event = control(11, 0, 9000, randomize_start_seconds=-60, randomize_duration_seconds=300)
    world = world_with(event, devices=devices)
    world.pass_to(2000)
    world.cancel(1, 11, CurrentStatus.CANCELLED_RANDOMIZED)
    world.poll(at=2100)
    world.poll(at=2110)
    world.restart()
    world.pass_to(2500)
    stops = [second for second, _, status, _ in world.said if status == 6]
    assert len(stops) == 40
    assert all(2100 <= second <= 2400 for second in stops)
    assert max(stops) > 2100 + 60, "over the larger bound"
    assert len(set(stops)) > 20, "spread"
    assert {world.value(lfdi=device.lfdi) for device in devices} == {7}


@pytest.mark.parametrize("status", [CurrentStatus.CANCELLED, CurrentStatus.CANCELLED_RANDOMIZED])
def test_cancel_before_the_start_drops_the_event(status):
    """1.6, ALL-18: 1, 6, nothing in force."""
    world = world_with(control(11, 100, 200, randomize_start_seconds=30))
    world.cancel(1, 11, status)
    world.poll(at=50)
    world.pass_to(400)
    assert world.timed(11) == [(0, 1), (50, 6)]
    assert world.value() == 7


def test_an_event_first_seen_cancelled_is_received_and_cancelled():
    """1.7: 1, 6; never 2."""
    world = world_with(control(11, 100, 200, status=CurrentStatus.CANCELLED))
    assert world.timed(11) == [(0, 1), (0, 6)]


def test_an_event_being_cancelled_supersedes_nothing_to_come():
    """Its replacement, of lower rank and within its specified period, still starts."""
    world = World(primacies=AB, controls={1: [control(11, 0, 9000, randomize_duration_seconds=60)]})
    world.poll(at=0)
    world.cancel(1, 11, CurrentStatus.CANCELLED_RANDOMIZED)
    world.controls[2] = [control(21, 500, 100)]
    world.poll(at=100)
    world.pass_to(500)
    assert (world.value(), world.statuses(11), world.statuses(21)) == (21, [1, 2, 6], [1, 2])


def test_an_event_being_cancelled_gives_way_to_its_replacement():
    """A replacement of lower rank is not superseded by what is only spreading its stop."""
    world = World(primacies=AB, controls={1: [control(11, 0, 900, randomize_duration_seconds=600)]})
    world.poll(at=0)
    world.cancel(1, 11, CurrentStatus.CANCELLED_RANDOMIZED)
    world.controls[2] = [control(21, 100, 100)]
    world.poll(at=100)
    assert (world.value(), world.statuses(11), world.statuses(21)) == (21, [1, 2, 6], [1, 2])


@pytest.mark.parametrize("at", [50, 150])
def test_vanished_2018_goes_on(at):
    """1.4: under 2018 an event that vanishes is not cancelled; its end is timed here, and 3 is said."""
    world = world_with(control(11, 100, 100))
    world.controls = {}
    world.poll(at=at)
    assert world.values(range(160, 201, 40)) == [11, 7]
    assert world.timed(11) == [(0, 1), (100, 2), (200, 3)]


@pytest.mark.parametrize(("at", "answers"), [(50, [1, 6]), (150, [1, 2, 6]), (205, [1, 2, 3])])
def test_vanished_2023_is_cancelled_before_its_effective_end(at, answers):
    """2023 rule p: removed before the effective end is cancelled; after it, it was complete."""
    world = world_with(control(11, 100, 100), rules=Rules.EDITION_2023)
    world.pass_to(at)
    world.controls = {}
    world.poll()
    assert (world.statuses(11), world.value()) == (answers, 7)


@pytest.mark.parametrize("rules", list(Rules))
def test_a_list_that_was_not_read_says_nothing(rules):
    """A failed GET is no removal, of controls or of the default."""
    world = world_with(control(11, 100, 100), rules=rules)
    unread = Picture(None, (Program(mrid(1), 1, None, None, default_read=False),))
    world.give(unread, at=150)
    assert world.value() == 11
    world.pass_to(200)
    assert (world.value(), world.statuses(11)) == (7, [1, 2, 3])


def test_a_vanished_event_that_is_listed_again_repeats_nothing():
    """A flapping list (1.1: `all` can change between pages) draws no second Response, nor a late 254."""
    world = world_with(control(11, 100, 100))
    listed = world.controls
    for second in (10, 120, 250, 300):
        world.controls = {}
        world.poll(at=second)
        world.controls = listed
        world.poll(at=second + 1)
    assert world.statuses(11) == [1, 2, 3]
    world.controls = {}
    world.poll(at=400)
    world.poll(at=400 + 90_000)
    assert not world.state.events
    world.controls = listed
    world.poll(at=400 + 90_001)
    assert world.statuses(11) == [1, 2, 3], "forgotten, but not new"


@pytest.mark.parametrize(
    ("bits", "said"), [(0x00, []), (0x01, [1]), (0x02, [2, 3]), (0x03, [1, 2, 3]), (0x04, []), (0x07, [1, 2, 3])]
)
def test_only_the_required_responses(bits, said):
    """1.7: 0x01 received, 0x02 specific, 0x04 user; absent is 0, none."""
    world = world_with(control(11, 100, 100, response_required=bits))
    world.pass_to(300)
    assert world.statuses(11) == said


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"settings": ()}, 253),
        ({"settings": (Setting(W, b"1"), Setting(W, b"2"))}, 253),
        ({"duration_seconds": 0}, 253),
        ({"randomize_start_seconds": 3601}, 253),
        ({"randomize_duration_seconds": -3601}, 253),
        ({"start": -5}, 253),
        ({"start": 1 << 62}, 253),
        ({"settings": (Setting(VAR, b"1"),)}, 252),
    ],
)
def test_invalid_and_inapplicable_events_are_rejected_once(change, status):
    """1.7: 253 invalid, 252 not applicable to a device without the mode; nothing in force, nothing else said."""
    event = replace(control(11, 100, 100), **change)
    world = world_with(event, devices=(Device(DER, (mrid(1),), modes=frozenset({W})),))
    world.poll(at=50)
    world.pass_to(300)
    assert (world.statuses(11), world.value()) == ([status], 7)


def test_an_event_with_some_modes_the_device_lacks_runs_the_rest_and_names_them():
    """Never approximated silently: the note names the event, the Responses the modes that run (2023 modesResponded)."""
    event = control(11, 100, 100, {W: 11, EXPORT: 12})
    world = world_with(event, devices=(Device(DER, (mrid(1),), modes=frozenset({W})),))
    world.pass_to(100)
    assert (world.value(), world.value(EXPORT)) == (11, None)
    assert [owed.modes for owed in world.state.outbox] == [(W,), (W,)]
    assert [note.kind for note in world.notes] == [NoteKind.MODES_UNSUPPORTED]


@pytest.mark.parametrize(
    ("ours", "event", "taken"), [(1 << 25, 1 << 25, True), (1 << 25, 1 << 21, False), (0, 1, False)]
)
def test_another_device_category_is_ignored_without_a_word(ours, event, taken):
    """1.5: a deviceCategory that does not match ours: ignore, no Response."""
    world = world_with(
        control(11, 100, 100, device_category=event), devices=(Device(DER, (mrid(1),), categories=ours),)
    )
    world.pass_to(150)
    assert (world.value(), world.statuses(11)) == ((11, [1, 2]) if taken else (7, []))


def test_start_zero_is_at_once_and_stays_where_it_was():
    """1.6: start 0 with CSIP is now; later polls do not move it."""
    world = world_with(replace(control(11, 0, 100), start=0))
    assert (world.value(), world.statuses(11)) == (11, [1, 2])
    world.change(1, 11, version=1, settings=(Setting(W, b"12"),))
    world.poll(at=60)
    assert world.value() == 12
    world.pass_to(100)
    assert (world.value(), world.timed(11)) == (7, [(0, 1), (0, 2), (100, 3)])


def test_defaults_mode_by_mode_from_the_best_programme_that_sets_them():
    """1.6, BASIC-007: per mode the best primacy whose default sets it; none: the device's own setting."""
    world = World(primacies=AB, defaults={1: default(opModFixedW=1), 2: default(opModFixedW=2, setGradW=27)})
    world.poll(at=0)
    assert (world.value(W), world.value("setGradW"), world.value(VAR)) == (1, 27, None)
    world.give(DefaultNotified(mrid(1), None), at=10)
    assert world.value(W) == 2
    world.primacies = {1: 3, 2: 2}
    world.defaults[1] = default(opModFixedW=1, setGradW=30)
    world.poll(at=20)
    assert (world.value(W), world.value("setGradW")) == (2, 27)
    world.primacies = {1: 3}
    world.poll(at=30)
    assert (world.value(W), world.value("setGradW")) == (1, 30)


def test_equal_primacy_of_programmes_goes_by_the_larger_mrid():
    """1.4."""
    world = World(primacies={1: 4, 2: 4}, defaults={1: default(opModFixedW=1), 2: default(opModFixedW=2)})
    world.poll(at=0)
    assert world.value() == 2


def test_ramp_times_go_with_what_is_in_force():
    """1.5: rampTms of the control, else of the default."""
    world = World(primacies=A, controls={1: [control(11, 100, 100, ramp_hundredths=250)]})
    world.defaults = {1: DefaultControl((Setting(W, b"7"),), 1000)}
    world.poll(at=0)
    ramps = []
    for second in (0, 100):
        world.pass_to(second)
        ramps.append(world.last.in_force[0].values[0].ramp_hundredths)
    assert ramps == [1000, 250]


def test_loss_of_the_utility_finishes_the_schedule_then_the_stored_default():
    """ALL-23, CSIP G12: no word from the utility for an hour: running, stored, then default; back: nothing repeated."""
    world = world_with(control(11, 100, 100), control(12, 200, 100))
    world.give(UtilityLost(), at=120)
    world.give(UtilityLost(), at=130)
    assert world.state.utility_lost_since == T0 + 120
    assert world.values(range(150, 3600, 1000)) == [11, 7, 7, 7]
    assert [world.statuses(n) for n in (11, 12)] == [[1, 2, 3], [1, 2, 3]]
    created = {(owed.subject, owed.status): owed.created_at - T0 for owed in world.state.outbox}
    assert created[mrid(12), 3] == 300, "queued with its own time"
    world.controls[1].append(control(13, 1000, 100))
    world.give(UtilityBack(), at=3600)
    world.poll(at=3600)
    assert [world.statuses(n) for n in (11, 12, 13)] == [[1, 2, 3], [1, 2, 3], [254]]
    assert world.state.utility_lost_since is None


def test_a_reboot_without_network_or_clock_comes_up_at_the_stored_default():
    """1.6: not unrestricted; with a trusted clock again the schedule goes on."""
    world = world_with(control(11, 100, 300))
    world.pass_to(150)
    world.restart()
    world.give(Restarted(clock_trusted=False))
    assert (world.value(), world.last.wake_at) == (7, None)
    world.second = 200
    world.give(ClockRead(0))
    assert (world.value(), world.statuses(11)) == (11, [1, 2])
    world.pass_to(400)
    assert world.timed(11) == [(0, 1), (100, 2), (400, 3)]


def test_a_box_that_was_down_over_a_whole_event_says_nothing_untrue():
    """254 is only for first sight after the end; a known event that never ran here is noted, not called complete."""
    world = world_with(control(11, 100, 100), control(12, 250, 200))
    world.second = 300
    world.give(Restarted())
    assert (world.value(), world.timed(11), world.timed(12)) == (12, [(0, 1)], [(0, 1), (300, 2)])
    assert [note.kind for note in world.notes] == [NoteKind.MISSED]


def test_a_winner_that_passed_while_the_box_was_down_has_superseded_all_the_same():
    """The schedule decides, not how often we look: the loser does not resume because we slept."""
    world = World(primacies=AB, controls={1: [control(11, 150, 20)], 2: [control(21, 100, 300)]})
    world.poll(at=0)
    world.pass_to(120)
    world.second = 200
    world.give(Restarted())
    assert (world.value(), world.timed(21)) == (None, [(0, 1), (100, 2), (200, 14)])


def test_what_passed_while_the_box_was_down_is_taken_in_the_order_of_its_starts():
    """A third event lost to a second before a first took the second: none of them comes back by sleeping."""
    controls = {1: [control(11, 160, 20)], 2: [control(21, 100, 100)], 3: [control(31, 110, 40)]}
    world = World(primacies={1: 1, 2: 2, 3: 3}, controls=controls)
    world.poll(at=0)
    world.second = 190
    world.give(Restarted())
    assert (world.value(), world.statuses(21), world.statuses(31)) == (None, [1, 14], [1, 14])


def test_a_gap_is_bridged_though_the_first_event_passed_unseen():
    """Rule m holds by the schedule: the value in force does not depend on having been awake."""
    first, second = control(11, 100, 100), control(12, 200, 100, randomize_start_seconds=3600)
    world = world_with(first, second)
    world.second = 210
    world.give(Restarted())
    assert draw(SEED, Purpose.START, mrid(12), 0, DER, 3600) > 10
    assert (world.value(), world.statuses(11)) == (11, [1])


def test_responses_stay_owed_until_settled_each_device_by_itself():
    """1.7: exactly once, durable, per device with its LFDI; never repeated after a restart or a re-contact."""
    devices = (Device(DER, (mrid(1),)), Device(DER_2, (mrid(1),)))
    world = world_with(control(11, 100, 100), devices=devices)
    (owed,) = world.state.outbox
    assert (owed.subject, owed.status, owed.lfdis, owed.created_at) == (mrid(11), 1, (DER, DER_2), T0)
    world.state = settle(world.state, [(owed.serial, DER), (99, DER)])
    assert world.state.outbox[0].lfdis == (DER_2,)
    world.restart()
    world.give(Restarted())
    world.poll(at=10)
    assert [o.lfdis for o in world.state.outbox] == [(DER_2,)]
    world.state = settle(world.state, [(owed.serial, DER_2)])
    assert world.state.outbox == ()
    world.poll(at=20)
    assert world.state.outbox == ()


@pytest.mark.parametrize("gone", ["disabled", "deleted"])
def test_a_device_disabled_or_deleted_is_no_longer_managed(gone):
    """MAINT-001, 1.3: no values, no word; back again it goes on and repeats nothing."""
    world = world_with(
        control(11, 100, 200), control(12, 300, 50), devices=(Device(DER, (mrid(1),)), Device(DER_2, (mrid(1),)))
    )
    everyone = world.devices
    world.devices = (*([replace(everyone[0], enabled=False)] if gone == "disabled" else []), everyone[1])
    world.poll(at=150)
    assert (world.value(), world.value(lfdi=DER_2)) == (None, 11)
    world.pass_to(310)
    world.devices = everyone
    world.poll(at=320)
    assert (world.value(), world.value(lfdi=DER_2)) == (12, 12)
    world.pass_to(400)
    assert (world.timed(11), world.timed(12)) == ([(0, 1), (100, 2)], [(0, 1), (320, 2), (350, 3)])
    assert (world.statuses(11, DER_2), world.statuses(12, DER_2)) == ([1, 2, 3], [1, 2, 3])


def test_a_group_moved_in_mid_event():
    """MAINT-003, BASIC-003: the device follows its new programme at once and says nothing for the old one."""
    world = World(
        devices=(Device(DER, (mrid(1),)), Device(DER_2, (mrid(1),))), primacies=AB,
        controls={1: [control(11, 100, 200)], 2: [control(21, 120, 200)]},
        defaults={1: default(opModFixedW=1), 2: default(opModFixedW=2)},
    )  # fmt: skip
    world.poll(at=0)
    world.pass_to(150)
    world.devices = (Device(DER, (mrid(2),)), world.devices[1])
    world.poll(at=160)
    assert (world.value(), world.value(lfdi=DER_2)) == (21, 11)
    world.pass_to(400)
    assert (world.timed(11), world.timed(21)) == ([(0, 1), (100, 2)], [(160, 1), (160, 2), (320, 3)])
    assert (world.statuses(11, DER_2), world.statuses(21, DER_2)) == ([1, 2, 3], [])
    assert (world.value(), world.value(lfdi=DER_2)) == (2, 1)


def test_a_control_added_to_a_programme_under_way():
    """MAINT-004."""
    world = world_with(control(11, 100, 100))
    world.controls[1].append(control(12, 300, 50))
    world.poll(at=150)
    world.pass_to(500)
    assert (world.statuses(11), world.statuses(12)) == ([1, 2, 3], [1, 2, 3])


def test_primacy_swapped_before_and_in_mid_event():
    """MAINT-005: whoever ranks better at an effective start wins; what is superseded stays so."""
    world = World(primacies=AB, controls={1: [control(11, 100, 100)], 2: [control(21, 150, 100)]})
    world.poll(at=0)
    world.primacies = {1: 2, 2: 1}
    world.poll(at=50)
    world.pass_to(160)
    assert (world.value(), world.timed(11), world.timed(21)) == (21, [(0, 1), (100, 2), (150, 14)], [(0, 1), (150, 2)])
    late = World(primacies=AB, controls={1: [control(11, 100, 100)], 2: [control(21, 150, 100)]})
    late.poll(at=0)
    late.pass_to(120)
    late.primacies = {1: 2, 2: 1}
    late.poll(at=130)
    late.pass_to(300)
    assert (late.statuses(11), late.statuses(21)) == ([1, 2, 3], [1, 14])


def test_a_control_listed_under_another_programme_is_the_same_event():
    """BASIC-002, 1.4: keyed by mRID: it moves with its mRID and says nothing twice."""
    world = World(primacies=AB, controls={1: [control(11, 100, 100)]})
    world.poll(at=0)
    world.controls = {2: world.controls[1]}
    world.poll(at=120)
    assert (world.value(), world.last.in_force[0].values[0].program) == (11, mrid(2))
    world.pass_to(300)
    assert world.statuses(11) == [1, 2, 3]


def test_a_programme_that_is_gone_takes_its_events_and_default_along():
    """1.4: nothing is in force by a programme the device is no longer under; nothing is answered for it."""
    world = World(
        primacies=AB,
        controls={1: [control(11, 100, 100)]},
        defaults={1: default(opModFixedW=1), 2: default(opModFixedW=2)},
    )
    world.poll(at=0)
    world.pass_to(120)
    world.primacies = {2: 2}
    world.poll(at=130)
    world.pass_to(300)
    assert (world.value(), world.statuses(11)) == (2, [1, 2])


def test_an_event_changed_in_place():
    """A higher or equal version replaces the content, an older one is not taken; nothing is said twice."""
    world = world_with(control(11, 100, 100, version=3))
    world.pass_to(120)
    world.change(1, 11, settings=(Setting(W, b"15"),), duration_seconds=50, version=4)
    world.poll(at=130)
    assert world.value() == 15
    world.change(1, 11, settings=(Setting(W, b"16"),), version=1)
    world.poll(at=140)
    assert world.value() == 15
    world.change(1, 11, settings=(), version=9)
    world.poll(at=145)
    assert world.value() == 15
    world.pass_to(150)
    assert (world.value(), world.statuses(11)) == (7, [1, 2, 3])
    assert {note.kind for note in world.notes} == {NoteKind.STALE_VERSION, NoteKind.FAULTY_UPDATE}


def test_the_utilitys_clock_times_events_and_responses():
    """1.2: events run on the server's time; wake_at is in ours, createdDateTime in theirs."""
    world = World(primacies=A, controls={1: [control(11, 100, 100)]})
    world.give(ClockRead(40))
    world.poll(at=0)
    assert world.last.wake_at == T0 + 60
    world.pass_to(60)
    assert (world.value(), world.timed(11)) == (11, [(40, 1), (100, 2)])
    assert world.last.in_force[0].values[0].until == T0 + 160


def test_a_jump_of_the_clock_evaluates_once_and_repeats_nothing():
    """1.2: forward over an end: 3 once; back before the start: not in force, and no second 2."""
    world = world_with(control(11, 100, 100), control(12, 1000, 100))
    world.pass_to(150)
    world.give(ClockRead(-100))
    assert world.value() == 7
    world.pass_to(210)
    assert (world.value(), world.statuses(11)) == (11, [1, 2])
    world.give(ClockRead(0))
    assert (world.value(), world.statuses(11)) == (7, [1, 2, 3])
    world.give(ClockRead(-100))
    world.pass_to(260)
    assert (world.value(), world.statuses(11)) == (7, [1, 2, 3])
    world.give(ClockRead(5000))
    assert (world.statuses(12), [note.kind for note in world.notes]) == ([1], [NoteKind.MISSED])


def test_the_edition_can_change():
    """A vanished event that went on under 2018 is cancelled when 2023 is chosen."""
    world = world_with(control(11, 100, 100))
    world.pass_to(120)
    world.controls = {}
    world.poll()
    world.give(RulesChosen(Rules.EDITION_2023), at=130)
    assert (world.value(), world.statuses(11)) == (7, [1, 2, 6])


def test_a_notification_for_an_unknown_programme_is_noted():
    """Nothing is invented: a picture has to say first what the programme is."""
    world = world_with()
    world.give(ControlsNotified(mrid(9), (control(11, 0, 100),)))
    world.give(DefaultNotified(mrid(9), None))
    assert (world.statuses(11), world.notes[0].kind) == ([], NoteKind.UNKNOWN_PROGRAM)


def test_one_mrid_with_two_contents_in_one_picture():
    """Envoy 334, 341: duplicate mRIDs: the higher version counts, whatever the order; noted, answered once."""
    old, new = control(11, 100, 100), control(11, 100, 100, {W: 99}, version=2)
    for controls in ([old, new], [new, old]):
        world = world_with(*controls)
        world.pass_to(100)
        assert (world.value(), world.statuses(11)) == (99, [1, 2])
        assert world.notes[0].kind is NoteKind.SAID_TWICE


def test_state_bytes():
    """What the disk gives back is the same value; what is none is refused with a reason."""
    world = world_with(control(11, 100, 100, randomize_start_seconds=30))
    assert from_bytes(to_bytes(world.state)) == world.state
    for data in (b"", b"\xc1", to_bytes(world.state)[:-3], to_bytes(replace(world.state, layout=99))):
        with pytest.raises(EngineStateError):
            from_bytes(data)
    with pytest.raises(EngineSeedError):
        fresh(b"short")


def test_a_step_changes_nothing_it_was_given():
    """States are values: the same step from the same state gives the same result."""
    world = world_with(
        control(11, 100, 100, randomize_start_seconds=30), devices=(Device(DER, (mrid(1),)), Device(DER_3, (mrid(1),)))
    )
    before = to_bytes(world.state)
    first, second = (step(world.state, Tick(), T0 + 500) for _ in range(2))
    assert first == second
    assert to_bytes(world.state) == before
