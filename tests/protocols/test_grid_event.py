"""`GridEvent` as the body of an intent: every field in its bytes, every other layout refused."""

import contextlib
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs import cbor
from wattseal.certs.errors import PeerError
from wattseal.protocols.grid_event import Course, EventStatus, GridEvent, Interval, Origin, Point
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, IntentError, Level, Setpoint

WHOLE = st.integers(-(2**40), 2**40)
MAYBE = st.none() | WHOLE
TEXT = st.text(max_size=12)
WISH = st.one_of(WHOLE.map(Setpoint), WHOLE.map(InjectLimit), WHOLE.map(AbsorbLimit), WHOLE.map(Level))
COURSE = st.builds(
    Course,
    TEXT,
    st.sampled_from(Point),
    st.lists(TEXT, max_size=3).map(tuple),
    st.lists(st.builds(Interval, WHOLE, MAYBE, WISH), max_size=3).map(tuple),
)
ORIGIN = st.builds(Origin, TEXT, TEXT, TEXT, TEXT, WHOLE)
EVENT = st.builds(
    GridEvent,
    ORIGIN,
    st.sampled_from(EventStatus),
    MAYBE,
    st.booleans(),
    WHOLE,
    MAYBE,
    WHOLE,
    MAYBE,
    MAYBE,
    st.lists(COURSE, max_size=3).map(tuple),
)
SAMPLE = GridEvent(
    Origin("openadr-2.0b", "north", "peak", "E1", 3),
    EventStatus.STANDING,
    1,
    False,
    1_800_000_000,
    3600,
    60,
    30,
    -30,
    (
        Course("D", Point.DEVICE, ("a", "b"), (Interval(0, 1800, Setpoint(-5)), Interval(1800, None, Setpoint(9)))),
        Course("SIMPLE", Point.SITE, (), (Interval(0, None, Level(2)),)),
    ),
)  # fmt: skip


@given(EVENT, TEXT)
@settings(max_examples=150, deadline=None)
def test_there_and_back(event, translator):
    encoded = event.encode(translator)
    assert GridEvent.decode(encoded) == (event, translator)
    assert event.encode(translator) == encoded


@given(EVENT, EVENT)
@settings(max_examples=100, deadline=None)
def test_other_events_are_other_bytes(one, other):
    assert (one.encode("t") == other.encode("t")) == (one == other)


OTHERWISE = {
    "origin": replace(SAMPLE.origin, version=4),
    "status": EventStatus.CANCELLED,
    "priority": None,
    "test": True,
    "start": 1,
    "duration_seconds": None,
    "start_tolerance_seconds": 61,
    "ramp_up_seconds": None,
    "recovery_seconds": 30,
    "courses": SAMPLE.courses[:1],
}


@pytest.mark.parametrize("name", [field.name for field in fields(GridEvent)])
def test_every_field_stands_in_the_bytes(name):
    changed = replace(SAMPLE, **{name: OTHERWISE[name]})
    assert changed.encode("t") != SAMPLE.encode("t")
    assert GridEvent.decode(changed.encode("t"))[0] == changed


def test_the_translator_stands_in_the_bytes():
    assert SAMPLE.encode("t/1") != SAMPLE.encode("t/2")


@pytest.mark.parametrize("kind", [Setpoint, InjectLimit, AbsorbLimit, Level])
def test_a_wish_keeps_its_kind(kind):
    """docs/architecture.md: a sum type for each kind of wish, instead of flattening."""
    course = Course("x", Point.SITE, (), (Interval(0, None, kind(2)),))
    (again,) = GridEvent.decode(replace(SAMPLE, courses=(course,)).encode("t"))[0].courses
    assert again.intervals[0].wish == kind(2)
    assert type(again.intervals[0].wish) is kind


def test_what_stays_the_same_through_all_versions():
    assert SAMPLE.origin.key == replace(SAMPLE.origin, version=9, programme="q", dialect="x").key == ("north", "E1")


WRONG = st.sampled_from([None, -1, 2.0, "x", b"x", (), ("a",), ((0, 1, "setpoint"),), {1: 1}, True, ((0, 0, "x", 1),)])


@given(st.integers(1, 12), WRONG)
@settings(max_examples=150, deadline=None)
def test_a_field_of_another_kind(key, value):
    """An event that has these very bytes, or a peer's error; nothing else."""
    body = dict(cbor.decode(SAMPLE.encode("t")))
    body[key] = value
    with contextlib.suppress(PeerError):
        encoded = cbor.encode(body)
        event, translator = GridEvent.decode(encoded)
        assert event.encode(translator) == encoded


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (1, None),
        (2, ("a", "b", "c", "d")),
        (2, ("a", "b", "c", "d", "1")),
        (3, "unknown"),
        (5, None),
        (6, "now"),
        (11, ({1: "s", 2: "moon", 3: (), 4: ()},)),
        (11, ({1: "s", 2: "site", 3: (1,), 4: ()},)),
        (11, ({1: "s", 2: "site", 3: (), 4: ((0, None, "price", 1),)},)),
        (11, ({1: "s", 2: "site", 3: (), 4: ((0, None, "level"),)},)),
        (11, ({1: "s", 2: "site", 3: (), 4: (), 5: 1},)),
        (12, 1),
    ],
)
def test_layouts_that_are_refused(key, value):
    body = dict(cbor.decode(SAMPLE.encode("t")))
    body[key] = value
    with pytest.raises(IntentError, match="is not"):
        GridEvent.decode(cbor.encode(body))


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_only_a_peers_error_escapes(data):
    with pytest.raises(PeerError):
        GridEvent.decode(data)
