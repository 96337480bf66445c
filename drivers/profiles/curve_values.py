"""Between an order's curve (or droop) and the points of a set, both ways. Integers; exact, or refused.

A curve is what somebody computed for a whole grid: its numbers are not rounded here. One that the device cannot hold
to the last digit, or for which it has no room, is `value_not_supported`.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from wattseal.drivers.device import DeviceState, Quality, Quantity, UnsupportedError, Value
from wattseal.drivers.profiles.curve_declaration import Coordinate, CurveCommand, PointList, SetFill, SetPoint
from wattseal.drivers.sunspec.points import Scaled

Contents: TypeAlias = Mapping[str, Scaled]
"""What a set is to hold, by path."""
_WHOLE = 10_000
_LAST_POINT = 100


def contents_for(command: CurveCommand, value: Value, shown: DeviceState) -> Contents:
    """The points of the slot. Raises `UnsupportedError` (`value_not_supported`, `wish_malformed`)."""
    match value:
        case (str(reference), tuple(points), open_loop, volts, autonomous) if command.points is not None:
            own = dict(_list(command.points, points))
            answers = _Answers(reference, open_loop, volts, autonomous, ())
        case tuple(numbers) if command.points is None:
            own, answers = {}, _Answers("", None, None, None, numbers)
        case _:
            raise UnsupportedError("wish_malformed", f"{value!r} is no value for {command.operation}.")
    answers.require_heard(command)
    for field in command.fields:
        found = answers.of(command, field, shown)
        if found is not None:
            own[field.path] = found
    return own


def carried_over(command: CurveCommand, shown: DeviceState) -> Contents:
    """The lists of the active set that the order says nothing of. Raises `UnsupportedError` (`active_set_unreadable`)
    where they cannot be taken over, because adopting the set would lose them.
    """
    kept: dict[str, Scaled] = {}
    for one in command.carried:
        count = shown.point(command.active(f"{one.path}ActPt"))
        if count.mantissa is None and count.quality is Quality.NOT_IMPLEMENTED:
            continue
        names = [
            f"{one.path}Pt.{n}.{axis.name}" for n in range(1, (count.mantissa or 0) + 1) for axis in (one.x, one.y)
        ]
        for path in (f"{one.path}ActPt", *names):
            found = _scaled(shown.point(command.active(path)))
            if found is None:
                raise UnsupportedError(
                    "active_set_unreadable", f"{command.active(path)} could not be read, and would be lost."
                )
            kept[path] = found
    return kept


def value_in(command: CurveCommand, shown: Mapping[str, Quantity]) -> Value:
    """The active set in the form of an order's value; None where it was not read, or says what no order can."""
    read = _Reader(command, shown)
    if command.points is None:
        numbers = tuple(read.number(field.path, field.exponent) for field in command.fields if field.fill is _NUMBER)
        return None if any(number is None for number in numbers) else numbers
    count = read.number(f"{command.points.path}ActPt", 0)
    points = [read.point(command.points, n) for n in range(1, min(count or 0, _LAST_POINT) + 1)]
    if not points or any(None in point for point in points):
        return None
    reference = read.reference()
    return None if reference is None else (reference, tuple(points), *read.rest())


_NUMBER = SetFill.NUMBER


