"""An EV charger with one socket by the Alfen Eve register map: unit 1 is the socket, unit 200 the station.

FC 3 and 16 only. Floats are IEEE 754 with the high word first. The current set at 1210 holds for `validity_seconds`
after each write of it; then the safe current holds until the next write. Both become 0 at 1206 when below 6 A (pause),
and the station's own maximum caps both. Choices where the map leaves one open: a word outside the points below is
refused with exception 2, read or written, and so is half a point when written; NaN, infinity, negative current and
phases other than 1 and 3 with exception 3; another unit id with 11. A change of phases interrupts the current.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.drivers.simulators import ev_physics, physics
from wattseal.drivers.simulators.device import Truth
from wattseal.drivers.simulators.ev_physics import DEFAULT_SOC_PERCENT, LEAST_AMPERES, Car, Supply, Visit
from wattseal.drivers.simulators.modbus_frames import ExceptionCode, ModbusFault
from wattseal.drivers.simulators.physics import BatteryState
from wattseal.drivers.simulators.registers import Kind, Point, Value, from_words, to_words
from wattseal.drivers.simulators.settings import typed, within

SOCKET_UNIT, STATION_UNIT = 1, 200
SOCKET_PHASES = 3
CLOCK_GRAIN_SECONDS = 1e-6
MOST_SETTABLE_AMPERES = 1_000.0

SOCKET = (
    Point("volts_l1", 306, Kind.F32),
    Point("volts_l2", 308, Kind.F32),
    Point("volts_l3", 310, Kind.F32),
    Point("amperes_l1", 320, Kind.F32),
    Point("amperes_l2", 322, Kind.F32),
    Point("amperes_l3", 324, Kind.F32),
    Point("watts", 344, Kind.F32),
    Point("delivered_wh", 374, Kind.F64),
    Point("availability", 1200, Kind.U16),
    Point("mode_3_state", 1201, Kind.TEXT, text_words=5),
    Point("applied_amperes", 1206, Kind.F32),
    Point("validity_seconds", 1208, Kind.U32),
    Point("setpoint_amperes", 1210, Kind.F32, writable=True),
    Point("safe_amperes", 1212, Kind.F32),
    Point("setpoint_accounted", 1214, Kind.U16),
    Point("phases", 1215, Kind.U16, writable=True),
)
STATION = (
    Point("name", 100, Kind.TEXT, text_words=17),
    Point("maker", 117, Kind.TEXT, text_words=5),
    Point("firmware", 123, Kind.TEXT, text_words=17),
    Point("serial", 157, Kind.TEXT, text_words=11),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvChargerOptions:
    """How the station is built, and who comes to charge. Visits must not overlap and lie in their order."""

    name: str = "ALF_1000"
    maker: str = "Alfen NV"
    firmware: str = "6.6.0-4206"
    serial: str = "ACE0123456"
    validity_seconds: int = 60
    safe_amperes: float = 6.0
    station_amperes: float = 16.0
    volts: float = 230.4
    delivered_wh: float = 350_000.0
    phases: int = 3
    car: Car = field(default_factory=Car)
    visits: tuple[Visit, ...] = (Visit(),)

    def __post_init__(self) -> None:
        """Raises MisuseError `bad_option`."""
        within("validity_seconds", self.validity_seconds, 1, 86_400, reason="bad_option")
        within("safe_amperes", self.safe_amperes, 0.0, MOST_SETTABLE_AMPERES, reason="bad_option")
        within("station_amperes", self.station_amperes, LEAST_AMPERES, MOST_SETTABLE_AMPERES, reason="bad_option")
        within("volts", self.volts, 1.0, 1_000.0, reason="bad_option")
        within("delivered_wh", self.delivered_wh, 0.0, 1e12, reason="bad_option")
        within("phases", float(self.phases), 1, SOCKET_PHASES, reason="bad_option")
        for visit in self.visits:
            within("a visit's charge", visit.soc_percent, 0.0, 100.0, reason="bad_option")


class EvChargerSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Anything left out stays as it is. `car_connected` overrules the schedule until the schedule's next change."""

    car_connected: bool | None = None
    car_soc_percent: float | None = None
    device_fault: bool | None = None
    volts: float | None = None
    safe_amperes: float | None = None
    validity_seconds: int | None = None


