"""OadrPoll: the one message of a pull VEN's asking."""

from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.xml_wire import wire


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """oadrPoll, VEN to VTN; answered with one queued message or oadrResponse."""

    ELEMENT: ClassVar[str] = "oadr:oadrPoll"

    ven_id: Annotated[str, wire("ei:venID")]
