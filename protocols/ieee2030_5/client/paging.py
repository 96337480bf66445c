"""One list, page by page, until it is whole; what a page says of the whole list is compared with what is there.

Rules: a page without an item ends the list, unless it is the first one and says that there are some. `all` that changes
between pages starts the list again. A server that gives the same page again for another start gave everything that it
has, or does not page; with `all` unmet that is no whole list. Pages and items are bounded. Knows no resource: items
come with a key (mRID, LFDI, address).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

LIMIT: Final = 255
PAGES_MOST: Final = 1024
ITEMS_MOST: Final = 16_384
RESTARTS_MOST: Final = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page: its items by key, how many stood in it (those left out are counted), what it says of the list."""

    items: tuple[tuple[str, T], ...]
    seen: int
    all: int | None = None
    results: int | None = None


class Verdict(StrEnum):
    """What a page makes of the list."""

    MORE = "more"  # ask for the page from `start` on
    WHOLE = "whole"
    BROKEN = "broken"  # `reason` says why; what was known of the list stands


class Paging(Generic[T]):
    """The reading of one list. Feed it pages while it says MORE."""

    def __init__(self) -> None:
        self.start = 0
        self.reason = ""
        self.duplicates: list[str] = []
        self._items: dict[str, T] = {}
        self._all: int | None = None
        self._pages = 0
        self._restarts = 0

    @property
    def items(self) -> tuple[T, ...]:
        """What was read, each key once, in the server's order."""
        return tuple(self._items.values())

    def take(self, page: Page[T]) -> Verdict:
        """Take the page that was asked for from `start` on."""
        self._pages += 1
        if self._pages > PAGES_MOST:
            return self._broken("list_too_long")
        if self.start and page.all != self._all:
            return self._again()
        self._all = page.all
        if page.seen == 0:
            return self._ended(page)
        fresh = self._added(page)
        if len(self._items) > ITEMS_MOST:
            return self._broken("list_too_long")
        repeats = bool(self.start) and not fresh and bool(page.items)
        self.start += page.seen
        if page.all is not None and self.start >= page.all and not repeats:
            return Verdict.WHOLE
        if repeats:
            return Verdict.WHOLE if page.all is None or len(self._items) >= page.all else self._broken("list_repeats")
        return Verdict.MORE

    def _ended(self, page: Page[T]) -> Verdict:
        if self.start == 0 and page.all:
            return self._broken("list_all_lies")
        return Verdict.WHOLE

    def _added(self, page: Page[T]) -> int:
        fresh = 0
        for key, item in page.items:
            if key in self._items:
                self.duplicates.append(key)
            else:
                self._items[key] = item
                fresh += 1
        return fresh

    def _again(self) -> Verdict:
        self._restarts += 1
        if self._restarts > RESTARTS_MOST:
            return self._broken("list_restless")
        self.start = 0
        self._items.clear()
        self.duplicates.clear()
        return Verdict.MORE

    def _broken(self, reason: str) -> Verdict:
        self.reason = reason
        return Verdict.BROKEN
