"""`wattseal simulate`: any simulator alone, on loopback, until it is ended."""

import sys
from typing import Annotated

import typer

simulate = typer.Typer(help="Any simulator alone, on loopback.", no_args_is_help=True)
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def add_to(app: typer.Typer) -> None:
    """Adds these verbs."""
    app.add_typer(simulate, name="simulate")


@simulate.command("device", context_settings=_PASS_ON)
def device(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="battery or ev-charger", show_default=False)],
) -> None:
    """A device with physics on a Modbus TCP port; further options (--port 0 --json ...) go to it: see `-- --help`."""
    from wattseal.drivers.simulators.command import main

    sys.exit(main([name, *context.args]))


@simulate.command("clock", context_settings=_PASS_ON)
def clock(context: typer.Context) -> None:
    """A lab's virtual clock (--socket PATH), or a word to the one there (--advance 60 ...): see `-- --help`."""
    from wattseal.certs.lab_clock.command import main

    sys.exit(main(context.args))


@simulate.command("utility", context_settings=_PASS_ON)
def utility(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="openadr-2.0b or ieee2030.5", show_default=False)] = "openadr-2.0b",
) -> None:
    """A utility's server; further options (--port 0 --json ...) go to it: see `-- --help`."""
    from wattseal.certs.errors import MisuseError
    from wattseal.protocols.ieee2030_5.server import command as ieee2030_5
    from wattseal.protocols.openadr20b.vtn import command as openadr20b

    programs = {"openadr-2.0b": openadr20b.main, "ieee2030.5": ieee2030_5.main}
    if name not in programs:
        known = ", ".join(programs)
        raise MisuseError("dialect_unknown", f"{name!r} is no dialect that this release simulates: {known}.")
    sys.exit(programs[name](context.args))
