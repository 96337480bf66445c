"""BASIC-004 to 012 of the CSIP procedures: what each control of the table does at the battery, by its registers and by
what it then does on a grid that the test moves; and what the box cannot do is told.

Expectations come from the units of IEEE 2030.5's DERControl and of SunSpec's models. A ride-through curve is (time,
voltage or frequency) in 2030.5 and (voltage or frequency, time) in models 707 to 710. The battery's setMaxW, WMax and
what it can absorb are 5000 W, its nominal voltage is 230 V at 50 Hz.
"""

from typing import Any

import pytest
import pytest_asyncio
from csip_lab_events import LAST, LEAD, PROMPT, heard, max_lim, whole
from csip_lab_world import POLL, RATED_WATTS, CsipLab, Programme
from sunspec_registers import curve, registers

from wattseal.protocols.ieee2030_5.vocabulary import DERMode

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("shared_lab", ["device"], indirect=True),
]

NOMINAL_VOLTS, NOMINAL_HERTZ = 230.0, 50.0
ADOPTION = 6
"""Seconds: an order, and the battery's own two for the adoption of a curve."""
RAMPED = 8
"""Seconds: from nothing to all power at the 20 % of WMax a second that the battery is delivered with, and an order."""
SETTLED = 40
"""Seconds: the battery's way back into service (ten seconds) with its ramp."""

AS_DELIVERED = {"WRmp": 20, "ESDlyTms": 10, "ESRmpTms": 0}
"""Settings without a timer: what a default once set stays, so a test puts them back by hand."""


async def grid(lab: CsipLab, *, percent: float = 100.0, hertz: float = NOMINAL_HERTZ) -> None:
    await lab.device.tell(set={"volts": NOMINAL_VOLTS * percent / 100.0, "frequency_hz": hertz})


async def own_watts(lab: CsipLab, watts: float) -> None:
    await lab.device.tell(set={"own_watts": watts, "soc_percent": 60.0})


async def calm(lab: CsipLab) -> None:
    """The grid is nominal and the battery idle, in service and set as delivered, whatever a test did."""
    await grid(lab)
    await lab.device.tell(set={"points": AS_DELIVERED})
    await own_watts(lab, 0)
    await lab.advance(SETTLED)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def nominal(lab: CsipLab) -> Any:
    await calm(lab)
    yield
    await calm(lab)


async def add_curve(lab: CsipLab, programme: Programme, kind: int, points: list[tuple[int, int]], **more: Any) -> str:
    data = [{"xvalue": x, "yvalue": y} for x, y in points]
    curve = {"curve_type": kind, "curve_data": data} | more
    return str((await lab.admin.ask("add_curve", program=programme.serial, curve=curve))["mrid"])


async def begun(lab: CsipLab, *bases: dict[str, Any], programme: Programme | None = None) -> tuple[float, list[str]]:
    """Controls that all begin together, a little after their start; the start, and their mRIDs."""
    programme = programme or await lab.add_programme()
    begin = lab.now + LEAD
    mrids = [await lab.add_control(programme, base, start_in=LEAD, duration=LAST) for base in bases]
    await lab.advance_to(begin + ADOPTION)
    return begin, mrids


async def ended(lab: CsipLab, begin: float, *mrids: str) -> None:
    """The end of the event; every control told 1, 2 and 3 on time."""
    await lab.advance_to(begin + LAST + PROMPT)
    for mrid in mrids:
        await heard(lab, mrid, begin - LEAD, {lab.device.name: whole(begin)})


async def supported(lab: CsipLab) -> DERMode:
    """modesSupported, as it was put."""
    sheet = (await lab.admin.ask("list", of="sheets"))["sheets"][lab.lfdis[lab.device.name]]["der/1/dercap"]
    return DERMode(sheet["modes_supported"])


