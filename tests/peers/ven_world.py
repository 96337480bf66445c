"""An in-memory VTN, a deck that says yes, and a clock that only moves when it is told: a day in milliseconds."""

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.protocols.openadr20b import common, event, party, poll, report, response
from wattseal.protocols.openadr20b.codec import decode, encode
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.item_base import PowerAttributes, PowerReal
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.translate import DispatchSign, MarketContext
from wattseal.protocols.openadr20b.ven.config import VenConfig, telemetry_offers
from wattseal.protocols.openadr20b.ven.happenings import (
    EventChange,
    EventsReceived,
    Happening,
    OptAnswer,
    ReportDue,
    ReportWanted,
)
from wattseal.protocols.openadr20b.ven.session import Send, VenSession
from wattseal.protocols.openadr20b.ven.state import ReportRow
from wattseal.protocols.openadr20b.vocabulary import (
    EventStatus,
    OptType,
    ProfileName,
    ReadingType,
    ResponseRequired,
    SignalName,
    SignalType,
    SiScaleCode,
    TransportName,
)

NOON = 1_800_000_000  # 2027-01-15T08:00:00Z
MARKET = "http://utility.example/dispatch"
VTN_ID = "VTN_1"
MAINS = PowerAttributes(hertz=Decimal(50), voltage=Decimal(230), ac=True)


class Clock:
    """A trusted clock that stands still until it is advanced."""

    def __init__(self, unix: float = NOON) -> None:
        self.unix_ms = int(unix * 1000)
        self.monotonic = 1000.0
        self.quality = ClockQuality.TRUSTED

    def now(self) -> Instant:
        return Instant(self.unix_ms, self.monotonic, self.quality)

    def advance(self, seconds: float) -> None:
        self.monotonic += seconds
        self.unix_ms += round(seconds * 1000)


