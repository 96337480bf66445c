"""`wattseal scan`: what answers nearby, and what to write into the site file."""

import asyncio
import sys
from typing import Annotated

import typer

from wattseal.bridge.cli.options import Json
from wattseal.bridge.speaking import put, tell

scan = typer.Typer(help="Find what answers nearby.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds these verbs."""
    app.add_typer(scan, name="scan")


@scan.callback()
def _top() -> None:
    """Only so that `scan` stays a word of its own while it has one verb."""


@scan.command("utility")
def utility(
    sfdi: Annotated[
        int | None, typer.Option(help="Our SFDI: servers that say they have this device are told first.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, max=60, help="How long to listen.")] = 3.0,
    interface: Annotated[
        list[str] | None, typer.Option(help="Ask from this address of ours; repeat for more. All, if left out.")
    ] = None,
    json_out: Json = False,
) -> None:
    """IEEE 2030.5 servers on the local network, by DNS-SD. Exit 1 if none answers.

    An answer proves nothing: write the address into the site file together with the LFDI that the utility gave you.
    """
    from wattseal.protocols.ieee2030_5.discovery import discover

    tell(f"Listening for IEEE 2030.5 servers for {seconds:g} s.")
    found = asyncio.run(discover(sfdi, seconds=seconds, interfaces=tuple(interface or ())))
    if json_out:
        put({"servers": [{"url": f.url, "instance": f.instance, "has_our_device": f.has_our_device} for f in found]})
    else:
        for one in found:
            note = " (says that it has our device)" if one.has_our_device else ""
            typer.echo(f"{one.url}  {one.instance}{note}")
    if not found:
        tell("Nobody answered. A server on another network must be given by its URL.")
    sys.exit(0 if found else 1)
