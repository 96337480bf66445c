"""The story that must hold, with a utility nobody here wrote: event, order, register, effect, report, default."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from box_world import MARKET, OWN_WATTS, Device, World, accounted, complete, proven, until, world
from openleadr_vtn import OpenLeadrVtn

from wattseal.certs.statement import Kind

pytestmark = pytest.mark.slow


async def registered(vtn: OpenLeadrVtn, count: int = 1) -> str:
    """The id under which the VTN knows the box, once both its reports were offered `count` times."""
    offers = await until(lambda: len(vtn("offers")) >= 2 * count and vtn("offers"), 15, "report offers", pause=0.2)
    assert {one["specifier"] for one in offers} == {"telemetry_usage", "telemetry_status"}
    (ven,) = vtn("vens")
    return str(ven["ven_id"])


def dispatch(vtn: OpenLeadrVtn, ven_id: str, event_id: str, watts: int, *, duration: int = 120, **more: Any) -> int:
    """A LOAD_DISPATCH setpoint for the battery from now on; its start."""
    start = int(time.time())
    wish = {"start": start, "duration": duration, "value": watts, "resource_id": "battery-1"} | more
    vtn("add_event", ven_id=ven_id, event_id=event_id, signal="LOAD_DISPATCH", context=MARKET, **wish)
    return start


class Meter:
    """The device's own power, looked at again and again: what its meter could have shown in any second."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.seen: list[tuple[float, float]] = []

    async def run(self) -> None:
        with contextlib.suppress(OSError):  # the simulator ends before us where a test fails
            while True:
                self.seen.append((time.time(), (await self._device.state())["watts"]))
                await asyncio.sleep(0.1)

    def within(self, start: float, end: float) -> tuple[float, float] | None:
        """Least and most watts around `[start, end)`."""
        found = [watts for at, watts in self.seen if start - 0.3 <= at <= end + 0.3]
        complete = self.seen and self.seen[0][0] <= start and self.seen[-1][0] >= end
        return (min(found), max(found)) if complete and found else None


async def test_one_event_from_utility_to_register_and_home_proven(vtn: OpenLeadrVtn, tmp_path: Path) -> None:
    """Registration, setpoint and level with opt-in, armed timers, effect, reports equal to the meters, default."""
    async with world(tmp_path, vtn.base, lease=15) as w:  # shorter than the event: its timer must be fed
        ven_id = await registered(vtn)
        battery, charger = w.device("battery"), w.device("charger")
        meters = {"battery-1_power": Meter(battery), "charger-1_power": Meter(charger)}
        watching = [asyncio.create_task(meter.run()) for meter in meters.values()]
        start = dispatch(vtn, ven_id, "E-set", 2500, duration=22)
        level = {"signal": "SIMPLE", "value": 1, "start": start, "duration": 22, "context": MARKET}
        vtn("add_event", ven_id=ven_id, event_id="E-level", **level)

        await w.until_setpoint("battery", 2500)
        points = await battery.points()
        assert (points["WSetMod"], points["WSetEnaRvrt"]) == (1, 0)
        first = await until(lambda: _counting(battery), 5, "a counting timer")
        assert 0 < first <= 15  # armed, for no longer than the lease
        opts = await until(lambda: len(vtn("opts")) >= 2 and vtn("opts"), 10, "both answers")
        assert {(one["event_id"], one["opt"]) for one in opts} == {("E-set", "optIn"), ("E-level", "optIn")}

        # The charger takes tenths of an ampere on three phases of 230 V: 7400 W become 7383 W, and the receipt says so.
        for device, asked, carried, result in (
            ("battery", 2500, 2500, ("applied", "applied")),
            ("charger", 7400, 7383, ("clamped", "device_rating")),
        ):
            applied = (await w.until_result(device, ("command", *result))).receipt
            assert (applied.asked_watts, applied.clamped_watts) == (asked, carried)
            assert applied.before_watts is not None
            effect = (await w.until_result(device, ("effect", result[0], "applied"), 25)).receipt
            assert effect.effective is True
            assert effect.read_back_watts == pytest.approx((await w.device(device).state())["watts"], abs=50)
        assert (await battery.state())["watts"] == pytest.approx(2500, abs=50)
        assert (await charger.state())["applied_amperes"] == pytest.approx(10.7)
        assert -7400 * 1.1 <= (await charger.state())["watts"] <= -6000

        for device in ("battery", "charger"):
            await w.until_result(device, ("revert", "reverted", "window_over"), 30)
        ended = time.time()
        assert start + 21 <= ended <= start + 22 + 6
        assert await battery.setpoint() is None
        assert (await charger.state())["applied_amperes"] == pytest.approx((await charger.state())["safe_amperes"])
        await until(lambda: _watts_near(battery, OWN_WATTS), 10, "the battery's own mode")
        await until(lambda: _told_after(vtn, ended + 2), 15, "a report from after the event", pause=0.2)
        for task in watching:
            task.cancel()

        judged = _reports_equal_meters(vtn, meters)
        assert all(count >= 15 for count in judged.values()), judged
        assert w.diary.of(Kind.REPORT), "what was told to the utility is sealed too"
        heartbeats = accounted(w)
        assert heartbeats["battery"] >= 1
        told = sum(one.receipt.heartbeats for one in w.diary.receipts("battery"))
        assert told == heartbeats["battery"]
        complete(w.diary)
        verdict = await proven(w.box, tmp_path / "story.wse")
        for device in ("battery", "charger"):
            row = verdict["devices"][device]
            assert (row["commands"], row["reverted"], row["without_receipt"]) == (1, 1, [])
            assert row["without_final_receipt"] == []


