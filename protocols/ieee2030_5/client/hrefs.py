"""Addresses as servers write them, into addresses on the one server that we talk to: a path with its query, or nothing.

A relative reference counts from the resource that it stands in; an absolute one must name our server, by host and port.
Whatever leads elsewhere is refused: a client that follows it would show its certificate to a stranger. Knows no kind of
resource, only where structures hold links.
"""

from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from wattseal.protocols.ieee2030_5.base import Link
from wattseal.protocols.ieee2030_5.der_control import DERCurveLink

LONGEST: Final = 2048
_PORTS: Final = {"http": 80, "https": 443}
_ADDRESSES: Final = frozenset({"href", "reply_to"})

S = TypeVar("S", bound=msgspec.Struct)


def resolve(base: str, href: str, authority: str) -> str | None:
    """The path and query that `href`, written in the resource at the path `base`, means; None: not on our server.

    `authority` is our server's "host" or "host:port" (443 if not said); empty: every absolute address is foreign.
    """
    if not href or len(href) > LONGEST or any(char <= " " or char == "\\" for char in href):
        return None
    try:
        parts = urlsplit(urljoin(base, href))
        if (parts.scheme or parts.netloc) and not _is_ours(parts.scheme or "https", parts.netloc, authority):
            return None
    except ValueError:
        return None
    path = parts.path or "/"
    if not path.startswith("/"):
        return None
    return f"{path}?{parts.query}" if parts.query else path


def resolved(resource: S, base: str, authority: str) -> tuple[S, tuple[str, ...]]:
    """The resource with every address in it resolved, and the addresses that lead elsewhere, as written.

    An optional link that leads elsewhere is taken out; a curve's stays as written, so that its mode is still answered.
    """
    foreign: list[str] = []
    return _struct(resource, base, authority, foreign), tuple(foreign)


def with_page(href: str, start: int, limit: int) -> str:
    """The address of one page of a list."""
    return f"{href}{'&' if '?' in href else '?'}s={start}&l={limit}"


def _is_ours(scheme: str, netloc: str, authority: str) -> bool:
    if scheme not in _PORTS or not authority or "@" in netloc:
        return False
    return _host_and_port(netloc, _PORTS[scheme]) == _host_and_port(authority, _PORTS["https"])


def _host_and_port(netloc: str, port: int) -> tuple[str | None, int]:
    parts = urlsplit(f"//{netloc}")
    return parts.hostname, parts.port or port


def _struct(value: S, base: str, authority: str, foreign: list[str]) -> S:
    changes: dict[str, object] = {}
    for name in value.__struct_fields__:
        old = getattr(value, name)
        if old is None:
            continue
        if isinstance(old, str):
            if name in _ADDRESSES:
                changes[name] = _address(value, old, base, authority, foreign)
        elif isinstance(old, Link):
            changes[name] = _link(old, base, authority, foreign)
        elif isinstance(old, msgspec.Struct):
            changes[name] = _struct(old, base, authority, foreign)
        elif isinstance(old, tuple) and old and isinstance(old[0], msgspec.Struct):
            changes[name] = tuple(_struct(one, base, authority, foreign) for one in old)
    return msgspec.structs.replace(value, **changes) if changes else value


def _address(holder: msgspec.Struct, href: str, base: str, authority: str, foreign: list[str]) -> str | None:
    place = resolve(base, href, authority)
    if place is None:
        foreign.append(href)
        return href if isinstance(holder, Link) else None
    return place


def _link(link: Link, base: str, authority: str, foreign: list[str]) -> Link | None:
    place = resolve(base, link.href, authority)
    if place is None:
        foreign.append(link.href)
        return link if isinstance(link, DERCurveLink) else None
    return link if place == link.href else msgspec.structs.replace(link, href=place)
