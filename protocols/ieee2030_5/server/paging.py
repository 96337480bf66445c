"""Pages of a list: `s`, `l` and `a` of a query, and the attributes `all` and `results` of what comes of them.

A query that says nothing gets one item, as the standard has it. A list that has no times knows no `a`. What cannot be
read as a number is a bad request and is not guessed.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from wattseal.certs.errors import PeerError
from wattseal.protocols.ieee2030_5.base import List
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.server.tailoring import spoken_fields
from wattseal.protocols.ieee2030_5.server.turn import Listing
from wattseal.protocols.ieee2030_5.vocabulary import Subscribable

_DIGITS_MOST: Final = 15


@dataclass(frozen=True, slots=True)
class Query:
    """From which item on (`start`), how many at most, and only those later than `after` (unix seconds, None: all)."""

    start: int = 0
    limit: int = 1
    after: int | None = None


def query_of(text: str) -> Query:
    """The query of a GET. Other names are ignored. Raises PeerError (`query_malformed`)."""
    found = {name: value for name, value in parse_qsl(text, keep_blank_values=True) if name in {"s", "l", "a"}}
    return Query(
        start=_number(found.get("s", "0")),
        limit=_number(found.get("l", "1")),
        after=_number(found["a"]) if "a" in found else None,
    )


def page_of(listing: Listing, query: Query, href: str, profile: Profile, poll_seconds: int, page_most: int) -> List:
    """The page that a query asks for. `all` counts what the query could reach, so that paging with `a` ends too."""
    items = listing.items
    if query.after is not None and listing.stamps is not None:
        stamped = zip(items, listing.stamps, strict=True)
        items = tuple(item for item, stamp in stamped if stamp > query.after)
    page = items[query.start : query.start + min(query.limit, page_most)]
    spoken = spoken_fields(listing.kind, profile)
    polled = listing.poll and "poll_rate" in spoken
    told = listing.subscribable and "subscribable" in spoken
    return listing.kind(
        href=href,
        all=len(items),
        results=len(page),
        poll_rate=poll_seconds if polled else None,
        subscribable=Subscribable.PLAIN if told else None,
        items=page,  # type: ignore[call-arg]  # every list has items; the base cannot say of what
    )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MOST:
        raise PeerError("query_malformed", f"{text[:20]!r} is no number of items: a query has s, l and a in digits.")
    return int(text)