class EvCharger:
    """The device. Time runs only through the `now` of its calls; what happened in between is caught up exactly."""

    name = "ev-charger"
    functions = frozenset({3, 16})

    def __init__(self, options: EvChargerOptions, now: float) -> None:
        self.options = options
        self._born = now
        self._now = now
        self._connected = False
        self._fault = False
        self._setpoint_amperes = 0.0
        self._valid_until = -math.inf
        self._phases = options.phases
        self._cells = BatteryState(stored_wh=0.0, absorbed_wh=options.delivered_wh)
        self._changes = _changes(options.visits)
        self._follow_schedule()

    # --- as Modbus sees it

    def read(self, unit: int, function: int, address: int, count: int, now: float) -> tuple[int, ...] | ModbusFault:
        """Any run of words that lies wholly inside points."""
        del function
        if unit not in {SOCKET_UNIT, STATION_UNIT}:
            return ModbusFault(ExceptionCode.GATEWAY_TARGET_SILENT)
        self.advance(now)
        values, points = (self._values(), SOCKET) if unit == SOCKET_UNIT else (self._identity(), STATION)
        words: list[int] = []
        for point in points:
            first, last = max(address, point.offset), min(address + count, point.end)
            if first < last:
                words += to_words(point, values[point.name])[first - point.offset : last - point.offset]
        return tuple(words) if len(words) == count else ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)

    def write(self, unit: int, address: int, words: tuple[int, ...], now: float) -> ModbusFault | None:
        """Set the current (1210), the phases (1215); the two are not adjacent, so never both."""
        if unit not in {SOCKET_UNIT, STATION_UNIT}:
            return ModbusFault(ExceptionCode.GATEWAY_TARGET_SILENT)
        self.advance(now)
        for point in SOCKET if unit == SOCKET_UNIT else STATION:
            if point.writable and point.offset == address and point.words == len(words):
                return self._write(point.name, from_words(point, words))
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)

    def _write(self, name: str, value: float) -> ModbusFault | None:
        if name == "phases":
            if value not in {1, SOCKET_PHASES}:
                return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
            if value != self._phases:
                self._cells = ev_physics.unplugged(self._cells)
            self._phases = int(value)
            return None
        if not 0.0 <= value <= MOST_SETTABLE_AMPERES:  # also catches NaN
            return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
        self._setpoint_amperes = value
        self._valid_until = self._now + self.options.validity_seconds
        return None

    def _values(self) -> dict[str, Value]:
        current = self._amperes()
        used = min(self._phases, self.options.car.phases)
        return {
            "volts_l1": self.options.volts,
            "volts_l2": self.options.volts,
            "volts_l3": self.options.volts,
            "amperes_l1": current,
            "amperes_l2": current if used == SOCKET_PHASES else 0.0,
            "amperes_l3": current if used == SOCKET_PHASES else 0.0,
            "watts": -self._cells.watts + 0.0,
            "delivered_wh": self._cells.absorbed_wh,
            "availability": int(not self._fault),
            "mode_3_state": self._mode_3_state(),
            "applied_amperes": self._applied_amperes(),
            "validity_seconds": self._remaining(),
            "setpoint_amperes": self._setpoint_amperes,
            "safe_amperes": self.options.safe_amperes,
            "setpoint_accounted": int(self._valid()),
            "phases": self._phases,
        }

    def _identity(self) -> dict[str, Value]:
        options = self.options
        return {
            "name": options.name,
            "maker": options.maker,
            "firmware": options.firmware,
            "serial": options.serial,
        }

    # --- as the physics see it

    def advance(self, now: float) -> None:
        """Catch up to `now`, from one event to the next: the setpoint runs out, cars come and go."""
        while self._now < now:
            until = min(now, self._valid_until if self._valid() else math.inf, self._next_change())
            if self._connected and not self._fault:
                wish = ev_physics.demand(self.options.car, self._cells, self._supply())
                self._cells = physics.advance(self.options.car.cells, self._cells, wish, until - self._now)
            self._now = until
            self._follow_schedule()

    def _next_change(self) -> float:
        return self._born + self._changes[0][0] if self._changes else math.inf

    def _follow_schedule(self) -> None:
        while self._changes and self._next_change() <= self._now + CLOCK_GRAIN_SECONDS:
            _, soc_percent = self._changes.pop(0)
            self._plug(soc_percent)

    def _plug(self, soc_percent: float | None) -> None:
        """A car with this charge is connected; None: it leaves."""
        self._connected = soc_percent is not None
        stored = self.options.car.cells.capacity_wh * (soc_percent or 0.0) / 100.0
        self._cells = replace(ev_physics.unplugged(self._cells), stored_wh=stored)

    def _valid(self) -> bool:
        return self._now < self._valid_until - CLOCK_GRAIN_SECONDS

    def _remaining(self) -> int:
        return math.ceil(self._valid_until - self._now - CLOCK_GRAIN_SECONDS) if self._valid() else 0

    def _applied_amperes(self) -> float:
        wanted = self._setpoint_amperes if self._valid() else self.options.safe_amperes
        capped = min(wanted, self.options.station_amperes)
        return capped if capped >= LEAST_AMPERES and not self._fault else 0.0

    def _supply(self) -> Supply:
        return Supply(amperes=self._applied_amperes(), phases=self._phases, volts=self.options.volts)

    def _amperes(self) -> float:
        return ev_physics.amperes(self.options.car, self._cells, self._supply()) + 0.0

    def _mode_3_state(self) -> str:
        """IEC 61851-1 table A.1, in the letters of the map."""
        if self._fault:
            return "F"
        if not self._connected:
            return "A"
        wish = ev_physics.demand(self.options.car, self._cells, self._supply())
        draws = self._cells.watts or physics.reachable_watts(self.options.car.cells, self._cells, wish)
        return "C2" if draws else "B2"

    # --- as the control door sees it

    def state(self, now: float) -> dict[str, Truth]:
        """Watts negative = drawn by the car; currents are per phase in use."""
        self.advance(now)
        cells = self.options.car.cells
        return {
            "watts": self._cells.watts,
            "amperes": self._amperes(),
            "volts": self.options.volts,
            "energy_absorbed_wh": self._cells.absorbed_wh,
            "car_connected": self._connected,
            "car_soc_percent": 100.0 * self._cells.stored_wh / cells.capacity_wh,
            "stored_wh": self._cells.stored_wh,
            "mode_3_state": self._mode_3_state(),
            "device_fault": self._fault,
            "phases": self._phases,
            "phases_in_use": min(self._phases, self.options.car.phases),
            "setpoint_amperes": self._setpoint_amperes,
            "applied_amperes": self._applied_amperes(),
            "safe_amperes": self.options.safe_amperes,
            "setpoint_valid": self._valid(),
            "validity_remaining_seconds": self._remaining(),
            "elapsed_seconds": self._now - self._born,
        }

    def set(self, values: Mapping[str, object], now: float) -> None:
        """See EvChargerSet."""
        self.advance(now)
        wish = typed(values, EvChargerSet)
        within("car_soc_percent", wish.car_soc_percent, 0.0, 100.0)
        within("volts", wish.volts, 1.0, 1_000.0)
        within("safe_amperes", wish.safe_amperes, 0.0, MOST_SETTABLE_AMPERES)
        within("validity_seconds", wish.validity_seconds, 1, 86_400)
        for name in ("volts", "safe_amperes", "validity_seconds"):
            if getattr(wish, name) is not None:
                self.options = replace(self.options, **{name: getattr(wish, name)})
        if wish.device_fault is not None:
            self._fault = wish.device_fault
            self._cells = ev_physics.unplugged(self._cells) if self._fault else self._cells
        soc_percent = wish.car_soc_percent
        if wish.car_connected is not None and wish.car_connected != self._connected:
            self._plug((DEFAULT_SOC_PERCENT if soc_percent is None else soc_percent) if wish.car_connected else None)
        elif soc_percent is not None and self._connected:
            self._cells = replace(self._cells, stored_wh=self.options.car.cells.capacity_wh * soc_percent / 100.0)


def _changes(visits: tuple[Visit, ...]) -> list[tuple[float, float | None]]:
    """(elapsed seconds, state of charge of the car that comes, or None when it leaves), in order."""
    changes: list[tuple[float, float | None]] = []
    for visit in visits:
        changes += [(visit.arrives, visit.soc_percent), (visit.leaves, None)]
    if any(not later >= earlier for (earlier, _), (later, _) in itertools.pairwise(changes)):
        raise MisuseError("bad_visits", "Visits must not overlap and must lie in their order.")
    return [change for change in changes if math.isfinite(change[0])]
