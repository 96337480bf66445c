"""Leases: the state table, and a brute-force oracle that looks at each second on its own."""

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs.errors import MisuseError
from wattseal.drivers.commands import Function, Seat
from wattseal.drivers.gate.leases import (
    NEXT,
    Ending,
    Heartbeat,
    LeaseTable,
    Revert,
    Standing,
    Turn,
    feeding_interval,
)

A, B = b"a" * 32, b"b" * 32
DEVICE = Seat("battery", Function.POWER)


def fed(table: LeaseTable, now: float, *, lease: int = 900, hold: float | None = None, timer: int = 60) -> None:
    table.accept(DEVICE, A, now, lease, hold)
    table.armed(DEVICE, A, now, table.timer_for(DEVICE, now, timer), timer, timer / 2)


def test_heartbeat_comes_at_half_of_the_timer() -> None:
    """Renewed at half of the timer's time."""
    table = LeaseTable()
    fed(table, 1000.0)
    assert table.wake_at(DEVICE, 0.0) == 1030.0
    assert table.due(DEVICE, 1029.9) is None
    assert table.due(DEVICE, 1030.0) == Heartbeat(DEVICE, A, 60)


def test_timer_is_never_programmed_past_the_events_end() -> None:
    """min(profile's timer, what is left of the event, what is left of the lease), in whole seconds."""
    table = LeaseTable()
    table.accept(DEVICE, A, 1000.0, 900, 50.0)
    assert table.timer_for(DEVICE, 1000.0, 60) == 49
    assert table.timer_for(DEVICE, 1000.0, 20) == 20
    table.accept(DEVICE, A, 1000.0, 30, 50.0)
    assert table.timer_for(DEVICE, 1000.0, 60) == 29
    assert table.timer_for(DEVICE, 1029.8, 60) == 0
    assert table.timer_for(DEVICE._replace(device="another"), 1000.0, 60) == 0


def test_a_missed_heartbeat_is_wanted_again_soon() -> None:
    table = LeaseTable()
    fed(table, 1000.0, timer=80)
    table.missed(DEVICE, A, 1040.0)
    assert table.wake_at(DEVICE, 1040.0) == 1050.0
    assert table.due(DEVICE, 1050.0) == Heartbeat(DEVICE, A, 80)
    table.missed(DEVICE, B, 1050.0)
    assert table.wake_at(DEVICE, 1050.0) == 1050.0


def test_nobody_is_woken_for_a_heartbeat_that_is_too_late() -> None:
    """With less than a second to program, the next thing is the end."""
    table = LeaseTable()
    fed(table, 1000.0, lease=60, timer=20)
    assert table.wake_at(DEVICE, 1000.0) == 1010.0
    assert table.wake_at(DEVICE, 1058.6) == 1060.0
    assert table.due(DEVICE, 1058.6) is None


def test_no_heartbeat_where_it_could_not_move_the_timer() -> None:
    """A timer that already runs to the lease's end is left alone until a renewal moves that end."""
    table = LeaseTable()
    fed(table, 1000.0, lease=60)
    assert table.wake_at(DEVICE, 1000.0) == 1060.0
    assert table.renew((A,), 1040.0, 900) == (A,)
    assert table.wake_at(DEVICE, 0.0) == 1030.0
    assert table.due(DEVICE, 1040.0) == Heartbeat(DEVICE, A, 60)


def test_window_over_lease_over_and_manifest_expired_are_told_apart() -> None:
    for lease, hold, manifest, end, reason in (
        (100, 50.0, math.inf, 50, Ending.WINDOW_OVER),
        (50, 100.0, math.inf, 50, Ending.LEASE_OVER),
        (50, None, math.inf, 50, Ending.LEASE_OVER),
        (100, 100.0, math.inf, 100, Ending.WINDOW_OVER),
        (100, 100.0, 1030.0, 30, Ending.MANIFEST_EXPIRED),
    ):
        table = LeaseTable()
        table.end_manifest_at(manifest)
        table.accept(DEVICE, A, 1000.0, lease, hold)
        assert table.due(DEVICE, 1000.0 + end - 0.001) is None
        assert table.wake_at(DEVICE, 0.0) == 1000.0 + end
        assert table.due(DEVICE, 1000.0 + end) == Revert(DEVICE, A, reason, 0)


