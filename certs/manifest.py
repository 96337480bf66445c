"""The trust manifest: which key has which role here, and the digests of what the owner agreed to.

    root record {threshold, keys} --signs--> mandate (names the owner's key) --signs--> manifest (names all the rest)

The SHA-256 of the root record, in hex, is the one thing a verifier must know beforehand (`--root`). The manifest's
*sections* (inventory, enrolments, envelope) are opaque bytes here: each is read in the folder that owns its words.

    root record  {1: threshold, 2: [COSE_Key, ...]}
    mandate      {1: digest of the root record, 2: owner's COSE_Key, 3: expires}
    manifest     {1: version, 2: expires, 3: site, 4: gateway, 5: [[role, COSE_Key, from, until], ...],
                  6: policy digest, 7: [[section name, bytes], ...], 8: lab}
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wattseal.certs import cbor, cose, statement
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.keys import PublicKey, Signer
from wattseal.certs.statement import Header, Kind, Role, Statement

_MAX_BYTES: Final = cose.MAX_BYTES


class TrustError(PeerError):
    """A key, mandate or manifest that the root does not vouch for."""


@dataclass(frozen=True, slots=True)
class RoleKey:
    """A key, the one role it has, and the unix seconds between which it has it (`until` excluded)."""

    role: Role
    key: PublicKey
    valid_from: int
    valid_until: int

    def holds_at(self, now: int) -> bool:
        """Whether the key has its role at `now`."""
        return self.valid_from <= now < self.valid_until


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the owner signed, read and checked up to the root."""

    version: int
    expires_at: int
    site: str
    gateway: str
    keys: Mapping[bytes, RoleKey]
    policy_digest: bytes
    sections: Mapping[str, bytes]
    lab: bool
    statement: Statement

    def key_of(self, kid: bytes, now: int) -> RoleKey:
        """The role key behind a key id; raises `TrustError` (`key_unknown`, `key_out_of_term`)."""
        found = self.keys.get(kid)
        if found is None:
            raise TrustError("key_unknown", f"No key {kid.hex()} stands in the manifest, version {self.version}.")
        if not found.holds_at(now):
            raise TrustError("key_out_of_term", f"The {found.role} key {kid.hex()} has no role at that time.")
        return found

    def admit(self, raw: bytes, now: int, *, max_bytes: int = cose.MAX_BYTES) -> Statement:
        """The statement in `raw`, if a key that has the role for its kind sealed it.

        Checks size, form, key, signature and role, not audience, freshness or parents. Raises `TrustError`,
        `CoseError`, `SignatureError`, `StatementError` or `CborError`, each with its reason.
        """
        envelope = cose.take_apart(raw, max_bytes=max_bytes)
        role_key = self.key_of(envelope.kid, now)
        envelope.verify(role_key.key)
        admitted = statement.read(envelope)
        require_role(admitted, role_key.role)
        return admitted


@dataclass(frozen=True, slots=True)
class Trust:
    """The files from which a manifest is checked: root record, mandates, manifest, all as sealed."""

    root_record: bytes
    mandates: tuple[bytes, ...]
    manifest: bytes

    def root(self) -> str:
        """What `--root` takes: hex SHA-256 of the root record."""
        return root_of(self.root_record)


def require_role(said: Statement, role: Role) -> None:
    """Raises `TrustError` (`role_wrong`) unless statements of this kind are signed by `role`."""
    if statement.ROLE_OF.get(said.header.kind) is not role:
        raise TrustError("role_wrong", f"A {role} key may not sign a {said.header.kind} statement.")


def root_record_of(threshold: int, keys: Sequence[PublicKey]) -> bytes:
    """The root record: at least `threshold` of `keys` must sign each mandate."""
    if not 1 <= threshold <= len(keys):
        raise MisuseError("root_threshold_wrong", "The threshold must lie between 1 and the number of root keys.")
    return cbor.encode({1: threshold, 2: tuple(key.cose_key for key in keys)})


def root_of(root_record: bytes) -> str:
    """Hex SHA-256 of a root record."""
    return hashlib.sha256(root_record).hexdigest()


def mandate_of(signer: Signer, root_record: bytes, owner: PublicKey, *, issued_at: int, expires_at: int) -> bytes:
    """One root key's mandate for the owner's key."""
    body = cbor.encode({1: hashlib.sha256(root_record).digest(), 2: owner.cose_key, 3: expires_at})
    return statement.seal(signer, Header(Kind.MANDATE, "root", "owner", issued_at), body).raw


def manifest_of(
    signer: Signer,
    *,
    mandates: Sequence[bytes],
    version: int,
    issued_at: int,
    expires_at: int,
    site: str,
    gateway: str,
    keys: Sequence[RoleKey],
    policy_digest: bytes,
    sections: Mapping[str, bytes],
    lab: bool,
) -> bytes:
    """The manifest, sealed by the owner's key."""
    rows = tuple((str(row.role), row.key.cose_key, row.valid_from, row.valid_until) for row in keys)
    named = tuple((name, sections[name]) for name in sorted(sections))
    body = cbor.encode({1: version, 2: expires_at, 3: site, 4: gateway, 5: rows, 6: policy_digest, 7: named, 8: lab})
    parents = tuple(statement.digest(mandate) for mandate in mandates)
    return statement.seal(signer, Header(Kind.MANIFEST, site, site, issued_at, parents=parents), body).raw


