"""What a device logs: alarms and their return to normal, and other happenings."""

from typing import Annotated

from wattseal.protocols.ieee2030_5.base import Resource, SubscribableList
from wattseal.protocols.ieee2030_5.lexicals import STRING32, TIME, UINT8, UINT16, UINT32
from wattseal.protocols.ieee2030_5.vocabulary import FunctionSet
from wattseal.protocols.xml_wire import wire


class LogEvent(Resource, frozen=True, kw_only=True):
    """One happening; codes are those of the function set, or of the maker with enterprise number `log_event_pen`."""

    created_date_time: Annotated[int, wire("createdDateTime", TIME)]
    details: Annotated[str | None, wire("details?", STRING32)] = None
    extended_data: Annotated[int | None, wire("extendedData?", UINT32)] = None
    function_set: Annotated[FunctionSet, wire("functionSet")]
    log_event_code: Annotated[int, wire("logEventCode", UINT8)]
    log_event_id: Annotated[int, wire("logEventID", UINT16)]
    log_event_pen: Annotated[int | None, wire("logEventPEN!", UINT32)] = None
    profile_id: Annotated[int | None, wire("profileID!", UINT8)] = None


class LogEventList(SubscribableList, frozen=True, kw_only=True):
    """LogEventList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[LogEvent, ...], wire("LogEvent*", apart=True)] = ()
