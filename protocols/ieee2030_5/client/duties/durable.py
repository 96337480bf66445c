"""The state of a duty as bytes for the disk: a version, then a small struct. Knows no duty."""

from typing import Final, TypeVar

import msgspec

from wattseal.certs.errors import WorldError

S = TypeVar("S", bound=msgspec.Struct)

_ENCODER: Final = msgspec.msgpack.Encoder()


class DutyStateError(WorldError):
    """Bytes that are no state of this duty in this release."""


def pack(state: msgspec.Struct, version: int) -> bytes:
    """The bytes of a state; `version` is that of its layout."""
    return _ENCODER.encode((version, state))


def unpack(kind: type[S], data: bytes, version: int) -> S:
    """The state in the bytes. Raises DutyStateError (duty_state_unreadable, duty_state_layout)."""
    try:
        found, raw = msgspec.msgpack.decode(data, type=tuple[int, msgspec.Raw])
        if found == version:
            return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        sentence = f"The stored {kind.__name__} cannot be read; start with an empty one, the server is read first."
        raise DutyStateError("duty_state_unreadable", sentence) from error
    sentence = f"The stored {kind.__name__} has layout {found}; this release reads {version}."
    raise DutyStateError("duty_state_layout", sentence)
