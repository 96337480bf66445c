"""Subscriptions: the server tells at once what changed, and the poller rests there (CSIP G16, aggregators must).

Each subscription has a notification address of its own that nobody can guess: servers were seen to name another
resource in a notification than the one subscribed to, so the path alone says what it is about. It is drawn from the
seed and a counter that only rises, so an address is never used twice. Subscribed is what the survey holds: the list of
EndDevices, assignments, programmes, controls, and defaults, load controls and what was reserved. Once a day each is
renewed by the same POST; where the server makes a second one of it, the first is deleted. What is no longer in a whole
survey is deleted.

A refusal, or an end by Notification, leads back to polling: `alive` says no, and it is tried again after a pause that
doubles, or after a day where the server said 4xx.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Link
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.duties.durable import pack, unpack
from wattseal.protocols.ieee2030_5.client.duties.identifiers import notification_token
from wattseal.protocols.ieee2030_5.client.duties.surroundings import MayServe, everybody, path_of
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.subscription import Notification, Subscription
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus

RENEWED_SECONDS: Final = 86_400
EXPIRED_SECONDS: Final = 129_600
"""36 hours: a server may drop a subscription of that age."""
REFUSED_AGAIN_SECONDS: Final = 86_400
FIRST_PAUSE_SECONDS: Final = 900
LIST_LIMIT: Final = 255
LEVEL: Final = "+S1"
XML_ENCODING: Final = 0
_LAYOUT: Final = 1


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One subscription. `token`: the end of its notification path. `made_at`: when the server last took it.

    `pauses`: how often it ended or was refused in a row; `rests_until` in our seconds. `stale`: an address of an older
    twin that is to be deleted.
    """

    token: str
    location: str = ""
    made_at: int | None = None
    pauses: int = 0
    rests_until: int = 0
    stale: str = ""


class SubscriptionsState(msgspec.Struct, frozen=True):
    """Entries by the address of the resource; how many tokens were drawn."""

    entries: dict[str, Entry] = {}
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Notified:
    """What a notification is about: the address that was subscribed to. `ended`: it is polled again from now on.

    `moved_to`: where the resource is now, a path; empty unless the server said so.
    """

    href: str
    ended: bool = False
    moved_to: str = ""


