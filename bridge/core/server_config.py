"""Who we are to a server of IEEE 2030.5: from the site file and our certificate to the values that its client takes."""

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from wattseal.bridge.abilities import modes_of, operations_for
from wattseal.bridge.site.model import EndDevice, Server, Site, Utility
from wattseal.certs.errors import MisuseError
from wattseal.certs.identity import lfdi_of, sfdi_of
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, Managed, Ratings, Role
from wattseal.protocols.ieee2030_5.client.duties.information import Nameplate
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.translate import TranslationContext


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address in parts: base for the rim, "host:port", and the path of its DeviceCapability."""

    base: str
    authority: str
    dcap: str


def address_of(url: str) -> Address:
    """The parts of a configured address; without a path, DeviceCapability lies at /dcap."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    path = parts.path if parts.path.strip("/") else "/dcap"
    return Address(f"{parts.scheme}://{parts.netloc}", authority, f"{path}?{parts.query}" if parts.query else path)


def server_of(utility: Utility) -> Server:
    """What the site file says of it as a server. Raises `MisuseError` for a utility of another dialect."""
    if utility.server is None:
        raise MisuseError("dialect_wrong", f"{utility.name} does not speak IEEE 2030.5.")
    return utility.server


def own_lfdi(utility: Utility, certificate: bytes | None) -> str:
    """The LFDI of our certificate (DER); without TLS, in a lab, that of the one end device.

    Raises `MisuseError` (`lfdi_differs`) where a device certificate is not the one that the site file names.
    """
    server = server_of(utility)
    named = server.end_devices[0].lfdi if server.role is Role.DEVICE and server.end_devices else ""
    if certificate is None:
        return named or "00" * 20
    shown = lfdi_of(certificate)
    if named and named != shown:
        raise MisuseError(
            "lfdi_differs",
            f"The certificate for {utility.name} has the LFDI {shown}, the site file names {named}; mend one of them.",
        )
    return shown


def client_config(site: Site, utility: Utility, *, lfdi: str, seed: str, profile: Profile, dcap: str) -> ClientConfig:
    """The client's configuration. `seed`: a text kept for the life of the box, from which draws are made."""
    server = server_of(utility)
    together = frozenset[str]().union(*(operations_for(site, utility, name) for name in site.devices_of(utility.name)))
    return ClientConfig(
        profile=profile,
        role=server.role,
        lfdi=bytes.fromhex(lfdi),
        sfdi=int(sfdi_of(lfdi)),
        devices=tuple(_managed(one, site, utility, lfdi, together) for one in server.end_devices),
        seed=hashlib.sha256(f"ieee2030.5/{utility.name}/{seed}".encode()).digest(),
        dcap=dcap,
        pin=server.pin,
        pen=server.pen,
        register=server.register,
        notification_uri="" if server.listener is None else server.listener.uri,
        authority=address_of(utility.url).authority,
        server_lfdi=bytes.fromhex(server.lfdi) if server.lfdi else None,
    )


def translation_context(config: ClientConfig, utility: Utility) -> TranslationContext:
    """The names by which this utility's schedule is read."""
    programmes = {bytes.fromhex(mrid): name for mrid, name in server_of(utility).programmes.items()}
    return TranslationContext(utility.name, {one.lfdi: one for one in config.devices}, programmes)


def nameplates(site: Site, utility: Utility) -> dict[str, Nameplate]:
    """Who made each device, by name: where its identity is pinned and the site file says the rest, and nowhere else."""
    found = {}
    for end_device in server_of(utility).end_devices:
        device = site.device(end_device.device)
        if device is None or not device.identity or end_device.make is None:
            continue
        _, model, serial = device.identity.split("|")
        make = end_device.make
        found[end_device.device] = Nameplate(
            maker_pen=make.maker_pen,
            model=model,
            serial_number=serial,
            made_at=make.made_at,
            hardware_version=make.hardware_version,
            software_version=make.software_version,
            software_since=make.software_since,
        )
    return found


def _managed(end_device: EndDevice, site: Site, utility: Utility, own: str, together: frozenset[str]) -> Managed:
    lfdi = end_device.lfdi or own
    return Managed(
        name=end_device.device,
        lfdi=bytes.fromhex(lfdi),
        sfdi=int(sfdi_of(lfdi)),
        der_type=end_device.der_type,
        ratings=_ratings(end_device, site, utility, together),
        connection_point=end_device.connection_point,
    )


def _ratings(end_device: EndDevice, site: Site, utility: Utility, together: frozenset[str]) -> Ratings:
    """Watts are those of the envelope: what the device may do here is what the server is told, and percents are of.

    `together`: the operations of all devices at the connection, by name.
    """
    device = site.device(end_device.device)
    envelope = None if device is None else device.envelope
    return Ratings(
        inject_watts=0 if envelope is None else envelope.max_watts,
        absorb_watts=0 if envelope is None else -envelope.min_watts,
        inject_vars=end_device.inject_vars,
        absorb_vars=end_device.absorb_vars,
        volt_amperes=end_device.volt_amperes,
        storage_watt_hours=end_device.storage_watt_hours,
        volts=end_device.volts,
        modes=modes_of(operations_for(site, utility, end_device.device), together),
    )
