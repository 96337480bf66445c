"""An evidence file taken apart into what the rules look at: statements, manifests, and who is who. Judges nothing.

file     {0: "wattseal-evidence-1", 1: root record, 2: [mandate], 3: [manifest], 4: [content], 5: first leaf index,
          6: [frontier hash], 7: [leaf], 8: checkpoint, 9: [cosignature]}
root     {1: threshold, 2: [COSE_Key]}
manifest {1: version, 2: expires, 3: site, 4: gateway, 5: [[role, COSE_Key, from, until]], 6: policy digest,
          7: [[section, bytes]], 8: lab}
inventory section  [[device, link kind, address, unit, profile, profile digest, identity, sampling seconds], ...]
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from .cose_reader import BrokenError, Key, Sealed, load
from .log_proof import Checkpoint, read_checkpoint

T = TypeVar("T")
_TYPE: Final = ("application/wattseal-", "+cbor")
_CLOCK_OF: Final = {"ingress": 8, "facts": 3, "hello": 4, "receipt": 10, "reading": 6, "report": 7}
_FILE: Final = (str, bytes, list, list, list, int, list, list, bytes, list)


class Part(NamedTuple):
    """A part of the file that is no statement."""

    place: str
    leaf: int | None = None


def part(place: str) -> "Callable[[Case], tuple[Part]]":
    """The subject of a rule about a part of the file."""
    return lambda _: (Part(place),)


@dataclass(frozen=True)
class Said:
    """One statement, read loosely. `place` names it; `leaf` is its index in the log, None for trust files."""

    place: str
    leaf: int | None
    sealed: Sealed
    kind: str
    subject: str
    audience: str | None
    issued_at: int
    statement_id: bytes
    parents: tuple[bytes, ...]
    contents: tuple[bytes, ...]
    chain: tuple[int, bytes] | None
    body: Mapping[Any, Any]

    @property
    def epoch(self) -> object:
        """The epoch that a hello opens, or that a command or a renewal belongs to."""
        epoch = self.body.get(1 if self.kind == "renewal" else 2)
        return epoch if isinstance(epoch, bytes) else None

    @property
    def sequence(self) -> int:
        """The number of a command or a renewal in its epoch."""
        sequence = self.body.get(2 if self.kind == "renewal" else 3)
        return sequence if isinstance(sequence, int) else 0

    @property
    def virtual(self) -> bool:
        """Whether its time is that of a clock which a lab moved by hand."""
        return self.body.get(_CLOCK_OF.get(self.kind)) == "virtual"

    @cached_property
    def order(self) -> Mapping[Any, Any]:
        """The order in a command or a decision; empty where it cannot be read."""
        try:
            order = load(self.body.get(3 if self.kind == "decision" else 1, b""))
        except ValueError:
            return {}
        return order if isinstance(order, Mapping) else {}


class RoleKey(NamedTuple):
    """A key with its role and term, `valid_until` excluded."""

    role: str
    key: Key
    valid_from: int
    valid_until: int


class Device(NamedTuple):
    """A device as the owner's inventory has it."""

    link: str
    address: str
    profile: bytes


class Manifest(NamedTuple):
    """One version of what the owner signed. `rows` counts the role rows; `keys` has them by key id."""

    place: str
    leaf: int | None
    said: Said
    version: int
    expires_at: int
    site: str
    gateway: str
    rows: int
    keys: Mapping[object, RoleKey]
    policy: bytes
    devices: Mapping[str, Device]
    lab: bool


class Rule(NamedTuple):
    """One check: what must hold for each of its subjects, and the reason and sentence where it does not."""

    reason: str
    sentence: str
    subjects: "Callable[[Case], Iterable[Said | Manifest | Part]]"
    holds: "Callable[[Case, Any], bool]"


