"""Every rule of the verifier has a lie that it alone catches: with the rule it fails by name, without it it passes.

The lies are told by somebody who holds the role keys: everything else about the file is sealed and packed to fit.
"""

import base64
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wattseal.certs import cbor, checkpoint, statement
from wattseal.certs.audit.verdict import RULES, verify
from wattseal.certs.manifest import RoleKey, mandate_of
from wattseal.certs.statement import Header, Kind, Role

sys.path.insert(0, str(Path(__file__).parent))
from evidence_story import (
    DEVICE,
    NOW,
    OWNER,
    PROFILE,
    RAW,
    ROOT,
    SECOND_ROOT,
    SIGNERS,
    SITE,
    SITE_FILE,
    Story,
    cose_with,
    edwards,
    order,
    p256,
    reading,
    receipt,
    sha,
)  # fmt: skip

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MUTATIONS: dict[str, Callable[[], tuple[bytes, str]]] = {}


def mutation(make: Callable[[Story], object]) -> Callable[[Story], object]:
    """Registers a lie under the reason by which it must be caught; it changes a story, or gives the file itself."""

    def build() -> tuple[bytes, str]:
        story = Story()
        made = make(story)
        root = story.root
        if isinstance(made, tuple):
            made, root = made
        return (made if isinstance(made, bytes) else story.pack()), root

    MUTATIONS[make.__name__] = build
    return make


# ---- the file


@mutation
def file_oversized(story: Story) -> None:
    heavy = bytes(1 << 26)
    story.contents.append(heavy)
    story.line("ingress").contents += (sha(heavy),)


@mutation
def file_kind_unknown(story: Story) -> None:
    story.file[0] = "wattseal-evidence-2"


@mutation
def file_not_canonical(story: Story) -> bytes:
    return story.pack() + b"\x00"


# ---- from the root to the keys


@mutation
def root_unknown(story: Story) -> tuple[bytes, str]:
    pinned = Story(root_keys=(SECOND_ROOT,)).root
    story.origin = checkpoint.origin_of(pinned, SITE)
    return story.pack(), pinned


def mandate_body(story: Story, **changes: object) -> bytes:
    members = {"root": sha(story.root_record), "owner": OWNER.public.cose_key, "expires": NOW + 9000, **changes}
    return cbor.encode(dict(enumerate(members.values(), 1)))


@mutation
def mandate_kind(story: Story) -> None:
    header = Header(Kind.INTENT, "root", "owner", NOW - 9)
    story.mandate = lambda s, signer: statement.seal(signer, header, mandate_body(s)).raw


@mutation
def mandate_other_root(story: Story) -> None:
    header = Header(Kind.MANDATE, "root", "owner", NOW - 9)
    story.mandate = lambda s, signer: statement.seal(signer, header, mandate_body(s, root=bytes(32))).raw


@mutation
def mandate_signature(story: Story) -> None:
    def forged(s: Story, _: object) -> bytes:
        genuine = mandate_of(ROOT, s.root_record, OWNER.public, issued_at=NOW - 9, expires_at=NOW + 9)
        return cose_with(genuine, p256())

    story.mandate = forged


@mutation
def mandate_stray(story: Story) -> None:
    story.root_keys = story.mandate_signers = (ROOT, SECOND_ROOT)
    story.manifest_mandates = lambda mandates: mandates[:1]


@mutation
def mandate_missing(story: Story) -> None:
    story.manifest_mandates = lambda mandates: [*mandates, b"one that is not in the file"]


@mutation
def mandate_expired(story: Story) -> None:
    story.mandate = lambda s, signer: mandate_of(
        signer, s.root_record, OWNER.public, issued_at=NOW - 9, expires_at=NOW - 5
    )


@mutation
def mandate_below_threshold(story: Story) -> None:
    story.root_keys, story.threshold = (ROOT, SECOND_ROOT), 2


@mutation
def manifest_kind(story: Story) -> None:
    story.manifest_reseal = lambda raw, signer: cose_with(raw, signer, header={16: "application/wattseal-intent+cbor"})


@mutation
def manifest_signature(story: Story) -> None:
    story.manifest_reseal = lambda raw, _: cose_with(raw, p256())


@mutation
def manifest_not_rising(story: Story) -> None:
    story.manifest_changes = [{"version": 2}, {"version": 2}]


@mutation
def key_has_two_roles(story: Story) -> None:
    rows = [RoleKey(role, s.public, NOW - 5, NOW + 8000) for role, s in SIGNERS.items()]
    story.manifest_changes = [{"keys": [RoleKey(Role.CORE, SIGNERS[Role.GATEWAY].public, NOW - 5, NOW + 8), *rows]}]


