"""What the deck is told of a 2030.5 session, in the order in which it happened."""

from dataclasses import dataclass
from typing import TypeAlias

from wattseal.protocols.ieee2030_5.engine.force import InForce
from wattseal.protocols.ieee2030_5.engine.forecast import Segment
from wattseal.protocols.ieee2030_5.engine.speech import Note

__all__ = [
    "Happening",
    "Heard",
    "MessageRefused",
    "Noted",
    "PricesInForce",
    "Registered",
    "RegistrationRefused",
    "ScheduleChanged",
    "Segment",  # the forecast's: named here for whoever reads happenings
    "Shown",
    "TextsInForce",
    "Told",
    "UtilityAnswers",
    "UtilitySilent",
]


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that brought something new: its bytes, the address it was asked for, and how it came."""

    href: str
    raw: bytes
    pushed: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleChanged:
    """What is and will be in force, whole, as far as `known_until` (None: for good). `heard`: what made it change."""

    segments: tuple[Segment, ...]
    known_until: int | None
    heard: tuple[Heard, ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """A price or a text in force, for these devices (LFDIs); its value is read by `set_values.value_of`."""

    force: InForce
    devices: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PricesInForce:
    """All prices that are in force now. They move no device."""

    prices: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class TextsInForce:
    """All texts that are to be shown now."""

    texts: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """Bytes that could not be taken, or a part of them that was left out; the client goes on with what is sound."""

    href: str
    raw: bytes
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A remark of the event engine, for the log."""

    note: Note


@dataclass(frozen=True, slots=True)
class Registered:
    """The server has an EndDevice for this device of ours. `post_rate_seconds`: how often it wants status."""

    device: str
    href: str
    post_rate_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class RegistrationRefused:
    """The PIN differs, the device is disabled or was deleted, or in-band registration failed: nothing goes on there."""

    device: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Told:
    """The server took (or finally refused) something that we sent: for the record, with the bytes that were sent.

    `kind`: "response", "status", "reading", "log_event", "subscription", ...; `about` names the device or event.
    """

    kind: str
    about: str
    href: str
    sent: bytes
    status: int


@dataclass(frozen=True, slots=True)
class UtilitySilent:
    """The server does not answer; what is stored goes on. `reason` is the rim's, or `http_<status>`."""

    reason: str


@dataclass(frozen=True, slots=True)
class UtilityAnswers:
    """It answers again."""


Happening: TypeAlias = (
    ScheduleChanged
    | PricesInForce
    | TextsInForce
    | MessageRefused
    | Noted
    | Registered
    | RegistrationRefused
    | Told
    | UtilitySilent
    | UtilityAnswers
)
