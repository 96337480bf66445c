"""Being known to the server: our EndDevices are found, or registered in band; PIN and SFDI are compared.

Order of things: the EndDeviceList is read to its end; only a device that a whole list does not hold is posted, and
never again once the server gave its Location. When a device was seen and a later whole list lacks it, the server has
deleted it: it is no longer managed (MAINT-001) and not put back. The LFDI decides who a device is; its SFDI must fit
for our own certificate and is not looked at for managed devices, because labs write those without the check digit.
A PIN that differs ends everything at that server; one that was not read yet lets nothing begin.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from wattseal.certs.identity import sfdi_of
from wattseal.protocols.ieee2030_5.client.config import CATEGORIES, ClientConfig, Managed
from wattseal.protocols.ieee2030_5.client.duties.durable import pack, unpack
from wattseal.protocols.ieee2030_5.client.duties.surroundings import server_time
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Registered, RegistrationRefused, Told
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.csip_aus import ConnectionPoint
from wattseal.protocols.ieee2030_5.editions import AUS

REFUSED_AGAIN_SECONDS: Final = 86_400
"""How long a refused registration rests; then it is asked once more, with a new changedTime."""
_LAYOUT: Final = 1


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What is known of one device. `location`: where the server put it; `seen`: a whole list once held it.

    `refused_at`: when a registration was refused (our seconds). `point`, `point_refused`: the connection point that the
    server has, and the one that it did not take.
    """

    location: str = ""
    seen: bool = False
    refused_at: int | None = None
    point: str = ""
    point_refused: str = ""


class RegistrationState(msgspec.Struct, frozen=True):
    """Entries by LFDI in upper hex; the PIN that the server once confirmed."""

    entries: dict[str, Entry] = {}
    pin_confirmed: int | None = None


@dataclass(frozen=True, slots=True)
class _Objection:
    """Why one device, or with `everything` the whole server, is not served."""

    reason: str
    sentence: str
    everything: bool = False


