"""What is mirrored, as tables: usage points, quantities, their reading types and mRIDs. Pure values.

The sign, in this one place: inside, positive injects. At a device positive stays generation; at the site CSIP-AUS has
negative for export, so both W and var are turned round there. The direction of flow says the same in the standard's
words (reverse: received from the customer; forward: delivered to the customer).

`kind` is power for every average, also of volts and hertz: the labs of CSIP-AUS look a quantity up by unit, qualifier
and this kind. Stored energy is of kind energy, instantaneous, without a qualifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wattseal.protocols.ieee2030_5.client.config import ClientConfig, Role
from wattseal.protocols.ieee2030_5.client.duties.identifiers import mrid_of
from wattseal.protocols.ieee2030_5.client.measured import SITE, Measured
from wattseal.protocols.ieee2030_5.editions import AUS, AUS_1_3
from wattseal.protocols.ieee2030_5.metering import MirrorMeterReading, MirrorUsagePoint, ReadingType
from wattseal.protocols.ieee2030_5.vocabulary import (
    AccumulationBehaviour,
    Commodity,
    DataQualifier,
    FlowDirection,
    Kind,
    Phase,
    RoleFlag,
    ServiceKind,
    Uom,
    UsagePointState,
)

SITE_ROLE: Final = RoleFlag.MIRROR | RoleFlag.PREMISES_AGGREGATION_POINT
"""0003."""
DEVICE_ROLE: Final = RoleFlag.MIRROR | RoleFlag.DER | RoleFlag.SUBMETER
"""0049."""
_SITE_POINT: Final = "site"
_SUM_POINT: Final = "sum"
_DEVICE_POINT: Final = "device:"
_DESCRIPTION_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity. `multiplier` is the power of ten of what `read` gives; `directed`: its sign is a direction;
    `averaged` over the period, else as of its own second; `of`: the vocabulary that has it, empty for all.
    """

    name: str
    uom: Uom
    read: Callable[[Measured], int | None]
    multiplier: int = 0
    directed: bool = False
    averaged: bool = True
    phase: Phase = Phase.NOT_APPLICABLE
    of: str = ""


QUANTITIES: Final = (
    Quantity("W", Uom.WATT, lambda one: one.watts, directed=True),
    Quantity("var", Uom.VAR, lambda one: one.vars, directed=True),
    Quantity("V", Uom.VOLT, lambda one: one.millivolts, multiplier=-3, phase=Phase.A_TO_NEUTRAL),
    Quantity("Hz", Uom.HERTZ, lambda one: one.millihertz, multiplier=-3),
    Quantity("Wh stored", Uom.WATT_HOUR, lambda one: one.stored_watt_hours, averaged=False, of=AUS_1_3),
)
"""What CSIP and CSIP-AUS want to have mirrored."""


@dataclass(frozen=True, slots=True)
class Point:
    """One usage point. `sources`: the names whose measurements make it; `sign` turns the generator's into its own."""

    name: str
    lfdi: bytes
    role: RoleFlag
    sources: tuple[str, ...]
    sign: int
    quantities: tuple[Quantity, ...]


def points_of(config: ClientConfig) -> tuple[Point, ...]:
    """The site, every device, and for an aggregator the sum of its devices (W and var).

    CSIP-AUS knows no usage point of an aggregator: it wants every device by itself.
    """
    spoken = tuple(one for one in QUANTITIES if not one.of or one.of in config.profile.speaks)
    plain = tuple(one for one in spoken if one.averaged)
    premises = config.devices[0].lfdi if len(config.devices) == 1 else config.lfdi
    found = [Point(_SITE_POINT, premises, SITE_ROLE, (SITE,), -1, plain)]
    found += [
        Point(f"{_DEVICE_POINT}{one.name}", one.lfdi, DEVICE_ROLE, (one.name,), 1, spoken) for one in config.devices
    ]
    if config.role is Role.AGGREGATOR and AUS not in config.profile.speaks and config.devices:
        directed = tuple(one for one in spoken if one.directed)
        names = tuple(one.name for one in config.devices)
        found.append(Point(_SUM_POINT, config.lfdi, DEVICE_ROLE, names, 1, directed))
    return tuple(found)


def point_mrid(config: ClientConfig, point: Point) -> str:
    """The mRID of its MirrorUsagePoint."""
    return mrid_of(config.seed, config.pen, "MirrorUsagePoint", point.lfdi.hex(), point.name)


def quantity_mrid(config: ClientConfig, point: Point, quantity: Quantity) -> str:
    """The mRID of its MirrorMeterReading."""
    return mrid_of(config.seed, config.pen, "MirrorMeterReading", point.lfdi.hex(), point.name, quantity.name)


def usage_point_of(config: ClientConfig, point: Point, quantities: tuple[Quantity, ...]) -> MirrorUsagePoint:
    """The usage point with the reading types of the quantities that are measured there."""
    readings = tuple(
        MirrorMeterReading(
            mrid=quantity_mrid(config, point, one), description=one.name, reading_type=reading_type_of(point, one)
        )
        for one in quantities
    )
    return MirrorUsagePoint(
        mrid=point_mrid(config, point),
        description=point.name.removeprefix(_DEVICE_POINT).encode()[:_DESCRIPTION_OCTETS].decode(errors="ignore"),
        role_flags=point.role,
        service_category_kind=ServiceKind.ELECTRICITY,
        status=UsagePointState.ON,
        device_lfdi=point.lfdi.hex().upper(),
        mirror_meter_readings=readings,
    )


def reading_type_of(point: Point, quantity: Quantity) -> ReadingType:
    """What the numbers of a quantity at a point are."""
    direction = FlowDirection.REVERSE if point.sign > 0 else FlowDirection.FORWARD
    return ReadingType(
        accumulation_behaviour=AccumulationBehaviour.INSTANTANEOUS,
        commodity=Commodity.ELECTRICITY_SECONDARY,
        data_qualifier=DataQualifier.AVERAGE if quantity.averaged else DataQualifier.NOT_APPLICABLE,
        flow_direction=direction if quantity.directed else FlowDirection.NOT_APPLICABLE,
        kind=Kind.POWER if quantity.averaged else Kind.ENERGY,
        phase=quantity.phase,
        power_of_ten_multiplier=quantity.multiplier,
        uom=quantity.uom,
    )
