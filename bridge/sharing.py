"""Sharing one whole number among several by weight: largest remainder, ties by name. Pure integers."""

from collections.abc import Mapping


def share(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """`total` (non-negative) split by `weights` (positive); no part above its weight, no unit lost below the sum.

    Where `total` exceeds the sum of the weights, every part is its weight. Parts differ from the exact quota by less
    than one. Names decide ties, so that the result does not depend on the order of the mapping.
    """
    whole = sum(weights.values())
    if total >= whole:
        return dict(weights)
    parts = {name: total * weight // whole for name, weight in weights.items()}
    left = total - sum(parts.values())
    by_remainder = sorted(weights, key=lambda name: (-(total * weights[name] % whole), name))
    for name in by_remainder[:left]:
        parts[name] += 1
    return parts
