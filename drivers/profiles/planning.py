"""A wish on a device, as the exact write frames it comes to. Pure: decided, and so journalled, before anything is sent.

Order within a command is the profile's: setpoint, mode, fallback and timer in as few frames as their addresses allow,
the enable last and alone. Curves go their own way (`curve_planning`). RELEASE uses fixed values and addresses only, so
it is possible with no rating known.
"""

from wattseal.drivers.device import (
    Capabilities,
    DeviceState,
    Expectation,
    Layout,
    LayoutError,
    Operation,
    PlannedWrites,
    UnsupportedError,
    Value,
    Wish,
    WriteStep,
)
from wattseal.drivers.operations import FUNCTION_OF, POWER_OPERATIONS, operations_of_function
from wattseal.drivers.profiles import curve_planning
from wattseal.drivers.profiles.conversion import setpoint_for
from wattseal.drivers.profiles.declaration import (
    Command,
    FailSafe,
    Fill,
    Frame,
    ModelPoint,
    Point,
    PowerConversion,
    Profile,
    Write,
)
from wattseal.drivers.profiles.picture import place_of
from wattseal.drivers.profiles.registers import words_for
from wattseal.drivers.profiles.values import Mantissas, mantissas_for
from wattseal.drivers.sunspec.models import Decoder, ModelError, decoder_of
from wattseal.drivers.sunspec.points import Scaled


def steps_for(
    profile: Profile, capabilities: Capabilities, wish: Wish, shown: DeviceState | None = None
) -> PlannedWrites:
    """The frames for `wish`. Raises `UnsupportedError` (`operation_not_supported`, `rating_unknown`,
    `wish_malformed`), or `LayoutError` when a model the profile writes to is not on the device.
    """
    curve = profile.curve(FUNCTION_OF.get(wish.operation, wish.function))
    if curve is not None:
        return curve_planning.steps_for(curve, capabilities.layout, wish, shown)
    if wish.operation is Operation.RELEASE:
        return _release(profile, capabilities, wish)
    command = _command(profile, wish.operation)
    _check(wish)
    mantissas, clamped, value = _converted(profile, command, capabilities, wish)
    fail_safe = profile.fail_safe_of(command)
    timer = _armed(fail_safe, capabilities, wish.timer_seconds)
    filler = _Filler(profile, capabilities, mantissas, timer)
    return PlannedWrites(
        wish=wish,
        steps=filler.steps(command.frames),
        clamped_watts=clamped,
        timer_seconds=timer if fail_safe.timer else None,
        heartbeat=filler.steps(command.heartbeat),
        heartbeat_seconds=_renewal(fail_safe, timer) if command.heartbeat else None,
        expectations=filler.expectations(command.frames),
        settle_seconds=command.tolerance.settle_seconds,
        tolerance_watts=command.tolerance.watts + command.tolerance.permille * abs(clamped) // 1000,
        value=value,
    )


def _converted(
    profile: Profile, command: Command, capabilities: Capabilities, wish: Wish
) -> tuple[Mantissas, int, Value]:
    """What the points are to hold; the watts, and the value of another function, that this comes to."""
    if isinstance(command.conversion, PowerConversion):
        setpoint = profile.point(command.setpoint)
        exponent = _exponent(setpoint, capabilities.layout)
        mantissa, clamped = setpoint_for(command.conversion, _clamped(wish, capabilities), exponent, capabilities)
        return {command.setpoint: mantissa * setpoint.sign}, clamped, None
    if wish.operation not in capabilities.operations:
        raise UnsupportedError("operation_not_supported", f"This device cannot carry out {wish.operation}.")
    found, value = mantissas_for(
        command.conversion, wish.value, lambda name: _exponent(profile.point(name), capabilities.layout)
    )
    return {name: mantissa * profile.point(name).sign for name, mantissa in found.items()}, 0, value


def _release(profile: Profile, capabilities: Capabilities, wish: Wish) -> PlannedWrites:
    of = operations_of_function(wish.function) if wish.of is None else {wish.of}
    commands = tuple(command for command in profile.commands if command.operation in of)
    if not commands:
        raise UnsupportedError("operation_not_supported", f"{profile.title} has no {wish.function} to release.")
    frames = tuple(dict.fromkeys(frame for command in commands for frame in command.release))
    filler = _Filler(profile, capabilities, {}, 0)
    return PlannedWrites(
        wish=wish,
        steps=filler.steps(frames),
        clamped_watts=0,
        timer_seconds=None,
        heartbeat=(),
        heartbeat_seconds=None,
        expectations=filler.expectations(frames),
        settle_seconds=max(command.tolerance.settle_seconds for command in commands),
        tolerance_watts=0,
    )


def _command(profile: Profile, operation: Operation) -> Command:
    command = profile.command(operation)
    if command is None:
        raise UnsupportedError("operation_not_supported", f"{profile.title} cannot carry out {operation}.")
    return command


def _check(wish: Wish) -> None:
    if wish.timer_seconds <= 0:
        raise UnsupportedError("wish_malformed", "Nothing is set without a time after which the device falls back.")
    if wish.operation in POWER_OPERATIONS and wish.operation is not Operation.SET_POWER and wish.watts < 0:
        raise UnsupportedError("wish_malformed", "A limit is not negative; the operation names its direction.")


