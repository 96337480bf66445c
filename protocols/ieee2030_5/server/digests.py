"""What a resource says, in short, so that a change can be told from none.

A link to a list carries a count; that is left out, because the list itself is what may be subscribed to, and an
EndDevice must not change when its device posts a log event.
"""

import hashlib
import re
from typing import Final

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.server.paging import Query, page_of
from wattseal.protocols.ieee2030_5.server.tailoring import tailored
from wattseal.protocols.ieee2030_5.server.turn import Listing

_COUNT: Final = re.compile(rb'(Link href="[^"]*") all="[0-9]+"')


def digest_of(view: Resource | Listing, profile: Profile) -> str:
    """The digest of a resource, or of a whole list."""
    whole = view
    if isinstance(whole, Listing):
        everything = len(whole.items)
        whole = page_of(whole, Query(limit=everything), "/", profile, 0, everything)
    try:
        document = encode(tailored(whole, profile), profile)
    except MisuseError:
        return "unwritable"
    return hashlib.sha256(_COUNT.sub(rb"\1", document)).hexdigest()
