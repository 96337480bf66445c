"""What the aggregator's run comes to, as plain values and as text. Beside each wall time stands that of the processor.

On a machine that other work keeps busy the processor's time is what tells of us.
"""

from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import pairwise
from statistics import median
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from wattseal.bridge.bench.aggregator import Moment, Passage, Span, between
from wattseal.bridge.bench.aggregator_measuring import FleetHarvest

MOST_SECONDS: Final = 2.0
MOST_SHARE: Final = 0.25
_WIDTH: Final = 100
_STATIONS: Final = (
    ("scheduled", "event engine and forecast"),
    ("arrived", "translate, and what differs"),
    ("taken", "ingress and intents, facts"),
    ("consented", "consent"),
    ("sealed", "plan, decide, seal"),
    ("committed", "commit"),
)


def fleet_figures(harvest: FleetHarvest) -> dict[str, object]:
    """Milliseconds and seconds as the names say; `share`: of one core."""
    every = (*harvest.polled, *harvest.notified)
    return {
        "devices": harvest.plan.devices,
        "manifest_bytes": harvest.manifest_bytes,
        "load": round(harvest.load, 1),
        "commands": [one.passage.commands for one in every],
        "aim_seconds": MOST_SECONDS,
        "aim_share": MOST_SHARE,
        "word_to_sealed": _times([one.passage.from_word for one in every]),
        "word_to_sealed_each_ms": [round(one.passage.from_word[0] / 1e6, 1) for one in every],
        "stations": {name: _times(spans) for name, spans in _stations([one.passage for one in every]).items()},
        "first_start": _span(harvest.start),
        "second_start": None if harvest.again is None else _span(harvest.again),
        "steady": {
            **_span(harvest.steady),
            "poll_seconds": harvest.plan.poll_seconds,
            "share": round(harvest.steady.processor_seconds / harvest.steady.seconds, 4),
        },
        "responses": [_span(one.responses) for one in every],
    }


def fleet_text(found: Mapping[str, Any]) -> str:
    """For a terminal, or a file."""
    out = StringIO()
    console = Console(file=out, width=_WIDTH, no_color=True, highlight=False)
    console.print(
        f"an aggregator of {found['devices']} devices; manifest of {found['manifest_bytes']} bytes;"
        f" load {found['load']}; commands of each control: {', '.join(map(str, found['commands']))}\n"
    )
    table = Table("from the server's word to the last sealed command", "ms", "processor ms", box=box.SIMPLE)
    for name, times in found["stations"].items():
        table.add_row(name, *_told(times))
    table.add_row("together", *_told(found["word_to_sealed"]))
    console.print(table)
    table = Table("stretch", "s", "processor s", "answers", "longest pause ms", box=box.SIMPLE)
    rows = [("first start", found["first_start"])]
    rows += [("second start", found["second_start"])] if found["second_start"] else []
    rows += [(f"polling every {found['steady']['poll_seconds']} s", found["steady"])]
    rows += [(f"Responses to control {number}", one) for number, one in enumerate(found["responses"], 1)]
    for name, one in rows:
        pause = f"{one['longest_pause_ms']:.0f}"
        table.add_row(name, f"{one['seconds']:.1f}", f"{one['processor_seconds']:.2f}", str(one["answers"]), pause)
    console.print(table)
    console.print(f"polling takes {found['steady']['share']:.1%} of a core (aim: under {MOST_SHARE:.0%})")
    processor = found["word_to_sealed"]["processor_ms"] / 1000
    console.print(
        f"a control takes {processor:.2f} s of processor time (aim: {MOST_SECONDS:g} s on a machine of its own)"
    )
    return out.getvalue().rstrip()


def _stations(passages: Sequence[Passage]) -> dict[str, list[Moment]]:
    names = ("told", *(station for station, _ in _STATIONS))
    told = dict(_STATIONS)
    return {
        told[second]: [between(one.at[first], one.at[second]) for one in passages] for first, second in pairwise(names)
    }


def _times(spans: Sequence[Moment]) -> dict[str, float]:
    """The median of each."""
    return {
        "ms": round(median(wall for wall, _ in spans) / 1e6, 1),
        "processor_ms": round(median(processor for _, processor in spans) / 1e6, 1),
    }


def _span(span: Span) -> dict[str, float]:
    return {
        "seconds": round(span.seconds, 2),
        "processor_seconds": round(span.processor_seconds, 2),
        "answers": span.told,
        "longest_pause_ms": round(span.longest_pause_seconds * 1000, 1),
    }


def _told(times: Mapping[str, float]) -> tuple[str, str]:
    return f"{times['ms']:.1f}", f"{times['processor_ms']:.1f}"
