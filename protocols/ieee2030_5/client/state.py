"""What a session must not lose at a restart, as one frozen value with its bytes.

The engine's state holds the schedule, the defaults and the Responses due, so a start without network needs nothing
else. What was read is not kept: it is read again, from the root. Knows no message and no clock.
"""

from collections.abc import Mapping
from typing import Final, Self

import msgspec

from wattseal.certs.errors import WorldError

LAYOUT: Final = 1


class ClientState(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `engine` is the encoding of DER's engine, `sets` those of the other function sets' engines by name,
    `duties` those of the duties; `moved`: permanent redirects.
    """

    layout: int = LAYOUT
    engine: bytes
    duties: Mapping[str, bytes] = {}
    moved: Mapping[str, str] = {}
    sets: Mapping[str, bytes] = {}

    def to_bytes(self) -> bytes:
        """For the disk."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises WorldError (`client_state_unreadable`) for bytes that this release did not write."""
        try:
            state = msgspec.msgpack.decode(data, type=cls)
        except (msgspec.DecodeError, ValueError) as error:
            raise WorldError("client_state_unreadable", f"The kept state of the 2030.5 session: {error}.") from error
        if state.layout != LAYOUT:
            raise WorldError("client_state_unreadable", f"The kept state has layout {state.layout}, not {LAYOUT}.")
        return state
