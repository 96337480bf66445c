"""Rules of the file, of the way from the root that you hold to the keys, and of the log.

    root (you know its digest) --signs--> mandate (names the owner's key) --signs--> manifest (names all other keys)

The last leaf is the log's own word, an extract, for which stretch this file holds; the checkpoint ends there.
"""

import hashlib
from operator import attrgetter
from typing import Final
from urllib.parse import quote

from .case import Case, Manifest, Rule, part
from .cose_reader import ED25519, Key, is_canonical
from .log_proof import tree_root

MAGIC: Final = "wattseal-evidence-1"
MAX_BYTES: Final = 1 << 26
_FILE, _ROOT, _CHECKPOINT = part("file"), part("root record"), part("checkpoint")
_MANDATES, _MANIFESTS = attrgetter("mandates"), attrgetter("manifests")


def _under_threshold(case: Case, manifest: Manifest) -> bool:
    """Enough different root keys named one owner."""
    mandates = case.mandates_of(manifest)
    enough = len({mandate.sealed.kid for mandate in mandates}) >= case.root_keys[0]
    return enough and len({mandate.body.get(2) for mandate in mandates}) == 1


# fmt: off
FILE_RULES: Final = (
    Rule("file_oversized", f"The file has more than {MAX_BYTES} bytes.",
         _FILE, lambda case, _: len(case.data) <= MAX_BYTES),
    Rule("file_kind_unknown", "The file is evidence of a kind that this release does not know.",
         _FILE, lambda case, _: case.file[0] == MAGIC),
    Rule("file_not_canonical", "The file is not the one deterministic encoding of what it says.",
         _FILE, lambda case, _: is_canonical(case.data)),
)
TRUST_RULES: Final = (
    Rule("root_unknown", "The root record is not the one whose digest you gave.",
         _ROOT, lambda case, _: hashlib.sha256(case.file[1]).hexdigest() == case.root),
    Rule("mandate_kind", "Another statement stands where a mandate must.",
         _MANDATES, lambda _, mandate: mandate.kind == "mandate"),
    Rule("mandate_other_root", "The mandate was given under another root.",
         _MANDATES, lambda case, mandate: mandate.body.get(1) == hashlib.sha256(case.file[1]).digest()),
    Rule("mandate_signature", "No key of the root record signed this mandate.", _MANDATES,
         lambda case, m: (key := case.root_keys[1].get(m.sealed.kid)) is not None and key.sealed(m.sealed)),
    Rule("mandate_stray", "No manifest rests on this mandate.",
         _MANDATES, lambda case, mandate: any(mandate.sealed.digest in each.said.parents for each in case.manifests)),
    Rule("mandate_missing", "The manifest rests on a mandate that is not in the file.",
         _MANIFESTS, lambda case, manifest: len(case.mandates_of(manifest)) == len(manifest.said.parents)),
    Rule("mandate_expired", "A mandate had ended when the owner signed this manifest.", _MANIFESTS,
         lambda case, manifest: all(manifest.said.issued_at < m.body.get(3, 0) for m in case.mandates_of(manifest))),
    Rule("mandate_below_threshold", "Too few root keys named one and the same owner.", _MANIFESTS, _under_threshold),
    Rule("manifest_kind", "Another statement stands where a manifest must.",
         _MANIFESTS, lambda _, manifest: manifest.said.kind == "manifest"),
    Rule("manifest_signature", "The mandated owner did not sign this manifest.", _MANIFESTS,
         lambda case, manifest: Key(case.mandates_of(manifest)[0].body[2]).sealed(manifest.said.sealed)),
    Rule("manifest_not_rising", "A manifest after this one has no higher version, or an earlier date.",
         _MANIFESTS, lambda case, m: all(later.version > m.version and later.said.issued_at >= m.said.issued_at
                                         for later in case.manifests[case.manifests.index(m) + 1 :])),
    Rule("key_has_two_roles", "A key stands twice in the manifest; one key has one role.",
         _MANIFESTS, lambda _, manifest: len(manifest.keys) == manifest.rows),
    Rule("manifest_other_site", "The manifest is of another site or gateway than the first.",
         _MANIFESTS, lambda case, m: (m.site, m.gateway) == (case.manifests[0].site, case.manifests[0].gateway)),
)
LOG_RULES: Final = (
    Rule("checkpoint_not_canonical", "The checkpoint is not spelled in its one form.",
         _CHECKPOINT, lambda case, _: case.checkpoint.text() == case.file[8]),
    Rule("checkpoint_size", "The file does not run to the end of the tree.",
         _CHECKPOINT, lambda case, _: case.checkpoint.size == case.file[5] + len(case.file[7])),
    Rule("log_root", "The leaves are not those of the tree that the checkpoint names.",
         _CHECKPOINT, lambda case, _: case.checkpoint.root == tree_root(case.file[5], case.file[6], case.file[7])),
    Rule("checkpoint_origin", "The checkpoint is of another root's or another site's log.",
         _CHECKPOINT, lambda case, _: case.checkpoint.origin == case.checkpoint.name
         == f"wattseal-log/{case.root}/{quote(case.manifests[0].site, safe='')}"),
    Rule("checkpoint_key", "The checkpoint names no Ed25519 key that has the log's role.",
         _CHECKPOINT, lambda case, _: _log_key(case) is not None),
    Rule("checkpoint_signature", "The log's key did not sign the checkpoint.", _CHECKPOINT, lambda case, _:
         (log := _log_key(case)) is None or log.verifies(case.checkpoint.signature, case.checkpoint.body())),
    Rule("cosignature_unknown", "The file holds cosignatures; use a release that can check them.",
         _FILE, lambda case, _: not case.file[9]),
    Rule("extract_missing", "The last leaf does not say which stretch of the log this is.",
         lambda case: case.leaves[-1:], lambda _, last: last.kind == "extract"),
    Rule("extract_range", "The log's extract begins at another leaf than the file.",
         lambda case: case.leaves[-1:], lambda case, last: last.kind != "extract" or last.body.get(1) == case.file[5]),
    Rule("extract_other_root", "The log's extract was made under another root.", lambda case: case.leaves[-1:],
         lambda case, last: last.kind != "extract" or last.body.get(4) == hashlib.sha256(case.file[1]).digest()),
)
# fmt: on


def _log_key(case: Case) -> Key | None:
    rows = case.manifest_for(case.leaves[-1]).keys.values()
    keys = (row.key for row in rows if row.role == "log" and row.key.algorithm == ED25519)
    return next((key for key in keys if case.checkpoint.names(key)), None)
