"""Registers of the simulated battery, read over Modbus by the test's own hand, by their names in its layout."""

import asyncio
import struct

from csip_lab_world import CURVE_POINTS

from wattseal.drivers.simulators.battery_inverter import FIRST_MODEL, UNIT
from wattseal.drivers.simulators.curve_layout import shapes
from wattseal.drivers.simulators.sunspec_layout import CHAIN

_MODELS = (*CHAIN, *(shape.layout() for shape in shapes(CURVE_POINTS)))


async def registers(port: int, *names: str) -> list[int]:
    """The first word of each point, by its full name (``707.Crv.1.MustTrip.Pt.1.V``); two words as one number."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        found = []
        for number, name in enumerate(names):
            address, words = _place(name)
            writer.write(struct.pack(">HHHBBHH", number, 0, 6, UNIT, 3, address, words))
            head = await reader.readexactly(9)
            assert head[7] == 3, f"{name} is not readable"
            found.append(int.from_bytes(await reader.readexactly(head[8]), "big"))
        return found
    finally:
        writer.close()
        await writer.wait_closed()


async def curve(port: int, model: int, points: str, axes: tuple[str, str]) -> list[tuple[int, int]]:
    """The active curve of a model, as raw numbers: `points` is ``""`` or a list such as ``MustTrip.``."""
    begin = f"{model}.Crv.1.{points}"
    (count,) = await registers(port, f"{begin}ActPt")
    names = [f"{begin}Pt.{number}.{axis}" for number in range(1, count + 1) for axis in axes]
    numbers = await registers(port, *names)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _place(name: str) -> tuple[int, int]:
    address = FIRST_MODEL
    for layout in _MODELS:
        for point in layout.points:
            if point.name == name and name.startswith(f"{layout.model}."):
                return address + point.offset, point.words
        address += layout.length + 2
    raise AssertionError(f"the battery has no {name}")
