"""Which events a message speaks of: by their ids as `translate` gives them, so that an event can name what it rests on.

A list or a single resource, read or pushed. What cannot be read speaks of nothing. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from wattseal.certs.errors import WattsealError
from wattseal.protocols.ieee2030_5 import codec
from wattseal.protocols.ieee2030_5.base import Event
from wattseal.protocols.ieee2030_5.demand_response import (
    DemandResponseProgram,
    DemandResponseProgramList,
    EndDeviceControlList,
)
from wattseal.protocols.ieee2030_5.der_control import (
    DefaultDERControl,
    DERControlList,
    DERProgram,
    DERProgramList,
)
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationResponseList
from wattseal.protocols.ieee2030_5.messaging import TextMessageList
from wattseal.protocols.ieee2030_5.pricing import TimeTariffIntervalList
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.subscription import Notification
from wattseal.protocols.ieee2030_5.translate import DEFAULT, PROGRAMME
from wattseal.protocols.ieee2030_5.vocabulary import EventState

_LISTS: Final = (
    DERControlList, DERProgramList, DemandResponseProgramList, EndDeviceControlList, FlowReservationResponseList,
    TextMessageList, TimeTariffIntervalList,
)  # fmt: skip
_CANCELLED: Final = frozenset({EventState.CANCELLED, EventState.CANCELLED_WITH_RANDOMIZATION})


@dataclass(frozen=True, slots=True)
class Mentioned:
    """`names`: ids of events of every set and of defaults, `programme:<mRID>` of programmes.

    `cancelled`: ids of events called cancelled.
    """

    names: tuple[str, ...]
    cancelled: frozenset[str]


def mentioned_in(raw: bytes, href: str, defaults: Mapping[str, Iterable[str]]) -> Mentioned:
    """What a message from `href` speaks of. `defaults`: mRIDs of the programmes whose default lies at an address."""
    try:
        resource: object = codec.decode(raw, CSIPAUS_1_3).resource
    except WattsealError:
        return Mentioned((), frozenset())
    if isinstance(resource, Notification):
        resource = resource.resource
    names: dict[str, None] = {}
    cancelled = set()
    for one in _members(resource):
        match one:
            case Event():
                names[one.mrid.upper()] = None
                if one.event_status.current_status in _CANCELLED:
                    cancelled.add(one.mrid.upper())
            case DERProgram() | DemandResponseProgram():
                names[PROGRAMME + one.mrid.upper()] = None
            case DefaultDERControl():
                names.update(dict.fromkeys(DEFAULT + mrid.upper() for mrid in defaults.get(href, ())))
    return Mentioned(tuple(names), frozenset(cancelled))


def _members(resource: object) -> Iterator[object]:
    if isinstance(resource, _LISTS):
        yield from resource.items
    else:
        yield resource
