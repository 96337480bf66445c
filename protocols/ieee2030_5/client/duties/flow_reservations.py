"""Flow reservations: a charger's need of energy goes to the server as a request, and is taken back when it is over.

The deck offers a need for a device, or none; what stands at the server follows. A need that changed is another request
with an mRID of its own, and the one before is cancelled. What the server grants comes back as an event of its own
(FlowReservationResponse), which names the request: `asked` tells whether it is ours. In a request positive is charging,
the opposite of a DERControl; only charging is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.base import DateTimeInterval
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType, Managed
from wattseal.protocols.ieee2030_5.client.duties.durable import pack, unpack
from wattseal.protocols.ieee2030_5.client.duties.identifiers import mrid_of
from wattseal.protocols.ieee2030_5.client.duties.scaling import INT16_MOST, scaled
from wattseal.protocols.ieee2030_5.client.duties.surroundings import (
    MayServe,
    device_at,
    everybody,
    path_of,
    server_time,
)
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequest, RequestStatus
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.vocabulary import RequestState

MOST_SECONDS: Final = 2**32 - 2
_MOST_WATT_HOURS: Final = 2**47 - 1
_DURATION_MOST: Final = 2**16 - 1
_HOUR: Final = 3600
_KEPT_SECONDS: Final = 86_400
_LAYOUT: Final = 1


class ChargingNeed(msgspec.Struct, frozen=True, array_like=True):
    """So much energy, at up to so many watts, between `since` and `until` (unix seconds of our clock)."""

    watt_hours: int
    watts: int
    since: int
    until: int


class Asking(msgspec.Struct, frozen=True, array_like=True):
    """One request. `href` empty: not known to stand at the server. `done`: nothing more is to be said of it."""

    mrid: str
    created: int
    need: ChargingNeed
    href: str = ""
    cancelled_at: int | None = None
    done: bool = False


class FlowState(msgspec.Struct, frozen=True):
    """The requests of each device by name, oldest first; the last is the one that stands. `serial` of the next."""

    devices: dict[str, tuple[Asking, ...]] = {}
    serial: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    device: Managed
    read: DeviceRead
    href: str


class FlowReservations:
    """The duty."""

    name: Final = "flow_reservation"

    def __init__(self, config: ClientConfig, may_serve: MayServe = everybody) -> None:
        self._config = config
        self._may_serve = may_serve
        self._devices = {one.name: one for one in config.devices if one.der_type is DerType.EV_CHARGER}
        self._names = {one.lfdi: one.name for one in self._devices.values()}
        self._state = FlowState()

    def need(self, device: str, need: ChargingNeed | None, now: int) -> None:
        """What a charger needs from now on; None: nothing. Raises `MisuseError` (`charging_need_refused`)."""
        if device not in self._devices:
            raise MisuseError("charging_need_refused", f"{device} is no charger that this server knows.")
        if need is not None and not _is_sound(need):
            sentence = "A charging need has energy and power above zero, and ends after it begins; mend it."
            raise MisuseError("charging_need_refused", sentence)
        asked = [one for one in self._of(device) if one.need.until + _KEPT_SECONDS > now]
        standing = asked[-1] if asked and asked[-1].cancelled_at is None else None
        if standing is not None and standing.need == need:
            return
        if standing is not None and standing.need.until > now:
            asked[-1] = msgspec.structs.replace(standing, cancelled_at=now, done=standing.done and not standing.href)
        if need is not None:
            mrid = mrid_of(self._config.seed, self._config.pen, self.name, device, str(now), str(self._state.serial))
            asked.append(Asking(mrid, now, need))
            self._state = msgspec.structs.replace(self._state, serial=self._state.serial + 1)
        self._put(device, asked)

    def asked(self, lfdi: bytes, subject: str) -> bool:
        """Whether the device asked for a reservation under this mRID."""
        return any(one.mrid == subject for one in self._of(self._names.get(lfdi, "")))

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """Requests that the server does not have, and cancellations that it has not heard of."""
        return tuple(self._due(survey, now))

    def wake_at(self, now: int) -> int | None:  # noqa: ARG002 - a duty's signature
        """Never by the clock: the deck says when."""
        return None

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:  # noqa: ARG002 - the same
        """It was taken, or refused for good: then the device charges as it does without a reservation."""
        _, device, mrid, verb = errand.key
        href = errand.request.href
        for one in self._of(device):
            if one.mrid == mrid:
                place = path_of(answer.location, href) if verb == "ask" and answer.good else one.href
                done = verb == "cancel" or not answer.good or one.cancelled_at is None
                self._change(device, msgspec.structs.replace(one, href=place, done=done))
        return (Told(self.name, device, href, errand.request.body, answer.status),)

    def dump(self) -> bytes:
        """The requests."""
        return pack(self._state, _LAYOUT)

    def load(self, data: bytes) -> None:
        """Raises DutyStateError."""
        self._state = unpack(FlowState, data, _LAYOUT)

    def _due(self, survey: Survey, now: int) -> Iterator[Errand]:
        for name, device in self._devices.items():
            read = device_at(survey, device.lfdi, self._may_serve)
            link = None if read is None else read.end_device.flow_reservation_request_list_link
            if read is None or link is None:
                continue
            place = _Place(device, read, link.href)
            for one in self._of(name):
                found = self._errand(place, self._found(name, one, read), survey, now)
                if found is not None:
                    yield found

    def _found(self, name: str, one: Asking, read: DeviceRead) -> Asking:
        """A request whose answer was lost, found in the server's list."""
        listed = next((other for other in read.flow_requests or () if other.mrid == one.mrid), None)
        if one.href or listed is None or not listed.href:
            return one
        found = msgspec.structs.replace(one, href=listed.href, done=one.cancelled_at is None)
        self._change(name, found)
        return found

    def _errand(self, place: _Place, one: Asking, survey: Survey, now: int) -> Errand | None:
        if one.done:
            return None
        cancelled = one.cancelled_at is not None
        if not one.href and (cancelled or one.need.until <= now):
            return None
        body = encode(request_of(one, survey), self._config.profile)
        key = (self.name, place.device.name, one.mrid, "cancel" if cancelled else "ask")
        granted = place.read.end_device.flow_reservation_response_list_link
        news_at = "" if granted is None else granted.href
        if cancelled:
            return Errand(key, Request(Method.PUT, one.href, body), news_at=news_at)
        return Errand(key, Request(Method.POST, place.href, body), reread=place.href, news_at=news_at)

    def _of(self, device: str) -> tuple[Asking, ...]:
        return self._state.devices.get(device, ())

    def _change(self, device: str, changed: Asking) -> None:
        self._put(device, [changed if one.mrid == changed.mrid else one for one in self._of(device)])

    def _put(self, device: str, asked: list[Asking]) -> None:
        self._state = msgspec.structs.replace(self._state, devices={**self._state.devices, device: tuple(asked)})