def utc(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def ok(request_id: str, code: str = "200") -> common.EiResponse:
    return common.EiResponse(response_code=code, response_description="-", request_id=request_id)


def config(**changes: object) -> VenConfig:
    settings: dict[str, object] = {
        "utility": "utility",
        "ven_name": "ven",
        "jitter_share": 0.0,
        "market_contexts": {MARKET: MarketContext("dispatch", DispatchSign.CONSUMPTION)},
        "resources": {"battery": "battery-1", "charger": "charger-1"},
        "groups": {"all": ("battery-1", "charger-1")},
        "offers": telemetry_offers(("battery",), frozenset({"battery"})),
    }
    return VenConfig(**(settings | changes))  # type: ignore[arg-type]  # the test names the fields


def simple(level: str = "1", duration: int = 3600, count: int = 1) -> event.EventSignal:
    each = Duration.of_seconds(duration // count)
    return event.EventSignal(
        intervals=tuple(
            event.SignalInterval(duration=each, uid=str(number), value=Decimal(level)) for number in range(count)
        ),
        signal_name=SignalName.SIMPLE,
        signal_type=SignalType.LEVEL,
        signal_id="s",
        current_value=Decimal(0),
    )


def dispatch(watts: str = "2000", duration: int = 3600, scale: SiScaleCode = SiScaleCode.NONE) -> event.EventSignal:
    return event.EventSignal(
        intervals=(event.SignalInterval(duration=Duration.of_seconds(duration), uid="0", value=Decimal(watts)),),
        signal_name=SignalName.LOAD_DISPATCH,
        signal_type=SignalType.SETPOINT,
        signal_id="d",
        item_base=PowerReal(si_scale_code=scale, power_attributes=MAINS),
    )


def oadr_event(
    event_id: str = "E1",
    number: int = 0,
    *,
    status: EventStatus = EventStatus.FAR,
    start: int = NOON + 3600,
    duration: int = 3600,
    signals: tuple[event.EventSignal, ...] | None = None,
    target: common.Target | None = None,
    required: ResponseRequired = ResponseRequired.ALWAYS,
    start_after: int | None = None,
    test: str | None = None,
    priority: int | None = 0,
    context: str = MARKET,
) -> event.OadrEvent:
    return event.OadrEvent(
        ei_event=event.EiEvent(
            event_descriptor=event.EventDescriptor(
                event_id=event_id,
                modification_number=number,
                priority=priority,
                market_context=context,
                created_date_time=utc(NOON),
                event_status=status,
                test_event=test,
            ),
            active_period=common.CalendarPeriod(
                dtstart=utc(start),
                duration=Duration.of_seconds(duration),
                start_after=None if start_after is None else Duration.of_seconds(start_after),
            ),
            event_signals=event.EventSignals(signals=signals or (simple(duration=duration),)),
            target=target or common.Target(),
        ),
        response_required=required,
    )


def distribute(
    *events: event.OadrEvent, request_id: str = "R-list", vtn_id: str = VTN_ID, code: str = "200"
) -> event.DistributeEvent:
    return event.DistributeEvent(ei_response=ok("", code), request_id=request_id, vtn_id=vtn_id, events=events)


def report_request(
    request_id: str = "RR1",
    specifier: str = "telemetry_usage",
    r_ids: tuple[str, ...] = ("battery_power",),
    granularity: int = 60,
    back: int = 300,
    window: tuple[int, int] | None = None,
) -> report.ReportRequest:
    period = None
    if window is not None:
        period = common.CalendarPeriod(dtstart=utc(window[0]), duration=Duration.of_seconds(window[1]))
    return report.ReportRequest(
        report_request_id=request_id,
        report_specifier=report.ReportSpecifier(
            report_specifier_id=specifier,
            granularity=Duration.of_seconds(granularity),
            report_back_duration=Duration.of_seconds(back),
            report_interval=period,
            specifier_payloads=tuple(
                report.SpecifierPayload(r_id=one, reading_type=ReadingType.DIRECT_READ) for one in r_ids
            ),
        ),
    )


def create_report(*requests: report.ReportRequest, request_id: str = "R-create", ven_id: str = "VEN_1") -> Message:
    return report.CreateReport(request_id=request_id, report_requests=requests, ven_id=ven_id)


class DownError(Exception):
    """The VTN does not answer."""


@dataclass
class Vtn:
    """A VTN in memory. What it answers can be bent: `queue` (next polls), `bend` (a message in place of an answer)."""

    clock: Clock
    poll_seconds: int = 10
    ven_id: str = "VEN_1"
    registration_id: str = "REG_1"
    events: tuple[event.OadrEvent, ...] = ()
    requests: tuple[report.ReportRequest, ...] = ()
    knows_us: bool = False
    down: bool = False
    queue: deque[Message | bytes] = field(default_factory=deque)
    bend: Callable[[Message], Message | bytes | None] = lambda _message: None
    log: list[tuple[float, str, Message]] = field(default_factory=list)

    def received(self, kind: type[Message]) -> list[Message]:
        return [message for _, _, message in self.log if isinstance(message, kind)]

    def post(self, service: str, body: bytes) -> bytes:
        message = decode(body).message
        if self.down:
            raise DownError
        self.log.append((self.clock.monotonic, service, message))
        answer = self.bend(message)
        if answer is None:
            answer = self._answer(message)
        return answer if isinstance(answer, bytes) else encode(answer)

    def _answer(self, message: Message) -> Message | bytes:
        match message:
            case party.QueryRegistration():
                return self._created(message.request_id, None, None)
            case party.CreatePartyRegistration():
                self.knows_us = True
                return self._created(message.request_id, self.registration_id, self.ven_id)
            case party.CancelPartyRegistration():
                self.knows_us = False
                return party.CanceledPartyRegistration(
                    ei_response=ok(message.request_id), registration_id=self.registration_id, ven_id=self.ven_id
                )
        if not self.knows_us:
            return response.Response(ei_response=ok("", "463"))
        match message:
            case report.RegisterReport():
                return report.RegisteredReport(ei_response=ok(message.request_id), report_requests=self.requests)
            case event.RequestEvent():
                return distribute(*self.events)
            case report.UpdateReport():
                return report.UpdatedReport(ei_response=ok(message.request_id), ven_id=self.ven_id)
            case poll.Poll() if self.queue:
                return self.queue.popleft()
        return response.Response(ei_response=ok(""), ven_id=self.ven_id)

    def _created(self, request_id: str, registration_id: str | None, ven_id: str | None) -> Message:
        profile = party.Profile(profile_name=ProfileName.PROFILE_20B, transport_names=(TransportName.SIMPLE_HTTP,))
        return party.CreatedPartyRegistration(
            ei_response=ok(request_id),
            registration_id=registration_id,
            ven_id=ven_id,
            vtn_id=VTN_ID,
            profiles=(profile,),
            requested_poll_freq=Duration.of_seconds(self.poll_seconds),
        )


@dataclass
class Deck:
    """Says yes to every event and hands in every report.

    The value of a row is its start modulo 1000, and a thousand more for each point before it.
    """

    session: VenSession
    opt: OptType = OptType.OPT_IN
    happenings: list[Happening] = field(default_factory=list)
    silent: bool = False

    def handle(self, now: Instant, happenings: tuple[Happening, ...]) -> None:
        self.happenings += happenings
        if self.silent:
            return
        for one in happenings:
            if isinstance(one, EventsReceived):
                answers = {
                    change.event.origin.key: OptAnswer(self.opt)
                    for change in one.changes
                    if change.needs_answer and change.event is not None
                }
                if answers:
                    self.session.answer_events(answers)
            if isinstance(one, ReportDue):
                self.session.submit_report(now, one.wanted, rows_for(one.wanted))

    def all(self, kind: type) -> list:
        return [one for one in self.happenings if isinstance(one, kind)]

    @property
    def changes(self) -> list[EventChange]:
        return [change for one in self.all(EventsReceived) for change in one.changes]


def rows_for(wanted: ReportWanted) -> tuple[ReportRow, ...]:
    step = wanted.granularity_seconds
    starts = range(wanted.begin, wanted.end, step) if step else (wanted.begin,)
    return tuple(
        ReportRow(r_id=r_id, start=start, duration_seconds=step, value=Decimal(start % 1000 + 1000 * number))
        for start in starts
        for number, r_id in enumerate(wanted.r_ids)
    )


@dataclass
class World:
    """A session, its VTN, its deck and the time."""

    clock: Clock
    vtn: Vtn
    session: VenSession
    deck: Deck
    steps: int = 0

    @classmethod
    def new(cls, **changes: object) -> "World":
        clock = Clock()
        session = VenSession(config(**changes), seed="seed")
        return cls(clock, Vtn(clock), session, Deck(session))

    def restart(self, **changes: object) -> None:
        """The box starts again from the bytes that the journal kept."""
        state = type(self.session.state).from_bytes(self.session.state.to_bytes())
        self.session = VenSession(config(**changes), state, seed="seed")
        self.deck.session = self.session

    def step(self) -> float:
        """One exchange, or the seconds to wait."""
        self.steps += 1
        wanted = None
        while (more := self.session.report_wanted(self.clock.now())) is not None and more != wanted:
            wanted = more
            self.deck.handle(self.clock.now(), (ReportDue(wanted),))
        step = self.session.next_step(self.clock.now())
        if not isinstance(step, Send):
            assert step.monotonic > self.clock.monotonic, "a wait that is over: a busy loop"
            return step.monotonic - self.clock.monotonic
        try:
            raw = self.vtn.post(step.service, step.body)
        except DownError:
            happenings = self.session.failed(self.clock.now(), "peer_unreachable")
        else:
            happenings = self.session.received(self.clock.now(), raw)
        self.deck.handle(self.clock.now(), happenings)
        return 0.0

    def run(self, seconds: float) -> None:
        """So many seconds of protocol."""
        end = self.clock.monotonic + seconds
        for _ in range(200_000):
            wait = self.step()
            if self.clock.monotonic + wait > end:
                self.clock.advance(end - self.clock.monotonic)
                return
            self.clock.advance(wait)
        raise AssertionError("the session does not come to rest")

    def polled(self, *messages: Message | bytes) -> None:
        """The next polls bring these; runs until their answers are out."""
        self.vtn.queue.extend(messages)
        self.run(self.vtn.poll_seconds * (len(messages) + 0.5))


def unique() -> str:
    return uuid.uuid4().hex[:8]
