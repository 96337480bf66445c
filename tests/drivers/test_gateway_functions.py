"""Several functions of one device at once: each lives, is fed, reverts, is superseded and survives a crash by itself.

IEEE 2030.5 runs its modes independently (a limit in watts, a power factor, vars, cease to energize); SunSpec 704 has a
reversion timer for each function, 703 has none.
"""

import sqlite3
from pathlib import Path

import pytest
from gateway_world import journalled, unjournalled
from test_gateway_commands import hasty_links, told, watts_of, world

from wattseal.certs.storage import Part, Store
from wattseal.drivers.commands import Function, Operation, Seat
from wattseal.drivers.device import PlannedWrites, Wish, WriteStep
from wattseal.drivers.gate.leases import Standing
from wattseal.drivers.gateway import rows
from wattseal.drivers.gateway.attempt import Plan
from wattseal.drivers.testimony import FunctionValues

__all__ = ["hasty_links"]

SET, LIMIT, RELEASE, ENERGIZE = Operation.SET_POWER, Operation.LIMIT_INJECT, Operation.RELEASE, Operation.ENERGIZE
FACTOR, FIXED, TARGET = Operation.POWER_FACTOR_INJECT, Operation.FIXED_VAR, Operation.TARGET_VAR
RAMP, RETURN = Operation.RAMP_RATE, Operation.RETURN_TO_SERVICE


def of(receipts, function):
    """The receipts of one function, told shortly."""
    power = function is Function.POWER
    return told(one for one in receipts if (one.of is None if power else one.of and one.of.function is function))


async def test_functions_stand_beside_each_other_and_each_reverts_by_itself(tmp_path: Path) -> None:
    """Power for 120 s, a factor for 60 s, no service for 30 s: each ends at its own time, and only it."""
    async with world(tmp_path, "battery") as w:
        battery = w.devices["battery"]
        await w.command("battery", SET, 3000, hold=120)
        await w.command("battery", FACTOR, -9500, hold=60)
        await w.pass_time(11)
        state = battery.run.control.state()
        assert state["watts"] == pytest.approx(3000, abs=50)
        # Under-excited absorbs vars: 3000 W times the tangent of the angle whose cosine is 0.95.
        assert state["vars"] == pytest.approx(-3000 * 0.32868, abs=60)
        await w.command("battery", ENERGIZE, 0, hold=30)
        await w.pass_time(12)
        assert watts_of(battery) == 0
        await w.pass_time(20)
        receipts = await w.receipts()
        assert of(receipts, Function.ENERGIZE) == [
            ("command", "applied", "applied"),
            ("effect", "applied", "applied"),
            ("revert", "reverted", "window_over"),
        ]
        assert receipts[-1].of == FunctionValues(Function.ENERGIZE, 0, 0, None)
        await w.pass_time(20)
        receipts = await w.receipts()
        assert of(receipts, Function.POWER_FACTOR_INJECT)[-1] == ("revert", "reverted", "window_over")
        assert ("revert", "reverted", "window_over") not in of(receipts, Function.POWER)
        assert watts_of(battery) == pytest.approx(3000, abs=50)
        assert battery.run.control.state()["vars"] == pytest.approx(0, abs=20)
        await w.pass_time(60)
        assert of(await w.receipts(), Function.POWER)[-1] == ("revert", "reverted", "window_over")
        assert unjournalled(battery, await w.estate.store.steps()) == [], "no timer needed feeding"


async def test_each_functions_own_timer_is_fed_by_its_own_heartbeats(tmp_path: Path) -> None:
    """Open-ended orders under leases of 300 s, renewed: what has a timer is fed, what has none is written once."""
    async with world(tmp_path, "battery") as w:
        battery = w.devices["battery"]
        power = await w.command("battery", SET, 2000, hold=0, lease=60)
        factor = await w.command("battery", FACTOR, 9000, hold=0, lease=60)
        cease = await w.command("battery", ENERGIZE, 1, hold=0, lease=60)
        for _ in range(4):
            await w.pass_time(40)
            await w.tell(w.core.renewal([power, factor, cease], lease=60))
        assert watts_of(battery) == pytest.approx(2000, abs=50)
        beats = {frame["address"] for frame in unjournalled(battery, await w.estate.store.steps())}
        assert beats, "a timer of 59 s was outlived"
        service = {step.address for step in await w.estate.store.steps() if step.command == cease.digest}
        assert not beats & service
        assert [standing_of(w, one) for one in (Function.POWER, Function.POWER_FACTOR_INJECT, Function.ENERGIZE)] == [
            Standing.FED
        ] * 3


