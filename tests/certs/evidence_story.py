"""A tiny story for the verifier's tests: throw-away keys of all roles, and an evidence file made of them.

Made with the product's sealing code and packed here by hand, so that every lie can be told: whoever holds the right
keys can change any member, header or body, and everything after it is sealed again to match.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from wattseal.certs import cbor, checkpoint, merkle, statement
from wattseal.certs.keys import FileSigner
from wattseal.certs.manifest import RoleKey, mandate_of, manifest_of, root_of, root_record_of
from wattseal.certs.statement import ROLE_OF, Header, Kind, Role

NOW = 1_800_000_000
SITE, GATEWAY, DEVICE = "Hof 7", "gateway-1", "battery"
POLICY, PROFILE, SITE_FILE, RAW = b"permit(policy);", b"profile = 1", b"[site]", b"<oadrDistributeEvent/>"
EPOCH, NONCE = bytes(range(16)), bytes(range(16, 32))


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def p256() -> FileSigner:
    return FileSigner(ec.generate_private_key(ec.SECP256R1()))


def edwards() -> FileSigner:
    return FileSigner(ed25519.Ed25519PrivateKey.generate())


ROOT, SECOND_ROOT, OWNER = p256(), p256(), p256()
SIGNERS: Mapping[Role, FileSigner] = {
    role: edwards() if role is Role.LOG else p256() for role in Role if role is not Role.OWNER
}


@dataclass
class Line:
    """One statement to be: `parents` are names of other lines, or digests. `body` may ask for a line's digest."""

    name: str
    kind: Kind
    body: Any
    subject: str = SITE
    parents: tuple[str | bytes, ...] = ()
    contents: tuple[bytes, ...] = ()
    audience: str | None = None
    chained: bool = False
    signer: FileSigner | None = None
    issued_at: int = NOW
    chain: Callable[[int, bytes], tuple[int, bytes]] = lambda number, digest: (number, digest)
    statement_id: bytes | None = None
    reseal: Callable[[bytes, FileSigner], bytes] | None = None


def order(**changes: Any) -> dict[int, Any]:
    members = {
        "device": DEVICE, "operation": "set_power", "value": -2000, "scale": 0, "unit": "W", "not_before": NOW,
        "hold": 600, "revert": ["release", 0], "tolerance": 50, "profile": sha(PROFILE),
    }  # fmt: skip
    return dict(enumerate({**members, **changes}.values(), 1))


def decision(of: bytes, **changes: Any) -> dict[int, Any]:
    members = {
        "allow": True, "ids": ["let-it"], "order": of, "policy": sha(POLICY),
        "asked": ["Utility", "vtn", "set_power", DEVICE], "context": [],
    }  # fmt: skip
    return dict(enumerate({**members, **changes}.values(), 1))


def command(of: bytes, sequence: int, **changes: Any) -> dict[int, Any]:
    members = {"order": of, "epoch": EPOCH, "sequence": sequence, "lease": 900, "supersedes": None}
    return dict(enumerate({**members, **changes}.values(), 1))


def receipt(result: str = "applied", reason: str = "", device: str = DEVICE) -> dict[int, Any]:
    frames, watts = sha(b"frames"), [0, -2000, -2000, -2000]
    return dict(enumerate([device, "command", result, reason, watts, NOW * 1000, frames, 0, None, "trusted", None], 1))


def reading(device: str = DEVICE) -> dict[int, Any]:
    rows = [["watts", -2000, 0, "W", "good", "704"]]
    return dict(enumerate([device, rows, NOW * 1000, NOW * 1000, sha(b"more frames"), "trusted"], 1))


