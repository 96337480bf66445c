"""The VEN's session: what to send next, and what an answer does. No I/O; time and bytes come in.

Theory of operation: see `table`. The order of the agenda, from rest:

    1  wait out a back-off
    2  owed answers, oldest first (rule 64: before the next poll)
    3  register: query, then create
    4  wait for the deck, if a list of events is not decided
    5  end the registration, if the owner wants that
    6  register the report offers
    7  fetch all events, once per start and per registration
    8  one report of the backlog, unless a poll is due and the last exchange was a report
    9  poll, when it is time

Timers run on the monotonic clock, windows of reports and ends of events on the trusted one. What must survive is in
`state`; the owner saves it after each step. Nothing is lost by a crash in between: the list is fetched again at the
start, and what the deck has not answered is announced again.
"""

import hashlib
from collections import deque
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import Final

from msgspec.structs import replace

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.ven import incoming, outgoing, reporting, requests
from wattseal.protocols.openadr20b.ven.config import VenConfig
from wattseal.protocols.openadr20b.ven.event_list import Owed, Reading
from wattseal.protocols.openadr20b.ven.happenings import (
    Answers,
    ExchangeFailed,
    Happening,
    MessageRefused,
    OptAnswer,
    ReportWanted,
)
from wattseal.protocols.openadr20b.ven.outgoing import Outgoing
from wattseal.protocols.openadr20b.ven.pace import Pace
from wattseal.protocols.openadr20b.ven.reactions import Circumstances, Decision, Taken, react
from wattseal.protocols.openadr20b.ven.state import KnownEvent, Lapse, ReportRow, VenState
from wattseal.protocols.openadr20b.ven.table import AT_REST, TABLE, Action, Phase
from wattseal.protocols.openadr20b.vocabulary import ServiceName

TRIES: Final = 3
"""How often offers, the first list and an answer are tried when the VTN answers nonsense; then the session goes on."""

