"""`wattseal`: the verbs, and the one place where an error becomes a sentence and an exit code.

    0 good   1 found wrong   2 wrong usage or configuration   3 the world failed (disk, network, device)

Results go to standard output, progress and sentences to standard error; never a traceback.
"""

import os
import sys
from importlib.metadata import entry_points, version
from typing import Annotated, Final, NoReturn

import structlog
import typer

from wattseal.bridge.cli import box_verbs, demo_verb, evidence_verbs, run_verbs, scan_verbs, simulate_verbs
from wattseal.certs.errors import MisuseError, PeerError, WattsealError

GOOD: Final = 0
FOUND_WRONG: Final = 1
WRONG_USAGE: Final = 2
WORLD_FAILED: Final = 3

app = typer.Typer(
    name="wattseal",
    help="A bridge from utility events to devices, in which every watt ordered carries a seal.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
box_verbs.add_to(app)
run_verbs.add_to(app)
evidence_verbs.add_to(app)
scan_verbs.add_to(app)
simulate_verbs.add_to(app)
demo_verb.add_to(app)
for _verb in entry_points(group="wattseal.verbs"):
    _verb.load()(app)


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if show_version:
        typer.echo(version("wattseal"))
        raise typer.Exit(GOOD)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run() -> NoReturn:
    """The console entry point."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        app(standalone_mode=False)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    except typer.Abort:
        sys.exit(WORLD_FAILED)
    except WattsealError as error:
        _say(error.sentence)
        sys.exit(code_of(error))
    except BrokenPipeError:
        _end_unread()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer makes 1 of it, but nothing was found wrong
            _end_unread()
        raise
    except KeyboardInterrupt:
        _say("Interrupted.")
        sys.exit(WORLD_FAILED)
    except OSError as error:
        _say(f"{error.strerror or error}: {error.filename or 'the system refused'}")
        sys.exit(WORLD_FAILED)
    except Exception as error:  # noqa: BLE001 - the rim of the program: whatever comes must end as a sentence
        _run_click_error(error)
    sys.exit(GOOD)


def code_of(error: WattsealError) -> int:
    """The exit code for one of our errors."""
    match error:
        case MisuseError():
            return WRONG_USAGE
        case PeerError():
            return FOUND_WRONG
        case _:
            return WORLD_FAILED


def _end_unread() -> NoReturn:
    """Whoever read our output has gone, as `head` does: that is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(GOOD)


def _run_click_error(error: Exception) -> NoReturn:
    """Usage errors of the command line are told in its own words; anything else is a fault of ours and says so."""
    show = getattr(error, "format_message", None)
    if show is not None:
        _say(show())
        sys.exit(WRONG_USAGE)
    if os.environ.get("WATTSEAL_TRACEBACK"):
        raise error
    _say(f"A fault in this program: {type(error).__name__}: {error}. Set WATTSEAL_TRACEBACK=1 and report what it says.")
    sys.exit(WORLD_FAILED)


def _say(sentence: str) -> None:
    sys.stderr.write(f"wattseal: {sentence}\n")
