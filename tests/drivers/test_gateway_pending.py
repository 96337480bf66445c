"""A command counts for the gate from its acceptance on: while it waits, while it is written, until it is noted."""

from types import SimpleNamespace

from wattseal.drivers.commands import Operation, Order
from wattseal.drivers.gateway.attester import Attester
from wattseal.drivers.gateway.executor import Work
from wattseal.drivers.gateway.receipts import Live
from wattseal.drivers.gateway.worker import Worker


def work(operation, watts):
    order = Order("battery", operation, watts, 0, 0, (Operation.RELEASE, 0), 0, bytes(32))
    return Work(Live(bytes(32), order, watts), None)


def new_worker():
    bench = SimpleNamespace(
        store=SimpleNamespace(storage_low=False),
        leases=None,
        clock=SimpleNamespace(now=lambda: SimpleNamespace(monotonic=5.0)),
        announce=None,
        envelope=None,
        local=None,
    )
    station = SimpleNamespace(row=SimpleNamespace(device="battery", sampling_seconds=1), fault=None)
    return Worker(bench, station, Attester.__new__(Attester))


def test_what_an_earlier_run_left_open_is_pending_until_it_was_looked_at():
    worker = new_worker()
    worker.restore((work(Operation.SET_POWER, 3000).live,), 60.0)
    assert worker.facts(5.0).pending == ((Operation.SET_POWER, 3000),)


async def test_what_waits_and_what_is_being_written_is_pending():
    worker = new_worker()
    assert worker.facts(5.0).pending == ()
    worker.enqueue(work(Operation.SET_POWER, 3000))
    worker.enqueue(work(Operation.RELEASE, 0))
    assert worker.facts(5.0).pending == ((Operation.SET_POWER, 3000), (Operation.RELEASE, 0))
    seen = []

    async def carry_out(_newest, _older):
        worker.enqueue(work(Operation.LIMIT_ABSORB, 10))
        seen.append(worker.facts(5.0).pending)

    worker.executor.carry_out = carry_out
    await worker.turn()
    assert seen == [((Operation.RELEASE, 0), (Operation.LIMIT_ABSORB, 10))]
    assert worker.facts(5.0).pending == ((Operation.LIMIT_ABSORB, 10),)
