"""How a program of ours speaks: results as JSON on standard output, progress for people on standard error."""

import json
import sys
from collections.abc import Mapping


def put(document: Mapping[str, object]) -> None:
    """Prints a result as one line of JSON and hands it on at once."""
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def tell(sentence: str) -> None:
    """Progress for people."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
