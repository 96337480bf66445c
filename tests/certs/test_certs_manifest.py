"""From the root that one knows to the manifest: every way in which that chain can be broken."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from wattseal.certs import cbor, cose, statement
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.keys import FileSigner, PublicKey
from wattseal.certs.manifest import (
    RoleKey,
    Trust,
    TrustError,
    mandate_of,
    manifest_of,
    read_manifest,
    require_role,
    root_of,
    root_record_of,
)
from wattseal.certs.statement import Header, Kind, Role

NOW = 1_800_000_000


def key() -> FileSigner:
    return FileSigner(ec.generate_private_key(ec.SECP256R1()))


ROOTS = (key(), key(), key())
OWNER, GATEWAY, CORE = key(), key(), key()
LOG = FileSigner(ed25519.Ed25519PrivateKey.generate())
ROWS = (
    RoleKey(Role.GATEWAY, GATEWAY.public, NOW, NOW + 100),
    RoleKey(Role.CORE, CORE.public, NOW, NOW + 100),
    RoleKey(Role.LOG, LOG.public, NOW, NOW + 100),
)


def trust(
    *,
    threshold: int = 1,
    roots: Sequence[FileSigner] = ROOTS[:1],
    signing: Sequence[FileSigner] = ROOTS[:1],
    owner: FileSigner = OWNER,
    owners: Mapping[FileSigner, PublicKey] | None = None,
    rows: Sequence[RoleKey] = ROWS,
    sections: Mapping[str, bytes] | None = None,
) -> Trust:
    record = root_record_of(threshold, [root.public for root in roots])
    named = owners or {}
    mandates = tuple(
        mandate_of(signer, record, named.get(signer, OWNER.public), issued_at=NOW, expires_at=NOW + 50)
        for signer in signing
    )
    manifest = manifest_of(
        owner, mandates=mandates, version=4, issued_at=NOW, expires_at=NOW + 90, site="site", gateway="gateway",
        keys=rows, policy_digest=bytes(32), sections=sections or {"b": b"2", "a": b"1"}, lab=True,
    )  # fmt: skip
    return Trust(record, mandates, manifest)


def reason_of(files: Trust, root: str | None = None, now: int = NOW) -> str:
    with pytest.raises(PeerError) as caught:
        read_manifest(files, root or files.root(), now)
    return caught.value.reason


def test_the_manifest_is_read_as_it_was_signed() -> None:
    files = trust()
    manifest = read_manifest(files, files.root(), NOW)
    assert (manifest.version, manifest.expires_at, manifest.site, manifest.gateway) == (4, NOW + 90, "site", "gateway")
    assert manifest.sections == {"a": b"1", "b": b"2"}
    assert manifest.lab is True
    assert set(manifest.keys) == {row.key.kid for row in ROWS}
    assert manifest.key_of(GATEWAY.public.kid, NOW).role is Role.GATEWAY


def test_the_root_is_the_sha256_of_the_root_record() -> None:
    files = trust()
    assert files.root() == root_of(files.root_record) == hashlib.sha256(files.root_record).hexdigest()
    assert cbor.decode(files.root_record) == {1: 1, 2: [ROOTS[0].public.cose_key]}
    assert reason_of(files, root="00" * 32) == "root_unknown"


@pytest.mark.parametrize("threshold", [0, 3, -1])
def test_a_threshold_that_makes_no_sense_is_not_written(threshold: int) -> None:
    with pytest.raises(MisuseError):
        root_record_of(threshold, [ROOTS[0].public, ROOTS[1].public])


def test_two_of_three() -> None:
    for signing in (ROOTS[:2], ROOTS[1:], ROOTS):
        files = trust(threshold=2, roots=ROOTS, signing=signing)
        assert read_manifest(files, files.root(), NOW).version == 4
    for signing in (ROOTS[:1], (ROOTS[0], ROOTS[0]), ()):
        assert reason_of(trust(threshold=2, roots=ROOTS, signing=signing)) == "mandate_below_threshold"
    split = trust(threshold=2, roots=ROOTS, signing=ROOTS[:2], owners={ROOTS[1]: CORE.public})
    assert reason_of(split) == "mandate_below_threshold"


def test_mandates_of_strangers_other_roots_and_past_terms() -> None:
    assert reason_of(trust(signing=(ROOTS[1],))) == "mandate_unknown_key"
    other = trust(roots=(ROOTS[0], ROOTS[1]))
    files = trust()
    assert reason_of(replace(files, mandates=other.mandates)) == "mandate_other_root"
    assert reason_of(files, now=NOW + 50) == "mandate_expired"
    assert read_manifest(files, files.root(), NOW + 49).version == 4
    wrong = statement.seal(ROOTS[0], Header(Kind.GAP, "root", "owner", NOW), cbor.encode({1: b"", 2: b"", 3: 1}))
    assert reason_of(replace(files, mandates=(wrong.raw,))) == "mandate_malformed"


def test_only_the_mandated_owner_signs_and_on_these_mandates() -> None:
    assert reason_of(trust(owner=CORE)) == "signature_invalid"
    files, more = trust(roots=ROOTS[:2]), trust(roots=ROOTS[:2], signing=ROOTS[:2])
    assert reason_of(replace(more, manifest=files.manifest)) == "mandate_missing"
    assert reason_of(replace(files, manifest=more.manifest)) == "mandate_missing"
    intent = statement.seal(OWNER, Header(Kind.INTENT, "site", "site", NOW), cbor.encode({}))
    assert reason_of(replace(files, manifest=intent.raw)) == "role_wrong"


def test_one_key_one_role() -> None:
    twice = (*ROWS, RoleKey(Role.ISSUER, GATEWAY.public, NOW, NOW + 100))
    assert reason_of(trust(rows=twice)) == "key_has_two_roles"


def test_bodies_that_are_none() -> None:
    files = trust()
    parents = tuple(statement.digest(mandate) for mandate in files.mandates)
    body = dict(cbor.decode(cose.take_apart(files.manifest).payload))
    for label, wrong in ((1, "4"), (2, None), (5, b""), (5, [[1]]), (5, [["king", b"", 0, 0]]), (7, [[1, 2]]), (8, 1)):
        header = Header(Kind.MANIFEST, "site", "site", NOW, parents=parents)
        sealed = statement.seal(OWNER, header, cbor.encode({**body, label: wrong})).raw
        assert reason_of(replace(files, manifest=sealed)) == "manifest_malformed", label
    assert reason_of(replace(files, root_record=cbor.encode({1: 1}))) == "root_malformed"


def test_every_single_bit_of_the_trust_files_flipped_is_refused() -> None:
    files = trust()
    root = files.root()
    for name in ("root_record", "manifest"):
        data = getattr(files, name)
        for bit in range(len(data) * 8):
            flipped = bytearray(data)
            flipped[bit >> 3] ^= 1 << (bit & 7)
            with pytest.raises(PeerError):
                read_manifest(replace(files, **{name: bytes(flipped)}), root, NOW)


def test_admitting_statements_by_key_term_signature_and_role() -> None:
    files = trust()
    manifest = read_manifest(files, files.root(), NOW)

    def said(signer: FileSigner, kind: Kind) -> bytes:
        return statement.seal(signer, Header(kind, "gateway", "device", NOW), cbor.encode({})).raw

    good = said(GATEWAY, Kind.READING)
    assert manifest.admit(good, NOW).header.kind is Kind.READING
    assert manifest.admit(said(LOG, Kind.EXTRACT), NOW).header.kind is Kind.EXTRACT
    for raw, now, reason in (
        (good, NOW - 1, "key_out_of_term"),
        (good, NOW + 100, "key_out_of_term"),
        (said(key(), Kind.READING), NOW, "key_unknown"),
        (said(OWNER, Kind.MANIFEST), NOW, "key_unknown"),
        (said(GATEWAY, Kind.COMMAND), NOW, "role_wrong"),
        (said(CORE, Kind.MANDATE), NOW, "role_wrong"),
        (good[:-1] + bytes([good[-1] ^ 1]), NOW, "signature_invalid"),
        (good + b"\x00", NOW, "cbor_not_canonical"),
    ):
        with pytest.raises(PeerError) as caught:
            manifest.admit(raw, now)
        assert caught.value.reason == reason
    with pytest.raises(PeerError) as oversized:
        manifest.admit(good, NOW, max_bytes=len(good) - 1)
    assert oversized.value.reason == "message_oversized"


@pytest.mark.parametrize("kind", list(Kind))
def test_one_role_may_seal_each_kind(kind: Kind) -> None:
    said = statement.seal(GATEWAY, Header(kind, "a", "b", NOW), cbor.encode({}))
    for role in Role:
        if statement.ROLE_OF.get(kind) is role:
            require_role(said, role)
        else:
            with pytest.raises(TrustError):
                require_role(said, role)
