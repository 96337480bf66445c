"""The one encoding of a profile, and its digest: what commands and the owner's inventory are bound to.

A dataclass becomes the list [its name, [field, value], ...], so that the bytes explain themselves and any change of any
field changes them. Text, integers, lists and null only.
"""

from dataclasses import fields, is_dataclass
from hashlib import sha256

from wattseal.certs import cbor
from wattseal.certs.errors import MisuseError
from wattseal.drivers.profiles.declaration import Profile


def encode(profile: Profile) -> bytes:
    """Deterministic CBOR of the whole declaration."""
    return cbor.encode(_plain(profile))


def digest(profile: Profile) -> bytes:
    """SHA-256 of `encode(profile)`, 32 bytes."""
    return sha256(encode(profile)).digest()


def _plain(value: object) -> cbor.Value:
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)  # an enum's member too
    if isinstance(value, int):
        return int(value)
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if is_dataclass(value):
        members = tuple((field.name, _plain(getattr(value, field.name))) for field in fields(value))
        return (type(value).__name__, *members)
    raise MisuseError("profile_malformed", f"A profile holds text, integers and lists, not {type(value).__name__}.")
