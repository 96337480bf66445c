"""A lab's clock: its arithmetic against a plain oracle, its words, its socket, and loops that follow it."""

import asyncio
import contextlib
import itertools
import math
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import lab_clock_world
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs.clock import BUILD_FLOOR, ClockQuality, SystemTime, TrustedClock
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.lab_clock.admission import admit, is_loopback
from wattseal.certs.lab_clock.desk import BEHIND, Desk
from wattseal.certs.lab_clock.hand import RemoteClock
from wattseal.certs.lab_clock.loop import run
from wattseal.certs.lab_clock.participant import ClockLostError, GlimpsedTime, Participant
from wattseal.certs.lab_clock.server import ClockOptions, ClockServer, UnsettledError, running_clock
from wattseal.certs.lab_clock.words import (
    MICROSECONDS,
    ClockWordError,
    Idle,
    Told,
    read_idle,
    read_told,
    socket_named,
    span,
    words_in,
)

WALL = 1_900_000_000


# ---- the arithmetic


def settled(desk: Desk, timers: dict[int, list[int]], fired: list[tuple[int, int]]) -> None:
    """Plays the participants: each in its turn runs what is due, until a whole turn changes nothing."""
    held = list(desk.due())
    while True:
        first = held.pop(0) if held else None
        for key, due in timers.items():
            while due and due[0] <= desk.at and key not in held:
                fired.append((due.pop(0), key))
        answer_all(desk, timers, fired)
        if first is None:
            return


def answer_all(desk: Desk, timers: dict[int, list[int]], fired: list[tuple[int, int]]) -> None:
    while True:
        told = desk.ask()
        for key, due in timers.items():
            done = sum(1 for _, who in fired if who == key)
            desk.answered(key, Idle(told.turn, done, due[0] if due else None))
        assert desk.complete
        if desk.at_rest():
            return


@given(
    st.lists(st.lists(st.integers(1, 300), max_size=8), min_size=1, max_size=4),
    st.lists(st.integers(0, 200), min_size=1, max_size=5),
)
def test_timers_of_all_fire_in_the_order_of_one_clock(wanted: list[list[int]], advances: list[int]) -> None:
    """The oracle: all timers of all participants in one list, by time and then by name, up to the sum of advances."""
    desk = Desk(WALL * MICROSECONDS)
    timers = {key: sorted(set(times)) for key, times in enumerate(wanted)}
    everything = sorted((when, key) for key, times in timers.items() for when in times)
    for key in timers:
        desk.joined(key, f"{key:02}")
    fired: list[tuple[int, int]] = []
    settled(desk, timers, fired)
    for seconds in advances:
        target = desk.at + seconds
        while desk.step_towards(target):
            settled(desk, timers, fired)
        assert target <= desk.at <= target + BEHIND
    assert sorted(fired) == [one for one in everything if one[0] <= desk.at]
    # A timer lands `BEHIND`: two that lie no further apart than that come for the same moment, and go by name.
    assert all(earlier[0] <= later[0] + BEHIND for earlier, later in itertools.pairwise(fired))


def test_at_rest_is_two_turns_that_found_the_same() -> None:
    """A participant that was told something by another between two turns has done something since: one more turn."""
    desk = Desk(0)
    desk.joined(1, "a")
    desk.joined(2, "b")
    for counts, rest in (((5, 7), False), ((5, 8), False), ((6, 8), False), ((6, 8), True)):
        told = desk.ask()
        assert set(desk.missing) == {"a", "b"}
        desk.answered(1, Idle(told.turn - 1, 99, None))
        assert not desk.complete
        desk.answered(1, Idle(told.turn, counts[0], None))
        assert desk.missing == ("b",)
        desk.answered(2, Idle(told.turn, counts[1], None))
        assert desk.complete
        assert desk.at_rest() is rest


