"""One utility's line: the session of its dialect on one side, the core on the other.

Everything that happens is handed to the core before the session goes on, so an answer to the utility always follows
what is durable. What the deck answers (opt in or out, rows of a report) goes back through the session.
"""

import hashlib
import os
import sqlite3
import ssl
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from wattseal.bridge import journal, telemetry
from wattseal.bridge.core.consent import Consent
from wattseal.bridge.core.core import Core, Estate
from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.inbound import Arrival, Change, EventTaken
from wattseal.bridge.core.seed import seed_of
from wattseal.bridge.site.model import Utility
from wattseal.bridge.site.secret_names import path_of
from wattseal.certs.errors import MisuseError
from wattseal.certs.tls import TlsIdentity, mutual_tls_client
from wattseal.protocols.http_client import HttpExchange
from wattseal.protocols.ingress import Report
from wattseal.protocols.openadr20b.security import OPENADR_CIPHERS
from wattseal.protocols.openadr20b.translate import TRANSLATOR
from wattseal.protocols.openadr20b.ven import shell
from wattseal.protocols.openadr20b.ven.config import VenConfig
from wattseal.protocols.openadr20b.ven.happenings import (
    ChangeKind,
    Deregistered,
    EventChange,
    EventKey,
    EventsReceived,
    ExchangeFailed,
    Happening,
    MessageRefused,
    OptAnswer,
    ReportAccepted,
    ReportDue,
    ReportRefused,
)
from wattseal.protocols.openadr20b.ven.session import VenSession
from wattseal.protocols.openadr20b.ven.state import VenState
from wattseal.protocols.openadr20b.vocabulary import OptType

_MEDIA_TYPE: Final = "application/xml"
# An answer that was cut off at the cap is bad input, not a bad line: it is put on record, though without its bytes.
_OVERSIZED: Final = "response_oversized"
_CHANGES: Final = {
    ChangeKind.NEW: Change.NEW,
    ChangeKind.MODIFIED: Change.MODIFIED,
    ChangeKind.CANCELLED: Change.CANCELLED,
    ChangeKind.WITHDRAWN: Change.WITHDRAWN,
    ChangeKind.REFUSED: Change.WITHDRAWN,  # a refused modification withdraws what stood
}
_log = structlog.get_logger("utility")


