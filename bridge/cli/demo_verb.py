"""`wattseal demo`: the whole story on one machine."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from wattseal.bridge.speaking import put
from wattseal.certs.errors import MisuseError


def add_to(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command("demo")(demo)


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Plain lines for scripts.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed asks for the same watts.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Keep evidence.wse, root.txt, devices/, utility/ in this new directory.")
    ] = None,
    json_out: Annotated[bool, typer.Option("--json", help="The counts as one JSON document.")] = False,
) -> None:
    """Two utilities, battery, charger and bridge on this machine: events overlap, reports come home, attacks fail.

    Needs no network and no hardware; takes under a minute. Exit 0 only if every count is as it must be.
    """
    with tempfile.TemporaryDirectory(prefix="wattseal-demo-") as temporary:
        scratch, kept = Path(temporary) / "scratch", Path(temporary) / "kept"
        scratch.mkdir()
        directory = _fresh(kept if out is None else out)
        code = asyncio.run(_play(directory, scratch, headless=headless, seed=seed, json_out=json_out))
    sys.exit(code)


async def _play(directory: Path, scratch: Path, *, headless: bool, seed: int, json_out: bool) -> int:
    import structlog

    from wattseal.bridge.demo.story import tell_story
    from wattseal.bridge.demo.telling import Teller

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    outcome = await tell_story(directory, scratch, Teller(plain=headless), seed=seed)
    if json_out:
        checks = {check.name: {"found": check.found, "holds": check.holds} for check in outcome.checks}
        put({"good": outcome.good, "line": outcome.line, "checks": checks})
    else:
        typer.echo(outcome.line)
    return 0 if outcome.good else 1


def _fresh(out: Path) -> Path:
    if out.exists() and any(out.iterdir()):
        raise MisuseError("directory_not_empty", f"{out} is not empty; name a new directory.")
    out.mkdir(parents=True, exist_ok=True)
    return out
