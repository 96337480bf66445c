"""From the physics of the battery inverter to its register values and to the truth told at the control door. Pure.

Scale factors differ between models on purpose (701.W in watts, 702 in tens of watts, 704 percent in hundredths): a
reader that mixes them up shall be seen.
"""

import math
from dataclasses import dataclass

from wattseal.drivers.simulators.battery_controls import CAPACITY_UNIT, BatteryRating
from wattseal.drivers.simulators.curves import Grid
from wattseal.drivers.simulators.device import Truth
from wattseal.drivers.simulators.enter_service import NOMINAL_VOLTS, SCALES_703, Standing
from wattseal.drivers.simulators.physics import BatteryBody, BatteryState
from wattseal.drivers.simulators.registers import Value, block_words
from wattseal.drivers.simulators.sunspec_layout import ModelLayout

PHASES = 3
THREE_PHASE = 2
GRID_FOLLOWING = 1 << 0
ALARM_GRID_DISCONNECT = 1 << 4
ALARM_OVER_TEMPERATURE = 1 << 7
ALARMS_OF_TRIPS = {710: 1 << 8, 709: 1 << 9, 708: 1 << 10, 707: 1 << 11}  # over, under: frequency, AC voltage
THROTTLED_BY_MAX_W = 1 << 0
# MAX_W, FIXED_W, FIXED_VAR, FIXED_PF, VOLT_VAR, FREQ_WATT, LV_TRIP, HV_TRIP, WATT_VAR, VOLT_WATT, LF_TRIP, HF_TRIP
CONTROL_MODES = 0b11_0110_1011_1111
OFF, STARTING, RUNNING, THROTTLED, FAULT, STANDBY = 0, 2, 3, 4, 6, 7
QUIET_WATTS = 0.5
CABINET_RISE, SINK_RISE, FAULT_RISE = 12.0, 25.0, 60.0
SCALES_701 = {
    "A_SF": -2,
    "V_SF": -1,
    "Hz_SF": -3,
    "W_SF": 0,
    "PF_SF": -3,
    "VA_SF": 0,
    "Var_SF": 0,
    "TotWh_SF": 0,
    "TotVarh_SF": 0,
    "Tmp_SF": -1,
}
SCALES_702 = {"W_SF": 1, "PF_SF": -3, "VA_SF": 1, "Var_SF": 1, "V_SF": -1, "A_SF": -1, "S_SF": None}
SCALES_704 = {
    "PF_SF": -3,
    "WMaxLimPct_SF": -2,
    "WSet_SF": 0,
    "WSetPct_SF": -2,
    "VarSet_SF": 0,
    "VarSetPct_SF": -2,
}
SCALES_713 = {"WH_SF": 1, "Pct_SF": -2}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The world around the inverter. `alarms`: bits of 701.Alrm that are raised beside those of its own condition."""

    grid_connected: bool = True
    device_fault: bool = False
    volts: float = 231.4
    frequency_hz: float = 49.987
    ambient_celsius: float = 21.5
    alarms: int = 0

    @property
    def grid(self) -> Grid:
        """What the curves go by."""
        return Grid(100.0 * self.volts / NOMINAL_VOLTS, self.frequency_hz)

    @property
    def works(self) -> bool:
        """Whether power can flow at all."""
        return self.grid_connected and not self.device_fault


@dataclass(frozen=True, slots=True)
class Picture:
    """One moment of the device."""

    options_text: dict[str, str]
    rating: BatteryRating
    body: BatteryBody
    state: BatteryState
    surroundings: Surroundings
    service: Standing
    busy: bool
    throttled: bool
    controls: dict[str, int]
    remaining: dict[str, int]
    tripped: frozenset[int] = frozenset()

    @property
    def volt_amperes(self) -> float:
        """Apparent power."""
        return math.hypot(self.state.watts, self.state.vars)

    @property
    def power_factor(self) -> float:
        """0 to 1; 1 when no current flows."""
        return abs(self.state.watts) / self.volt_amperes if self.volt_amperes else 1.0

    @property
    def load_share(self) -> float:
        """Apparent power as a share of its rating."""
        return self.volt_amperes / self.rating.volt_amperes

    @property
    def relay_closed(self) -> bool:
        """701.ConnSt. A fault stops the power stage, it does not open the relay."""
        held = self.service is Standing.SERVING or self.surroundings.device_fault
        return held and self.surroundings.grid_connected and self.controls["ES"] == 1

    @property
    def inverter_state(self) -> int:
        """701.InvSt."""
        if self.surroundings.device_fault:
            return FAULT
        if self.service is Standing.CEASED:
            return OFF
        if self.service is Standing.WAITING:
            return STARTING
        if self.throttled:
            return THROTTLED
        return RUNNING if self.busy or self.volt_amperes > QUIET_WATTS else STANDBY


def truth(picture: Picture) -> dict[str, Truth]:
    """The physics in the units of the names, unrounded; watts positive = discharge."""
    state, around = picture.state, picture.surroundings
    heat = FAULT_RISE if around.device_fault else 0.0
    return {
        "watts": state.watts,
        "vars": state.vars,
        "volt_amperes": picture.volt_amperes,
        "power_factor": picture.power_factor,
        "amperes": picture.volt_amperes / around.volts,
        "volts": around.volts,
        "volts_line_to_line": around.volts * math.sqrt(3.0),
        "frequency_hz": around.frequency_hz,
        "energy_injected_wh": state.injected_wh,
        "energy_absorbed_wh": state.absorbed_wh,
        "reactive_injected_varh": state.injected_varh,
        "reactive_absorbed_varh": state.absorbed_varh,
        "stored_wh": state.stored_wh,
        "capacity_wh": picture.body.capacity_wh,
        "soc_percent": 100.0 * state.stored_wh / picture.body.capacity_wh,
        "inverter_state": picture.inverter_state,
        "service": str(picture.service),
        "grid_connected": around.grid_connected,
        "device_fault": around.device_fault,
        "alarms": alarms(picture),
        "throttled": picture.throttled,
        "ambient_celsius": around.ambient_celsius,
        "cabinet_celsius": around.ambient_celsius + CABINET_RISE * picture.load_share + heat,
        "sink_celsius": around.ambient_celsius + SINK_RISE * picture.load_share + heat,
    }


def alarms(picture: Picture) -> int:
    """701.Alrm: of its own condition, of trip curves that put it out of service, and those raised at the door."""
    around = picture.surroundings
    own = ALARM_OVER_TEMPERATURE * around.device_fault + ALARM_GRID_DISCONNECT * (not around.grid_connected)
    return own | around.alarms | sum(ALARMS_OF_TRIPS[model] for model in picture.tripped)


def block(layout: ModelLayout, picture: Picture) -> tuple[int, ...]:
    """All words of one model, header included."""
    values: dict[str, Value] = {"ID": layout.model, "L": layout.length}
    values |= {point.name: picture.controls[point.name] for point in layout.points if point.writable}
    match layout.model:
        case 1:
            values |= picture.options_text
        case 701:
            values |= _measurement(picture)
        case 702:
            values |= _capacity(picture.rating)
        case 703:
            values |= SCALES_703 | picture.remaining
        case 704:
            values |= SCALES_704 | picture.remaining
        case 713:
            values |= _storage(picture)
    return block_words(layout.points, values, layout.length + 2)


def _measurement(picture: Picture) -> dict[str, Value]:
    true = {name: value for name, value in truth(picture).items() if isinstance(value, int | float)}
    running = picture.inverter_state
    volts, line_volts = _scaled(true["volts"], -1), _scaled(true["volts_line_to_line"], -1)
    values: dict[str, Value] = {
        "ACType": THREE_PHASE,
        "St": int(running not in {OFF, FAULT}),
        "InvSt": running,
        "ConnSt": int(picture.relay_closed),
        "Alrm": alarms(picture),
        "DERMode": GRID_FOLLOWING,
        "W": _scaled(true["watts"], 0),
        "VA": _scaled(true["volt_amperes"], 0),
        "Var": _scaled(true["vars"], 0),
        "PF": _scaled(true["power_factor"], -3),
        "A": _scaled(true["amperes"], -2),
        "LLV": line_volts,
        "LNV": volts,
        "Hz": _scaled(true["frequency_hz"], -3),
        "TotWhInj": math.floor(true["energy_injected_wh"]),
        "TotWhAbs": math.floor(true["energy_absorbed_wh"]),
        "TotVarhInj": math.floor(true["reactive_injected_varh"]),
        "TotVarhAbs": math.floor(true["reactive_absorbed_varh"]),
        "TmpAmb": _scaled(true["ambient_celsius"], -1),
        "TmpCab": _scaled(true["cabinet_celsius"], -1),
        "TmpSnk": _scaled(true["sink_celsius"], -1),
        "ThrotSrc": THROTTLED_BY_MAX_W * picture.throttled,
    }
    for phase, line in (("L1", "L1L2"), ("L2", "L2L3"), ("L3", "L3L1")):
        values |= {
            f"W{phase}": _scaled(true["watts"] / PHASES, 0),
            f"VA{phase}": _scaled(true["volt_amperes"] / PHASES, 0),
            f"Var{phase}": _scaled(true["vars"] / PHASES, 0),
            f"PF{phase}": _scaled(true["power_factor"], -3),
            f"A{phase}": _scaled(true["amperes"] / PHASES, -2),
            f"V{line}": line_volts,
            f"V{phase}": volts,
        }
    return values | SCALES_701


def _capacity(rating: BatteryRating) -> dict[str, Value]:
    return {
        "WMaxRtg": rating.watts // CAPACITY_UNIT,
        "VAMaxRtg": rating.volt_amperes // CAPACITY_UNIT,
        "VarMaxInjRtg": rating.vars // CAPACITY_UNIT,
        "VarMaxAbsRtg": rating.vars // CAPACITY_UNIT,
        "WChaRteMaxRtg": rating.charge_watts // CAPACITY_UNIT,
        "WDisChaRteMaxRtg": rating.discharge_watts // CAPACITY_UNIT,
        "VNomRtg": 2300,
        "VMaxRtg": 2640,
        "VMinRtg": 1840,
        "VNom": 2300,
        "CtrlModes": CONTROL_MODES,
        **SCALES_702,
    }


def _storage(picture: Picture) -> dict[str, Value]:
    stored = picture.state.stored_wh
    return {
        "WHRtg": _scaled(picture.body.capacity_wh, 1),
        "WHAvail": _scaled(stored, 1),
        "SoC": _scaled(100.0 * stored / picture.body.capacity_wh, -2),
        "SoH": 9_800,
        "Sta": 2 if picture.surroundings.device_fault else 0,
        **SCALES_713,
    }


def _scaled(value: float, scale: int) -> int:
    """The register number whose value is nearest: value / 10^scale."""
    return round(value * math.pow(10.0, -scale))
