"""A deed: statements, the texts they name, the journal writes that go with them: durable together or not at all."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from wattseal.certs import ledger
from wattseal.certs.statement import Statement


@dataclass(slots=True)
class Deed:
    """Collected while something is decided; committed once, before anything leaves the process."""

    statements: list[Statement] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    writes: list[Callable[[sqlite3.Connection], object]] = field(default_factory=list)

    def say(self, statement: Statement, *contents: bytes) -> Statement:
        """Adds a statement, parents before children, with the texts it names."""
        self.statements.append(statement)
        self.contents.extend(contents)
        return statement

    def write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Adds a journal write."""
        self.writes.append(work)

    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.statements or self.writes)

    def work(self) -> Callable[[sqlite3.Connection], None]:
        """All of it as one transaction's work; what is added afterwards is not in it."""
        statements, contents, writes = tuple(self.statements), tuple(dict.fromkeys(self.contents)), tuple(self.writes)

        def work(db: sqlite3.Connection) -> None:
            ledger.append_all(db, statements, contents)
            for write in writes:
                write(db)

        return work
