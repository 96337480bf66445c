"""Load control and flow reservations into limits on what a device absorbs; what of them is not carried, and why.

    DutyCycle normalValue               percent of the time             AbsorbLimit, that percent of the rating
    Offset loadAdjustmentPercentage-    ‱ less than normal              AbsorbLimit, the rating less so many ‱
    TargetReduction in W or kW          less than normal                AbsorbLimit, the rating less so many watts
    FlowReservationResponse             W, positive charges             AbsorbLimit while it is granted

Limits are rounded down, and end at zero. A bridge that limits power does not switch a load: a duty cycle is carried as
its mean power. "Less than normal" counts from the rating, which stands in the record; what flowed at the start would
have to be measured to be proved.
"""

from collections.abc import Mapping
from typing import Final

from wattseal.protocols.grid_event import Point
from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.ieee2030_5.set_values import FLOW, LOAD, UNITS_OF_POWER, FlowGranted, LoadAsked
from wattseal.protocols.ieee2030_5.translating.meaning import Carried, Meant, NotCarriedError
from wattseal.protocols.ieee2030_5.translating.numbers import MOST_WATTS, WHOLE, floor, part_floor
from wattseal.protocols.wish import AbsorbLimit

_PERCENT: Final = 100


def load(value: LoadAsked, ratings: Ratings) -> Meant:
    """Of an EndDeviceControl: the tightest of what it asks. Raises `NotCarriedError` where none of it is power."""
    rating = ratings.absorb_watts
    limits: list[tuple[int, str]] = []
    if value.duty_cycle is not None:
        part = min(value.duty_cycle.normal_value, _PERCENT)
        limits.append((part * rating // _PERCENT, f"a duty cycle of {part} % is carried as its mean power"))
    if value.adjustment is not None:
        part = max(0, WHOLE - value.adjustment)
        limits.append((part_floor(part, rating), f"{value.adjustment} ‱ less is counted from the rating, {rating} W"))
    if value.reduction is not None and value.reduction.type in UNITS_OF_POWER:
        less = value.reduction.value * UNITS_OF_POWER[value.reduction.type]
        limits.append((max(0, rating - less), f"{less} W less is counted from the rating, {rating} W"))
    if not limits:
        raise NotCarriedError("unit_not_power", "a reduction of an amount of energy or matter is no limit on power")
    return Meant(AbsorbLimit(min(watts for watts, _ in limits)), tuple(remark for _, remark in limits))


def granted(value: FlowGranted, _: Ratings) -> Meant:
    """Of a FlowReservationResponse."""
    watts = floor(value.power.value, value.power.multiplier)
    if watts < 0:
        raise NotCarriedError("discharge", "a vehicle is not discharged on a flow reservation")
    energy = f"{value.energy.value}e{value.energy.multiplier} Wh"
    return Meant(AbsorbLimit(min(watts, MOST_WATTS)), (f"the energy granted, {energy}, is not metered out",))


LOADS: Final[Mapping[str, Carried]] = {
    LOAD: Carried(Point.DEVICE, load),
    FLOW: Carried(Point.DEVICE, granted),
}
"""Every mode of these sets that becomes a wish. Modes of prices and texts become none."""

SETS_NOT_CARRIED: Final[Mapping[str, str]] = {
    "TimeTariffInterval": "a price moves no device by itself: it is told in the status and recorded, and answered",
    "TextMessage": "a text is for people: it is told in the status and recorded, and answered",
    "EndDeviceControl.ApplianceLoadReduction": "a signal for appliances that know their own cycle; answered with 252",
    "EndDeviceControl.SetPoint": "a temperature; no device here has one; answered with 252",
    "EndDeviceControl.Offset": "degrees likewise; its loadAdjustmentPercentageOffset is carried",
    "EndDeviceControl.TargetReduction": "in energy, volume or pressure; answered with 252; W and kW are carried",
    "EndDeviceControl.loadShiftForward": "true asks for more consumption, which no limit can give; answered with 252",
    "EndDeviceControl.overrideDuration": "nobody overrides an order here; it is kept with the event",
    "EndDeviceControl.drProgramMandatory": "voluntary events are followed like mandatory ones; it is kept with it",
    "FlowReservationResponse.energyAvailable": "no wish holds an amount of energy; remarked",
    "FlowReservationResponse.interval": "outside of it the reservation asks nothing: it lifts and sets no limit there",
}
"""What of the function sets beside DER never moves a device, and why."""
