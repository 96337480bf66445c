"""The walk over SunSpec maps: captured images of real devices, and maps with the faults that devices have shown."""

import json
import os
from pathlib import Path

import pytest

from wattseal.drivers.device import ModelPlace
from wattseal.drivers.modbus.exchange import (
    DeadlineError,
    DeviceExceptionError,
    Effect,
    Exchange,
    LinkDownError,
    Table,
)
from wattseal.drivers.sunspec.discovery import NotSunSpecError, discover, read_model, reads_for
from wattseal.drivers.sunspec.models import decoder_of
from wattseal.drivers.sunspec.points import Scaled

MARK = [0x5375, 0x6E53]


class ImageLink:
    """Registers in memory; addresses that are not there, or are listed as refused, answer exception 2."""

    def __init__(
        self,
        words: dict[int, int],
        refused: frozenset[int] = frozenset(),
        silent: bool = False,
        down: bool = False,
    ) -> None:
        self.down = down
        self.words = words
        self.refused = refused
        self.silent = silent
        self.reads: list[tuple[int, int]] = []

    async def read(self, unit: int, address: int, count: int, table: Table = Table.HOLDING) -> Exchange:
        assert 1 <= count <= 125
        if self.down:
            raise LinkDownError("link_down", "gone", Effect.NONE)
        self.reads.append((address, count))
        run = range(address, address + count)
        if any(at not in self.words or at in self.refused for at in run):
            if self.silent:
                raise DeadlineError("no_answer", "silent", Effect.NONE)
            raise DeviceExceptionError(2, "refused", Effect.NONE)
        words = tuple(self.words[at] for at in run)
        body = bytes([unit, table, 2 * count]) + b"".join(word.to_bytes(2, "big") for word in words)
        return Exchange(b"", b"\0\0\0\0" + len(body).to_bytes(2, "big") + body, words)

    async def write(self, unit: int, address: int, words: tuple[int, ...]) -> Exchange:
        raise AssertionError(f"discovery writes nothing: {unit} {address} {words}")


def at(base: int, *words: int) -> dict[int, int]:
    return {base + offset: word for offset, word in enumerate(words)}


def model(number: int, length: int) -> list[int]:
    return [number, length, *([0] * length)]


def image(name: str) -> tuple[dict, ImageLink]:
    shared = os.environ.get("WATTSEAL_SHARED")
    if shared is None:
        pytest.skip("WATTSEAL_SHARED is not set: the register images of real devices are in that folder")
    found = json.loads((Path(shared) / "samples" / "sunspec" / f"{name}.json").read_text("utf-8"))
    data = bytes.fromhex("".join(found["words"]))
    words = [int.from_bytes(data[start : start + 2], "big") for start in range(0, len(data), 2)]
    return found, ImageLink(at(found["base"], *words))


@pytest.mark.parametrize(
    "name",
    ["dersec-emulated-der-7xx", "kaco-blueplanet-8.6-day", "sma-sb3.6-day-20250518", "solaredge-se3000h-20191001"],
)
async def test_chain_of_a_real_device(name):
    """The chain that the image's file lists: unordered ids (SMA), model 1 of 65 (SolarEdge), vendor models."""
    listed, link = image(name)
    chain = await discover(link, 1)
    assert chain.fault == ""
    assert chain.base == listed["base"]
    assert [(place.model, place.address, place.length) for place in chain.models] == [
        (entry["id"], entry["header_at"], entry["length"]) for entry in listed["models"] if entry["id"] != 0xFFFF
    ]


@pytest.mark.parametrize("base", [40000, 0, 50000])
@pytest.mark.parametrize("silent", [False, True])
async def test_three_bases_whatever_the_others_answer(base, silent):
    words = at(base, *MARK, *model(1, 66), 0xFFFF, 0)
    chain = await discover(ImageLink(words, silent=silent), 1)
    assert (chain.base, chain.models) == (base, (ModelPlace(1, base + 2, 66),))


