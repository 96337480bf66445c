"""Evidence: one file that proves a stretch of the log offline. Made here, read here, judged by the separate verifier.

    {0: "wattseal-evidence-1", 1: root record, 2: [mandate, ...], 3: [manifest, ...] oldest first,
     4: [content, ...] by rising digest, 5: first leaf index, 6: [frontier hash, ...] of the leaves before it,
     7: [sealed statement, ...] from there to the end of the log, 8: checkpoint text, 9: [cosignature, ...]}

The file runs without a gap to the end of the tree, its last leaf is an `extract` that the log sealed for it, and the
checkpoint is of exactly that size: nothing can be cut off at either end. It begins where the time asked for begins, or
earlier: far enough back that of all its statements every parent stands in it, and for every epoch the hello that
brought it. What the ledger does not hold (a parent that never came, a text that was lost) cannot be put in; the file is
made all the same, and the verifier names the link that is broken.

    extract body {1: first leaf index, 2: from, 3: to (unix milliseconds, half-open), 4: digest of the root record}
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from wattseal.certs import cbor, checkpoint, cose, ledger, statement
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.keys import Signer
from wattseal.certs.ledger import Ledger
from wattseal.certs.manifest import Trust, root_of
from wattseal.certs.statement import Header, Kind, Statement

MAGIC: Final = "wattseal-evidence-1"
MAX_BYTES: Final = 1 << 26
_CHUNK: Final = 256
# Where a body of that kind names its epoch: the trust words of command, renewal and hello.
_EPOCH_AT: Final[Mapping[str, int]] = {Kind.COMMAND: 2, Kind.RENEWAL: 1, Kind.HELLO: 2}


class EvidenceError(PeerError):
    """Bytes that are not an evidence file."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An evidence file taken apart; nothing in it is believed before the verifier has judged it."""

    root_record: bytes
    mandates: tuple[bytes, ...]
    manifests: tuple[bytes, ...]
    contents: tuple[bytes, ...]
    first: int
    frontier: tuple[bytes, ...]
    leaves: tuple[bytes, ...]
    checkpoint: bytes
    cosignatures: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """The file."""
        return cbor.encode(
            {
                0: MAGIC,
                1: self.root_record,
                2: self.mandates,
                3: self.manifests,
                4: self.contents,
                5: self.first,
                6: self.frontier,
                7: self.leaves,
                8: self.checkpoint,
                9: self.cosignatures,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Evidence":
        """Raises `EvidenceError` (`evidence_malformed`) or `CborError`."""
        match cbor.decode(data, max_bytes=MAX_BYTES):
            case {
                0: str(magic),
                1: bytes(root_record),
                2: [*mandates],
                3: [*manifests],
                4: [*contents],
                5: int(first),
                6: [*frontier],
                7: [*leaves],
                8: bytes(text),
                9: [*cosignatures],
                **rest,
            } if not rest and magic == MAGIC:
                many = (mandates, manifests, contents, frontier, leaves, cosignatures)
                a, b, c, d, e, f = (_all_bytes(items) for items in many)
                return cls(root_record, a, b, c, first, d, e, text, f)
        raise EvidenceError("evidence_malformed", "The file is not an evidence file that this release reads.")


async def export(
    book: Ledger,
    trusts: Sequence[Trust],
    log: Signer,
    *,
    site: str,
    from_ms: int,
    to_ms: int,
    now: int,
    texts: Sequence[bytes] = (),
) -> bytes:
    """Evidence of all statements issued in `[from_ms, to_ms)` (unix milliseconds), and of all they rest on.

    `trusts`: the trust files that were in force in that time, oldest first, under one root. `log`: the site's log key
    (Ed25519); it seals an extract at `now` (unix seconds), which is appended, and signs the checkpoint. `texts`:
    contents to be kept first (the policy text), should the ledger not hold them yet.
    """
    plan = _Plan(_one_root(trusts), site, from_ms, to_ms, now, tuple(texts))
    first, closed = await book.store.read(partial(_first_needed, from_ms=from_ms, to_ms=to_ms))
    first, last = await book.store.commit(partial(_append_extract, plan=plan, log=log, first=first, closed=closed))
    collected = await book.store.read(partial(_collect, plan=plan, log=log, trusts=trusts, first=first, last=last))
    await book.store.commit(partial(ledger.keep_checkpoint, of_size=last + 1, text=collected.checkpoint))
    return collected.encode()


def export_now(
    book: Ledger,
    trusts: Sequence[Trust],
    log: Signer,
    *,
    site: str,
    from_ms: int,
    to_ms: int,
    now: int,
    texts: Sequence[bytes] = (),
) -> bytes:
    """`export` for code without an event loop."""
    plan = _Plan(_one_root(trusts), site, from_ms, to_ms, now, tuple(texts))
    first, closed = book.store.read_now(partial(_first_needed, from_ms=from_ms, to_ms=to_ms))
    first, last = book.store.commit_now(partial(_append_extract, plan=plan, log=log, first=first, closed=closed))
    collected = book.store.read_now(partial(_collect, plan=plan, log=log, trusts=trusts, first=first, last=last))
    book.store.commit_now(partial(ledger.keep_checkpoint, of_size=last + 1, text=collected.checkpoint))
    return collected.encode()


@dataclass(frozen=True, slots=True)
class _Plan:
    root_record: bytes
    site: str
    from_ms: int
    to_ms: int
    now: int
    texts: tuple[bytes, ...]


def _one_root(trusts: Sequence[Trust]) -> bytes:
    records = {trust.root_record for trust in trusts}
    if len(records) != 1:
        raise MisuseError("root_not_one", "Evidence is given under one root; name the trust files of that root only.")
    return records.pop()


def _first_needed(connection: sqlite3.Connection, *, from_ms: int, to_ms: int) -> tuple[int, range]:
    """The first leaf needed as the log now stands, and the range found closed."""
    end = ledger.size(connection)
    issued = ledger.first_issued(connection, from_ms // 1000, -(-to_ms // 1000))
    first = _closed(connection, end if issued is None else issued, end, range(end, end))
    return first, range(first, end)


def _closed(connection: sqlite3.Connection, first: int, end: int, done: range) -> int:
    """The highest index at or below `first` such that all from there to `end` rests on nothing before it.

    One pass downward: each leaf may move `first` further down. `done` was looked at before, and is skipped.
    """
    hellos = tuple((hello.index, _epoch_of(_read(hello))) for hello in ledger.entries_of_kind(connection, Kind.HELLO))
    index = end - 1
    while index >= first:
        if index in done:
            index = done.start - 1
            continue
        low = max(first, index - _CHUNK + 1, done.stop if index >= done.stop else 0)
        for entry in reversed(ledger.entries(connection, low, index)):
            first = min(first, *_needs(connection, entry, hellos))
        index = low - 1
    return first


def _needs(connection: sqlite3.Connection, entry: ledger.Entry, hellos: Sequence[tuple[int, object]]) -> Iterator[int]:
    """Indexes of what a leaf rests on, itself included; what the ledger does not hold is passed over."""
    yield entry.index
    said = _read(entry)
    if said is None:
        return
    for parent in said.header.parents:
        held = ledger.entry(connection, parent)
        if held is not None:
            yield held.index
    if entry.kind in {Kind.COMMAND, Kind.RENEWAL}:
        epoch = _epoch_of(said)
        before = (index for index, brought in hellos if brought == epoch and index < entry.index)
        yield max(before, default=entry.index)


def _read(entry: ledger.Entry) -> Statement | None:
    try:
        return statement.read(cose.take_apart(entry.sealed))
    except PeerError:
        return None  # a damaged row is no reason to give no evidence of the others


def _epoch_of(said: Statement | None) -> object:
    body = None if said is None else cbor.decode(said.body)
    if said is None or not isinstance(body, Mapping):
        return None
    return body.get(_EPOCH_AT[said.header.kind])


def _append_extract(
    connection: sqlite3.Connection, *, plan: _Plan, log: Signer, first: int, closed: range
) -> tuple[int, int]:
    """Appends the extract; gives the first leaf needed now that more may stand in the log, and the extract's index."""
    first = _closed(connection, first, ledger.size(connection), closed)
    root_digest = hashlib.sha256(plan.root_record).digest()
    body = cbor.encode({1: first, 2: plan.from_ms, 3: plan.to_ms, 4: root_digest})
    extract = statement.seal(log, Header(Kind.EXTRACT, plan.site, plan.site, plan.now), body)
    (last,) = ledger.append_all(connection, (extract.raw,), plan.texts)
    return first, last


def _collect(
    connection: sqlite3.Connection, *, plan: _Plan, log: Signer, trusts: Sequence[Trust], first: int, last: int
) -> Evidence:
    found = ledger.entries(connection, first, last)
    origin = checkpoint.origin_of(root_of(plan.root_record), plan.site)
    head = checkpoint.sign(log, origin, last + 1, ledger.root(connection, last + 1))
    manifests = dict.fromkeys(trust.manifest for trust in trusts)
    return Evidence(
        root_record=plan.root_record,
        mandates=tuple(dict.fromkeys(mandate for trust in trusts for mandate in trust.mandates)),
        manifests=tuple(manifests),
        contents=_contents(connection, found, manifests),
        first=first,
        frontier=ledger.frontier(connection, first),
        leaves=tuple(entry.sealed for entry in found),
        checkpoint=head.encode(),
    )


def _contents(
    connection: sqlite3.Connection, entries: Iterable[ledger.Entry], manifests: Iterable[bytes]
) -> tuple[bytes, ...]:
    named = {_policy_digest(manifest) for manifest in manifests}
    for entry in entries:
        said = _read(entry)
        named.update(() if said is None else said.header.contents)
    held = (ledger.content(connection, digest) for digest in sorted(named))
    return tuple(content for content in held if content is not None)


def _policy_digest(manifest: bytes) -> bytes:
    body = cbor.decode(cose.take_apart(manifest, max_bytes=MAX_BYTES).payload)
    digest = body.get(6) if isinstance(body, Mapping) else None
    if not isinstance(digest, bytes):
        raise MisuseError("manifest_malformed", "The manifest names no policy; read it with `read_manifest` first.")
    return digest


def _all_bytes(items: Sequence[cbor.Value]) -> tuple[bytes, ...]:
    if not all(isinstance(item, bytes) for item in items):
        raise EvidenceError("evidence_malformed", "A member of the evidence file is not a byte string.")
    return tuple(item for item in items if isinstance(item, bytes))
