"""The three sections of the owner's manifest that speak of devices: inventory, enrolments, envelope.

The manifest carries them as opaque bytes; here they become values, and values become those bytes. Watts are signed
where a range is meant (positive injects, negative absorbs) and non-negative where a limit or a ceiling is meant. Knows
no file, no key and no protocol.

    inventory   [[device, link kind, address, unit, profile, profile digest, identity, sampling seconds], ...]
    enrolments  [[utility, kind, peer identity, [programme, ...], [device, ...], [operation, ...], ceiling watts], ...]
    envelope    {1: [[device, min watts, max watts, ramp watts per second, dwell seconds, cycles per hour,
                      SoC floor permille, SoC ceiling permille, [forbidden operation, ...]], ...],
                 2: site inject limit watts, 3: site absorb limit watts}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlsplit

from wattseal.certs import cbor
from wattseal.certs.errors import PeerError
from wattseal.certs.policy import Entity, Name
from wattseal.drivers.commands import Operation

INVENTORY: Final = "inventory"
ENROLMENTS: Final = "enrolments"
ENVELOPE: Final = "envelope"
SOC_FULL_PERMILLE: Final = 1000
_DIGEST_BYTES: Final = 32
_MAX_UNIT: Final = 255
_MAX_BYTES: Final = 1 << 20

_Word = TypeVar("_Word", bound=StrEnum)


class SectionError(PeerError):
    """A section of the manifest that is not laid out as this release reads it, or that contradicts itself."""


class LinkKind(StrEnum):
    """How a device is reached; the verifier computes the assurance level from it."""

    SIMULATOR = "simulator"
    MODBUS_TCP = "modbus-tcp"


class EnrolmentKind(StrEnum):
    """Which dialect an enrolled utility speaks."""

    OPENADR_2_0B = "openadr-2.0b"
    IEEE_2030_5 = "ieee2030.5"


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """One device: where it is, what it must be. `identity` is `maker|model|serial`, empty when it is not pinned."""

    device: str
    link_kind: LinkKind
    address: str
    unit: int
    profile: str
    profile_digest: bytes
    identity: str
    sampling_seconds: int

    def __post_init__(self) -> None:
        _host_and_port(self.address)
        _require(bool(self.device), "inventory_malformed", "A device of the inventory has no name.")
        _require(0 <= self.unit <= _MAX_UNIT, "inventory_malformed", f"The unit of {self.device} is not 0 to 255.")
        sized = len(self.profile_digest) == _DIGEST_BYTES
        _require(sized, "inventory_malformed", f"The profile digest of {self.device} does not have 32 bytes.")
        _require(self.sampling_seconds > 0, "inventory_malformed", f"{self.device} is sampled every 0 seconds.")

    @property
    def host(self) -> str:
        """The host of `address`."""
        return _host_and_port(self.address)[0]

    @property
    def port(self) -> int:
        """The TCP port of `address`."""
        return _host_and_port(self.address)[1]


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What one utility may order: which devices and operations, in which programmes, and at most how many watts.

    The programme `*` stands for all that the utility has: servers of IEEE 2030.5 make and drop programmes as they like.
    """

    utility: str
    kind: EnrolmentKind
    peer: str
    programmes: tuple[str, ...]
    devices: tuple[str, ...]
    operations: tuple[Operation, ...]
    ceiling_watts: int

    def __post_init__(self) -> None:
        _require(bool(self.utility), "enrolments_malformed", "An enrolled utility has no name.")
        _require(self.ceiling_watts >= 0, "enrolments_malformed", f"The ceiling of {self.utility} is negative.")


@dataclass(frozen=True, slots=True)
class DeviceEnvelope:
    """What one device may never be ordered beyond. Zero watts always lie inside, and release is never forbidden.

    0 for the ramp, the dwell or the cycles means that the owner sets no such rule; so do a floor of 0 and a ceiling of
    1000 permille.
    """

    device: str
    min_watts: int
    max_watts: int
    ramp_watts_per_second: int
    dwell_seconds: int
    cycles_per_hour: int
    soc_floor_permille: int
    soc_ceiling_permille: int
    forbidden: tuple[Operation, ...] = ()

    def __post_init__(self) -> None:
        spans = self.min_watts <= 0 <= self.max_watts
        _require(spans, "envelope_malformed", f"0 W lies outside the range of {self.device}; it could not be stopped.")
        counts = (self.ramp_watts_per_second, self.dwell_seconds, self.cycles_per_hour)
        _require(min(counts) >= 0, "envelope_malformed", f"A ramp, dwell or cycle rule of {self.device} is negative.")
        ordered = 0 <= self.soc_floor_permille <= self.soc_ceiling_permille <= SOC_FULL_PERMILLE
        _require(
            ordered, "envelope_malformed", f"The charge limits of {self.device} do not lie in 0 to 1000, in order."
        )
        free = Operation.RELEASE not in self.forbidden
        _require(free, "envelope_malformed", f"Release may not be forbidden for {self.device}: it is the safe side.")


