"""The way out: in order, from where the core holds, again after a new hail, whatever arrives meanwhile."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

from wattseal.drivers.gateway.outlet import MOST_FRESH, Outlet


class Outbox:
    """A durable outbox whose reads can be held up."""

    def __init__(self, count: int) -> None:
        self.raws = [bytes((number % 256,)) for number in range(count)]
        self.gate = asyncio.Event()
        self.gate.set()

    async def outbox_after(self, number: int, most: int) -> tuple[tuple[int, bytes], ...]:
        found = tuple(enumerate(self.raws))[number + 1 : number + 1 + most]
        await self.gate.wait()
        return found


class Stream:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send_all(self, raws: Sequence[bytes]) -> None:
        await asyncio.sleep(0)
        self.sent += raws


def said(number: int) -> SimpleNamespace:
    return SimpleNamespace(header=SimpleNamespace(chain=(number, bytes(32))), raw=bytes((number % 256,)))


async def settle() -> None:
    for _ in range(2000):
        await asyncio.sleep(0)


async def test_nothing_goes_out_before_the_hail_and_then_all_in_order() -> None:
    outbox, stream = Outbox(200), Stream()
    outlet = Outlet(outbox)
    pouring = asyncio.ensure_future(outlet.pour(stream))
    await settle()
    assert stream.sent == []
    outlet.begin_after(-1)
    await settle()
    assert stream.sent == outbox.raws
    pouring.cancel()


async def test_what_becomes_durable_follows_and_order_of_telling_does_not_matter() -> None:
    outbox, stream = Outbox(3), Stream()
    outlet = Outlet(outbox)
    pouring = asyncio.ensure_future(outlet.pour(stream))
    outlet.begin_after(1)
    await settle()
    outbox.raws += [bytes((3,)), bytes((4,)), bytes((5,))]
    outlet.announce([said(4)])
    outlet.announce([said(3), said(5)])
    await settle()
    assert stream.sent == [bytes((number,)) for number in (2, 3, 4, 5)]
    pouring.cancel()


async def test_a_new_hail_while_the_outbox_is_read_skips_nothing() -> None:
    outbox, stream = Outbox(6), Stream()
    outlet = Outlet(outbox)
    pouring = asyncio.ensure_future(outlet.pour(stream))
    outbox.gate.clear()
    outlet.begin_after(3)
    await settle()
    outlet.begin_after(-1)
    outbox.gate.set()
    await settle()
    assert stream.sent == outbox.raws
    pouring.cancel()


async def test_more_than_fits_in_memory_comes_from_the_outbox() -> None:
    outbox, stream = Outbox(MOST_FRESH + 50), Stream()
    outlet = Outlet(outbox)
    outlet.announce([said(number) for number in range(MOST_FRESH + 50)])
    pouring = asyncio.ensure_future(outlet.pour(stream))
    outlet.begin_after(-1)
    await settle()
    assert stream.sent == outbox.raws
    outlet.end()
    outbox.raws.append(b"x")
    outlet.announce([said(MOST_FRESH + 50)])
    await settle()
    assert stream.sent == outbox.raws[:-1]
    pouring.cancel()


async def test_what_is_told_together_goes_out_in_one_write() -> None:
    """A receipt and the one that it supersedes: one wake-up and one commit at the core, instead of two."""
    outbox = Outbox(2)
    writes: list[int] = []

    class Counting(Stream):
        async def send_all(self, raws: Sequence[bytes]) -> None:
            writes.append(len(raws))
            await super().send_all(raws)

    outlet, stream = Outlet(outbox), Counting()
    pouring = asyncio.ensure_future(outlet.pour(stream))
    outlet.begin_after(1)
    await settle()
    outbox.raws += [bytes((2,)), bytes((3,)), bytes((4,))]
    outlet.announce([said(2), said(3), said(4)])
    await settle()
    assert (stream.sent, writes) == (outbox.raws[2:], [3])
    pouring.cancel()
