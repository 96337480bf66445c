"""The doctor: looks at a box as it lies on the disk and at what runs, and tells each fault with its mend."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wattseal.bridge.core.local_api import ask
from wattseal.bridge.finding import Finding
from wattseal.bridge.making import RUNNING_ROLES, differences
from wattseal.bridge.server_findings import server_findings
from wattseal.bridge.site.mistakes import SiteFileError
from wattseal.bridge.site.model import Site
from wattseal.bridge.site.reader import read_site
from wattseal.certs.box import Box
from wattseal.certs.clock import BUILD_FLOOR, ClockQuality
from wattseal.certs.errors import WattsealError
from wattseal.certs.ledger import LEDGER, verify_whole
from wattseal.certs.manifest import Manifest, read_manifest
from wattseal.certs.policy import Policy
from wattseal.certs.storage import Store
from wattseal.certs.tls_selftest import ccm8_works
from wattseal.drivers.gateway.store import behind
from wattseal.drivers.manifest_sections import Sections, policy_entities

_SOON_SECONDS: Final = 30 * 86_400


def examine(directory: Path) -> tuple[Finding, ...]:
    """Every finding, in the order in which a person would mend them."""
    box = Box(directory)
    found = [*_clock(time.time()), *_tls(), *_keys(box)]
    site = _site(box, found)
    manifest = _manifest(box, found)
    if site is not None:
        found += _site_notes(site, box)
    if manifest is not None:
        found += _policy(manifest, box)
    if site is not None and manifest is not None:
        found += _agreement(site, manifest, box)
    found += _ledger(box)
    found += _gateway_chain(box)
    found += _running(box)
    return tuple(found)


def _clock(wall: float) -> Iterator[Finding]:
    if wall < BUILD_FLOOR:
        yield Finding("clock_untrusted", "The clock lies before this release was built; set it, or let NTP.", True)


def _tls() -> Iterator[Finding]:
    tested = ccm8_works()
    yield Finding("tls_ccm8" if tested.works else "tls_ccm8_missing", tested.sentence, False)


def _keys(box: Box) -> Iterator[Finding]:
    for role in RUNNING_ROLES:
        try:
            box.signer(role)
        except WattsealError as error:
            yield Finding(error.reason, error.sentence, True)


def _site(box: Box, found: list[Finding]) -> Site | None:
    try:
        return read_site(box.read(box.site_file), str(box.site_file))
    except SiteFileError as error:
        found += [Finding("site_file_mistaken", str(mistake), True) for mistake in error.mistakes]
    except WattsealError as error:
        found.append(Finding(error.reason, error.sentence, True))
    return None


def _manifest(box: Box, found: list[Finding]) -> Manifest | None:
    try:
        return read_manifest(box.trust(), box.pinned_root(), int(time.time()))
    except WattsealError as error:
        found.append(Finding(error.reason, error.sentence, True))
        return None


def _policy(manifest: Manifest, box: Box) -> Iterator[Finding]:
    try:
        sections = Sections.decode(manifest.sections)
        policy = Policy(box.read(box.policy_file), policy_entities(sections.enrolments, sections.inventory))
    except WattsealError as error:
        yield Finding(error.reason, error.sentence, True)
        return
    if policy.digest != manifest.policy_digest:
        yield Finding("policy_not_signed", f"{box.policy_file} is not the text that was signed; restore it.", True)


def _site_notes(site: Site, box: Box) -> Iterator[Finding]:
    if site.lab:
        yield Finding("lab", "This is a lab box: every verdict says so.", False)
    elif any(box.owner.glob("*.pem")):
        yield Finding("owner_keys_present", f"Take {box.owner} away; the box does not run beside it.", True)
    for utility in site.utilities:
        if utility.insecure:
            yield Finding("insecure", f"{utility.name} is spoken to in plain HTTP: {utility.insecure}.", False)
    yield from server_findings(site, box)
    for device in site.devices:
        if not device.identity:
            yield Finding("identity_not_pinned", f"{device.name} has no identity: any device there is obeyed.", False)


def _agreement(site: Site, manifest: Manifest, box: Box) -> Iterator[Finding]:
    differing = ", ".join(differences(site, manifest))
    if differing:
        sentence = f"site.toml differs from the signed manifest in: {differing}; run `wattseal trust sign {box.root}`."
        yield Finding("site_not_signed", sentence, True)
    left = manifest.expires_at - int(time.time())
    if left <= 0:
        yield Finding("manifest_expired", "The manifest has expired: only releases are ordered; sign it again.", True)
    elif left < _SOON_SECONDS:
        yield Finding("manifest_expires", f"The manifest expires in {left // 86_400} days; sign it again.", False)


def _ledger(box: Box) -> Iterator[Finding]:
    if not box.core_database.exists():
        return
    try:
        with Store.open(box.core_database, (LEDGER,)) as store:
            faults = store.read_now(verify_whole)
    except WattsealError as error:
        yield Finding(error.reason, error.sentence, True)
        return
    for fault in faults:
        yield Finding(fault.reason, fault.sentence, True)


def _gateway_chain(box: Box) -> Iterator[Finding]:
    held = behind(box.gateway_database)
    if held is not None:
        sentence = (
            f"{box.gateway_database} is not the database that the gateway spoke from before: the core holds its "
            f"statements up to number {held}. Nothing is ordered. Put the right one back, or begin a new record."
        )
        yield Finding("gateway_chain_lost", sentence, True)


def _running(box: Box) -> Iterator[Finding]:
    try:
        status = asyncio.run(ask(box.local_socket, "status"))
    except WattsealError:
        yield Finding("not_running", "The bridge does not run.", False)
        return
    if status.get("clock") == ClockQuality.VIRTUAL:
        yield Finding("clock_virtual", "The box runs on a lab's virtual clock: every verdict says so.", False)
    gateway = status.get("gateway")
    if isinstance(gateway, dict) and not gateway.get("connected"):
        yield Finding("gateway_not_connected", "The core has no gateway: nothing can be ordered.", True)
    if status.get("storage_low"):
        yield Finding("storage_full", "The disk is short: no order raises power until there is room.", True)