def lines() -> list[Line]:
    """The story: an event comes in, the gateway is hailed, one command is given, done, and measured."""
    said = cbor.encode(order())
    return [
        Line("ingress", Kind.INGRESS, {1: "vtn"}, contents=(sha(RAW),)),
        Line("intent", Kind.INTENT, {1: "event"}, parents=("ingress",)),
        Line("hail", Kind.HAIL, {1: NONCE, 2: -1}, audience=GATEWAY),
        Line("hello", Kind.HELLO, {1: NONCE, 2: EPOCH, 3: 0, 4: "trusted"}, GATEWAY, ("hail",), chained=True),
        Line("reading", Kind.READING, reading(), f"device:{DEVICE}", chained=True),
        Line("facts", Kind.FACTS, {1: "planner"}, parents=("intent", "reading", "hello"), contents=(sha(SITE_FILE),)),
        Line("decision", Kind.DECISION, decision(said), parents=("facts",), contents=(sha(POLICY),)),
        Line("command", Kind.COMMAND, command(said, 1), f"device:{DEVICE}", ("decision",), (sha(PROFILE),), GATEWAY),
        Line("receipt", Kind.RECEIPT, receipt(), f"device:{DEVICE}", ("command",), chained=True),
        Line("renewal", Kind.RENEWAL, {1: EPOCH, 2: 2, 3: 900, 4: 2}, parents=("command",), audience=GATEWAY),
        Line("gap", Kind.GAP, {1: "frames", 2: "room", 3: 1, 4: 0, 5: 1}, GATEWAY, chained=True),
    ]


