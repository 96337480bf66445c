"""The command `wattseal-audit verify FILE --root HEX [--json]`.

Exit 0: proven, each device with a verdict. 1: broken, with the first broken link. 2: usage. 3: the file is unreadable.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .story_rules import RESULTS
from .trust_rules import MAX_BYTES
from .verdict import verify


def run() -> None:
    """The console entry: ends the process with the exit status."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """The command with its arguments; gives the exit status."""
    parser = argparse.ArgumentParser(prog="wattseal-audit", description="Proves an evidence file offline.")
    verb = parser.add_subparsers(dest="verb", required=True).add_parser("verify", help="verify one evidence file")
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("--root", type=_root, required=True, metavar="HEX", help="SHA-256 of the root record, in hex")
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    try:
        asked = parser.parse_args(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    try:
        with asked.file.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        sys.stderr.write(f"wattseal-audit: cannot read {asked.file}: {error.strerror}\n")
        return 3
    verdict = verify(data, asked.root)
    sys.stdout.write((json.dumps(verdict, indent=2) if asked.json else "\n".join(_lines(verdict))) + "\n")
    return 0 if verdict["verdict"] == "proven" else 1


def _lines(verdict: Mapping[str, Any]) -> Iterator[str]:
    broken = verdict["first_broken"]
    if broken is not None:
        yield f"BROKEN at {broken['where']}: {broken['reason']}"
        yield f"  {broken['sentence']}"
        return
    yield f"PROVEN under root {verdict['root']}"
    yield f"  site {verdict['site']}, gateway {verdict['gateway']}, {verdict['from']} to {verdict['to']}"
    yield f"  {verdict['statements']} statements, {verdict['commands']} commands, assurance {verdict['assurance']}"
    virtual = ", on a virtual clock: a lab moved its time by hand" if verdict["virtual_clock"] else ""
    yield f"  lab = {str(verdict['lab']).lower()}{virtual}"
    for name, told in verdict["devices"].items():
        yield f"device {name} ({told['link']} {told['address']}): assurance {told['assurance']}"
        results = ", ".join(f"{told[result]} {result}" for result in RESULTS if told[result]) or "no receipts"
        yield f"  {told['commands']} commands: {results}; {told['readings']} readings"
        for refusal in told["refusals"]:
            yield f"  refused: the command at leaf {refusal['leaf']}, {refusal['reason']}"
        if told["without_final_receipt"]:
            yield f"  no final receipt yet: leaves {', '.join(map(str, told['without_final_receipt']))}"
        yield f"  {told['sentence']}"


def _root(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text.strip()):
        raise argparse.ArgumentTypeError("64 hex digits, as `wattseal init` printed them")
    return text.strip().lower()
