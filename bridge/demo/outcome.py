"""What the demonstration comes to: counts that must hold, and the one line that sums them up."""

from collections.abc import Sequence
from dataclasses import dataclass

from wattseal.bridge.demo.chronicle import Chronicle


@dataclass(frozen=True, slots=True)
class Check:
    """One count of the verdict: what was found, and whether it is what must be."""

    name: str
    found: object
    holds: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every check, and the one line that sums them up."""

    checks: tuple[Check, ...]
    line: str

    @property
    def good(self) -> bool:
        """Whether every count is as it must be."""
        return all(check.holds for check in self.checks)


def outcome_of(chronicle: Chronicle, checks: Sequence[Check]) -> Outcome:
    """The verdict."""
    found = {check.name: check.found for check in checks}
    refused = sum(check.holds for check in checks if check.name.endswith("refused"))
    bad = [check.name for check in checks if not check.holds]
    verdict = "all as it must be" if not bad else "NOT as it must be: " + ", ".join(bad)
    line = (
        f"2 utilities, {len(chronicle.commands)} commands, {found.get('commands proven')} proven; "
        f"{chronicle.counts['reading']} readings, {chronicle.counts['report']} reports accepted; "
        f"3 attacks, {refused} refused; {found.get('bodies re-executed')} bodies re-executed; {verdict}"
    )
    return Outcome(tuple(checks), line)
