"""Physics of a car at a charging socket: it draws what it is allowed, as fast as its ramp lets it, until it is full.

Pure. The car's cells are a battery that is only ever charged, so the energy is integrated by the battery's physics.
Sign: watts negative = drawn by the car.
"""

import math
from dataclasses import dataclass, field, replace

from wattseal.drivers.simulators.physics import BatteryBody, BatteryState, Demand

LEAST_AMPERES = 6.0
"""IEC 61851-1: no charging current below 6 A can be signalled; less means pause."""
DEFAULT_SOC_PERCENT = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """One kind of car. It raises its current slowly and lowers it fast, as the standard demands (5 s)."""

    cells: BatteryBody = field(
        default_factory=lambda: BatteryBody(
            capacity_wh=60_000.0, charge_efficiency=0.91, floor_percent=0.0, taper_percent=85.0, taper_end_share=0.15
        )
    )
    phases: int = 3
    most_amperes: float = 16.0
    rising_amperes_per_second: float = 2.0
    falling_amperes_per_second: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A car at the socket from `arrives` until `leaves` (seconds since the device's start), half open."""

    arrives: float = 0.0
    leaves: float = math.inf
    soc_percent: float = DEFAULT_SOC_PERCENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What the socket offers now: the limit per phase (0 = pause), the phases in use and their voltage."""

    amperes: float
    phases: int
    volts: float


def demand(car: Car, state: BatteryState, supply: Supply) -> Demand:
    """What the car does under this supply, for as long as neither changes."""
    wires = min(car.phases, supply.phases) * supply.volts
    amperes = min(supply.amperes, car.most_amperes) if supply.amperes >= LEAST_AMPERES else 0.0
    target = amperes * wires
    falling = target < -state.watts
    ramp = car.falling_amperes_per_second if falling else car.rising_amperes_per_second
    return Demand(
        watts=-target,
        vars=0.0,
        charge_watts=car.most_amperes * wires,
        discharge_watts=0.0,
        watts_per_second=ramp * wires,
        vars_per_second=1.0,
    )


def amperes(car: Car, state: BatteryState, supply: Supply) -> float:
    """Current in each phase in use."""
    return -state.watts / (min(car.phases, supply.phases) * supply.volts)


def unplugged(state: BatteryState) -> BatteryState:
    """The same counters with no power; also what a switch of phases does for a moment."""
    return replace(state, watts=0.0)
