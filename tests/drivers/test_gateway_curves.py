"""Curves, out and back through the gateway: sealed order, slot, adoption, enable, active curve read back, and the ways
that it fails. The device is the simulated battery with its SunSpec models 705 to 712, faults on demand.
"""

from pathlib import Path

import pytest
from gateway_world import World, hasty, journalled, unjournalled
from test_gateway_commands import told, world

from wattseal.drivers.device import Operation
from wattseal.drivers.gateway import opening
from wattseal.drivers.gateway.rows import StepState
from wattseal.drivers.operations import Function
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.drivers.simulators.faults import Scope as Hits
from wattseal.drivers.testimony import Phase, Receipt, Result

VOLT_VAR = ("max_vars", ((9_500, 3_000), (10_500, -3_000)), 3_000, None, None)
STEEPER = ("max_vars", ((9_800, 3_000), (10_200, -3_000)), 3_000, None, None)
LV_MUST = ("nominal_volts", ((500, 6_000),), None, None, None)
LV_MAY = ("nominal_volts", ((160, 5_000), (2_000, 8_800)), None, None, None)
DROOP = (36, 36, 50, 50, 5_000)
M705, SLOT_705, ENA_705, REQUEST_705 = 40_372, 40_409, 40_374, 40_375


@pytest.fixture(autouse=True)
def hasty_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "link_settings", hasty(opening.link_settings))


def grid(made: World, **changes: object) -> dict:
    """The battery's truth, a while after the grid has changed."""
    control = made.devices["battery-1"].run.control
    control.set(**changes)
    return control.state()


def written_to(made: World, address: int) -> int:
    return sum(frame["address"] == address for frame in made.devices["battery-1"].writes())


async def of_function(made: World, function: Function) -> list[Receipt]:
    return [receipt for receipt in await made.receipts("battery-1") if receipt.of and receipt.of.function is function]


def nothing_unjournalled(made: World) -> bool:
    return unjournalled(made.devices["battery-1"], journalled(made.site)) == []


async def test_volt_var_is_adopted_read_back_felt_and_taken_back(tmp_path: Path) -> None:
    """Order, receipts with the curve as it is active, vars by the grid's voltage, and off when the order is over."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=120)
        (receipt,) = await made.receipts("battery-1")
        assert told([receipt]) == [("command", "applied", "applied")]
        assert receipt.of is not None
        assert (receipt.of.asked, receipt.of.clamped, receipt.of.read_back[:3]) == (VOLT_VAR, VOLT_VAR, VOLT_VAR[:3])
        grid(made, volts=241.5)
        await made.pass_time(20)
        assert grid(made)["vars"] == pytest.approx(-1_800)  # -30 % of 6 kvar at 105 % of 230 V
        assert grid(made)["curves"]["705"]["enabled"] is True
        await made.pass_time(120)
        assert grid(made)["curves"]["705"]["enabled"] is False
        assert grid(made)["vars"] == pytest.approx(0)
        assert told(await made.receipts("battery-1"))[-1] == ("revert", "reverted", "window_over")
        assert (written_to(made, SLOT_705), written_to(made, REQUEST_705)) == (1, 1)


async def test_every_frame_is_journalled_and_none_goes_twice(tmp_path: Path) -> None:
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR)
        frames = [(frame["address"], tuple(frame["words"])) for frame in made.devices["battery-1"].writes()]
        assert len(set(frames)) == len(frames) == 8
        steps = journalled(made.site)
        assert [(step.address, step.words) for step in steps] == frames
        assert {step.state for step in steps} == {StepState.DONE}
        assert nothing_unjournalled(made)


async def test_a_renewed_curve_outlives_its_timer_by_heartbeats_alone(tmp_path: Path) -> None:
    """Renewals of the lease write the timer's register, never the curve again."""
    async with world(tmp_path, "battery-1") as made:
        command = await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=600, lease=60)
        for _ in range(8):
            await made.pass_time(20)
            await made.tell(made.core.renewal([command], lease=60))
            await made.work()
        assert grid(made)["curves"]["705"]["enabled"] is True
        assert (written_to(made, SLOT_705), written_to(made, REQUEST_705), written_to(made, ENA_705)) == (1, 1, 1)


