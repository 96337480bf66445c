"""The manifest in words, for people and as a document for scripts."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from wattseal.certs.manifest import Manifest
from wattseal.drivers.manifest_sections import Sections


def manifest_document(manifest: Manifest, root: str) -> Mapping[str, object]:
    """Everything the manifest says, JSON-ready."""
    sections = Sections.decode(manifest.sections)
    return {
        "root": root,
        "version": manifest.version,
        "site": manifest.site,
        "lab": manifest.lab,
        "expires": _day(manifest.expires_at),
        "policy_digest": manifest.policy_digest.hex(),
        "keys": [{"role": str(key.role), "kid": kid.hex()} for kid, key in manifest.keys.items()],
        "devices": [
            {"device": row.device, "link": str(row.link_kind), "address": row.address, "profile": row.profile}
            for row in sections.inventory
        ],
        "utilities": [
            {
                "utility": row.utility,
                "programmes": row.programmes,
                "devices": row.devices,
                "operations": [str(operation) for operation in row.operations],
                "ceiling_watts": row.ceiling_watts,
            }
            for row in sections.enrolments
        ],
        "site_limits": {
            "inject_limit_watts": sections.envelope.inject_limit_watts,
            "absorb_limit_watts": sections.envelope.absorb_limit_watts,
        },
    }


def manifest_lines(manifest: Manifest, root: str) -> Iterator[str]:
    """The same, to be read."""
    sections = Sections.decode(manifest.sections)
    yield f"Site {manifest.site}, manifest version {manifest.version}, good until {_day(manifest.expires_at)}."
    yield f"Root {root}."
    if manifest.lab:
        yield "This is a lab box: its verdicts say so."
    for row in sections.enrolments:
        operations = ", ".join(row.operations)
        devices = ", ".join(row.devices)
        yield f"{row.utility} may order {operations} from {devices}, up to {row.ceiling_watts} W."
    for limits in sections.envelope.devices:
        yield f"{limits.device} never leaves {limits.min_watts} to {limits.max_watts} W, whoever asks."
    for device in sections.inventory:
        yield f"{device.device} is a {device.profile} at {device.address} ({device.link_kind})."


def _day(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).date().isoformat()
