"""Report requests in the state: taken, superseded, cancelled, forgotten. Pure: state in, state and happenings out."""

from dataclasses import dataclass

from msgspec.structs import replace

from wattseal.protocols.openadr20b.report import ReportRequest
from wattseal.protocols.openadr20b.translate import Refusal
from wattseal.protocols.openadr20b.ven import reporting
from wattseal.protocols.openadr20b.ven.config import VenConfig
from wattseal.protocols.openadr20b.ven.happenings import ReportCancelled, ReportRequested
from wattseal.protocols.openadr20b.ven.state import RunningRequest, VenState


@dataclass(frozen=True, slots=True)
class Intake:
    """What came of a message with report requests. `metadata_for`: the request that wants the metadata again."""

    state: VenState
    happenings: tuple[ReportRequested | ReportCancelled, ...]
    refusals: tuple[Refusal, ...]
    metadata_for: str | None


def running_ids(state: VenState) -> tuple[str, ...]:
    """All requests that run, those apart that only owe their last report."""
    return tuple(one.request_id for one in state.requests if not one.closing)


def take(
    state: VenState, requests: tuple[ReportRequest, ...], config: VenConfig, now: int, *, supersede: bool
) -> Intake:
    """Takes what can be taken. A request that is repeated under its own id goes on where it was.

    `supersede`: a running request for the very same under another id ends; the VTN has forgotten that one.
    """
    happenings: list[ReportRequested | ReportCancelled] = []
    refusals: list[Refusal] = []
    metadata_for: str | None = None
    for request in requests:
        judged = reporting.judge(request, config, now)
        if isinstance(judged, Refusal):
            refusals.append(judged)
            continue
        if isinstance(judged, reporting.MetadataWanted):
            metadata_for = judged.request_id
            continue
        new = judged.request
        known = next((one for one in state.requests if one.request_id == new.request_id), None)
        if known is not None and reporting.same_subject(known, new):
            continue
        twins = [one.request_id for one in state.requests if supersede and reporting.same_subject(one, new)]
        state = _without(state, frozenset(twins), keep_backlog=False)
        happenings += [ReportCancelled(one, "superseded") for one in twins]
        others = tuple(one for one in state.requests if one.request_id != new.request_id)
        state = replace(state, requests=(*others, new))
        happenings.append(
            ReportRequested(new.request_id, new.specifier_id, new.r_ids, new.granularity_seconds, new.back_seconds)
        )
    return Intake(state, tuple(happenings), tuple(refusals), metadata_for)


def cancel(
    state: VenState, request_ids: tuple[str, ...], *, to_follow: bool
) -> tuple[VenState, tuple[ReportCancelled, ...], tuple[str, ...]]:
    """Ends requests by the utility's word, and names those that do not run. With `to_follow` one last report is due."""
    running = {one.request_id for one in state.requests}
    found = frozenset(request_ids) & running
    unknown = tuple(one for one in dict.fromkeys(request_ids) if one not in running)
    if to_follow:
        requests = tuple(_closing(one) if one.request_id in found else one for one in state.requests)
        return replace(state, requests=requests), (), unknown
    happenings = tuple(ReportCancelled(one, "by_utility") for one in request_ids if one in found)
    return _without(state, found, keep_backlog=False), happenings, unknown


def drop_all(state: VenState, reason: str) -> tuple[VenState, tuple[ReportCancelled, ...]]:
    """Ends every request and what waits for it: there is nobody left who would know their ids."""
    lost = sum(report.end - report.begin for report in state.backlog)
    counters = replace(state.counters, report_seconds_given_up=state.counters.report_seconds_given_up + lost)
    happenings = tuple(ReportCancelled(one.request_id, reason) for one in state.requests)
    return replace(state, requests=(), backlog=(), counters=counters), happenings


def drop(state: VenState, request_id: str) -> VenState:
    """Ends one request and what waits for it."""
    return _without(state, frozenset({request_id}), keep_backlog=False)


def replaced(state: VenState, request_id: str, successor: RunningRequest | None) -> VenState:
    """One request as it goes on, or without it."""
    if successor is None:
        return _without(state, frozenset({request_id}), keep_backlog=True)
    return replace(state, requests=tuple(successor if one.request_id == request_id else one for one in state.requests))


def _closing(request: RunningRequest) -> RunningRequest:
    return replace(request, closing=True)


def _without(state: VenState, gone: frozenset[str], *, keep_backlog: bool) -> VenState:
    backlog = state.backlog if keep_backlog else tuple(one for one in state.backlog if one.request_id not in gone)
    return replace(state, requests=tuple(one for one in state.requests if one.request_id not in gone), backlog=backlog)
