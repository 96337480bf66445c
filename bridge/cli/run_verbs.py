"""Verbs of a running box: run, status, doctor."""

import asyncio
import sys
from typing import Annotated

import typer

from wattseal.bridge.cli.options import Directory, Json
from wattseal.bridge.speaking import put, tell


def add_to(app: typer.Typer) -> None:
    """Adds these verbs."""
    app.command("run")(run)
    app.command("status")(status)
    app.command("doctor")(doctor)


def run(
    directory: Directory,
    json_out: Json = False,
    clock: Annotated[str, typer.Option(help="unix:PATH of a virtual clock; for a lab's box on loopback alone.")] = "",
) -> None:
    """Run the bridge: the gateway and the core, each a process of its own. SIGTERM ends it."""
    from wattseal.bridge.core.opening import require_fit
    from wattseal.bridge.supervisor import alone, children_of, stop_on_signals, supervise
    from wattseal.certs.box import Box
    from wattseal.certs.clock import SystemTime
    from wattseal.certs.lab_clock.participant import GlimpsedTime
    from wattseal.certs.lab_clock.words import socket_named

    def ready(listens: object) -> None:
        if json_out:
            put({"ready": True, "listen": listens})
        else:
            tell(f"Running; {listens}. `wattseal status {directory}` tells what is in force.")

    require_fit(Box(directory), GlimpsedTime.at(socket_named(clock)) if clock else SystemTime())
    children = children_of(directory, clock or None)

    async def main() -> None:
        await supervise(children, stop_on_signals(), ready)

    with alone(directory):  # a second core would take the local door away from the first
        asyncio.run(main())


def status(
    directory: Directory,
    json_out: Json = False,
    acknowledge: Annotated[str, typer.Option(help="The event of a utility's text that was read: it is told so.")] = "",
) -> None:
    """What is in force and why: events, orders, devices, prices and texts."""
    from wattseal.bridge.core.local_api import ask
    from wattseal.bridge.status_text import lines
    from wattseal.certs.box import Box

    socket = Box(directory).local_socket
    if acknowledge:
        asyncio.run(ask(socket, "acknowledge", acknowledge))
    answer = asyncio.run(ask(socket, "status"))
    if json_out:
        put(answer)
        return
    for line in lines(answer):
        typer.echo(line)


def doctor(directory: Directory, json_out: Json = False) -> None:
    """What is wrong, in sentences, each with its mend. Exit 1 if anything is."""
    from wattseal.bridge.doctor import examine

    findings = examine(directory)
    if json_out:
        put({"findings": [{"reason": f.reason, "sentence": f.sentence, "bad": f.bad} for f in findings]})
    else:
        for finding in findings:
            typer.echo(f"{'BAD ' if finding.bad else 'note'}  {finding.sentence}")
        if not any(finding.bad for finding in findings):
            typer.echo("Nothing is wrong.")
    sys.exit(1 if any(finding.bad for finding in findings) else 0)
