"""One site as its owner describes it. Built once by `reader`, read everywhere, changed nowhere.

Watts carry the generator's sign; limits and ceilings are non-negative. The file holds no secret: where a key or a
password is needed, it names `secret://file/PATH` or `secret://credential/NAME`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattseal.drivers.commands import Operation
from wattseal.drivers.manifest_sections import DeviceEnvelope, LinkKind
from wattseal.protocols.openadr20b.translate import MarketContext


@dataclass(frozen=True, slots=True)
class LevelAction:
    """What a device does at one SIMPLE level."""

    operation: Operation
    watts: int


@dataclass(frozen=True, slots=True)
class Device:
    """One device, its link and its limits. `identity` is `maker|model|serial` once pinned, else empty."""

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


@dataclass(frozen=True, slots=True)
class UtilityTls:
    """Where the files of a mutual-TLS identity lie; the key by its `secret://` name."""

    certificate: str
    key: str
    authority: str


@dataclass(frozen=True, slots=True)
class Utility:
    """One utility: where it is, who we are to it, and what it may order here."""

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

    def device(self, name: str) -> Device | None:
        """The device of that name."""
        return next((device for device in self.devices if device.name == name), None)

    def devices_of(self, utility: str) -> tuple[str, ...]:
        """The devices for which a utility is enrolled: those that its resources and groups name.

        All where it names none; none at all for a utility that the file does not know.
        """
        known = self.utility(utility)
        if known is None:
            return ()
        named = [*known.resources.values(), *(device for group in known.groups.values() for device in group)]
        return tuple(dict.fromkeys(named)) or tuple(device.name for device in self.devices)

    def utility(self, name: str) -> Utility | None:
        """The utility of that name."""
        return next((utility for utility in self.utilities if utility.name == name), None)
