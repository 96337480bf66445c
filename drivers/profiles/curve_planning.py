"""An order's curve on one device, as the exact write frames it comes to: slot, timer, adoption, enable. Pure.

The slot is written whole, in as few frames as its read-only points allow; then the timer and what it falls back to, so
that the function never runs without it; then the adoption is asked for, and the device is waited for; the enable last.
What must read back is the active set, point by point. Lists carried over for other operations are not compared: each
of these holds its own. A set that is active already, to the last digit, is neither written nor adopted again: that is
so for every renewal, and flash wears out.
"""

from dataclasses import replace

from wattseal.drivers.device import (
    Adoption,
    DeviceState,
    Expectation,
    Layout,
    LayoutError,
    Operation,
    PlannedWrites,
    UnsupportedError,
    Wish,
    WriteStep,
)
from wattseal.drivers.modbus.exchange import MAX_WRITE_WORDS
from wattseal.drivers.profiles.curve_declaration import CurveCommand
from wattseal.drivers.profiles.curve_values import Contents, carried_over, contents_for
from wattseal.drivers.profiles.picture import decoder_in, place_of
from wattseal.drivers.sunspec.models import Decoder, ModelError
from wattseal.drivers.sunspec.points import Scaled

_ENABLE, _DISABLED, _ENABLED = "Ena", 0, 1
_NO_SET = 0