def test_nothing_moves_until_all_who_are_expected_take_part_and_one_that_left_is_not_waited_for() -> None:
    desk = Desk(0, expected=2)
    desk.joined(1, "a")
    desk.answered(1, Idle(desk.ask().turn, 1, None))
    assert not desk.complete
    desk.joined(2, "b")
    desk.joined(3, "c")
    assert desk.members == ("a", "b", "c")
    desk.answered(2, Idle(desk.turn, 1, None))
    assert desk.missing == ("c",)
    desk.left(3)
    assert desk.complete


def test_the_wall_clock_is_put_forward_before_anybody_takes_part_and_never_back() -> None:
    desk = Desk(WALL * MICROSECONDS)
    desk.begin_at((WALL + 60) * MICROSECONDS)
    assert desk.told == Told(0, (WALL + 60) * MICROSECONDS, 0)
    with pytest.raises(MisuseError, match="put back"):
        desk.begin_at(WALL * MICROSECONDS)
    desk.joined(1, "a")
    with pytest.raises(MisuseError, match="before anybody"):
        desk.begin_at((WALL + 120) * MICROSECONDS)


# ---- the words


def test_words_survive_the_wire_and_others_are_refused() -> None:
    told, idle = Told(5, 6, 7, go=False), Idle(1, 2, None)
    assert read_told(told.line()) == told
    assert read_idle(idle.line()) == idle
    assert read_idle(replace(idle, wake=9).line()) == replace(idle, wake=9)
    for line in (b"", b"\xff\n", b"[]", b"[" * 100_000, b'{"at": 1}', b'{"turn": 1, "doings": 2, "wake": "soon"}'):
        with pytest.raises(ClockWordError):
            read_idle(line)
        with pytest.raises(ClockWordError):
            read_told(line)
    with pytest.raises(ClockWordError):
        words_in(b"7")


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 401 * 86_400, True, "1"])
def test_only_a_span_of_time_is_advanced_by(seconds: object) -> None:
    with pytest.raises(MisuseError) as caught:
        span(seconds)
    assert caught.value.reason == "clock_advance"


def test_a_clock_is_named_by_its_socket() -> None:
    assert socket_named("unix:/run/lab.sock") == Path("/run/lab.sock")
    for text in ("", "unix:", "tcp://127.0.0.1:1", "/run/lab.sock"):
        with pytest.raises(MisuseError):
            socket_named(text)


# ---- who may


def test_admission_is_for_labs_on_this_machine_alone() -> None:
    """DESIGN, one event: a running box accepts a virtual clock only in lab mode and on loopback."""
    virtual = GlimpsedTime(Told(0, WALL * MICROSECONDS, 0))
    admit(virtual, lab=True, floor=WALL, hosts=("127.0.0.1", "localhost", "::1", "127.8.8.8"))
    admit(SystemTime(), lab=False, floor=WALL * 2, hosts=("192.0.2.1",))
    for given_lab, floor, hosts, reason in (
        (False, WALL, (), "clock_outside_lab"),
        (True, WALL, ("127.0.0.1", "192.0.2.1"), "clock_not_loopback"),
        (True, WALL, ("utility.example",), "clock_not_loopback"),
        (True, WALL + 1, (), "clock_behind"),
    ):
        with pytest.raises(MisuseError) as caught:
            admit(virtual, lab=given_lab, floor=floor, hosts=hosts)
        assert caught.value.reason == reason
    assert not is_loopback("0.0.0.0")
    assert is_loopback("[::1]")


def test_instants_of_a_virtual_source_say_so() -> None:
    now = TrustedClock(GlimpsedTime(Told(1_500_000, WALL * MICROSECONDS + 1_500_000, 0))).now()
    assert (now.unix_ms, now.monotonic, now.quality) == (WALL * 1000 + 1500, 1.5, ClockQuality.VIRTUAL)
    firm = {quality for quality in ClockQuality if quality.is_firm}
    assert firm == {ClockQuality.TRUSTED, ClockQuality.VIRTUAL}
    assert {quality for quality in ClockQuality if not quality.may_order(lab=True)} == {ClockQuality.UNTRUSTED}
    assert {quality for quality in ClockQuality if not quality.may_order(lab=False)} == {
        ClockQuality.UNTRUSTED, ClockQuality.VIRTUAL,
    }  # fmt: skip