async def test_it_lasts_as_long_as_the_order(tmp_path: Path) -> None:
    """What an adoption may take is left out of the first timer only: a renewal arms all that remains."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=120)
        await made.pass_time(116)
        assert grid(made)["curves"]["705"]["enabled"] is True
        await made.pass_time(10)
        assert grid(made)["curves"]["705"]["enabled"] is False


async def test_a_curve_that_somebody_else_replaced_is_drift(tmp_path: Path) -> None:
    """Another tool adopts the curve of slot 3: the order is fed no more, that is stated, and the function ends."""
    async with world(tmp_path, "battery-1", sampling=5) as made:
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=600, lease=60)
        await made.pass_time(10)
        grid(made, points={"705.AdptCrvReq": 3})
        await made.pass_time(10)
        last = (await of_function(made, Function.VOLT_VAR))[-1]
        assert (last.phase, last.result, last.reason) == (Phase.LEASE, Result.MISMATCH, "read_back_differs")
        await made.pass_time(60)
        assert grid(made)["curves"]["705"]["enabled"] is False


async def test_the_way_back_may_be_another_curve(tmp_path: Path) -> None:
    """Of a trip curve too, which has no other: the curve that the order reverts to is adopted in its turn."""
    async with world(tmp_path, "battery-1") as made:
        back = (Operation.LV_MUST_TRIP, ("nominal_volts", ((2_000, 5_000), (21_000, 7_000)), None, None, None))
        await made.command("battery-1", Operation.LV_MUST_TRIP, LV_MUST, hold=60, revert_to=back)
        await made.pass_time(90)
        last = (await of_function(made, Function.LV_MUST_TRIP))[-1]
        assert (last.phase, last.result) == (Phase.REVERT, Result.REVERTED)
        grid(made, volts=130.0)
        await made.pass_time(20)
        assert grid(made)["trips"] == []
        await made.pass_time(3)
        assert grid(made)["trips"] == ["707"]


async def test_after_a_restart_the_curve_is_found_and_ends_in_its_time(tmp_path: Path) -> None:
    """As after kill -9: a receipt of what is active, no second adoption, and off when its time is over."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=120, lease=60)
        await made.restart()
        await made.work()
        last = (await of_function(made, Function.VOLT_VAR))[-1]
        assert (last.phase, last.result, last.of.read_back[:3]) == (Phase.RESTART, Result.UNKNOWN, VOLT_VAR[:3])
        await made.pass_time(200)
        assert grid(made)["curves"]["705"]["enabled"] is False
        assert (written_to(made, SLOT_705), written_to(made, REQUEST_705)) == (1, 1)


async def test_a_device_that_knows_no_fallback_to_nothing_is_not_asked_to_adopt(tmp_path: Path) -> None:
    """RvrtCrv 0 refused (exception 3): without its fail-safe the curve is not made active."""
    async with world(tmp_path, "battery-1") as made:
        refusal = Fault(FaultKind.EXCEPTION, code=3, address=(M705 + 11, M705 + 11), scope=Hits.WRITES)
        made.devices["battery-1"].run.control.fault(refusal)
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=60)
        first = (await of_function(made, Function.VOLT_VAR))[0]
        assert (first.result, first.reason) == (Result.MISMATCH, "device_exception")
        await made.pass_time(90)
        assert (written_to(made, REQUEST_705), grid(made)["curves"]["705"]["enabled"]) == (0, False)


async def test_the_device_ends_it_when_the_gateway_is_gone(tmp_path: Path) -> None:
    """The device's own timer: nobody works any more, and the curve is off within the lease."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.FREQ_DROOP, DROOP, hold=600, lease=60)
        assert grid(made)["curves"]["711"]["enabled"] is True
        made.move(60)
        assert grid(made)["curves"]["711"]["enabled"] is False


async def test_frequency_droop_moves_power_and_is_taken_back(tmp_path: Path) -> None:
    """5 % droop past 36 mHz: at 50.286 Hz the battery gives 1 kW less than it is set to, that is, charges with it."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.FREQ_DROOP, DROOP, hold=120)
        (receipt,) = await of_function(made, Function.FREQ_DROOP)
        assert (receipt.result, receipt.of.read_back) == (Result.APPLIED, DROOP)
        grid(made, frequency_hz=50.286)
        await made.pass_time(20)
        assert grid(made)["watts"] == pytest.approx(-1_000, abs=1)
        await made.pass_time(120)
        assert grid(made)["watts"] == pytest.approx(0, abs=1)
        assert told(await of_function(made, Function.FREQ_DROOP))[-1] == ("revert", "reverted", "window_over")


