"""What the deck asks of the catalogue: names, abilities, and the exact text behind a digest."""

from functools import lru_cache

from wattseal.certs.errors import MisuseError
from wattseal.drivers.commands import Operation
from wattseal.drivers.profiles import canonical
from wattseal.drivers.profiles.catalogue import CATALOGUE, profile_named


def names() -> tuple[str, ...]:
    """The names of all profiles."""
    return tuple(profile.name for profile in CATALOGUE)


@lru_cache(maxsize=64)
def operations_of(name: str) -> frozenset[Operation]:
    """What a device of that profile can be ordered to do; release always can."""
    profile = profile_named(name)
    commands = {one.operation for one in profile.commands}
    return frozenset(commands | {one.operation for one in profile.curves} | {Operation.RELEASE})


def is_meter(name: str) -> bool:
    """Whether a device of that profile only measures: it is read, and never ordered anything."""
    return operations_of(name) == {Operation.RELEASE}


@lru_cache(maxsize=64)
def digest_of(name: str) -> bytes:
    """The digest that orders and the owner's inventory are bound to."""
    return canonical.digest(profile_named(name))


@lru_cache(maxsize=64)
def text_of(digest: bytes) -> bytes:
    """The profile as it is written into evidence. Raises `MisuseError` (`profile_unknown`)."""
    for profile in CATALOGUE:
        if canonical.digest(profile) == digest:
            return canonical.encode(profile)
    raise MisuseError("profile_unknown", f"No profile of this release has the digest {digest.hex()}.")