def steps_for(command: CurveCommand, layout: Layout, wish: Wish, shown: DeviceState | None) -> PlannedWrites:
    """The frames for `wish`, or for the release of its function. `shown` is what the device holds now: scale factors,
    and what is carried over, come from there. Raises `UnsupportedError`, or `LayoutError` (`model_missing`).
    """
    model = _Model(command, layout, shown)
    if wish.operation is Operation.RELEASE:
        return _release(command, model, wish)
    if wish.timer_seconds <= 0:
        raise UnsupportedError("wish_malformed", "Nothing is set without a time after which the device falls back.")
    if shown is None:
        raise UnsupportedError("rating_unknown", f"Model {command.model} of the device was not read.")
    own = contents_for(command, wish.value, shown)
    held = all(model.shows(path, value) for path, value in own.items())
    steps = [] if held else model.slot({**own, **carried_over(command, shown)})
    expectations = [Expectation(command.active(path), value.mantissa, value.exponent) for path, value in own.items()]
    timer, heartbeat = None, tuple[WriteStep, ...]()
    if command.timer is not None:
        # The enable restarts the timer, and the wait before it must not carry it past the end of the order.
        timer = min(wish.timer_seconds, command.timer.most_seconds) - (0 if held else command.wait_seconds)
        if timer <= 0:
            raise UnsupportedError("window_over", "Too little is left of the order for the device to adopt a curve.")
        heartbeat = (model.write(command.timer.seconds, timer, "renew the timer"),)
        steps += [
            model.write(command.timer.reverts_to, _NO_SET, "what the timer falls back to"),
            model.write(command.timer.seconds, timer, "timer"),
        ]
        expectations += [
            Expectation(command.head(command.timer.reverts_to), _NO_SET, 0),
            Expectation(command.head(command.timer.seconds), timer, 0),
        ]
    steps += [*([] if held else [model.adopt()]), model.write(_ENABLE, _ENABLED, "enable")]
    return PlannedWrites(
        wish=wish,
        steps=_numbered(steps),
        clamped_watts=0,
        timer_seconds=timer,
        heartbeat=heartbeat,
        heartbeat_seconds=None if timer is None else max(1, timer // 2),
        expectations=tuple(expectations),
        settle_seconds=command.settle_seconds,
        tolerance_watts=0,
        value=wish.value,
    )


def _release(command: CurveCommand, model: "_Model", wish: Wish) -> PlannedWrites:
    """The enable off; nothing where the model has no timer: what was adopted is a setting of the device."""
    steps = [] if command.timer is None else [model.write(_ENABLE, _DISABLED, "function off")]
    return PlannedWrites(
        wish=wish,
        steps=_numbered(steps),
        clamped_watts=0,
        timer_seconds=None,
        heartbeat=(),
        heartbeat_seconds=None,
        expectations=tuple(Expectation(command.head(_ENABLE), _DISABLED, 0) for _ in steps),
        settle_seconds=command.settle_seconds,
        tolerance_watts=0,
    )


def _numbered(steps: list[WriteStep]) -> tuple[WriteStep, ...]:
    return tuple(replace(step, index=number) for number, step in enumerate(steps))


class _Model:
    """A curve model where it stands on this device."""

    def __init__(self, command: CurveCommand, layout: Layout, shown: DeviceState | None) -> None:
        place = place_of(layout, command.model)
        if place is None:
            raise LayoutError("model_missing", f"The device has no SunSpec model {command.model}; check the profile.")
        self._command = command
        self._unit = layout.unit
        self._start = place.address
        self._decoder: Decoder = decoder_in(layout, place)
        self._shown = shown

    def slot(self, contents: Contents) -> list[WriteStep]:
        """The frames that fill the slot, in register order."""
        found: list[WriteStep] = []
        named = {self._command.stored(path): value for path, value in contents.items()}
        self._require_room(named)
        for name in sorted(named, key=lambda name: self._decoder.point(name).offset):
            address, words = self._start + self._decoder.point(name).offset, self._words(name, named[name])
            last = found[-1] if found else None
            if last and last.address + len(last.words) == address and len(last.words + words) <= MAX_WRITE_WORDS:
                found[-1] = WriteStep(0, self._unit, last.address, last.words + words, last.purpose)
            else:
                found.append(WriteStep(0, self._unit, address, words, f"set {self._command.slot}"))
        return found

    def shows(self, path: str, value: Scaled) -> bool:
        """Whether the active set holds just that."""
        found = None if self._shown is None else self._shown.point(self._command.active(path))
        if found is None or found.mantissa is None:
            return False
        return Scaled(found.mantissa, found.exponent).decimal() == value.decimal()

    def write(self, path: str, raw: int, purpose: str) -> WriteStep:
        """One point at the model's head."""
        if path not in self._decoder.by_name:
            raise LayoutError("model_too_short", f"Model {self._command.model} of this device has no {path}.")
        words = self._words(path, Scaled(raw, 0))
        return WriteStep(0, self._unit, self._start + self._decoder.point(path).offset, words, purpose)

    def adopt(self) -> WriteStep:
        """The request, and what is to be waited for."""
        command = self._command
        asked = self.write(command.request, command.slot, f"adopt set {command.slot}")
        result = self._start + self._decoder.point(command.result).offset
        adoption = Adoption(self._unit, result, command.wait_seconds, command.poll_ms)
        return WriteStep(0, asked.unit, asked.address, asked.words, asked.purpose, adoption)

    def _require_room(self, names: Contents) -> None:
        missing = [name for name in names if name not in self._decoder.by_name]
        if missing:
            raise UnsupportedError(
                "value_not_supported", f"The device has no room for {self._command.model}.{missing[0]}."
            )

    def _words(self, name: str, value: Scaled) -> tuple[int, ...]:
        try:
            return self._decoder.encode(name, value, self._scale(name))
        except ModelError as error:
            raise UnsupportedError(
                "value_not_supported", f"The device cannot hold this value: {error.sentence}"
            ) from error

    def _scale(self, name: str) -> int:
        """The exponent in force for a point; from the same answer as the active set."""
        declared = self._decoder.point(name).scale
        if declared is None or isinstance(declared, int):
            return declared or 0
        found = None if self._shown is None else self._shown.point(self._command.head(declared)).mantissa
        if found is None:
            raise UnsupportedError("rating_unknown", f"The device does not give its {self._command.model}.{declared}.")
        return found
