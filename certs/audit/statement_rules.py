"""Rules of each statement: its form, its key and seal, what it rests on, and the texts it names.

`ROLE_OF` and `PARENTS_OF` say who may say what, and on what it must rest.
"""

import hashlib
from collections.abc import Mapping
from operator import attrgetter
from types import NoneType
from typing import Any, Final

from .case import Case, Manifest, Rule, Said, part
from .cose_reader import ESP256, P256_ORDER

# fmt: off
ROLE_OF: Final[Mapping[str, str]] = {
    "ingress": "ingress", "intent": "core", "facts": "core", "decision": "policy", "command": "issuer",
    "hail": "issuer", "renewal": "issuer", "hello": "gateway", "receipt": "gateway", "reading": "gateway",
    "gap": "gateway", "report": "core", "extract": "log",
}
# kind: (required parents, permitted parents, their one number or None); all other kinds rest on nothing
PARENTS_OF: Final[Mapping[str, tuple[set[str], set[str], int | None]]] = {
    "intent": ({"ingress"}, {"ingress", "intent"}, None), "facts": (set(), {"intent", "reading", "hello"}, None),
    "decision": ({"facts"}, {"facts"}, None), "command": ({"decision"}, {"decision"}, 1),
    "renewal": ({"command"}, {"command"}, None), "hello": ({"hail"}, {"hail"}, 1),
    "receipt": ({"command"}, {"command"}, 1), "reading": (set(), {"command"}, None),
    "report": (set(), {"reading", "receipt", "ingress", "intent"}, None),
}
_BYTES, _INT, _BOOL = (bytes, NoneType), (int, NoneType), (bool, NoneType)  # {kind}: need not be there
_ORDER: Final = {1: str, 2: str, 3: (int, list), 4: int, 5: str, 6: int, 7: int, 8: list, 9: int, 10: bytes, 11: {str}}
BODY_OF: Final[Mapping[str, Mapping[int, Any]]] = {
    "decision": {1: bool, 2: list, 3: bytes, 4: bytes, 5: list, 6: list},
    "command": {1: bytes, 2: bytes, 3: int, 4: int, 5: _BYTES}, "hello": {1: bytes, 2: bytes, 3: int, 4: str},
    "hail": {1: bytes, 2: int}, "renewal": {1: bytes, 2: int, 3: int, 4: int},
    "receipt": {**dict.fromkeys((1, 2, 3, 4, 10), str), 5: list, 6: _INT, 7: _BYTES, 8: int, 9: _BYTES, 11: _BOOL,
                12: {list}},
    "reading": {1: str, 2: list, 3: int, 4: int, 5: bytes, 6: str}, "mandate": {1: bytes, 2: bytes, 3: int},
    "gap": {1: str, 2: str, 3: int, 4: int, 5: int}, "extract": {1: int, 2: int, 3: int, 4: bytes},
    "manifest": {1: int, 2: int, 3: str, 4: str, 5: list, 6: bytes, 7: list, 8: bool},
}
# fmt: on
_LABELS, _CLAIMS = {1, 4, 15, 16, -65537, -65538, -65539}, {1, 2, 3, 4, 5, 6, 7}
_NO_PARENTS: Final[tuple[set[str], set[str], int | None]] = (set(), set(), 0)
_ID_BYTES: Final = 16
_LEAVES, _CONTENTS = attrgetter("leaves"), part("contents")


def _all(case: Case) -> tuple[Said, ...]:
    return (*case.mandates, *(manifest.said for manifest in case.manifests), *case.leaves)


def _fits(body: Mapping[Any, Any], layout: Mapping[int, Any] | None) -> bool:
    needed = {label for label, kind in (layout or {}).items() if type(kind) is not set}
    known = body if layout is None else layout
    return needed <= set(body) <= set(known) and all(_is(body[label], known[label]) for label in body if layout)


def _is(value: object, kind: Any) -> bool:  # `type`, not `isinstance`: True is no number here
    kinds = kind if type(kind) in (tuple, set) else (kind,)
    return type(value) in kinds or (list in kinds and type(value) is tuple)


def _required(case: Case, leaf: Said) -> bool:
    required, _, number = PARENTS_OF.get(leaf.kind, _NO_PARENTS)
    parents = case.parents(leaf)
    unknown = len(parents) < len(leaf.parents)
    return number in {None, len(leaf.parents)} and (unknown or required <= {parent.kind for parent in parents})


