"""Order bodies: one encoding for each wish of each function, and the power function's bytes as they always were."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs import cbor
from wattseal.drivers.commands import BodyError, Function, Operation, Order, release_of
from wattseal.drivers.operations import CURVES, FUNCTION_OF, REFERENCES, UNIT_OF, unit_of, value_fits
from wattseal.protocols.wish import CurveKind, Reference

PROFILE = bytes(32)
CURVE = ("max_vars", ((9200, 3000), (9800, 0), (10200, 0), (10800, -3000)), 5000, None, None)
FITTING = {
    Operation.SET_POWER: (-5000, 0, 5000),
    Operation.LIMIT_INJECT: (0, 5000),
    Operation.LIMIT_ABSORB: (0, 5000),
    Operation.RELEASE: (0,),
    Operation.ENERGIZE: (0, 1),
    Operation.POWER_FACTOR_INJECT: (9500, -9500, 10000, 1),
    Operation.POWER_FACTOR_ABSORB: (9500, -9500, 10000, 1),
    Operation.FIXED_VAR: (("max_vars", -2500), ("max_watts", 10000)),
    Operation.TARGET_VAR: (-1200, 0, 1200),
    Operation.FREQ_DROOP: ((36, 36, 50, 50, 5000),),
    Operation.RAMP_RATE: (0, 100),
    Operation.RETURN_TO_SERVICE: ((300_000, None, None, 60_100, 59_500, None, None),),
    **dict.fromkeys(CURVES, (CURVE,)),
}
UNFIT = {
    Operation.SET_POWER: (True, None, "0", (0,)),
    Operation.LIMIT_INJECT: (-1, True),
    Operation.LIMIT_ABSORB: (-1, True),
    Operation.RELEASE: (1, False),
    Operation.ENERGIZE: (2, -1, True, None),
    # Unity is one wish, so it has one value: there is no excitation at a factor of one.
    Operation.POWER_FACTOR_INJECT: (0, 10001, -10000, True),
    Operation.POWER_FACTOR_ABSORB: (0, 10001, -10000, True),
    Operation.FIXED_VAR: (2500, ("max_vars", 10001), ("vars", 1), ("max_vars",), ("max_vars", True)),
    Operation.TARGET_VAR: (10**10, None),
    Operation.FREQ_DROOP: ((36, 36, 50, 50), (36, 36, 50, 50, -1), (36, 36, 50, 50, None)),
    Operation.RAMP_RATE: (-1, True),
    Operation.RETURN_TO_SERVICE: ((None,) * 7, (1, 2), (-1, *[None] * 6), (True, *[None] * 6)),
    **dict.fromkeys(
        CURVES,
        (
            0,
            ("max_vars", (), None, None, None),
            ("max_vars", ((2, 0), (1, 0)), None, None, None),
            ("max_vars", ((1, 0), (1, 0)), None, None, None),
            ("max_vars", tuple((x, 0) for x in range(11)), None, None, None),
            ("max_vars", ((1, 0, 0),), None, None, None),
            ("volts", ((1, 0),), None, None, None),
            ("max_vars", ((1, True),), None, None, None),
        ),
    ),
}


def order_of(operation: Operation, value) -> Order:
    unit, scale = unit_of(operation, FUNCTION_OF.get(operation, Function.POWER))
    return Order("battery", operation, value, 0, 60, (Operation.RELEASE, 0), 0, PROFILE, scale, unit)


def test_every_operation_but_release_is_of_one_function_and_has_a_unit() -> None:
    assert set(FUNCTION_OF) == set(UNIT_OF) == set(Operation) - {Operation.RELEASE}
    assert set(FUNCTION_OF.values()) == set(Function)


def test_each_kind_of_curve_is_an_operation_and_a_function_of_its_own() -> None:
    """One order is one wish, so that the same curve by any dialect gives the same bytes."""
    assert {str(kind) for kind in CurveKind} == {str(operation) for operation in CURVES}
    assert all(str(FUNCTION_OF[operation]) == str(operation) for operation in CURVES)


def test_references_are_those_of_wishes() -> None:
    assert set(map(str, Reference)) == REFERENCES


@pytest.mark.parametrize("operation", Operation)
def test_values_that_fit_and_values_that_do_not(operation: Operation) -> None:
    assert [value for value in FITTING[operation] if not value_fits(operation, value)] == []
    assert [value for value in UNFIT[operation] if value_fits(operation, value)] == []


@pytest.mark.parametrize("operation", Operation)
def test_an_order_of_every_operation_is_read_back_equal(operation: Operation) -> None:
    for value in FITTING[operation]:
        order = order_of(operation, value)
        assert Order.decode(order.encode()) == order


def test_a_power_order_has_the_bytes_it_had_with_one_function() -> None:
    """The layout of the body in the order's own documentation, ten members, written out by hand."""
    order = Order("battery", Operation.SET_POWER, -1500, 7, 60, (Operation.RELEASE, 0), 50, PROFILE)
    assert order.encode() == cbor.encode(
        {1: "battery", 2: "set_power", 3: -1500, 4: 0, 5: "W", 6: 7, 7: 60, 8: ("release", 0), 9: 50, 10: PROFILE}
    )
    assert release_of("battery", Function.POWER, PROFILE).encode() == cbor.encode(
        {1: "battery", 2: "release", 3: 0, 4: 0, 5: "W", 6: 0, 7: 0, 8: ("release", 0), 9: 0, 10: PROFILE}
    )


@pytest.mark.parametrize("function", Function)
def test_a_release_says_which_function_it_ends(function: Function) -> None:
    order = release_of("battery", function, PROFILE)
    assert Order.decode(order.encode()) == order
    assert order.function is function
    assert (11 in cbor.decode(order.encode())) is (function is not Function.POWER)


@pytest.mark.parametrize("named", ["power", "energise", 3, None])
def test_a_second_encoding_of_a_release_is_refused(named: object) -> None:
    body = dict(cbor.decode(release_of("battery", Function.ENERGIZE, PROFILE).encode()))
    with pytest.raises(BodyError):
        Order.decode(cbor.encode({**body, 11: named}))


def test_only_a_release_names_a_function() -> None:
    body = dict(cbor.decode(order_of(Operation.ENERGIZE, 0).encode()))
    with pytest.raises(BodyError):
        Order.decode(cbor.encode({**body, 11: "energize"}))


@given(st.sampled_from([name for name in Operation if name is not Operation.RELEASE]), st.integers(0, 9))
def test_equal_orders_are_equal_bytes_and_others_are_not(operation: Operation, hold: int) -> None:
    one = replace(order_of(operation, FITTING[operation][0]), hold_seconds=hold)
    other = replace(one, hold_seconds=hold + 1)
    assert one.encode() == replace(other, hold_seconds=hold).encode() != other.encode()


def test_watts_are_those_of_the_power_function_only() -> None:
    assert order_of(Operation.SET_POWER, -5).watts == -5
    assert order_of(Operation.TARGET_VAR, 700).watts == 0