class Registration:
    """The duty. `news` are what it found out by reading; ask for them after `due`."""

    name: Final = "registration"

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._state = RegistrationState()
        self._objections: dict[str, _Objection] = {}
        self._waiting: frozenset[str] = frozenset()
        self._told: dict[str, Happening] = {}
        self._news: list[Happening] = []

    @property
    def may_proceed(self) -> bool:
        """Whether anything else may go on at this server, as of the survey last looked at.

        False when a PIN differs or our own SFDI is not ours, and while a PIN to be compared was not read.
        """
        return not self._waiting and not any(one.everything for one in self._objections.values())

    def may_serve(self, lfdi: bytes) -> bool:
        """Whether this device is ours to speak for: neither disabled nor deleted."""
        return self.may_proceed and _key(lfdi) not in self._objections

    def forget(self, lfdi: bytes) -> None:
        """Make a device unknown, so that a registration is tried anew: for the operator, after a deletion."""
        self._state = msgspec.structs.replace(
            self._state, entries={key: one for key, one in self._state.entries.items() if key != _key(lfdi)}
        )
        self._told.pop(_key(lfdi), None)

    def news(self) -> tuple[Happening, ...]:
        """What was found out since it was last asked: registered, refused."""
        found, self._news = tuple(self._news), []
        return found

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """Registrations of absent devices, then connection points of those that are there."""
        if survey.devices is None:
            return ()
        self._look(survey.devices)
        if not self.may_proceed:
            return ()
        found = []
        for device in self._config.devices:
            read = survey.devices.get(device.lfdi)
            errand = self._post(device, survey, now) if read is None else self._put_point(device, read)
            if errand is not None:
                found.append(errand)
        return tuple(found)

    def wake_at(self, now: int) -> int | None:
        """When a refused registration may be tried again."""
        rests = [one.refused_at + REFUSED_AGAIN_SECONDS for one in self._entries() if one.refused_at is not None]
        return min((at for at in rests if at > now), default=None)

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        """The server took or refused a device or its connection point."""
        _, what, key = errand.key
        entry = self._state.entries.get(key, Entry())
        device = self._device(key)
        told = Told(what, device, errand.request.href, errand.request.body, answer.status)
        if what == "connection_point":
            point = self._point_of(key)
            change = {"point": point} if answer.good else {"point_refused": point}
            self._put_entry(key, msgspec.structs.replace(entry, **change))
            return (told,)
        if answer.good:
            location = answer.location or errand.request.href
            self._put_entry(key, msgspec.structs.replace(entry, location=location, refused_at=None))
            return (told,)
        self._put_entry(key, msgspec.structs.replace(entry, refused_at=now))
        sentence = (
            f"The server refused to register {device} (HTTP {answer.status}): ask the utility to enrol its LFDI {key}."
        )
        return (told, RegistrationRefused(device, "registration_refused", sentence))

    def dump(self) -> bytes:
        """What the server was told and said."""
        return pack(self._state, _LAYOUT)

    def load(self, data: bytes) -> None:
        """Raises DutyStateError."""
        self._state = unpack(RegistrationState, data, _LAYOUT)

    # What the list says.

    def _look(self, devices: Mapping[bytes, DeviceRead]) -> None:
        """Judge every device of ours by the list, and keep what changed for `news`."""
        self._waiting = frozenset()
        objections: dict[str, _Objection] = {}
        for device in self._config.devices:
            key, read = _key(device.lfdi), devices.get(device.lfdi)
            entry = self._state.entries.get(key, Entry())
            if read is None:
                objection = _absent(device, entry)
            else:
                if not entry.seen:
                    self._put_entry(key, msgspec.structs.replace(entry, seen=True, refused_at=None))
                objection = self._fault(device, read)
            if objection is not None:
                objections[key] = objection
            self._tell(key, device.name, read, objection)
        self._objections = objections

    def _fault(self, device: Managed, read: DeviceRead) -> _Objection | None:
        """What stands against a device that is listed."""
        end_device, ours = read.end_device, device.lfdi == self._config.lfdi
        if ours and end_device.sfdi is not None and end_device.sfdi != int(sfdi_of(device.lfdi.hex())):
            sentence = f"The server has our LFDI with the SFDI {end_device.sfdi}, which is not ours: tell the utility."
            return _Objection("sfdi_mismatch", sentence, everything=True)
        pin = self._config.pin
        if pin is not None and read.registration is not None:
            if read.registration.pin != pin:
                self._state = msgspec.structs.replace(self._state, pin_confirmed=None)
                sentence = "The server's registration PIN is not the one of this site: compare both with the utility."
                return _Objection("pin_mismatch", sentence, everything=True)
            self._state = msgspec.structs.replace(self._state, pin_confirmed=pin)
        elif pin is not None and end_device.registration_link is not None and self._state.pin_confirmed != pin:
            self._waiting |= {_key(device.lfdi)}
        if end_device.enabled is False:
            return _Objection("end_device_disabled", "The utility has disabled this device: ask it for the reason.")
        return None

    def _tell(self, key: str, name: str, read: DeviceRead | None, objection: _Objection | None) -> None:
        if objection is not None:
            news: Happening = RegistrationRefused(name, objection.reason, objection.sentence)
        elif read is None or key in self._waiting:
            return
        else:
            news = Registered(name, read.href, read.end_device.post_rate)
        if self._told.get(key) != news:
            self._told[key] = news
            self._news.append(news)

    # What is owed.

    def _post(self, device: Managed, survey: Survey, now: int) -> Errand | None:
        entry = self._state.entries.get(_key(device.lfdi), Entry())
        href = survey.links.get("EndDeviceListLink", "")
        rests = entry.refused_at is not None and now < entry.refused_at + REFUSED_AGAIN_SECONDS
        if not self._config.register or not href or entry.location or entry.seen or rests:
            return None
        body = EndDevice(
            lfdi=device.lfdi.hex().upper(),
            sfdi=device.sfdi,
            device_category=CATEGORIES[device.der_type],
            changed_time=server_time(survey, now),
        )
        request = Request(Method.POST, href, encode(body, self._config.profile))
        return Errand((self.name, "end_device", _key(device.lfdi)), request, reread=href)

    def _put_point(self, device: Managed, read: DeviceRead) -> Errand | None:
        key, link, point = _key(device.lfdi), read.end_device.connection_point_link, device.connection_point
        entry = self._state.entries.get(key, Entry())
        if not self.may_serve(device.lfdi) or link is None or not point or AUS not in self._config.profile.speaks:
            return None
        if point in {entry.point, entry.point_refused}:
            return None
        body = encode(ConnectionPoint(connection_point_id=point), self._config.profile)
        return Errand((self.name, "connection_point", key), Request(Method.PUT, link.href, body))

    def _put_entry(self, key: str, entry: Entry) -> None:
        self._state = msgspec.structs.replace(self._state, entries={**self._state.entries, key: entry})

    def _entries(self) -> Iterable[Entry]:
        return self._state.entries.values()

    def _device(self, key: str) -> str:
        return next((one.name for one in self._config.devices if _key(one.lfdi) == key), key)

    def _point_of(self, key: str) -> str:
        return next((one.connection_point for one in self._config.devices if _key(one.lfdi) == key), "")


def _absent(device: Managed, entry: Entry) -> _Objection | None:
    """A device that a whole list does not hold: deleted if it was seen before, else about to be registered."""
    if not entry.seen:
        return None
    sentence = (
        f"The utility has deleted the EndDevice of {device.name}; it is no longer managed. Ask it for the reason."
    )
    return _Objection("end_device_deleted", sentence)


def _key(lfdi: bytes) -> str:
    return lfdi.hex().upper()
