"""Somebody else's SunSpec client looks at the device while the bridge holds it, and agrees with our decoder."""

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sunspec2.modbus.client as oracle
from box_world import MARKET, World, until, world
from openleadr_vtn import OpenLeadrVtn

from wattseal.drivers.modbus.link import LinkSettings, ModbusLink
from wattseal.drivers.sunspec.discovery import decoder_at, discover, read_model
from wattseal.drivers.sunspec.points import Scaled

pytestmark = pytest.mark.slow

Picture = dict[int, dict[str, Any]]


async def ours(port: int) -> Picture:
    """Every point of every model, by our decoder."""
    picture: Picture = {}
    async with ModbusLink(LinkSettings("127.0.0.1", port)) as link:
        chain = await discover(link, 1)
        for place in chain.models:
            read = await read_model(link, 1, place, await decoder_at(link, 1, place))
            values = read.block.items()
            picture[place.model] = {
                name: value.decimal() if isinstance(value, Scaled) else value or None for name, value in values
            }
    return picture


def theirs(port: int) -> Picture:
    """The same, by pysunspec2."""
    client = oracle.SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=5)
    client.scan()
    try:
        numbers = [number for number in client.models if isinstance(number, int)]
        return {number: dict(_points(client.models[number][0])) for number in numbers}
    finally:
        client.close()


def _points(group: Any, prefix: str = "", model: Any = None) -> Iterator[tuple[str, Any]]:
    model = model or group
    for name, point in group.points.items():
        if point.pdef["type"] == "pad":
            continue
        value = point.get_value()
        if value is not None and not isinstance(value, str) and point.pdef.get("sf"):
            factor = (group.points.get(point.pdef["sf"]) or model.points[point.pdef["sf"]]).get_value()
            value = None if factor is None else Decimal(value).scaleb(factor)
        yield prefix + name, value or None
    for name, inner in group.groups.items():
        if isinstance(inner, list):
            for number, one in enumerate(inner, 1):
                yield from _points(one, f"{prefix}{name}.{number}.", model)
        else:
            yield from _points(inner, f"{prefix}{name}.", model)


async def compared(port: int) -> tuple[int, Picture]:
    """How many points stood still while both looked, and were equal; what pysunspec2 saw.

    A point that moves (power, counters, timers) lies between what our decoder read before and after.
    """
    before, seen, after = await ours(port), await asyncio.to_thread(theirs, port), await ours(port)
    assert before.keys() == seen.keys() == after.keys()
    equal = 0
    for model, points in seen.items():
        assert points.keys() == before[model].keys()
        for name, value in points.items():
            first, last = before[model][name], after[model][name]
            if first == last:
                assert value == (first or None), (model, name)
                equal += 1
            elif isinstance(value, int | Decimal):
                # Noise on power may reach a little beyond what two looks of ours caught.
                low, high = sorted((Decimal(first or 0), Decimal(last or 0)))
                assert low - 50 <= value <= high + 50, (model, name)
    return equal, seen


async def held(w: World, watts: int) -> None:
    """Until the battery's own physics follows the order."""

    async def follows() -> bool:
        return bool(abs((await w.device("battery").state())["watts"] - watts) <= 60)

    await until(follows, 15, "the power to follow")


async def test_pysunspec2_sees_what_the_bridge_did_point_by_point(vtn: OpenLeadrVtn, tmp_path: Path) -> None:
    """701, 702, 704 and 713 while an order holds, and after it: the register written, its timer, its effect."""
    async with world(tmp_path, vtn.base) as w:
        vens = await until(lambda: vtn("vens"), 15, "registration", pause=0.2)
        ven_id = str(vens[0]["ven_id"])
        battery = w.device("battery")
        wish = {"start": int(time.time()), "duration": 60, "value": 2300, "resource_id": "battery-1"}
        vtn("add_event", ven_id=ven_id, event_id="seen", signal="LOAD_DISPATCH", context=MARKET, **wish)
        await w.until_setpoint("battery", 2300)
        await held(w, 2300)
        equal, seen = await compared(battery.port)
        assert equal > 140
        assert (seen[704]["WSetEna"], seen[704]["WSetMod"], seen[704]["WSet"]) == (1, 1, 2300)
        assert 0 < seen[704]["WSetRvrtRem"] <= seen[704]["WSetRvrtTms"]
        assert not seen[704]["WSetEnaRvrt"]
        assert abs(seen[701]["W"] - 2300) <= 60
        vtn("cancel_event", ven_id=ven_id, event_id="seen")
        await w.until_setpoint("battery", None)
        equal, seen = await compared(battery.port)
        assert equal > 140
        assert not seen[704]["WSetEna"]