# ---- the socket, and loops in threads and processes


@asynccontextmanager
async def on_the_clock(clock: Path, *mains: Callable[[Participant], Awaitable[object]]) -> AsyncIterator[None]:
    """Runs each main on a loop of its own, in a thread, as a process would; it takes part until the block is left."""
    endings: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def follow(main: Callable[[Participant], Awaitable[object]], name: str) -> object:
        participant = Participant.join(clock, name)

        async def whole() -> object:
            ended = asyncio.Event()
            endings.append((asyncio.get_running_loop(), ended))
            await main(participant)
            return await ended.wait()

        return run(whole(), participant)

    running = [asyncio.create_task(asyncio.to_thread(follow, main, f"{n}")) for n, main in enumerate(mains)]
    try:
        yield
    finally:
        for loop, ended in endings:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)
        await asyncio.gather(*running)


def options(expected: int, **changes: float) -> ClockOptions:
    return ClockOptions(wall=WALL, expected=expected, **changes)  # type: ignore[arg-type]  # seconds by keyword


async def test_sleep_timeout_and_wait_for_follow_the_clock(tmp_path: Path) -> None:
    """Two hours of timers pass in far less than two seconds, each at its own moment."""
    seen: list[tuple[float, str]] = []

    async def main(clock: Participant) -> None:
        loop = asyncio.get_running_loop()
        assert (loop.time(), clock.wall()) == (0.0, float(WALL))
        loop.call_later(30, lambda: seen.append((round(loop.time(), 3), "call_later")))
        await asyncio.sleep(60)
        seen.append((round(loop.time(), 3), "sleep"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        seen.append((round(loop.time(), 3), "timeout"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.25)
        seen.append((round(loop.time(), 3), "wait_for"))

    begun = time.monotonic()
    async with running_clock(tmp_path / "c", options(1)) as clock, on_the_clock(tmp_path / "c", main):
        assert (await clock.advance(29.9)).at == 29_900_000
        assert seen == []
        await clock.advance(0.1)
        assert seen == [(30.0, "call_later")]
        await clock.advance(7200)
    assert seen == [(30.0, "call_later"), (60.0, "sleep"), (3660.0, "timeout"), (3660.25, "wait_for")]
    assert time.monotonic() - begun < 60


async def test_a_wait_computed_in_floating_point_never_turns_for_ever(tmp_path: Path) -> None:
    """The pattern of a worker's loop: sleep for what is left until a deadline, look again whether it has come."""
    looks = 0

    async def main(clock: Participant) -> None:
        nonlocal looks
        at = clock.monotonic()
        for _ in range(500):
            at += 0.1
            while clock.monotonic() < at:
                looks += 1
                await asyncio.sleep(at - clock.monotonic())

    async with running_clock(tmp_path / "c", options(1)) as clock, on_the_clock(tmp_path / "c", main):
        await clock.advance(51)
    assert looks == 500


async def test_what_is_due_within_the_last_bit_of_a_float_waits_for_the_next_step(tmp_path: Path) -> None:
    """The clock stopped for another timer just before: a wait for the rest is not over at once, again and again."""
    looks = 0

    async def main(clock: Participant) -> None:
        nonlocal looks
        await asyncio.sleep(2100.000_001)
        begun, at = clock.monotonic(), math.nextafter(clock.monotonic(), math.inf)
        while clock.monotonic() < at:
            looks += 1
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=at - clock.monotonic())
        assert clock.monotonic() - begun < 0.001

    async with running_clock(tmp_path / "c", options(1)) as clock, on_the_clock(tmp_path / "c", main):
        await clock.advance(2101)
    assert looks == 1


async def test_those_who_are_due_together_go_one_after_another(tmp_path: Path) -> None:
    """What the first sends is with the second before the second's own timer of that moment runs."""
    order: list[str] = []
    place = tmp_path / "peer"

    async def second(clock: Participant) -> None:
        async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                order.append(f"heard {line.decode().strip()}")
            writer.close()

        server = await asyncio.start_unix_server(heard, place)
        for number in range(20):
            await asyncio.sleep((number + 1) * 10.0 - clock.monotonic())
            order.append(f"own {number}")
        server.close()

    async def first(clock: Participant) -> None:
        await asyncio.sleep(1)
        _, writer = await asyncio.open_unix_connection(place)
        for number in range(20):
            await asyncio.sleep((number + 1) * 10.0 - clock.monotonic())
            writer.write(f"{number}\n".encode())
        await writer.drain()
        writer.close()

    async with running_clock(tmp_path / "c", options(2)) as clock, on_the_clock(tmp_path / "c", first, second):
        await clock.advance(201)
    assert order == [text for number in range(20) for text in (f"heard {number}", f"own {number}")]


async def test_processes_tick_in_one_order_and_a_remote_hand_moves_them(tmp_path: Path) -> None:
    """Two real processes, one log: ten minutes of ticks stand in it in the order of one clock."""
    log = tmp_path / "log"
    log.touch()
    program = str(lab_clock_world.__file__)
    socket = tmp_path / "c"
    async with running_clock(socket, options(2)), RemoteClock(socket) as hand:
        ticking = [
            await asyncio.create_subprocess_exec(
                sys.executable, program, "ticker", str(socket), str(log), period, "999"
            )
            for period in ("1.5", "2")
        ]
        try:
            told = await hand.advance(600.5)
        finally:
            for process in ticking:
                process.kill()
                await process.wait()
    assert told.at >= 600 * MICROSECONDS
    ticks = [(float(line.split()[0]), line.split()[2]) for line in log.read_text().splitlines()]
    wanted = sorted([1.5 * n for n in range(1, 401)] + [2.0 * n for n in range(1, 301)])
    assert [round(at, 1) for at, _ in ticks] == wanted
    assert {quality for _, quality in ticks} == {"virtual"}


async def test_io_under_way_gets_its_real_time(tmp_path: Path) -> None:
    """A virtual millisecond is a deadline that real I/O and the other side's threads (40 ms here) always meet."""
    log, port, socket = tmp_path / "log", tmp_path / "port", tmp_path / "c"
    log.touch()
    program = str(lab_clock_world.__file__)
    async with running_clock(socket, options(2)) as clock:
        serving = await asyncio.create_subprocess_exec(
            sys.executable, program, "server", str(socket), str(log), str(port)
        )
        asking = None
        try:
            for _ in range(2000):
                if port.exists() and port.read_text():
                    break
                await asyncio.sleep(0.01)
            asking = await asyncio.create_subprocess_exec(
                sys.executable, program, "client", str(socket), str(log), port.read_text(), "5"
            )
            await clock.advance(60)
        finally:
            for process in (serving, asking):
                if process is not None:
                    process.kill()
                    await process.wait()
    assert log.read_text().splitlines() == ["10 pong", "20 pong", "30 pong", "40 pong", "50 pong"]


async def test_until_stops_at_the_condition_and_gives_up_in_virtual_time(tmp_path: Path) -> None:
    async with running_clock(tmp_path / "c", options(0)) as clock:
        assert await clock.until(lambda: clock.told.at >= 5 * MICROSECONDS, 60)
        assert clock.told.at == 5 * MICROSECONDS

        async def never() -> bool:
            return False

        with pytest.raises(TimeoutError):
            await clock.until(never, 10, 2.5)
        assert clock.told.at == 15 * MICROSECONDS


async def test_a_running_clock_passes_at_its_rate_and_is_frozen_again(tmp_path: Path) -> None:
    ticks: list[float] = []
    done, here = asyncio.Event(), asyncio.get_running_loop()

    async def main(clock: Participant) -> None:
        for _ in range(10):
            await asyncio.sleep(100)
            ticks.append(round(clock.monotonic(), 3))
        here.call_soon_threadsafe(done.set)

    async with running_clock(tmp_path / "c", options(1)) as clock, on_the_clock(tmp_path / "c", main):
        await clock.run(5000)
        await done.wait()
        await clock.run(0)
        frozen = clock.told.at
        await asyncio.sleep(0.1)
        assert clock.told.at == frozen
        with pytest.raises(MisuseError):
            await clock.run(-1)
    assert [round(tick) for tick in ticks] == [100 * n for n in range(1, 11)]


async def test_one_that_never_rests_is_named(tmp_path: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    over: list[bool] = []

    async def busy(_clock: Participant) -> None:
        while not over:  # noqa: ASYNC110  never at rest is what is wanted
            await asyncio.sleep(0)
        loop.call_soon_threadsafe(ended.set)

    async with (
        running_clock(tmp_path / "c", options(1, settle_seconds=0.3)) as clock,
        on_the_clock(tmp_path / "c", busy),
    ):
        with pytest.raises(UnsettledError, match="waited for: 0"):
            await clock.advance(1)
        over.append(True)
        await ended.wait()


async def test_after_the_clock_has_gone_the_process_ends_by_its_own_time(tmp_path: Path) -> None:
    """The error comes out of the loop; what the program does to end itself does not wait for a clock that is gone."""
    cleaned: list[bool] = []

    async def main(_clock: Participant) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    def follow() -> None:
        participant = Participant.join(tmp_path / "c", "one")
        run(main(participant), participant)

    async with running_clock(tmp_path / "c", options(1)) as clock:
        following = asyncio.create_task(asyncio.to_thread(follow))
        await clock.advance(1)
    with pytest.raises(ClockLostError) as caught:
        await following
    assert caught.value.reason == "clock_lost"
    assert cleaned == [True]


async def test_what_does_not_speak_the_clocks_words_is_hung_up_on_and_disturbs_nobody(tmp_path: Path) -> None:
    async with running_clock(tmp_path / "c", options(0)) as clock:
        assert (tmp_path / "c").stat().st_mode & 0o777 == 0o600
        for garbage in (b"\n", b"{}{}\n", b"x" * 10_000, b'{"join": "a"}\n{"turn": "late"}\n'):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "c")
            writer.write(garbage)
            writer.write_eof()
            await reader.read()
            writer.close()
        assert clock.members == ()
        async with RemoteClock(tmp_path / "c") as hand:
            for wrong in ({"seconds": -1}, {"seconds": "1"}):
                with pytest.raises(MisuseError):
                    await hand._ask("advance", **wrong)
            with pytest.raises(MisuseError):
                await hand._ask("dance")
            assert (await hand.set(WALL + 60)).wall == (WALL + 60) * MICROSECONDS
            assert (await hand.advance(1)).at == MICROSECONDS
            assert (await hand.run(0)) == await hand.time() == clock.told


async def test_where_no_clock_is_nothing_is_joined(tmp_path: Path) -> None:
    with pytest.raises(ClockLostError) as caught:
        Participant.join(tmp_path / "nobody", "x")
    assert caught.value.reason == "clock_unreachable"
    with pytest.raises(WorldError):
        async with RemoteClock(tmp_path / "nobody"):
            pass


def test_a_clock_begins_at_the_present_or_later() -> None:
    wall = ClockServer(ClockOptions()).told.wall / MICROSECONDS
    assert max(time.time() - 5, BUILD_FLOOR) <= wall <= time.time() + 2