async def test_other_content_at_a_base_is_passed_over():
    words = at(40000, 1, 2, 3) | at(0, *MARK, 0xFFFF)
    assert (await discover(ImageLink(words), 1)).base == 0


async def test_no_map_is_said_so():
    with pytest.raises(NotSunSpecError) as caught:
        await discover(ImageLink({}), 3)
    assert caught.value.reason == "no_sunspec_map"


async def test_silent_device_has_not_said_that_it_has_no_map():
    with pytest.raises(DeadlineError):
        await discover(ImageLink({}, silent=True), 1)


async def test_lost_connection_is_no_finding():
    with pytest.raises(LinkDownError):
        await discover(ImageLink({}, down=True), 1)


async def test_end_marker_without_length():
    """The L of the end marker may be unreadable."""
    chain = await discover(ImageLink(at(40000, *MARK, *model(1, 66), 0xFFFF)), 1)
    assert chain.fault == ""
    assert len(chain.models) == 1


async def test_repeated_and_vendor_models_keep_their_order():
    words = at(
        40000, *MARK, *model(1, 66), *model(64204, 8), *model(714, 18), *model(701, 153), *model(714, 18), 0xFFFF
    )
    chain = await discover(ImageLink(words), 1)
    assert [place.model for place in chain.models] == [1, 64204, 714, 701, 714]
    assert [place.address for place in chain.of(714)] == [40080, 40255]


@pytest.mark.parametrize(
    ("tail", "found", "fault"),
    [
        ([], 1, "header_refused"),
        ([701], 1, "header_unreadable"),
        ([701, 65000], 2, "address_overrun"),
        ([7, 0] * 200, 100, "chain_too_long"),
    ],
)
async def test_broken_chain_keeps_what_it_found(tail, found, fault):
    chain = await discover(ImageLink(at(40000, *MARK, *model(1, 66), *tail)), 1)
    assert (len(chain.models), chain.fault) == (found, fault)


@pytest.mark.parametrize(("number", "length"), [(1, 66), (701, 153), (702, 50), (704, 65), (713, 7)])
def test_reads_split_no_point_and_keep_the_limit(number, length):
    """At most 125 registers a read (application protocol 6.3); every register once; no point in two reads."""
    decoder = decoder_of(number, length)
    runs = reads_for(decoder, 0, decoder.registers)
    covered = [register for start, size in runs for register in range(start, start + size)]
    assert covered == list(range(length + 2))
    assert all(size <= 125 for _, size in runs)
    for point in decoder.points:
        assert any(start <= point.offset and point.end <= start + size for start, size in runs), point.name


async def test_refused_register_hides_only_its_own_point():
    """A device that refuses one run (SMA) is bisected at point boundaries; Hz spans 17 and 18."""
    words = at(100, 701, 153, *range(2, 155))
    link = ImageLink(words, refused=frozenset({118}))
    read = await read_model(link, 1, ModelPlace(701, 100, 153), decoder_of(701, 153))
    assert read.refused == ((17, 2),)
    assert not read.block.has("Hz")
    assert read.block.raw("LNV") == 16
    assert read.block.raw("TotWhInj") == int.from_bytes(bytes.fromhex("0013001400150016"), "big")
    assert read.block.raw("TmpSw") == 39
    for point in decoder_of(701, 153).points:
        for start, size in link.reads:
            inside = {start - 100 <= register < start - 100 + size for register in range(point.offset, point.end)}
            assert len(inside) == 1, f"{point.name} was split"


async def test_one_bad_model_leaves_the_others():
    words = at(40000, *MARK, *model(701, 153), *model(713, 7), 0xFFFF)
    chain = await discover(ImageLink(words), 1)
    link = ImageLink(words, refused=frozenset(range(40004, 40157)))
    bad = await read_model(link, 1, chain.models[0], decoder_of(701, 153))
    good = await read_model(link, 1, chain.models[1], decoder_of(713, 7))
    assert bad.block.scaled("W") is None
    assert good.block.scaled("SoC") == Scaled(0, 0)
