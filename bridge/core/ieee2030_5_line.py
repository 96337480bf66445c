"""One utility's line over IEEE 2030.5: the client's session on one side, the core on the other.

The session tells the schedule whole whenever it changed; what differs from what was published becomes events, committed
with the messages that they rest on and the session's state, before anything acts. The dialect knows no opting: what a
device cannot do is answered by the event engine, and what plan or policy does not carry is put in log and status.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

import structlog

from wattseal.bridge import journal
from wattseal.bridge.charging import need_at
from wattseal.bridge.core.beginning_anew import BeginningAnew
from wattseal.bridge.core.contact import Contact
from wattseal.bridge.core.core import Core, Estate
from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.inbound import Arrival, EventTaken, Tidings
from wattseal.bridge.core.notification_door import notification_door
from wattseal.bridge.core.published import differences
from wattseal.bridge.core.readings_told import ReadingsTold
from wattseal.bridge.core.refused_orders import receipts_of, refused_orders
from wattseal.bridge.core.seed import seed_of
from wattseal.bridge.core.server_config import (
    address_of,
    client_config,
    nameplates,
    own_lfdi,
    server_of,
    translation_context,
)
from wattseal.bridge.core.server_rim import Rim, opened_rim
from wattseal.bridge.site.model import Utility
from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.client import shell
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType
from wattseal.protocols.ieee2030_5.client.duties.der import DerReports
from wattseal.protocols.ieee2030_5.client.duties.der_documents import InForceSettings
from wattseal.protocols.ieee2030_5.client.duties.flow_reservations import FlowReservations
from wattseal.protocols.ieee2030_5.client.duties.information import Information
from wattseal.protocols.ieee2030_5.client.duties.load_shed import LoadShed
from wattseal.protocols.ieee2030_5.client.duties.log_events import LogEvents
from wattseal.protocols.ieee2030_5.client.duties.metering import Metering
from wattseal.protocols.ieee2030_5.client.duties.registration import Registration
from wattseal.protocols.ieee2030_5.client.duties.subscriptions import Subscriptions
from wattseal.protocols.ieee2030_5.client.duty import Duty
from wattseal.protocols.ieee2030_5.client.happenings import (
    Happening,
    MessageRefused,
    Noted,
    PricesInForce,
    Registered,
    RegistrationRefused,
    ScheduleChanged,
    TextsInForce,
    Told,
    UtilityAnswers,
    UtilitySilent,
)
from wattseal.protocols.ieee2030_5.client.session import ClientSession
from wattseal.protocols.ieee2030_5.mentioned import Mentioned, mentioned_in
from wattseal.protocols.ieee2030_5.profiles import MEDIA_TYPE, Profile
from wattseal.protocols.ieee2030_5.settings_in_force import settings_in_force
from wattseal.protocols.ieee2030_5.translate import DIALECT, PROGRAMME, TRANSLATOR, event_id_of, remarks_of, translate
from wattseal.protocols.ingress import Report

NOBODYS: Final = frozenset({"notification_foreign", "notification_unknown"})
"""What a stranger brings to our door is told and not put on record: else whoever knocks could fill the disk."""
_TAKERS = (DerReports, Information, Metering, LogEvents, LoadShed)
_log = structlog.get_logger("utility")


class ServerLine:
    """The line to one server; `run` keeps it until it is cancelled."""

    def __init__(self, utility: Utility, core: Core, estate: Estate, base: Path) -> None:
        self._utility = utility
        self._core = core
        self._estate = estate
        self._base = base
        self._address = address_of(utility.url)
        self._one_at_a_time = asyncio.Lock()
        self._wake = asyncio.Event()
        self._kept = b""
        self._contact = Contact(core.contacts, utility.name)
        self._session: ClientSession | None = None
        self._lost: asyncio.Queue[Exception] = asyncio.Queue()

    @property
    def session(self) -> ClientSession:
        """The session, once `begin` was called, for whoever drives it or shows its state."""
        if self._session is None:
            raise WorldError("line_not_begun", f"The line to {self._utility.name} has not begun.")
        return self._session

    async def run(self) -> None:
        """Speaks with the server. Raises `MisuseError` where its address, certificate or files cannot be used."""
        async with AsyncExitStack() as stack:
            rim = await stack.enter_async_context(opened_rim(self._utility, self._estate, self._base))
            session = self.begin(rim.profile, rim.dcap, rim.certificate)
            await self._listen(stack, rim)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._measure())
                    group.create_task(self._ends_where_a_notification_was_lost())
                    await shell.run(session, rim.exchange, self._estate.clock, self.handle, self.save, self._wake)
            except ExceptionGroup as several:
                raise _first_of(several) from several

    def begin(self, profile: Profile, dcap: str, certificate: bytes | None) -> ClientSession:
        """Makes the session from the site file and what the journal kept of it. `certificate`: ours, DER."""
        utility, site = self._utility, self._estate.site
        lfdi = own_lfdi(utility, certificate)
        seed = seed_of(self._estate.store, utility.name)
        config = client_config(site, utility, lfdi=lfdi, seed=seed, profile=profile, dcap=dcap)
        self._lfdi = lfdi
        self._context = translation_context(config, utility)
        self._told = ReadingsTold(config, self._estate.site)
        registration = Registration(config)
        serve = registration.may_serve
        self._der = DerReports(config, serve)
        self._log_events = LogEvents(config, serve)
        self._reservations = FlowReservations(config, serve)
        information = Information(config, serve)
        for device, nameplate in nameplates(site, utility).items():
            information.put_nameplate(device, nameplate)
        duties: list[Duty] = [
            registration, self._der, information, Metering(config, serve), self._log_events, LoadShed(config, serve),
            self._reservations,
        ]  # fmt: skip
        if config.notification_uri:
            duties.append(Subscriptions(config, serve))
        self._takers = [duty for duty in duties if isinstance(duty, _TAKERS)]
        self._session = self._recalled(config, duties)
        self._contact.begin(profile.name, lfdi)
        self._core.acknowledgers[utility.name] = self.acknowledge
        return self._session

    async def handle(self, happenings: Sequence[Happening]) -> None:
        """What happened on the session, handed to the core; `run` calls it, or whoever drives the session instead."""
        async with self._one_at_a_time:
            for told, some in groupby(happenings, key=lambda one: isinstance(one, Told)):
                if told:
                    await self._said([one for one in some if isinstance(one, Told)])
                    continue
                for happening in some:
                    await self._handled(happening)

    async def notified(self, path: str, body: bytes, peer_lfdi: bytes | None) -> int:
        """A notification at our door: it is durable before it is answered. The status of the answer.

        Where it cannot be made durable the line ends: its session knows by then what the core does not. The next one
        begins with what is durable, and tells it whole.
        """
        status, happenings = self.session.notified(self._estate.clock.now(), path, body, peer_lfdi)
        try:
            await self.handle(happenings)
            await self.save(self.session.state_bytes())
        except Exception as error:
            self._lost.put_nowait(error)
            raise
        self._wake.set()
        return status

    async def save(self, state: bytes) -> None:
        """Keeps the session's state, unless a commit of its events has just done so."""
        if state == self._kept:
            return
        deed = Deed()
        deed.write(lambda db: journal.keep_session(db, self._utility.name, state))
        await self._core.record(deed)
        self._kept = state

    async def hand_in(self) -> None:
        """Hands what was read since the last time to the duties, and which orders are not carried out."""
        now_ms = self._estate.clock.now().unix_ms
        names = tuple(device.name for device in self._context.devices.values())
        for device, functions in refused_orders(self._core.memory, self._utility.name, names, now_ms // 1000).items():
            if self._log_events.put_refused(device, functions, now_ms // 1000):
                self._wake.set()
        for measured in await self._estate.store.read(partial(self._told.newly, now_ms=now_ms)):
            for duty in self._takers:
                duty.take(measured)
            self._wake.set()
        self._reserve(now_ms // 1000)
        await self._withdraw_what_was_held_back()

    async def acknowledge(self, event_id: str) -> bool:
        """A person has acknowledged a text that is shown, by its mRID; False where there is none such."""
        try:
            mrid = bytes.fromhex(event_id)
        except ValueError:
            return False
        found = self.session.acknowledged(self._estate.clock.now(), mrid)
        await self.save(self.session.state_bytes())
        self._wake.set()
        return found

    def _reserve(self, now: int) -> None:
        """Offers what the chargers of this server need. A charger that the file says nothing of reserves nothing."""
        for managed in self._context.devices.values():
            device = self._estate.site.device(managed.name)
            if device is not None and managed.der_type is DerType.EV_CHARGER:
                need = None if device.charging is None else need_at(device.charging, now)
                self._reservations.need(managed.name, need, now)

    # ---- what happened -----------------------------------------------------------------------------------------

    async def _handled(self, happening: Happening) -> None:
        match happening:
            case ScheduleChanged():
                await self._scheduled(happening)
            case MessageRefused(href, raw, reason, sentence):
                _log.warning("message_refused", utility=self._utility.name, href=href, reason=reason, sentence=sentence)
                if reason not in NOBODYS:
                    await self._core.refuse(self._arrival(raw), reason)
            case Noted(note):
                _log.info(
                    "event_note", utility=self._utility.name, kind=str(note.kind), about=note.subject.hex().upper()
                )
            case PricesInForce(prices):
                self._contact.priced(prices, self._context)
            case TextsInForce(texts):
                self._contact.showed(texts, self._context)
            case UtilitySilent() | UtilityAnswers() | Registered() | RegistrationRefused():
                self._contact.heard(happening)

    async def _scheduled(self, changed: ScheduleChanged) -> None:
        """Publishes what differs; the messages that brought it are put on record even where nothing does."""
        name, now = self._utility.name, self._estate.clock.now()
        mentioned = self._mentioned(changed)
        arrivals = [self._arrival(heard.raw, one.names) for heard, one in zip(changed.heard, mentioned, strict=True)]
        translation = translate(changed.segments, self._context)
        programmes = {event_id_of(one.force): one.force.program.hex().upper() for one in changed.segments}
        published = {event_id: timed for (of, event_id), timed in self._core.memory.events.items() if of == name}
        cancelled = frozenset[str]().union(*(one.cancelled for one in mentioned))
        taken = []
        found = differences(published, translation.events, cancelled, now.unix, changed.known_until)
        for one in self._anew.passed(found, changed, self.session.survey):
            known_as = one.event.origin.event_id.partition("~")[0]
            programme = programmes.get(known_as, "")
            rests_on = (known_as, PROGRAMME + programme) if programme else (known_as,)
            taken.append(EventTaken(one.change, one.event, 0, TRANSLATOR, rests_on))
        self._settings(changed, now.unix)
        self._contact.remarked((*translation.remarks, *remarks_of(self.session.not_carried)))
        if not taken and not arrivals:
            return
        if not arrivals and all(of != name for of, _ in self._core.memory.messages):
            arrivals = [self._arrival(b"")]  # the record of what asked for this is lost; that is put on record
        told = await self._core.take_all(Tidings(name, arrivals, taken), lambda _consents: self._state())
        self._contact.denied({key[1]: consent.why for key, consent in told.consents if not consent.opt_in})

    async def _withdraw_what_was_held_back(self) -> None:
        async with self._one_at_a_time:
            told = self._anew.due(self.session.survey)
            if told is not None:
                await self._scheduled(replace(told, heard=()))

    def _state(self) -> bytes:
        self._kept = self.session.state_bytes()
        return self._kept

    def _mentioned(self, changed: ScheduleChanged) -> list[Mentioned]:
        defaults: dict[str, list[str]] = {}
        for mrid, read in self.session.survey.programs.items():
            link = read.program.default_der_control_link
            if link is not None:
                defaults.setdefault(link.href, []).append(mrid)
        return [mentioned_in(heard.raw, heard.href, defaults) for heard in changed.heard]

    def _settings(self, changed: ScheduleChanged, now: int) -> None:
        """A default that overwrites settings of a device has them told anew."""
        overwritten = settings_in_force(changed.segments, now)
        for lfdi, managed in self._context.devices.items():
            self._der.put_settings(managed.name, InForceSettings(overwritten=overwritten.get(lfdi, ())), now)

    async def _said(self, several: Sequence[Told]) -> None:
        """Seals what was told to the utility, each with what it rests on, in one commit."""
        now = self._estate.clock.now()
        deed = Deed()
        for told in several:
            body = Report(
                dialect=DIALECT,
                utility=self._utility.name,
                request=f"{told.kind} {told.about}",
                length=len(told.sent),
                answered_ms=now.unix_ms,
                code=str(told.status),
                clock=str(now.quality),
            )
            content = hashlib.sha256(told.sent).digest()
            deed.say(self._estate.scribe.report(body, content, self._grounds(told), now), told.sent)
        await self._core.record(deed)

    def _grounds(self, told: Told) -> tuple[bytes, ...]:
        if told.kind == "response":
            timed = self._core.memory.events.get((self._utility.name, told.about.upper()))
            return () if timed is None else (timed.intent,)
        refused = receipts_of(self._core.memory, told.about) if told.kind == "log_event" else ()
        return (*self._told.grounds(told.kind, told.about), *refused)

    # ---- the rim -----------------------------------------------------------------------------------------------

    def _recalled(self, config: ClientConfig, duties: Sequence[Duty]) -> ClientSession:
        """The session as it was kept; a state of another release is told and begun anew: the server is read again."""
        kept = self._estate.store.read_now(journal.recall).sessions.get(self._utility.name)
        published = any(of == self._utility.name for of, _ in self._core.memory.events)
        self._anew = BeginningAnew(lost=kept is None and published)
        try:
            return ClientSession(config, kept, duties)
        except WorldError as error:
            self._anew = BeginningAnew(lost=published)
            _log.error("session_state_unread", utility=self._utility.name, reason=error.reason, sentence=error.sentence)
            return ClientSession(config, None, duties)

    async def _listen(self, stack: AsyncExitStack, rim: Rim) -> None:
        listener = server_of(self._utility).listener
        if listener is not None:
            await stack.enter_async_context(notification_door(listener, rim.server_tls, self.notified))

    async def _ends_where_a_notification_was_lost(self) -> None:
        raise await self._lost.get()

    async def _measure(self) -> None:
        period = min((device.sampling_seconds for device in self._estate.site.devices), default=10)
        while True:
            await self.hand_in()
            await asyncio.sleep(period)

    def _arrival(self, raw: bytes, about: tuple[str, ...] = ()) -> Arrival:
        return Arrival(DIALECT, self._utility.name, self._address.authority, MEDIA_TYPE, raw, self._lfdi, about)


def _first_of(several: ExceptionGroup[Exception]) -> Exception:
    """The failure that ended a group of tasks, as whoever keeps the line wants it."""
    first = several.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
