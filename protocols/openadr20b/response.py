"""oadrResponse: the plain acknowledgement of any service."""

from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.openadr20b.common import EiResponse
from wattseal.protocols.xml_wire import wire


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """oadrResponse, either direction."""

    ELEMENT: ClassVar[str] = "oadr:oadrResponse"

    ei_response: Annotated[EiResponse, wire("ei:eiResponse")]
    ven_id: Annotated[str | None, wire("ei:venID?")] = None