def _clamped(wish: Wish, capabilities: Capabilities) -> int:
    inject, absorb = capabilities.max_inject_watts, capabilities.max_absorb_watts
    if wish.operation is Operation.SET_POWER:
        watts = wish.watts if inject is None else min(wish.watts, inject)
        return watts if absorb is None else max(watts, -absorb)
    most = inject if wish.operation is Operation.LIMIT_INJECT else absorb
    return wish.watts if most is None else min(wish.watts, most)


def _armed(fail_safe: FailSafe, capabilities: Capabilities, seconds: int) -> int:
    """Within the device's range. A shorter time than asked is renewed in time; a longer one only if it must be."""
    if not fail_safe.timer:
        return seconds
    least, most = capabilities.timer_min_seconds, capabilities.timer_max_seconds
    seconds = seconds if most is None else min(seconds, most)
    return seconds if least is None else max(seconds, least)


def _renewal(fail_safe: FailSafe, timer: int) -> int:
    half = max(1, timer // 2)
    return half if fail_safe.renew_seconds is None else min(half, fail_safe.renew_seconds)


def _exponent(point: Point, layout: Layout) -> int:
    if not isinstance(point.place, ModelPoint):
        return point.place.exponent
    exponent = next((known for name, known in layout.scales if name == point.name), None)
    if exponent is None:
        raise UnsupportedError("rating_unknown", f"The device does not give the scale factor of {point.place.name}.")
    return exponent


class _Filler:
    """Fills a command's frames for one wish: which words go where, and what must read back."""

    def __init__(self, profile: Profile, capabilities: Capabilities, mantissas: Mantissas, timer: int) -> None:
        self._points = {point.name: point for point in profile.points}
        self._scales = dict(capabilities.layout.scales)
        self._kept = dict(capabilities.layout.kept)
        self._capabilities = capabilities
        self._placed: dict[int, tuple[int, Decoder]] = {}
        self._mantissas = mantissas
        self._timer = timer

    def steps(self, frames: tuple[Frame, ...]) -> tuple[WriteStep, ...]:
        """The frames as write steps, contiguous registers merged."""
        found: list[WriteStep] = []
        for frame in frames:
            for unit, address, words in self._runs(frame):
                found.append(WriteStep(len(found), unit, address, words, frame.purpose))
        return tuple(found)

    def expectations(self, frames: tuple[Frame, ...]) -> tuple[Expectation, ...]:
        """What each written point must read afterwards; a point written twice, what it was given last."""
        expected: dict[str, Expectation] = {}
        for write in (write for frame in frames for write in frame.writes):
            if write.fill is not Fill.KEEP and not self._leaves(write):
                point = self._points[write.point]
                exponent = 0 if write.fill is Fill.TIMER else self._known_exponent(point)
                expected[write.point] = Expectation(write.point, self._mantissa(write) * point.sign, exponent)
        return tuple(expected.values())

    def _runs(self, frame: Frame) -> list[tuple[int, int, tuple[int, ...]]]:
        runs: list[tuple[int, int, tuple[int, ...]]] = []
        bridge: tuple[int, ...] = ()
        for write in frame.writes:
            unit, address = self._address(self._points[write.point])
            if write.fill is Fill.KEEP:
                bridge += self._kept.get(write.point, ())
                continue
            if self._leaves(write):
                bridge = ()
                continue
            words = self._words(write)
            if runs and runs[-1][0] == unit and runs[-1][1] + len(runs[-1][2]) + len(bridge) == address:
                runs[-1] = (unit, runs[-1][1], runs[-1][2] + bridge + words)
            else:
                runs.append((unit, address, words))
            bridge = ()
        return runs

    def _leaves(self, write: Write) -> bool:
        """Whether the wish says nothing of this point: then it is not written, and not even bridged."""
        return write.fill is Fill.VALUE and write.point not in self._mantissas

    def _words(self, write: Write) -> tuple[int, ...]:
        place, mantissa = self._points[write.point].place, self._mantissa(write)
        if not isinstance(place, ModelPoint):
            return words_for(place, mantissa)
        try:
            return self._model(place.model)[1].encode(place.name, Scaled(mantissa, 0))
        except ModelError as error:
            raise UnsupportedError("wish_malformed", f"{mantissa} cannot be written to {place.name}.") from error

    def _mantissa(self, write: Write) -> int:
        match write.fill:
            case Fill.SETPOINT | Fill.VALUE:
                return self._mantissas[write.point]
            case Fill.TIMER:
                return self._timer
            case Fill.RATING:
                known = self._capabilities.rating(write.rating)
                return write.value if known is None else known
            case _:
                return write.value

    def _known_exponent(self, point: Point) -> int:
        if not isinstance(point.place, ModelPoint):
            return point.place.exponent
        return self._scales.get(point.name, 0)

    def _address(self, point: Point) -> tuple[int, int]:
        unit = self._capabilities.layout.unit
        if not isinstance(point.place, ModelPoint):
            return (unit if point.place.unit is None else point.place.unit), point.place.address
        start, decoder = self._model(point.place.model)
        laid_out = decoder.by_name.get(point.place.name)
        if laid_out is None:
            raise LayoutError(
                "model_too_short", f"Model {point.place.model} of this device ends before its point {point.place.name}."
            )
        return unit, start + laid_out.offset

    def _model(self, model: int) -> tuple[int, Decoder]:
        """Where a model begins on this device, and its decoder."""
        found = self._placed.get(model)
        if found is None:
            place = place_of(self._capabilities.layout, model)
            if place is None:
                raise LayoutError("model_missing", f"The device has no SunSpec model {model}; check the profile.")
            found = self._placed[model] = place.address, decoder_of(place.model, place.length)
        return found