def read_manifest(trust: Trust, root: str, now: int) -> Manifest:
    """The manifest, if the root vouches for it at `now`. Raises `TrustError` and the errors of seals.

    `manifest_expired` is left to the caller (an expired manifest means safe defaults, not silence): compare
    `expires_at`. The order is: root digest, threshold of mandates, owner's seal, body.
    """
    if trust.root() != root:
        raise TrustError("root_unknown", "The root record is not the one whose digest you gave.")
    owner = _mandated_owner(trust, now)
    envelope = cose.take_apart(trust.manifest, max_bytes=_MAX_BYTES)
    envelope.verify(owner)
    said = statement.read(envelope)
    require_role(said, Role.OWNER)
    if set(said.header.parents) != {statement.digest(mandate) for mandate in trust.mandates}:
        raise TrustError("mandate_missing", "The manifest rests on other mandates than those at hand.")
    return _manifest_body(said)


def _mandated_owner(trust: Trust, now: int) -> PublicKey:
    record = cbor.decode(trust.root_record, max_bytes=_MAX_BYTES)
    match record:
        case {1: int(threshold), 2: (tuple() | list()) as encoded}:
            keys = [PublicKey.from_cose(_bytes(item)) for item in encoded]
        case _:
            raise TrustError("root_malformed", "The root record is not {threshold, keys}.")
    by_kid = {key.kid: key for key in keys}
    signed_by: set[bytes] = set()
    owners: set[bytes] = set()
    for raw in trust.mandates:
        envelope = cose.take_apart(raw)
        if envelope.kid not in by_kid:
            raise TrustError("mandate_unknown_key", "A mandate is signed by a key that is not in the root record.")
        envelope.verify(by_kid[envelope.kid])
        owners.add(_owner_named_in(statement.read(envelope), trust.root_record, now))
        signed_by.add(envelope.kid)
    if len(signed_by) < threshold or len(owners) != 1:
        raise TrustError("mandate_below_threshold", "Too few root keys signed one and the same mandate.")
    return PublicKey.from_cose(owners.pop())


def _owner_named_in(said: Statement, root_record: bytes, now: int) -> bytes:
    body = cbor.decode(said.body)
    root_digest = hashlib.sha256(root_record).digest()
    match body:
        case {1: bytes(named_root), 2: bytes(owner), 3: int(expires)} if said.header.kind is Kind.MANDATE:
            if named_root != root_digest:
                raise TrustError("mandate_other_root", "A mandate was given under another root.")
            if now >= expires:
                raise TrustError("mandate_expired", "The owner's mandate has expired; ask the root keys for another.")
            return owner
    raise TrustError("mandate_malformed", "A mandate does not name root, owner and term.")


def _manifest_body(said: Statement) -> Manifest:
    body = cbor.decode(said.body, max_bytes=_MAX_BYTES)
    match body:
        case {
            1: int(version),
            2: int(expires),
            3: str(site),
            4: str(gateway),
            5: (tuple() | list()) as rows,
            6: bytes(policy_digest),
            7: (tuple() | list()) as sections,
            8: bool(lab),
        }:
            keys = [_role_key(row) for row in rows]
            if len({key.key.kid for key in keys}) != len(keys):
                raise TrustError("key_has_two_roles", "A key stands twice in the manifest; one key has one role.")
            return Manifest(
                version,
                expires,
                site,
                gateway,
                {key.key.kid: key for key in keys},
                policy_digest,
                dict(_section(item) for item in sections),
                lab,
                said,
            )
    raise TrustError("manifest_malformed", "The manifest's body is not what this release reads.")


def _role_key(row: cbor.Value) -> RoleKey:
    match row:
        case (tuple() | list()) as parts if len(parts) == 4:  # noqa: PLR2004 - role, key, from, until
            role, key, valid_from, valid_until = parts
            if isinstance(valid_from, int) and isinstance(valid_until, int) and role in set(Role):
                return RoleKey(Role(str(role)), PublicKey.from_cose(_bytes(key)), valid_from, valid_until)
    raise TrustError("manifest_malformed", "A role row of the manifest is not role, key, from, until.")


def _section(item: cbor.Value) -> tuple[str, bytes]:
    match item:
        case (str(name), bytes(content)) | [str(name), bytes(content)]:
            return name, content
    raise TrustError("manifest_malformed", "A section of the manifest is not a name and bytes.")


def _bytes(value: cbor.Value) -> bytes:
    if not isinstance(value, bytes):
        raise TrustError("manifest_malformed", "A key is not a byte string.")
    return value
