"""Making a box and signing what its owner agrees to: `wattseal init`, and `wattseal trust sign` after each change.

The manifest is drawn from the site file, so that an integrator writes things once; from then on the signed form rules
and the site file can only narrow it. The owner's keys are needed here and nowhere else.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final

from wattseal.bridge import profiles
from wattseal.bridge.site.model import Site, Utility
from wattseal.bridge.site.reader import read_site
from wattseal.certs.box import Box, write_durably
from wattseal.certs.errors import MisuseError
from wattseal.certs.keys import Algorithm, create_key, open_signer
from wattseal.certs.manifest import (
    Manifest,
    RoleKey,
    mandate_of,
    manifest_of,
    read_manifest,
    root_of,
    root_record_of,
)
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Role
from wattseal.drivers.manifest_sections import (
    Enrolment,
    EnrolmentKind,
    InventoryRow,
    Sections,
    SiteEnvelope,
    policy_entities,
)

GATEWAY: Final = "gateway-1"
RUNNING_ROLES: Final = (Role.INGRESS, Role.CORE, Role.POLICY, Role.ISSUER, Role.GATEWAY, Role.LOG)
ANY_PROGRAMME: Final = "*"
_YEAR_SECONDS: Final = 365 * 86_400
_MANDATE_SECONDS: Final = 10 * _YEAR_SECONDS


def make_box(directory: Path, *, now: int, site_text: bytes) -> str:
    """A new box: keys for every role, the owner's keys apart, default policy, site file. Returns the root digest.

    Refuses to touch a box that exists (`box_exists`). The manifest is signed by `sign_manifest`.
    """
    box = Box(directory)
    if box.trust_directory.exists() or box.owner.exists():
        raise MisuseError("box_exists", f"There is a box in {directory} already; choose another directory.")
    box.make_directories()
    box.owner.mkdir(mode=0o700)
    root = create_key(f"file:{box.owner / 'root.pem'}", Algorithm.ESP256)
    owner = create_key(f"file:{box.owner / 'owner.pem'}", Algorithm.ESP256)
    for role in RUNNING_ROLES:
        create_key(f"file:{box.key_file(role)}", Algorithm.ED25519 if role is Role.LOG else Algorithm.ESP256)
    record = root_record_of(1, [root.public])
    mandate = mandate_of(root, record, owner.public, issued_at=now, expires_at=now + _MANDATE_SECONDS)
    write_durably(box.trust_directory / "root.cbor", record)
    write_durably(box.trust_directory / "root.hex", root_of(record).encode() + b"\n")
    write_durably(box.trust_directory / "mandate-1.cose", mandate)
    write_durably(box.policy_file, default_policy())
    write_durably(box.site_file, site_text)
    return root_of(record)


def sign_manifest(directory: Path, *, now: int) -> Manifest:
    """Signs the manifest that the site file and the policy at hand come to; its version is one above the last.

    Raises `SiteFileError`, `PolicyError`, and `KeyFileError` where the owner's key is not there.
    """
    box = Box(directory)
    site = read_site(box.read(box.site_file), str(box.site_file))
    sections = sections_of(site)
    policy = Policy(box.read(box.policy_file), policy_entities(sections.enrolments, sections.inventory))
    owner = open_signer(f"file:{box.owner / 'owner.pem'}")
    mandates = [box.read(path) for path in sorted(box.trust_directory.glob("mandate-*.cose"))]
    keys = [RoleKey(role, box.signer(role).public, now - 1, now + _YEAR_SECONDS) for role in RUNNING_ROLES]
    version = _last_version(box, now) + 1
    sealed = manifest_of(
        owner,
        mandates=mandates,
        version=version,
        issued_at=now,
        expires_at=now + _YEAR_SECONDS,
        site=site.name,
        gateway=GATEWAY,
        keys=keys,
        policy_digest=policy.digest,
        sections=sections.encode(),
        lab=site.lab,
    )
    write_durably(box.trust_directory / "history" / f"manifest-{version:04}.cose", sealed)
    write_durably(box.trust_directory / "manifest.cose", sealed)
    return read_manifest(box.trust(), box.pinned_root(), now)


def sections_of(site: Site) -> Sections:
    """The owner's sections as the site file says them."""
    inventory = tuple(
        InventoryRow(
            device.name,
            device.link,
            device.address,
            device.unit,
            device.profile,
            profiles.digest_of(device.profile),
            device.identity,
            device.sampling_seconds,
        )
        for device in site.devices
    )
    envelope = SiteEnvelope(
        tuple(device.envelope for device in site.devices), site.inject_limit_watts, site.absorb_limit_watts
    )
    return Sections(inventory, tuple(_enrolment(utility, site) for utility in site.utilities), envelope)


def default_policy() -> bytes:
    """The policy text that a new box starts with."""
    return resources.files("wattseal.drivers.gate").joinpath("default_policy.cedar").read_bytes()


def differences(site: Site, manifest: Manifest) -> Iterator[str]:
    """In which sections the site file and the signed manifest differ, by name; signing again mends it."""
    drawn = sections_of(site).encode()
    for name in sorted(drawn):
        if manifest.sections.get(name) != drawn[name]:
            yield name
    if (site.name, site.lab) != (manifest.site, manifest.lab):
        yield "site"


def _enrolment(utility: Utility, site: Site) -> Enrolment:
    """A server of IEEE 2030.5 is known by its LFDI where that is pinned; without named programmes any of its own do."""
    server = utility.server
    contexts = tuple(context.programme for context in utility.market_contexts.values())
    return Enrolment(
        utility.name,
        EnrolmentKind(utility.dialect),
        utility.url if server is None or not server.lfdi else f"{utility.url} {server.lfdi}",
        contexts if server is None else tuple(server.programmes.values()) or (ANY_PROGRAMME,),
        site.devices_of(utility.name),
        (*utility.operations,),
        utility.ceiling_watts,
    )


def _last_version(box: Box, now: int) -> int:
    if not (box.trust_directory / "manifest.cose").exists():
        return 0
    return read_manifest(box.trust(), box.pinned_root(), now).version
