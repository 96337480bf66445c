"""Redirects: followed on our own server only, a bounded number of times, and remembered where they are permanent.

301 and 308 are remembered until the new place fails; 302 and 307 hold for one question. A loop, a long chain, a missing
or a foreign Location fail closed: the question counts as not answered. Knows no resource.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.hrefs import resolve

STATUSES: Final = frozenset({301, 302, 307, 308})
HOPS_MOST: Final = 5
REMEMBERED_MOST: Final = 4096
_PERMANENT: Final = frozenset({301, 308})


@dataclass(frozen=True, slots=True)
class Trail:
    """The places that one question was sent to, in order; `permanent` while every step so far was."""

    places: tuple[str, ...]
    permanent: bool = True

    @property
    def place(self) -> str:
        """Where it is now."""
        return self.places[-1]


class Redirects:
    """What is remembered: the permanent new place of an address."""

    def __init__(self, authority: str, remembered: Mapping[str, str] | None = None) -> None:
        self._authority = authority
        self._moved = dict(remembered or {})

    @property
    def remembered(self) -> Mapping[str, str]:
        """For the disk."""
        return dict(self._moved)

    def trail(self, href: str) -> Trail:
        """Where to ask for an address first."""
        moved = self._moved.get(href)
        return Trail((href,) if moved is None else (href, moved))

    def follow(self, trail: Trail, answer: Answer) -> Trail | str:
        """The trail one step further, or the reason why it ends here."""
        place = resolve(trail.place, answer.location, self._authority)
        if place is None:
            return "redirect_foreign" if answer.location else "redirect_nowhere"
        if place in trail.places:
            return "redirect_loop"
        if len(trail.places) > HOPS_MOST:
            return "redirect_chain"
        return Trail((*trail.places, place), trail.permanent and answer.status in _PERMANENT)

    def arrived(self, trail: Trail) -> bool:
        """The place answered; True if something new is remembered."""
        first, last = trail.places[0], trail.place
        if first == last or not trail.permanent or self._moved.get(first) == last:
            return False
        if len(self._moved) >= REMEMBERED_MOST:
            self._moved.pop(next(iter(self._moved)))
        self._moved[first] = last
        return True

    def failed(self, trail: Trail) -> bool:
        """The place does not answer or refuses: ask at the old one again. True if something was forgotten."""
        return self._moved.pop(trail.places[0], None) is not None
