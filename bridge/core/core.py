"""The core: one writer, three ways in (a utility's message, a gateway's statement, the clock), one way out.

    take   a message of a utility      -> ingress, intents, consent, and at once the orders that follow
    hear   a statement of the gateway  -> ledger, journal, and where it matters another look
    look   the clock, or a change      -> the orders that are due

Each is decided in memory, committed in one go, and only then acted on: a command, a renewal or an answer leaves the
process when it, and all that it rests on, is durable. (What a command rests on may go ahead of it to the gate's memory;
alone it moves nothing.) A commit that finds the disk full takes the memory back to the journal, frees the reserve and
goes on with `storage_low`, under which policy lets no order raise power.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from wattseal.bridge import journal
from wattseal.bridge.core import homeward, inbound, outbound
from wattseal.bridge.core.consent import Consent, consent
from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.homeward import Consequence, Heard
from wattseal.bridge.core.inbound import Arrival, EventTaken, Tidings
from wattseal.bridge.core.line import Line
from wattseal.bridge.core.memory import Memory
from wattseal.bridge.core.scribe import Scribe
from wattseal.bridge.plan import HANDOVER_SECONDS
from wattseal.bridge.site.model import Site
from wattseal.bridge.timeline import TimedEvent, is_over, next_change
from wattseal.certs.clock import ClockQuality, Instant, TrustedClock
from wattseal.certs.errors import PeerError, WattsealError, WorldError
from wattseal.certs.manifest import Manifest
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Kind, Statement
from wattseal.certs.storage import StorageFullError, Store
from wattseal.drivers.commands import NONCE_BYTES, Hail, Renewal, Seat

RETRY_SECONDS: Final = 20
RETRY_MOST_SECONDS: Final = 300
FORGET_SECONDS: Final = 86_400
_log = structlog.get_logger("core")


@dataclass(frozen=True, slots=True)
class Estate:
    """What a core is started with, opened and checked by whoever starts it."""

    site: Site
    manifest: Manifest
    policy: Policy
    scribe: Scribe
    store: Store
    clock: TrustedClock


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one message: each event it changed, with the answer that the utility is owed."""

    consents: tuple[tuple[tuple[str, str], Consent], ...]


