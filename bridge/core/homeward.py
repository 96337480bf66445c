"""Homeward: what the gateway states changes what the core knows. Pure but for the deed it fills.

Every statement is checked (seal, role) before it comes here, is kept in the ledger, and moves one thing: a hello the
epoch, a receipt the standing of an order, a reading the picture of a device. Chain numbers make a lost or repeated
statement visible: one we hold already changes nothing, one that skips is asked for again.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from wattseal.bridge.connection_point import Measured
from wattseal.bridge.core.deed import Deed
from wattseal.bridge.core.memory import Memory, Refusal
from wattseal.bridge.facts import Standing
from wattseal.bridge.journal import Sample, keep_gateway, keep_live, keep_samples
from wattseal.bridge.world import DevicePicture
from wattseal.certs.errors import PeerError
from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.commands import Function, Hello, Operation, Seat
from wattseal.drivers.testimony import Phase, Reading, Receipt, Result

_PARENT_MISSING: Final = "parent_missing"
# Reasons of the gate or the link that pass by themselves: the order is given again after a while.
_PASSING: Final = frozenset(
    {
        "device_unavailable",
        "link_down",
        "no_answer",
        _PARENT_MISSING,
        "epoch_wrong",
        "sequence_jump",
        "expired",
        "clock_untrusted",
        "storage_full",
        "envelope_dwell",
        "envelope_cycles",
    }
)
# Rules that clamped what was asked, and may let more through later: the order is given again, ever more rarely.
_REVISITED: Final = frozenset(
    {
        "envelope_ramp",
        "envelope_soc_floor",
        "envelope_soc_ceiling",
        "envelope_soc_unknown",
        "envelope_site_inject",
        "envelope_site_absorb",
    }
)
_GOOD: Final = "good"
_MAX_SCALE: Final = 9
# A value told again because the device does not answer: it says when it was true, and is no new sample.
_STALE: Final = "stale"
_log = structlog.get_logger("core")


class Heard(StrEnum):
    """What a statement of the gateway means for the core's next step."""

    NOTHING = "nothing"  # recorded
    REPEATED = "repeated"  # held already
    SKIPPED = "skipped"  # one before it is missing: hail again
    LOOK = "look"  # something changed that a plan may answer
    RETRY = "retry"  # the order to `seat` is to be given again after a while


@dataclass(frozen=True, slots=True)
class Consequence:
    """What was heard, and of which function of a device, if of one. `unknown_parents`: the gate lacks them again."""

    heard: Heard
    seat: Seat | None = None
    unknown_parents: bool = False


def hear(said: Statement, nonce: bytes | None, memory: Memory, deed: Deed) -> Consequence:
    """Takes one admitted statement of the gateway into memory and deed. `nonce` is that of our last hail."""
    if said.header.chain is None:
        return Consequence(Heard.NOTHING)
    number = said.header.chain[0]
    if number <= memory.gateway.held:
        return Consequence(Heard.REPEATED)
    if number != memory.gateway.held + 1:
        return Consequence(Heard.SKIPPED)
    deed.say(said)
    try:
        consequence = _by_kind(said, nonce, memory, deed)
    except PeerError as error:  # sealed, and yet not to be read: kept as it is, for the next one waits behind it
        _log.error("gateway_statement_unread", kind=str(said.header.kind), reason=error.reason)
        consequence = Consequence(Heard.NOTHING)
    memory.gateway.held = number
    row = memory.gateway.row()
    deed.write(lambda db: keep_gateway(db, *row))
    return consequence


def _by_kind(said: Statement, nonce: bytes | None, memory: Memory, deed: Deed) -> Consequence:
    match said.header.kind:
        case Kind.HELLO:
            return _hello(Hello.decode(said.body), nonce, memory)
        case Kind.RECEIPT:
            return _receipt(said, Receipt.decode(said.body), memory, deed)
        case Kind.READING:
            return _reading(said, Reading.decode(said.body), memory, deed)
        case _:
            return Consequence(Heard.NOTHING)


def _hello(hello: Hello, nonce: bytes | None, memory: Memory) -> Consequence:
    """An old hello, sent again from the gateway's outbox, answers another nonce: it is kept and moves nothing.

    In the same epoch a number above the gateway's is a command that it never got. In a new epoch all commands are void;
    a release is not given again then, for what it was to end is no longer renewed and ends with its lease.
    """
    if nonce is None or hello.nonce != nonce:
        return Consequence(Heard.NOTHING)
    gateway = memory.gateway
    anew = hello.epoch != gateway.last_epoch
    memory.wanted_afresh.update(
        seat
        for seat, row in memory.live.items()
        if row.standing is Standing.COMMANDED
        and (row.order.operation is not Operation.RELEASE if anew else row.sequence > hello.sequence)
    )
    if anew:
        memory.pictures.clear()
        memory.seen_at.clear()
    gateway.sequence = hello.sequence if anew else max(hello.sequence, gateway.sequence)
    gateway.epoch = gateway.last_epoch = hello.epoch
    return Consequence(Heard.LOOK)