_LONG_WAIT_SECONDS: Final = 3600.0
_DECIDING_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Send:
    """Post `body` to `service`, then call `received` or `failed`."""

    service: ServiceName
    body: bytes
    purpose: Phase


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing to send before this monotonic time, unless the deck hands something in."""

    monotonic: float


@dataclass(frozen=True, slots=True)
class _Flight:
    phase: Phase
    sent: Outgoing
    raw: bytes


class VenSession:
    """One utility's session. `seed` feeds the random draws and the jitter: secret, and the same after a restart."""

    def __init__(self, config: VenConfig, state: VenState | None = None, *, seed: str) -> None:
        self._config = config
        self._state = VenState() if state is None else state
        self._seed = seed
        self._prefix = hashlib.sha256(seed.encode()).hexdigest()[:8]
        self._flight: _Flight | None = None
        self._outbox: deque[Outgoing] = deque()
        self._decision: Decision | None = None
        self._queried = False
        self._synced = False
        self._offered_enough = False
        self._metadata_for: str | None = None
        self._leaving = False
        self._last = Phase.REGISTERED
        self._stumbles: dict[Phase, int] = {}
        self._pace = Pace(config, seed)
        self._reopen_at: float | None = None

    @property
    def state(self) -> VenState:
        """What must survive; a new value whenever anything in it changed."""
        return self._state

    @property
    def phase(self) -> Phase:
        """What is in flight, or where the session rests."""
        if self._flight is not None:
            return self._flight.phase
        if self._state.closed:
            return Phase.CLOSED
        if not self._state.registered:
            return Phase.UNREGISTERED
        return Phase.REGISTERED if self._decision is None else Phase.DECIDING

    # ---- what to send ------------------------------------------------------------------------------------------

    def next_step(self, now: Instant) -> Send | WaitUntil:
        """The next exchange, or how long to wait. Raises MisuseError while an exchange is in flight."""
        if self._flight is not None:
            raise MisuseError("exchange_in_flight", "Report the answer or the failure before asking for the next step.")
        if now.monotonic < self._pace.not_before:
            return WaitUntil(self._pace.not_before)
        if self._outbox:
            return self._send(Phase.ANSWER, self._outbox[0], now)
        if self._state.closed and not self._reopened(now):
            return WaitUntil(now.monotonic + _LONG_WAIT_SECONDS if self._reopen_at is None else self._reopen_at)
        if not self._state.registered:
            return self._register(now)
        if self._decision is not None:
            return WaitUntil(now.monotonic + _DECIDING_SECONDS)
        return self._registered_step(now)

    def _register(self, now: Instant) -> Send:
        if not self._queried:
            return self._send(Phase.QUERY, outgoing.query(self._request_id()), now)
        return self._send(Phase.CREATE, outgoing.create(self._request_id(), self._config, self._state), now)

    def _registered_step(self, now: Instant) -> Send | WaitUntil:
        state, config = self._state, self._config
        if self._leaving:
            return self._send(Phase.CANCEL, outgoing.cancel(self._request_id(), state), now)
        if state.offered != config.offers_digest() and not self._offered_enough:
            reports = reporting.metadata(config.offers, now.unix)
            offer = outgoing.offer(self._request_id(), state.ven_id, reports, self._metadata_for)
            return self._send(Phase.OFFER, offer, now)
        if not self._synced:
            return self._send(Phase.SYNC, outgoing.sync(self._request_id(), state.ven_id), now)
        poll_due = now.monotonic >= self._pace.poll_at
        report_ready = bool(state.backlog) and now.monotonic >= self._pace.report_not_before
        if report_ready and not (poll_due and self._last is Phase.REPORT):
            report = reporting.on_the_wire(state.backlog[0])
            return self._send(Phase.REPORT, outgoing.update(self._request_id(), state.ven_id, report), now)
        if poll_due:
            return self._send(Phase.POLL, outgoing.poll(state.ven_id), now)
        return WaitUntil(self._next_time(now))

    def _send(self, phase: Phase, sent: Outgoing, now: Instant) -> Send:
        raw = encode(sent.message)
        self._flight = _Flight(phase, sent, raw)
        self._last = phase
        if phase in {Phase.POLL, Phase.SYNC}:
            self._pace.polled(now.monotonic, self._state.poll_seconds)
        return Send(sent.service, raw, phase)

    def _next_time(self, now: Instant) -> float:
        """The earliest of: the next poll, the backlog's next try, the next rows that come due."""
        times = [self._pace.poll_at]
        if self._state.backlog:
            times.append(self._pace.report_not_before)
        ahead = (at - now.unix_ms / 1000 for at in map(reporting.ready_at, self._state.requests) if at > now.unix)
        times += [now.monotonic + seconds for seconds in ahead]
        return min(times)

    # ---- what came back ----------------------------------------------------------------------------------------

    def received(self, now: Instant, raw: bytes) -> tuple[Happening, ...]:
        """The answer to the exchange in flight: the body of a response with status 200, possibly empty."""
        flight, self._flight = self._flight, None
        phase = self.phase if flight is None else flight.phase
        message, given, fault = incoming.read(raw)
        action = TABLE.get((phase, given), Action.REFUSE)
        if flight is None or action is Action.REFUSE:
            return self._refuse(phase, incoming.refusal(phase, given, raw, message, fault), fault, now)
        if phase is Phase.ANSWER:
            self._outbox.popleft()
        taken = react(action, message, self._circumstances(raw, flight, now))
        self._pace.answered()
        self._state = taken.state
        self._apply(action, phase, taken, now)
        self._outbox.extend(taken.answers)
        return self._counted(taken.happenings)

    def failed(self, now: Instant, reason: str) -> tuple[Happening, ...]:
        """The exchange in flight brought no answer. A `reason` that begins with `http_` was an answer of its kind:
        the peer is there, but wants none of this.
        """
        flight, self._flight = self._flight, None
        happenings: list[Happening] = []
        if flight is not None and reason.startswith("http_"):
            happenings += self._stumbled(flight.phase, flight)
        if flight is not None and flight.phase is Phase.REPORT:
            self._pace.postpone_reports(now.monotonic)
        seconds = self._pace.back_off(now.monotonic)
        counters = self._state.counters
        counters = replace(counters, failed_exchanges=counters.failed_exchanges + 1)
        self._state = replace(self._state, counters=counters)
        return self._counted((*happenings, ExchangeFailed(reason, seconds)))

    def _circumstances(self, raw: bytes, flight: _Flight, now: Instant) -> Circumstances:
        ven_id, config = self._state.ven_id, self._config
        reading = Reading(config.context(ven_id), config.context_digest(ven_id), self._seed, now.unix)
        return Circumstances(raw, flight.raw, config, self._state, reading)

    def _apply(self, action: Action, phase: Phase, taken: Taken, now: Instant) -> None:
        """What an action does to the session's own timers and flags."""
        self._stumbles.pop(phase, None)
        self._decision = taken.decision or self._decision
        if taken.metadata_for is not None:
            self._metadata_for, self._offered_enough = taken.metadata_for, False
        if not taken.done and phase in {Phase.QUERY, Phase.CREATE, Phase.SYNC}:
            self._pace.back_off(now.monotonic, longest=phase is not Phase.SYNC)
        match action:
            case Action.TAKE_PROFILES:
                self._queried = taken.done
            case Action.TAKE_REGISTRATION if taken.done:
                self._synced = self._offered_enough = False
            case Action.TAKE_REQUESTS:
                self._metadata_for = taken.metadata_for
            case Action.TAKE_EVENTS | Action.NO_EVENTS_TOLD:
                self._synced = self._synced or taken.done
            case Action.FORGET | Action.REREGISTER | Action.CLOSE | Action.CLOSED if not self._state.registered:
                self._start_over(action, now)
            case Action.REPORT_TAKEN | Action.REPORT_REFUSED | Action.REPORT_UNKNOWN:
                self._reports_answered(taken, now)
        if phase is Phase.POLL and self._state.registered:
            self._pace.settled()
        if phase is Phase.POLL and action is not Action.NOTHING_NEW and self._config.poll_again_after_message:
            self._pace.poll_now(now.monotonic)

    def _start_over(self, action: Action, now: Instant) -> None:
        """Nothing that was owed under the old registration is sent any more."""
        self._outbox.clear()
        self._decision = None
        self._queried = self._synced = self._leaving = False
        self._metadata_for = None
        if not self._state.closed:
            self._pace.forgotten(now.monotonic)
        again = self._config.register_again_seconds
        if action is Action.CLOSE and again is not None:
            self._reopen_at = now.monotonic + again

    def _reports_answered(self, taken: Taken, now: Instant) -> None:
        if not taken.done:
            self._pace.postpone_reports(now.monotonic)
            return
        self._pace.reports_flow()
        if not self._state.offered:
            self._offered_enough = False

    def _refuse(
        self, phase: Phase, refusal: MessageRefused, fault: incoming.Fault | None, now: Instant
    ) -> tuple[Happening, ...]:
        """What the table does not name. An unreadable list of events still gets its answer, as a whole."""
        happenings: list[Happening] = [refusal]
        if phase is Phase.ANSWER:
            self._outbox.popleft()
        elif phase is Phase.REPORT:
            self._pace.postpone_reports(now.monotonic)
        if phase not in {Phase.POLL, Phase.ANSWER, Phase.REPORT} and phase not in AT_REST:
            happenings += self._stumbled(phase, None)
            self._pace.back_off(now.monotonic)
        if fault is not None and fault.is_event_list and phase in {Phase.POLL, Phase.SYNC}:
            answer = outgoing.refused_list(fault.request_id, self._state.ven_id, fault.code, fault.sentence)
            self._outbox.append(answer)
        return self._counted(tuple(happenings))

    def _stumbled(self, phase: Phase, flight: _Flight | None) -> tuple[Happening, ...]:
        """Counts a step that the VTN answers with nonsense; after some tries the session goes on without it."""
        tries = self._stumbles[phase] = self._stumbles.get(phase, 0) + 1
        if tries < TRIES or phase not in {Phase.OFFER, Phase.SYNC, Phase.ANSWER}:
            return ()
        self._stumbles.pop(phase)
        if phase is Phase.OFFER:
            self._offered_enough = True
        elif phase is Phase.SYNC:
            self._synced = True
        else:
            self._outbox.popleft()
        raw = b"" if flight is None else flight.raw
        sentence = f"The VTN did not take our {phase} in {tries} tries; the session goes on without it."
        return (MessageRefused(raw, f"{phase}_given_up", "469", sentence),)

    # ---- what the deck hands in --------------------------------------------------------------------------------

    def answer_events(self, answers: Answers) -> None:
        """The deck's answers, by `Origin.key`, given after it persisted the intents. All open ones may come in parts;
        nothing is polled until the last one is there. Raises MisuseError for an event that waits for none.
        """
        decision = self._decision
        by_id = {event_id: answer for (utility, event_id), answer in answers.items() if utility == self._config.utility}
        if decision is None or len(by_id) < len(answers) or not by_id.keys() <= decision.open_ids:
            raise MisuseError("event_not_pending", f"Not all of {sorted(answers)} wait for an answer.")
        events = tuple(_decided(one, by_id.get(one.event_id)) for one in self._state.events)
        self._state = replace(self._state, events=events)
        owed = tuple(_answered(one, by_id.get(one.event_id)) for one in decision.owed)
        decision = Decision(decision.request_id, owed, decision.open_ids - by_id.keys())
        self._decision = decision if decision.open_ids else None
        if not decision.open_ids and owed:
            self._outbox.append(outgoing.created_event(decision.request_id, self._state.ven_id, owed))

    def report_wanted(self, now: Instant, passing_over: frozenset[str] = frozenset()) -> ReportWanted | None:
        """The next rows that are due, of a request not in `passing_over`. None while the clock cannot be trusted, or
        while the backlog is full: the window stays open then, and is counted.
        """
        if now.quality is ClockQuality.UNTRUSTED or not self._state.registered:
            return None
        asked_for = (one for one in self._state.requests if one.request_id not in passing_over)
        due = (reporting.wanted(one, self._config, now.unix) for one in asked_for)
        asked = next((one for one in due if one is not None), None)
        if (
            asked is not None
            and self._state.backlog_rows + self._config.report_rows_max > self._config.backlog_rows_max
        ):
            counters = replace(self._state.counters, backlog_full=self._state.counters.backlog_full + 1)
            self._state = replace(self._state, counters=counters)
            return None
        return asked

    def submit_report(self, now: Instant, wanted: ReportWanted, rows: tuple[ReportRow, ...]) -> None:
        """Queues the rows of a wanted report; it is sent before the next poll, and again until it is acknowledged.

        Raises MisuseError for a report that is no longer wanted, or for rows of points that were not asked for.
        """
        request = next((one for one in self._state.requests if one.request_id == wanted.request_id), None)
        offer = self._config.offer(wanted.specifier_id)
        if (
            request is None
            or offer is None
            or (wanted.granularity_seconds and wanted.begin - wanted.given_up_seconds != request.covered_to)
        ):
            raise MisuseError("report_not_wanted", f"The report {wanted.request_id} is not wanted any more.")
        if {row.r_id for row in rows} - set(wanted.r_ids):
            raise MisuseError("report_rows_wrong", f"The report {wanted.request_id} has rows of other points.")
        report = reporting.queued(wanted, offer, rows, now.unix)
        given_up = self._state.counters.report_seconds_given_up + wanted.given_up_seconds
        state = requests.replaced(self._state, request.request_id, reporting.advanced(request, wanted, now.unix))
        self._state = replace(
            state,
            backlog=(*state.backlog, report),
            counters=replace(state.counters, report_seconds_given_up=given_up),
        )

    def deregister(self) -> None:
        """Ends the registration with the next step: the owner leaves the programme."""
        if self._state.registered:
            self._leaving = True
        else:
            self._state = replace(self._state, lapsed=Lapse.ENDED_BY_US)

    # ---- small parts -------------------------------------------------------------------------------------------

    def _reopened(self, now: Instant) -> bool:
        """Whether a registration that the VTN ended is to be asked for again."""
        if self._state.lapsed is not Lapse.ENDED_BY_UTILITY or self._config.register_again_seconds is None:
            return False
        if self._reopen_at is None:
            self._reopen_at = now.monotonic + self._config.register_again_seconds
        if now.monotonic < self._reopen_at:
            return False
        self._reopen_at = None
        self._state = replace(self._state, lapsed=Lapse.FORGOTTEN)
        return True

    def _counted(self, happenings: tuple[Happening, ...]) -> tuple[Happening, ...]:
        refused = sum(isinstance(one, MessageRefused) for one in happenings)
        if refused:
            counters = self._state.counters
            counters = replace(counters, refused_messages=counters.refused_messages + refused)
            self._state = replace(self._state, counters=counters)
        return happenings

    def _request_id(self) -> str:
        counters = replace(self._state.counters, requests=self._state.counters.requests + 1)
        self._state = replace(self._state, counters=counters)
        return f"{self._prefix}-{counters.requests}"


def _decided(known: KnownEvent, answer: OptAnswer | None) -> KnownEvent:
    if answer is None:
        return known
    return replace(known, opt=answer.opt, code=answer.code, description=answer.description)


def _answered(owed: Owed, answer: OptAnswer | None) -> Owed:
    if answer is None or owed.opt is not None:
        return owed
    return replaced(owed, opt=answer.opt, code=answer.code, description=answer.description)