@dataclass(frozen=True, slots=True)
class SiteEnvelope:
    """The devices' envelopes, and what the site may inject and absorb by order, all devices together."""

    devices: tuple[DeviceEnvelope, ...]
    inject_limit_watts: int
    absorb_limit_watts: int

    def __post_init__(self) -> None:
        limits = min(self.inject_limit_watts, self.absorb_limit_watts)
        _require(limits >= 0, "envelope_malformed", "A limit of the site is negative.")
        _require_once((row.device for row in self.devices), "envelope_malformed", "device of the envelope")

    def device(self, name: str) -> DeviceEnvelope | None:
        """The envelope of that device, or None: then nothing but release may be ordered from it."""
        return next((row for row in self.devices if row.device == name), None)


@dataclass(frozen=True, slots=True)
class Sections:
    """All three, found to agree: every device that an enrolment or the envelope names stands in the inventory."""

    inventory: tuple[InventoryRow, ...]
    enrolments: tuple[Enrolment, ...]
    envelope: SiteEnvelope

    def __post_init__(self) -> None:
        _require_once((row.device for row in self.inventory), "inventory_malformed", "device of the inventory")
        _require_once((row.utility for row in self.enrolments), "enrolments_malformed", "enrolled utility")
        known = {row.device for row in self.inventory}
        named = {device for row in self.enrolments for device in row.devices}
        named |= {row.device for row in self.envelope.devices}
        strange = ", ".join(sorted(named - known))
        _require(not strange, "device_unknown", f"Not in the inventory, yet enrolled or in the envelope: {strange}.")

    def device(self, name: str) -> InventoryRow | None:
        """The inventory row of that device, or None."""
        return next((row for row in self.inventory if row.device == name), None)

    def encode(self) -> dict[str, bytes]:
        """The sections by name, as `manifest_of` takes them."""
        return {
            INVENTORY: encode_inventory(self.inventory),
            ENROLMENTS: encode_enrolments(self.enrolments),
            ENVELOPE: encode_envelope(self.envelope),
        }

    @classmethod
    def decode(cls, sections: Mapping[str, bytes]) -> "Sections":
        """From `Manifest.sections`; other sections are left alone. Raises `SectionError` or `CborError`."""
        missing = ", ".join(name for name in (INVENTORY, ENROLMENTS, ENVELOPE) if name not in sections)
        _require(not missing, "section_missing", f"The manifest lacks: {missing}. Sign it again with this release.")
        return cls(
            decode_inventory(sections[INVENTORY]),
            decode_enrolments(sections[ENROLMENTS]),
            decode_envelope(sections[ENVELOPE]),
        )


def encode_inventory(rows: Iterable[InventoryRow]) -> bytes:
    """The inventory section."""
    return cbor.encode(
        tuple(
            (
                row.device,
                str(row.link_kind),
                row.address,
                row.unit,
                row.profile,
                row.profile_digest,
                row.identity,
                row.sampling_seconds,
            )
            for row in rows
        )
    )


def decode_inventory(data: bytes) -> tuple[InventoryRow, ...]:
    """Raises `SectionError` (`inventory_malformed`) or `CborError`."""
    return tuple(_inventory_row(row) for row in _rows(cbor.decode(data, max_bytes=_MAX_BYTES), "inventory_malformed"))


def encode_enrolments(rows: Iterable[Enrolment]) -> bytes:
    """The enrolments section."""
    return cbor.encode(
        tuple(
            (
                row.utility,
                str(row.kind),
                row.peer,
                row.programmes,
                row.devices,
                tuple(str(operation) for operation in row.operations),
                row.ceiling_watts,
            )
            for row in rows
        )
    )


def decode_enrolments(data: bytes) -> tuple[Enrolment, ...]:
    """Raises `SectionError` (`enrolments_malformed`) or `CborError`."""
    return tuple(_enrolment(row) for row in _rows(cbor.decode(data, max_bytes=_MAX_BYTES), "enrolments_malformed"))


def encode_envelope(envelope: SiteEnvelope) -> bytes:
    """The envelope section."""
    rows = tuple(
        (
            row.device,
            row.min_watts,
            row.max_watts,
            row.ramp_watts_per_second,
            row.dwell_seconds,
            row.cycles_per_hour,
            row.soc_floor_permille,
            row.soc_ceiling_permille,
            tuple(str(operation) for operation in row.forbidden),
        )
        for row in envelope.devices
    )
    return cbor.encode({1: rows, 2: envelope.inject_limit_watts, 3: envelope.absorb_limit_watts})


