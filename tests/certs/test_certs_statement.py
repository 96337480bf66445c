"""Statements: the header read back, refused in any other shape; the rules of roles and parents."""

import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs import cbor, cose, statement
from wattseal.certs.errors import MisuseError
from wattseal.certs.keys import FileSigner
from wattseal.certs.statement import PARENTS_OF, ROLE_OF, Header, Kind, Role, StatementError

SIGNER = FileSigner(ec.generate_private_key(ec.SECP256R1()))
BODY = cbor.encode({1: 7})

digests = st.binary(min_size=32, max_size=32)
seconds = st.integers(0, 1 << 40)
names = st.text(max_size=40)
headers = st.builds(
    Header,
    kind=st.sampled_from(Kind),
    issuer=names,
    subject=names,
    issued_at=seconds,
    audience=st.none() | names,
    not_before=st.none() | seconds,
    expires_at=st.none() | seconds,
    parents=st.lists(digests, max_size=3).map(tuple),
    chain=st.none() | st.tuples(seconds, digests),
    contents=st.lists(digests, max_size=3).map(tuple),
    statement_id=st.binary(min_size=16, max_size=16),
)


@settings(max_examples=60)
@given(headers)
def test_what_was_said_is_read_back(header: Header) -> None:
    made = statement.seal(SIGNER, header, BODY)
    envelope = cose.take_apart(made.raw)
    envelope.verify(SIGNER.public)
    found = statement.read(envelope)
    assert found == made
    assert found.header == header
    assert found.digest == hashlib.sha256(made.raw).digest()
    assert found.kid == SIGNER.public.kid


def test_the_header_holds_the_registered_labels() -> None:
    """RFC 9052 (1, 4), RFC 9596 (16 typ), RFC 9597 (15 CWT claims) with RFC 8392's claims 1 to 7."""
    header = Header(
        Kind.COMMAND, "site", "device:d", 5, "gateway", 6, 7, (bytes(32),), (3, bytes(32)), (bytes(32),), bytes(16)
    )
    protected = cbor2.loads(cbor2.loads(statement.seal(SIGNER, header, BODY).raw).value[0])
    assert protected == {
        1: -9,
        4: SIGNER.public.kid,
        15: {1: "site", 2: "device:d", 3: "gateway", 4: 7, 5: 6, 6: 5, 7: bytes(16)},
        16: "application/wattseal-command+cbor",
        -65537: [bytes(32)],
        -65538: [3, bytes(32)],
        -65539: [bytes(32)],
    }


GOOD = {
    15: {1: "site", 2: "subject", 6: 5, 7: bytes(16)},
    16: "application/wattseal-reading+cbor",
    -65537: (),
}


def refused(header: dict[int, object]) -> str:
    raw = cose.seal(SIGNER, header, BODY)
    with pytest.raises(StatementError) as caught:
        statement.read(cose.take_apart(raw))
    return caught.value.reason


def claims(**changes: object) -> dict[int, object]:
    changed = {**GOOD[15], **{int(label[1:]): value for label, value in changes.items()}}
    return {**GOOD, 15: {label: value for label, value in changed.items() if value is not ...}}


def test_the_good_header_is_good() -> None:
    assert statement.read(cose.take_apart(cose.seal(SIGNER, GOOD, BODY))).header.kind is Kind.READING


@pytest.mark.parametrize(
    "header",
    [
        {**GOOD, 99: 1},
        {key: value for key, value in GOOD.items() if key != 15},
        {key: value for key, value in GOOD.items() if key != -65537},
        {**GOOD, 15: ()},
        {**GOOD, -65537: (b"short",)},
        {**GOOD, -65537: (bytes(32),) * 257},
        {**GOOD, -65539: b"not a list"},
        {**GOOD, -65538: (1,)},
        {**GOOD, -65538: (-1, bytes(32))},
        {**GOOD, -65538: (1, b"short")},
        {**GOOD, 16: 7},
        claims(_8=1),
        claims(_1=...),
        claims(_2=7),
        claims(_2="x" * 201),
        claims(_6=...),
        claims(_6=True),
        claims(_6=-1),
        claims(_6="5"),
        claims(_7=bytes(15)),
        claims(_3=b"bytes"),
        claims(_4=-1),
        claims(_5="soon"),
    ],
)
def test_headers_of_another_shape_are_refused(header: dict[int, object]) -> None:
    assert refused(header) == "header_malformed"


