"""Executor: carries out on one seat what the gate let through (steps 11 to 14 of the gate's order).

One executor serves one function of one device; what is due, and when, is the business of the device's worker, which
lets one executor at a time speak to the device. It never raises for what a device or a link does wrong: the receipt
tells it, and the lease decides what follows.

    a command that the device confirms is fed; one that may be in force unconfirmed is not, and runs out
    a command that the envelope no longer permits, by the latest picture of its device, is over at once
    a revert is tried until the device shows it: from the second try on, and always after a restart, it is first read
      whether the device went there by itself; each try has frames of its own in the journal
    heartbeats are the only frames that are not journalled one by one: they repeat what the journal holds for the live
      command, and are counted in its next receipt; after kill -9 those of the last sampling interval are not counted
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from wattseal.certs.clock import Instant, TrustedClock
from wattseal.certs.statement import Statement
from wattseal.drivers.commands import Function, Operation, Order, Seat, Value
from wattseal.drivers.device import DeviceState, PlannedWrites, Scope, UnsupportedError, Wish
from wattseal.drivers.gate.envelope import Ask, outgrown, permitted_back, way_back
from wattseal.drivers.gate.leases import Ending, Heartbeat, LeaseTable, Revert, Standing, feeding_interval
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.gateway.attempt import Attempt
from wattseal.drivers.gateway.hand import LONGEST_TIMER_SECONDS, Aim, Hand, TooLateError
from wattseal.drivers.gateway.history import History
from wattseal.drivers.gateway.receipts import Live, Page
from wattseal.drivers.gateway.rows import CommandState, PastRow
from wattseal.drivers.gateway.station import FAULTS, Station
from wattseal.drivers.gateway.store import GatewayStore
from wattseal.drivers.manifest_sections import SiteEnvelope
from wattseal.drivers.testimony import Phase, Result

_log: Final = structlog.get_logger("gateway.executor")


@dataclass(frozen=True, slots=True)
class Work:
    """An accepted command that waits for its device. `durable` is done once its acceptance is."""

    live: Live
    durable: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class Bench:
    """What all executors share. `announce` is told what was sealed and is durable.

    `local`: what is known of every device at a monotonic time, for the site's own limits.
    """

    store: GatewayStore
    leases: LeaseTable
    clock: TrustedClock
    announce: Callable[[Sequence[Statement]], None]
    envelope: SiteEnvelope
    local: Callable[[float], Mapping[str, LocalFacts]]


class Executor:
    """Commands, heartbeats, reverts and effects of one function of a device; `history` is the device's."""

    def __init__(self, bench: Bench, station: Station, history: History, function: Function = Function.POWER) -> None:
        self._store = bench.store
        self._leases = bench.leases
        self._clock = bench.clock
        self._announce = bench.announce
        self._envelope = bench.envelope
        self._local = bench.local
        self._station = station
        self._history = history
        self._device = station.row.device
        self._function = function
        self._seat = Seat(self._device, function)
        self._controls = frozenset({function})
        self._hand = Hand(station, bench.store, bench.clock)
        self._in_force: set[Operation] = set()
        self._recalled: PastRow | None = None
        self._kept: tuple[int, bytes | None, int] = (0, None, 0)
        self.live: Live | None = None

    async def carry_out(self, work: Work, older: Sequence[Work] = ()) -> None:
        """Execute `work`; `older` are commands that it overtook before they were begun."""
        before, self.live = self.live, work.live
        overtaken = [live for live in (before, *(item.live for item in older)) if live is not None]
        live = work.live
        attempt = await self._hand.attempt(
            Aim(
                live.digest,
                Phase.COMMAND,
                live.order.operation,
                live.value,
                self._function,
                lambda: self._seconds_for(live),
                undone=self._undone_by(live.order.operation),
                before_writing=work.durable,
            )
        )
        page = self._page()
        for item in overtaken:
            page.superseded(item)
        live.planned = None if attempt.plan is None else attempt.plan.main
        live.shown = attempt.after or attempt.before
        result, reason = attempt.judged()
        if reason == "superseded":
            result = Result.SUPERSEDED
        if result is Result.APPLIED and live.falls_short and not live.is_release:
            result, reason = Result.CLAMPED, live.rule or "device_rating"
        page.frames_sent(live, attempt, Phase.COMMAND)
        page.attempted(live, attempt, Phase.COMMAND, result, reason)
        page.moves.append((live.digest, self._settle(live, attempt)))
        await self._state(page)

    async def beat(self, due: Heartbeat) -> None:
        """Renew the device's own timer."""
        live = self.live
        if live is None or live.digest != due.command or live.planned is None:
            self._leases.failed(self._seat, due.command)
            return
        now = self._now()
        try:
            planned = await self._planned_beat(live, live.planned, due.timer_seconds)
            if planned is not None:
                live.heartbeats += 1
                for step in planned.heartbeat:
                    await self._station.write(step)
        except (*FAULTS, UnsupportedError) as fault:
            _log.warning("heartbeat_failed", device=self._device, reason=fault.reason)
            planned = None
        if planned is None:
            self._leases.missed(self._seat, live.digest, now)
            return
        live.planned = planned
        self._arm(live, planned, now)

    async def revert(self, due: Revert) -> None:
        """Bring the device to the command's revert-to, or find it there."""
        live = self.live
        if live is None or live.digest != due.command:
            self._leases.drop(self._seat, due.command)
            return
        live.effect_at = None
        operation, value = self._way_back(live.order)
        attempt = await self._hand.attempt(
            Aim(
                live.digest,
                Phase.REVERT,
                operation,
                value,
                self._function,
                lambda: LONGEST_TIMER_SECONDS,
                undone=self._undone_by(operation),
                read_first=due.attempt > 0 or live.restored,
            )
        )
        page = self._page()
        page.frames_sent(live, attempt, Phase.REVERT)
        if attempt.over:
            result = Result.KEPT if attempt.leaves_setting else Result.REVERTED
            page.attempted(live, attempt, Phase.REVERT, result, str(due.reason))
            page.moves.append((live.digest, CommandState.ENDED))
            self._leases.reverted(self._seat, live.digest)
            self._note_commanded(operation, value)
            self._in_force = {operation} - {Operation.RELEASE}
            self.live = None
        else:
            self._leases.revert_failed(self._seat, live.digest, self._now())
            result, reason = attempt.judged()
            if reason != live.complained:
                live.complained = reason
                page.attempted(live, attempt, Phase.REVERT, result, reason)
        await self._state(page)

    async def measure_effect(self) -> None:
        """The settle time has passed: does the measured power obey?"""
        live = self.live
        if live is None or live.planned is None:
            return
        live.effect_at = None
        if self._running_out():
            return
        page = self._page()
        try:
            after = await self._station.read(Scope.FULL, self._controls)
        except FAULTS as fault:
            page.observed(live, Phase.EFFECT, Result.UNREACHABLE, fault.reason)
        else:
            self._history.measured(after)
            tolerance = max(live.planned.tolerance_watts, live.order.tolerance_watts)
            planned = replace(live.planned, tolerance_watts=tolerance)
            verdict = self._station.device.verify(planned, None, after, settled=True)
            result = Result.MISMATCH
            if verdict.applied:
                result = Result.CLAMPED if live.falls_short else Result.APPLIED
            else:
                self._leases.failed(self._seat, live.digest)
            reason = "not_effective" if verdict.applied and verdict.effective is False else verdict.reason
            page.observed(live, Phase.EFFECT, result, reason, after, effective=verdict.effective)
        await self._state(page)

    async def check(self, state: DeviceState) -> None:
        """A fed command that the device no longer shows has drifted: it is fed no more, and that is stated."""
        live, lease = self.live, self._leases.lease(self._seat)
        if live is None or lease is None or lease.command != live.digest or lease.standing is not Standing.FED:
            return
        if live.planned is None or self._running_out():
            return
        verdict = self._station.device.verify(live.planned, None, state, settled=False)
        if verdict.applied:
            return
        self._leases.failed(self._seat, live.digest)
        page = self._page()
        page.observed(live, Phase.LEASE, Result.MISMATCH, verdict.reason, state)
        await self._state(page)

    def end_outgrown(self) -> None:
        """End the live command if the envelope no longer permits it, by what is known of the devices now."""
        live, lease, now = self.live, self._leases.lease(self._seat), self._now()
        if live is None or lease is None or lease.command != live.digest or lease.standing is Standing.ENDING:
            return
        ask = Ask(self._device, live.order.operation, live.watts, _revert_to(live.order))
        rule = outgrown(ask, self._envelope, self._local(now), now)
        if rule is not None:
            _log.warning("command_outgrown", device=self._device, reason=str(rule))
            self._leases.end(self._seat, live.digest, now, rule)

    def recall(self, row: PastRow, at: Instant) -> None:
        """Take up what an earlier run kept; before anything else is done."""
        if self._function is Function.POWER:
            self._history.recall(row.raw, at)
        self._recalled = row

    def past(self, at: Instant) -> PastRow | None:
        """What is to be kept with the next commit; None where nothing changed since `note_kept`."""
        changed = self._changed()
        if changed == self._kept:
            return None
        raw = self._history.encode(at) if self._function is Function.POWER else b""
        return PastRow(self._device, self._function, raw, *changed[1:])

    def note_kept(self) -> None:
        """The commit with what `past` gave is durable."""
        self._kept = self._changed()

    def _changed(self) -> tuple[int, bytes | None, int]:
        version = self._history.version if self._function is Function.POWER else 0
        if self.live is None or not self.live.heartbeats:
            return version, None, 0
        return version, self.live.digest, self.live.heartbeats

    async def restart(self, live: Live, older: Sequence[Live], grace_seconds: float) -> None:
        """After a restart: state what the device shows, and let the command run out unfed."""
        live.restored = True
        self.live = live
        for item in (live, *older):
            if self._recalled is not None and self._recalled.command == item.digest:
                item.heartbeats = self._recalled.heartbeats
        now = self._now()
        self._leases.restore(self._seat, live.digest, now, grace_seconds)
        if live.is_release:
            self._leases.end(self._seat, live.digest, now, Ending.RELEASED)
        self._note_commanded(live.order.operation, live.value)
        self._in_force = {item.order.operation for item in (live, *older)} - {Operation.RELEASE}
        observed: DeviceState | None = None
        reason = "gateway_restarted"
        try:
            observed = await self._station.read(
                Scope.FULL, self._controls
            )  # the envelope asks for the state of charge at once
            self._history.measured(observed)
        except FAULTS as fault:
            reason = fault.reason
        page = self._page()
        for item in older:
            page.superseded(item)
        page.observed(live, Phase.RESTART, Result.UNKNOWN, reason, observed)
        page.moves.append((live.digest, CommandState.LIVE))
        await self._state(page)

    def _settle(self, live: Live, attempt: Attempt) -> CommandState:
        """What the attempt makes of the lease, and of the command."""
        if attempt.after is not None:
            self._history.measured(attempt.after, whole=False)
        if attempt.applied:
            self._in_force = set()
        if attempt.touched:
            self._note_commanded(live.order.operation, live.value)
            self._in_force |= {live.order.operation} - {Operation.RELEASE}
        if live.is_release:
            if attempt.over:
                self._leases.drop(self._seat, live.digest)
                self.live = None
                return CommandState.ENDED
            self._leases.end(self._seat, live.digest, self._now(), Ending.RELEASED)
            self._leases.revert_failed(self._seat, live.digest, self._now())
            return CommandState.LIVE
        if attempt.applied and live.planned is not None:
            self._arm(live, live.planned, attempt.written_at)
            live.effect_at = self._now() + live.planned.settle_seconds
            return CommandState.LIVE
        if self._in_force:
            self._leases.failed(self._seat, live.digest)
            return CommandState.LIVE
        self._leases.drop(self._seat, live.digest)
        self.live = None
        return CommandState.ENDED

    def _arm(self, live: Live, planned: PlannedWrites, now: float) -> None:
        interval = feeding_interval(planned.timer_seconds, planned.heartbeat_seconds) if planned.heartbeat else None
        self._leases.armed(self._seat, live.digest, now, planned.timer_seconds, LONGEST_TIMER_SECONDS, interval)

    def _seconds_for(self, live: Live) -> int:
        """What the device's timer may be armed with now. Raises `TooLateError` (`superseded`)."""
        lease = self._leases.lease(self._seat)
        if lease is None or lease.command != live.digest:
            raise TooLateError("superseded", "A later command took its place before this one was written.")
        return self._leases.timer_for(self._seat, self._now(), LONGEST_TIMER_SECONDS)

    def _undone_by(self, operation: Operation) -> tuple[Operation, ...]:
        """The operations of this function left in force that a command for `operation` must take back."""
        return () if operation is Operation.RELEASE else tuple(sorted(self._in_force - {operation}))

    def _way_back(self, order: Order) -> tuple[Operation, Value]:
        """Where this function goes when `order` is over."""
        if self._function is not Function.POWER:
            return permitted_back(self._device, order.revert_to, self._envelope)
        return way_back(self._device, _revert_to(order), self._envelope, self._local(self._now()))

    def _note_commanded(self, operation: Operation, value: Value) -> None:
        """The envelope's ramp, dwell and cycles are reckoned from what was ordered of the power function."""
        if self._function is Function.POWER and isinstance(value, int):
            self._history.commanded(self._now(), operation, value)

    def _running_out(self) -> bool:
        """Whether the device's own timer is about to end the command: what it then shows is no drift."""
        lease = self._leases.lease(self._seat)
        if lease is None or lease.timer_seconds is None:
            return False
        return self._now() >= lease.fed_at + lease.timer_seconds - 1

    async def _planned_beat(
        self, live: Live, planned: PlannedWrites, timer_seconds: int | None
    ) -> PlannedWrites | None:
        """The frames of a heartbeat; None where the device's shortest timer would outlive the event."""
        capabilities = await self._station.ready()
        wish = Wish(live.order.operation, live.value, timer_seconds or planned.wish.timer_seconds)
        beat = self._station.device.steps_for(capabilities, wish, live.shown)
        too_long = timer_seconds is not None and (beat.timer_seconds or 0) > timer_seconds
        return None if too_long else beat

    async def _state(self, page: Page) -> None:
        if not page.said and not page.steps:
            return
        past = self.past(page.at)
        self._announce(
            await self._store.say(page.said, frames=page.frames, moves=page.moves, steps=page.steps, past=past)
        )
        self.note_kept()

    def _page(self) -> Page:
        return Page(self._device, self._clock.now())

    def _now(self) -> float:
        return self._clock.now().monotonic


def _revert_to(order: Order) -> tuple[Operation, int]:
    operation = order.revert_to[0]
    return operation, 0 if operation is Operation.RELEASE else order.revert_watts
