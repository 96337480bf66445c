"""Reading a table of a TOML file key by key, collecting every mistake instead of stopping at the first.

A mistake names the file, the key and the mend. What could be read is handed on, so that later keys are checked too.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from wattseal.certs.errors import MisuseError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong: where it stands and what to write instead."""

    file: str
    key: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.what}. {self.mend}"


class SiteFileError(MisuseError):
    """A site file with mistakes; all of them are in `mistakes`."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__("site_file_mistaken", f"The site file has {count}; nothing was started.\n{lines}")
        self.mistakes = mistakes


@dataclass(slots=True)
class Table:
    """One table of the file under reading. `path` is its dotted key."""

    file: str
    path: str
    values: Mapping[str, object]
    mistakes: list[Mistake]
    _read: set[str] = field(default_factory=set)

    def wrong(self, key: str, what: str, mend: str) -> None:
        """Note a mistake at `key`."""
        self.mistakes.append(Mistake(self.file, self._dotted(key), what, mend))

    def text(self, key: str, mend: str, default: str | None = None) -> str:
        """A non-empty text; `default` (which may be empty) where the key is absent."""
        value = self._take(key, mend, default)
        if isinstance(value, str) and (value.strip() or value == default):
            return value
        if value is not None:
            self.wrong(key, "must be a text that is not empty", mend)
        return ""

    def whole(self, key: str, mend: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number between `least` and `most`."""
        value = self._take(key, mend, default)
        if isinstance(value, int) and not isinstance(value, bool):
            if least <= value <= most:
                return value
            self.wrong(key, f"is {value}, outside {least} to {most}", mend)
        elif value is not None:
            self.wrong(key, "must be a whole number", mend)
        return least

    def truth(self, key: str, mend: str, *, default: bool) -> bool:
        """True or false."""
        value = self._take(key, mend, default)
        if isinstance(value, bool):
            return value
        self.wrong(key, "must be true or false", mend)
        return default

    def one_of(self, key: str, mend: str, choices: Mapping[str, T], default: str | None = None) -> T:
        """The choice that the text at `key` names; the first choice where it names none."""
        value = self._take(key, mend, default)
        if isinstance(value, str) and value in choices:
            return choices[value]
        if value is not None:
            self.wrong(key, f"is {value!r}, which is none of {', '.join(choices)}", mend)
        return next(iter(choices.values()))

    def texts(self, key: str, mend: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        value = self._take(key, mend, default)
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        if value is not None:
            self.wrong(key, "must be a list of texts", mend)
        return ()

    def table(self, key: str, mend: str, *, required: bool = True) -> "Table":
        """The table at `key`, empty where it is absent."""
        value = self._take(key, mend, None if required else {})
        if value is not None and not isinstance(value, Mapping):
            self.wrong(key, "must be a table", mend)
        return self._below(key, value if isinstance(value, Mapping) else {})

    def tables(self, key: str, mend: str, *, required: bool = True) -> "tuple[Table, ...]":
        """The tables of the array at `key`."""
        value = self._take(key, mend, None if required else [])
        if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
            return tuple(self._below(f"{key}[{number}]", item) for number, item in enumerate(value))
        if value is not None:
            self.wrong(key, f"must be written as [[{key}]] tables", mend)
        return ()

    def has(self, key: str) -> bool:
        """Whether the key is there; says nothing of its value."""
        return key in self.values

    def pairs(self) -> Mapping[str, object]:
        """All keys at once, for tables whose keys are names."""
        self._read.update(self.values)
        return self.values

    def close(self) -> None:
        """Note every key that nothing asked for, with the nearest known one."""
        for key in self.values:
            if key not in self._read:
                near = difflib.get_close_matches(key, self._read, n=1)
                self.wrong(key, "is not a known key", f"Did you mean {near[0]}?" if near else "Remove it.")

    def _take(self, key: str, mend: str, default: object) -> object:
        self._read.add(key)
        if key in self.values:
            return self.values[key]
        if default is None:
            self.wrong(key, "is missing", mend)
        return default

    def _below(self, key: str, values: Mapping[str, object]) -> "Table":
        return Table(self.file, self._dotted(key), values, self.mistakes)

    def _dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key
