"""Verbs that prove: evidence export, replay."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from wattseal.bridge.cli.options import Directory, Json
from wattseal.bridge.speaking import put, tell
from wattseal.certs.errors import MisuseError

evidence = typer.Typer(help="One file that proves a stretch of time offline.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds these verbs."""
    app.add_typer(evidence, name="evidence")
    app.command("replay")(replay)


@evidence.command("export")
def export(
    directory: Directory,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the file.", show_default=False)],
    begin: Annotated[str, typer.Option("--from", help="RFC 3339 time; from the beginning if left out.")] = "",
    end: Annotated[str, typer.Option("--to", help="RFC 3339 time; until now if left out.")] = "",
    json_out: Json = False,
) -> None:
    """Write evidence of all that was asked, decided, ordered, done and measured in that time.

    Check it anywhere with `wattseal-audit verify FILE --root HEX`.
    """
    from wattseal.bridge.exporting import export_box
    from wattseal.certs.box import Box, write_durably

    now = int(time.time())
    content = export_box(Box(directory), from_ms=_ms(begin) if begin else 0, to_ms=_ms(end) if end else None, now=now)
    write_durably(output, content)
    root = Box(directory).pinned_root()
    if json_out:
        put({"file": str(output), "bytes": len(content), "root": root})
        return
    tell(f"Wrote {len(content)} bytes. Check them: wattseal-audit verify {output} --root {root}")


def replay(
    file: Annotated[Path, typer.Argument(help="An evidence file.", show_default=False)], json_out: Json = False
) -> None:
    """Make every intent, decision and command again from the recorded inputs, and compare byte for byte."""
    from wattseal.bridge.exporting import record_in
    from wattseal.bridge.replay import replay as run_again

    verdict = run_again(record_in(file))
    rows = [
        {"leaf": row.index, "kind": str(row.kind), "subject": row.subject, "culprit": row.culprit}
        for row in verdict.differences
    ]
    if json_out:
        compared = {str(kind): count for kind, count in verdict.compared.items()}
        put({"compared": compared, "differences": rows, "as_recorded": verdict.as_recorded})
    else:
        for row in rows:
            typer.echo(f"leaf {row['leaf']}: {row['kind']} of {row['subject']} comes out otherwise ({row['culprit']})")
        counts = ", ".join(f"{count} {kind}s" for kind, count in verdict.compared.items())
        typer.echo(f"Made again and compared: {counts}; {len(rows)} differ.")
        if verdict.as_recorded:
            typer.echo(
                f"Not made again: {verdict.as_recorded} intents of IEEE 2030.5. Each follows from a whole schedule, "
                "which no single record holds: they stand as recorded, and what rests on them was made again."
            )
    sys.exit(1 if rows else 0)


def _ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MisuseError("time_malformed", f"{text!r} is no time; write 2026-11-23T12:00:00Z.") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)
