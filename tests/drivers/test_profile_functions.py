"""What each function beside power writes, from the public register maps by hand, and what the simulated battery makes
of it.

SunSpec 704, offsets from its ID register: PFWInjEna 2, EnaRvrt 3, RvrtTms 4-5; PFWAbsEna 8, EnaRvrt 9, RvrtTms 10-11;
VarSetEna 35, Mod 36, Pri 37, VarSet 38-39, Rvrt 40-41, Pct 42, PctRvrt 43, EnaRvrt 44, RvrtTms 45-46; WRmp 49,
WRmpRef 50; PFWInj.PF 59, Ext 60; PFWAbs.PF 63, Ext 64. 703: ES 2, ESVHi 3, ESVLo 4, ESHzHi 5-6, ESHzLo 7-8, ESDlyTms
9-10, ESRndTms 11-12, ESRmpTms 13-14. Ext 0 is over-excited. VarSetMod: 0 of WMax, 1 of VarMax, 2 of what is available,
3 of VAMax, 4 vars.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_profile_end_to_end import battery as simulated_battery

from wattseal.drivers.device import Capabilities, Function, Layout, ModelPlace, Operation, Scope, UnsupportedError, Wish
from wattseal.drivers.operations import FUNCTION_OF, value_fits
from wattseal.drivers.profiles.planning import steps_for
from wattseal.drivers.profiles.sunspec_battery import SUNSPEC_BATTERY

AT = {703: 40300, 704: 40200}
KEPT = {"VarSetPri": (1,), "VarSet": (0, 7), "VarSetRvrt": (0, 0), "VarSetPct": (5,), "VarSetPctRvrt": (6,)}
FACTORS = {"PFWInj.PF": -3, "PFWAbs.PF": -3}
SCALES = {"VarSet": 0, "VarSetPct": -2, "ESVHi": -2, "ESVLo": -2, "ESHzHi": -3, "ESHzLo": -3, **FACTORS}
WHOLE = {"ES": 0, "WRmp": 0, "ESDlyTms": 0, "ESRndTms": 0, "ESRmpTms": 0}


def known(**changes) -> Capabilities:
    layout = Layout(
        1,
        (ModelPlace(704, AT[704], 65), ModelPlace(703, AT[703], 17)),
        scales=tuple((SCALES | WHOLE).items()),
        kept=tuple(KEPT.items()),
    )
    return replace(Capabilities(layout, tuple(Operation), None, None, None, 1, 0xFFFFFFFE), **changes)


def frames(operation: Operation, value, timer: int = 60):
    planned = steps_for(SUNSPEC_BATTERY, known(), Wish(operation, value, timer))
    found = []
    for step in planned.steps:
        model = 703 if step.address >= AT[703] else 704
        found.append((model, step.address - AT[model], step.words))
    return found


@pytest.mark.parametrize(
    ("operation", "value", "expected"),
    [
        (Operation.ENERGIZE, 0, [(703, 2, (0,))]),
        (Operation.ENERGIZE, 1, [(703, 2, (1,))]),
        (
            Operation.POWER_FACTOR_INJECT,
            -9500,
            [(704, 59, (950, 1)), (704, 3, (0, 0, 60)), (704, 2, (1,))],
        ),
        (
            Operation.POWER_FACTOR_ABSORB,
            9000,
            [(704, 63, (900, 0)), (704, 9, (0, 0, 60)), (704, 8, (1,))],
        ),
        (
            Operation.FIXED_VAR,
            ("max_vars", -2500),
            [(704, 36, (1, 1, 0, 7, 0, 0, 0x10000 - 2500, 6, 0, 0, 60)), (704, 35, (1,))],
        ),
        (
            Operation.FIXED_VAR,
            ("available_vars", 10_000),
            [(704, 36, (2, 1, 0, 7, 0, 0, 10_000, 6, 0, 0, 60)), (704, 35, (1,))],
        ),
        (
            Operation.TARGET_VAR,
            -1200,
            [(704, 36, (4, 1, 0xFFFF, 0x10000 - 1200, 0, 0, 5, 6, 0, 0, 60)), (704, 35, (1,))],
        ),
        (Operation.RAMP_RATE, 250, [(704, 49, (2, 1))]),
        (
            Operation.RETURN_TO_SERVICE,
            (300_000, 60_000, 100_000, 50_150, 49_000, 11_000, 9_000),
            [(703, 3, (11_000, 9_000, 0, 50_150, 0, 49_000, 0, 300, 0, 60, 0, 100))],
        ),
        # What is null is not written: the frame is in pieces, and no register in between is touched.
        (
            Operation.RETURN_TO_SERVICE,
            (300_000, None, None, None, 49_000, None, None),
            [(703, 7, (0, 49_000, 0, 300))],
        ),
        (
            Operation.RETURN_TO_SERVICE,
            (None, None, 1_000, None, None, 10_600, None),
            [(703, 3, (10_600,)), (703, 13, (0, 1))],
        ),
    ],
)
def test_registers_of_each_function(operation, value, expected):
    assert frames(operation, value) == expected


@pytest.mark.parametrize(
    ("operation", "asked", "made"),
    [
        (Operation.POWER_FACTOR_INJECT, -9512, -9520),  # toward unity: fewer vars
        (Operation.POWER_FACTOR_INJECT, -9999, 10_000),  # unity has no excitation
        (Operation.RAMP_RATE, 127, 100),  # whole percent, slower
        (
            Operation.RETURN_TO_SERVICE,
            (300_500, None, None, None, None, None, None),
            (301_000, None, None, None, None, None, None),
        ),
    ],
)
def test_what_the_device_cannot_hold_is_rounded_to_the_safe_side_and_told(operation, asked, made):
    assert steps_for(SUNSPEC_BATTERY, known(), Wish(operation, asked, 60)).asks_for == made


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        (Operation.RAMP_RATE, 27),  # 0.27 % per second, an Australian default: WRmp counts whole percent
        (Operation.RAMP_RATE, 0),  # "no limit": the model does not say that its 0 means that
        (Operation.FIXED_VAR, ("nominal_volts", 100)),
    ],
)
def test_what_the_device_has_no_number_for_is_not_written(operation, value):
    with pytest.raises(UnsupportedError, match="value_not_supported"):
        frames(operation, value)


def test_a_device_that_lacks_the_model_cannot_do_it():
    with pytest.raises(UnsupportedError, match="operation_not_supported"):
        steps_for(SUNSPEC_BATTERY, known(operations=(Operation.SET_POWER,)), Wish(Operation.ENERGIZE, 0, 60))


@given(st.integers(-10_000, 10_000), st.integers(-4, 0))
def test_a_power_factor_is_never_further_from_unity_than_asked(factor, exponent):
    """Against plain fractions: the nearest step on the side of unity, of the same excitation."""
    if not value_fits(Operation.POWER_FACTOR_INJECT, factor):
        return
    layout = replace(known().layout, scales=(("PFWInj.PF", exponent),))
    made = steps_for(SUNSPEC_BATTERY, known(layout=layout), Wish(Operation.POWER_FACTOR_INJECT, factor, 60)).asks_for
    step = 10 ** (4 + exponent)
    assert abs(factor) <= abs(made) < abs(factor) + step
    assert abs(made) % step == 0
    assert abs(made) == 10_000 or (made > 0) == (factor > 0)


ORDERS = [
    (Operation.SET_POWER, 3000),
    (Operation.ENERGIZE, 1),
    (Operation.POWER_FACTOR_INJECT, -9500),
    (Operation.POWER_FACTOR_ABSORB, 9000),
    (Operation.TARGET_VAR, 600),
    (Operation.RAMP_RATE, 1000),
    (Operation.RETURN_TO_SERVICE, (20_000, None, None, 50_200, None, None, None)),
]


async def test_all_functions_stand_beside_each_other_on_the_simulated_battery():
    """Each is written, read back in its own terms, and disturbs none of the others."""
    async with simulated_battery() as (run, _, device):
        capabilities = await device.capabilities()
        assert {operation for operation, _ in ORDERS} <= set(capabilities.operations)
        plans = [device.steps_for(capabilities, Wish(operation, value, 60)) for operation, value in ORDERS]
        for planned in plans:
            for step in planned.steps:
                await device.write(step)
        run.control.advance(20.0)
        state = await device.read_state(capabilities)
        for planned in plans:
            verdict = device.verify(planned, None, state, settled=False)
            assert verdict.applied, (planned.wish.operation, verdict.reason)
        for operation, value in ORDERS[1:]:
            shown = state.control(operation).value
            if operation is Operation.RETURN_TO_SERVICE:
                assert (shown[0], shown[3]) == (20_000, 50_200)
            else:
                assert shown == value, operation
        assert state.watts.rounded() == 3000
        assert state.vars.rounded() == 600, "vars are set before a factor, where both are enabled"


@pytest.mark.parametrize(
    ("operation", "value"), [ORDERS[2], ORDERS[3], ORDERS[4], (Operation.FIXED_VAR, ("max_vars", 2000))]
)
async def test_the_devices_own_timer_ends_each_function_alone(operation, value):
    """After RvrtTms the function is off; the power beside it, armed for longer, goes on."""
    async with simulated_battery() as (run, _, device):
        capabilities = await device.capabilities()
        power = device.steps_for(capabilities, Wish(Operation.SET_POWER, 3000, 600))
        other = device.steps_for(capabilities, Wish(operation, value, 30))
        for step in (*power.steps, *other.steps):
            await device.write(step)
        state = await device.read_state(capabilities, Scope.CONTROL, frozenset({FUNCTION_OF[operation]}))
        assert state.control(operation).timer_remaining_seconds == 30
        run.control.advance(31.0)
        state = await device.read_state(capabilities)
        assert state.control(operation).enabled is False
        assert state.control(Operation.SET_POWER).enabled is True


async def test_a_device_that_ceased_to_energize_moves_no_power():
    async with simulated_battery() as (run, _, device):
        capabilities = await device.capabilities()
        power = device.steps_for(capabilities, Wish(Operation.SET_POWER, 3000, 600))
        cease = device.steps_for(capabilities, Wish(Operation.ENERGIZE, 0, 600))
        for step in (*power.steps, *cease.steps):
            await device.write(step)
        run.control.advance(10.0)
        state = await device.read_state(capabilities)
        assert device.verify(cease, None, state, settled=True).effective is True
        assert device.verify(power, None, state, settled=True).effective is False
        release = device.steps_for(capabilities, Wish(Operation.RELEASE, 0, 0, function=Function.ENERGIZE))
        for step in release.steps:
            await device.write(step)
        run.control.advance(30.0)
        state = await device.read_state(capabilities)
        assert device.verify(release, None, state, settled=False).applied
        assert device.verify(cease, None, state, settled=True).applied is False
        assert state.watts.rounded() == 3000


@pytest.mark.parametrize("function", [Function.RAMP_RATE, Function.RETURN_TO_SERVICE])
def test_a_setting_has_no_way_back_and_its_release_writes_nothing(function):
    planned = steps_for(SUNSPEC_BATTERY, known(), Wish(Operation.RELEASE, 0, 0, function=function))
    assert planned.leaves_setting


def test_a_release_ends_its_own_function_only():
    planned = steps_for(SUNSPEC_BATTERY, known(), Wish(Operation.RELEASE, 0, 0, function=Function.VARS))
    assert [(step.address - AT[704], step.words) for step in planned.steps] == [(35, (0,))]


async def test_controls_of_other_functions_are_not_read():
    """Model 703 costs an exchange of its own: it is read where its functions are asked for."""
    async with simulated_battery() as (_, _, device):
        capabilities = await device.capabilities()
        power = await device.read_state(capabilities, Scope.CONTROL, frozenset({Function.POWER}))
        service = await device.read_state(capabilities, Scope.CONTROL, frozenset({Function.ENERGIZE}))
        assert len(service.exchanges) == len(power.exchanges) + 1
        assert power.control(Operation.ENERGIZE).value is None
        assert service.control(Operation.ENERGIZE).value == 1