async def _counting(battery: Device) -> int:
    """The device's own remaining time, once it was seen to fall."""
    first = (await battery.state())["timers"]["WSet"]
    await asyncio.sleep(1.1)
    second = (await battery.state())["timers"]["WSet"]
    return int(second) if first is not None and second is not None and 0 < second < first else 0


async def _watts_near(device: Device, watts: int) -> bool:
    return abs((await device.state())["watts"] - watts) < 30


def _told_after(vtn: OpenLeadrVtn, unix: float) -> bool:
    return any(start >= unix for one in vtn("reports") for start, _ in one["values"])


def _reports_equal_meters(vtn: OpenLeadrVtn, meters: dict[str, Meter]) -> dict[str, int]:
    """Every value the VTN took, against what the meter showed in that second; how many were judged.

    The VTN's sign is consumption's: what the battery discharges is told as negative.
    """
    judged = dict.fromkeys(meters, 0)
    for one in vtn("reports"):
        meter = meters.get(one["r_id"])
        for start, value in one["values"] if meter is not None else ():
            assert meter is not None
            shown = meter.within(start, start + 1)
            if shown is not None:
                assert shown[0] - 1 <= -value <= shown[1] + 1, (one["r_id"], start, value, shown)
                judged[one["r_id"]] += 1
    return judged


async def test_cancelled_by_word_and_by_absence(vtn: OpenLeadrVtn, tmp_path: Path) -> None:
    """Explicit cancel in mid-event; one of two events disappears; then the only one (an empty list by on_poll)."""
    async with world(tmp_path, vtn.base) as w:
        ven_id = await registered(vtn)
        dispatch(vtn, ven_id, "E-word", 1500)
        await w.until_setpoint("battery", 1500)
        vtn("cancel_event", ven_id=ven_id, event_id="E-word")
        await w.until_setpoint("battery", None)

        dispatch(vtn, ven_id, "E-first", 1100)
        await w.until_setpoint("battery", 1100)
        time_between = 1.1  # the later of two events of equal priority steps back behind the earlier one
        await asyncio.sleep(time_between)
        dispatch(vtn, ven_id, "E-second", -1200)
        await until(lambda: _standing(w, "E-second"), 10, "the second event")
        assert await w.device("battery").setpoint() == 1100
        vtn("drop_event", ven_id=ven_id, event_id="E-first")
        await w.until_setpoint("battery", -1200)
        vtn("drop_event", ven_id=ven_id, event_id="E-second")
        await w.until_setpoint("battery", None)
        await until(lambda: _watts_near(w.device("battery"), OWN_WATTS), 15, "the battery's own mode")
        status = await w.running.status()
        assert {one["event"]: one["status"] for one in status["events"]} == {
            "E-word": "cancelled", "E-first": "withdrawn", "E-second": "withdrawn",
        }  # fmt: skip
        accounted(w)
        complete(w.diary)
        verdict = await proven(w.box, tmp_path / "cancels.wse")
        assert verdict["devices"]["battery"]["without_receipt"] == []


async def _standing(w: World, event_id: str) -> bool:
    return any(one["event"] == event_id for one in (await w.running.status())["events"])


async def test_restarts_of_the_utility_and_an_event_that_ends_while_it_is_gone(
    vtn: OpenLeadrVtn, tmp_path: Path
) -> None:
    """One that kept us changes nothing; one gone past the event's end loses nothing; one that forgot is told anew."""
    async with world(tmp_path, vtn.base) as w:
        ven_id = await registered(vtn)
        start = dispatch(vtn, ven_id, "E-long", 1700, duration=15)
        await w.until_setpoint("battery", 1700)
        orders = len(w.diary.orders("battery"))
        vtn("restart", memory=True)
        before = len(vtn("messages"))
        await until(lambda: "oadrPoll" in vtn("messages")[before:], 20, "a poll at the VTN that kept us", pause=0.2)
        assert "oadrCreatePartyRegistration" not in vtn("messages")[before:]
        assert await w.device("battery").setpoint() == 1700
        assert len(w.diary.orders("battery")) == orders

        vtn("down")
        gone = time.time()
        assert gone < start + 12
        await w.until_result("battery", ("revert", "reverted", "window_over"), 30)
        assert start + 14 <= time.time() <= start + 15 + 5
        assert await w.device("battery").setpoint() is None
        vtn("up")
        back = time.time()
        await until(lambda: _told_after(vtn, back), 30, "reports after it is back", pause=0.3)
        rows = [row for one in vtn("reports") if one["r_id"] == "battery-1_power" for row in one["values"]]
        read = {reading.to_ms // 1000 for reading in w.diary.readings("battery")}
        missed = {second for second in read if gone - 2 <= second < back - 1} - {start for start, _ in rows}
        assert len(read) > back - gone - 5
        assert not missed, "what was read while it was gone was never told"
        assert len({start for start, _ in rows}) == len({(start, value) for start, value in rows}), "told otherwise"

        vtn("restart", memory=False)
        before = len(vtn("messages"))
        again = await registered(vtn, 2)
        after = [one for one in vtn("messages")[before:] if one not in {"oadrPoll", "oadrUpdateReport"}]
        await until(lambda: "oadrRequestEvent" in vtn("messages")[before:], 10, "events are asked for", pause=0.2)
        assert after[:3] == ["oadrCreatePartyRegistration", "oadrRegisterReport", "oadrRegisterReport"] or (
            "oadrCreatePartyRegistration" in after
        )
        dispatch(vtn, again, "E-anew", -800)
        await w.until_setpoint("battery", -800)
        vtn("cancel_event", ven_id=again, event_id="E-anew")
        await w.until_setpoint("battery", None)
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "restarts.wse")
