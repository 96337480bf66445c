"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Directory: TypeAlias = Annotated[Path, typer.Argument(help="The directory of the box.", show_default=False)]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for scripts.")]
