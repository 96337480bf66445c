"""Readings into the rows of a report: pure; the samples are handed in.

A row says only what was read. Demand is the last reading in the interval; usage is the difference of the counters at
its edges; where there is no reading there is no row. The utility's sign (positive is consumption) is made by
the dialect's own word for demand, and for usage here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from wattseal.bridge.journal import Sample
from wattseal.bridge.site.model import Utility
from wattseal.protocols.openadr20b.report import ResourceStatus
from wattseal.protocols.openadr20b.translate import demand_watts
from wattseal.protocols.openadr20b.ven.config import ReportOffer, telemetry_offers
from wattseal.protocols.openadr20b.ven.happenings import ReportWanted
from wattseal.protocols.openadr20b.ven.state import ReportRow
from wattseal.protocols.openadr20b.vocabulary import DataQuality

WATTS: Final = "watts"
INJECTED: Final = "energy_injected_wh"
ABSORBED: Final = "energy_absorbed_wh"
# How long before an interval a counter may have been read to stand for its beginning.
_COUNTER_REACH_MS: Final = 900_000
_GOOD: Final = "good"

SamplesOf = Callable[[str, str, int, int], tuple[Sample, ...]]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one report, and the digests of the readings they rest on."""

    rows: tuple[ReportRow, ...]
    readings: tuple[bytes, ...]


def offers_for(utility: Utility) -> tuple[ReportOffer, ...]:
    """The telemetry that the site offers this utility: demand, usage and status of each of its resources."""
    offers = telemetry_offers(tuple(utility.resources))
    return tuple(replace(offer, min_period_seconds=utility.report_seconds) for offer in offers)


def rows_for(wanted: ReportWanted, utility: Utility, samples_of: SamplesOf) -> Rows:
    """The rows that a report request asks for, as far as there are readings."""
    rows: list[ReportRow] = []
    readings: dict[bytes, None] = {}
    for start, seconds in _intervals(wanted):
        for r_id in wanted.r_ids:
            row, used = _row(r_id, start, seconds, utility, samples_of)
            if row is not None:
                rows.append(row)
                readings.update(dict.fromkeys(used))
    return Rows(tuple(rows), tuple(readings))


def _intervals(wanted: ReportWanted) -> Iterator[tuple[int, int]]:
    step = wanted.granularity_seconds
    if step <= 0:
        yield wanted.end, 0
        return
    for start in range(wanted.begin, wanted.end, step):
        yield start, min(step, wanted.end - start)


def _row(
    r_id: str, start: int, seconds: int, utility: Utility, samples_of: SamplesOf
) -> tuple[ReportRow | None, tuple[bytes, ...]]:
    resource, _, point = r_id.rpartition("_")
    device = utility.resources.get(resource)
    if device is None:
        return None, ()
    span = seconds or _COUNTER_REACH_MS // 1000
    end_ms = (start + seconds) * 1000 if seconds else start * 1000 + 1
    match point:
        case "power":
            found = _last(samples_of(device, WATTS, end_ms - span * 1000, end_ms))
            return _demand(r_id, start, seconds, found)
        case "energy":
            return _usage(r_id, start, seconds, device, samples_of)
        case "status":
            found = _last(samples_of(device, WATTS, end_ms - span * 1000, end_ms))
            status = ResourceStatus(online=found is not None, manual_override=False)
            row = ReportRow(r_id=r_id, start=start, duration_seconds=seconds, value=status)
            return row, () if found is None else (found.reading,)
        case _:
            return None, ()


def _demand(r_id: str, start: int, seconds: int, found: Sample | None) -> tuple[ReportRow | None, tuple[bytes, ...]]:
    if found is None:
        return None, ()
    row = ReportRow(
        r_id=r_id,
        start=start,
        duration_seconds=seconds,
        value=demand_watts(found.value).scaleb(found.scale),
        quality=DataQuality.GOOD_NON_SPECIFIC if found.quality == _GOOD else DataQuality.UNCERTAIN_NON_SPECIFIC,
    )
    return row, (found.reading,)


def _usage(
    r_id: str, start: int, seconds: int, device: str, samples_of: SamplesOf
) -> tuple[ReportRow | None, tuple[bytes, ...]]:
    """Energy consumed in the interval, net of what was injected; each counter that it has at both edges, or no row."""
    total = Decimal(0)
    readings: list[bytes] = []
    counted = False
    for quantity, sign in ((ABSORBED, 1), (INJECTED, -1)):
        start_ms, end_ms = start * 1000, (start + seconds) * 1000
        before = _last(samples_of(device, quantity, start_ms - _COUNTER_REACH_MS, start_ms + 1))
        after = _last(samples_of(device, quantity, start_ms + 1, end_ms + 1))
        if before is None and after is None:
            continue  # a charger counts nothing that it injects
        if before is None or after is None or not before.quality == after.quality == _GOOD:
            return None, ()
        counted = True
        total += sign * (Decimal(after.value).scaleb(after.scale) - Decimal(before.value).scaleb(before.scale))
        readings += [before.reading, after.reading]
    if not counted:
        return None, ()
    return ReportRow(r_id=r_id, start=start, duration_seconds=seconds, value=total), tuple(readings)


def _last(samples: tuple[Sample, ...]) -> Sample | None:
    return samples[-1] if samples else None
