"""Bytes of one answer into what was read: decoded under the profile, addresses resolved, what broke told, not hidden.

`Known` is the last good reading of an address: a single resource, or a list read whole. An item that had to be left out
is no item that vanished: what was known of it stands. Pure.
"""

import re
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

import msgspec

from wattseal.certs.errors import PeerError
from wattseal.protocols.ieee2030_5.client.happenings import MessageRefused
from wattseal.protocols.ieee2030_5.client.hrefs import resolve, resolved
from wattseal.protocols.ieee2030_5.client.kinds import NATURES, Kind
from wattseal.protocols.ieee2030_5.client.paging import Page
from wattseal.protocols.ieee2030_5.codec import LeftOutItem, decode_as
from wattseal.protocols.ieee2030_5.profiles import Profile

RAW_MOST: Final = 65_536
TOLD_MOST: Final = 8
_MRID: Final = re.compile(r"(?:[0-9A-F]{2}){1,16}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One document: its digest, the resource, its items (for a list), and what was left out of it."""

    digest: bytes
    raw: bytes
    resource: Any
    items: tuple[Any, ...] = ()
    left_out: tuple[LeftOutItem, ...] = ()
    refusals: tuple[MessageRefused, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an address. `absent`: the server says that there is nothing (404, 410)."""

    kind: Kind
    leaves: tuple[Leaf, ...] = ()
    items: tuple[Any, ...] = ()
    left_out: tuple[LeftOutItem, ...] = ()
    absent: bool = False
    refusals: tuple[MessageRefused, ...] = field(default=(), compare=False)

    @property
    def resource(self) -> Any:
        """The single resource, or the first page of a list; None where there is none."""
        return self.leaves[0].resource if self.leaves else None

    @property
    def poll_rate(self) -> int | None:
        """What the resource itself says of how often it is to be read, seconds."""
        rate = getattr(self.resource, "poll_rate", None)
        return rate if isinstance(rate, int) and rate > 0 else None

    @property
    def digests(self) -> tuple[bytes, ...]:
        """SHA-256 of each document."""
        return tuple(leaf.digest for leaf in self.leaves)


def refused(href: str, raw: bytes, reason: str, sentence: str) -> MessageRefused:
    """A refusal with its bytes, as far as they are kept."""
    return MessageRefused(href, raw[:RAW_MOST], reason, sentence)


def digest_of(body: bytes) -> bytes:
    """By which an unchanged answer is known."""
    return sha256(body).digest()


def leaf_of(kind: Kind, href: str, body: bytes, profile: Profile, authority: str) -> Leaf:
    """One document of a kind. Raises PeerError as `codec.decode_as` does."""
    document = decode_as(NATURES[kind].resource, body, profile)
    return leaf_from(kind, href, body, document.resource, authority, document.left_out)


def leaf_from(
    kind: Kind, href: str, body: bytes, resource: msgspec.Struct, authority: str, left_out: tuple[LeftOutItem, ...] = ()
) -> Leaf:
    """The same from a resource that was decoded already (from a notification)."""
    mended, foreign = resolved(resource, href, authority)
    refusals = [refused(href, body, "item_left_out", f"{one.path}: {one.sentence}") for one in left_out[:TOLD_MOST]]
    refusals += [
        refused(href, body, "href_foreign", f"{one[:200]!r} leads away from the server and is not followed.")
        for one in foreign[:TOLD_MOST]
    ]
    items = getattr(mended, "items", ()) if NATURES[kind].item else ()
    named = tuple(_mended(one, href, authority) for one in left_out)
    return Leaf(digest_of(body), body[:RAW_MOST], mended, items, named, tuple(refusals))


def page_of(kind: Kind, leaf: Leaf) -> Page[Any]:
    """A document as a page of a list."""
    nature = NATURES[kind]
    out = sum(1 for one in leaf.left_out if one.name == nature.item)
    items = tuple((nature.key(item) or f"#{place}", item) for place, item in enumerate(leaf.items))
    return Page(items, len(items) + out, leaf.resource.all, leaf.resource.results)


def known_single(kind: Kind, leaf: Leaf) -> Known:
    """What is known of a single resource."""
    return Known(kind, (leaf,), refusals=leaf.refusals)


def known_list(kind: Kind, leaves: tuple[Leaf, ...], items: tuple[Any, ...], before: Known | None) -> Known:
    """What is known of a list that was read whole. Items left out stay as they were known, where they were."""
    nature = NATURES[kind]
    left_out = tuple(one for leaf in leaves for one in leaf.left_out if one.name == nature.item)
    if left_out and before is not None:
        items += _standing(kind, items, before.items, left_out)
    refusals = tuple(one for leaf in leaves for one in leaf.refusals)
    return Known(kind, leaves, items, left_out, refusals=refusals)


def _standing(
    kind: Kind, items: tuple[Any, ...], before: tuple[Any, ...], left_out: tuple[LeftOutItem, ...]
) -> tuple[Any, ...]:
    """Of what was known and is missing now: all that may be among what was left out."""
    key = NATURES[kind].key
    here = {key(item) for item in items}
    names = {one.mrid for one in left_out}
    nameless = None in names or kind in {Kind.END_DEVICES, Kind.CURVES, Kind.DERS, Kind.BLOCKS}
    return tuple(one for one in before if key(one) not in here and (nameless or getattr(one, "mrid", "") in names))


def _mended(one: LeftOutItem, base: str, authority: str) -> LeftOutItem:
    """What was left out, with a name only if it is one, and with an address to answer to only if it is ours."""
    reply_to = resolve(base, one.reply_to or "", authority)
    return replace(one, mrid=one.mrid if one.mrid and _MRID.fullmatch(one.mrid) else None, reply_to=reply_to)


def unreadable(error: PeerError, href: str, body: bytes) -> MessageRefused:
    """A document that was refused whole."""
    return refused(href, body, error.reason, error.sentence)