@mutation
def manifest_other_site(story: Story) -> None:
    story.manifest_changes = [{}, {"site": "Hof 8"}]


# ---- the log


@mutation
def checkpoint_not_canonical(story: Story) -> None:
    story.note = lambda found: found.encode().replace(b"\n%d\n" % found.size, b"\n+%d\n" % found.size)


@mutation
def checkpoint_size(story: Story) -> None:
    story.note = lambda found: checkpoint.sign(story.log, found.origin, found.size + 1, found.root).encode()


@mutation
def log_root(story: Story) -> None:
    story.note = lambda found: checkpoint.sign(story.log, found.origin, found.size, bytes(32)).encode()


@mutation
def checkpoint_origin(story: Story) -> None:
    story.origin = checkpoint.origin_of(story.root, "Hof 8")


def resigned(found: checkpoint.Checkpoint, key_hash: bytes, signature: bytes) -> bytes:
    line = checkpoint.NoteSignature(found.origin, key_hash, signature)
    return checkpoint.Checkpoint(found.origin, found.size, found.root, (line,)).encode()


@mutation
def checkpoint_key(story: Story) -> None:
    story.note = lambda found: resigned(found, b"none", found.signatures[0].signature)


@mutation
def checkpoint_signature(story: Story) -> None:
    story.note = lambda found: resigned(found, found.signatures[0].key_hash, edwards().sign(found.body()))


@mutation
def cosignature_unknown(story: Story) -> None:
    story.file[9] = [b"a witness was here"]


@mutation
def extract_missing(story: Story) -> bytes:
    members = story.members()
    return story.framed({**members, 7: members[7][:-1]})


@mutation
def extract_range(story: Story) -> None:
    story.extract[1] = 0


@mutation
def extract_other_root(story: Story) -> None:
    story.extract[4] = bytes(32)


# ---- each statement


@mutation
def statement_not_canonical(story: Story) -> None:
    long_key = bytes.fromhex("a1 18 01 63") + b"vtn"  # {1: "vtn"}, its key written in two bytes
    story.line("ingress").reseal = lambda raw, signer: cose_with(raw, signer, payload=long_key)


@mutation
def unprotected_not_empty(story: Story) -> None:
    story.line("ingress").reseal = lambda raw, signer: cose_with(raw, signer, unprotected={4: b"anything"})


@mutation
def header_unknown(story: Story) -> None:
    story.line("ingress").reseal = lambda raw, signer: cose_with(raw, signer, header={2: [99]})


@mutation
def statement_id_malformed(story: Story) -> None:
    story.line("ingress").statement_id = b"too short"


@mutation
def body_malformed(story: Story) -> None:
    story.line("gap").body[6] = "one member more"


def give_order(story: Story, **changes: object) -> None:
    """The same order decided and commanded."""
    said = cbor.encode(order(**changes))
    story.line("decision").body[3] = story.line("command").body[1] = said


@mutation
def order_malformed(story: Story) -> None:
    give_order(story, more="one member more")


@mutation
def key_unknown(story: Story) -> None:
    story.line("ingress").signer = p256()


@mutation
def key_out_of_term(story: Story) -> None:
    """`until` is excluded."""
    story.line("ingress").issued_at = NOW + 8000


@mutation
def role_wrong(story: Story) -> None:
    story.line("ingress").signer = SIGNERS[Role.CORE]


@mutation
def algorithm_mismatch(story: Story) -> None:
    story.line("ingress").reseal = lambda raw, signer: cose_with(raw, signer, header={1: -7})


@mutation
def signature_not_low_s(story: Story) -> None:
    def twin(raw: bytes, _: object) -> bytes:
        high = P256_ORDER - int.from_bytes(raw[-32:])
        return raw[:-32] + high.to_bytes(32)

    story.line("ingress").reseal = twin


@mutation
def signature_invalid(story: Story) -> None:
    story.line("ingress").reseal = lambda raw, _: cose_with(raw, p256())


@mutation
def clock_virtual(story: Story) -> None:
    """A virtual clock, told by any statement that names its clock, under a manifest that is no lab's."""
    story.line("reading").body[6] = "virtual"


@mutation
def statement_repeated(story: Story) -> None:
    story.line("intent").statement_id = story.line("ingress").statement_id = bytes(range(16))


# ---- what they rest on


@mutation
def parent_missing(story: Story) -> None:
    story.line("facts").parents += (sha(b"never seen"),)


@mutation
def parent_later(story: Story) -> None:
    story.lines[0], story.lines[1] = story.lines[1], story.lines[0]