def standing_of(w, function):
    lease = w.gateway._leases.lease(Seat("battery", function))
    return None if lease is None else lease.standing


async def test_a_lease_that_is_not_renewed_ends_its_function_alone(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        power = await w.command("battery", SET, 2000, hold=0, lease=60)
        await w.command("battery", TARGET, 500, hold=0, lease=60)
        await w.pass_time(40)
        await w.tell(w.core.renewal([power], lease=300))
        await w.pass_time(30)
        receipts = await w.receipts()
        assert of(receipts, Function.VARS)[-1] == ("revert", "reverted", "lease_over")
        assert of(receipts, Function.POWER)[-1] == ("effect", "applied", "applied")
        assert (standing_of(w, Function.VARS), standing_of(w, Function.POWER)) == (None, Standing.FED)


async def test_supersession_is_within_a_function(tmp_path: Path) -> None:
    """A limit takes the setpoint's place (one power order); the vars beside them are not touched."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 2000)
        await w.command("battery", TARGET, 500)
        await w.command("battery", LIMIT, 1000)
        receipts = await w.receipts()
        assert ("lease", "superseded", "superseded") in of(receipts, Function.POWER)
        assert of(receipts, Function.VARS) == [("command", "applied", "applied")]
        assert standing_of(w, Function.VARS) is Standing.FED
        assert w.gateway.workers["battery"].executor_of(Function.VARS).live.order.value == 500


async def test_the_registers_that_two_operations_share_are_not_taken_back(tmp_path: Path) -> None:
    """Vars in var, then vars in percent: one enable, one timer. Taking the first back would switch the second off."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", TARGET, 500)
        await w.command("battery", FIXED, ("max_vars", -1000))
        await w.pass_time(12)
        receipts = await w.receipts()
        assert of(receipts, Function.VARS) == [
            ("command", "applied", "applied"),
            ("lease", "superseded", "superseded"),
            ("command", "applied", "applied"),
            ("effect", "applied", "applied"),
        ]
        assert [one.of.read_back for one in receipts if one.phase == "command"] == [500, ("max_vars", -1000)]
        # 10 % of the 6 kvar that the simulated inverter can absorb.
        assert w.devices["battery"].run.control.state()["vars"] == pytest.approx(-600, abs=20)


@pytest.mark.parametrize(
    ("backs", "left"),
    [([()], []), ([(10,)], []), ([(10,), (12,)], []), ([(10,), (20,)], [(10,), (20,)]), ([(20,)], [(20,)])],
)
def test_only_what_the_wish_overwrites_whole_is_not_taken_back(backs, left) -> None:
    """Registers 10 to 12 are written by the wish; a way back that touches any other is needed."""

    def planned(*runs: tuple[int, ...]) -> PlannedWrites:
        steps = tuple(WriteStep(n, 1, run[0], tuple(0 for _ in run), "") for n, run in enumerate(runs) if run)
        return PlannedWrites(Wish(RELEASE, 0, 0), steps, 0, None, (), None, (), 0, 0)

    plan = Plan.of(planned((10, 11, 12)), [planned(*backs)])
    assert [(step.address,) for back in plan.undone for step in back.steps] == left


async def test_a_release_ends_its_own_function_only(tmp_path: Path) -> None:
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 2000)
        await w.command("battery", ENERGIZE, 0)
        await w.command("battery", RELEASE, 0, released=Function.ENERGIZE)
        assert of(await w.receipts(), Function.ENERGIZE)[-1] == ("command", "applied", "applied")
        await w.pass_time(40)
        assert (standing_of(w, Function.ENERGIZE), standing_of(w, Function.POWER)) == (None, Standing.FED)
        assert watts_of(w.devices["battery"]) == pytest.approx(2000, abs=50)


