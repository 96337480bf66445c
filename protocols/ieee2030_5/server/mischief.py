"""A server that misbehaves on demand: what is done to a good answer on its way out. The core is not asked. Pure.

Each trick makes one thing wrong and leaves the rest as it was, so that a client's fall shows what it fell over. It is
played on answers of one route, or all, so many times, or until it is ended.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

import msgspec
from lxml import etree

from wattseal.protocols.ieee2030_5.profiles import NAMESPACE
from wattseal.protocols.ieee2030_5.server.server import Reply

MOVED: Final = "/moved"
"""In front of an address, where a redirect of ours leads; there everything is as it should be."""
_OVERSIZE_BYTES: Final = 16 * 1_048_576
_STRANGER: Final = "urn:example:surprise"
_FOREIGN: Final = "https://elsewhere.invalid:9"


class Mischief(StrEnum):
    """What is wrong."""

    REDIRECT = "redirect"  # `status` (301) to `location`, or to an address of ours that works
    REDIRECT_LOOP = "redirect_loop"  # to itself
    TOO_MANY = "too_many"  # 429, with Retry-After where `retry_after` is given
    ERROR = "error"  # `status` (500)
    SILENCE = "silence"  # hangs up, after `seconds`
    SLOW_BODY = "slow_body"  # over `seconds`
    TRUNCATED = "truncated"  # the document breaks off
    MALFORMED = "malformed"  # no XML at all
    DTD = "dtd"  # a document type with an entity in front
    OVERSIZED = "oversized"  # 16 MiB of comment
    ALL_TOO_HIGH = "all_too_high"
    ALL_TOO_LOW = "all_too_low"
    NO_ALL = "no_all"
    NO_RESULTS = "no_results"
    EMPTY_LIST = "empty_list"  # all and results as they are, but no items
    WRONG_ORDER = "wrong_order"  # elements in the opposite order, at every depth
    UNKNOWN_ELEMENT = "unknown_element"
    DUPLICATE_MRIDS = "duplicate_mrids"
    LOWER_CASE_HEX = "lower_case_hex"
    FOREIGN_HREFS = "foreign_hrefs"  # every link leads to another host
    NO_POLL_RATE = "no_poll_rate"
    WRONG_PIN = "wrong_pin"
    WRONG_TYPE = "wrong_type"  # another resource than was asked for
    MOVING_HREFS = "moving_hrefs"  # every answer moves all addresses but that of /dcap
    NOTE_OF_ANOTHER = "note_of_another"  # a notification of a subscription that never was
    NOTE_MALFORMED = "note_malformed"
    NOTE_WRONG_TYPE = "note_wrong_type"


NOTES: Final = frozenset({Mischief.NOTE_OF_ANOTHER, Mischief.NOTE_MALFORMED, Mischief.NOTE_WRONG_TYPE})


class Trick(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trick. `route` is a pattern of the table of routes (``derp/#/derc``), with ``*`` for anything; `lfdi`: only
    to that client. `times` None: until it is ended. `method` is that of the request, ``*`` for any.
    """

    kind: Mischief
    route: str = "*"
    method: str = "GET"
    lfdi: str | None = None
    times: int | None = 1
    status: int | None = None
    location: str | None = None
    retry_after: int | None = None
    seconds: float = 0.0

    def hits(self, method: str, route: str, lfdi: str) -> bool:
        """Whether it is played on this answer."""
        if self.method not in {"*", method} or not fnmatchcase(route, self.route):
            return False
        return self.lfdi is None or self.lfdi.upper() == lfdi


@dataclass(frozen=True, slots=True)
class Spoiled:
    """What goes out instead: None hangs up, after `hold_seconds`."""

    reply: Reply | None
    hold_seconds: float = 0.0
    trickle_seconds: float = 0.0


