"""What a run comes to: medians, tails, the ratio, and the waterfalls; as plain values, and as text for a terminal."""

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from io import StringIO
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from wattseal.bridge.bench.measuring import Harvest
from wattseal.bridge.bench.raw import Transaction
from wattseal.bridge.bench.waterfall import middle_means

AIM: Final = 3.0
_LIBRARIES: Final = ("lxml", "cryptography", "cbor2", "cedarpy", "msgspec", "pymodbus", "aiohttp")
_WIDTH: Final = 100


def figures(harvest: Harvest, parts: Mapping[str, float]) -> dict[str, object]:
    """Everything that a run found, in milliseconds where nothing else is said."""
    raw = [one.total for one in harvest.raw]
    ours = [one.total for one in harvest.ours]
    every = {**parts, "gate, one command of a run": percentile(harvest.considered or [0], 50) / 1000}
    kept = [one.kept for one in harvest.ours]
    theirs = harvest.waterfalls[-1].transactions if harvest.waterfalls else ()
    return {
        "versions": _versions(),
        "rounds": harvest.rounds,
        "events": {"raw": len(raw), "ours": len(ours)},
        "message_bytes": len(harvest.message),
        "modbus_transactions": {"raw": _counted(harvest.transactions), "ours": _counted(theirs)},
        "raw": {"p50_ms": _ms(percentile(raw, 50)), "p99_ms": _ms(percentile(raw, 99))},
        "ours": {"p50_ms": _ms(percentile(ours, 50)), "p99_ms": _ms(percentile(ours, 99))},
        "ours_kept_twice": {"p50_ms": _ms(percentile(kept, 50)), "p99_ms": _ms(percentile(kept, 99))},
        "ratio_p50": round(percentile(ours, 50) / percentile(raw, 50), 2),
        "ratio_p99": round(percentile(ours, 99) / percentile(raw, 99), 2),
        "aim_ratio_p50": AIM,
        "raw_waterfall_ms": _waterfall([one.steps for one in harvest.raw]),
        "ours_waterfall_ms": _waterfall([one.stations for one in harvest.waterfalls]),
        "parts_us": {name: round(value, 1) for name, value in every.items()},
    }


def percentile(values: Sequence[int], percent: int) -> int:
    """Nearest rank, over at least one value."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(percent / 100 * (len(ranked) - 1)))]


def text_of(found: Mapping[str, Any]) -> str:
    """For a terminal, or a file."""
    out = StringIO()
    console = Console(file=out, width=_WIDTH, no_color=True, highlight=False)
    console.print("  ".join(f"{name} {value}" for name, value in found["versions"].items()))
    counts = found["modbus_transactions"]
    console.print(
        f"{found['events']['ours']} events of {found['message_bytes']} bytes each way, {found['rounds']} rounds; Modbus"
        f" transactions per event: raw {_told(counts['raw'])}; ours {_told(counts['ours'])}\n"
    )
    table = Table("path", "p50 ms", "p99 ms", box=box.SIMPLE)
    for name, key in (("raw", "raw"), ("ours", "ours"), ("ours, until the core's copy is durable", "ours_kept_twice")):
        table.add_row(name, f"{found[key]['p50_ms']:.3f}", f"{found[key]['p99_ms']:.3f}")
    table.add_row("ratio", f"{found['ratio_p50']:.2f}", f"{found['ratio_p99']:.2f}")
    console.print(table)
    for name in ("raw", "ours"):
        console.print(_waterfall_table(name, found[f"{name}_waterfall_ms"]))
    parts = Table("part, alone", "us", box=box.SIMPLE)
    for name, value in found["parts_us"].items():
        parts.add_row(name, f"{value:.1f}")
    console.print(parts)
    near = "within" if found["ratio_p50"] <= AIM else "NOT within"
    console.print(f"p50 is {found['ratio_p50']:.2f} times the raw path: {near} the aim of {AIM:g}")
    return out.getvalue().rstrip()


def _waterfall_table(name: str, rows: Mapping[str, float]) -> Table:
    table = Table(f"{name}, middle half of the events", "ms", "share", "", box=box.SIMPLE)
    whole = sum(rows.values()) or 1.0
    for station, value in rows.items():
        table.add_row(station, f"{value:.3f}", f"{value / whole:.0%}", "#" * round(40 * value / whole))
    table.add_row("together", f"{whole:.3f}", "100%", "")
    return table


def _waterfall(rows: Sequence[Mapping[str, int]]) -> dict[str, float]:
    return {name: _ms(value) for name, value in middle_means(rows).items()}


def _counted(transactions: Sequence[Transaction]) -> dict[str, int]:
    writes = sum(bool(one.words) for one in transactions)
    return {"reads": len(transactions) - writes, "writes": writes}


def _told(counts: Mapping[str, int]) -> str:
    return f"{counts['reads']} reads and {counts['writes']} writes"


def _ms(nanoseconds: float) -> float:
    return round(nanoseconds / 1e6, 4)


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in _LIBRARIES},
    }
