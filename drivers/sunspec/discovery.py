"""Finding the SunSpec models of one unit, and reading them in pieces that devices accept.

Theory, from real devices rather than from the specification alone:

- The map starts with "SunS" at 40000, 0 or 50000. An exception, silence and other content all mean "not here".
- A chain of models follows: ID, L, then L registers. IDs are in no order, may repeat, may be a vendor's (skipped by L).
- The end is ID 0xFFFF. Its L may be unreadable, so a header that is refused is read again as its ID alone.
- The chain is bounded: 100 models, the address space. A walk that breaks off keeps what it found, and says why.
- A read takes at most 125 registers and splits no point. A device that refuses a run (exception 2) is asked for its
  halves, so that one bad register does not hide its neighbours; what stays refused is absent from the block.

A lost connection or a silent device in mid-walk is no finding about the map: the link's error goes through.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from wattseal.drivers.device import LayoutError, ModelPlace
from wattseal.drivers.modbus.exchange import (
    MAX_READ_WORDS,
    DeviceExceptionError,
    Exchange,
    LinkDownError,
    LinkError,
    RegisterLink,
)
from wattseal.drivers.sunspec.models import HEADER_REGISTERS, Block, Decoder, count_points, decoder_of

BASES: Final = (40000, 0, 50000)
MARKER: Final = (0x5375, 0x6E53)  # "SunS"
END_MODEL: Final = 0xFFFF
MAX_MODELS: Final = 100

_LAST_ADDRESS: Final = 0xFFFF
_ILLEGAL_ADDRESS: Final = 2


class NotSunSpecError(LayoutError):
    """No "SunS" at any of the three bases (`no_sunspec_map`)."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The models of one unit in the device's order. `fault` is empty when the walk came to the end marker.

    Otherwise it is the stable reason it broke off: `header_refused`, `header_unreadable`, `chain_too_long`,
    `address_overrun`.
    """

    unit: int
    base: int
    models: tuple[ModelPlace, ...]
    fault: str
    exchanges: tuple[Exchange, ...]

    def of(self, model: int) -> tuple[ModelPlace, ...]:
        """Every occurrence of that model."""
        return tuple(place for place in self.models if place.model == model)


@dataclass(frozen=True, slots=True)
class ModelRead:
    """What reading a model gave: the block, the runs (offset, registers) the device refused, the raw exchanges."""

    place: ModelPlace
    block: Block
    refused: tuple[tuple[int, int], ...]
    exchanges: tuple[Exchange, ...]

    @property
    def one_answer(self) -> bool:
        """Whether values and scale factors come from one and the same answer; devices change factors at run time."""
        return len(self.exchanges) == 1 and not self.refused


async def discover(link: RegisterLink, unit: int, bases: tuple[int, ...] = BASES) -> Chain:
    """Walk the map of `unit`. Raises `NotSunSpecError`, or the link's error when the device falls silent on the way."""
    base, exchange = await _find_base(link, unit, bases)
    exchanges, models = [exchange], list[ModelPlace]()
    address, fault = base + len(MARKER), ""
    while True:
        if len(models) == MAX_MODELS:
            fault = "chain_too_long"
            break
        if address + HEADER_REGISTERS > _LAST_ADDRESS + 1:
            fault = "address_overrun"
            break
        try:
            exchange = await _read_header(link, unit, address)
        except DeviceExceptionError:
            fault = "header_refused"
            break
        exchanges.append(exchange)
        if exchange.words[0] == END_MODEL:
            break
        if len(exchange.words) < HEADER_REGISTERS:
            fault = "header_unreadable"  # an ID with no L: what follows cannot be found
            break
        models.append(ModelPlace(exchange.words[0], address, exchange.words[1]))
        address += HEADER_REGISTERS + exchange.words[1]
    return Chain(unit, base, tuple(models), fault, tuple(exchanges))


async def read_model(
    link: RegisterLink,
    unit: int,
    place: ModelPlace,
    decoder: Decoder,
    offset: int = 0,
    count: int | None = None,
) -> ModelRead:
    """`count` registers of a model from `offset` on (default: all of it), in as few reads as points and limit allow."""
    end = decoder.registers if count is None else offset + count
    reader, data = _Reader(link, unit, place.address, decoder), b""
    for start, size in reads_for(decoder, offset, end):
        data += await reader.run(start, size)
    block = decoder.decode(data, offset)
    refused = tuple(reader.refused)
    return ModelRead(place, _without(block, refused), refused, tuple(reader.exchanges))