def spoiled(trick: Trick, address: str, reply: Reply) -> Spoiled:
    """A good reply, spoiled. `address` is the path and query of the request."""
    match trick.kind:
        case Mischief.SILENCE:
            return Spoiled(None, hold_seconds=trick.seconds)
        case Mischief.SLOW_BODY:
            return Spoiled(reply, trickle_seconds=trick.seconds)
        case Mischief.REDIRECT:
            return Spoiled(_bare(trick.status or 301, ("Location", trick.location or MOVED + address), reply))
        case Mischief.REDIRECT_LOOP:
            return Spoiled(_bare(trick.status or 301, ("Location", address), reply))
        case Mischief.TOO_MANY:
            wait = None if trick.retry_after is None else ("Retry-After", str(trick.retry_after))
            return Spoiled(_bare(429, wait, reply))
        case Mischief.ERROR:
            wait = None if trick.retry_after is None else ("Retry-After", str(trick.retry_after))
            return Spoiled(_bare(trick.status or 500, wait, reply))
    return Spoiled(replace(reply, body=spoiled_body(trick.kind, reply.body)))


def spoiled_body(kind: Mischief, good: bytes) -> bytes:
    """A document, spoiled. One that has nothing to spoil in that way stays good."""
    if not good:
        return good
    match kind:
        case Mischief.TRUNCATED:
            return good[: len(good) * 2 // 3]
        case Mischief.MALFORMED | Mischief.NOTE_MALFORMED:
            return b"<not-xml"
        case Mischief.DTD:
            head, tail = good.split(b"?>", 1)
            return head + b'?><!DOCTYPE a [<!ENTITY who "nobody">]>' + tail
        case Mischief.OVERSIZED:
            head, tail = good.split(b"?>", 1)
            return b"".join((head, b"?><!--", b"x" * _OVERSIZE_BYTES, b"-->", tail))
        case Mischief.LOWER_CASE_HEX:
            return re.sub(rb"(<(?:mRID|lFDI|subject|deviceCategory)>)([^<]*)", _lowered, good)
        case Mischief.NO_POLL_RATE:
            return re.sub(rb' pollRate="[0-9]+"', b"", good)
        case Mischief.WRONG_PIN:
            return re.sub(rb"<pIN>[0-9]+", b"<pIN>999995", good)
        case Mischief.FOREIGN_HREFS:
            return re.sub(rb' href="/', b' href="' + _FOREIGN.encode() + b"/", good)
    return _respelled(kind, good)


def _respelled(kind: Mischief, good: bytes) -> bytes:
    root = etree.fromstring(good)
    match kind:
        case Mischief.ALL_TOO_HIGH:
            _count(root, "all", 5)
        case Mischief.ALL_TOO_LOW:
            _count(root, "all", -1)
        case Mischief.NO_ALL:
            root.attrib.pop("all", "")
        case Mischief.NO_RESULTS:
            root.attrib.pop("results", "")
        case Mischief.EMPTY_LIST:
            if "all" in root.attrib:
                del root[:]
        case Mischief.WRONG_ORDER:
            for element in root.iter():
                element[:] = list(reversed(element))
        case Mischief.UNKNOWN_ELEMENT:
            root.append(etree.Element(f"{{{_STRANGER}}}Surprise"))
        case Mischief.DUPLICATE_MRIDS:
            mrids = list(root.iter(f"{{{NAMESPACE}}}mRID"))
            for one in mrids:
                one.text = mrids[0].text
        case Mischief.WRONG_TYPE:
            root = etree.fromstring(f'<Registration xmlns="{NAMESPACE}"><pIN>0</pIN></Registration>')
        case Mischief.NOTE_OF_ANOTHER:
            for one in root.iter(f"{{{NAMESPACE}}}subscriptionURI"):
                one.text = "/edev/0/sub/4294967295"
        case Mischief.NOTE_WRONG_TYPE:
            for one in root.iter(f"{{{NAMESPACE}}}Resource"):
                one.set("{http://www.w3.org/2001/XMLSchema-instance}type", "Registration")
                one[:] = list(etree.fromstring(f'<a xmlns="{NAMESPACE}"><pIN>0</pIN></a>'))
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _count(root: etree._Element, name: str, more: int) -> None:
    if name in root.attrib:
        root.set(name, str(max(0, int(root.attrib[name]) + more)))


def _lowered(found: re.Match[bytes]) -> bytes:
    return found[1] + found[2].lower()


def _bare(status: int, header: tuple[str, str] | None, reply: Reply) -> Reply:
    return Reply(status, b"", reply.media_type, () if header is None else (header,), reply.route)
