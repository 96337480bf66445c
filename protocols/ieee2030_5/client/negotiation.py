"""CSIP-AUS: which of its versions a server speaks, and where its root is for each (`/.well-known/csipaus`).

The document is JSON: {"supportedSchemaVersions": {"<namespace>": {"dcap": ["/path", ...]}}}. The newest version that
both speak is taken. A server without the document, or with a broken one, speaks what was configured. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.hrefs import resolve
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_2, CSIPAUS_1_3, Profile

QUESTION: Final = Request(Method.GET, "/.well-known/csipaus")
ACCEPT: Final = "application/json"
_NEWEST_FIRST: Final = (CSIPAUS_1_3, CSIPAUS_1_2)
_BYTES_MOST: Final = 65_536


class _Version(msgspec.Struct):
    dcap: list[str] = []


class _WellKnown(msgspec.Struct, rename={"versions": "supportedSchemaVersions"}):
    versions: Mapping[str, _Version]


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The profile to speak, and its root."""

    profile: Profile
    dcap: str


def negotiated(answer: Answer, authority: str) -> Negotiated | None:
    """What an answer to `QUESTION` offers that we speak; None: nothing, or nothing that can be read."""
    if not answer.good or len(answer.body) > _BYTES_MOST:
        return None
    try:
        offered = msgspec.json.decode(answer.body, type=_WellKnown).versions
    except (msgspec.DecodeError, ValueError):
        return None
    for profile in _NEWEST_FIRST:
        version = offered.get(profile.aus_namespace or "")
        for href in version.dcap if version is not None else ():
            place = resolve(QUESTION.href, href, authority)
            if place is not None:
                return Negotiated(profile, place)
    return None