async def refused(lab: CsipLab, base: dict[str, Any], programme: Programme | None = None) -> None:
    """252 when it is read, and nothing else ever; the battery is not written to."""
    programme = programme or await lab.add_programme()
    mrid, since = await lab.add_control(programme, base, start_in=LEAD, duration=LAST), lab.now
    await lab.advance(LEAD + LAST + PROMPT)
    assert (await lab.statuses(mrid)) in ([252], [1, 252])
    assert lab.writes(since=since) == []


# ---- BASIC-004, 005: ride-through -------------------------------------------------------------------------------


async def test_basic_004_voltage_ride_through_curves_reach_the_trip_models(lab: CsipLab) -> None:
    """Must-trip, may-trip and momentary cessation, low and high; then a sag of 60 % is ridden through 2 s, not 4."""
    programme, port = await lab.add_programme(), lab.device.port
    kinds = {
        "op_mod_lvrt_must_trip": (10, [(50, 45), (300, 65)]),
        "op_mod_lvrt_may_trip": (8, [(40, 45), (250, 65)]),
        "op_mod_lvrt_momentary_cessation": (9, [(10, 48)]),
        "op_mod_hvrt_must_trip": (5, [(16, 121), (1000, 111)]),
        "op_mod_hvrt_may_trip": (3, [(10, 121), (900, 111)]),
        "op_mod_hvrt_momentary_cessation": (4, [(10, 118)]),
    }
    bases = [
        {name: {"href": await add_curve(lab, programme, kind, points, x_multiplier=-2, y_ref_type=4)}}
        for name, (kind, points) in kinds.items()
    ]
    begin, mrids = await begun(lab, *bases, programme=programme)
    await lab.advance(5 * ADOPTION)  # each of six adoptions takes the battery a while
    lists = {"must_trip": "MustTrip.", "may_trip": "MayTrip.", "momentary_cessation": "MomCess."}
    for name, (_, points) in kinds.items():
        model = 707 if name.startswith("op_mod_lvrt") else 708
        found = await curve(port, model, lists[name[12:]], ("V", "Tms"))
        assert sorted(found) == sorted((volts * 100, seconds) for seconds, volts in points), name
    await grid(lab, percent=60)
    await lab.advance(2.5)
    assert (await lab.device.state())["service"] == "serving"
    await lab.advance(1)
    state = await lab.device.state()
    assert (state["service"], state["trips"]) == ("ceased", ["707"])
    await grid(lab)
    await ended(lab, begin, *mrids)
    bits = DERMode.LVRT_MUST_TRIP | DERMode.LVRT_MAY_TRIP | DERMode.LVRT_MOMENTARY_CESSATION
    bits |= DERMode.HVRT_MUST_TRIP | DERMode.HVRT_MAY_TRIP | DERMode.HVRT_MOMENTARY_CESSATION
    assert await supported(lab) & bits == bits


async def test_basic_005_frequency_ride_through_curves_reach_the_trip_models(lab: CsipLab) -> None:
    """Must-trip and may-trip, low and high; 47.8 Hz trips after 5 s, which the battery as delivered rides through."""
    programme, port = await lab.add_programme(), lab.device.port
    kinds = {
        "op_mod_lfrt_must_trip": (7, [(20, 4650), (500, 4790)]),
        "op_mod_lfrt_may_trip": (6, [(15, 4650), (400, 4790)]),
        "op_mod_hfrt_must_trip": (2, [(16, 5200), (30000, 5150)]),
        "op_mod_hfrt_may_trip": (1, [(10, 5200), (29000, 5150)]),
    }
    bases = [
        {name: {"href": await add_curve(lab, programme, kind, points, x_multiplier=-2, y_multiplier=-2)}}
        for name, (kind, points) in kinds.items()
    ]
    begin, mrids = await begun(lab, *bases, programme=programme)
    await lab.advance(3 * ADOPTION)
    for name, (_, points) in kinds.items():
        model = 709 if name.startswith("op_mod_lfrt") else 710
        found = await curve(port, model, "MustTrip." if name.endswith("must_trip") else "MayTrip.", ("Hz", "Tms"))
        assert sorted(found) == sorted((hertz * 10, seconds * 10) for seconds, hertz in points), name
    await grid(lab, hertz=47.8)
    await lab.advance(4.5)
    assert (await lab.device.state())["service"] == "serving"
    await lab.advance(1)
    state = await lab.device.state()
    assert (state["service"], state["trips"]) == ("ceased", ["709"])
    await grid(lab)
    await ended(lab, begin, *mrids)


