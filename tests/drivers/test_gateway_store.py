"""The gateway's database: the chain, the outbox, and what is given up when the disk is full, in which order."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from wattseal.certs import cbor
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.errors import PeerError
from wattseal.certs.keys import FileSigner
from wattseal.certs.statement import Kind
from wattseal.certs.storage import StorageFullError
from wattseal.drivers.device import WriteStep
from wattseal.drivers.gate.memory import Mark
from wattseal.drivers.gateway.rows import CommandRow, CommandState, StepState
from wattseal.drivers.gateway.store import GatewayStore, Pressure
from wattseal.drivers.gateway.testifying import Frames, Said, Scribe
from wattseal.drivers.testimony import Gap, Phase

NOW = Instant(1_800_000_000_000, 50.0, ClockQuality.TRUSTED)
COMMAND = b"c" * 32
STEPS = (WriteStep(0, 1, 40_310, (1, 2, 3), "setpoint"), WriteStep(1, 1, 40_309, (1,), "enable"))


@pytest.fixture
def scribe() -> Scribe:
    return Scribe(FileSigner(ec.generate_private_key(ec.SECP256R1())), "gw-1")


@pytest.fixture
def open_store(tmp_path: Path, scribe: Scribe) -> Iterator[Callable[..., GatewayStore]]:
    opened: list[GatewayStore] = []

    def opener(**options) -> GatewayStore:
        for store in opened:
            store.close()
        opened.append(GatewayStore.open(tmp_path / "gateway.db", scribe, "gw-1", **({"reserve_bytes": 0} | options)))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


def receipt(body: bytes = b"\xa0") -> Said:
    return Said(Kind.RECEIPT, "battery", body, (COMMAND,), NOW)


def reading(at: Instant = NOW) -> Said:
    return Said(Kind.READING, "battery", b"\xa0", (), at)


def frames() -> Frames:
    digest = os.urandom(32)
    return Frames(digest, os.urandom(1500))


async def test_the_chain_goes_on_over_restarts(open_store: Callable[..., GatewayStore]) -> None:
    """Numbers from 0, each naming the digest of the one before."""
    store = open_store()
    said = list(await store.say((receipt(), receipt())))
    store = open_store()
    said += await store.say((receipt(),))
    assert [one.header.chain for one in said] == [(0, bytes(32)), (1, said[0].digest), (2, said[1].digest)]
    assert store.found().head == 2


async def test_the_outbox_keeps_what_the_core_does_not_hold(open_store: Callable[..., GatewayStore]) -> None:
    store = open_store()
    said = await store.say((receipt(), receipt(), receipt()))
    await store.hold(-1)
    assert await store.outbox_after(-1) == tuple(enumerate(one.raw for one in said))
    await store.hold(1)
    assert await store.outbox_after(-1) == ((2, said[2].raw),)
    with pytest.raises(PeerError, match="held_ahead"):
        await store.hold(3)


async def test_marks_commands_steps_and_counters_are_found_again(open_store: Callable[..., GatewayStore]) -> None:
    store = open_store()
    mark = Mark(bytes(range(16)), 7, 3)
    row = CommandRow(COMMAND, "battery", b"raw", 3000)
    await store.consume(mark, row)
    assert await store.plan(COMMAND, Phase.COMMAND, STEPS, timer_seconds=60) == 0
    await store.book(reading(), frames(), "battery", (("energy_injected_wh", 5000),))
    store = open_store()
    found = store.found()
    assert (found.mark, found.floor) == (mark, 1_800_000_000)
    assert found.commands == (CommandRow(COMMAND, "battery", b"raw", 3000, CommandState.ACCEPTED, 60),)
    assert found.counters == (("battery", "energy_injected_wh", 5000),)
    steps = await store.steps()
    assert [(step.address, step.words, step.state) for step in steps] == [
        (40_310, (1, 2, 3), StepState.PLANNED),
        (40_309, (1,), StepState.PLANNED),
    ]
    await store.say((receipt(),), moves=((COMMAND, CommandState.ENDED),))
    assert store.found().commands == ()


async def test_each_try_to_revert_has_rows_of_its_own(open_store: Callable[..., GatewayStore]) -> None:
    store = open_store()
    await store.consume(Mark(bytes(16), 1, 1), CommandRow(COMMAND, "battery", b"raw", 0))
    assert [await store.plan(COMMAND, Phase.REVERT, STEPS) for _ in range(3)] == [0, 1, 2]
    assert len(await store.steps()) == 6


async def test_an_ended_command_stays_ended(open_store: Callable[..., GatewayStore]) -> None:
    store = open_store()
    await store.consume(Mark(bytes(16), 1, 1), CommandRow(COMMAND, "battery", b"raw", 0))
    await store.say((), moves=((COMMAND, CommandState.ENDED), (COMMAND, CommandState.LIVE)))
    assert store.found().commands == ()


async def test_raw_frames_are_kept_by_their_digest(open_store: Callable[..., GatewayStore]) -> None:
    store = open_store()
    kept = frames()
    await store.book(reading(), kept, "battery", ())
    assert await store.frames(kept.digest) == kept.raw
    assert await store.frames(bytes(32)) is None


async def test_the_floor_rises_only_with_a_trusted_clock(open_store: Callable[..., GatewayStore]) -> None:
    store = open_store()
    await store.say((Said(Kind.RECEIPT, "battery", b"\xa0", (), Instant(9 * 10**12, 1.0, ClockQuality.HOLDOVER)),))
    assert store.found().floor == 0
    await store.say((receipt(),))
    await store.say((Said(Kind.RECEIPT, "battery", b"\xa0", (), Instant(10**12, 1.0, ClockQuality.TRUSTED)),))
    assert store.found().floor == 1_800_000_000


async def test_a_full_disk_gives_up_frames_then_readings_and_last_of_all_what_must_be_said(
    open_store: Callable[..., GatewayStore],
) -> None:
    """Raw frames, then fine data, then orders that raise power; reverts and receipts come out of the reserve."""
    store = open_store(reserve_bytes=40_960, max_pages=60)
    levels = [store.pressure]
    booked = 0
    body = cbor.encode({1: bytes(1000)})
    for second in range(1000):
        at = Instant(NOW.unix_ms + second * 1000, 50.0 + second, ClockQuality.TRUSTED)
        said = Said(Kind.READING, "battery", body, (), at)
        booked += await store.book(said, frames(), "battery", ()) is not None
        if store.pressure is not levels[-1]:
            levels.append(store.pressure)
        if store.storage_low:
            break
    assert levels == [Pressure.NONE, Pressure.RAW_FRAMES, Pressure.READINGS]
    assert booked > 20
    await store.consume(Mark(bytes(16), 1, 1), CommandRow(COMMAND, "battery", b"raw", 0))
    assert await store.plan(COMMAND, Phase.REVERT, STEPS) == 0
    (said,) = await store.say((receipt(),))
    assert await store.book(reading(), frames(), "battery", ()) is None
    assert await store.recover(NOW) == ()
    await store.hold(said.header.chain[0])
    gaps = [Gap.decode(one.body) for one in await store.recover(NOW)]
    assert {(gap.what, gap.reason) for gap in gaps} == {
        ("raw_frames", "storage_full"),
        ("readings", "storage_full"),
    }
    counts = {gap.what: gap.count for gap in gaps}
    assert counts == {"readings": 2, "raw_frames": booked}
    assert not store.storage_low
    assert await store.book(reading(), frames(), "battery", ()) is not None


async def test_what_cannot_even_be_said_out_of_the_reserve_is_counted(
    open_store: Callable[..., GatewayStore],
) -> None:
    store = open_store(max_pages=40)

    async def say_until_full() -> None:
        for _ in range(400):
            await store.say((receipt(),))

    with pytest.raises(StorageFullError):
        await say_until_full()
    number = -1
    while batch := await store.outbox_after(number):
        number = batch[-1][0]
    await store.hold(number)
    (gap,) = [Gap.decode(one.body) for one in await store.recover(NOW)]
    assert (gap.what, gap.count) == ("receipts", 1)
    (following,) = await store.say((receipt(),))
    assert following.header.chain[0] == number + 2


async def test_a_start_without_room_for_the_reserve_is_short_from_the_beginning(
    open_store: Callable[..., GatewayStore],
) -> None:
    store = open_store(reserve_bytes=400_000, max_pages=60)
    assert store.storage_low
    assert await store.book(reading(), frames(), "battery", ()) is None
    (said,) = await store.say((receipt(),))
    assert said.header.chain[0] == 0
