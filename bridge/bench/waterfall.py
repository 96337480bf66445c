"""From stamps of two processes to one waterfall per event, whose stations add up to its whole. Pure; nanoseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, TypeAlias

from wattseal.bridge.bench.ours import Passage
from wattseal.bridge.bench.raw import Transaction

Stamp: TypeAlias = tuple[str, int, int, object]
Span: TypeAlias = tuple[int, int]

STATIONS: Final = (
    "read message",
    "ingress and intents",
    "consent",
    "plan, decide, seal",
    "core commit",
    "socket and gate",
    "device transactions",
    "gateway commits",
    "gateway's own work",
    "receipt",
    "core hears",
)


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One event's stations, and the Modbus transactions that the gateway made for it."""

    stations: Mapping[str, int]
    transactions: tuple[Transaction, ...]


def waterfall(passage: Passage, stamps: Sequence[Stamp]) -> Waterfall | None:
    """The waterfall of `passage`; None where the gateway's stamps of it are not all there."""
    attempt = next((s for s in stamps if s[0] == "attempt" and s[3] == passage.command.hex()), None)
    if attempt is None:
        return None
    at = passage.at
    inside = [s for s in stamps if at["committed"] <= s[1] and s[2] <= at["heard"]]
    passed = [s[2] for s in inside if s[0] == "consider" and s[3] == "Accepted"]
    said = next((s for s in inside if s[0] == "say" and s[1] >= attempt[2]), None)
    if not passed or said is None:
        return None
    device = [s for s in inside if s[0] in {"read", "write"} and attempt[1] <= s[1] <= attempt[2]]
    on_device = [(s[1], s[2]) for s in device]
    durable = _without(_clipped([s for s in inside if s[0] in {"consume", "plan"}], passed[-1], said[1]), on_device)
    gateway = said[1] - passed[-1]
    device_time, durable_time = _length(on_device), _length(durable)
    values = (
        at["read"] - at["handed"],
        at["taken"] - at["read"],
        at["consented"] - at["taken"],
        at["sealed"] - at["consented"],
        at["committed"] - at["sealed"],
        passed[-1] - at["committed"],
        device_time,
        durable_time,
        gateway - device_time - durable_time,
        said[2] - said[1],
        at["heard"] - said[2],
    )
    transactions = tuple(map(_transaction, device))
    return Waterfall(dict(zip(STATIONS, values, strict=True)), transactions)


def middle_means(rows: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Each station's mean over the events in the middle half by total: these add up, which medians would not."""
    ranked = sorted(rows, key=lambda row: sum(row.values()))
    quarter = len(ranked) // 4
    middle = ranked[quarter : len(ranked) - quarter]
    names = middle[0] if middle else {}
    return {name: fmean(row[name] for row in middle) for name in names}


def _transaction(stamp: Stamp) -> Transaction:
    match stamp:
        case ("read", _, _, [int(unit), int(address), int(count)]):
            return Transaction(unit, address, count)
        case ("write", _, _, [int(unit), int(address), [*words]]):
            return Transaction(unit, address, len(words), tuple(word for word in words if isinstance(word, int)))
    raise ValueError(stamp)


def _clipped(stamps: Sequence[Stamp], begin: int, end: int) -> list[Span]:
    spans = sorted((max(begin, s[1]), min(end, s[2])) for s in stamps)
    return _joined([span for span in spans if span[0] < span[1]])


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _without(spans: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """What `spans` cover and `taken` do not."""
    for begin, end in taken:
        spans = [part for span in spans for part in ((span[0], min(span[1], begin)), (max(span[0], end), span[1]))]
        spans = [span for span in spans if span[0] < span[1]]
    return list(spans)


def _length(spans: Sequence[Span]) -> int:
    return sum(end - begin for begin, end in _joined(spans))
