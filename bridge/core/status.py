"""What a person wants to know at a glance: what is in force, why, and how each order stands."""

from collections.abc import Mapping
from datetime import UTC, datetime

from wattseal.bridge.connection_point import Flow, Hold
from wattseal.bridge.core.memory import Memory
from wattseal.bridge.core.outbound import explanations
from wattseal.bridge.journal import LiveRow
from wattseal.bridge.site.model import Site
from wattseal.bridge.timeline import TimedEvent, in_force, is_over
from wattseal.certs.clock import Instant
from wattseal.drivers.commands import Function, Seat


def status(
    memory: Memory, site: Site, now: Instant, size: int, contacts: Mapping[str, Mapping[str, object]] | None = None
) -> Mapping[str, object]:
    """A JSON-ready picture; times in RFC 3339, watts signed. `contacts`: what each line tells of its utility."""
    why: dict[str, dict[str, str]] = {device.name: {} for device in site.devices}
    for one in explanations(memory, site, now):
        why[one.device][str(one.function)] = one.sentence
    return {
        "site": site.name,
        "lab": site.lab,
        "time": rfc3339(now.unix),
        "clock": str(now.quality),
        "gateway": {"connected": memory.gateway.epoch is not None, "held": memory.gateway.held},
        "utilities": dict(contacts or {}),
        "storage_low": memory.storage_low,
        "ledger_size": size,
        "events": [_event(timed, now.unix) for _, timed in sorted(memory.events.items())],
        "in_force": [
            {
                "event": wish.timed.event.origin.event_id,
                "utility": wish.timed.event.origin.utility,
                "wish": str(wish.wish),
                "since": rfc3339(wish.since),
                "until": None if wish.until is None else rfc3339(wish.until),
            }
            for wish in in_force(memory.events.values(), now.unix)
        ],
        "held": {str(flow): _hold(hold) for flow in Flow if (hold := memory.holds.of(flow)) is not None},
        "devices": {device.name: _device(memory, device.name) | {"why": why[device.name]} for device in site.devices},
    }


def _event(timed: TimedEvent, now: int) -> Mapping[str, object]:
    return {
        "utility": timed.event.origin.utility,
        "event": timed.event.origin.event_id,
        "version": timed.event.origin.version,
        "status": str(timed.event.status),
        "start": rfc3339(timed.start),
        "end": None if timed.end is None else rfc3339(timed.end),
        "over": is_over(timed, now),
        "test": timed.event.test,
    }


def _device(memory: Memory, name: str) -> dict[str, object]:
    row = memory.live.get(Seat(name, Function.POWER))
    picture = memory.pictures.get(name)
    return {
        "operation": None if row is None else str(row.order.operation),
        "watts": None if row is None else row.order.watts,
        "standing": None if row is None else str(row.standing),
        "functions": {
            str(function): _function(held)
            for function in Function
            if function is not Function.POWER and (held := memory.live.get(Seat(name, function))) is not None
        },
        "refused": {
            str(seat.function): refusal.reason
            for seat, refusal in sorted(memory.refusals.items())
            if seat.device == name and refusal is not None
        },
        "measured_watts": None if picture is None or picture.measured is None else picture.measured.watts,
        "soc_permille": None if picture is None else picture.soc_permille,
        "last_seen": rfc3339(memory.seen_at[name]) if name in memory.seen_at else None,
    }


def _hold(hold: Hold) -> Mapping[str, object]:
    """Watts toward the limit: what the devices together may do, and what the household does."""
    return {
        "room_watts": hold.room_watts,
        "since": rfc3339(hold.changed_at),
        "background_watts": hold.background_watts,
        "meter_believed": hold.believed,
    }


def _function(row: LiveRow) -> Mapping[str, object]:
    return {"operation": str(row.order.operation), "value": row.order.value, "standing": str(row.standing)}


def rfc3339(unix: int) -> str:
    """An instant in writing."""
    try:
        return datetime.fromtimestamp(unix, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"unix {unix}"  # an event may end later than the calendar does