def test_a_renewal_that_comes_too_late_revives_nothing() -> None:
    table = LeaseTable()
    fed(table, 1000.0, lease=10)
    assert table.renew((A,), 1010.0, 900) == ()
    assert table.due(DEVICE, 1010.0) == Revert(DEVICE, A, Ending.LEASE_OVER, 0)
    assert table.renew((A,), 1011.0, 900) == ()


def test_a_renewal_touches_only_the_commands_it_names() -> None:
    table = LeaseTable()
    table.accept(DEVICE._replace(device="one"), A, 0.0, 10, None)
    table.accept(DEVICE._replace(device="two"), B, 0.0, 10, None)
    assert table.renew((B, b"c" * 32), 5.0, 10) == (B,)
    assert (table.wake_at(DEVICE._replace(device="one"), 0.0), table.wake_at(DEVICE._replace(device="two"), 0.0)) == (
        10.0,
        15.0,
    )


def test_a_new_command_takes_the_device_over() -> None:
    table = LeaseTable()
    assert table.accept(DEVICE, A, 0.0, 10, None) is None
    assert table.accept(DEVICE, B, 5.0, 10, None) == A
    table.failed(DEVICE, A)  # what still comes of the old one changes nothing
    lease = table.lease(DEVICE)
    assert lease is not None
    assert (lease.command, lease.standing) == (B, Standing.ACCEPTED)
    assert table.due(DEVICE, 15.0) == Revert(DEVICE, B, Ending.LEASE_OVER, 0)


def test_an_unconfirmed_command_is_not_fed_and_runs_out() -> None:
    table = LeaseTable()
    fed(table, 0.0, lease=100)
    table.failed(DEVICE, A)
    assert table.wake_at(DEVICE, 0.0) == 100.0
    assert table.renew((A,), 50.0, 900) == ()


def test_a_restored_command_runs_unfed_to_the_devices_own_timer() -> None:
    table = LeaseTable()
    table.restore(DEVICE, A, 500.0, 60)
    assert table.wake_at(DEVICE, 0.0) == 560.0
    assert table.renew((A,), 510.0, 900) == ()
    assert table.due(DEVICE, 560.0) == Revert(DEVICE, A, Ending.LEASE_OVER, 0)


def test_a_revert_is_tried_until_it_is_confirmed_ever_more_slowly() -> None:
    table = LeaseTable()
    fed(table, 0.0, lease=10)
    now, pauses = 10.0, []
    for attempt in range(8):
        assert table.due(DEVICE, now) == Revert(DEVICE, A, Ending.LEASE_OVER, attempt)
        table.revert_failed(DEVICE, A, now)
        assert table.due(DEVICE, now) is None
        woken = table.wake_at(DEVICE, now)
        assert woken is not None
        pauses.append(woken - now)
        now = woken
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    table.reverted(DEVICE, A)
    assert table.lease(DEVICE) is None
    assert table.wake_at(DEVICE, 0.0) is None


def test_a_failed_release_is_tried_like_a_revert() -> None:
    table = LeaseTable()
    table.accept(DEVICE, A, 0.0, 900, None)
    table.end(DEVICE, A, 3.0, Ending.RELEASED)
    assert table.due(DEVICE, 3.0) == Revert(DEVICE, A, Ending.RELEASED, 0)


def test_lease_over_900_seconds_is_refused() -> None:
    """A lease has at most 900 s."""
    for wrong in (0, -1, 901):
        with pytest.raises(MisuseError, match="lease_too_long"):
            LeaseTable().accept(DEVICE, A, 0.0, wrong, None)
        with pytest.raises(MisuseError, match="lease_too_long"):
            LeaseTable().renew((A,), 0.0, wrong)