async def test_a_trip_curve_is_adopted_and_stays(tmp_path: Path) -> None:
    """707 has no timer and no way back: the order ends, the receipt says that the curve is kept."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.LV_MUST_TRIP, LV_MUST, hold=60)
        (receipt,) = await of_function(made, Function.LV_MUST_TRIP)
        assert (receipt.result, receipt.of.read_back) == (Result.APPLIED, LV_MUST)
        await made.pass_time(90)
        last = (await of_function(made, Function.LV_MUST_TRIP))[-1]
        assert (last.phase, last.result) == (Phase.REVERT, Result.KEPT)
        grid(made, volts=130.0)  # 56.5 %: by the curve as delivered 21 s, by this one half a second
        await made.pass_time(1)
        assert grid(made)["trips"] == ["707"]


async def test_two_curves_of_one_model_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Must-trip and may-trip share model 707: both are applied, and neither is taken for drift of the other."""
    async with world(tmp_path, "battery-1", sampling=5) as made:
        await made.command("battery-1", Operation.LV_MUST_TRIP, LV_MUST, hold=600)
        await made.command("battery-1", Operation.LV_MAY_TRIP, LV_MAY, hold=600)
        await made.pass_time(30)
        receipts = await made.receipts("battery-1")
        assert {receipt.result for receipt in receipts} == {Result.APPLIED}
        assert {receipt.of.function for receipt in receipts} == {Function.LV_MUST_TRIP, Function.LV_MAY_TRIP}


async def test_a_curve_takes_the_place_of_another(tmp_path: Path) -> None:
    """The enable stays on, the slot is written anew, and what is active is the second one."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR)
        await made.command("battery-1", Operation.VOLT_VAR, STEEPER)
        receipts = await of_function(made, Function.VOLT_VAR)
        assert [(receipt.result, receipt.reason) for receipt in receipts] == [
            (Result.APPLIED, "applied"),
            (Result.SUPERSEDED, "superseded"),
            (Result.APPLIED, "applied"),
        ]
        assert receipts[-1].of.read_back[1] == STEEPER[1]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FaultKind.ADOPT_STALLS, "adoption_not_finished"),
        (FaultKind.ADOPT_FAILS, "adoption_failed"),
        (FaultKind.ADOPT_CHANGES_NOTHING, "read_back_differs"),
    ],
)
async def test_an_adoption_that_fails_is_a_receipt_with_its_own_reason(
    tmp_path: Path, kind: FaultKind, reason: str
) -> None:
    """What was asked for is not active: mismatch, never fed, taken back, and nothing is written twice."""
    async with world(tmp_path, "battery-1") as made:
        made.devices["battery-1"].run.control.fault(Fault(kind, count=1))
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=120, lease=60)
        (receipt,) = await of_function(made, Function.VOLT_VAR)
        assert (receipt.phase, receipt.result, receipt.reason) == (Phase.COMMAND, Result.MISMATCH, reason)
        enables = 1 if kind is FaultKind.ADOPT_CHANGES_NOTHING else 0
        assert [frame["words"] for frame in made.devices["battery-1"].writes()].count([1]) == enables
        await made.pass_time(180)
        assert grid(made)["curves"]["705"]["enabled"] is False
        assert (written_to(made, SLOT_705), written_to(made, REQUEST_705)) == (1, 1)
        assert told(await of_function(made, Function.VOLT_VAR))[-1][:2] == ("revert", "reverted")
        assert nothing_unjournalled(made)


async def test_a_failed_adoption_leaves_what_was_not_sent_planned(tmp_path: Path) -> None:
    """The journal: the request is done, the enable behind it never left."""
    async with world(tmp_path, "battery-1") as made:
        made.devices["battery-1"].run.control.fault(Fault(FaultKind.ADOPT_FAILS, count=1))
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR)
        states = {step.address: step.state for step in journalled(made.site) if step.address in {REQUEST_705, ENA_705}}
        assert states[REQUEST_705] is StepState.DONE
        assert states[ENA_705] is not StepState.DONE
        assert written_to(made, ENA_705) == 0


async def test_a_curve_that_does_not_fit_the_registers_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """705 counts response time in tenths of a second: 3.05 s would be another curve."""
    async with world(tmp_path, "battery-1") as made:
        await made.command("battery-1", Operation.VOLT_VAR, (*VOLT_VAR[:2], 3_050, None, None))
        (receipt,) = await made.receipts("battery-1")
        assert (receipt.result, receipt.reason) == (Result.REFUSED, "value_not_supported")
        assert made.devices["battery-1"].writes() == []


async def test_a_device_that_falls_silent_in_the_wait_is_not_asked_again(tmp_path: Path) -> None:
    """The request may have been taken: the enable is not sent, the request is not repeated."""
    async with world(tmp_path, "battery-1") as made:
        # The first read of the result's register is that of the whole model, the second is the first question.
        silence = Fault(FaultKind.SILENT, skip=1, count=1, address=(M705 + 4, M705 + 4))
        made.devices["battery-1"].run.control.fault(silence)
        await made.command("battery-1", Operation.VOLT_VAR, VOLT_VAR, hold=60)
        first = (await made.receipts("battery-1"))[0]
        assert (first.result, first.reason) == (Result.MISMATCH, "no_answer")
        await made.pass_time(5)
        assert (written_to(made, REQUEST_705), written_to(made, ENA_705)) == (1, 0)