# ---- BASIC-006, 011, 012: curves --------------------------------------------------------------------------------


async def test_basic_006_volt_var(lab: CsipLab) -> None:
    """Four points in percent of setMaxW: at 105 % of voltage it absorbs half of 40 %; when it is over, none."""
    programme = await lab.add_programme()
    points = [(92, 40), (98, 0), (102, 0), (108, -40)]
    href = await add_curve(lab, programme, 11, points, y_ref_type=1, open_loop_tms=500)
    begin, mrids = await begun(lab, {"op_mod_volt_var": {"href": href}}, programme=programme)
    found = await curve(lab.device.port, 705, "", ("V", "Var"))
    assert found == [(x * 100, y * 100 % 65536) for x, y in points]
    assert await registers(lab.device.port, "705.Crv.1.RspTms", "705.Ena") == [50, 1]
    await grid(lab, percent=105)
    await lab.advance(RAMPED)
    assert (await lab.device.state())["vars"] == pytest.approx(-0.2 * RATED_WATTS, abs=1)
    await ended(lab, begin, *mrids)
    await lab.advance(RAMPED)
    state = await lab.device.state()
    assert (state["curves"]["705"]["enabled"], state["vars"]) == (False, 0)


async def test_basic_011_volt_watt(lab: CsipLab) -> None:
    """All of setMaxW up to 106 % of voltage, a fifth at 110 %: at 108 % it discharges three fifths at most."""
    programme = await lab.add_programme()
    href = await add_curve(lab, programme, 12, [(106, 100), (110, 20)], y_ref_type=1)
    await own_watts(lab, RATED_WATTS)
    begin, mrids = await begun(lab, {"op_mod_volt_watt": {"href": href}}, programme=programme)
    await grid(lab, percent=108)
    await lab.advance(RAMPED)
    assert (await lab.device.state())["watts"] == pytest.approx(0.6 * RATED_WATTS, abs=1)
    await ended(lab, begin, *mrids)
    await lab.advance(RAMPED)
    state = await lab.device.state()
    assert (state["curves"]["706"]["enabled"], state["watts"]) == (False, RATED_WATTS)


async def test_basic_012_frequency_droop_is_done_and_a_freq_watt_curve_is_refused(lab: CsipLab) -> None:
    """Dead band 36 mHz, droop 5 %: 0.25 Hz beyond it takes a tenth of setMaxW. A curve: bit 9 clear, and 252."""
    await own_watts(lab, 3000)
    droop = {"dbof": 36, "dbuf": 36, "kof": 50, "kuf": 50, "open_loop_tms": 500}
    begin, mrids = await begun(lab, {"op_mod_freq_droop": droop})
    names = ("DbOf", "DbUf", "KOf", "KUf", "RspTms")
    assert await registers(lab.device.port, *(f"711.Ctl.1.{one}" for one in names)) == [36, 36, 50, 50, 500]
    await grid(lab, hertz=50.286)
    await lab.advance(RAMPED)
    assert (await lab.device.state())["watts"] == pytest.approx(3000 - 0.1 * RATED_WATTS, abs=1)
    await ended(lab, begin, *mrids)
    await grid(lab)
    modes = await supported(lab)
    assert (bool(modes & DERMode.FREQ_DROOP), bool(modes & DERMode.FREQ_WATT)) == (True, False)
    programme = await lab.add_programme()
    href = await add_curve(lab, programme, 0, [(500, 100), (520, 0)], x_multiplier=-1, y_ref_type=1)
    await refused(lab, {"op_mod_freq_watt": {"href": href}}, programme)


# ---- BASIC-007 to 010 -------------------------------------------------------------------------------------------


