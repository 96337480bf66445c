"""What the events of the function sets beside DER ask, as the event engine carries it: one mode and a value for each.

The engine knows nothing of these sets either: that events of a set at one device exclude each other, or do not, is said
by the names of their modes. Two load controls at a device do (the mode is the same), and so do two grants of a flow
reservation; prices do where they are those of one rate component; texts never do. Knows the wire types, no address.
"""

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.demand_response import DutyCycle, EndDeviceControl, TargetReduction
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationResponse
from wattseal.protocols.ieee2030_5.messaging import TextMessage
from wattseal.protocols.ieee2030_5.metering import ReadingType
from wattseal.protocols.ieee2030_5.modes import STRANGER
from wattseal.protocols.ieee2030_5.pricing import ConsumptionTariffInterval, RateComponent, TariffProfile
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.vocabulary import ReductionUnit

LOAD: Final = "drlc:load"
FLOW: Final = "flow:reservation"
PRICE: Final = "price:"
"""Followed by the mRID of the rate component."""
TEXT: Final = "text:"
"""Followed by the mRID of the message."""
UNITS_OF_POWER: Final = {ReductionUnit.WATT: 1, ReductionUnit.KILOWATT: 1000}
"""The units of a target reduction that a limit on power can follow, in watts."""
_TEXT_MOST: Final = 4096
_OTHERS: Final = {
    "set_point": "SetPoint",
    "offset": "Offset",
    "appliance_load_reduction": "ApplianceLoadReduction",
    "target_reduction": "TargetReduction",
}
_ENCODER: Final = msgspec.msgpack.Encoder()


class FunctionSet(StrEnum):
    """The sets whose events are followed; each has an engine of its own."""

    DER = "der"
    LOAD_CONTROL = "load_control"
    FLOW_RESERVATION = "flow_reservation"
    PRICING = "pricing"
    MESSAGING = "messaging"


class LoadAsked(msgspec.Struct, frozen=True, array_like=True):
    """What an EndDeviceControl asks of a load. `adjustment`: loadAdjustmentPercentageOffset, ‱ to be subtracted.

    `mandatory` (drProgramMandatory) and `override_seconds` are what the programme's contract says of overriding.
    """

    duty_cycle: DutyCycle | None = None
    reduction: TargetReduction | None = None
    adjustment: int | None = None
    mandatory: bool = False
    override_seconds: int = 0


class FlowGranted(msgspec.Struct, frozen=True, array_like=True):
    """What a FlowReservationResponse grants; positive charges."""

    power: ActivePower
    energy: SignedRealEnergy


class Block(msgspec.Struct, frozen=True, array_like=True):
    """The price of a unit from `start_value` of consumption on; None where none is said."""

    block: int
    start_value: int | None
    price: int | None


class PriceSaid(msgspec.Struct, frozen=True, array_like=True):
    """A price of a tariff's rate. It is `price` times ten to the `price_power` of `currency` (ISO 4217, a number) for
    ten to the `unit_power` of `uom`; `flow_direction` as in a ReadingType: 1 delivered to the customer, 19 received.
    """

    tariff: str
    rate: str
    blocks: tuple[Block, ...]
    tier: int = 0
    rate_code: str = ""
    currency: int | None = None
    price_power: int = 0
    service: int | None = None
    uom: int | None = None
    unit_power: int = 0
    flow_direction: int | None = None


class TextSaid(msgspec.Struct, frozen=True, array_like=True):
    """A text as it can be shown: without control characters, at most 4096 letters."""

    text: str
    priority: int
    originator: str = ""


Value: TypeAlias = LoadAsked | FlowGranted | PriceSaid | TextSaid
_TYPES: Final = {"drlc": LoadAsked, "flow": FlowGranted, "price": PriceSaid, "text": TextSaid}


def packed(value: Value) -> bytes:
    """The bytes that the engine carries."""
    return _ENCODER.encode(value)


def value_of(mode: str, data: bytes) -> Value:
    """What `packed` packed under a mode. Raises `msgspec.MsgspecError`, and MisuseError for a mode of no set."""
    kind = _TYPES.get(mode.partition(":")[0])
    if kind is None:
        raise MisuseError("mode_unknown", f"{mode!r} is a mode of none of these function sets.")
    value: Value = msgspec.msgpack.decode(data, type=kind)
    return value


def load_of(control: EndDeviceControl) -> tuple[str, bytes]:
    """The mode and value of a load control; a mode that nobody has where no device of ours can do what it asks.

    Thermostats' set points and offsets, appliance signals, reductions of anything but power, and any control that shall
    shift load forward are such.
    """
    offset, reduction = control.offset, control.target_reduction
    if control.load_shift_forward:
        return f"{STRANGER}drlc:loadShiftForward", b""
    asked = LoadAsked(
        control.duty_cycle,
        reduction if reduction is not None and reduction.type in UNITS_OF_POWER else None,
        None if offset is None else offset.load_adjustment_percentage_offset,
        bool(control.dr_program_mandatory),
        control.override_duration or 0,
    )
    if asked.duty_cycle is None and asked.reduction is None and asked.adjustment is None:
        return f"{STRANGER}drlc:{_asked_instead(control)}", b""
    return LOAD, packed(asked)


def grant_of(response: FlowReservationResponse) -> tuple[str, bytes]:
    """The mode and value of a grant; a grant to discharge is nobody's mode (see the duty that asks)."""
    if response.power_available.value < 0:
        return f"{STRANGER}flow:discharge", b""
    return FLOW, packed(FlowGranted(response.power_available, response.energy_available))


def price_of(
    tariff: TariffProfile,
    rate: RateComponent | None,
    reading_type: ReadingType | None,
    tier: int,
    blocks: tuple[ConsumptionTariffInterval, ...],
) -> tuple[str, bytes]:
    """The mode and value of an interval of a tariff."""
    named = tariff.mrid if rate is None else rate.mrid
    said = PriceSaid(
        tariff=tariff.mrid,
        rate=named,
        blocks=tuple(Block(one.consumption_block, one.start_value, one.price) for one in blocks),
        tier=tier,
        rate_code=tariff.rate_code or "",
        currency=tariff.currency,
        price_power=tariff.price_power_of_ten_multiplier or 0,
        service=_number(tariff.service_category_kind),
        uom=None if reading_type is None else _number(reading_type.uom),
        unit_power=0 if reading_type is None else _number(reading_type.power_of_ten_multiplier) or 0,
        flow_direction=None if reading_type is None else _number(reading_type.flow_direction),
    )
    return f"{PRICE}{named}", packed(said)


def text_of(message: TextMessage) -> tuple[str, bytes]:
    """The mode and value of a text; nobody's mode where nothing of it can be shown."""
    shown = _printable(message.text_message)[:_TEXT_MOST]
    if not shown:
        return f"{STRANGER}{TEXT}{message.mrid}", b""
    said = TextSaid(shown, int(message.priority), _printable(message.originator or ""))
    return f"{TEXT}{message.mrid}", packed(said)


def _asked_instead(control: EndDeviceControl) -> str:
    return next((name for field, name in _OTHERS.items() if getattr(control, field) is not None), "nothing")


def _number(code: int | None) -> int | None:
    return None if code is None else int(code)


def _printable(text: str) -> str:
    """Words that a terminal shows and does not obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
