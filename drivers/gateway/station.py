"""One device of the inventory as the gateway meets it: who it must be is checked before anything is believed.

After the first connect and after every loss of the connection the device is asked again who it is; one that is not the
pinned one gets no orders and gives no readings. Knows nothing of commands, seals or leases.
"""

from collections.abc import Callable

from wattseal.certs.errors import PeerError
from wattseal.drivers.device import (
    Adoption,
    Capabilities,
    Device,
    DeviceState,
    Function,
    Identity,
    LayoutError,
    Scope,
    WriteStep,
)
from wattseal.drivers.manifest_sections import InventoryRow
from wattseal.drivers.modbus.exchange import DeviceExceptionError, Effect, Exchange, LinkDownError, LinkError


class IdentityError(PeerError):
    """Another device answers than the one the owner pinned (`identity_mismatch`)."""


FAULTS = (LinkError, LayoutError, IdentityError)


class Station:
    """A device that is asked for its identity and its capabilities when they may have changed.

    `connection` gives the number of the link's present connection (None: there is none): what was learnt on another
    one is not believed. `fault` is why the device cannot be used now, None while it can; `fault_at` when it was noted.
    """

    def __init__(
        self, row: InventoryRow, device: Device, monotonic: Callable[[], float], connection: Callable[[], int | None]
    ) -> None:
        self.row = row
        self.device = device
        self._monotonic = monotonic
        self._connection = connection
        self._learnt_on: int | None = None
        self._capabilities: Capabilities | None = None
        self.fault: str | None = None
        self.fault_at = 0.0

    async def ready(self) -> Capabilities:
        """What the pinned device can do. Raises one of `FAULTS`."""
        if self._capabilities is not None and self._known():
            return self._capabilities
        self._capabilities = None
        try:
            _require_pinned(self.row, await self.device.identify())
            self._capabilities = await self.device.capabilities()
        except FAULTS as fault:
            self._note(fault)
            raise
        self._learnt_on = self._connection()
        return self._capabilities

    async def read(self, scope: Scope, functions: frozenset[Function] | None = None) -> DeviceState:
        """One picture of the pinned device, with the controls of `functions` (None: all). Raises one of `FAULTS`."""
        capabilities = await self.ready()
        try:
            state = await self.device.read_state(capabilities, scope, functions)
        except FAULTS as fault:
            self._note(fault)
            raise
        self.fault = None
        return state

    async def write(self, step: WriteStep) -> Exchange:
        """Send one frame, once. Raises `LinkError`; nothing is sent on a connection whose device was not asked."""
        if not self._known():
            raise LinkDownError("link_down", f"The connection to {self.row.device} was lost.", Effect.NONE)
        try:
            return await self.device.write(step)
        except LinkError as fault:
            self._note(fault)
            raise

    async def adopted(self, adoption: Adoption) -> tuple[Exchange, ...]:
        """Wait for what a frame asked for. Raises `LinkError` or `AdoptionError`."""
        try:
            return await self.device.adopted(adoption)
        except LinkError as fault:
            self._note(fault)
            raise

    def _known(self) -> bool:
        return self._learnt_on is not None and self._learnt_on == self._connection()

    def _note(self, fault: LinkError | LayoutError | IdentityError) -> None:
        """A device that answered with an exception is there, and is the same."""
        if isinstance(fault, DeviceExceptionError):
            return
        self.fault, self.fault_at = fault.reason, self._monotonic()
        self._capabilities = None


def _require_pinned(row: InventoryRow, identity: Identity) -> None:
    found = f"{identity.maker}|{identity.model}|{identity.serial}"
    if row.identity and found != row.identity:
        raise IdentityError(
            "identity_mismatch",
            f"{row.device} should be {row.identity}, but {found} answers; look at the wiring, or sign a new manifest.",
        )
