"""Evidence of a box into a file, and a file's record back for re-execution."""

from pathlib import Path
from typing import Final

from wattseal.bridge.replay import Record, record_of
from wattseal.certs.box import Box
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.evidence import Evidence, export_now
from wattseal.certs.ledger import LEDGER, Ledger, last_issued
from wattseal.certs.manifest import Trust, read_manifest, root_of
from wattseal.certs.statement import Role
from wattseal.certs.storage import Store

_MOST_BYTES: Final = 1 << 30


class EvidenceFileError(WorldError):
    """An evidence file that cannot be read."""


def export_box(box: Box, *, from_ms: int, to_ms: int | None, now: int) -> bytes:
    """Evidence of `[from_ms, to_ms)` from the ledger of a box, running or not. Opens the log's key and no other.

    `to_ms` None: until now, and until the last statement where a lab's clock runs ahead of now.
    """
    if not box.core_database.exists():
        raise MisuseError("nothing_recorded", f"{box.root} has no ledger yet; run the box first.")
    trusts = box.trusts()
    site = read_manifest(box.trust(), box.pinned_root(), now).site
    with Store.open(box.core_database, (LEDGER,)) as store:
        return export_now(
            Ledger(store),
            trusts,
            box.signer(Role.LOG),
            site=site,
            from_ms=from_ms,
            to_ms=(max(now, store.read_now(last_issued)) + 1) * 1000 if to_ms is None else to_ms,
            now=now,
            texts=(box.read(box.policy_file),),
        )


def record_in(file: Path) -> Record:
    """The record of an evidence file. Its seals are not checked here: `wattseal-audit` does that, and goes first."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise MisuseError("evidence_oversized", f"{file} is too large to be evidence.")
        content = file.read_bytes()
    except OSError as error:
        raise EvidenceFileError("evidence_unreadable", f"Cannot read {file}: {error.strerror}.") from error
    evidence = Evidence.decode(content)
    trust = Trust(evidence.root_record, evidence.mandates, evidence.manifests[-1])
    manifest = read_manifest(trust, root_of(evidence.root_record), 0)
    return record_of(evidence.leaves, evidence.contents, manifest.sections)
