"""The session with one server: what to send next, and what an answer does. No I/O; time and answers come in.

Theory of operation: see the package. The session only conducts: `reader` reads, `event_sets` holds the event engines,
`errands` carries what the duties owe. After every answer the same question is put: was everything that is linked read
at least once, and did something change? Then there is one new survey; the duties are shown it first (they know which
devices may be served), and the engine gets one picture of it. A server that is lost is asked for its root and nothing
else, what is stored goes on, and nothing is posted until it answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.carrying import Unfit, unfit
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.duty import Duty, Errand
from wattseal.protocols.ieee2030_5.client.errands import Errands
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Request, Silence
from wattseal.protocols.ieee2030_5.client.happenings import Happening, MessageRefused, UtilityAnswers, UtilitySilent
from wattseal.protocols.ieee2030_5.client.hrefs import resolve
from wattseal.protocols.ieee2030_5.client.interfaces import Newsbearer, ReservationDesk, SubscriptionDesk, Warden
from wattseal.protocols.ieee2030_5.client.notifications import REFUSED, TAKEN, Notice, NoticeTerms, notice_of
from wattseal.protocols.ieee2030_5.client.picture import inputs_of
from wattseal.protocols.ieee2030_5.client.reader import Reader, Reading
from wattseal.protocols.ieee2030_5.client.redirects import STATUSES, Redirects, Trail
from wattseal.protocols.ieee2030_5.client.sets.event_sets import EventSets, Inputs
from wattseal.protocols.ieee2030_5.client.sets.inputs import set_inputs
from wattseal.protocols.ieee2030_5.client.state import ClientState
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.engine.inputs import UtilityBack, UtilityLost
from wattseal.protocols.ieee2030_5.engine.state import State
from wattseal.protocols.ieee2030_5.set_values import FunctionSet
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus

_LONG_WAIT_SECONDS: Final = 3600.0
_SURVEY_PAUSE_SECONDS: Final = 1.0
_SERVER_FAILED: Final = 500


@dataclass(frozen=True, slots=True)
class Send:
    """One request to be sent; its answer comes back under its token."""

    token: int
    request: Request


@dataclass(frozen=True, slots=True)
class _Carried:
    """An errand under way, and the places it was sent to."""

    errand: Errand
    trail: Trail


class ClientSession:
    """One server's session. Raises WorldError for `stored` bytes that this release did not write.

    After each call that gives happenings the state is to be saved (`state_bytes`) before they are acted upon.
    `revision` counts what must be durable before anything is sent; `progress` what may wait a little: errands that had
    their final word. A crash in between is to them what a lost answer is.
    """

    def __init__(self, config: ClientConfig, stored: bytes | None, duties: Sequence[Duty] = ()) -> None:
        state = None if stored is None else ClientState.from_bytes(stored)
        self._config = config
        self._sets = EventSets(config, None if state is None else state.engine, {} if state is None else state.sets)
        self._redirects = Redirects(config.authority, None if state is None else state.moved)
        self._reader = Reader(config, self._redirects)
        self._duties: tuple[Duty, ...] = (*self._sets.responses, *duties)
        self._errands = Errands(self._duties)
        self._wardens = [duty for duty in duties if isinstance(duty, Warden)]
        self._newsbearers = [duty for duty in duties if isinstance(duty, Newsbearer)]
        self._desk = next((duty for duty in duties if isinstance(duty, SubscriptionDesk)), None)
        self._reservations = next((duty for duty in duties if isinstance(duty, ReservationDesk)), None)
        self._survey = Survey()
        self._flights: dict[int, Reading | _Carried] = {}
        self._tokens = count(1)
        self._forward: list[_Carried] = []
        self._errands_first = False
        self._kept: tuple[State, ...] = ()
        self._unread = _loaded(self._duties, {} if state is None else state.duties)
        self.revision = 0
        self.progress = 0
        self._surveyed_at = float("-inf")

    @property
    def under_way(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._flights)

    @property
    def survey(self) -> Survey:
        """What was last read, whole."""
        return self._survey

    def begin(self, now: Instant) -> tuple[Happening, ...]:
        """After a start: the stored schedule and defaults hold at once."""
        self._reader.begin(now)
        happenings = self._sets.begin(now)
        self._owe()
        return (*self._unread, *happenings)

    def sends(self, now: Instant) -> tuple[Send, ...]:
        """What can be sent now, within the bound of requests under way."""
        found = []
        while len(self._flights) < self._config.requests_at_once:
            flight = self._next(now)
            if flight is None:
                break
            token = next(self._tokens)
            self._flights[token] = flight
            found.append(Send(token, _request_of(flight)))
        return tuple(found)

    def wake_at(self, now: Instant) -> float:
        """When `looked` and `sends` have something to do again, monotonic seconds."""
        times = [now.monotonic + _LONG_WAIT_SECONDS]
        at = self._sets.wake_at()
        if at is not None:
            times.append(now.monotonic + at - now.unix_ms / 1000)
        survey_at = self._survey_at()
        if survey_at is not None:
            times.append(survey_at)
        if len(self._flights) < self._config.requests_at_once:
            further = [self._reader.wake_at(now)]
            if not self._reader.contact.lost:
                further.append(self._errands.wake_at(now))
            times += [one for one in further if one is not None]
        return max(min(times), now.monotonic)

    def received(self, now: Instant, token: int, answer: Answer | Silence) -> tuple[Happening, ...]:
        """What came back for a request, or that nothing did."""
        flight = self._flights.pop(token, None)
        if flight is None:
            return ()
        happenings = self._heard_of(now, flight, answer)
        if isinstance(flight, Reading):
            happenings += self._reader.received(now, flight, answer)
        else:
            happenings += self._carried(now, flight, answer)
        return (*happenings, *self._considered(now))

    def looked(self, now: Instant, *, handed_in: bool = True) -> tuple[Happening, ...]:
        """Time passed, or (`handed_in`) the deck may have given something to a duty."""
        happenings = self._sets.looked(now, self._offset(now))
        self._owe()
        if self._survey_at() is not None:
            happenings += self._considered(now)
        if not self._reader.contact.lost and self._errands.looked(self._survey, now, handed_in=handed_in):
            self.revision += 1
        return (*happenings, *self._news())

    def notified(
        self, now: Instant, path: str, body: bytes, peer_lfdi: bytes | None
    ) -> tuple[int, tuple[Happening, ...]]:
        """A notification at our listener: the status to answer with, and what follows."""
        terms = NoticeTerms(self._config.profile, self._config.authority, self._config.server_lfdi)
        notice = notice_of(path, body, peer_lfdi, self._desk, terms, self._reader.tree)
        if not isinstance(notice, Notice):
            status, told = notice
            if status == REFUSED:
                self._doubt(now, path)
            return status, (told,)
        if self._desk is not None:
            self._desk.notified(path, notice.notification, now.unix)
            self.revision += 1
        if notice.notification.status is not NotificationStatus.DEFAULT:
            self._reader.hurry_above(now, notice.href)  # it may have moved or gone: whoever links it knows
        if notice.known is None:
            self._reader.hurry(now, notice.href)
            return TAKEN, self._considered(now)
        self._reader.take(now, notice.href, notice.known)
        return TAKEN, (*notice.known.refusals, *self._considered(now))

    def acknowledged(self, now: Instant, mrid: bytes) -> bool:
        """A person has acknowledged a text that is shown; False where there is none of this mRID.

        The state is to be saved, and the loop woken, as after a notification.
        """
        found = self._sets.acknowledge(mrid, now)
        self._owe()
        return found

    @property
    def not_carried(self) -> tuple[Unfit, ...]:
        """What of the events and defaults at hand is not carried, and why."""
        return tuple(sorted(one for state in self._sets.states for one in unfit(state)))

    def _doubt(self, now: Instant, path: str) -> None:
        """A notification was refused with 400: servers drop the subscription then, so what it tells of is read."""
        href = self._desk.refused(path, now.unix) if self._desk is not None else None
        if href is not None:
            self._reader.hurry(now, href)
            self.revision += 1

    def state_bytes(self) -> bytes:
        """What must survive. `revision` and `progress` tell whether it can have changed."""
        dumps = {duty.name: dump for duty in self._duties if (dump := duty.dump())}
        engine, sets = self._sets.to_bytes()
        return ClientState(engine=engine, sets=sets, duties=dumps, moved=self._redirects.remembered).to_bytes()

    def abandoned(self, now: Instant) -> None:
        """The loop ended with requests under way: whoever runs this session again asks anew."""
        for flight in self._flights.values():
            if isinstance(flight, Reading):
                self._reader.unasked(now, flight)
            else:
                self._errands.unsent(flight.errand)
        self._flights.clear()

    # ---- what to send ------------------------------------------------------------------------------------------

    def _next(self, now: Instant) -> Reading | _Carried | None:
        """Reads and errands take turns, so that neither waits for all of the other."""
        if self._forward:
            return self._forward.pop()
        self._errands_first = not self._errands_first
        if self._errands_first:
            return self._next_errand(now) or self._next_reading(now)
        return self._next_reading(now) or self._next_errand(now)

    def _next_reading(self, now: Instant) -> Reading | None:
        desk = self._desk
        return self._reader.next(now, lambda href: desk is not None and desk.alive(href, now.unix))

    def _next_errand(self, now: Instant) -> _Carried | None:
        if self._reader.contact.lost:
            return None
        errand = self._errands.next(self._survey, now)
        return None if errand is None else _Carried(errand, self._redirects.trail(errand.request.href))

    # ---- what came back ----------------------------------------------------------------------------------------

    def _heard_of(self, now: Instant, flight: Reading | _Carried, answer: Answer | Silence) -> tuple[Happening, ...]:
        """Whether the server is there."""
        contact = self._reader.contact
        dcap = isinstance(flight, Reading) and flight.href == self._reader.tree.dcap
        if isinstance(answer, Answer) and answer.status < _SERVER_FAILED:
            if not contact.answered(dcap=dcap):
                return ()
            self._reader.back(now)
            self._errands.ask_all(self._survey, now)  # what was handed in meanwhile
            return (UtilityAnswers(), *self._feed(self._sets.to_all(UtilityBack()), now))
        if not contact.failed(now.monotonic, dcap=dcap):
            return ()
        reason = answer.reason if isinstance(answer, Silence) else f"http_{answer.status}"
        return (UtilitySilent(reason), *self._feed(self._sets.to_all(UtilityLost()), now))

    def _carried(self, now: Instant, flight: _Carried, answer: Answer | Silence) -> tuple[Happening, ...]:
        """What came of an errand."""
        if isinstance(answer, Answer) and answer.status in STATUSES:
            followed = self._redirects.follow(flight.trail, answer)
            if isinstance(followed, Trail):
                self._forward.append(_Carried(flight.errand, followed))
                return ()
            answer = Silence(followed)
        if isinstance(answer, Answer):
            self._place(flight.trail, answer)
            place = resolve(flight.trail.place, answer.location, self._config.authority)
            answer = replace(answer, location=place or "")
            if answer.good:
                for changed in (flight.errand.request.href, flight.errand.news_at):  # a list that was posted to, say
                    self._reader.hurry(now, changed)
        happenings = self._errands.ended(flight.errand, answer, now, lambda href: self._reader.hurry(now, href))
        self.progress += 1
        self._sets.settle()
        self._kept = self._sets.states  # a Response less: that may wait
        self._owe()
        return happenings

    def _place(self, trail: Trail, answer: Answer) -> None:
        if answer.good:
            self._redirects.arrived(trail)
        else:
            self._redirects.failed(trail)

    # ---- what follows ------------------------------------------------------------------------------------------

    def _considered(self, now: Instant) -> tuple[Happening, ...]:
        """One new survey, if what is linked was read and something of it changed; else the clock alone."""
        at = self._survey_at()
        if at is None or now.monotonic < at:
            return self._feed({}, now)
        reader, self._surveyed_at = self._reader, now.monotonic
        surveyed = reader.survey(now, self._asked)
        self._survey = surveyed.survey
        self._errands.ask_all(self._survey, now)
        self.revision += 1
        der = inputs_of(surveyed, self._config, self._sets.state_of(FunctionSet.DER), self._may_serve)
        others = {
            name: set_inputs(name, read, self._survey, self._config, self._sets.state_of(name), self._may_serve)
            for name, read in surveyed.sets.items()
        }
        inputs: Inputs = {FunctionSet.DER: der, **others}
        return (*self._news(), *self._feed(inputs, now))

    def _survey_at(self) -> float | None:
        """When the next survey is due: what devices show of themselves may wait for one another, nothing else waits."""
        if not (self._reader.changed and self._reader.tree.settled):
            return None
        return float("-inf") if self._reader.urgent else self._surveyed_at + _SURVEY_PAUSE_SECONDS

    def _feed(self, inputs: Inputs, now: Instant) -> tuple[Happening, ...]:
        """The engines' inputs, the server's clock before them."""
        offset = self._offset(now)
        if offset is not None and offset != self._sets.offset_seconds:
            self._survey = replace(self._survey, clock=self._reader.clock(now))
        elif not inputs:
            return ()
        happenings = self._sets.feed(inputs, now, offset, self._reader.heard())
        self._owe()
        return happenings

    def _offset(self, now: Instant) -> int | None:
        """How far the server's clock is ahead; a server without a clock runs on ours."""
        read = self._reader.clock(now)
        if read is not None:
            return read.offset_seconds
        alone = self._sets.offset_seconds is None and self._reader.tree.settled and not self._reader.has_clock
        return 0 if alone and now.quality is not ClockQuality.UNTRUSTED else None

    def _owe(self) -> None:
        """Whatever the engines owe now is the Responses' to carry."""
        for name in self._sets.owe():
            self._errands.ask_anew(name)
        states = self._sets.states
        if len(self._kept) != len(states) or any(one is not kept for one, kept in zip(states, self._kept, strict=True)):
            self._kept = states
            self.revision += 1

    def _asked(self, lfdi: bytes, subject: str) -> bool:
        return self._reservations is not None and self._reservations.asked(lfdi, subject)

    def _may_serve(self, lfdi: bytes) -> bool:
        return all(warden.may_serve(lfdi) for warden in self._wardens)

    def _news(self) -> tuple[Happening, ...]:
        return tuple(one for duty in self._newsbearers for one in duty.news())


def _request_of(flight: Reading | _Carried) -> Request:
    if isinstance(flight, Reading):
        return flight.request
    return replace(flight.errand.request, href=flight.trail.place)


def _loaded(duties: Sequence[Duty], dumps: Mapping[str, bytes]) -> tuple[MessageRefused, ...]:
    """Gives the duties their states; what cannot be read is told, and its duty begins anew (it reads the server)."""
    told = []
    for duty in duties:
        dump = dumps.get(duty.name)
        if dump is None:
            continue
        try:
            duty.load(dump)
        except WorldError as error:
            told.append(MessageRefused(duty.name, b"", error.reason, error.sentence))
    return tuple(told)
