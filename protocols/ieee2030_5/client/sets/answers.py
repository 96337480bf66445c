"""The Response of each function set, with the fields of its own. Pure.

Load control says with "started" and "completed" what it applied: the duty cycle and the adjustment that was carried as
a limit. A target reduction is a number that nobody measured, so it is not said to have been applied. The engine's "not
applicable" is for a text "cannot be displayed"; that a text began, ended or was replaced is no answer to a text. That a
person acknowledged it (11) comes from the person.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.client.responses import Write
from wattseal.protocols.ieee2030_5.demand_response import Offset
from wattseal.protocols.ieee2030_5.engine.inputs import Control
from wattseal.protocols.ieee2030_5.engine.state import Owed
from wattseal.protocols.ieee2030_5.engine.state import ResponseStatus as Said
from wattseal.protocols.ieee2030_5.response import (
    DrResponse,
    FlowReservationResponseResponse,
    PriceResponse,
    TextResponse,
)
from wattseal.protocols.ieee2030_5.set_values import FunctionSet, LoadAsked, value_of
from wattseal.protocols.ieee2030_5.vocabulary import ResponseStatus

_OF_TEXTS: Final = {
    Said.RECEIVED: ResponseStatus.RECEIVED,
    Said.NOT_APPLICABLE: ResponseStatus.CANNOT_BE_DISPLAYED,
    Said.ACKNOWLEDGED: ResponseStatus.ACKNOWLEDGED,
    Said.INVALID: ResponseStatus.REJECTED_INVALID,
    Said.EXPIRED: ResponseStatus.REJECTED_EXPIRED,
}
_APPLIED: Final = frozenset({Said.STARTED, Said.COMPLETED})


def load_response(owed: Owed, lfdi: bytes, control: Control | None) -> DrResponse:
    """Of an EndDeviceControl."""
    bare = DrResponse(
        created_date_time=owed.created_at,
        end_device_lfdi=lfdi.hex().upper(),
        status=ResponseStatus(int(owed.status)),
        subject=owed.subject.hex().upper(),
    )
    if control is None or owed.status not in _APPLIED:
        return bare
    asked = value_of(control.settings[0].mode, control.settings[0].value)
    if not isinstance(asked, LoadAsked):
        return bare
    offset = None if asked.adjustment is None else Offset(load_adjustment_percentage_offset=asked.adjustment)
    return msgspec.structs.replace(bare, duty_cycle=asked.duty_cycle, offset=offset)


def flow_response(owed: Owed, lfdi: bytes, _: Control | None) -> FlowReservationResponseResponse:
    """Of a FlowReservationResponse."""
    return FlowReservationResponseResponse(
        created_date_time=owed.created_at,
        end_device_lfdi=lfdi.hex().upper(),
        status=ResponseStatus(int(owed.status)),
        subject=owed.subject.hex().upper(),
    )


def price_response(owed: Owed, lfdi: bytes, _: Control | None) -> PriceResponse:
    """Of a TimeTariffInterval."""
    return PriceResponse(
        created_date_time=owed.created_at,
        end_device_lfdi=lfdi.hex().upper(),
        status=ResponseStatus(int(owed.status)),
        subject=owed.subject.hex().upper(),
    )


def text_response(owed: Owed, lfdi: bytes, _: Control | None) -> TextResponse | None:
    """Of a TextMessage."""
    status = _OF_TEXTS.get(owed.status)
    if status is None:
        return None
    return TextResponse(
        created_date_time=owed.created_at,
        end_device_lfdi=lfdi.hex().upper(),
        status=status,
        subject=owed.subject.hex().upper(),
    )


WRITERS: Final[Mapping[FunctionSet, Write]] = {
    FunctionSet.LOAD_CONTROL: load_response,
    FunctionSet.FLOW_RESERVATION: flow_response,
    FunctionSet.PRICING: price_response,
    FunctionSet.MESSAGING: text_response,
}
"""DER's own is `responses.response_of`."""
