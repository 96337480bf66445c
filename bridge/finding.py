"""One finding of the doctor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth saying; `bad` if it must be mended."""

    reason: str
    sentence: str
    bad: bool