async def test_basic_007_the_ramp_rate_of_a_default(lab: CsipLab) -> None:
    """SetGradW 500 is 5 % of setMaxW a second: 703's ramp, told back in DERSettings; half of WMax takes ten seconds."""
    programme = await lab.add_programme()
    await lab.set_default(programme, {}, set_grad_w=500)
    await lab.advance(2 * POLL + PROMPT)
    assert (await lab.device.points())["WRmp"] == 5
    sheet = (await lab.admin.ask("list", of="sheets"))["sheets"][lab.lfdis[lab.device.name]]["der/1/derg"]
    assert sheet["set_grad_w"] == 500
    await own_watts(lab, RATED_WATTS / 2)
    await lab.advance(6)
    assert (await lab.device.state())["watts"] == pytest.approx(0.3 * RATED_WATTS, abs=1)
    await lab.advance(4)
    assert (await lab.device.state())["watts"] == pytest.approx(0.5 * RATED_WATTS, abs=1)


async def test_basic_008_fixed_power_factors(lab: CsipLab) -> None:
    """0.95 under-excited while injecting absorbs 1315 var at 4 kW; 0.9 over-excited while absorbing injects."""
    inject = {"op_mod_fixed_pf_inject_w": {"displacement": 95, "excitation": True, "multiplier": -2}}
    absorb = {"op_mod_fixed_pf_absorb_w": {"displacement": 900, "excitation": False, "multiplier": -3}}
    await own_watts(lab, 4000)
    begin, mrids = await begun(lab, inject, absorb)
    await lab.advance(PROMPT)
    points = await lab.device.points()
    assert (points["PFWInjEna"], points["PFWInjPF"], points["PFWInjExt"]) == (1, 950, 1)
    assert (points["PFWAbsEna"], points["PFWAbsPF"], points["PFWAbsExt"]) == (1, 900, 0)
    assert (await lab.device.state())["vars"] == pytest.approx(-1314.7, abs=1)
    await own_watts(lab, -4000)
    await lab.advance(2 * RAMPED)
    assert (await lab.device.state())["vars"] == pytest.approx(1937.3, abs=1)
    await ended(lab, begin, *mrids)
    points = await lab.device.points()
    assert (points["PFWInjEna"], points["PFWAbsEna"]) == (0, 0)


async def test_basic_009_energize_is_done_and_connect_is_refused(lab: CsipLab) -> None:
    """It ceases to energize and comes back by setESDelay (20 s); no galvanic switch: bit 2 clear, and 252."""
    programme = await lab.add_programme()
    await lab.set_default(programme, {}, set_es_delay=2000, set_es_ramp_tms=0)
    await own_watts(lab, 3000)
    begin, mrids = await begun(lab, {"op_mod_energize": False}, programme=programme)
    state = await lab.device.state()
    assert (state["points"]["ES"], state["watts"], state["service"]) == (0, 0, "ceased")
    await ended(lab, begin, *mrids)
    state = await lab.device.state()
    assert (state["points"]["ES"], state["points"]["ESDlyTms"], state["service"]) == (1, 20, "waiting")
    await lab.advance(20 + RAMPED)
    assert (await lab.device.state())["watts"] == pytest.approx(3000, abs=1)
    modes = await supported(lab)
    assert (bool(modes & DERMode.ENERGIZE), bool(modes & DERMode.CONNECT)) == (True, False)
    await refused(lab, {"op_mod_connect": False})


async def test_basic_010_the_most_watts(lab: CsipLab) -> None:
    """A half of setMaxW, in the register and at the grid; then all again."""
    await own_watts(lab, RATED_WATTS)
    begin, mrids = await begun(lab, max_lim(5000))
    await lab.advance(RAMPED)
    assert await lab.limit() == 5000
    assert (await lab.device.state())["watts"] == pytest.approx(RATED_WATTS / 2, abs=1)
    await ended(lab, begin, *mrids)
    await lab.advance(RAMPED)
    assert (await lab.limit(), (await lab.device.state())["watts"]) == (None, RATED_WATTS)
