"""A value that no wish holds exactly is told to the utility: 252 where nothing else is asked for, never 1, 2 and 3."""

import pytest
from client_2030_5_world import control, default
from msgspec.structs import replace
from server_line_world import SERVER_SITE, LineWorld

from wattseal.protocols.ieee2030_5.base import ListLink
from wattseal.protocols.ieee2030_5.der_control import (
    CurveData,
    DERControlBase,
    DERCurve,
    DERCurveLink,
    DERCurveList,
    DERProgramList,
)
from wattseal.protocols.ieee2030_5.quantities import ActivePower, PowerFactorWithExcitationControl
from wattseal.protocols.ieee2030_5.vocabulary import CurveType, UnitReference

SITE = SERVER_SITE.replace(
    b'operations = ["set_power", "limit_inject", "limit_absorb"]',
    b'operations = ["limit_inject", "limit_absorb", "power_factor_inject", "volt_var"]',
)
TOO_FINE = PowerFactorWithExcitationControl(displacement=9501, excitation=False, multiplier=-5)
"""0.09501: a power factor here is counted in ten-thousandths."""
FITS = PowerFactorWithExcitationControl(displacement=950, excitation=False, multiplier=-3)


@pytest.fixture
async def world(tmp_path):
    made = await LineWorld(tmp_path / "box", SITE).connect()
    yield made
    made.bench.close()


def curve(href: str, kind: CurveType = CurveType.VOLT_VAR, x_multiplier: int = 0) -> DERCurve:
    points = tuple(CurveData(xvalue=x, yvalue=y) for x, y in ((92, 44), (98, 0), (102, 0), (108, -44)))
    return DERCurve(
        href=href, mrid="C1", creation_time=0, curve_type=kind, curve_data=points, x_multiplier=x_multiplier,
        y_multiplier=0, y_ref_type=UnitReference.SET_MAX_VAR,
    )  # fmt: skip


def lay_curves(world: LineWorld, *curves: DERCurve) -> None:
    (program,) = world.server.resources["/derp"].items
    linked = replace(program, der_curve_list_link=ListLink(href="/derp/1/dc", all=len(curves)))
    world.server.resources["/derp"] = DERProgramList(href="/derp", items=(linked,), poll_rate=60)
    world.server.resources["/derp/1/dc"] = DERCurveList(href="/derp/1/dc", items=curves)


def asks(number: int, start: int = 0, **modes: object):
    return control(number, start, 60, der_control_base=DERControlBase(**modes))


def responses(world: LineWorld) -> list[tuple[str, int]]:
    return [(one.subject[-1], one.status) for _, one in world.server.posted]


def not_carried(world: LineWorld) -> list[str]:
    return [text.partition(" ")[2] for text in world.bench.core.contacts["north"]["not_carried"]]


async def test_a_value_finer_than_a_wish_draws_252(world):
    """1.7: 252, rejected, not applicable; the reason stands in status."""
    world.show(asks(1, op_mod_fixed_pf_inject_w=TOO_FINE))
    await world.run(120)
    assert responses(world) == [("1", 252)]
    assert not_carried(world) == [
        "opModFixedPFInjectW is not carried (too_fine): a power factor of 9501e-1 is finer than its unit here"
    ]
    assert [one for one in world.orders() if one[1] == "power_factor_inject"] == []


async def test_a_value_that_fits_is_followed_and_answered(world):
    world.show(asks(1, op_mod_fixed_pf_inject_w=FITS))
    await world.run(120)
    assert responses(world) == [("1", 1), ("1", 2), ("1", 3)]
    assert [one.start for one in world.intents() if one.origin.event_id.endswith("1")] != []


async def test_an_event_of_which_a_part_fits_runs_without_the_rest(world):
    """What can be carried is; the intent holds nothing of the other mode, and status names it."""
    limit = ActivePower(multiplier=0, value=1000)
    world.show(asks(1, op_mod_fixed_pf_inject_w=TOO_FINE, op_mod_exp_lim_w=limit))
    await world.run(120)
    assert responses(world) == [("1", 1), ("1", 2), ("1", 3)]
    (first, *_) = [one for one in world.intents() if one.origin.event_id.endswith("0001")]
    assert [course.signal_name for course in first.courses] == ["csipaus:opModExpLimW"]
    assert len(not_carried(world)) == 1


@pytest.mark.parametrize(
    ("made", "reason"),
    [(curve("/c", CurveType.VOLT_WATT), "curve_type_wrong"), (curve("/c", x_multiplier=-3), "too_fine")],
)
async def test_a_curve_that_cannot_be_held_as_it_is_draws_252(world, made, reason):
    """1.5: opModVoltVar takes curves of type 11; an x of 0.092 % is finer than a ten-thousandth."""
    lay_curves(world, made)
    world.show(asks(1, op_mod_volt_var=DERCurveLink(href="/c")))
    await world.run(120)
    assert responses(world) == [("1", 252)]
    assert len(not_carried(world)) == 1
    assert reason in not_carried(world)[0]


async def test_a_curve_that_can_be_held_is_followed(world):
    lay_curves(world, curve("/c"))
    world.show(asks(1, op_mod_volt_var=DERCurveLink(href="/c")))
    await world.run(120)
    assert responses(world) == [("1", 1), ("1", 2), ("1", 3)]
    assert not_carried(world) == []


async def test_a_default_of_which_a_part_does_not_fit_holds_without_it(world):
    """A default draws no Response: log and status say it."""
    base = default(0).der_control_base
    world.server.resources["/derp/1/dderc"] = default(
        0, der_control_base=replace(base, op_mod_fixed_pf_inject_w=TOO_FINE)
    )
    await world.run(5)
    assert [course.signal_name for one in world.intents() for course in one.courses] == ["csipaus:opModExpLimW"]
    assert len(not_carried(world)) == 1
    assert world.bench.core.contacts["north"]["not_carried"][0].startswith("default:0A")


async def test_what_is_not_carried_is_still_known_after_a_restart(world):
    world.show(asks(1, 600, op_mod_fixed_pf_inject_w=TOO_FINE))
    await world.run(5)
    before = not_carried(world)
    await world.crash()
    await world.run(5)
    assert not_carried(world) == before
    assert responses(world) == [("1", 252)]
