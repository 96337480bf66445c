"""Who we are to one server: profile, identity, the devices we manage and what they can do. Built once, changed nowhere.

Watts and vars carry the generator's sign; ratings are non-negative. LFDIs are 20 bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.vocabulary import DeviceCategory


class Role(StrEnum):
    """Whose certificate it is."""

    DEVICE = "device"  # one EndDevice, our own
    AGGREGATOR = "aggregator"  # many EndDevices under one certificate


class DerType(StrEnum):
    """What kind of DER a device is (DERCapability.type, deviceCategory)."""

    BATTERY = "battery"
    PV = "pv"
    PV_BATTERY = "pv_battery"
    EV_CHARGER = "ev_charger"


CATEGORIES: Final[Mapping[DerType, DeviceCategory]] = {
    DerType.BATTERY: DeviceCategory.OTHER_STORAGE,
    DerType.PV: DeviceCategory.PHOTOVOLTAIC,
    DerType.PV_BATTERY: DeviceCategory.PHOTOVOLTAIC_AND_STORAGE,
    DerType.EV_CHARGER: DeviceCategory.EVSE,
}
"""The bit of deviceCategory for each kind of device."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """Nameplate and settings of a device. What is None is not told. `modes` are names as in `modes.py`: those that the
    device really can do; a control with others draws 252 (or 2 and a note, where it can do some of them).
    """

    inject_watts: int
    absorb_watts: int
    inject_vars: int | None = None
    absorb_vars: int | None = None
    volt_amperes: int | None = None
    storage_watt_hours: int | None = None
    volts: int | None = None
    modes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Managed:
    """One EndDevice of ours: its name in the site file, its identity at the server, what it is and can do.

    `connection_point`: the CSIP-AUS connectionPointId (NMI), empty if there is none.
    """

    name: str
    lfdi: bytes
    sfdi: int
    der_type: DerType
    ratings: Ratings
    connection_point: str = ""


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """One server and who we are to it.

    `lfdi`, `sfdi`: of our certificate. `pin` with its check digit, None: not compared. `devices`: one with our own
    LFDI for a device, any number for an aggregator. `pen` is our private enterprise number, the tail of our mRIDs.
    `seed`: 16 to 64 bytes, kept for the life of the box. `notification_uri`: where our listener is reached, empty for
    none (no subscriptions then). `requests_at_once` bounds how many requests are under way. `authority` is the server's
    "host:port": absolute addresses that name another are not followed (empty: none is). `server_lfdi`: who may notify
    us; None: whoever the listener let in.
    """

    profile: Profile
    role: Role
    lfdi: bytes
    sfdi: int
    devices: tuple[Managed, ...]
    seed: bytes
    dcap: str = "/dcap"
    pin: int | None = None
    pen: int = 0
    register: bool = True
    notification_uri: str = ""
    requests_at_once: int = 4
    authority: str = ""
    server_lfdi: bytes | None = None
