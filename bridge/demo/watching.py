"""Waiting for what must come, and looking at it: the ledger, the utilities' own doors, the devices' own truth."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from wattseal.bridge.demo.chronicle import Chronicle
from wattseal.certs.errors import WattsealError, WorldError
from wattseal.drivers.simulators.control import ControlClient
from wattseal.protocols.openadr20b.vtn.admin_door import AdminClient

NOISE_WATTS: Final = 100
_LOOK_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 45.0

Condition: TypeAlias = Callable[[], Awaitable[bool]]


class DemoError(WorldError):
    """The story did not go on in time (`demo_stuck`)."""


async def until(holds: Condition, chronicle: Chronicle, what: str) -> None:
    """Reads the ledger onward until `holds`; raises `DemoError` when that takes too long."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                chronicle.read()
                if await holds():
                    return
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise DemoError("demo_stuck", f"Waited {_PATIENCE_SECONDS:.0f} s in vain until {what}.") from error


def first_of(several: ExceptionGroup[Exception]) -> Exception:
    """What a person is told of a group of failures: the first that has a sentence, else the group."""
    for one in several.exceptions:
        found = first_of(one) if isinstance(one, ExceptionGroup) else one
        if isinstance(found, WattsealError):
            return found
    return several


def met(holds: Callable[[], bool]) -> Condition:
    """A condition that needs nobody to be asked."""

    async def condition() -> bool:
        return holds()

    return condition


def seen(chronicle: Chronicle, result: str, least: int) -> Condition:
    """At least so many receipts of that `phase/result`."""
    return met(lambda: chronicle.results().get(result, 0) >= least)


async def watts_of(device: ControlClient) -> int:
    """What the device really injects (negative: absorbs), by its own physics."""
    state: Any = (await device.send(state=True))["state"]
    return round(float(state["watts"]))


def follows(device: ControlClient, watts: int) -> Condition:
    """The device's own truth is near `watts`."""

    async def condition() -> bool:
        return abs(await watts_of(device) - watts) <= NOISE_WATTS

    return condition


async def rows(utility: AdminClient, of: str) -> list[Any]:
    """What the OpenADR utility knows under that name, of all its VENs."""
    by_ven: dict[str, list[Any]] = (await utility.ask("list", of=of))[of]
    return [row for found in by_ven.values() for row in found]


def listed(utility: AdminClient, of: str, least: int) -> Condition:
    """The OpenADR utility knows at least so many of them."""

    async def condition() -> bool:
        return len(await rows(utility, of)) >= least

    return condition


async def opted_in(utility: AdminClient) -> int:
    """How many events the OpenADR utility knows to be opted in to."""
    return sum("optIn" in json.dumps(answer) for answer in await rows(utility, "answers"))