class Subscriptions:
    """The duty."""

    name: Final = "subscriptions"

    def __init__(self, config: ClientConfig, may_serve: MayServe = everybody) -> None:
        self._config = config
        self._may_serve = may_serve
        self._state = SubscriptionsState()

    def alive(self, href: str, now: int) -> bool:
        """Whether the server will tell of a change at `href`, so that polling it may rest."""
        entry = self._state.entries.get(href)
        return entry is not None and entry.made_at is not None and now < entry.made_at + EXPIRED_SECONDS

    def matched(self, path: str) -> str | None:
        """The resource that a notification to `path` (of our listener) is about; None: answer as for any stranger."""
        token = path.partition("?")[0].rstrip("/").rpartition("/")[2]
        return next((href for href, one in self._state.entries.items() if token and one.token == token), None)

    def notified(self, path: str, notification: Notification, now: int) -> Notified | None:
        """A notification came to `path`. None where no subscription has it: answer 404."""
        href = self.matched(path)
        if href is None:
            return None
        entry = self._state.entries[href]
        if notification.status == NotificationStatus.DEFAULT:
            if entry.pauses:
                self._put(href, msgspec.structs.replace(entry, pauses=0))
            return Notified(href)
        self._put(href, self._ended(entry, now))
        return Notified(href, ended=True, moved_to=path_of(notification.new_resource_uri or "", href))

    def refused(self, path: str, now: int) -> str | None:
        """A notification to `path` was refused: the server drops that subscription (1.10); there is a new one later."""
        href = self.matched(path)
        if href is not None:
            self._put(href, self._ended(self._state.entries[href], now))
        return href

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """Subscriptions to make, to renew and to delete."""
        if not self._config.notification_uri or not self._may_serve(self._config.lfdi):
            return ()
        wanted = dict(_wanted(survey))
        for href in wanted:
            if href not in self._state.entries:
                self._draw(href)
        return tuple(self._due(wanted, _is_whole(survey), now))

    def wake_at(self, now: int) -> int | None:
        """The next renewal or the end of a pause."""
        instants = [one.rests_until for one in self._state.entries.values()]
        instants += [one.made_at + RENEWED_SECONDS for one in self._state.entries.values() if one.made_at is not None]
        return min((at for at in instants if at > now), default=None)

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        """A subscription was taken, refused or deleted."""
        _, href, what = errand.key
        entry = self._state.entries.get(href)
        told = Told("subscription", href, errand.request.href, errand.request.body, answer.status)
        if entry is None:
            return (told,)
        if what == "delete":
            self._deleted(href, entry, errand.request.href)
        elif answer.good:
            self._put(href, _made(entry, path_of(answer.location, errand.request.href), now))
        else:
            rest = Entry(entry.token, entry.location, None, entry.pauses + 1, now + REFUSED_AGAIN_SECONDS, entry.stale)
            self._put(href, rest)
        return (told,)

    def dump(self) -> bytes:
        """Tokens and addresses."""
        return pack(self._state, _LAYOUT)

    def load(self, data: bytes) -> None:
        """Raises DutyStateError."""
        self._state = unpack(SubscriptionsState, data, _LAYOUT)

    # What is owed.

    def _due(self, wanted: dict[str, tuple[str, int]], whole: bool, now: int) -> Iterator[Errand]:
        for href, entry in tuple(self._state.entries.items()):
            if entry.stale:
                yield Errand((self.name, href, "delete"), Request(Method.DELETE, entry.stale))
            elif href in wanted:
                renewed = entry.made_at is not None and now < entry.made_at + RENEWED_SECONDS
                if not renewed and now >= entry.rests_until:
                    yield self._subscribe(href, entry, *wanted[href])
            elif whole and entry.location:
                yield Errand((self.name, href, "delete"), Request(Method.DELETE, entry.location))
            elif whole:
                self._remove(href)

    def _subscribe(self, href: str, entry: Entry, at: str, limit: int) -> Errand:
        body = Subscription(
            subscribed_resource=href,
            encoding=XML_ENCODING,
            level=LEVEL,
            limit=limit,
            notification_uri=f"{self._config.notification_uri.rstrip('/')}/{entry.token}",
        )
        return Errand((self.name, href, "subscribe"), Request(Method.POST, at, encode(body, self._config.profile)))

    def _draw(self, href: str) -> None:
        """A new token: the counter is on disk with it, so that no address is ever given out twice."""
        counter = self._state.counter
        entries = {**self._state.entries, href: Entry(notification_token(self._config.seed, counter))}
        self._state = SubscriptionsState(entries, counter + 1)

    def _ended(self, entry: Entry, now: int) -> Entry:
        """The server ended it: a new token, after a pause that doubles up to a day."""
        counter = self._state.counter
        self._state = msgspec.structs.replace(self._state, counter=counter + 1)
        pause = min(FIRST_PAUSE_SECONDS << min(entry.pauses, 10), REFUSED_AGAIN_SECONDS)
        return Entry(notification_token(self._config.seed, counter), pauses=entry.pauses + 1, rests_until=now + pause)

    def _deleted(self, href: str, entry: Entry, at: str) -> None:
        if entry.stale == at:
            self._put(href, msgspec.structs.replace(entry, stale=""))
        else:
            self._remove(href)

    def _put(self, href: str, entry: Entry) -> None:
        self._state = msgspec.structs.replace(self._state, entries={**self._state.entries, href: entry})

    def _remove(self, href: str) -> None:
        entries = {key: one for key, one in self._state.entries.items() if key != href}
        self._state = msgspec.structs.replace(self._state, entries=entries)


def _made(entry: Entry, location: str, now: int) -> Entry:
    """Taken. A location other than before means that the server keeps two: the older one goes."""
    moved = bool(location and entry.location and location != entry.location)
    return msgspec.structs.replace(
        entry,
        location=location or entry.location,
        made_at=now,
        rests_until=0,
        stale=entry.location if moved else entry.stale,
    )


def _wanted(survey: Survey) -> Iterator[tuple[str, tuple[str, int]]]:
    """Each resource to subscribe to: its address, where the subscription is posted, and the limit."""
    devices = tuple((survey.devices or {}).values())
    own = _subscriptions_at(survey.own)
    first = own or next((at for at in map(_subscriptions_at, devices) if at), "")
    listed = survey.links.get("EndDeviceListLink", "")
    if listed and first:
        yield listed, (first, LIST_LIMIT)
    for device in devices:
        at = own or _subscriptions_at(device) or first
        if not at:
            continue
        yield from _linked(at, device.end_device.function_set_assignments_list_link)
        for assignments in device.assignments or ():
            yield from _linked(at, assignments.der_program_list_link)
        for mrid in device.programs or ():
            read = survey.programs.get(mrid)
            if read is not None:
                yield from _linked(at, read.program.der_control_list_link)
                yield from _linked(at, read.program.default_der_control_link, limit=1)
        for program in device.load_programs:
            yield from _linked(at, program.end_device_control_list_link)
        yield from _linked(at, device.end_device.flow_reservation_response_list_link)


def _linked(at: str, link: Link | None, limit: int = LIST_LIMIT) -> Iterator[tuple[str, tuple[str, int]]]:
    if link is not None:
        yield link.href, (at, limit)


def _subscriptions_at(device: DeviceRead | None) -> str:
    link = None if device is None else device.end_device.subscription_list_link
    return "" if link is None else link.href


def _is_whole(survey: Survey) -> bool:
    """Whether a resource that is missing is really gone, not only unread."""
    if survey.devices is None:
        return False
    devices = survey.devices.values()
    if any(one.assignments is None or one.programs is None for one in devices):
        return False
    return all(mrid in survey.programs for one in devices for mrid in one.programs or ())
