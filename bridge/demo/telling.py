"""Telling the story on a terminal: a line for each link of the chain, with its milliseconds."""

import time
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.markup import escape

_MARKS: Final = {"good": "[green]✓[/green]", "bad": "[red]✗[/red]", "step": "[cyan]→[/cyan]", "note": " "}


@dataclass(slots=True)
class Teller:
    """Prints to standard error. `plain` leaves colours and signs out, for logs and scripts."""

    plain: bool
    _begun: float = field(default_factory=time.monotonic)
    _console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, soft_wrap=True))

    def say(self, text: str, mark: str = "step") -> None:
        """One line, with the seconds since the beginning."""
        seconds = time.monotonic() - self._begun
        if self.plain:
            self._console.print(f"{seconds:6.2f}s  {escape(text)}", style=None)
        else:
            self._console.print(f"[dim]{seconds:6.2f}s[/dim] {_MARKS[mark]} {escape(text)}")

    def heading(self, text: str) -> None:
        """A new act."""
        self._console.print(f"-- {escape(text)}" if self.plain else f"\n[bold]{escape(text)}[/bold]")