class UtilityLine:
    """The line to one utility; `run` keeps it until it is cancelled."""

    def __init__(self, utility: Utility, core: Core, estate: Estate, base: Path) -> None:
        self._utility = utility
        self._core = core
        self._estate = estate
        self._base = base
        self._session = VenSession(_config(utility), self._recalled_state(), seed=seed_of(estate.store, utility.name))
        self._readings: dict[tuple[str, int], tuple[bytes, ...]] = {}
        self._kept = b""

    @property
    def session(self) -> VenSession:
        """The session, for whoever shows its state."""
        return self._session

    async def run(self) -> None:
        """Speaks with the utility. Raises `MisuseError` where its address or TLS files cannot be used."""
        utility = self._utility
        tls = None if utility.tls is None else self._tls_context()
        async with HttpExchange(utility.url, tls=tls, insecure_reason=utility.insecure) as exchange:
            await shell.run(self._session, exchange, self._estate.clock, self.handle, self.save)

    async def handle(self, happenings: tuple[Happening, ...]) -> None:
        """What happened on the session, handed to the core; `run` calls it, or whoever drives the session instead."""
        for happening in happenings:
            match happening:
                case EventsReceived(raw=raw, changes=changes) | Deregistered(raw=raw, changes=changes):
                    await self._events(raw, changes)
                case MessageRefused(raw=raw, reason=reason):
                    await self._core.refuse(self._arrival(raw), reason)
                case ExchangeFailed(reason=reason) if reason == _OVERSIZED:
                    await self._core.refuse(self._arrival(b""), reason)
                case ReportDue(wanted=wanted):
                    rows = await self._estate.store.read(partial(self._rows, happening))
                    now = self._estate.clock.now()
                    self._session.submit_report(now, wanted, rows.rows)
                    self._readings[wanted.request_id, wanted.end] = rows.readings
                case ReportAccepted() | ReportRefused():
                    await self._told(happening)
                case _:
                    _log.info("utility_session", utility=self._utility.name, happened=type(happening).__name__)

    async def _events(self, raw: bytes, changes: tuple[EventChange, ...]) -> None:
        taken = [
            EventTaken(_CHANGES[change.kind], change.event, change.start_draw_seconds, TRANSLATOR)
            for change in changes
            if change.event is not None and change.kind in _CHANGES
        ]
        refused = [
            (change.event_id, change.code, change.reason) for change in changes if change.kind is ChangeKind.REFUSED
        ]
        if not taken and not refused:
            self._answer(changes, {})
            return
        states: list[bytes] = []

        def answered(consents: Mapping[EventKey, Consent]) -> bytes:
            self._answer(changes, consents)
            states.append(self._session.state.to_bytes())
            return states[-1]

        await self._core.take(self._arrival(raw), taken, refused, answered)
        self._kept = states[-1]

    def _answer(self, changes: tuple[EventChange, ...], consents: Mapping[EventKey, Consent]) -> None:
        """Gives the session its answers. Its state then is saved in the same commit as what they rest on."""
        answers = {
            (self._utility.name, change.event_id): _opt(consents.get((self._utility.name, change.event_id)))
            for change in changes
            if change.needs_answer
        }
        if answers:
            self._session.answer_events(answers)

    async def _told(self, happened: ReportAccepted | ReportRefused) -> None:
        """Seals what was told to the utility, with the readings it rests on."""
        now = self._estate.clock.now()
        body = Report(
            dialect=self._utility.dialect,
            utility=self._utility.name,
            request=happened.request_id,
            length=len(happened.request_raw),
            answered_ms=now.unix_ms,
            code=happened.code,
            clock=str(now.quality),
        )
        readings = self._readings.pop((happened.request_id, happened.end), ())
        content = hashlib.sha256(happened.request_raw).digest()
        deed = Deed()
        deed.say(self._estate.scribe.report(body, content, readings[:256], now), happened.request_raw)
        await self._core.record(deed)

    async def save(self, state: bytes) -> None:
        """Keeps the session's state, unless the commit of an event has just done so."""
        if state == self._kept:
            return
        deed = Deed()
        deed.write(lambda db: journal.keep_session(db, self._utility.name, state))
        await self._core.record(deed)
        self._kept = state

    def _rows(self, due: ReportDue, db: sqlite3.Connection) -> telemetry.Rows:
        return telemetry.rows_for(due.wanted, self._utility, partial(journal.samples_between, db))

    def _arrival(self, raw: bytes) -> Arrival:
        utility = self._utility
        peer = urlsplit(utility.url).netloc
        return Arrival(utility.dialect, utility.name, peer, _MEDIA_TYPE, raw, self._session.state.ven_id)

    def _recalled_state(self) -> VenState | None:
        kept = self._estate.store.read_now(journal.recall).sessions.get(self._utility.name)
        return None if kept is None else VenState.from_bytes(kept)

    def _tls_context(self) -> ssl.SSLContext:
        tls = self._utility.tls
        if tls is None:
            raise MisuseError("tls_missing", f"{self._utility.name} has no [utility.tls] table.")
        key = path_of(tls.key, self._base, os.environ)
        identity = TlsIdentity(self._base / tls.certificate, key)
        return mutual_tls_client(identity, self._base / tls.authority, OPENADR_CIPHERS)


def _config(utility: Utility) -> VenConfig:
    return VenConfig(
        utility=utility.name,
        ven_name=utility.ven_name,
        ven_id=utility.ven_id or None,
        poll_min_seconds=float(utility.poll_seconds_least),
        poll_max_seconds=float(utility.poll_seconds_most),
        market_contexts=utility.market_contexts,
        resources=utility.resources,
        groups=utility.groups,
        offers=telemetry.offers_for(utility),
    )


def _opt(consent: Consent | None) -> OptAnswer:
    if consent is None or consent.opt_in:
        return OptAnswer(OptType.OPT_IN)
    return OptAnswer(OptType.OPT_OUT, description=consent.why[:200])
