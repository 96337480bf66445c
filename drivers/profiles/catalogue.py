"""Every product there is a profile for: an explicit list. Nothing registers itself."""

from typing import Final

from wattseal.certs.errors import MisuseError
from wattseal.drivers.profiles.alfen_eve import ALFEN_EVE
from wattseal.drivers.profiles.declaration import Profile
from wattseal.drivers.profiles.sunspec_battery import SUNSPEC_BATTERY
from wattseal.drivers.profiles.sunspec_meter import SUNSPEC_METERS

CATALOGUE: Final[tuple[Profile, ...]] = (SUNSPEC_BATTERY, ALFEN_EVE, *SUNSPEC_METERS)


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises `MisuseError` (`unknown_profile`)."""
    for profile in CATALOGUE:
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in CATALOGUE)
    raise MisuseError("unknown_profile", f"There is no profile {name!r}; known are {known}.")
