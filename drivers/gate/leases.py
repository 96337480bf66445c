"""Leases: which command lives on each seat (a function of a device), when its timer wants feeding, and when it is over.
Pure; all times are monotonic seconds. Knows no register, no seal and no socket.

Theory of operation. Seats are independent: what is accepted, renewed, fed or ended on one moves no other, also of the
same device. A command is alive until the earliest of three deadlines: its lease (renewed by the core, at most
900 s), the end of its hold (the event's end) and the end of the manifest; wall times were turned into monotonic ones
when the command was accepted, so that no step of the wall clock moves them. Whoever executes keeps the device's own
timer armed, never past the earliest deadline, and renews it at half of its time. Once the deadline has passed the
seat is ending: the revert-to is due, and due again after a growing pause until it was confirmed.

    standing   | accept    armed  failed  renew     time_over  reverted  drop  restore
    -----------+-----------------------------------------------------------------------
    free       | accepted  -      -       -         -          -         free  unfed
    accepted   | accepted  fed    unfed   accepted  ending     -         free  -
    fed        | accepted  fed    unfed   fed       ending     -         free  -
    unfed      | accepted  -      unfed   -         ending     -         free  -
    ending     | accepted  -      -       -         ending     free      free  -

    accepted   durably accepted, not yet confirmed by the device: nothing feeds it
    fed        written, read back, its timer renewed
    unfed      may be in force, but nobody vouches for it (a write failed, or the gateway restarted): it runs out
    ending     its time is over; the revert-to is not confirmed yet

`-` leaves the seat as it is and is answered with nothing done: a renewal that arrives too late revives nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from wattseal.certs.errors import MisuseError
from wattseal.drivers.operations import Seat

MAX_LEASE_SECONDS: Final = 900
WRITE_MARGIN_SECONDS: Final = 0.5  # a timer starts when its frame arrives, which is later than when it was decided
GAIN_SECONDS: Final = 2.0  # a timer within this of its bound is not worth another frame
FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 60.0


class Standing(StrEnum):
    """How a seat stands; see the module's text."""

    FREE = "free"
    ACCEPTED = "accepted"
    FED = "fed"
    UNFED = "unfed"
    ENDING = "ending"


class Turn(StrEnum):
    """What can happen to a command."""

    ACCEPT = "accept"
    ARMED = "armed"
    FAILED = "failed"
    RENEW = "renew"
    TIME_OVER = "time_over"
    REVERTED = "reverted"
    DROP = "drop"
    RESTORE = "restore"


_S, _T = Standing, Turn
NEXT: Final[Mapping[tuple[Standing, Turn], Standing]] = {
    (_S.FREE, _T.ACCEPT): _S.ACCEPTED,
    (_S.FREE, _T.DROP): _S.FREE,
    (_S.FREE, _T.RESTORE): _S.UNFED,
    (_S.ACCEPTED, _T.ACCEPT): _S.ACCEPTED,
    (_S.ACCEPTED, _T.ARMED): _S.FED,
    (_S.ACCEPTED, _T.FAILED): _S.UNFED,
    (_S.ACCEPTED, _T.RENEW): _S.ACCEPTED,
    (_S.ACCEPTED, _T.TIME_OVER): _S.ENDING,
    (_S.ACCEPTED, _T.DROP): _S.FREE,
    (_S.FED, _T.ACCEPT): _S.ACCEPTED,
    (_S.FED, _T.ARMED): _S.FED,
    (_S.FED, _T.FAILED): _S.UNFED,
    (_S.FED, _T.RENEW): _S.FED,
    (_S.FED, _T.TIME_OVER): _S.ENDING,
    (_S.FED, _T.DROP): _S.FREE,
    (_S.UNFED, _T.ACCEPT): _S.ACCEPTED,
    (_S.UNFED, _T.FAILED): _S.UNFED,
    (_S.UNFED, _T.TIME_OVER): _S.ENDING,
    (_S.UNFED, _T.DROP): _S.FREE,
    (_S.ENDING, _T.ACCEPT): _S.ACCEPTED,
    (_S.ENDING, _T.TIME_OVER): _S.ENDING,
    (_S.ENDING, _T.REVERTED): _S.FREE,
    (_S.ENDING, _T.DROP): _S.FREE,
}


class Ending(StrEnum):
    """Why a command is over; written into receipts. (The envelope's rules are reasons too: see `LeaseTable.end`.)"""

    WINDOW_OVER = "window_over"
    LEASE_OVER = "lease_over"
    MANIFEST_EXPIRED = "manifest_expired"
    RELEASED = "released"  # a release was ordered, and the device did not confirm it at once


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Renew the device's timer; `timer_seconds` is what to arm it with (None: its length is not ours to set)."""

    seat: Seat
    command: bytes
    timer_seconds: int | None