@mutation
def parent_not_permitted(story: Story) -> None:
    story.line("facts").parents += ("ingress",)


@mutation
def parent_required(story: Story) -> None:
    story.line("intent").parents = ()


@mutation
def contents_order(story: Story) -> None:
    story.file[4] = sorted(story.contents, key=sha, reverse=True)


@mutation
def content_missing(story: Story) -> None:
    story.contents.remove(RAW)


@mutation
def content_stray(story: Story) -> None:
    story.contents.append(b"nothing names this")


# ---- what they say together


@mutation
def chain_missing(story: Story) -> None:
    story.line("gap").chained = False


@mutation
def chain_number(story: Story) -> None:
    story.line("gap").chain = lambda number, digest: (number + 1, digest)


@mutation
def chain_digest(story: Story) -> None:
    story.line("gap").chain = lambda number, _: (number, sha(b"another"))


@mutation
def hello_nonce(story: Story) -> None:
    story.line("hello").body[1] = bytes(16)


@mutation
def audience_wrong(story: Story) -> None:
    story.line("hail").audience = "gateway-2"


@mutation
def epoch_unknown(story: Story) -> None:
    story.line("command").body[2] = story.line("renewal").body[1] = bytes(16)


@mutation
def sequence_not_rising(story: Story) -> None:
    story.line("renewal").body[2] = 1


@mutation
def manifest_expired(story: Story) -> None:
    story.manifest_changes = [{"expires_at": NOW}]


@mutation
def policy_differs(story: Story) -> None:
    story.line("decision").body[4] = sha(SITE_FILE)


@mutation
def question_differs(story: Story) -> None:
    story.line("decision").body[5] = ["Utility", "vtn", "release", DEVICE]


@mutation
def decision_denied(story: Story) -> None:
    story.line("decision").body[1] = False


@mutation
def order_differs(story: Story) -> None:
    story.line("command").body[1] = cbor.encode(order(value=-9000))


@mutation
def intent_missing(story: Story) -> None:
    """The core orders on its own, and policy lets it: facts that rest on no event."""
    story.line("facts").parents = ("reading", "hello")


@mutation
def device_unknown(story: Story) -> None:
    give_order(story, device="charger")
    story.line("decision").body[5] = ["Utility", "vtn", "set_power", "charger"]
    story.line("command").subject = "device:charger"
    story.line("receipt").body = receipt(device="charger")


@mutation
def subject_differs(story: Story) -> None:
    story.line("command").subject = "device:charger"


@mutation
def profile_differs(story: Story) -> None:
    give_order(story, profile=sha(SITE_FILE))
    story.line("command").contents += (sha(SITE_FILE),)


@mutation
def profile_not_named(story: Story) -> None:
    story.line("command").contents = ()
    story.line("facts").contents += (sha(PROFILE),)


@mutation
def result_unknown(story: Story) -> None:
    story.line("receipt").body = receipt("wonderful")


@mutation
def receipt_device(story: Story) -> None:
    story.line("receipt").body = receipt(device="charger")


@mutation
def reading_device(story: Story) -> None:
    story.line("reading").body = reading("charger")


REASONS = [rule.reason for rule in RULES]


def test_reasons_are_unique_and_each_rule_has_its_lie() -> None:
    assert len(set(REASONS)) == len(REASONS)
    assert set(MUTATIONS) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_the_rule_and_it_alone_catches_its_lie(reason: str) -> None:
    data, root = MUTATIONS[reason]()
    verdict = verify(data, root)
    assert verdict["verdict"] == "broken"
    assert verdict["first_broken"]["reason"] == reason
    assert verdict["first_broken"]["where"]
    without = [rule for rule in RULES if rule.reason != reason]
    assert verify(data, root, without)["verdict"] == "proven", verify(data, root, without)["first_broken"]


def test_a_threshold_of_root_keys_must_name_one_owner() -> None:
    """Two mandates under a threshold of two, for two owners."""
    story = Story(root_keys=(ROOT, SECOND_ROOT), threshold=2, mandate_signers=(ROOT, SECOND_ROOT))
    assert verify(story.pack(), story.root)["verdict"] == "proven"
    owners = {ROOT: OWNER, SECOND_ROOT: p256()}
    story.mandate = lambda s, signer: mandate_of(
        signer, s.root_record, owners[signer].public, issued_at=NOW - 9, expires_at=NOW + 9
    )
    assert verify(story.pack(), story.root)["first_broken"]["reason"] == "mandate_below_threshold"


def test_one_root_key_does_not_count_twice() -> None:
    story = Story(root_keys=(ROOT, SECOND_ROOT), threshold=2, mandate_signers=(ROOT, ROOT))
    assert verify(story.pack(), story.root)["first_broken"]["reason"] == "mandate_below_threshold"