def decode_envelope(data: bytes) -> SiteEnvelope:
    """Raises `SectionError` (`envelope_malformed`) or `CborError`."""
    reason = "envelope_malformed"
    match cbor.decode(data, max_bytes=_MAX_BYTES):
        case {1: rows, 2: inject, 3: absorb, **rest} if not rest:
            devices = tuple(_device_envelope(row) for row in _rows(rows, reason))
            return SiteEnvelope(devices, _integer(inject, reason), _integer(absorb, reason))
    raise SectionError(reason, "The envelope section is not laid out as this release reads it.")


def policy_entities(enrolments: Iterable[Enrolment], inventory: Iterable[InventoryRow]) -> tuple[Entity, ...]:
    """What the policy knows: every device, and every utility with what it is enrolled for. Same at core and gate."""
    devices = tuple(
        Entity(Name("Device", row.device), {"link_kind": str(row.link_kind), "profile": row.profile})
        for row in inventory
    )
    utilities = tuple(
        Entity(
            Name("Utility", row.utility),
            {
                "devices": tuple(Name("Device", device) for device in row.devices),
                "programmes": row.programmes,
                "operations": tuple(str(operation) for operation in row.operations),
                "ceiling_watts": row.ceiling_watts,
            },
        )
        for row in enrolments
    )
    return devices + utilities


def _inventory_row(row: cbor.Value) -> InventoryRow:
    reason = "inventory_malformed"
    device, kind, address, unit, profile, digest, identity, sampling = _members(row, 8, reason)
    return InventoryRow(
        _text(device, reason),
        _word(LinkKind, kind, reason),
        _text(address, reason),
        _integer(unit, reason),
        _text(profile, reason),
        digest if isinstance(digest, bytes) else b"",
        _text(identity, reason),
        _integer(sampling, reason),
    )


def _enrolment(row: cbor.Value) -> Enrolment:
    reason = "enrolments_malformed"
    utility, kind, peer, programmes, devices, operations, ceiling = _members(row, 7, reason)
    return Enrolment(
        _text(utility, reason),
        _word(EnrolmentKind, kind, reason),
        _text(peer, reason),
        tuple(_text(item, reason) for item in _rows(programmes, reason)),
        tuple(_text(item, reason) for item in _rows(devices, reason)),
        tuple(_word(Operation, item, reason) for item in _rows(operations, reason)),
        _integer(ceiling, reason),
    )


def _device_envelope(row: cbor.Value) -> DeviceEnvelope:
    reason = "envelope_malformed"
    device, *numbers, forbidden = _members(row, 9, reason)
    least, most, ramp, dwell, cycles, floor, ceiling = (_integer(number, reason) for number in numbers)
    operations = tuple(_word(Operation, item, reason) for item in _rows(forbidden, reason))
    return DeviceEnvelope(_text(device, reason), least, most, ramp, dwell, cycles, floor, ceiling, operations)


def _rows(value: cbor.Value, reason: str) -> tuple[cbor.Value, ...]:
    if not isinstance(value, tuple | list):
        raise SectionError(reason, "A list of the manifest's section is not a list.")
    return tuple(value)


def _members(value: cbor.Value, count: int, reason: str) -> tuple[cbor.Value, ...]:
    members = _rows(value, reason)
    if len(members) != count:
        raise SectionError(reason, f"A row of the manifest's section has {len(members)} members instead of {count}.")
    return members


def _text(value: cbor.Value, reason: str) -> str:
    if not isinstance(value, str):
        raise SectionError(reason, "A name in the manifest's section is not text.")
    return value


def _integer(value: cbor.Value, reason: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SectionError(reason, "A number in the manifest's section is not an integer.")
    return value


def _word(words: type[_Word], value: cbor.Value, reason: str) -> _Word:
    try:
        return words(_text(value, reason))
    except ValueError as error:
        raise SectionError(reason, f"{value!r} is no {words.__name__} that this release knows.") from error


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or address != f"tcp://{parts.netloc}":
        raise SectionError("inventory_malformed", f"{address!r} is no device address; write tcp://HOST:PORT.")
    return host, port


def _require(holds: bool, reason: str, sentence: str) -> None:
    if not holds:
        raise SectionError(reason, sentence)


def _require_once(names: Iterable[str], reason: str, what: str) -> None:
    seen: set[str] = set()
    for name in names:
        _require(name not in seen, reason, f"{name!r} stands twice as {what}.")
        seen.add(name)
