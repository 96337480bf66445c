"""SunSpec models as data, compiled: the JSON that pysunspec2 ships becomes one `struct` per model layout.

pysunspec2's own code is not used (it is the oracle in the tests): its decoder takes 70 µs for model 701, scales through
floats, and remembers scale factors from one answer to the next. Here a `Block` is one answer; a value and its scale
factor always come from the same block, and a value without a usable scale factor does not exist.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from wattseal.certs.errors import MisuseError
from wattseal.drivers.sunspec.points import FORMS, SCALE_FACTORS, Point, PointType, Scaled, scaled_float

HEADER_REGISTERS: Final = 2  # ID and L, which L itself does not count


class ModelError(MisuseError):
    """A model or point that does not exist, or a value that its point cannot hold."""


class Decoder:
    """One model laid out at one length: where each point is, and one `struct` over any run of its registers."""

    def __init__(self, model: int, points: tuple[Point, ...]) -> None:
        self.model = model
        self.points = points
        self.by_name: Mapping[str, Point] = {point.name: point for point in points}
        self._windows: dict[tuple[int, int], _Window] = {}

    @property
    def registers(self) -> int:
        """From the ID register to the end of the last point."""
        return self.points[-1].end

    def point(self, name: str) -> Point:
        """Raises `ModelError` (`no_such_point`)."""
        try:
            return self.by_name[name]
        except KeyError:
            raise ModelError("no_such_point", f"Model {self.model} has no point {name} in this layout.") from None

    def decode(self, data: bytes, offset: int = 0) -> "Block":
        """The block that `data` is, read from register `offset` of the model on; points cut at its ends are absent."""
        key = (offset, len(data))
        window = self._windows.get(key)
        if window is None:
            window = self._windows.setdefault(key, _Window(self.points, offset, len(data) // 2))
        return Block(self, window.index, window.layout.unpack_from(data, window.skip))

    def encode(self, name: str, value: Scaled, scale: int = 0) -> tuple[int, ...]:
        """The registers of a writable integer point for `value`, when its scale factor reads `scale`.

        Raises `ModelError`: `not_writable`, `not_representable` (digits would be lost), `out_of_range` (the sentinel
        counts as out of range: it is no value).
        """
        point = self.point(name)
        if not point.writable:
            raise ModelError("not_writable", f"{self.model}.{name} is read-only.")
        if point.sentinel is None:
            raise ModelError("not_representable", f"{self.model}.{name} is no integer point.")
        raw = _rescale(value, scale, f"{self.model}.{name}")
        try:
            data = struct.pack(">" + point.code, raw)
        except struct.error:
            data = b""
        if not data or raw == point.sentinel:
            raise ModelError("out_of_range", f"{raw} does not fit in {self.model}.{name}.")
        return tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))


class _Window:
    """The points that lie wholly within a run of registers, as one struct."""

    def __init__(self, points: tuple[Point, ...], offset: int, count: int) -> None:
        whole = [point for point in points if offset <= point.offset and point.end <= offset + count]
        self.skip = 2 * (whole[0].offset - offset) if whole else 0
        self.index = {point.name: at for at, point in enumerate(whole)}
        self.layout = struct.Struct(">" + "".join(point.code for point in whole))


@dataclass(frozen=True, slots=True)
class Block:
    """Registers of one model as one answer held them. All lookups give None for "not implemented" or not in it."""

    decoder: Decoder
    index: Mapping[str, int]
    values: tuple[Any, ...]

    def has(self, name: str) -> bool:
        """Whether the registers of that point are in this block."""
        return name in self.index

    def raw(self, name: str) -> int | None:
        """The unscaled integer of an integer point."""
        at = self.index.get(name)
        if at is None:
            return None
        value = self.values[at]
        sentinel = self.decoder.by_name[name].sentinel
        return value if sentinel is not None and value != sentinel and isinstance(value, int) else None

    def scaled(self, name: str) -> Scaled | None:
        """The value of a number point with the scale factor of this same block; None without a usable one."""
        point = self.decoder.point(name)
        if point.type in _FLOATS:
            at = self.index.get(name)
            return None if at is None else scaled_float(self.values[at])
        mantissa = self.raw(name)
        if mantissa is None or point.scale is None:
            return None if mantissa is None else Scaled(mantissa, 0)
        exponent = point.scale if isinstance(point.scale, int) else self.raw(point.scale)
        return Scaled(mantissa, exponent) if exponent in SCALE_FACTORS and exponent is not None else None

    def text(self, name: str) -> str | None:
        """A text point without its padding; bytes that are not UTF-8 are shown as escapes, addresses in hex."""
        at = self.index.get(name)
        value = None if at is None else self.values[at]
        if not isinstance(value, bytes) or not any(value):
            return None
        kind = self.decoder.by_name[name].type
        if kind is PointType.EUI48:
            return value[2:].hex(":").upper()
        if kind is PointType.IPV6ADDR:
            return value.hex(":", 4).upper()
        return value.rstrip(b"\0").decode("utf-8", "backslashreplace").strip() or None

    def symbol(self, name: str) -> str | None:
        """The name of an enumerated value; None when the model does not name it."""
        value = self.raw(name)
        return next((symbol for symbol, number in self.decoder.point(name).symbols if number == value), None)

    def items(self) -> Iterator[tuple[str, Scaled | str | None]]:
        """Every point in the block but padding, in register order."""
        for name in self.index:
            kind = self.decoder.by_name[name].type
            if kind is PointType.PAD:
                continue
            yield name, self.text(name) if kind in _TEXTS else self.scaled(name)


_FLOATS: Final = frozenset({PointType.FLOAT32, PointType.FLOAT64})
_TEXTS: Final = frozenset({PointType.STRING, PointType.EUI48, PointType.IPV6ADDR})


@lru_cache(maxsize=256)
def decoder_of(model: int, length: int, counts: tuple[tuple[str, int], ...] = ()) -> Decoder:
    """The decoder for a model whose L register holds `length`; `counts` gives the count points of repeating groups.

    Points that would lie beyond `length` do not exist (model 1 of length 65 has no pad; some devices shorten models).
    Raises `ModelError` (`unknown_model`) for vendor models.
    """
    group = _definition(model)
    end = HEADER_REGISTERS + length
    points = tuple(point for point in _lay_out(group, "", 0, end, dict(counts)) if point.end <= end)
    return Decoder(model, points)


def count_points(model: int) -> tuple[str, ...]:
    """The names of the top-level points that say how often groups repeat; empty for the fixed models."""
    return tuple(dict.fromkeys(_count_names(_definition(model))))


def decode_model(model: int, data: bytes) -> Block:
    """A whole model from its ID register on, repeating groups laid out by the counts it holds itself."""
    length = int.from_bytes(data[2:4], "big")
    names = count_points(model)
    if not names:
        return decoder_of(model, length).decode(data)
    head = decoder_of(model, length).decode(data)
    counts = tuple((name, head.raw(name) or 0) for name in names)
    return decoder_of(model, length, counts).decode(data)


@lru_cache(maxsize=64)
def _definition(model: int) -> dict[str, Any]:
    try:
        text = (files("sunspec2") / "models" / "json" / f"model_{model}.json").read_text("utf-8")
    except FileNotFoundError:
        raise ModelError("unknown_model", f"There is no public definition of SunSpec model {model}.") from None
    group: dict[str, Any] = json.loads(text)["group"]
    return group


def _lay_out(group: dict[str, Any], prefix: str, offset: int, end: int, counts: dict[str, int]) -> Iterator[Point]:
    scope = {definition["name"] for definition in group["points"]}
    for definition in group["points"]:
        point = _point(definition, prefix, offset, scope)
        yield point
        offset = point.end
    for inner in group.get("groups", ()):
        size = _size(inner, counts)
        repeats = _repeats(inner, counts, size, end - offset)
        for number in range(1, repeats + 1):
            path = f"{prefix}{inner['name']}." if "count" not in inner else f"{prefix}{inner['name']}.{number}."
            yield from _lay_out(inner, path, offset, end, counts)
            offset += size


def _point(definition: dict[str, Any], prefix: str, offset: int, scope: set[str]) -> Point:
    kind = PointType(definition["type"])
    return Point(
        name=prefix + definition["name"],
        type=kind,
        offset=offset,
        registers=FORMS[kind].registers or int(definition["size"]),
        scale=_scale(definition.get("sf"), prefix, scope),
        writable=definition.get("access") == "RW",
        unit=definition.get("units", ""),
        symbols=tuple((symbol["name"], symbol["value"]) for symbol in definition.get("symbols", ())),
        sentinel=FORMS[kind].sentinel,
    )


def _scale(declared: str | int | None, prefix: str, scope: set[str]) -> str | int | None:
    """A scale factor is looked for in the point's own group first, then at the top of the model."""
    if declared is None or isinstance(declared, int):
        return declared
    if declared.lstrip("-").isdigit():
        return int(declared)
    return prefix + declared if declared in scope else declared


