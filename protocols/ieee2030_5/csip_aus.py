"""What CSIP-AUS adds as resources of its own; its additions to other types stand as fields in those types.

The same names live in one namespace per version of the profile; which one is written is the profile's business.
"""

from typing import Annotated, ClassVar

from wattseal.protocols.ieee2030_5.base import Resource
from wattseal.protocols.ieee2030_5.editions import AUS
from wattseal.protocols.ieee2030_5.lexicals import STRING32
from wattseal.protocols.xml_wire import wire


class ConnectionPoint(Resource, frozen=True, kw_only=True):
    """Where on the network a device stands: `connection_point_id` is usually the NMI."""

    ELEMENT: ClassVar[str] = "csipaus:ConnectionPoint"
    OF: ClassVar[str] = AUS

    connection_point_id: Annotated[str, wire("csipaus:connectionPointId", STRING32)]