class Core:
    """See the module's text. All methods run on one event loop; `_writer` keeps memory and journal in step.

    `watch` is told each station as it is passed, with its moment `at` in monotonic nanoseconds: `arrived`, `taken`
    (ingress and intents sealed), `consented`, `sealed` (planned, decided, sealed), `committed`, `bundle` (sent),
    `heard` (statements of the gateway, checked and taken in), and each of these by its kind, once it is durable here
    too. It must be quick, and may raise nothing. `contacts`: what each line tells of its utility, for status only.
    """

    def __init__(self, estate: Estate, watch: Callable[[str, dict[str, object]], None] | None = None) -> None:
        self._estate = estate
        self._memory = Memory.restore(estate.store.read_now(journal.recall))
        self._memory.ask_denied_again()  # policy and site file may be others than before the start
        self._writer = asyncio.Lock()
        self._line: Line | None = None
        self._nonce: bytes | None = None
        self._retry_at: dict[Seat, int] = {}
        self._last_retry: dict[Seat, tuple[int, int]] = {}
        self._asked_from = (-1, 0)
        self._watch = watch
        self.changed = asyncio.Event()
        self.contacts: dict[str, Mapping[str, object]] = {}
        self.acknowledgers: dict[str, Callable[[str], Awaitable[bool]]] = {}  # of texts, by utility

    @property
    def memory(self) -> Memory:
        """What the core knows; to be read, not changed."""
        return self._memory

    async def take(
        self,
        arrival: Arrival,
        taken: Sequence[EventTaken],
        refused: Sequence[tuple[str, str, str]],
        session_state: Callable[[dict[tuple[str, str], Consent]], bytes],
    ) -> Told:
        """A message that changes events; `session_state` gives the session's state once the consents are known.

        A message that finds the disk full is taken once more, on the reserve that is free then: its answer is promised.
        Raises `StorageFullError` where even that does not hold it.
        """
        return await self.take_all(Tidings(arrival.utility, (arrival,), taken, refused), session_state)

    async def take_all(
        self, tidings: Tidings, session_state: Callable[[dict[tuple[str, str], Consent]], bytes]
    ) -> Told:
        """The same for any number of messages of one utility, none included: then time alone changed the events."""
        estate, now = self._estate, self._estate.clock.now()
        self._tell("arrived", utility=tidings.utility)
        async with self._writer:
            deed, timed = self._taken_in(tidings, now)
            facts = outbound.facts_of(self._memory, estate.site, estate.policy, now)
            self._tell("taken", events=timed)
            if any(one.start <= now.unix for one in timed):  # an order is likely: the gate may begin to check
                await self._send(deed.statements)
            consents = {one.event.origin.key: consent(one, facts, estate.site, estate.policy) for one in timed}
            state = session_state(consents)
            self._tell("consented", consents=consents)
            try:
                await self._carry_out(_with_session(deed, tidings.utility, state), now)
            except StorageFullError:
                deed, _ = self._taken_in(tidings, now)
                await self._carry_out(_with_session(deed, tidings.utility, state), now)
        self.changed.set()
        return Told(tuple(consents.items()))

    def _taken_in(self, tidings: Tidings, now: Instant) -> tuple[Deed, tuple[TimedEvent, ...]]:
        estate, deed = self._estate, Deed()
        return deed, inbound.take_in(tidings, self._memory, estate.scribe, estate.site.text, now, deed)

    async def refuse(self, arrival: Arrival, reason: str) -> None:
        """A message that could not be carried: recorded with its bytes and the reason."""
        now = self._estate.clock.now()
        async with self._writer:
            deed = Deed()
            inbound.record_refusal(arrival, reason, self._estate.scribe, now, deed)
            await self._commit_or_again(deed)
        _log.warning("message_refused", utility=arrival.utility, reason=reason, length=len(arrival.raw))

    async def record(self, deed: Deed) -> None:
        """A deed made elsewhere (a session's state, a report told) that needs no orders."""
        async with self._writer:
            await self._commit_or_again(deed)

    async def look(self) -> None:
        """Gives the orders that are due now."""
        now = self._estate.clock.now()
        async with self._writer:
            self._want_retries(now)
            await self._carry_out(Deed(), now)

    def seconds_to_next_look(self, most: float) -> float:
        """How long until a look may order something, at most `most` (drift and retries want a look now and then)."""
        now = self._estate.clock.now()
        events = self._memory.events.values()
        handed_over = next_change(events, now.unix + HANDOVER_SECONDS)
        ahead = None if handed_over is None else handed_over - HANDOVER_SECONDS
        edges = [next_change(events, now.unix), ahead, *self._retry_at.values()]
        nearest = min((edge for edge in edges if edge is not None), default=None)
        return most if nearest is None else min(most, max(0.0, nearest - now.unix_ms / 1000))

    async def recover_storage(self) -> None:
        """Takes the reserved space back, once there is room again; then orders may raise power again."""
        if not self._memory.storage_low:
            return
        with contextlib.suppress(StorageFullError):
            await self._estate.store.restore_reserve()
            self._memory.storage_low = False
            self._memory.ask_denied_again()
            self.changed.set()

    async def forget_old_events(self, now: Instant) -> int:
        """Forgets events that were over a day ago, in memory and journal; how many. Their intents stay in the ledger.

        With an untrusted clock nothing is known to be over.
        """
        if now.quality is ClockQuality.UNTRUSTED:
            return 0
        async with self._writer:
            events = self._memory.events
            old = [key for key, timed in events.items() if is_over(timed, now.unix - FORGET_SECONDS)]
            if not old:
                return 0
            deed = Deed()
            for key in old:
                deed.write(partial(journal.forget_event, key=key))
            await self._commit(deed)
            for key in old:
                self._memory.events.pop(key, None)
        return len(old)

    async def attach(self, line: Line) -> None:
        """A gateway is connected: hail it. Until its hello comes, nothing is ordered."""
        async with self._writer:
            self._line = line
            self._memory.gateway.epoch = None
        await self.hail()

    async def detach(self) -> None:
        """The gateway is gone; its leases and the devices' own timers run on without us."""
        async with self._writer:
            self._line = None
            self._memory.gateway.epoch = None

    async def hail(self) -> None:
        """Ask the gateway for its epoch, and tell it how far we hold its statements."""
        now = self._estate.clock.now()
        async with self._writer:
            self._nonce = secrets.token_bytes(NONCE_BYTES)
            deed = Deed()
            said = deed.say(self._estate.scribe.hail(Hail(self._nonce, self._memory.gateway.held), now))
            await self._commit(deed)
            await self._send((said,))

    async def renew(self) -> None:
        """Keep the standing commands alive; where there are none, a hail tells how far we hold."""
        now = self._estate.clock.now()
        async with self._writer:
            renewed = await self._renewed(now)
        if not renewed:
            await self.hail()

    async def _renewed(self, now: Instant) -> bool:
        live = self._memory.commanded()
        gateway = self._memory.gateway
        if gateway.epoch is None or not live:
            return False
        gateway.sequence += 1
        body = Renewal(gateway.epoch, gateway.sequence, self._estate.site.lease_seconds, gateway.held)
        row = gateway.row()
        deed = Deed()
        said = deed.say(self._estate.scribe.renewal(body, live, now))
        deed.write(lambda db: journal.keep_gateway(db, *row))
        await self._commit(deed)
        await self._send((said,))
        return True

    async def hear(self, *raws: bytes) -> None:
        """Statements from the gateway, in order, taken in with one commit.

        What is not sealed by the gateway's key is logged and dropped. A clock that cannot be trusted would take every
        key for not yet valid, so keys are judged at its floor then.
        """
        now = self._estate.clock.now()
        admitted = [said for raw in raws if (said := self._admitted(raw, now)) is not None]
        consequences: list[Consequence] = []
        async with self._writer:
            deed = Deed()
            for said in admitted:
                consequences.append(homeward.hear(said, self._nonce, self._memory, deed))
                if consequences[-1].heard is Heard.SKIPPED:
                    break  # those behind it skip as well
            heard = admitted[: len(consequences)]
            self._tell("heard", statements=heard)
            await self._commit(deed)
        for said in heard:
            self._tell(str(said.header.kind), statement=said)
        for consequence in dict.fromkeys(consequences):
            await self._follow(consequence, now)

    def _admitted(self, raw: bytes, now: Instant) -> Statement | None:
        untrusted = now.quality is ClockQuality.UNTRUSTED
        try:
            return self._estate.manifest.admit(raw, self._estate.clock.floor if untrusted else now.unix)
        except PeerError as error:
            _log.error("gateway_statement_refused", reason=error.reason)
            return None

    async def _follow(self, consequence: Consequence, now: Instant) -> None:
        match consequence.heard:
            case Heard.LOOK:
                await self.look()
            case Heard.RETRY if consequence.seat is not None:
                if consequence.unknown_parents and self._line is not None:
                    self._line.send_all_again()
                self._plan_retry(consequence.seat, now.unix)
                self.changed.set()
            case Heard.SKIPPED if self._may_ask_again(now.unix):
                _log.warning("gateway_chain_skipped", held=self._memory.gateway.held)
                await self.hail()
            case _:
                return

    def _plan_retry(self, seat: Seat, now: int) -> None:
        """Again after a while; each time after twice that while, until the device has kept quiet for the longest."""
        if seat in self._retry_at:
            return
        due, wait = self._last_retry.get(seat, (0, 0))
        wait = min(2 * wait, RETRY_MOST_SECONDS) if wait and now <= due + RETRY_MOST_SECONDS else RETRY_SECONDS
        self._retry_at[seat] = now + wait
        self._last_retry[seat] = (now + wait, wait)

    def _may_ask_again(self, now: int) -> bool:
        """Whether to hail for a missing statement: once, not for each of those that come behind it."""
        held, at = self._asked_from
        if held == self._memory.gateway.held and now < at + RETRY_SECONDS:
            return False
        self._asked_from = (self._memory.gateway.held, now)
        return True

    def _want_retries(self, now: Instant) -> None:
        for seat in [seat for seat, at in self._retry_at.items() if at <= now.unix]:
            del self._retry_at[seat]
            self._memory.wanted_afresh.add(seat)

    async def _carry_out(self, deed: Deed, now: Instant) -> None:
        """Plans, commits `deed` with all that follows, and sends the commands.

        What the commands rest on moves nothing; it goes ahead, so that the gate checks it while the disk is at work.
        """
        estate = self._estate
        afresh = set(self._memory.wanted_afresh)
        try:
            bundle = await outbound.dispatch(self._memory, estate.site, estate.policy, estate.scribe, now, deed)
        except asyncio.CancelledError:  # a line that ended: what it brought was not committed
            self._forget_uncommitted()
            self._memory.wanted_afresh |= afresh
            raise
        self._tell("sealed", bundle=bundle)
        ahead = () if bundle is None else [said for said in deed.statements if said.header.kind is not Kind.COMMAND]
        try:
            # In this order: the disk begins first. Both are awaited to their end, whatever becomes of either.
            ended = await asyncio.gather(self._commit(deed), self._send(ahead), return_exceptions=True)
            for failure in (one for one in ended if one is not None):
                raise failure
        except WattsealError:
            self._memory.wanted_afresh |= afresh
            raise
        self._tell("committed", bundle=bundle)
        if bundle is None:
            return
        for turn in bundle.run.turns:
            if not turn.decision.allowed:
                device, function = turn.desired.order.seat
                _log.warning("order_denied", device=device, function=function, policies=turn.decision.policy_ids)
        await self._send(bundle.commands)
        self._tell("bundle", bundle=bundle)

    async def _commit_or_again(self, deed: Deed) -> None:
        """For a deed that does not hang on memory: on a full disk, once more on the reserve that is free then."""
        try:
            await self._commit(deed)
        except StorageFullError:
            await self._commit(deed)

    async def _commit(self, deed: Deed) -> None:
        if deed.is_empty():
            return
        try:
            await self._estate.store.commit(deed.work())
        except StorageFullError:
            await self._fall_back()
            raise
        except WattsealError:
            self._forget_uncommitted()
            raise

    async def _fall_back(self) -> None:
        """The disk is full: the reserve is freed for reverts."""
        self._forget_uncommitted()
        self._memory.storage_low = True
        await self._estate.store.release_reserve()
        self.changed.set()

    def _forget_uncommitted(self) -> None:
        """Nothing was written, and no command sent: what was durable before stands, and is looked at again."""
        gateway, storage_low = self._memory.gateway, self._memory.storage_low
        self._memory = Memory.restore(self._estate.store.read_now(journal.recall))
        self._memory.gateway.epoch = gateway.epoch
        self._memory.gateway.sequence = gateway.sequence
        self._memory.storage_low = storage_low
        self._asked_from = (self._memory.gateway.held, 0)  # a hail that was not kept was not sent: ask again

    async def _send(self, statements: Sequence[Statement]) -> None:
        """Sends. A broken line is no error here: the next hello finds what it did not get."""
        if self._line is None or not statements:
            return
        try:
            await self._line.send(statements)
        except (WorldError, PeerError) as error:
            _log.warning("gateway_line_lost", reason=error.reason)

    def _tell(self, what: str, **fields: object) -> None:
        """Tells whoever watches, with the moment (`at`, monotonic nanoseconds, the same in all processes)."""
        if self._watch is not None:
            self._watch(what, {"at": time.monotonic_ns(), **fields})


def _with_session(deed: Deed, utility: str, state: bytes) -> Deed:
    deed.write(lambda db: journal.keep_session(db, utility, state))
    return deed
