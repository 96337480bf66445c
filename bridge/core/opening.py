"""Opening a core: every file checked before anything runs, each fault told with its mend."""

from urllib.parse import urlsplit

from wattseal.bridge import journal
from wattseal.bridge.core.core import Estate
from wattseal.bridge.core.scribe import Scribe
from wattseal.bridge.making import differences
from wattseal.bridge.site.model import Site
from wattseal.bridge.site.reader import read_site
from wattseal.certs.box import Box
from wattseal.certs.clock import TimeSource, TrustedClock
from wattseal.certs.errors import MisuseError
from wattseal.certs.lab_clock.admission import admit
from wattseal.certs.ledger import LEDGER
from wattseal.certs.manifest import Manifest, read_manifest
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Role
from wattseal.certs.storage import Store
from wattseal.drivers.manifest_sections import Sections, policy_entities

RESERVE_BYTES = 1 << 20
TIME_FLOOR = "time_floor"
_CORE_ROLES = (Role.INGRESS, Role.CORE, Role.POLICY, Role.ISSUER)


def open_estate(box: Box, source: TimeSource, *, max_pages: int | None = None) -> Estate:
    """Site file, manifest, policy, keys and database of a core. Raises the errors of each, and `MisuseError`.

    The manifest is judged at its own time of issue when the clock cannot be trusted: a box that wakes in 1970 must
    still be able to release its devices.
    """
    site, manifest = require_fit(box, source)
    sections = Sections.decode(manifest.sections)
    policy = Policy(box.read(box.policy_file), policy_entities(sections.enrolments, sections.inventory))
    if policy.digest != manifest.policy_digest:
        raise MisuseError(
            "policy_not_signed", "box/policy.cedar is not the text that was signed; restore it, or sign again."
        )
    store = Store.open(box.core_database, (LEDGER, journal.PART), reserve_bytes=RESERVE_BYTES, max_pages=max_pages)
    floor = max(store.read_now(journal.recall).marks.get(TIME_FLOOR, 0), manifest.statement.header.issued_at)
    try:
        admit(source, lab=site.lab, floor=floor, hosts=())
    except MisuseError:
        store.close()
        raise
    scribe = Scribe(site.name, manifest.gateway, {role: box.signer(role) for role in _CORE_ROLES})
    return Estate(site, manifest, policy, scribe, store, TrustedClock(source, floor))


def require_fit(box: Box, source: TimeSource) -> tuple[Site, Manifest]:
    """The site file and the signed manifest, found to agree, with the owner's keys gone. Before anything is started.

    A virtual clock besides is admitted here, or refused (`MisuseError`).
    """
    site = read_site(box.read(box.site_file), str(box.site_file))
    box.require_owner_gone(lab=site.lab)
    manifest = _manifest(box, site, int(source.wall()))
    addresses = (*(utility.url for utility in site.utilities), *(device.address for device in site.devices))
    hosts = [urlsplit(address).hostname or address for address in addresses]
    servers = (utility.server for utility in site.utilities)
    hosts += [server.listener.host for server in servers if server is not None and server.listener is not None]
    admit(source, lab=manifest.lab, floor=manifest.statement.header.issued_at, hosts=hosts)
    return site, manifest


def _manifest(box: Box, site: Site, now: int) -> Manifest:
    manifest = read_manifest(box.trust(), box.pinned_root(), now)
    differing = ", ".join(differences(site, manifest))
    if differing:
        raise MisuseError(
            "site_not_signed",
            f"site.toml says otherwise than the signed manifest ({differing}); bring the owner's keys and run"
            f" `wattseal trust sign {box.root}`.",
        )
    return manifest