class _Answers:
    """What the order says, asked for by the points of a set."""

    def __init__(self, reference: str, open_loop: Value, volts: Value, autonomous: Value, numbers: Value) -> None:
        self._reference = reference
        self._given = {
            SetFill.OPEN_LOOP: open_loop,
            SetFill.VOLT_REFERENCE: volts,
            SetFill.AUTONOMOUS_SECONDS: autonomous,
        }
        self._numbers = numbers if isinstance(numbers, tuple) else ()

    def require_heard(self, command: CurveCommand) -> None:
        """What the order says must have a point, and its reference a number."""
        fills = {field.fill for field in command.fields}
        for fill, given in self._given.items():
            if given is not None and fill not in fills:
                raise _unsupported(f"its {command.operation} has no {fill}")
        if command.points is not None and self._reference not in dict(command.references):
            raise _unsupported(f"its {command.operation} knows no part of {self._reference}")

    def of(self, command: CurveCommand, field: SetPoint, shown: DeviceState) -> Scaled | None:
        """The number for one point; None where it is to be left alone."""
        active = _scaled(shown.point(command.active(field.path)))
        wanted = self._wanted(command, field)
        if wanted is None:
            return active if field.fill in {SetFill.OPEN_LOOP, SetFill.ACTIVE} else None
        if active is None:  # a point that shows nothing is not there
            if self._is_default(field):
                return None
            raise _unsupported(f"it has no {command.active(field.path)}")
        return Scaled(wanted, field.exponent)

    def _wanted(self, command: CurveCommand, field: SetPoint) -> int | None:
        match field.fill:
            case SetFill.REFERENCE:
                return dict(command.references)[self._reference]
            case SetFill.VOLT_REFERENCE:
                given = self._given[SetFill.VOLT_REFERENCE]
                return given if isinstance(given, int) else _WHOLE
            case SetFill.AUTONOMOUS:
                return int(self._given[SetFill.AUTONOMOUS_SECONDS] is not None)
            case SetFill.NUMBER:
                number = self._numbers[field.index] if field.index < len(self._numbers) else None
                if not isinstance(number, int):
                    raise UnsupportedError("wish_malformed", f"{command.operation} lacks number {field.index}.")
                return number
            case SetFill.ACTIVE:
                return None
            case given_by_name:
                found = self._given[given_by_name]
                return found if isinstance(found, int) else None

    def _is_default(self, field: SetPoint) -> bool:
        """Whether a device without that point does by itself what is asked of it."""
        if field.fill is SetFill.VOLT_REFERENCE:
            return self._given[SetFill.VOLT_REFERENCE] in {None, _WHOLE}
        return field.fill is SetFill.AUTONOMOUS and self._given[SetFill.AUTONOMOUS_SECONDS] is None


class _Reader:
    """The active set, in an order's numbers."""

    def __init__(self, command: CurveCommand, shown: Mapping[str, Quantity]) -> None:
        self._command = command
        self._shown = shown

    def number(self, path: str, exponent: int) -> int | None:
        """The nearest number of 10 to `exponent`."""
        found = self._shown.get(self._command.active(path))
        if found is None or found.mantissa is None:
            return None
        return Quantity(found.mantissa, found.exponent - exponent, found.quality).rounded()

    def point(self, points: PointList, number: int) -> tuple[int | None, int | None]:
        """One point, x and y as an order has them."""
        path = f"{points.path}Pt.{number}."
        return self._at(path, points.x), self._at(path, points.y)

    def reference(self) -> str | None:
        """The name of the reference; the first of the command's where the set has no point for it."""
        field = next((field for field in self._command.fields if field.fill is SetFill.REFERENCE), None)
        if field is None:
            return next((name for name, _ in self._command.references), None)
        number = self.number(field.path, 0)
        return next((name for name, known in self._command.references if known == number), None)

    def rest(self) -> tuple[int | None, int | None, int | None]:
        """Open loop, volt reference and autonomous seconds: null where the set has none or does not use it."""
        on = self._of(SetFill.AUTONOMOUS)
        volts = self._of(SetFill.VOLT_REFERENCE)
        return self._of(SetFill.OPEN_LOOP), volts, self._of(SetFill.AUTONOMOUS_SECONDS) if on else None

    def _at(self, path: str, axis: Coordinate) -> int | None:
        return self.number(path + axis.name, axis.exponent)

    def _of(self, fill: SetFill) -> int | None:
        field = next((field for field in self._command.fields if field.fill is fill), None)
        return None if field is None else self.number(field.path, field.exponent)


def _list(into: PointList, points: tuple[Value, ...]) -> Iterator[tuple[str, Scaled]]:
    yield f"{into.path}ActPt", Scaled(len(points), 0)
    for number, point in enumerate(points, 1):
        match point:
            case (int(x), int(y)):
                yield f"{into.path}Pt.{number}.{into.x.name}", Scaled(x, into.x.exponent)
                yield f"{into.path}Pt.{number}.{into.y.name}", Scaled(y, into.y.exponent)
            case _:
                raise UnsupportedError("wish_malformed", "A point of the curve is not two numbers.")


def _scaled(quantity: Quantity) -> Scaled | None:
    return None if quantity.mantissa is None else Scaled(quantity.mantissa, quantity.exponent)


def _unsupported(why: str) -> UnsupportedError:
    return UnsupportedError("value_not_supported", f"The device cannot hold this value: {why}.")
