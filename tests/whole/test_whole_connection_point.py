"""CSIP-AUS site limits from wish to device: opModExpLimW and opModImpLimW hold at the connection point.

Core, gateway, gate and simulated devices on one virtual clock (`metered_world`). The judge is the meter's true power,
which the simulator works out from its own physics; nobody on our side sees it but through the meter's registers.
"""

import pytest
from metered_world import House, house

from wattseal.certs.statement import Kind
from wattseal.drivers.simulators.faults import Fault, FaultKind
from wattseal.protocols.wish import AbsorbLimit, InjectLimit

EXPORT_WATTS = 1500
# One sample of the meter, one of the device, the order's way, and the second in which it is carried out.
REACTION_SECONDS = 8


def repeated(site: House) -> bool:
    """Every decision and command of the record comes out the same; intents were made by hand here."""
    verdict = site.replayed()
    return verdict.compared[Kind.COMMAND] > 0 and all(one.kind is Kind.INTENT for one in verdict.differences)


async def test_an_export_limit_holds_while_the_household_jumps(tmp_path):
    """The battery would give 5000 W. 3000 W of load go off at once, come back, and go off again."""
    async with house(tmp_path / "box", own_watts=5000.0) as site:
        site.household(-3000.0)
        await site.seconds(10)
        assert site.watts() == 2000.0  # nobody limits it yet
        await site.wish("E1", InjectLimit(EXPORT_WATTS))
        assert max((await site.seconds(120))[REACTION_SECONDS:]) <= EXPORT_WATTS
        assert site.watts() == pytest.approx(1450, abs=60)
        for load in (0.0, -3000.0, 0.0, -4500.0):
            site.household(load)
            assert max((await site.seconds(180))[REACTION_SECONDS:]) <= EXPORT_WATTS
            assert site.watts() == pytest.approx(max(1450, 0) if load > -3500 else 500, abs=60)
        site.household(2500.0)  # a roof that is nobody's to command
        await site.seconds(60)
        assert site.watts() == 2500.0
        assert site.orders("battery")[-1] == ("limit_inject", 0)
        assert len(site.orders("battery")) <= 16
        assert site.orders("charger") == site.orders("meter") == []
        assert repeated(site)
        verdict = site.audited()
        assert (verdict["verdict"], verdict["first_broken"]) == ("proven", None)
        meter, battery = verdict["devices"]["meter"], verdict["devices"]["battery"]
        assert (meter["commands"], battery["commands"]) == (0, len(site.orders("battery")))
        assert meter["readings"] > 400  # 910 seconds, one in two


async def test_an_import_limit_leaves_the_car_what_the_household_does_not_take(tmp_path):
    """Of 9000 W the house takes 1000 W, then 6000 W: the car falls back, and gets it again later."""
    async with house(tmp_path / "box", car=True) as site:
        site.household(-1000.0)
        await site.seconds(10)
        await site.wish("E1", AbsorbLimit(9000))
        assert min((await site.seconds(120))[15:]) >= -9000
        before = site.state("charger")["watts"]
        site.household(-6000.0)
        assert min((await site.seconds(120))[15:]) >= -9000
        assert before < site.state("charger")["watts"] <= 0
        site.household(-1000.0)
        await site.seconds(180)
        assert site.state("charger")["watts"] == pytest.approx(before, abs=250)
        assert repeated(site)


async def test_a_meter_that_falls_silent_costs_the_load_and_not_the_limit(tmp_path):
    """Nothing answers at the meter any more: export counts on no load, whatever the house draws."""
    async with house(tmp_path / "box", own_watts=5000.0) as site:
        site.household(-3000.0)
        await site.wish("E1", InjectLimit(EXPORT_WATTS))
        await site.seconds(60)
        site.devices["meter"].control.fault(Fault(FaultKind.DROP))
        await site.seconds(40)
        site.household(0.0)
        assert max(await site.seconds(30)) <= EXPORT_WATTS
        assert site.orders("battery")[-1] == ("limit_inject", 1450)
        site.devices["meter"].control.clear()
        site.household(-3000.0)
        await site.seconds(120)
        assert site.watts() == pytest.approx(1450, abs=60)


async def test_a_flipped_meter_is_found_out(tmp_path):
    """Current transformers the wrong way round: load looks like export and export like load."""
    async with house(tmp_path / "box", own_watts=5000.0) as site:
        site.household(-2000.0)
        site.devices["meter"].control.set(sign_flipped=True)
        await site.wish("E1", InjectLimit(EXPORT_WATTS))
        course = await site.seconds(600)
        assert max(course[60:]) <= EXPORT_WATTS
        assert not site.core.memory.holds.export.believed