def _named(said: Any) -> tuple[bytes, ...]:
    return (*said.said.contents, said.policy) if isinstance(said, Manifest) else (*said.contents,)


# fmt: off
STATEMENT_RULES: Final = (
    Rule("statement_not_canonical", "Message, header or body is not the one encoding of what it says.",
         _all, lambda _, said: said.sealed.is_canonical()),
    Rule("unprotected_not_empty", "The statement carries something that its signature does not cover.",
         _all, lambda _, said: isinstance(said.sealed.unprotected, Mapping) and not said.sealed.unprotected),
    Rule("header_unknown", "The header says something that this release does not know.",
         _all, lambda _, said: set(said.sealed.header) <= _LABELS and set(said.sealed.header[15]) <= _CLAIMS),
    Rule("statement_id_malformed", "The statement's id does not have 16 bytes.",
         _all, lambda _, said: len(said.statement_id) == _ID_BYTES),
    Rule("body_malformed", "The body is not laid out as its kind demands.",
         _all, lambda _, said: _fits(said.body, BODY_OF.get(said.kind))),
    Rule("order_malformed", "The order in it is not laid out as an order is.",
         _LEAVES, lambda _, leaf: leaf.kind not in {"command", "decision"} or (_fits(leaf.order, _ORDER) and (
             leaf.order.get(11) is None or (leaf.order[2] == "release" and leaf.order[11] != "power")))),
    Rule("key_unknown", "The manifest in force does not name the key that sealed this.",
         _LEAVES, lambda case, leaf: case.key_for(leaf) is not None),
    Rule("key_out_of_term", "The key did not have its role when this was issued.", _LEAVES,
         lambda case, leaf: (h := case.key_for(leaf)) is None or h.valid_from <= case.times[leaf.leaf] < h.valid_until),
    Rule("role_wrong", "A key of another role sealed this.",
         _LEAVES, lambda case, leaf: (held := case.key_for(leaf)) is None or ROLE_OF.get(leaf.kind) == held.role),
    Rule("algorithm_mismatch", "The header names another algorithm than the key has.", _LEAVES,
         lambda case, leaf: (held := case.key_for(leaf)) is None or leaf.sealed.header.get(1) == held.key.algorithm),
    Rule("signature_not_low_s", "The signature is the high-S twin of the valid one.", _all, lambda _, said:
         said.sealed.header.get(1) != ESP256 or int.from_bytes(said.sealed.signature[32:]) <= P256_ORDER // 2),
    Rule("signature_invalid", "The signature does not match the bytes and the key.",
         _LEAVES, lambda case, leaf: (held := case.key_for(leaf)) is None or held.key.sealed(leaf.sealed)),
    Rule("clock_virtual", "Its time is that of a lab's virtual clock, and the manifest is not a lab's.",
         _LEAVES, lambda case, leaf: case.manifest_for(leaf).lab or not leaf.virtual),
    Rule("statement_repeated", "It has the id of an earlier statement.",
         _LEAVES, lambda case, leaf: case.index_of["id", leaf.statement_id] == leaf.leaf),
)
RELATION_RULES: Final = (
    Rule("parent_missing", "It rests on a statement that is not in the file.",
         _LEAVES, lambda case, leaf: len(case.parents(leaf)) == len(leaf.parents)),
    Rule("parent_later", "It rests on a statement that came into the log after it.", _LEAVES,
         lambda case, leaf: all(case.index_of["digest", p.sealed.digest] < leaf.leaf for p in case.parents(leaf))),
    Rule("parent_not_permitted", "It rests on a statement of a kind that it may not rest on.",
         _LEAVES, lambda case, leaf: {p.kind for p in case.parents(leaf)} <= PARENTS_OF.get(leaf.kind, _NO_PARENTS)[1]),
    Rule("parent_required", "It does not rest on what its kind must rest on, or on too much.", _LEAVES, _required),
    Rule("contents_order", "The contents do not stand once each, by rising digest.", _CONTENTS,
         lambda case, _: (d := [hashlib.sha256(content).digest() for content in case.file[4]]) == sorted(set(d))),
    Rule("content_missing", "It names a text that is not in the file, or not as it was.",
         lambda case: (*case.manifests, *case.leaves), lambda case, said: set(_named(said)) <= case.contents.keys()),
    Rule("content_stray", "A text is in the file that nothing names.", _CONTENTS, lambda case, _: case.contents.keys()
         <= {digest for said in (*case.manifests, *case.leaves) for digest in _named(said)}),
)
# fmt: on