async def counts_at(link: RegisterLink, unit: int, place: ModelPlace) -> tuple[tuple[str, int], ...]:
    """How often the groups of a model repeat on this device: one read, or none for a model without such counts.

    A count that the device does not give is 0.
    """
    names = count_points(place.model)
    if not names:
        return ()
    read = await read_model(link, unit, place, decoder_of(place.model, place.length))
    return tuple((name, read.block.raw(name) or 0) for name in names)


async def decoder_at(link: RegisterLink, unit: int, place: ModelPlace) -> Decoder:
    """The decoder of a model where it stands, its repeating groups laid out by the counts that the device gives."""
    return decoder_of(place.model, place.length, await counts_at(link, unit, place))


@lru_cache(maxsize=256)
def reads_for(decoder: Decoder, offset: int, end: int) -> tuple[tuple[int, int], ...]:
    """Cut registers `offset` to `end` into runs (offset, registers) of at most 125 that split no point."""
    runs, start, reach = list[tuple[int, int]](), offset, offset
    for point in decoder.points:
        if point.end <= offset or point.offset >= end:
            continue
        stop = min(point.end, end)
        if stop - start > MAX_READ_WORDS:
            runs.append((start, reach - start))
            start = reach
        reach = stop
    if reach > start:
        runs.append((start, reach - start))
    return tuple(runs)


async def _find_base(link: RegisterLink, unit: int, bases: tuple[int, ...]) -> tuple[int, Exchange]:
    answered, fault = False, None
    for base in bases:
        try:
            exchange = await link.read(unit, base, len(MARKER))
        except LinkDownError:
            raise
        except LinkError as error:
            fault, answered = error, answered or isinstance(error, DeviceExceptionError)
            continue
        answered = True
        if exchange.words == MARKER:
            return base, exchange
    if fault is not None and not answered:
        raise fault  # a device that never answered properly has not said that it has no map
    raise NotSunSpecError(
        "no_sunspec_map",
        f"Unit {unit} has no SunSpec map at {', '.join(map(str, bases))}; check the unit, or enable SunSpec in it.",
    )


async def _read_header(link: RegisterLink, unit: int, address: int) -> Exchange:
    try:
        return await link.read(unit, address, HEADER_REGISTERS)
    except DeviceExceptionError:
        return await link.read(unit, address, 1)


class _Reader:
    """Reads runs of one model, halving at point boundaries what the device refuses with exception 2."""

    def __init__(self, link: RegisterLink, unit: int, address: int, decoder: Decoder) -> None:
        self._link = link
        self._unit = unit
        self._address = address
        self._decoder = decoder
        self.exchanges: list[Exchange] = []
        self.refused: list[tuple[int, int]] = []

    async def run(self, start: int, size: int) -> bytes:
        """The bytes of a run; refused registers are filled with zeros and noted, to be taken out of the block."""
        try:
            exchange = await self._link.read(self._unit, self._address + start, size)
        except DeviceExceptionError as error:
            cut = self._cut(start, size) if error.code == _ILLEGAL_ADDRESS else None
            if cut is None:
                self.refused.append((start, size))
                return bytes(2 * size)
            return await self.run(start, cut - start) + await self.run(cut, start + size - cut)
        self.exchanges.append(exchange)
        return exchange.answer[-2 * size :]

    def _cut(self, start: int, size: int) -> int | None:
        """The point boundary nearest the middle, or None when the run is one point."""
        inside = [point.offset for point in self._decoder.points if start < point.offset < start + size]
        return min(inside, key=lambda cut: abs(2 * cut - 2 * start - size), default=None)


def _without(block: Block, refused: tuple[tuple[int, int], ...]) -> Block:
    """The block without the points that touch a refused run."""
    if not refused:
        return block
    points = block.decoder.by_name
    index = {
        name: at
        for name, at in block.index.items()
        if not any(points[name].offset < start + size and start < points[name].end for start, size in refused)
    }
    return Block(block.decoder, index, block.values)
