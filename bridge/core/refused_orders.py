"""Which orders of a utility's events the devices do not carry out, as the gateway's receipts say. Pure.

The utility was told that its event was received and that it started; no Response takes that back. So what a device
refused when it was ordered goes home by itself (a LogEvent), with the receipt that it rests on.
"""

from collections.abc import Iterable, Iterator

from wattseal.bridge.core.memory import Memory
from wattseal.bridge.function_plan import order_value
from wattseal.bridge.timeline import in_force
from wattseal.drivers.commands import Function, Seat
from wattseal.drivers.operations import FUNCTION_OF
from wattseal.protocols.grid_event import Point
from wattseal.protocols.wish import Wish


def refused_orders(memory: Memory, utility: str, devices: Iterable[str], now: int) -> dict[str, dict[str, bool]]:
    """By device and function: whether an order for what this utility asks for now is not carried out.

    Functions of which no receipt was heard since the start are not named: of them nothing is known.
    """
    ours = tuple(devices)
    asked = frozenset(_asked(memory, utility, ours, now))
    found: dict[str, dict[str, bool]] = {}
    for seat, refusal in memory.refusals.items():
        if seat.device in ours:
            found.setdefault(seat.device, {})[str(seat.function)] = refusal is not None and seat in asked
    return found


def receipts_of(memory: Memory, device: str) -> tuple[bytes, ...]:
    """The receipts by which orders of a device are not carried out now."""
    return tuple(one.receipt for seat, one in sorted(memory.refusals.items()) if one and seat.device == device)


def _asked(memory: Memory, utility: str, devices: tuple[str, ...], now: int) -> Iterator[Seat]:
    mine = (timed for timed in memory.events.values() if timed.event.origin.utility == utility)
    for active in in_force(mine, now):
        where = devices if active.course.point is Point.SITE else active.course.devices
        yield from (Seat(device, _function_of(active.wish)) for device in where)


def _function_of(wish: Wish) -> Function:
    asked = order_value(wish)
    return Function.POWER if asked is None else FUNCTION_OF[asked[0]]