@pytest.mark.parametrize(("operation", "value"), [(RAMP, 500), (RETURN, (20_000, None, None, None, None, None, None))])
async def test_a_setting_is_kept_and_never_said_to_be_reverted(tmp_path: Path, operation, value) -> None:
    """No timer, no way back: when the command is over nothing is written, and the receipt says just that."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", operation, value, hold=30)
        frames = len(w.devices["battery"].writes())
        await w.pass_time(32)
        last = (await w.receipts())[-1]
        assert told([last]) == [("revert", "kept", "window_over")]
        assert last.applied_at_ms is None
        assert len(w.devices["battery"].writes()) == frames
        assert standing_of(w, last.of.function) is None
        await w.command("battery", RELEASE, 0, released=last.of.function)
        assert told(await w.receipts())[-1] == ("command", "kept", "no_way_back")
        assert len(w.devices["battery"].writes()) == frames


async def test_what_the_device_cannot_hold_exactly_is_told_as_clamped(tmp_path: Path) -> None:
    """Power factors have three digits there; whole percent a second is the finest ramp."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", FACTOR, -9512)
        await w.command("battery", RAMP, 27)
        first, second = await w.receipts()
        assert (first.result, first.reason) == ("clamped", "device_rating")
        assert first.of == FunctionValues(Function.POWER_FACTOR_INJECT, -9512, -9520, -9520)
        assert (second.result, second.reason) == ("refused", "value_not_supported")
        assert second.of == FunctionValues(Function.RAMP_RATE, 27, 27, None)
        assert standing_of(w, Function.RAMP_RATE) is None


async def test_ceasing_to_energize_overtakes_what_waits(tmp_path: Path) -> None:
    """A device is one link: what is accepted while it is busy waits, but not the order to cease."""
    async with world(tmp_path, "battery") as w:
        for operation, value in ((SET, 2000), (FACTOR, 9500), (ENERGIZE, 0)):
            await w.tell(*w.core.bundle(w.core.order("battery", operation, value)))
        await w.work()
        order = [one.of.function if one.of else Function.POWER for one in await w.receipts()]
        assert order == [Function.ENERGIZE, Function.POWER, Function.POWER_FACTOR_INJECT]


async def test_a_crash_with_two_live_functions(tmp_path: Path) -> None:
    """Both are found and stated; neither is fed; each runs out by itself, and no frame is written twice."""
    async with world(tmp_path, "battery") as w:
        battery = w.devices["battery"]
        await w.command("battery", SET, 3000, lease=60, hold=0)
        await w.command("battery", ENERGIZE, 0, lease=300, hold=0)
        await w.pass_time(12)
        frames = len(battery.writes())
        await w.restart()
        await w.work()
        restarted = [one for one in await w.receipts() if one.phase == "restart"]
        assert told(restarted) == [("restart", "unknown", "gateway_restarted")] * 2
        assert {None if one.of is None else one.of.read_back for one in restarted} == {None, 0}
        assert len(battery.writes()) == frames
        assert (standing_of(w, Function.POWER), standing_of(w, Function.ENERGIZE)) == (Standing.UNFED, Standing.UNFED)
        # A fresh order for one leaves the other to run out: 703 has no timer, so a minute of grace, then the revert.
        await w.command("battery", SET, 2500, lease=300, hold=0)
        await w.pass_time(62)
        receipts = await w.receipts()
        assert of(receipts, Function.ENERGIZE)[-1] == ("revert", "reverted", "lease_over")
        assert of(receipts, Function.POWER)[-1] == ("effect", "applied", "not_effective")
        await w.pass_time(40)
        assert watts_of(battery) == pytest.approx(2500, abs=50)
        assert unjournalled(battery, journalled(w.site)) == []


async def test_power_is_reckoned_without_the_other_functions(tmp_path: Path) -> None:
    """Ramp, dwell and cycles rest on what was ordered of power; an order of vars or service is none of it."""
    async with world(tmp_path, "battery") as w:
        await w.command("battery", SET, 2000)
        before = w.gateway.workers["battery"].facts(w.time.monotonic())
        await w.command("battery", TARGET, -500)
        await w.command("battery", ENERGIZE, 1)
        assert w.gateway.workers["battery"].facts(w.time.monotonic()).commanded == before.commanded == (SET, 2000)


def test_a_database_of_one_order_for_each_device_is_taken_over(tmp_path: Path) -> None:
    """What the layout before functions kept is power's; opening it again changes nothing more."""
    path = tmp_path / "gateway.db"
    earlier = Part(
        "gateway", rows.PART.steps[: rows.PART.steps.index(next(s for s in rows.PART.steps if "past_of" in s))]
    )
    Store.open(path, (earlier,)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO past VALUES ('battery', x'01', x'02', 3)")
    connection.close()
    for _ in range(2):
        store = Store.open(path, (rows.PART,))
        assert store.read_now(rows.read_past) == (rows.PastRow("battery", Function.POWER, b"\x01", b"\x02", 3),)
        store.close()