def test_every_pair_outside_the_table_changes_nothing() -> None:
    """Every standing meets every turn; what the table does not list leaves the lease as it was."""
    reach = {
        Standing.ACCEPTED: lambda t: t.accept(DEVICE, A, 0.0, 100, None),
        Standing.FED: lambda t: fed(t, 0.0, lease=100),
        Standing.UNFED: lambda t: t.restore(DEVICE, A, 0.0, 100),
        Standing.ENDING: lambda t: (fed(t, 0.0), t.end(DEVICE, A, 0.0, Ending.LEASE_OVER)),
        Standing.FREE: lambda _: None,
    }
    turns = {
        Turn.ACCEPT: lambda t: t.accept(DEVICE, A, 1.0, 100, None),
        Turn.ARMED: lambda t: t.armed(DEVICE, A, 1.0, 60, 60, 30.0),
        Turn.FAILED: lambda t: t.failed(DEVICE, A),
        Turn.RENEW: lambda t: t.renew((A,), 1.0, 100),
        Turn.TIME_OVER: lambda t: t.end(DEVICE, A, 1.0, Ending.LEASE_OVER),
        Turn.REVERTED: lambda t: t.reverted(DEVICE, A),
        Turn.DROP: lambda t: t.drop(DEVICE, A),
        Turn.RESTORE: lambda t: t.restore(DEVICE, A, 1.0, 100),
    }
    for standing, arrive in reach.items():
        for turn, act in turns.items():
            table = LeaseTable()
            arrive(table)
            before = table.lease(DEVICE)
            assert (Standing.FREE if before is None else before.standing) is standing
            act(table)
            after = table.lease(DEVICE)
            if (standing, turn) in NEXT:
                assert (Standing.FREE if after is None else after.standing) is NEXT[standing, turn]
            else:
                assert after == before, (standing, turn)


@pytest.mark.parametrize(
    ("timer", "heartbeat", "interval"), [(60, None, 30.0), (60, 20, 20.0), (60, 45, 30.0), (None, 30, 30.0)]
)
def test_feeding_interval(timer: int | None, heartbeat: int | None, interval: float) -> None:
    assert feeding_interval(timer, heartbeat) == interval


def test_nothing_to_feed_has_no_interval() -> None:
    assert feeding_interval(None, None) is None


@dataclass
class Oracle:
    """The same rules, second by second, in the plainest words: no wake_at, no table."""

    timer: int
    manifest_until: int
    command: int | None = None
    lease_until: int = 0
    hold_until: float = math.inf
    fed_at: int | None = None
    armed_for: int = 0
    beating: bool = False
    log: list[tuple[int, str, int]] = field(default_factory=list)

    def second(self, now: int) -> None:
        if self.command is None:
            return
        end = min(self.lease_until, self.hold_until, self.manifest_until)
        if now >= end:
            why = (
                "window_over"
                if self.hold_until == end
                else "manifest_expired"
                if self.manifest_until == end
                else "lease_over"
            )
            self.log.append((now, why, self.command))
            self.command = None
            return
        if not self.beating or self.fed_at is None:
            return
        worth = end - (self.fed_at + self.armed_for) >= 2
        if worth and now >= self.fed_at + self.armed_for / 2:
            possible = [t for t in range(self.timer + 1) if now + t + 0.5 <= end]
            if possible:
                self.armed_for, self.fed_at = max(possible), now
                self.log.append((now, f"heartbeat {self.armed_for}", self.command))


_EVENTS = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.sampled_from(["accept", "accept_held", "renew", "renew_old", "fail"]),
        st.integers(1, 120),
    ),
    max_size=12,
)


