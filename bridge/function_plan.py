"""The functions beside power: wishes in, at most one order for each function of a device out. Pure.

Functions are independent of each other and of power. Of the wishes for one function that the device's profile can
carry, the one of highest precedence holds it; nothing is shared, narrowed or mixed. What cannot be carried is named.
"""

from collections.abc import Iterable, Iterator

from wattseal.bridge import profiles
from wattseal.bridge.site.model import Device
from wattseal.bridge.timeline import ActiveWish
from wattseal.bridge.world import Desired, window
from wattseal.drivers.commands import Function, Operation, Order, Seat, Value, release_of
from wattseal.drivers.operations import FUNCTION_OF, UNITY, unit_of, value_fits
from wattseal.protocols.grid_event import Point
from wattseal.protocols.wish import (
    Connect,
    Curve,
    Energize,
    FixedVar,
    Flow,
    FreqDroop,
    PowerFactor,
    RampRate,
    ReturnToService,
    TargetVar,
    Wish,
)


def desired_functions(
    device: Device, asked: Iterable[tuple[ActiveWish, Order | str | None]], held: frozenset[Seat]
) -> Iterator[Desired]:
    """The orders that hold the device's functions, in the order of `Function`; a release for each other one in `held`.

    `asked`: the wishes aimed at the device, highest precedence first, each with what `carried` makes of it there.
    """
    chosen: dict[Function, Desired] = {}
    for wish, order in asked:
        if isinstance(order, Order):
            chosen.setdefault(order.function, Desired(device.name, order, wish, ()))
    digest = profiles.digest_of(device.profile)
    for function in Function:
        if function in chosen:
            yield chosen[function]
        elif function is not Function.POWER and Seat(device.name, function) in held:
            yield Desired(device.name, release_of(device.name, function, digest), None, ())


def carried(device: Device, wish: ActiveWish) -> Order | str | None:
    """The order that a wish comes to at a device; why it cannot be carried; None for a wish of the power function."""
    if isinstance(wish.wish, Connect):
        return f"{device.profile} cannot be told to connect or disconnect galvanically"
    asked = order_value(wish.wish)
    if asked is None:
        return None
    operation, value = asked
    if operation not in profiles.operations_of(device.profile):
        return f"{device.profile} has no operation for {operation}"
    if operation is Operation.TARGET_VAR and wish.course.point is Point.SITE:
        return "vars at the site point are not shared among devices"
    if not value_fits(operation, value):
        return f"{operation} cannot be ordered with that value"
    since, hold = window((wish,))
    unit, scale = unit_of(operation, FUNCTION_OF[operation])
    back = (Operation.RELEASE, 0)
    digest = profiles.digest_of(device.profile)
    return Order(device.name, operation, value, since, hold, back, 0, digest, scale, unit)


def order_value(wish: Wish) -> tuple[Operation, Value] | None:
    """Operation and value of a wish that is not of the power function; None for one that is, and for `Connect`."""
    match wish:
        case Energize(on):
            return Operation.ENERGIZE, int(on)
        case PowerFactor(flow, ten_thousandths, over_excited):
            inject = flow is Flow.INJECT
            operation = Operation.POWER_FACTOR_INJECT if inject else Operation.POWER_FACTOR_ABSORB
            positive = over_excited or ten_thousandths == UNITY
            return operation, ten_thousandths if positive else -ten_thousandths
        case FixedVar(reference, part):
            return Operation.FIXED_VAR, (str(reference), part)
        case TargetVar(asked):
            return Operation.TARGET_VAR, asked
        case Curve(kind, reference, points, open_loop, volts, autonomous):
            return Operation(str(kind)), (str(reference), points, open_loop, volts, autonomous)
        case FreqDroop(over_band, under_band, over_droop, under_droop, open_loop):
            return Operation.FREQ_DROOP, (over_band, under_band, over_droop, under_droop, open_loop)
        case RampRate(rate):
            return Operation.RAMP_RATE, rate
        case ReturnToService(delay, random_delay, ramp, high_hz, low_hz, high_v, low_v):
            return Operation.RETURN_TO_SERVICE, (delay, random_delay, ramp, high_hz, low_hz, high_v, low_v)
        case _:
            return None
