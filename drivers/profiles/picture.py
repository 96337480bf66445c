"""From windows of registers to a profile's points: the one place where answers become quantities.

Every quantity comes from exactly one answer together with its scale factor; where a model had to be read in pieces, its
scaled values are marked suspect. Sign, sentinels and validity are the profile's.
"""

from dataclasses import dataclass, field

from wattseal.drivers.device import Layout, LayoutError, ModelPlace, Quality, Quantity
from wattseal.drivers.modbus.exchange import DeviceExceptionError, Exchange, RegisterLink
from wattseal.drivers.profiles.curve_declaration import CurveWindow
from wattseal.drivers.profiles.declaration import (
    Form,
    ModelPoint,
    ModelWindow,
    Point,
    Profile,
    Register,
    RegisterWindow,
    Window,
)
from wattseal.drivers.profiles.registers import number_from, size_of, text_from
from wattseal.drivers.sunspec.discovery import ModelRead, read_model
from wattseal.drivers.sunspec.models import Decoder, decoder_of


@dataclass(slots=True)
class Picture:
    """What some windows showed, by point name. `words` are the raw registers, `scales` the exponents in force."""

    quantities: dict[str, Quantity] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    words: dict[str, tuple[int, ...]] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)

    def quantity(self, name: str) -> Quantity:
        """The quantity of that name; one that was not read is UNREADABLE."""
        return self.quantities.get(name) or Quantity(None, 0, Quality.UNREADABLE, name)


async def read_windows(link: RegisterLink, profile: Profile, layout: Layout, windows: tuple[Window, ...]) -> Picture:
    """Read the windows in their order. Raises `LinkError` when the device gives no answer at all, `LayoutError`
    (`model_missing`, `layout_changed`) when the models are not where `layout` says.
    """
    picture = Picture()
    for window in windows:
        if isinstance(window, ModelWindow):
            await _read_model_window(link, profile, layout, window, picture)
        elif isinstance(window, CurveWindow):
            await _read_curve_window(link, layout, window, picture)
        else:
            await _read_register_window(link, profile, layout, window, picture)
    return picture


def place_of(layout: Layout, model: int) -> ModelPlace | None:
    """The first occurrence of a model, or None."""
    return next((place for place in layout.models if place.model == model), None)


def in_range(quantity: Quantity, valid: tuple[int, int]) -> bool:
    """Whether a quantity that has a mantissa lies in the inclusive range of whole units."""
    mantissa = quantity.mantissa
    if mantissa is None:
        return False
    up, down = int(10 ** max(quantity.exponent, 0)), int(10 ** max(-quantity.exponent, 0))
    return valid[0] * down <= mantissa * up <= valid[1] * down


def decoder_in(layout: Layout, place: ModelPlace) -> Decoder:
    """The decoder of a model, its groups repeated as often as the device says."""
    return decoder_of(place.model, place.length, dict(layout.counts).get(place.model, ()))


async def _read_curve_window(link: RegisterLink, layout: Layout, window: CurveWindow, picture: Picture) -> None:
    """Every point of the head and of the active set, named by model and path; nothing where the model is missing."""
    place = place_of(layout, window.model)
    if place is None:
        return
    decoder = decoder_in(layout, place)
    own = [
        p
        for p in decoder.points
        if not p.name.startswith(f"{window.group}.") or p.name.startswith(f"{window.group}.1.")
    ]
    read = await read_model(link, layout.unit, place, decoder, 0, max(point.end for point in own))
    _check_header(read)
    picture.exchanges.extend(read.exchanges)
    for point in own:
        where = ModelPoint(window.model, point.name)
        _take_model_point(read, Point(f"{window.model}.{point.name}", where, ""), where, picture)


