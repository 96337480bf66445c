"""What the session asks of those duties that can answer it, beside `Duty` itself. A duty need have none of these."""

from typing import Protocol, runtime_checkable

from wattseal.protocols.ieee2030_5.client.happenings import Happening
from wattseal.protocols.ieee2030_5.subscription import Notification


@runtime_checkable
class Warden(Protocol):
    """Knows which devices are ours to act for, as of the survey that it was last shown."""

    def may_serve(self, lfdi: bytes) -> bool:
        """False: disabled, deleted, or the PIN differs; the device is as good as absent."""
        ...


@runtime_checkable
class Newsbearer(Protocol):
    """Finds things out by looking at the survey."""

    def news(self) -> tuple[Happening, ...]:
        """What it found out since it was last asked."""
        ...


@runtime_checkable
class SubscriptionDesk(Protocol):
    """Keeps the subscriptions: each has a path of its own at our listener."""

    def alive(self, href: str, now: int) -> bool:
        """Whether a living subscription tells of this address, so that it need not be polled. `now`: unix seconds."""
        ...

    def matched(self, path: str) -> str | None:
        """The address that is subscribed to under a path of our listener; None: no such subscription."""
        ...

    def notified(self, path: str, notification: Notification, now: int) -> object:
        """A notification came and was understood; a status other than default ends the subscription."""
        ...

    def refused(self, path: str, now: int) -> str | None:
        """A notification to a path was refused, which ends its subscription at the server; the address it was of."""
        ...


@runtime_checkable
class ReservationDesk(Protocol):
    """Asks for flow reservations, and knows which requests are ours."""

    def asked(self, lfdi: bytes, subject: str) -> bool:
        """Whether the device of this LFDI asked for a reservation under this mRID (upper case)."""
        ...
