"""DERCapability, DERSettings, DERStatus and DERAvailability of every device, put to the DER that its EndDevice links.

    capability    at the start, when it changes, when it moved, and once a day
    settings      the same, and when a DefaultDERControl changed one
    status        every EndDevice.postRate (else 300 s), at once when a state or an alarm changed
    availability  every postRate

One document of one DER is under way at a time, in this order: servers were seen to lose one of two that came together
(envoy #361). What was refused rests until it changes, or for its period. Nothing is on disk: after a restart all of it
is told anew, which is what the server wants to know then. Which words are written is `der_documents.py`'s matter.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.client.config import ClientConfig, Managed
from wattseal.protocols.ieee2030_5.client.duties.der_documents import (
    InForceSettings,
    availability_of,
    capability_of,
    settings_of,
)
from wattseal.protocols.ieee2030_5.client.duties.der_status import Since, is_known, status_of, urgent_of
from wattseal.protocols.ieee2030_5.client.duties.surroundings import (
    DEFAULT_POST_SECONDS,
    MayServe,
    der_of,
    device_at,
    everybody,
    post_seconds,
    server_time,
)
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.der_status import DERCapability, DERSettings

RETOLD_SECONDS: Final = 86_400
"""How often nameplate and settings are told again unchanged: a server that lost them gets them back."""
_REMEMBERED_OFFERS: Final = 4


class Document(StrEnum):
    """The documents of a DER, in the order in which they are told."""

    CAPABILITY = "capability"
    SETTINGS = "settings"
    STATUS = "status"
    AVAILABILITY = "availability"


_PERIODIC: Final = frozenset({Document.STATUS, Document.AVAILABILITY})


@dataclass(frozen=True, slots=True)
class _Telling:
    """What was told, or is about to be: where, what of it counts as news, on which beat, measured when."""

    href: str
    news: object
    beat: int
    measured_at: int = 0


@dataclass(slots=True)
class _Memory:
    """What is known and told of one device. `under_way`: the document that waits for its answer, `offered` the errand
    for it that was given out last, `offers` what each of its bodies tells. `capability` and `settings` (without their
    time) are made when they change: with a thousand devices `due` must not make them each time.
    """

    device: Managed
    capability: DERCapability
    settings: DERSettings
    in_force: InForceSettings = field(default_factory=InForceSettings)
    changed_at: int | None = None
    measured: Measured | None = None
    since: Since = field(default_factory=Since)
    told: dict[Document, _Telling] = field(default_factory=dict)
    under_way: Document | None = None
    offered: Errand | None = None
    offers: dict[bytes, _Telling] = field(default_factory=dict)
    period_seconds: int = DEFAULT_POST_SECONDS


class DerReports:
    """The duty."""

    name: Final = "der"

    def __init__(self, config: ClientConfig, may_serve: MayServe = everybody) -> None:
        self._config = config
        self._may_serve = may_serve
        self._memories = {
            device.name: _Memory(
                device,
                capability_of(device, config.profile),
                settings_of(device, InForceSettings(), config.profile, 0),
            )
            for device in config.devices
        }

    def take(self, measured: Measured) -> None:
        """A new look at a device; that of the site and one that is older than what is known are passed over."""
        memory = self._memories.get(measured.device)
        if memory is not None and (memory.measured is None or measured.at >= memory.measured.at):
            memory.measured = measured
            memory.since.see(memory.device, measured)

    def put_settings(self, device: str, in_force: InForceSettings, now: int) -> None:
        """The settings of a device as they are in force now: after a default control or site staff changed them."""
        memory = self._memories[device]
        if in_force != memory.in_force:
            memory.in_force, memory.changed_at = in_force, now
            memory.settings = settings_of(memory.device, in_force, self._config.profile, 0)

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """At most one document of each DER."""
        found = (
            self._due(device, device_at(survey, device.lfdi, self._may_serve), survey, now)
            for device in self._config.devices
        )
        return tuple(errand for errand in found if errand is not None)

    def wake_at(self, now: int) -> int | None:
        """The next beat of a status or an availability, the next day of the rest."""
        beats = (
            telling.beat + (memory.period_seconds if document in _PERIODIC else RETOLD_SECONDS)
            for memory in self._memories.values()
            for document, telling in memory.told.items()
        )
        return min((at for at in beats if at > now), default=None)

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:  # noqa: ARG002 - the seam's
        """A document was taken or refused."""
        _, name, kind = errand.key
        memory, document = self._memories[name], Document(kind)
        telling = memory.offers.get(errand.request.body)
        if telling is not None:
            memory.told[document] = telling
        memory.under_way = None
        memory.offers.clear()
        return (Told(kind, name, errand.request.href, errand.request.body, answer.status),)

    def dump(self) -> bytes:
        """Nothing that outlives a restart."""
        return b""

    def load(self, data: bytes) -> None:
        """Nothing to load."""

    def _due(self, device: Managed, read: DeviceRead | None, survey: Survey, now: int) -> Errand | None:
        memory = self._memories[device.name]
        hrefs = _hrefs(read)
        if read is None or not hrefs:
            return None
        memory.period_seconds = post_seconds(read.end_device.post_rate)
        if memory.changed_at is None:
            memory.changed_at = now
        if memory.under_way not in hrefs:
            memory.under_way = None
            memory.offers.clear()
        for document in Document if memory.under_way is None else (memory.under_way,):
            offer = self._telling(document, hrefs[document], memory, survey, now) if document in hrefs else None
            if offer is not None:
                return self._offer(device, document, memory, *offer)
        # What changed and changed back is sent all the same: nobody knows whether it has left already.
        return None if memory.under_way is None else memory.offered

    def _telling(
        self, document: Document, href: str, memory: _Memory, survey: Survey, now: int
    ) -> tuple[msgspec.Struct, _Telling] | None:
        match document:
            case Document.CAPABILITY:
                return self._capability(href, memory, now)
            case Document.SETTINGS:
                return self._settings(href, memory, survey, now)
            case Document.STATUS:
                return self._status(href, memory, survey, now)
            case Document.AVAILABILITY:
                return self._availability(href, memory, survey, now)

    def _offer(
        self, device: Managed, document: Document, memory: _Memory, body: msgspec.Struct, telling: _Telling
    ) -> Errand:
        """What is offered stays remembered by its bytes: the answer may come after a newer one was offered."""
        data = encode(body, self._config.profile)
        memory.under_way = document
        memory.offers[data] = telling
        while len(memory.offers) > _REMEMBERED_OFFERS:
            del memory.offers[next(iter(memory.offers))]
        memory.offered = Errand((self.name, device.name, document.value), Request(Method.PUT, telling.href, data))
        return memory.offered

    def _capability(self, href: str, memory: _Memory, now: int) -> tuple[msgspec.Struct, _Telling] | None:
        telling = _Telling(href, memory.capability, now)
        return (memory.capability, telling) if _changed(memory.told.get(Document.CAPABILITY), telling) else None

    def _settings(self, href: str, memory: _Memory, survey: Survey, now: int) -> tuple[msgspec.Struct, _Telling] | None:
        telling = _Telling(href, memory.settings, now)
        if not _changed(memory.told.get(Document.SETTINGS), telling):
            return None
        updated = server_time(survey, now if memory.changed_at is None else memory.changed_at)
        return msgspec.structs.replace(memory.settings, updated_time=updated), telling

    def _status(self, href: str, memory: _Memory, survey: Survey, now: int) -> tuple[msgspec.Struct, _Telling] | None:
        measured = memory.measured
        telling = self._beat(Document.STATUS, href, memory, now)
        if measured is None or telling is None:
            return None
        body = status_of(memory.device, measured, self._config.profile, memory.since, server_time(survey, 0))
        return (body, telling) if is_known(body) else None

    def _availability(
        self, href: str, memory: _Memory, survey: Survey, now: int
    ) -> tuple[msgspec.Struct, _Telling] | None:
        measured = memory.measured
        telling = self._beat(Document.AVAILABILITY, href, memory, now)
        if measured is None or telling is None:
            return None
        body = availability_of(measured, self._config.profile, server_time(survey, measured.at))
        return None if body is None else (body, telling)

    @staticmethod
    def _beat(document: Document, href: str, memory: _Memory, now: int) -> _Telling | None:
        """The telling that is due: on the beat with something newly measured, off the beat with news."""
        measured, told = memory.measured, memory.told.get(document)
        if measured is None:
            return None
        news = urgent_of(measured) if document is Document.STATUS else None
        if told is None or told.href != href:
            return _Telling(href, news, now, measured.at)
        passed = (now - told.beat) // memory.period_seconds
        if (passed < 1 or measured.at <= told.measured_at) and news == told.news:
            return None
        return _Telling(href, news, told.beat + max(passed, 0) * memory.period_seconds, measured.at)


def _changed(told: _Telling | None, telling: _Telling) -> bool:
    return (
        told is None
        or (told.href, told.news) != (telling.href, telling.news)
        or telling.beat >= told.beat + RETOLD_SECONDS
    )


def _hrefs(read: DeviceRead | None) -> dict[Document, str]:
    """Where each document of the device's DER is put."""
    der = der_of(read)
    if der is None:
        return {}
    links = {
        Document.CAPABILITY: der.der_capability_link,
        Document.SETTINGS: der.der_settings_link,
        Document.STATUS: der.der_status_link,
        Document.AVAILABILITY: der.der_availability_link,
    }
    return {document: link.href for document, link in links.items() if link is not None}