async def _read_model_window(
    link: RegisterLink, profile: Profile, layout: Layout, window: ModelWindow, picture: Picture
) -> None:
    place = place_of(layout, window.model)
    points = [(p, p.place) for p in profile.points if isinstance(p.place, ModelPoint) and p.place.model == window.model]
    if place is None:
        if window.required:
            raise LayoutError("model_missing", f"The device has no SunSpec model {window.model}; check the profile.")
        for point, _ in points:
            picture.quantities[point.name] = Quantity(None, 0, Quality.NOT_IMPLEMENTED, point.name)
        return
    decoder = decoder_of(place.model, place.length)
    read = await read_model(link, layout.unit, place, decoder, 0, min(window.registers, decoder.registers))
    _check_header(read)
    picture.exchanges.extend(read.exchanges)
    for point, where in points:
        _take_model_point(read, point, where, picture)


def _check_header(read: ModelRead) -> None:
    if not (read.block.has("ID") and read.block.has("L")):
        return
    if (read.block.raw("ID"), read.block.raw("L")) != (read.place.model, read.place.length):
        raise LayoutError(
            "layout_changed",
            f"Model {read.place.model} is no longer at {read.place.address}; the device must be discovered again.",
        )


def _take_model_point(read: ModelRead, point: Point, where: ModelPoint, picture: Picture) -> None:
    block, register = read.block, f"{where.model}.{where.name}"
    laid_out = block.decoder.by_name.get(where.name)
    if laid_out is None:
        picture.quantities[point.name] = Quantity(None, 0, Quality.NOT_IMPLEMENTED, register)
        return
    if not block.has(where.name):
        picture.quantities[point.name] = Quantity(None, 0, Quality.UNREADABLE, register)
        return
    text = block.text(where.name)
    if text is not None:
        picture.texts[point.name] = text
        return
    if isinstance(laid_out.scale, str):
        exponent = block.raw(laid_out.scale)
        if exponent is not None:
            picture.scales[point.name] = exponent
    else:
        picture.scales[point.name] = laid_out.scale or 0
    if read.one_answer:
        picture.words[point.name] = read.exchanges[0].words[laid_out.offset : laid_out.end]
    scaled = block.scaled(where.name)
    if scaled is None:
        picture.quantities[point.name] = Quantity(None, 0, Quality.NOT_IMPLEMENTED, register)
        return
    torn = laid_out.scale is not None and not read.one_answer
    picture.quantities[point.name] = _judged(point, scaled.mantissa, scaled.exponent, register, suspect=torn)


async def _read_register_window(
    link: RegisterLink, profile: Profile, layout: Layout, window: RegisterWindow, picture: Picture
) -> None:
    unit = layout.unit if window.unit is None else window.unit
    try:
        exchange = await link.read(unit, window.address, window.registers)
    except DeviceExceptionError:
        return  # its points stay UNREADABLE
    picture.exchanges.append(exchange)
    for point in profile.points:
        if isinstance(point.place, Register) and point.place.unit == window.unit:
            start = point.place.address - window.address
            if start >= 0 and start + size_of(point.place) <= window.registers:
                words = exchange.words[start : start + size_of(point.place)]
                _take_register_point(point, point.place, words, picture)


def _take_register_point(point: Point, register: Register, words: tuple[int, ...], picture: Picture) -> None:
    picture.words[point.name] = words
    picture.scales[point.name] = register.exponent
    name = f"holding {register.address}"
    if register.form is Form.TEXT:
        picture.texts[point.name] = text_from(words)
        return
    mantissa = number_from(register, words)
    if mantissa is None:
        picture.quantities[point.name] = Quantity(None, 0, Quality.NOT_IMPLEMENTED, name)
        return
    picture.quantities[point.name] = _judged(point, mantissa, register.exponent, name, suspect=False)


def _judged(point: Point, mantissa: int, exponent: int, register: str, *, suspect: bool) -> Quantity:
    quantity = Quantity(mantissa * point.sign, exponent, Quality.GOOD, register)
    if suspect or (point.valid is not None and not in_range(quantity, point.valid)):
        return Quantity(quantity.mantissa, exponent, Quality.SUSPECT, register)
    return quantity
