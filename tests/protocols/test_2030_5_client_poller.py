"""When each address is asked for, counted by hand: the field judges clients by requests in windows of 3 intervals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.client.poller import (
    FIRST_PAUSE_SECONDS,
    REST_MOST_SECONDS,
    SHORTEST_SECONDS,
    SPREAD_SECONDS,
    Poller,
)


class Bench:
    """One poller on a virtual clock, and every question that it put."""

    def __init__(self) -> None:
        self.poller = Poller()
        self.now = 1000.0
        self.asks: dict[str, list[float]] = {}
        self.status: dict[str, str] = {}
        self.held: set[str] = set()
        self.latency = 0.0

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            at = self.poller.wake_at()
            if at is None or at > end:
                break
            self.now = max(self.now, at)
            while (href := self.poller.next(self.now, self.held.__contains__)) is not None:
                self.asks.setdefault(href, []).append(self.now)
                self.now = min(self.now + self.latency, end)
                if self.status.get(href) == "fails":
                    self.poller.failed(href, self.now)
                else:
                    self.poller.answered(href, self.now)
        self.now = end


def counted(asks: list[float], interval: float, begin: float, end: float) -> list[int]:
    """The number of asks in every window of 3 intervals, half-open, that starts at an ask or just after one."""
    window = 3 * interval
    starts = [begin, *asks, *(at + 1e-6 for at in asks)]
    return [sum(1 for at in asks if start <= at < start + window - 2e-6) for start in starts if start + window <= end]


hurries = st.lists(st.floats(0, 2000), max_size=30)


@settings(max_examples=150, deadline=None)
@given(interval=st.integers(10, 200), hurries=hurries, latency=st.floats(0, 1), subscribed=st.booleans())
def test_every_window_of_three_intervals_holds_two_to_six_requests(interval, hurries, latency, subscribed):
    """CSIP-AUS harness: at least 2, at most min(3 x expected, expected + 3) requests of a path; expected is 3."""
    bench = Bench()
    bench.latency = latency
    bench.poller.watch("/a", interval, bench.now)
    begin = bench.now
    if subscribed:
        bench.held.add("/a")
    for at in sorted(hurries):
        bench.run(max(0.0, begin + at - bench.now))
        bench.poller.hurry("/a", bench.now)
    bench.run(10 * interval)
    counts = counted(bench.asks["/a"], interval, begin, bench.now)
    assert max(counts) <= 6
    assert subscribed or min(counts) >= 2


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_grid_never_drifts(data):
    """However late single answers are, the n-th poll is n intervals after the first, to within the lateness."""
    bench = Bench()
    bench.poller.watch("/a", 60, bench.now)
    begin = bench.now
    for _ in range(20):
        bench.latency = data.draw(st.floats(0, 20))
        bench.run(60)
    offsets = [(at - begin) % 60 for at in bench.asks["/a"]]
    assert all(offset < 1e-6 or offset > 60 - 1e-6 for offset in offsets)
    assert len(bench.asks["/a"]) >= 20


def test_what_was_missed_in_a_silence_is_not_made_up_for():
    """No burst: after ten intervals without a question there is one, and the grid is where it was."""
    bench = Bench()
    bench.poller.watch("/a", 60, bench.now)
    bench.run(1)
    bench.now += 599 + 30
    bench.run(29)
    assert len(bench.asks["/a"]) == 2
    bench.run(2)
    assert bench.asks["/a"][-1] == pytest.approx(1000 + 660)


def test_a_changed_interval_holds_at_once():
    bench = Bench()
    bench.poller.watch("/a", 900, bench.now)
    bench.run(100)
    bench.poller.watch("/a", 60, bench.now)
    bench.run(121)
    assert bench.asks["/a"] == [1000, 1100, 1160, 1220]
    bench.poller.watch("/a", 600, bench.now)
    bench.run(600)
    assert bench.asks["/a"][4:] == [1820]


def test_an_interval_is_kept_within_bounds():
    """A pollRate of 0 or 1 would flood the server that wrote it."""
    bench = Bench()
    bench.poller.watch("/a", 0, bench.now)
    bench.run(SHORTEST_SECONDS * 10)
    assert len(bench.asks["/a"]) == 11


def test_failures_are_retried_with_growing_pauses_and_never_more_often_than_the_grid_allows():
    bench = Bench()
    bench.status["/a"] = "fails"
    bench.poller.watch("/a", 300, bench.now)
    bench.run(3000)
    asks = bench.asks["/a"]
    assert asks[1] - asks[0] == FIRST_PAUSE_SECONDS
    assert max(counted(asks, 300, 1000, bench.now)) <= 6
    bench.status.clear()
    before = len(asks)
    bench.run(3000)
    assert len(bench.asks["/a"]) - before in range(9, 13)


def test_retry_after_goes_before_everything():
    """RFC 6585 and RFC 9110: nothing is asked before the server's own time, whatever else wants it."""
    bench = Bench()
    bench.poller.watch("/a", 60, bench.now)
    assert bench.poller.next(bench.now) == "/a"
    bench.poller.failed("/a", bench.now, 200)
    bench.poller.hurry("/a", bench.now)
    bench.run(199)
    assert "/a" not in bench.asks
    bench.run(2)
    assert bench.asks["/a"] == [1200]
    bench.run(60)
    assert bench.asks["/a"][1:] == [1240]


