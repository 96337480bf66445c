"""One link per endpoint, however many units and profiles want it: many devices take only one connection.

Where they disagree, the gentlest wish holds: the longest pause, the longest deadline.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from wattseal.drivers.modbus.link import LinkSettings, ModbusLink

Endpoint: TypeAlias = tuple[str, int]


def shared_links(
    wanted: Iterable[LinkSettings], make: Callable[[LinkSettings], ModbusLink] = ModbusLink
) -> Mapping[Endpoint, ModbusLink]:
    """A link for each (host, port) in `wanted`, unopened; run each one's `supervise` where the tasks are held."""
    merged: dict[Endpoint, LinkSettings] = {}
    for settings in wanted:
        endpoint = (settings.host, settings.port)
        known = merged.get(endpoint)
        merged[endpoint] = settings if known is None else _gentlest(known, settings)
    return {endpoint: make(settings) for endpoint, settings in merged.items()}


def _gentlest(one: LinkSettings, other: LinkSettings) -> LinkSettings:
    return replace(
        one,
        deadline=max(one.deadline, other.deadline),
        connect_deadline=max(one.connect_deadline, other.connect_deadline),
        connect_delay=max(one.connect_delay, other.connect_delay),
        gap=max(one.gap, other.gap),
        write_gap=max(one.write_gap, other.write_gap),
        backoff_first=max(one.backoff_first, other.backoff_first),
        backoff_most=max(one.backoff_most, other.backoff_most),
    )
