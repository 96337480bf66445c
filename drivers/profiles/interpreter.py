"""A profile and a link make a device. The only I/O of the profile rooms starts here; there is no class per product.

The chain of SunSpec models is found once and kept; each later read proves it by the headers in its own answer, and
`layout_changed` makes the next `capabilities` look again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from wattseal.drivers.device import (
    Adoption,
    AdoptionError,
    Capabilities,
    DeviceState,
    Function,
    Identity,
    Layout,
    LayoutError,
    PlannedWrites,
    Scope,
    Verdict,
    Wish,
    WriteStep,
)
from wattseal.drivers.modbus.exchange import Exchange, RegisterLink
from wattseal.drivers.modbus.link import LinkSettings
from wattseal.drivers.profiles import canonical, planning, reading, verdict
from wattseal.drivers.profiles.declaration import Profile, Window
from wattseal.drivers.profiles.picture import Picture, read_windows
from wattseal.drivers.sunspec.discovery import counts_at, discover

_ADOPTING: Final = 0
_ADOPTED: Final = 1


class ProfiledDevice:
    """A `Device`: one unit on a link, driven by a profile. `pause` lets seconds pass while an adoption is awaited."""

    def __init__(
        self,
        profile: Profile,
        link: RegisterLink,
        unit: int | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.pause = pause
        self._profile = profile
        self._link = link
        self._unit = profile.transport.unit if unit is None else unit
        self._layout: Layout | None = None
        self._digest = canonical.digest(profile)

    @property
    def profile_digest(self) -> bytes:
        """SHA-256 of the profile's canonical form."""
        return self._digest

    async def identify(self) -> Identity:
        """Who the device says it is. Raises `LayoutError` (`model_missing`, `identity_mismatch`)."""
        return reading.identity_in(self._profile, await self._read_found(self._profile.identity_windows))

    async def capabilities(self) -> Capabilities:
        """What the device can do, read afresh; its models are looked for again if they have moved."""
        picture = await self._read_found(self._profile.rating_windows)
        return reading.capabilities_in(self._profile, await self._found(), picture)

    async def read_state(
        self, capabilities: Capabilities, scope: Scope = Scope.FULL, functions: frozenset[Function] | None = None
    ) -> DeviceState:
        """One picture of the device, from the windows of that scope that some of `functions` needs."""
        windows = tuple(
            window
            for window in self._profile.windows
            if scope in window.scopes and (functions is None or not window.of or functions.intersection(window.of))
        )
        try:
            picture = await read_windows(self._link, self._profile, capabilities.layout, windows)
        except LayoutError:
            self._layout = None
            raise
        return reading.state_in(self._profile, capabilities, picture)

    def steps_for(self, capabilities: Capabilities, wish: Wish, shown: DeviceState | None = None) -> PlannedWrites:
        """The frames that carry out `wish`; pure."""
        return planning.steps_for(self._profile, capabilities, wish, shown)

    async def write(self, step: WriteStep) -> Exchange:
        """Send one step, once."""
        return await self._link.write(step.unit, step.address, step.words)

    async def adopted(self, adoption: Adoption) -> tuple[Exchange, ...]:
        """Ask, with a pause before each question, until the device says that it is done, or has failed."""
        exchanges: list[Exchange] = []
        for _ in range(max(1, adoption.wait_seconds * 1000 // adoption.poll_ms)):
            await self.pause(adoption.poll_ms / 1000)
            exchanges.append(await self._link.read(adoption.unit, adoption.address, 1))
            (result,) = exchanges[-1].words
            if result == _ADOPTED:
                return tuple(exchanges)
            if result != _ADOPTING:
                raise AdoptionError(
                    "adoption_failed", f"The device refused what it was asked to adopt ({result}).", tuple(exchanges)
                )
        raise AdoptionError(
            "adoption_not_finished",
            f"The device was still adopting after {adoption.wait_seconds} s; look at what it holds.",
            tuple(exchanges),
        )

    def verify(
        self, planned: PlannedWrites, before: DeviceState | None, after: DeviceState, *, settled: bool
    ) -> Verdict:
        """What became of the writes; pure."""
        return verdict.verify(planned, before, after, settled=settled)

    async def _read_found(self, windows: tuple[Window, ...]) -> Picture:
        """Read windows where the models are; if they have moved since they were found, find them again, once."""
        known = self._layout is not None
        try:
            return await read_windows(self._link, self._profile, await self._found(), windows)
        except LayoutError:
            self._layout = None
            if not known:
                raise
        return await read_windows(self._link, self._profile, await self._found(), windows)

    async def _found(self) -> Layout:
        if self._layout is not None:
            return self._layout
        if not self._profile.identity.models:
            self._layout = Layout(self._unit)
            return self._layout
        chain = await discover(self._link, self._unit)
        missing = [str(model) for model in self._profile.identity.models if not chain.of(model)]
        if missing:
            raise LayoutError(
                "model_missing",
                f"Unit {self._unit} has no SunSpec model {', '.join(missing)}{' (' * bool(chain.fault)}{chain.fault}"
                f"{')' * bool(chain.fault)}; choose another profile.",
            )
        wanted = {command.model for command in self._profile.curves}
        curves = [place for place in chain.models if place.model in wanted]
        counts = [(place.model, await counts_at(self._link, self._unit, place)) for place in curves]
        self._layout = Layout(self._unit, chain.models, counts=tuple(counts))
        return self._layout


def link_settings(profile: Profile, host: str, port: int | None = None) -> LinkSettings:
    """How the profile wants its endpoint to be treated."""
    transport = profile.transport
    return LinkSettings(
        host=host,
        port=transport.port if port is None else port,
        deadline=transport.deadline_ms / 1000,
        connect_delay=transport.connect_delay_ms / 1000,
        gap=transport.gap_ms / 1000,
        write_gap=transport.write_interval_ms / 1000,
    )