@given(events=_EVENTS, timer=st.integers(4, 60), manifest=st.integers(50, 600))
@settings(max_examples=300, deadline=None)
def test_against_an_oracle_that_looks_at_every_second(
    events: list[tuple[int, str, int]], timer: int, manifest: int
) -> None:
    """Woken only at `wake_at` and by inputs, the table does what the oracle does by looking every second."""
    by_second: dict[int, list[tuple[str, int]]] = {}
    for at, what, seconds in events:
        by_second.setdefault(at, []).append((what, seconds))
    oracle, table = Oracle(timer, manifest), LeaseTable()
    table.end_manifest_at(manifest)
    log: list[tuple[int, str, int]] = []
    commands = 0

    def look(now: int) -> None:
        action = table.due(DEVICE, now)
        if isinstance(action, Revert):
            log.append((now, str(action.reason), action.command[0]))
            table.reverted(DEVICE, action.command)
        elif isinstance(action, Heartbeat) and action.timer_seconds:
            log.append((now, f"heartbeat {action.timer_seconds}", action.command[0]))
            table.armed(DEVICE, action.command, now, action.timer_seconds, timer, action.timer_seconds / 2)

    for now in range(700):
        oracle.second(now)
        woken = table.wake_at(DEVICE, now)
        if woken is not None and woken <= now:
            look(now)
        for what, seconds in by_second.get(now, ()):
            name = bytes((commands,)) * 32
            if what in {"accept", "accept_held"} and now < manifest:
                commands += 1
                name = bytes((commands,)) * 32
                hold = float(seconds) if what == "accept_held" else None
                table.accept(DEVICE, name, now, 60, hold)
                oracle.command, oracle.lease_until, oracle.fed_at = commands, now + 60, now
                oracle.hold_until = math.inf if hold is None else now + seconds
                first = table.timer_for(DEVICE, now, timer)
                oracle.armed_for, oracle.beating = first, True
                table.armed(DEVICE, name, now, first, timer, first / 2)
            elif what == "renew":
                table.renew((name,), now, seconds)
                if oracle.command is not None and oracle.beating:
                    oracle.lease_until = now + seconds
            elif what == "renew_old":
                table.renew((b"\xff" * 32,), now, seconds)
            elif what == "fail":
                table.failed(DEVICE, name)
                oracle.beating = False
            oracle_end = min(oracle.lease_until, oracle.hold_until, manifest)
            assert oracle.command is None or table.timer_for(DEVICE, now, timer) + now <= oracle_end
    assert log == oracle.log


SEATS = (DEVICE, Seat("battery", Function.VARS), Seat("battery", Function.ENERGIZE), Seat("charger", Function.POWER))
_LIVES = st.lists(
    st.tuples(
        st.sampled_from(SEATS),
        st.integers(0, 200),
        st.sampled_from(["accept", "accept_held", "renew", "fail", "end"]),
        st.integers(1, 120),
    ),
    max_size=24,
)


def lived(
    events: list[tuple[Seat, int, str, int]], seats: tuple[Seat, ...]
) -> dict[Seat, list[tuple[int, str, bytes]]]:
    """What each of `seats` comes to in one table that knows of them only, and hears of `events` in their order."""
    table = LeaseTable()
    log: dict[Seat, list[tuple[int, str, bytes]]] = {seat: [] for seat in seats}
    last: dict[Seat, bytes] = {}
    for now in range(500):
        for seat in seats:
            action = table.due(seat, now)
            if isinstance(action, Revert):
                log[seat].append((now, f"revert {action.reason}", action.command))
                table.reverted(seat, action.command)
            elif isinstance(action, Heartbeat) and action.timer_seconds:
                log[seat].append((now, f"beat {action.timer_seconds}", action.command))
                table.armed(seat, action.command, now, action.timer_seconds, 40, action.timer_seconds / 2)
        for number, (seat, at, what, seconds) in enumerate(events):
            if at != now or seat not in seats:
                continue
            if what in {"accept", "accept_held"}:
                last[seat] = bytes((number,)) * 32
                hold = float(seconds) if what == "accept_held" else None
                before = table.accept(seat, last[seat], now, 60, hold)
                log[seat].append((now, "supersedes" if before else "accepts", before or last[seat]))
                timer = table.timer_for(seat, now, 40)
                table.armed(seat, last[seat], now, timer, 40, timer / 2)
            elif seat in last and what == "renew":
                log[seat].append((now, "renewed", b"".join(table.renew((last[seat],), now, seconds))))
            elif seat in last and what == "fail":
                table.failed(seat, last[seat])
            elif seat in last:
                table.end(seat, last[seat], now, Ending.RELEASED)
    return log


@given(events=_LIVES)
@settings(max_examples=100, deadline=None)
def test_seats_are_independent(events: list[tuple[Seat, int, str, int]]) -> None:
    """Together in one table, each function of each device lives exactly as if it were the only one."""
    together = lived(events, SEATS)
    for seat in SEATS:
        assert together[seat] == lived(events, (seat,))[seat]
