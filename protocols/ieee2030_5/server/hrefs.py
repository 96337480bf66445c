"""Plain paths and the addresses that stand on the wire for them, in a scheme that can be scrambled by a seed.

A path is names and numbers (``edev/3/fsa``); guards, routes and subscriptions know nothing else. On the wire it is the
same with a slash in front, or, with a seed, hexadecimal digits that say nothing: a client that builds addresses instead
of following links is found out at once, and another seed moves everything. /dcap alone stays where it is configured.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

_PLAIN: Final = re.compile(r"/([a-z0-9]+(?:/[a-z0-9]+)*)\Z")
_SCRAMBLED: Final = re.compile(r"/r/((?:[0-9a-f]{2})+)\Z")
_LONGEST: Final = 512
DCAP: Final = "dcap"


def path_of(*steps: str | int) -> str:
    """The plain path of these steps."""
    return "/".join(map(str, steps))


@dataclass(frozen=True, slots=True)
class Hrefs:
    """One scheme: where /dcap is, and the seed, empty for plain addresses."""

    dcap_path: str = "/dcap"
    seed: str = ""

    def write(self, path: str) -> str:
        """The address of a plain path."""
        if path == DCAP:
            return self.dcap_path
        if not self.seed:
            return f"/{path}"
        return f"/r/{_masked(self.seed, path.encode()).hex()}"

    def read(self, address: str) -> str | None:
        """The plain path at an address (path only, without query), None where nothing can be."""
        if address == self.dcap_path:
            return DCAP
        if len(address) > _LONGEST:
            return None
        found = (_SCRAMBLED if self.seed else _PLAIN).match(address)
        if found is None:
            return None
        path = found[1]
        if self.seed:
            try:
                path = _masked(self.seed, bytes.fromhex(path)).decode("ascii")
            except UnicodeDecodeError:
                return None
        return path if path != DCAP and _PLAIN.match(f"/{path}") else None


def _masked(seed: str, content: bytes) -> bytes:
    """Content under a key stream of the seed and of its length; its own inverse. It hides nothing of worth."""
    stream = b""
    while len(stream) < len(content):
        stream += hashlib.sha256(f"{seed}/{len(content)}/{len(stream)}".encode()).digest()
    return bytes(one ^ other for one, other in zip(content, stream, strict=False))