class Case:
    """One evidence file under one root. Parts are read when a rule first asks; unreadable ones raise `BrokenError`."""

    def __init__(self, data: bytes, root: str) -> None:
        self.data = data
        self.root = root

    @cached_property
    def file(self) -> Mapping[Any, Any]:
        """The file's ten members, each of its type; lists are of byte strings."""
        members = _or_broken("file_malformed", Part("file"), lambda: load(self.data))
        if not isinstance(members, Mapping) or set(members) != set(range(len(_FILE))):
            raise BrokenError("file_malformed", "file", "The file is not an evidence file.")
        for label, kind in enumerate(_FILE):
            value, items = members[label], members[label] if kind is list else ()
            if type(value) is not kind or not all(isinstance(item, bytes) for item in items):
                raise BrokenError("file_malformed", "file", f"Member {label} of the file is not of its type.")
        return members

    @cached_property
    def root_keys(self) -> tuple[int, Mapping[object, Key]]:
        """Threshold and keys of the root record."""
        return _or_broken("root_malformed", Part("root record"), lambda: _root_keys(load(self.file[1])))

    @cached_property
    def mandates(self) -> tuple[Said, ...]:
        """The root's mandates."""
        return tuple(_said(raw, Part(f"mandate {n}")) for n, raw in enumerate(self.file[2]))

    @cached_property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests, in the file's order; at least one."""
        said = [_said(raw, Part(f"manifest {n}")) for n, raw in enumerate(self.file[3])]
        if not said:
            raise BrokenError("manifest_missing", "file", "The file holds no manifest.")
        return _or_broken("manifest_malformed", Part("manifests"), lambda: tuple(map(_manifest, said)))

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The head of the log."""
        return _or_broken("checkpoint_malformed", Part("checkpoint"), lambda: read_checkpoint(self.file[8]))

    @cached_property
    def leaves(self) -> tuple[Said, ...]:
        """The statements of the log, in order; at least one."""
        if not self.file[7]:
            raise BrokenError("extract_missing", "file", "The file holds no statement.")
        return tuple(_said(raw, Part(f"leaf {n}", n)) for n, raw in enumerate(self.file[7], self.file[5]))

    @cached_property
    def contents(self) -> Mapping[bytes, bytes]:
        """Contents by their SHA-256."""
        return {hashlib.sha256(content).digest(): content for content in self.file[4]}

    @cached_property
    def index_of(self) -> Mapping[tuple[str, object], int]:
        """The leaf at which a ("digest", ...), a statement's ("id", ...) or a hello's ("epoch", ...) first stands."""
        places: dict[tuple[str, object], int] = {}
        for index, leaf in enumerate(self.leaves, self.file[5]):
            places.setdefault(("digest", leaf.sealed.digest), index)
            places.setdefault(("id", leaf.statement_id), index)
            if leaf.kind == "hello":
                places.setdefault(("epoch", leaf.epoch), index)
        return places

    @cached_property
    def before(self) -> Mapping[int | None, Said]:
        """By leaf: the statement before it in its key's chain, or with a number in its epoch, where there is one."""
        last: dict[object, Said] = {}
        found: dict[int | None, Said] = {}
        for leaf in self.leaves:
            numbered = leaf.kind in {"command", "renewal"}
            if numbered or leaf.chain is not None:
                name = (numbered, leaf.epoch if numbered else leaf.sealed.kid)
                found.update({leaf.leaf: last[name]} if name in last else {})
                last[name] = leaf
        return found

    def of_kind(self, *kinds: str) -> Iterator[Said]:
        """Leaves of these kinds, in log order."""
        return (leaf for leaf in self.leaves if leaf.kind in kinds)

    def parents(self, said: Said) -> tuple[Said, ...]:
        """Those parents of a leaf that are in the file."""
        places = (self.index_of.get(("digest", parent)) for parent in said.parents)
        return tuple(self.leaves[place - self.file[5]] for place in places if place is not None)

    def mandates_of(self, manifest: Manifest) -> tuple[Said, ...]:
        """The mandates that a manifest rests on."""
        return tuple(mandate for mandate in self.mandates if mandate.sealed.digest in manifest.said.parents)

    @cached_property
    def times(self) -> Mapping[int | None, int]:
        """When each leaf was issued. A time before the first manifest is a clock gone wrong: the log's order tells."""
        latest = born = self.manifests[0].said.issued_at
        times: dict[int | None, int] = {}
        for leaf in self.leaves:
            times[leaf.leaf] = leaf.issued_at if leaf.issued_at >= born else latest
            latest = max(latest, leaf.issued_at)
        return times

    def manifest_for(self, leaf: Said) -> Manifest:
        """The manifest in force when a leaf was issued: the last one issued by then."""
        return [m for m in self.manifests if m.said.issued_at <= self.times[leaf.leaf] or m is self.manifests[0]][-1]

    def key_for(self, said: Said) -> RoleKey | None:
        """The role key that a leaf names."""
        return self.manifest_for(said).keys.get(said.sealed.kid)


def _or_broken(reason: str, where: Part, read: Callable[[], T]) -> T:
    try:
        return read()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BrokenError(reason, where.place, f"It cannot be read: {error}.", where.leaf) from error


def _said(raw: bytes, where: Part) -> Said:
    return _or_broken("statement_malformed", where, lambda: _read_said(raw, where))


def _read_said(raw: bytes, where: Part) -> Said:
    sealed = Sealed.read(raw)
    header, claims, body = sealed.header, sealed.header[15], load(sealed.payload)
    kind, chain, audience = header[16], header.get(-65538), claims.get(3)
    if not (kind.startswith(_TYPE[0]) and kind.endswith(_TYPE[1])):
        raise ValueError("its type is none of ours")
    kind = kind.removeprefix(_TYPE[0]).removesuffix(_TYPE[1])
    parents, contents = (tuple(_typed(i, bytes) for i in header.get(label, ())) for label in (-65537, -65539))
    # fmt: off
    return Said(
        *where, sealed, kind, _typed(claims[2], str), None if audience is None else _typed(audience, str),
        _typed(claims[6], int), _typed(claims[7], bytes), parents, contents,
        None if chain is None else (_typed(chain[0], int), _typed(chain[1], bytes)),
        body if isinstance(body, Mapping) else {},
    )
    # fmt: on


def _root_keys(record: Any) -> tuple[int, Mapping[object, Key]]:
    return _typed(record[1], int), {key.kid: key for key in map(Key, record[2])}


def _manifest(said: Said) -> Manifest:
    body = said.body
    rows = [RoleKey(_typed(row[0], str), Key(row[1]), _typed(row[2], int), _typed(row[3], int)) for row in body[5]]
    inventory = load(dict(body[7])["inventory"])
    devices = {_typed(row[0], str): Device(_typed(row[1], str), _typed(row[2], str), row[5]) for row in inventory}
    keys: Mapping[object, RoleKey] = {row.key.kid: row for row in rows}
    version, expires, site, gateway = (_typed(body[1], int), _typed(body[2], int), _typed(body[3], str), body[4])
    policy, lab = _typed(body[6], bytes), _typed(body[8], bool)
    return Manifest(said.place, None, said, version, expires, site, gateway, len(rows), keys, policy, devices, lab)


def _typed(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:
        raise ValueError(f"{kind.__name__} expected")
    return value