def _size(group: dict[str, Any], counts: dict[str, int]) -> int:
    own = sum(FORMS[PointType(point["type"])].registers or int(point["size"]) for point in group["points"])
    return own + sum(_size(inner, counts) * _repeats(inner, counts, 1, 0) for inner in group.get("groups", ()))


def _repeats(group: dict[str, Any], counts: dict[str, int], size: int, room: int) -> int:
    """How often a group stands there: once, by its count point, or (count 0, the older models) as often as it fits."""
    count = group.get("count", 1)
    if isinstance(count, str) and not count.isdigit():
        declared = counts.get(count, 0)
        return min(declared, room // size) if size and room else declared
    return int(count) or (room // size if size else 0)


def _count_names(group: dict[str, Any]) -> Iterator[str]:
    for inner in group.get("groups", ()):
        count = inner.get("count", 1)
        if isinstance(count, str) and not count.isdigit():
            yield count
        yield from _count_names(inner)


def _rescale(value: Scaled, scale: int, place: str) -> int:
    shift = value.exponent - scale
    if shift >= 0:
        return value.mantissa * int(10**shift)
    whole, rest = divmod(value.mantissa, int(10**-shift))
    if rest:
        raise ModelError("not_representable", f"{value.decimal()} has more digits than {place} can hold.")
    return whole
