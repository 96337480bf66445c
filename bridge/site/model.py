"""One site as its owner describes it. Built once by `reader`, read everywhere, changed nowhere.

Watts carry the generator's sign; limits and ceilings are non-negative. The file holds no secret: where a key or a
password is needed, it names `secret://file/PATH` or `secret://credential/NAME`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time

from wattseal.drivers.commands import Operation
from wattseal.drivers.manifest_sections import DeviceEnvelope, LinkKind
from wattseal.protocols.ieee2030_5.client.config import DerType, Role
from wattseal.protocols.openadr20b.translate import MarketContext


@dataclass(frozen=True, slots=True)
class LevelAction:
    """What a device does at one SIMPLE level."""

    operation: Operation
    watts: int


@dataclass(frozen=True, slots=True)
class Charging:
    """What a charger needs each day, at up to so many watts: from `plugged_from` on, until `ready_by`.

    Both are times of the day in `time_zone` (IANA name). A window may go over midnight.
    """

    energy_watt_hours: int
    power_watts: int
    plugged_from: time
    ready_by: time
    time_zone: str


@dataclass(frozen=True, slots=True)
class Device:
    """One device, its link and its limits. `identity` is `maker|model|serial` once pinned, else empty.

    `charging`: what is reserved for it with a server that takes reservations.
    """

    name: str
    profile: str
    link: LinkKind
    address: str
    unit: int
    identity: str
    sampling_seconds: int
    tolerance_watts: int
    levels: Mapping[int, LevelAction]
    envelope: DeviceEnvelope
    charging: Charging | None = None


@dataclass(frozen=True, slots=True)
class UtilityTls:
    """Where the files of a mutual-TLS identity lie; the key by its `secret://` name."""

    certificate: str
    key: str
    authority: str


@dataclass(frozen=True, slots=True)
class Make:
    """What a device does not say of its own making, and a server wants in DeviceInformation. Times in unix seconds."""

    maker_pen: int
    made_at: int
    hardware_version: str
    software_version: str
    software_since: int


@dataclass(frozen=True, slots=True)
class EndDevice:
    """A device of ours as a 2030.5 server knows it. `lfdi` empty: that of our own certificate.

    What is None is not told to the server. `make`: with it, and a pinned identity, DeviceInformation is told.
    `connection_point`: the CSIP-AUS connectionPointId, empty for none.
    """

    device: str
    lfdi: str
    der_type: DerType
    connection_point: str = ""
    volt_amperes: int | None = None
    inject_vars: int | None = None
    absorb_vars: int | None = None
    storage_watt_hours: int | None = None
    volts: int | None = None
    make: Make | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Where notifications are taken: the address to listen at, and the URI under which the server reaches it."""

    host: str
    port: int
    uri: str


@dataclass(frozen=True, slots=True)
class Server:
    """What is particular to a server of IEEE 2030.5. `profile` is a name of `profiles.PROFILES`, or "auto".

    `pin` with its check digit, None: not compared. `lfdi`: the server's, pinned; empty for none. `programmes`: names
    by mRID (upper case); empty: any programme of this server. `pen`: our private enterprise number, 0 for none.
    """

    profile: str
    role: Role
    pin: int | None
    lfdi: str
    pen: int
    register: bool
    end_devices: tuple[EndDevice, ...]
    programmes: Mapping[str, str]
    listener: Listener | None


@dataclass(frozen=True, slots=True)
class Utility:
    """One utility: where it is, who we are to it, and what it may order here.

    `server` is there for the dialect ieee2030.5 and no other; what belongs to OpenADR is empty then.
    """

    name: str
    dialect: str
    url: str
    ven_name: str
    ven_id: str
    poll_seconds_least: int
    poll_seconds_most: int
    insecure: str
    tls: UtilityTls | None
    market_contexts: Mapping[str, MarketContext]
    resources: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]]
    operations: tuple[Operation, ...]
    ceiling_watts: int
    report_seconds: int
    server: Server | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The whole file, and its very bytes: they are content of the facts that a plan rests on.

    `meter` names the device that measures the connection point; empty: none does.
    """

    name: str
    lab: bool
    inject_limit_watts: int
    absorb_limit_watts: int
    lease_seconds: int
    devices: tuple[Device, ...]
    utilities: tuple[Utility, ...]
    text: bytes
    meter: str = ""
    _device_by_name: Mapping[str, Device] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Asked for each device of a fleet. Of two of one name (the reader lets none pass) the first is it.
        object.__setattr__(self, "_device_by_name", {device.name: device for device in reversed(self.devices)})

    def device(self, name: str) -> Device | None:
        """The device of that name."""
        return self._device_by_name.get(name)

    def devices_of(self, utility: str) -> tuple[str, ...]:
        """The devices for which a utility is enrolled: those that its resources and groups, or end devices, name.

        All where it names none; none at all for a utility that the file does not know.
        """
        known = self.utility(utility)
        if known is None:
            return ()
        if known.server is not None:
            return tuple(dict.fromkeys(end_device.device for end_device in known.server.end_devices))
        named = [*known.resources.values(), *(device for group in known.groups.values() for device in group)]
        return tuple(dict.fromkeys(named)) or tuple(device.name for device in self.devices)

    def utility(self, name: str) -> Utility | None:
        """The utility of that name."""
        return next((utility for utility in self.utilities if utility.name == name), None)
