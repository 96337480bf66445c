"""The event lists of the labs: apart, overlapping and independent controls, and what is answered (4.1 of the facts)."""

from dataclasses import dataclass

import pytest
from engine_2030_5_world import CONNECT, DER, DER_2, ENERGIZE, EXPORT, IMPORT, VAR, W, World, control, default, mrid

from wattseal.protocols.ieee2030_5.engine.inputs import Control, ControlsNotified, CurrentStatus, Device, Rules


@dataclass(frozen=True)
class Case:
    """Programmes with primacy; controls by the second of the poll; values at seconds; Responses by control."""

    test: str
    primacies: dict[int, int]
    polls: dict[int, dict[int, list[Control]]]
    values: dict[int, int | None]
    answers: dict[int, list[tuple[int, int]]]
    mode: str = W


A = {1: 1}
AB = {1: 1, 2: 2}  # programme 1 wins over programme 2
CASES = (
    Case("BASIC-016 default alone", A, {0: {}}, {0: 7, 500: 7}, {}),
    Case(
        "BASIC-017 one event, then the default again", A, {0: {1: [control(11, 100, 50)]}},
        {99: 7, 100: 11, 149: 11, 150: 7}, {11: [(0, 1), (100, 2), (150, 3)]},
    ),
    Case(
        "BASIC-018 two events of one programme, apart", A, {0: {1: [control(11, 100, 50), control(12, 200, 50)]}},
        {100: 11, 150: 7, 199: 7, 200: 12, 250: 7},
        {11: [(0, 1), (100, 2), (150, 3)], 12: [(0, 1), (200, 2), (250, 3)]},
    ),
    Case(
        "BASIC-019 back to back: no trip through the default", A,
        {0: {1: [control(11, 100, 50), control(12, 150, 50)]}}, {149: 11, 150: 12, 199: 12, 200: 7},
        {11: [(0, 1), (100, 2), (150, 3)], 12: [(0, 1), (150, 2), (200, 3)]},
    ),
    Case(
        "BASIC-020 two programmes, apart and adjacent", AB,
        {0: {1: [control(11, 150, 50)], 2: [control(21, 100, 50), control(22, 200, 50)]}},
        {100: 21, 149: 21, 150: 11, 199: 11, 200: 22, 250: 7},
        {11: [(0, 1), (150, 2), (200, 3)], 21: [(0, 1), (100, 2), (150, 3)], 22: [(0, 1), (200, 2), (250, 3)]},
    ),
    Case(
        "BASIC-021 overlap known before: the loser stops at the winner's start and does not resume", AB,
        {0: {1: [control(11, 150, 20)], 2: [control(21, 100, 200)]}}, {100: 21, 149: 21, 150: 11, 170: 7, 250: 7},
        {11: [(0, 1), (150, 2), (170, 3)], 21: [(0, 1), (100, 2), (150, 14)]},
    ),
    Case(
        "BASIC-021 same programme: the later creationTime wins, 7", A,
        {0: {1: [control(12, 150, 20), control(11, 100, 200)]}}, {149: 11, 150: 12, 170: 7},
        {12: [(0, 1), (150, 2), (170, 3)], 11: [(0, 1), (100, 2), (150, 7)]},
    ),
    Case(
        "BASIC-022 the winner runs first: the loser never starts", AB,
        {0: {1: [control(11, 100, 100)], 2: [control(21, 150, 200)]}}, {100: 11, 150: 11, 200: 7, 300: 7},
        {11: [(0, 1), (100, 2), (200, 3)], 21: [(0, 1), (100, 14)]},
    ),
    Case(
        "BASIC-023 the winner comes after the first has started", AB,
        {0: {2: [control(21, 100, 200)]}, 160: {1: [control(11, 150, 60)], 2: [control(21, 100, 200)]}},
        {159: 21, 160: 11, 209: 11, 210: 7}, {11: [(160, 1), (160, 2), (210, 3)], 21: [(0, 1), (100, 2), (160, 14)]},
    ),
    Case(
        "BASIC-023 a loser comes while the winner runs", AB,
        {0: {1: [control(11, 100, 100)]}, 120: {1: [control(11, 100, 100)], 2: [control(21, 110, 500)]}},
        {120: 11, 200: 7}, {11: [(0, 1), (100, 2), (200, 3)], 21: [(120, 1), (120, 14)]},
    ),
    Case(
        "AGG-009 in flight in the same programme: 7", A,
        {0: {1: [control(11, 100, 200)]}, 120: {1: [control(11, 100, 200), control(12, 130, 50)]}},
        {129: 11, 130: 12, 180: 7}, {11: [(0, 1), (100, 2), (130, 7)], 12: [(120, 1), (130, 2), (180, 3)]},
    ),
    Case(
        "CORE-023 three overlapping: only the best one is left", {1: 1, 2: 2, 3: 3},
        {0: {3: [control(31, 100, 300)], 2: [control(21, 150, 300)], 1: [control(11, 200, 50)]}},
        {100: 31, 150: 21, 200: 11, 250: 7},
        {31: [(0, 1), (100, 2), (150, 14)], 21: [(0, 1), (150, 2), (200, 14)], 11: [(0, 1), (200, 2), (250, 3)]},
    ),
    Case(
        "CORE-023 a middle one that never starts supersedes nobody", {1: 1, 2: 2, 3: 3},
        {0: {1: [control(11, 90, 20)], 2: [control(21, 100, 100)], 3: [control(31, 150, 100)]}},
        {90: 11, 110: 7, 149: 7, 150: 31, 250: 7},
        {11: [(0, 1), (90, 2), (110, 3)], 21: [(0, 1), (90, 14)], 31: [(0, 1), (150, 2), (250, 3)]},
    ),
    Case(
        "equal primacy, equal creationTime: the larger mRID", {1: 5, 2: 5},
        {0: {1: [control(11, 100, 50, creation_time=5)], 2: [control(21, 100, 50, creation_time=5)]}},
        {100: 21, 150: 7}, {21: [(0, 1), (100, 2), (150, 3)], 11: [(0, 1), (100, 14)]},
    ),
    Case(
        "late arrival: the remaining time only", A, {130: {1: [control(11, 100, 50)]}}, {130: 11, 149: 11, 150: 7},
        {11: [(130, 1), (130, 2), (150, 3)]},
    ),
    Case("already over at first sight", A, {150: {1: [control(11, 100, 50)]}}, {150: 7}, {11: [(150, 254)]}),
    Case(
        "open-ended", A, {0: {1: [control(11, 100, 0xFFFFFFFF)]}}, {100: 11, 10_000_000: 11}, {11: [(0, 1), (100, 2)]},
    ),
    Case(
        "csipaus modes are compared too", AB,
        {0: {1: [control(11, 150, 20, EXPORT)], 2: [control(21, 100, 200, EXPORT)]}}, {149: 21, 150: 11, 170: None},
        {11: [(0, 1), (150, 2), (170, 3)], 21: [(0, 1), (100, 2), (150, 14)]}, EXPORT,
    ),
    Case(
        "energize is compared too", AB,
        {0: {1: [control(11, 150, 20, ENERGIZE)], 2: [control(21, 100, 200, ENERGIZE)]}}, {149: 21, 150: 11, 170: None},
        {11: [(0, 1), (150, 2), (170, 3)], 21: [(0, 1), (100, 2), (150, 14)]}, ENERGIZE,
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.test)
def test_lab_case(case):
    """Values in force and Responses with their seconds, by the labs' ids and the rules of 1.6."""
    world = World(primacies=case.primacies, defaults={next(iter(case.primacies)): default(opModFixedW=7)})
    moments = sorted({*case.polls, *case.values, 260, 10**6})
    for second in moments:
        if second in case.polls:
            world.controls = case.polls[second]
            world.poll(at=second)
        world.pass_to(second)
        if second in case.values:
            assert world.value(case.mode) == case.values[second], f"value at {second}"
    events = {event for _, event, _, _ in world.said}
    assert {event: world.timed(event) for event in events} == case.answers


@pytest.mark.parametrize(("first", "second"), [(W, VAR), (EXPORT, IMPORT), (CONNECT, W), (EXPORT, W)])
@pytest.mark.parametrize("together", [True, False], ids=["one programme", "two programmes"])
def test_independent_controls_run_at_the_same_time(first, second, together):
    """BASIC-024, 025, 026: different opModes overlap without a word of supersession, whatever their programmes."""
    later = control(21, 150, 100, second)
    controls = (
        {1: [control(11, 100, 100, first), later]} if together else {1: [control(11, 100, 100, first)], 2: [later]}
    )
    world = World(primacies=AB, controls=controls)
    world.poll(at=0)
    world.pass_to(160)
    assert (world.value(first), world.value(second)) == (11, 21)
    world.pass_to(210)
    assert (world.value(first), world.value(second)) == (None, 21)
    world.pass_to(300)
    assert world.statuses(11) == world.statuses(21) == [1, 2, 3]


def test_supersession_of_one_mode_leaves_the_other_running():
    """1.6: supersession is per opMod; the event is superseded only when nothing of it is left."""
    both = control(21, 100, 200, {EXPORT: 21, IMPORT: 22})
    world = World(primacies=AB, controls={1: [control(11, 150, 20, EXPORT)], 2: [both]}, defaults={1: default()})
    world.poll(at=0)
    world.pass_to(160)
    assert (world.value(EXPORT), world.value(IMPORT)) == (11, 22)
    world.pass_to(180)
    assert (world.value(EXPORT), world.value(IMPORT)) == (None, 22), "the lost mode does not resume"
    world.controls[1].append(control(12, 200, 20, IMPORT))
    world.poll(at=190)
    world.pass_to(400)
    assert world.timed(21) == [(0, 1), (100, 2), (200, 14)]


def test_ten_programmes_with_ten_controls_each():
    """CORE-013: ten programmes by ten controls in order of priority: at each time the best of them is in force."""
    primacies = {n: n for n in range(1, 11)}
    controls = {n: [control(n * 100 + k, k * 100, 100) for k in range(10)] for n in primacies}
    world = World(primacies=primacies, controls=controls)
    world.poll(at=0)
    for k in range(10):
        world.pass_to(k * 100 + 50)
        assert world.value() == 100 + k
    world.pass_to(1000)
    assert world.value() is None
    assert all(world.statuses(100 + k) == [1, 2, 3] for k in range(10))
    assert all(world.statuses(n * 100 + k) == [1, 14] for n in range(2, 11) for k in range(10))


def test_twenty_four_stored_controls_then_cancelled():
    """BASIC-015: 24 scheduled controls are all received and kept; cancelled, each is answered by 6 and none starts."""
    world = World(primacies=A, controls={1: [control(n, n * 100, 100) for n in range(1, 25)]})
    world.poll(at=0)
    assert [world.statuses(n) for n in range(1, 25)] == [[1]] * 24
    for n in range(1, 25):
        world.cancel(1, n)
    world.poll(at=50)
    world.pass_to(5000)
    assert [world.statuses(n) for n in range(1, 25)] == [[1, 6]] * 24
    assert world.last.wake_at is None


def test_twenty_four_controls_run_one_after_another():
    """BASIC-015: the same 24, left alone, run back to back."""
    world = World(primacies=A, controls={1: [control(n, n * 100, 100) for n in range(1, 25)]})
    world.poll(at=0)
    assert world.values(range(150, 2550, 100)) == list(range(1, 25))


def test_a_late_arrival_that_never_starts_supersedes_nobody():
    """1.6: it loses to what runs at its first sight, so what comes after is not its loser, even if they overlap."""
    world = World(primacies={1: 1, 2: 2, 3: 3}, controls={1: [control(11, 5, 40)], 3: [control(31, 45, 10)]})
    world.poll(at=0)
    world.controls[2] = [control(21, 0, 0xFFFFFFFF)]
    world.poll(at=15)
    world.pass_to(50)
    assert (world.value(), world.timed(21), world.statuses(31)) == (31, [(15, 1), (15, 14)], [1, 2])


def test_of_two_late_arrivals_only_the_one_that_starts_supersedes():
    """1.6: first seen together, both begun: the better one starts, and only its losers are superseded."""
    world = World(primacies={1: 1, 2: 2, 3: 3})
    world.poll(at=0)
    world.controls = {1: [control(11, 10, 20)], 2: [control(21, 0, 200)], 3: [control(31, 100, 50)]}
    world.poll(at=15)
    world.pass_to(120)
    assert (world.value(), world.statuses(21), world.statuses(31)) == (31, [1, 14], [1, 2])


def test_only_devices_of_the_events_group_answer():
    """AGG-007, UTIL-004: two devices under two nodes; the one that is not addressed stays silent."""
    devices = (Device(DER, (mrid(1), mrid(2))), Device(DER_2, (mrid(2),)))
    world = World(devices=devices, primacies=AB, controls={1: [control(11, 150, 20)], 2: [control(21, 100, 200)]})
    world.poll(at=0)
    world.pass_to(160)
    assert (world.value(lfdi=DER), world.value(lfdi=DER_2)) == (11, 21)
    world.pass_to(400)
    assert (world.statuses(11), world.statuses(21)) == ([1, 2, 3], [1, 2, 14])
    assert (world.statuses(11, DER_2), world.statuses(21, DER_2)) == ([], [1, 2, 3])


def test_a_loser_is_answered_before_its_winner():
    """Rule l: the 7 of the superseded event goes out before the 2 of the superseding one."""
    world = World(primacies=A, controls={1: [control(11, 100, 200), control(12, 150, 50)]})
    world.poll(at=0)
    world.pass_to(150)
    assert [(event, status) for second, event, status, _ in world.said if second == 150] == [(11, 7), (12, 2)]


def test_push_and_poll_are_alike():
    """cactus-test-definitions 156: an event pushed is acted upon before the next poll, and the poll repeats nothing."""
    world = World(primacies=A)
    world.poll(at=0)
    world.give(ControlsNotified(mrid(1), (control(11, 10, 100),)), at=10)
    assert (world.value(), world.timed(11)) == (11, [(10, 1), (10, 2)])
    world.controls = {1: [control(11, 10, 100)]}
    world.poll(at=20)
    world.cancel(1, 11)
    world.give(ControlsNotified(mrid(1), tuple(world.controls[1])), at=30)
    assert (world.value(), world.timed(11)) == (None, [(10, 1), (10, 2), (30, 6)])


def test_a_server_that_calls_an_event_superseded_without_a_winner_known():
    """Status 4 with no winner in sight stops the event with 7; with one in sight its start decides."""
    world = World(primacies=AB, controls={2: [control(21, 100, 200)]})
    world.poll(at=0)
    world.cancel(2, 21, CurrentStatus.SUPERSEDED)
    world.poll(at=120)
    assert (world.value(), world.timed(21)) == (None, [(0, 1), (100, 2), (120, 7)])
    known = World(primacies=AB, controls={1: [control(11, 150, 20)], 2: [control(21, 100, 200)]})
    known.poll(at=0)
    known.cancel(2, 21, CurrentStatus.SUPERSEDED)
    known.poll(at=120)
    assert known.value() == 21
    known.pass_to(150)
    assert known.timed(21) == [(0, 1), (100, 2), (150, 14)]


@pytest.mark.parametrize("rules", list(Rules))
def test_a_loser_does_not_resume_when_its_winner_is_cancelled(rules):
    """1.6: superseded is for good; a winner cancelled before it starts supersedes nobody."""
    world = World(rules=rules, primacies=AB, controls={1: [control(11, 150, 100)], 2: [control(21, 100, 300)]})
    world.poll(at=0)
    world.pass_to(160)
    world.cancel(1, 11)
    world.poll(at=170)
    assert (world.value(), world.statuses(21)) == (None, [1, 2, 14])
    early = World(rules=rules, primacies=AB, controls={1: [control(11, 150, 100)], 2: [control(21, 100, 300)]})
    early.poll(at=0)
    early.cancel(1, 11)
    early.poll(at=120)
    early.pass_to(500)
    assert (early.statuses(11), early.statuses(21)) == ([1, 6], [1, 2, 3])
