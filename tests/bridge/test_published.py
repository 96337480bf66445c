"""From a whole schedule to what changed of it, against a plain reading of both second by second."""

from dataclasses import replace

from bridge_world import NOW, course, grid_event, timed
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.bridge.core.inbound import Change
from wattseal.bridge.core.published import differences
from wattseal.bridge.timeline import in_force
from wattseal.protocols.grid_event import Course, EventStatus, GridEvent, Interval, Point
from wattseal.protocols.wish import InjectLimit, Setpoint


def event(*courses: Course, event_id: str = "E1", start: int = NOW, duration: int | None = 600, **more) -> GridEvent:
    made = grid_event(*courses, event_id=event_id, start=start, duration=duration, dialect="ieee2030.5", priority=1)
    return replace(made, **more)


def published(*events: GridEvent):
    return {one.origin.event_id: timed(one) for one in events}


BATTERY = course(Setpoint(1000), "battery", duration=600)


def test_the_same_schedule_told_again_changes_nothing():
    assert differences(published(event(BATTERY)), [event(BATTERY)], (), NOW) == ()


def test_a_schedule_told_later_no_longer_tells_the_past():
    """Told at 100 s, a running wish begins then; that is no news."""
    later = event(course(Setpoint(1000), "battery", duration=500), start=NOW + 100, duration=500)
    assert differences(published(event(BATTERY)), [later], (), NOW + 100) == ()


def test_a_shortened_wish_keeps_its_start():
    later = event(course(Setpoint(1000), "battery", duration=100), start=NOW + 100, duration=100)
    (one,) = differences(published(event(BATTERY)), [later], (), NOW + 100)
    assert (one.change, one.event.start, one.event.duration_seconds) == (Change.MODIFIED, NOW, 200)
    assert one.event.courses[0].intervals == (Interval(0, 200, Setpoint(1000)),)


def test_another_value_begins_when_it_is_told():
    later = event(course(Setpoint(2000), "battery", duration=500), start=NOW + 100, duration=500)
    (one,) = differences(published(event(BATTERY)), [later], (), NOW + 100)
    assert (one.event.start, one.event.courses[0].intervals) == (NOW + 100, (Interval(0, 500, Setpoint(2000)),))


def test_a_device_that_leaves_does_not_move_the_others():
    both = event(course(Setpoint(1000), "battery", "charger", duration=600))
    later = event(course(Setpoint(1000), "battery", duration=500), start=NOW + 100, duration=500)
    (one,) = differences(published(both), [later], (), NOW + 100)
    assert one.event.start == NOW


def test_what_is_wanted_no_longer_is_cancelled_or_withdrawn_and_what_ran_out_is_left_alone():
    standing = published(event(BATTERY), event(BATTERY, event_id="E2"), event(BATTERY, event_id="E3", start=NOW - 600))
    found = {one.event.origin.event_id: one for one in differences(standing, [], ("E2",), NOW)}
    assert {name: (one.change, one.event.status) for name, one in found.items()} == {
        "E1": (Change.WITHDRAWN, EventStatus.WITHDRAWN),
        "E2": (Change.CANCELLED, EventStatus.CANCELLED),
    }


def test_an_event_that_ended_and_is_wanted_again_is_new():
    gone = event(BATTERY, status=EventStatus.WITHDRAWN)
    (one,) = differences(published(gone), [event(BATTERY)], (), NOW)
    assert one.change is Change.NEW
    assert differences(published(gone), [], (), NOW) == ()


def test_priority_version_and_programme_are_changes():
    before = event(BATTERY)
    for after in (
        replace(before, priority=2),
        replace(before, ramp_up_seconds=5),
        replace(before, origin=replace(before.origin, version=9)),
        replace(before, origin=replace(before.origin, programme="other")),
    ):
        (one,) = differences(published(before), [after], (), NOW + 5)
        assert one.change is Change.MODIFIED


def test_beyond_what_is_known_nothing_is_withdrawn_or_changed():
    """A forecast that reaches less far than the last one says nothing of what comes later."""
    later = event(BATTERY, event_id="E2", start=NOW + 5000)
    shorter = event(course(Setpoint(1000), "battery", duration=None), duration=None)
    standing = published(event(BATTERY), later)
    assert differences(standing, [event(BATTERY)], (), NOW, known_until=NOW + 5000) == ()
    assert differences(standing, [shorter], (), NOW, known_until=NOW + 300) == ()
    assert [one.event.origin.event_id for one in differences(standing, [event(BATTERY)], (), NOW)] == ["E2"]
    assert [one.change for one in differences(standing, [shorter, later], (), NOW)] == [Change.MODIFIED]


WISHES = st.sampled_from([Setpoint(1), Setpoint(2), InjectLimit(1)])


@st.composite
def schedules(draw) -> list[GridEvent]:
    """Up to three events, each a few wishes at one device or two, somewhere in two minutes."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        start = draw(st.integers(-30, 90))
        courses = []
        for signal in range(draw(st.integers(1, 2))):
            devices = draw(st.sampled_from([("battery",), ("charger",), ("battery", "charger")]))
            intervals = tuple(
                Interval(20 * n + draw(st.integers(0, 9)), draw(st.integers(1, 11)), draw(WISHES))
                for n in range(draw(st.integers(1, 3)))
            )
            courses.append(Course(f"S{signal}", Point.DEVICE, devices, intervals))
        found.append(event(*courses, event_id=f"E{number}", start=NOW + start, duration=100))
    return found


def seen(events, at: int) -> set[tuple[str, str, tuple[str, ...], object]]:
    return {
        (wish.timed.event.origin.event_id, wish.course.signal_name, wish.course.devices, wish.wish)
        for wish in in_force(events, at)
    }


@settings(max_examples=300, deadline=None)
@given(schedules(), schedules(), st.integers(0, 60))
def test_after_publishing_the_timeline_is_as_wanted_from_now_on(before, wanted, later):
    """In every second; and publishing once more changes nothing."""
    now = NOW + later
    stands = published(*before)
    for one in differences(stands, wanted, (), now):
        ended = one.event.status is not EventStatus.STANDING
        stands[one.event.origin.event_id] = timed(one.event, cut_at=now if ended else None)
    for at in range(now, now + 200):
        assert seen(stands.values(), at) == seen([timed(one) for one in wanted], at)
    assert differences(stands, wanted, (), now) == ()