@settings(max_examples=30)
@given(headers)
def test_a_glimpse_files_what_was_sealed(header: Header) -> None:
    assert statement.glimpse(statement.seal(SIGNER, header, BODY).raw) == (header.kind, header.issued_at)


def test_a_glimpse_of_anything_else_is_nothing() -> None:
    strange = [{**GOOD, 16: "text"}, {**GOOD, 15: ()}, claims(_6=...), claims(_6=-1), claims(_6="5")]
    for raw in (b"", b"\xd2", BODY, *(cose.seal(SIGNER, header, BODY) for header in strange)):
        assert statement.glimpse(raw) is None


@pytest.mark.parametrize("word", ["application/wattseal-wish+cbor", "application/cbor", ""])
def test_kinds_that_are_not_known(word: str) -> None:
    assert refused({**GOOD, 16: word}) == "kind_unknown"


def test_bodies_are_deterministic_cbor_too() -> None:
    for body in (b"", b"\xff", bytes.fromhex("1801"), bytes.fromhex("fb3ff199999999999a")):
        with pytest.raises(cbor.CborError):
            statement.read(cose.take_apart(cose.seal(SIGNER, GOOD, body)))


def test_two_statements_never_share_an_id() -> None:
    assert len({Header(Kind.HAIL, "a", "b", 1).statement_id for _ in range(100)}) == 100


def test_every_kind_has_a_role_and_parents_but_the_mandate_which_the_root_signs() -> None:
    assert set(ROLE_OF) == set(PARENTS_OF) == set(Kind) - {Kind.MANDATE}
    for kind, (required, permitted) in PARENTS_OF.items():
        assert required <= permitted, kind


def test_no_role_signs_both_a_deed_and_its_warrant() -> None:
    """Reference f.1: disjoint keys. Whoever commands does not decide, and whoever decides does not receipt."""
    chain = [Kind.INGRESS, Kind.INTENT, Kind.DECISION, Kind.COMMAND, Kind.RECEIPT]
    roles = [ROLE_OF[kind] for kind in chain]
    assert len(set(roles)) == len(roles)
    assert ROLE_OF[Kind.EXTRACT] is Role.LOG
    for child, parent in zip(chain[3:], chain[2:], strict=False):
        assert PARENTS_OF[child][0] == {parent}


@pytest.mark.parametrize("kind", Kind)
def test_only_what_names_every_device_may_be_wide(kind: Kind) -> None:
    """A thousand devices stand in manifest, facts and renewal; no other statement grows with the site."""
    wide = kind in {Kind.MANIFEST, Kind.FACTS, Kind.RENEWAL}
    header = Header(kind, "site", "subject", 5, parents=(bytes(32),) * 1000)
    body = cbor.encode({1: bytes(1 << 16)})
    if wide:
        assert statement.read(cose.take_apart(statement.seal(SIGNER, header, body).raw)).header == header
        return
    for said in (Header(kind, "site", "subject", 5), header):
        raw = cose.seal(SIGNER, statement._header_map(said), body if said is not header else BODY)
        with pytest.raises(StatementError) as caught:
            statement.read(cose.take_apart(raw))
        assert caught.value.reason in {"message_oversized", "header_malformed"}
    with pytest.raises(MisuseError) as refused:
        statement.seal(SIGNER, Header(kind, "site", "subject", 5), body)
    assert refused.value.reason == "message_oversized"
