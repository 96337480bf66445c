"""Largest remainder, from its definition: docs/architecture.md, "shared by capacity, largest remainder, ties by id"."""

import random
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from wattseal.bridge.sharing import share

WEIGHTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 40), max_size=6)


def oracle(total, weights):
    """Hands out single units: each goes to whoever's claim, in exact fractions, is furthest from being met."""
    whole = sum(weights.values())
    if total >= whole:
        return dict(weights)
    claims = {name: Fraction(total * weight, whole) for name, weight in weights.items()}
    parts = {name: int(claim) for name, claim in claims.items()}
    while sum(parts.values()) < total:
        parts[min(claims, key=lambda name: (parts[name] - claims[name], name))] += 1
    return parts


@given(st.integers(0, 200), WEIGHTS)
@example(1, {"b": 1, "a": 1})
@example(2, {"c": 1, "a": 1, "b": 1})
def test_largest_remainder(total, weights):
    parts = share(total, weights)
    assert parts == oracle(total, weights)
    whole = sum(weights.values())
    assert sum(parts.values()) == min(total, whole)
    for name, weight in weights.items():
        assert 0 <= parts[name] <= weight
        assert total >= whole or abs(parts[name] - Fraction(total * weight, whole)) < 1


@given(st.integers(0, 200), WEIGHTS, st.randoms(use_true_random=False))
def test_order_of_the_mapping_changes_nothing(total, weights, chance: random.Random):
    names = list(weights)
    chance.shuffle(names)
    assert share(total, {name: weights[name] for name in names}) == share(total, weights)


def test_ties_go_by_name():
    assert share(1, {"b": 5, "a": 5}) == {"b": 0, "a": 1}
    assert share(7, {"x": 3, "y": 3, "z": 3}) == {"x": 3, "y": 2, "z": 2}
    assert share(5, {}) == {}