def request_of(one: Asking, survey: Survey) -> FlowReservationRequest:
    """The document of a request, as it stands; times as the server's clock shows them.

    durationRequested is the least time in which the energy flows at that power, where it fits.
    """
    need = one.need
    seconds = -(-need.watt_hours * _HOUR // need.watts)
    digits, multiplier = scaled(need.watts, INT16_MOST)
    cancelled = one.cancelled_at is not None
    at = one.created if one.cancelled_at is None else one.cancelled_at
    start = server_time(survey, need.since)
    return FlowReservationRequest(
        mrid=one.mrid,
        creation_time=server_time(survey, one.created),
        duration_requested=seconds if seconds <= min(_DURATION_MOST, need.until - need.since) else None,
        energy_requested=SignedRealEnergy(multiplier=0, value=need.watt_hours),
        interval_requested=DateTimeInterval(start=start, duration=need.until - need.since),
        power_requested=ActivePower(multiplier=multiplier, value=digits),
        request_status=RequestStatus(
            date_time=server_time(survey, at),
            request_status=RequestState.CANCELLED if cancelled else RequestState.REQUESTED,
        ),
    )


def _is_sound(need: ChargingNeed) -> bool:
    window = need.until - need.since
    return 0 < need.watt_hours <= _MOST_WATT_HOURS and need.watts > 0 and 0 < window <= MOST_SECONDS and need.since >= 0
