"""A utility that misbehaves on demand: answers to polls that no VEN may fall for, each made of a good one.

The session is not asked, so that nothing that waits for the VEN is used up by the bad message. Pure.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.event import DistributeEvent
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, SignalDraft, Step

_OVERSIZE_BYTES: Final = 16 * 1_048_576


class Mischief(StrEnum):
    """What is wrong with the answer."""

    MALFORMED = "malformed"  # breaks off in the middle
    OVERSIZED = "oversized"  # 16 MiB of comment in a good message
    DTD = "dtd"  # a document type with an entity in front
    SCHEMA_BREAK = "schema_break"  # an element that the schema does not know
    NAN_VALUE = "nan_value"  # numbers that the schema would allow: NaN where a value stands
    HTTP_ERROR = "http_error"  # status 500 and no message


def spoiled(kind: Mischief, listing: DistributeEvent) -> tuple[int, bytes]:
    """HTTP status and body of a bad answer, made of the list that the VEN would be shown."""
    good = encode(listing)
    match kind:
        case Mischief.MALFORMED:
            return 200, good[: len(good) * 2 // 3]
        case Mischief.OVERSIZED:
            head, tail = good.split(b"?>", 1)
            return 200, b"".join((head, b"?><!--", b"x" * _OVERSIZE_BYTES, b"-->", tail))
        case Mischief.DTD:
            head, tail = good.split(b"?>", 1)
            return 200, head + b'?><!DOCTYPE oadrPayload [<!ENTITY who "nobody">]>' + tail
        case Mischief.SCHEMA_BREAK:
            return 200, good.replace(b"</oadr:oadrDistributeEvent>", b"<oadr:oadrSurprise/></oadr:oadrDistributeEvent>")
        case Mischief.NAN_VALUE:
            return 200, _with_nan(good)
        case Mischief.HTTP_ERROR:
            return 500, b"The utility is out of order."


def _with_nan(good: bytes) -> bytes:
    """The first value of each signalPayload becomes NaN. Without any event the list stays good."""
    start, end = b"<ei:value>", b"</ei:value>"
    pieces = good.split(start)
    return start.join([pieces[0], *(b"NaN" + end + piece.split(end, 1)[1] for piece in pieces[1:])])


class BadEvent(StrEnum):
    """A well-formed event that a VEN must refuse by its answer."""

    UNKNOWN_SIGNAL = "unknown_signal"  # 460
    FOREIGN_TARGET = "foreign_target"  # 462, or 452 of some


def bad_event(kind: BadEvent, now: datetime, like: EventDraft | None) -> EventDraft:
    """A draft like another one, or one of its own, with that fault."""
    draft = like or EventDraft(
        market_context="http://utility.example/mischief",
        dtstart=now.replace(microsecond=0) + timedelta(minutes=1),
        duration_seconds=600,
        signals=(SignalDraft(steps=(Step(600, Decimal(1)),)),),
    )
    match kind:
        case BadEvent.UNKNOWN_SIGNAL:
            signals = tuple(msgspec.structs.replace(one, name="x-UNKNOWN_SIGNAL") for one in draft.signals)
            return msgspec.structs.replace(draft, signals=signals)
        case BadEvent.FOREIGN_TARGET:
            return msgspec.structs.replace(draft, target=Target(ven_ids=("SOMEBODY-ELSES-VEN",)))