@dataclass(frozen=True, slots=True)
class Revert:
    """Write the command's revert-to, or read that the device went there by itself."""

    seat: Seat
    command: bytes
    reason: StrEnum
    attempt: int


Action: TypeAlias = Heartbeat | Revert | None


@dataclass(frozen=True, slots=True)
class Lease:
    """One live command.

    `timer_seconds`: what the device's timer was last armed with (None: its length is not ours to set).
    `most_seconds`: what it may be armed with. `interval_seconds`: between two heartbeats (None: nothing to feed).
    `beat_at`: when the next one is wanted.
    """

    command: bytes
    standing: Standing
    lease_until: float
    hold_until: float | None
    timer_seconds: int | None = None
    most_seconds: int = MAX_LEASE_SECONDS
    interval_seconds: float | None = None
    fed_at: float = 0.0
    beat_at: float = 0.0
    reason: StrEnum = Ending.LEASE_OVER
    attempt: int = 0
    retry_at: float = 0.0


class LeaseTable:
    """The live command of each seat. Holds no clock: `now` is given with every input."""

    def __init__(self) -> None:
        self._leases: dict[Seat, Lease] = {}
        self._manifest_until = math.inf

    def lease(self, seat: Seat) -> Lease | None:
        """The live command of `seat`, or None."""
        return self._leases.get(seat)

    def end_manifest_at(self, until: float) -> None:
        """After `until` every command is over (`manifest_expired`)."""
        self._manifest_until = until

    def accept(
        self, seat: Seat, command: bytes, now: float, lease_seconds: int, hold_seconds: float | None
    ) -> bytes | None:
        """`command` takes the seat over; the digest of the one it supersedes, or None.

        `hold_seconds`: from now to the event's end, None for an open end. Raises `MisuseError` (`lease_too_long`).
        """
        if not 0 < lease_seconds <= MAX_LEASE_SECONDS:
            raise MisuseError("lease_too_long", f"A lease has 1 to {MAX_LEASE_SECONDS} seconds, not {lease_seconds}.")
        before = self._leases.get(seat)
        hold_until = None if hold_seconds is None else now + hold_seconds
        standing = self._next(seat, Turn.ACCEPT) or Standing.ACCEPTED
        self._leases[seat] = Lease(command, standing, now + lease_seconds, hold_until)
        return None if before is None else before.command

    def restore(self, seat: Seat, command: bytes, now: float, grace_seconds: float) -> None:
        """After a restart `command` may still be in force on the device; unfed, it is over after `grace_seconds`."""
        if self._next(seat, Turn.RESTORE) is not None:
            self._leases[seat] = Lease(command, Standing.UNFED, now + grace_seconds, None)

    def armed(
        self,
        seat: Seat,
        command: bytes,
        now: float,
        timer_seconds: int | None,
        most_seconds: int,
        interval_seconds: float | None,
    ) -> None:
        """The device's timer was (re)started at `now` with `timer_seconds`. `interval_seconds`: `feeding_interval`."""
        self._change(
            seat,
            command,
            Turn.ARMED,
            fed_at=now,
            timer_seconds=timer_seconds,
            most_seconds=most_seconds,
            interval_seconds=interval_seconds,
            beat_at=now + (interval_seconds or 0.0),
        )

    def missed(self, seat: Seat, command: bytes, now: float) -> None:
        """A heartbeat did not get through: it is wanted again after a quarter of the interval."""
        lease = self._leases.get(seat)
        if lease is not None and lease.command == command and lease.interval_seconds is not None:
            self._leases[seat] = replace(lease, beat_at=now + max(1.0, lease.interval_seconds / 4))

    def failed(self, seat: Seat, command: bytes) -> None:
        """The device does not confirm `command`, though it may be in force: it is fed no more."""
        self._change(seat, command, Turn.FAILED)

    def renew(self, commands: Iterable[bytes], now: float, lease_seconds: int) -> tuple[bytes, ...]:
        """Those of `commands` that live on for `lease_seconds` from now; the others stay as they are."""
        if not 0 < lease_seconds <= MAX_LEASE_SECONDS:
            raise MisuseError("lease_too_long", f"A lease has 1 to {MAX_LEASE_SECONDS} seconds, not {lease_seconds}.")
        named = frozenset(commands)
        alive = [
            (seat, lease.command)
            for seat, lease in self._leases.items()
            if lease.command in named and now < self._bound(lease)[0]
        ]
        return tuple(
            command
            for seat, command in alive
            if self._change(seat, command, Turn.RENEW, lease_until=now + lease_seconds)
        )

    def end(self, seat: Seat, command: bytes, now: float, reason: StrEnum) -> None:
        """Bring the device to the command's revert-to, from now on. `reason`: an `Ending`, or who else ends it."""
        self._change(seat, command, Turn.TIME_OVER, reason=reason, retry_at=now)

    def revert_failed(self, seat: Seat, command: bytes, now: float) -> None:
        """The revert is not confirmed; it is due again after a pause that doubles each time."""
        lease = self._leases.get(seat)
        if lease is not None:
            pause = min(FIRST_RETRY_SECONDS * 2.0**lease.attempt, LONGEST_RETRY_SECONDS)
            self._change(seat, command, Turn.TIME_OVER, attempt=min(lease.attempt + 1, 32), retry_at=now + pause)

    def reverted(self, seat: Seat, command: bytes) -> None:
        """The device shows the revert-to: the command is over."""
        if self._change(seat, command, Turn.REVERTED):
            del self._leases[seat]

    def drop(self, seat: Seat, command: bytes) -> None:
        """`command` is over, and nothing is to be undone."""
        if self._change(seat, command, Turn.DROP):
            del self._leases[seat]

    def due(self, seat: Seat, now: float) -> Action:
        """What is to be done for `seat` now; None: nothing before `wake_at`."""
        lease = self._leases.get(seat)
        if lease is None:
            return None
        until, reason = self._bound(lease)
        if lease.standing is not Standing.ENDING and now >= until:
            self._change(seat, lease.command, Turn.TIME_OVER, reason=reason, retry_at=now)
            lease = self._leases[seat]
        if lease.standing is Standing.ENDING:
            return Revert(seat, lease.command, lease.reason, lease.attempt) if now >= lease.retry_at else None
        beat_at = self._beat_at(lease, now)
        if beat_at is None or now < beat_at:
            return None
        if lease.timer_seconds is None:
            return Heartbeat(seat, lease.command, None)
        return Heartbeat(seat, lease.command, self.timer_for(seat, now, lease.most_seconds))

    def wake_at(self, seat: Seat, now: float) -> float | None:
        """When, looked at from `now`, `due` next has something for `seat`; None: not before another input."""
        lease = self._leases.get(seat)
        if lease is None:
            return None
        if lease.standing is Standing.ENDING:
            return lease.retry_at
        until, _ = self._bound(lease)
        beat_at = self._beat_at(lease, now)
        return until if beat_at is None else min(until, beat_at)

    def timer_for(self, seat: Seat, now: float, most_seconds: int) -> int:
        """What to arm the device's timer with now: at most `most_seconds`, never past the deadline; 0: too late."""
        lease = self._leases.get(seat)
        if lease is None:
            return 0
        left = self._bound(lease)[0] - now - WRITE_MARGIN_SECONDS
        return max(0, math.floor(min(most_seconds, left)))

    def _bound(self, lease: Lease) -> tuple[float, Ending]:
        until, reason = lease.lease_until, Ending.LEASE_OVER
        if self._manifest_until <= until:
            until, reason = self._manifest_until, Ending.MANIFEST_EXPIRED
        if lease.hold_until is not None and lease.hold_until <= until:
            until, reason = lease.hold_until, Ending.WINDOW_OVER
        return until, reason

    def _beat_at(self, lease: Lease, now: float) -> float | None:
        if lease.standing is not Standing.FED or lease.interval_seconds is None:
            return None
        until, _ = self._bound(lease)
        if lease.timer_seconds is not None and until - (lease.fed_at + lease.timer_seconds) < GAIN_SECONDS:
            return None
        return lease.beat_at if max(lease.beat_at, now) <= until - WRITE_MARGIN_SECONDS - 1 else None

    def _next(self, seat: Seat, turn: Turn) -> Standing | None:
        lease = self._leases.get(seat)
        return NEXT.get((Standing.FREE if lease is None else lease.standing, turn))

    def _change(self, seat: Seat, command: bytes, turn: Turn, **fields: object) -> bool:
        lease = self._leases.get(seat)
        if lease is None or lease.command != command:
            return False
        standing = NEXT.get((lease.standing, turn))
        if standing is None:
            return False
        self._leases[seat] = replace(lease, standing=standing, **fields)  # type: ignore[arg-type]  # the callers above
        return True


def feeding_interval(timer_seconds: int | None, heartbeat_seconds: int | None) -> float | None:
    """Seconds between heartbeats: half of the timer, and never more than the device demands. None: nothing to feed."""
    wanted = [float(heartbeat_seconds)] if heartbeat_seconds is not None else []
    if timer_seconds is not None:
        wanted.append(timer_seconds / 2)
    return min(wanted) if wanted else None
