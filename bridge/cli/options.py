"""Arguments and options that several verbs share, and how they speak."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Directory: TypeAlias = Annotated[Path, typer.Argument(help="The directory of the box.", show_default=False)]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for scripts.")]


def put(document: Mapping[str, object]) -> None:
    """Prints a result as one line of JSON and hands it on at once."""
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def tell(sentence: str) -> None:
    """Progress for people, on standard error."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