def test_429_without_retry_after_backs_off():
    bench = Bench()
    bench.poller.watch("/a", 60, bench.now)
    assert bench.poller.next(bench.now) == "/a"
    bench.poller.failed("/a", bench.now)
    assert bench.poller.next(bench.now + FIRST_PAUSE_SECONDS - 0.1) is None
    assert bench.poller.next(bench.now + FIRST_PAUSE_SECONDS) == "/a"


def test_a_subscribed_resource_is_read_once_and_then_rests_until_something_changed():
    bench = Bench()
    bench.held.add("/a")
    bench.poller.watch("/a", 60, bench.now)
    bench.run(600)
    assert bench.asks["/a"] == [1000]
    bench.poller.hurry("/a", bench.now)
    bench.run(600)
    assert bench.asks["/a"] == [1000, 1600]
    bench.held.clear()
    bench.run(120)
    assert len(bench.asks["/a"]) == 4


def test_what_changed_before_a_subscription_came_alive_is_not_missed():
    """One more reading under the subscription; after that the server tells."""
    bench = Bench()
    bench.poller.watch("/a", 60, bench.now)
    bench.run(90)
    bench.held.add("/a")
    bench.run(3600)
    assert bench.asks["/a"] == [1000, 1060, 1120]


def test_a_server_that_lost_its_subscriptions_is_not_believed_for_ever():
    bench = Bench()
    bench.held.add("/a")
    bench.poller.watch("/a", 600, bench.now)
    bench.run(4 * REST_MOST_SECONDS + 1)
    assert len(bench.asks["/a"]) == 5


def test_after_a_loss_everything_is_read_once_one_after_the_other_subscribed_or_not():
    bench = Bench()
    names = [f"/{number}" for number in range(100)]
    for name in names:
        bench.poller.watch(name, 600, bench.now)
    bench.run(10)
    bench.held.update(names[:50])
    bench.asks.clear()
    bench.poller.spread(bench.now, names)
    bench.run(30)
    assert [bench.asks[name] for name in names] == [[pytest.approx(1010 + SPREAD_SECONDS * n)] for n in range(100)]


def test_a_busy_address_is_not_asked_again_and_a_dropped_one_never():
    poller = Poller()
    poller.watch("/a", 60, 0.0)
    assert poller.next(0.0) == "/a"
    poller.hurry("/a", 1.0)
    assert poller.next(100.0) is None
    poller.drop("/a")
    poller.answered("/a", 100.0)
    assert poller.next(1000.0) is None
    assert poller.wake_at() is None
    assert len(poller) == 0
