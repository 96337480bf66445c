"""The Responses that an event engine owes, as a duty: one document for each managed device, under its LFDI.

The engine's outbox is the durable queue: an entry leaves it only when the server took the Response or refused it for
good (4xx: given up and told). Of one event at one device only the oldest is offered, so that 1 comes before 2 before 3
and none overtakes another, however long the server was away. createdDateTime is that of the moment, not of the sending.
Each function set has its own such duty, and writes its own kind of Response.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.engine.inputs import Control
from wattseal.protocols.ieee2030_5.engine.state import Event, Owed, State
from wattseal.protocols.ieee2030_5.response import DERControlResponse, Response
from wattseal.protocols.ieee2030_5.vocabulary import DERMode, DERMode2, ResponseStatus

Write: TypeAlias = Callable[[Owed, bytes, Control | None], Response | None]
"""The document of a Response that the device of an LFDI owes for an event (None: forgotten since); None: no word."""

OFFERED_MOST: Final = 64
"""How many are offered at a time: a document is written only when it is about to go."""


class Responses:
    """The duty. The session shows it the engine's state (`owe`) and takes from it what was settled (`delivered`)."""

    def __init__(self, config: ClientConfig, name: str, write: Write) -> None:
        self.name: Final = name
        self._config = config
        self._write = write
        self._outbox: tuple[Owed, ...] = ()
        self._events: Mapping[bytes, Event] = {}
        self._delivered: list[tuple[int, bytes]] = []

    def owe(self, state: State) -> bool:
        """The engine's state as it stands; True if its outbox is another than before.

        What this set does not say is as good as delivered.
        """
        other, self._outbox = state.outbox is not self._outbox, state.outbox
        self._events = state.events
        if other:
            silent = (owed for owed in self._outbox if self._write(owed, owed.lfdis[0], None) is None)
            self._delivered += [(owed.serial, lfdi) for owed in silent for lfdi in owed.lfdis]
        return other

    def delivered(self) -> tuple[tuple[int, bytes], ...]:
        """(serial, LFDI) of what was settled since it was last asked, to be taken out of the outbox."""
        found, self._delivered = tuple(self._delivered), []
        return found

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:  # noqa: ARG002 - a duty's signature
        """The oldest of each event and device, at most `OFFERED_MOST` at a time."""
        begun: set[tuple[bytes, bytes]] = set()
        found: list[Errand] = []
        for owed in self._outbox:
            for lfdi in owed.lfdis:
                if (owed.subject, lfdi) in begun:
                    continue
                begun.add((owed.subject, lfdi))
                errand = self._errand(owed, lfdi)
                if errand is not None:
                    found.append(errand)
                if len(found) == OFFERED_MOST:
                    return tuple(found)
        return tuple(found)

    def wake_at(self, now: int) -> int | None:  # noqa: ARG002 - a duty's signature
        """Never by the clock: the engine says when."""
        return None

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:  # noqa: ARG002 - the same
        """Taken, or refused for good."""
        _, serial, lfdi, subject = errand.key
        self._delivered.append((int(serial), bytes.fromhex(lfdi)))
        return (Told("response", subject, errand.request.href, errand.request.body, answer.status),)

    def dump(self) -> bytes:
        """Nothing: the outbox is part of the engine's state."""
        return b""

    def load(self, data: bytes) -> None:
        """Nothing to load."""

    def _errand(self, owed: Owed, lfdi: bytes) -> Errand | None:
        event = self._events.get(owed.subject)
        document = self._write(owed, lfdi, None if event is None else event.control)
        if document is None:
            return None
        key = (self.name, str(owed.serial), lfdi.hex(), owed.subject.hex().upper())
        return Errand(key, Request(Method.POST, owed.reply_to, encode(document, self._config.profile)))


def der_writer(config: ClientConfig) -> Write:
    """Writes the Responses to DERControls."""
    responds_modes = E2023 in config.profile.speaks
    return lambda owed, lfdi, _: response_of(owed, lfdi, responds_modes=responds_modes)


def response_of(owed: Owed, lfdi: bytes, *, responds_modes: bool) -> DERControlResponse:
    """The document; `responds_modes`: with the modes that it is about (2023)."""
    first = _bits(owed.modes, DERMode) if responds_modes else 0
    second = _bits(owed.modes, DERMode2) if responds_modes else 0
    return DERControlResponse(
        created_date_time=owed.created_at,
        end_device_lfdi=lfdi.hex().upper(),
        status=ResponseStatus(int(owed.status)),
        subject=owed.subject.hex().upper(),
        modes_responded=first or None,
        modes_responded2=second or None,
    )


def _bits(modes: tuple[str, ...], bits: type[DERMode | DERMode2]) -> int:
    """The bits whose names are those of the modes, but for case and underscores."""
    named = {one.name.replace("_", ""): int(one) for one in bits if one.name is not None}
    return sum(named.get(mode.removeprefix("opMod").upper(), 0) for mode in set(modes))