def _receipt(said: Statement, receipt: Receipt, memory: Memory, deed: Deed) -> Consequence:
    seat = next((seat for seat in map(memory.seat_of, said.header.parents) if seat is not None), None)
    if seat is None:
        return Consequence(Heard.NOTHING)
    _remember_refusal(seat, receipt, said.digest, memory)
    match receipt.result:
        case Result.REVERTED | Result.KEPT:
            _stand(seat, Standing.OVER, memory, deed)
            return Consequence(Heard.LOOK, seat)
        case Result.APPLIED if seat.function is not Function.POWER and _releases(seat, memory):
            _stand(seat, Standing.OVER, memory, deed)
            return Consequence(Heard.NOTHING, seat)
        case Result.REFUSED:
            _stand(seat, Standing.REFUSED, memory, deed)
            heard = Heard.RETRY if receipt.reason in _PASSING else Heard.NOTHING
            return Consequence(heard, seat, unknown_parents=receipt.reason == _PARENT_MISSING)
        case Result.UNKNOWN:
            memory.wanted_afresh.add(seat)
            return Consequence(Heard.LOOK, seat)
        case Result.CLAMPED if receipt.phase is Phase.COMMAND and receipt.reason in _REVISITED:
            return Consequence(Heard.RETRY, seat)
        case Result.UNREACHABLE | Result.MISMATCH if receipt.phase is not Phase.REVERT:
            return Consequence(Heard.RETRY, seat)
        case _:
            return Consequence(Heard.NOTHING, seat)


def _remember_refusal(seat: Seat, receipt: Receipt, digest: bytes, memory: Memory) -> None:
    """Whether the order is carried out; what passes by itself, or is not known, changes nothing."""
    match receipt.result:
        case Result.REFUSED if receipt.reason not in _PASSING:
            memory.refusals[seat] = Refusal(receipt.reason, digest)
        case Result.MISMATCH if receipt.phase is Phase.COMMAND:
            memory.refusals[seat] = Refusal(receipt.reason, digest)
        case Result.APPLIED | Result.CLAMPED | Result.REVERTED | Result.KEPT:
            memory.refusals[seat] = None
        case _:
            pass


def _stand(seat: Seat, standing: Standing, memory: Memory, deed: Deed) -> None:
    row = memory.stand(seat, standing)
    if row is not None:
        deed.write(lambda db: keep_live(db, row))


def _releases(seat: Seat, memory: Memory) -> bool:
    row = memory.live.get(seat)
    return row is not None and row.order.operation is Operation.RELEASE


def _reading(said: Statement, reading: Reading, memory: Memory, deed: Deed) -> Consequence:
    soc = next((q for q in reading.quantities if q.name == "soc_percent" and q.quality == _GOOD), None)
    permille = None if soc is None or abs(soc.scale) > _MAX_SCALE else _permille(soc.value, soc.scale)
    picture = DevicePicture(reading.device, said.digest, permille, reachable=True, measured=_measured(reading))
    memory.pictures[reading.device] = picture
    memory.seen_at[reading.device] = reading.to_ms // 1000
    samples = [
        Sample(reading.device, q.name, reading.to_ms, q.value, q.scale, q.quality, said.digest)
        for q in reading.quantities
        if q.quality != _STALE
    ]
    deed.write(lambda db: keep_samples(db, samples))
    # While a limit at the site is held, each reading may ask for another order; none is given below the loop's band.
    return Consequence(Heard.LOOK if memory.holds else Heard.NOTHING)


def _measured(reading: Reading) -> Measured | None:
    """The power in a reading, in whole watts toward zero; one told again is as old as it says."""
    power = next((q for q in reading.quantities if q.name == "watts" and q.quality in {_GOOD, _STALE}), None)
    if power is None or abs(power.scale) > _MAX_SCALE:
        return None
    whole = abs(power.value) * 10 ** max(power.scale, 0) // 10 ** max(-power.scale, 0)
    return Measured(int(whole) if power.value >= 0 else -int(whole), reading.to_ms // 1000)


def _permille(value: int, scale: int) -> int:
    """A percentage of `value` times ten to the `scale`, in whole permille, rounded down."""
    exponent = scale + 1
    return value * int(10**exponent) if exponent >= 0 else value // int(10**-exponent)
