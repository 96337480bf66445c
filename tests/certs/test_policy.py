"""Cedar behind parsed handles: deny by default, named deciding policies, and an error never opens a door."""

import hashlib

import pytest

from wattseal.certs.policy import EVALUATION_ERROR, Entity, Name, Policy, PolicyError, Verdict

ANN, BOX = Name("User", "ann"), Name("Box", "one")
PERMIT = b'@id("may") permit (principal, action == Action::"open", resource);'


def policy(*rules, entities=()):
    return Policy(b"\n".join(rules), entities)


def test_digest_is_that_of_the_text_byte_for_byte():
    assert policy(PERMIT).digest == hashlib.sha256(PERMIT).digest()
    assert policy(PERMIT).text == PERMIT


def test_deny_by_default_names_nobody():
    assert policy(PERMIT).decide(ANN, "close", BOX, {}) == Verdict(allowed=False, policy_ids=())


def test_permit_and_forbid_are_named_and_forbid_wins():
    both = policy(PERMIT, b'@id("never") forbid (principal, action, resource) when { context.night };')
    assert both.decide(ANN, "open", BOX, {"night": False}) == Verdict(allowed=True, policy_ids=("may",))
    assert both.decide(ANN, "open", BOX, {"night": True}) == Verdict(allowed=False, policy_ids=("never",))


def test_ids_are_sorted():
    rules = [b'@id("%s") permit (principal, action, resource);' % name for name in (b"c", b"a", b"b")]
    assert policy(*rules).decide(ANN, "open", BOX, {}).policy_ids == ("a", "b", "c")


def test_a_forbid_that_cannot_be_evaluated_denies():
    """Cedar skips a policy that errs; a skipped forbid would let through what it was written against."""
    skipped = policy(PERMIT, b'@id("never") forbid (principal, action, resource) when { context.missing };')
    assert skipped.decide(ANN, "open", BOX, {}) == Verdict(allowed=False, policy_ids=(EVALUATION_ERROR,))


def test_sum_beyond_64_bits_denies():
    rule = b'@id("sum") permit (principal, action, resource) when { context.n + 1 > 0 };'
    assert policy(rule).decide(ANN, "open", BOX, {"n": 1}).allowed
    assert policy(rule).decide(ANN, "open", BOX, {"n": 2**63 - 1}).policy_ids == (EVALUATION_ERROR,)


def test_attributes_of_every_permitted_kind():
    ann = Entity(
        ANN, {"boxes": (BOX, Name("Box", "two")), "words": ("a", "b"), "most": 5, "on": True, "friend": BOX, "none": ()}
    )
    rule = (
        b'@id("all") permit (principal, action, resource) when { principal.boxes.contains(resource) && '
        b"principal.words.contains(context.word) && context.n <= principal.most && principal.on && "
        b"principal.friend == resource && !principal.none.contains(resource) };"
    )
    asked = policy(rule, entities=(ann,))
    assert asked.decide(ANN, "open", BOX, {"word": "a", "n": 5}).allowed
    for context in ({"word": "c", "n": 5}, {"word": "a", "n": 6}):
        assert not asked.decide(ANN, "open", BOX, context).allowed
    assert not asked.decide(ANN, "open", Name("Box", "three"), {"word": "a", "n": 5}).allowed


@pytest.mark.parametrize("odd", ['"', "\\", '"; permit(principal,action,resource);', "\n", "\x00", "", "ü", "a::b"])
def test_names_are_opaque_whatever_they_hold(odd):
    """A name is data: nothing in it becomes policy text."""
    ann = Entity(ANN, {"boxes": (Name("Box", odd),)})
    rule = b'@id("own") permit (principal, action, resource) when { principal.boxes.contains(resource) };'
    asked = policy(rule, entities=(ann,))
    assert asked.decide(ANN, "open", Name("Box", odd), {}).allowed
    assert not asked.decide(ANN, "open", Name("Box", odd + "x"), {}).allowed
    assert not asked.decide(Name("User", odd), "open", Name("Box", odd), {}).allowed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"permit (principal, action, resource);", "policy_without_id"),
        (PERMIT + b"permit (principal, action, resource);", "policy_without_id"),
        (PERMIT + PERMIT, "policy_id_twice"),
        (b"", "policy_without_id"),
        (b"permit", "policy_malformed"),
        (b"\xff", "policy_malformed"),
        (b'@id("t") permit (principal == ?principal, action, resource);', "policy_template"),
    ],
)
def test_texts_that_prove_nothing_are_refused(text, reason):
    with pytest.raises(PolicyError) as caught:
        Policy(text, ())
    assert caught.value.reason == reason


def test_entities_that_cedar_refuses():
    with pytest.raises(PolicyError) as caught:
        Policy(PERMIT, (Entity(Name("not a type", "x"), {}),))
    assert caught.value.reason == "policy_entities_malformed"


def test_equal_questions_have_equal_answers_and_true_is_not_one():
    """What was decided is remembered; two contexts that Python calls equal are still two questions."""
    asked = policy(b'@id("on") permit (principal, action, resource) when { context.on };')
    for _ in range(2):
        assert asked.decide(ANN, "open", BOX, {"on": True}) == Verdict(allowed=True, policy_ids=("on",))
        assert asked.decide(ANN, "open", BOX, {"on": 1}) == Verdict(allowed=False, policy_ids=(EVALUATION_ERROR,))
        assert not asked.decide(ANN, "open", BOX, {"on": False}).allowed


def test_what_is_remembered_is_bounded():
    asked = policy(b'@id("low") permit (principal, action, resource) when { context.n < 1500 };')
    for _ in range(2):
        assert [asked.decide(ANN, "open", BOX, {"n": n}).allowed for n in range(9000)] == [
            n < 1500 for n in range(9000)
        ]
    assert len(asked._decided) <= 8192
