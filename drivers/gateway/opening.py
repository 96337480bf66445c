"""Opening a gateway: trust, own key, policy, database and devices, each checked before anything runs.

Opens the gateway's own key and no other. The devices are opened as the owner-signed inventory says: by catalogue
profile, whose digest must be the one that was signed.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from wattseal.certs.box import Box
from wattseal.certs.clock import TimeSource, TrustedClock
from wattseal.certs.errors import MisuseError
from wattseal.certs.keys import Signer
from wattseal.certs.lab_clock.admission import admit
from wattseal.certs.manifest import Manifest, TrustError, read_manifest
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Role
from wattseal.drivers.commands import EPOCH_BYTES
from wattseal.drivers.gate.acceptance import Gate
from wattseal.drivers.gate.memory import GateMemory
from wattseal.drivers.gateway.station import Station
from wattseal.drivers.gateway.store import RESERVE_BYTES, Found, GatewayStore
from wattseal.drivers.gateway.testifying import Scribe
from wattseal.drivers.manifest_sections import InventoryRow, Sections, policy_entities
from wattseal.drivers.modbus.link import ModbusLink
from wattseal.drivers.modbus.sharing import shared_links
from wattseal.drivers.profiles import canonical
from wattseal.drivers.profiles.catalogue import profile_named
from wattseal.drivers.profiles.declaration import Profile
from wattseal.drivers.profiles.interpreter import ProfiledDevice, link_settings

_OPEN_TO_GROUP: Final = 0o750


@dataclass(frozen=True, slots=True)
class Estate:
    """What a gateway runs on. `links` are unopened; each wants its `supervise` run."""

    box: Box
    manifest: Manifest
    sections: Sections
    gate: Gate
    store: GatewayStore
    found: Found
    clock: TrustedClock
    stations: tuple[Station, ...]
    links: tuple[ModbusLink, ...]


def open_estate(
    directory: Path,
    root: str | None,
    source: TimeSource,
    *,
    reserve_bytes: int = RESERVE_BYTES,
    max_pages: int | None = None,
) -> Estate:
    """Everything a gateway needs, or the first error with its mend. `root`: hex digest, None: the box's pinned one.

    A wall clock that lies below the manifest's own date is wrong, so terms are judged no earlier than that date.
    """
    box = Box(directory)
    trust = box.trust()
    manifest = read_manifest(trust, root if root is not None else box.pinned_root(), int(source.wall()))
    sections = Sections.decode(manifest.sections)
    admit(source, lab=manifest.lab, floor=0, hosts=(row.host for row in sections.inventory))
    signer = box.signer(Role.GATEWAY)
    _require_own_key(manifest, signer)
    policy = Policy(box.read(box.policy_file), policy_entities(sections.enrolments, sections.inventory))
    if policy.digest != manifest.policy_digest:
        raise MisuseError(
            "policy_digest_wrong",
            f"{box.policy_file} is not the policy text that the owner signed; restore it, or sign a new manifest.",
        )
    profiles = {row.device: _profile(row) for row in sections.inventory}
    for place in (box.gateway_database.parent, box.gateway_socket.parent):
        place.mkdir(parents=True, exist_ok=True, mode=_OPEN_TO_GROUP)
    scribe = Scribe(signer, manifest.gateway)
    store = GatewayStore.open(
        box.gateway_database, scribe, manifest.gateway, reserve_bytes=reserve_bytes, max_pages=max_pages
    )
    try:
        found = store.found()
        memory = GateMemory.begin(secrets.token_bytes(EPOCH_BYTES), manifest.version, found.mark)
        gate = Gate(manifest, policy, sections, memory, manifest.gateway)
        floor = max(found.floor, manifest.statement.header.issued_at)
        admit(source, lab=manifest.lab, floor=floor, hosts=())
        stations, links = _stations(sections, profiles, source)
    except BaseException:
        store.close()
        raise
    return Estate(box, manifest, sections, gate, store, found, TrustedClock(source, floor), stations, links)


def _require_own_key(manifest: Manifest, signer: Signer) -> None:
    row = manifest.keys.get(signer.public.kid)
    if row is None or row.role is not Role.GATEWAY:
        raise TrustError(
            "key_not_in_manifest", "This gateway's key does not stand in the manifest; enrol it, or sign a new one."
        )


def _profile(row: InventoryRow) -> Profile:
    profile = profile_named(row.profile)
    if canonical.digest(profile) != row.profile_digest:
        raise MisuseError(
            "profile_changed",
            f"The profile {row.profile!r} of {row.device} is not the one that the owner signed; sign a new manifest.",
        )
    return profile


def _stations(
    sections: Sections, profiles: Mapping[str, Profile], source: TimeSource
) -> tuple[tuple[Station, ...], tuple[ModbusLink, ...]]:
    wanted = [link_settings(profiles[row.device], row.host, row.port) for row in sections.inventory]
    links = shared_links(wanted, partial(ModbusLink, monotonic=source.monotonic))
    stations = []
    for row in sections.inventory:
        link = links[row.host, row.port]
        device = ProfiledDevice(profiles[row.device], link, row.unit)
        stations.append(Station(row, device, source.monotonic, partial(_connection_of, link)))
    return tuple(stations), tuple(links.values())


def _connection_of(link: ModbusLink) -> int | None:
    return link.connection