@dataclass
class Story:
    """Everything of which a file is made; each member may be changed before `pack`."""

    lines: list[Line] = field(default_factory=lines)
    contents: list[bytes] = field(default_factory=lambda: [POLICY, PROFILE, SITE_FILE, RAW])
    before: Sequence[bytes] = (b"an older leaf", b"and another", b"and a third")
    root_keys: Sequence[FileSigner] = (ROOT,)
    threshold: int = 1
    mandate_signers: Sequence[FileSigner] = (ROOT,)
    mandate: Callable[["Story", FileSigner], bytes] | None = None
    lab: bool = False
    link: str = "modbus-tcp"
    manifest_changes: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    manifest_mandates: Callable[[list[bytes]], list[bytes]] = lambda mandates: mandates
    manifest_reseal: Callable[[bytes, FileSigner], bytes] | None = None
    extract: dict[int, Any] = field(default_factory=dict)
    extract_kind: Kind = Kind.EXTRACT
    file: dict[int, Any] = field(default_factory=dict)
    note: Callable[[checkpoint.Checkpoint], bytes] = lambda found: found.encode()
    log: FileSigner = field(default_factory=lambda: SIGNERS[Role.LOG])
    origin: str | None = None
    first: int | None = None

    def line(self, name: str) -> Line:
        return next(line for line in self.lines if line.name == name)

    @property
    def root_record(self) -> bytes:
        return root_record_of(self.threshold, [key.public for key in self.root_keys])

    @property
    def root(self) -> str:
        return root_of(self.root_record)

    def mandates(self) -> list[bytes]:
        make = self.mandate or (
            lambda story, signer: mandate_of(
                signer, story.root_record, OWNER.public, issued_at=NOW - 9, expires_at=NOW + 9000
            )
        )
        return [make(self, signer) for signer in self.mandate_signers]

    def manifests(self, mandates: Sequence[bytes]) -> list[bytes]:
        made = []
        for number, changes in enumerate(self.manifest_changes, 1):
            rows = [[DEVICE, self.link, "10.0.0.7:502", 1, "sunspec", sha(PROFILE), "", 5]]
            members: dict[str, Any] = {
                "mandates": self.manifest_mandates(list(mandates)),
                "version": number,
                "issued_at": NOW - 5,
                "expires_at": NOW + 8000,
                "site": SITE,
                "gateway": GATEWAY,
                "keys": [RoleKey(role, s.public, NOW - 5, NOW + 8000) for role, s in SIGNERS.items()],
                "policy_digest": sha(POLICY),
                "sections": {"inventory": cbor.encode(rows)},
                "lab": self.lab,
                **changes,
            }
            signer = members.pop("signer", OWNER)
            raw = manifest_of(signer, **members)
            made.append(raw if self.manifest_reseal is None else self.manifest_reseal(raw, signer))
        return made

    def seal_lines(self) -> dict[str, bytes]:
        """The sealed bytes of every line by name; parents are sealed first, wherever they stand."""
        sealed: dict[str, bytes] = {}
        named = {line.name: line for line in self.lines}
        chain = {line.name: number for number, line in enumerate(line for line in self.lines if line.chained)}

        def seal(line: Line) -> bytes:
            if line.name in sealed:
                return sealed[line.name]
            parents = tuple(sha(seal(named[p])) if isinstance(p, str) else p for p in line.parents)
            place = None
            if line.chained:
                number = chain[line.name]
                previous = [name for name, n in chain.items() if n == number - 1]
                place = line.chain(number, sha(seal(named[previous[0]])) if previous else bytes(32))
            signer = line.signer or SIGNERS[ROLE_OF[line.kind]]
            header = Header(
                line.kind, SITE, line.subject, line.issued_at, line.audience, parents=parents, chain=place,
                contents=line.contents, statement_id=line.statement_id or sha(line.name.encode())[:16],
            )  # fmt: skip
            body = line.body(lambda name: sha(seal(named[name]))) if callable(line.body) else line.body
            raw = statement.seal(signer, header, cbor2.dumps(body, canonical=True)).raw
            sealed[line.name] = raw if line.reseal is None else line.reseal(raw, signer)
            return sealed[line.name]

        for line in self.lines:
            seal(line)
        return sealed

    def members(self) -> dict[int, Any]:
        mandates = self.mandates()
        manifests = self.manifests(mandates)
        sealed = self.seal_lines()
        leaves = [sealed[line.name] for line in self.lines]
        first = len(self.before) if self.first is None else self.first
        extract = {1: first, 2: NOW * 1000, 3: (NOW + 60) * 1000, 4: sha(self.root_record), **self.extract}
        header = Header(self.extract_kind, SITE, SITE, NOW, statement_id=bytes(16))
        leaves.append(statement.seal(self.log, header, cbor.encode(extract)).raw)
        return {
            0: "wattseal-evidence-1",
            1: self.root_record,
            2: mandates,
            3: manifests,
            4: sorted(self.contents, key=sha),
            7: leaves,
            9: [],
            **self.file,
        }

    def pack(self) -> bytes:
        """The file: whatever needs no role key but the log's is made to fit."""
        return self.framed(self.members())

    def framed(self, members: dict[int, Any]) -> bytes:
        hashes = [merkle.leaf_hash(leaf) for leaf in self.before]
        frontier, size = merkle.append((), 0, hashes)
        top, end = merkle.append(frontier, size, [merkle.leaf_hash(leaf) for leaf in members[7]])
        origin = self.origin or checkpoint.origin_of(self.root, SITE)
        note = self.note(checkpoint.sign(self.log, origin, end, merkle.root(top)))
        return cbor2.dumps({5: size, 6: list(frontier), 8: note, **members}, canonical=True)


def cose_with(raw: bytes, signer: FileSigner, **changes: Any) -> bytes:
    """The message with another header, payload, unprotected map or signature; sealed anew unless that was given."""
    protected, _unprotected, payload, signature = cbor2.loads(raw).value
    header = {**cbor2.loads(protected), **changes.get("header", {})}
    protected = changes.get("protected", cbor2.dumps(header, canonical=True))
    payload = changes.get("payload", payload)
    signature = signer.sign(cbor2.dumps(["Signature1", protected, b"", payload], canonical=True))
    parts = [protected, changes.get("unprotected", {}), payload, changes.get("signature", signature)]
    return cbor2.dumps(cbor2.CBORTag(18, parts), canonical=True)


def unpacked(data: bytes) -> dict[int, Any]:
    """The members of a file, to be meddled with."""
    return dict(cbor2.loads(data))