def test_statements_stand_under_the_manifest_of_their_time() -> None:
    """A second manifest takes the ingress key away from NOW + 10 on."""
    rest = [RoleKey(role, s.public, NOW - 5, NOW + 8000) for role, s in SIGNERS.items() if role is not Role.INGRESS]
    story = Story(manifest_changes=[{}, {"issued_at": NOW + 10, "keys": rest}])
    assert verify(story.pack(), story.root)["verdict"] == "proven"
    story.line("ingress").issued_at = NOW + 10
    assert verify(story.pack(), story.root)["first_broken"] == {
        "reason": "key_unknown",
        "where": "leaf 3",
        "leaf": 3,
        "sentence": "The manifest in force does not name the key that sealed this.",
    }


def test_a_clock_before_the_first_manifest_is_read_as_a_clock_gone_wrong() -> None:
    """A box whose clock stands in 1970 still testifies; the log's order says when. It does not revive an ended key."""
    story = Story()
    for name in ("ingress", "reading", "gap"):
        story.line(name).issued_at = 3
    assert verify(story.pack(), story.root)["verdict"] == "proven"
    story.manifest_changes = [{"keys": [RoleKey(role, s.public, NOW - 5, NOW + 50) for role, s in SIGNERS.items()]}]
    assert verify(story.pack(), story.root)["verdict"] == "proven"
    story.line("renewal").issued_at = NOW + 50
    broken = verify(story.pack(), story.root)["first_broken"]
    assert (broken["reason"], broken["where"]) == ("key_out_of_term", "leaf 12")
    story.line("renewal").issued_at = NOW
    story.line("gap").issued_at = 0
    story.line("receipt").issued_at = NOW + 50
    assert verify(story.pack(), story.root)["first_broken"]["leaf"] == 11


def test_the_first_statement_of_a_gateway_follows_nothing_and_no_other_does() -> None:
    story = Story()
    story.line("hello").chain = lambda number, _: (number, sha(b"another"))
    assert verify(story.pack(), story.root)["first_broken"]["reason"] == "chain_digest"


def test_an_epoch_is_no_statement_id() -> None:
    """An issuer cannot open an epoch by giving a statement of its own the epoch's sixteen bytes as its id."""
    story = Story()
    story.line("ingress").statement_id = bytes(range(16, 32))
    story.line("command").body[2] = story.line("renewal").body[1] = bytes(range(16, 32))
    assert verify(story.pack(), story.root)["first_broken"]["reason"] == "epoch_unknown"


def test_a_log_key_that_is_not_ed25519_signs_no_checkpoint() -> None:
    """Nor does a key of another role, whatever algorithm it has."""
    story = Story()
    other = edwards()
    rows = [RoleKey(role, s.public, NOW - 5, NOW + 8000) for role, s in SIGNERS.items()]
    story.manifest_changes = [{"keys": [*rows, RoleKey(Role.CORE, other.public, NOW - 5, NOW + 8000)]}]
    story.note = lambda found: checkpoint.sign(other, found.origin, found.size, found.root).encode()
    assert verify(story.pack(), story.root)["first_broken"]["reason"] == "checkpoint_key"


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        b"one line",
        b"a\n1\n\n\xe2\x80\x94 a x\n",
        b"a\nb\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 a " + base64.b64encode(bytes(68)) + b"\n",
    ],
)
def test_texts_that_are_no_checkpoint(note: bytes) -> None:
    story = Story(note=lambda _: note)
    assert verify(story.pack(), story.root)["first_broken"]["reason"] == "checkpoint_malformed"


@pytest.mark.parametrize("name", ["ingress", "command", "receipt", "hello", "renewal", "decision"])
@pytest.mark.parametrize("body", [[], 7, "text", None, {1: [], 2: {}, 3: [[]]}])
def test_bodies_of_any_shape_are_refused_without_a_traceback(name: str, body: object) -> None:
    story = Story()
    story.line(name).body = body
    for rules in (RULES, [rule for rule in RULES if rule.reason not in {"body_malformed", "order_malformed"}]):
        verify(story.pack(), story.root, rules)


def test_no_command_no_rule_of_commands() -> None:
    """A file of readings alone is a good file."""
    story = Story(lines=[line for line in Story().lines if line.name in {"hail", "hello", "reading"}])
    story.contents = story.contents[:1]
    verdict = verify(story.pack(), story.root)
    assert verdict["verdict"] == "proven"
    assert verdict["devices"][DEVICE]["readings"] == 1
