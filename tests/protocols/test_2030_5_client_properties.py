"""Whatever a server does, at any address and in any order: bounds hold, nothing stops, and peace brings the truth."""

from bisect import bisect_left

from client_2030_5_world import LFDI, World, config, control, device, lay, lfdi, plain
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.client.exchange import Answer, Silence
from wattseal.protocols.ieee2030_5.client.happenings import ScheduleChanged
from wattseal.protocols.ieee2030_5.der_control import DERControlList

PATHS = ("/dcap", "/tm", "/edev", "/edev/1/fsa", "/derp", "/derp/1/derc", "/derp/1/dderc", "/rsp")
FAULTS = {
    "silence": Silence("peer_timeout"),
    "oversized": Silence("response_oversized"),
    "500": Answer(500),
    "404": Answer(404),
    "403": Answer(403),
    "429": Answer(429),
    "429 later": Answer(429, retry_after_seconds=40),
    "nonsense": Answer(200, b"\xff\x00"),
    "empty": Answer(200),
    "away": Answer(302, location="https://evil.example/"),
    "round": Answer(307, location="/dcap"),
    "moved": Answer(301, location="/nowhere"),
}
TAKES_A_RESPONSE = {"404", "403", "nonsense", "empty", "round", "moved"}  # a final word, or taken elsewhere
faults = st.lists(
    st.tuples(st.sampled_from(PATHS), st.sampled_from(sorted(FAULTS)), st.integers(1, 200)), min_size=1, max_size=8
)


def busiest(times: list[float], seconds: float) -> int:
    """The most questions in any half-open stretch of so many seconds."""
    return max((bisect_left(times, at + seconds - 1e-6) - place for place, at in enumerate(times)), default=0)


@settings(max_examples=40, deadline=None)
@given(story=faults, at_once=st.integers(1, 4), latency=st.sampled_from([0.0, 0.3, 2.0]))
def test_after_any_faults_the_schedule_and_the_responses_are_those_of_a_quiet_server(story, at_once, latency):
    """The event starts after the last fault; 1 may come late, but 1, 2, 3 come, once each and in order."""
    end = 30 + sum(seconds for *_, seconds in story)
    world = plain(World(config(requests_at_once=at_once), latency=latency)).begin().run(30)
    world.server.resources["/derp/1/derc"] = DERControlList(
        href="/derp/1/derc", items=(control(1, end + 500, 100, 1500),)
    )
    for path, name, seconds in story:
        world.server.faults = {path: FAULTS[name]}
        world.run(seconds)
        assert world.most_at_once <= at_once
    world.server.faults = {}
    world.run(400)
    assert world.watts_at(end + 450) == 0
    assert world.watts_at(end + 550) == 1500
    world.run(500)
    codes = [code for _, code, who in world.responses if who == LFDI]
    taken = {path for path, name, _ in story if name in TAKES_A_RESPONSE and path == "/rsp"}
    assert codes == [1, 2, 3] or (taken and codes in ([2, 3], []))


@settings(max_examples=30, deadline=None)
@given(story=faults)
def test_under_any_faults_a_resource_is_asked_for_within_the_bound_of_its_window(story):
    """At most 6 first pages in 3 intervals of 60 s; the root has more while it is the only one that is asked for."""
    world = plain(World()).begin().run(30)
    for path, name, seconds in story:
        world.server.faults = {path: FAULTS[name]}
        world.run(seconds)
    world.server.faults = {}
    world.run(600)
    for path in PATHS[1:-1]:
        assert busiest(world.server.gets(path), 180) <= 6, path


@settings(max_examples=30, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(1, 150), st.lists(st.integers(1, 6), unique=True, max_size=6)), min_size=1, max_size=6
    )
)
def test_whatever_is_listed_when_it_is_the_listed_event_that_counts(changes):
    """Controls come and go between polls; each that was ever listed in 2018 runs, and no two devices differ."""
    world = World(config(3))
    lay(world, [device(number) for number in (1, 2, 3)])
    world.begin().run(1)
    events = {number: control(number, 2000 + 100 * number, 50, 100 * number) for number in range(1, 7)}
    seen: set[int] = set()
    for seconds, listed in changes:
        world.server.resources["/derp/1/derc"] = DERControlList(
            href="/derp/1/derc", items=tuple(events[number] for number in listed)
        )
        world.run(60 + seconds)
        seen.update(listed)
    for number in events:
        for who in (1, 2, 3):
            told = world.watts_at(2010 + 100 * number, lfdi(who))
            assert told == (100 * number if number in seen else 0)
    assert all(len(one.devices) == 3 for one in world.of(ScheduleChanged)[-1].segments)
