"""Meter models by hand: registers at the offsets of the SunSpec definitions, whichever wiring the meter has.

Integer row (201 to 204, L 105), from the ID register: W 18, W_SF 22, PhV 7, V_SF 15, Hz 16, Hz_SF 17, TotWhExp 38-39,
TotWhImp 46-47, TotWh_SF 54. Float row (211 to 214, L 124): PhV 10, Hz 26, W 28, TotWhExp 60, TotWhImp 68.
"""

import struct

import pytest
from test_sunspec_discovery import MARK, ImageLink, at, model

from wattseal.drivers.device import LayoutError, Quality
from wattseal.drivers.profiles.catalogue import profile_named
from wattseal.drivers.profiles.interpreter import ProfiledDevice


def meter(*models: list[int]) -> ImageLink:
    words = [*MARK, *(word for model in models for word in model), 0xFFFF, 0]
    return ImageLink(at(40000, *(word & 0xFFFF for word in words)))


COMMON = model(1, 66)


def integers(number: int, watts: int, scale: int) -> list[int]:
    words = [number, 105, *([0x8000] * 105)]
    for offset, value in {7: 2301, 15: -1, 16: 4998, 17: -2, 18: watts, 22: scale, 54: 1}.items():
        words[offset] = value
    words[38:40], words[46:48] = [0x0001, 0x0002], [0x0003, 0x0004]
    return words


def floats(number: int, watts: float) -> list[int]:
    words = [number, 124, *([0x7FC0, 0] * 62)]  # NaN: not implemented
    for offset, value in {10: 230.5, 26: 50.0, 28: watts, 60: 1_000_000.0, 68: 2_000_000.0}.items():
        words[offset : offset + 2] = struct.unpack(">2H", struct.pack(">f", value))
    return words


async def read(link: ImageLink, profile: str):
    device = ProfiledDevice(profile_named(profile), link)
    return await device.read_state(await device.capabilities())


@pytest.mark.parametrize("number", [201, 202, 203, 204])
@pytest.mark.parametrize(("name", "watts"), [("import_positive", -12_340), ("export_positive", 12_340)])
async def test_integer_meters_of_any_wiring(number, name, watts):
    """1234 at W_SF 1; energies in tens of Wh, high word first, by their names whatever the sign of W."""
    state = await read(meter(COMMON, integers(number, 1234, 1)), f"sunspec_meter_{name}")
    assert (state.watts.rounded(), state.watts.quality, state.watts.register) == (watts, Quality.GOOD, f"{number}.W")
    assert (state.volts.mantissa, state.volts.exponent, state.hertz.mantissa) == (2301, -1, 4998)
    assert state.energy_injected_wh.rounded() == 0x10002 * 10
    assert state.energy_absorbed_wh.rounded() == 0x30004 * 10
    assert state.vars.quality is Quality.NOT_IMPLEMENTED


@pytest.mark.parametrize("number", [211, 212, 213, 214])
@pytest.mark.parametrize(("name", "watts"), [("import_positive", 1500), ("export_positive", -1500)])
async def test_float_meters_of_any_wiring(number, name, watts):
    state = await read(meter(COMMON, floats(number, -1500.25)), f"sunspec_meter_float_{name}")
    assert (state.watts.rounded(), state.watts.register) == (watts, f"{number}.W")
    assert (state.energy_injected_wh.rounded(), state.energy_absorbed_wh.rounded()) == (1_000_000, 2_000_000)
    assert state.amps.quality is Quality.NOT_IMPLEMENTED


async def test_a_sentinel_is_no_power():
    state = await read(meter(COMMON, integers(203, 0x8000, 0)), "sunspec_meter_import_positive")
    assert (state.watts.mantissa, state.watts.quality) == (None, Quality.NOT_IMPLEMENTED)


@pytest.mark.parametrize(
    ("words", "profile", "missing"),
    [
        (floats(213, 0.0), "sunspec_meter_import_positive", "201 to 204"),
        (integers(203, 0, 0), "sunspec_meter_float_import_positive", "211 to 214"),
    ],
)
async def test_the_other_row_is_another_profile(words, profile, missing):
    with pytest.raises(LayoutError, match=missing):
        await read(meter(COMMON, words), profile)
