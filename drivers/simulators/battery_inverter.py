"""A three-phase battery inverter with SunSpec models 1, 701 to 713 at base 40000, unit 1.

Choices where the models leave one open: a word that no writable point covers (one of an active curve, for example)
refuses the whole write with exception 2, and so does half a point; a number out of the rating's range refuses it with
exception 3; another unit id is answered with exception 11, reading outside the map with exception 2. WMaxLimPct limits
injection only. WRmp holds for rising and falling power, 0 means no ramp; reaching a hard limit of the cells, losing the
grid or 703.ES = 0 cuts at once. While it is out of service ConnSt is 0: its relay is open.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from wattseal.drivers.simulators import battery_points, enter_service, physics
from wattseal.drivers.simulators.adoption import Mishap
from wattseal.drivers.simulators.battery_controls import BatteryRating, Controls
from wattseal.drivers.simulators.battery_points import Surroundings
from wattseal.drivers.simulators.curve_layout import shapes
from wattseal.drivers.simulators.curves import Curves, functions_of
from wattseal.drivers.simulators.device import Truth
from wattseal.drivers.simulators.enter_service import EnterService, Standing
from wattseal.drivers.simulators.modbus_frames import ExceptionCode, ModbusFault
from wattseal.drivers.simulators.own_mode import IDLE, OwnMode, constant
from wattseal.drivers.simulators.physics import BatteryBody, BatteryState, Demand
from wattseal.drivers.simulators.registers import Point, Value, block_words, from_words
from wattseal.drivers.simulators.reversion import FUNCTIONS, ReversionTimers
from wattseal.drivers.simulators.settings import LARGEST_OWN_WATTS, LONGEST_ADOPTION_SECONDS, parse_set, within
from wattseal.drivers.simulators.sunspec_layout import CHAIN, END_MODEL, MARKER, ModelLayout
from wattseal.drivers.simulators.trips import Trips

BASE = 40_000
UNIT = 1
REQUEST_OFFSET = 3  # 705 to 712: AdptCrvReq, AdptCtlReq
MOST_WATT_HOURS = 650_000.0  # what 713 holds in 16 bits of tens of watt-hours
FIRST_MODEL = BASE + len(MARKER)
MOST_CURVE_POINTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryOptions:
    """How the device is built and how it begins. `noise_watts` is how far the power may stay short of its target.

    `curve_points`: so many in every list of a curve model; None: as many as each model has of its own.
    """

    maker: str = "Wattseal"
    model: str = "Simulated Battery 10"
    firmware: str = "1.0.0"
    serial: str = "WS-BAT-0001"
    rating: BatteryRating = field(default_factory=BatteryRating)
    body: BatteryBody = field(default_factory=lambda: BatteryBody(capacity_wh=20_000.0))
    soc_percent: float = 60.0
    injected_wh: float = 2_400_000.0
    absorbed_wh: float = 2_700_000.0
    own_mode: OwnMode = IDLE
    noise_watts: float = 0.0
    seed: int = 1
    adopt_seconds: float = 2.0
    curve_points: int | None = None

    def __post_init__(self) -> None:
        """Raises MisuseError `bad_option`."""
        within("capacity_wh", self.body.capacity_wh, 1.0, MOST_WATT_HOURS, reason="bad_option")
        within("soc_percent", self.soc_percent, 0.0, 100.0, reason="bad_option")
        within("injected_wh", self.injected_wh, 0.0, 1e15, reason="bad_option")
        within("absorbed_wh", self.absorbed_wh, 0.0, 1e15, reason="bad_option")
        within("noise_watts", self.noise_watts, 0.0, float(self.rating.watts), reason="bad_option")
        within("curve_points", self.curve_points, 2, MOST_CURVE_POINTS, reason="bad_option")
        within("adopt_seconds", self.adopt_seconds, 0.0, LONGEST_ADOPTION_SECONDS, reason="bad_option")
        for _, watts in self.own_mode.steps:
            within("own power", watts, -LARGEST_OWN_WATTS, LARGEST_OWN_WATTS, reason="bad_option")


class BatteryInverter:
    """The device. Time runs only through the `now` of its calls; what happened in between is caught up exactly."""

    name = "battery"
    functions = frozenset({3, 4, 6, 16})

    def __init__(self, options: BatteryOptions, now: float) -> None:
        self.options = options
        models = shapes(options.curve_points)
        self.controls = Controls(options.rating, Curves(functions_of(models)))
        self.timers = ReversionTimers()
        self.surroundings = Surroundings()
        self.mishap: Callable[[int], str | None] = lambda address: None  # noqa: ARG005 - nothing goes wrong
        self._own_mode = options.own_mode
        self._adopt_seconds = options.adopt_seconds
        self._trips = Trips()
        self._born = now
        self._now = now
        self._service = EnterService(now)
        self._physics = BatteryState(
            stored_wh=options.body.capacity_wh * options.soc_percent / 100.0,
            injected_wh=options.injected_wh,
            absorbed_wh=options.absorbed_wh,
        )
        self._addresses = _addresses((*CHAIN, *(shape.layout() for shape in models)))
        self._writable = _writable_words(self._addresses)

    # --- as Modbus sees it

    def read(self, unit: int, function: int, address: int, count: int, now: float) -> tuple[int, ...] | ModbusFault:
        """FC 3 and 4 see the same registers."""
        del function
        if unit != UNIT:
            return ModbusFault(ExceptionCode.GATEWAY_TARGET_SILENT)
        self.advance(now)
        if address < BASE or address + count > self._addresses[-1][0] + 2:
            return ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)
        words: list[int] = []
        for start, layout in self._addresses:
            length = 2 if layout is None else layout.length + 2
            first, last = max(address, start), min(address + count, start + length)
            if first < last:
                words += self._block(start, layout)[first - start : last - start]
        return tuple(words)

    def write(self, unit: int, address: int, words: tuple[int, ...], now: float) -> ModbusFault | None:
        """All points of the frame change together, then the timers of the functions they belong to."""
        if unit != UNIT:
            return ModbusFault(ExceptionCode.GATEWAY_TARGET_SILENT)
        self.advance(now)
        wanted: dict[str, int] = {}
        position = 0
        while position < len(words):
            point = self._writable.get(address + position)
            if point is None or position + point.words > len(words):
                return ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)
            wanted[point.name] = int(from_words(point, words[position : position + point.words]))
            position += point.words
        if not all(self.controls.takes(name, raw) for name, raw in wanted.items()):
            return ModbusFault(ExceptionCode.ILLEGAL_DATA_VALUE)
        self._apply(wanted)
        return None

    def _apply(self, wanted: dict[str, int]) -> None:
        plain = {name: raw for name, raw in wanted.items() if name in self.controls.values}
        self.controls.values.update(plain)
        self.timers.written(frozenset(plain), self.controls.values, self._now)
        in_curves = {name: raw for name, raw in wanted.items() if name not in plain}
        self.controls.curves.write(in_curves, self._now, self._adopt_seconds, self._mishap_of)
        self.controls.curves.expire(self._now)
        self.controls.curves.follow(self.surroundings.grid, self._now)
        self._judge_service()

    def _mishap_of(self, model: int) -> Mishap | None:
        """What befalls an adoption in that model; its request stands one word behind the enable."""
        start = next(start for start, layout in self._addresses if layout is not None and layout.model == model)
        found = self.mishap(start + REQUEST_OFFSET)
        return None if found is None else Mishap(found)

    def _judge_service(self) -> None:
        """Follow what has just changed; out of service no power flows, from this moment on."""
        values, grid = self.controls.values, self.surroundings.grid
        self._trips.judge(self.controls.curves, grid, self._now)
        self._service.judge(
            values,
            self._now,
            allowed=values["ES"] == 1 and self.surroundings.works and not self._trips.tripped,
            calm=enter_service.calm(values, grid.volts_percent, grid.frequency_hz),
            draw=_noise(self.options.seed, -self._service.waits),
        )
        if self._service.standing is not Standing.SERVING:
            self._physics = replace(self._physics, watts=0.0, vars=0.0)

    def _block(self, start: int, layout: ModelLayout | None) -> tuple[int, ...]:
        if layout is None:
            return MARKER if start == BASE else (END_MODEL, 0)
        if layout.model in self.controls.curves.functions:
            values: dict[str, Value] = {"ID": layout.model, "L": layout.length}
            values |= self.controls.curves.shown(layout.model, self._now)
            return block_words(layout.points, values, layout.length + 2)
        return battery_points.block(layout, self._picture())

    # --- as the physics see it

    def advance(self, now: float) -> None:
        """Catch up to `now`, from one event to the next: timers, own mode, start-up, noise."""
        while self._now < now:
            until = min(now, self.timers.next_deadline(), self._next_event())
            self._physics = physics.advance(self.options.body, self._physics, self._demand(), until - self._now)
            self._now = until
            self.timers.expire(self.controls.values, until)
            self.controls.curves.expire(until)
            self.controls.curves.follow(self.surroundings.grid, until)
            self._judge_service()

    def _next_event(self) -> float:
        """The next time after now at which the demand changes by itself."""
        elapsed = self._now - self._born
        change = self._born + self._own_mode.next_change(elapsed)
        if change <= self._now:  # lost in the rounding of the addition
            change = math.nextafter(self._now, math.inf)
        others = min(
            self._service.next_event(self.controls.values, self._now),
            self._trips.next_event(self.controls.curves, self.surroundings.grid),
            self.controls.curves.next_event(),
        )
        change = min(change, max(others, math.nextafter(self._now, math.inf)))
        if self.options.noise_watts or self.controls.curves.follows:
            change = min(change, max(math.floor(self._now) + 1.0, math.nextafter(self._now, math.inf)))
        return change

    def _demand(self) -> Demand:
        demand = self.controls.demand(self._own_mode.watts(self._now - self._born), self.surroundings.grid)
        if self._service.standing is not Standing.SERVING:
            return replace(demand, watts=0.0, vars=0.0)
        rate = self._service.watts_per_second(
            self.controls.values, self._now, demand.watts_per_second, self.controls.setting("WMax")
        )
        demand = replace(demand, watts_per_second=rate)
        if self.options.noise_watts:
            short = self.options.noise_watts * _noise(self.options.seed, math.floor(self._now))
            demand = replace(demand, watts=math.copysign(max(abs(demand.watts) - short, 0.0), demand.watts))
        return demand

    def _picture(self) -> battery_points.Picture:
        """Everything the registers are made from, at this moment."""
        own_watts = self._own_mode.watts(self._now - self._born)
        demand = self._demand()
        return battery_points.Picture(
            options_text={
                "Mn": self.options.maker,
                "Md": self.options.model,
                "Vr": self.options.firmware,
                "SN": self.options.serial,
            },
            rating=self.options.rating,
            body=self.options.body,
            state=self._physics,
            surroundings=self.surroundings,
            service=self._service.standing,
            busy=bool(physics.reachable_watts(self.options.body, self._physics, demand) or demand.vars),
            throttled=self.controls.throttles(own_watts),
            controls=self.controls.values,
            remaining={f.remaining: self.timers.remaining(f.name, self._now) for f in FUNCTIONS}
            | {"ESDlyRemTms": self._service.remaining(self._now)},
            tripped=frozenset(self._trips.tripped),
        )

    # --- as the control door sees it

    def state(self, now: float) -> dict[str, Truth]:
        """See battery_points.truth; besides `elapsed_seconds`, `own_watts` and the timers' whole seconds."""
        self.advance(now)
        demand = self._demand()
        return battery_points.truth(self._picture()) | {
            "elapsed_seconds": self._now - self._born,
            "own_watts": self._own_mode.watts(self._now - self._born),
            "target_watts": demand.watts,
            "target_vars": demand.vars,
            "timers": {f.name: self.timers.remaining(f.name, self._now) for f in FUNCTIONS},
            "points": dict(self.controls.values),
            "curves": {f"{model}": self._curve_truth(model) for model in self.controls.curves.functions},
            "trips": [f"{model}" for model in sorted(self._trips.tripped)],
        }

    def _curve_truth(self, model: int) -> dict[str, Truth]:
        """Whether a model's active set works, what its adoption reads, what is left of its timer."""
        function = self.controls.curves.functions[model]
        return {
            "enabled": function.on,
            "result": function.head(function.shape.result),
            "timer": function.remaining(self._now),
        }

    def set(self, values: Mapping[str, object], now: float) -> None:
        """See settings.BatterySet for what can be set."""
        self.advance(now)
        wish = parse_set(values, self.controls.ranges)
        self.surroundings = wish.applied_to(self.surroundings)
        if wish.soc_percent is not None:
            stored = self.options.body.capacity_wh * wish.soc_percent / 100.0
            self._physics = replace(self._physics, stored_wh=stored)
        if wish.adopt_seconds is not None:
            self._adopt_seconds = wish.adopt_seconds
        if wish.own_watts is not None:
            self._own_mode = constant(wish.own_watts)
        if wish.points:
            self._apply(wish.points)
        self._judge_service()


def _addresses(models: Iterable[ModelLayout]) -> tuple[tuple[int, ModelLayout | None], ...]:
    """Start address of the marker, of each model and of the end model (the layouts of first and last are None)."""
    found: list[tuple[int, ModelLayout | None]] = [(BASE, None)]
    address = FIRST_MODEL
    for layout in models:
        found.append((address, layout))
        address += layout.length + 2
    return (*found, (address, None))


def _writable_words(addresses: tuple[tuple[int, ModelLayout | None], ...]) -> dict[int, Point]:
    """Writable points by the address of their first word."""
    return {
        start + point.offset: point
        for start, layout in addresses
        if layout is not None
        for point in layout.points
        if point.writable
    }


def _noise(seed: int, second: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments (a splitmix64 step)."""
    mask = 0xFFFF_FFFF_FFFF_FFFF
    mixed = (seed * 0x9E37_79B9_7F4A_7C15 + second) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB) & mask
    return (mixed ^ (mixed >> 31)) / 2.0**64
