"""Devices that fail in mid-event: a reason in the receipt, nobody else disturbed, and the state healed afterwards."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from box_world import MARKET, OWN_WATTS, World, accounted, complete, proven, until, world
from openleadr_vtn import OpenLeadrVtn

pytestmark = pytest.mark.slow

# What each battery does wrong, and how the first receipt of the order that meets it may read. A write whose effect is
# unknown is never repeated: the device is read, and what it shows is the result. A device that cannot be read either is
# `unreachable`; the gate refuses the order where a sample found that out first. `effect`: whether the write acts.
_GONE = ("refused", "device_unavailable")
FAULTS: dict[str, tuple[dict[str, Any], tuple[tuple[str, str], ...]]] = {
    "silent": ({"fault": "silent", "scope": "all"}, (("unreachable", "no_answer"), _GONE)),
    "mute": ({"fault": "silent", "scope": "writes"}, (("mismatch", "no_answer"),)),
    "late": ({"fault": "slow", "scope": "writes", "seconds": 5.0}, (("applied", "applied"),)),
    "slow": ({"fault": "slow", "scope": "all", "seconds": 5.0}, (("unreachable", "no_answer"), _GONE)),
    "short": ({"fault": "short", "scope": "writes", "effect": False}, (("mismatch", "short_answer"),)),
    "unable": ({"fault": "exception", "scope": "writes", "code": 4}, (("mismatch", "device_exception"),)),
    "unwilling": ({"fault": "exception", "scope": "writes", "code": 3}, (("refused", "device_exception"),)),
    "foreign": ({"fault": "wrong_unit", "scope": "writes", "effect": False}, (("mismatch", "wrong_unit"),)),
    "drop": ({"fault": "drop", "scope": "writes"}, (("mismatch", "link_down"),)),
    "ignore": ({"fault": "ignore", "scope": "writes"}, (("mismatch", "read_back_differs"),)),
}


async def test_every_fault_has_its_reason_and_heals(vtn: OpenLeadrVtn, tmp_path: Path) -> None:
    """Ten batteries, one fault each, one charger that does what it was told all along."""
    names = tuple(FAULTS)
    async with world(tmp_path, vtn.base, batteries=names, lease=20) as w:
        ven_id = (await until(lambda: vtn("vens"), 15, "registration"))[0]["ven_id"]
        start = int(time.time())
        level = {"signal": "SIMPLE", "value": 2, "start": start, "duration": 300, "context": MARKET}
        vtn("add_event", ven_id=ven_id, event_id="E-charger", **level)
        for name in names:
            _order(vtn, ven_id, f"E-{name}-1", name, 1000)
        for name in names:
            await w.until_setpoint(name, 1000)
        await until(lambda: _limited(w), 10, "the charger's limit")

        for name, (fault, _) in FAULTS.items():
            await w.device(name).tell(**fault)
            vtn("cancel_event", ven_id=ven_id, event_id=f"E-{name}-1")
            _order(vtn, ven_id, f"E-{name}-2", name, -1500)
        first = await asyncio.gather(*(_first_answer(w, name, -1500) for name in names))
        found = {name: (str(one.result), one.reason) for name, one in zip(names, first, strict=True)}
        wrong = {name: told for name, told in found.items() if told not in FAULTS[name][1]}
        assert not wrong, wrong
        assert await _limited(w)

        # Nobody feeds what is not confirmed: the devices' own timers have run out, whatever they last heard.
        await until(lambda: _all_own(w, [name for name in names if name != "late"]), 30, "own defaults")

        for name in names:
            await w.device(name).tell(clear=True)
        await asyncio.gather(*(w.until_setpoint(name, -1500, 45) for name in names))
        assert await _limited(w)
        charger = [one for one in w.diary.results("charger") if one[1] not in {"clamped", "applied"}]
        assert charger == []
        for name in names:
            vtn("cancel_event", ven_id=ven_id, event_id=f"E-{name}-2")
        await asyncio.gather(*(w.until_setpoint(name, None, 20) for name in names))
        accounted(w)
        complete(w.diary)
        verdict = await proven(w.box, tmp_path / "faults.wse")
        assert {row["without_receipt"] == [] for row in verdict["devices"].values()} == {True}


def _order(vtn: OpenLeadrVtn, ven_id: str, event_id: str, name: str, watts: int) -> None:
    wish = {"start": int(time.time()), "duration": 300, "value": watts, "resource_id": f"{name}-1"}
    vtn("add_event", ven_id=ven_id, event_id=event_id, signal="LOAD_DISPATCH", context=MARKET, **wish)


async def _limited(w: World) -> bool:
    """The charger is held at 5600 W: 8.1 A on three phases of 230 V."""
    return abs((await w.device("charger").state())["applied_amperes"] - 8.1) < 0.05


async def _all_own(w: World, names: list[str]) -> bool:
    states = [await w.device(name).state() for name in names]
    return all(state["points"]["WSetEna"] == 0 and abs(state["watts"] - OWN_WATTS) < 30 for state in states)


async def _first_answer(w: World, name: str, watts: int) -> Any:
    def look() -> Any:
        return next(
            (
                one.receipt
                for one in w.diary.receipts(name)
                if one.receipt.asked_watts == watts and str(one.receipt.phase) == "command"
            ),
            None,
        )

    return await until(look, 30, f"a receipt of {name}", pause=0.3)
