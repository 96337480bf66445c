"""LogEvents of the DER function set: every alarm when it comes and when it goes, in pairs, as it happens.

What has no code in IEEE 2030.5 is told the same way with codes of our own (profileID 1, our enterprise number):

    0, 1   the device has a fault; it is over
    2, 3   an order is not carried out by the device, although the event was received and started; it is again, or
           nothing asks for it any longer. `details` names the function that was ordered

The code of an alarm is twice its bit in alarmStatus, and one more for its return to normal (CSIP, alarms of a DER); the
number of a LogEvent rises for each device and outlives a restart, as do the alarms last seen, so that none is told
twice and no return is lost. A server is told in order, one at a time and not more than ten a minute for each device. An
alarm that flaps while the server is away is not worth a full disk: of what waits, the oldest repetition goes first, and
the next event of that code says how many were left out.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.client.config import ClientConfig, Managed
from wattseal.protocols.ieee2030_5.client.duties.durable import pack, unpack
from wattseal.protocols.ieee2030_5.client.duties.surroundings import MayServe, device_at, everybody, server_time
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.log_event import LogEvent
from wattseal.protocols.ieee2030_5.vocabulary import Alarm, FunctionSet

IEEE_2030_5_PEN: Final = 40732
"""The enterprise number of the codes that IEEE 2030.5 itself assigns."""
IEEE_2030_5_PROFILE: Final = 2
VENDOR_PROFILE: Final = 1
FAULT: Final = 0
REFUSED: Final = 2
MOST_WAITING: Final = 64
"""How many events of one device wait for a server that is away."""
PER_MINUTE: Final = 10
_MINUTE: Final = 60
_IDENTIFIERS: Final = 2**16
_MOST_LEFT_OUT: Final = 999
_DETAILS_OCTETS: Final = 32
_LAYOUT: Final = 1


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """One event that the server does not have. `at` in our seconds; `left_out`: earlier ones of this code given up.

    `words`: what happened, for a code of our own; empty for one of IEEE 2030.5.
    """

    identifier: int
    code: int
    at: int
    left_out: int = 0
    words: str = ""

    @property
    def sort(self) -> tuple[int, str]:
        """What another event repeats where it is the same."""
        return self.code, self.words


class DeviceLog(msgspec.Struct, frozen=True, array_like=True):
    """What one device logged: its alarms as last seen (None: never), the next number, what waits, oldest first.

    `fault`: whether it had one when last seen; `refused`: the functions whose orders it does not carry out.
    """

    alarms: int | None = None
    next_identifier: int = 0
    waiting: tuple[Waiting, ...] = ()
    fault: bool = False
    refused: tuple[str, ...] = ()


class LogEventsState(msgspec.Struct, frozen=True):
    """Logs by device name."""

    devices: dict[str, DeviceLog] = {}


class LogEvents:
    """The duty."""

    name: Final = "log_events"

    def __init__(self, config: ClientConfig, may_serve: MayServe = everybody) -> None:
        self._config = config
        self._may_serve = may_serve
        self._names = frozenset(device.name for device in config.devices)
        self._state = LogEventsState()
        self._sent: dict[str, tuple[int, ...]] = {}

    def take(self, measured: Measured) -> None:
        """The alarms and the fault of a device; what is not known changes nothing."""
        if measured.device not in self._names:
            return
        before = self._log(measured.device)
        log = _with_fault(_with_alarms(before, measured), measured)
        if log != before:
            self._put(measured.device, log)

    def put_refused(self, device: str, functions: Mapping[str, bool], at: int) -> bool:
        """Whether a device does not carry out its orders, by function; those not named stand as they were.

        True where that is news.
        """
        log = before = self._log(device)
        for function, refused in sorted(functions.items()):
            if refused == (function in log.refused):
                continue
            words = f"{function} refused" if refused else f"{function} no longer refused"
            log = _with_event(log, REFUSED + int(not refused), at, words)
            left = {*log.refused, function} if refused else set(log.refused) - {function}
            log = msgspec.structs.replace(log, refused=tuple(sorted(left)))
        if log != before:
            self._put(device, log)
        return log != before

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """The oldest event of every device that has a log at the server."""
        return tuple(self._due(survey, now))

    def wake_at(self, now: int) -> int | None:
        """When the next event of a device that has told its fill of this minute may go."""
        full = (sent for name, sent in self._sent.items() if len(sent) >= PER_MINUTE and self._log(name).waiting)
        return min((at for sent in full if (at := sent[-PER_MINUTE] + _MINUTE) > now), default=None)

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        """An event was taken, or refused for good."""
        _, name, identifier = errand.key
        log = self._log(name)
        waiting = tuple(one for one in log.waiting if one.identifier != int(identifier))
        self._put(name, msgspec.structs.replace(log, waiting=waiting))
        self._sent[name] = (*self._sent.get(name, ()), now)[-PER_MINUTE:]
        return (Told("log_event", name, errand.request.href, errand.request.body, answer.status),)

    def dump(self) -> bytes:
        """Numbers, alarms and what waits."""
        return pack(self._state, _LAYOUT)

    def load(self, data: bytes) -> None:
        """Raises DutyStateError."""
        self._state = unpack(LogEventsState, data, _LAYOUT)

    def _due(self, survey: Survey, now: int) -> Iterator[Errand]:
        for device in self._config.devices:
            waiting, sent = self._log(device.name).waiting, self._sent.get(device.name, ())
            read = device_at(survey, device.lfdi, self._may_serve)
            link = None if read is None else read.end_device.log_event_list_link
            full = len(sent) >= PER_MINUTE and now < sent[-PER_MINUTE] + _MINUTE
            if waiting and link is not None and not full:
                yield self._errand(device, link.href, waiting[0], survey)

    def _errand(self, device: Managed, href: str, event: Waiting, survey: Survey) -> Errand:
        body = LogEvent(
            created_date_time=server_time(survey, event.at),
            details=details_of(event),
            function_set=FunctionSet.DER,
            log_event_code=event.code,
            log_event_id=event.identifier,
            log_event_pen=self._config.pen if event.words else IEEE_2030_5_PEN,
            profile_id=VENDOR_PROFILE if event.words else IEEE_2030_5_PROFILE,
        )
        request = Request(Method.POST, href, encode(body, self._config.profile))
        return Errand((self.name, device.name, str(event.identifier)), request)

    def _log(self, device: str) -> DeviceLog:
        return self._state.devices.get(device, DeviceLog())

    def _put(self, device: str, log: DeviceLog) -> None:
        self._state = msgspec.structs.replace(self._state, devices={**self._state.devices, device: log})


def code_of(alarm: Alarm, *, returned: bool) -> int:
    """The logEventCode of an alarm, or of its return to normal: 0 and 1 for over-current, 20 and 21 for rotation."""
    return 2 * (alarm.bit_length() - 1) + int(returned)


def details_of(event: Waiting) -> str:
    """The event in words, at most 32 octets."""
    text = event.words or _alarm_words(event.code)
    out = f"; {min(event.left_out, _MOST_LEFT_OUT)} out" if event.left_out else ""
    return text[: _DETAILS_OCTETS - len(out)] + out


def _alarm_words(code: int) -> str:
    words = (Alarm(1 << code // 2).name or "alarm").lower().replace("_", " ")
    return f"{words} ended" if code % 2 else words


def _with_alarms(log: DeviceLog, measured: Measured) -> DeviceLog:
    if measured.alarms in {None, log.alarms}:
        return log
    before, alarms = log.alarms or 0, measured.alarms or 0
    for bit in Alarm:
        now = bool(alarms & bit)
        if now != bool(before & bit):
            log = _with_event(log, code_of(bit, returned=not now), measured.at)
    return msgspec.structs.replace(log, alarms=alarms)


def _with_fault(log: DeviceLog, measured: Measured) -> DeviceLog:
    if measured.fault in {None, log.fault}:
        return log
    words = "device fault" if measured.fault else "device fault ended"
    log = _with_event(log, FAULT + int(not measured.fault), measured.at, words)
    return msgspec.structs.replace(log, fault=bool(measured.fault))


def _with_event(log: DeviceLog, code: int, at: int, words: str = "") -> DeviceLog:
    event = Waiting(log.next_identifier, code, at, words=words)
    return msgspec.structs.replace(
        log,
        next_identifier=(log.next_identifier + 1) % _IDENTIFIERS,
        waiting=_bounded((*log.waiting, event)),
    )


def _bounded(waiting: tuple[Waiting, ...]) -> tuple[Waiting, ...]:
    """Without the oldest event that a later one repeats, where there are too many; else without the oldest.

    The very first may be on its way; it is never the one that is left out.
    """
    if len(waiting) <= MOST_WAITING:
        return waiting
    later = {one.sort: index for index, one in enumerate(waiting)}
    gone = next((index for index in range(1, len(waiting)) if later[waiting[index].sort] > index), 1)
    lost = waiting[gone]
    rest = [*waiting[:gone], *waiting[gone + 1 :]]
    heir = next((index for index in range(gone, len(rest)) if rest[index].sort == lost.sort), None)
    if heir is not None:
        rest[heir] = msgspec.structs.replace(rest[heir], left_out=rest[heir].left_out + lost.left_out + 1)
    return tuple(rest)
